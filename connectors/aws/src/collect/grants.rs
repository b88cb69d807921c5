//! Scope `grants`: one record per policy that reaches a user or role.

use headcount_sdk::{Class, Complete, Expiry, Observation, RecordId, Recorder, ScanError, Status};

use super::Collector;
use super::named::Named;
use crate::client::malformed;
use crate::id::Through;
use crate::normalize::authorization::{Held, Holder};
use crate::normalize::{evidence, not_observable};

const BULK: &str = "iam:GetAccountAuthorizationDetails";

impl Collector<'_> {
    /// Reads all grants, or those of the users and roles that hints name.
    pub(super) async fn grants(
        &self,
        mut recorder: Recorder<'_>,
        named: Option<&Named>,
    ) -> Result<Complete, ScanError> {
        let authorization = self.authorization().await?;
        if let Some(group) = &authorization.missing_group {
            return Err(malformed(BULK, format!("GroupDetailList: group {group} is missing")));
        }
        let place = self.place();
        let users = authorization.users.values().map(|user| &user.holder);
        let users = users.filter(|holder| named.is_none_or(|n| n.users.contains(&holder.id)));
        let roles = authorization.roles.values().map(|role| &role.holder);
        let roles = roles.filter(|holder| named.is_none_or(|n| n.roles.contains(&holder.id)));
        let holders = users
            .map(|holder| (holder, place.user(&holder.id)))
            .chain(roles.map(|holder| (holder, place.role(&holder.id))));
        for (holder, parent) in holders {
            for held in &holder.held {
                recorder.record(self.grant(holder, &parent, held));
            }
        }
        Ok(match named {
            Some(named) => recorder.complete_for_parents(named.records(place), 0),
            None => recorder.complete(),
        })
    }

    fn grant(&self, holder: &Holder, parent: &RecordId, held: &Held) -> Observation {
        let policy = held.policy.as_str();
        let (through, how) = match (&held.group, &held.arn) {
            (None, Some(arn)) => (Through::Attached { policy_arn: arn }, "attached".to_owned()),
            (None, None) => (Through::Inline { policy }, "inline".to_owned()),
            (Some((name, group_id)), Some(arn)) => {
                (Through::GroupAttached { group_id, policy_arn: arn }, format!("group {name}"))
            }
            (Some((name, group_id)), None) => {
                (Through::GroupInline { group_id, policy }, format!("group {name}, inline"))
            }
        };
        let id = self.place().grant(&holder.id, &through);
        let mut grant = Observation::new(id, Class::Grant, "grant", policy);
        grant.native = held.arn.clone().unwrap_or_else(|| format!("{}/{policy}", holder.arn));
        grant.parent = Some(parent.clone());
        grant.status = Status::Active;
        grant.expiry = Expiry::NotApplicable;
        grant.usage = not_observable("AWS records no use of single policies");
        grant.privilege = Some(held.privilege.clone());
        grant.attributes.insert("through".to_owned(), how);
        grant.evidence.push(evidence(BULK, &holder.arn, self.cx.now));
        grant
    }
}
