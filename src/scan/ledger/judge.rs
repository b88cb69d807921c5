//! Loads what a rule must see, asks the rules, and drafts the steps that follow.

use std::collections::{BTreeMap, BTreeSet};

use headcount_core::findings::{self, About, Finding};
use headcount_core::inventory::{Record, ScopeState, Surroundings};
use headcount_core::rules::{self, Subject};
use headcount_sdk::{Class, RecordId};

use super::draft::{Draft, Rendered, resolve_owners};
use super::{CHUNK, Ledger};
use crate::store::{Judged, Result};

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

    /// Judges what the draft touched, and the children of touched identities, whose owner and
    /// standing may follow from them.
    pub(super) async fn judge_touched(&self, draft: &mut Draft<'_>) -> Result<()> {
        let mut touched = std::mem::take(&mut draft.touched);
        let parents: Vec<RecordId> = touched
            .values()
            .filter(|r| matches!(r.observation.class, Class::Identity | Class::Principal))
            .map(|r| r.id().clone())
            .collect();
        let removed: BTreeSet<RecordId> = draft.commit.removed.iter().cloned().collect();
        for chunk in parents.chunks(CHUNK) {
            for child in self.store.children(chunk).await? {
                if !removed.contains(child.id()) {
                    touched.entry(child.id().clone()).or_insert(child);
                }
            }
        }
        self.judge(draft, touched.into_values().collect()).await
    }

    pub(super) async fn judge(&self, draft: &mut Draft<'_>, records: Vec<Record>) -> Result<()> {
        let mut at_hand: BTreeMap<RecordId, Record> =
            records.into_iter().map(|r| (r.id().clone(), r)).collect();
        let missing: BTreeSet<RecordId> = at_hand
            .values()
            .filter_map(|r| r.observation.parent.clone())
            .filter(|p| !at_hand.contains_key(p))
            .collect();
        let mut parents = self.load(&missing.into_iter().collect::<Vec<_>>()).await?;
        resolve_owners(&mut at_hand, &mut parents);

        let subjects: Vec<String> = at_hand.keys().map(ToString::to_string).collect();
        let findings = self.findings_on(&subjects).await?;
        for record in at_hand.values() {
            let parent = record
                .observation
                .parent
                .as_ref()
                .and_then(|p| at_hand.get(p).or_else(|| parents.get(p)));
            self.judge_record(draft, record, parent, findings.get(record.id().as_str()));
        }
        Ok(())
    }

    fn judge_record(
        &self,
        draft: &mut Draft<'_>,
        record: &Record,
        parent: Option<&Record>,
        known: Option<&Vec<Finding>>,
    ) {
        let subject = Subject { record, parent, around: &Surroundings::default() };
        let outcome = rules::judge_record(&self.settings.rules, &subject, draft.place.now);
        let id = record.id().to_string();
        let about =
            About { source: &record.source, subject: &id, subject_name: &record.observation.name };
        for (meta, judgement) in &outcome.verdicts {
            let existing = known.into_iter().flatten().find(|f| f.rule == meta.id);
            let step = findings::step(existing, meta, about, &judgement.verdict, draft.place.now);
            if let Some(step) = step {
                let rendered =
                    Rendered::Record(Box::new(record.clone()), parent.cloned().map(Box::new));
                draft.rendered.push((step, rendered));
            }
        }
        draft.commit.judged.push(Judged {
            id: record.id().clone(),
            owner: record.owner.clone(),
            next_at: outcome.next_at,
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
        let about = About { source: &state.source, subject: &subject, subject_name: &subject };
        for (meta, judgement) in &outcome.verdicts {
            let existing = known.iter().find(|f| f.rule == meta.id);
            let step = findings::step(existing, meta, about, &judgement.verdict, draft.place.now);
            if let Some(step) = step {
                draft.rendered.push((step, Rendered::Scope(Box::new(state.clone()))));
            }
        }
        Ok(())
    }
}
