//! ## What it does
//! Reports installed apps of somebody else that may change things, or that see every repository.
//!
//! ## Why it matters
//! Whoever breaks into the vendor has what the app has, in every organisation that installed it.
//! Nobody here sees the vendor's keys or can rotate them. An app that reads all repositories is
//! enough to copy the code and every secret that was ever committed.
//!
//! ## How it is found
//! On GitHub: `GET /orgs/ORG/installations`, with the owner of each app from `GET /apps/SLUG`.
//! Fields: `attributes.is_third_party`, `attributes.write_permissions`,
//! `attributes.repository_selection`, `status`.
//!
//! ## Not reported
//! - Apps that the organisation owns, and those in `trusted_apps`.
//! - Apps whose owner could not be read, or permissions if the rest gives no reason: the verdict is
//!   "unknown".
//! - Apps that are suspended.
//! - OAuth apps, which no interface lists, and what an app really did.
//!
//! ## Severity
//! - High: it can make itself an administrator, or may write to all repositories.
//! - Medium: it may write to some.
//! - Low: it may only read, but all repositories.
//!
//! The confidence is high; medium if the source does not tell whether it is active.
//!
//! ## Fix
//! Uninstall what nobody uses. Limit the rest to the repositories that need it. If the vendor was
//! reviewed and the app is meant to stay as it is, list its slug under `trusted_apps`, or accept
//! the finding for a time.
//!
//! ### CLI
//! ```sh
//! gh api --paginate /orgs/ORG/installations \
//!   --jq '.installations[] | [.id, .app_slug, .repository_selection, (.permissions | tostring)] | @tsv'
//! # uninstall or limit it: https://github.com/organizations/ORG/settings/installations/ID
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "github_app_installation_repositories" "name" {
//!   installation_id       = "ID"
//!   selected_repositories = ["REPO"]
//! }
//! ```

use headcount_sdk::model::Level;

use super::subject::kind;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "third-party-app",
    title: "Powerful app of a third party",
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
    settings: &[Setting::TrustedApps {
        about: "Slugs of apps that may stay as they are, for example `renovate`.",
    }],
    source: include_str!("third_party_app.rs"),
};

pub(super) struct ThirdPartyApp;

impl Rule for ThirdPartyApp {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(cx, subject))
    }
}

fn verdict(cx: &Context<'_>, subject: &Subject<'_>) -> Verdict {
    if !subject.is_kind(kind::APP_INSTALLATION) {
        return Verdict::NotApplicable;
    }
    let Some(usable) = subject.usable() else {
        return Verdict::Clear;
    };
    let slug = subject.attribute("app_slug");
    if slug.is_some_and(|slug| cx.settings.trusted_apps.iter().any(|trusted| trusted == slug)) {
        return Verdict::Clear;
    }
    match subject.told("is_third_party") {
        Err(unknown) => return unknown,
        Ok("false") => return Verdict::Clear,
        Ok(_) => {}
    }
    let reach = match Reach::of(subject) {
        Ok(reach) => reach,
        Err(unknown) => return unknown,
    };
    let (severity, what) = match reach {
        Reach { is_powerful: true, .. } => (Severity::High, "can make itself an administrator"),
        Reach { writes: Some(_), sees_all: true, .. } => {
            (Severity::High, "may write to all repositories")
        }
        Reach { writes: Some(_), .. } => (META.severity, "may write"),
        Reach { sees_all: true, .. } => (Severity::Low, "may read all repositories"),
        Reach { .. } => return Verdict::Clear,
    };
    let title = format!("{} is a third party's and {what}", subject.label());
    let mut violation = subject.violation(severity, usable, title);
    for name in ["app_owner", "app_slug", "repository_selection", "write_permissions"] {
        if let Some(value) = subject.attribute(name) {
            violation = violation.fact(name, value);
        }
    }
    violation.into()
}

/// How far an app reaches.
struct Reach<'a> {
    is_powerful: bool,
    writes: Option<&'a str>,
    sees_all: bool,
}

impl<'a> Reach<'a> {
    /// What is known gives a reason or not; what is not known can only add to it.
    fn of(subject: &Subject<'a>) -> Result<Self, Verdict> {
        let unread = |field: &str| subject.unread(field);
        let attribute = |name: &str| {
            let is_read = unread(&format!("attributes.{name}")).is_none();
            subject.record.observation.attributes.get(name).filter(|_| is_read).map(String::as_str)
        };
        let privilege = subject.record.observation.privilege.as_ref();
        let privilege = privilege.filter(|_| unread("privilege").is_none());
        let reach = Self {
            is_powerful: privilege.is_some_and(|p| p.level >= Level::Escalating),
            writes: attribute("write_permissions").filter(|list| !list.is_empty()),
            sees_all: attribute("repository_selection") == Some("all"),
        };
        if reach.is_powerful || reach.writes.is_some() {
            return Ok(reach);
        }
        // An app without power to write has no such attribute, so only "unread" says "unknown".
        match unread("attributes.write_permissions") {
            Some(unknown) if !reach.sees_all => Err(unknown),
            _ => subject.told("repository_selection").map(|_| reach),
        }
    }
}
