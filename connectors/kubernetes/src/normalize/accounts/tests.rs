//! Service accounts as records: what counts, what is in use, and what is not known.
#![allow(clippy::panic, reason = "tests fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headcount_sdk::ScanError;

use super::*;
use crate::id::Place;
use crate::keep::{Binding, Holder, Meta, Object, Runner, Texts};

pub(crate) fn meta(uid: &str, namespace: &str, name: &str) -> Meta {
    Meta {
        uid: uid.into(),
        namespace: namespace.into(),
        name: name.into(),
        created: None,
        labels: Texts::default(),
        annotations: Texts::default(),
        owner: None,
    }
}

fn account(uid: &str, name: &str) -> Account {
    Account { meta: meta(uid, "shop", name), automount: None, pull_secrets: Box::new([]) }
}

/// A world in which everything was read.
fn world(objects: Vec<(Kind, Object)>) -> World {
    let mut parts: BTreeMap<Kind, BTreeMap<Box<str>, Arc<Object>>> =
        Kind::ALL.into_iter().map(|kind| (kind, BTreeMap::new())).collect();
    for (kind, object) in objects {
        parts.entry(kind).or_default().insert(object.meta().uid.clone(), Arc::new(object));
    }
    let mut world = World::new(Place::new("cluster"), Timestamp::UNIX_EPOCH);
    for (kind, part) in parts {
        world.put(kind, Ok(Arc::new(part)));
    }
    world
}

fn names(world: &World, doubt: Doubt<'_>) -> Vec<String> {
    let keys = OwnerKeys::new(&headcount_sdk::owner::default_keys());
    let mut names = Vec::new();
    Accounts::of(world, &keys).record(Wanted::All, doubt, &mut |made| names.push(made.name));
    names
}

fn denied(kind: Kind) -> ScanError {
    let operation = kind.resource().list.to_owned();
    ScanError::Denied { permission: operation.clone(), operation }
}

fn default_of_shop() -> (Kind, Object) {
    (Kind::ServiceAccounts, Object::Account(account("d", "default")))
}

fn pod(is_live: bool) -> (Kind, Object) {
    let runner = Runner {
        meta: meta("p", "shop", "p"),
        kind: Kind::Pods,
        account: "default".into(),
        automount: None,
        pull_secrets: Box::new([]),
        is_live,
    };
    (Kind::Pods, Object::Runner(runner))
}

fn binding() -> (Kind, Object) {
    let holder = Holder::Account { namespace: "shop".into(), name: "default".into() };
    let binding = Binding {
        meta: meta("b", "shop", "b"),
        role_kind: "Role".into(),
        role: "none".into(),
        subjects: [holder].into(),
    };
    (Kind::RoleBindings, Object::Binding(binding))
}

#[test]
fn a_default_account_counts_by_what_is_known_of_it() {
    let nobody = BTreeSet::new();
    let known = BTreeSet::from(["d".to_owned()]);
    type Row<'a> = (Vec<(Kind, Object)>, Option<Kind>, Doubt<'a>, bool);
    let rows: [Row<'_>; 8] = [
        (vec![], None, Doubt::Keep(&known), false),
        (vec![], None, Doubt::KeepAll, false),
        (vec![pod(true)], None, Doubt::Keep(&nobody), true),
        (vec![pod(false)], None, Doubt::KeepAll, false),
        (vec![binding()], None, Doubt::Keep(&nobody), true),
        (vec![], Some(Kind::Roles), Doubt::Keep(&known), true),
        (vec![], Some(Kind::Pods), Doubt::Keep(&nobody), false),
        (vec![], Some(Kind::Pods), Doubt::KeepAll, true),
    ];
    for (row, (mut objects, unread, doubt, counts)) in rows.into_iter().enumerate() {
        objects.push(default_of_shop());
        let mut world = world(objects);
        if let Some(kind) = unread {
            world.put(kind, Err(denied(kind)));
        }
        assert_eq!(!names(&world, doubt).is_empty(), counts, "row {row}");
    }
}

#[test]
fn clouds_are_known_by_their_annotations() {
    let mut account = account("a", "web");
    let annotations = [
        ("azure.workload.identity/client-id", "00000000-0000-0000-0000-000000000001"),
        ("eks.amazonaws.com/role-arn", " arn:aws-cn:iam::123456789012:role/a/b "),
        ("iam.gke.io/gcp-service-account", "web@shop.iam.gserviceaccount.com"),
    ];
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    account.meta.annotations = Texts::of(annotations.map(owned));
    let places: Vec<String> = federated(&account)
        .into_iter()
        .map(|link| match link.to {
            Endpoint::Native { place, native } => format!("{place} {native}"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        places,
        [
            "aws-cn:123456789012 arn:aws-cn:iam::123456789012:role/a/b",
            "gcp web@shop.iam.gserviceaccount.com",
            "azure 00000000-0000-0000-0000-000000000001",
        ]
    );
    assert_eq!(place_of_arn("not-an-arn"), "aws");
}

#[test]
fn accounts_of_the_control_plane_are_told_by_name_or_binding_and_else_unread() {
    let keys = OwnerKeys::new(&headcount_sdk::owner::default_keys());
    let system = |world: &World| -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        Accounts::of(world, &keys).record(Wanted::All, Doubt::KeepAll, &mut |made| {
            let told = made.attributes.get("system").or(made.unread.get("attributes.system"));
            found.insert(made.name.clone(), told.cloned().unwrap_or_default());
        });
        found
    };
    let of_system = |uid: &str, name: &str| {
        let meta = meta(uid, "kube-system", name);
        let account = Account { meta, automount: None, pull_secrets: Box::new([]) };
        (Kind::ServiceAccounts, Object::Account(account))
    };
    let accounts = || {
        vec![
            of_system("1", "job-controller"),
            of_system("2", "aws-load-balancer-controller"),
            (Kind::ServiceAccounts, Object::Account(account("3", "job-controller"))),
        ]
    };
    let mut world = world(accounts());
    let told = system(&world);
    assert_eq!(told["kube-system/job-controller"], "true");
    assert_eq!(told["kube-system/aws-load-balancer-controller"], "");
    assert_eq!(told["shop/job-controller"], "");
    world.put(Kind::RoleBindings, Err(denied(Kind::RoleBindings)));
    let told = system(&world);
    assert_eq!(told["kube-system/job-controller"], "true");
    assert_eq!(told["kube-system/aws-load-balancer-controller"], "list rolebindings");
}
