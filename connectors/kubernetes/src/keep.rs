//! What is kept of an object in memory: small structs, without what no record is made of.
//!
//! A hundred thousand of them must fit beside everything else, so texts are boxed, and labels are a
//! sorted slice: a map node is larger than most objects. A field that must be there and is not
//! makes the whole list malformed; nothing is skipped.

use headcount_sdk::ScanError;
use jiff::Timestamp;

use crate::kinds::Kind;
use crate::wire::{NameRef, Rule, Spec, Subject, Wire};

/// One object of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Namespace(Meta),
    Account(Account),
    Runner(Runner),
    Role(Role),
    Binding(Binding),
    Request(Request),
    Secret(Meta),
}

/// What all objects have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) uid: Box<str>,
    /// Empty for what belongs to the whole cluster.
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) labels: Texts,
    pub(crate) annotations: Texts,
    /// The controller that made it.
    pub(crate) owner: Option<Box<Owner>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) api_version: Box<str>,
    pub(crate) kind: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) uid: Box<str>,
}

/// Labels or annotations, sorted by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Texts(Box<[(Box<str>, Box<str>)]>);

impl Texts {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        self.0.get(at).map(|(_, value)| &**value)
    }

    pub(crate) fn of(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut texts: Vec<(Box<str>, Box<str>)> =
            texts.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        texts.sort_unstable();
        Self(texts.into())
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) meta: Meta,
    pub(crate) automount: Option<bool>,
    pub(crate) pull_secrets: Box<[Box<str>]>,
}

/// What runs as a service account: a pod, or what makes pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Runner {
    pub(crate) meta: Meta,
    pub(crate) kind: Kind,
    pub(crate) account: Box<str>,
    pub(crate) automount: Option<bool>,
    pub(crate) pull_secrets: Box<[Box<str>]>,
    /// Whether it runs or will: not a pod that ended, not scaled to nothing, not suspended.
    pub(crate) is_live: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    pub(crate) meta: Meta,
    pub(crate) rules: Box<[PolicyRule]>,
}

/// One rule of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyRule {
    pub(crate) groups: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) verbs: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) urls: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) meta: Meta,
    /// `Role` or `ClusterRole`.
    pub(crate) role_kind: Box<str>,
    pub(crate) role: Box<str>,
    pub(crate) subjects: Box<[Holder]>,
}

/// Whom a binding names, as far as it can be a machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    Account { namespace: Box<str>, name: Box<str> },
    Group(Box<str>),
}

/// A CertificateSigningRequest or PodCertificateRequest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) meta: Meta,
    pub(crate) kind: Kind,
    pub(crate) signer: Box<str>,
    /// Who asks: a user name, or `system:serviceaccount:NS:NAME`.
    pub(crate) requester: Option<Box<str>>,
    /// The uid of the service account that asks, if it is one.
    pub(crate) account_uid: Option<Box<str>>,
    pub(crate) pod: Option<Box<str>>,
    pub(crate) seconds: Option<i64>,
    /// The types of conditions that hold, sorted.
    pub(crate) conditions: Box<[Box<str>]>,
    pub(crate) is_issued: bool,
    pub(crate) not_after: Option<Timestamp>,
}

impl Object {
    pub(crate) fn meta(&self) -> &Meta {
        match self {
            Self::Namespace(meta) | Self::Secret(meta) => meta,
            Self::Account(account) => &account.meta,
            Self::Runner(runner) => &runner.meta,
            Self::Role(role) => &role.meta,
            Self::Binding(binding) => &binding.meta,
            Self::Request(request) => &request.meta,
        }
    }
}

/// The prefix of the user names of service accounts.
pub(crate) const ACCOUNT_USER: &str = "system:serviceaccount:";

const ANONYMOUS: &str = "system:anonymous";

/// Namespace and name of the service account that a user name stands for.
pub(crate) fn account_of_user(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix(ACCOUNT_USER)?.split_once(':')
}

/// Keeps what records are made of.
pub(crate) fn keep(kind: Kind, wire: Wire) -> Result<Object, ScanError> {
    let need = Need(kind);
    let (spec, status) = (wire.spec, wire.status.unwrap_or_default());
    let mut meta = meta(need, wire.metadata)?;
    Ok(match kind {
        Kind::Namespaces => Object::Namespace(meta),
        Kind::Secrets => Object::Secret(meta),
        Kind::ServiceAccounts => Object::Account(Account {
            meta,
            automount: wire.automount_service_account_token,
            pull_secrets: names(wire.image_pull_secrets),
        }),
        Kind::Roles | Kind::ClusterRoles => Object::Role(Role {
            meta: bare(meta),
            rules: wire.rules.unwrap_or_default().into_iter().map(PolicyRule::from).collect(),
        }),
        Kind::RoleBindings | Kind::ClusterRoleBindings => {
            let role = need.field(wire.role_ref, "roleRef")?;
            let subjects = holders(&meta, wire.subjects.unwrap_or_default());
            let (role_kind, role) = (role.kind.into(), role.name.into());
            Object::Binding(Binding { meta, role_kind, role, subjects })
        }
        Kind::CertificateRequests | Kind::PodCertificateRequests => {
            request(kind, bare(meta), need.field(spec, "spec")?, &status)?
        }
        Kind::Pods
        | Kind::ReplicaSets
        | Kind::Jobs
        | Kind::CronJobs
        | Kind::Deployments
        | Kind::StatefulSets
        | Kind::DaemonSets => {
            let spec = need.field(spec, "spec")?;
            let is_live = is_live(kind, &spec, &status);
            let pod = pod_spec(need, spec)?;
            let is_made = meta
                .owner
                .as_deref()
                .is_some_and(|o| Kind::named(&o.api_version, &o.kind).is_some());
            if is_made {
                // The record is made of its controller.
                meta = bare(meta);
            }
            let account = pod.service_account_name.or(pod.service_account);
            let account = account.filter(|name| !name.is_empty());
            Object::Runner(Runner {
                meta,
                kind,
                account: account.map_or_else(|| "default".into(), Into::into),
                automount: pod.automount_service_account_token,
                pull_secrets: names(pod.image_pull_secrets),
                is_live,
            })
        }
    })
}

/// Demands what must be there.
#[derive(Clone, Copy)]
struct Need(Kind);

impl Need {
    fn field<T>(self, value: Option<T>, path: &str) -> Result<T, ScanError> {
        value.ok_or_else(|| ScanError::Malformed {
            operation: self.0.resource().list.to_owned(),
            path: path.to_owned(),
        })
    }

    fn text(self, value: Option<String>, path: &str) -> Result<Box<str>, ScanError> {
        self.field(value.filter(|text| !text.is_empty()).map(Into::into), path)
    }
}

fn meta(need: Need, from: kube::core::ObjectMeta) -> Result<Meta, ScanError> {
    let owners = from.owner_references.unwrap_or_default();
    let owner = owners.into_iter().find(|owner| owner.controller == Some(true));
    Ok(Meta {
        uid: need.text(from.uid, "metadata.uid")?,
        namespace: from.namespace.unwrap_or_default().into(),
        name: need.text(from.name, "metadata.name")?,
        created: from.creation_timestamp.map(|time| time.0),
        labels: Texts::of(from.labels.unwrap_or_default()),
        annotations: Texts::of(from.annotations.unwrap_or_default()),
        owner: owner.map(|owner| {
            Box::new(Owner {
                api_version: owner.api_version.into(),
                kind: owner.kind.into(),
                name: owner.name.into(),
                uid: owner.uid.into(),
            })
        }),
    })
}

/// Without labels and annotations, where no record shows them.
fn bare(meta: Meta) -> Meta {
    Meta { labels: Texts::default(), annotations: Texts::default(), ..meta }
}

/// References without a name lead nowhere; the API lets them pass.
fn names(refs: Option<Vec<NameRef>>) -> Box<[Box<str>]> {
    let names = refs.unwrap_or_default().into_iter().filter_map(|entry| entry.name);
    names.filter(|name| !name.is_empty()).map(Into::into).collect()
}

/// Users and groups that are people's are left out; a service account may also be named as a user.
fn holders(meta: &Meta, subjects: Vec<Subject>) -> Box<[Holder]> {
    let mut holders: Vec<Holder> = subjects
        .into_iter()
        .filter_map(|subject| match subject.kind.as_str() {
            "ServiceAccount" => Some(Holder::Account {
                namespace: subject.namespace.map_or_else(|| meta.namespace.clone(), Into::into),
                name: subject.name.into(),
            }),
            // Whoever does not say who they are: no person either.
            "User" if subject.name == ANONYMOUS => Some(Holder::Group(ANONYMOUS.into())),
            "User" => account_of_user(&subject.name).map(|(namespace, name)| Holder::Account {
                namespace: namespace.into(),
                name: name.into(),
            }),
            "Group" => {
                let machines = subject.name == "system:authenticated"
                    || subject.name == "system:unauthenticated"
                    || subject.name == "system:serviceaccounts"
                    || subject.name.starts_with("system:serviceaccounts:");
                machines.then(|| Holder::Group(subject.name.into()))
            }
            _ => None,
        })
        .collect();
    holders.sort_unstable();
    holders.dedup();
    holders.into()
}

fn request(
    kind: Kind,
    meta: Meta,
    spec: Spec,
    status: &crate::wire::Status,
) -> Result<Object, ScanError> {
    let need = Need(kind);
    let is_pod = kind == Kind::PodCertificateRequests;
    let requester: Option<Box<str>> = if is_pod {
        let account = need.text(spec.service_account_name, "spec.serviceAccountName")?;
        Some(format!("{ACCOUNT_USER}{}:{account}", meta.namespace).into())
    } else {
        spec.username.map(Into::into)
    };
    let account_uid = if is_pod {
        Some(need.text(spec.service_account_uid, "spec.serviceAccountUID")?)
    } else {
        let is_account = requester.as_deref().and_then(account_of_user).is_some();
        spec.uid.filter(|uid| is_account && !uid.is_empty()).map(Into::into)
    };
    let held = status.conditions.iter().flatten();
    let held = held.filter(|condition| condition.status.as_deref().unwrap_or("True") == "True");
    let mut conditions: Vec<Box<str>> = held.map(|held| held.kind.as_str().into()).collect();
    conditions.sort_unstable();
    conditions.dedup();
    Ok(Object::Request(Request {
        meta,
        kind,
        signer: need.text(spec.signer_name, "spec.signerName")?,
        requester,
        account_uid,
        pod: spec.pod_name.map(Into::into),
        seconds: spec.expiration_seconds.or(spec.max_expiration_seconds),
        is_issued: status.certificate.is_some() || status.not_after.is_some(),
        conditions: conditions.into(),
        not_after: status.not_after,
    }))
}

/// The pod's own spec, or that of the template it is made from.
fn pod_spec(need: Need, spec: Spec) -> Result<Spec, ScanError> {
    match need.0 {
        Kind::Pods => Ok(spec),
        Kind::CronJobs => {
            let job = need.field(spec.job_template, "spec.jobTemplate")?;
            let job = need.field(job.spec, "spec.jobTemplate.spec")?;
            let pod = need.field(job.template, "spec.jobTemplate.spec.template")?;
            need.field(pod.spec, "spec.jobTemplate.spec.template.spec")
        }
        // The template of a ReplicaSet may be left out, and then it makes nothing that could run.
        Kind::ReplicaSets => Ok(spec.template.and_then(|pod| pod.spec).unwrap_or_default()),
        _ => {
            let pod = need.field(spec.template, "spec.template")?;
            need.field(pod.spec, "spec.template.spec")
        }
    }
}

fn is_live(kind: Kind, spec: &Spec, status: &crate::wire::Status) -> bool {
    let holds = |wanted: &str| {
        let held = status.conditions.iter().flatten();
        held.into_iter().any(|c| c.kind == wanted && c.status.as_deref() == Some("True"))
    };
    let is_suspended = spec.suspend == Some(true);
    match kind {
        Kind::Pods => !matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
        Kind::Deployments | Kind::StatefulSets | Kind::ReplicaSets => spec.replicas != Some(0),
        Kind::Jobs => !is_suspended && !holds("Complete") && !holds("Failed"),
        Kind::CronJobs => !is_suspended,
        _ => true,
    }
}

impl From<Rule> for PolicyRule {
    fn from(rule: Rule) -> Self {
        Self {
            groups: rule.api_groups,
            resources: rule.resources,
            verbs: rule.verbs,
            names: rule.resource_names,
            urls: rule.non_resource_urls,
        }
    }
}

#[cfg(test)]
mod tests;
