//! Repositories, their deploy keys, environments, files, and who can reach them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::github::ask::Ask;
use crate::github::model::{Repo, Team};
use crate::github::reply::{Refusal, Reply, counted, rows};

type Answered<'a> = Result<Reply<'a>, Refusal>;

fn seen<'a>(ask: &Ask<'a>) -> Vec<&'a Repo> {
    ask.org().repositories.values().filter(|repo| ask.sees(repo)).collect()
}

pub(in crate::github) fn of_organization<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let shape = ask.shape;
    Ok(Reply::List(rows(seen(ask), move |repo| shape.repository(repo))))
}

pub(in crate::github) fn properties<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let shape = ask.shape;
    Ok(Reply::List(rows(seen(ask), move |repo| shape.properties(repo))))
}

pub(in crate::github) fn one<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let repo = ask.repo()?;
    let mut shape = ask.shape.repository(repo);
    shape["custom_properties"] = json!(repo.properties);
    shape["has_discussions"] = json!(false);
    for name in ["network_count", "subscribers_count"] {
        shape[name] = json!(0);
    }
    Ok(Reply::One(shape))
}

pub(in crate::github) fn teams<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let (shape, id) = (ask.shape, ask.repo()?.id);
    let with_role = |team: &'a Team| Some((team, *team.repositories.get(&id)?));
    let all: Vec<_> = ask.org().teams.values().filter_map(with_role).collect();
    Ok(Reply::List(rows(all, move |(team, role)| shape.team(team, role))))
}

pub(in crate::github) fn collaborators<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let (shape, repo) = (ask.shape, ask.repo()?);
    Ok(Reply::List(rows(repo.collaborators.iter(), move |(id, role)| {
        let mut row = shape.user(*id);
        row["role_name"] = json!(role);
        row["permissions"] = json!({
            "pull": true, "triage": *role != "read", "push": *role == "write" || *role == "admin",
            "maintain": *role == "admin", "admin": *role == "admin",
        });
        row
    })))
}

pub(in crate::github) fn keys<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let (shape, repo) = (ask.shape, ask.repo()?);
    Ok(Reply::List(rows(repo.deploy_keys.values(), move |key| shape.deploy_key(key, repo))))
}

pub(in crate::github) fn key<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let repo = ask.repo()?;
    let key = repo.deploy_keys.get(&ask.number(2)?).ok_or_else(Refusal::not_found)?;
    Ok(Reply::One(ask.shape.deploy_key(key, repo)))
}

pub(in crate::github) fn environments<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let (shape, repo) = (ask.shape, ask.repo()?);
    let all = repo.environments.values();
    Ok(counted("environments", rows(all, move |one| shape.environment(one, repo))))
}

pub(in crate::github) fn environment<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let repo = ask.repo()?;
    let found = repo.environments.get(ask.caught(2)).ok_or_else(Refusal::not_found)?;
    Ok(Reply::One(ask.shape.environment(found, repo)))
}

pub(in crate::github) fn contents<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let path = ask.caught(2);
    let text = ask.repo()?.files.get(path).ok_or_else(Refusal::not_found)?;
    let url = format!("{}{}", ask.shape.api, ask.path(0));
    Ok(Reply::One(json!({
        "type": "file", "encoding": "base64", "size": text.len(), "path": path,
        "name": path.rsplit('/').next(), "content": STANDARD.encode(text),
        "sha": crate::github::graphql::oid(text), "url": url, "git_url": null, "html_url": null,
        "download_url": null, "_links": {"git": null, "html": null, "self": url},
    })))
}
