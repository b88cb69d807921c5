//! Credentials that only a call per user lists, read when the user's row of the credential report
//! changed. An unchanged row stands for what was listed when it was new.
//!
//! The report may be four hours old. What a row shows is therefore proof only for what was listed
//! at the source, or for what a report built after the row was first met still shows: until then
//! such a user is left out of the proof, so that a credential found through an event is not taken
//! for gone because an older report lacks it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures::StreamExt;
use headcount_sdk::{Complete, RecordId, Recorder, ScanError};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::named::Named;
use super::{Collector, row};
use crate::normalize::authorization::{Authorization, User};
use crate::report::{Report, Row};

/// What is kept of each user, by unique id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize", deserialize = "T: Deserialize<'de>"))]
pub(crate) struct PerUser<T> {
    pub(crate) users: BTreeMap<String, Entry<T>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry<T> {
    /// Of the row that the records belong to; `None` for a user that no report had yet.
    pub(crate) fingerprint: Option<String>,
    /// The scan that read the records.
    pub(crate) scan: String,
    pub(crate) proof: Proof,
    pub(crate) records: Vec<T>,
}

/// What an entry rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Proof {
    /// The source listed them.
    Listed,
    /// The report showed none; one built no earlier than this must agree before it counts.
    RowAlone { since: Timestamp },
}

impl<T> Default for PerUser<T> {
    fn default() -> Self {
        Self { users: BTreeMap::new() }
    }
}

/// What to do for a user.
#[derive(Debug, PartialEq)]
enum Plan<'a, T> {
    /// The row is the one that these belong to.
    Keep(&'a Entry<T>),
    /// The row shows none, and none were known.
    Nothing,
    /// Ask the source.
    List,
}

/// What a user's row shows of one kind of credential.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) fingerprint: String,
    pub(crate) any: bool,
    /// More than the row has columns for, so that a change might not show.
    pub(crate) more: bool,
}

impl Shown {
    pub(crate) fn keys(row: &Row) -> Self {
        Self { fingerprint: row.key_fingerprint(), any: row.shows_keys(), more: row.shows_more() }
    }

    pub(crate) fn certificates(row: &Row) -> Self {
        Self {
            fingerprint: row.certificate_fingerprint(),
            any: row.shows_certificates(),
            more: row.shows_more(),
        }
    }
}

impl<T> PerUser<T> {
    /// `reread` names a scan whose own entries do not count: the one whose first pass is being
    /// confirmed.
    fn plan(&self, user_id: &str, shown: Option<&Shown>, reread: Option<&str>) -> Plan<'_, T> {
        let entry = self.users.get(user_id);
        let Some(shown) = shown else {
            return Plan::List;
        };
        if shown.more {
            return Plan::List;
        }
        match entry {
            Some(entry) if entry.proof == Proof::Listed && reread == Some(entry.scan.as_str()) => {
                Plan::List
            }
            Some(entry) if entry.fingerprint.as_deref() == Some(&shown.fingerprint) => {
                Plan::Keep(entry)
            }
            Some(_) => Plan::List,
            None if shown.any => Plan::List,
            None => Plan::Nothing,
        }
    }
}

/// One kind of credential that is listed per user.
#[async_trait]
pub(crate) trait Listing: Sync {
    type Record: Clone + PartialEq + Send + Sync + Serialize + DeserializeOwned;

    /// Under which name the records are kept.
    fn kept_as(&self) -> &'static str;

    fn shown(&self, row: &Row) -> Shown;

    /// Asks the source. `known` are the records kept of the user before.
    async fn list(
        &self,
        user: &User,
        known: &[Self::Record],
    ) -> Result<Vec<Self::Record>, ScanError>;

    /// Whether two readings say the same, whenever they were made.
    fn same(&self, a: &Self::Record, b: &Self::Record) -> bool;
}

/// The credentials of all users, as kept or as listed now.
pub(crate) struct Gathered<T> {
    /// What was kept before.
    pub(crate) before: PerUser<T>,
    /// Of every user that was read; when something failed, users may be missing.
    pub(crate) now: PerUser<T>,
    pub(crate) failed: Option<ScanError>,
}

impl Collector<'_> {
    /// Goes through the users in order of their ids. `swept` are listed whatever their rows show.
    pub(crate) async fn gather<L: Listing>(
        &self,
        listing: &L,
        authorization: &Authorization,
        report: &Report,
        swept: &BTreeSet<String>,
    ) -> Result<Gathered<L::Record>, ScanError> {
        let before: PerUser<L::Record> = self.cached(listing.kept_as()).await.unwrap_or_default();
        let reread = self.confirming().then_some(self.cx.scan.as_str());
        let mut now = PerUser::default();
        let mut wanted = Vec::new();
        for (id, user) in &authorization.users {
            let shown = row(report, user).map(|row| listing.shown(row));
            match before.plan(id, shown.as_ref(), reread) {
                _ if swept.contains(id) => wanted.push((user, shown)),
                Plan::Keep(entry) => drop(now.users.insert(id.clone(), entry.clone())),
                Plan::Nothing => {
                    let proof = Proof::RowAlone { since: self.cx.now };
                    now.users.insert(id.clone(), self.entry(shown, proof, Vec::new()));
                }
                Plan::List => {
                    self.for_a_change().await?;
                    wanted.push((user, shown));
                }
            }
        }
        let failed = self.list_users(listing, wanted, &before, &mut now).await.err();
        Ok(Gathered { before, now, failed })
    }

    /// Lists as many users at once as the governor lets through. What came before a failure is
    /// kept, so that the next scan goes on from there.
    async fn list_users<L: Listing>(
        &self,
        listing: &L,
        wanted: Vec<(&User, Option<Shown>)>,
        before: &PerUser<L::Record>,
        now: &mut PerUser<L::Record>,
    ) -> Result<(), ScanError> {
        let mut calls = Vec::with_capacity(wanted.len());
        for (user, shown) in wanted {
            let entry = before.users.get(&user.holder.id);
            let known = entry.map_or(&[][..], |entry| &entry.records);
            calls.push(async move { (user, shown, entry, listing.list(user, known).await) });
        }
        let mut calls = futures::stream::iter(calls).buffered(self.concurrency);
        while let Some((user, shown, entry, listed)) = calls.next().await {
            let read = self.entry(shown, Proof::Listed, listed?);
            let kept = entry.filter(|entry| says_the_same(listing, entry, &read)).cloned();
            now.users.insert(user.holder.id.clone(), kept.unwrap_or(read));
        }
        Ok(())
    }

    /// Lists the users whom hints name, whatever was kept of them. The row stays the one that was
    /// known: when it changes, the user is listed again.
    pub(crate) async fn list_named<L: Listing>(
        &self,
        listing: &L,
        authorization: &Authorization,
        named: &Named,
    ) -> Result<BTreeMap<String, Entry<L::Record>>, ScanError> {
        let before: PerUser<L::Record> = self.cached(listing.kept_as()).await.unwrap_or_default();
        let mut listed = BTreeMap::new();
        for (id, user) in named.users.iter().filter_map(|id| authorization.users.get_key_value(id))
        {
            let kept = before.users.get(id);
            let known = kept.map_or(&[][..], |entry| &entry.records);
            let entry = Entry {
                fingerprint: kept.and_then(|entry| entry.fingerprint.clone()),
                scan: self.cx.scan.clone(),
                proof: Proof::Listed,
                records: listing.list(user, known).await?,
            };
            listed.insert(id.clone(), entry);
        }
        Ok(listed)
    }

    fn entry<T>(&self, shown: Option<Shown>, proof: Proof, records: Vec<T>) -> Entry<T> {
        let fingerprint = shown.map(|shown| shown.fingerprint);
        Entry { fingerprint, scan: self.cx.scan.clone(), proof, records }
    }

    /// Keeps what was gathered for the next scan, and vouches for what was proven.
    pub(crate) async fn settle<L: Listing>(
        &self,
        listing: &L,
        gathered: Gathered<L::Record>,
        report: &Report,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let Gathered { before, mut now, failed } = gathered;
        let mut vouched = Vouched::default();
        for (id, entry) in &now.users {
            vouched.user(self.place().user(id), entry.proof, report.generated_at);
        }
        for (id, entry) in &before.users {
            if failed.is_some() {
                now.users.entry(id.clone()).or_insert_with(|| entry.clone());
            } else if !now.users.contains_key(id) {
                // The bulk details no longer have the user, so nothing of its is left.
                vouched.proven.insert(self.place().user(id));
            }
        }
        if now != before {
            self.keep(listing.kept_as(), &now).await;
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(vouched.complete(recorder)),
        }
    }
}

/// An unchanged entry stays as it is, so that a quiet scan writes nothing.
fn says_the_same<L: Listing>(
    listing: &L,
    kept: &Entry<L::Record>,
    read: &Entry<L::Record>,
) -> bool {
    kept.proof == Proof::Listed
        && kept.fingerprint == read.fingerprint
        && kept.records.len() == read.records.len()
        && kept.records.iter().zip(&read.records).all(|(a, b)| listing.same(a, b))
}

/// Users whose credentials this reading can vouch for.
#[derive(Debug, Default)]
struct Vouched {
    proven: BTreeSet<RecordId>,
    doubtful: u64,
}

impl Vouched {
    fn user(&mut self, id: RecordId, proof: Proof, report_at: Timestamp) {
        match proof {
            Proof::RowAlone { since } if report_at < since => self.doubtful += 1,
            Proof::RowAlone { .. } | Proof::Listed => {
                self.proven.insert(id);
            }
        }
    }

    /// The whole scope, or what was proven of it. Nothing is outstanding: every user was read.
    fn complete(self, recorder: Recorder<'_>) -> Complete {
        if self.doubtful == 0 {
            recorder.complete()
        } else {
            recorder.complete_for_parents(self.proven, 0)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn shown(fingerprint: &str, any: bool) -> Shown {
        Shown { fingerprint: fingerprint.to_owned(), any, more: false }
    }

    fn kept(fingerprint: Option<&str>, scan: &str) -> PerUser<u8> {
        let entry = Entry {
            fingerprint: fingerprint.map(str::to_owned),
            scan: scan.to_owned(),
            proof: Proof::Listed,
            records: vec![1],
        };
        PerUser { users: BTreeMap::from([("u".to_owned(), entry)]) }
    }

    #[test]
    fn only_changed_new_and_crowded_rows_are_listed() {
        let known = kept(Some("a"), "s1");
        let none = PerUser::<u8>::default();
        assert!(matches!(known.plan("u", Some(&shown("a", true)), None), Plan::Keep(_)));
        assert_eq!(known.plan("u", Some(&shown("b", true)), None), Plan::List);
        assert_eq!(known.plan("u", Some(&shown("b", false)), None), Plan::List);
        assert_eq!(known.plan("u", None, None), Plan::List);
        assert_eq!(kept(None, "s1").plan("u", Some(&shown("a", true)), None), Plan::List);
        assert_eq!(none.plan("u", Some(&shown("a", true)), None), Plan::List);
        assert_eq!(none.plan("u", Some(&shown("a", false)), None), Plan::Nothing);
        let crowded = Shown { more: true, ..shown("a", true) };
        assert_eq!(known.plan("u", Some(&crowded), None), Plan::List);
    }

    #[test]
    fn a_confirming_pass_reads_again_what_the_first_pass_read() {
        let known = kept(Some("a"), "s1");
        let shown = shown("a", true);
        assert_eq!(known.plan("u", Some(&shown), Some("s1")), Plan::List);
        assert!(matches!(known.plan("u", Some(&shown), Some("s2")), Plan::Keep(_)));
    }

    #[test]
    fn a_row_alone_proves_nothing_until_a_later_report_agrees() {
        let since: Timestamp = "2026-01-15T09:00:00Z".parse().unwrap();
        let id = RecordId::new("aws:123456789012", "iam-user", "u");
        let doubtful = |report_at: &str| {
            let mut vouched = Vouched::default();
            vouched.user(id.clone(), Proof::RowAlone { since }, report_at.parse().unwrap());
            vouched.doubtful
        };
        assert_eq!(doubtful("2026-01-15T06:00:00Z"), 1);
        assert_eq!(doubtful("2026-01-15T08:59:59Z"), 1);
        assert_eq!(doubtful("2026-01-15T09:00:00Z"), 0, "built after the scan began");
    }
}
