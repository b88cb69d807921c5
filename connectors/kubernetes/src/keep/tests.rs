//! What is kept of an object, and what never gets that far.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use serde_json::{Value, json};

use super::*;

fn kept(kind: Kind, rest: Value) -> Result<Object, ScanError> {
    let mut object = json!({ "metadata": {
        "uid": "u", "name": "n", "namespace": "shop", "managedFields": [{ "manager": "x" }],
    }});
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    keep(kind, serde_json::from_value(object).unwrap())
}

fn runner(kind: Kind, rest: Value) -> Runner {
    match kept(kind, rest).unwrap() {
        Object::Runner(runner) => runner,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn what_runs_or_will_is_told_from_what_does_not() {
    let of = |kind, spec: Value, status: Value| {
        runner(kind, json!({ "spec": spec, "status": status })).is_live
    };
    let with = |spec: Value| {
        let mut full = json!({ "template": { "spec": {} } });
        full.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        full
    };
    let cron = |suspend: bool| {
        json!({ "suspend": suspend,
                "jobTemplate": { "spec": { "template": { "spec": {} } } } })
    };
    let done = json!({ "conditions": [{ "type": "Complete", "status": "True" }] });
    let rows = [
        (of(Kind::Pods, json!({}), json!({ "phase": "Running" })), true),
        (of(Kind::Pods, json!({}), json!({ "phase": "Pending" })), true),
        (of(Kind::Pods, json!({}), json!({ "phase": "Succeeded" })), false),
        (of(Kind::Pods, json!({}), json!({ "phase": "Failed" })), false),
        (of(Kind::Deployments, with(json!({})), json!({})), true),
        (of(Kind::Deployments, with(json!({ "replicas": 0 })), json!({})), false),
        (of(Kind::DaemonSets, with(json!({})), json!({})), true),
        (of(Kind::Jobs, with(json!({})), json!({})), true),
        (of(Kind::Jobs, with(json!({ "suspend": true })), json!({})), false),
        (of(Kind::Jobs, with(json!({})), done), false),
        (of(Kind::CronJobs, cron(false), json!({})), true),
        (of(Kind::CronJobs, cron(true), json!({})), false),
    ];
    for (row, (is_live, expected)) in rows.into_iter().enumerate() {
        assert_eq!(is_live, expected, "row {row}");
    }
}

#[test]
fn the_account_of_a_pod_may_stand_under_its_older_name_or_not_at_all() {
    let account = |spec: Value| runner(Kind::Pods, json!({ "spec": spec })).account;
    assert_eq!(&*account(json!({ "serviceAccountName": "a", "serviceAccount": "b" })), "a");
    assert_eq!(&*account(json!({ "serviceAccount": "b" })), "b");
    assert_eq!(&*account(json!({ "serviceAccountName": "" })), "default");
}

#[test]
fn what_must_be_there_is_named_when_it_is_not() {
    let path = |kind, rest: Value| match kept(kind, rest) {
        Err(ScanError::Malformed { path, .. }) => path,
        other => unreachable!("{other:?}"),
    };
    assert_eq!(path(Kind::Pods, json!({})), "spec");
    assert_eq!(path(Kind::Deployments, json!({ "spec": {} })), "spec.template");
    assert_eq!(path(Kind::RoleBindings, json!({})), "roleRef");
    assert_eq!(path(Kind::CertificateRequests, json!({ "spec": {} })), "spec.signerName");
    let pod = json!({ "spec": { "signerName": "s", "serviceAccountName": "a" } });
    assert_eq!(path(Kind::PodCertificateRequests, pod), "spec.serviceAccountUID");
    let none = json!({ "metadata": { "name": "n" } });
    assert_eq!(path(Kind::ServiceAccounts, none), "metadata.uid");
}

#[test]
fn a_binding_names_machines_once_each_and_no_people() {
    let binding = json!({
        "roleRef": { "kind": "Role", "name": "r" },
        "subjects": [
            { "kind": "ServiceAccount", "name": "a", "namespace": "other" },
            { "kind": "User", "name": "system:serviceaccount:other:a" },
            { "kind": "ServiceAccount", "name": "b" },
            { "kind": "User", "name": "ana" },
            { "kind": "User", "name": "system:anonymous" },
            { "kind": "Group", "name": "staff" },
            { "kind": "Group", "name": "system:masters" },
            { "kind": "Group", "name": "system:serviceaccounts:shop" },
        ],
    });
    let Object::Binding(binding) = kept(Kind::RoleBindings, binding).unwrap() else {
        unreachable!("a binding")
    };
    let account = |namespace: &str, name: &str| Holder::Account {
        namespace: namespace.into(),
        name: name.into(),
    };
    let group = |name: &str| Holder::Group(name.into());
    let expected = [
        account("other", "a"),
        account("shop", "b"),
        group("system:anonymous"),
        group("system:serviceaccounts:shop"),
    ];
    assert_eq!(*binding.subjects, expected);
    let nobody = json!({ "roleRef": { "kind": "Role", "name": "r" }, "subjects": null });
    assert!(kept(Kind::RoleBindings, nobody).is_ok());
}
