//! What the agent remembers, behind one trait.
//!
//! There is one way to write: [`Store::commit`], a single transaction that carries a scope's
//! records, versions, drift, findings and outgoing events, so that a crash at any instant leaves
//! either all of it or none. The agent holds one writer at a time (see `scan::ledger`), so what a
//! commit was computed from cannot change under it. Deliveries and the connectors' caches have
//! their own small writes, because losing them repeats work and loses nothing; so have decisions of
//! people (exceptions, tokens) and the audit of them, because they come from outside of any scan.
//!
//! [`sqlite`] is the embedded implementation: one file, no server.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use headcount_core::findings::exceptions::Exception;
use headcount_core::findings::{Finding, FindingStatus, Severity, Transition, TransitionKind};
use headcount_core::graph::Key;
use headcount_core::inventory::{History, Owner, Record, ScopeState};
use headcount_core::reconcile::{Drift, Known};
use headcount_sdk::{Class, RecordId, Scope, Usage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub mod access;
#[cfg(test)]
pub(crate) mod contract;
pub mod over_time;
pub mod paging;
pub mod sqlite;
pub mod work;

use access::{AuditEntry, AuditOutcome, Token, TokenHash};
use over_time::{Census, CountsAt, PastCoverage};
use paging::{FindingPlace, FindingQuery, Page, RecordPlace, RecordQuery};
use work::{Listed, Work, WorkCount, WorkFilter};

/// Why the store could not do it. Named by what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the data directory.
    #[error("{path} is in use by another headcount process (stop it, or use another data_dir)")]
    InUse { path: String },
    /// The file is from a newer version, or not ours, or damaged.
    #[error("{path} cannot be opened: {reason}")]
    Unusable { path: String, reason: String },
    /// Disk full, I/O error, lock timeout: nothing was written, try again later.
    #[error("the store did not {action}: {reason}")]
    Failed { action: &'static str, reason: String },
    /// What was stored is not what was written.
    #[error("the store holds a damaged {what}: {reason}")]
    Damaged { what: &'static str, reason: String },
}

pub type Result<T> = std::result::Result<T, StoreError>;

/// Everything that one commit writes, all or nothing.
#[derive(Debug, Default)]
pub struct Commit {
    pub at: Timestamp,
    pub scan: String,
    pub source: String,
    /// The scope's new state, when the commit ends a reading.
    pub scope: Option<ScopeState>,
    /// Records that appeared, came back or changed. Each opens a new version at `at`, unless its
    /// `changed_at` is still that of the present version: then that version goes on with the new
    /// content. A record that is not `judged` as well is due for judgement at once.
    pub written: Vec<Written>,
    /// Records whose use moved: updated in place with their history, no version, no drift.
    pub used: Vec<Used>,
    /// Records that are gone: their version closes at `at`.
    pub removed: Vec<RecordId>,
    pub drift: Vec<Drift>,
    /// New owners and next judgement times of records, written or not. They update in place.
    pub judged: Vec<Judged>,
    pub transitions: Vec<Transition>,
    /// Outgoing events, in order; a delivery of each is queued for every sink in `sinks`, but for
    /// those that its route leaves out.
    pub events: Vec<Event>,
    pub sinks: Vec<Route>,
    /// The source's new state, when the commit begins or ends a scan.
    pub source_state: Option<SourceState>,
    /// The population, when the commit ends a scan.
    pub census: Vec<Census>,
    /// [`Store::exceptions_version`] of the exceptions that `judged` was judged under. If they moved
    /// since, it is due at once.
    pub exceptions_version: u64,
}

#[derive(Clone, Debug)]
pub struct Written {
    pub record: Record,
    pub fingerprint: u128,
    pub usage_hash: u64,
}

#[derive(Clone, Debug)]
pub struct Used {
    pub id: RecordId,
    pub usage: Usage,
    pub usage_hash: u64,
    pub history: History,
}

#[derive(Clone, Debug)]
pub struct Judged {
    pub id: RecordId,
    pub owner: Option<Owner>,
    /// When time alone can change a verdict next; `None` = never.
    pub next_at: Option<Timestamp>,
}

/// One message to the outside, frozen when it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Position in the agent's sequence, from 1, without holes.
    pub sequence: u64,
    /// The same however often it is sent.
    pub id: String,
    /// CloudEvents type.
    pub kind: String,
    /// The finding that it belongs to; deliveries of one finding keep their order.
    pub finding: Option<String>,
    pub time: Timestamp,
    /// The CloudEvents JSON, byte for byte as it is signed and sent.
    pub body: String,
}

/// Which of a commit's events go to one sink.
///
/// An event that is left out is queued all the same when the sink knows its finding as open: the
/// last event of that finding that was queued for it did not resolve it. So whoever was told of a
/// finding is also told how it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Route {
    pub sink: String,
    /// Events, by sequence, that the sink's filter does not take.
    pub leaves_out: BTreeSet<u64>,
}

impl Route {
    /// Every event goes to this sink.
    #[must_use]
    pub fn all(sink: &str) -> Self {
        Self { sink: sink.to_owned(), leaves_out: BTreeSet::new() }
    }
}

/// What is known of a configured source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceState {
    pub name: String,
    pub connector: String,
    /// End of the first scan. Until then findings are posture, not news.
    pub baselined_at: Option<Timestamp>,
    pub last_scan_started_at: Option<Timestamp>,
    pub last_scan_finished_at: Option<Timestamp>,
    /// Whether the last finished scan read every scope to its end.
    pub last_scan_complete: Option<bool>,
    /// The last finished scan that did.
    pub last_complete_at: Option<Timestamp>,
    /// The last summary of a baseline; scopes baselined later than that are still to be told of.
    #[serde(default)]
    pub last_summary_at: Option<Timestamp>,
    /// Digest of the rule settings that the records were last judged under.
    pub rules_digest: Option<String>,
}

/// Which records to list; every field that is given must match.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    pub source: Option<String>,
    /// Empty = every class.
    pub classes: Vec<Class>,
    pub kind: Option<String>,
    /// Part of the name, native handle or id, without case.
    pub text: Option<String>,
    /// The inventory as it was then; `None` = as it is.
    pub at: Option<Timestamp>,
}

/// One version of a record, with the use and the owner that held last while it was valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub record: Record,
    pub valid_from: Timestamp,
    /// `None` = it is the present one.
    pub valid_to: Option<Timestamp>,
}

#[derive(Clone, Debug, Default)]
pub struct FindingFilter {
    pub status: Option<FindingStatus>,
    pub rule: Option<String>,
    pub source: Option<String>,
    pub subject: Option<String>,
    pub at_least: Option<Severity>,
}

#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub actor: Option<String>,
    pub outcome: Option<AuditOutcome>,
}

/// One past step of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PastTransition {
    pub number: u32,
    pub kind: TransitionKind,
    pub at: Timestamp,
    pub severity: Severity,
    pub title: String,
    pub resolution: Option<String>,
}

/// One line of drift as it was committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PastDrift {
    pub at: Timestamp,
    pub source: String,
    #[serde(flatten)]
    pub drift: Drift,
}

/// A delivery that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub event: Event,
    /// Attempts made so far.
    pub attempts: u32,
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    /// Try again at this time.
    Retry {
        at: Timestamp,
        error: String,
    },
    /// Given up; waits in the dead letters for a replay.
    Dead {
        error: String,
    },
}

#[derive(Clone, Debug)]
pub struct Attempt {
    pub sequence: u64,
    pub at: Timestamp,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub event: Event,
    pub attempts: u32,
    pub failed_at: Timestamp,
    pub error: String,
}

/// How a sink's queue stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueState {
    pub pending: u64,
    pub dead: u64,
    pub delivered: u64,
    pub oldest_pending_at: Option<Timestamp>,
    /// When the next delivery is due.
    pub next_due_at: Option<Timestamp>,
}

/// A number of records that share source, class, kind and status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordCount {
    pub source: String,
    pub class: Class,
    pub kind: String,
    pub status: String,
    pub owned: bool,
    pub count: u64,
}

#[async_trait]
pub trait Store: Send + Sync {
    // What a scan reads before it commits.

    /// Fingerprints of a scope's present records, sorted by key.
    async fn known(&self, source: &str, scope: &Scope) -> Result<Vec<Known>>;
    /// Number of a scope's present records.
    async fn count_in_scope(&self, source: &str, scope: &Scope) -> Result<u64>;
    async fn records_by_row(&self, rows: &[i64]) -> Result<Vec<Record>>;
    /// Present records by id; ids that are not there are left out.
    async fn records(&self, ids: &[RecordId]) -> Result<Vec<Record>>;
    /// Present records that name one of these as parent.
    async fn children(&self, parents: &[RecordId]) -> Result<Vec<Record>>;
    /// Present records whose links look for one of these keys, in the order of keys and ids; of each
    /// key at most `limit`. Candidates: what a link means, the graph says.
    async fn linking(&self, keys: &[Key], limit: u32) -> Result<Vec<(Key, RecordId)>>;
    /// Present records that have one of these keys as their handle, or as a subject that they can
    /// present; as `linking` answers.
    async fn answering(&self, keys: &[Key], limit: u32) -> Result<Vec<(Key, RecordId)>>;
    /// The last version of records that are gone, by id.
    async fn vanished(&self, ids: &[RecordId]) -> Result<Vec<Record>>;
    /// The record of this scope and kind that last carried the name and is gone, by (kind, name).
    async fn vanished_by_name(
        &self,
        source: &str,
        scope: &Scope,
        names: &[(String, String)],
    ) -> Result<BTreeMap<(String, String), RecordId>>;
    /// All findings on these subjects, resolved ones included.
    async fn findings_on(&self, subjects: &[String]) -> Result<Vec<Finding>>;
    /// Records of a source whose next judgement is due, earliest first.
    async fn due(&self, source: &str, now: Timestamp, limit: u32) -> Result<Vec<Record>>;
    /// Marks every record of a source as due now (the rules changed).
    async fn mark_all_due(&self, source: &str, now: Timestamp) -> Result<()>;
    async fn scope_states(&self, source: Option<&str>) -> Result<Vec<ScopeState>>;
    async fn source_states(&self) -> Result<Vec<SourceState>>;
    /// The sequence number that the next event gets.
    async fn next_sequence(&self) -> Result<u64>;

    /// The one way to write.
    async fn commit(&self, commit: &Commit) -> Result<()>;

    // Connectors' caches: may be lost.

    async fn cache_get(&self, source: &str, key: &str) -> Result<Option<Vec<u8>>>;
    async fn cache_put(&self, source: &str, key: &str, value: &[u8]) -> Result<()>;

    // What people ask.

    /// One page of records in id order, after the id `after`.
    async fn list_records(
        &self,
        filter: &RecordFilter,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<Vec<Record>>;
    /// A page of present records.
    async fn page_records(&self, query: &RecordQuery) -> Result<Page<Record, RecordPlace>>;
    /// Every version of one record, oldest first.
    async fn versions(&self, id: &RecordId) -> Result<Vec<Version>>;
    /// Findings, most severe first, then oldest.
    async fn list_findings(&self, filter: &FindingFilter) -> Result<Vec<Finding>>;
    async fn page_findings(&self, query: &FindingQuery) -> Result<Page<Finding, FindingPlace>>;
    async fn finding(&self, id: &str) -> Result<Option<(Finding, Vec<PastTransition>)>>;
    /// Drift committed after `from` and up to `to`, oldest first.
    async fn drift(&self, from: Timestamp, to: Timestamp) -> Result<Vec<PastDrift>>;
    /// A page of the same with the number of each line, beyond a line's time and number.
    async fn page_drift(
        &self,
        between: (Timestamp, Timestamp),
        after: Option<(Timestamp, u64)>,
        limit: u32,
    ) -> Result<Vec<(u64, PastDrift)>>;
    /// Events behind a sequence number, in order.
    async fn events_after(&self, sequence: u64, limit: u32) -> Result<Vec<Event>>;
    async fn count_records(&self) -> Result<Vec<RecordCount>>;
    /// Open findings by (rule, severity, source).
    async fn count_open_findings(&self) -> Result<BTreeMap<(String, Severity, String), u64>>;
    /// One page of findings with their owners, most severe first, then oldest, after the finding
    /// of the id `after`.
    async fn list_work(
        &self,
        filter: &WorkFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Work>>;
    /// How many findings fit, by owner and severity; nobody's first, then by name.
    async fn count_work(&self, filter: &WorkFilter) -> Result<Vec<WorkCount>>;
    /// One page of the present records that `of` counts (its number is not looked at), in the
    /// order in which they came, after the row `after`; 0 = from the first.
    async fn list_counted(&self, of: &RecordCount, after: i64, limit: u32) -> Result<Vec<Listed>>;

    // How it went over time.

    /// What a source's census would say now.
    async fn take_census(&self, source: &str, at: Timestamp) -> Result<Vec<Census>>;
    /// The population from the day of one moment to the day of another, oldest first.
    async fn census(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Census>>;
    /// How every scope stood at a moment, in the order of source and scope; scopes of which nothing
    /// was recorded by then are left out.
    async fn coverage_at(&self, at: Timestamp) -> Result<Vec<PastCoverage>>;
    /// Records by scope at a moment. Reads every record.
    async fn counts_at(&self, at: Timestamp) -> Result<CountsAt>;

    // Documented acceptances: written beside the commit function, also by another process; what
    // follows from them is committed when the records concerned, due at once, are judged.

    /// Every exception, newest first, those that are over included.
    async fn exceptions(&self) -> Result<Vec<Exception>>;
    /// Counts every change of an exception.
    async fn exceptions_version(&self) -> Result<u64>;
    async fn add_exception(&self, exception: &Exception, entry: &AuditEntry) -> Result<()>;
    /// Ends a valid exception at the entry's time, by its actor.
    async fn end_exception(&self, id: &str, entry: &AuditEntry) -> Result<access::Written>;

    // Who may ask, and what they did: small writes of their own, each with its line of the audit.

    /// Every token, newest first, those that are over included.
    async fn tokens(&self) -> Result<Vec<Token>>;
    /// The token with this hash, also one that is over.
    async fn token(&self, hash: &TokenHash) -> Result<Option<Token>>;
    async fn token_by_id(&self, id: &str) -> Result<Option<Token>>;
    async fn add_token(
        &self,
        token: &Token,
        hash: &TokenHash,
        entry: &AuditEntry,
    ) -> Result<access::Written>;
    /// Revokes the token of this name or id, at the entry's time.
    async fn revoke_token(&self, named: &str, entry: &AuditEntry) -> Result<access::Written>;
    async fn token_used(&self, id: &str, at: Timestamp) -> Result<()>;
    /// Adds lines to the audit.
    async fn note(&self, entries: &[AuditEntry]) -> Result<()>;
    /// A page of the audit, newest first, with the number of each line; lines before `before`.
    async fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, AuditEntry)>>;

    // Deliveries.

    /// Due deliveries of a sink in sequence order. Of one finding only its first undelivered
    /// event is ever due, so that a consumer never sees them out of order.
    async fn due_deliveries(&self, sink: &str, now: Timestamp, limit: u32)
    -> Result<Vec<Delivery>>;
    /// Records attempts, all or nothing.
    async fn record_attempts(&self, sink: &str, attempts: &[Attempt]) -> Result<()>;
    async fn queue(&self, sink: &str) -> Result<QueueState>;
    async fn dead_letters(&self, sink: &str) -> Result<Vec<DeadLetter>>;
    /// Queues dead letters again (all, or those that failed since); returns how many.
    async fn replay(&self, sink: &str, since: Option<Timestamp>, now: Timestamp) -> Result<u64>;
}
