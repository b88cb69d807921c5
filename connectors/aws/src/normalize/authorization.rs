//! The bulk details of an account, page by page into compact form.
//!
//! Policy documents are judged when they arrive and not kept; what a page only refers to (a
//! policy, a group) is resolved when the last page is in. A record without one of the members
//! that AWS always sends is refused: it would otherwise be a user without a name.

use std::collections::BTreeMap;

use aws_sdk_iam::operation::get_account_authorization_details::GetAccountAuthorizationDetailsOutput as Page;
use aws_sdk_iam::types::{
    AttachedPolicy, GroupDetail, ManagedPolicyDetail, PolicyDetail, RoleDetail, Tag, UserDetail,
};
use headcount_sdk::{Privilege, ScanError};
use jiff::Timestamp;

use super::timestamp;
use crate::client::malformed;
use crate::policy;

const OPERATION: &str = "iam:GetAccountAuthorizationDetails";

/// Who and what there is in an account. By unique id, so that a record listed twice counts once.
#[derive(Debug, Default)]
pub(crate) struct Authorization {
    pub(crate) users: BTreeMap<String, User>,
    pub(crate) roles: BTreeMap<String, Role>,
    /// Customer managed policies.
    pub(crate) policies: usize,
    /// A group that a user is in and that did not come: its policies are not known.
    pub(crate) missing_group: Option<String>,
}

/// What users and roles have in common.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) path: String,
    pub(crate) created_at: Timestamp,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) boundary: Option<String>,
    /// Every policy that reaches it, groups included.
    pub(crate) held: Vec<Held>,
}

#[derive(Debug)]
pub(crate) struct User {
    pub(crate) holder: Holder,
    pub(crate) groups: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) holder: Holder,
    /// As delivered: percent-encoded.
    pub(crate) trust: String,
    pub(crate) used_at: Option<Timestamp>,
    /// Names of instance profiles.
    pub(crate) profiles: Vec<String>,
}

/// A policy as it reaches its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) policy: String,
    /// `None` for an inline policy.
    pub(crate) arn: Option<String>,
    /// Name and unique id of the group it comes through.
    pub(crate) group: Option<(String, String)>,
    pub(crate) privilege: Privilege,
}

/// Pages in the making.
#[derive(Default)]
pub(crate) struct Assembly {
    users: BTreeMap<String, (User, Vec<Attached>)>,
    roles: BTreeMap<String, (Role, Vec<Attached>)>,
    /// By name, which is how users refer to them.
    groups: BTreeMap<String, Group>,
    policies: BTreeMap<String, Privilege>,
}

struct Attached {
    name: String,
    arn: String,
}

struct Group {
    id: String,
    inline: Vec<Held>,
    attached: Vec<Attached>,
}

impl Assembly {
    pub(crate) fn take(&mut self, page: Page) -> Result<(), ScanError> {
        for detail in page.user_detail_list.unwrap_or_default() {
            let user = user(detail)?;
            self.users.insert(user.0.holder.id.clone(), user);
        }
        for detail in page.role_detail_list.unwrap_or_default() {
            let role = role(detail)?;
            self.roles.insert(role.0.holder.id.clone(), role);
        }
        for detail in page.group_detail_list.unwrap_or_default() {
            let (name, group) = group(detail)?;
            self.groups.insert(name, group);
        }
        for detail in page.policies.unwrap_or_default() {
            let (arn, privilege) = managed_policy(detail)?;
            self.policies.insert(arn, privilege);
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Authorization {
        let users = std::mem::take(&mut self.users);
        let roles = std::mem::take(&mut self.roles);
        let users = users.into_iter().map(|(id, (mut user, attached))| {
            self.resolve(&mut user.holder.held, attached, None);
            for name in &user.groups {
                self.resolve_group(&mut user.holder.held, name);
            }
            (id, user)
        });
        let users: BTreeMap<String, User> = users.collect();
        let mut named = users.values().flat_map(|user| &user.groups);
        let missing_group = named.find(|name| !self.groups.contains_key(*name)).cloned();
        let roles = roles.into_iter().map(|(id, (mut role, attached))| {
            self.resolve(&mut role.holder.held, attached, None);
            (id, role)
        });
        Authorization {
            users,
            roles: roles.collect(),
            policies: self.policies.len(),
            missing_group,
        }
    }

    fn resolve(
        &self,
        held: &mut Vec<Held>,
        attached: impl IntoIterator<Item = Attached>,
        group: Option<(String, String)>,
    ) {
        held.extend(attached.into_iter().map(|Attached { name, arn }| Held {
            privilege: self.privilege(&name, &arn),
            policy: name,
            arn: Some(arn),
            group: group.clone(),
        }));
    }

    fn resolve_group(&self, held: &mut Vec<Held>, name: &str) {
        let Some(group) = self.groups.get(name) else {
            // Made while the pages were read: the user holds something unknown.
            let reason = format!("group {name} was not among the details");
            held.push(Held {
                policy: format!("(group {name})"),
                arn: None,
                group: Some((name.to_owned(), name.to_owned())),
                privilege: policy::unknown(reason),
            });
            return;
        };
        let through = Some((name.to_owned(), group.id.clone()));
        let inline = group.inline.iter().cloned();
        held.extend(inline.map(|policy| Held { group: through.clone(), ..policy }));
        let attached = group.attached.iter();
        let attached = attached.map(|a| Attached { name: a.name.clone(), arn: a.arn.clone() });
        self.resolve(held, attached, through.clone());
    }

    fn privilege(&self, name: &str, arn: &str) -> Privilege {
        policy::managed(arn).or_else(|| self.policies.get(arn).cloned()).unwrap_or_else(|| {
            policy::unknown(format!("the document of policy {name} was not among the details"))
        })
    }
}

impl Holder {
    /// The highest privilege of all policies. A boundary may keep it from being used in full.
    pub(crate) fn privilege(&self) -> Privilege {
        let none = policy::none("no policies".to_owned());
        let all = self.held.iter().map(|held| held.privilege.clone());
        let mut highest = all.fold(none, policy::highest_of);
        if let Some(boundary) = &self.boundary {
            highest.reason.push_str("; within the permissions boundary ");
            highest.reason.push_str(boundary.rsplit('/').next().unwrap_or(boundary));
        }
        highest
    }
}

/// The member, or the refusal that names it.
pub(crate) fn need(value: Option<String>, path: &str) -> Result<String, ScanError> {
    value.filter(|text| !text.is_empty()).ok_or_else(|| malformed(OPERATION, path))
}

fn user(detail: UserDetail) -> Result<(User, Vec<Attached>), ScanError> {
    let holder = Holder {
        id: need(detail.user_id, "UserDetailList/UserId")?,
        name: need(detail.user_name, "UserDetailList/UserName")?,
        arn: need(detail.arn, "UserDetailList/Arn")?,
        path: detail.path.unwrap_or_else(|| "/".to_owned()),
        created_at: detail
            .create_date
            .as_ref()
            .and_then(timestamp)
            .ok_or_else(|| malformed(OPERATION, "UserDetailList/CreateDate"))?,
        tags: tags(detail.tags),
        boundary: detail.permissions_boundary.and_then(|b| b.permissions_boundary_arn),
        held: inline(detail.user_policy_list, "UserDetailList/UserPolicyList")?,
    };
    let mut groups = detail.group_list.unwrap_or_default();
    groups.sort_unstable();
    let attached =
        attached(detail.attached_managed_policies, "UserDetailList/AttachedManagedPolicies")?;
    Ok((User { holder, groups }, attached))
}

fn role(detail: RoleDetail) -> Result<(Role, Vec<Attached>), ScanError> {
    let holder = Holder {
        id: need(detail.role_id, "RoleDetailList/RoleId")?,
        name: need(detail.role_name, "RoleDetailList/RoleName")?,
        arn: need(detail.arn, "RoleDetailList/Arn")?,
        path: detail.path.unwrap_or_else(|| "/".to_owned()),
        created_at: detail
            .create_date
            .as_ref()
            .and_then(timestamp)
            .ok_or_else(|| malformed(OPERATION, "RoleDetailList/CreateDate"))?,
        tags: tags(detail.tags),
        boundary: detail.permissions_boundary.and_then(|b| b.permissions_boundary_arn),
        held: inline(detail.role_policy_list, "RoleDetailList/RolePolicyList")?,
    };
    let used = detail.role_last_used.and_then(|used| used.last_used_date);
    let used_at = match &used {
        Some(at) => {
            Some(timestamp(at).ok_or_else(|| malformed(OPERATION, "RoleDetailList/RoleLastUsed"))?)
        }
        None => None,
    };
    let mut profiles: Vec<String> = detail
        .instance_profile_list
        .unwrap_or_default()
        .into_iter()
        .map(|profile| profile.instance_profile_name)
        .collect();
    profiles.sort_unstable();
    let role = Role {
        holder,
        trust: need(detail.assume_role_policy_document, "RoleDetailList/AssumeRolePolicyDocument")?,
        used_at,
        profiles,
    };
    let attached =
        attached(detail.attached_managed_policies, "RoleDetailList/AttachedManagedPolicies")?;
    Ok((role, attached))
}

fn group(detail: GroupDetail) -> Result<(String, Group), ScanError> {
    let name = need(detail.group_name, "GroupDetailList/GroupName")?;
    let group = Group {
        id: need(detail.group_id, "GroupDetailList/GroupId")?,
        inline: inline(detail.group_policy_list, "GroupDetailList/GroupPolicyList")?,
        attached: attached(
            detail.attached_managed_policies,
            "GroupDetailList/AttachedManagedPolicies",
        )?,
    };
    Ok((name, group))
}

fn managed_policy(detail: ManagedPolicyDetail) -> Result<(String, Privilege), ScanError> {
    let arn = need(detail.arn, "Policies/Arn")?;
    let name = policy_name(detail.policy_name, &arn);
    let versions = detail.policy_version_list.unwrap_or_default();
    let document = versions.iter().find(|v| v.is_default_version).and_then(|v| v.document());
    let privilege = match document {
        Some(document) => policy::assess(&name, document),
        None => policy::unknown(format!("policy {name} came without its default version")),
    };
    Ok((arn, privilege))
}

fn inline(policies: Option<Vec<PolicyDetail>>, path: &str) -> Result<Vec<Held>, ScanError> {
    let held = policies.unwrap_or_default().into_iter().map(|detail| {
        let policy = need(detail.policy_name, path)?;
        let privilege = match &detail.policy_document {
            Some(document) => policy::assess(&policy, document),
            None => policy::unknown(format!("policy {policy} came without its document")),
        };
        Ok(Held { policy, arn: None, group: None, privilege })
    });
    held.collect()
}

fn attached(policies: Option<Vec<AttachedPolicy>>, path: &str) -> Result<Vec<Attached>, ScanError> {
    let attached = policies.unwrap_or_default().into_iter().map(|policy| {
        let arn = need(policy.policy_arn, path)?;
        let name = policy_name(policy.policy_name, &arn);
        Ok(Attached { name, arn })
    });
    attached.collect()
}

/// The ARN ends in the name, so that an answer without it is no worse.
fn policy_name(given: Option<String>, arn: &str) -> String {
    given.unwrap_or_else(|| arn.rsplit('/').next().unwrap_or(arn).to_owned())
}

fn tags(tags: Option<Vec<Tag>>) -> BTreeMap<String, String> {
    tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()
}
