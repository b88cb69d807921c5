//! What is lost when access is: never a record.

use headcount_kubernetes::{Config, KubernetesConnector};
use headcount_sdk::{Connector as _, Priority, ProbeOutcome, ScanError};
use headcount_simulator::kubernetes::{Cluster, Object};
use headcount_simulator::{Fault, FaultPlan};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::records::small;
use crate::support::{HURRIED, Source, with_secrets};

fn denied(error: &ScanError) -> &str {
    match error {
        ScanError::Denied { permission, .. } => permission,
        other => panic!("not denied: {other}"),
    }
}

#[tokio::test]
async fn a_denied_list_names_its_permission_and_leaves_the_rest() {
    let source = Source::of(small()).await;
    source.server.change().deny("list", "rolebindings");
    let scanned = source.scan().await;
    assert_eq!(denied(scanned.error("bindings")), "list rolebindings");
    let accounts = scanned.complete("service-accounts");
    assert_eq!(accounts.degradations()[0].field, "privilege");
    let web = scanned.named("service-account", "shop/web");
    assert_eq!(web.unread["privilege"], "list rolebindings");
    assert_eq!(web.privilege, None);
    scanned.complete("workloads");
}

/// A server that answers once, with these bytes; gives its address.
async fn answering(answer: String) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // The request has come when its head has ended: it has no body.
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    address
}

#[tokio::test]
async fn a_refusal_without_a_code_is_a_refusal() {
    let body = r#"{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden"}"#;
    let length = body.len();
    let head = "HTTP/1.1 403 Forbidden\r\nContent-Type: application/json";
    let answer = format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}");
    let address = answering(answer).await;
    let mut way = kube::Config::new(address.parse().unwrap());
    way.default_retry = false;
    let connector = KubernetesConnector::with(Config::default(), HURRIED, Some(way)).unwrap();
    let source = Source { connector: connector.into(), ..Source::of(small()).await };
    let refused = source.connector.scopes(&source.context(Priority::Scan)).await;
    assert_eq!(denied(&refused.unwrap_err()), "get namespaces");
}

#[tokio::test]
async fn a_default_account_that_counted_stays_when_nobody_can_tell_whether_it_still_does() {
    let source = Source::of(small()).await;
    let before = source.scan().await;
    let known = before.names("service-account");
    source.server.change().deny("list", "rolebindings");
    let after = source.scan().await;
    assert_eq!(after.names("service-account"), known, "and no other comes");
    // Who remembers nothing leaves none out.
    let forgetful = Source { cache: std::sync::Arc::default(), ..source };
    let after = forgetful.scan().await;
    assert!(after.names("service-account").contains("shop/default"));
}

#[tokio::test]
async fn unreadable_pods_leave_the_use_unread_and_not_false() {
    let source = Source::of(small()).await;
    source.server.change().deny("list", "pods");
    let scanned = source.scan().await;
    let idle = scanned.named("service-account", "shop/idle");
    assert_eq!(idle.unread["attributes.in_use"], "list pods");
    assert_eq!(idle.unread["usage"], "list pods");
    assert!(!idle.attributes.contains_key("in_use"));
    let web = scanned.named("service-account", "shop/web");
    assert_eq!(web.attributes["in_use"], "true", "its deployment is enough");
    assert_eq!(denied(scanned.error("workloads")), "list pods");
}

#[tokio::test]
async fn an_absent_group_is_not_supported_and_no_fault() {
    let source = Source::of(small()).await;
    for version in ["v1", "v1beta1", "v1alpha1"] {
        source.server.change().without_group(&format!("certificates.k8s.io/{version}"));
    }
    let scanned = source.scan().await;
    for scope in ["certificate-requests", "pod-certificate-requests"] {
        let error = scanned.error(scope);
        assert!(matches!(error, ScanError::NotSupported { .. }), "{scope}: {error}");
    }
    scanned.complete("service-accounts");
    assert_eq!(source.server.calls().of("list certificatesigningrequests"), 0);
}

#[tokio::test]
async fn a_list_that_expires_in_its_middle_is_begun_anew() {
    let mut cluster = small();
    for number in 0..20 {
        let account = Object::service_account("shop", &format!("many-{number:02}"));
        cluster.create(account).unwrap();
    }
    let source = Source::of(cluster).await;
    source.server.limit_pages(Some(5));
    // The third page, and only that one.
    source.server.inject(FaultPlan::new(Fault::Expired).on("list serviceaccounts").at_call(3));
    let scanned = source.scan().await;
    scanned.complete("service-accounts");
    let many = scanned.names("service-account").into_iter().filter(|n| n.contains("many")).count();
    assert_eq!(many, 20);
}

#[tokio::test]
async fn pages_that_repeat_themselves_are_no_list() {
    let source = Source::of(small()).await;
    source.server.limit_pages(Some(2));
    source.server.inject(FaultPlan::new(Fault::RepeatedMarker).on("list serviceaccounts"));
    let scanned = source.scan().await;
    let error = scanned.error("service-accounts");
    assert!(matches!(error, ScanError::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn another_cluster_under_the_same_address_empties_nothing() {
    let source = Source::of(small()).await;
    let cx = source.context(Priority::Scan);
    let scope = headcount_sdk::Scope::new("kubernetes:another", "service-accounts");
    let mut sink = |made: headcount_sdk::Observation| panic!("recorded {}", made.id);
    let recorder = headcount_sdk::Recorder::new(scope.clone(), &mut sink);
    let outcome = source.connector.observe(&cx, &scope, recorder).await;
    assert!(matches!(outcome, Err(ScanError::Unavailable { .. })));
}

#[tokio::test]
async fn the_check_says_which_permission_is_missing_in_the_words_of_rbac() {
    let source = Source::reading(small(), with_secrets()).await;
    {
        let mut change = source.server.change();
        change.deny("list", "secrets");
        change.deny("watch", "pods");
        change.deny("get", "/.well-known/openid-configuration");
    }
    let probes = source.connector.check(&source.context(Priority::Scan)).await;
    let mut missing: Vec<&str> = probes
        .iter()
        .filter_map(|probe| match &probe.outcome {
            ProbeOutcome::Failed(error) => Some(denied(error)),
            ProbeOutcome::Granted | ProbeOutcome::NotTried(_) => None,
        })
        .collect();
    missing.sort_unstable();
    assert_eq!(missing, ["get /.well-known/openid-configuration", "list secrets", "watch pods"]);
    let place = source.place();
    assert!(probes.iter().all(|probe| probe.place == place));
    let granted = probes.iter().filter(|probe| probe.outcome == ProbeOutcome::Granted).count();
    assert_eq!(granted, 5 + 32 - 4, "{probes:?}");
}

#[tokio::test]
async fn an_unchanged_cluster_costs_one_call_per_kind() {
    let source = Source::of(Cluster::empty(3)).await;
    source.scan().await;
    let calls = source.server.calls();
    let lists: u64 =
        calls.iter().filter(|(_, name, _)| name.starts_with("list ")).map(|(_, _, n)| n).sum();
    assert_eq!(lists, 15);
    assert!(calls.total() <= 15 + 9, "{calls:?}");
}
