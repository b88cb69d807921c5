//! The simulated GitHub, and what reads it, held to GitHub's own description.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use headcount_simulator::github::{At, Hub, HubServer, Links, ORGANIZATION, Size, Store, Token};
use serde_json::{Value, json};

use crate::support::agent::Agent;
use crate::support::pem;
use crate::support::prism::{Referee, Seen, description};

/// Every route that both the simulator and the description have. `{…}` is filled from the hub.
const ROUTES: &[&str] = &[
    "/installation/repositories",
    "/orgs/{org}",
    "/orgs/{org}/actions/runners",
    "/orgs/{org}/actions/runners/{runner}",
    "/orgs/{org}/actions/secrets",
    "/orgs/{org}/actions/secrets/{secret}",
    "/orgs/{org}/actions/secrets/{secret}/repositories",
    "/orgs/{org}/audit-log?order=asc",
    "/orgs/{org}/codespaces/secrets",
    "/orgs/{org}/codespaces/secrets/{secret}/repositories",
    "/orgs/{org}/credential-authorizations",
    "/orgs/{org}/dependabot/secrets",
    "/orgs/{org}/dependabot/secrets/{secret}",
    "/orgs/{org}/dependabot/secrets/{secret}/repositories",
    "/orgs/{org}/hooks",
    "/orgs/{org}/hooks/{hook}",
    "/orgs/{org}/hooks/{hook}/deliveries",
    "/orgs/{org}/installations",
    "/orgs/{org}/members",
    "/orgs/{org}/members/founder",
    "/orgs/{org}/memberships/founder",
    "/orgs/{org}/outside_collaborators",
    "/orgs/{org}/personal-access-token-requests",
    "/orgs/{org}/personal-access-token-requests/{request}/repositories",
    "/orgs/{org}/personal-access-tokens",
    "/orgs/{org}/personal-access-tokens/{grant}/repositories",
    "/orgs/{org}/repos",
    "/orgs/{org}/teams",
    "/orgs/{org}/teams/payments",
    "/orgs/{org}/teams/payments/members",
    "/orgs/{org}/teams/payments/repos",
    "/rate_limit",
    "/repos/{org}/{repo}/actions/secrets",
    "/repos/{org}/{repo}/actions/secrets/AWS_ACCESS_KEY_ID",
    "/repos/{org}/{repo}/collaborators",
    "/repos/{org}/{repo}/dependabot/secrets",
    "/repos/{org}/{repo}/environments",
    "/repos/{org}/{repo}/environments/production",
    "/repos/{org}/{repo}/environments/production/secrets",
    "/repos/{org}/{repo}/environments/production/variables",
    "/repos/{org}/{repo}/hooks",
    "/repos/{org}/{repo}/hooks/{repo_hook}",
    "/repos/{org}/{repo}/hooks/{repo_hook}/deliveries",
    "/repos/{org}/{repo}/keys",
    "/repos/{org}/{repo}/keys/{key}",
    "/users/founder",
];

/// Routes that take an App's JWT. `/app/installations` is not among them: the description wants an
/// account that is a user and an enterprise at once (`allOf`), which GitHub's own answers are not.
const OF_APPS: &[&str] = &["/app", "/app/installations/{installation}", "/orgs/{org}/installation"];

/// A seeded GitHub with one repository that has one of everything.
fn hub() -> Hub {
    let mut hub = Hub::seeded(5, Size::small());
    let (full, here) = ("acme/everything", At::Repository("acme/everything"));
    hub.add_repository(full).unwrap();
    hub.add_environment(full, "production").unwrap();
    let there = At::Environment(full, "production");
    for at in [here, there] {
        hub.set_secret(at, Store::Actions, "AWS_ACCESS_KEY_ID").unwrap();
        hub.set_variable(at, Store::Actions, "REGION").unwrap();
    }
    hub.set_secret(here, Store::Dependabot, "NPM_TOKEN").unwrap();
    hub.add_deploy_key(full, "deploy", "founder").unwrap();
    for at in [here, At::Organization(ORGANIZATION)] {
        let hook = hub.add_hook(at, "hook.example.com").unwrap();
        hub.use_hook(at, hook).unwrap();
    }
    hub.add_outside_collaborator(full, "contractor").unwrap();
    hub.give_team("payments", full, "admin").unwrap();
    for store in [Store::Actions, Store::Codespaces, Store::Dependabot] {
        hub.set_secret(At::Organization(ORGANIZATION), store, "SELECTED").unwrap();
        hub.select_secret(ORGANIZATION, store, "SELECTED", &[full]).unwrap();
    }
    hub
}

/// What stands for the braces of a route.
fn fill(route: &str, hub: &Hub) -> String {
    let org = hub.organization(ORGANIZATION).unwrap();
    let repo = hub.repository("acme/everything").unwrap();
    let first = |mut ids: Box<dyn Iterator<Item = u64> + '_>| ids.next().unwrap().to_string();
    let installation = hub.reader(ORGANIZATION).unwrap().installation_id.to_string();
    let rows = [
        ("{org}", ORGANIZATION.to_owned()),
        ("{repo}", repo.name.clone()),
        ("{secret}", "SELECTED".to_owned()),
        ("{installation}", installation),
        ("{runner}", first(Box::new(org.holds.runners.keys().copied()))),
        ("{hook}", first(Box::new(org.holds.hooks.keys().copied()))),
        ("{grant}", first(Box::new(org.token_grants.keys().copied()))),
        ("{request}", first(Box::new(org.token_requests.keys().copied()))),
        ("{repo_hook}", first(Box::new(repo.holds.hooks.keys().copied()))),
        ("{key}", first(Box::new(repo.deploy_keys.keys().copied()))),
    ];
    rows.iter().fold(route.to_owned(), |path, (name, value)| path.replace(name, value))
}

/// Lets `read` read `hub` through prism and gives what prism saw. `read` is handed the address;
/// what reads the rest of GitHub, GraphQL too, may go there as well.
async fn held(hub: Hub, read: impl AsyncFnOnce(&str, &HubServer)) -> Option<Seen> {
    let description = description("ghec-nhi.json")?;
    let server = HubServer::start(hub).await.unwrap();
    let referee = Referee::start(&description, &server.url()).await;
    server.behind(referee.url());
    // The description knows the paths that are asked, not those by numeric id.
    server.set_links(Links::AsAsked);
    read(referee.url(), &server).await;
    Some(referee.take())
}

/// The statuses of all pages of a path.
async fn walk(base: &str, path: &str, token: &str) -> Vec<u16> {
    let client = reqwest::Client::builder().build().unwrap();
    let (mut statuses, mut next) = (Vec::new(), Some(format!("{base}{path}")));
    while let Some(url) = next {
        assert!(url.starts_with(base), "{url} leads elsewhere");
        let answer = client.get(&url).bearer_auth(token).send().await.unwrap();
        statuses.push(answer.status().as_u16());
        assert!(statuses.len() < 50, "{path} has an end");
        let link = answer.headers().get("link").map_or("", |link| link.to_str().unwrap());
        next = link.strip_prefix('<').and_then(|link| Some(link.split_once('>')?.0.to_owned()));
    }
    statuses
}

/// A JWT in shape; nothing signed it.
fn jwt(app: u64) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"iss": app, "iat": 1_800_000_000, "exp": 1_800_000_540});
    format!("{}.{}.{}", part(json!({"alg": "RS256"})), part(claims), "s".repeat(342))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_the_simulated_github_is_as_github_describes_it() {
    let seen = held(hub(), async |base, server| {
        let reader = server.read(|hub| hub.reader(ORGANIZATION).unwrap());
        let token = server.change().token(Token::Installation(reader.installation_id));
        for (routes, token) in [(ROUTES, token), (OF_APPS, jwt(reader.app_id))] {
            for route in routes {
                let mut path = server.read(|hub| fill(route, hub));
                if !path.contains('{') && path.ends_with('s') {
                    path.push_str("?per_page=2");
                }
                for status in walk(base, &path, &token).await {
                    assert!(!(300..500).contains(&status), "{path}: {status}");
                }
            }
        }
        let path = format!("/app/installations/{}/access_tokens", reader.installation_id);
        let client = reqwest::Client::builder().build().unwrap();
        let jwt = jwt(reader.app_id);
        let request = client.post(format!("{base}{path}")).bearer_auth(jwt).body("{}");
        let request = request.header("content-type", "application/json");
        assert_eq!(request.send().await.unwrap().status().as_u16(), 201);
    })
    .await;
    let Some(seen) = seen else { return };
    assert!(seen.departures.is_empty(), "{:#?}", seen.departures);
    assert_eq!(seen.past.into_iter().collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(seen.held.len(), ROUTES.len() + OF_APPS.len() + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_a_scan_is_as_github_describes_it() {
    let seen = held(hub(), async |base, server| {
        let reader = server.read(|hub| hub.reader(ORGANIZATION).unwrap());
        let home = tempfile::tempdir().unwrap();
        let key = home.path().join("app.pem");
        std::fs::write(&key, pem::key()).unwrap();
        let private_key = format!("file:{}", key.display());
        let github = json!({
            "name": "github", "connector": "github", "organizations": [ORGANIZATION],
            "base_url": base, "auth": {"app_id": reader.app_id, "private_key": private_key},
        });
        // Exit code 0: every scope was read to its end.
        let records = Agent::reading(home, &[github], None).scan().await;
        let kinds: BTreeSet<&str> = records.iter().filter_map(|one| one["kind"].as_str()).collect();
        assert!(kinds.len() > 12, "{kinds:?}");
    })
    .await;
    let Some(seen) = seen else { return };
    assert!(seen.departures.is_empty(), "{:#?}", seen.departures);
    assert!(seen.held.len() > 15, "{:?}", seen.held);
    assert!(seen.past.contains("/graphql"), "and what nobody holds: {:?}", seen.past);
}

#[tokio::test(flavor = "multi_thread")]
async fn referee_sees_what_is_not_as_described() {
    let Some(description) = description("ghec-nhi.json") else { return };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let upstream = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(async || axum::Json(json!([{"id": "seven"}])));
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let referee = Referee::start(&description, &upstream).await;
    let statuses = walk(referee.url(), "/orgs/acme/hooks", "made-up").await;
    server.abort();
    assert_eq!(statuses, [500]);
    let seen = referee.take();
    assert_eq!(seen.departures.len(), 1, "{seen:?}");
    assert!(seen.departures[0].starts_with("GET /orgs/acme/hooks:"));
}
