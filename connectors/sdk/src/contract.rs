//! The [`Connector`] trait, and the types that keep absence honest.
//!
//! The one rule: nothing disappears without a [`Complete`], and the only way to get one is to
//! consume the [`Recorder`] after reading to the end. An error on the way is returned, and what
//! was recorded until then still counts as seen.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::manifest::Manifest;
use crate::model::{Observation, RecordId};

/// Reads one kind of external system and reports what it saw.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Static facts, the only list of permissions and scopes there is.
    fn manifest(&self) -> &'static Manifest;

    /// The scopes a full scan reads, in a stable order; those of one place stand together.
    async fn scopes(&self, cx: &ScanContext) -> Result<Vec<Scope>, ScanError>;

    /// Reads one scope to its end.
    ///
    /// Returning [`Complete`] claims that nothing was left out: what was known in this scope and
    /// was not recorded now is gone. If a page was denied, cut short or not understood, return
    /// the error.
    async fn observe(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError>;

    /// Re-reads the subjects of one scope that hints name, so that an event becomes a finding
    /// without a full scan. The answer proves presence and absence for those subjects alone
    /// ([`Recorder::complete_for_records`], [`Recorder::complete_for_parents`]). With
    /// [`ScanError::NotSupported`] the hints activate their scope instead.
    async fn refresh(
        &self,
        _cx: &ScanContext,
        scope: &Scope,
        _subjects: &BTreeSet<String>,
        _recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        Err(ScanError::NotSupported {
            operation: "refresh".to_owned(),
            reason: format!("scope {scope} has no single-subject read"),
        })
    }

    /// A long-lived stream of hints, until the source or the agent ends it. The agent starts it
    /// again, with a growing pause, when it returns. Connectors without events never return.
    async fn feed(&self, _cx: &ScanContext, _hints: Hints) -> Result<(), ScanError> {
        std::future::pending().await
    }

    /// Takes in one message that the source sent to the agent's address for it, and says what it
    /// makes dirty. Proves first that the source sent it, and calls nothing: whoever sent it
    /// waits for the answer.
    async fn receive(&self, _cx: &ScanContext, _inbound: &Inbound) -> Result<Vec<Hint>, Refused> {
        Err(Refused::NotSupported)
    }

    /// Proves every permission with the first call that a scan would make, and no other call.
    async fn check(&self, cx: &ScanContext) -> Vec<Probe>;
}

/// A place and a kind of record that can be read to its end, or not.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub struct Scope {
    /// Where, in the form that record ids begin with: `aws:123456789012`.
    pub place: String,
    /// What, as the manifest names it: `access-keys`.
    pub kind: String,
}

impl Scope {
    #[must_use]
    pub fn new(place: &str, kind: &str) -> Self {
        Self { place: place.to_owned(), kind: kind.to_owned() }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.place, self.kind)
    }
}

/// A dirty mark on one subject. It carries no facts: the subject is read again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hint {
    pub scope: Scope,
    /// The vendor's name or id of the subject, as the event gave it. Empty: all of the scope.
    pub subject: String,
}

impl Hint {
    #[must_use]
    pub fn new(scope: Scope, subject: &str) -> Self {
        Self { scope, subject: subject.to_owned() }
    }

    /// A mark on everything in the scope: it is read whole, and not too often.
    #[must_use]
    pub const fn whole(scope: Scope) -> Self {
        Self { scope, subject: String::new() }
    }
}

/// Where a feed puts its hints. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hints(tokio::sync::mpsc::Sender<Hinted>);

/// Hints that came together, and who waits for what becomes of them.
#[derive(Debug)]
pub struct Hinted {
    pub hints: Vec<Hint>,
    pub receipt: Option<tokio::sync::oneshot::Sender<Handled>>,
}

/// What became of hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// What they named was read, and what followed is committed.
    Committed,
    /// It could not be read or committed; sent again, it may be.
    Failed,
}

impl Hints {
    /// Both ends of a queue that holds so many messages.
    #[must_use]
    pub fn queue(capacity: usize) -> (Self, tokio::sync::mpsc::Receiver<Hinted>) {
        let (sender, receiver) = tokio::sync::mpsc::channel(capacity);
        (Self(sender), receiver)
    }

    /// Waits for room and forgets. `false`: the agent is stopping.
    pub async fn send(&self, hint: Hint) -> bool {
        self.0.send(Hinted { hints: vec![hint], receipt: None }).await.is_ok()
    }

    /// Takes them if there is room at once. `false`: they are lost, and the next scan finds the
    /// same.
    #[must_use]
    pub fn offer(&self, hints: Vec<Hint>) -> bool {
        self.0.try_send(Hinted { hints, receipt: None }).is_ok()
    }

    /// Waits for room, then for what becomes of all of them.
    pub async fn settle(&self, hints: Vec<Hint>) -> Handled {
        let (receipt, handled) = tokio::sync::oneshot::channel();
        if self.0.send(Hinted { hints, receipt: Some(receipt) }).await.is_err() {
            return Handled::Failed;
        }
        handled.await.unwrap_or(Handled::Failed)
    }
}

/// One message that a source sent to the agent over HTTP.
#[derive(Clone)]
pub struct Inbound {
    /// By lower-case name. Those that are not text are left out.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither headers nor body: both may carry what nobody should log.
        f.debug_struct("Inbound").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// Why a message was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// This source takes no messages, or none are configured.
    #[error("this source takes no messages")]
    NotSupported,
    #[error("the signature is missing or wrong")]
    NotAuthentic,
    #[error("the message was not understood")]
    Malformed,
}

/// Why a scope was not read to its end. There is one answer per variant, so choose it by what
/// should happen next. No text here may carry a response body, a query string or a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum ScanError {
    /// Somebody must grant the permission.
    #[error("{operation} was denied: permission {permission} is missing")]
    Denied { operation: String, permission: String },
    /// The source wants us to slow down; try later.
    #[error("{operation} was throttled")]
    Throttled { operation: String, retry_after_secs: Option<u64> },
    /// The source did not answer, or not with success; try at the next scan.
    #[error("{operation} is unavailable: {reason}")]
    Unavailable { operation: String, reason: String },
    /// The answer was not understood; somebody must look at it.
    #[error("{operation} answered in an unexpected shape at {path}")]
    Malformed { operation: String, path: String },
    /// The source, its edition or region has no such thing. Not a fault.
    #[error("{operation} is not supported: {reason}")]
    NotSupported { operation: String, reason: String },
}

impl ScanError {
    #[must_use]
    pub fn operation(&self) -> &str {
        match self {
            Self::Denied { operation, .. }
            | Self::Throttled { operation, .. }
            | Self::Unavailable { operation, .. }
            | Self::Malformed { operation, .. }
            | Self::NotSupported { operation, .. } => operation,
        }
    }

    /// One word for metrics and tables.
    #[must_use]
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "denied",
            Self::Throttled { .. } => "throttled",
            Self::Unavailable { .. } => "unavailable",
            Self::Malformed { .. } => "malformed",
            Self::NotSupported { .. } => "not_supported",
        }
    }
}

/// Stands for a field in the coverage of a scope some of whose records could not be asked for.
pub const LEFT_OUT: &str = "records";

/// What a [`Complete`] proves to have been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything in the scope.
    Whole,
    /// Everything that belongs to these parents, and nothing is said of others. `outstanding`
    /// counts the parents that no read has covered yet (a rolling sweep still in its first round).
    Parents { parents: BTreeSet<RecordId>, outstanding: u64 },
    /// These records, whether they were seen or not.
    Records(BTreeSet<RecordId>),
    /// Everything in the scope but what hangs on things that could not be asked now: nothing is
    /// said of records whose `attribute` has one of these values, or that lack it.
    AllBut { attribute: String, values: BTreeSet<String> },
}

impl Extent {
    /// Whether a record that was not seen is gone.
    #[must_use]
    pub fn covers(&self, record: &Observation) -> bool {
        match self {
            Self::Whole => true,
            Self::Parents { parents, .. } => {
                record.parent.as_ref().is_some_and(|parent| parents.contains(parent))
            }
            Self::Records(records) => records.contains(&record.id),
            Self::AllBut { attribute, values } => {
                record.attributes.get(attribute).is_some_and(|value| !values.contains(value))
            }
        }
    }
}

/// Proof that a scope was read to its end.
///
/// It has no public constructor: it comes out of a [`Recorder`], and only the diff takes it in.
#[derive(Debug)]
pub struct Complete {
    scope: Scope,
    extent: Extent,
    recorded: u64,
    expected: Option<u64>,
    as_of: Option<Timestamp>,
    degradations: Vec<Degradation>,
}

impl Complete {
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    #[must_use]
    pub fn extent(&self) -> &Extent {
        &self.extent
    }

    /// Observations recorded under this proof.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.recorded
    }

    /// The source's own count, where it has one.
    #[must_use]
    pub fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// As of when the source's answer holds, when it is older than the scan.
    #[must_use]
    pub fn as_of(&self) -> Option<Timestamp> {
        self.as_of
    }

    /// Enrichments that failed on the way.
    #[must_use]
    pub fn degradations(&self) -> &[Degradation] {
        &self.degradations
    }
}

/// An enrichment that could not be read; the scope is complete without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Degradation {
    /// The field that is unread, as in [`Observation::unread`].
    pub field: String,
    pub error: ScanError,
}

/// Takes the observations of one scope.
pub struct Recorder<'a> {
    scope: Scope,
    sink: &'a mut (dyn FnMut(Observation) + Send),
    recorded: u64,
    expected: Option<u64>,
    as_of: Option<Timestamp>,
    degradations: Vec<Degradation>,
}

impl<'a> Recorder<'a> {
    pub fn new(scope: Scope, sink: &'a mut (dyn FnMut(Observation) + Send)) -> Self {
        Self { scope, sink, recorded: 0, expected: None, as_of: None, degradations: Vec::new() }
    }

    pub fn record(&mut self, observation: Observation) {
        self.recorded += 1;
        (self.sink)(observation);
    }

    /// States the source's own count of what this scope holds.
    pub fn expect(&mut self, count: u64) {
        self.expected = Some(count);
    }

    /// States that the answer is older than the scan (a cached report).
    pub fn as_of(&mut self, at: Timestamp) {
        self.as_of = Some(at);
    }

    /// States that an enrichment failed. Also name the field in each observation's `unread`.
    pub fn degrade(&mut self, field: &str, error: ScanError) {
        self.degradations.push(Degradation { field: field.to_owned(), error });
    }

    /// Claims that the whole scope was read.
    #[must_use]
    pub fn complete(self) -> Complete {
        self.finish(Extent::Whole)
    }

    /// Claims that everything under these parents was read; `outstanding` others never were yet.
    #[must_use]
    pub fn complete_for_parents(self, parents: BTreeSet<RecordId>, outstanding: u64) -> Complete {
        self.finish(Extent::Parents { parents, outstanding })
    }

    /// Claims that these records were looked for by name; those not recorded are gone.
    #[must_use]
    pub fn complete_for_records(self, records: BTreeSet<RecordId>) -> Complete {
        self.finish(Extent::Records(records))
    }

    /// Claims that the whole scope was read but for what `attribute` says to hang on one of these
    /// values; `because` says in the coverage why not. Without a value it is the whole scope.
    #[must_use]
    pub fn complete_all_but(
        mut self,
        (attribute, values): (&str, BTreeSet<String>),
        because: ScanError,
    ) -> Complete {
        if values.is_empty() {
            return self.complete();
        }
        self.degrade(LEFT_OUT, because);
        self.finish(Extent::AllBut { attribute: attribute.to_owned(), values })
    }

    fn finish(self, extent: Extent) -> Complete {
        Complete {
            scope: self.scope,
            extent,
            recorded: self.recorded,
            expected: self.expected,
            as_of: self.as_of,
            degradations: self.degradations,
        }
    }
}

/// Whose turn it is at the rate governor: hints go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    Hint,
    Scan,
}

/// Whether this is the first read of a scope in a scan, or the second that the brake asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    First,
    /// Must not be answered from anything the first pass kept.
    Confirming,
}

/// What a connector is handed for one scan of one place.
#[derive(Clone)]
pub struct ScanContext {
    /// Unique per scan; may be shown to the source (session names, user agents).
    pub scan: String,
    /// The name of the configured source.
    pub source: String,
    /// The only clock a connector may read.
    pub now: Timestamp,
    pub priority: Priority,
    pub pass: Pass,
    /// Survives scans, and may be lost.
    pub cache: Arc<dyn Cache>,
    /// Lives as long as the pass over one place; bulk answers shared by its scopes.
    pub memo: Memo,
}

/// What a connector may keep between scans. Losing it costs calls, never truth, so reads and
/// writes have no errors: the agent logs them and goes on.
#[async_trait]
pub trait Cache: Send + Sync {
    async fn get(&self, key: &str) -> Option<Vec<u8>>;
    async fn put(&self, key: &str, value: Vec<u8>);
}

/// A cache that ends with the process, for tests and one-off checks.
#[derive(Debug, Default)]
pub struct MemoryCache(Mutex<BTreeMap<String, Vec<u8>>>);

#[async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0.lock().ok()?.get(key).cloned()
    }

    async fn put(&self, key: &str, value: Vec<u8>) {
        if let Ok(mut entries) = self.0.lock() {
            entries.insert(key.to_owned(), value);
        }
    }
}

type Shared = Result<Arc<dyn Any + Send + Sync>, ScanError>;

/// Answers that several scopes of a place share: read once per pass, error included.
#[derive(Clone, Default)]
pub struct Memo(Arc<Mutex<BTreeMap<String, Arc<OnceCell<Shared>>>>>);

impl Memo {
    /// Runs `read` for the first caller of `key` and hands its outcome to every other.
    pub async fn once<T, F>(&self, key: &str, read: F) -> Result<Arc<T>, ScanError>
    where
        T: Send + Sync + 'static,
        F: Future<Output = Result<T, ScanError>>,
    {
        let cell = {
            let mut cells = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            cells.entry(key.to_owned()).or_default().clone()
        };
        let shared = cell
            .get_or_init(|| async {
                read.await.map(|value| Arc::new(value) as Arc<dyn Any + Send + Sync>)
            })
            .await
            .clone()?;
        shared.downcast::<T>().map_err(|_| ScanError::Malformed {
            operation: "memo".to_owned(),
            path: format!("{key}: read under two types"),
        })
    }
}

/// One permission, tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub place: String,
    pub operation: String,
    pub permission: String,
    pub outcome: ProbeOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    Granted,
    Failed(ScanError),
    /// Nothing there to try it on, e.g. no provider whose details could be read.
    NotTried(String),
}

/// How long one scope may take before it counts as unavailable.
pub const SCOPE_DEADLINE: SignedDuration = SignedDuration::from_mins(30);
