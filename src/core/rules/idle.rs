//! How long a record has been idle: the judgement that `stale-identity` and `stale-credential`
//! share. Idleness is only ever claimed from what the source records about use.

use headcount_sdk::model::Usage;
use jiff::Timestamp;

use super::window::past_at;
use super::{Context, Judgement, Subject, Verdict, Violation};
use crate::findings::{Certainty, Severity};

/// Since when a record has not been used, and which fact says so.
struct Idle {
    since: Timestamp,
    basis: &'static str,
    certainty: Certainty,
}

/// `Violation` once the record has been idle for longer than the threshold plus the time by which
/// its source may lag behind. Exactly at the limit is not longer.
pub(super) fn judge(cx: &Context<'_>, subject: &Subject<'_>, severity: Severity) -> Judgement {
    let Some(usable) = subject.usable() else {
        return Judgement::steady(Verdict::Clear);
    };
    if let Some(unread) = subject.unread("usage") {
        return Judgement::steady(unread);
    }
    let usage = &subject.record.observation.usage;
    let idle = match usage {
        Usage::NotObservable { reason } => {
            return Judgement::steady(Verdict::unknown(format!("usage ({reason})")));
        }
        Usage::LastUsed { at, .. } => {
            Idle { since: *at, basis: "last_used_at", certainty: Certainty::High }
        }
        Usage::NeverSince { tracking_start, .. } => never_used(subject, *tracking_start),
    };
    let span = cx.settings.span().saturating_add(usage.lag());
    match past_at(idle.since, span, cx.now) {
        Some(crossing) => Judgement::until(Verdict::Clear, crossing),
        None => Judgement::steady(violation(cx, subject, &idle, severity, usable)),
    }
}

/// A record that was never used is idle since it was made, but no longer than use is recorded.
fn never_used(subject: &Subject<'_>, tracking_start: Timestamp) -> Idle {
    // Without a creation time the record may be as young as the agent's first sight of it.
    let (made, basis, certainty) = match subject.record.observation.created_at {
        Some(created_at) => (created_at, "created_at", Certainty::High),
        None => (subject.record.first_seen_at, "first_seen_at", Certainty::Medium),
    };
    if made >= tracking_start {
        Idle { since: made, basis, certainty }
    } else {
        Idle { since: tracking_start, basis: "tracking_start", certainty }
    }
}

fn violation(
    cx: &Context<'_>,
    subject: &Subject<'_>,
    idle: &Idle,
    severity: Severity,
    usable: Certainty,
) -> Violation {
    let days = cx.settings.days;
    let usage = &subject.record.observation.usage;
    let title = match usage {
        Usage::LastUsed { .. } => format!("{} was not used for {days} days", subject.label()),
        _ => format!("{} was never used in {days} days", subject.label()),
    };
    subject
        .violation(severity, idle.certainty.min(usable), title)
        .fact("usage", usage.state())
        .fact("idle_since", idle.since)
        .fact("idle_since_basis", idle.basis)
        .fact("threshold_days", days)
        .fact("lag_seconds", usage.lag().as_secs())
}
