//! Reads scopes: from what is watched where it is whole, else by listing. Here a [`World`] is put
//! together, and here alone a scope is called complete.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use headcount_sdk::{
    Complete, Observation, Pass, Priority, RecordId, Recorder, ScanContext, ScanError, Scope,
};
use jiff::Timestamp;

use crate::KubernetesConnector;
use crate::client::Discovered;
use crate::client::error::unavailable;
use crate::hints::ALL;
use crate::id::Place;
use crate::kinds::Kind;
use crate::listing::list;
use crate::manifest::{GET_CLUSTER, GET_TRACKING, TOKEN_SECRETS};
use crate::mirror::Phase;
use crate::normalize::accounts::{Accounts, Doubt};
use crate::normalize::{Wanted, bindings, requests, secrets, workloads};
use crate::world::{Objects, World};

/// Under which the agent keeps the uids of the `default` accounts that were recorded.
const DEFAULTS: &str = "default-accounts";

/// What the records of a scope are made of.
#[derive(Clone, Copy, Debug)]
struct Needs {
    /// Without one of these the scope cannot be read.
    must: &'static [&'static [Kind]],
    /// Without one of these a field is unread.
    may: &'static [&'static [Kind]],
    /// Legacy tokens, where they may be read: they tell when an account was used from elsewhere.
    tokens: bool,
    issuer: bool,
    tracking: bool,
}

fn needs(scope: &Scope) -> Result<Needs, ScanError> {
    let none = Needs { must: &[], may: &[], tokens: false, issuer: false, tracking: false };
    Ok(match scope.kind.as_str() {
        "service-accounts" => Needs {
            must: &[&[Kind::ServiceAccounts]],
            may: &[&Kind::RUNNERS, &Kind::POWERS, &[Kind::Namespaces]],
            tokens: true,
            issuer: true,
            ..none
        },
        "bindings" => Needs {
            must: &[&[Kind::RoleBindings, Kind::ClusterRoleBindings, Kind::ServiceAccounts]],
            may: &[&[Kind::Roles, Kind::ClusterRoles]],
            ..none
        },
        "workloads" => Needs {
            must: &[&Kind::RUNNERS, &[Kind::ServiceAccounts]],
            may: &[&[Kind::Namespaces]],
            ..none
        },
        "pull-secrets" => {
            Needs { must: &[&Kind::RUNNERS, &[Kind::ServiceAccounts, Kind::Namespaces]], ..none }
        }
        "certificate-requests" => Needs { must: &[&[Kind::CertificateRequests]], ..none },
        "pod-certificate-requests" => Needs { must: &[&[Kind::PodCertificateRequests]], ..none },
        TOKEN_SECRETS => {
            Needs { must: &[&[Kind::Secrets]], may: &[&[Kind::Namespaces]], tracking: true, ..none }
        }
        other => {
            return Err(ScanError::NotSupported {
                operation: "observe".to_owned(),
                reason: format!("there is no scope {other}"),
            });
        }
    })
}

impl Needs {
    fn is_vital(&self, kind: Kind) -> bool {
        self.must.iter().any(|kinds| kinds.contains(&kind))
    }

    /// Everything, in the order in which it is listed.
    fn all(&self, with_secrets: bool) -> Vec<Kind> {
        let may = |kind: Kind| {
            self.may.iter().any(|kinds| kinds.contains(&kind))
                || (kind == Kind::Secrets && self.tokens && with_secrets)
        };
        Kind::ALL.into_iter().filter(|kind| self.is_vital(*kind) || may(*kind)).collect()
    }
}

impl KubernetesConnector {
    pub(crate) async fn read_scope(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        if scope.kind == TOKEN_SECRETS && !self.access.config.secret_metadata {
            return Err(ScanError::NotSupported {
                operation: Kind::Secrets.resource().list.to_owned(),
                reason: "secret_metadata is not set".to_owned(),
            });
        }
        let needs = needs(scope)?;
        let world = self.world(cx, scope, needs).await?;
        self.record(cx, (scope, &world), Wanted::All, &mut recorder).await?;
        Ok(recorder.complete())
    }

    /// Re-reads subjects from the mirrors alone.
    pub(crate) async fn read_subjects(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        subjects: &BTreeSet<String>,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let whole = |why: &str| ScanError::NotSupported {
            operation: "refresh".to_owned(),
            reason: why.to_owned(),
        };
        if subjects.contains(ALL) {
            return Err(whole("the scope is read as a whole"));
        }
        let needs = needs(scope)?;
        let mirrors = self.live().filter(|mirrors| mirrors.place.as_str() == scope.place);
        let mirrors = mirrors.ok_or_else(|| whole("the cluster is not watched"))?;
        let mut world = World::new(mirrors.place.clone(), cx.now);
        for kind in needs.all(self.access.config.secret_metadata) {
            match (mirrors.ready(kind), mirrors.phase(kind)) {
                (Some(objects), _) => world.put(kind, Ok(objects)),
                (None, Phase::Failed(error)) if !needs.is_vital(kind) => {
                    world.put(kind, Err(error));
                }
                _ => return Err(whole("what is watched is not whole now")),
            }
        }
        world.issuer = kept(&mirrors.issuer);
        world.tracked_since = kept(&mirrors.tracked_since);
        self.record(cx, (scope, &world), Wanted::These(subjects), &mut recorder).await?;
        Ok(recorder.complete_for_records(named(&mirrors.place, scope, subjects)))
    }

    /// Hands on the records of a scope, and what could not be read of them.
    async fn record(
        &self,
        cx: &ScanContext,
        (scope, world): (&Scope, &World),
        wanted: Wanted<'_>,
        recorder: &mut Recorder<'_>,
    ) -> Result<(), ScanError> {
        if scope.kind == "service-accounts" {
            return self.record_accounts(cx, world, wanted, recorder).await;
        }
        let lacking = match scope.kind.as_str() {
            "bindings" => bindings::degradations(world),
            "workloads" => workloads::degradations(world),
            TOKEN_SECRETS => secrets::degradations(world),
            _ => Vec::new(),
        };
        for (field, error) in lacking {
            recorder.degrade(field, error);
        }
        let keys = &self.owner_keys;
        let mut sink = |made: Observation| recorder.record(made);
        match scope.kind.as_str() {
            "bindings" => bindings::record(world, wanted, &mut sink),
            "workloads" => workloads::record(world, keys, wanted, &mut sink),
            "pull-secrets" => workloads::record_pull_secrets(world, wanted, &mut sink),
            "certificate-requests" => {
                requests::record(world, Kind::CertificateRequests, wanted, &mut sink);
            }
            "pod-certificate-requests" => {
                requests::record(world, Kind::PodCertificateRequests, wanted, &mut sink);
            }
            _ => secrets::record(world, keys, wanted, &mut sink)?,
        }
        Ok(())
    }

    /// Service accounts. Which `default` ones were recorded is remembered, for a day on which what
    /// decides it cannot be read.
    async fn record_accounts(
        &self,
        cx: &ScanContext,
        world: &World,
        wanted: Wanted<'_>,
        recorder: &mut Recorder<'_>,
    ) -> Result<(), ScanError> {
        let remembered: Option<BTreeSet<String>> =
            cx.cache.get(DEFAULTS).await.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let doubt = remembered.as_ref().map_or(Doubt::KeepAll, Doubt::Keep);
        let mut defaults = BTreeSet::new();
        {
            let accounts = Accounts::of(world, &self.owner_keys);
            for (field, error) in accounts.degradations() {
                recorder.degrade(field, error);
            }
            accounts.record(wanted, doubt, &mut |made| {
                if made.attributes.contains_key("is_default") {
                    let key = made.id.as_str().rsplit('/').next().unwrap_or_default();
                    defaults.insert(key.to_owned());
                }
                recorder.record(made);
            });
        }
        if let Wanted::These(subjects) = wanted {
            let others = remembered.iter().flatten().filter(|uid| !subjects.contains(*uid));
            defaults.extend(others.cloned());
            if remembered.is_none() {
                // A few are not all; who forgot asks for all.
                return Ok(());
            }
        }
        if remembered.as_ref() != Some(&defaults) {
            // A set of texts is always JSON.
            let bytes = serde_json::to_vec(&defaults).unwrap_or_default();
            cx.cache.put(DEFAULTS, bytes).await;
        }
        Ok(())
    }

    /// Reads what a scope is made of. What it cannot do without is there, or this fails.
    async fn world(
        &self,
        cx: &ScanContext,
        scope: &Scope,
        needs: Needs,
    ) -> Result<World, ScanError> {
        let kinds = needs.all(self.access.config.secret_metadata);
        let mirrors = self.live().filter(|_| cx.pass == Pass::First);
        if let Some(mirrors) = &mirrors {
            // Whoever waits too long lists for itself.
            let _ = tokio::time::timeout(self.access.tuning.settle, mirrors.settled(&kinds)).await;
        }
        let mirrors = mirrors.filter(|mirrors| mirrors.place.as_str() == scope.place);
        let place = match &mirrors {
            Some(mirrors) => mirrors.place.clone(),
            None => self.place_of(cx, scope).await?,
        };
        let mut world = World::new(place, cx.now);
        for kind in kinds {
            let part = match mirrors.as_ref().and_then(|mirrors| mirrors.ready(kind)) {
                Some(objects) => Ok(objects),
                None => self.listed(cx, kind).await,
            };
            match part {
                Err(error) if needs.is_vital(kind) => return Err(error),
                part => world.put(kind, part),
            }
        }
        if needs.issuer {
            let issuer = cx.memo.once("issuer", self.access.issuer(cx.priority)).await;
            world.issuer = issuer.map(|issuer| issuer.as_ref().clone());
            remember(mirrors.as_deref().map(|m| &m.issuer), &world.issuer);
        }
        if needs.tracking {
            let since = cx.memo.once("tracking", self.read_tracking(cx.priority)).await;
            world.tracked_since = since.map(|since| *since);
            remember(mirrors.as_deref().map(|m| &m.tracked_since), &world.tracked_since);
        }
        Ok(world)
    }

    /// That the scope is one of the cluster that answers.
    async fn place_of(&self, cx: &ScanContext, scope: &Scope) -> Result<Place, ScanError> {
        let place = cx.memo.once("place", self.access.place(cx.priority)).await?;
        if place.as_str() == scope.place {
            Ok(place.as_ref().clone())
        } else {
            Err(unavailable(GET_CLUSTER, "another cluster answers now"))
        }
    }

    async fn listed(&self, cx: &ScanContext, kind: Kind) -> Result<Arc<Objects>, ScanError> {
        self.has_listed.store(true, Ordering::Relaxed);
        let discovered: Arc<Discovered> =
            cx.memo.once("discovered", self.access.discover(cx.priority)).await?;
        let listing = list(&self.access, &discovered, kind, cx.priority);
        cx.memo.once(kind.resource().list, listing).await
    }

    pub(crate) async fn read_tracking(&self, priority: Priority) -> Result<Timestamp, ScanError> {
        if self.access.config.secret_metadata {
            self.access.tracked_since(priority).await
        } else {
            Err(unavailable(GET_TRACKING, "nobody asked"))
        }
    }
}

fn kept<T: Clone>(from: &std::sync::Mutex<Result<T, ScanError>>) -> Result<T, ScanError> {
    from.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn remember<T: Clone>(
    at: Option<&std::sync::Mutex<Result<T, ScanError>>>,
    value: &Result<T, ScanError>,
) {
    if let Some(at) = at {
        at.lock().unwrap_or_else(PoisonError::into_inner).clone_from(value);
    }
}

/// The records that subjects of a scope are, or would be.
fn named(place: &Place, scope: &Scope, subjects: &BTreeSet<String>) -> BTreeSet<RecordId> {
    let ids = subjects.iter().flat_map(|key| match scope.kind.as_str() {
        "service-accounts" => vec![place.service_account(key)],
        // The key does not tell which of both it is, or was; only one ever has that uid.
        "bindings" => {
            vec![place.binding("role-binding", key), place.binding("cluster-role-binding", key)]
        }
        "workloads" => vec![place.workload(key)],
        "pull-secrets" => vec![place.pull_secret(key)],
        "certificate-requests" => vec![place.certificate_request(key)],
        "pod-certificate-requests" => vec![place.pod_certificate_request(key)],
        _ => vec![place.service_account_token(key)],
    });
    ids.collect()
}
