//! ## What it does
//! Reports identities that trust an OIDC issuer without saying which of its subjects, or with a
//! pattern that fits whole organisations, or for any audience.
//!
//! ## Why it matters
//! An issuer such as a code host or a cluster signs tokens for everybody who uses it. Without an
//! exact subject, a stranger's repository or any pod of the cluster can become this identity.
//!
//! ## How it is found
//! From the conditions of the trust. On AWS: the trust policy in
//! `iam:GetAccountAuthorizationDetails`, keys `ISSUER:sub` and `ISSUER:aud`. A subject is broad if
//! it is nothing but a wildcard, if its organisation or its whole repository (project, workspace)
//! is one (`repo:*`, `repo:acme/*`, `repo:acme*/x:*`), or if a Kubernetes service account is not
//! named exactly. Of several patterns one broad one suffices. Fields: `links`.
//!
//! ## Not reported
//! - A wildcard over the branches or events of one repository (`repo:acme/site:*`).
//! - Identities whose trust could not be read: the verdict is "unknown".
//! - SAML providers: who may use them is decided by assignments at the provider.
//! - Missing subjects of Amazon Cognito, where the audience names the identity pool.
//! - Whether the named repository or service account still exists.
//!
//! ## Severity
//! High with high confidence for the subject; medium with medium confidence if other conditions
//! narrow the trust. Low if only the audience is missing: the issuer's registration still limits
//! it.
//!
//! ## Fix
//! Name the subjects exactly: for a code host repository and branch or environment, for a cluster
//! namespace and service account. Demand the audience.
//!
//! ### CLI
//! ```sh
//! aws iam get-role --role-name NAME --query Role.AssumeRolePolicyDocument > trust.json
//! # "StringEquals": {"ISSUER:sub": "repo:ORG/REPO:environment:prod",
//! #                  "ISSUER:aud": "sts.amazonaws.com"}
//! aws iam update-assume-role-policy --role-name NAME --policy-document file://trust.json
//! ```
//!
//! ### Terraform
//! ```hcl
//! data "aws_iam_policy_document" "trust" {
//!   statement {
//!     actions = ["sts:AssumeRoleWithWebIdentity"]
//!     principals {
//!       type        = "Federated"
//!       identifiers = [aws_iam_openid_connect_provider.github.arn]
//!     }
//!     condition {
//!       test     = "StringEquals"
//!       variable = "token.actions.githubusercontent.com:sub"
//!       values   = ["repo:ORG/REPO:environment:prod"]
//!     }
//!     condition {
//!       test     = "StringEquals"
//!       variable = "token.actions.githubusercontent.com:aud"
//!       values   = ["sts.amazonaws.com"]
//!     }
//!   }
//! }
//! ```

use headcount_sdk::model::{Endpoint, LinkKind, Trust};

use super::subject::{listed, trust_class};
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "broad-federated-trust",
    title: "Identity trusts too much of an issuer",
    severity: Severity::High,
    judges: Judges::Records,
    owasp: &["NHI6:2025"],
    controls: &[
        "CSA-CCM-4:IAM-05",
        "FedRAMP-20x:KSI-IAM-SNU",
        "ISO-27001-2022:A.5.15",
        "NIST-CSF-2.0:PR.AA-03",
        "SOC2:CC6.1",
    ],
    settings: &[],
    source: include_str!("broad_federated_trust.rs"),
};

pub(super) struct BroadFederatedTrust;

impl Rule for BroadFederatedTrust {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, _cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(subject))
    }
}

/// What is too broad in one trust.
struct Fault {
    severity: Severity,
    certainty: Certainty,
    /// For the title: `any subject of https://…`.
    what: String,
}

fn verdict(subject: &Subject<'_>) -> Verdict {
    if !subject.is_identity() {
        return Verdict::NotApplicable;
    }
    let managed = [trust_class::SERVICE_LINKED, trust_class::IDENTITY_CENTER];
    if let Some(verdict) = subject.exempt(&managed).or_else(|| subject.unread("links")) {
        return verdict;
    }
    let issuers = issuers(subject);
    let faults: Vec<_> = issuers.iter().filter_map(|(i, t)| fault(i, (*t)?)).collect();
    let Some(worst) = faults.iter().max_by_key(|fault| (fault.severity, fault.certainty)) else {
        return match issuers.iter().find(|(_, trust)| trust.is_none()) {
            Some((issuer, _)) => Verdict::unknown(format!("conditions of the trust in {issuer}")),
            None if issuers.is_empty() => Verdict::NotApplicable,
            None => Verdict::Clear,
        };
    };
    let what = listed(faults.iter().map(|fault| fault.what.as_str()));
    let title = format!("{} trusts {what}", subject.label());
    let subjects = issuers.iter().filter_map(|(_, trust)| *trust).flat_map(|t| &t.subjects);
    subject
        .violation(worst.severity, worst.certainty, title)
        .fact("issuers", listed(issuers.iter().map(|(issuer, _)| *issuer)))
        .fact("subjects", listed(subjects.map(String::as_str)))
        .into()
}

/// The OIDC issuers that the subject trusts. A SAML provider is named by its ARN.
fn issuers<'a>(subject: &Subject<'a>) -> Vec<(&'a str, Option<&'a Trust>)> {
    let links = subject.record.observation.links.iter();
    links
        .filter(|link| link.kind == LinkKind::Trusts)
        .filter_map(|link| match &link.to {
            Endpoint::Federation { issuer } if !issuer.contains(":saml-provider/") => {
                Some((issuer.as_str(), link.trust.as_ref()))
            }
            _ => None,
        })
        .collect()
}

fn fault(issuer: &str, trust: &Trust) -> Option<Fault> {
    // https://docs.aws.amazon.com/cognito/latest/developerguide/iam-roles.html: the token's subject
    // is a guest or user of the pool, its audience the pool.
    let cognito = host(issuer).starts_with("cognito-identity.");
    let broad: Vec<_> =
        trust.subjects.iter().map(String::as_str).filter(|s| is_broad(issuer, s)).collect();
    let subject = match (trust.subjects.is_empty(), broad.is_empty()) {
        (true, _) if !cognito => Some(format!("any subject of {issuer}")),
        (false, false) => Some(format!("{} of {issuer}", listed(broad.into_iter()))),
        _ => None,
    };
    match subject {
        Some(what) if trust.narrowed_by.is_empty() => {
            Some(Fault { severity: META.severity, certainty: Certainty::High, what })
        }
        Some(what) => {
            Some(Fault { severity: Severity::Medium, certainty: Certainty::Medium, what })
        }
        None if trust.audiences.is_empty() => Some(Fault {
            severity: Severity::Low,
            certainty: Certainty::High,
            what: format!("any audience of {issuer}"),
        }),
        None => None,
    }
}

/// Whether a subject pattern fits more than one organisation, repository or service account.
///
/// Most issuers write `<what>:<organisation>/<thing>:<details>`. The details may vary.
fn is_broad(issuer: &str, pattern: &str) -> bool {
    let wild = |text: &str| text.contains(['*', '?']);
    let any = |text: &str| !text.is_empty() && text.chars().all(|c| matches!(c, '*' | '?'));
    let cluster =
        pattern.starts_with("system:serviceaccount:") || host(issuer).starts_with("oidc.eks.");
    if cluster {
        return wild(pattern);
    }
    let Some((what, rest)) = pattern.split_once(':') else {
        return any(pattern) || pattern.starts_with(['*', '?']);
    };
    let thing = rest.split(':').next().unwrap_or_default();
    let organisation = thing.split('/').next().unwrap_or_default();
    wild(what) || wild(organisation) || thing.rsplit('/').next().is_some_and(any)
}

fn host(issuer: &str) -> &str {
    issuer.split_once("://").map_or(issuer, |(_, host)| host)
}
