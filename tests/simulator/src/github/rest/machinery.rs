//! Webhooks, runners, and how OIDC subjects are written.

use serde_json::json;

use crate::github::ask::Ask;
use crate::github::model::{Hook, Runner};
use crate::github::reply::{Refusal, Reply, counted, rows};

type Answered<'a> = Result<Reply<'a>, Refusal>;

/// The number in a path below an organisation or a repository.
fn id(ask: &Ask<'_>) -> Result<u64, Refusal> {
    ask.number(if ask.of_repo() { 2 } else { 1 })
}

fn found<'a>(ask: &Ask<'a>) -> Result<&'a Hook, Refusal> {
    ask.holdings()?.hooks.get(&id(ask)?).ok_or_else(Refusal::not_found)
}

pub(in crate::github) fn hooks<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let (shape, at, of_repo) = (ask.shape, ask.path(0), ask.of_repo());
    let all = ask.holdings()?.hooks.values();
    Ok(Reply::List(rows(all, move |hook| shape.hook(hook, &at, of_repo))))
}

pub(in crate::github) fn hook<'a>(ask: &Ask<'a>) -> Answered<'a> {
    Ok(Reply::One(ask.shape.hook(found(ask)?, &ask.path(1), ask.of_repo())))
}

pub(in crate::github) fn deliveries<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let (shape, hook) = (ask.shape, found(ask)?);
    let newest_first = (0..hook.deliveries.len()).rev();
    Ok(Reply::List(rows(newest_first, move |n| shape.delivery(hook, n))))
}

pub(in crate::github) fn runners<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let shape = ask.shape;
    let all = ask.holdings()?.runners.values();
    Ok(counted("runners", rows(all, move |runner| shape.runner(runner))))
}

pub(in crate::github) fn runner<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let found = ask.holdings()?.runners.get(&id(ask)?).ok_or_else(Refusal::not_found)?;
    Ok(Reply::One(ask.shape.runner(found)))
}

pub(in crate::github) fn runner_groups<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let shape = ask.shape;
    let all = ask.org().runner_groups.values();
    Ok(counted("runner_groups", rows(all, move |group| shape.runner_group(group))))
}

pub(in crate::github) fn group_runners<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let (shape, id) = (ask.shape, ask.number(1)?);
    if !ask.org().runner_groups.contains_key(&id) {
        return Err(Refusal::not_found());
    }
    let all = ask.org().holds.runners.values().filter(|runner| runner.group == id);
    let all: Vec<&Runner> = all.collect();
    Ok(counted("runners", rows(all, move |runner| shape.runner(runner))))
}

pub(in crate::github) fn oidc<'a>(ask: &Ask<'a>) -> Answered<'a> {
    Ok(Reply::One(json!({"include_claim_keys": ask.org().oidc_claims})))
}

pub(in crate::github) fn repository_oidc<'a>(ask: &Ask<'a>) -> Answered<'a> {
    Ok(Reply::One(match &ask.repo()?.oidc_claims {
        None => json!({"use_default": true}),
        Some(claims) => json!({"use_default": false, "include_claim_keys": claims}),
    }))
}
