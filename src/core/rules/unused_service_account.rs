//! ## What it does
//! Reports service accounts as which no workload has run for more than `days` days.
//!
//! ## Why it matters
//! An account keeps its bindings when the workload that it was made for is gone. Anybody who may
//! create a pod or a token in its namespace can pick it up, and nobody would notice.
//!
//! ## How it is found
//! On Kubernetes: no pod, and no template of a workload, names the account. The clock starts at the
//! last time the agent saw one that did or a token of the account was used, at the account's
//! creation or at the agent's first sight of it, whichever is latest. Exactly `days` days is not
//! yet too long. Fields: `attributes.in_use`, `history`, `first_seen_at`, `created_at`.
//!
//! This is a stand-in for real use, which a cluster does not record: a program outside the cluster
//! that asks for tokens of the account, or holds one, leaves no trace that is read here.
//!
//! ## Not reported
//! - Accounts while pods or workloads cannot be read: the verdict is "unknown".
//! - Accounts named by the template of a workload, even one that runs rarely or has no replicas.
//! - Accounts that the cluster makes for its own controllers.
//! - Idle time before the agent first saw the account: nobody can say what ran then.
//!
//! ## Severity
//! Medium; high for an account that is or can make itself an administrator of the cluster; low for
//! one without any power. The confidence is medium, because use from outside is not seen.
//!
//! ## Fix
//! Ask the owner whether something outside the cluster uses it. If not, delete its bindings first,
//! which is easy to undo, and later the account. Of a namespace's `default` account, delete the
//! bindings only: the cluster makes the account again.
//!
//! ### CLI
//! ```sh
//! kubectl get rolebindings,clusterrolebindings -A -o json | jq -r '.items[]
//!   | select(any(.subjects[]?; .name == "NAME" and .namespace == "NAMESPACE"))
//!   | "\(.kind) \(.metadata.namespace // "-") \(.metadata.name)"'
//! kubectl -n NAMESPACE delete rolebinding BINDING
//! kubectl -n NAMESPACE delete serviceaccount NAME
//! ```
//!
//! ### Terraform
//! ```hcl
//! # remove the block of the binding first, then that of the account
//! resource "kubernetes_role_binding_v1" "name" {
//!   # ...
//!   subject {
//!     kind      = "ServiceAccount"
//!     name      = "NAME"
//!     namespace = "NAMESPACE"
//!   }
//! }
//! ```

use headcount_sdk::model::{Level, Usage};
use jiff::Timestamp;

use super::subject::kind;
use super::window::past_at;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "unused-service-account",
    title: "No workload runs as the service account",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI1:2025"],
    controls: &[
        "CIS-Controls-8.1:5.3",
        "FedRAMP-20x:KSI-IAM-AAM",
        "ISO-27001-2022:A.5.18",
        "NIS2:11.5.4",
        "NIST-800-53r5:AC-2(3)",
        "SOC2:CC6.3",
    ],
    settings: &[Setting::Days { default: 90, about: "The longest time without a workload." }],
    source: include_str!("unused_service_account.rs"),
};

pub(super) struct UnusedServiceAccount;

impl Rule for UnusedServiceAccount {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        if !subject.is_kind(kind::SERVICE_ACCOUNT) || subject.is_system() {
            return Judgement::steady(Verdict::NotApplicable);
        }
        if subject.usable().is_none() {
            return Judgement::steady(Verdict::Clear);
        }
        match subject.told("in_use") {
            Err(unknown) => Judgement::steady(unknown),
            Ok("false") => unused(cx, subject),
            Ok(_) => Judgement::steady(Verdict::Clear),
        }
    }
}

fn unused(cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
    let (since, basis) = since(subject);
    if let Some(crossing) = past_at(since, cx.settings.span(), cx.now) {
        return Judgement::until(Verdict::Clear, crossing);
    }
    let severity = match subject.record.observation.privilege.as_ref().map(|p| p.level) {
        Some(Level::Escalating | Level::Admin) => Severity::High,
        Some(Level::None) => Severity::Low,
        _ => META.severity,
    };
    let days = cx.settings.days;
    let title = format!("No workload has run as {} for {days} days", subject.label());
    let violation = subject
        .violation(severity, Certainty::Medium, title)
        .fact("unused_since", since)
        .fact("unused_since_basis", basis)
        .fact("threshold_days", days);
    Judgement::steady(violation)
}

/// The latest moment of which it is known that the account was needed, or may have been.
fn since(subject: &Subject<'_>) -> (Timestamp, &'static str) {
    let record = subject.record;
    let used = match record.observation.usage {
        Usage::LastUsed { at, .. } => Some(at),
        Usage::NeverSince { .. } | Usage::NotObservable { .. } => None,
    };
    let used = used.max(record.history.last_known_use).map(|at| (at, "last_known_use"));
    let made = record.observation.created_at.map(|at| (at, "created_at"));
    let seen = (record.first_seen_at, "first_seen_at");
    used.into_iter()
        .chain(made)
        .fold(seen, |latest, next| if next.0 > latest.0 { next } else { latest })
}
