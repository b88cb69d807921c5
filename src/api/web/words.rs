//! Moments, use, owners and coverage as the page says them. What is not known is said to be unknown,
//! and never shown as nothing.

use headcount_core::findings::{Finding, FindingStatus, Severity};
use headcount_core::inventory::{Coverage, Owner, Record, ScopeState};
use headcount_sdk::{Class, Expiry, Standing, Usage};
use jiff::Timestamp;

use crate::store::work::Work;
use crate::view::text::safe;
use crate::view::time;
use crate::view::words::remedy;

/// A moment: for programs, in full, and how long ago.
#[derive(Clone, Debug)]
pub struct When {
    pub iso: String,
    /// `2026-11-01 12:00 UTC`
    pub full: String,
    /// `2026-11-01`
    pub day: String,
    /// `3 days ago`, `in 3 days`
    pub hint: String,
}

impl When {
    #[must_use]
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        Self {
            iso: at.to_string(),
            full: time::minute(at),
            day: time::day(at),
            hint: if at <= now { time::ago(at, now) } else { ahead(at, now) },
        }
    }
}

/// `in 3 days`
fn ahead(at: Timestamp, now: Timestamp) -> String {
    let seconds = at.duration_since(now).as_secs();
    match seconds {
        0..60 => "in a moment".to_owned(),
        60..3_600 => format!("in {} min", seconds / 60),
        3_600..172_800 => format!("in {} h", seconds / 3_600),
        _ => format!("in {} days", seconds / 86_400),
    }
}

/// Something known, or why not. The class says how it is drawn.
#[derive(Clone, Debug)]
pub struct Said {
    pub text: String,
    /// In full, for whoever points at it.
    pub more: String,
    /// Empty, `unknown` or `bad`.
    pub class: &'static str,
}

impl Said {
    fn plain(text: impl Into<String>, more: impl Into<String>) -> Self {
        Self { text: text.into(), more: more.into(), class: "" }
    }

    fn unknown(text: impl Into<String>, more: impl Into<String>) -> Self {
        Self { text: text.into(), more: more.into(), class: "unknown" }
    }
}

/// Last use, of three kinds that lead to opposite decisions.
#[must_use]
pub fn usage(record: &Record, now: Timestamp) -> Said {
    let seen = &record.observation;
    if let Some(permission) = seen.unread.get("usage") {
        let more = match record.history.last_known_use {
            Some(at) => {
                format!("{permission} is missing; the last use that was seen: {}", time::minute(at))
            }
            None => format!("{permission} is missing"),
        };
        return Said::unknown("not read", more);
    }
    match &seen.usage {
        Usage::LastUsed { at, resolution_secs, .. } => Said::plain(
            time::ago(*at, now),
            format!("{}, exact to {} min", time::minute(*at), resolution_secs.div_ceil(60)),
        ),
        Usage::NeverSince { tracking_start, .. } => Said::plain(
            format!("never since {}", time::day(*tracking_start)),
            "not once since its source began to record use",
        ),
        Usage::NotObservable { reason } => Said::unknown("not observable", safe(reason)),
    }
}

/// Who answers for it.
#[must_use]
pub fn owner(owner: Option<&Owner>, is_unread: bool) -> Said {
    let Some(owner) = owner else {
        return if is_unread {
            Said::unknown("not read", "the evidence of an owner could not be read")
        } else {
            Said { text: "nobody is named".to_owned(), more: String::new(), class: "bad" }
        };
    };
    let percent = owner.confidence.as_percent();
    let more =
        format!("{percent} % sure, from {} ({})", safe(&owner.locator), owner.basis.as_str());
    match owner.standing {
        Standing::Left => {
            Said { text: format!("{} (has left)", safe(&owner.reference)), more, class: "bad" }
        }
        Standing::Present | Standing::NotKnown => Said::plain(safe(&owner.reference), more),
    }
}

/// Who answers for a finding's subject that is no record of the inventory.
#[must_use]
pub fn owner_of_gone(finding: &Finding) -> Said {
    if is_scope(finding) {
        Said::plain("–", "nobody owns a scope")
    } else {
        Said::unknown("not known any more", "nobody is named now, or the subject is gone")
    }
}

/// Who answers for a finding's subject.
#[must_use]
pub fn owner_of_work(work: &Work) -> Said {
    let finding = &work.finding;
    let is_over = work.owner.is_none() && finding.status == FindingStatus::Resolved;
    if is_scope(finding) || is_over {
        return owner_of_gone(finding);
    }
    owner(work.owner.as_ref(), work.is_owner_unread)
}

#[must_use]
pub fn owner_of(record: &Record) -> Said {
    owner(record.owner.as_ref(), record.observation.unread.contains_key("owner_evidence"))
}

/// `None` where the question makes no sense.
#[must_use]
pub fn expiry(expiry: &Expiry, now: Timestamp) -> Option<Said> {
    match expiry {
        Expiry::At { at } if *at <= now => Some(Said {
            text: format!("expired {}", time::ago(*at, now)),
            more: time::minute(*at),
            class: "bad",
        }),
        Expiry::At { at } => Some(Said::plain(time::day(*at), ahead(*at, now))),
        Expiry::Never => Some(Said::plain("never", "it works until somebody takes it away")),
        Expiry::Unknown => Some(Said::unknown("not told", "the source does not tell")),
        Expiry::NotApplicable => None,
    }
}

#[must_use]
pub const fn plural(class: Class) -> &'static str {
    match class {
        Class::Identity => "identities",
        Class::AiAgent => "AI agents",
        Class::Credential => "credentials",
        Class::Grant => "grants",
        Class::Principal => "people",
        Class::Workload => "workloads",
    }
}

/// A finding in a list.
#[derive(Clone, Debug)]
pub struct Row {
    pub href: String,
    pub severity: &'static str,
    pub title: String,
    pub rule: String,
    pub status: &'static str,
    pub is_open: bool,
    pub opened: When,
    pub owner: Said,
    pub source: String,
}

impl Row {
    #[must_use]
    pub fn new(finding: &Finding, owner: Said, now: Timestamp) -> Self {
        Self {
            href: super::address::finding(&finding.id),
            severity: finding.severity.as_str(),
            title: safe(&finding.title),
            rule: finding.rule.clone(),
            status: status(finding.status),
            is_open: finding.status == FindingStatus::Open,
            opened: When::new(finding.opened_at, now),
            owner,
            source: finding.source.clone(),
        }
    }
}

/// What is shown for a finding's status.
#[must_use]
pub const fn status(status: FindingStatus) -> &'static str {
    match status {
        FindingStatus::Open => "open",
        FindingStatus::Resolved => "resolved",
        FindingStatus::Suppressed => "accepted",
    }
}

/// Whether a finding's subject is a scope: `<place>/<scope kind>` where records have a colon more.
#[must_use]
pub fn is_scope(finding: &Finding) -> bool {
    headcount_core::rules::find(&finding.rule)
        .is_some_and(|rule| rule.meta().judges == headcount_core::rules::Judges::Scopes)
}

pub const SEVERITIES: [Severity; 5] =
    [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];

/// Something that could not be read, and why.
#[derive(Clone, Debug)]
pub struct Gap {
    pub source: String,
    pub scope: String,
    /// `all of it`, or the field.
    pub what: String,
    pub why: String,
    pub since: Option<When>,
    pub records: u64,
}

/// `12 more`, or nothing.
#[must_use]
pub fn more(all: usize, shown: usize) -> String {
    match all.saturating_sub(shown) {
        0 => String::new(),
        left => format!("{left} more"),
    }
}

/// Everything in these scopes that is missing, in their order.
#[must_use]
pub fn gaps<'a>(scopes: impl IntoIterator<Item = &'a ScopeState>, now: Timestamp) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for state in scopes {
        let gap = |what: String, why: String| Gap {
            source: state.source.clone(),
            scope: state.scope.to_string(),
            what,
            why,
            since: state.last_complete_at.map(|at| When::new(at, now)),
            records: state.records,
        };
        if let Some(why) = why(&state.coverage) {
            gaps.push(gap("all of it".to_owned(), why));
        }
        for degraded in &state.degradations {
            gaps.push(gap(format!("the field {}", degraded.field), remedy(&degraded.error)));
        }
    }
    gaps
}

/// Why a scope was not read to its end; `None` where nothing is missing.
#[must_use]
pub fn why(coverage: &Coverage) -> Option<String> {
    crate::view::words::gap(coverage).map(|why| safe(&why))
}
