//! Paging by opaque markers.
//!
//! A marker means nothing to its holder, works only for the action and account that it was made
//! for, and remembers the last key served, so that a page costs what it carries and not what
//! came before it. Like AWS, it takes no snapshot: records made or deleted between two pages
//! show or do not.

use std::collections::{HashMap, VecDeque};

use crate::call::{ApiError, Request};
use crate::fault::Fault;
use crate::ids::Ids;

/// Markers kept; the oldest is forgotten first.
const KEPT: usize = 65_536;

/// The markers handed out.
#[derive(Debug)]
pub struct Pages {
    ids: Ids,
    made: HashMap<String, Place>,
    order: VecDeque<String>,
}

#[derive(Debug)]
struct Place {
    account: String,
    action: String,
    after: Option<String>,
}

/// How a spoiled page lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quirk {
    RepeatedMarker,
    MissingMarker,
    EmptyPage,
}

impl Quirk {
    pub(crate) fn of(fault: Fault) -> Option<Self> {
        match fault {
            Fault::RepeatedMarker => Some(Self::RepeatedMarker),
            Fault::MissingMarker => Some(Self::MissingMarker),
            Fault::EmptyPage => Some(Self::EmptyPage),
            _ => None,
        }
    }
}

/// A page that was asked for.
#[derive(Debug)]
pub(crate) struct Page {
    /// The key after which it begins.
    pub(crate) after: Option<String>,
    limit: usize,
    marker: Option<String>,
}

/// How a page ends.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) truncated: bool,
    pub(crate) marker: Option<String>,
}

/// The bounds of a page size: parameter name of the marker, most and default number of records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) marker: &'static str,
    pub(crate) size: &'static str,
    pub(crate) most: usize,
    pub(crate) default: usize,
}

/// `Marker` and `MaxItems` of IAM.
pub(crate) const IAM: Limits =
    Limits { marker: "Marker", size: "MaxItems", most: 1000, default: 100 };

impl Pages {
    pub(crate) fn new(seed: u64) -> Self {
        Self { ids: Ids::new(seed), made: HashMap::new(), order: VecDeque::new() }
    }

    /// Reads marker and size of a request.
    pub(crate) fn open(&self, request: &Request, limits: Limits) -> Result<Page, ApiError> {
        let limit = match request.param(limits.size) {
            None => limits.default,
            Some(text) => match text.parse::<usize>() {
                Ok(size) if (1..=limits.most).contains(&size) => size,
                _ => return Err(ApiError::validation(&format!("{} is out of range", limits.size))),
            },
        };
        let marker = request.param(limits.marker).map(str::to_owned);
        let after = match &marker {
            None => None,
            Some(marker) => match self.made.get(marker) {
                Some(place)
                    if place.account == request.account && place.action == request.action =>
                {
                    place.after.clone()
                }
                _ => return Err(ApiError::invalid_marker(limits.marker)),
            },
        };
        let limit = request.most.map_or(limit, |most| limit.min(most));
        Ok(Page { after, limit, marker })
    }

    /// Takes the page's records off `items`, which begins behind `page.after`.
    pub(crate) fn cut<K: AsRef<str>, T>(
        &mut self,
        request: &Request,
        page: &Page,
        items: impl Iterator<Item = (K, T)>,
    ) -> (Vec<T>, Tail) {
        if request.quirk == Some(Quirk::EmptyPage) {
            let marker = self.mint(request, page.after.clone());
            return (Vec::new(), Tail { truncated: true, marker: Some(marker) });
        }
        let mut items = items;
        let mut last = page.after.clone();
        let mut records = Vec::new();
        for (key, record) in items.by_ref().take(page.limit) {
            last = Some(key.as_ref().to_owned());
            records.push(record);
        }
        let more = items.next().is_some();
        let tail = match request.quirk {
            Some(Quirk::RepeatedMarker) => {
                let marker = page.marker.clone().unwrap_or_else(|| self.mint(request, last));
                Tail { truncated: true, marker: Some(marker) }
            }
            Some(Quirk::MissingMarker) => Tail { truncated: true, marker: None },
            _ => Tail { truncated: more, marker: more.then(|| self.mint(request, last)) },
        };
        (records, tail)
    }

    /// A temporary access key id. Made here, so that traffic does not move the ids of records.
    pub(crate) fn session_key(&mut self) -> String {
        self.ids.unique("ASIA")
    }

    fn mint(&mut self, request: &Request, after: Option<String>) -> String {
        if self.order.len() >= KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.made.remove(&oldest);
        }
        let marker = self.ids.marker();
        let (account, action) = (request.account.clone(), request.action.clone());
        self.made.insert(marker.clone(), Place { account, action, after });
        self.order.push_back(marker.clone());
        marker
    }
}
