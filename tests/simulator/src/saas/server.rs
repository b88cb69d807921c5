//! The HTTP side of every vendor: reads the request, asks who it is, takes from the budget, and
//! answers.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use url::form_urlencoded;

use super::ask::Ask;
use super::tenant::{Cut, Refusal, Tenant};
use crate::clock::Clock;
use crate::fault::Fault;
use crate::out::Out;
use crate::serving::{Inside, Served, Serving, Shared, Turn};

/// What a proxy in front shows when it has no answer.
const TROUBLE: &str = "Service Unavailable";

/// Seconds that a scripted throttling asks for.
const RETRY_AFTER: i64 = 30;

/// A [`Tenant`] that answers over HTTP on 127.0.0.1.
///
/// Actions of a [`FaultPlan`](crate::FaultPlan) and of [`Calls`](crate::Calls) are methods with
/// routes below the base of the API: `GET /api/v1/apps/{app}/grants`. The account of a request is
/// `tenant`, or `unknown` where its token was refused. Whoever counts anew begins with a full budget.
pub type SaasServer<T> = Serving<T>;

/// A request, read.
#[derive(Debug)]
pub struct Call {
    ask: Ask,
    known: Result<(), Refusal>,
    /// The path as it was asked and the form, where it is a token that is asked for.
    token: Option<(String, Bytes)>,
}

impl<T: Tenant> Served for T {
    type Call = Call;
    type Side = ();

    fn side(&self) {}

    fn clock(&self) -> &Clock {
        self.holdings().clock()
    }

    fn below(&self) -> &'static str {
        T::BELOW
    }

    fn read(inside: &Inside<Self>, head: &Parts, body: Bytes) -> Call {
        let ask = Ask::read(head, T::ROUTES, (T::BELOW, &inside.public));
        let known = inside.world.authenticate(&ask);
        let token = (head.method == Method::POST).then(|| (head.uri.path().to_owned(), body));
        Call { ask, known, token }
    }

    fn counts_for(&self, call: &Call) -> (String, String) {
        let is_welcome = call.known.is_ok() || call.token.is_some();
        (if is_welcome { "tenant" } else { "unknown" }.to_owned(), call.ask.action())
    }

    fn answer(shared: &Arc<Shared<Self>>, call: Call, turn: &Turn) -> Response {
        let tenant = &mut shared.lock().world;
        let out = match (trouble(tenant, &call.ask, turn.fault), &call.token) {
            (Some(out), _) => out,
            (None, Some((path, form))) => {
                let form = form_urlencoded::parse(form).into_owned().collect();
                let out = tenant.exchange(path, &form);
                out.unwrap_or_else(|| tenant.refuse(&Refusal::NotFound))
            }
            (None, None) => budgeted(tenant, call, turn),
        };
        out.send(turn)
    }

    fn counted_anew(&mut self) {
        self.holdings_mut().forget_spent();
    }
}

/// The faults that are answers of the vendor itself.
fn trouble<T: Tenant>(tenant: &T, ask: &Ask, fault: Option<Fault>) -> Option<Out> {
    let refusal = match fault? {
        Fault::Throttle | Fault::TooManyRequests => Refusal::Throttled(RETRY_AFTER),
        Fault::Denied => Refusal::Denied(ask.route.map_or("", |route| route.needs)),
        Fault::NotFound => Refusal::NotFound,
        Fault::Unauthorized => Refusal::BadToken,
        Fault::ServerError => Refusal::Trouble(500),
        Fault::HtmlError => return Some(Out::html(500, TROUBLE)),
        Fault::Unavailable => Refusal::Trouble(503),
        _ => return None,
    };
    Some(tenant.refuse(&refusal))
}

fn budgeted<T: Tenant>(tenant: &mut T, call: Call, turn: &Turn) -> Out {
    let (budget, exceeded) = match tenant.holdings_mut().spend() {
        Ok(budget) => (budget, None),
        Err((budget, wait)) => (budget, Some(Refusal::Throttled(wait))),
    };
    let cut = Cut { fault: turn.fault, most: turn.most };
    let answered = match (call.known, exceeded) {
        (Err(refusal), _) | (Ok(()), Some(refusal)) => Err(refusal),
        (Ok(()), None) => tenant.answer(&call.ask, cut),
    };
    let mut out = answered.unwrap_or_else(|refusal| tenant.refuse(&refusal));
    out.headers.extend(tenant.limits(budget));
    out
}
