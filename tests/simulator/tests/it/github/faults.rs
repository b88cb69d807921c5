//! What goes wrong on demand, and deliveries.

use aws_lc_rs::hmac;
use headcount_simulator::github::delivery;
use headcount_simulator::{Fault, FaultPlan};
use serde_json::json;

use super::{desk, header, next_of};

const HOOKS: &str = "/orgs/acme/hooks?per_page=1";

#[tokio::test]
async fn answers_of_the_service_have_their_status() {
    let rows = [
        (Fault::Denied, 403),
        (Fault::NotFound, 404),
        (Fault::Throttle, 403),
        (Fault::TooManyRequests, 429),
        (Fault::ServerError, 500),
        (Fault::Unavailable, 503),
    ];
    let desk = desk().await;
    for (fault, status) in rows {
        desk.server.inject(FaultPlan::new(fault).on("GET /orgs/{org}/hooks").first(1));
        let answer = desk.get(HOOKS).await;
        assert_eq!(answer.status().as_u16(), status, "{fault:?}");
        let late = matches!(fault, Fault::Throttle | Fault::TooManyRequests);
        assert_eq!(header(&answer, "retry-after"), if late { "60" } else { "" });
        assert_eq!(desk.status(HOOKS).await, 200, "over after one");
        desk.server.clear_faults();
    }
}

#[tokio::test]
async fn bodies_and_connections_break() {
    let desk = desk().await;
    desk.server.inject(FaultPlan::new(Fault::CutConnection).at_exchange(1));
    desk.server.inject(FaultPlan::new(Fault::Reset).at_exchange(2));
    assert!(desk.get(HOOKS).await.bytes().await.is_err());
    let request = desk.client.get(format!("{}{HOOKS}", desk.server.url())).bearer_auth(&desk.token);
    assert!(request.send().await.is_err());
    assert_eq!(desk.status(HOOKS).await, 200);
}

#[tokio::test]
async fn pages_repeat_vanish_or_come_empty() {
    let desk = desk().await;
    let plan = |fault| FaultPlan::new(fault).on("GET /orgs/{org}/hooks");
    desk.server.inject(plan(Fault::RepeatedMarker));
    let next = next_of(&desk.get(HOOKS).await).unwrap();
    assert_eq!(next_of(&desk.get(&next).await), Some(next));
    desk.server.clear_faults();
    desk.server.inject(plan(Fault::MissingMarker));
    assert_eq!(next_of(&desk.get(HOOKS).await), Some(String::new()));
    desk.server.clear_faults();
    desk.server.inject(plan(Fault::EmptyPage));
    let (all, pages) = desk.pages(HOOKS).await;
    assert_eq!((all.len(), pages), (2, 3), "nothing is lost");
}

#[tokio::test]
async fn cursors_of_the_audit_log_repeat() {
    let desk = desk().await;
    let path = "/orgs/acme/audit-log?per_page=2&phrase=created:%3E%3D2025-08-01";
    let first = next_of(&desk.get(path).await).unwrap();
    desk.server.inject(FaultPlan::new(Fault::RepeatedMarker).on("GET /orgs/{org}/audit-log"));
    assert_eq!(next_of(&desk.get(&first).await), Some(first));
}

#[test]
fn delivery_is_signed_over_its_bytes() {
    let payload = json!({"action": "created", "key": {"id": 7}});
    let made = delivery("deploy_key", &payload, b"made-up");
    let value = |name: &str| made.headers.iter().find(|(n, _)| *n == name).unwrap().1.clone();
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"made-up");
    let hex: String =
        hmac::sign(&key, &made.body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(value("x-hub-signature-256"), format!("sha256={hex}"));
    assert_eq!(value("x-github-event"), "deploy_key");
    assert_eq!(value("x-github-delivery").len(), 36);
    let other = delivery("deploy_key", &payload, b"another");
    assert!(other.headers != made.headers);
}
