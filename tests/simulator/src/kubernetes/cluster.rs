//! What exists in the cluster, and the changes that keep it consistent.
//!
//! Every change moves the one resourceVersion of the cluster and is noted in the log. Deleting
//! takes along what a real cluster's controllers would take: what a namespace holds, what an
//! object controls, the legacy tokens of a service account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fastrand::Rng;
use jiff::Timestamp;

use super::log::{Entry, Key, Log};
use super::object::{Object, Text, Uid};
use super::resource::Resource;
use super::script::Script;
use crate::change::{ChangeError, Changed};
use crate::clock::Clock;

/// How a cluster begins.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The same seed makes the same uids.
    pub seed: u64,
    /// The clock by which it lives; hand in another simulator's to let both live by one.
    pub clock: Clock,
    /// Who issues its service account tokens; `None`: a made-up EKS issuer.
    pub issuer: Option<String>,
    /// Roles of the cloud that seeded service accounts use by turns.
    pub role_arns: Vec<String>,
}

impl Setup {
    /// A cluster as of 2026-01-15T09:00:00Z.
    pub fn new(seed: u64) -> Self {
        let start = Timestamp::from_second(1_768_467_600).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { seed, clock: Clock::at(start), issuer: None, role_arns: Vec::new() }
    }
}

pub(crate) type Objects = BTreeMap<Key, Arc<Object>>;

/// A cluster.
#[derive(Debug)]
pub struct Cluster {
    pub(crate) objects: BTreeMap<Resource, Objects>,
    pub(crate) log: Log,
    pub(crate) version: u64,
    pub(crate) clock: Clock,
    pub(crate) issuer: String,
    pub(crate) denied: BTreeSet<(String, String)>,
    pub(crate) script: Script,
    rng: Rng,
}

/// Looking.
impl Cluster {
    /// The uid of `kube-system`, by which clusters are told apart.
    pub fn id(&self) -> String {
        let system = self.get(Resource::Namespaces, "", "kube-system");
        system.map(|namespace| namespace.uid.to_string()).unwrap_or_default()
    }

    /// Who issues its service account tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The clock by which the cluster lives.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The resourceVersion of the last change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// One object.
    pub fn get(&self, resource: Resource, namespace: &str, name: &str) -> Option<&Object> {
        let key = (namespace.into(), name.into());
        self.objects.get(&resource)?.get(&key).map(|object| &**object)
    }

    /// All objects of a collection, by namespace and name.
    pub fn all(&self, resource: Resource) -> impl Iterator<Item = &Object> {
        self.objects.get(&resource).into_iter().flat_map(BTreeMap::values).map(|object| &**object)
    }

    /// How many objects a collection holds.
    pub fn count(&self, resource: Resource) -> usize {
        self.objects.get(&resource).map_or(0, BTreeMap::len)
    }
}

/// Changing.
impl Cluster {
    /// A cluster with `default`, `kube-system` and `kube-public`, and nothing else in it.
    pub fn empty(seed: u64) -> Self {
        Self::set_up(&Setup::new(seed))
    }

    /// As [`Cluster::empty`], with everything chosen.
    pub fn set_up(setup: &Setup) -> Self {
        let made_up = || {
            let id = 0xC1A5_7E12_0000_u64 + setup.seed % 0x1_0000;
            format!("https://oidc.eks.eu-west-1.amazonaws.com/id/{id:032X}")
        };
        let mut cluster = Self {
            objects: BTreeMap::new(),
            log: Log::default(),
            version: 1_000,
            clock: setup.clock.clone(),
            issuer: setup.issuer.clone().unwrap_or_else(made_up),
            denied: BTreeSet::new(),
            script: Script::default(),
            rng: Rng::with_seed(setup.seed),
        };
        for name in ["default", "kube-public", "kube-system"] {
            if let Err(error) = cluster.create(Object::new_namespace(name)) {
                unreachable!("the first namespaces are unique: {error}");
            }
        }
        cluster
    }

    /// Creates an object; returns its uid. A namespace gets its `default` service account.
    pub fn create(&mut self, object: Object) -> Changed<Uid> {
        let mut object = object;
        let resource = object.resource;
        if resource.is_namespaced() {
            self.require(Resource::Namespaces, "", &object.namespace)?;
        }
        let key = (object.namespace.clone(), object.name.clone());
        if self.objects.get(&resource).is_some_and(|objects| objects.contains_key(&key)) {
            return Err(ChangeError::Exists(object.name.to_string()));
        }
        object.uid = self.new_uid();
        object.created = Some(object.created.unwrap_or_else(|| self.clock.now()));
        let (uid, created) = (object.uid, object.created);
        self.put(None, object);
        if resource == Resource::Namespaces {
            let mut account = Object::service_account(&key.1, "default");
            account.created = created;
            self.create(account)?;
        }
        Ok(uid)
    }

    /// Changes an object. What makes it the same object stays: collection, names, uid, creation.
    pub fn update(
        &mut self,
        resource: Resource,
        namespace: &str,
        name: &str,
        change: impl FnOnce(Object) -> Object,
    ) -> Changed<()> {
        let before = self.require(resource, namespace, name)?;
        let mut after = change(Object::clone(&before));
        (after.resource, after.uid, after.created) = (resource, before.uid, before.created);
        (after.namespace, after.name) = (before.namespace.clone(), before.name.clone());
        self.put(Some(before), after);
        Ok(())
    }

    /// Deletes an object and then, like the controllers of a real cluster, what goes with it. A
    /// namespace goes last.
    pub fn delete(&mut self, resource: Resource, namespace: &str, name: &str) -> Changed<()> {
        let object = self.require(resource, namespace, name)?;
        let dependants = self.dependants(&object);
        let is_last = resource == Resource::Namespaces;
        if !is_last {
            self.take(Arc::clone(&object));
        }
        for (resource, key) in dependants {
            // A dependant of a dependant may have gone already.
            if self.get(resource, &key.0, &key.1).is_some() {
                self.delete(resource, &key.0, &key.1)?;
            }
        }
        if is_last {
            self.take(object);
        }
        Ok(())
    }

    /// Deletes an object and creates it anew under the same name: another uid.
    pub fn recreate(&mut self, resource: Resource, namespace: &str, name: &str) -> Changed<Uid> {
        let mut object = Object::clone(&*self.require(resource, namespace, name)?);
        self.delete(resource, namespace, name)?;
        object.created = None;
        self.create(object)
    }

    fn require(&self, resource: Resource, namespace: &str, name: &str) -> Changed<Arc<Object>> {
        let key: Key = (namespace.into(), name.into());
        let found = self.objects.get(&resource).and_then(|objects| objects.get(&key));
        found.cloned().ok_or_else(|| {
            let full =
                if namespace.is_empty() { name.into() } else { format!("{namespace}/{name}") };
            ChangeError::NoSuch { kind: resource.kind(), name: full }
        })
    }

    fn put(&mut self, before: Option<Arc<Object>>, object: Object) {
        let mut object = object;
        self.version += 1;
        object.version = self.version;
        let object = Arc::new(object);
        let key = (object.namespace.clone(), object.name.clone());
        let resource = object.resource;
        self.objects.entry(resource).or_default().insert(key, Arc::clone(&object));
        let copies = self.script.copies(resource, false);
        self.log.push(
            self.version,
            resource,
            Entry::Change { before, after: Some(object), copies },
        );
    }

    fn take(&mut self, object: Arc<Object>) {
        self.version += 1;
        let resource = object.resource;
        if let Some(objects) = self.objects.get_mut(&resource) {
            objects.remove(&(object.namespace.clone(), object.name.clone()));
        }
        let copies = self.script.copies(resource, true);
        let entry = Entry::Change { before: Some(object), after: None, copies };
        self.log.push(self.version, resource, entry);
    }

    /// What controllers delete when `object` goes.
    fn dependants(&self, object: &Object) -> Vec<(Resource, Key)> {
        let goes = |other: &Object| match object.resource {
            Resource::Namespaces => other.namespace == object.name,
            Resource::ServiceAccounts => {
                let uid = other.annotation_value("kubernetes.io/service-account.uid");
                other.resource == Resource::Secrets && uid == Some(&object.uid.to_string())
            }
            _ => other.owners.iter().any(|owner| owner.uid == object.uid),
        };
        let may_own = |other: Resource| match object.resource {
            Resource::Namespaces => other.is_namespaced(),
            Resource::ServiceAccounts => other == Resource::Secrets,
            Resource::Deployments => other == Resource::ReplicaSets,
            Resource::CronJobs => other == Resource::Jobs,
            Resource::StatefulSets
            | Resource::DaemonSets
            | Resource::ReplicaSets
            | Resource::Jobs => other == Resource::Pods,
            _ => false,
        };
        let mut going = Vec::new();
        for (resource, objects) in self.objects.iter().filter(|(resource, _)| may_own(**resource)) {
            let keys = objects.iter().filter(|(_, other)| goes(other)).map(|(key, _)| key.clone());
            going.extend(keys.map(|key| (*resource, key)));
        }
        going
    }

    /// Shaped like a random UUID.
    fn new_uid(&mut self) -> Uid {
        let random = self.rng.u128(..) & !(0xf << 76) & !(0x3 << 62);
        Uid(random | 0x4 << 76 | 0x2 << 62)
    }

    /// The keys between which a namespace's objects lie.
    pub(crate) fn namespace_range(namespace: &Text) -> (Key, Key) {
        ((namespace.clone(), "".into()), (format!("{namespace}\0").into(), "".into()))
    }
}
