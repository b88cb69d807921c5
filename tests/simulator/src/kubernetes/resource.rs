//! The kinds of objects that the cluster serves, as the API names them.

use std::fmt;

/// A collection of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// `v1` Namespace.
    Namespaces,
    /// `v1` ServiceAccount.
    ServiceAccounts,
    /// `v1` Secret: metadata and type, never a value.
    Secrets,
    /// `v1` ConfigMap.
    ConfigMaps,
    /// `v1` Pod.
    Pods,
    /// `apps/v1` Deployment.
    Deployments,
    /// `apps/v1` StatefulSet.
    StatefulSets,
    /// `apps/v1` DaemonSet.
    DaemonSets,
    /// `apps/v1` ReplicaSet.
    ReplicaSets,
    /// `batch/v1` Job.
    Jobs,
    /// `batch/v1` CronJob.
    CronJobs,
    /// `rbac.authorization.k8s.io/v1` Role.
    Roles,
    /// `rbac.authorization.k8s.io/v1` ClusterRole.
    ClusterRoles,
    /// `rbac.authorization.k8s.io/v1` RoleBinding.
    RoleBindings,
    /// `rbac.authorization.k8s.io/v1` ClusterRoleBinding.
    ClusterRoleBindings,
    /// `certificates.k8s.io/v1` CertificateSigningRequest.
    CertificateSigningRequests,
    /// `certificates.k8s.io/v1beta1` PodCertificateRequest, as Kubernetes 1.35 serves it; in other
    /// versions after `Cluster::serve_pod_certificates_in`.
    PodCertificateRequests,
}

const RBAC: &str = "rbac.authorization.k8s.io";
const CERTIFICATES: &str = "certificates.k8s.io";

impl Resource {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Namespaces,
        Self::ServiceAccounts,
        Self::Secrets,
        Self::ConfigMaps,
        Self::Pods,
        Self::Deployments,
        Self::StatefulSets,
        Self::DaemonSets,
        Self::ReplicaSets,
        Self::Jobs,
        Self::CronJobs,
        Self::Roles,
        Self::ClusterRoles,
        Self::RoleBindings,
        Self::ClusterRoleBindings,
        Self::CertificateSigningRequests,
        Self::PodCertificateRequests,
    ];

    /// `ServiceAccount`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Namespaces => "Namespace",
            Self::ServiceAccounts => "ServiceAccount",
            Self::Secrets => "Secret",
            Self::ConfigMaps => "ConfigMap",
            Self::Pods => "Pod",
            Self::Deployments => "Deployment",
            Self::StatefulSets => "StatefulSet",
            Self::DaemonSets => "DaemonSet",
            Self::ReplicaSets => "ReplicaSet",
            Self::Jobs => "Job",
            Self::CronJobs => "CronJob",
            Self::Roles => "Role",
            Self::ClusterRoles => "ClusterRole",
            Self::RoleBindings => "RoleBinding",
            Self::ClusterRoleBindings => "ClusterRoleBinding",
            Self::CertificateSigningRequests => "CertificateSigningRequest",
            Self::PodCertificateRequests => "PodCertificateRequest",
        }
    }

    /// `serviceaccounts`, as paths and permissions write it.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::ServiceAccounts => "serviceaccounts",
            Self::Secrets => "secrets",
            Self::ConfigMaps => "configmaps",
            Self::Pods => "pods",
            Self::Deployments => "deployments",
            Self::StatefulSets => "statefulsets",
            Self::DaemonSets => "daemonsets",
            Self::ReplicaSets => "replicasets",
            Self::Jobs => "jobs",
            Self::CronJobs => "cronjobs",
            Self::Roles => "roles",
            Self::ClusterRoles => "clusterroles",
            Self::RoleBindings => "rolebindings",
            Self::ClusterRoleBindings => "clusterrolebindings",
            Self::CertificateSigningRequests => "certificatesigningrequests",
            Self::PodCertificateRequests => "podcertificaterequests",
        }
    }

    /// `apps`; empty for the core group.
    pub fn group(self) -> &'static str {
        match self {
            Self::Namespaces
            | Self::ServiceAccounts
            | Self::Secrets
            | Self::ConfigMaps
            | Self::Pods => "",
            Self::Deployments | Self::StatefulSets | Self::DaemonSets | Self::ReplicaSets => "apps",
            Self::Jobs | Self::CronJobs => "batch",
            Self::Roles | Self::ClusterRoles | Self::RoleBindings | Self::ClusterRoleBindings => {
                RBAC
            }
            Self::CertificateSigningRequests | Self::PodCertificateRequests => CERTIFICATES,
        }
    }

    /// `v1`; the version that a new cluster serves.
    pub fn version(self) -> &'static str {
        match self {
            Self::PodCertificateRequests => "v1beta1",
            _ => "v1",
        }
    }

    /// `apps/v1`; `v1` in the core group.
    pub fn api_version(self) -> String {
        self.api_version_in(self.version())
    }

    pub(crate) fn api_version_in(self, version: &str) -> String {
        match self.group() {
            "" => version.to_owned(),
            group => format!("{group}/{version}"),
        }
    }

    /// Whether its objects live in namespaces.
    pub fn is_namespaced(self) -> bool {
        !matches!(
            self,
            Self::Namespaces
                | Self::ClusterRoles
                | Self::ClusterRoleBindings
                | Self::CertificateSigningRequests
        )
    }

    /// The versions in which some cluster serves it.
    fn versions(self) -> &'static [&'static str] {
        match self {
            Self::PodCertificateRequests => &["v1", "v1beta1", "v1alpha1"],
            _ => &["v1"],
        }
    }

    /// The resource called so in a group version, with that version.
    pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<(Self, &'static str)> {
        let resource = Self::ALL
            .into_iter()
            .find(|resource| resource.group() == group && resource.plural() == plural)?;
        let version = resource.versions().iter().find(|known| **known == version)?;
        Some((resource, version))
    }
}

/// As paths and permissions write it.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.plural())
    }
}
