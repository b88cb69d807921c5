//! What is recorded of a small cluster, and what is not.

use headcount_kubernetes::Config;
use headcount_sdk::{
    Connector as _, Endpoint, Expiry, Level, LinkKind, OwnerBasis, Priority, Status, Usage,
};
use headcount_simulator::kubernetes::{
    Cluster, MARKED_SECRET, Object, Owner, PodTemplate, Request, Resource, RoleRef, Rule, Subject,
};

use crate::support::{Scanned, Source, with_secrets};

const ROLE: &str = "arn:aws:iam::123456789012:role/shop-web";
const TRACKING: &str = "kube-apiserver-legacy-service-account-token-tracking";

/// One of everything.
pub fn small() -> Cluster {
    let mut cluster = Cluster::empty(7);
    let shop = Object::new_namespace("shop").label("team", "payments");
    cluster.create(shop).unwrap();
    accounts(&mut cluster);
    powers(&mut cluster);
    workloads(&mut cluster);
    credentials(&mut cluster);
    cluster
}

fn accounts(cluster: &mut Cluster) {
    let web = Object::service_account("shop", "web")
        .label("app.kubernetes.io/part-of", "storefront")
        .annotation("eks.amazonaws.com/role-arn", ROLE)
        .pulling_with("registry");
    let ci = Object::service_account("shop", "ci")
        .annotation("owner", "ana@example.com")
        .automounting(false);
    let partner = Object::service_account("shop", "partner");
    for account in [web, ci, partner, Object::service_account("shop", "idle")] {
        cluster.create(account).unwrap();
    }
}

fn powers(cluster: &mut Cluster) {
    let everything = Rule::new(&["*"], &["*"], &["*"]);
    cluster.create(Object::cluster_role("all-powerful", &[everything])).unwrap();
    let pods = Rule::new(&[""], &["pods"], &["get", "list"]);
    cluster.create(Object::role("shop", "reader", &[pods])).unwrap();
    let ci = Subject::account("shop", "ci");
    let all = RoleRef::cluster_role("all-powerful");
    cluster.create(Object::cluster_role_binding("ci-admin", all, &[ci])).unwrap();
    let to = [
        Subject::account("shop", "web"),
        Subject::account("shop", "ghost"),
        Subject::account("shop", "default"),
        Subject::group("system:serviceaccounts:shop"),
        Subject::user("ana@example.com"),
        Subject::group("staff"),
    ];
    let reader = RoleRef::role("reader");
    cluster.create(Object::role_binding("shop", "readers", reader, &to)).unwrap();
}

fn workloads(cluster: &mut Cluster) {
    let template = PodTemplate::running_as("web").pulling_with("extra");
    let web = Object::workload(Resource::Deployments, "shop", "web", template.clone())
        .annotation("meta.helm.sh/release-name", "storefront");
    cluster.create(web).unwrap();
    let web = cluster.get(Resource::Deployments, "shop", "web").unwrap().clone();
    let set = Object::workload(Resource::ReplicaSets, "shop", "web-1", template.clone());
    cluster.create(set.owned_by(&web)).unwrap();
    let set = cluster.get(Resource::ReplicaSets, "shop", "web-1").unwrap().clone();
    cluster.create(Object::pod("shop", "web-1-abc", template).owned_by(&set)).unwrap();
    cluster.create(Object::cron_job("shop", "nightly", PodTemplate::running_as("ci"))).unwrap();
    let operator = Owner {
        api_version: "kafka.example.com/v1".into(),
        kind: "Broker".into(),
        name: "main".into(),
        uid: web.uid(),
    };
    let operator = Owner { uid: fresh_uid(cluster), ..operator };
    let pod = Object::pod("shop", "main-0", PodTemplate::running_as("ghost"));
    cluster.create(pod.controlled_by(operator)).unwrap();
}

/// A uid that nothing else has.
fn fresh_uid(cluster: &mut Cluster) -> headcount_simulator::kubernetes::Uid {
    let uid = cluster.create(Object::config_map("shop", "gone", &[])).unwrap();
    cluster.delete(Resource::ConfigMaps, "shop", "gone").unwrap();
    uid
}

fn credentials(cluster: &mut Cluster) {
    let ci = cluster.get(Resource::ServiceAccounts, "shop", "ci").unwrap().clone();
    let tracking = Object::config_map("kube-system", TRACKING, &[("since", "2025-06-01")]);
    if cluster.get(Resource::ConfigMaps, "kube-system", TRACKING).is_none() {
        cluster.create(tracking).unwrap();
    }
    let used = Object::legacy_token("ci-used", &ci)
        .label("kubernetes.io/legacy-token-last-used", "2026-01-10");
    let invalid = Object::legacy_token("ci-invalid", &ci)
        .label("kubernetes.io/legacy-token-invalid-since", "2026-01-12");
    cluster.create(used).unwrap();
    let partner = cluster.get(Resource::ServiceAccounts, "shop", "partner").unwrap().clone();
    let token = Object::legacy_token("partner", &partner)
        .label("kubernetes.io/legacy-token-last-used", "2026-01-02");
    cluster.create(token).unwrap();
    cluster.create(invalid).unwrap();
    cluster.create(Object::secret("shop", "unrelated", "Opaque")).unwrap();
    let signer = "kubernetes.io/kube-apiserver-client";
    let request = Request::client(signer, "ana@example.com").lasting(3_600).approved();
    cluster.create(Object::certificate_request("ana", request)).unwrap();
    let pod = cluster.get(Resource::Pods, "shop", "web-1-abc").unwrap().clone();
    let web = cluster.get(Resource::ServiceAccounts, "shop", "web").unwrap().clone();
    let request = Object::pod_certificate_request("web-cert", &pod, &web, "example.com/mesh");
    cluster.create(request).unwrap();
}

async fn scanned() -> (Source, Scanned) {
    let source = Source::reading(small(), with_secrets()).await;
    let scanned = source.scan().await;
    (source, scanned)
}

#[tokio::test]
async fn accounts_say_what_they_may_do_and_who_runs_as_them() {
    let (source, scanned) = scanned().await;
    let web = scanned.named("service-account", "shop/web");
    assert_eq!(web.native, "system:serviceaccount:shop:web");
    assert_eq!(web.attributes["in_use"], "true");
    assert!(matches!(web.usage, Usage::LastUsed { resolution_secs: 86_400, .. }));
    let privilege = web.privilege.as_ref().unwrap();
    assert_eq!(privilege.level, Level::Read, "{}", privilege.reason);
    let issuer = source.server.read(|cluster| cluster.issuer().to_owned());
    assert_eq!(web.subjects[0].issuer, issuer.trim_end_matches('/'));
    assert_eq!(web.subjects[0].subject, web.native);
    let to = |place: &str, native: &str| Endpoint::Native {
        place: place.to_owned(),
        native: native.to_owned(),
    };
    assert_eq!(web.links[0].to, to("aws:123456789012", ROLE));
    assert_eq!(web.links[1].kind, LinkKind::Mounts);

    let ci = scanned.named("service-account", "shop/ci");
    let privilege = ci.privilege.as_ref().unwrap();
    assert_eq!(privilege.level, Level::Admin);
    assert!(privilege.reason.starts_with("ClusterRoleBinding ci-admin gives"));
    assert_eq!(ci.attributes["automount"], "false");

    let idle = scanned.named("service-account", "shop/idle");
    assert_eq!(idle.attributes["in_use"], "false");
    assert!(matches!(idle.usage, Usage::NotObservable { .. }));
    assert_eq!(idle.privilege.as_ref().unwrap().level, Level::Read, "by its group");
}

#[tokio::test]
async fn default_accounts_count_only_when_bound_or_used() {
    let (_source, scanned) = scanned().await;
    let names = scanned.names("service-account");
    assert!(names.contains("shop/default"), "it is bound");
    assert!(!names.contains("kube-system/default") && !names.contains("default/default"));
    assert_eq!(scanned.named("service-account", "shop/default").attributes["is_default"], "true");
}

#[tokio::test]
async fn grants_lead_to_their_accounts_or_to_nobody() {
    let (_source, scanned) = scanned().await;
    let names = scanned.names("role-binding");
    let to = |subject: &str| format!("shop/readers to {subject}");
    assert_eq!(names.len(), 4, "people and their groups are not recorded: {names:?}");
    let web = scanned.named("role-binding", &to("system:serviceaccount:shop:web"));
    let account = scanned.named("service-account", "shop/web");
    assert_eq!(web.parent.as_ref(), Some(&account.id));
    let ghost = scanned.named("role-binding", &to("system:serviceaccount:shop:ghost"));
    assert_eq!(ghost.parent, None);
    let native = "system:serviceaccount:shop:ghost".to_owned();
    assert_eq!(ghost.links[0].to, Endpoint::Dangling { native });
    let group = scanned.named("role-binding", &to("system:serviceaccounts:shop"));
    assert_eq!(group.attributes["group"], "system:serviceaccounts:shop");
    let admin = "ci-admin to system:serviceaccount:shop:ci";
    let admin = scanned.named("cluster-role-binding", admin);
    assert_eq!(admin.privilege.as_ref().unwrap().level, Level::Admin);
}

#[tokio::test]
async fn workloads_are_the_controllers_at_the_top() {
    let (_source, scanned) = scanned().await;
    let names = scanned.names("workload");
    assert_eq!(names, ["shop/main", "shop/nightly", "shop/web"].into());
    let web = scanned.named("workload", "shop/web");
    assert_eq!(web.attributes["controller"], "Deployment");
    assert_eq!(web.attributes["application"], "storefront");
    assert_eq!(web.attributes["automount"], "true");
    let id = scanned.named("service-account", "shop/web").id.clone();
    assert_eq!(web.links[0].to, Endpoint::Record { id });
    let nightly = scanned.named("workload", "shop/nightly");
    assert_eq!(nightly.attributes["automount"], "false", "the account says so");
    let broker = scanned.named("workload", "shop/main");
    assert_eq!(broker.attributes["controller"], "Broker");
    assert!(matches!(broker.links[0].to, Endpoint::Dangling { .. }));
}

#[tokio::test]
async fn what_a_namespace_says_is_inherited() {
    let (_source, scanned) = scanned().await;
    let claims = &scanned.named("service-account", "shop/web").owner_evidence;
    let inherited = claims.iter().find(|claim| claim.reference == "payments").unwrap();
    assert_eq!(inherited.basis, OwnerBasis::Container);
    assert_eq!(inherited.locator, "namespace shop label team");
    let claims = &scanned.named("service-account", "shop/ci").owner_evidence;
    assert_eq!(claims[0].reference, "ana@example.com");
    let claims = &scanned.named("workload", "shop/web").owner_evidence;
    assert_eq!(claims[0].basis, OwnerBasis::Stack);
}

#[tokio::test]
async fn pull_secrets_are_known_by_their_references() {
    let (_source, scanned) = scanned().await;
    assert_eq!(scanned.names("pull-secret"), ["shop/extra", "shop/registry"].into());
    let web = scanned.named("service-account", "shop/web");
    let id = scanned.named("pull-secret", "shop/registry").id.clone();
    assert!(web.links.iter().any(|link| link.to == Endpoint::Record { id: id.clone() }));
}

#[tokio::test]
async fn the_use_of_a_legacy_token_has_three_states() {
    let (source, scanned) = scanned().await;
    let used = scanned.named("service-account-token", "shop/ci-used");
    let Usage::LastUsed { at, resolution_secs: 86_400, .. } = &used.usage else {
        panic!("{:?}", used.usage)
    };
    assert_eq!(at.to_string(), "2026-01-10T00:00:00Z");
    assert_eq!(used.expiry, Expiry::Never);
    assert_eq!(used.parent, Some(scanned.named("service-account", "shop/ci").id.clone()));

    let never = scanned.named("service-account-token", "shop/ci-invalid");
    let Usage::NeverSince { tracking_start, .. } = &never.usage else {
        panic!("{:?}", never.usage)
    };
    assert_eq!(Some(*tracking_start), never.created_at, "it is younger than the tracking");
    assert_eq!(never.status, Status::Disabled);
    assert_eq!(never.attributes["invalid_since"], "2026-01-12");

    source.server.change().deny("get", "configmaps");
    let scanned = source.scan().await;
    let unknown = scanned.named("service-account-token", "shop/ci-invalid");
    assert!(matches!(unknown.usage, Usage::NotObservable { .. }));
    assert_eq!(unknown.unread["usage"], "get configmaps");
    let used = scanned.named("service-account-token", "shop/ci-used");
    assert!(matches!(used.usage, Usage::LastUsed { .. }) && !used.unread.contains_key("usage"));
}

#[tokio::test]
async fn an_account_was_used_when_its_legacy_token_was() {
    let (source, scanned) = scanned().await;
    let partner = scanned.named("service-account", "shop/partner");
    let Usage::LastUsed { at, .. } = &partner.usage else { panic!("{:?}", partner.usage) };
    assert_eq!(at.to_string(), "2026-01-02T00:00:00Z");
    assert_eq!(partner.attributes["in_use"], "false", "no workload runs as it");

    source.server.change().deny("list", "secrets");
    let scanned = source.scan().await;
    assert_eq!(scanned.complete("service-accounts").degradations()[0].field, "usage");
    let partner = scanned.named("service-account", "shop/partner");
    assert_eq!(partner.unread["usage"], "list secrets");
    let web = scanned.named("service-account", "shop/web");
    assert!(!web.unread.contains_key("usage"), "its workload is enough");
}

#[tokio::test]
async fn requests_are_recorded_with_who_asked() {
    let (_source, scanned) = scanned().await;
    let ana = scanned.named("certificate-request", "ana");
    assert_eq!(ana.status, Status::Active);
    assert_eq!(ana.attributes["requester"], "ana@example.com");
    assert_eq!(ana.attributes["requested_seconds"], "3600");
    let pod = scanned.named("pod-certificate-request", "shop/web-cert");
    assert_eq!(pod.parent, Some(scanned.named("service-account", "shop/web").id.clone()));
    assert_eq!(pod.attributes["signer"], "example.com/mesh");
}

#[tokio::test]
async fn without_the_opt_in_no_secret_is_asked_for() {
    let source = Source::reading(small(), Config::default()).await;
    let scanned = source.scan().await;
    assert!(!scanned.outcomes.contains_key("token-secrets"));
    let cx = source.context(Priority::Scan);
    assert!(!source.connector.check(&cx).await.is_empty());
    let calls = source.server.calls();
    assert_eq!(calls.of("list secrets") + calls.of("watch secrets"), 0);
    assert_eq!(calls.of("get configmaps"), 0);
}

#[tokio::test]
async fn with_the_opt_in_no_value_of_a_secret_is_sent() {
    let (source, scanned) = scanned().await;
    assert_eq!(source.server.calls().of("list secrets"), 1);
    for record in scanned.records.values() {
        let text = serde_json::to_string(record).unwrap();
        assert!(!text.contains(MARKED_SECRET), "{}", record.id);
    }
    assert_eq!(scanned.names("service-account-token").len(), 3, "others are not selected");
}
