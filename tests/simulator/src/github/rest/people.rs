//! Users, members, teams, and the organisation itself.

use serde_json::{Value, json};

use crate::github::ask::Ask;
use crate::github::model::{Actor, Team};
use crate::github::reply::{Refusal, Reply, rows};
use crate::github::shape::when;

type Answered<'a> = Result<Reply<'a>, Refusal>;

fn named<'a>(ask: &Ask<'a>, login: &str) -> Result<&'a Actor, Refusal> {
    let found = ask.hub().users.values().find(|user| user.login.eq_ignore_ascii_case(login));
    found.ok_or_else(Refusal::not_found)
}

pub(in crate::github) fn user<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let user = named(ask, ask.caught(0))?;
    let mut shape = ask.shape.actor(user);
    let moment = "2020-01-01T00:00:00Z";
    for (name, value) in [
        ("name", Value::Null),
        ("company", Value::Null),
        ("blog", json!("")),
        ("location", Value::Null),
        ("email", Value::Null),
        ("hireable", Value::Null),
        ("bio", Value::Null),
        ("public_repos", json!(0)),
        ("public_gists", json!(0)),
        ("followers", json!(0)),
        ("following", json!(0)),
        ("created_at", json!(moment)),
        ("updated_at", json!(moment)),
    ] {
        shape[name] = value;
    }
    Ok(Reply::One(shape))
}

pub(in crate::github) fn organization<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let org = ask.org();
    let moment = when(ask.hub().clock().now());
    let mut shape = ask.shape.organization();
    for (name, value) in [
        ("html_url", json!(format!("https://github.test/{}", org.login))),
        ("type", json!("Organization")),
        ("has_organization_projects", json!(true)),
        ("has_repository_projects", json!(true)),
        ("public_repos", json!(0)),
        ("public_gists", json!(0)),
        ("followers", json!(0)),
        ("following", json!(0)),
        ("created_at", json!(moment)),
        ("updated_at", json!(moment)),
        ("archived_at", Value::Null),
    ] {
        shape[name] = value;
    }
    Ok(Reply::One(shape))
}

pub(in crate::github) fn members<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let role = ask.query.get("role").map_or("all", String::as_str);
    let wanted = |owner: bool| match role {
        "admin" => owner,
        "member" => !owner,
        _ => true,
    };
    let shape = ask.shape;
    let ids: Vec<u64> =
        ask.org().members.iter().filter(|(_, owner)| wanted(**owner)).map(|(id, _)| *id).collect();
    Ok(Reply::List(rows(ids, move |id| shape.user(id))))
}

pub(in crate::github) fn is_member<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let user = named(ask, ask.caught(1))?;
    if ask.org().members.contains_key(&user.id) {
        return Ok(Reply::Nothing);
    }
    Err(Refusal::new(404, "User does not exist or is not a member of the organization"))
}

pub(in crate::github) fn membership<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let user = named(ask, ask.caught(1))?;
    let owner = ask.org().members.get(&user.id).ok_or_else(Refusal::not_found)?;
    let at = format!("{}/orgs/{}", ask.shape.api, ask.org().login);
    Ok(Reply::One(json!({
        "url": format!("{at}/memberships/{}", user.login), "state": "active",
        "role": if *owner { "admin" } else { "member" }, "organization_url": at,
        "organization": ask.shape.organization(),
        "user": ask.shape.actor(user),
    })))
}

pub(in crate::github) fn outside<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let shape = ask.shape;
    let ids = ask.org().outside_collaborators.iter().copied();
    Ok(Reply::List(rows(ids, move |id| shape.user(id))))
}

pub(in crate::github) fn teams<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let shape = ask.shape;
    Ok(Reply::List(rows(ask.org().teams.values(), move |team| shape.team(team, "pull"))))
}

fn of_slug<'a>(ask: &Ask<'a>) -> Result<&'a Team, Refusal> {
    ask.org().teams.get(ask.caught(1)).ok_or_else(Refusal::not_found)
}

pub(in crate::github) fn team<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let team = of_slug(ask)?;
    let moment = "2020-01-01T00:00:00Z";
    let mut shape = ask.shape.team(team, "pull");
    let Reply::One(organization) = organization(ask)? else {
        return Err(Refusal::not_found());
    };
    for (name, value) in [
        ("created_at", json!(moment)),
        ("updated_at", json!(moment)),
        ("members_count", json!(team.members.len())),
        ("repos_count", json!(team.repositories.len())),
        ("organization", organization),
    ] {
        shape[name] = value;
    }
    Ok(Reply::One(shape))
}

pub(in crate::github) fn team_members<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let shape = ask.shape;
    let ids = of_slug(ask)?.members.iter().copied();
    Ok(Reply::List(rows(ids, move |id| shape.user(id))))
}

pub(in crate::github) fn team_repos<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let shape = ask.shape;
    let all = &ask.org().repositories;
    let reached: Vec<_> = of_slug(ask)?
        .repositories
        .iter()
        .filter_map(|(id, role)| Some((all.get(id)?, *role)))
        .filter(|(repo, _)| ask.sees(repo))
        .collect();
    Ok(Reply::List(rows(reached, move |(repo, role)| {
        let mut row = shape.repository(repo);
        row["role_name"] = json!(role);
        row
    })))
}
