//! Legacy service account tokens, from the metadata of their secrets. They never expire.

use std::collections::HashMap;

use headcount_sdk::{Class, Expiry, Observation, ScanError, Status, Usage};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::owner::{OwnerKeys, evidence};
use super::{Wanted, observation, unread};
use crate::keep::Meta;
use crate::kinds::Kind;
use crate::world::{Names, World};

/// <https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-legacy-token-last-used>
const LAST_USED: &str = "kubernetes.io/legacy-token-last-used";
const INVALID_SINCE: &str = "kubernetes.io/legacy-token-invalid-since";
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";
const DAY: u32 = 86_400;

/// What could not be read, by the field that lacks it.
pub(crate) fn degradations(world: &World) -> Vec<(&'static str, ScanError)> {
    let mut lacking = Vec::new();
    if let Err(error) = &world.tracked_since {
        lacking.push(("usage", error.clone()));
    }
    if let Some(error) = world.lack(&[Kind::Namespaces]) {
        lacking.push(("owner_evidence", error));
    }
    lacking
}

/// When legacy tokens were used last, by the uid of their account. `None`: nobody may look.
pub(crate) fn used_by_account(
    world: &World,
) -> Option<Result<HashMap<&str, Timestamp>, ScanError>> {
    let read = || {
        world.part(Kind::Secrets)?;
        let mut latest: HashMap<&str, Timestamp> = HashMap::new();
        for secret in world.secrets() {
            if let (Some(uid), Some(at)) = (account_uid(secret), used(secret)?) {
                let known = latest.entry(uid).or_insert(at);
                *known = at.max(*known);
            }
        }
        Ok(latest)
    };
    world.was_asked_for(Kind::Secrets).then(read)
}

/// The account whose token it is.
pub(crate) fn account_uid(secret: &Meta) -> Option<&str> {
    secret.annotations.get(ACCOUNT_UID).filter(|uid| !uid.is_empty())
}

/// Hands on every token.
pub(crate) fn record(
    world: &World,
    keys: &OwnerKeys,
    wanted: Wanted<'_>,
    sink: &mut dyn FnMut(Observation),
) -> Result<(), ScanError> {
    let names = Names::of(world);
    for secret in world.secrets() {
        if wanted.has(&secret.uid) {
            sink(observe(world, keys, &names, secret)?);
        }
    }
    Ok(())
}

fn observe(
    world: &World,
    keys: &OwnerKeys,
    names: &Names<'_>,
    secret: &Meta,
) -> Result<Observation, ScanError> {
    let id = world.place.service_account_token(&secret.uid);
    let mut made = observation((Class::Credential, "service-account-token"), id, secret);
    made.native = format!("Secret {}", made.name);
    made.expiry = Expiry::Never;
    made.parent = account_uid(secret).map(|uid| world.place.service_account(uid));
    if let Some(name) = secret.annotations.get(ACCOUNT_NAME) {
        made.attributes.insert("service_account".to_owned(), name.to_owned());
    }
    // Kubernetes marks what it no longer takes, and removes it a year later.
    made.status = match secret.labels.get(INVALID_SINCE) {
        Some(since) => {
            made.attributes.insert("invalid_since".to_owned(), since.to_owned());
            Status::Disabled
        }
        None => Status::Active,
    };
    match (used(secret)?, &world.tracked_since) {
        (Some(at), _) => {
            made.usage = Usage::LastUsed { at, resolution_secs: DAY, lag_secs: 0 };
        }
        (None, Ok(since)) => {
            // A token that is younger than the tracking was tracked from its first day on.
            let tracking_start = secret.created.map_or(*since, |created| created.max(*since));
            made.usage = Usage::NeverSince { tracking_start, lag_secs: 0 };
        }
        (None, Err(error)) => {
            let reason = "since when use is recorded could not be read".to_owned();
            made.usage = Usage::NotObservable { reason };
            unread(&mut made, "usage", error);
        }
    }
    made.owner_evidence = evidence(keys, secret, names.namespace(&secret.namespace));
    if let Some(error) = world.lack(&[Kind::Namespaces]) {
        unread(&mut made, "owner_evidence", &error);
    }
    made.evidence.push(world.evidence(Kind::Secrets.resource().list, &made.native));
    Ok(made)
}

/// A date that is no date may hide a use of today.
fn used(secret: &Meta) -> Result<Option<Timestamp>, ScanError> {
    let Some(text) = secret.labels.get(LAST_USED) else { return Ok(None) };
    let at = day(text).ok_or_else(|| ScanError::Malformed {
        operation: Kind::Secrets.resource().list.to_owned(),
        path: format!("metadata.labels.{LAST_USED}"),
    })?;
    Ok(Some(at))
}

/// The start of a day, `2026-03-01`, in UTC.
pub(crate) fn day(text: &str) -> Option<Timestamp> {
    let date: Date = text.trim().parse().ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
