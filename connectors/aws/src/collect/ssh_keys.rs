//! Scope `ssh-public-keys`: a rolling sweep, because no bulk answer and no column shows them.
//!
//! Each scan visits as many users as an hourly schedule needs for a round a week, and more where
//! the budget has room, so that a small account is read whole every time. Users come in order of
//! their creation: who was made last comes last, so one mark tells how far the first round got.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{SshPublicKeyMetadata, StatusType};
use futures::StreamExt;
use headcount_sdk::{Class, Complete, Expiry, Observation, RecordId, Recorder, ScanError, Status};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::named::Named;
use super::{Collector, weekly};
use crate::client::malformed;
use crate::normalize::authorization::{Authorization, User};
use crate::normalize::{evidence, not_observable, timestamp};

const LIST: &str = "iam:ListSSHPublicKeys";
const KEPT: &str = "ssh-public-keys";

/// For how long the agent is told that a user who had keys is gone.
const GONE_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A user's turn: creation, then unique id.
type Turn = (Timestamp, String);

/// Where the sweep stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sweep {
    /// The last user that the first round visited.
    visited: Option<Turn>,
    /// The last user that any round visited.
    at: Option<Turn>,
    /// Users that no round had visited after the last scan.
    outstanding: u64,
    /// Users who had keys when last visited, and since when they are gone from the account.
    holders: BTreeMap<String, Option<Timestamp>>,
}

impl Collector<'_> {
    pub(super) async fn ssh_keys(&self, mut recorder: Recorder<'_>) -> Result<Complete, ScanError> {
        let authorization = self.authorization().await?;
        let users: BTreeMap<Turn, &User> =
            authorization.users.values().map(|user| (turn(user), user)).collect();
        let mut sweep: Sweep = self.cached(KEPT).await.unwrap_or_default();
        let visits = self.ssh_visits(&authorization).await?;
        let chosen = choose(&users, &sweep, visits);
        let whole = chosen.len() == users.len();
        let mut proven = BTreeSet::new();
        let calls: Vec<_> = chosen.iter().map(|turn| self.ssh_keys_of(turn, &users)).collect();
        let mut calls = futures::stream::iter(calls).buffered(self.concurrency);
        while let Some(read) = calls.next().await {
            let (user, keys) = read?;
            proven.insert(self.place().user(&user.holder.id));
            sweep.holders.remove(&user.holder.id);
            if !keys.is_empty() {
                sweep.holders.insert(user.holder.id.clone(), None);
            }
            keys.into_iter().for_each(|key| recorder.record(key));
        }
        sweep.advance(&users, &chosen);
        sweep.outstanding = sweep.never_visited(&users);
        proven.extend(self.departed(&authorization, &mut sweep));
        self.keep(KEPT, &sweep).await;
        if whole {
            return Ok(recorder.complete());
        }
        Ok(recorder.complete_for_parents(proven, sweep.outstanding))
    }

    /// How many users this scan visits.
    async fn ssh_visits(&self, authorization: &Authorization) -> Result<usize, ScanError> {
        let count = authorization.users.len() as u64;
        // What the scopes behind this one will need.
        let reserved = self.provider_calls_ahead().await + weekly(count);
        let room = self.spare(authorization, reserved).await?;
        Ok(usize::try_from((weekly(count) + room).min(count)).unwrap_or(usize::MAX))
    }

    async fn ssh_keys_of<'u>(
        &self,
        turn: &Turn,
        users: &BTreeMap<Turn, &'u User>,
    ) -> Result<(&'u User, Vec<Observation>), ScanError> {
        let user = *users.get(turn).ok_or_else(|| malformed(LIST, "UserName"))?;
        let holder = &user.holder;
        let keys = self.account.ssh_public_keys(&holder.name).await?;
        let parent = self.place().user(&holder.id);
        let keys = keys.iter().map(|key| self.ssh_key(key, &parent, &holder.arn));
        Ok((user, keys.collect::<Result<_, _>>()?))
    }

    fn ssh_key(
        &self,
        key: &SshPublicKeyMetadata,
        parent: &RecordId,
        user_arn: &str,
    ) -> Result<Observation, ScanError> {
        let refused = |member: &str| malformed(LIST, format!("SSHPublicKeys/{member}"));
        let key_id = key.ssh_public_key_id();
        if key_id.is_empty() {
            return Err(refused("SSHPublicKeyId"));
        }
        let id = self.place().ssh_public_key(key_id);
        let mut observation = Observation::new(id, Class::Credential, "ssh-public-key", key_id);
        observation.native = key_id.to_owned();
        observation.parent = Some(parent.clone());
        observation.status = match key.status() {
            StatusType::Active => Status::Active,
            StatusType::Inactive | StatusType::Expired => Status::Disabled,
            _ => return Err(refused("Status")),
        };
        observation.created_at =
            Some(timestamp(key.upload_date()).ok_or_else(|| refused("UploadDate"))?);
        observation.expiry = Expiry::Never;
        observation.usage = not_observable("AWS records no use of SSH public keys");
        observation.evidence.push(evidence(LIST, user_arn, self.cx.now));
        Ok(observation)
    }

    /// Holders of keys that the account no longer has: nothing of theirs is left.
    fn departed(&self, authorization: &Authorization, sweep: &mut Sweep) -> Vec<RecordId> {
        let now = self.cx.now;
        sweep.holders.retain(|id, gone_since| {
            if authorization.users.contains_key(id) {
                *gone_since = None;
                return true;
            }
            *gone_since.get_or_insert(now) + GONE_FOR > now
        });
        let gone = sweep.holders.iter().filter(|(_, gone_since)| gone_since.is_some());
        gone.map(|(id, _)| self.place().user(id)).collect()
    }

    /// Lists the keys of the users whom hints name. A user who never had a key and has one now is
    /// a holder from here on, so that its end is noticed.
    pub(super) async fn refresh_ssh_keys(
        &self,
        named: &Named,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        let authorization = self.authorization().await?;
        let mut sweep: Sweep = self.cached(KEPT).await.unwrap_or_default();
        let before = sweep.clone();
        for (id, user) in named.users.iter().filter_map(|id| authorization.users.get_key_value(id))
        {
            let parent = self.place().user(id);
            let keys = self.account.ssh_public_keys(&user.holder.name).await?;
            if !keys.is_empty() {
                sweep.holders.insert(id.clone(), None);
            }
            for key in &keys {
                recorder.record(self.ssh_key(key, &parent, &user.holder.arn)?);
            }
        }
        if sweep != before {
            self.keep(KEPT, &sweep).await;
        }
        Ok(recorder.complete_for_parents(named.records(self.place()), sweep.outstanding))
    }
}

impl Sweep {
    /// Moves the marks behind those who were visited.
    fn advance(&mut self, users: &BTreeMap<Turn, &User>, chosen: &[Turn]) {
        // Newcomers jump the queue and do not move it.
        if let Some(last) = chosen.iter().rfind(|turn| self.visited.as_ref() >= Some(turn)) {
            self.at = Some(last.clone());
        }
        let visited: BTreeSet<&Turn> = chosen.iter().collect();
        // The first round's mark goes on only over users who were visited without a gap.
        let ahead = users.keys().filter(|turn| self.visited.as_ref() < Some(turn));
        if let Some(last) = ahead.take_while(|turn| visited.contains(turn)).last() {
            self.visited = Some(last.clone());
        }
    }

    /// Users that no round has visited yet.
    fn never_visited(&self, users: &BTreeMap<Turn, &User>) -> u64 {
        users.keys().filter(|turn| self.visited.as_ref() < Some(turn)).count() as u64
    }
}

fn turn(user: &User) -> Turn {
    (user.holder.created_at, user.holder.id.clone())
}

/// First those who were never visited, then those whose last visit is longest ago.
fn choose(users: &BTreeMap<Turn, &User>, sweep: &Sweep, visits: usize) -> Vec<Turn> {
    let fresh = users.keys().filter(|turn| sweep.visited.as_ref() < Some(turn));
    let after = users
        .keys()
        .filter(|turn| sweep.visited.as_ref() >= Some(turn) && sweep.at.as_ref() < Some(turn));
    let around = users
        .keys()
        .filter(|turn| sweep.visited.as_ref() >= Some(turn) && sweep.at.as_ref() >= Some(turn));
    fresh.chain(after).chain(around).take(visits).cloned().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;
    use crate::normalize::authorization::Holder;

    fn user(n: i64) -> User {
        let holder = Holder {
            id: format!("U{n}"),
            name: format!("u{n}"),
            arn: String::new(),
            path: "/".to_owned(),
            created_at: Timestamp::from_second(1_000 + n).unwrap(),
            tags: BTreeMap::new(),
            boundary: None,
            held: Vec::new(),
        };
        User { holder, groups: Vec::new() }
    }

    fn names(turns: &[Turn]) -> Vec<&str> {
        turns.iter().map(|(_, id)| id.as_str()).collect()
    }

    #[test]
    fn every_user_is_visited_once_a_round_and_newcomers_first() {
        let mut all: Vec<User> = (0..5).map(user).collect();
        let mut sweep = Sweep::default();
        let mut go = |all: &[User], visits| {
            let users: BTreeMap<Turn, &User> = all.iter().map(|u| (turn(u), u)).collect();
            let chosen = choose(&users, &sweep, visits);
            sweep.advance(&users, &chosen);
            (names(&chosen).join(" "), sweep.never_visited(&users))
        };
        assert_eq!(go(&all, 2), ("U0 U1".to_owned(), 3));
        assert_eq!(go(&all, 2), ("U2 U3".to_owned(), 1));
        assert_eq!(go(&all, 2), ("U4 U0".to_owned(), 0));
        assert_eq!(go(&all, 2), ("U1 U2".to_owned(), 0));
        all.push(user(9));
        assert_eq!(go(&all, 2), ("U9 U3".to_owned(), 0));
        assert_eq!(go(&all, 2), ("U4 U9".to_owned(), 0));
        assert_eq!(go(&all, 9), ("U0 U1 U2 U3 U4 U9".to_owned(), 0));
    }
}
