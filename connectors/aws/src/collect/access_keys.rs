//! Scope `access-keys`: the keys of users with their real ids, and the keys of root.
//!
//! The report tells state and use of every key in bulk but not its id; `ListAccessKeys` tells the
//! id. The two meet by creation time, never by slot number. A key that cannot be matched is asked
//! for on its own.

use std::collections::BTreeSet;
use std::ops::Bound;

use async_trait::async_trait;
use aws_sdk_iam::types::{AccessKeyMetadata, StatusType};
use headcount_sdk::{Class, Complete, Expiry, Observation, RecordId, Recorder, ScanError, Status};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::named::Named;
use super::per_user::{Listing, PerUser, Shown};
use super::{Collector, missing, row, same_second, weekly};
use crate::client::malformed;
use crate::normalize::authorization::{Authorization, User};
use crate::normalize::{evidence, key_usage, not_observable, timestamp};
use crate::report::{KeySlot, Report, Row, Use};

const LIST: &str = "iam:ListAccessKeys";
const REPORT: &str = "iam:GetCredentialReport";
const LAST_USED: &str = "iam:GetAccessKeyLastUsed";
const KEPT: &str = "access-keys";
const CURSOR: &str = "access-keys-cursor";

/// Users of an account whose SSH keys one scan should be able to read.
const SMALL: u64 = 6;

/// Users listed per scan although nothing points at a change.
const SWEEP: u64 = 2;

/// A key as it is kept between scans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Key {
    id: String,
    created_at: Timestamp,
    active: bool,
    /// From a call for this very key, when the report could not be matched.
    asked: Option<Asked>,
    listed_at: Timestamp,
}

/// What `GetAccessKeyLastUsed` said, and which row it was asked beside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Asked {
    used: Option<Timestamp>,
    /// The use columns of the row at the time; equal columns need no new call.
    beside: String,
}

impl Collector<'_> {
    pub(super) async fn access_keys(
        &self,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let authorization = self.authorization().await?;
        let report = self.report().await?;
        super::date(&mut recorder, &report);
        for key in self.root_keys(&report)? {
            recorder.record(key);
        }
        let swept = self.sweep(&authorization).await?;
        let mut gathered = self.gather(self, &authorization, &report, &swept).await?;
        for (id, entry) in &mut gathered.now.users {
            let Some(user) = authorization.users.get(id) else { continue };
            let row = row(&report, user);
            let all = entry.records.clone();
            for key in &mut entry.records {
                let slot = row.and_then(|row| slot(row, key, &all));
                let observation = self.used_key(user, key, slot, row, &mut recorder).await?;
                recorder.record(observation);
            }
        }
        self.settle(self, gathered, &report, recorder).await
    }

    /// Users to list in turn, as far as the budget of an unchanged scan goes.
    async fn sweep(&self, authorization: &Authorization) -> Result<BTreeSet<String>, ScanError> {
        let users = &authorization.users;
        let count = users.len() as u64;
        // What the sweep of SSH keys and the lists behind it will need comes first.
        let reserved = weekly(count) + SMALL.min(count) + super::providers::CALLS;
        let room = self.spare(authorization, reserved).await?.min(SWEEP);
        let after: String = self.cached(CURSOR).await.unwrap_or_default();
        let later = users.range::<String, _>((Bound::Excluded(&after), Bound::Unbounded));
        let in_turn = later.chain(users.range::<String, _>(..=&after)).map(|(id, _)| id.clone());
        let swept: Vec<String> = in_turn.take(usize::try_from(room).unwrap_or(0)).collect();
        if let Some(last) = swept.last() {
            self.keep(CURSOR, last).await;
        }
        Ok(swept.into_iter().collect())
    }

    fn key(&self, key: &AccessKeyMetadata, user: &str, known: &[Key]) -> Result<Key, ScanError> {
        if key.user_name().is_some_and(|name| name != user) {
            return Err(malformed(LIST, "AccessKeyMetadata/UserName"));
        }
        let id =
            key.access_key_id().ok_or_else(|| malformed(LIST, "AccessKeyMetadata/AccessKeyId"))?;
        let created_at = key.create_date().and_then(timestamp);
        let known = known.iter().find(|known| known.id == id);
        Ok(Key {
            id: id.to_owned(),
            created_at: created_at
                .ok_or_else(|| malformed(LIST, "AccessKeyMetadata/CreateDate"))?,
            active: match key.status() {
                Some(StatusType::Active) => true,
                Some(StatusType::Inactive | StatusType::Expired) => false,
                _ => return Err(malformed(LIST, "AccessKeyMetadata/Status")),
            },
            asked: known.and_then(|known| known.asked.clone()),
            listed_at: self.cx.now,
        })
    }

    /// A key with the use that the report, or a call, tells.
    async fn used_key(
        &self,
        user: &User,
        key: &mut Key,
        slot: Option<&KeySlot>,
        row: Option<&Row>,
        recorder: &mut Recorder<'_>,
    ) -> Result<Observation, ScanError> {
        let parent = self.place().user(&user.holder.id);
        let mut observation = self.key_observation(key, &parent, &user.holder.arn);
        match slot {
            Some(slot) => {
                key.asked = None;
                observation.usage = slot_usage(slot, key.created_at);
                let report = self.report().await?;
                observation.evidence.push(evidence(REPORT, &user.holder.arn, report.generated_at));
            }
            None => self.ask(&mut observation, key, row, recorder).await?,
        }
        Ok(observation)
    }

    /// Asks for one key's use, unless nothing about it can have changed since it was asked.
    async fn ask(
        &self,
        observation: &mut Observation,
        key: &mut Key,
        row: Option<&Row>,
        recorder: &mut Recorder<'_>,
    ) -> Result<(), ScanError> {
        let beside = row.map(use_columns).unwrap_or_default();
        let fresh = row.is_some() && key.asked.as_ref().is_some_and(|asked| asked.beside == beside);
        if !fresh {
            self.for_a_change().await?;
            match self.account.access_key_used(&key.id).await {
                Ok(used) => {
                    key.asked = Some(Asked { used, beside });
                }
                Err(error) => {
                    observation.usage = not_observable("its use could not be read");
                    observation.unread.insert("usage".to_owned(), missing(&error));
                    recorder.degrade("usage", error);
                    return Ok(());
                }
            }
        }
        let used = key.asked.as_ref().and_then(|asked| asked.used);
        observation.usage = key_usage(used, key.created_at);
        observation.evidence.push(evidence(LAST_USED, &key.id, self.cx.now));
        Ok(())
    }

    fn key_observation(&self, key: &Key, parent: &RecordId, user_arn: &str) -> Observation {
        let id = self.place().access_key(&key.id);
        let mut observation = Observation::new(id, Class::Credential, "access-key", &key.id);
        observation.native.clone_from(&key.id);
        observation.parent = Some(parent.clone());
        observation.status = if key.active { Status::Active } else { Status::Disabled };
        observation.created_at = Some(key.created_at);
        observation.expiry = Expiry::Never;
        observation.evidence.push(evidence(LIST, user_arn, key.listed_at));
        observation
    }

    /// The report shows root's keys without ids; only root itself could list them. Their creation
    /// tells them apart.
    fn root_keys(&self, report: &Report) -> Result<Vec<Observation>, ScanError> {
        let place = self.place();
        let slots = report.root.iter().flat_map(|row| &row.keys);
        let shown = slots.filter(|slot| slot.active || slot.rotated_at.is_some());
        let mut taken = BTreeSet::new();
        let keys = shown.map(|slot| {
            let created_at = slot
                .rotated_at
                .ok_or_else(|| malformed(REPORT, "Content: an active root key without date"))?;
            // Two in one second would be one record otherwise.
            let twin = if taken.insert(created_at) { "" } else { "+" };
            let id = place.access_key(&format!("root@{}{twin}", created_at.as_second()));
            let name = format!("root key of {created_at}");
            let mut key = Observation::new(id, Class::Credential, "access-key", &name);
            key.native = place.root_arn();
            key.parent = Some(place.root_user());
            key.status = if slot.active { Status::Active } else { Status::Disabled };
            key.created_at = Some(created_at);
            key.expiry = Expiry::Never;
            key.usage = slot_usage(slot, created_at);
            key.evidence.push(evidence(REPORT, "<root_account>", report.generated_at));
            Ok(key)
        });
        keys.collect()
    }

    /// Lists the keys of the users whom hints name.
    pub(super) async fn refresh_access_keys(
        &self,
        named: &Named,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let authorization = self.authorization().await?;
        let listed = self.list_named(self, &authorization, named).await?;
        let mut cache: PerUser<Key> = self.cached(KEPT).await.unwrap_or_default();
        for (id, mut entry) in listed {
            let Some(user) = authorization.users.get(&id) else { continue };
            let parent = self.place().user(&id);
            for key in &mut entry.records {
                let mut observation = self.key_observation(key, &parent, &user.holder.arn);
                self.ask(&mut observation, key, None, &mut recorder).await?;
                recorder.record(observation);
            }
            cache.users.insert(id, entry);
        }
        self.keep(KEPT, &cache).await;
        Ok(recorder.complete_for_parents(named.records(self.place()), 0))
    }
}

#[async_trait]
impl Listing for Collector<'_> {
    type Record = Key;

    fn kept_as(&self) -> &'static str {
        KEPT
    }

    fn shown(&self, row: &Row) -> Shown {
        Shown::keys(row)
    }

    async fn list(&self, user: &User, known: &[Key]) -> Result<Vec<Key>, ScanError> {
        let name = &user.holder.name;
        let listed = self.account.access_keys(name).await?;
        listed.iter().map(|key| self.key(key, name, known)).collect()
    }

    fn same(&self, a: &Key, b: &Key) -> bool {
        a.id == b.id && a.created_at == b.created_at && a.active == b.active
    }
}

/// The one slot that shows this key: same creation, and no other key or slot with it.
fn slot<'r>(row: &'r Row, key: &Key, all: &[Key]) -> Option<&'r KeySlot> {
    let fits = |slot: &&KeySlot| slot.rotated_at.is_some_and(|at| same_second(at, key.created_at));
    let mut slots = row.keys.iter().filter(fits);
    let first = slots.next()?;
    let alone = slots.next().is_none();
    let same = all.iter().filter(|other| same_second(other.created_at, key.created_at)).count();
    (alone && same == 1).then_some(first)
}

fn slot_usage(slot: &KeySlot, created_at: Timestamp) -> headcount_sdk::Usage {
    match slot.used {
        Use::At(at) => key_usage(Some(at), created_at),
        Use::Never => key_usage(None, created_at),
        Use::NotSupported => not_observable("the credential report does not cover it"),
    }
}

fn use_columns(row: &Row) -> String {
    let uses = row.keys.iter().map(|slot| match slot.used {
        Use::At(at) => at.to_string(),
        Use::Never | Use::NotSupported => "-".to_owned(),
    });
    uses.collect::<Vec<_>>().join("|")
}
