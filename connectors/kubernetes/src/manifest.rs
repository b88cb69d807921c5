//! What the connector reads, calls and needs: the one list from which the ClusterRole and pages come.

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::manifest::{Caller, Kind, Manifest, Need, Operation, ScopeKind};
use headcount_sdk::model::Class;
use serde_json::{Value, json};

use crate::kinds;

pub(crate) const GET_CLUSTER: &str = "get namespaces";
pub(crate) const GET_GROUPS: &str = "get /apis";
pub(crate) const GET_VERSION: &str = "get /version";
pub(crate) const GET_ISSUER: &str = "get /.well-known/openid-configuration";
pub(crate) const GET_TRACKING: &str = "get configmaps";

/// Where the API server notes since when it records the use of legacy tokens.
pub(crate) const TRACKING: &str = "kube-apiserver-legacy-service-account-token-tracking";

/// Everything that can be said of the Kubernetes connector without calling a cluster.
pub static MANIFEST: Manifest = Manifest {
    connector: "kubernetes",
    title: "Kubernetes",
    about: "Service accounts of a cluster: what they may do, what runs as them, their tokens, \
            certificates and trusts in clouds.",
    kinds: KINDS,
    scopes: SCOPES,
    operations: OPERATIONS,
    call_budget: "Per scan of a cluster that is not watched: ⌈N/500⌉ calls for each of 15 kinds of \
                  objects, N being how many there are (16 with secrets), and at most 9 more. While \
                  the agent runs it lists once, then watches: an unchanged cluster costs one \
                  connection per kind every five minutes, and a scan at most 3 calls.",
    cannot_see: &[
        "Tokens that were asked for (TokenRequest): Kubernetes keeps no list of them.",
        "The use of a service account from outside of the cluster: only an audit log knows.",
        "Legacy tokens, unless `secret_metadata` is set; the secrets' values never.",
        "What a certificate says: only its request is read, and that is gone within a day. A \
         request that comes and goes between two scans is seen only while the agent runs.",
        "Whether a pull secret exists, and what is in it: it is known by its references.",
        "EKS Pod Identity, which stands in the EKS API, and whom an aws-auth ConfigMap lets in.",
        "Powers from authorisers other than RBAC, and what admission policies take away.",
        "People and their groups in role bindings; groups of service accounts are counted.",
        "The labels of controllers that are not part of Kubernetes; their pods are read.",
    ],
};

const KINDS: &[Kind] = &[
    Kind {
        name: "service-account",
        class: Class::Identity,
        about: "A service account; `default` ones only when bound or used.",
    },
    Kind {
        name: "role-binding",
        class: Class::Grant,
        about: "A role that a service account, or a group of them, holds in a namespace.",
    },
    Kind {
        name: "cluster-role-binding",
        class: Class::Grant,
        about: "A role that a service account, or a group of them, holds in the whole cluster.",
    },
    Kind {
        name: "workload",
        class: Class::Workload,
        about: "A controller, or a pod without one, and as whom it runs.",
    },
    Kind {
        name: "certificate-request",
        class: Class::Credential,
        about: "A CertificateSigningRequest, while it lives.",
    },
    Kind {
        name: "pod-certificate-request",
        class: Class::Credential,
        about: "A PodCertificateRequest, while it lives.",
    },
    Kind {
        name: "pull-secret",
        class: Class::Credential,
        about: "A registry credential, by reference.",
    },
    Kind {
        name: "service-account-token",
        class: Class::Credential,
        about: "A legacy token that never expires, from its secret's metadata.",
    },
];

/// The scope that is read only where it is asked for.
pub(crate) const TOKEN_SECRETS: &str = "token-secrets";

const SCOPES: &[ScopeKind] = &[
    ScopeKind { name: "service-accounts", about: "Service accounts", kinds: &["service-account"] },
    ScopeKind {
        name: "bindings",
        about: "Role bindings of service accounts and their groups",
        kinds: &["role-binding", "cluster-role-binding"],
    },
    ScopeKind { name: "workloads", about: "What runs as them", kinds: &["workload"] },
    ScopeKind {
        name: "certificate-requests",
        about: "Certificate requests",
        kinds: &["certificate-request"],
    },
    ScopeKind {
        name: "pod-certificate-requests",
        about: "Certificate requests of pods (1.34 and later)",
        kinds: &["pod-certificate-request"],
    },
    ScopeKind { name: "pull-secrets", about: "Pull secrets by reference", kinds: &["pull-secret"] },
    ScopeKind {
        name: TOKEN_SECRETS,
        about: "Legacy tokens, where `secret_metadata` is set",
        kinds: &["service-account-token"],
    },
];

const fn agent(name: &'static str, need: Need, why: &'static str) -> Operation {
    Operation { name, permission: name, need, caller: Caller::Agent, why }
}

/// The field that a permission to watch fills: without it nothing is missing, only later.
const EVENTS: Need = Need::Enrichment("events");
const RUNNERS: Need = Need::Scopes(&["workloads", "pull-secrets"]);
const WATCHED: &str = "to hear of changes within a second, and to list only once";

const OPERATIONS: &[Operation] = &[
    agent(GET_CLUSTER, Need::Access, "the uid of kube-system, which stands for the cluster"),
    Operation {
        caller: Caller::Free,
        ..agent(GET_GROUPS, Need::Access, "to learn what the API server has before asking for it")
    },
    Operation {
        caller: Caller::Free,
        ..agent(GET_VERSION, EVENTS, "to learn whether lists can be streamed")
    },
    agent(
        GET_ISSUER,
        Need::Enrichment("subjects"),
        "the issuer under which clouds know the service accounts",
    ),
    agent(
        GET_TRACKING,
        Need::Enrichment("usage"),
        "since when the use of legacy tokens is recorded; one ConfigMap by name",
    ),
    agent(
        "list serviceaccounts",
        Need::Scopes(&["service-accounts", "bindings", "workloads", "pull-secrets"]),
        "service accounts",
    ),
    agent("watch serviceaccounts", EVENTS, WATCHED),
    agent("list namespaces", Need::Scopes(&["pull-secrets"]), "owners that objects inherit"),
    agent("watch namespaces", EVENTS, WATCHED),
    agent("list pods", RUNNERS, "what runs now"),
    agent("watch pods", EVENTS, WATCHED),
    agent("list replicasets", RUNNERS, "the way from a pod to its deployment"),
    agent("watch replicasets", EVENTS, WATCHED),
    agent("list deployments", RUNNERS, "workloads"),
    agent("watch deployments", EVENTS, WATCHED),
    agent("list statefulsets", RUNNERS, "workloads"),
    agent("watch statefulsets", EVENTS, WATCHED),
    agent("list daemonsets", RUNNERS, "workloads"),
    agent("watch daemonsets", EVENTS, WATCHED),
    agent("list jobs", RUNNERS, "workloads"),
    agent("watch jobs", EVENTS, WATCHED),
    agent("list cronjobs", RUNNERS, "workloads"),
    agent("watch cronjobs", EVENTS, WATCHED),
    agent("list rolebindings", Need::Scopes(&["bindings"]), "who holds which role in a namespace"),
    agent("watch rolebindings", EVENTS, WATCHED),
    agent(
        "list clusterrolebindings",
        Need::Scopes(&["bindings"]),
        "who holds which role in the cluster",
    ),
    agent("watch clusterrolebindings", EVENTS, WATCHED),
    agent("list roles", Need::Enrichment("privilege"), "what roles allow"),
    agent("watch roles", EVENTS, WATCHED),
    agent("list clusterroles", Need::Enrichment("privilege"), "what cluster roles allow"),
    agent("watch clusterroles", EVENTS, WATCHED),
    agent(
        "list certificatesigningrequests",
        Need::Scopes(&["certificate-requests"]),
        "certificate requests",
    ),
    agent("watch certificatesigningrequests", EVENTS, WATCHED),
    agent(
        "list podcertificaterequests",
        Need::Scopes(&["pod-certificate-requests"]),
        "certificate requests of pods",
    ),
    agent("watch podcertificaterequests", EVENTS, WATCHED),
    agent(
        "list secrets",
        Need::Scopes(&[TOKEN_SECRETS]),
        "metadata of legacy tokens; only where `secret_metadata` is set",
    ),
    agent("watch secrets", EVENTS, WATCHED),
];

pub(crate) fn permission(operation: &str) -> &str {
    MANIFEST.operation(operation).map_or(operation, |known| known.permission)
}

/// The ClusterRole of the agent. Without `secret_metadata` it has no verb on secrets.
#[must_use]
pub fn cluster_role(secret_metadata: bool) -> Value {
    // By group and verbs, so that the file is as short as a person would write it.
    let mut grouped: BTreeMap<(&str, BTreeSet<&str>), BTreeSet<&str>> = BTreeMap::new();
    for kind in kinds::Kind::ALL {
        let resource = kind.resource();
        if kind == kinds::Kind::Secrets && !secret_metadata {
            continue;
        }
        let verbs = granted().filter_map(|permission| permission.split_once(' '));
        let verbs = verbs.filter(|(_, object)| *object == resource.plural);
        let verbs: BTreeSet<&str> = verbs.map(|(verb, _)| verb).collect();
        grouped.entry((resource.group, verbs)).or_default().insert(resource.plural);
    }
    let rules = grouped.into_iter().map(|((group, verbs), resources)| {
        json!({ "apiGroups": [group], "resources": resources, "verbs": verbs })
    });
    let mut rules: Vec<Value> = rules.collect();
    rules.push(json!({
        "apiGroups": [""], "resources": ["configmaps"], "resourceNames": [TRACKING],
        "verbs": ["get"],
    }));
    let paths: Vec<&str> =
        granted().filter_map(|permission| permission.strip_prefix("get /")).collect();
    let paths: Vec<String> = paths.into_iter().map(|path| format!("/{path}")).collect();
    rules.push(json!({ "nonResourceURLs": paths, "verbs": ["get"] }));
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": "headcount" },
        "rules": rules,
    })
}

/// What must be granted; the rest every user may.
fn granted() -> impl Iterator<Item = &'static str> {
    MANIFEST.operations.iter().filter(|o| o.caller == Caller::Agent).map(|o| o.permission)
}

/// What `permissions.json` beside this crate holds.
#[cfg(test)]
fn permissions_file() -> String {
    let roles = json!({
        "cluster_role": cluster_role(false),
        "cluster_role_with_secret_metadata": cluster_role(true),
    });
    format!("{roles:#}\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::keep::PolicyRule;
    use crate::rbac::{Reach, assess};

    #[test]
    fn permissions_file_follows_the_manifest() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/permissions.json");
        if std::env::var_os("HEADCOUNT_BLESS").is_some() {
            std::fs::write(path, permissions_file()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(kept, permissions_file(), "run again with HEADCOUNT_BLESS=1 and commit");
    }

    fn rules(role: &Value) -> Vec<PolicyRule> {
        let words = |rule: &Value, key: &str| -> Vec<String> {
            serde_json::from_value(rule.get(key).cloned().unwrap_or_else(|| json!([]))).unwrap()
        };
        let rules = role["rules"].as_array().unwrap().iter();
        rules
            .map(|rule| PolicyRule {
                groups: words(rule, "apiGroups"),
                resources: words(rule, "resources"),
                verbs: words(rule, "verbs"),
                names: words(rule, "resourceNames"),
                urls: words(rule, "nonResourceURLs"),
            })
            .collect()
    }

    #[test]
    fn the_agent_may_read_and_nothing_else() {
        let judged = assess(&rules(&cluster_role(false)), Reach::Cluster);
        assert_eq!(judged.level, headcount_sdk::Level::Read, "{}", judged.what);
        assert!(!cluster_role(false).to_string().contains("secrets\""));
    }

    #[test]
    fn reading_secrets_is_called_by_its_name() {
        let judged = assess(&rules(&cluster_role(true)), Reach::Cluster);
        assert_eq!(judged.level, headcount_sdk::Level::Escalating);
        assert_eq!(judged.what, "reads secrets");
    }

    #[test]
    fn every_kind_is_listed_and_watched_and_every_permission_is_granted() {
        let role = cluster_role(true).to_string();
        for kind in kinds::Kind::ALL {
            let resource = kind.resource();
            assert!(MANIFEST.operation(resource.list).is_some(), "{}", resource.list);
            assert!(MANIFEST.operation(resource.watch).is_some(), "{}", resource.watch);
        }
        for permission in granted() {
            let object = permission.split_once(' ').unwrap().1;
            assert!(role.contains(&format!("\"{object}\"")), "{permission}");
        }
    }

    #[test]
    fn scopes_and_kinds_named_by_operations_exist() {
        for operation in MANIFEST.operations {
            if let Need::Scopes(scopes) = operation.need {
                for scope in scopes {
                    assert!(MANIFEST.scopes.iter().any(|s| s.name == *scope), "{scope}");
                }
            }
        }
        for kind in MANIFEST.scopes.iter().flat_map(|scope| scope.kinds) {
            assert!(MANIFEST.kinds.iter().any(|k| k.name == *kind), "{kind}");
        }
    }
}
