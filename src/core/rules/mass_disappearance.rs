//! ## What it does
//! Reports, for `days` days, that so much of a scope vanished at once that the scope was read a
//! second time before the removal was believed.
//!
//! ## Why it matters
//! Many identities gone at once is a migration, a mistake or an attack. One finding tells it,
//! instead of thousands that say the same.
//!
//! ## How it is found
//! A complete reading that would remove more than a set share of a scope is held, and the scope is
//! read again. Only if the second complete reading agrees are the records removed, and this is
//! reported. Fields: `mass_removal`.
//!
//! ## Not reported
//! - A removal on which the two readings disagreed: nothing is removed then (see `coverage-lost`).
//! - Records that vanish little by little.
//! - Records that a failed or denied reading did not show: they are kept.
//!
//! ## Severity
//! High; low if fewer than five records vanished. The confidence is high.
//!
//! ## Fix
//! Ask who removed them. If nobody did, look into the source's audit log and restore from code.
//! The finding resolves by itself after `days` days.
//!
//! ### CLI
//! ```sh
//! headcount diff BEFORE AFTER
//! aws cloudtrail lookup-events --region us-east-1 \
//!   --lookup-attributes AttributeKey=EventName,AttributeValue=DeleteAccessKey
//! ```
//!
//! ### Terraform
//! ```hcl
//! # `terraform plan -refresh-only` shows what is gone; `terraform apply` makes it again
//! resource "aws_iam_role" "name" {
//!   # ...
//!   lifecycle { prevent_destroy = true }
//! }
//! ```

use super::window::open_until;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Verdict, Violation};
use crate::findings::{Certainty, Severity};
use crate::inventory::ScopeState;

/// Fewer records than this are a small scope tidied up rather than a disaster.
const MANY: u64 = 5;

static META: Meta = Meta {
    id: "mass-disappearance",
    title: "Many records vanished at once",
    severity: Severity::High,
    judges: Judges::Scopes,
    owasp: &[],
    controls: &[
        "ISO-27001-2022:A.5.16",
        "NIST-800-53r5:AC-2(4)",
        "NIST-800-53r5:CM-8",
        "SOC2:CC6.3",
    ],
    settings: &[Setting::Days { default: 7, about: "How long the removal is reported." }],
    source: include_str!("mass_disappearance.rs"),
};

pub(super) struct MassDisappearance;

impl Rule for MassDisappearance {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge_scope(&self, cx: &Context<'_>, scope: &ScopeState) -> Judgement {
        let Some(removal) = &scope.mass_removal else {
            return Judgement::steady(Verdict::Clear);
        };
        let Some(end) = open_until(removal.at, cx.settings.span(), cx.now) else {
            return Judgement::steady(Verdict::Clear);
        };
        let severity = if removal.removed >= MANY { META.severity } else { Severity::Low };
        let (removed, of, scope) = (removal.removed, removal.of, &scope.scope);
        let title = format!("{removed} of {of} {} vanished from {}", scope.kind, scope.place);
        let violation = Violation::new(severity, Certainty::High, title)
            .fact("place", &scope.place)
            .fact("scope", &scope.kind)
            .fact("removed", removed)
            .fact("of", of)
            .fact("removed_at", removal.at);
        Judgement::until(violation, end)
    }
}
