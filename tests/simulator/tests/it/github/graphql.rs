//! GraphQL: pages, prices, permissions and partial answers.

use headcount_simulator::github::{Edition, Hub, Size};
use headcount_simulator::{Fault, FaultPlan};
use serde_json::{Value, json};

use super::{desk, desk_of};

const QUERY: &str = "query Repositories($org: String!, $c: String, $n: Int = 100) {
  organization(login: $org) {
    repositories(first: $n, after: $c, orderBy: {field: NAME, direction: ASC}) {
      totalCount pageInfo { hasNextPage endCursor }
      nodes {
        databaseId nameWithOwner isArchived visibility pushedAt
        deployKeys(first: 20) { totalCount nodes { id title readOnly verified enabled createdAt } }
        environments(first: 20) { totalCount nodes { databaseId name } }
        co: object(expression: \"HEAD:.github/CODEOWNERS\") { ... on Blob { oid text } }
      }
    }
  }
  rateLimit { cost remaining resetAt }
}";

fn repositories(answer: &Value) -> &Value {
    &answer["data"]["organization"]["repositories"]
}

#[tokio::test]
async fn cursors_lead_through_all_repositories_once() {
    let desk = desk().await;
    let (mut names, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let answer = desk.query(QUERY, json!({"org": "acme", "c": cursor, "n": 4})).await;
        assert_eq!(answer["errors"], Value::Null, "{answer}");
        let page = repositories(&answer).clone();
        let nodes = page["nodes"].as_array().unwrap();
        names.extend(nodes.iter().map(|node| node["nameWithOwner"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        cursor = page["pageInfo"]["endCursor"].clone();
    }
    let expected: Vec<String> = (0..6).map(|n| format!("acme/service-{n:05}")).collect();
    assert_eq!(names, expected);
    assert_eq!(desk.server.calls().of("POST /graphql"), 2);
}

#[tokio::test]
async fn fields_are_those_of_rest() {
    let desk = desk().await;
    let answer = desk.query(QUERY, json!({"org": "acme"})).await;
    let node = &repositories(&answer)["nodes"][0];
    assert_eq!(node["deployKeys"]["totalCount"], 1);
    assert_eq!(node["environments"]["nodes"][0]["name"], "production");
    assert_eq!(node["co"], Value::Null);
    let text = repositories(&answer)["nodes"][2]["co"]["text"].as_str().unwrap();
    assert!(text.starts_with("* @acme/"));
    assert_eq!(answer["data"]["rateLimit"]["cost"], 2);
}

#[tokio::test]
async fn nodes_are_found_by_the_ids_of_the_list() {
    let desk = desk().await;
    let list = "{ organization(login: \"acme\") { viewerIsAMember repositories(first: 3) { nodes { id } } } }";
    let answer = desk.query(list, json!({})).await;
    assert_eq!(answer["data"]["organization"]["viewerIsAMember"], false);
    let id = repositories(&answer)["nodes"][2]["id"].clone();
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Repository { id \
                 co: object(expression: \"HEAD:.github/CODEOWNERS\") { ... on Blob { oid text } } } } }";
    let answer = desk.query(query, json!({"ids": [id, "R_made_up_1"]})).await;
    assert_eq!(answer["data"]["nodes"][0]["id"], id);
    assert!(answer["data"]["nodes"][0]["co"]["text"].is_string());
    assert_eq!(answer["data"]["nodes"][1], Value::Null);
    assert_eq!(answer["errors"][0]["path"], json!(["nodes", 1]));
}

#[tokio::test]
async fn permission_takes_what_may_not_be_null_with_it() {
    let desk = desk().await;
    desk.server.change().forbid(desk.reader.installation_id, "contents").unwrap();
    desk.server.change().forbid(desk.reader.installation_id, "single_file").unwrap();
    let answer = desk.query(QUERY, json!({"org": "acme"})).await;
    assert_eq!(answer["errors"][0]["type"], "FORBIDDEN");
    assert!(repositories(&answer)["nodes"][2].is_object(), "object is nullable");
    desk.server.change().forbid(desk.reader.installation_id, "administration").unwrap();
    let answer = desk.query(QUERY, json!({"org": "acme"})).await;
    assert_eq!(repositories(&answer)["nodes"][2], Value::Null, "deployKeys is not");
    desk.server.change().manners.graphql_hides = true;
    let answer = desk.query(QUERY, json!({"org": "acme"})).await;
    assert_eq!(repositories(&answer)["nodes"][0]["deployKeys"]["totalCount"], 0);
}

#[tokio::test]
async fn errors_come_with_200() {
    let desk = desk().await;
    let answer = desk.query(QUERY, json!({"org": "nobody"})).await;
    assert_eq!(answer["errors"][0]["type"], "NOT_FOUND");
    assert_eq!(answer["data"]["organization"], Value::Null);
    let answer = desk.query("{ organization(login: \"acme\") { nonsense } }", json!({})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "undefinedField");
    assert_eq!(answer.get("data"), None);
    let answer = desk.query("{ organization(login: ", json!({})).await;
    assert!(answer["errors"][0]["message"].as_str().unwrap().starts_with("Parse error"));
    let bare = "{ organization(login: \"acme\") { repositories { totalCount } } }";
    let answer = desk.query(bare, json!({})).await;
    assert_eq!(answer["errors"][0]["type"], "MISSING_PAGINATION_BOUNDARIES");
}

#[tokio::test]
async fn limits_of_weight_and_of_the_hour() {
    let desk = desk().await;
    desk.server.change().manners.whole_rows = Some(2);
    let answer = desk.query(QUERY, json!({"org": "acme"})).await;
    assert_eq!(answer["errors"].as_array().unwrap().len(), 4);
    assert!(repositories(&answer)["nodes"][1].is_object());
    assert_eq!(repositories(&answer)["nodes"][2], Value::Null);
    desk.server.change().manners.points = Some(3);
    let answer = desk.query(QUERY, json!({"org": "acme"})).await;
    assert_eq!(answer["errors"][0]["type"], "RATE_LIMIT");
    desk.server.change().manners.timeout_above = 1000;
    let body = json!({"query": QUERY, "variables": {"org": "acme"}}).to_string();
    let request = desk.client.post(desk.server.graphql_url()).bearer_auth(&desk.token);
    let heavy = request.body(body).send().await.unwrap();
    assert_eq!(heavy.status().as_u16(), 502);
}

#[tokio::test]
async fn faults_strike_cursors_and_queries() {
    let desk = desk().await;
    let plan = |fault| FaultPlan::new(fault).on("POST /graphql");
    desk.server.inject(plan(Fault::MissingMarker).first(1));
    let info = |answer: &Value| repositories(answer)["pageInfo"].clone();
    let answer = desk.query(QUERY, json!({"org": "acme"})).await;
    assert_eq!(info(&answer), json!({"hasNextPage": true, "endCursor": null}));
    desk.server.clear_faults();
    desk.server.inject(plan(Fault::EmptyPage));
    let answer = desk.query(QUERY, json!({"org": "acme"})).await;
    assert_eq!(repositories(&answer)["nodes"], json!([]));
    let next = info(&answer)["endCursor"].clone();
    let answer = desk.query(QUERY, json!({"org": "acme", "c": next})).await;
    assert_eq!(repositories(&answer)["nodes"].as_array().unwrap().len(), 6);
    desk.server.clear_faults();
    desk.server.inject(plan(Fault::Denied));
    let answer = desk.query(QUERY, json!({"org": "acme"})).await;
    assert_eq!(answer["errors"][0]["type"], "FORBIDDEN");
    desk.server.change().manners.graphql_denied_with_200 = false;
    let body = json!({"query": QUERY, "variables": {"org": "acme"}}).to_string();
    let request = desk.client.post(desk.server.graphql_url()).bearer_auth(&desk.token);
    assert_eq!(request.body(body).send().await.unwrap().status().as_u16(), 403);
}

#[tokio::test]
async fn a_server_of_ones_own_has_its_own_addresses() {
    let mut hub = Hub::seeded(3, Size::small());
    hub.edition = Edition::Server;
    let desk = desk_of(hub).await;
    assert!(desk.server.url().ends_with("/api/v3"));
    assert!(desk.server.graphql_url().ends_with("/api/graphql"));
    let answer = desk.query(QUERY, json!({"org": "acme"})).await;
    assert_eq!(repositories(&answer)["totalCount"], 6);
    let (members, pages) = desk.pages("/orgs/acme/members?per_page=5").await;
    assert_eq!((members.len(), pages), (9, 2), "links lead below /api/v3 too");
}
