//! Proves each permission with the first call that a scan would make of it, on one object.

use headcount_sdk::{Priority, Probe, ProbeOutcome, ScanError};
use kube::Api;
use kube::api::{ListParams, WatchParams};

use crate::client::error::scan_error;
use crate::client::{Access, Discovered, quiet};
use crate::kinds::{Kind, TOKEN_SECRETS};
use crate::manifest::{GET_CLUSTER, GET_GROUPS, GET_ISSUER, GET_TRACKING, GET_VERSION, permission};
use crate::wire::{Bare, Decoded, Wire};

struct Probes<'a> {
    access: &'a Access,
    place: String,
    all: Vec<Probe>,
}

/// Tries everything once.
pub(crate) async fn check(access: &Access) -> Vec<Probe> {
    let mut probes = Probes { access, place: "kubernetes".to_owned(), all: Vec::new() };
    let place = access.place(Priority::Scan).await;
    if let Ok(place) = &place {
        probes.place = place.to_string();
    }
    let is_there = probes.tried(GET_CLUSTER, place).is_some();
    let discovered = access.discover(Priority::Scan).await;
    let Some(discovered) = probes.tried(GET_GROUPS, discovered).filter(|_| is_there) else {
        return probes.all;
    };
    let version = access.streams_lists(Priority::Scan).await;
    probes.tried(GET_VERSION, version);
    let issuer = access.issuer(Priority::Scan).await;
    probes.tried(GET_ISSUER, issuer);
    if access.config.secret_metadata {
        let since = access.tracked_since(Priority::Scan).await;
        probes.tried(GET_TRACKING, since);
    } else {
        probes.not_tried(GET_TRACKING, "secret_metadata is not set");
    }
    for kind in Kind::ALL {
        if kind == Kind::Secrets {
            if access.config.secret_metadata {
                probes.kind::<Bare>(&discovered, kind).await;
            } else {
                probes.not_tried(kind.resource().list, "secret_metadata is not set");
                probes.not_tried(kind.resource().watch, "secret_metadata is not set");
            }
        } else {
            probes.kind::<Wire>(&discovered, kind).await;
        }
    }
    probes.all
}

impl Probes<'_> {
    fn note(&mut self, operation: &str, outcome: ProbeOutcome) {
        self.all.push(Probe {
            place: self.place.clone(),
            operation: operation.to_owned(),
            permission: permission(operation).to_owned(),
            outcome,
        });
    }

    /// Notes the outcome of a call, and hands its answer on.
    fn tried<T>(&mut self, operation: &str, answer: Result<T, ScanError>) -> Option<T> {
        match answer {
            Ok(answer) => {
                self.note(operation, ProbeOutcome::Granted);
                Some(answer)
            }
            Err(error) => {
                self.note(operation, ProbeOutcome::Failed(error));
                None
            }
        }
    }

    fn not_tried(&mut self, operation: &str, why: &str) {
        self.note(operation, ProbeOutcome::NotTried(why.to_owned()));
    }

    /// Lists one object of a kind, and watches from there without waiting for anything.
    async fn kind<K: Decoded>(&mut self, discovered: &Discovered, kind: Kind) {
        let resource = kind.resource();
        let api = match discovered.api(kind) {
            Ok(api) => api,
            Err(error) => {
                self.not_tried(resource.list, &error.to_string());
                return self.not_tried(resource.watch, &error.to_string());
            }
        };
        let client = match self.access.client().await {
            Ok(client) => client,
            Err(error) => return self.note(resource.list, ProbeOutcome::Failed(error)),
        };
        let api: Api<K> = Api::all_with(client, &api);
        let selector = (kind == Kind::Secrets).then(|| TOKEN_SECRETS.to_owned());
        let mut one = ListParams::default().limit(1);
        one.field_selector.clone_from(&selector);
        let listed = quiet(api.list(&one)).await.map_err(|e| scan_error(resource.list, &e));
        let Some(listed) = self.tried(resource.list, listed) else {
            return self.not_tried(resource.watch, "there is no list to watch from");
        };
        let version = listed.metadata.resource_version.unwrap_or_default();
        let mut brief = WatchParams::default().timeout(1);
        brief.field_selector = selector;
        // The answer begins at once; what it goes on with is of no interest.
        let watched = quiet(api.watch(&brief, &version)).await.map(drop);
        self.tried(resource.watch, watched.map_err(|e| scan_error(resource.watch, &e)));
    }
}
