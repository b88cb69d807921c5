//! ## What it does
//! Reports identities that another account can become, where that account is outside the
//! organisation and not among `trusted_accounts`; and identities that everyone can become.
//!
//! ## Why it matters
//! Whoever controls the other account controls what it can become here, for as long as the trust
//! stands, with its own idea of security. A supplier that serves many customers can moreover be
//! tricked into acting for the wrong one, unless the trust demands an external id.
//!
//! ## How it is found
//! From the trust links of an identity. On AWS: the trust policy in
//! `iam:GetAccountAuthorizationDetails`, compared with the accounts of `organizations:ListAccounts`.
//! Fields: `links`.
//!
//! ## Not reported
//! - Accounts of the same organisation, and those in `trusted_accounts`.
//! - Identities whose trust could not be read: the verdict is "unknown".
//! - Trust in services of the vendor, in principals that no longer exist, and in identity
//!   providers (see `broad-federated-trust`).
//! - Access that a resource (a bucket, a key) gives to other accounts by its own policy.
//! - Service-linked roles and roles of IAM Identity Center, whose trust their service writes.
//!
//! ## Severity
//! - Critical: everyone, without any further condition.
//! - High: an account, with neither an external id nor another condition.
//! - Medium: an account or everyone, with a condition.
//!
//! The confidence is high where the account was proven to be outside; medium where the
//! organisation's accounts were not read, or where a condition decides.
//!
//! ## Fix
//! Remove the statement if nobody needs it. Else name one role instead of the whole account, and
//! demand an external id that the other side does not choose freely. If the trust is meant to
//! stay, list the account under `trusted_accounts`.
//!
//! ### CLI
//! ```sh
//! aws iam get-role --role-name NAME --query Role.AssumeRolePolicyDocument > trust.json
//! # add "Condition": {"StringEquals": {"sts:ExternalId": "ID"}} to the statement
//! aws iam update-assume-role-policy --role-name NAME --policy-document file://trust.json
//! ```
//!
//! ### Terraform
//! ```hcl
//! data "aws_iam_policy_document" "trust" {
//!   statement {
//!     actions = ["sts:AssumeRole"]
//!     principals {
//!       type        = "AWS"
//!       identifiers = ["arn:aws:iam::ACCOUNT_ID:role/ROLE"]
//!     }
//!     condition {
//!       test     = "StringEquals"
//!       variable = "sts:ExternalId"
//!       values   = ["ID"]
//!     }
//!   }
//! }
//! ```

use headcount_sdk::model::{Affiliation, Endpoint, ExternalId, Link, LinkKind, Trust};

use super::subject::{listed, trust_class};
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "external-trust",
    title: "Identity trusts an outside account",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI3:2025"],
    controls: &[
        "CSA-CCM-4:IAM-05",
        "DORA:28",
        "ISO-27001-2022:A.5.18",
        "NIS2:11.2.2",
        "NIST-CSF-2.0:PR.AA-05",
        "SOC2:CC6.3",
    ],
    settings: &[Setting::TrustedAccounts {
        about: "Outside accounts that may be trusted: `123456789012` or `aws:123456789012`.",
    }],
    source: include_str!("external_trust.rs"),
};

pub(super) struct ExternalTrust;

impl Rule for ExternalTrust {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(cx, subject))
    }
}

/// One way in from outside.
struct Opening<'a> {
    severity: Severity,
    certainty: Certainty,
    /// For the title: `aws:999999999999 outside the organisation`.
    who: String,
    /// As narrow as the trust names it.
    principal: &'a str,
}

fn verdict(cx: &Context<'_>, subject: &Subject<'_>) -> Verdict {
    if !subject.is_identity() {
        return Verdict::NotApplicable;
    }
    let managed = [trust_class::SERVICE_LINKED, trust_class::IDENTITY_CENTER];
    if let Some(verdict) = subject.exempt(&managed).or_else(|| subject.unread("links")) {
        return verdict;
    }
    let links = subject.record.observation.links.iter();
    let openings: Vec<_> =
        links.filter_map(|link| opening(link, &cx.settings.trusted_accounts)).collect();
    let Some(worst) = openings.iter().max_by_key(|o| (o.severity, o.certainty)) else {
        return Verdict::Clear;
    };
    let who = listed(openings.iter().map(|o| o.who.as_str()));
    subject
        .violation(worst.severity, worst.certainty, format!("{} trusts {who}", subject.label()))
        .fact("principals", listed(openings.iter().map(|o| o.principal)))
        .into()
}

fn opening<'a>(link: &'a Link, trusted: &[String]) -> Option<Opening<'a>> {
    if link.kind != LinkKind::Trusts {
        return None;
    }
    let trust = link.trust.as_ref();
    let (place, principal, affiliation) = match &link.to {
        Endpoint::Anyone => return Some(open_to_anyone(trust)),
        Endpoint::Account { place, principal, affiliation } => (place, principal, affiliation),
        _ => return None,
    };
    let (certainty, who) = match affiliation {
        Affiliation::SameAccount | Affiliation::SameOrganization => return None,
        _ if is_trusted(place, trusted) => return None,
        Affiliation::External => (Certainty::High, format!("{place} outside the organisation")),
        Affiliation::NotKnown => {
            (Certainty::Medium, format!("{place}, perhaps outside the organisation"))
        }
    };
    // Only a condition list that was read and is empty proves that there is no condition.
    let bare = trust.is_some_and(|t| t.external_id == ExternalId::Absent && !is_narrowed(t));
    let severity = if bare { Severity::High } else { META.severity };
    Some(Opening { severity, certainty, who, principal: principal.as_deref().unwrap_or(place) })
}

fn open_to_anyone(trust: Option<&Trust>) -> Opening<'static> {
    let (severity, certainty, who) = match trust {
        Some(trust) if is_narrowed(trust) => {
            (META.severity, Certainty::Medium, "anyone, under a condition")
        }
        Some(_) => (Severity::Critical, Certainty::High, "anyone"),
        None => (Severity::Critical, Certainty::Medium, "anyone"),
    };
    Opening { severity, certainty, who: who.to_owned(), principal: "*" }
}

fn is_narrowed(trust: &Trust) -> bool {
    trust.external_id == ExternalId::Required || !trust.narrowed_by.is_empty()
}

fn is_trusted(place: &str, trusted: &[String]) -> bool {
    let account = place.split_once(':').map_or(place, |(_, account)| account);
    trusted.iter().any(|entry| entry == place || entry == account)
}
