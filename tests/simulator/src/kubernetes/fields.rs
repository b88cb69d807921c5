//! The fields of objects besides metadata, kind by kind.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::body::{Binding, Body, PodTemplate, Request, Rule, Subject};
use super::json::{MARKED_SECRET_BASE64, pairs};
use super::object::{Object, Text};
use super::resource::Resource;

/// Made-up certificates and requests: nothing here signs.
const PAPER: &str = "-----BEGIN CERTIFICATE-----\nc2ltdWxhdGVk\n-----END CERTIFICATE-----\n";

/// Everything but kind, API version and metadata.
pub(crate) fn of(object: &Object) -> Map<String, Value> {
    let fields = match &object.body {
        Body::Namespace => json!({
            "spec": { "finalizers": ["kubernetes"] },
            "status": { "phase": "Active" },
        }),
        Body::ServiceAccount { secrets, image_pull_secrets, automount } => {
            service_account(secrets, image_pull_secrets, *automount)
        }
        Body::Secret { kind } => {
            json!({ "type": &**kind, "data": { "value": MARKED_SECRET_BASE64 } })
        }
        Body::ConfigMap { data } => json!({ "data": pairs(data) }),
        Body::Pod { template, phase, node } => pod(template, phase, node.as_deref()),
        Body::Workload { template, replicas } => {
            json!({ "spec": workload(object, template, *replicas), "status": {} })
        }
        Body::CronJob(cron) => json!({
            "spec": {
                "schedule": &*cron.schedule,
                "jobTemplate": { "spec": { "template": pod_template(&cron.template) } },
            },
            "status": {},
        }),
        Body::Role { rules } => json!({ "rules": rules.iter().map(rule).collect::<Vec<_>>() }),
        Body::Binding(own) => binding(own),
        Body::Request(own) => request(own, object.created),
        Body::PodRequest { .. } => pod_request(&object.body),
    };
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn service_account(secrets: &[Text], pull: &[Text], automount: Option<bool>) -> Value {
    let mut fields = json!({});
    if !secrets.is_empty() {
        fields["secrets"] = references(secrets);
    }
    if !pull.is_empty() {
        fields["imagePullSecrets"] = references(pull);
    }
    if let Some(automount) = automount {
        fields["automountServiceAccountToken"] = json!(automount);
    }
    fields
}

fn references(names: &[Text]) -> Value {
    names.iter().map(|name| json!({ "name": &**name })).collect()
}

/// A pod always names its account; the name `serviceAccount` is the old one, still written.
fn pod(template: &PodTemplate, phase: &str, node: Option<&str>) -> Value {
    let account = template.service_account.as_deref().unwrap_or("default");
    let mut spec = pod_spec(template);
    spec["serviceAccountName"] = json!(account);
    spec["serviceAccount"] = json!(account);
    if let Some(node) = node {
        spec["nodeName"] = json!(node);
    }
    json!({ "spec": spec, "status": { "phase": phase, "qosClass": "BestEffort" } })
}

fn pod_spec(template: &PodTemplate) -> Value {
    let mut spec = json!({
        "containers": [{ "name": "main", "image": &*template.image }],
        "restartPolicy": "Always",
    });
    if let Some(account) = &template.service_account {
        spec["serviceAccountName"] = json!(&**account);
    }
    if let Some(automount) = template.automount {
        spec["automountServiceAccountToken"] = json!(automount);
    }
    if !template.image_pull_secrets.is_empty() {
        spec["imagePullSecrets"] = references(&template.image_pull_secrets);
    }
    let mut volumes = Vec::new();
    for name in &template.secrets {
        volumes.push(json!({ "name": &**name, "secret": { "secretName": &**name } }));
    }
    for (n, projection) in template.projections.iter().enumerate() {
        let token = json!({
            "audience": &*projection.audience,
            "expirationSeconds": projection.seconds,
            "path": "token",
        });
        volumes.push(json!({
            "name": format!("token-{n}"),
            "projected": { "sources": [{ "serviceAccountToken": token }] },
        }));
    }
    if !volumes.is_empty() {
        spec["volumes"] = json!(volumes);
    }
    spec
}

fn pod_template(template: &PodTemplate) -> Value {
    json!({ "metadata": { "labels": pairs(&template.labels) }, "spec": pod_spec(template) })
}

fn workload(object: &Object, template: &PodTemplate, replicas: u32) -> Value {
    let mut spec = json!({
        "selector": { "matchLabels": pairs(&template.labels) },
        "template": pod_template(template),
    });
    match object.resource {
        Resource::DaemonSets => {}
        Resource::Jobs => spec["completions"] = json!(replicas),
        Resource::StatefulSets => {
            spec["replicas"] = json!(replicas);
            spec["serviceName"] = json!(&*object.name);
        }
        _ => spec["replicas"] = json!(replicas),
    }
    spec
}

fn texts(texts: &[Text]) -> Value {
    texts.iter().map(|text| json!(&**text)).collect()
}

fn rule(rule: &Rule) -> Value {
    let mut fields = json!({ "verbs": texts(&rule.verbs) });
    let lists = [
        ("apiGroups", &rule.groups),
        ("resources", &rule.resources),
        ("resourceNames", &rule.names),
        ("nonResourceURLs", &rule.urls),
    ];
    for (name, list) in lists {
        if !list.is_empty() {
            fields[name] = texts(list);
        }
    }
    fields
}

fn binding(binding: &Binding) -> Value {
    const RBAC: &str = "rbac.authorization.k8s.io";
    let subject = |subject: &Subject| match subject {
        Subject::ServiceAccount { namespace, name } => {
            json!({ "kind": "ServiceAccount", "namespace": &**namespace, "name": &**name })
        }
        Subject::Group(name) => json!({ "kind": "Group", "apiGroup": RBAC, "name": &**name }),
        Subject::User(name) => json!({ "kind": "User", "apiGroup": RBAC, "name": &**name }),
    };
    let role = json!({ "apiGroup": RBAC, "kind": binding.role.kind, "name": &*binding.role.name });
    if binding.subjects.is_empty() {
        return json!({ "roleRef": role });
    }
    json!({ "roleRef": role, "subjects": binding.subjects.iter().map(subject).collect::<Vec<_>>() })
}

fn request(request: &Request, created: Option<Timestamp>) -> Value {
    let paper = BASE64_STANDARD.encode(PAPER);
    let at = created.map(|moment| moment.to_string());
    let mut spec = json!({
        "request": paper,
        "signerName": &*request.signer,
        "username": &*request.username,
        "groups": texts(&request.groups),
        "usages": texts(&request.usages),
    });
    if let Some(seconds) = request.seconds {
        spec["expirationSeconds"] = json!(seconds);
    }
    let conditions = request.conditions.iter().map(|condition| {
        json!({
            "type": condition.kind,
            "status": "True",
            "reason": &*condition.reason,
            "lastTransitionTime": at,
            "lastUpdateTime": at,
        })
    });
    let mut status = json!({});
    if !request.conditions.is_empty() {
        status["conditions"] = conditions.collect();
    }
    if request.issued {
        status["certificate"] = json!(paper);
    }
    json!({ "spec": spec, "status": status })
}

fn pod_request(body: &Body) -> Value {
    let Body::PodRequest { pod, account, node, signer, max_seconds, issued } = body else {
        return json!({});
    };
    let mut status = json!({});
    if let Some((from, until)) = issued {
        status = json!({
            "conditions": [{
                "type": "Issued",
                "status": "True",
                "reason": "Reason",
                "message": "",
                "lastTransitionTime": from.to_string(),
            }],
            "certificateChain": PAPER,
            "notBefore": from.to_string(),
            "beginRefreshAt": from.to_string(),
            "notAfter": until.to_string(),
        });
    }
    json!({
        "spec": {
            "signerName": &**signer,
            "podName": &*pod.0,
            "podUID": &*pod.1,
            "serviceAccountName": &*account.0,
            "serviceAccountUID": &*account.1,
            "nodeName": &*node.0,
            "nodeUID": &*node.1,
            "maxExpirationSeconds": max_seconds,
            "pkixPublicKey": BASE64_STANDARD.encode("simulated"),
            "proofOfPossession": BASE64_STANDARD.encode("simulated"),
        },
        "status": status,
    })
}
