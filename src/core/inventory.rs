//! The read model: a record with its history marks, and the coverage of the scope it lives in.

use std::collections::BTreeSet;

use headcount_sdk::model::{
    Confidence, Level, LinkKind, Observation, OwnerBasis, OwnerKind, RecordId, Standing, Usage,
};
use headcount_sdk::{Complete, Degradation, Extent, ScanError, Scope};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// One record as the inventory keeps it: the merged observation, and what the agent added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub observation: Observation,
    /// The configured source it came from.
    pub source: String,
    pub scope: Scope,
    pub origin: Origin,
    /// When the agent saw it first; kept when a record comes back under the same id.
    pub first_seen_at: Timestamp,
    /// When its present version began.
    pub changed_at: Timestamp,
    /// The vanished record whose name this one took over.
    pub replaces: Option<RecordId>,
    /// Resolved when the record or what it inherits from last changed.
    pub owner: Option<Owner>,
    /// What the source no longer says and the agent remembers.
    #[serde(default)]
    pub history: History,
}

impl Record {
    #[must_use]
    pub fn id(&self) -> &RecordId {
        &self.observation.id
    }
}

/// What earlier readings showed and later ones do not. It moves in place, without a new version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// The latest use that any reading showed, also when the source has stopped telling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_known_use: Option<Timestamp>,
    /// The longest recent pause in use that ended under the agent's eyes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<Silence>,
    /// The last time the record's power grew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<Growth>,
}

impl History {
    /// Shorter pauses are not kept; rules ask for longer ones by their own measure.
    pub const SHORTEST_SILENCE: SignedDuration = SignedDuration::from_hours(30 * 24);
    /// For how long a longer pause stands before a shorter one that ended later takes its place.
    const SILENCE_STANDS: SignedDuration = SignedDuration::from_hours(90 * 24);

    /// What a first reading leaves to remember.
    #[must_use]
    pub fn first(seen: &Observation) -> Self {
        Self { last_known_use: used_at(seen), ..Self::default() }
    }

    /// What is remembered after a reading that showed `after` where `before` was known.
    #[must_use]
    pub fn after(mut self, before: &Observation, after: &Observation, look: Look) -> Self {
        let last = self.last_known_use.max(used_at(before));
        let used = used_at(after);
        if let (Some(from), Some(until), Some(looked)) = (last, used, look.before) {
            // Sources tell of the latest use alone. That nothing used it is known only up to the
            // last time somebody looked: an agent that was away has seen no pause.
            let until = until.min(looked - after.usage.lag());
            if until.duration_since(from) >= Self::SHORTEST_SILENCE {
                self.silence = Some(longer_or_newer(self.silence, Silence { from, until }));
            }
        }
        self.last_known_use = last.max(used);
        if let Some((from, to)) = step_up(before, after) {
            self.growth = Some(Growth { at: look.now, from, to });
        }
        self
    }
}

/// When a reading was made, and when the scope was last read to its end before it.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub now: Timestamp,
    pub before: Option<Timestamp>,
}

/// The use that an observation shows.
fn used_at(seen: &Observation) -> Option<Timestamp> {
    match seen.usage {
        Usage::LastUsed { at, .. } => Some(at),
        Usage::NeverSince { .. } | Usage::NotObservable { .. } => None,
    }
}

fn longer_or_newer(known: Option<Silence>, new: Silence) -> Silence {
    let length = |silence: &Silence| silence.until.duration_since(silence.from);
    match known {
        Some(known)
            if length(&known) > length(&new)
                && new.until.duration_since(known.until) < History::SILENCE_STANDS =>
        {
            known
        }
        _ => new,
    }
}

/// From which level to which higher one. What was or is not known is no step.
fn step_up(before: &Observation, after: &Observation) -> Option<(Level, Level)> {
    let level = |seen: &Observation| {
        seen.privilege.as_ref().map(|p| p.level).filter(|level| *level != Level::Unknown)
    };
    let (from, to) = (level(before)?, level(after)?);
    (from < to).then_some((from, to))
}

/// A pause between two uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub from: Timestamp,
    pub until: Timestamp,
}

/// A step up on the scale of power.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    pub at: Timestamp,
    pub from: Level,
    pub to: Level,
}

/// What stands around a record, as far as the inventory has it.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Far ends of the record's own links.
    pub outgoing: Vec<Neighbour>,
    /// Records whose links end here.
    pub incoming: Vec<Neighbour>,
    /// Credentials and grants that belong to it; given for identities alone, by id.
    pub children: Vec<Record>,
    /// Scopes of the places that the record's links name, also where no record was found there:
    /// without a complete reading nobody can say that it does not exist.
    pub scopes: Vec<ScopeState>,
}

/// A record at the other end of a link.
#[derive(Clone, Debug)]
pub struct Neighbour {
    pub record: Record,
    pub kind: LinkKind,
    pub confidence: Confidence,
    /// Why they belong together, for people: `subject repo:acme/shop:environment:prod`.
    pub basis: String,
}

/// How a record came into the inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It was there when its scope was first read to the end; nobody can say since when.
    Baseline,
    /// It came after the baseline: new.
    Appeared,
}

/// The accountable person or team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    #[serde(rename = "ref")]
    pub reference: String,
    pub kind: OwnerKind,
    pub basis: OwnerBasis,
    /// Where it was read, e.g. `tag:Owner`.
    pub locator: String,
    pub confidence: Confidence,
    /// Set when it is another record's owner: the parent's, or that of what uses this one.
    pub inherited_from: Option<RecordId>,
    /// The records over which it was inherited, nearest first; the last one carries the evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<RecordId>,
    /// Whether the one it names is still there.
    #[serde(default, skip_serializing_if = "Standing::is_not_known")]
    pub standing: Standing,
}

/// What is known of one scope's readings; rules judge it like a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeState {
    pub source: String,
    pub scope: Scope,
    /// Outcome of the last reading.
    pub coverage: Coverage,
    pub last_read_at: Timestamp,
    /// `None` = it has never been read to its end.
    pub last_complete_at: Option<Timestamp>,
    /// When the scope's baseline was taken; records that appear later are new.
    pub baselined_at: Option<Timestamp>,
    /// Readings in a row that were not complete.
    pub failures_in_a_row: u32,
    /// Records held after the last reading.
    pub records: u64,
    /// The source's own count, where it gave one.
    pub expected: Option<u64>,
    /// As of when the source's answer held, when it was older than the scan.
    pub as_of: Option<Timestamp>,
    /// Enrichments that failed in the last complete reading.
    pub degradations: Vec<Degradation>,
    /// Enrichment fields that no complete reading has had yet; they cannot be lost.
    pub never_had: BTreeSet<String>,
    /// The last removal that the brake stopped and a second reading confirmed.
    pub mass_removal: Option<MassRemoval>,
    /// Whether the scope is read in a rolling sweep, some parents at a time.
    #[serde(default)]
    pub is_swept: bool,
}

/// How one reading of a scope ended.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// Read to its end (or to the end of what the proof covers), removals applied.
    Read {
        proof: &'a Complete,
        mass_removal: Option<MassRemoval>,
    },
    /// Read to its end twice, and the two disagree on a removal beyond the brake.
    Held {
        would_remove: u64,
        of: u64,
    },
    Failed(&'a ScanError),
}

impl ScopeState {
    /// The state before anything was read.
    #[must_use]
    pub fn unread(source: &str, scope: &Scope, now: Timestamp) -> Self {
        Self {
            source: source.to_owned(),
            scope: scope.clone(),
            coverage: Coverage::Incomplete {
                error: ScanError::Unavailable {
                    operation: "scan".to_owned(),
                    reason: "not read yet".to_owned(),
                },
            },
            last_read_at: now,
            last_complete_at: None,
            baselined_at: None,
            failures_in_a_row: 0,
            records: 0,
            expected: None,
            as_of: None,
            degradations: Vec::new(),
            never_had: BTreeSet::new(),
            mass_removal: None,
            is_swept: false,
        }
    }

    /// The state after one more reading, which left `records` records in the scope.
    #[must_use]
    pub fn after(mut self, outcome: Outcome<'_>, records: u64, now: Timestamp) -> Self {
        self.last_read_at = now;
        self.records = records;
        match outcome {
            Outcome::Read { proof, mass_removal } => {
                self.read(proof, now);
                self.mass_removal = mass_removal.or(self.mass_removal);
            }
            Outcome::Held { would_remove, of } => {
                self.failures_in_a_row += 1;
                self.coverage = Coverage::Held { would_remove, of };
            }
            Outcome::Failed(ScanError::NotSupported { reason, .. }) => {
                self.failures_in_a_row = 0;
                self.coverage = Coverage::NotSupported { reason: reason.clone() };
            }
            Outcome::Failed(error) => {
                self.failures_in_a_row += 1;
                self.coverage = Coverage::Incomplete { error: error.clone() };
            }
        }
        self
    }

    fn read(&mut self, proof: &Complete, now: Timestamp) {
        let outstanding = match proof.extent() {
            Extent::Whole | Extent::AllBut { .. } => 0,
            Extent::Parents { outstanding, .. } => {
                self.is_swept |= *outstanding > 0;
                *outstanding
            }
            // One subject re-read for a hint says nothing about the scope around it.
            Extent::Records(_) => return,
        };
        let degraded: BTreeSet<String> =
            proof.degradations().iter().map(|d| d.field.clone()).collect();
        self.never_had = match self.last_complete_at {
            None => degraded,
            Some(_) => self.never_had.intersection(&degraded).cloned().collect(),
        };
        self.degradations = proof.degradations().to_vec();
        self.expected = proof.expected();
        self.as_of = proof.as_of();
        self.failures_in_a_row = 0;
        if outstanding > 0 {
            self.coverage = Coverage::Sweeping { outstanding };
            return;
        }
        self.coverage = Coverage::Complete;
        self.last_complete_at = Some(now);
        self.baselined_at = self.baselined_at.or(Some(now));
    }
}

/// Whether a scope was read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Coverage {
    Complete,
    /// A rolling sweep is in its first round; what it has read is complete.
    Sweeping {
        outstanding: u64,
    },
    Incomplete {
        error: ScanError,
    },
    /// Two complete readings disagreed on a removal beyond the brake; nothing was removed.
    Held {
        would_remove: u64,
        of: u64,
    },
    /// The source has no such thing. Not a fault, and nothing to judge.
    NotSupported {
        reason: String,
    },
}

impl Coverage {
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Sweeping { .. } => "sweeping",
            Self::Incomplete { .. } => "incomplete",
            Self::Held { .. } => "held",
            Self::NotSupported { .. } => "not_supported",
        }
    }

    /// Whether the reading leaves something unseen that it should have seen.
    #[must_use]
    pub const fn is_short(&self) -> bool {
        matches!(self, Self::Incomplete { .. } | Self::Held { .. })
    }
}

/// A removal so large that it had to be read twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MassRemoval {
    pub at: Timestamp,
    pub removed: u64,
    pub of: u64,
}
