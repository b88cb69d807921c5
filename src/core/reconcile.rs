//! Compares what was known of a scope with what was seen of it.
//!
//! The law is here in types: the only constructor of [`Disappeared`] asks a [`Complete`], and a
//! reading without one still adds and changes but never removes. The shell streams observations
//! into a [`Reading`], which keeps fingerprints and what changed, never the whole inventory, and
//! ends it with the reading's outcome.
//!
//! Start at [`Reading`]; [`merge`] is where two observations of one record meet. Past 400 lines,
//! because the comparison and its types are one argument.

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::model::{Observation, OwnerBasis, OwnerEvidence, RecordId, Usage};
use headcount_sdk::{Complete, Scope};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What the inventory remembers of one record while its scope is read: 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// [`key`] of the record's id.
    pub key: u128,
    /// [`fingerprint`] of the last observation as it was reported.
    pub fingerprint: u128,
    /// [`usage_hash`] of its use.
    pub usage: u64,
    /// Where the store keeps it.
    pub row: i64,
}

/// A record id as a number, for tables of fingerprints.
#[must_use]
pub fn key(id: &RecordId) -> u128 {
    digest(id.as_str().as_bytes())
}

/// A digest of all that counts as the record: everything but its use and its evidence, which
/// move without the record changing.
#[must_use]
pub fn fingerprint(observation: &Observation) -> u128 {
    let mut hasher = Hasher(Sha256::new());
    let stable = Stable {
        class: observation.class.as_str(),
        kind: &observation.kind,
        name: &observation.name,
        native: &observation.native,
        parent: observation.parent.as_ref(),
        status: observation.status.as_str(),
        created_at: observation.created_at,
        expiry: &observation.expiry,
        privilege: observation.privilege.as_ref(),
        nature: observation.nature.as_ref(),
        owner_evidence: &observation.owner_evidence,
        purpose: observation.purpose.as_ref(),
        links: &observation.links,
        subjects: &observation.subjects,
        attributes: &observation.attributes,
        labels: &observation.labels,
        unread: &observation.unread,
    };
    // Writing to a hasher cannot fail, and the model has no map that JSON refuses.
    let written = serde_json::to_writer(&mut hasher, &stable);
    debug_assert!(written.is_ok());
    low(&hasher.0.finalize())
}

#[derive(Serialize)]
struct Stable<'a> {
    class: &'a str,
    kind: &'a str,
    name: &'a str,
    native: &'a str,
    parent: Option<&'a RecordId>,
    status: &'a str,
    created_at: Option<jiff::Timestamp>,
    expiry: &'a headcount_sdk::Expiry,
    privilege: Option<&'a headcount_sdk::Privilege>,
    nature: Option<&'a headcount_sdk::Nature>,
    owner_evidence: &'a [headcount_sdk::OwnerEvidence],
    purpose: Option<&'a headcount_sdk::Purpose>,
    links: &'a [headcount_sdk::Link],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    subjects: &'a [headcount_sdk::FederatedSubject],
    attributes: &'a BTreeMap<String, String>,
    labels: &'a BTreeMap<String, String>,
    unread: &'a BTreeMap<String, String>,
}

struct Hasher(Sha256);

impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A digest of what is known of use. The start of tracking is left out: it may move with the
/// scan (a source that looks back 400 days) and says nothing new about a record never used.
#[must_use]
pub fn usage_hash(observation: &Observation) -> u64 {
    let text = if observation.unread.contains_key("usage") {
        "unread".to_owned()
    } else {
        match &observation.usage {
            Usage::LastUsed { at, .. } => format!("used {}", at.as_second()),
            Usage::NeverSince { .. } => "never".to_owned(),
            Usage::NotObservable { reason } => format!("not observable {reason}"),
        }
    };
    let wide = digest(text.as_bytes());
    u64::try_from(wide & u128::from(u64::MAX)).unwrap_or_default()
}

fn digest(bytes: &[u8]) -> u128 {
    low(&Sha256::digest(bytes))
}

/// The first 16 bytes of a digest.
fn low(digest: &[u8]) -> u128 {
    digest.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

/// One change between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    pub record: RecordId,
    pub name: String,
    pub kind: String,
    pub scope: Scope,
    #[serde(flatten)]
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    Appeared,
    /// It had disappeared, and is there again under the same id.
    Reappeared,
    Changed {
        fields: Vec<FieldChange>,
    },
    Disappeared,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// A field of the observation; `labels.Owner`, `attributes.path` for entries of maps.
    pub field: String,
    /// As JSON; `null` where there was nothing.
    pub from: serde_json::Value,
    pub to: serde_json::Value,
}

/// A record that is proven gone. Made only by [`Disappeared::prove`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disappeared(RecordId);

impl Disappeared {
    /// Whether the proof covers the absence of this record.
    #[must_use]
    pub fn prove(unseen: &Observation, proof: &Complete) -> Option<Self> {
        proof.extent().covers(unseen).then(|| Self(unseen.id.clone()))
    }

    #[must_use]
    pub fn record(&self) -> &RecordId {
        &self.0
    }
}

/// One reading of one scope, while observations arrive.
#[derive(Debug)]
pub struct Reading {
    /// Sorted by key.
    known: Vec<Known>,
    seen: Vec<bool>,
    /// Keys that were not known, so that a record listed twice counts once.
    fresh: BTreeSet<u128>,
    changed: Vec<Observation>,
    used: Vec<Observation>,
}

impl Found {
    /// Keys are no help to a person: the records that were looked for and not seen, as proven.
    #[must_use]
    pub fn proven_gone(unseen: &[Observation], proof: &Complete) -> Vec<Disappeared> {
        unseen.iter().filter_map(|unseen| Disappeared::prove(unseen, proof)).collect()
    }
}

/// What a reading found, before the brake and the merge.
#[derive(Debug)]
pub struct Found {
    /// Observations of records that are new, or differ from what was last reported.
    pub changed: Vec<Observation>,
    /// Observations of unchanged records whose use moved.
    pub used: Vec<Observation>,
    /// Rows of known records that were not seen. Proves nothing by itself.
    pub unseen: Vec<i64>,
    /// Records known before.
    pub known: u64,
}

impl Reading {
    #[must_use]
    pub fn of(mut known: Vec<Known>) -> Self {
        known.sort_unstable_by_key(|k| k.key);
        let seen = vec![false; known.len()];
        Self { known, seen, fresh: BTreeSet::new(), changed: Vec::new(), used: Vec::new() }
    }

    /// Takes one observation in. The first observation of a record wins; a source that lists it
    /// again while pages shift says nothing new.
    pub fn accept(&mut self, observation: Observation) {
        let key = key(&observation.id);
        match self.known.binary_search_by_key(&key, |k| k.key) {
            Ok(at) if self.seen.get(at).copied() == Some(false) => {
                if let Some(seen) = self.seen.get_mut(at) {
                    *seen = true;
                }
                self.compare(at, observation);
            }
            Ok(_) => {}
            Err(_) => {
                if self.fresh.insert(key) {
                    self.changed.push(observation);
                }
            }
        }
    }

    fn compare(&mut self, at: usize, observation: Observation) {
        let Some(known) = self.known.get(at) else { return };
        if known.fingerprint != fingerprint(&observation) {
            self.changed.push(observation);
        } else if !observation.unread.contains_key("usage")
            && known.usage != usage_hash(&observation)
        {
            self.used.push(observation);
        }
    }

    /// Finds that wait to be taken.
    #[must_use]
    pub fn held(&self) -> usize {
        self.changed.len() + self.used.len()
    }

    /// Hands out what was found so far: changed observations, and those whose use moved. What was
    /// seen stays noted.
    pub fn take(&mut self) -> (Vec<Observation>, Vec<Observation>) {
        (std::mem::take(&mut self.changed), std::mem::take(&mut self.used))
    }

    /// Ends the reading. Changed observations come out in id order, whatever order they came in.
    #[must_use]
    pub fn finish(self) -> Found {
        self.finish_where(|_| true)
    }

    /// Ends a reading that can prove something of these records alone; the others were not looked
    /// for, so nobody need ask about them.
    #[must_use]
    pub fn finish_about(self, ids: &BTreeSet<RecordId>) -> Found {
        let keys: BTreeSet<u128> = ids.iter().map(key).collect();
        self.finish_where(|known| keys.contains(&known.key))
    }

    fn finish_where(mut self, looked_for: impl Fn(&Known) -> bool) -> Found {
        self.changed.sort_by(|a, b| a.id.cmp(&b.id));
        self.used.sort_by(|a, b| a.id.cmp(&b.id));
        let unseen = self
            .known
            .iter()
            .zip(&self.seen)
            .filter(|(known, seen)| !**seen && looked_for(known))
            .map(|(known, _)| known.row)
            .collect();
        Found { changed: self.changed, used: self.used, unseen, known: self.known.len() as u64 }
    }
}

/// How much a single complete reading may remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brake {
    /// Largest share of a scope, in percent, that may go without a second reading.
    pub max_percent: u8,
    /// Removals of fewer records than this pass, unless they empty the scope.
    pub min_records: u64,
}

impl Default for Brake {
    fn default() -> Self {
        Self { max_percent: 30, min_records: 5 }
    }
}

impl Brake {
    /// Whether removing `removed` of `known` records needs a second complete reading.
    #[must_use]
    pub fn holds(&self, removed: u64, known: u64) -> bool {
        if removed == 0 {
            return false;
        }
        let over_share = removed * 100 > known * u64::from(self.max_percent);
        removed >= known || (over_share && removed >= self.min_records)
    }
}

/// Brings a new observation together with what was known of the record: fields this scan could
/// not read keep their value, and knowledge of use and of who made it only grows.
#[must_use]
pub fn merge(known: &Observation, mut new: Observation) -> Observation {
    let unread: Vec<String> = new.unread.keys().cloned().collect();
    for field in &unread {
        keep(known, &mut new, field);
    }
    if !new.unread.contains_key("usage") {
        new.usage = later_usage(&known.usage, new.usage);
    }
    if !new.unread.contains_key("owner_evidence") {
        keep_creator(known, &mut new);
    }
    new
}

/// Who made a record is told once, by an event; a listing does not repeat it, and it never
/// changes.
fn keep_creator(known: &Observation, new: &mut Observation) {
    let is_creator = |evidence: &&OwnerEvidence| evidence.basis == OwnerBasis::Creator;
    let told = new.owner_evidence.iter().any(|evidence| is_creator(&evidence));
    let makers: Vec<OwnerEvidence> =
        known.owner_evidence.iter().filter(is_creator).cloned().collect();
    if told || makers.is_empty() {
        return;
    }
    new.owner_evidence.extend(makers);
    let sorted = |evidence: &[OwnerEvidence]| {
        let mut sorted = evidence.to_vec();
        sorted.sort();
        sorted
    };
    // The same evidence in another order would look like a change.
    if sorted(&new.owner_evidence) == sorted(&known.owner_evidence) {
        new.owner_evidence.clone_from(&known.owner_evidence);
    }
}

fn keep(known: &Observation, new: &mut Observation, field: &str) {
    match field {
        "usage" => new.usage = known.usage.clone(),
        "privilege" => new.privilege.clone_from(&known.privilege),
        "nature" => {
            new.nature.clone_from(&known.nature);
            new.class = known.class;
        }
        "purpose" => new.purpose.clone_from(&known.purpose),
        "owner_evidence" => new.owner_evidence.clone_from(&known.owner_evidence),
        "links" => new.links.clone_from(&known.links),
        "subjects" => new.subjects.clone_from(&known.subjects),
        "labels" => new.labels.clone_from(&known.labels),
        "status" => new.status = known.status,
        "expiry" => new.expiry = known.expiry.clone(),
        "created_at" => new.created_at = known.created_at,
        other => {
            if let Some(name) = other.strip_prefix("attributes.")
                && let Some(value) = known.attributes.get(name)
            {
                new.attributes.insert(name.to_owned(), value.clone());
            }
        }
    }
}

/// The better-informed of two statements about use. A source whose memory ends (400 days) forgets;
/// the inventory does not.
fn later_usage(known: &Usage, new: Usage) -> Usage {
    match (known, &new) {
        (
            Usage::NeverSince { tracking_start: before, .. },
            Usage::NeverSince { tracking_start: now, lag_secs },
        ) if before < now => Usage::NeverSince { tracking_start: *before, lag_secs: *lag_secs },
        (Usage::LastUsed { at: before, .. }, Usage::LastUsed { at: now, .. }) if before > now => {
            known.clone()
        }
        (Usage::LastUsed { .. }, Usage::NeverSince { .. }) => known.clone(),
        _ => new,
    }
}

/// The fields in which two merged observations of one record differ; use and evidence apart.
#[must_use]
pub fn changes(before: &Observation, after: &Observation) -> Vec<FieldChange> {
    let (before, after) = (fields(before), fields(after));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let from = before.get(name).cloned().unwrap_or_default();
            let to = after.get(name).cloned().unwrap_or_default();
            (from != to).then(|| FieldChange { field: name.clone(), from, to })
        })
        .collect()
}

/// An observation as flat fields, one entry per label and attribute.
fn fields(observation: &Observation) -> BTreeMap<String, serde_json::Value> {
    let mut flat = BTreeMap::new();
    let Ok(serde_json::Value::Object(object)) = serde_json::to_value(observation) else {
        return flat;
    };
    for (name, value) in object {
        match (name.as_str(), value) {
            ("id" | "usage" | "evidence" | "unread", _) => {}
            ("labels" | "attributes", serde_json::Value::Object(entries)) => {
                for (entry, value) in entries {
                    flat.insert(format!("{name}.{entry}"), value);
                }
            }
            (_, value) => {
                flat.insert(name, value);
            }
        }
    }
    flat
}

#[cfg(test)]
mod tests;
