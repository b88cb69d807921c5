//! ## What it does
//! Reports identities that are administrators, or hold powers with which they can make themselves
//! administrators, and grants that give such powers to a whole group of a cluster.
//!
//! ## Why it matters
//! A machine rarely needs everything. One that has it turns any leak of its credential, or any
//! flaw in the workload that uses it, into the loss of the whole account.
//!
//! ## How it is found
//! The policies of each identity are reduced to one level. On AWS: attached and inline policies
//! and groups from `iam:GetAccountAuthorizationDetails`. On Kubernetes: the roles that bindings give
//! to the service account; a binding to a group such as `system:authenticated` has no account of
//! its own and is judged by itself. On GitHub: the permissions of an app. The fact `reason` names
//! what decided. Fields: `privilege`, `attributes.group`.
//!
//! ## Not reported
//! - Identities whose policies could not be read or understood: the verdict is "unknown".
//! - Whether a permissions boundary, a service control policy or a session policy takes the power
//!   away again: the level is that of the identity's own policies. A boundary stands in `reason`.
//! - Powers granted by the policy of a resource (a bucket, a key) instead of the identity's own.
//! - Service-linked roles, whose policy is the vendor's; accounts that a cluster makes for its own
//!   controllers; roles of IAM Identity Center, which people use; root users, which cannot be less.
//! - Runners and their groups: what a runner may do is what its jobs may do.
//! - Bindings to people and their groups, as long as these are not everybody.
//!
//! ## Severity
//! High with high confidence for an administrator. Medium with medium confidence for one that can
//! become it: a condition may be in the way. A grant to a group is the same, and critical where the
//! group is everybody who can log in, or anybody at all.
//!
//! ## Fix
//! See what it did in the last months, write a policy for that, attach it, and take the broad one
//! away. What really must administrate belongs to few people, behind an approval.
//!
//! ### CLI
//! ```sh
//! aws accessanalyzer start-policy-generation \
//!   --policy-generation-details principalArn=ROLE_ARN
//! aws iam detach-role-policy --role-name NAME \
//!   --policy-arn arn:aws:iam::aws:policy/AdministratorAccess
//! kubectl auth can-i --list --as=system:serviceaccount:NAMESPACE:NAME
//! kubectl delete clusterrolebinding BINDING
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_role_policy" "least" {
//!   role   = "NAME"
//!   policy = data.aws_iam_policy_document.what_it_needs.json
//! }
//! ```

use headcount_sdk::model::{Class, Level};

use super::subject::{kind, trust_class};
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "admin-identity",
    title: "Identity with the powers of an administrator",
    severity: Severity::High,
    judges: Judges::Records,
    owasp: &["NHI5:2025"],
    controls: &[
        "CSA-CCM-4:IAM-09",
        "FedRAMP-20x:KSI-IAM-ELP",
        "ISO-27001-2022:A.8.2",
        "NIST-800-53r5:AC-6(7)",
        "NIST-CSF-2.0:PR.AA-05",
        "PCI-DSS-4.0.1:7.2.5",
        "SOC2:CC6.3",
    ],
    settings: &[],
    source: include_str!("admin_identity.rs"),
};

pub(super) struct AdminIdentity;

impl Rule for AdminIdentity {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, _cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(subject))
    }
}

/// The groups to which everybody belongs who can log in, or anybody at all.
const EVERYBODY: [&str; 3] = ["system:anonymous", "system:authenticated", "system:unauthenticated"];

fn verdict(subject: &Subject<'_>) -> Verdict {
    let group = subject.attribute("group").filter(|_| {
        subject.record.observation.class == Class::Grant
            && subject.record.observation.parent.is_none()
    });
    let is_judged = subject.is_identity() || group.is_some();
    if !is_judged || subject.is_root() || subject.is_one_of(&kind::RUNNERS) {
        return Verdict::NotApplicable;
    }
    let managed = [trust_class::SERVICE_LINKED, trust_class::IDENTITY_CENTER];
    if let Some(verdict) = subject.exempt(&managed).or_else(|| subject.unread("privilege")) {
        return verdict;
    }
    let Some(privilege) = &subject.record.observation.privilege else {
        return Verdict::unknown("privilege");
    };
    let (severity, certainty, what) = match privilege.level {
        Level::None | Level::Read | Level::Write => return Verdict::Clear,
        Level::Unknown => return Verdict::unknown(format!("privilege ({})", privilege.reason)),
        Level::Escalating => (Severity::Medium, Certainty::Medium, Power::Escalating),
        Level::Admin => (META.severity, Certainty::High, Power::Admin),
    };
    let is_everybodys = group.is_some_and(|group| EVERYBODY.contains(&group));
    let severity = if is_everybodys { Severity::Critical } else { severity };
    let title = what.title(&subject.label(), group);
    subject
        .violation(severity, certainty, title)
        .fact("level", privilege.level.as_str())
        .fact("reason", &privilege.reason)
        .into()
}

enum Power {
    Escalating,
    Admin,
}

impl Power {
    fn title(&self, label: &str, group: Option<&str>) -> String {
        match (self, group) {
            (Self::Admin, None) => format!("{label} is an administrator"),
            (Self::Escalating, None) => format!("{label} can make itself an administrator"),
            (Self::Admin, Some(group)) => format!("{label} makes {group} administrators"),
            (Self::Escalating, Some(group)) => {
                format!("{label} lets {group} make themselves administrators")
            }
        }
    }
}
