//! Seeded clusters: repeatable, complete in shapes, readable by the vendor's types.

use std::collections::BTreeSet;
use std::fmt::Debug;

use headcount_simulator::kubernetes::{
    Body, Cluster, ClusterServer, Object, Resource, Setup, Size, Subject,
};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use super::client::{http, started};

/// What the vendor's types make of a collection must be what the cluster holds.
async fn parses<K>(server: &ClusterServer, client: &Client, resource: Resource)
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + serde::de::DeserializeOwned,
{
    assert_eq!((&*K::kind(&()), &*K::plural(&())), (resource.kind(), resource.plural()));
    assert_eq!(K::api_version(&()), resource.api_version());
    let read = Api::<K>::all(client.clone()).list(&ListParams::default().limit(0)).await.unwrap();
    let uids: BTreeSet<String> = read.items.iter().filter_map(ResourceExt::uid).collect();
    let truth: BTreeSet<String> = server
        .read(|cluster| cluster.all(resource).map(|object| object.uid().to_string()).collect());
    assert_eq!(uids, truth, "{resource}");
    assert!(!uids.is_empty(), "there are no {resource}");
}

#[tokio::test]
async fn every_kind_is_there_and_reads_as_the_vendors_own() {
    let (server, client) = started(Cluster::seeded(7, Size::default())).await;
    let (server, client) = (&server, &client);
    parses::<Namespace>(server, client, Resource::Namespaces).await;
    parses::<ServiceAccount>(server, client, Resource::ServiceAccounts).await;
    parses::<ConfigMap>(server, client, Resource::ConfigMaps).await;
    parses::<Pod>(server, client, Resource::Pods).await;
    parses::<Deployment>(server, client, Resource::Deployments).await;
    parses::<StatefulSet>(server, client, Resource::StatefulSets).await;
    parses::<DaemonSet>(server, client, Resource::DaemonSets).await;
    parses::<ReplicaSet>(server, client, Resource::ReplicaSets).await;
    parses::<Job>(server, client, Resource::Jobs).await;
    parses::<CronJob>(server, client, Resource::CronJobs).await;
    parses::<Role>(server, client, Resource::Roles).await;
    parses::<ClusterRole>(server, client, Resource::ClusterRoles).await;
    parses::<RoleBinding>(server, client, Resource::RoleBindings).await;
    parses::<ClusterRoleBinding>(server, client, Resource::ClusterRoleBindings).await;
    parses::<CertificateSigningRequest>(server, client, Resource::CertificateSigningRequests).await;
    let kind = ApiResource {
        group: "certificates.k8s.io".to_owned(),
        version: "v1beta1".to_owned(),
        api_version: "certificates.k8s.io/v1beta1".to_owned(),
        kind: "PodCertificateRequest".to_owned(),
        plural: "podcertificaterequests".to_owned(),
    };
    let requests: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    let read = requests.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(read.len(), 2);
    let uid = &read[0].data["spec"]["serviceAccountUID"];
    let accounts: Api<ServiceAccount> =
        Api::namespaced(client.clone(), &read[0].namespace().unwrap());
    let name = read[0].data["spec"]["serviceAccountName"].as_str().unwrap();
    assert_eq!(accounts.get(name).await.unwrap().uid().as_deref(), uid.as_str());
}

/// Everything as it goes over the wire.
async fn dump(cluster: Cluster) -> Vec<String> {
    let (_server, client) = started(cluster).await;
    let mut texts = Vec::new();
    for resource in Resource::ALL {
        let path = match resource.group() {
            "" => format!("/api/v1/{resource}"),
            _ => format!("/apis/{}/{resource}", resource.api_version()),
        };
        texts.push(client.request_text(http(&path, "application/json")).await.unwrap());
    }
    texts
}

#[tokio::test]
async fn same_seed_makes_the_same_cluster_and_another_makes_another() {
    let size = Size::default();
    let first = dump(Cluster::seeded(7, size)).await;
    assert_eq!(first, dump(Cluster::seeded(7, size)).await);
    assert_ne!(first, dump(Cluster::seeded(8, size)).await);
    for text in &first {
        serde_json::from_str::<Value>(text).unwrap();
    }
}

fn any(cluster: &Cluster, resource: Resource, is: impl Fn(&Object) -> bool) -> usize {
    cluster.all(resource).filter(|object| is(object)).count()
}

#[test]
fn every_shape_that_a_reader_must_tell_apart_is_there() {
    let arn = "arn:aws:iam::111122223333:role/from-outside";
    let setup = Setup { role_arns: vec![arn.to_owned()], ..Setup::new(3) };
    let cluster = Cluster::seeded_in(&setup, Size::default());
    let accounts = Resource::ServiceAccounts;
    assert_eq!(cluster.count(accounts), 45 + 7 + 3 + 2, "with the default and system ones");
    assert_eq!(cluster.count(Resource::Pods), 80);
    let annotated = |key: &'static str| {
        any(&cluster, accounts, |account| account.annotation_value(key).is_some())
    };
    for key in [
        "owner",
        "argocd.argoproj.io/tracking-id",
        "meta.helm.sh/release-name",
        "iam.gke.io/gcp-service-account",
        "azure.workload.identity/client-id",
    ] {
        assert!(annotated(key) > 0, "no {key}");
    }
    let role =
        |account: &Object| account.annotation_value("eks.amazonaws.com/role-arn") == Some(arn);
    assert!(any(&cluster, accounts, role) >= 8);
    for key in ["team", "backstage.io/kubernetes-id", "kustomize.toolkit.fluxcd.io/name"] {
        assert!(any(&cluster, accounts, |one| one.label_value(key).is_some()) > 0, "no {key}");
    }
    let tokens = |secret: &Object| matches!(&secret.body, Body::Secret { kind } if &**kind == "kubernetes.io/service-account-token");
    assert!(any(&cluster, Resource::Secrets, tokens) >= 4);
    let invalid = "kubernetes.io/legacy-token-invalid-since";
    assert!(any(&cluster, Resource::Secrets, |one| one.label_value(invalid).is_some()) > 0);
}

#[test]
fn pods_lead_to_their_controllers_and_some_to_none() {
    let cluster = Cluster::seeded(3, Size::default());
    let owner = |pod: &Object| pod.owners().first().map(|owner| owner.kind.to_string());
    let kinds: BTreeSet<_> = cluster.all(Resource::Pods).map(owner).collect();
    let expected =
        ["DaemonSet", "Job", "Node", "RayCluster", "ReplicaSet", "StatefulSet"].map(String::from);
    let expected: BTreeSet<_> = expected.into_iter().map(Some).chain([None]).collect();
    assert_eq!(kinds, expected);
    for set in cluster.all(Resource::ReplicaSets) {
        let owner = &set.owners()[0];
        let deployment = cluster.get(Resource::Deployments, set.namespace(), &owner.name).unwrap();
        assert_eq!(deployment.uid(), owner.uid);
    }
    let from_cron = |job: &Object| job.owners().iter().any(|owner| &*owner.kind == "CronJob");
    assert!(any(&cluster, Resource::Jobs, from_cron) > 0);
    for pod in cluster.all(Resource::Pods) {
        let account = pod.template().unwrap().service_account.as_deref().unwrap_or("default");
        let account = cluster.get(Resource::ServiceAccounts, pod.namespace(), account);
        assert!(account.is_some(), "{} runs as an account that is not there", pod.name());
    }
}

#[test]
fn some_bindings_are_for_groups_and_some_for_nobody_that_exists() {
    let cluster = Cluster::seeded(3, Size::default());
    let subjects = || {
        let bindings = cluster.all(Resource::RoleBindings);
        let bindings = bindings.chain(cluster.all(Resource::ClusterRoleBindings));
        bindings.filter_map(|binding| match &binding.body {
            Body::Binding(binding) => Some(&binding.subjects),
            _ => None,
        })
    };
    assert!(subjects().any(Vec::is_empty));
    let mut groups = BTreeSet::new();
    let (mut bound, mut dangling) = (0, 0);
    for subject in subjects().flatten() {
        match subject {
            Subject::Group(name) => drop(groups.insert(&**name)),
            Subject::ServiceAccount { namespace, name } => {
                match cluster.get(Resource::ServiceAccounts, namespace, name) {
                    Some(_) => bound += 1,
                    None => dangling += 1,
                }
            }
            Subject::User(_) => {}
        }
    }
    for group in ["system:serviceaccounts", "system:authenticated", "system:unauthenticated"] {
        assert!(groups.contains(group), "{group} is not bound");
    }
    assert!(groups.iter().any(|group| group.starts_with("system:serviceaccounts:")));
    assert_eq!((bound > 20, dangling), (true, 2));
}

#[test]
fn what_goes_takes_along_what_a_real_cluster_would() {
    let mut cluster = Cluster::seeded(3, Size::default());
    let deployment = cluster.all(Resource::Deployments).next().unwrap().clone();
    let (sets, pods) = (cluster.count(Resource::ReplicaSets), cluster.count(Resource::Pods));
    cluster.delete(Resource::Deployments, deployment.namespace(), deployment.name()).unwrap();
    assert_eq!(cluster.count(Resource::ReplicaSets), sets - 2);
    assert_eq!(cluster.count(Resource::Pods), pods - 3);
    let again = deployment.name();
    cluster.delete(Resource::Deployments, deployment.namespace(), again).unwrap_err();
    let token =
        |secret: &&Object| secret.annotation_value("kubernetes.io/service-account.uid").is_some();
    let token = cluster.all(Resource::Secrets).find(token).unwrap().clone();
    let account = token.annotation_value("kubernetes.io/service-account.name").unwrap();
    let before = cluster.get(Resource::ServiceAccounts, token.namespace(), account).unwrap().uid();
    let after = cluster.recreate(Resource::ServiceAccounts, token.namespace(), account).unwrap();
    assert_ne!(before, after);
    assert!(cluster.get(Resource::Secrets, token.namespace(), token.name()).is_none());
    cluster.delete(Resource::Namespaces, "", token.namespace()).unwrap();
    for resource in Resource::ALL {
        assert_eq!(any(&cluster, resource, |one| one.namespace() == token.namespace()), 0);
    }
}
