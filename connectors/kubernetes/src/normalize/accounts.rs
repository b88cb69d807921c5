//! Service accounts: what they may do, who runs as them, as whom they present themselves elsewhere.

use std::collections::{BTreeSet, HashMap, HashSet};

use headcount_sdk::{
    Class, Endpoint, Expiry, FederatedSubject, Link, LinkKind, Observation, ScanError, Status,
    Usage,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::owner::{OwnerKeys, evidence, purpose};
use super::secrets::used_by_account;
use super::{Wanted, observation, unread};
use crate::id::pull_secret_key;
use crate::keep::{ACCOUNT_USER, Account};
use crate::kinds::Kind;
use crate::world::{Grants, Names, World, in_use};

const DAY: u32 = 86_400;

/// Controllers of kube-controller-manager, by the accounts that it makes for them. Newer ones are
/// known by the bindings that the API server makes.
/// <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#controller-roles>
const CONTROLLERS: &[&str] = &[
    "attachdetach-controller",
    "certificate-controller",
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "disruption-controller",
    "endpoint-controller",
    "endpointslice-controller",
    "endpointslicemirroring-controller",
    "ephemeral-volume-controller",
    "expand-controller",
    "generic-garbage-collector",
    "horizontal-pod-autoscaler",
    "job-controller",
    "legacy-service-account-token-cleaner",
    "namespace-controller",
    "node-controller",
    "persistent-volume-binder",
    "pod-garbage-collector",
    "pv-protection-controller",
    "pvc-protection-controller",
    "replicaset-controller",
    "replication-controller",
    "resourcequota-controller",
    "root-ca-cert-publisher",
    "route-controller",
    "service-account-controller",
    "service-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
    "ttl-controller",
    "validatingadmissionpolicy-status-controller",
];

/// Which `default` accounts are recorded when what would decide it cannot be read. Every namespace
/// has one, and most serve nobody.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Doubt<'a> {
    /// Those that were recorded before: they must not seem to be gone.
    Keep(&'a BTreeSet<String>),
    /// Nobody remembers, so all of them.
    KeepAll,
}

/// Service accounts, and what they are made of could not be read.
pub(crate) struct Accounts<'w> {
    world: &'w World,
    keys: &'w OwnerKeys,
    names: Names<'w>,
    grants: Result<Grants<'w>, ScanError>,
    users: Result<HashSet<(&'w str, &'w str)>, ScanError>,
    /// Accounts that run for certain, also when not everything could be read.
    seen_running: HashSet<(&'w str, &'w str)>,
    namespaces: Result<(), ScanError>,
    /// When their legacy tokens were used last, where those may be read.
    tokens: Option<Result<HashMap<&'w str, Timestamp>, ScanError>>,
}

impl<'w> Accounts<'w> {
    pub(crate) fn of(world: &'w World, keys: &'w OwnerKeys) -> Self {
        let seen_running = in_use(world);
        Self {
            world,
            keys,
            names: Names::of(world),
            grants: match world.lack(&Kind::POWERS) {
                Some(error) => Err(error),
                None => Ok(Grants::of(world)),
            },
            users: match world.lack(&Kind::RUNNERS) {
                Some(error) => Err(error),
                None => Ok(seen_running.clone()),
            },
            seen_running,
            namespaces: world.part(Kind::Namespaces).map(|_| ()),
            tokens: used_by_account(world),
        }
    }

    /// What could not be read, by the field that lacks it.
    pub(crate) fn degradations(&self) -> Vec<(&'static str, ScanError)> {
        let mut lacking = Vec::new();
        if let Err(error) = &self.grants {
            lacking.push(("privilege", error.clone()));
        }
        if let Err(error) = &self.users {
            lacking.push(("attributes.in_use", error.clone()));
        }
        if let Some(Err(error)) = &self.tokens {
            lacking.push(("usage", error.clone()));
        }
        if let Err(error) = &self.namespaces {
            lacking.push(("owner_evidence", error.clone()));
        }
        if let Err(error) = &self.world.issuer {
            lacking.push(("subjects", error.clone()));
        }
        lacking
    }

    /// Hands on every account that counts.
    pub(crate) fn record(
        &self,
        wanted: Wanted<'_>,
        doubt: Doubt<'_>,
        sink: &mut dyn FnMut(Observation),
    ) {
        for account in self.world.accounts() {
            if wanted.has(&account.meta.uid) && self.counts(account, doubt) {
                sink(self.observe(account));
            }
        }
    }

    /// A `default` account counts when it is bound or used.
    fn counts(&self, account: &Account, doubt: Doubt<'_>) -> bool {
        let (namespace, name) = (&*account.meta.namespace, &*account.meta.name);
        if name != "default" || self.seen_running.contains(&(namespace, name)) {
            return true;
        }
        match &self.grants {
            Ok(grants) if grants.names(namespace, name) => true,
            // Nothing speaks for it, and everything was heard.
            Ok(_) if self.users.is_ok() => false,
            _ => match doubt {
                Doubt::Keep(known) => known.contains(&*account.meta.uid),
                Doubt::KeepAll => true,
            },
        }
    }

    fn observe(&self, account: &Account) -> Observation {
        let meta = &account.meta;
        let id = self.world.place.service_account(&meta.uid);
        let mut made = observation((Class::Identity, "service-account"), id, meta);
        made.native = format!("{ACCOUNT_USER}{}:{}", meta.namespace, meta.name);
        made.status = Status::Active;
        made.expiry = Expiry::NotApplicable;
        made.purpose = purpose(meta);
        let automount = account.automount.unwrap_or(true);
        made.attributes.insert("automount".to_owned(), automount.to_string());
        if &*meta.name == "default" {
            made.attributes.insert("is_default".to_owned(), "true".to_owned());
        }
        self.system(account, &mut made);
        self.use_of(account, &mut made);
        match &self.grants {
            Ok(grants) => made.privilege = Some(grants.strongest(&meta.namespace, &meta.name)),
            Err(error) => unread(&mut made, "privilege", error),
        }
        let namespace = self.names.namespace(&meta.namespace);
        made.owner_evidence = evidence(self.keys, meta, namespace);
        made.links = federated(account);
        self.mounts(account, &mut made);
        if let Err(error) = &self.namespaces {
            unread(&mut made, "owner_evidence", error);
        }
        match &self.world.issuer {
            Ok(issuer) => made
                .subjects
                .push(FederatedSubject { issuer: issuer.clone(), subject: made.native.clone() }),
            Err(error) => unread(&mut made, "subjects", error),
        }
        made.evidence
            .push(self.world.evidence(Kind::ServiceAccounts.resource().list, &made.native));
        made
    }

    /// Whether the control plane made it for a controller of its own, and makes it again.
    fn system(&self, account: &Account, made: &mut Observation) {
        if &*account.meta.namespace != "kube-system" {
            return;
        }
        let name = &*account.meta.name;
        match &self.grants {
            _ if CONTROLLERS.contains(&name) => {
                made.attributes.insert("system".to_owned(), "true".to_owned());
            }
            Ok(grants) if grants.is_controller(name) => {
                made.attributes.insert("system".to_owned(), "true".to_owned());
            }
            Ok(_) => {}
            Err(error) => unread(made, "attributes.system", error),
        }
    }

    /// What runs as it runs now, and a legacy token says by the day when it was used. Any other
    /// token that was asked for may be in use elsewhere, and nothing but an audit log would tell.
    fn use_of(&self, account: &Account, made: &mut Observation) {
        let name = (&*account.meta.namespace, &*account.meta.name);
        let is_running = self.seen_running.contains(&name);
        match &self.users {
            Err(error) if !is_running => {
                unread(made, "attributes.in_use", error);
                unread(made, "usage", error);
            }
            _ => drop(made.attributes.insert("in_use".to_owned(), is_running.to_string())),
        }
        let token = match &self.tokens {
            Some(Ok(tokens)) => tokens.get(&*account.meta.uid).copied(),
            Some(Err(error)) if !is_running => {
                unread(made, "usage", error);
                None
            }
            Some(Err(_)) | None => None,
        };
        let used = if is_running { Some(start_of_day(self.world.now)) } else { token };
        made.usage = match used {
            Some(at) => Usage::LastUsed { at, resolution_secs: DAY, lag_secs: 0 },
            None => Usage::NotObservable {
                reason: "no workload runs as it, and Kubernetes does not record the use of tokens"
                    .to_owned(),
            },
        };
    }

    /// Pull secrets that its pods get without asking.
    fn mounts(&self, account: &Account, made: &mut Observation) {
        if account.pull_secrets.is_empty() {
            return;
        }
        if let Err(error) = &self.namespaces {
            return unread(made, "links", error);
        }
        // Its namespace may be on its way out; then there is nothing left to pull for.
        let Some(namespace) = self.names.namespace(&account.meta.namespace) else { return };
        let secrets: BTreeSet<&str> = account.pull_secrets.iter().map(|name| &**name).collect();
        for secret in secrets {
            let key = pull_secret_key(&namespace.uid, secret);
            let id = self.world.place.pull_secret(&key);
            made.links.push(Link::new(LinkKind::Mounts, Endpoint::Record { id }));
        }
    }
}

/// As whom the account may act in a cloud, by the annotations that clouds look for.
fn federated(account: &Account) -> Vec<Link> {
    let annotations = &account.meta.annotations;
    let mut links = Vec::new();
    let mut uses = |place: String, native: &str| {
        let native = native.to_owned();
        links.push(Link::new(LinkKind::Uses, Endpoint::Native { place, native }));
    };
    // https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html
    if let Some(arn) = stated(annotations.get("eks.amazonaws.com/role-arn")) {
        uses(place_of_arn(arn), arn);
    }
    // https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity
    if let Some(email) = stated(annotations.get("iam.gke.io/gcp-service-account")) {
        uses("gcp".to_owned(), email);
    }
    // https://azure.github.io/azure-workload-identity/docs/topics/service-account-labels-and-annotations.html
    if let Some(client) = stated(annotations.get("azure.workload.identity/client-id")) {
        uses("azure".to_owned(), client);
    }
    links
}

fn stated(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|value| !value.is_empty())
}

/// `arn:aws:iam::123456789012:role/x` → `aws:123456789012`; what is no ARN leads to AWS at large.
fn place_of_arn(arn: &str) -> String {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", partition, "iam", "", account, _] => format!("{partition}:{account}"),
        _ => "aws".to_owned(),
    }
}

fn start_of_day(now: Timestamp) -> Timestamp {
    let today = now.to_zoned(TimeZone::UTC).start_of_day();
    // Every day of the calendar starts in UTC.
    today.map_or(now, |today| today.timestamp())
}

#[cfg(test)]
pub(crate) mod tests;
