//! ## What it does
//! Reports webhooks that send without encryption, without verifying whom they send to, or without
//! a secret by which the receiver could tell that they are genuine.
//!
//! ## Why it matters
//! Events carry names of branches, people and files, and they start builds and deployments. Who
//! sits on the way can read them; and where there is no secret, whoever knows the address can send
//! a push that never happened.
//!
//! ## How it is found
//! On GitHub: the configuration of webhooks of the organisation and its repositories
//! (`GET /orgs/ORG/hooks`, `GET /repos/OWNER/REPO/hooks`). GitHub shows whether there is a secret,
//! never the secret. Fields: `attributes.scheme`, `attributes.insecure_ssl`,
//! `attributes.has_secret`, `status`.
//!
//! ## Not reported
//! - Webhooks that are not active.
//! - Webhooks without known fault of which some of the three could not be read: the verdict is
//!   "unknown".
//! - Whether the receiver checks the signature, and whom the address belongs to.
//!
//! ## Severity
//! Medium with high confidence if it sends without encryption or verification. Low with medium
//! confidence if only the secret is missing: the address itself may be the secret, as chats have
//! it. No more than medium confidence if the source does not tell whether it is active.
//!
//! ## Fix
//! Give the receiver a certificate that a public authority signed, or send through something that
//! has one. Set a secret on both sides, and let the receiver refuse what does not carry its
//! signature.
//!
//! ### CLI
//! ```sh
//! gh api -X PATCH /orgs/ORG/hooks/HOOK_ID/config \
//!   -f url=https://HOST/PATH -f insecure_ssl=0 -f secret="$(openssl rand -hex 32)"
//! gh api -X PATCH /repos/OWNER/REPO/hooks/HOOK_ID/config -f insecure_ssl=0
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "github_organization_webhook" "name" {
//!   # ...
//!   configuration {
//!     url          = "https://HOST/PATH"
//!     content_type = "json"
//!     insecure_ssl = false
//!     secret       = var.webhook_secret
//!   }
//! }
//! ```

use super::subject::{kind, listed};
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "insecure-webhook",
    title: "Webhook without encryption or signature",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI3:2025", "NHI4:2025"],
    controls: &[
        "FedRAMP-20x:KSI-IAM-SNU",
        "ISO-27001-2022:A.5.17",
        "NIST-CSF-2.0:PR.AA-03",
        "SOC2:CC6.1",
    ],
    settings: &[],
    source: include_str!("insecure_webhook.rs"),
};

/// Attribute, and whether its value is a fault.
type Side = (&'static str, fn(&str) -> Option<&'static str>);

const ENCRYPTION: [Side; 2] = [
    ("scheme", |value| (value == "http").then_some("without encryption")),
    ("insecure_ssl", |value| {
        matches!(value, "true" | "1").then_some("without verifying its receiver")
    }),
];
const SIGNATURE: Side =
    ("has_secret", |value| (value == "false").then_some("without a secret to sign with"));

pub(super) struct InsecureWebhook;

impl Rule for InsecureWebhook {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, _cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(subject))
    }
}

fn verdict(subject: &Subject<'_>) -> Verdict {
    if !subject.is_kind(kind::WEBHOOK) {
        return Verdict::NotApplicable;
    }
    let Some(usable) = subject.usable() else {
        return Verdict::Clear;
    };
    let mut faults = Vec::new();
    let mut unknown = None;
    let mut look = |(name, fault): Side| match subject.told(name) {
        Ok(value) => {
            faults.extend(fault(value));
            fault(value).is_some()
        }
        Err(missing) => {
            unknown.get_or_insert(missing);
            false
        }
    };
    let is_open = ENCRYPTION.map(&mut look).contains(&true);
    look(SIGNATURE);
    if faults.is_empty() {
        return unknown.unwrap_or(Verdict::Clear);
    }
    let (severity, certainty) = match is_open {
        true => (META.severity, Certainty::High),
        false => (Severity::Low, Certainty::Medium),
    };
    let title = format!("{} sends {}", subject.label(), listed(faults.iter().copied()));
    let mut violation = subject.violation(severity, usable.min(certainty), title);
    for name in ["events", "has_secret", "host", "insecure_ssl", "scheme"] {
        if let Some(value) = subject.attribute(name) {
            violation = violation.fact(name, value);
        }
    }
    violation.into()
}
