//! Simulated SaaS tenants, and the descriptions that read them, held to what Okta, Slack,
//! Microsoft and Google say of their APIs.
//!
//! No description of GitLab's API is at hand: GitLab is held to its documentation alone. What goes
//! past the referee, because the vendor's description lacks it, is listed with the reason.

use std::collections::BTreeSet;
use std::path::Path;

use headcount_simulator::Clock;
use headcount_simulator::saas::{Google, Graph, Okta, SaasServer, Slack, Tenant};
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
async fn okta_is_as_okta_describes_it() {
    let held = Held {
        file: "okta-nhi.json",
        mends: vec![
            Mend {
                at: "/components/schemas/TimeDuration/pattern",
                put: json!(r"^P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?$"),
                why: "the pattern wants the text to end after the P, where ISO 8601 wants it not to: \
                      Okta's own example is P30D",
            },
            Mend {
                at: "/paths/~1oauth2~1v1~1clients~1{clientId}~1roles/get/responses/200/content\
                     /application~1json/schema/items",
                put: json!({"anyOf": [{"$ref": "#/components/schemas/StandardRole"},
                    {"$ref": "#/components/schemas/CustomRole"}]}),
                why: "every standard role is a custom one as well, by the fields that are required; \
                      only the discriminator tells them apart, which JSON Schema does not know",
            },
        ],
        // The endpoints of service accounts were cut away.
        past: &["/privileged-access/api/v1/service-accounts"],
        held: &[
            "/api/v1/api-tokens",
            "/api/v1/apps",
            "/api/v1/apps/{appId}/credentials/jwks",
            "/api/v1/apps/{appId}/grants",
            "/api/v1/org",
            "/api/v1/users",
            "/integrations/api/v1/api-services",
            "/oauth2/v1/clients/{clientId}/roles",
        ],
    };
    let source = |_: &SaasServer<Okta>, home: &Path| {
        json!({"description": "okta", "settings": {"domain": "acme.okta.example.com"},
            "secrets": {"api_token": secret(home, Okta::TOKEN)}})
    };
    let okta = Okta::seeded(&clock()).unwrap();
    let Some((records, seen)) = scan(okta, &held, source, "GET /api/v1/api-tokens").await else {
        return;
    };
    judge(&seen, &held);
    assert_eq!(kinds(&records).len(), 6, "{:?}", kinds(&records));
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_is_as_slack_describes_it() {
    let held = Held {
        file: "slack-nhi.json",
        mends: vec![
            Mend {
                at: "/paths/~1admin.apps.approved.list/get/parameters/0/required",
                put: json!(false),
                why: "the token goes into the header, where it is not logged: \
                      https://docs.slack.dev/authentication/tokens",
            },
            Mend {
                at: "/paths/~1admin.apps.approved.list/get/responses/200/content\
                     /application~1json/schema/properties/ok",
                put: json!({"type": "boolean"}),
                why: "a refusal has the status 200, too, and says `ok: false`: \
                      https://docs.slack.dev/apis/web-api/#responses",
            },
        ],
        past: &[],
        held: &["/admin.apps.approved.list", "/users.list"],
    };
    let source = |_: &SaasServer<Slack>, home: &Path| {
        json!({"description": "slack", "settings": {"team_id": Slack::TEAM},
            "secrets": {"token": secret(home, Slack::TOKEN)}})
    };
    let slack = Slack::seeded(&clock()).unwrap();
    let denied = "GET /admin.apps.approved.list";
    let Some((records, seen)) = scan(slack, &held, source, denied).await else { return };
    judge(&seen, &held);
    assert_eq!(kinds(&records).len(), 2, "{:?}", kinds(&records));
}

fn graph_mends() -> Vec<Mend> {
    let open = |at| Mend {
        at,
        put: json!(true),
        why: "further fields may only be objects by the description, and OData's own are texts: \
              @odata.context, @odata.type, and what a subtype adds to an owner",
    };
    vec![
        Mend {
            at: "/paths/~1applications/get/parameters/7/schema/items",
            put: json!({"type": "string"}),
            why: "serviceManagementReference came after 2021: \
                  https://learn.microsoft.com/graph/api/resources/application",
        },
        Mend {
            at: "/paths/~1servicePrincipals~1{servicePrincipal-id}",
            put: Value::Null,
            why: "nobody asks for one service principal, and the cast to agent identities, which \
                  came after 2021, would be taken for one",
        },
        open("/components/schemas/microsoft.graph.application/allOf/1/additionalProperties"),
        open("/components/schemas/microsoft.graph.entity/additionalProperties"),
        open("/components/schemas/microsoft.graph.directoryObject/allOf/1/additionalProperties"),
        open(
            "/paths/~1applications/get/responses/200/content/application~1json/schema/additionalProperties",
        ),
        open(
            "/paths/~1servicePrincipals/get/responses/200/content/application~1json/schema/additionalProperties",
        ),
        open(
            "/paths/~1servicePrincipals~1{servicePrincipal-id}~1appRoleAssignedTo/get/responses/200/content/application~1json/schema/additionalProperties",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn entra_is_as_microsoft_describes_it() {
    let held = Held {
        file: "graph-nhi.json",
        mends: graph_mends(),
        // The description is of 2021 and was cut to applications and service principals.
        past: &[
            "/oauth2PermissionGrants",
            "/organization",
            "/servicePrincipals/microsoft.graph.agentIdentity",
        ],
        held: &[
            "/applications",
            "/servicePrincipals",
            "/servicePrincipals/{servicePrincipal-id}/appRoleAssignedTo",
        ],
    };
    let source = |server: &SaasServer<Graph>, home: &Path| {
        json!({"description": "entra",
            "settings": {"tenant": Graph::TENANT, "client_id": Graph::READER},
            "token_url": format!("{}/{}/oauth2/v2.0/token", server.origin(), Graph::TENANT),
            "secrets": {"client_secret": secret(home, Graph::SECRET)}})
    };
    let graph = Graph::seeded(&clock()).unwrap();
    let Some((records, mut seen)) = scan(graph, &held, source, "GET /applications").await else {
        return;
    };
    // One path per application, by its id.
    let below = "/federatedIdentityCredentials";
    assert_eq!(seen.past.iter().filter(|path| path.ends_with(below)).count(), 3);
    seen.past.retain(|path| !path.ends_with(below));
    judge(&seen, &held);
    assert!(kinds(&records).len() > 5, "{:?}", kinds(&records));
}

#[tokio::test(flavor = "multi_thread")]
async fn google_cloud_is_as_google_describes_it() {
    let held = Held {
        file: "iam.v1.oas.json",
        mends: Vec::new(),
        // Policy Analyzer and API Keys are APIs of their own, whose descriptions are not here.
        past: &[
            "/v2/projects/acme-prod/locations/global/keys",
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
    assert_eq!(kinds(&records).len(), 5, "{:?}", kinds(&records));
}
