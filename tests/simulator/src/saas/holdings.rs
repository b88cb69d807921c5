//! What every tenant has: rows under paths, a clock, scripted refusals, a budget of calls, and the
//! tokens that it gave out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::change::{Changed, no_such};
use crate::clock::Clock;

/// Rows of one list, by the key in whose order the vendor lists them.
pub(super) type List = BTreeMap<String, Value>;

/// Calls in one minute of the clock, where nobody says less.
const CALLS_A_MINUTE: u64 = 10_000;

/// How long a token holds that was exchanged.
pub(super) const TOKEN_SECS: i64 = 3_600;

/// What a tenant holds.
#[derive(Debug)]
pub struct Holdings {
    clock: Clock,
    lists: BTreeMap<String, List>,
    serial: u64,
    issued: BTreeMap<String, Timestamp>,
    denied: BTreeSet<String>,
    budget: Budget,
}

/// Calls of the minute in which the clock stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) limit: u64,
    pub(super) used: u64,
    minute: i64,
}

impl Budget {
    pub(super) fn remaining(self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// When the next minute begins, in seconds since 1970.
    pub(super) fn reset(self) -> i64 {
        (self.minute + 1) * 60
    }
}

impl Holdings {
    /// Nothing, by this clock.
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            lists: BTreeMap::new(),
            serial: 0,
            issued: BTreeMap::new(),
            denied: BTreeSet::new(),
            budget: Budget { limit: CALLS_A_MINUTE, used: 0, minute: 0 },
        }
    }

    /// The clock by which the tenant lives.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The next number of a sequence from which ids are made.
    pub(super) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// From now on this request is refused for want of a permission: `GET /api/v1/api-tokens`.
    pub fn deny(&mut self, action: &str) {
        self.denied.insert(action.to_owned());
    }

    /// Ends [`Holdings::deny`].
    pub fn allow(&mut self, action: &str) {
        self.denied.remove(action);
    }

    pub(super) fn is_denied(&self, action: &str) -> bool {
        self.denied.contains(action)
    }

    /// From now on answers so many requests in a minute of the clock.
    pub fn limit_calls(&mut self, a_minute: u64) {
        self.budget.limit = a_minute;
    }

    /// Takes one call from the budget. `Err`: there is none left, and these seconds to wait.
    pub(super) fn spend(&mut self) -> Result<Budget, (Budget, i64)> {
        let now = self.now().as_second();
        let minute = now.div_euclid(60);
        if minute != self.budget.minute {
            (self.budget.minute, self.budget.used) = (minute, 0);
        }
        if self.budget.remaining() == 0 {
            return Err((self.budget, self.budget.reset() - now));
        }
        self.budget.used += 1;
        Ok(self.budget)
    }

    pub(super) fn forget_spent(&mut self) {
        self.budget.used = 0;
    }

    /// Makes a path exist, with nothing below it.
    pub(super) fn open(&mut self, path: &str) {
        self.lists.entry(path.to_owned()).or_default();
    }

    /// Makes a path and all below it vanish: from now on it is not found.
    pub fn withdraw(&mut self, path: &str) {
        let below = format!("{path}/");
        self.lists.retain(|own, _| own != path && !own.starts_with(&below));
    }

    pub(super) fn list(&self, path: &str) -> Option<&List> {
        self.lists.get(path)
    }

    /// The rows of a path in order, none where it does not exist.
    pub fn rows(&self, path: &str) -> impl Iterator<Item = &Value> + use<'_> {
        self.lists.get(path).into_iter().flat_map(List::values)
    }

    pub(super) fn put(&mut self, path: &str, key: &str, row: Value) {
        self.lists.entry(path.to_owned()).or_default().insert(key.to_owned(), row);
    }

    /// The row whose `field` (a path with dots) is `value`.
    pub(super) fn row(&mut self, path: &str, field: &str, value: &str) -> Changed<&mut Value> {
        let rows = self.lists.get_mut(path).into_iter().flat_map(List::values_mut);
        let mut rows = rows.filter(|row| is(at(row, field), value));
        rows.next().ok_or_else(|| no_such("row", &format!("{path}: {value}")))
    }

    /// Takes the row whose `field` is `value` out.
    pub(super) fn take(&mut self, path: &str, field: &str, value: &str) -> Changed<Value> {
        let missing = || no_such("row", &format!("{path}: {value}"));
        let list = self.lists.get_mut(path).ok_or_else(missing)?;
        let key =
            list.iter().find(|(_, row)| is(at(row, field), value)).map(|(key, _)| key.clone());
        key.and_then(|key| list.remove(&key)).ok_or_else(missing)
    }

    /// Gives out a token that holds for an hour of the clock.
    pub(super) fn issue(&mut self, prefix: &str) -> String {
        let token = format!("{prefix}-issued-{}-EXAMPLE", self.serial());
        let until = self.now() + SignedDuration::from_secs(TOKEN_SECS);
        self.issued.insert(token.clone(), until);
        token
    }

    /// Whether a token was given out and has not ended.
    pub(super) fn holds(&self, token: &str) -> bool {
        self.issued.get(token).is_some_and(|until| *until > self.now())
    }

    /// Ends every token that was given out.
    pub fn end_tokens(&mut self) {
        self.issued.clear();
    }
}

fn at<'a>(row: &'a Value, field: &str) -> &'a Value {
    field.split('.').fold(row, |value, name| &value[name])
}

fn is(field: &Value, value: &str) -> bool {
    match field {
        Value::String(text) => text == value,
        Value::Number(number) => number.to_string() == value,
        _ => false,
    }
}
