//! GetAccountAuthorizationDetails: users, groups, roles and policies in one run of pages.
//!
//! The order is users, groups, roles, customer managed policies, AWS managed policies. A page
//! is filled over the union of what the filter selects; a kind that it does not reach stays an
//! empty list. Policy documents are percent-encoded.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use jiff::{SignedDuration, Timestamp};

use super::principals::{write_role, write_user};
use super::{write_tags, write_tail};
use crate::call::{ApiError, Request, own};
use crate::organization::{Account, Group, ManagedPolicy, Role, User};
use crate::page;
use crate::policies::{AWS_MANAGED, AwsManaged};
use crate::server::World;
use crate::xml::Xml;

/// How far back AWS tells the last use of a role
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_RoleLastUsed.html>).
const TRACKED: SignedDuration = SignedDuration::from_hours(400 * 24);

/// What the filter can select, in the order of the pages.
const KINDS: [&str; 5] = ["User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy"];

/// One record of the union.
enum Entry<'a> {
    User(&'a User),
    Group(&'a Group),
    Role(&'a Role),
    Policy(&'a ManagedPolicy),
    AwsPolicy(&'a AwsManaged),
}

type Entries<'a> = Box<dyn Iterator<Item = (String, Entry<'a>)> + 'a>;

pub(super) fn get_account_authorization_details(
    world: &mut World,
    request: &Request,
) -> Result<String, ApiError> {
    let kinds = kinds(request)?;
    let World { org, pages } = world;
    let account = own(org, request)?;
    let page = pages.open(request, page::IAM)?;
    let entries = entries(account, &kinds, page.after.as_deref());
    let (entries, tail) = pages.cut(request, &page, entries);
    let now = org.clock.now();
    let (mut users, mut groups) = (Xml::new(), Xml::new());
    let (mut roles, mut policies) = (Xml::new(), Xml::new());
    for entry in entries {
        match entry {
            Entry::User(user) => users.nest("member", |xml| user_detail(xml, account, user)),
            Entry::Group(group) => groups.nest("member", |xml| group_detail(xml, account, group)),
            Entry::Role(role) => roles.nest("member", |xml| role_detail(xml, account, role, now)),
            Entry::Policy(policy) => {
                policies.nest("member", |xml| policy_detail(xml, account, policy));
            }
            Entry::AwsPolicy(policy) => {
                policies.nest("member", |xml| aws_policy_detail(xml, account, policy));
            }
        }
    }
    let mut xml = Xml::new();
    for (list, members) in [
        ("UserDetailList", users),
        ("GroupDetailList", groups),
        ("RoleDetailList", roles),
        ("Policies", policies),
    ] {
        xml.nest(list, |xml| xml.raw(&members.into_string()));
    }
    write_tail(&mut xml, &tail);
    Ok(xml.into_string())
}

/// The positions in [`KINDS`] that the filter selects; no filter selects all.
fn kinds(request: &Request) -> Result<BTreeSet<usize>, ApiError> {
    let filter = request.list("Filter");
    if filter.is_empty() {
        return Ok((0..KINDS.len()).collect());
    }
    let position = |name: &&str| KINDS.iter().position(|kind| kind == name);
    let unknown = || ApiError::validation("Filter holds an unknown entity type");
    filter.iter().map(|name| position(name).ok_or_else(unknown)).collect()
}

/// All selected records behind `after`, which is the key of the last one served:
/// position of its kind, `:`, name.
fn entries<'a>(account: &'a Account, kinds: &BTreeSet<usize>, after: Option<&str>) -> Entries<'a> {
    let (first, name) = match after.and_then(|key| key.split_once(':')) {
        Some((kind, name)) => (kind.parse().unwrap_or(0), Some(name)),
        None => (0, None),
    };
    let mut all: Entries<'a> = Box::new(std::iter::empty());
    for &kind in kinds.range(first..) {
        let from = name.filter(|_| kind == first).map(str::to_owned);
        let next: Entries<'a> = match kind {
            0 => behind(&account.users, from, 0, Entry::User),
            1 => behind(&account.groups, from, 1, Entry::Group),
            2 => behind(&account.roles, from, 2, Entry::Role),
            3 => behind(&account.policies, from, 3, Entry::Policy),
            _ => aws_managed(account, from),
        };
        all = Box::new(all.chain(next));
    }
    all
}

fn behind<'a, T>(
    map: &'a BTreeMap<String, T>,
    after: Option<String>,
    kind: usize,
    wrap: fn(&'a T) -> Entry<'a>,
) -> Entries<'a> {
    let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let range = map.range::<str, _>((from, Bound::Unbounded));
    Box::new(range.map(move |(name, record)| (format!("{kind}:{name}"), wrap(record))))
}

/// Only those in use are told, as the live service does.
fn aws_managed(account: &Account, after: Option<String>) -> Entries<'_> {
    let start = after
        .and_then(|last| AWS_MANAGED.iter().position(|policy| policy.name == last))
        .map_or(0, |at| at + 1);
    let used = AWS_MANAGED[start..].iter().filter(|policy| {
        let arn = policy.arn(&account.partition);
        account.attachments.get(&arn).is_some_and(|count| *count > 0)
    });
    Box::new(used.map(|policy| (format!("4:{}", policy.name), Entry::AwsPolicy(policy))))
}

fn user_detail(xml: &mut Xml, account: &Account, user: &User) {
    write_user(xml, account, user);
    if !user.inline.is_empty() {
        write_inline(xml, "UserPolicyList", &user.inline);
    }
    xml.nest("GroupList", |xml| {
        for group in &user.groups {
            xml.text("member", group);
        }
    });
    write_attached(xml, &user.attached);
    write_boundary(xml, user.boundary.as_deref());
    write_tags(xml, &user.tags);
}

fn group_detail(xml: &mut Xml, account: &Account, group: &Group) {
    xml.text("Path", &group.path);
    xml.text("GroupName", &group.name);
    xml.text("GroupId", &group.id);
    xml.text("Arn", &account.arn(&format!("group{}{}", group.path, group.name)));
    xml.time("CreateDate", group.created_at);
    write_inline(xml, "GroupPolicyList", &group.inline);
    write_attached(xml, &group.attached);
}

fn role_detail(xml: &mut Xml, account: &Account, role: &Role, now: Timestamp) {
    write_role(xml, account, role);
    xml.nest("InstanceProfileList", |xml| {
        if let Some(profile) = &role.instance_profile {
            xml.nest("member", |xml| {
                xml.text("Path", "/");
                xml.text("InstanceProfileName", &profile.name);
                xml.text("InstanceProfileId", &profile.id);
                xml.text("Arn", &account.arn(&format!("instance-profile/{}", profile.name)));
                xml.time("CreateDate", profile.created_at);
                xml.nest("Roles", |xml| xml.nest("member", |xml| write_role(xml, account, role)));
            });
        }
    });
    write_inline(xml, "RolePolicyList", &role.inline);
    write_attached(xml, &role.attached);
    write_boundary(xml, role.boundary.as_deref());
    write_tags(xml, &role.tags);
    xml.nest("RoleLastUsed", |xml| {
        let used = role.last_used.as_ref();
        if let Some(used) = used.filter(|used| now.duration_since(used.at) <= TRACKED) {
            xml.time("LastUsedDate", used.at);
            xml.text("Region", &used.region);
        }
    });
}

fn policy_detail(xml: &mut Xml, account: &Account, policy: &ManagedPolicy) {
    let arn = account.arn(&format!("policy{}{}", policy.path, policy.name));
    let default = policy.versions.last();
    xml.text("PolicyName", &policy.name);
    xml.text("PolicyId", &policy.id);
    xml.text("Arn", &arn);
    xml.text("Path", &policy.path);
    xml.maybe("DefaultVersionId", default.map(|version| version.id.as_str()));
    write_usage(xml, account, &arn);
    xml.maybe("Description", policy.description.as_deref());
    xml.time("CreateDate", policy.created_at);
    xml.time("UpdateDate", policy.updated_at);
    xml.nest("PolicyVersionList", |xml| {
        for version in policy.versions.iter().rev() {
            let is_default = default.is_some_and(|default| default.id == version.id);
            xml.nest("member", |xml| {
                xml.document("Document", &version.document);
                xml.text("VersionId", &version.id);
                xml.text("IsDefaultVersion", if is_default { "true" } else { "false" });
                xml.time("CreateDate", version.created_at);
            });
        }
    });
}

fn aws_policy_detail(xml: &mut Xml, account: &Account, policy: &AwsManaged) {
    let arn = policy.arn(&account.partition);
    xml.text("PolicyName", policy.name);
    xml.text("PolicyId", policy.id);
    xml.text("Arn", &arn);
    xml.text("Path", policy.path);
    xml.text("DefaultVersionId", "v1");
    write_usage(xml, account, &arn);
    xml.text("CreateDate", "2015-02-06T18:39:46Z");
    xml.text("UpdateDate", "2015-02-06T18:39:46Z");
    xml.nest("PolicyVersionList", |xml| {
        xml.nest("member", |xml| {
            xml.document("Document", &policy.document());
            xml.text("VersionId", "v1");
            xml.text("IsDefaultVersion", "true");
            xml.text("CreateDate", "2015-02-06T18:39:46Z");
        });
    });
}

fn write_usage(xml: &mut Xml, account: &Account, arn: &str) {
    let count = |counts: &BTreeMap<String, u32>| counts.get(arn).copied().unwrap_or(0).to_string();
    xml.text("AttachmentCount", &count(&account.attachments));
    xml.text("PermissionsBoundaryUsageCount", &count(&account.boundaries));
    xml.text("IsAttachable", "true");
}

fn write_inline(xml: &mut Xml, list: &str, inline: &BTreeMap<String, String>) {
    xml.nest(list, |xml| {
        for (name, document) in inline {
            xml.nest("member", |xml| {
                xml.text("PolicyName", name);
                xml.document("PolicyDocument", document);
            });
        }
    });
}

fn write_attached(xml: &mut Xml, arns: &BTreeSet<String>) {
    xml.nest("AttachedManagedPolicies", |xml| {
        for arn in arns {
            xml.nest("member", |xml| {
                xml.text("PolicyName", arn.rsplit('/').next().unwrap_or(arn));
                xml.text("PolicyArn", arn);
            });
        }
    });
}

fn write_boundary(xml: &mut Xml, arn: Option<&str>) {
    if let Some(arn) = arn {
        xml.nest("PermissionsBoundary", |xml| {
            xml.text("PermissionsBoundaryType", "Policy");
            xml.text("PermissionsBoundaryArn", arn);
        });
    }
}
