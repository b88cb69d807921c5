//! Requests that nobody means well: clear answers of 4xx, nothing told, nothing lost.

use std::time::Duration;

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::service::{Service, read};

const PATIENCE: Duration = Duration::from_secs(60);

/// Writes bytes as they are and reads until the agent ends the connection.
async fn raw(service: &Service, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(&service.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    tokio::time::timeout(PATIENCE, reading).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn bodies_that_are_too_large_malformed_or_wrong_are_refused() {
    let service = Service::start().await;
    let operator = service.token("ops", "operator").await;
    let post = |body: &str, kind: &str| {
        service
            .request(Method::POST, "/v1/exceptions", &operator)
            .header(header::CONTENT_TYPE, kind)
            .body(body.to_owned())
    };
    let json = "application/json";
    let large = json!({"rule": "a".repeat(70_000)}).to_string();
    let deep = "[".repeat(10_000);
    let rows = [
        (large.as_str(), json, StatusCode::PAYLOAD_TOO_LARGE),
        ("{", json, StatusCode::BAD_REQUEST),
        (deep.as_str(), json, StatusCode::BAD_REQUEST),
        ("", json, StatusCode::BAD_REQUEST),
        ("\u{0}", json, StatusCode::BAD_REQUEST),
        ("{}", "text/plain", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (
            r#"{"rule":"x","match":{},"reason":"r","expires_at":"soon"}"#,
            json,
            StatusCode::BAD_REQUEST,
        ),
        (
            r#"{"rule":"stale-identity","match":{"subject":"s"},"reason":"r","expires_at":"2999-01-01T00:00:00Z"}"#,
            json,
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            r#"{"rule":"stale-identity","match":{"subject":"s","sub":"t"},"reason":"r","expires_at":"2999-01-01T00:00:00Z"}"#,
            json,
            StatusCode::BAD_REQUEST,
        ),
    ];
    for (body, kind, expected) in rows {
        let (status, problem) = read(post(body, kind)).await;
        let start: String = body.chars().take(60).collect();
        assert_eq!(status, expected, "{start}: {problem}");
        assert_eq!(problem["status"], expected.as_u16(), "{start}: {problem}");
    }
    let none = service.see("/v1/exceptions?all=true", &operator).await;
    assert_eq!(none["items"], json!([]), "nothing of it was kept");
}

#[tokio::test]
async fn requests_that_are_no_http_or_no_request_of_ours_are_refused() {
    let service = Service::start().await;
    let viewer = service.token("reader", "viewer").await;
    let garbage = raw(&service, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n").await;
    assert!(garbage.is_empty() || garbage.starts_with("HTTP/1.1 400"), "{garbage}");
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(600_000));
    let long = raw(&service, long.as_bytes()).await;
    assert!(long.is_empty() || long.starts_with("HTTP/1.1 4"), "{long}");
    let rows = [
        ("/v1/identities?limit=0", StatusCode::BAD_REQUEST),
        ("/v1/identities?limit=501", StatusCode::BAD_REQUEST),
        ("/v1/identities?limit=-1", StatusCode::BAD_REQUEST),
        ("/v1/identities?q=%FF%FE", StatusCode::OK),
        ("/v1/identities?q=%25_%5C%27%3B--", StatusCode::OK),
        ("/v1/identities?limit=1&limit=2", StatusCode::BAD_REQUEST),
        ("/v1/records/..%2F..%2Fetc%2Fpasswd", StatusCode::NOT_FOUND),
        ("/v1/findings/%00", StatusCode::NOT_FOUND),
        ("/v1/nothing", StatusCode::NOT_FOUND),
        ("/v1/drift", StatusCode::BAD_REQUEST),
        ("/v1/drift?from=yesterday", StatusCode::BAD_REQUEST),
    ];
    for (path, expected) in rows {
        let (status, answer) = service.get(path, &viewer).await;
        assert_eq!(status, expected, "{path}: {answer}");
        assert!(status.is_success() || answer["detail"].is_string(), "{path}: {answer}");
    }
    let delete = service.request(Method::DELETE, "/v1/identities", &viewer);
    assert_eq!(read(delete).await.0, StatusCode::METHOD_NOT_ALLOWED);
    service.see("/v1/identities", &viewer).await;
}

#[tokio::test]
async fn a_client_that_takes_its_time_is_left_and_holds_nobody_up() {
    let service = Service::with(&json!({"request_seconds": 1})).await;
    let operator = service.token("ops", "operator").await;
    let slow_head = raw(&service, b"GET /v1/sources HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    let body = format!(
        "POST /v1/exceptions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {operator}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{{"
    );
    let slow_body = raw(&service, body.as_bytes());
    let meanwhile = service.see("/v1/sources", &operator);
    let (slow_head, slow_body, _) = tokio::join!(slow_head, slow_body, meanwhile);
    assert!(slow_head.is_empty() || slow_head.starts_with("HTTP/1.1 408"), "{slow_head}");
    assert!(slow_body.starts_with("HTTP/1.1 408"), "{slow_body}");
}

#[tokio::test]
async fn who_asks_too_often_waits_and_others_do_not() {
    let service = Service::with(&json!({"max_requests_per_second": 1})).await;
    let greedy = service.token("greedy", "viewer").await;
    let other = service.token("other", "viewer").await;
    let mut told = None;
    for _ in 0..50 {
        let answer = service.request(Method::GET, "/v1/sources", &greedy).send().await.unwrap();
        if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            told = Some(answer.headers()[header::RETRY_AFTER].to_str().unwrap().to_owned());
            break;
        }
    }
    assert!(told.expect("fifty requests at once are too many").parse::<u64>().unwrap() >= 1);
    service.see("/v1/sources", &other).await;
    // Whoever guesses is slowed down; a token that opens something is let in all the same.
    let mut last = StatusCode::OK;
    for _ in 0..100 {
        last = service.get("/v1/sources", "hct_EXAMPLE").await.0;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    service.see("/v1/coverage", &other).await;
}

#[tokio::test]
async fn long_answers_have_places_of_their_own() {
    let service = Service::with(&json!({"max_streams_at_once": 1})).await;
    let viewer = service.token("reader", "viewer").await;
    let events = |_: ()| service.request(Method::GET, "/v1/events", &viewer);
    let held = events(()).send().await.unwrap();
    assert_eq!(held.status(), StatusCode::OK);
    let (status, problem) = read(events(())).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    service.see("/v1/sources", &viewer).await;
    drop(held);
    let again = async {
        while events(()).send().await.unwrap().status() != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test]
async fn a_name_that_is_a_formula_is_text_in_every_export() {
    let service = Service::start().await;
    let auditor = service.token("auditor", "auditor").await;
    let operator = service.token("ops", "operator").await;
    let account = service.simulator.read(|org| org.accounts().keys().next().unwrap().clone());
    // AWS allows `=`, `+` and `@` in names of users.
    service.simulator.change().create_user(&account, "=cmd+calc@1").unwrap();
    let mut service = service;
    service.post("/v1/sources/aws/scan", &operator, &Value::Null).await;
    service.running.log("scan finished").await;
    let answer = service
        .request(Method::GET, "/v1/inventory?format=csv", &auditor)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let mut rows = csv::Reader::from_reader(answer.as_bytes());
    let cells: Vec<String> = rows
        .records()
        .flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert!(cells.iter().any(|cell| cell == "'=cmd+calc@1"));
    let runs = |cell: &&String| cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    assert_eq!(cells.iter().find(runs), None);
}
