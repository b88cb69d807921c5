//! What objects hold besides their metadata: as little as readers of the API look at.

use std::sync::Arc;

use jiff::Timestamp;

use super::object::Text;

/// The part of an object that depends on its kind.
#[derive(Clone, Debug)]
pub enum Body {
    /// Namespace.
    Namespace,
    /// ServiceAccount.
    ServiceAccount {
        /// Names of mountable secrets.
        secrets: Vec<Text>,
        /// Names of pull secrets.
        image_pull_secrets: Vec<Text>,
        /// `automountServiceAccountToken`, when it is stated.
        automount: Option<bool>,
    },
    /// Secret.
    Secret {
        /// `kubernetes.io/service-account-token` and the like.
        kind: Text,
    },
    /// ConfigMap.
    ConfigMap {
        /// Its data.
        data: Vec<(Text, Text)>,
    },
    /// Pod.
    Pod {
        /// What it runs, shared with the workload that made it.
        template: Arc<PodTemplate>,
        /// `Running`, `Pending`, `Succeeded` …
        phase: Text,
        /// Where it runs.
        node: Option<Text>,
    },
    /// Deployment, StatefulSet, DaemonSet, ReplicaSet or Job.
    Workload {
        /// What its pods run.
        template: Arc<PodTemplate>,
        /// Wanted pods; for a Job its completions.
        replicas: u32,
    },
    /// CronJob.
    CronJob(CronJob),
    /// Role or ClusterRole.
    Role {
        /// What it allows.
        rules: Vec<Rule>,
    },
    /// RoleBinding or ClusterRoleBinding.
    Binding(Binding),
    /// CertificateSigningRequest.
    Request(Request),
    /// PodCertificateRequest.
    PodRequest {
        /// The pod that asks: name and uid.
        pod: (Text, Text),
        /// Its service account: name and uid.
        account: (Text, Text),
        /// Its node: name and uid.
        node: (Text, Text),
        /// Who is asked to sign.
        signer: Text,
        /// Longest life in seconds.
        max_seconds: u32,
        /// `notBefore` and `notAfter`, once issued.
        issued: Option<(Timestamp, Timestamp)>,
    },
}

/// A CronJob.
#[derive(Clone, Debug)]
pub struct CronJob {
    /// What the pods of its jobs run.
    pub template: Arc<PodTemplate>,
    /// In cron's words.
    pub schedule: Text,
}

/// What pods run.
#[derive(Clone, Debug, Default)]
pub struct PodTemplate {
    /// `serviceAccountName`; absent in a template means `default`.
    pub service_account: Option<Text>,
    /// `automountServiceAccountToken`, when it is stated.
    pub automount: Option<bool>,
    /// The one container's image.
    pub image: Text,
    /// Labels of the pods.
    pub labels: Vec<(Text, Text)>,
    /// Names of pull secrets.
    pub image_pull_secrets: Vec<Text>,
    /// Names of secrets mounted as volumes.
    pub secrets: Vec<Text>,
    /// Projected service account tokens.
    pub projections: Vec<Projection>,
}

/// A projected service account token.
#[derive(Clone, Debug)]
pub struct Projection {
    /// For whom the token is.
    pub audience: Text,
    /// How long it lives.
    pub seconds: u32,
}

impl PodTemplate {
    /// A template that runs as `service_account`.
    pub fn running_as(service_account: &str) -> Self {
        let image = Text::from("registry.example.com/app:1.0");
        Self { service_account: Some(service_account.into()), image, ..Self::default() }
    }

    /// A template that names no service account.
    pub fn running_as_default() -> Self {
        Self { image: "registry.example.com/app:1.0".into(), ..Self::default() }
    }

    /// States `automountServiceAccountToken`.
    pub fn automount(mut self, automount: bool) -> Self {
        self.automount = Some(automount);
        self
    }

    /// Labels the pods.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }

    /// Mounts a secret.
    pub fn mounting(mut self, secret: &str) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// Pulls with a secret.
    pub fn pulling_with(mut self, secret: &str) -> Self {
        self.image_pull_secrets.push(secret.into());
        self
    }

    /// Projects a token for `audience`.
    pub fn token_for(mut self, audience: &str, seconds: u32) -> Self {
        self.projections.push(Projection { audience: audience.into(), seconds });
        self
    }
}

/// One rule of a role.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// API groups; empty in a rule about paths.
    pub groups: Vec<Text>,
    /// Plurals, `*`, `pods/exec`.
    pub resources: Vec<Text>,
    /// Verbs.
    pub verbs: Vec<Text>,
    /// Names to which the rule is limited.
    pub names: Vec<Text>,
    /// Paths that are no resources.
    pub urls: Vec<Text>,
}

impl Rule {
    /// `verbs` on `resources` of `groups`.
    pub fn new(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.into()).collect();
        Self {
            groups: texts(groups),
            resources: texts(resources),
            verbs: texts(verbs),
            ..Self::default()
        }
    }

    /// Limits the rule to objects of this name.
    pub fn named(mut self, name: &str) -> Self {
        self.names.push(name.into());
        self
    }

    /// `verbs` on paths.
    pub fn on_urls(urls: &[&str], verbs: &[&str]) -> Self {
        let urls = urls.iter().map(|&url| url.into()).collect();
        Self { urls, ..Self::new(&[], &[], verbs) }
    }
}

/// The role that a binding gives.
#[derive(Clone, Debug)]
pub struct RoleRef {
    /// `Role` or `ClusterRole`.
    pub kind: &'static str,
    /// Its name.
    pub name: Text,
}

impl RoleRef {
    /// A role of the binding's own namespace.
    pub fn role(name: &str) -> Self {
        Self { kind: "Role", name: name.into() }
    }

    /// A cluster role.
    pub fn cluster_role(name: &str) -> Self {
        Self { kind: "ClusterRole", name: name.into() }
    }
}

/// To whom a binding gives its role.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A service account, whether it exists or not.
    ServiceAccount {
        /// Its namespace.
        namespace: Text,
        /// Its name.
        name: Text,
    },
    /// A group: `system:serviceaccounts:payments`.
    Group(Text),
    /// A user.
    User(Text),
}

impl Subject {
    /// A service account.
    pub fn account(namespace: &str, name: &str) -> Self {
        Self::ServiceAccount { namespace: namespace.into(), name: name.into() }
    }

    /// A group.
    pub fn group(name: &str) -> Self {
        Self::Group(name.into())
    }

    /// A user.
    pub fn user(name: &str) -> Self {
        Self::User(name.into())
    }
}

/// A RoleBinding or ClusterRoleBinding.
#[derive(Clone, Debug)]
pub struct Binding {
    /// What it gives.
    pub role: RoleRef,
    /// To whom.
    pub subjects: Vec<Subject>,
}

/// A CertificateSigningRequest.
#[derive(Clone, Debug)]
pub struct Request {
    /// `kubernetes.io/kube-apiserver-client` and the like.
    pub signer: Text,
    /// Who asked, as the API server noted it.
    pub username: Text,
    /// The groups of who asked.
    pub groups: Vec<Text>,
    /// Wanted life in seconds.
    pub seconds: Option<u32>,
    /// `client auth` and the like.
    pub usages: Vec<Text>,
    /// Approved, denied or failed.
    pub conditions: Vec<Condition>,
    /// Whether a certificate was issued.
    pub issued: bool,
}

impl Request {
    /// A pending request for a client certificate.
    pub fn client(signer: &str, username: &str) -> Self {
        Self {
            signer: signer.into(),
            username: username.into(),
            groups: vec!["system:authenticated".into()],
            seconds: None,
            usages: vec!["digital signature".into(), "client auth".into()],
            conditions: Vec::new(),
            issued: false,
        }
    }

    /// Asks for a life of so many seconds.
    pub fn lasting(mut self, seconds: u32) -> Self {
        self.seconds = Some(seconds);
        self
    }

    /// Approves the request and issues the certificate.
    pub fn approved(mut self) -> Self {
        self.conditions.push(Condition { kind: "Approved", reason: "KubectlApprove".into() });
        self.issued = true;
        self
    }

    /// Denies the request.
    pub fn denied(mut self) -> Self {
        self.conditions.push(Condition { kind: "Denied", reason: "KubectlDeny".into() });
        self
    }
}

/// A condition of a request.
#[derive(Clone, Debug)]
pub struct Condition {
    /// `Approved`, `Denied` or `Failed`.
    pub kind: &'static str,
    /// Why.
    pub reason: Text,
}
