//! ## What it does
//! Reports identities, and credentials with powers of their own, that may do more than before, for
//! `days` days from the moment the agent saw it.
//!
//! ## Why it matters
//! Powers are added in a hurry and seldom taken away. An intruder who has a small identity makes it
//! a large one. And an app that asks for more after its update gets it from whoever clicks first.
//!
//! ## How it is found
//! All powers of a record are reduced to one level; each time a reading shows a higher one than the
//! reading before, that is growth. On AWS: policies in `iam:GetAccountAuthorizationDetails`; on
//! Kubernetes: role bindings and the roles that they name; on GitHub: permissions of apps and
//! tokens. The fact `reason` names what decides now. Fields: `history.growth`, `privilege`.
//!
//! ## Not reported
//! - More powers on the same level: another bucket to read, another namespace to write.
//! - Powers that were there when the source was first counted: see `admin-identity`.
//! - Growth that was taken back since, and growth to reading only.
//! - Growth to a level that could not be read or understood, and records whose powers could not be
//!   read this time: the verdict is "unknown".
//! - Service-linked roles, whose policy is the vendor's; root users; people.
//!
//! ## Severity
//! High if it is an administrator now or can make itself one; medium if it may change things now.
//! The confidence is high; medium if the level before was not understood, so that the power may
//! have been there all along.
//!
//! ## Fix
//! Ask who added it and for what. Take it away if there is no answer; else give the one power that
//! is needed instead of the whole level. The finding resolves when the power is gone or is no longer
//! news.
//!
//! ### CLI
//! ```sh
//! aws cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceName,AttributeValue=NAME
//! aws iam list-attached-role-policies --role-name NAME
//! kubectl auth can-i --list --as=system:serviceaccount:NAMESPACE:NAME
//! gh api "/orgs/ORG/audit-log?phrase=action:integration_installation.version_updated"
//! ```
//!
//! ### Terraform
//! ```hcl
//! # what was added by hand shows as a difference
//! resource "aws_iam_role_policy_attachments_exclusive" "name" {
//!   role_name   = "NAME"
//!   policy_arns = [aws_iam_policy.what_it_needs.arn]
//! }
//! ```

use headcount_sdk::model::Level;

use super::subject::trust_class;
use super::window::open_until;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "privilege-grown",
    title: "Identity gained power",
    severity: Severity::High,
    judges: Judges::Records,
    owasp: &["NHI5:2025"],
    controls: &[
        "CSA-CCM-4:IAM-09",
        "FedRAMP-20x:KSI-IAM-ELP",
        "ISO-27001-2022:A.5.18",
        "ISO-27001-2022:A.8.2",
        "NIST-800-53r5:AC-2(4)",
        "NIST-800-53r5:AC-6(7)",
        "SOC2:CC6.3",
    ],
    settings: &[Setting::Days { default: 30, about: "How long the growth is reported." }],
    source: include_str!("privilege_grown.rs"),
};

pub(super) struct PrivilegeGrown;

impl Rule for PrivilegeGrown {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        let is_judged = subject.is_identity() || subject.is_credential();
        if !is_judged || subject.is_root() {
            return Judgement::steady(Verdict::NotApplicable);
        }
        // A cluster's own accounts are judged: to bind power to one of them is a way to hide it.
        let vendors = subject.exempt(&[trust_class::SERVICE_LINKED]);
        match vendors.filter(|_| !subject.is_system()) {
            Some(verdict) => Judgement::steady(verdict),
            None => grown(cx, subject),
        }
    }
}

fn grown(cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
    let clear = Judgement::steady(Verdict::Clear);
    let unread = subject.unread("privilege");
    let Some(growth) = &subject.record.history.growth else {
        return unread.map_or(clear, Judgement::steady);
    };
    let Some(end) = open_until(growth.at, cx.settings.span(), cx.now) else {
        return clear;
    };
    if let Some(unread) = unread {
        return Judgement::until(unread, end);
    }
    let Some(privilege) = &subject.record.observation.privilege else {
        return Judgement::until(Verdict::unknown("privilege"), end);
    };
    // What it grew to may have been taken back in part; what it may do now is what counts.
    let (from, to) = (growth.from, growth.to.min(privilege.level));
    if to <= from {
        return clear;
    }
    let (severity, what) = match to {
        Level::Admin => (META.severity, "has become an administrator"),
        Level::Escalating => (META.severity, "has become able to make itself an administrator"),
        Level::Write => (Severity::Medium, "has become able to change things"),
        Level::Unknown => {
            let unknown = Verdict::unknown(format!("privilege ({})", privilege.reason));
            return Judgement::until(unknown, end);
        }
        Level::None | Level::Read => return clear,
    };
    let certainty = if from == Level::Unknown { Certainty::Medium } else { Certainty::High };
    let violation = subject
        .violation(severity, certainty, format!("{} {what}", subject.label()))
        .fact("from", from.as_str())
        .fact("to", to.as_str())
        .fact("grown_at", growth.at)
        .fact("reason", &privilege.reason);
    Judgement::until(violation, end)
}
