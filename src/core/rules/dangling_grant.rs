//! ## What it does
//! Reports grants to an account that does not exist.
//!
//! ## Why it matters
//! The grant waits for a name. Whoever may create an account with that name gets its powers,
//! without touching the grant and without any change to it that somebody might review.
//!
//! ## How it is found
//! On Kubernetes: role bindings and cluster role bindings name service accounts by namespace and
//! name. A binding is dangling if the complete list of service accounts does not hold that name.
//! Fields: `links`, `privilege`.
//!
//! ## Not reported
//! - Bindings while the service accounts or the bindings could not be read: the verdict is
//!   "unknown".
//! - Bindings to users and groups, whose existence a cluster cannot tell.
//! - Principals in a trust policy of AWS that no longer exist: AWS keeps their dead id, which
//!   nobody can take over.
//! - A name that was taken already: see `resurrected-identity` and `new-identity`.
//!
//! ## Severity
//! High if the grant makes an administrator or somebody who can become one; medium if it allows
//! changes; low if it only allows reading. The confidence is high; medium, with medium severity, if
//! what it grants could not be read.
//!
//! ## Fix
//! Delete the binding, or take the missing subject out of it. If the account is created later by a
//! template, create both in one step.
//!
//! ### CLI
//! ```sh
//! kubectl -n NAMESPACE get serviceaccount NAME
//! kubectl -n NAMESPACE delete rolebinding BINDING
//! kubectl delete clusterrolebinding BINDING
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "kubernetes_role_binding_v1" "name" {
//!   # ...
//!   subject {
//!     kind      = "ServiceAccount"
//!     name      = kubernetes_service_account_v1.name.metadata[0].name
//!     namespace = kubernetes_service_account_v1.name.metadata[0].namespace
//!   }
//! }
//! ```

use headcount_sdk::model::{Class, Endpoint, Level};

use super::subject::listed;
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "dangling-grant",
    title: "Grant to an account that does not exist",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI1:2025", "NHI5:2025"],
    controls: &[
        "ISO-27001-2022:A.5.18",
        "NIS2:11.2.2",
        "NIST-800-53r5:AC-2",
        "NIST-800-53r5:IA-4",
        "NIST-CSF-2.0:PR.AA-05",
        "SOC2:CC6.3",
    ],
    settings: &[],
    source: include_str!("dangling_grant.rs"),
};

pub(super) struct DanglingGrant;

impl Rule for DanglingGrant {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, _cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(subject))
    }
}

fn verdict(subject: &Subject<'_>) -> Verdict {
    if subject.record.observation.class != Class::Grant {
        return Verdict::NotApplicable;
    }
    if let Some(unread) = subject.unread("links") {
        return unread;
    }
    let links = subject.record.observation.links.iter();
    let missing: Vec<_> = links
        .filter_map(|link| match &link.to {
            Endpoint::Dangling { native } => Some(native.as_str()),
            _ => None,
        })
        .collect();
    if missing.is_empty() {
        return Verdict::Clear;
    }
    let (severity, certainty) = weight(subject);
    let missing = listed(missing);
    let title = format!("{} waits for {missing}, which does not exist", subject.label());
    let violation = subject.violation(severity, certainty, title).fact("missing", missing);
    match &subject.record.observation.privilege {
        Some(p) => violation.fact("level", p.level.as_str()).fact("reason", &p.reason).into(),
        None => violation.into(),
    }
}

/// That it dangles is certain whatever it grants, so an unread power is no reason for silence.
fn weight(subject: &Subject<'_>) -> (Severity, Certainty) {
    let privilege = subject.record.observation.privilege.as_ref();
    let level = privilege.filter(|_| subject.unread("privilege").is_none()).map(|p| p.level);
    match level {
        Some(Level::Admin | Level::Escalating) => (Severity::High, Certainty::High),
        Some(Level::Write) => (META.severity, Certainty::High),
        Some(Level::Read | Level::None) => (Severity::Low, Certainty::High),
        Some(Level::Unknown) | None => (META.severity, Certainty::Medium),
    }
}
