//! Findings as OCSF Detection Findings: the `data` of the events that sinks get, without the
//! envelope, and with what is known of the subject now.

use std::collections::BTreeMap;
use std::io::Write;

use headcount_core::findings::{Finding, FindingStatus, Transition, TransitionKind};
use headcount_core::inventory::{Record, ScopeState};
use headcount_core::rules;
use headcount_sdk::RecordId;

use crate::cli::session::Session;
use crate::deliver::payload::{About, Envelope, finding_event};

/// Findings whose subjects are read from the store at a time.
const BATCH: usize = 500;

pub async fn write(
    session: &Session,
    findings: &[Finding],
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let states = session.store.scope_states(None).await?;
    for batch in findings.chunks(BATCH) {
        let ids = batch.iter().map(|f| RecordId::from_stored(f.subject.clone())).collect();
        let records = by_id(session, ids).await?;
        let parents = records.values().filter_map(|r| r.observation.parent.clone()).collect();
        let parents = by_id(session, parents).await?;
        for finding in batch {
            // A finding of a rule that this version does not have cannot be explained.
            let Some(rule) = rules::find(&finding.rule) else { continue };
            let record = records.get(&finding.subject);
            let parent = record
                .and_then(|r| r.observation.parent.as_ref())
                .and_then(|id| parents.get(id.as_str()));
            let scope = scope_of(&states, finding);
            let about = About { meta: rule.meta(), record, parent, scope };
            let event = finding_event(&envelope(session), &transition(finding), &about);
            let mut event: serde_json::Value = serde_json::from_str(&event.body)?;
            if let Some(metadata) = event["data"]["metadata"].as_object_mut() {
                // These belong to a delivery, and this is none.
                metadata.remove("sequence");
                metadata.remove("correlation_uid");
            }
            serde_json::to_writer(&mut *out, &event["data"])?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

async fn by_id(session: &Session, ids: Vec<RecordId>) -> anyhow::Result<BTreeMap<String, Record>> {
    let records = session.store.records(&ids).await?;
    Ok(records.into_iter().map(|record| (record.id().to_string(), record)).collect())
}

fn scope_of<'a>(states: &'a [ScopeState], finding: &Finding) -> Option<&'a ScopeState> {
    states.iter().find(|s| s.source == finding.source && s.scope.to_string() == finding.subject)
}

fn envelope(session: &Session) -> Envelope<'_> {
    Envelope {
        agent: session.config.agent.as_str(),
        scan: "",
        sequence: 0,
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// The last step that the finding took.
fn transition(finding: &Finding) -> Transition {
    let kind = match finding.status {
        FindingStatus::Resolved => TransitionKind::Resolved,
        FindingStatus::Suppressed => TransitionKind::Suppressed,
        FindingStatus::Open if finding.transitions <= 1 => TransitionKind::Opened,
        FindingStatus::Open => TransitionKind::Updated,
    };
    Transition { kind, finding: finding.clone() }
}
