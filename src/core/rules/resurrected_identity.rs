//! ## What it does
//! Reports an identity that took over the name of one that had vanished, for `days` days from the
//! moment it was first seen.
//!
//! ## Why it matters
//! What grants by name does not see the difference: policies of buckets and keys, cluster
//! mappings and audit rules may hand the powers of the old identity to the new one. Whoever may
//! create identities can choose a name for that very reason.
//!
//! ## How it is found
//! The source's lasting id of the identity differs from that of a vanished one with the same name,
//! kind and place. On AWS, the lasting ids (`AROA…`, `AIDA…`) come from
//! `iam:GetAccountAuthorizationDetails`. The facts name both. Fields: `replaces`, `first_seen_at`.
//!
//! ## Not reported
//! - A name that was free before the source was first counted, or longer than vanished records are
//!   kept.
//! - A re-creation between two readings of a source whose records have no lasting id.
//! - Service-linked roles, which their service deletes and makes again; people.
//!
//! ## Severity
//! High, with high confidence that the identity is another one. Whether it was meant so is for its
//! owner to say: a template that replaces a role looks the same.
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
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_role" "name" {
//!   name_prefix = "NAME-" # a replacement gets a name of its own
//! }
//! ```

use super::subject::trust_class;
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
        if !subject.is_identity() {
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
        let violation = subject
            .violation(META.severity, Certainty::High, title)
            .fact("id", record.id())
            .fact("replaces", replaced)
            .fact("first_seen_at", record.first_seen_at);
        Judgement::until(violation, end)
    }
}
