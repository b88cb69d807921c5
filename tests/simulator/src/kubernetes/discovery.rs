//! What the API says about itself: version, groups, resources, the issuer of its tokens.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::resource::Resource;

/// Groups in the order in which API servers name them.
const GROUPS: [&str; 4] = ["apps", "batch", "certificates.k8s.io", "rbac.authorization.k8s.io"];

pub(crate) fn version() -> Value {
    json!({
        "major": "1",
        "minor": "35",
        "gitVersion": "v1.35.0",
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2025-12-17T00:00:00Z",
        "goVersion": "go1.25.5",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

/// The document that relying parties read, served to whoever may get its path.
pub(crate) fn open_id(cluster: &Cluster) -> Value {
    json!({
        "issuer": cluster.issuer,
        "jwks_uri": format!("{}/keys", cluster.issuer),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}

pub(crate) fn core_versions() -> Value {
    json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
}

pub(crate) fn groups(cluster: &Cluster) -> Value {
    let groups: Vec<Value> = GROUPS.iter().filter_map(|group| group_of(cluster, group)).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

pub(crate) fn group(cluster: &Cluster, group: &str) -> Option<Value> {
    let mut found = group_of(cluster, group)?;
    found["kind"] = json!("APIGroup");
    found["apiVersion"] = json!("v1");
    Some(found)
}

fn group_of(cluster: &Cluster, group: &str) -> Option<Value> {
    let entries: Vec<Value> = versions(cluster, group)
        .into_iter()
        .map(|version| json!({ "groupVersion": format!("{group}/{version}"), "version": version }))
        .collect();
    let preferred = entries.first()?.clone();
    Some(json!({ "name": group, "versions": entries, "preferredVersion": preferred }))
}

/// The resources of a group version; `None` when it is not served.
pub(crate) fn resources(cluster: &Cluster, group: &str, version: &str) -> Option<Value> {
    let served = served(cluster, group, version);
    let first = served.first()?;
    let resources = served.iter().map(|resource| {
        json!({
            "name": resource.plural(),
            "singularName": resource.kind().to_lowercase(),
            "namespaced": resource.is_namespaced(),
            "kind": resource.kind(),
            "verbs": VERBS,
        })
    });
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": first.api_version_in(version),
        "resources": resources.collect::<Vec<_>>(),
    }))
}

/// All of `/api` or `/apis` in one answer.
pub(crate) fn aggregated(cluster: &Cluster, is_core: bool) -> Value {
    let groups: &[&str] = if is_core { &[""] } else { &GROUPS };
    let items: Vec<Value> = groups
        .iter()
        .map(|group| {
            let versions: Vec<Value> = versions(cluster, group)
                .into_iter()
                .map(|version| aggregated_version(cluster, group, version))
                .collect();
            json!({ "metadata": { "name": group }, "versions": versions })
        })
        .filter(|group| group["versions"] != json!([]))
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    })
}

fn aggregated_version(cluster: &Cluster, group: &str, version: &str) -> Value {
    let resources = served(cluster, group, version).into_iter().map(|resource| {
        json!({
            "resource": resource.plural(),
            "responseKind": { "group": "", "version": "", "kind": resource.kind() },
            "scope": if resource.is_namespaced() { "Namespaced" } else { "Cluster" },
            "singularResource": resource.kind().to_lowercase(),
            "verbs": VERBS,
        })
    });
    json!({
        "version": version,
        "freshness": "Current",
        "resources": resources.collect::<Vec<_>>(),
    })
}

const VERBS: [&str; 8] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

fn served(cluster: &Cluster, group: &str, version: &str) -> Vec<Resource> {
    let of = |resource: &Resource| {
        resource.group() == group && cluster.served_version(*resource) == Some(version)
    };
    Resource::ALL.into_iter().filter(of).collect()
}

/// The served versions of a group, the preferred one first.
fn versions(cluster: &Cluster, group: &str) -> Vec<&'static str> {
    let mut versions = Vec::new();
    for resource in Resource::ALL.into_iter().filter(|one| one.group() == group) {
        if let Some(version) = cluster.served_version(resource)
            && !versions.contains(&version)
        {
            versions.push(version);
        }
    }
    versions
}
