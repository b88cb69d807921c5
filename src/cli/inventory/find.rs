//! Finds the one record that a person means.

use headcount_core::inventory::Record;
use headcount_sdk::RecordId;
use jiff::Timestamp;

use crate::cli::UsageError;
use crate::cli::session::Session;
use crate::store::{RecordFilter, Version};

/// Candidates that are named when a name is not enough.
const NAMED: usize = 5;

/// A record with its past.
#[derive(Debug)]
pub struct Found {
    pub record: Record,
    /// Oldest first.
    pub versions: Vec<Version>,
    /// Set when the record is not there at the moment that was asked for.
    pub gone_since: Option<Timestamp>,
}

/// By id, then by the source's own handle, then by name: the first that names exactly one record.
pub async fn find(
    session: &Session,
    subject: &str,
    at: Option<Timestamp>,
) -> anyhow::Result<Found> {
    let id = RecordId::from_stored(subject.to_owned());
    let versions = session.store.versions(&id).await?;
    if !versions.is_empty() {
        return pick(versions, subject, at);
    }
    let filter = RecordFilter { text: Some(subject.to_owned()), at, ..RecordFilter::default() };
    let mut fitting: Vec<(u8, Record)> = Vec::new();
    session
        .each_record(&filter, |record| {
            fitting.push((likeness(record, subject), record.clone()));
            Ok(())
        })
        .await?;
    let best = fitting.iter().map(|(likeness, _)| *likeness).min();
    fitting.retain(|(likeness, _)| Some(*likeness) == best);
    match fitting.as_slice() {
        [] => Err(UsageError(format!("no record has the id, handle or name `{subject}`")).into()),
        [(_, record)] => pick(session.store.versions(record.id()).await?, subject, at),
        many => Err(ambiguous(subject, many).into()),
    }
}

fn likeness(record: &Record, subject: &str) -> u8 {
    let seen = &record.observation;
    if seen.native == subject {
        0
    } else if seen.name == subject {
        1
    } else {
        2
    }
}

fn ambiguous(subject: &str, many: &[(u8, Record)]) -> UsageError {
    let mut text = format!("{} records fit `{subject}`; give the id of one:", many.len());
    for (_, record) in many.iter().take(NAMED) {
        let seen = &record.observation;
        text.push_str(&format!("\n  {}  {} ({})", seen.id, seen.name, seen.kind));
    }
    if many.len() > NAMED {
        text.push_str("\n  …");
    }
    UsageError(text)
}

/// The version that held at the moment, or the last one when it is gone.
fn pick(versions: Vec<Version>, subject: &str, at: Option<Timestamp>) -> anyhow::Result<Found> {
    let held = |v: &&Version| match at {
        Some(at) => v.valid_from <= at && v.valid_to.is_none_or(|to| at < to),
        None => v.valid_to.is_none(),
    };
    if let Some(version) = versions.iter().find(held) {
        return Ok(Found { record: version.record.clone(), gone_since: None, versions });
    }
    let before = versions.iter().rfind(|v| at.is_none_or(|at| v.valid_from <= at));
    match before {
        Some(last) => {
            Ok(Found { record: last.record.clone(), gone_since: last.valid_to, versions })
        }
        None => Err(UsageError(format!("`{subject}` was not seen before then")).into()),
    }
}
