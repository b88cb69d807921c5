//! Finds the one record that a person means.

use headcount_core::inventory::Record;
use headcount_sdk::RecordId;
use jiff::Timestamp;

use crate::cli::UsageError;
use crate::cli::session::Session;
use crate::store::{RecordFilter, Version};
use crate::view::life::Found;

/// Candidates that are named when a name is not enough.
const NAMED: usize = 5;

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

fn pick(versions: Vec<Version>, subject: &str, at: Option<Timestamp>) -> anyhow::Result<Found> {
    let unseen = || UsageError(format!("`{subject}` was not seen before then"));
    Ok(Found::among(versions, at).ok_or_else(unseen)?)
}
