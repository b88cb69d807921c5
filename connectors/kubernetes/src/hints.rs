//! What a change makes dirty: the records of the object itself, and those that are made of it too.
//!
//! A binding changes what its accounts may do, a pod whether its account is in use, a namespace's
//! label who owns what is in it. Subjects are the keys of record ids, so that what is gone can be
//! named. Where too many records are touched the scope is marked as a whole ([`ALL`]); it is read
//! from the mirrors, and costs no call.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use headcount_sdk::{Hint, Hints, Scope};
use tokio::sync::Notify;

use crate::id::{Place, binding_key, pull_secret_key};
use crate::keep::{Account, Binding, Holder, Meta, Object, Role, Runner};
use crate::kinds::Kind;
use crate::mirror::Change;
use crate::normalize::bindings::handle;
use crate::normalize::secrets::account_uid;
use crate::world::{Top, World};

/// Stands for every record of a scope, as [`Hint::whole`] has it.
pub(crate) const ALL: &str = "";

/// Subjects of one scope that are named one by one.
pub(crate) const MOST: usize = 500;

/// Scope and subject.
pub(crate) type Dirty = BTreeMap<&'static str, BTreeSet<String>>;

/// The scopes whose records are made of objects of a kind.
pub(crate) fn scopes(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::ServiceAccounts => &["service-accounts", "bindings", "workloads", "pull-secrets"],
        Kind::Namespaces => &["service-accounts", "workloads", "pull-secrets", "token-secrets"],
        Kind::RoleBindings | Kind::ClusterRoleBindings | Kind::Roles | Kind::ClusterRoles => {
            &["service-accounts", "bindings"]
        }
        Kind::CertificateRequests => &["certificate-requests"],
        Kind::PodCertificateRequests => &["pod-certificate-requests"],
        Kind::Secrets => &["service-accounts", "token-secrets"],
        Kind::Pods
        | Kind::ReplicaSets
        | Kind::Jobs
        | Kind::CronJobs
        | Kind::Deployments
        | Kind::StatefulSets
        | Kind::DaemonSets => &["service-accounts", "workloads", "pull-secrets"],
    }
}

/// What one change makes dirty, in the world as it is after it.
pub(crate) fn dirty(world: &World, kind: Kind, change: &Change) -> Dirty {
    let mut marks = Marks { world, dirty: Dirty::new() };
    for object in [&change.old, &change.new].into_iter().flatten() {
        match &**object {
            Object::Namespace(meta) => marks.namespace(meta, change),
            Object::Account(account) => marks.account(account, change),
            Object::Runner(runner) => marks.runner(runner, change),
            Object::Binding(binding) => marks.binding(binding),
            Object::Role(role) => marks.role(kind, role),
            Object::Request(request) => {
                for scope in scopes(kind) {
                    marks.mark(scope, &request.meta.uid);
                }
            }
            Object::Secret(secret) => {
                marks.mark("token-secrets", &secret.uid);
                // Its last use is its account's.
                if let Some(uid) = account_uid(secret) {
                    marks.mark("service-accounts", uid);
                }
            }
        }
    }
    marks.dirty
}

struct Marks<'w> {
    world: &'w World,
    dirty: Dirty,
}

impl Marks<'_> {
    fn mark(&mut self, scope: &'static str, subject: &str) {
        self.dirty.entry(scope).or_default().insert(subject.to_owned());
    }

    /// What is in it inherits its owner.
    fn namespace(&mut self, meta: &Meta, change: &Change) {
        let world = self.world;
        for account in world.accounts().filter(|a| a.meta.namespace == meta.name) {
            self.mark("service-accounts", &account.meta.uid);
        }
        for runner in world.runners().filter(|r| r.meta.namespace == meta.name) {
            if let Some(uid) = world.top(runner).uid() {
                self.mark("workloads", uid);
            }
        }
        for secret in world.secrets().filter(|secret| secret.namespace == meta.name) {
            self.mark("token-secrets", &secret.uid);
        }
        if change.old.is_none() || change.new.is_none() {
            // Their ids begin with its uid.
            self.mark("pull-secrets", ALL);
        }
    }

    /// Bindings that name it and workloads that run as it lead to it or to nobody.
    fn account(&mut self, account: &Account, change: &Change) {
        let world = self.world;
        let meta = &account.meta;
        self.mark("service-accounts", &meta.uid);
        self.pull_secrets(&meta.namespace, &account.pull_secrets, change);
        let is_named = |holder: &Holder| {
            matches!(holder, Holder::Account { namespace, name }
            if *namespace == meta.namespace && *name == meta.name)
        };
        for (_, binding) in world.bindings() {
            for holder in binding.subjects.iter().filter(|holder| is_named(holder)) {
                self.mark("bindings", &binding_key(&binding.meta.uid, &handle(holder)));
            }
        }
        let runs = |r: &&Runner| r.account == meta.name && r.meta.namespace == meta.namespace;
        for runner in world.runners().filter(runs) {
            if let Some(uid) = world.top(runner).uid() {
                self.mark("workloads", uid);
            }
        }
    }

    fn binding(&mut self, binding: &Binding) {
        for holder in &binding.subjects {
            self.mark("bindings", &binding_key(&binding.meta.uid, &handle(holder)));
            self.accounts_of(holder);
        }
    }

    /// The accounts behind a subject.
    fn accounts_of(&mut self, holder: &Holder) {
        let world = self.world;
        let is_meant = |account: &Account| match holder {
            Holder::Account { namespace, name } => {
                account.meta.namespace == *namespace && account.meta.name == *name
            }
            Holder::Group(group) => match group.strip_prefix("system:serviceaccounts") {
                Some("") => true,
                Some(rest) => rest.strip_prefix(':') == Some(&*account.meta.namespace),
                None => &**group == "system:authenticated",
            },
        };
        for account in world.accounts().filter(|account| is_meant(account)) {
            self.mark("service-accounts", &account.meta.uid);
        }
    }

    /// A role speaks through its bindings.
    fn role(&mut self, kind: Kind, role: &Role) {
        let world = self.world;
        let is_meant = |binding: &Binding| {
            binding.role == role.meta.name
                && match kind {
                    Kind::Roles => {
                        &*binding.role_kind == "Role"
                            && binding.meta.namespace == role.meta.namespace
                    }
                    _ => &*binding.role_kind == "ClusterRole",
                }
        };
        for (_, binding) in world.bindings().filter(|(_, binding)| is_meant(binding)) {
            self.binding(binding);
        }
    }

    fn runner(&mut self, runner: &Runner, change: &Change) {
        let world = self.world;
        match world.top(runner) {
            // The template above speaks for what was made from it: pods come and go.
            Top::Known(above) if above.meta.uid != runner.meta.uid => {}
            top => {
                if let Some(uid) = top.uid() {
                    self.mark("workloads", uid);
                }
            }
        }
        // It stands for itself, also when it is gone or has another owner now.
        if runner.meta.owner.is_none() {
            self.mark("workloads", &runner.meta.uid);
        }
        self.pull_secrets(&runner.meta.namespace, &runner.pull_secrets, change);
        if is_live(change.old.as_deref(), runner) == is_live(change.new.as_deref(), runner) {
            return;
        }
        // Others that run as the same account keep it in use.
        let is_other = |other: &&Runner| {
            other.is_live
                && other.meta.uid != runner.meta.uid
                && other.account == runner.account
                && other.meta.namespace == runner.meta.namespace
        };
        if !world.runners().any(|other| is_other(&other)) {
            self.accounts_of(&Holder::Account {
                namespace: runner.meta.namespace.clone(),
                name: runner.account.clone(),
            });
        }
    }

    fn pull_secrets(&mut self, namespace: &str, secrets: &[Box<str>], change: &Change) {
        let of = |object: &Option<_>| -> BTreeSet<Box<str>> {
            let object: Option<&Object> =
                object.as_ref().map(|object: &std::sync::Arc<_>| &**object);
            match object {
                Some(Object::Account(account)) => account.pull_secrets.iter().cloned().collect(),
                Some(Object::Runner(runner)) => runner.pull_secrets.iter().cloned().collect(),
                _ => BTreeSet::new(),
            }
        };
        let (old, new) = (of(&change.old), of(&change.new));
        let changed = |secret: &str| old.contains(secret) != new.contains(secret);
        let home = self.world.namespaces().find(|meta| &*meta.name == namespace);
        let Some(home) = home.map(|meta| meta.uid.clone()) else { return };
        for secret in secrets.iter().filter(|secret| changed(secret)) {
            self.mark("pull-secrets", &pull_secret_key(&home, secret));
        }
    }
}

/// Whether an object runs as the account that `runner` runs as.
fn is_live(object: Option<&Object>, runner: &Runner) -> bool {
    match object {
        Some(Object::Runner(known)) => known.is_live && known.account == runner.account,
        _ => false,
    }
}

/// Hints that wait to be sent. Watches never wait for whoever acts on hints: the one that acts may
/// be waiting for them.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    dirty: Mutex<Dirty>,
    more: Notify,
}

impl Pending {
    pub(crate) fn add(&self, more: Dirty) {
        {
            let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
            for (scope, subjects) in more {
                let known = dirty.entry(scope).or_default();
                known.extend(subjects);
                if known.len() > MOST || known.contains(ALL) {
                    *known = BTreeSet::from([ALL.to_owned()]);
                }
            }
        }
        self.more.notify_one();
    }

    /// Marks every scope that is made of a kind.
    pub(crate) fn add_all(&self, kind: Kind, is_listed: impl Fn(&str) -> bool) {
        let all = scopes(kind).iter().filter(|scope| is_listed(scope));
        self.add(all.map(|scope| (*scope, BTreeSet::from([ALL.to_owned()]))).collect());
    }

    /// Sends what comes, until the agent stops.
    pub(crate) async fn pump(&self, place: &Place, hints: &Hints) {
        loop {
            self.more.notified().await;
            let dirty = {
                let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::take(&mut *dirty)
            };
            for (kind, subjects) in dirty {
                for subject in subjects {
                    let scope = Scope::new(place.as_str(), kind);
                    if !hints.send(Hint::new(scope, &subject)).await {
                        return;
                    }
                }
            }
        }
    }
}
