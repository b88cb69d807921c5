//! The GitHub side: finds the route, asks who it is, takes from the budget, and answers.

mod answer;

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::response::Response;

use self::answer::Call;
use super::edition::Edition;
use super::model::Hub;
use super::page::Links;
use crate::clock::Clock;
use crate::serving::{Inside, Served, Serving, Shared, Turn};

/// A [`Hub`] that answers over HTTP on 127.0.0.1. Its `url` is that of the REST API, on a `Server`
/// edition with `/api/v3`.
///
/// Actions of a [`FaultPlan`](crate::FaultPlan) and of [`Calls`](crate::Calls) are routes with
/// their method: `GET /orgs/{org}/hooks`, `POST /graphql`. Accounts are logins of organisations;
/// requests with a JWT count for `app`, refused ones for `unknown`.
pub type HubServer = Serving<Hub>;

impl HubServer {
    /// The address of the GraphQL API.
    pub fn graphql_url(&self) -> String {
        let path = match self.read(|hub| hub.edition) {
            Edition::Server => "/api/graphql",
            _ => "/graphql",
        };
        format!("{}{path}", self.origin())
    }

    /// Says where `rel="next"` leads.
    pub fn set_links(&self, links: Links) {
        self.change().manners.links = links;
    }
}

impl Served for Hub {
    type Call = Call;
    type Side = ();

    fn side(&self) {}

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn below(&self) -> &'static str {
        match self.edition {
            Edition::Server => "/api/v3",
            _ => "",
        }
    }

    fn read(inside: &Inside<Self>, head: &Parts, body: Bytes) -> Call {
        Call::read(&inside.world, head, body)
    }

    fn counts_for(&self, call: &Call) -> (String, String) {
        (call.account.clone(), call.action.clone())
    }

    fn answer(shared: &Arc<Shared<Self>>, call: Call, turn: &Turn) -> Response {
        let out = call.answer(&mut shared.lock().world, turn);
        out.send(turn)
    }
}
