//! Lists one kind to its end, through the vendor's watcher, and no further.
//!
//! The watcher begins anew by itself when a page or a version has expired; what it had handed on
//! until then is dropped ([`Round`]). Only `InitDone` ends a list, and an object that comes twice
//! in one version means that its pages turn in a circle.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use headcount_sdk::{Priority, ScanError};
use kube::Api;
use kube::core::ApiResource;
use kube::runtime::watcher::{self, Event, watcher};

use crate::client::error::{is_expired, malformed, unavailable, watch_error};
use crate::client::{Access, Discovered, MOST_OBJECTS, quiet};
use crate::keep::keep;
use crate::kinds::{Kind, TOKEN_SECRETS};
use crate::wire::{Bare, Decoded, Wire};
use crate::world::Objects;

/// The settings of a watcher of one kind.
pub(crate) fn settings(kind: Kind, page_size: u32) -> watcher::Config {
    let settings = watcher::Config::default().page_size(page_size);
    if kind == Kind::Secrets { settings.fields(TOKEN_SECRETS) } else { settings }
}

/// The objects of one list, as they come.
pub(crate) struct Round {
    kind: Kind,
    objects: Objects,
    versions: HashMap<Box<str>, Box<str>>,
}

impl Round {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, objects: BTreeMap::new(), versions: HashMap::new() }
    }

    pub(crate) fn take(&mut self, wire: Wire) -> Result<(), ScanError> {
        let version: Box<str> = wire.metadata.resource_version.clone().unwrap_or_default().into();
        let object = keep(self.kind, wire)?;
        let uid = object.meta().uid.clone();
        let list = self.kind.resource().list;
        if self.versions.insert(uid.clone(), version.clone()).is_some_and(|known| known == version)
        {
            return Err(malformed(list, "metadata.continue: a page came twice"));
        }
        self.objects.insert(uid, Arc::new(object));
        if self.objects.len() > MOST_OBJECTS {
            return Err(malformed(list, "items: more than can be counted"));
        }
        Ok(())
    }

    pub(crate) fn done(self) -> Objects {
        self.objects
    }
}

/// Lists a kind as it is now.
pub(crate) async fn list(
    access: &Access,
    discovered: &Discovered,
    kind: Kind,
    priority: Priority,
) -> Result<Objects, ScanError> {
    let api = discovered.api(kind)?;
    let _turn = access.governor.turn(priority).await;
    let listed = async {
        if kind == Kind::Secrets {
            read::<Bare>(access, kind, &api).await
        } else {
            read::<Wire>(access, kind, &api).await
        }
    };
    match tokio::time::timeout(access.tuning.list_deadline, listed).await {
        Ok(listed) => listed,
        Err(_) => Err(unavailable(kind.resource().list, "the list did not end in time")),
    }
}

async fn read<K: Decoded>(
    access: &Access,
    kind: Kind,
    api: &ApiResource,
) -> Result<Objects, ScanError> {
    let api: Api<K> = Api::all_with(access.client().await?, api);
    let mut events = std::pin::pin!(watcher(api, settings(kind, access.tuning.page_size)));
    let mut attempts = 1;
    let mut pause = access.tuning.backoff;
    loop {
        match once::<K>(kind, events.as_mut()).await {
            Ok(objects) => return Ok(objects),
            Err(Failed::Again(error)) if attempts < access.tuning.attempts => {
                attempts += 1;
                tracing::debug!(kind = kind.resource().plural, %error, "the list is begun anew");
                tokio::time::sleep(pause.max(asked(&error)).min(access.tuning.longest_backoff))
                    .await;
                pause = (pause * 2).min(access.tuning.longest_backoff);
            }
            Err(Failed::Again(error) | Failed::ForGood(error)) => {
                access.heed(&error);
                return Err(error);
            }
        }
    }
}

/// How long the server asked to be left alone.
pub(crate) fn asked(error: &ScanError) -> Duration {
    match error {
        ScanError::Throttled { retry_after_secs: Some(seconds), .. } => {
            Duration::from_secs(*seconds)
        }
        _ => Duration::ZERO,
    }
}

/// Whether another attempt may bring what this one did not.
enum Failed {
    Again(ScanError),
    ForGood(ScanError),
}

async fn once<K: Decoded>(
    kind: Kind,
    mut events: std::pin::Pin<&mut impl Stream<Item = watcher::Result<Event<K>>>>,
) -> Result<Objects, Failed> {
    let resource = kind.resource();
    let mut round = Round::new(kind);
    loop {
        match quiet(events.next()).await {
            Some(Ok(Event::Init)) => round = Round::new(kind),
            Some(Ok(Event::InitApply(object))) => {
                round.take(object.wire()).map_err(Failed::ForGood)?;
            }
            Some(Ok(Event::InitDone)) => return Ok(round.done()),
            // Nothing is watched before the list is done.
            Some(Ok(Event::Apply(_) | Event::Delete(_))) => {}
            Some(Err(error)) => {
                let told = watch_error(resource.list, resource.watch, &error);
                let again = is_expired(&error)
                    || matches!(told, ScanError::Throttled { .. } | ScanError::Unavailable { .. });
                return Err(if again { Failed::Again(told) } else { Failed::ForGood(told) });
            }
            None => return Err(Failed::Again(unavailable(resource.list, "the list broke off"))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn wire(uid: &str, version: &str) -> Wire {
        let object = serde_json::json!({ "metadata": {
            "uid": uid, "name": "one", "resourceVersion": version,
        }});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn pages_that_turn_in_a_circle_are_no_list() {
        let mut round = Round::new(Kind::Namespaces);
        round.take(wire("u", "1")).unwrap();
        // It changed while the list was streamed.
        round.take(wire("u", "2")).unwrap();
        let error = round.take(wire("u", "2")).unwrap_err();
        assert!(matches!(error, ScanError::Malformed { .. }), "{error}");
    }

    #[test]
    fn an_object_without_a_uid_spoils_the_list_and_is_not_skipped() {
        let error = Round::new(Kind::Namespaces).take(wire("", "1")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "list namespaces answered in an unexpected shape at metadata.uid"
        );
    }
}
