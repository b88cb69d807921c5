//! The same against a real API server, where `KUBECONFIG` leads to one; else this says that it was
//! skipped. Needs an API server, etcd and a controller manager, and no nodes. What it makes it
//! takes away again, also when it fails.

use std::path::PathBuf;
use std::sync::Arc;

use headcount_kubernetes::{Config, KubernetesConnector, Tuning};
use headcount_sdk::{
    Class, Connector as _, Endpoint, Level, Memo, MemoryCache, Pass, Priority, ProbeOutcome,
    ScanContext, ScanError, Usage,
};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support::{Agent, PATIENCE};

/// What is made in the cluster, and how to get there.
struct Bed {
    client: Client,
    namespace: String,
    /// The agent's clock: when the namespace was made.
    now: jiff::Timestamp,
    connector: Arc<KubernetesConnector>,
}

#[tokio::test]
async fn a_real_api_server_is_read_and_watched() {
    let Some(path) = std::env::var_os("KUBECONFIG").map(PathBuf::from) else {
        println!("skipped: KUBECONFIG leads to no API server");
        return;
    };
    let bed = Bed::make(path).await;
    let (client, namespace) = (bed.client.clone(), bed.namespace.clone());
    // In a task of its own, so that a failure does not keep what was made.
    let ended = tokio::spawn(bed.scan_and_watch()).await;
    take_away(&client, &namespace).await;
    if let Err(failed) = ended {
        std::panic::resume_unwind(failed.into_panic());
    }
}

async fn take_away(client: &Client, namespace: &str) {
    let bindings: Api<ClusterRoleBinding> = Api::all(client.clone());
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let first = bindings.delete(namespace, &DeleteParams::default()).await.map(drop);
    let second = namespaces.delete(namespace, &DeleteParams::default()).await.map(drop);
    first.and(second).expect("what was made is taken away");
}

fn object<K: DeserializeOwned>(object: Value) -> K {
    serde_json::from_value(object).unwrap()
}

impl Bed {
    async fn make(path: PathBuf) -> Self {
        let config = Config { kubeconfig: Some(path), secret_metadata: true, ..Config::default() };
        let options = kube::config::KubeConfigOptions::default();
        let file = kube::config::Kubeconfig::read_from(config.kubeconfig.as_ref().unwrap());
        let way = kube::Config::from_custom_kubeconfig(file.unwrap(), &options).await.unwrap();
        let client = Client::try_from(way).unwrap();
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let made = object(json!({ "metadata": {
            "generateName": "headcount-it-", "labels": { "team": "payments" },
        }}));
        let made: Namespace = namespaces.create(&PostParams::default(), &made).await.unwrap();
        let now = made.creation_timestamp().unwrap().0;
        let connector = KubernetesConnector::with(config, Tuning::default(), None).unwrap();
        let namespace = made.name_any();
        Self { client, namespace, now, connector: Arc::new(connector) }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    fn context(&self) -> ScanContext {
        ScanContext {
            scan: "real".to_owned(),
            source: "real".to_owned(),
            now: self.now,
            priority: Priority::Hint,
            pass: Pass::First,
            cache: Arc::new(MemoryCache::default()),
            memo: Memo::default(),
        }
    }

    /// The name of something in the namespace, as records have it.
    fn named(&self, name: &str) -> String {
        format!("{}/{name}", self.namespace)
    }

    async fn populate(&self) {
        let new = PostParams::default();
        let accounts: Api<ServiceAccount> = self.api();
        for name in ["web", "ci"] {
            let account = object(json!({ "metadata": { "name": name } }));
            accounts.create(&new, &account).await.unwrap();
        }
        let to = |name: &str| {
            json!({ "kind": "ServiceAccount", "name": name,
                                      "namespace": self.namespace })
        };
        let role = |name: &str| {
            json!({ "apiGroup": "rbac.authorization.k8s.io",
                                        "kind": "ClusterRole", "name": name })
        };
        let viewers = object(json!({ "metadata": { "name": "viewers" },
            "roleRef": role("view"), "subjects": [to("web"), to("ghost")] }));
        self.api::<RoleBinding>().create(&new, &viewers).await.unwrap();
        let admin = object(json!({ "metadata": { "name": self.namespace },
            "roleRef": role("cluster-admin"), "subjects": [to("ci")] }));
        let bindings: Api<ClusterRoleBinding> = Api::all(self.client.clone());
        bindings.create(&new, &admin).await.unwrap();
        let app = json!({ "app": "web" });
        let deployment = object(json!({ "metadata": { "name": "web" }, "spec": {
            "selector": { "matchLabels": app },
            "template": { "metadata": { "labels": app }, "spec": {
                "serviceAccountName": "web",
                "containers": [{ "name": "web", "image": "registry.example.com/web:1" }],
            }},
        }}));
        self.api::<Deployment>().create(&new, &deployment).await.unwrap();
        self.token().await;
    }

    /// A legacy token, and waits until the controller manager has filled it.
    async fn token(&self) {
        let secret = object(json!({
            "metadata": { "name": "ci-token",
                          "annotations": { "kubernetes.io/service-account.name": "ci" } },
            "type": "kubernetes.io/service-account-token",
        }));
        let secrets: Api<Secret> = self.api();
        secrets.create(&PostParams::default(), &secret).await.unwrap();
        let is_filled = |secret: Option<&Secret>| {
            let annotations = secret.and_then(|secret| secret.metadata.annotations.as_ref());
            annotations.is_some_and(|a| a.contains_key("kubernetes.io/service-account.uid"))
        };
        let filled = await_condition(secrets, "ci-token", is_filled);
        tokio::time::timeout(PATIENCE, filled).await.unwrap().unwrap();
    }

    async fn scan_and_watch(self) {
        self.populate().await;
        for probe in self.connector.check(&self.context()).await {
            let is_well = !matches!(probe.outcome, ProbeOutcome::Failed(_));
            assert!(is_well, "{} failed: {:?}", probe.operation, probe.outcome);
        }
        // Once by listing, once from what is watched.
        let mut agent = Agent::of(&self.connector, self.context());
        agent.scan().await;
        self.is_as_made(&agent);
        agent.begin();
        agent.scan().await;
        self.is_as_made(&agent);
        self.live_through_a_day(&mut agent).await;
        agent.stop().await;
    }

    fn is_as_made(&self, agent: &Agent) {
        for (scope, outcome) in &agent.outcomes {
            match outcome {
                Ok(proof) => assert_eq!(proof.degradations(), [], "{scope}"),
                // Older servers have none.
                Err(ScanError::NotSupported { .. }) if scope == "pod-certificate-requests" => {}
                Err(error) => panic!("{scope}: {error}"),
            }
        }
        let record = |kind: &str, name: &str| {
            agent.named(kind, &self.named(name)).unwrap_or_else(|| panic!("no {kind} {name}"))
        };
        let (web, ci) = (record("service-account", "web"), record("service-account", "ci"));
        assert_eq!(web.attributes["in_use"], "true");
        assert_eq!(ci.privilege.as_ref().unwrap().level, Level::Admin);
        assert!(web.owner_evidence.iter().any(|claim| claim.reference == "payments"));
        assert!(web.subjects[0].issuer.starts_with("https://"));
        assert!(!agent.has("service-account", &self.named("default")), "nobody runs as it");
        let user = |name: &str| format!("system:serviceaccount:{}:{name}", self.namespace);
        let grant = record("role-binding", &format!("viewers to {}", user("web")));
        assert_eq!(grant.parent.as_ref(), Some(&web.id));
        let ghost = record("role-binding", &format!("viewers to {}", user("ghost")));
        assert_eq!(ghost.links[0].to, Endpoint::Dangling { native: user("ghost") });
        let workload = record("workload", "web");
        assert_eq!((workload.class, workload.links.len()), (Class::Workload, 1));
        let token = record("service-account-token", "ci-token");
        assert!(matches!(token.usage, Usage::NeverSince { .. }), "{:?}", token.usage);
        assert_eq!(token.parent.as_ref(), Some(&ci.id));
    }

    async fn live_through_a_day(&self, agent: &mut Agent) {
        let (accounts, gone) = (self.api::<ServiceAccount>(), DeleteParams::default());
        let late = object(json!({ "metadata": { "name": "late" } }));
        accounts.create(&PostParams::default(), &late).await.unwrap();
        let name = self.named("late");
        agent.until("it is known", |agent| agent.has("service-account", &name)).await;
        accounts.delete("late", &gone).await.unwrap();
        agent.until("it is gone", |agent| !agent.has("service-account", &name)).await;
        self.api::<Deployment>().delete("web", &gone).await.unwrap();
        let name = self.named("web");
        agent.until("its workload is gone", |agent| !agent.has("workload", &name)).await;
        agent
            .until("it is out of use", |agent| {
                let web = agent.named("service-account", &name);
                web.is_some_and(|web| web.attributes["in_use"] == "false")
            })
            .await;
        accounts.delete("ci", &gone).await.unwrap();
        let token = self.named("ci-token");
        agent
            .until("its token went with it", |agent| !agent.has("service-account-token", &token))
            .await;
    }
}
