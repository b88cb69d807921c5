//! Counting requests: the evidence for a call budget.

use std::collections::BTreeMap;

/// How often each account's credentials asked for each action. Actions are written like the
/// permission: `iam:ListRoles`. Requests whose credentials were refused count for `unknown`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    counts: BTreeMap<(String, String), u64>,
    total: u64,
}

impl Calls {
    /// All requests, retries included.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Requests for one action by all accounts.
    pub fn of(&self, action: &str) -> u64 {
        self.iter().filter(|(_, own, _)| *own == action).map(|(_, _, count)| count).sum()
    }

    /// Requests for one action by one account.
    pub fn in_account(&self, account: &str, action: &str) -> u64 {
        let key = (account.to_owned(), action.to_owned());
        self.counts.get(&key).copied().unwrap_or(0)
    }

    /// Requests of one account.
    pub fn of_account(&self, account: &str) -> u64 {
        self.iter().filter(|(own, _, _)| *own == account).map(|(_, _, count)| count).sum()
    }

    /// Every (account, action, count), sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, u64)> {
        self.counts.iter().map(|((account, action), &count)| (&**account, &**action, count))
    }

    /// The distinct actions asked for, sorted.
    pub fn actions(&self) -> Vec<&str> {
        let mut actions: Vec<_> = self.iter().map(|(_, action, _)| action).collect();
        actions.sort_unstable();
        actions.dedup();
        actions
    }

    /// Counts a request and returns its number.
    pub(crate) fn count(&mut self, account: &str, action: &str) -> u64 {
        *self.counts.entry((account.to_owned(), action.to_owned())).or_default() += 1;
        self.total += 1;
        self.total
    }
}
