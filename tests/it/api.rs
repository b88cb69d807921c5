//! The API of a running agent: who is let in, what lists give, exceptions, events, exports.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt as _;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::support::service::{Service, names};

/// Far more than an event takes; only a hang gets here.
const PATIENCE: Duration = Duration::from_secs(60);

fn document() -> Value {
    serde_json::from_str(include_str!("../../docs/reference/openapi.json")).unwrap()
}

/// Every method and path that the document tells of, parameters filled in.
fn operations() -> Vec<(Method, String)> {
    let mut operations = Vec::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "x").replace("{name}", "x");
        for method in item.as_object().unwrap().keys() {
            operations.push((method.to_uppercase().parse().unwrap(), path.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn every_route_asks_for_a_token_and_what_is_denied_is_recorded() {
    let service = Service::start().await;
    let viewer = service.token("reader", "viewer").await;
    let auditor = service.token("auditor", "auditor").await;
    let operations = operations();
    assert!(operations.len() >= 20, "{operations:?}");
    let needs_more: BTreeSet<&str> =
        ["/v1/inventory", "/v1/inventory/coverage", "/v1/audit"].into_iter().collect();
    for (method, path) in &operations {
        // Fewer in all than one address may show: `tests/it/abuse.rs` goes on.
        for token in ["", "hct_EXAMPLE"] {
            let answer = service.request(method.clone(), path, token).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
            assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
            assert!(answer.headers().contains_key(header::WWW_AUTHENTICATE));
        }
        let as_viewer = service.request(method.clone(), path, &viewer).send().await.unwrap();
        let expected_denied = *method == Method::POST || needs_more.contains(path.as_str());
        let was_denied = as_viewer.status() == StatusCode::FORBIDDEN;
        assert_eq!(was_denied, expected_denied, "{method} {path}: {}", as_viewer.status());
    }
    let denied = service.see("/v1/audit?outcome=denied&limit=500", &auditor).await;
    let lines = denied["items"].as_array().unwrap();
    let of = |actor: &str| lines.iter().filter(|line| line["actor"] == actor).count();
    let posts = operations.iter().filter(|(method, _)| *method == Method::POST).count();
    assert_eq!(of("token:reader"), posts + needs_more.len());
    assert!(of("anonymous@127.0.0.1") >= 40, "{}", lines.len());
    assert!(!denied.to_string().contains("hct_"), "no token is written down");
}

#[tokio::test]
async fn a_token_ends_when_it_is_revoked_and_is_nowhere_kept() {
    let service = Service::start().await;
    let token = service.token("ci", "viewer").await;
    assert!(token.starts_with("hct_") && token.len() == 47, "{} characters", token.len());
    service.see("/v1/sources", &token).await;
    let data = std::path::Path::new(&service.agent.config_path()).with_file_name("data");
    for entry in std::fs::read_dir(data).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(token.len()).any(|part| part == token.as_bytes()));
    }
    let listed = service.agent.run(&["tokens", "list"]).await.ending(0);
    assert!(listed.stdout.contains("ci") && listed.stdout.contains("valid"), "{}", listed.stdout);
    service.agent.run(&["tokens", "create", "ci"]).await.ending(2);
    service.agent.run(&["tokens", "revoke", "ci"]).await.ending(0);
    assert_eq!(service.get("/v1/sources", &token).await.0, StatusCode::UNAUTHORIZED);
    service.agent.run(&["tokens", "revoke", "ci"]).await.ending(2);
}

#[tokio::test]
async fn lists_are_whole_over_pages_in_every_order() {
    let service = Service::start().await;
    let token = service.token("reader", "viewer").await;
    for (list, class) in
        [("identities", "identity"), ("credentials", "credential"), ("grants", "grant")]
    {
        let known = service.agent.inventory(&["--class", class]).await.len();
        for sort in ["name", "-name", "first_seen", "-first_seen", "last_use", "-last_use"] {
            let mut path = format!("/v1/{list}?limit=7&sort={sort}");
            let mut ids = BTreeSet::new();
            let mut in_order = Vec::new();
            let mut count = 0;
            loop {
                let page = service.see(&path, &token).await;
                for item in page["items"].as_array().unwrap() {
                    count += 1;
                    ids.insert(item["id"].as_str().unwrap().to_owned());
                }
                in_order.extend(names(&page));
                let Some(next) = page["next"].as_str() else { break };
                path = format!("/v1/{list}?limit=7&sort={sort}&cursor={next}");
            }
            assert_eq!((count, ids.len()), (known, known), "{list} by {sort}");
            if sort == "name" {
                assert!(in_order.is_sorted(), "{in_order:?}");
            }
        }
    }
    let (status, _) = service.get("/v1/identities?sort=name&cursor=nonsense", &token).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, problem) = service.get("/v1/identities?knid=iam-role", &token).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "a filter with a typing error is no filter");
    assert!(problem["detail"].as_str().unwrap().contains("knid"), "{problem}");
}

#[tokio::test]
async fn one_record_is_shown_with_its_links_and_unchanged_answers_are_not_sent_twice() {
    let service = Service::start().await;
    let token = service.token("reader", "viewer").await;
    let list = service.see("/v1/credentials?limit=1", &token).await;
    let id = list["items"][0]["id"].as_str().unwrap();
    let escaped: String = url_path(id);
    let path = format!("/v1/records/{escaped}");
    let record = service.see(&path, &token).await;
    assert_eq!(record["id"], id);
    assert!(!record["evidence"].as_array().unwrap().is_empty());
    assert_eq!(record["versions"].as_array().unwrap().len(), 1);
    let parent = record["parent"].as_str().unwrap();
    let links = service.see(&format!("/v1/records/{}/links", url_path(parent)), &token).await;
    let children = links["children"].as_array().unwrap();
    assert!(children.iter().any(|child| child["id"] == id), "{links}");
    let before = service.get(&format!("{path}?at=2020-01-01T00:00:00Z"), &token).await;
    assert_eq!(before.0, StatusCode::NOT_FOUND);

    let first = service.request(Method::GET, &path, &token).send().await.unwrap();
    let tag = first.headers()[header::ETAG].clone();
    let again = service
        .request(Method::GET, &path, &token)
        .header(header::IF_NONE_MATCH, tag)
        .send()
        .await
        .unwrap();
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

/// A record id as one segment of a path.
fn url_path(id: &str) -> String {
    id.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                (byte as char).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Events of a stream, one at a time.
struct Events {
    bytes: futures::stream::BoxStream<'static, reqwest::Result<Vec<u8>>>,
    text: String,
}

impl Events {
    async fn open(service: &Service, token: &str, after: u64) -> Self {
        let path = format!("/v1/events?after={after}");
        let answer = service.request(Method::GET, &path, token).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let bytes = answer.bytes_stream().map(|part| part.map(|part| part.to_vec())).boxed();
        Self { bytes, text: String::new() }
    }

    /// The next event about this finding: its id and the CloudEvent.
    async fn about(&mut self, finding: &str) -> (u64, Value) {
        let found = async {
            loop {
                while let Some((event, rest)) = self.text.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.text = rest;
                    let field = |name: &str| {
                        event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default()
                    };
                    let data: Value = serde_json::from_str(field("data: ")).unwrap_or(Value::Null);
                    if data["data"]["finding_info"]["uid"] == finding {
                        return (field("id: ").parse().unwrap(), data);
                    }
                }
                let part = self.bytes.next().await.unwrap().unwrap();
                self.text.push_str(&String::from_utf8(part).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap()
    }
}

#[tokio::test]
async fn an_exception_suppresses_at_once_and_its_end_reopens() {
    let service = Service::start().await;
    let viewer = service.token("reader", "viewer").await;
    let operator = service.token("ops", "operator").await;
    let open = service.see("/v1/findings?status=open&rule=ownerless-identity&limit=2", &viewer);
    let open = open.await;
    let finding = &open["items"][0];
    let (id, subject) = (finding["id"].as_str().unwrap(), finding["subject"].as_str().unwrap());
    let mut events = Events::open(&service, &viewer, 0).await;

    let new = json!({
        "rule": "ownerless-identity",
        "match": {"subject": subject},
        "reason": "known since the audit",
        "expires_at": "2026-01-01T00:00:00Z",
    });
    let (status, problem) = service.post("/v1/exceptions", &operator, &new).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    let in_a_month = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(30 * 24);
    let mut new = new;
    new["expires_at"] = json!(in_a_month);
    let (status, made) = service.post("/v1/exceptions", &operator, &new).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    assert_eq!(made["author"], "token:ops");

    let path = format!("/v1/findings/{id}");
    let now = service.see(&path, &viewer).await;
    assert_eq!(now["status"], "suppressed");
    assert_eq!(now["facts"]["exception"], made["id"]);
    let (first, event) = events.about(id).await;
    assert_eq!(event["data"]["status_id"], 3, "{event}");

    let end = format!("/v1/exceptions/{}/end", made["id"].as_str().unwrap());
    let (status, ended) = service.post(&end, &operator, &Value::Null).await;
    assert_eq!((status, ended["status"].as_str()), (StatusCode::OK, Some("ended")));
    assert_eq!(service.post(&end, &operator, &Value::Null).await.0, StatusCode::CONFLICT);
    let now = service.see(&path, &viewer).await;
    assert_eq!(now["status"], "open");
    assert!(now["resolution"].as_str().unwrap().contains("was ended by token:ops"), "{now}");
    let kinds: Vec<&str> =
        now["history"].as_array().unwrap().iter().map(|s| s["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["opened", "suppressed", "reopened"]);
    let (second, _) = events.about(id).await;
    assert!(second > first);

    // Whoever comes back with the last number that he saw misses nothing and sees nothing twice.
    let mut later = Events::open(&service, &viewer, first).await;
    assert_eq!(later.about(id).await.0, second);
}

#[tokio::test]
async fn an_exception_of_the_command_line_is_heeded_by_the_agent_that_runs() {
    let service = Service::start().await;
    let viewer = service.token("reader", "viewer").await;
    let auditor = service.token("auditor", "auditor").await;
    let open = service.see("/v1/findings?status=open&rule=ownerless-identity", &viewer).await;
    let finding = &open["items"][0];
    let id = finding["id"].as_str().unwrap();
    let mut events = Events::open(&service, &viewer, 0).await;
    let subject = finding["subject"].as_str().unwrap();
    let add = [
        "exceptions",
        "add",
        "ownerless-identity",
        "--subject",
        subject,
        "--reason",
        "known",
        "--author",
        "ana",
        "--expires",
        "30d",
    ];
    let made = service.agent.run(&add).await.ending(0).stdout.trim().to_owned();
    assert_eq!(events.about(id).await.1["data"]["status"], "Suppressed");
    let end = ["exceptions", "end", &made, "--author", "ben"];
    service.agent.run(&end).await.ending(0);
    assert_eq!(events.about(id).await.1["data"]["status"], "New");
    service.agent.run(&end).await.ending(2);
    let listed = service.agent.run(&["exceptions", "list", "--all"]).await.ending(0);
    assert!(listed.stdout.contains("ended by cli:ben"), "{}", listed.stdout);
    let audit = service.see("/v1/audit", &auditor).await;
    let did = |actor: &str, action: &str| {
        audit["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|line| line["actor"] == actor && line["action"] == action)
    };
    assert!(did("cli:ana", "exception.add") && did("cli:ben", "exception.end"), "{audit}");
    assert!(did("cli", "token.create"));
}

#[tokio::test]
async fn a_scan_that_is_asked_for_happens_and_is_recorded() {
    let mut service = Service::start().await;
    let operator = service.token("ops", "operator").await;
    let viewer = service.token("reader", "viewer").await;
    let before = service.see("/v1/sources", &viewer).await;
    let source = &before["sources"][0];
    assert_eq!(source["last_scan_complete"], true);
    let (status, _) = service.post("/v1/sources/aws/scan", &operator, &Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    service.running.log("scan finished").await;
    let after = service.see("/v1/sources", &viewer).await;
    assert_ne!(after["sources"][0]["last_scan_finished_at"], source["last_scan_finished_at"]);
    let (status, _) = service.post("/v1/sources/gcp/scan", &operator, &Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let coverage = service.see("/v1/coverage", &viewer).await;
    let scopes = coverage["scopes"].as_array().unwrap();
    // A rolling sweep takes a week; everything else was read to its end.
    let short = scopes.iter().filter(|scope| scope["complete"] == false);
    let short: Vec<&str> = short.map(|scope| scope["coverage"].as_str().unwrap()).collect();
    assert_eq!((scopes.len(), short), (10, vec!["sweeping"]), "{coverage}");
    let population = service.see("/v1/population", &viewer).await;
    let census = population["census"].as_array().unwrap();
    let identities = census.iter().find(|row| row["class"] == "identity").unwrap();
    let known = service.agent.inventory(&["--class", "identity"]).await.len();
    assert_eq!(identities["records"], known);
}

#[tokio::test]
async fn the_inventory_of_a_moment_leaves_whole_with_what_was_complete() {
    let service = Service::start().await;
    let auditor = service.token("auditor", "auditor").await;
    let ask = async |path: &str| {
        let answer = service.request(Method::GET, path, &auditor).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let at = answer.headers()["headcount-at"].to_str().unwrap().to_owned();
        (at, answer.text().await.unwrap())
    };
    let (at, text) = ask("/v1/inventory").await;
    let manifest = service.see(&format!("/v1/inventory/coverage?at={at}"), &auditor).await;
    let scopes = manifest["scopes"].as_array().unwrap();
    let short: Vec<_> = scopes.iter().filter(|scope| scope["complete"] == false).collect();
    assert_eq!((short.len(), &short[0]["coverage"]), (1, &json!("sweeping")), "{manifest}");
    assert_eq!(manifest["complete"], false, "what is still swept is not complete");
    assert_eq!(manifest["records"], text.lines().count());
    let csv = ask(&format!("/v1/inventory?at={at}&format=csv")).await.1;
    assert_eq!(csv::Reader::from_reader(csv.as_bytes()).records().count(), text.lines().count());
    let (_, before) = ask("/v1/inventory?at=2020-01-01T00:00:00Z").await;
    assert_eq!(before, "");
    let manifest = service.see("/v1/inventory/coverage?at=2020-01-01T00:00:00Z", &auditor).await;
    assert_eq!(
        (&manifest["complete"], &manifest["not_recorded"]),
        (&json!(false), &json!(["aws"]))
    );
    let (status, _) = service.get("/v1/inventory?at=2999-01-01T00:00:00Z", &auditor).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let drift = service.see("/v1/drift?from=2020-01-01T00:00:00Z&limit=500", &auditor).await;
    assert!(drift["items"].as_array().unwrap().iter().all(|line| line["change"] == "appeared"));
}
