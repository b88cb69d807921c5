//! Tokens of people, what they were used for, and private registries.

use jiff::Timestamp;

use crate::github::ask::Ask;
use crate::github::auth::Bearer;
use crate::github::model::TokenGrant;
use crate::github::reply::{Refusal, Reply, counted, rows};

type Answered<'a> = Result<Reply<'a>, Refusal>;

fn moment(ask: &Ask<'_>, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let unreadable = |_| Refusal::new(422, "Validation Failed");
    ask.query.get(name).map(|text| text.parse().map_err(unreadable)).transpose()
}

/// The list, filtered as the query says. Only Apps may ask.
fn list<'a>(
    ask: &Ask<'a>,
    all: impl Iterator<Item = &'a TokenGrant>,
    request: bool,
) -> Answered<'a> {
    if !matches!(ask.bearer, Bearer::Installation { .. }) {
        return Err(Refusal::new(403, "Must authenticate as a GitHub App"));
    }
    let before = moment(ask, "last_used_before")?;
    let after = moment(ask, "last_used_after")?;
    let ids: Vec<&str> =
        ask.query.get("token_id").map_or(Vec::new(), |ids| ids.split(',').collect());
    let wanted = |grant: &&TokenGrant| {
        before.is_none_or(|before| grant.last_used.is_none_or(|used| used < before))
            && after.is_none_or(|after| grant.last_used.is_some_and(|used| used > after))
            && (ids.is_empty() || ids.iter().any(|id| *id == grant.token_id.to_string()))
    };
    let mut all: Vec<_> = all.filter(wanted).collect();
    all.sort_by_key(|grant| grant.created_at);
    if ask.query.get("direction").map(String::as_str) != Some("asc") {
        all.reverse();
    }
    let shape = ask.shape;
    Ok(Reply::List(rows(all, move |grant| shape.token_grant(grant, request))))
}

pub(in crate::github) fn grants<'a>(ask: &Ask<'a>) -> Answered<'a> {
    list(ask, ask.org().token_grants.values(), false)
}

pub(in crate::github) fn requests<'a>(ask: &Ask<'a>) -> Answered<'a> {
    list(ask, ask.org().token_requests.values(), true)
}

fn repositories<'a>(ask: &Ask<'a>, grant: Option<&'a TokenGrant>) -> Answered<'a> {
    let grant = grant.ok_or_else(Refusal::not_found)?;
    let reached = |id: &u64| grant.repositories.as_ref().is_none_or(|only| only.contains(id));
    let all = ask.org().repositories.values().filter(move |repo| reached(&repo.id));
    let shape = ask.shape;
    Ok(Reply::List(rows(all, move |repo| shape.repository(repo))))
}

pub(in crate::github) fn grant_repositories<'a>(ask: &Ask<'a>) -> Answered<'a> {
    repositories(ask, ask.org().token_grants.get(&ask.number(1)?))
}

pub(in crate::github) fn request_repositories<'a>(ask: &Ask<'a>) -> Answered<'a> {
    repositories(ask, ask.org().token_requests.get(&ask.number(1)?))
}

pub(in crate::github) fn authorizations<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let login = ask.query.get("login");
    let all = ask.org().authorizations.values();
    let all: Vec<_> = all.filter(|held| login.is_none_or(|login| *login == held.login)).collect();
    let shape = ask.shape;
    Ok(Reply::List(rows(all, move |held| shape.authorization(held))))
}

pub(in crate::github) fn subject_stats<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let Some(since) = moment(ask, "min_timestamp")? else {
        return Err(Refusal::new(422, "min_timestamp is missing"));
    };
    let all = ask.org().stats.iter().filter(|(_, stats)| stats.last >= since);
    let shape = ask.shape;
    Ok(Reply::List(rows(all.collect::<Vec<_>>(), move |((kind, id), stats)| {
        shape.stats((kind, *id), stats)
    })))
}

pub(in crate::github) fn registries<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let shape = ask.shape;
    let all = ask.org().registries.values();
    Ok(counted("configurations", rows(all, move |registry| shape.registry(registry))))
}
