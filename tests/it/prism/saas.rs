//! Simulated SaaS tenants, and the descriptions that read them, held to what Okta, Slack,
//! Microsoft and Google say of their APIs.
//!
//! No description of GitLab's API is at hand: GitLab is held to its documentation alone. What goes
//! past the referee, because the vendor's description lacks it, is listed with the reason.

use std::collections::BTreeSet;
use std::path::Path;

use headcount_simulator::Clock;
use headcount_simulator::saas::{Google, SaasServer, Tenant};
use serde_json::{Value, json};

use crate::support::agent::Agent;
use crate::support::pem;
use crate::support::prism::{Mend, Referee, Seen, description};

/// A vendor, its description and what is known of that.
struct Held {
    file: &'static str,
    mends: Vec<Mend>,
    /// Paths that the description has not, below the simulator's address.
    past: &'static [&'static str],
    /// Templates of the description that a scan goes through.
    held: &'static [&'static str],
}

fn clock() -> Clock {
    Clock::at("2026-03-10T12:00:00Z".parse().unwrap())
}

/// Reads `tenant` through prism with the real program, from pages of two rows. Then asks once
/// without leave, so that a refusal is held, too.
async fn scan<T: Tenant>(
    tenant: T,
    held: &Held,
    source: impl Fn(&SaasServer<T>, &Path) -> Value,
    denied: &str,
) -> Option<(Vec<Value>, Seen)> {
    let description = description(held.file)?;
    let server = SaasServer::start(tenant).await.unwrap();
    let referee = Referee::with(&description, &held.mends, &server.url()).await;
    server.behind(referee.url());
    server.limit_pages(Some(2));
    let home = tempfile::tempdir().unwrap();
    let mut source = source(&server, home.path());
    source["name"] = json!("saas");
    source["connector"] = json!("rest");
    source["base_url"] = json!(referee.url());
    let agent = Agent::reading(home, &[source], None);
    // Exit code 0: every scope was read to its end.
    let records = agent.scan().await;
    server.change().holdings_mut().deny(denied);
    agent.scan_incomplete().await;
    let kept = agent.inventory(&[]).await;
    assert_eq!(kept.len(), records.len(), "{denied}: what is denied is not gone");
    Some((records, referee.take()))
}

fn secret(home: &Path, value: &str) -> String {
    let path = home.join("secret");
    std::fs::write(&path, value).unwrap();
    format!("file:{}", path.display())
}

fn judge(seen: &Seen, held: &Held) {
    assert!(seen.departures.is_empty(), "{:#?}", seen.departures);
    let past: BTreeSet<&str> = seen.past.iter().map(String::as_str).collect();
    assert_eq!(past, held.past.iter().copied().collect(), "what nobody holds");
    let templates: BTreeSet<&str> = seen.held.iter().map(String::as_str).collect();
    assert_eq!(templates, held.held.iter().copied().collect());
}

fn kinds(records: &[Value]) -> BTreeSet<&str> {
    records.iter().filter_map(|record| record["kind"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn google_cloud_is_as_google_describes_it() {
    let held = Held {
        file: "iam.v1.oas.json",
        mends: Vec::new(),
        // Policy Analyzer is an API of its own, whose description is not here.
        past: &[
            "/v1/projects/acme-prod/locations/global/activityTypes/serviceAccountLastAuthentication/activities:query",
            "/v1/projects/acme-prod/locations/global/activityTypes/serviceAccountKeyLastAuthentication/activities:query",
        ],
        held: &[
            "/v1/projects/{projectsId}/locations/{locationsId}/workloadIdentityPools",
            "/v1/projects/{projectsId}/locations/{locationsId}/workloadIdentityPools/{workloadIdentityPoolsId}/providers",
            "/v1/projects/{projectsId}/serviceAccounts",
            "/v1/projects/{projectsId}/serviceAccounts/{serviceAccountsId}/keys",
        ],
    };
    let source = |server: &SaasServer<Google>, home: &Path| {
        json!({"description": "gcp",
            "settings": {"project": Google::PROJECT, "client_email": Google::READER},
            "token_url": format!("{}/token", server.origin()),
            "secrets": {"private_key": secret(home, &pem::key())}})
    };
    let google = Google::seeded(&clock()).unwrap();
    let denied = "GET /v1/projects/{project}/serviceAccounts/{account}/keys";
    let Some((records, seen)) = scan(google, &held, source, denied).await else { return };
    judge(&seen, &held);
    assert_eq!(kinds(&records).len(), 4, "{:?}", kinds(&records));
}
