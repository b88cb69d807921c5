//! ## What it does
//! Reports an identity that more than one application acts as.
//!
//! ## Why it matters
//! Each application has the powers that all of them need together; a break into the least of them
//! is a break into all; and no log tells which of them it was. Nobody dares to take a power away,
//! because nobody knows whose it is.
//!
//! ## How it is found
//! From the links between records, across sources. A service account: the distinct applications of
//! the workloads that run as it (label `app.kubernetes.io/part-of`, else the instance, the Helm
//! release, the workload's own name). Any other identity, for example a role of AWS: the distinct
//! service accounts that name it and the repositories and service accounts that its trust names
//! exactly. Two are shared. Fields: `links`, `attributes.in_use`, `attributes.application`.
//!
//! ## Not reported
//! - Parts of one application, environments of one repository, and the same service account in
//!   several clusters.
//! - Users that no counted source shows (virtual machines, laptops, clusters that are not counted),
//!   and users beyond the first hundred.
//! - Service accounts of which only one application is known while pods or workloads cannot be
//!   read: the verdict is "unknown".
//! - A namespace's `default` account without any power to change things, which unrelated pods share
//!   by design; if its power could not be read, the verdict is "unknown".
//! - A trust so wide that it names nobody in particular: see `broad-federated-trust`.
//!
//! ## Severity
//! Low; medium if the identity may change things, or if its power is not known. The confidence is
//! high; medium where an application is told from nothing but the name of its workload.
//!
//! ## Fix
//! Give each application an identity of its own with the powers that it needs, move them over one
//! by one, and take from the old one what is left without user.
//!
//! ### CLI
//! ```sh
//! kubectl -n NAMESPACE create serviceaccount APPLICATION
//! kubectl -n NAMESPACE set serviceaccount deployment APPLICATION APPLICATION
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "kubernetes_service_account_v1" "each" {
//!   for_each = toset(["APPLICATION_A", "APPLICATION_B"])
//!   metadata {
//!     name      = each.key
//!     namespace = "NAMESPACE"
//!   }
//! }
//! ```

use std::collections::BTreeSet;

use headcount_sdk::model::{Class, Level, LinkKind};

use super::subject::kind;
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::{Certainty, Severity};
use crate::inventory::Record;

static META: Meta = Meta {
    id: "shared-identity",
    title: "Several applications share one identity",
    severity: Severity::Low,
    judges: Judges::Records,
    owasp: &["NHI9:2025"],
    controls: &[
        "CSA-CCM-4:IAM-05",
        "ISO-27001-2022:A.5.16",
        "NIS2:11.5.2",
        "NIST-800-53r5:IA-4",
        "PCI-DSS-4.0.1:8.2.2",
        "SOC2:CC6.3",
    ],
    settings: &[],
    source: include_str!("shared_identity.rs"),
};

/// How sure a trust must be of whom it means: it names one account or one repository.
const NAMED: u8 = 90;

/// How many users a finding names; the rest are counted.
const SHOWN: usize = 20;

pub(super) struct SharedIdentity;

impl Rule for SharedIdentity {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, _cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(subject))
    }
}

fn verdict(subject: &Subject<'_>) -> Verdict {
    if !subject.is_identity() || subject.is_root() {
        return Verdict::NotApplicable;
    }
    let users =
        if subject.is_kind(kind::SERVICE_ACCOUNT) { applications(subject) } else { users(subject) };
    let names: BTreeSet<_> = users.iter().map(|user| user.name).collect();
    if names.len() < 2 {
        // That it is shared needs no proof that every user was read; that it is not, does.
        let unread = subject.unread("attributes.in_use").or_else(|| subject.unread("links"));
        return unread.unwrap_or(Verdict::Clear);
    }
    let severity = match power(subject) {
        Err(unknown) if subject.is_namespace_default() => return unknown,
        Ok(Level::None | Level::Read) if subject.is_namespace_default() => return Verdict::Clear,
        Ok(Level::None | Level::Read) => META.severity,
        Ok(_) | Err(_) => Severity::Medium,
    };
    let is_stated = users.iter().all(|user| user.is_stated);
    let certainty = if is_stated { Certainty::High } else { Certainty::Medium };
    let count = names.len();
    let title = format!("{} is used by {count} applications", subject.label());
    let shown: Vec<_> = names.into_iter().take(SHOWN).collect();
    subject
        .violation(severity, certainty, title)
        .fact("applications", shown.join(", "))
        .fact("count", count)
        .into()
}

struct User<'a> {
    name: &'a str,
    /// Somebody wrote down what it belongs to.
    is_stated: bool,
}

/// The applications whose workloads run as the service account.
fn applications<'a>(subject: &Subject<'a>) -> Vec<User<'a>> {
    let incoming = subject.around.incoming.iter();
    incoming
        .filter(|neighbour| neighbour.kind == LinkKind::Uses)
        .filter(|neighbour| neighbour.record.observation.class == Class::Workload)
        .map(|neighbour| {
            let observation = &neighbour.record.observation;
            // Without any label the workload's own name, `namespace/name`, is all there is.
            let own = observation.name.rsplit('/').next().unwrap_or_default();
            match observation.attributes.get("application") {
                Some(name) => User { name, is_stated: name != own },
                None => User { name: own, is_stated: false },
            }
        })
        .collect()
}

/// Who names the identity as theirs, and whom its trust names.
fn users<'a>(subject: &Subject<'a>) -> Vec<User<'a>> {
    let claims = subject.around.incoming.iter().filter(|n| n.kind == LinkKind::Uses);
    let named = subject.around.outgoing.iter().filter(|neighbour| {
        neighbour.kind == LinkKind::Trusts && neighbour.confidence.as_percent() >= NAMED
    });
    claims.chain(named).filter_map(|neighbour| user(&neighbour.record)).collect()
}

fn user(record: &Record) -> Option<User<'_>> {
    let observation = &record.observation;
    let name = match observation.kind.as_str() {
        kind::SERVICE_ACCOUNT => observation.native.as_str(),
        kind::REPOSITORY => observation.native.as_str(),
        // `owner/name/environments/prod` belongs to `owner/name`.
        kind::ENVIRONMENT => {
            let native = observation.native.as_str();
            native.split_once("/environments/").map_or(native, |(repository, _)| repository)
        }
        _ => return None,
    };
    (!name.is_empty()).then_some(User { name, is_stated: true })
}

fn power(subject: &Subject<'_>) -> Result<Level, Verdict> {
    if let Some(unread) = subject.unread("privilege") {
        return Err(unread);
    }
    let privilege = subject.record.observation.privilege.as_ref();
    privilege.map(|p| p.level).ok_or_else(|| Verdict::unknown("privilege"))
}
