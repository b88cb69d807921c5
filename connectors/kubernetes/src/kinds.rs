//! The kinds of objects that are read, and how they are listed. Order of [`Kind::ALL`] is the order
//! in which they are listed: whoever refers comes before what it refers to, so that an object that
//! is made between two lists is never taken for missing.

use kube::core::ApiResource;

/// One kind of object of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    CertificateRequests,
    PodCertificateRequests,
    Pods,
    ReplicaSets,
    Jobs,
    CronJobs,
    Deployments,
    StatefulSets,
    DaemonSets,
    RoleBindings,
    ClusterRoleBindings,
    Roles,
    ClusterRoles,
    Secrets,
    ServiceAccounts,
    Namespaces,
}

/// How a kind is found in the API.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) group: &'static str,
    /// Versions that are understood, best first. One is enough unless the kind is still moving.
    pub(crate) versions: &'static [&'static str],
    /// Its `kind`, as owner references name it.
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) list: &'static str,
    pub(crate) watch: &'static str,
}

/// The one type of secret that is looked for; `type` is no metadata, so the server must select.
pub(crate) const TOKEN_SECRETS: &str = "type=kubernetes.io/service-account-token";

const CORE: &str = "";
const APPS: &str = "apps";
const BATCH: &str = "batch";
const RBAC: &str = "rbac.authorization.k8s.io";
pub(crate) const CERTIFICATES: &str = "certificates.k8s.io";

const V1: &[&str] = &["v1"];

macro_rules! resource {
    ($group:expr, $versions:expr, $kind:literal, $plural:literal) => {{
        static RESOURCE: Resource = Resource {
            group: $group,
            versions: $versions,
            kind: $kind,
            plural: $plural,
            list: concat!("list ", $plural),
            watch: concat!("watch ", $plural),
        };
        &RESOURCE
    }};
}

impl Kind {
    pub(crate) const ALL: [Self; 16] = [
        Self::CertificateRequests,
        Self::PodCertificateRequests,
        Self::Pods,
        Self::ReplicaSets,
        Self::Jobs,
        Self::CronJobs,
        Self::Deployments,
        Self::StatefulSets,
        Self::DaemonSets,
        Self::RoleBindings,
        Self::ClusterRoleBindings,
        Self::Roles,
        Self::ClusterRoles,
        Self::Secrets,
        Self::ServiceAccounts,
        Self::Namespaces,
    ];

    /// What names a service account to run as.
    pub(crate) const RUNNERS: [Self; 7] = [
        Self::Pods,
        Self::ReplicaSets,
        Self::Jobs,
        Self::CronJobs,
        Self::Deployments,
        Self::StatefulSets,
        Self::DaemonSets,
    ];

    /// What gives power to a service account.
    pub(crate) const POWERS: [Self; 4] =
        [Self::RoleBindings, Self::ClusterRoleBindings, Self::Roles, Self::ClusterRoles];

    /// The kind that is read for an object that an owner reference names.
    pub(crate) fn named(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.split_once('/').map_or("", |(group, _)| group);
        Self::ALL.into_iter().find(|known| {
            let resource = known.resource();
            resource.kind == kind && resource.group == group
        })
    }

    pub(crate) fn resource(self) -> &'static Resource {
        match self {
            Self::CertificateRequests => resource!(
                CERTIFICATES,
                V1,
                "CertificateSigningRequest",
                "certificatesigningrequests"
            ),
            Self::PodCertificateRequests => resource!(
                CERTIFICATES,
                &["v1", "v1beta1", "v1alpha1"],
                "PodCertificateRequest",
                "podcertificaterequests"
            ),
            Self::Pods => resource!(CORE, V1, "Pod", "pods"),
            Self::ReplicaSets => resource!(APPS, V1, "ReplicaSet", "replicasets"),
            Self::Jobs => resource!(BATCH, V1, "Job", "jobs"),
            Self::CronJobs => resource!(BATCH, V1, "CronJob", "cronjobs"),
            Self::Deployments => resource!(APPS, V1, "Deployment", "deployments"),
            Self::StatefulSets => resource!(APPS, V1, "StatefulSet", "statefulsets"),
            Self::DaemonSets => resource!(APPS, V1, "DaemonSet", "daemonsets"),
            Self::RoleBindings => resource!(RBAC, V1, "RoleBinding", "rolebindings"),
            Self::ClusterRoleBindings => {
                resource!(RBAC, V1, "ClusterRoleBinding", "clusterrolebindings")
            }
            Self::Roles => resource!(RBAC, V1, "Role", "roles"),
            Self::ClusterRoles => resource!(RBAC, V1, "ClusterRole", "clusterroles"),
            Self::Secrets => resource!(CORE, V1, "Secret", "secrets"),
            Self::ServiceAccounts => resource!(CORE, V1, "ServiceAccount", "serviceaccounts"),
            Self::Namespaces => resource!(CORE, V1, "Namespace", "namespaces"),
        }
    }
}

impl Resource {
    /// As the client wants it.
    pub(crate) fn api(&self, version: &str) -> ApiResource {
        ApiResource {
            group: self.group.to_owned(),
            version: version.to_owned(),
            api_version: if self.group.is_empty() {
                version.to_owned()
            } else {
                format!("{}/{version}", self.group)
            },
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_kinds_is_the_order_in_which_they_are_listed() {
        assert!(Kind::ALL.is_sorted());
        assert!(Kind::RoleBindings < Kind::ServiceAccounts, "who refers comes first");
        assert!(Kind::Pods < Kind::ReplicaSets && Kind::ReplicaSets < Kind::Deployments);
    }

    #[test]
    fn an_owner_reference_is_found_by_group_and_kind() {
        assert_eq!(Kind::named("apps/v1", "ReplicaSet"), Some(Kind::ReplicaSets));
        assert_eq!(Kind::named("v1", "Pod"), Some(Kind::Pods));
        assert_eq!(Kind::named("argoproj.io/v1alpha1", "ReplicaSet"), None);
        assert_eq!(Kind::named("v1", "Node"), None);
    }
}
