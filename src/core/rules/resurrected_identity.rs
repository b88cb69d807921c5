//! ## What it does
//! Reports an identity that took over the name of one that had vanished, for `days` days from the
//! moment it was first seen.
//!
//! ## Why it matters
//! What grants by name does not see the difference: policies of buckets and keys, cluster
//! mappings and audit rules may hand the powers of the old identity to the new one. In a cluster
//! every binding names accounts by name, so a service account that is made again has at once all
//! bindings of the old one that were left, and the clouds' trust in it as well. Whoever may create
//! identities can choose a name for that very reason.
//!
//! ## How it is found
//! The source's lasting id of the identity differs from that of a vanished one with the same name,
//! kind and place. On AWS, the lasting ids (`AROA…`, `AIDA…`) come from
//! `iam:GetAccountAuthorizationDetails`; on Kubernetes it is `metadata.uid`, on GitHub the number of
//! an account. The facts name both, and the power that the name gives now. Fields: `replaces`,
//! `first_seen_at`, `privilege`, `links`.
//!
//! ## Not reported
//! - A name that was free before the source was first counted, or longer than vanished records are
//!   kept.
//! - A re-creation between two readings of a source whose records have no lasting id.
//! - Service-linked roles, which their service deletes and makes again; accounts that a cluster
//!   makes for its own controllers; people.
//! - Installed apps, runners and their groups, which nothing grants to by name.
//!
//! ## Severity
//! High, with high confidence that the identity is another one. Medium for a service account that
//! is known to inherit no more than reading and points to no role of a cloud. Whether it was meant
//! so is for its owner to say: a template that replaces a role, or a chart that is installed again,
//! looks the same.
//!
//! ## Fix
//! Ask who made it again, and look for grants that name it: trust policies, resource policies,
//! cluster mappings. If the name must be re-used, take those grants away and give them anew.
//!
//! ### CLI
//! ```sh
//! aws cloudtrail lookup-events --region us-east-1 \
//!   --lookup-attributes AttributeKey=ResourceName,AttributeValue=NAME
//! aws iam get-role --role-name NAME --query Role.[RoleId,CreateDate]
//! kubectl -n NAMESPACE get serviceaccount NAME -o yaml --show-managed-fields
//! kubectl auth can-i --list --as=system:serviceaccount:NAMESPACE:NAME
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_role" "name" {
//!   name_prefix = "NAME-" # a replacement gets a name of its own
//! }
//! ```

use headcount_sdk::model::{Level, LinkKind};

use super::subject::{kind, trust_class};
use super::window::open_until;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "resurrected-identity",
    title: "Identity took over a deleted one's name",
    severity: Severity::High,
    judges: Judges::Records,
    owasp: &["NHI1:2025"],
    controls: &["ISO-27001-2022:A.5.16", "NIS2:11.5.2", "NIST-800-53r5:IA-4"],
    settings: &[Setting::Days { default: 30, about: "How long the takeover is reported." }],
    source: include_str!("resurrected_identity.rs"),
};

pub(super) struct ResurrectedIdentity;

impl Rule for ResurrectedIdentity {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        let is_granted_by_name =
            !subject.is_kind(kind::APP_INSTALLATION) && !subject.is_one_of(&kind::RUNNERS);
        if !subject.is_identity() || !is_granted_by_name {
            return Judgement::steady(Verdict::NotApplicable);
        }
        if let Some(verdict) = subject.exempt(&[trust_class::SERVICE_LINKED]) {
            return Judgement::steady(verdict);
        }
        let record = subject.record;
        let Some(replaced) = &record.replaces else {
            return Judgement::steady(Verdict::Clear);
        };
        let Some(end) = open_until(record.first_seen_at, cx.settings.span(), cx.now) else {
            return Judgement::steady(Verdict::Clear);
        };
        let title = format!("{} took over the name of a deleted identity", subject.label());
        let severity = if inherits_little(subject) { Severity::Medium } else { META.severity };
        let violation = subject
            .violation(severity, Certainty::High, title)
            .fact("id", record.id())
            .fact("replaces", replaced)
            .fact("first_seen_at", record.first_seen_at);
        let violation = match &record.observation.privilege {
            Some(p) => violation.fact("level", p.level.as_str()).fact("reason", &p.reason),
            None => violation,
        };
        Judgement::until(violation, end)
    }
}

/// A cluster shows all that is granted to a name in it; a cloud's resources do not.
fn inherits_little(subject: &Subject<'_>) -> bool {
    let observation = &subject.record.observation;
    let privilege =
        observation.privilege.as_ref().filter(|_| subject.unread("privilege").is_none());
    subject.is_kind(kind::SERVICE_ACCOUNT)
        && subject.unread("links").is_none()
        && privilege.is_some_and(|privilege| privilege.level <= Level::Read)
        && !observation.links.iter().any(|link| link.kind == LinkKind::Uses)
}
