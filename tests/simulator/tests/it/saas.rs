//! Simulated SaaS tenants read by plain requests: each vendor's own words for "no", its limits and
//! its pages.

use headcount_simulator::saas::{GitLab, Google, Graph, MARKED, Okta, SaasServer, Slack, Tenant};
use headcount_simulator::{Clock, Fault, FaultPlan};
use reqwest::{Client, Response};
use serde_json::{Value, json};

fn clock() -> Clock {
    Clock::at("2026-03-10T12:00:00Z".parse().unwrap())
}

async fn get<T: Tenant>(server: &SaasServer<T>, path: &str, auth: (&str, &str)) -> Response {
    let url = format!("{}{path}", server.url());
    let request = Client::builder().build().unwrap().get(url).header(auth.0, auth.1);
    request.send().await.unwrap()
}

async fn body(answer: Response) -> Value {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// Status and the words of a refusal, for each of the ways to be refused.
async fn refusals<T: Tenant>(
    server: &SaasServer<T>,
    (path, auth): (&str, (&str, &str)),
    words: fn(&Value) -> &Value,
) -> Vec<(u16, Value)> {
    let mut said = Vec::new();
    let mut ask = async |path: &str, auth: (&str, &str)| {
        let answer = get(server, path, auth).await;
        let status = answer.status().as_u16();
        said.push((status, words(&body(answer).await).clone()));
    };
    ask(path, ("x-nothing", "")).await;
    ask(path, (auth.0, "Bearer wrong")).await;
    ask("/nowhere/at/all", auth).await;
    for fault in [Fault::Denied, Fault::TooManyRequests, Fault::ServerError] {
        server.inject(FaultPlan::new(fault));
        ask(path, auth).await;
        server.clear_faults();
    }
    said
}

const OKTA: (&str, &str) = ("authorization", "SSWS 00EXAMPLE-okta-reader");
const GITLAB: (&str, &str) = ("private-token", GitLab::TOKEN);
const SLACK: (&str, &str) = ("authorization", "Bearer xoxp-EXAMPLE-reader");

#[tokio::test]
async fn okta_refuses_with_codes_and_tells_its_limits() {
    let server = SaasServer::start(Okta::seeded(&clock()).unwrap()).await.unwrap();
    let said = refusals(&server, ("/api/v1/org", OKTA), |body| &body["errorCode"]).await;
    let codes = ["E0000011", "E0000011", "E0000007", "E0000006", "E0000047", "E0000009"];
    let statuses = [401, 401, 404, 403, 429, 500];
    let expected: Vec<(u16, Value)> =
        statuses.into_iter().zip(codes.map(|code| json!(code))).collect();
    assert_eq!(said, expected);

    server.change().holdings_mut().limit_calls(20);
    server.reset_calls();
    let answer = get(&server, "/api/v1/apps?limit=2", OKTA).await;
    assert_eq!(answer.headers()["x-rate-limit-limit"], "20");
    assert_eq!(answer.headers()["x-rate-limit-remaining"], "19");
    let links = answer.headers()["link"].to_str().unwrap().to_owned();
    assert!(links.contains("rel=\"self\"") && links.contains("after="), "{links}");
    assert_eq!(body(answer).await.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn gitlab_numbers_its_pages_and_counts_them() {
    let server = SaasServer::start(GitLab::seeded(&clock()).unwrap()).await.unwrap();
    let projects = "/groups/4242/projects";
    let said = get(&server, projects, ("x-nothing", "")).await;
    assert_eq!(said.status().as_u16(), 401);
    let answer = get(&server, &format!("{projects}?per_page=1"), GITLAB).await;
    for (name, value) in [("x-total", "2"), ("x-total-pages", "2"), ("x-next-page", "2")] {
        assert_eq!(answer.headers()[name], value, "{name}");
    }
    let links = answer.headers()["link"].to_str().unwrap();
    assert!(links.contains("rel=\"next\"") && links.contains("rel=\"last\""), "{links}");

    let keyset = format!("{projects}?per_page=1&pagination=keyset&order_by=id");
    let answer = get(&server, &keyset, GITLAB).await;
    assert!(!answer.headers().contains_key("x-total"), "nothing is counted by key");
    let links = answer.headers()["link"].to_str().unwrap().to_owned();
    let next = links.trim_start_matches('<').split('>').next().unwrap().to_owned();
    let path = next.strip_prefix(&server.url()).unwrap().to_owned();
    let second = get(&server, &path, GITLAB).await;
    assert!(!second.headers().contains_key("link"), "two projects are two pages");
    assert_eq!(body(second).await[0]["name"], "site");
}

#[tokio::test]
async fn slack_says_no_with_status_200() {
    let server = SaasServer::start(Slack::seeded(&clock()).unwrap()).await.unwrap();
    let path = "/users.list?limit=2";
    let said = refusals(&server, (path, SLACK), |body| &body["error"]).await;
    let expected = [
        (200, json!("not_authed")),
        (200, json!("invalid_auth")),
        (200, json!("unknown_method")),
        (200, json!("missing_scope")),
        (429, json!("ratelimited")),
        (500, json!("internal_error")),
    ];
    assert_eq!(said, expected);
    let first = body(get(&server, path, SLACK).await).await;
    let cursor = first["response_metadata"]["next_cursor"].as_str().unwrap();
    let last = get(&server, &format!("{path}&cursor={cursor}"), SLACK).await;
    let last = body(last).await;
    assert_eq!(last["members"].as_array().unwrap().len(), 1);
    assert_eq!(last["response_metadata"]["next_cursor"], "");
    let other = get(&server, "/users.list?team_id=T0OTHER", SLACK).await;
    assert_eq!(body(other).await["error"], "team_not_found");
}

/// Asks for a token as a form.
async fn token<T: Tenant>(server: &SaasServer<T>, path: &str, form: &str) -> (u16, Value) {
    let client = Client::builder().build().unwrap();
    let request = client.post(format!("{}{path}", server.origin())).body(form.to_owned());
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), body(answer).await)
}

#[tokio::test]
async fn graph_answers_what_was_selected_until_the_token_ends() {
    let server = SaasServer::start(Graph::seeded(&clock()).unwrap()).await.unwrap();
    let path = format!("/{}/oauth2/v2.0/token", Graph::TENANT);
    let form = |secret: &str| {
        format!(
            "grant_type=client_credentials&client_id={}&client_secret={secret}&\
             scope=https%3A%2F%2Fgraph.microsoft.com%2F.default",
            Graph::READER
        )
    };
    let (status, wrong) = token(&server, &path, &form("wrong")).await;
    assert_eq!((status, &wrong["error"]), (401, &json!("invalid_client")));
    let (_, granted) = token(&server, &path, &form(Graph::SECRET)).await;
    let bearer = format!("Bearer {}", granted["access_token"].as_str().unwrap());
    let auth = ("authorization", bearer.as_str());

    let list = "/applications?$select=id,displayName&$top=2";
    let page = body(get(&server, list, auth).await).await;
    let fields: Vec<&String> = page["value"][0].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["displayName", "id"]);
    let next = page["@odata.nextLink"].as_str().unwrap();
    assert!(next.contains("skiptoken") && next.contains("%24select"), "{next}");

    let said = refusals(&server, (list, auth), |body| &body["error"]["code"]).await;
    let codes: Vec<&str> = said.iter().map(|(_, code)| code.as_str().unwrap()).collect();
    assert_eq!(
        codes[2..5],
        ["Request_ResourceNotFound", "Authorization_RequestDenied", "TooManyRequests"]
    );
    server.clock().advance(jiff::SignedDuration::from_secs(3_601));
    assert_eq!(get(&server, list, auth).await.status().as_u16(), 401, "an hour has passed");
}

#[tokio::test]
async fn google_leaves_out_what_is_empty() {
    let server = SaasServer::start(Google::empty(&clock())).await.unwrap();
    let (status, wrong) = token(&server, "/token", "grant_type=x&assertion=a.b.c").await;
    assert_eq!((status, &wrong["error"]), (400, &json!("invalid_grant")));
    let bearer = server.change().give_token();
    let bearer = format!("Bearer {bearer}");
    let auth = ("authorization", bearer.as_str());
    let path = "/v1/projects/acme-prod/serviceAccounts";
    assert_eq!(body(get(&server, path, auth).await).await, json!({}));
    let id = server.change().add_account("shop", "");
    let listed = body(get(&server, path, auth).await).await;
    assert_eq!(listed["accounts"][0]["uniqueId"], id);
    assert!(listed.get("nextPageToken").is_none(), "{listed}");
    // By its e-mail or its number, it is the same account.
    for name in [id.as_str(), listed["accounts"][0]["email"].as_str().unwrap()] {
        let keys = get(&server, &format!("{path}/{name}/keys"), auth).await;
        assert_eq!(keys.status().as_u16(), 200, "{name}");
    }
    let said = refusals(&server, (path, auth), |body| &body["error"]["status"]).await;
    let statuses: Vec<&str> = said.iter().map(|(_, status)| status.as_str().unwrap()).collect();
    assert_eq!(statuses[2..5], ["NOT_FOUND", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED"]);
}

/// Secrets stand only where the vendor itself answers with one, and are marked there.
#[tokio::test]
async fn secrets_are_marked_where_the_vendor_has_them() {
    let server = SaasServer::start(Okta::seeded(&clock()).unwrap()).await.unwrap();
    let app = server.read(|okta| okta.app("payments worker")).unwrap();
    let secrets = format!("/api/v1/apps/{app}/credentials/secrets");
    for path in [secrets.as_str(), "/privileged-access/api/v1/service-accounts"] {
        let text = get(&server, path, OKTA).await.text().await.unwrap();
        assert!(text.contains(MARKED), "{path}: {text}");
    }
    let text = get(&server, "/api/v1/api-tokens", OKTA).await.text().await.unwrap();
    assert!(!text.contains(MARKED), "{text}");
}
