//! Names of secrets and variables. The value of a variable is a marker; a secret has none.

use crate::github::ask::Ask;
use crate::github::model::Secret;
use crate::github::reply::{Refusal, Reply, counted, rows};

type Answered<'a> = Result<Reply<'a>, Refusal>;

/// Where the list is whose members have a visibility.
fn list_path(ask: &Ask<'_>, drop: usize) -> Option<String> {
    (!ask.of_repo()).then(|| ask.path(drop))
}

pub(in crate::github) fn secrets<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let all = ask.holdings()?.secrets.get(&ask.store());
    let (shape, list) = (ask.shape, list_path(ask, 0));
    let all: Vec<&Secret> = all.into_iter().flat_map(|all| all.values()).collect();
    Ok(counted("secrets", rows(all, move |one| shape.secret(one, list.as_deref(), false))))
}

pub(in crate::github) fn variables<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let all = ask.holdings()?.variables.get(&ask.store());
    let (shape, list) = (ask.shape, list_path(ask, 0));
    let all: Vec<&Secret> = all.into_iter().flat_map(|all| all.values()).collect();
    Ok(counted("variables", rows(all, move |one| shape.secret(one, list.as_deref(), true))))
}

fn named<'a>(ask: &Ask<'a>, name: &str) -> Result<&'a Secret, Refusal> {
    let all = ask.holdings()?.secrets.get(&ask.store());
    all.and_then(|all| all.get(name)).ok_or_else(Refusal::not_found)
}

pub(in crate::github) fn one<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let secret = named(ask, ask.caught(if ask.of_repo() { 2 } else { 1 }))?;
    Ok(Reply::One(ask.shape.secret(secret, list_path(ask, 1).as_deref(), false)))
}

pub(in crate::github) fn selected<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let secret = named(ask, ask.caught(1))?;
    let all = ask.org().repositories.values().filter(|repo| secret.selected.contains(&repo.id));
    let shape = ask.shape;
    Ok(counted("repositories", rows(all.collect::<Vec<_>>(), move |repo| shape.repository(repo))))
}
