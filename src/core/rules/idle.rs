//! How long a record has been idle: the judgement that `stale-identity` and `stale-credential`
//! share. Idleness is only ever claimed from what the source records about use.

use headcount_sdk::model::Usage;
use jiff::{SignedDuration, Timestamp};

use super::window::past_at;
use super::{Judgement, Subject, Verdict, Violation};
use crate::findings::{Certainty, Severity};

/// Since when a record has not been used, and which fact says so.
struct Idle {
    since: Timestamp,
    basis: &'static str,
    certainty: Certainty,
}

/// How long a record may be idle.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub days: u32,
    /// After so many idle days it ends by itself, which is why the limit is shorter than configured.
    pub ends_after: Option<u32>,
}

impl Limit {
    fn span(self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.days))
    }
}

/// `Violation` once the record has been idle for longer than the limit plus the time by which
/// its source may lag behind. Exactly at the limit is not longer.
pub(super) fn judge(
    now: Timestamp,
    subject: &Subject<'_>,
    severity: Severity,
    limit: Limit,
) -> Judgement {
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
    let span = limit.span().saturating_add(usage.lag());
    match past_at(idle.since, span, now) {
        Some(crossing) => Judgement::until(Verdict::Clear, crossing),
        None => {
            let certainty = idle.certainty.min(usable);
            let violation = subject.violation(severity, certainty, title(subject, limit));
            Judgement::steady(with_facts(violation, subject, &idle, limit))
        }
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

fn title(subject: &Subject<'_>, limit: Limit) -> String {
    let days = limit.days;
    match &subject.record.observation.usage {
        Usage::LastUsed { .. } => format!("{} was not used for {days} days", subject.label()),
        _ => format!("{} was never used in {days} days", subject.label()),
    }
}

fn with_facts(violation: Violation, subject: &Subject<'_>, idle: &Idle, limit: Limit) -> Violation {
    let usage = &subject.record.observation.usage;
    let violation = violation
        .fact("usage", usage.state())
        .fact("idle_since", idle.since)
        .fact("idle_since_basis", idle.basis)
        .fact("threshold_days", limit.days)
        .fact("lag_seconds", usage.lag().as_secs());
    match limit.ends_after {
        Some(days) => violation.fact("expires_when_idle_days", days),
        None => violation,
    }
}
