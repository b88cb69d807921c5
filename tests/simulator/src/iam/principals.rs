//! The plain lists of users and roles, with what only they tell and without what they omit.

use std::ops::Bound;

use super::write_tail;
use crate::call::{ApiError, Request, own};
use crate::organization::{Account, Role, User};
use crate::page;
use crate::server::World;
use crate::xml::Xml;

/// Carries Description and MaxSessionDuration; never tags, boundary or `RoleLastUsed`
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html>).
pub(super) fn list_roles(world: &mut World, request: &Request) -> Result<String, ApiError> {
    let World { org, pages } = world;
    let account = own(org, request)?;
    let page = pages.open(request, page::IAM)?;
    let from = page.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let roles = account.roles.range::<str, _>((from, Bound::Unbounded));
    let (roles, tail) = pages.cut(request, &page, roles);
    let mut xml = Xml::new();
    xml.nest("Roles", |xml| {
        for role in roles {
            xml.nest("member", |xml| {
                write_role(xml, account, role);
                xml.maybe("Description", role.description.as_deref());
                xml.text("MaxSessionDuration", &role.max_session.to_string());
            });
        }
    });
    write_tail(&mut xml, &tail);
    Ok(xml.into_string())
}

/// Carries PasswordLastUsed; never tags or boundary.
pub(super) fn list_users(world: &mut World, request: &Request) -> Result<String, ApiError> {
    let World { org, pages } = world;
    let account = own(org, request)?;
    let page = pages.open(request, page::IAM)?;
    let from = page.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let users = account.users.range::<str, _>((from, Bound::Unbounded));
    let (users, tail) = pages.cut(request, &page, users);
    let mut xml = Xml::new();
    xml.nest("Users", |xml| {
        for user in users {
            xml.nest("member", |xml| {
                write_user(xml, account, user);
                if let Some(at) = user.password.as_ref().and_then(|password| password.last_used) {
                    xml.time("PasswordLastUsed", at);
                }
            });
        }
    });
    write_tail(&mut xml, &tail);
    Ok(xml.into_string())
}

pub(super) fn write_user(xml: &mut Xml, account: &Account, user: &User) {
    xml.text("Path", &user.path);
    xml.text("UserName", &user.name);
    xml.text("UserId", &user.id);
    xml.text("Arn", &account.arn(&format!("user{}{}", user.path, user.name)));
    xml.time("CreateDate", user.created_at);
}

pub(super) fn write_role(xml: &mut Xml, account: &Account, role: &Role) {
    xml.text("Path", &role.path);
    xml.text("RoleName", &role.name);
    xml.text("RoleId", &role.id);
    xml.text("Arn", &account.arn(&format!("role{}{}", role.path, role.name)));
    xml.time("CreateDate", role.created_at);
    xml.document("AssumeRolePolicyDocument", &role.trust);
}
