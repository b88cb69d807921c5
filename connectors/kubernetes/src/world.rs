//! What was read of a cluster at one time, and tables to find things in it. Pure: records are made
//! of a [`World`] and of nothing else.
//!
//! Each part of it was read to its end, or is the error that says why not; there is no third state
//! that would look like "nothing there".

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use headcount_sdk::{Evidence, Level, Privilege, ScanError};
use jiff::Timestamp;

use crate::id::Place;
use crate::keep::{Account, Binding, Holder, Meta, Object, Request, Role, Runner};
use crate::kinds::Kind;
use crate::rbac::{self, Power, Reach};

/// Objects of one kind by uid.
pub(crate) type Objects = BTreeMap<Box<str>, Arc<Object>>;

/// The cluster as far as it was read.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) now: Timestamp,
    parts: BTreeMap<Kind, Result<Arc<Objects>, ScanError>>,
    /// The issuer of service account tokens.
    pub(crate) issuer: Result<String, ScanError>,
    /// Since when the use of legacy tokens is recorded.
    pub(crate) tracked_since: Result<Timestamp, ScanError>,
}

impl World {
    pub(crate) fn new(place: Place, now: Timestamp) -> Self {
        let unread = |operation| ScanError::Unavailable {
            operation,
            reason: "this reading did not ask for it".to_owned(),
        };
        Self {
            place,
            now,
            parts: BTreeMap::new(),
            issuer: Err(unread(crate::manifest::GET_ISSUER.to_owned())),
            tracked_since: Err(unread(crate::manifest::GET_TRACKING.to_owned())),
        }
    }

    pub(crate) fn put(&mut self, kind: Kind, part: Result<Arc<Objects>, ScanError>) {
        self.parts.insert(kind, part);
    }

    /// The objects of a kind, or why there are none to look at.
    pub(crate) fn part(&self, kind: Kind) -> Result<&Objects, ScanError> {
        match self.parts.get(&kind) {
            Some(Ok(objects)) => Ok(objects),
            Some(Err(error)) => Err(error.clone()),
            None => Err(ScanError::Unavailable {
                operation: kind.resource().list.to_owned(),
                reason: "this reading did not ask for it".to_owned(),
            }),
        }
    }

    /// Whether anybody asked for a kind.
    pub(crate) fn was_asked_for(&self, kind: Kind) -> bool {
        self.parts.contains_key(&kind)
    }

    /// The first of these kinds that was not read.
    pub(crate) fn lack(&self, kinds: &[Kind]) -> Option<ScanError> {
        kinds.iter().find_map(|kind| self.part(*kind).err())
    }

    fn all(&self, kind: Kind) -> impl Iterator<Item = &Object> {
        let objects = self.parts.get(&kind).and_then(|part| part.as_ref().ok());
        objects.into_iter().flat_map(|objects| objects.values()).map(|object| &**object)
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.all(Kind::ServiceAccounts).filter_map(|object| match object {
            Object::Account(account) => Some(account),
            _ => None,
        })
    }

    pub(crate) fn runners(&self) -> impl Iterator<Item = &Runner> {
        Kind::RUNNERS.into_iter().flat_map(|kind| self.all(kind)).filter_map(
            |object| match object {
                Object::Runner(runner) => Some(runner),
                _ => None,
            },
        )
    }

    pub(crate) fn bindings(&self) -> impl Iterator<Item = (Kind, &Binding)> {
        let kinds = [Kind::RoleBindings, Kind::ClusterRoleBindings];
        kinds
            .into_iter()
            .flat_map(|kind| self.all(kind).map(move |object| (kind, object)))
            .filter_map(|(kind, object)| match object {
                Object::Binding(binding) => Some((kind, binding)),
                _ => None,
            })
    }

    fn roles(&self) -> impl Iterator<Item = (Kind, &Role)> {
        let kinds = [Kind::Roles, Kind::ClusterRoles];
        kinds
            .into_iter()
            .flat_map(|kind| self.all(kind).map(move |object| (kind, object)))
            .filter_map(|(kind, object)| match object {
                Object::Role(role) => Some((kind, role)),
                _ => None,
            })
    }

    pub(crate) fn requests(&self, kind: Kind) -> impl Iterator<Item = &Request> {
        self.all(kind).filter_map(|object| match object {
            Object::Request(request) => Some(request),
            _ => None,
        })
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Meta> {
        self.all(Kind::Secrets).map(Object::meta)
    }

    pub(crate) fn namespaces(&self) -> impl Iterator<Item = &Meta> {
        self.all(Kind::Namespaces).map(Object::meta)
    }

    fn runner(&self, kind: Kind, uid: &str) -> Option<&Runner> {
        match &**self.parts.get(&kind)?.as_ref().ok()?.get(uid)? {
            Object::Runner(runner) => Some(runner),
            _ => None,
        }
    }

    pub(crate) fn evidence(&self, operation: &str, object: &str) -> Evidence {
        Evidence { operation: operation.to_owned(), object: object.to_owned(), at: self.now }
    }

    /// The controller at the end of the chain of owners.
    pub(crate) fn top<'w>(&'w self, runner: &'w Runner) -> Top<'w> {
        let mut runner = runner;
        // A chain is two or three long; a ring of owners would be without end.
        for _ in 0..8 {
            let Some(owner) = runner.meta.owner.as_deref() else { return Top::Known(runner) };
            if &*owner.kind == "Node" {
                // A static pod: its node made it, and is not what runs in it.
                return Top::Known(runner);
            }
            let Some(kind) = Kind::named(&owner.api_version, &owner.kind) else {
                return Top::Foreign { kind: &owner.kind, name: &owner.name, uid: &owner.uid };
            };
            match self.runner(kind, &owner.uid) {
                Some(above) => runner = above,
                None => return Top::Gone,
            }
        }
        Top::Gone
    }
}

/// Who is at the end of a chain of owners.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Top<'w> {
    Known(&'w Runner),
    /// A controller of a kind that is not read: an operator's.
    Foreign {
        kind: &'w str,
        name: &'w str,
        uid: &'w str,
    },
    /// Of a kind that is read, and not there: what it made is on its way out.
    Gone,
}

impl<'w> Top<'w> {
    pub(crate) fn uid(self) -> Option<&'w str> {
        match self {
            Self::Known(runner) => Some(&runner.meta.uid),
            Self::Foreign { uid, .. } => Some(uid),
            Self::Gone => None,
        }
    }
}

/// Accounts and namespaces by name.
#[derive(Debug)]
pub(crate) struct Names<'w> {
    accounts: HashMap<(&'w str, &'w str), &'w Account>,
    namespaces: HashMap<&'w str, &'w Meta>,
}

impl<'w> Names<'w> {
    pub(crate) fn of(world: &'w World) -> Self {
        let accounts = world.accounts().map(|account| {
            let meta = &account.meta;
            ((&*meta.namespace, &*meta.name), account)
        });
        let namespaces = world.namespaces().map(|meta| (&*meta.name, meta));
        Self { accounts: accounts.collect(), namespaces: namespaces.collect() }
    }

    pub(crate) fn account(&self, namespace: &str, name: &str) -> Option<&'w Account> {
        self.accounts.get(&(namespace, name)).copied()
    }

    pub(crate) fn namespace(&self, name: &str) -> Option<&'w Meta> {
        self.namespaces.get(name).copied()
    }
}

/// Which accounts run somewhere.
pub(crate) fn in_use(world: &World) -> HashSet<(&str, &str)> {
    let live = world.runners().filter(|runner| runner.is_live);
    live.map(|runner| (&*runner.meta.namespace, &*runner.account)).collect()
}

/// What bindings give, reduced.
#[derive(Debug)]
pub(crate) struct Grants<'w> {
    rules: HashMap<(Kind, &'w str, &'w str), &'w Role>,
    direct: HashMap<(&'w str, &'w str), Privilege>,
    by_namespace: HashMap<&'w str, Privilege>,
    everyone: Option<Privilege>,
    bound: BTreeSet<(&'w str, &'w str)>,
    /// Accounts of the control plane's own controllers.
    controllers: BTreeSet<&'w str>,
}

impl<'w> Grants<'w> {
    pub(crate) fn of(world: &'w World) -> Self {
        let rules = world.roles().map(|(kind, role)| {
            let meta = &role.meta;
            ((kind, &*meta.namespace, &*meta.name), role)
        });
        let mut grants = Self {
            rules: rules.collect(),
            direct: HashMap::new(),
            by_namespace: HashMap::new(),
            everyone: None,
            bound: BTreeSet::new(),
            controllers: BTreeSet::new(),
        };
        for (kind, binding) in world.bindings() {
            grants.controllers.extend(controller(binding));
            let given = grants.given(kind, binding);
            for holder in &binding.subjects {
                grants.hold(holder, &given);
            }
        }
        grants
    }

    /// What one binding gives.
    pub(crate) fn given(&self, kind: Kind, binding: &Binding) -> Privilege {
        let namespace = &*binding.meta.namespace;
        let role_kind = match &*binding.role_kind {
            "Role" => Kind::Roles,
            _ => Kind::ClusterRoles,
        };
        let home = if role_kind == Kind::Roles { namespace } else { "" };
        let reach = match kind {
            Kind::ClusterRoleBindings => Reach::Cluster,
            _ => Reach::Namespace(namespace),
        };
        let power = match self.rules.get(&(role_kind, home, &*binding.role)) {
            Some(role) => rbac::assess(&role.rules, reach),
            None => Power { level: Level::None, what: "there is no such role".to_owned() },
        };
        let reason = format!(
            "{} {} gives {} {}: {}",
            kind.resource().kind,
            binding.meta.name,
            binding.role_kind,
            binding.role,
            power.what
        );
        Privilege { level: power.level, reason }
    }

    fn hold(&mut self, holder: &'w Holder, given: &Privilege) {
        match holder {
            Holder::Account { namespace, name } => {
                self.bound.insert((namespace, name));
                strengthen(self.direct.entry((namespace, name)), given);
            }
            Holder::Group(group) => match group.strip_prefix("system:serviceaccounts") {
                Some("") => self.everyone = stronger(self.everyone.take(), given),
                Some(rest) => {
                    let namespace = rest.strip_prefix(':').unwrap_or(rest);
                    strengthen(self.by_namespace.entry(namespace), given);
                }
                // Whoever authenticates, service accounts among them.
                None if &**group == "system:authenticated" => {
                    self.everyone = stronger(self.everyone.take(), given);
                }
                None => {}
            },
        }
    }

    /// Whether a binding names the account itself.
    pub(crate) fn names(&self, namespace: &str, name: &str) -> bool {
        self.bound.contains(&(namespace, name))
    }

    /// Whether the API server made a binding for an account of `kube-system`, and so for a
    /// controller of its own.
    pub(crate) fn is_controller(&self, name: &str) -> bool {
        self.controllers.contains(name)
    }

    /// The strongest of all that the account holds, itself or as one of a group.
    pub(crate) fn strongest(&self, namespace: &str, name: &str) -> Privilege {
        let all = [
            self.direct.get(&(namespace, name)),
            self.by_namespace.get(namespace),
            self.everyone.as_ref(),
        ];
        let mut strongest = None;
        for given in all.into_iter().flatten() {
            strongest = stronger(strongest, given);
        }
        strongest.unwrap_or_else(|| Privilege {
            level: Level::None,
            reason: "no role binding names it".to_owned(),
        })
    }
}

/// The account of a binding that the API server makes at its start: `system:controller:NAME`.
/// <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#default-roles-and-role-bindings>
fn controller(binding: &Binding) -> Option<&str> {
    let name = binding.meta.name.strip_prefix("system:controller:")?;
    let mark = binding.meta.labels.get("kubernetes.io/bootstrapping");
    let is_named = |holder: &Holder| {
        matches!(holder, Holder::Account { namespace, name: held }
            if &**namespace == "kube-system" && &**held == name)
    };
    (mark == Some("rbac-defaults") && binding.subjects.iter().any(is_named)).then_some(name)
}

fn strengthen<K>(entry: std::collections::hash_map::Entry<'_, K, Privilege>, given: &Privilege) {
    entry
        .and_modify(|known| {
            if is_stronger(given, known) {
                *known = given.clone();
            }
        })
        .or_insert_with(|| given.clone());
}

fn stronger(known: Option<Privilege>, given: &Privilege) -> Option<Privilege> {
    match known {
        Some(known) if !is_stronger(given, &known) => Some(known),
        _ => Some(given.clone()),
    }
}

/// By level, then by words, so that the order of bindings decides nothing.
fn is_stronger(given: &Privilege, known: &Privilege) -> bool {
    given.level > known.level || (given.level == known.level && given.reason < known.reason)
}
