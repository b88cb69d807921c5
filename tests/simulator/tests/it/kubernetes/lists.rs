//! Lists: pages in one snapshot, selectors, forms, single objects.

use headcount_simulator::kubernetes::{
    Cluster, ClusterServer, MARKED_SECRET, MARKED_SECRET_BASE64, Object, PodTemplate, Resource,
};
use k8s_openapi::api::core::v1::{Pod, Secret, ServiceAccount};
use kube::api::ListParams;
use kube::core::metadata::PartialObjectMeta;
use kube::{Api, Client, ResourceExt};

use super::client::{http, started, status};

/// Ten accounts `a0` to `a9` in `payments`, beside the `default` ones.
fn cluster() -> Cluster {
    let mut cluster = Cluster::empty(1);
    cluster.create(Object::new_namespace("payments")).unwrap();
    for n in 0..10 {
        cluster.create(Object::service_account("payments", &format!("a{n}"))).unwrap();
    }
    cluster
}

async fn all(client: &Client, limit: u32) -> Vec<Vec<String>> {
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), "payments");
    let mut pages = Vec::new();
    let mut params = ListParams::default().limit(limit);
    loop {
        let page = api.list(&params).await.unwrap();
        pages.push(page.items.iter().map(ResourceExt::name_any).collect());
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn pages_hold_as_many_as_asked_and_together_everything() {
    let (server, client) = started(cluster()).await;
    assert_eq!(all(&client, 100).await.concat().len(), 11);
    let pages = all(&client, 4).await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 3]);
    assert_eq!(pages.concat().first().unwrap(), "a0");
    server.limit_pages(Some(2));
    assert_eq!(all(&client, 4).await.len(), 6);
    assert_eq!(server.calls().of("list serviceaccounts"), 1 + 3 + 6);
}

#[tokio::test]
async fn later_pages_show_what_was_there_at_the_first() {
    let (server, client) = started(cluster()).await;
    let api: Api<ServiceAccount> = Api::all(client);
    let first = api.list(&ListParams::default().limit(5)).await.unwrap();
    assert_eq!(first.metadata.remaining_item_count, Some(9));
    {
        let mut change = server.change();
        change.delete(Resource::ServiceAccounts, "payments", "a9").unwrap();
        change.recreate(Resource::ServiceAccounts, "payments", "a8").unwrap();
        change.create(Object::service_account("payments", "a55")).unwrap();
    }
    let token = first.metadata.continue_.unwrap();
    let rest = api.list(&ListParams::default().limit(50).continue_token(&token)).await.unwrap();
    let names: Vec<_> = rest.items.iter().map(ResourceExt::name_any).collect();
    assert_eq!(names, ["a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9", "default"]);
    assert_eq!(rest.metadata.resource_version, first.metadata.resource_version);
    let old = rest.items[6].uid().unwrap();
    let now = server.read(|cluster| {
        cluster.get(Resource::ServiceAccounts, "payments", "a8").unwrap().uid().to_string()
    });
    assert_ne!(old, now, "the page shows the account that was re-created");
}

#[tokio::test]
async fn forgotten_snapshot_refuses_its_token_and_offers_to_go_on() {
    let (server, client) = started(cluster()).await;
    let api: Api<ServiceAccount> = Api::all(client);
    let first = api.list(&ListParams::default().limit(5)).await.unwrap();
    let token = first.metadata.continue_.unwrap();
    {
        let mut change = server.change();
        change.delete(Resource::ServiceAccounts, "payments", "a9").unwrap();
        change.expire_history();
    }
    let next = ListParams::default().limit(50).continue_token(&token);
    let Err(kube::Error::Api(expired)) = api.list(&next).await else { panic!("not refused") };
    assert_eq!((expired.code, expired.reason.as_str()), (410, "Expired"));
    let token = expired.metadata.unwrap().continue_.unwrap();
    let rest = api.list(&ListParams::default().limit(50).continue_token(&token)).await.unwrap();
    assert_eq!(rest.items.len(), 8);
}

#[tokio::test]
async fn tokens_work_only_for_the_list_they_were_made_for() {
    let (_server, client) = started(cluster()).await;
    let api: Api<ServiceAccount> = Api::all(client.clone());
    let token = api.list(&ListParams::default().limit(5)).await.unwrap().metadata.continue_;
    let elsewhere: Api<Pod> = Api::all(client);
    for token in [token.unwrap().as_str(), "made-up"] {
        let next = ListParams::default().limit(5).continue_token(token);
        assert_eq!(status(elsewhere.list(&next).await), (400, "BadRequest".to_owned()));
    }
}

#[tokio::test]
async fn selectors_choose_and_unknown_fields_are_refused() {
    let mut cluster = cluster();
    cluster.create(Object::service_account("default", "labelled").label("team", "search")).unwrap();
    let account = cluster.get(Resource::ServiceAccounts, "default", "labelled").unwrap().clone();
    cluster.create(Object::legacy_token("old", &account)).unwrap();
    cluster.create(Object::secret("default", "pull", "kubernetes.io/dockerconfigjson")).unwrap();
    let (_server, client) = started(cluster).await;
    let accounts: Api<ServiceAccount> = Api::all(client.clone());
    let secrets: Api<PartialObjectMeta<Secret>> = Api::all(client);
    let labelled = accounts.list(&ListParams::default().labels("team=search")).await.unwrap();
    assert_eq!(labelled.items.len(), 1);
    let named = ListParams::default().fields("metadata.name=a3,metadata.namespace=payments");
    assert_eq!(accounts.list(&named).await.unwrap().items.len(), 1);
    let of_type = ListParams::default().fields("type=kubernetes.io/service-account-token");
    let tokens = secrets.list(&of_type).await.unwrap().items;
    assert_eq!(tokens.iter().map(ResourceExt::name_any).collect::<Vec<_>>(), ["old"]);
    let annotations = tokens[0].annotations();
    assert_eq!(annotations["kubernetes.io/service-account.uid"], account.uid().to_string());
    let unknown = accounts.list(&ListParams::default().fields("spec.colour=red")).await;
    assert_eq!(status(unknown), (400, "BadRequest".to_owned()));
}

#[tokio::test]
async fn only_who_asks_for_whole_secrets_gets_the_mark() {
    let mut cluster = cluster();
    cluster.create(Object::secret("payments", "s", "Opaque")).unwrap();
    let (_server, client) = started(cluster).await;
    let whole: Api<Secret> = Api::all(client.clone());
    let read = whole.list(&ListParams::default()).await.unwrap();
    let value = &read.items[0].data.as_ref().unwrap()["value"];
    assert_eq!(value.0, MARKED_SECRET.as_bytes());
    let metadata: Api<PartialObjectMeta<Secret>> = Api::all(client.clone());
    let read = metadata.list(&ListParams::default()).await.unwrap();
    assert_eq!(read.items[0].name_any(), "s");
    let request = http("/api/v1/secrets", "application/json;as=PartialObjectMetadataList");
    let text = client.request_text(request).await.unwrap();
    assert!(text.contains("\"s\"") && !text.contains(MARKED_SECRET_BASE64), "{text}");
    assert!(!text.contains("\"data\""), "{text}");
}

#[tokio::test]
async fn single_objects_are_found_by_name_or_not_at_all() {
    let mut cluster = cluster();
    let template = PodTemplate::running_as("a1").label("app", "api").token_for("vault", 3600);
    let deployment = Object::workload(Resource::Deployments, "payments", "api", template.clone());
    cluster.create(deployment).unwrap();
    let owner = cluster.get(Resource::Deployments, "payments", "api").unwrap().clone();
    cluster.create(Object::pod("payments", "api-1", template).owned_by(&owner)).unwrap();
    let (server, client) = started(cluster).await;
    let pods: Api<Pod> = Api::namespaced(client, "payments");
    let pod = pods.get("api-1").await.unwrap();
    let spec = pod.spec.as_ref().unwrap();
    assert_eq!(spec.service_account_name.as_deref(), Some("a1"));
    assert_eq!(pod.owner_references()[0].uid, owner.uid().to_string());
    assert_eq!(pod.labels()["app"], "api");
    assert_eq!(status(pods.get("api-2").await), (404, "NotFound".to_owned()));
    assert_eq!(server.calls().of("get pods"), 2);
}

#[tokio::test]
async fn whoever_brings_no_token_is_refused() {
    let server = ClusterServer::start(cluster()).await.unwrap();
    let config = kube::Config::new(server.url().parse().unwrap());
    let api: Api<ServiceAccount> = Api::all(Client::try_from(config).unwrap());
    let refused = api.list(&ListParams::default()).await;
    assert_eq!(status(refused), (401, "Unauthorized".to_owned()));
}
