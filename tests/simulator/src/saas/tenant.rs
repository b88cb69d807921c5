//! What a vendor says of itself, so that one server can serve it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ask::{Ask, Kind, Route};
use super::holdings::{Budget, Holdings};
use super::page::{self, Page};
use crate::fault::Fault;
use crate::out::Out;

/// Why a request is refused. Each vendor has its own words for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody says who asks.
    NoToken,
    /// The token is wrong, or has ended.
    BadToken,
    /// A permission is missing, by the vendor's name for it.
    Denied(&'static str),
    NotFound,
    BadRequest(&'static str),
    /// Come back in so many seconds.
    Throttled(i64),
    /// The vendor's own trouble: 500 or 503.
    Trouble(u16),
}

/// How an answer is cut.
pub struct Cut {
    pub(super) fault: Option<Fault>,
    /// The most rows that a page has, whatever is asked for.
    pub(super) most: Option<usize>,
}

/// What exists at one vendor, and how that vendor talks. The five in this folder are all there are.
#[allow(private_interfaces, reason = "nobody outside of this crate implements it")]
pub trait Tenant: Send + Sized + 'static {
    /// Below which path the API is: `/api/v4`.
    const BELOW: &'static str;
    /// What it serves.
    const ROUTES: &'static [Route];

    /// Rows, clock, budget and refusals.
    fn holdings(&self) -> &Holdings;
    fn holdings_mut(&mut self) -> &mut Holdings;

    /// What a request shows of who asks, where this vendor looks for it.
    fn shown<'a>(&self, ask: &'a Ask) -> Option<&'a str> {
        ask.token("Bearer")
    }

    /// Whether what was shown opens the API. Without another word: a token that was given out.
    fn opens(&self, shown: &str) -> bool {
        self.holdings().holds(shown)
    }

    /// Whether who asks may ask anything.
    fn authenticate(&self, ask: &Ask) -> Result<(), Refusal> {
        match self.shown(ask) {
            Some(shown) if self.opens(shown) => Ok(()),
            Some(_) => Err(Refusal::BadToken),
            None => Err(Refusal::NoToken),
        }
    }

    /// Answers a request for a token; `None` where that is no address for one.
    fn exchange(&mut self, _path: &str, _form: &BTreeMap<String, String>) -> Option<Out> {
        None
    }

    /// Where the rows of a path stand, if the vendor knows them by more than one.
    fn shelf(&self, ask: &Ask) -> String {
        ask.path.clone()
    }

    /// Whether a row is wanted, by the filters in the query.
    fn wants(&self, _ask: &Ask, _row: &Value) -> bool {
        true
    }

    /// The page that is asked for.
    fn page(&self, ask: &Ask, route: &Route, cut: Cut) -> Result<Out, Refusal>;

    /// One document.
    fn one(&self, _ask: &Ask, row: &Value) -> Out {
        Out::json(200, row)
    }

    fn refuse(&self, refusal: &Refusal) -> Out;

    /// The headers in which the vendor tells its limits.
    fn limits(&self, _budget: Budget) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// A route's answer, its faults applied to it.
    fn answer(&self, ask: &Ask, cut: Cut) -> Result<Out, Refusal> {
        let route = ask.route.ok_or(Refusal::NotFound)?;
        if self.holdings().is_denied(&ask.action()) {
            return Err(Refusal::Denied(route.needs));
        }
        let list = self.holdings().list(&self.shelf(ask)).ok_or(Refusal::NotFound)?;
        match route.kind {
            Kind::One => {
                list.values().next().map(|row| self.one(ask, row)).ok_or(Refusal::NotFound)
            }
            // What has no pages cannot have an odd one.
            Kind::Whole => self.page(ask, route, Cut { fault: None, ..cut }),
            Kind::Pages { .. } => self.page(ask, route, cut),
        }
    }

    /// How many rows a page has: as many as were asked for in `param`, within bounds.
    fn size(&self, ask: &Ask, (route, param): (&Route, &str), cut: &Cut) -> usize {
        match route.kind {
            Kind::Pages { size, most } => {
                let asked = ask.number(param).unwrap_or(size).clamp(1, most);
                cut.most.map_or(asked, |most| asked.min(most.max(1)))
            }
            Kind::Whole | Kind::One => usize::MAX,
        }
    }

    /// The page after the token in `param`, of as many rows as `size` says.
    fn rows_after(
        &self,
        ask: &Ask,
        (param, size): (&str, usize),
        fault: Option<Fault>,
    ) -> Result<Page, Refusal> {
        let list = self.holdings().list(&self.shelf(ask)).ok_or(Refusal::NotFound)?;
        let asked = ask.query.get(param).map(String::as_str).filter(|token| !token.is_empty());
        let page = page::after(list, |row| self.wants(ask, row), (asked, size), fault);
        page.ok_or(Refusal::BadRequest("the token of the page is invalid"))
    }
}
