//! ## What it does
//! Reports identities that were used again after at least `days` days of silence, for `report_days`
//! days from that use.
//!
//! ## Why it matters
//! What sleeps for months and wakes is a yearly job, or somebody who found an old key. The two look
//! the same, and only the owner can tell them apart; soon after it happened there are still logs to
//! ask.
//!
//! ## How it is found
//! The agent remembers the last use that each reading showed. When a later reading shows a newer
//! one, the time between the two is a silence. Exactly `days` days is long enough. On AWS:
//! `RoleLastUsed`, and the latest use of a user's credentials; on Kubernetes: a workload runs as
//! the account again; on GitHub: the last use of tokens and deploy keys. Fields: `history.silence`,
//! `status`.
//!
//! ## Not reported
//! - A silence that began before the source was first counted and whose beginning no source tells;
//!   what was never used before (see `new-identity`).
//! - Identities whose use is not recorded or could not be read, and of which no silence is known:
//!   the verdict is "unknown".
//! - A credential of an identity that is counted: its use is the identity's.
//! - What is switched off by now, service-linked roles, the cluster's own accounts, and people.
//!
//! ## Severity
//! Medium; high for a root user and for an identity that is or can make itself an administrator. The
//! confidence is high; medium if the source does not tell whether it is active.
//!
//! ## Fix
//! Ask the owner whether the use was expected, and look up where it came from. If nobody knows,
//! switch it off and replace its credentials.
//!
//! ### CLI
//! ```sh
//! aws cloudtrail lookup-events --lookup-attributes AttributeKey=Username,AttributeValue=NAME
//! gh api "/orgs/ORG/audit-log?phrase=actor:LOGIN&include=all"
//! kubectl get pods -A --field-selector spec.serviceAccountName=NAME
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_role_policy_attachment" "quarantine" {
//!   role       = "NAME"
//!   policy_arn = "arn:aws:iam::aws:policy/AWSDenyAll"
//! }
//! ```

use headcount_sdk::model::Usage;

use super::subject::trust_class;
use super::window::open_until;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "reactivated-identity",
    title: "Identity woke up after a long silence",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI1:2025"],
    controls: &[
        "CIS-Controls-8.1:5.3",
        "FedRAMP-20x:KSI-IAM-AAM",
        "NIS2:11.5.4",
        "NIST-800-53r5:AC-2",
        "NIST-800-53r5:AC-2(3)",
    ],
    settings: &[
        Setting::Days { default: 90, about: "The shortest silence that is reported." },
        Setting::ReportDays { default: 7, about: "How long the awakening is reported." },
    ],
    source: include_str!("reactivated_identity.rs"),
};

pub(super) struct ReactivatedIdentity;

impl Rule for ReactivatedIdentity {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        let is_judged =
            subject.is_identity() || (subject.is_credential() && !subject.has_parent_identity());
        if !is_judged || subject.is_system() {
            return Judgement::steady(Verdict::NotApplicable);
        }
        if let Some(verdict) = subject.exempt(&[trust_class::SERVICE_LINKED]) {
            return Judgement::steady(verdict);
        }
        if let Some(missing) = subject.parent_missing().filter(|_| subject.is_credential()) {
            return Judgement::steady(missing);
        }
        awakened(cx, subject)
    }
}

fn awakened(cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
    let Some(usable) = subject.usable() else {
        return Judgement::steady(Verdict::Clear);
    };
    let Some(silence) = subject.record.history.silence else {
        return Judgement::steady(not_seen(subject));
    };
    let length = silence.until.duration_since(silence.from);
    if length < cx.settings.span() {
        return Judgement::steady(Verdict::Clear);
    }
    let Some(end) = open_until(silence.until, cx.settings.report_span(), cx.now) else {
        return Judgement::steady(Verdict::Clear);
    };
    let is_grave = subject.is_root() || subject.is_powerful();
    let severity = if is_grave { Severity::High } else { META.severity };
    let days = cx.settings.days;
    let title = format!("{} was used again after {days} days of silence or more", subject.label());
    let violation = subject
        .violation(severity, usable, title)
        .fact("silent_since", silence.from)
        .fact("used_again_at", silence.until)
        .fact("silent_days", length.as_hours() / 24)
        .fact("threshold_days", days);
    Judgement::until(violation, end)
}

/// Without a known silence, only a source that tells of use shows that there was none.
fn not_seen(subject: &Subject<'_>) -> Verdict {
    if let Some(unread) = subject.unread("usage") {
        return unread;
    }
    match &subject.record.observation.usage {
        Usage::NotObservable { reason } => Verdict::unknown(format!("usage ({reason})")),
        Usage::LastUsed { .. } | Usage::NeverSince { .. } => Verdict::Clear,
    }
}
