//! Reads again what hints name: the same bulk answers, the same code as a scan, fewer records.
//!
//! IAM has calls for one user or one role, many of them, and each would be a second way to the
//! same record. The bulk details give everything in ⌈(U+R+P)/1000⌉ calls for a whole batch of
//! hints, so that what a hint brings is what the next scan brings.
//!
//! A subject is a name, a unique id or an ARN; in `users` and `grants` also `group/NAME`, in
//! `users`, `roles` and `grants` also `policy/ARN`: everyone whom the group or policy reaches. In
//! `grants`, where users and roles meet, names stand behind `user/` or `role/`.

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::{Complete, RecordId, Recorder, ScanError};
use serde::{Deserialize, Serialize};

use super::{Collector, Counted};
use crate::id::Place;
use crate::normalize::authorization::{Authorization, Holder};

const BULK: &str = "iam:GetAccountAuthorizationDetails";

/// What is kept of a user or role: whom a name meant, for when it is gone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Known {
    id: String,
    arn: String,
}

/// By name, which is what events carry.
type KnownByName = BTreeMap<String, Known>;

pub(super) const KNOWN_USERS: &str = "users";
pub(super) const KNOWN_ROLES: &str = "roles";

/// Unique ids of those whom hints mean, whether they are still there or not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(super) users: BTreeSet<String>,
    pub(super) roles: BTreeSet<String>,
}

impl Named {
    pub(super) fn records(&self, place: &Place) -> BTreeSet<RecordId> {
        let users = self.users.iter().map(|id| place.user(id));
        users.chain(self.roles.iter().map(|id| place.role(id))).collect()
    }
}

impl Collector<'_> {
    /// Reads what `subjects` of one scope name. Vouches for those alone: whoever is not among the
    /// bulk details, and was known, is gone with all that belonged to it.
    pub(crate) async fn refresh(
        &self,
        kind: &str,
        subjects: &BTreeSet<String>,
        mut recorder: Recorder<'_>,
    ) -> Result<Complete, ScanError> {
        if !matches!(
            kind,
            "users"
                | "roles"
                | "grants"
                | "access-keys"
                | "signing-certificates"
                | "service-specific-credentials"
                | "ssh-public-keys"
        ) {
            return Err(ScanError::NotSupported {
                operation: "refresh".to_owned(),
                reason: format!("scope {kind} is read as a whole"),
            });
        }
        let authorization = self.authorization().await?;
        // A list that was cut must not end those who were cut off.
        let (users, roles) = (authorization.users.len() as u64, authorization.roles.len() as u64);
        for (name, read) in [("Users", users), ("Roles", roles)] {
            self.verify_count(&mut recorder, &Counted { name, read, operation: BULK }).await?;
        }
        let named = self.named(kind, subjects, &authorization).await;
        match kind {
            "users" => self.users(recorder, Some(&named)).await,
            "roles" => self.roles(recorder, Some(&named)).await,
            "grants" => self.grants(recorder, Some(&named)).await,
            "access-keys" => self.refresh_access_keys(&named, recorder).await,
            "signing-certificates" => self.refresh_signing_certificates(&named, recorder).await,
            "service-specific-credentials" => {
                self.service_credentials(recorder, Some(&named)).await
            }
            _ => self.refresh_ssh_keys(&named, recorder).await,
        }
    }

    async fn named(
        &self,
        kind: &str,
        subjects: &BTreeSet<String>,
        authorization: &Authorization,
    ) -> Named {
        let known_users: KnownByName = self.cached(KNOWN_USERS).await.unwrap_or_default();
        let known_roles: KnownByName = self.cached(KNOWN_ROLES).await.unwrap_or_default();
        let users: Vec<&Holder> = authorization.users.values().map(|user| &user.holder).collect();
        let roles: Vec<&Holder> = authorization.roles.values().map(|role| &role.holder).collect();
        let mut named = Named::default();
        for subject in subjects {
            let (what, name) = subject
                .split_once('/')
                .filter(|(what, _)| matches!(*what, "user" | "role" | "group" | "policy"))
                .unwrap_or((if kind == "roles" { "role" } else { "user" }, subject));
            match what {
                "user" => named.users.extend(meant(name, &users, &known_users)),
                "role" => named.roles.extend(meant(name, &roles, &known_roles)),
                "group" => {
                    let members = authorization.users.values();
                    let members = members.filter(|user| user.groups.iter().any(|g| g == name));
                    named.users.extend(members.map(|user| user.holder.id.clone()));
                }
                _ => {
                    named.users.extend(holding(name, &users));
                    named.roles.extend(holding(name, &roles));
                }
            }
        }
        named
    }

    /// Keeps whom each name means. A reading for hints only adds: who is gone may be asked for
    /// again by the next hint.
    pub(super) async fn keep_known<'h>(
        &self,
        what: &str,
        holders: impl Iterator<Item = &'h Holder> + Send,
        adding: bool,
    ) {
        let before: KnownByName = self.cached(what).await.unwrap_or_default();
        let mut known = if adding { before.clone() } else { KnownByName::new() };
        known.extend(holders.map(|holder| {
            (holder.name.clone(), Known { id: holder.id.clone(), arn: holder.arn.clone() })
        }));
        if known != before {
            self.keep(what, &known).await;
        }
    }
}

/// Who has the name now and who had it: after a deletion and a creation these are two.
fn meant(name: &str, holders: &[&Holder], known: &KnownByName) -> BTreeSet<String> {
    let now = holders.iter().filter(|h| h.name == name || h.id == name || h.arn == name);
    let before = known.iter().filter(|(n, k)| *n == name || k.id == name || k.arn == name);
    now.map(|holder| holder.id.clone()).chain(before.map(|(_, known)| known.id.clone())).collect()
}

fn holding(policy_arn: &str, holders: &[&Holder]) -> Vec<String> {
    let reached =
        |holder: &&&Holder| holder.held.iter().any(|held| held.arn.as_deref() == Some(policy_arn));
    holders.iter().filter(reached).map(|holder| holder.id.clone()).collect()
}
