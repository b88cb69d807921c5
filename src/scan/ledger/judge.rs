//! Loads what a rule must see, asks the rules, and drafts the steps that follow.
//!
//! A record is judged again when it changes, when what it belongs to or what belongs to it does,
//! when the record at the other end of a link comes, changes or goes, and when an owner that it may
//! inherit moves.

use std::collections::{BTreeMap, BTreeSet};

use headcount_core::findings::exceptions::{Exceptions, Target};
use headcount_core::findings::{self, About, Finding, Stance};
use headcount_core::inventory::{Record, ScopeState};
use headcount_core::rules::{self, Subject};
use headcount_core::{graph, owners};
use headcount_sdk::RecordId;

use super::draft::{Draft, Rendered};
use super::world::World;
use super::{CHUNK, Ledger};
use crate::store::{Judged, Result};

/// An owner travels all the way in one commit. What still moves after as many rounds goes round in
/// a ring of records that use each other, and is left as it stands.
const ROUNDS: usize = owners::LONGEST + 1;

/// What is known of a record besides itself.
#[derive(Clone, Copy)]
struct Known<'a> {
    findings: &'a [Finding],
    exceptions: &'a Exceptions,
}

impl Ledger {
    pub(super) async fn findings_on(
        &self,
        subjects: &[String],
    ) -> Result<BTreeMap<String, Vec<Finding>>> {
        let mut by_subject: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
        for chunk in subjects.chunks(CHUNK) {
            for finding in self.store.findings_on(chunk).await? {
                by_subject.entry(finding.subject.clone()).or_default().push(finding);
            }
        }
        Ok(by_subject)
    }

    /// Judges what the draft touched and those around it whose verdict may follow from that.
    /// `state` is the scope's after the commit, `prior` the one before.
    pub(super) async fn judge_touched(
        &self,
        draft: &mut Draft<'_>,
        prior: &ScopeState,
        state: &ScopeState,
    ) -> Result<()> {
        let touched = std::mem::take(&mut draft.touched);
        let gone: BTreeSet<RecordId> = draft.commit.removed.iter().cloned().collect();
        let mut judged: BTreeSet<RecordId> = touched.keys().cloned().collect();
        let mut world = World::new(&*self.store, touched, gone.clone(), Some(state.clone()));
        world.meet(&judged).await?;
        let parents: BTreeSet<RecordId> = judged.union(&gone).cloned().collect();
        judged.extend(world.children(&parents).await?);
        for written in &draft.commit.written {
            judged.extend(world.neighbours(written.record.id()).cloned());
        }
        judged.extend(identities_above(draft, &mut world).await?);
        judged.extend(world.far_ends(&draft.before).await?);
        if knows_more_or_less(prior, state) {
            judged.extend(world.naming(&state.scope.place, None).await?);
        } else if state.last_complete_at != prior.last_complete_at {
            // What changed since the reading before is met by a proof for the first time.
            let before = prior.as_of.or(prior.last_complete_at);
            judged.extend(world.naming(&state.scope.place, before).await?);
        }
        self.judge(draft, world, judged).await
    }

    /// Judges records that are due, and those around them if that moves an owner.
    pub(super) async fn judge_due(&self, draft: &mut Draft<'_>, due: Vec<Record>) -> Result<()> {
        let due: BTreeMap<RecordId, Record> =
            due.into_iter().map(|record| (record.id().clone(), record)).collect();
        let judged = due.keys().cloned().collect();
        let world = World::new(&*self.store, due, BTreeSet::new(), None);
        self.judge(draft, world, judged).await
    }

    async fn judge(
        &self,
        draft: &mut Draft<'_>,
        mut world: World<'_>,
        mut judged: BTreeSet<RecordId>,
    ) -> Result<()> {
        spread_owners(&mut world, &mut judged).await?;
        world.children(&judged).await?;
        let subjects: Vec<String> = judged.iter().map(ToString::to_string).collect();
        let findings = self.findings_on(&subjects).await?;
        let (version, exceptions) = self.exceptions().await?;
        draft.commit.exceptions_version = version;
        for record in judged.iter().filter_map(|id| world.get(id)) {
            let known = Known {
                findings: findings.get(record.id().as_str()).map_or(&[], Vec::as_slice),
                exceptions: &exceptions,
            };
            self.judge_record(draft, record, &world, known);
        }
        Ok(())
    }

    fn judge_record(
        &self,
        draft: &mut Draft<'_>,
        record: &Record,
        world: &World<'_>,
        known: Known<'_>,
    ) {
        let (parent, around) = (world.parent(record), world.surroundings(record));
        let subject = Subject { record, parent, around: &around };
        let outcome = rules::judge_record(&self.settings.rules, &subject, draft.place.now);
        let id = record.id().to_string();
        let about =
            About { source: &record.source, subject: &id, subject_name: &record.observation.name };
        let exceptions = known.exceptions;
        let stance = Stance { now: draft.place.now, exceptions, target: record.into() };
        let mut next_at = outcome.next_at;
        for (meta, judgement) in &outcome.verdicts {
            let existing = known.findings.iter().find(|f| f.rule == meta.id);
            let step = findings::step(existing, meta, about, &judgement.verdict, stance);
            // Its expiry opens the finding again, also when no scan runs.
            let accepting = exceptions.accepting(meta.id, stance.target, stance.now);
            next_at = next_at.into_iter().chain(accepting.map(|e| e.expires_at)).min();
            if let Some(step) = step {
                let rendered =
                    Rendered::Record(Box::new(record.clone()), parent.cloned().map(Box::new));
                draft.rendered.push((step, rendered));
            }
        }
        draft.commit.judged.push(Judged {
            id: record.id().clone(),
            owner: record.owner.clone(),
            next_at,
        });
    }

    pub(super) async fn judge_scope(
        &self,
        draft: &mut Draft<'_>,
        state: &ScopeState,
    ) -> Result<()> {
        let subject = state.scope.to_string();
        let known = self.store.findings_on(std::slice::from_ref(&subject)).await?;
        let outcome = rules::judge_scope(&self.settings.rules, state, draft.place.now);
        let (_, exceptions) = self.exceptions().await?;
        let target = Target::scope(&subject, state);
        let stance = Stance { now: draft.place.now, exceptions: &exceptions, target };
        let about = About { source: &state.source, subject: &subject, subject_name: &subject };
        for (meta, judgement) in &outcome.verdicts {
            let existing = known.iter().find(|f| f.rule == meta.id);
            let step = findings::step(existing, meta, about, &judgement.verdict, stance);
            if let Some(step) = step {
                draft.rendered.push((step, Rendered::Scope(Box::new(state.clone()))));
            }
        }
        Ok(())
    }
}

/// Resolves the owners of what is to be judged, and of whatever may inherit an owner that moved;
/// those are to be judged as well.
async fn spread_owners(world: &mut World<'_>, judged: &mut BTreeSet<RecordId>) -> Result<()> {
    let mut pending = judged.clone();
    for _ in 0..=ROUNDS {
        world.meet(&pending).await?;
        let moved = resolve_owners(world, &pending);
        judged.append(&mut pending);
        if moved.is_empty() {
            return Ok(());
        }
        pending = world.children(&moved).await?;
        pending.extend(moved.iter().flat_map(|id| world.neighbours(id)).cloned());
    }
    // Whoever stands around the last move sees it when judged.
    world.meet(&pending).await?;
    judged.append(&mut pending);
    Ok(())
}

/// Resolves owners of what stands alone first, then of what belongs to others. Returns whose owner
/// moved.
fn resolve_owners(world: &mut World<'_>, pending: &BTreeSet<RecordId>) -> BTreeSet<RecordId> {
    let is_child =
        |id: &&RecordId| world.get(id).is_some_and(|record| record.observation.parent.is_some());
    let (children, alone): (Vec<&RecordId>, Vec<&RecordId>) = pending.iter().partition(is_child);
    let mut moved = BTreeSet::new();
    for id in alone.into_iter().chain(children) {
        let Some(record) = world.get(id) else { continue };
        let owner = owners::resolve(record, world.parent(record), &world.surroundings(record));
        if owner == record.owner {
            continue;
        }
        moved.insert(id.clone());
        if let Some(record) = world.get_mut(id) {
            record.owner = owner;
        }
    }
    moved
}

/// The identities that what was written or removed belongs to: they are judged by all that they hold.
async fn identities_above(draft: &Draft<'_>, world: &mut World<'_>) -> Result<Vec<RecordId>> {
    let written = draft.commit.written.iter().map(|written| &written.record);
    let parents: BTreeSet<RecordId> = written
        .chain(&draft.before)
        .filter_map(|record| record.observation.parent.clone())
        .collect();
    world.load(parents.iter().cloned()).await?;
    let is_identity =
        |id: &RecordId| world.get(id).is_some_and(|above| above.observation.class.is_identity());
    Ok(parents.into_iter().filter(is_identity).collect())
}

/// Whether more or less of a scope is known than before: what it does not hold may now be proven
/// not to be there, or no longer.
fn knows_more_or_less(prior: &ScopeState, state: &ScopeState) -> bool {
    prior.coverage.as_str() != state.coverage.as_str()
        || prior.last_complete_at.is_some() != state.last_complete_at.is_some()
}

/// Whether a record belongs to another one than before, answers to other words, or looks for
/// others.
pub(super) fn is_linked_otherwise(before: &Record, after: &Record) -> bool {
    before.observation.parent != after.observation.parent
        || graph::sought(before) != graph::sought(after)
        || graph::answered(before) != graph::answered(after)
}
