//! ## What it does
//! Reports API keys that open everything their owner may use, or that work from anywhere, although
//! their source could restrict them.
//!
//! ## Why it matters
//! An API key proves nothing but itself: it stands in web pages, apps and scripts, and whoever
//! copies it is as good as whoever it was made for. A key that opens one API from one network is
//! worth little elsewhere. One without limits runs up bills and opens what was enabled years later.
//!
//! ## How it is found
//! Two questions: which APIs it opens (`restricted_apis`), and from where it works
//! (`restricted_callers`). On Google Cloud: `restrictions.apiTargets`, and the sites, addresses or
//! apps in `restrictions`. On Datadog: the scopes of an application key. On Okta: the network zone
//! of an API token. Fields: `attributes.restricted_apis`, `attributes.restricted_callers`, `status`.
//!
//! ## Not reported
//! - Keys of sources that know no such restriction, or of which no source tells it.
//! - Keys whose restrictions could not be read: the verdict is "unknown".
//! - Whether a restriction is narrow enough: ten APIs, or a network of the whole world, are one.
//! - Keys that are switched off or have expired.
//!
//! ## Severity
//! High if it is known to be restricted in neither way. Low if it opens only some APIs, but works
//! from anywhere. Medium else. The confidence is high; medium if the source does not tell whether
//! the key is active.
//!
//! ## Fix
//! See which APIs it calls and from where, then restrict it to these. Where callers can prove who
//! they are, replace it by a service account without key.
//!
//! ### CLI
//! ```sh
//! gcloud services api-keys update KEY_ID \
//!   --api-target=service=maps-backend.googleapis.com --allowed-ips=198.51.100.0/24
//! curl -X PATCH "https://api.DATADOG_SITE/api/v2/application_keys/KEY_ID" \
//!   -H "DD-API-KEY: $DD_API_KEY" -H "DD-APPLICATION-KEY: $DD_APP_KEY" -H "Content-Type: application/json" \
//!   -d '{"data":{"id":"KEY_ID","type":"application_keys","attributes":{"scopes":["dashboards_read"]}}}'
//! ```
//!
//! ### Terraform
//! ```hcl
//! resource "google_apikeys_key" "name" {
//!   name = "NAME"
//!   restrictions {
//!     api_targets { service = "maps-backend.googleapis.com" }
//!     server_key_restrictions { allowed_ips = ["198.51.100.0/24"] }
//!   }
//! }
//! ```

use super::subject::attribute;
use super::{Context, Judgement, Judges, Meta, Rule, Subject, Verdict};
use crate::findings::Severity;

static META: Meta = Meta {
    id: "unrestricted-api-key",
    title: "API key without restrictions",
    severity: Severity::Medium,
    judges: Judges::Records,
    owasp: &["NHI5:2025", "NHI4:2025"],
    controls: &[
        "CSA-CCM-4:IAM-05",
        "ISO-27001-2022:A.5.17",
        "NIST-800-53r5:AC-6",
        "NIST-CSF-2.0:PR.AA-05",
        "SOC2:CC6.1",
    ],
    settings: &[],
    source: include_str!("unrestricted_api_key.rs"),
};

pub(super) struct UnrestrictedApiKey;

impl Rule for UnrestrictedApiKey {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, cx: &Context<'_>, subject: &Subject<'_>) -> Judgement {
        let verdict = verdict(subject).unwrap_or_else(|unknown| unknown);
        subject.until_it_ends(verdict, cx.now)
    }
}

fn verdict(subject: &Subject<'_>) -> Result<Verdict, Verdict> {
    if !subject.is_credential() {
        return Ok(Verdict::NotApplicable);
    }
    let Some(usable) = subject.usable() else {
        return Ok(Verdict::Clear);
    };
    let apis = subject.flag(attribute::RESTRICTED_APIS)?;
    let callers = subject.flag(attribute::RESTRICTED_CALLERS)?;
    let (severity, what) = match (apis, callers) {
        (None, None) => return Ok(Verdict::NotApplicable),
        (Some(false), Some(false)) => (Severity::High, "opens every API, from anywhere"),
        (Some(false), _) => (META.severity, "opens everything that its owner may use"),
        (Some(true), Some(false)) => (Severity::Low, "works from anywhere"),
        (None, Some(false)) => (META.severity, "works from anywhere"),
        (None | Some(true), _) => return Ok(Verdict::Clear),
    };
    let title = format!("{} {what}", subject.label());
    let told = |is: Option<bool>| is.map_or("not told".to_owned(), |is| is.to_string());
    Ok(subject
        .violation(severity, usable, title)
        .fact("restricted_apis", told(apis))
        .fact("restricted_callers", told(callers))
        .into())
}
