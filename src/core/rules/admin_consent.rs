//! ## What it does
//! Reports what an administrator consented to for everybody in the organisation: scopes by which an
//! application acts as each person, and permissions that it holds itself, without any person.
//!
//! ## Why it matters
//! One click opens every mailbox and every file, also of those who will join next year. Nobody is
//! asked again, and the consent outlives the project that it was given for.
//!
//! ## How it is found
//! On Entra: delegated grants for all principals, and permissions of applications on Microsoft
//! Graph, which only an administrator can give. A source states it in the attribute `admin_consent`.
//! Fields: `attributes.admin_consent`, `attributes.scopes`, `privilege`, `status`, `parent`.
//!
//! ## Not reported
//! - Consents that only let people sign in.
//! - What a single person consented to: see `third-party-grant`.
//! - Consents that could not be understood, and those of an application that is not counted yet: the
//!   verdict is "unknown".
//! - Applications of the vendor of the directory itself, which come with it.
//! - Applications in `trusted_apps`, and those that are switched off.
//! - Who gave the consent, and when; only the audit log knows.
//!
//! ## Severity
//! - High: the application can change who may log in; or it is a third party's and may write.
//! - Medium: it may write; or it is a third party's and may read.
//! - Low: it may only read.
//!
//! The confidence is high; medium if the source does not tell whether the consent is active.
//!
//! ## Fix
//! Ask the owner of the application which of the scopes it needs, and from whom. Revoke the rest;
//! limit what is left to those who use the application, by requiring assignment.
//!
//! ### CLI
//! ```sh
//! az rest --method GET --url "https://graph.microsoft.com/v1.0/oauth2PermissionGrants/GRANT_ID"
//! az rest --method DELETE --url "https://graph.microsoft.com/v1.0/oauth2PermissionGrants/GRANT_ID"
//! az rest --method DELETE \
//!   --url "https://graph.microsoft.com/v1.0/servicePrincipals/ID/appRoleAssignments/ASSIGNMENT_ID"
//! az ad sp update --id ID --set appRoleAssignmentRequired=true
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "azuread_service_principal_delegated_permission_grant" "name" {
//!   service_principal_object_id          = azuread_service_principal.name.object_id
//!   resource_service_principal_object_id = azuread_service_principal.graph.object_id
//!   claim_values                         = ["User.Read"] # no more than it needs
//! }
//! ```

use headcount_sdk::model::Level;

use super::subject::attribute;
use super::third_party_grant::is_trusted;
use super::{Context, Judgement, Judges, Meta, Rule, Setting, Subject, Verdict};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "admin-consent",
    title: "An administrator consented for everybody",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI5:2025", "NHI3:2025"],
    controls: &[
        "CSA-CCM-4:IAM-05",
        "FedRAMP-20x:KSI-IAM-ELP",
        "ISO-27001-2022:A.5.18",
        "NIST-800-53r5:AC-6(7)",
        "NIST-CSF-2.0:PR.AA-05",
        "SOC2:CC6.3",
    ],
    settings: &[Setting::TrustedApps {
        about: "Ids of applications that may keep what they were given (`app_id` or `native`).",
    }],
    source: include_str!("admin_consent.rs"),
};

pub(super) struct AdminConsent;

impl Rule for AdminConsent {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        Judgement::steady(verdict(cx, subject).unwrap_or_else(|unknown| unknown))
    }
}

fn verdict(cx: &Context<'_>, subject: &Subject<'_>) -> Result<Verdict, Verdict> {
    if !subject.is_grant() {
        return Ok(Verdict::NotApplicable);
    }
    match subject.flag(attribute::ADMIN_CONSENT)? {
        None => return Ok(Verdict::NotApplicable),
        Some(false) => return Ok(Verdict::Clear),
        Some(true) => {}
    }
    let Some(usable) = subject.usable() else {
        return Ok(Verdict::Clear);
    };
    if let Some(missing) = subject.parent_missing() {
        return Err(missing);
    }
    let client = Client::of(cx, subject)?;
    if client == Client::Trusted {
        return Ok(Verdict::Clear);
    }
    if let Some(unread) = subject.unread("privilege") {
        return Err(unread);
    }
    let privilege = subject.record.observation.privilege.as_ref();
    let privilege = privilege.ok_or_else(|| Verdict::unknown("privilege"))?;
    let Some((severity, what)) = reach(privilege.level, client) else {
        return Ok(Verdict::Clear);
    };
    let name = subject.parent.map_or("an application", |parent| &parent.observation.name);
    let place = &subject.record.scope.place;
    let title = format!("An administrator lets {name} in {place} {what} for everybody");
    let mut violation = subject
        .violation(severity, usable, title)
        .fact("level", privilege.level.as_str())
        .fact("reason", &privilege.reason)
        .fact("grant", &subject.record.observation.name);
    if let Some(scopes) = subject.attribute(attribute::SCOPES) {
        violation = violation.fact("scopes", scopes);
    }
    Ok(violation.into())
}

/// Whose application it is that holds the grant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    /// Or harmless: it is switched off.
    Trusted,
    ThirdParty,
    Own,
}

impl Client {
    fn of(cx: &Context<'_>, subject: &Subject<'_>) -> Result<Self, Verdict> {
        let Some(parent) = subject.parent else {
            return Ok(Self::Own);
        };
        let client = Subject { record: parent, parent: None, around: subject.around };
        if client.usable().is_none() {
            return Ok(Self::Trusted);
        }
        let is_vendors = client.flag(attribute::FIRST_PARTY)? == Some(true);
        if is_vendors || is_trusted(cx, &client) {
            return Ok(Self::Trusted);
        }
        let is_third_party = client.flag(attribute::THIRD_PARTY)? == Some(true);
        Ok(if is_third_party { Self::ThirdParty } else { Self::Own })
    }
}

fn reach(level: Level, client: Client) -> Option<(Severity, &'static str)> {
    let is_own = client == Client::Own;
    match level {
        Level::None => None,
        Level::Read if is_own => Some((Severity::Low, "read")),
        Level::Read => Some((META.severity, "read")),
        Level::Unknown | Level::Write if is_own => Some((META.severity, "write")),
        Level::Unknown | Level::Write => Some((Severity::High, "write")),
        Level::Escalating | Level::Admin => Some((Severity::High, "change who may log in")),
    }
}
