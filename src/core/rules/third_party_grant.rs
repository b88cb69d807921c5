//! ## What it does
//! Reports clients of other organisations that people gave access to by consent (OAuth), with the
//! scopes and the number of people, and every such client for `report_days` days from the moment it
//! was first seen.
//!
//! ## Why it matters
//! A consent is a way in that needs no password and survives its change. People click it away in a
//! second; attackers ask for it by mail, under the name of a known product. Whoever breaks into the
//! vendor has what all who consented gave it.
//!
//! ## How it is found
//! By client: all that people consented to is taken together. On Entra: service principals of other
//! tenants with their delegated grants. On Okta: API service integrations with the scopes they were
//! granted. On Slack: approved apps of others with their scopes. Fields: `attributes.third_party`,
//! `attributes.scopes`, `attributes.principal_id`, `privilege`, `origin`, `first_seen_at`.
//!
//! ## Not reported
//! - What an administrator consented to for everybody: see `admin-consent`. Apps that are installed
//!   in an organisation of GitHub: see `third-party-app`.
//! - Clients that only learn who signs in, once they are not new any more.
//! - Clients of the organisation itself and of the vendor of the directory, and those in
//!   `trusted_apps`.
//! - Clients whose home could not be read, or whose scopes if the rest gives no reason: the verdict
//!   is "unknown".
//! - Clients that are switched off, and consents beyond the first thousand of one client.
//! - Consents to sources that do not list them: OAuth apps of GitHub, refresh tokens of Okta.
//!
//! ## Severity
//! - High: it can make itself or others an administrator.
//! - Medium: it may write, or nobody can tell what its scopes allow.
//! - Low: it may only read; or it is new and only learns who signs in.
//!
//! The confidence is high; medium if the source does not tell whether the client is active.
//!
//! ## Fix
//! Ask those who consented what they use it for. Revoke what nobody needs, and let people consent
//! to verified publishers and harmless scopes alone. If the vendor was reviewed, list the client's
//! id under `trusted_apps`, or accept the finding for a time.
//!
//! ### CLI
//! ```sh
//! az rest --method GET \
//!   --url "https://graph.microsoft.com/v1.0/servicePrincipals/ID/oauth2PermissionGrants"
//! az rest --method DELETE --url "https://graph.microsoft.com/v1.0/oauth2PermissionGrants/GRANT_ID"
//! az ad sp update --id ID --set accountEnabled=false
//! ```
//!
//! ### Terraform
//! ```hcl
//! # from now on people may not consent for themselves
//! resource "azuread_authorization_policy" "tenant" {
//!   default_user_role_permissions {
//!     permission_grant_policies_assigned = []
//!   }
//! }
//! ```

use std::collections::BTreeSet;

use headcount_sdk::model::{Class, Level, Status};

use super::subject::{attribute, kind, listed};
use super::window::open_until;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::{Certainty, Severity};
use crate::inventory::{Origin, Record};

static META: Meta = Meta {
    id: "third-party-grant",
    title: "A third party holds consents",
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
    settings: &[
        Setting::ReportDays { default: 7, about: "How long a client counts as new." },
        Setting::TrustedApps {
            about: "Ids of clients that may keep what they were given (`app_id` or `native`).",
        },
    ],
    source: include_str!("third_party_grant.rs"),
};

/// How many scopes a finding names; the rest are counted.
const SHOWN: usize = 30;

pub(super) struct ThirdPartyGrant;

impl Rule for ThirdPartyGrant {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        match of_a_third_party(cx, subject) {
            Ok(usable) => consented(cx, subject, usable),
            Err(verdict) => Judgement::steady(verdict),
        }
    }
}

/// Whether the client's id is in `trusted_apps`. Never its name, which anybody can take.
pub(super) fn is_trusted(cx: &Context<'_>, client: &Subject<'_>) -> bool {
    let trusted = |id: &str| cx.settings.trusted_apps.iter().any(|trusted| trusted == id);
    client.attribute(attribute::APP_ID).is_some_and(trusted)
        || trusted(&client.record.observation.native)
}

/// How sure it is that it works; the verdict if it is no client of a third party.
fn of_a_third_party(cx: &Context<'_>, subject: &Subject<'_>) -> Result<Certainty, Verdict> {
    if !subject.is_identity() || subject.is_kind(kind::APP_INSTALLATION) {
        return Err(Verdict::NotApplicable);
    }
    match subject.flag(attribute::THIRD_PARTY)? {
        None => return Err(Verdict::NotApplicable),
        Some(false) => return Err(Verdict::Clear),
        Some(true) => {}
    }
    if subject.flag(attribute::FIRST_PARTY)? == Some(true) {
        return Err(Verdict::NotApplicable);
    }
    if is_trusted(cx, subject) {
        return Err(Verdict::Clear);
    }
    subject.usable().ok_or(Verdict::Clear)
}

fn consented(cx: &Context<'_>, subject: &Subject<'_>, usable: Certainty) -> Judgement {
    let consents = Consents::of(subject);
    let record = subject.record;
    let new_until = match record.origin {
        Origin::Baseline => None,
        Origin::Appeared => open_until(record.first_seen_at, cx.settings.report_span(), cx.now),
    };
    // What is known gives a reason or not; what is not known can only add to it.
    if consents.level <= Some(Level::None)
        && let Some(unknown) = consents.unread
    {
        return Judgement::steady(unknown);
    }
    let Some((severity, what)) = reach(consents.level, new_until.is_some()) else {
        return Judgement::steady(Verdict::Clear);
    };
    let new = if new_until.is_some() { "New: " } else { "" };
    let title = format!("{new}{} is a third party's and {what}", subject.label());
    let mut violation = subject
        .violation(severity, usable, title)
        .fact("consents", consents.count)
        .fact("people", consents.people.len())
        .fact("level", consents.level.map_or("none", Level::as_str))
        .fact("first_seen_at", record.first_seen_at)
        .fact("scopes", consents.shown());
    for name in [attribute::APP_ID, "owner_organization"] {
        if let Some(value) = subject.attribute(name) {
            violation = violation.fact(name, value);
        }
    }
    match new_until {
        Some(end) => Judgement::until(violation, end),
        None => Judgement::steady(violation),
    }
}

fn reach(level: Option<Level>, is_new: bool) -> Option<(Severity, &'static str)> {
    match level {
        Some(Level::Escalating | Level::Admin) => {
            Some((Severity::High, "can change who may log in"))
        }
        Some(Level::Write) => Some((META.severity, "may write")),
        Some(Level::Unknown) => Some((META.severity, "holds scopes of unknown power")),
        Some(Level::Read) => Some((Severity::Low, "may read")),
        Some(Level::None) if is_new => Some((Severity::Low, "learns who signs in")),
        // Nobody has consented yet; that it is there at all is told by `new-identity`.
        Some(Level::None) | None => None,
    }
}

/// All that people gave one client.
struct Consents<'a> {
    count: usize,
    people: BTreeSet<&'a str>,
    scopes: BTreeSet<&'a str>,
    /// The most that one of them allows; `None` = there are none.
    level: Option<Level>,
    /// What could not be read and may add to it.
    unread: Option<Verdict>,
}

impl<'a> Consents<'a> {
    fn of(subject: &Subject<'a>) -> Self {
        let mut consents = Self {
            count: 0,
            people: BTreeSet::new(),
            scopes: BTreeSet::new(),
            level: None,
            unread: subject.unread(&format!("attributes.{}", attribute::SCOPES)),
        };
        // A source without grants of its own writes the scopes at the client.
        if subject.attribute(attribute::SCOPES).is_some() {
            consents.add(subject.record);
        }
        for child in &subject.around.children {
            let seen = &child.observation;
            if seen.class != Class::Grant || seen.status == Status::Disabled {
                continue;
            }
            let grant = Subject { record: child, parent: None, around: subject.around };
            match grant.flag(attribute::ADMIN_CONSENT) {
                Ok(Some(true)) => {}
                Ok(_) => consents.add(child),
                Err(unknown) => consents.unread = Some(unknown),
            }
        }
        consents
    }

    fn add(&mut self, record: &'a Record) {
        let seen = &record.observation;
        let attribute = |name: &str| seen.attributes.get(name).map(String::as_str);
        self.count += 1;
        self.people.extend(attribute(attribute::PRINCIPAL_ID));
        let scopes = attribute(attribute::SCOPES).unwrap_or_default();
        self.scopes.extend(scopes.split([' ', ',']).filter(|scope| !scope.is_empty()));
        match (&seen.privilege, seen.unread.get("privilege")) {
            (_, Some(why)) => self.unread = Some(Verdict::unknown(format!("privilege ({why})"))),
            (None, None) => self.unread = Some(Verdict::unknown("privilege")),
            (Some(privilege), None) => self.level = self.level.max(Some(privilege.level)),
        }
    }

    fn shown(&self) -> String {
        let shown = listed(self.scopes.iter().copied().take(SHOWN));
        match self.scopes.len().saturating_sub(SHOWN) {
            0 => shown,
            more => format!("{shown} and {more} more"),
        }
    }
}
