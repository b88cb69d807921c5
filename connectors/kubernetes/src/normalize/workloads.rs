//! Workloads: the controllers at the top of each chain of owners, and as whom they run. Pods that a
//! known controller made are not records: their names live for hours.

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::{
    Class, Endpoint, Expiry, Link, LinkKind, Observation, ScanError, Status, Usage,
};

use super::owner::{OwnerKeys, application, evidence, purpose};
use super::{Wanted, full_name, observation, unread};
use crate::id::pull_secret_key;
use crate::keep::{Meta, Runner};
use crate::kinds::Kind;
use crate::world::{Names, Top, World};

/// A controller, and all that it is known to run.
struct Group<'w> {
    top: Top<'w>,
    /// The controller's own template, or what an operator's controller made.
    runners: Vec<&'w Runner>,
}

/// Why owners are unread, if they are.
pub(crate) fn degradations(world: &World) -> Vec<(&'static str, ScanError)> {
    let lack = world.lack(&[Kind::Namespaces]);
    lack.map(|error| ("owner_evidence", error)).into_iter().collect()
}

/// Hands on every workload.
pub(crate) fn record(
    world: &World,
    keys: &OwnerKeys,
    wanted: Wanted<'_>,
    sink: &mut dyn FnMut(Observation),
) {
    let names = Names::of(world);
    for (uid, group) in groups(world, wanted) {
        sink(observe(world, keys, &names, (uid, &group)));
    }
}

fn groups<'w>(world: &'w World, wanted: Wanted<'_>) -> BTreeMap<&'w str, Group<'w>> {
    let mut groups: BTreeMap<&str, Group<'w>> = BTreeMap::new();
    for runner in world.runners() {
        let top = world.top(runner);
        let Some(uid) = top.uid().filter(|uid| wanted.has(uid)) else { continue };
        let counts = match top {
            // The template speaks for what was made from it.
            Top::Known(known) => {
                std::ptr::eq(known, runner) && (runner.is_live || runner.kind != Kind::Pods)
            }
            Top::Foreign { .. } => runner.is_live,
            Top::Gone => false,
        };
        if counts {
            let group = groups.entry(uid).or_insert_with(|| Group { top, runners: Vec::new() });
            group.runners.push(runner);
        }
    }
    groups
}

fn observe(
    world: &World,
    keys: &OwnerKeys,
    names: &Names<'_>,
    (uid, group): (&str, &Group<'_>),
) -> Observation {
    let id = world.place.workload(uid);
    // A group is made with its first runner.
    let Some(first) = group.runners.iter().min_by_key(|runner| &runner.meta.uid) else {
        return Observation::new(id, Class::Workload, "workload", uid);
    };
    let (meta, controller) = match group.top {
        Top::Known(runner) => (runner.meta.clone(), runner.kind.resource().kind),
        Top::Foreign { kind, name, .. } => (foreign(first, name), kind),
        Top::Gone => (first.meta.clone(), first.kind.resource().kind),
    };
    let mut made = observation((Class::Workload, "workload"), id, &meta);
    made.native = format!("{controller} {}", full_name(&meta));
    made.status = Status::Active;
    made.expiry = Expiry::NotApplicable;
    made.usage = Usage::NotObservable { reason: "workloads are there or not".to_owned() };
    made.purpose = purpose(&meta);
    made.attributes.insert("controller".to_owned(), controller.to_owned());
    let application = application(&meta, &meta.name).to_owned();
    made.attributes.insert("application".to_owned(), application);
    run_as(world, names, group, &mut made);
    let namespace = names.namespace(&meta.namespace);
    made.owner_evidence = evidence(keys, &meta, namespace);
    if let Some(error) = world.lack(&[Kind::Namespaces]) {
        unread(&mut made, "owner_evidence", &error);
    }
    let operation = first.kind.resource().list;
    made.evidence.push(world.evidence(operation, &made.native));
    made
}

/// What an operator's controller is called; what it is labelled with is not read.
fn foreign(made: &Runner, name: &str) -> Meta {
    Meta {
        uid: made.meta.uid.clone(),
        namespace: made.meta.namespace.clone(),
        name: name.into(),
        created: None,
        labels: crate::keep::Texts::default(),
        annotations: crate::keep::Texts::default(),
        owner: None,
    }
}

/// Links to the accounts, and whether their tokens are mounted: the workload decides, else the
/// account, else yes.
/// <https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/#opt-out-of-api-credential-automounting>
fn run_as(world: &World, names: &Names<'_>, group: &Group<'_>, made: &mut Observation) {
    let mut accounts = BTreeSet::new();
    let mut is_mounted = false;
    for runner in &group.runners {
        let account = names.account(&runner.meta.namespace, &runner.account);
        let stated = runner.automount.or_else(|| account.and_then(|account| account.automount));
        is_mounted |= stated.unwrap_or(true);
        accounts.insert(match account {
            Some(account) => Ok(&*account.meta.uid),
            None => Err((&*runner.meta.namespace, &*runner.account)),
        });
    }
    made.attributes.insert("automount".to_owned(), is_mounted.to_string());
    for account in accounts {
        let to = match account {
            Ok(uid) => Endpoint::Record { id: world.place.service_account(uid) },
            Err((namespace, name)) => Endpoint::Dangling {
                native: format!("{}{namespace}:{name}", crate::keep::ACCOUNT_USER),
            },
        };
        made.links.push(Link::new(LinkKind::Uses, to));
    }
}

/// Hands on pull secrets: whatever accounts, pods and templates name, once.
pub(crate) fn record_pull_secrets(
    world: &World,
    wanted: Wanted<'_>,
    sink: &mut dyn FnMut(Observation),
) {
    let names = Names::of(world);
    let of_accounts = world.accounts().map(|a| (&*a.meta.namespace, &a.pull_secrets));
    let of_runners = world.runners().map(|r| (&*r.meta.namespace, &r.pull_secrets));
    let mut found: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (namespace, secrets) in of_accounts.chain(of_runners) {
        found.extend(secrets.iter().map(|secret| (namespace, &**secret)));
    }
    for (namespace, secret) in found {
        // Its namespace may be on its way out, and with it what pulls.
        let Some(home) = names.namespace(namespace) else { continue };
        let key = pull_secret_key(&home.uid, secret);
        if !wanted.has(&key) {
            continue;
        }
        let id = world.place.pull_secret(&key);
        let name = format!("{namespace}/{secret}");
        let mut made = Observation::new(id, Class::Credential, "pull-secret", &name);
        made.native = name;
        made.expiry = Expiry::Unknown;
        made.usage = Usage::NotObservable {
            reason: "Kubernetes does not record the use of pull secrets".to_owned(),
        };
        made.attributes.insert("namespace".to_owned(), namespace.to_owned());
        let operation = Kind::ServiceAccounts.resource().list;
        made.evidence.push(world.evidence(operation, &made.native));
        sink(made);
    }
}
