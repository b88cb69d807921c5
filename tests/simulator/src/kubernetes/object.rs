//! One object: its metadata and a compact body. Made by constructors, filled by chaining.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::body::{Binding, Body, CronJob, PodTemplate, Request, RoleRef, Rule, Subject};
use super::resource::Resource;

/// A text that copies share.
pub type Text = Arc<str>;

/// The immutable id of an object; shown as a UUID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub(crate) u128);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        let part = |from: usize, to: usize| &hex[from..to];
        let [a, b, c] = [part(0, 8), part(8, 12), part(12, 16)];
        write!(f, "{a}-{b}-{c}-{}-{}", part(16, 20), part(20, 32))
    }
}

/// An entry of `ownerReferences`.
#[derive(Clone, Debug)]
pub struct Owner {
    /// `apps/v1`.
    pub api_version: Text,
    /// `ReplicaSet`.
    pub kind: Text,
    /// Its name.
    pub name: Text,
    /// Its uid.
    pub uid: Uid,
}

/// An object of the cluster. Until it is created it has no uid, version or time.
#[derive(Clone, Debug)]
pub struct Object {
    pub(crate) resource: Resource,
    pub(crate) namespace: Text,
    pub(crate) name: Text,
    pub(crate) uid: Uid,
    pub(crate) version: u64,
    pub(crate) created: Option<Timestamp>,
    pub(crate) labels: Vec<(Text, Text)>,
    pub(crate) annotations: Vec<(Text, Text)>,
    pub(crate) owners: Vec<Owner>,
    pub(crate) manager: Option<Text>,
    /// The part that depends on the kind.
    pub body: Body,
}

/// What an object is.
impl Object {
    /// Its collection.
    pub fn resource(&self) -> Resource {
        self.resource
    }

    /// Its namespace; empty when it is the cluster's.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its uid.
    pub fn uid(&self) -> Uid {
        self.uid
    }

    /// Its resourceVersion.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// When it was created.
    pub fn created(&self) -> Option<Timestamp> {
        self.created
    }

    /// The value of a label.
    pub fn label_value(&self, key: &str) -> Option<&str> {
        value(&self.labels, key)
    }

    /// The value of an annotation.
    pub fn annotation_value(&self, key: &str) -> Option<&str> {
        value(&self.annotations, key)
    }

    /// What it belongs to.
    pub fn owners(&self) -> &[Owner] {
        &self.owners
    }

    /// What pods of this object run, when it has pods or is one.
    pub fn template(&self) -> Option<&PodTemplate> {
        match &self.body {
            Body::Pod { template, .. } | Body::Workload { template, .. } => Some(template),
            Body::CronJob(cron) => Some(&cron.template),
            _ => None,
        }
    }
}

/// Making objects.
impl Object {
    fn new(resource: Resource, namespace: &str, name: &str, body: Body) -> Self {
        Self {
            resource,
            namespace: namespace.into(),
            name: name.into(),
            uid: Uid::default(),
            version: 0,
            created: None,
            labels: Vec::new(),
            annotations: Vec::new(),
            owners: Vec::new(),
            manager: None,
            body,
        }
    }

    /// A namespace. The cluster gives it a `default` service account.
    pub fn new_namespace(name: &str) -> Self {
        Self::new(Resource::Namespaces, "", name, Body::Namespace)
    }

    /// A service account.
    pub fn service_account(namespace: &str, name: &str) -> Self {
        let body = Body::ServiceAccount {
            secrets: Vec::new(),
            image_pull_secrets: Vec::new(),
            automount: None,
        };
        Self::new(Resource::ServiceAccounts, namespace, name, body)
    }

    /// A secret of a type.
    pub fn secret(namespace: &str, name: &str, kind: &str) -> Self {
        Self::new(Resource::Secrets, namespace, name, Body::Secret { kind: kind.into() })
    }

    /// A token of a service account that never expires. It goes when the account goes.
    pub fn legacy_token(name: &str, account: &Self) -> Self {
        Self::secret(&account.namespace, name, "kubernetes.io/service-account-token")
            .annotation("kubernetes.io/service-account.name", &account.name)
            .annotation("kubernetes.io/service-account.uid", &account.uid.to_string())
    }

    /// A config map.
    pub fn config_map(namespace: &str, name: &str, data: &[(&str, &str)]) -> Self {
        let data = data.iter().map(|&(key, value)| (key.into(), value.into())).collect();
        Self::new(Resource::ConfigMaps, namespace, name, Body::ConfigMap { data })
    }

    /// A running pod.
    pub fn pod(namespace: &str, name: &str, template: impl Into<Arc<PodTemplate>>) -> Self {
        let template = template.into();
        let labels = template.labels.clone();
        let body = Body::Pod { template, phase: "Running".into(), node: Some("node-1".into()) };
        Self { labels, ..Self::new(Resource::Pods, namespace, name, body) }
    }

    /// A Deployment, StatefulSet, DaemonSet, ReplicaSet or Job, by `resource`.
    pub fn workload(
        resource: Resource,
        namespace: &str,
        name: &str,
        template: impl Into<Arc<PodTemplate>>,
    ) -> Self {
        let body = Body::Workload { template: template.into(), replicas: 1 };
        Self::new(resource, namespace, name, body)
    }

    /// A CronJob that runs every night.
    pub fn cron_job(namespace: &str, name: &str, template: impl Into<Arc<PodTemplate>>) -> Self {
        let body =
            Body::CronJob(CronJob { template: template.into(), schedule: "0 3 * * *".into() });
        Self::new(Resource::CronJobs, namespace, name, body)
    }

    /// A role.
    pub fn role(namespace: &str, name: &str, rules: &[Rule]) -> Self {
        Self::new(Resource::Roles, namespace, name, Body::Role { rules: rules.to_vec() })
    }

    /// A cluster role.
    pub fn cluster_role(name: &str, rules: &[Rule]) -> Self {
        Self::new(Resource::ClusterRoles, "", name, Body::Role { rules: rules.to_vec() })
    }

    /// A role binding.
    pub fn role_binding(namespace: &str, name: &str, role: RoleRef, subjects: &[Subject]) -> Self {
        let body = Body::Binding(Binding { role, subjects: subjects.to_vec() });
        Self::new(Resource::RoleBindings, namespace, name, body)
    }

    /// A cluster role binding.
    pub fn cluster_role_binding(name: &str, role: RoleRef, subjects: &[Subject]) -> Self {
        let body = Body::Binding(Binding { role, subjects: subjects.to_vec() });
        Self::new(Resource::ClusterRoleBindings, "", name, body)
    }

    /// A certificate signing request.
    pub fn certificate_request(name: &str, request: Request) -> Self {
        Self::new(Resource::CertificateSigningRequests, "", name, Body::Request(request))
    }

    /// A request of `pod` for a certificate of its `account`, not yet issued.
    pub fn pod_certificate_request(name: &str, pod: &Self, account: &Self, signer: &str) -> Self {
        let body = Body::PodRequest {
            pod: (pod.name.clone(), pod.uid.to_string().into()),
            account: (account.name.clone(), account.uid.to_string().into()),
            node: ("node-1".into(), "00000000-0000-4000-8000-000000000001".into()),
            signer: signer.into(),
            max_seconds: 86_400,
            issued: None,
        };
        Self::new(Resource::PodCertificateRequests, &pod.namespace, name, body)
    }
}

/// Filling objects.
impl Object {
    /// Sets a label.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        set(&mut self.labels, key, value);
        self
    }

    /// Takes a label away.
    pub fn without_label(mut self, key: &str) -> Self {
        self.labels.retain(|(own, _)| &**own != key);
        self
    }

    /// Sets an annotation.
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        set(&mut self.annotations, key, value);
        self
    }

    /// Takes an annotation away.
    pub fn without_annotation(mut self, key: &str) -> Self {
        self.annotations.retain(|(own, _)| &**own != key);
        self
    }

    /// Created at another moment than the clock's.
    pub fn created_at(mut self, moment: Timestamp) -> Self {
        self.created = Some(moment);
        self
    }

    /// The tool that wrote it: `managedFields[].manager`.
    pub fn managed_by(mut self, manager: &str) -> Self {
        self.manager = Some(manager.into());
        self
    }

    /// Controlled by an object of the cluster, and deleted with it.
    pub fn owned_by(self, owner: &Self) -> Self {
        self.controlled_by(Owner {
            api_version: owner.resource.api_version().into(),
            kind: owner.resource.kind().into(),
            name: owner.name.clone(),
            uid: owner.uid,
        })
    }

    /// Controlled by something that this cluster does not serve.
    pub fn controlled_by(mut self, owner: Owner) -> Self {
        self.owners.push(owner);
        self
    }

    /// States `automountServiceAccountToken` of a service account.
    pub fn automounting(mut self, stated: bool) -> Self {
        if let Body::ServiceAccount { automount, .. } = &mut self.body {
            *automount = Some(stated);
        }
        self
    }

    /// Lets a service account mount a secret.
    pub fn mounting(mut self, secret: &str) -> Self {
        if let Body::ServiceAccount { secrets, .. } = &mut self.body {
            secrets.push(secret.into());
        }
        self
    }

    /// Gives a service account a pull secret.
    pub fn pulling_with(mut self, secret: &str) -> Self {
        if let Body::ServiceAccount { image_pull_secrets, .. } = &mut self.body {
            image_pull_secrets.push(secret.into());
        }
        self
    }

    /// Moves a pod to a phase: `Pending`, `Running`, `Succeeded`, `Failed`.
    pub fn in_phase(mut self, now: &str) -> Self {
        if let Body::Pod { phase, .. } = &mut self.body {
            *phase = now.into();
        }
        self
    }

    /// Issues the certificate of a pod certificate request.
    pub fn issued_until(mut self, from: Timestamp, until: Timestamp) -> Self {
        if let Body::PodRequest { issued, .. } = &mut self.body {
            *issued = Some((from, until));
        }
        self
    }
}

fn value<'a>(pairs: &'a [(Text, Text)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(own, _)| &**own == key).map(|(_, value)| &**value)
}

fn set(pairs: &mut Vec<(Text, Text)>, key: &str, value: &str) {
    match pairs.iter_mut().find(|(own, _)| &**own == key) {
        Some((_, own)) => *own = value.into(),
        None => pairs.push((key.into(), value.into())),
    }
}
