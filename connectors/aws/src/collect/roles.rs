//! Scope `roles`: IAM roles, and who may assume them.

use std::collections::BTreeMap;

use headcount_sdk::{Class, Complete, Observation, OwnerBasis, RecordId, Recorder, ScanError};

use super::named::{KNOWN_ROLES, Named};
use super::{Collector, Counted, Described, missing};
use crate::normalize::authorization::{Authorization, Role};
use crate::normalize::role_usage;
use crate::normalize::trust::{self, Surroundings};

const BULK: &str = "iam:GetAccountAuthorizationDetails";

/// Fields that only `ListRoles` feeds.
const FROM_LIST: &[&str] =
    &["attributes.description", "attributes.max_session_secs", "purpose", "owner_evidence"];

impl Collector<'_> {
    /// Reads all roles, or those that hints name.
    pub(super) async fn roles(
        &self,
        mut recorder: Recorder<'_>,
        named: Option<&Named>,
    ) -> Result<Complete, ScanError> {
        let authorization = self.authorization().await?;
        let read = authorization.roles.len() as u64;
        let counted = Counted { name: "Roles", read, operation: BULK };
        let count = self.verify_count(&mut recorder, &counted).await?;
        if let Some(count) = count.filter(|_| named.is_none()) {
            recorder.expect(count);
        }
        let described = self.descriptions().await;
        if let Err(error) = &described {
            for field in FROM_LIST {
                recorder.degrade(field, error.clone());
            }
        }
        let records = self.records_by_arn(&authorization);
        let around =
            Surroundings { place: self.place(), members: self.members.as_ref(), records: &records };
        let wanted = |role: &&Role| named.is_none_or(|named| named.roles.contains(&role.holder.id));
        for role in authorization.roles.values().filter(wanted) {
            let described = described.as_ref().map(|all| all.get(&role.holder.id));
            recorder.record(self.role(role, described, &around));
        }
        let holders = authorization.roles.values().map(|role| &role.holder);
        self.keep_known(KNOWN_ROLES, holders, named.is_some()).await;
        Ok(match named {
            Some(named) => {
                let ids = named.roles.iter().map(|id| self.place().role(id)).collect();
                recorder.complete_for_records(ids)
            }
            None => recorder.complete(),
        })
    }

    fn records_by_arn(&self, authorization: &Authorization) -> BTreeMap<String, RecordId> {
        let place = self.place();
        let users = authorization.users.values().map(|user| &user.holder);
        let users = users.map(|holder| (holder.arn.clone(), place.user(&holder.id)));
        let roles = authorization.roles.values().map(|role| &role.holder);
        let roles = roles.map(|holder| (holder.arn.clone(), place.role(&holder.id)));
        users.chain(roles).collect()
    }

    fn role(
        &self,
        role: &Role,
        described: Result<Option<&Described>, &ScanError>,
        around: &Surroundings<'_>,
    ) -> Observation {
        let holder = &role.holder;
        let id = self.place().role(&holder.id);
        let mut observation = Observation::new(id, Class::Identity, "iam-role", &holder.name);
        let description = described.as_ref().ok().and_then(|d| d.as_ref());
        let description = description.and_then(|d| d.description.as_deref());
        self.fill(&mut observation, holder, description);
        observation.usage = role_usage(role.used_at, holder.created_at, self.cx.now);
        let mut set = |name: &str, value: String| {
            observation.attributes.insert(name.to_owned(), value);
        };
        if !role.profiles.is_empty() {
            set("instance_profiles", role.profiles.join(","));
        }
        match described {
            Ok(Some(described)) => {
                if let Some(text) = &described.description {
                    set("description", text.clone());
                }
                if let Some(secs) = described.max_session {
                    set("max_session_secs", secs.to_string());
                }
            }
            // Made between the two calls: its description comes with the next scan.
            Ok(None) => unlisted(&mut observation, "iam:ListRoles"),
            Err(error) => unlisted(&mut observation, &missing(error)),
        }
        self.trust(&mut observation, role, around);
        observation
    }

    fn trust(&self, observation: &mut Observation, role: &Role, around: &Surroundings<'_>) {
        let path = &role.holder.path;
        let read = trust::read(&role.trust, around);
        let class = match &read {
            Ok(policy) => trust::class(path, &policy.classes, !role.profiles.is_empty()),
            // Path alone settles the classes that rules leave in peace.
            Err(_) => trust::class(path, &["unknown"].into(), false),
        };
        let attributes = &mut observation.attributes;
        attributes.insert("trust_class".to_owned(), class.to_owned());
        match read {
            Ok(policy) => {
                if class == "mixed" {
                    let classes: Vec<&str> = policy.classes.into_iter().collect();
                    attributes.insert("trust_classes".to_owned(), classes.join(","));
                }
                observation.links = policy.links;
            }
            Err(what) => {
                let reason = format!("the trust policy is not understood: {what}");
                observation.unread.insert("links".to_owned(), reason);
            }
        }
    }
}

/// An owner or purpose that a tag states stands without the description; what is absent or weak
/// might be in it.
fn unlisted(observation: &mut Observation, missing: &str) {
    let labelled = observation.owner_evidence.iter().any(|e| e.basis == OwnerBasis::Label);
    for field in FROM_LIST {
        let settled = match *field {
            "owner_evidence" => labelled,
            "purpose" => observation.purpose.is_some(),
            _ => false,
        };
        if !settled {
            observation.unread.insert((*field).to_owned(), missing.to_owned());
        }
    }
}
