//! ## What it does
//! Reports that a scope, or one field of its records, which could be read before can no longer be
//! read: at once if a permission is missing, else after three readings in a row that failed.
//!
//! ## Why it matters
//! What is not read is neither new nor stale nor gone: every other rule falls silent on it. To
//! take a permission away from the agent is also how someone would hide.
//!
//! ## How it is found
//! Each reading of a scope states whether it came to its end, and if not, which operation failed
//! and which permission that needs. Fields: `coverage`, `last_complete_at`, `failures_in_a_row`,
//! `degradations`, `never_had`.
//!
//! ## Not reported
//! - Scopes and fields that were never read to their end: `headcount check` tells those.
//! - What the source does not have at all.
//! - One or two failures for another reason than a permission: the verdict is "unknown", and a
//!   finding that is open stays open.
//! - Records that the source itself hides from the agent without an error.
//!
//! ## Severity
//! High for a scope that a missing permission closed; medium for a single field, or after three
//! failures of another kind. The confidence is high.
//!
//! ## Fix
//! Give the permission back. The next complete reading resolves the finding; nothing was removed
//! from the inventory in between.
//!
//! ### CLI
//! ```sh
//! headcount permissions aws > headcount.json
//! aws iam put-role-policy --role-name headcount --policy-name headcount \
//!   --policy-document file://headcount.json
//! headcount check
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_role_policy" "headcount" {
//!   role   = "headcount"
//!   policy = file("headcount.json") # headcount permissions aws
//! }
//! ```

use headcount_sdk::ScanError;

use super::subject::listed;
use super::{Context, Judgement, Judges, Meta, Rule, Verdict, Violation};
use crate::findings::{Certainty, Severity};
use crate::inventory::{Coverage, ScopeState};

/// Failed readings in a row after which a passing disturbance is no longer an explanation.
const PATIENCE: u32 = 3;

static META: Meta = Meta {
    id: "coverage-lost",
    title: "Coverage was lost",
    severity: Severity::High,
    judges: Judges::Scopes,
    owasp: &[],
    controls: &[
        "CIS-Controls-8.1:5.1",
        "FedRAMP-20x:KSI-PIY-GIV",
        "ISO-27001-2022:A.5.9",
        "NIST-800-53r5:CA-7",
        "NIST-800-53r5:CM-8",
        "SOC2:CC6.1",
    ],
    settings: &[],
    source: include_str!("coverage_lost.rs"),
};

pub(super) struct CoverageLost;

impl Rule for CoverageLost {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge_scope(&self, _cx: &Context<'_>, scope: &ScopeState) -> Judgement {
        // What was never had cannot be lost.
        let Some(last_complete_at) = scope.last_complete_at else {
            return Judgement::steady(Verdict::NotApplicable);
        };
        Judgement::steady(match verdict(scope) {
            Verdict::Violation(violation) => violation
                .fact("place", &scope.scope.place)
                .fact("scope", &scope.scope.kind)
                .fact("last_complete_at", last_complete_at)
                .into(),
            other => other,
        })
    }
}

fn verdict(scope: &ScopeState) -> Verdict {
    match &scope.coverage {
        Coverage::NotSupported { .. }
        | Coverage::Incomplete { error: ScanError::NotSupported { .. } } => Verdict::NotApplicable,
        Coverage::Complete | Coverage::Sweeping { .. } => fields(scope),
        Coverage::Incomplete { error: ScanError::Denied { operation, permission } } => {
            let title = format!("Lost {permission}: {} can no longer be read", records(scope));
            Violation::new(META.severity, Certainty::High, title)
                .fact("cause", "denied")
                .fact("operation", operation)
                .fact("permissions", permission)
                .into()
        }
        Coverage::Incomplete { error } => failing(scope, error.cause(), error.operation()),
        Coverage::Held { .. } => failing(scope, "held", "none"),
    }
}

/// A reading that failed for a reason which may pass.
fn failing(scope: &ScopeState, cause: &str, operation: &str) -> Verdict {
    if scope.failures_in_a_row < PATIENCE {
        return Verdict::unknown(format!("a complete reading ({cause})"));
    }
    let title = format!("{} could not be read to the end several times in a row", records(scope));
    Violation::new(Severity::Medium, Certainty::High, title)
        .fact("cause", cause)
        .fact("operation", operation)
        .into()
}

/// The scope was read; were all the fields that were read before?
fn fields(scope: &ScopeState) -> Verdict {
    let had = |field: &String| !scope.never_had.contains(field);
    let (mut permissions, mut denied, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for degradation in scope.degradations.iter().filter(|d| had(&d.field)) {
        match &degradation.error {
            ScanError::NotSupported { .. } => {}
            ScanError::Denied { permission, .. } => {
                permissions.push(permission.as_str());
                denied.push(degradation.field.as_str());
            }
            _ => failed.push(degradation.field.as_str()),
        }
    }
    if !denied.is_empty() {
        let (permissions, fields) = (listed(permissions), listed(denied));
        let of = records(scope);
        let title = format!("Lost {permissions}: {fields} of {of} can no longer be read");
        return Violation::new(Severity::Medium, Certainty::High, title)
            .fact("cause", "denied")
            .fact("permissions", permissions)
            .fact("fields", fields)
            .into();
    }
    if failed.is_empty() { Verdict::Clear } else { Verdict::unknown(listed(failed)) }
}

/// `access-keys of aws:123456789012`.
fn records(scope: &ScopeState) -> String {
    format!("{} of {}", scope.scope.kind, scope.scope.place)
}
