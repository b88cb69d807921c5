//! ## What it does
//! Reports identities that are told to act as a role which does not exist, or which does not trust
//! them.
//!
//! ## Why it matters
//! The workload cannot do what it was made for, so it falls back: to the role of the machine that
//! it runs on, which is wider, or to a static key that somebody adds to make it work. And a role
//! that is missing is a name that waits: whoever makes it again decides who may use it.
//!
//! ## How it is found
//! Two sources are compared. On Kubernetes: the annotation `eks.amazonaws.com/role-arn` of a service
//! account, the issuer of the cluster's tokens and the account's subject. On AWS: the role of that
//! ARN and its trust policy, from `iam:GetAccountAuthorizationDetails`. The role must trust the
//! issuer, and one of its subject patterns must fit. Issuers are compared without scheme and
//! without slash at the end. Fields: `links`, `subjects`.
//!
//! ## Not reported
//! - Roles in accounts that are not counted, or whose roles were not read to the end since the
//!   identity last changed; identities whose issuer is not known; trusts that could not be read: the
//!   verdict is "unknown".
//! - Trust that is wider than this one identity: see `broad-federated-trust`. Trust in everybody:
//!   see `external-trust`.
//! - Other conditions of a trust that may keep the identity out, the audience among them.
//! - EKS Pod Identity, which needs no annotation; accounts of Google Cloud and Azure.
//!
//! ## Severity
//! Medium, with high confidence; medium confidence if the source was not sure which role it means.
//!
//! ## Fix
//! If the workload still needs the role, correct the annotation or let the role trust the exact
//! subject. Else take the annotation away.
//!
//! ### CLI
//! ```sh
//! kubectl -n NAMESPACE get serviceaccount NAME \
//!   -o jsonpath='{.metadata.annotations.eks\.amazonaws\.com/role-arn}'
//! kubectl get --raw /.well-known/openid-configuration | jq -r .issuer
//! aws iam get-role --role-name ROLE --query Role.AssumeRolePolicyDocument
//! kubectl -n NAMESPACE annotate serviceaccount NAME eks.amazonaws.com/role-arn-
//! ```
//!
//! ### Terraform
//! ```hcl
//! data "aws_iam_policy_document" "trust" {
//!   statement {
//!     actions = ["sts:AssumeRoleWithWebIdentity"]
//!     principals {
//!       type        = "Federated"
//!       identifiers = [aws_iam_openid_connect_provider.cluster.arn]
//!     }
//!     condition {
//!       test     = "StringEquals"
//!       variable = "ISSUER_WITHOUT_SCHEME:sub"
//!       values   = ["system:serviceaccount:NAMESPACE:NAME"]
//!     }
//!   }
//! }
//! ```

use headcount_sdk::model::{Endpoint, Link, LinkKind};
use jiff::{SignedDuration, Timestamp};

use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::{Certainty, Severity};
use crate::graph::{self, By};
use crate::inventory::{Coverage, Record, ScopeState};

static META: Meta = Meta {
    id: "broken-federation",
    title: "Identity points to a role that does not take it",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI6:2025"],
    controls: &[
        "CSA-CCM-4:IAM-05",
        "FedRAMP-20x:KSI-IAM-SNU",
        "ISO-27001-2022:A.5.18",
        "NIST-CSF-2.0:PR.AA-03",
        "SOC2:CC6.3",
    ],
    settings: &[],
    source: include_str!("broken_federation.rs"),
};

/// The system whose roles say whom they trust in a way that is understood here. Its other
/// partitions carry its name in front (`aws-cn`).
const SYSTEM: &str = "aws";
/// The scope that lists them.
const ROLES: &str = "roles";

const FIRST_LOOK: SignedDuration = SignedDuration::from_mins(15);

pub(super) struct BrokenFederation;

impl Rule for BrokenFederation {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        if !subject.is_identity() {
            return Judgement::steady(Verdict::NotApplicable);
        }
        if let Some(unread) = subject.unread("links") {
            return Judgement::steady(unread);
        }
        let links = subject.record.observation.links.iter();
        let roles = links.filter_map(Role::named_by);
        let answers: Vec<_> = roles.map(|role| (role, answer(subject, &role))).collect();
        if answers.is_empty() {
            return Judgement::steady(Verdict::NotApplicable);
        }
        let is_early = answers.iter().any(|(_, answer)| matches!(answer, Answer::TooEarly(_)));
        match verdict(subject, answers) {
            unknown @ Verdict::Unknown { .. } if is_early => {
                Judgement::until(unknown, next_look(subject.record.changed_at, cx.now))
            }
            verdict => Judgement::steady(verdict),
        }
    }
}

/// A reading that is like the one before makes nobody look again, so the rule asks to be asked:
/// each time after twice as long, should the account not be read any more.
fn next_look(changed_at: Timestamp, now: Timestamp) -> Timestamp {
    let wait = now.duration_since(changed_at).max(FIRST_LOOK);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// One role that does not take the identity is enough; else all of them must be known.
fn verdict(subject: &Subject<'_>, answers: Vec<(Role<'_>, Answer)>) -> Verdict {
    let mut unknown = None;
    for (role, answer) in answers {
        match answer {
            Answer::Taken => {}
            Answer::Broken(why) => return violation(subject, role, why),
            Answer::Unknown(missing) | Answer::TooEarly(missing) => {
                unknown = unknown.or(Some(missing));
            }
        }
    }
    unknown.map_or(Verdict::Clear, Verdict::unknown)
}

fn violation(subject: &Subject<'_>, role: Role<'_>, why: &str) -> Verdict {
    let certainty = if role.is_certain { Certainty::High } else { Certainty::Medium };
    let title = format!("{} points to {}, which {why}", subject.label(), role.arn);
    let mut violation = subject.violation(META.severity, certainty, title).fact("role", role.arn);
    if let Some(own) = subject.record.observation.subjects.first() {
        violation = violation.fact("issuer", &own.issuer).fact("subject", &own.subject);
    }
    violation.into()
}

/// A role that the identity is told to act as.
#[derive(Clone, Copy)]
struct Role<'a> {
    place: &'a str,
    arn: &'a str,
    is_certain: bool,
}

impl<'a> Role<'a> {
    fn named_by(link: &'a Link) -> Option<Self> {
        match &link.to {
            Endpoint::Native { place, native } if link.kind == LinkKind::Uses && is_of(place) => {
                Some(Self {
                    place,
                    arn: native,
                    is_certain: link.confidence == headcount_sdk::Confidence::CERTAIN,
                })
            }
            _ => None,
        }
    }
}

fn is_of(place: &str) -> bool {
    let rest = place.strip_prefix(SYSTEM);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '-']))
}

enum Answer {
    Taken,
    Broken(&'static str),
    Unknown(String),
    /// The next complete reading will tell.
    TooEarly(String),
}

fn answer(subject: &Subject<'_>, role: &Role<'_>) -> Answer {
    if !role.arn.starts_with("arn:") {
        return Answer::Broken("is not the ARN of a role");
    }
    let outgoing = subject.around.outgoing.iter().map(|neighbour| &neighbour.record);
    let found = outgoing.filter(|record| record.scope.place == role.place);
    match found.into_iter().find(|record| record.observation.native == role.arn) {
        Some(record) => trusted(subject, record),
        None => missing(subject, role),
    }
}

/// Whether the role lets the identity in.
fn trusted(subject: &Subject<'_>, role: &Record) -> Answer {
    if let Some(Verdict::Unknown { missing }) = subject.unread("subjects") {
        return Answer::Unknown(missing);
    }
    if subject.record.observation.subjects.is_empty() {
        return Answer::Unknown("subjects".to_owned());
    }
    if let Some(why) = role.observation.unread.get("links") {
        return Answer::Unknown(format!("trust of {} ({why})", role.observation.native));
    }
    let trusts = role.observation.links.iter().filter(|link| link.kind == LinkKind::Trusts);
    let mut is_open = false;
    for link in trusts {
        match &link.to {
            Endpoint::Anyone => return Answer::Taken,
            Endpoint::Federation { .. } if lets_in(role, link, subject.record) => {}
            _ => continue,
        }
        // Conditions that were not stated may still keep it out.
        match link.trust {
            Some(_) => return Answer::Taken,
            None => is_open = true,
        }
    }
    match is_open {
        true => Answer::Unknown(format!("conditions of the trust of {}", role.observation.native)),
        false => Answer::Broken("does not trust it"),
    }
}

/// Whether one trust of the role is meant for the identity, among others perhaps.
fn lets_in(role: &Record, link: &Link, identity: &Record) -> bool {
    let mut gate = role.clone();
    gate.observation.links = vec![link.clone()];
    graph::connect(&gate, identity).iter().any(|connection| connection.by == By::Subject)
}

/// Whether the role is proven not to be there. A reading from before the identity's last change
/// proves nothing: both may have been made together.
fn missing(subject: &Subject<'_>, role: &Role<'_>) -> Answer {
    let is_roles = |s: &&ScopeState| s.scope.place == role.place && s.scope.kind == ROLES;
    let Some(scope) = subject.around.scopes.iter().find(is_roles) else {
        return Answer::Unknown(format!("the roles of {}", role.place));
    };
    let read_at = scope.as_of.or(scope.last_complete_at);
    let is_since = read_at.is_some_and(|at| at >= subject.record.changed_at);
    let missing = || format!("the roles of {}, read to the end", role.place);
    match scope.coverage {
        Coverage::Complete if is_since => Answer::Broken("does not exist"),
        Coverage::Complete => Answer::TooEarly(missing()),
        _ => Answer::Unknown(missing()),
    }
}
