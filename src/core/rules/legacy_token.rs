//! ## What it does
//! Reports tokens of service accounts that are kept in a Secret and never expire.
//!
//! ## Why it matters
//! Whoever can read the Secret, a backup of it or the manifest it was copied from is the account,
//! from anywhere and for good. A token that a pod mounts today lives for an hour and dies with the
//! pod.
//!
//! ## How it is found
//! On Kubernetes: Secrets of type `kubernetes.io/service-account-token`; their last use is the label
//! `kubernetes.io/legacy-token-last-used`, to one day, and one that the cluster has switched off
//! carries `kubernetes.io/legacy-token-invalid-since`. A use exactly `days` days ago is recent.
//! Fields: `kind`, `expiry`, `usage`, `attributes.invalid_since`.
//!
//! ## Not reported
//! - Anything while Secrets are not read, which is the default, because Kubernetes cannot grant
//!   their metadata alone. Where the source cannot tell whether the token expires, the verdict is
//!   "unknown".
//! - Tokens that pods mount or that programs ask for: they expire, and no cluster lists them.
//! - The token's age: `long-lived-credential` leaves these tokens to this rule.
//!
//! ## Severity
//! Medium; high if its account is or can make itself an administrator of the cluster; low if it was
//! not used for more than `days` days (see `stale-credential`), or if the cluster has switched it
//! off and only the Secret is left. The confidence is high; medium if its use is not known.
//!
//! ## Fix
//! Let pods use the mounted, expiring token, and programs outside the cluster ask for one with
//! `kubectl create token` or federate. When the label shows no more use, delete the Secret: that
//! revokes the token.
//!
//! ### CLI
//! ```sh
//! kubectl -n NAMESPACE get secret NAME --show-labels
//! kubectl -n NAMESPACE create token SERVICE_ACCOUNT --duration=1h
//! kubectl -n NAMESPACE delete secret NAME
//! ```
//!
//! ### Terraform
//! ```hcl
//! # in the workload, instead of a kubernetes_secret_v1 of that type
//! volume {
//!   name = "token"
//!   projected {
//!     sources {
//!       service_account_token {
//!         path               = "token"
//!         expiration_seconds = 3600
//!       }
//!     }
//!   }
//! }
//! ```

use headcount_sdk::model::{Expiry, Level, Usage};
use jiff::Timestamp;

use super::subject::kind;
use super::window::past_at;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "legacy-token",
    title: "Service account token that never expires",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI4:2025", "NHI7:2025"],
    controls: &[
        "FedRAMP-20x:KSI-IAM-SNU",
        "ISO-27001-2022:A.5.17",
        "NIST-800-53r5:IA-5",
        "PCI-DSS-4.0.1:8.6.3",
        "SOC2:CC6.1",
    ],
    settings: &[Setting::Days {
        default: 90,
        about: "A token that was not used for longer is reported as low.",
    }],
    source: include_str!("legacy_token.rs"),
};

pub(super) struct LegacyToken;

impl Rule for LegacyToken {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        if !subject.is_kind(kind::SERVICE_ACCOUNT_TOKEN) {
            return Judgement::steady(Verdict::NotApplicable);
        }
        if let Some(unread) = subject.unread("expiry") {
            return Judgement::steady(unread);
        }
        match subject.record.observation.expiry {
            Expiry::Never => never_expires(cx, subject),
            Expiry::At { .. } | Expiry::NotApplicable => Judgement::steady(Verdict::Clear),
            Expiry::Unknown => Judgement::steady(Verdict::unknown("expiry")),
        }
    }
}

fn never_expires(cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
    let label = subject.label();
    if let Some(since) = subject.attribute("invalid_since") {
        let title = format!("{label} is switched off, but its Secret is still there");
        let violation = subject.violation(Severity::Low, Certainty::High, title);
        return Judgement::steady(violation.fact("invalid_since", since));
    }
    let Some(usable) = subject.usable() else {
        return Judgement::steady(Verdict::Clear);
    };
    let use_of_it = use_of_it(cx, subject);
    let certainty = match use_of_it {
        Use::NotKnown => usable.min(Certainty::Medium),
        Use::Recent { .. } | Use::LongAgo => usable,
    };
    let is_powerful = subject.parent.and_then(|parent| parent.observation.privilege.as_ref());
    let is_powerful = is_powerful.is_some_and(|privilege| privilege.level >= Level::Escalating);
    let severity = match use_of_it {
        _ if is_powerful => Severity::High,
        Use::LongAgo => Severity::Low,
        Use::NotKnown | Use::Recent { .. } => META.severity,
    };
    let violation = subject
        .violation(severity, certainty, format!("{label} never expires"))
        .fact("usage", subject.record.observation.usage.state())
        .fact("threshold_days", cx.settings.days);
    match use_of_it {
        // For a powerful account the severity stays, so there is nothing to come back for.
        Use::Recent { until } if !is_powerful => Judgement::until(violation, until),
        _ => Judgement::steady(violation),
    }
}

enum Use {
    Recent { until: Timestamp },
    LongAgo,
    NotKnown,
}

fn use_of_it(cx: &Context<'_>, subject: &Subject<'_>) -> Use {
    let usage = &subject.record.observation.usage;
    let at = match usage {
        _ if subject.record.observation.unread.contains_key("usage") => return Use::NotKnown,
        Usage::LastUsed { at, .. } | Usage::NeverSince { tracking_start: at, .. } => *at,
        Usage::NotObservable { .. } => return Use::NotKnown,
    };
    // A token that was never used counts from its creation, if that is later.
    let at = match (usage, subject.record.observation.created_at) {
        (Usage::NeverSince { .. }, Some(created_at)) => at.max(created_at),
        _ => at,
    };
    match past_at(at, cx.settings.span().saturating_add(usage.lag()), cx.now) {
        Some(until) => Use::Recent { until },
        None => Use::LongAgo,
    }
}
