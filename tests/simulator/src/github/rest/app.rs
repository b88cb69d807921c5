//! Apps and their installations.

use serde_json::json;

use crate::github::ask::Ask;
use crate::github::auth::{Bearer, selection};
use crate::github::model::{App, Installation, Org};
use crate::github::reply::{Refusal, Reply, counted, rows};
use crate::github::shape::Shape;

type Answered<'a> = Result<Reply<'a>, Refusal>;

fn itself<'a>(ask: &Ask<'a>) -> Result<&'a App, Refusal> {
    let Bearer::App(id) = ask.bearer else {
        return Err(Refusal::bad_credentials());
    };
    ask.hub().apps.get(id).ok_or_else(Refusal::bad_credentials)
}

/// The App's installations, with where they are.
fn of_app<'a>(ask: &Ask<'a>) -> Result<Vec<(&'a Org, &'a Installation)>, Refusal> {
    let app = itself(ask)?.id;
    let all = ask.hub().organizations.values();
    let all = all.flat_map(|org| org.installations.values().map(move |found| (org, found)));
    Ok(all.filter(|(_, found)| found.app == app).collect())
}

pub(in crate::github) fn own<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let count = of_app(ask)?.len();
    Ok(Reply::One(ask.shape.app(itself(ask)?, Some(count))))
}

pub(in crate::github) fn installations<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let shape = ask.shape;
    Ok(Reply::List(rows(of_app(ask)?, move |(org, found)| {
        Shape { org, ..shape }.installation(found)
    })))
}

pub(in crate::github) fn installation<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let id = ask.number(0)?;
    let found = of_app(ask)?.into_iter().find(|(_, found)| found.id == id);
    let (org, found) = found.ok_or_else(Refusal::not_found)?;
    Ok(Reply::One(Shape { org, ..ask.shape }.installation(found)))
}

pub(in crate::github) fn of_organization<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let found = of_app(ask)?.into_iter().find(|(org, _)| org.id == ask.org().id);
    let (_, found) = found.ok_or_else(Refusal::not_found)?;
    Ok(Reply::One(ask.shape.installation(found)))
}

pub(in crate::github) fn public<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let app = ask.hub().apps.values().find(|app| app.slug == ask.caught(0));
    let visible = |app: &&App| app.public || app.owner.id == ask.org().id;
    let app = app.filter(visible).ok_or_else(Refusal::not_found)?;
    Ok(Reply::One(ask.shape.app(app, None)))
}

pub(in crate::github) fn listed<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let shape = ask.shape;
    let all = ask.org().installations.values();
    Ok(counted("installations", rows(all, move |found| shape.installation(found))))
}

pub(in crate::github) fn repositories<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let shape = ask.shape;
    let seen: Vec<_> = ask.org().repositories.values().filter(|repo| ask.sees(repo)).collect();
    let selected = ask.installation().is_some_and(|found| found.repositories.is_some());
    let more = json!({"repository_selection": selection(selected)});
    let rows = rows(seen, move |repo| shape.repository(repo));
    Ok(Reply::Counted("repositories", rows, more))
}

/// The budget itself is in the headers of every answer.
pub(in crate::github) fn rate_limit<'a>(ask: &Ask<'a>) -> Answered<'a> {
    let limit = ask.hub().manners.budget.unwrap_or(ask.hub().edition.budget());
    let reset = ask.hub().clock().now().as_second() + 3600;
    let rate = json!({"limit": limit, "remaining": limit, "used": 0, "reset": reset});
    Ok(Reply::One(json!({"resources": {"core": rate, "search": rate}, "rate": rate})))
}
