//! What the API says about itself, and what it refuses.

use headcount_simulator::kubernetes::{BEARER, Cluster, Resource, Size};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{ListParams, PostParams};
use kube::{Api, Discovery};
use serde_json::Value;

use super::client::{http, started, status};

const POD_CERTIFICATES: &str = "certificates.k8s.io/v1beta1";

#[tokio::test]
async fn discovery_names_every_resource_in_both_forms() {
    let (server, client) = started(Cluster::empty(1)).await;
    let old = Discovery::new(client.clone()).run().await.unwrap();
    let new = Discovery::new(client.clone()).run_aggregated().await.unwrap();
    for discovery in [old, new] {
        for resource in Resource::ALL {
            let group = discovery.get(resource.group()).unwrap();
            let found = group.versioned_resources(resource.version());
            let found = found.iter().find(|(one, _)| one.plural == resource.plural());
            assert_eq!(found.unwrap().0.kind, resource.kind());
        }
    }
    assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.35.0");
    server.change().without_aggregated_discovery();
    let groups = client.list_api_groups().await.unwrap().groups;
    assert_eq!(groups.len(), 4);
}

#[tokio::test]
async fn absent_group_is_neither_named_nor_served() {
    let (server, client) = started(Cluster::empty(1)).await;
    server.change().without_group(POD_CERTIFICATES);
    let groups = client.list_api_groups().await.unwrap().groups;
    let group = groups.iter().find(|group| group.name == "certificates.k8s.io").unwrap();
    let versions: Vec<_> = group.versions.iter().map(|version| &*version.version).collect();
    assert_eq!(versions, ["v1"]);
    assert!(client.list_api_group_resources(POD_CERTIFICATES).await.is_err());
    let path = format!("/apis/{POD_CERTIFICATES}/podcertificaterequests");
    let absent = client.request_text(http(&path, "application/json")).await;
    assert_eq!(status(absent).0, 404);
    server.change().with_group(POD_CERTIFICATES);
    let list = client.request_text(http(&path, "application/json")).await.unwrap();
    assert!(list.starts_with("{\"kind\":\"PodCertificateRequestList\""));
}

#[tokio::test]
async fn pod_certificates_are_served_in_one_version_at_a_time() {
    let (server, client) = started(Cluster::seeded(1, Size::default())).await;
    let plural = "podcertificaterequests";
    for served in ["v1alpha1", "v1beta1", "v1"] {
        server.change().serve_pod_certificates_in(served);
        for asked in ["v1alpha1", "v1beta1", "v1"] {
            let version = format!("certificates.k8s.io/{asked}");
            let path = format!("/apis/{version}/{plural}");
            let list = client.request_text(http(&path, "application/json")).await;
            let list = list.map(|text| serde_json::from_str::<Value>(&text).unwrap());
            let named = client.list_api_group_resources(&version).await;
            let is_named =
                named.is_ok_and(|list| list.resources.iter().any(|one| one.name == plural));
            assert_eq!(is_named, asked == served, "{asked} of {served}");
            match list {
                Ok(list) => assert_eq!((asked, &list["apiVersion"]), (served, &version.into())),
                Err(error) => {
                    assert_eq!((asked != served, status::<()>(Err(error)).0), (true, 404))
                }
            }
        }
    }
}

#[tokio::test]
async fn issuer_is_told_to_who_may_know_it() {
    let (server, client) = started(Cluster::empty(1)).await;
    let path = "/.well-known/openid-configuration";
    let text = client.request_text(http(path, "*/*")).await.unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let issuer = document["issuer"].as_str().unwrap();
    assert!(issuer.starts_with("https://oidc.eks.") && !issuer.ends_with('/'), "{issuer}");
    assert_eq!(server.read(|cluster| cluster.issuer().to_owned()), issuer);
    server.change().deny("get", path);
    assert_eq!(status(client.request_text(http(path, "*/*")).await), (403, "Forbidden".to_owned()));
    assert_eq!(server.calls().of("get /.well-known/openid-configuration"), 2);
}

#[tokio::test]
async fn denial_names_verb_resource_and_group_and_hides_nothing_else() {
    let (server, client) = started(Cluster::empty(1)).await;
    server.change().deny("list", "pods");
    let pods: Api<Pod> = Api::all(client.clone());
    let Err(kube::Error::Api(denied)) = pods.list(&ListParams::default()).await else {
        panic!("not denied")
    };
    assert!(denied.is_forbidden());
    assert!(denied.message.contains("cannot list resource \"pods\" in API group \"\""));
    assert!(!denied.message.contains(BEARER));
    let accounts: Api<ServiceAccount> = Api::all(client);
    assert_eq!(accounts.list(&ListParams::default()).await.unwrap().items.len(), 3);
    server.change().allow("list", "pods");
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 0);
}

#[tokio::test]
async fn nothing_is_written_and_every_attempt_is_counted() {
    let (server, client) = started(Cluster::empty(1)).await;
    let accounts: Api<ServiceAccount> = Api::namespaced(client, "default");
    let made = accounts.create(&PostParams::default(), &ServiceAccount::default()).await;
    assert_eq!(status(made).0, 405);
    let gone = accounts.delete("default", &Default::default()).await;
    assert_eq!(status(gone.map(drop)).0, 405);
    let calls = server.calls();
    assert_eq!(calls.actions(), ["create serviceaccounts", "delete serviceaccounts"]);
}

#[tokio::test]
async fn protobuf_is_not_spoken() {
    let (_server, client) = started(Cluster::empty(1)).await;
    let path = "/api/v1/pods";
    let protobuf = client.request_text(http(path, "application/vnd.kubernetes.protobuf")).await;
    assert_eq!(status(protobuf), (406, "NotAcceptable".to_owned()));
    let either = "application/vnd.kubernetes.protobuf,application/json";
    client.request_text(http(path, either)).await.unwrap();
}
