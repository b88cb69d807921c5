//! Decisions of people on findings, as the page makes them: through what the API does.

use headcount_core::findings::Finding;
use headcount_core::findings::exceptions::{Draft, Selection};
use jiff::Timestamp;

use super::shell::Failed;
use crate::api::Face;
use crate::api::auth::Actor;
use crate::api::v1::exceptions::{add_drafted, end_now};

/// Why a finding is accepted, and until when.
pub struct Terms<'a> {
    pub reason: &'a str,
    pub expires_at: Timestamp,
}

/// Accepts one finding: its rule, on its subject alone.
pub async fn accept(
    face: &Face,
    actor: &Actor,
    finding: &Finding,
    terms: Terms<'_>,
) -> Result<(), Failed> {
    let draft = Draft {
        rule: finding.rule.clone(),
        selection: Selection { subject: Some(finding.subject.clone()), ..Selection::default() },
        reason: terms.reason.to_owned(),
        author: actor.label(),
        expires_at: terms.expires_at,
    };
    add_drafted(face, actor, draft).await?;
    Ok(())
}

/// Ends an exception before its time.
pub async fn end(face: &Face, actor: &Actor, id: &str) -> Result<(), Failed> {
    end_now(face, actor, id).await?;
    Ok(())
}
