//! ## What it does
//! Reports secrets of a code host whose name says that they hold a static key of a cloud or a
//! cluster.
//!
//! ## Why it matters
//! Every job that may read the secret, every action that such a job calls and everybody who may
//! change the workflow can carry the key away. It works from anywhere until somebody rotates it.
//! With federation there is no key: the job proves who it is, for minutes.
//!
//! ## How it is found
//! From names alone; values are never read, and GitHub gives them to nobody. On GitHub: the names
//! of secrets of Actions, Dependabot, Codespaces and agents, on the organisation, its repositories
//! and environments. Case does not matter, and what stands before or after the telling words
//! (`PROD_AWS_SECRET_ACCESS_KEY`) does not either. Fields: `name`, `attributes.level`.
//!
//! ## Not reported
//! - A key under a name that does not tell (`DEPLOY_TOKEN`), or in a variable instead of a secret.
//! - Names that only sound alike: who the role or project is (`AWS_ROLE_ARN`, `AZURE_CLIENT_ID`)
//!   is no key.
//! - Whether the key is still valid, and whose it is.
//! - Secrets whose name could not be read: the verdict is "unknown".
//!
//! ## Severity
//! Medium; high on the organisation's level, where many repositories share it. Low for the mere id of
//! a key, which tells that a secret half exists. The confidence is high for names that the vendors'
//! own tools read; medium for what is only usual.
//!
//! ## Fix
//! Let the cloud trust the code host's issuer, for this repository and environment alone. Change the
//! workflow, delete the secret, then delete the key where it was made.
//!
//! ### CLI
//! ```sh
//! # in the workflow: permissions: {id-token: write}
//! #   uses: aws-actions/configure-aws-credentials with role-to-assume: ROLE_ARN
//! gh secret delete NAME --repo OWNER/REPO
//! gh secret delete NAME --repo OWNER/REPO --env ENVIRONMENT
//! gh secret delete NAME --org ORG
//! aws iam update-access-key --user-name USER --access-key-id KEY_ID --status Inactive
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "aws_iam_openid_connect_provider" "github" {
//!   url            = "https://token.actions.githubusercontent.com"
//!   client_id_list = ["sts.amazonaws.com"]
//! }
//! # and remove the block of the github_actions_secret
//! ```

use super::subject::kind;
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::{Certainty, Severity};

static META: Meta = Meta {
    id: "static-key-in-ci",
    title: "Static cloud key in the secrets of a pipeline",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI6:2025", "NHI7:2025"],
    controls: &[
        "FedRAMP-20x:KSI-IAM-SNU",
        "ISO-27001-2022:A.5.17",
        "NIST-800-53r5:IA-5",
        "NIST-CSF-2.0:PR.AA-03",
        "PCI-DSS-4.0.1:8.6.2",
        "SOC2:CC6.1",
    ],
    settings: &[],
    source: include_str!("static_key_in_ci.rs"),
};

/// Words that tell a key, longest and surest first.
static TELLING: [Telling; 24] = [
    sure("AWS_SECRET_ACCESS_KEY", "AWS"),
    half("AWS_ACCESS_KEY_ID", "AWS"),
    usual("AWS_ACCESS_KEY_SECRET", "AWS"),
    usual("AWS_ACCESS_KEY", "AWS"),
    usual("AWS_SECRET_KEY", "AWS"),
    usual("AWS_CREDENTIALS", "AWS"),
    sure("GOOGLE_APPLICATION_CREDENTIALS", "Google Cloud"),
    sure("GOOGLE_CREDENTIALS", "Google Cloud"),
    usual("GOOGLE_SERVICE_ACCOUNT_KEY", "Google Cloud"),
    usual("GCP_SERVICE_ACCOUNT_KEY", "Google Cloud"),
    usual("GCP_CREDENTIALS", "Google Cloud"),
    usual("GCLOUD_SERVICE_KEY", "Google Cloud"),
    usual("GCLOUD_AUTH", "Google Cloud"),
    usual("GCP_SA_KEY", "Google Cloud"),
    usual("GKE_SA_KEY", "Google Cloud"),
    usual("_SA_KEY", "Google Cloud"),
    sure("AZURE_CLIENT_SECRET", "Azure"),
    sure("AZURE_CREDENTIALS", "Azure"),
    sure("ARM_CLIENT_SECRET", "Azure"),
    sure("ARM_ACCESS_KEY", "Azure"),
    usual("AZURE_STORAGE_KEY", "Azure"),
    usual("AZURE_PUBLISH_PROFILE", "Azure"),
    usual("KUBE_CONFIG", "Kubernetes"),
    usual("KUBECONFIG", "Kubernetes"),
];

struct Telling {
    words: &'static str,
    vendor: &'static str,
    certainty: Certainty,
    /// It names a key without being one.
    is_half: bool,
}

/// A name that the vendor's own tools read.
const fn sure(words: &'static str, vendor: &'static str) -> Telling {
    Telling { words, vendor, certainty: Certainty::High, is_half: false }
}

const fn usual(words: &'static str, vendor: &'static str) -> Telling {
    Telling { words, vendor, certainty: Certainty::Medium, is_half: false }
}

const fn half(words: &'static str, vendor: &'static str) -> Telling {
    Telling { words, vendor, certainty: Certainty::High, is_half: true }
}

pub(super) struct StaticKeyInCi;

impl Rule for StaticKeyInCi {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, _cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(subject))
    }
}

fn verdict(subject: &Subject<'_>) -> Verdict {
    if !subject.is_one_of(&kind::CI_SECRETS) {
        return Verdict::NotApplicable;
    }
    let name = &subject.record.observation.name;
    if name.is_empty() {
        return Verdict::unknown("name");
    }
    let Some(telling) = telling(name) else {
        return Verdict::Clear;
    };
    let is_organisations = subject.attribute("level") == Some("organization");
    let severity = match telling.is_half {
        true => Severity::Low,
        false if is_organisations => Severity::High,
        false => META.severity,
    };
    let vendor = telling.vendor;
    let what = if telling.is_half { "the id of a static key" } else { "a static key" };
    let title = format!("{} holds {what} of {vendor}, as its name says", subject.label());
    let violation = subject
        .violation(severity, telling.certainty, title)
        .fact("matched", telling.words)
        .fact("vendor", vendor);
    match subject.attribute("level") {
        Some(level) => violation.fact("level", level).into(),
        None => violation.into(),
    }
}

fn telling(name: &str) -> Option<&'static Telling> {
    let name = name.to_ascii_uppercase();
    TELLING.iter().find(|telling| holds_words(&name, telling.words))
}

/// Whether the words stand in the name as words: `SWARM_ACCESS_KEY` has nothing to do with Azure.
fn holds_words(name: &str, words: &str) -> bool {
    let is_end = |letter: Option<char>| letter.is_none_or(|l| !l.is_ascii_alphanumeric());
    name.match_indices(words).any(|(at, found)| {
        let before = name.get(..at).and_then(|text| text.chars().next_back());
        let after = name.get(at + found.len()..).and_then(|text| text.chars().next());
        (words.starts_with('_') || is_end(before)) && is_end(after)
    })
}
