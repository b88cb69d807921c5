//! The page of one finding: what it rests on, how to fix it, and the decision to accept it for a
//! time.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use headcount_core::findings::exceptions::{Exception, accepted_by};
use headcount_core::findings::{Finding, FindingStatus};
use headcount_core::inventory::Record;
use headcount_core::rules::docs::{self, Section};
use headcount_core::rules::{self, Meta};
use headcount_sdk::RecordId;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::address::{self, Address};
use super::decide::{self, Terms};
use super::login::accepted;
use super::shell::{Failed, Shell, Tab, show};
use super::totals::Totals;
use super::words::{Row, When, is_scope, owner_of, owner_of_gone};
use crate::api::Face;
use crate::api::auth::{Actor, Role};
use crate::store::{PastTransition, Store};
use crate::view::text::{safe, short};
use crate::view::time;

/// How long an acceptance lasts unless somebody says otherwise, and at most.
const PROPOSED: SignedDuration = SignedDuration::from_hours(30 * 24);
const LONGEST: SignedDuration = SignedDuration::from_hours(364 * 24);

#[derive(Deserialize)]
pub struct Asked {
    id: String,
}

#[derive(Deserialize)]
pub struct Acceptance {
    csrf: String,
    finding: String,
    reason: String,
    until: String,
}

#[derive(Deserialize)]
pub struct Ending {
    csrf: String,
    finding: String,
    exception: String,
}

#[derive(Template)]
#[template(path = "finding.html")]
struct FindingPage {
    shell: Shell,
    id: String,
    row: Row,
    rule_href: String,
    confidence: &'static str,
    /// Why it stands as it does.
    said: String,
    subject: String,
    /// Empty where the subject has no page.
    subject_href: String,
    facts: Vec<(String, String)>,
    accepted: Option<Accepted>,
    earliest: String,
    latest: String,
    proposed: String,
    history: Vec<Step>,
    docs: Vec<Part>,
}

struct Accepted {
    id: String,
    author: String,
    reason: String,
    until: When,
    /// Whether it accepts other subjects as well.
    others: bool,
    covers: String,
}

struct Step {
    when: When,
    kind: &'static str,
    severity: &'static str,
    why: String,
}

/// A section of the rule's documentation.
struct Part {
    heading: &'static str,
    blocks: Vec<Block>,
}

#[derive(Debug, PartialEq)]
struct Block {
    is_code: bool,
    text: String,
}

pub async fn page(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Extension(totals): Extension<Arc<Totals>>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failed> {
    let (store, now) = (&*face.store, face.clock.now());
    let Some((finding, steps)) = store.finding(&asked.id).await? else {
        return Err(Failed::not_found("finding"));
    };
    let sums = totals.of(store).await?;
    let ids = [RecordId::from_stored(finding.subject.clone())];
    let record = store.records(&ids).await?.pop();
    let said = match &record {
        Some(record) => owner_of(record),
        None => owner_of_gone(&finding),
    };
    let was_there = is_scope(&finding) || record.is_some() || has_past(store, &ids[0]).await?;
    let row = Row::new(&finding, said, now);
    show(&FindingPage {
        shell: Shell::new(&actor, &sums, Tab::Findings, &short(&row.title, 60)),
        row,
        rule_href: Address::of("/findings").with("rule", &finding.rule).into_text(),
        confidence: finding.confidence.as_str(),
        said: finding.resolution.as_deref().map(safe).unwrap_or_default(),
        subject: subject(&finding, record.as_ref()),
        subject_href: match is_scope(&finding) {
            true => "/sources".to_owned(),
            false if was_there => address::record(&finding.subject),
            false => String::new(),
        },
        facts: facts(&finding),
        accepted: acceptance(store, &finding, now).await?,
        earliest: time::day(now),
        latest: time::day(later(now, LONGEST)),
        proposed: time::day(later(now, PROPOSED)),
        history: history(&steps, now),
        docs: rules::find(&finding.rule).map(|rule| parts(rule.meta())).unwrap_or_default(),
        id: finding.id,
    })
}

async fn has_past(store: &dyn Store, id: &RecordId) -> Result<bool, Failed> {
    Ok(!store.versions(id).await?.is_empty())
}

fn later(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn subject(finding: &Finding, record: Option<&Record>) -> String {
    let name = safe(&finding.subject_name);
    match record {
        Some(record) => format!("{} {name}", record.observation.kind),
        None => name,
    }
}

/// The facts about an exception are shown apart.
fn facts(finding: &Finding) -> Vec<(String, String)> {
    let own = finding.facts.iter().filter(|(name, _)| !name.starts_with("exception"));
    own.map(|(name, value)| (safe(&name.replace('_', " ")), short(value, 400))).collect()
}

async fn acceptance(
    store: &dyn Store,
    finding: &Finding,
    now: Timestamp,
) -> Result<Option<Accepted>, Failed> {
    let id = accepted_by(finding).filter(|_| finding.status == FindingStatus::Suppressed);
    let Some(id) = id else { return Ok(None) };
    let known = store.exceptions().await?;
    let exception = known.into_iter().find(|exception| exception.id == id);
    Ok(exception.map(|exception| Accepted {
        author: safe(&exception.author),
        reason: safe(&exception.reason),
        until: When::new(exception.expires_at, now),
        others: exception.selection.subject.is_none(),
        covers: covers(&exception),
        id: exception.id,
    }))
}

fn covers(exception: &Exception) -> String {
    let picks = &exception.selection;
    let parts = [
        ("source", &picks.source),
        ("kind", &picks.kind),
        ("place", &picks.place),
        ("name", &picks.name),
        ("owner", &picks.owner),
    ];
    let parts = parts
        .into_iter()
        .filter_map(|(name, pattern)| Some(format!("{name} {}", safe(pattern.as_deref()?))));
    parts.collect::<Vec<_>>().join(", ")
}

fn history(steps: &[PastTransition], now: Timestamp) -> Vec<Step> {
    let step = |step: &PastTransition| Step {
        when: When::new(step.at, now),
        kind: step.kind.as_str(),
        severity: step.severity.as_str(),
        why: step.resolution.as_deref().map(safe).unwrap_or_default(),
    };
    steps.iter().rev().map(step).collect()
}

fn parts(meta: &Meta) -> Vec<Part> {
    let part = |(heading, section): (&'static str, Section)| Part {
        heading,
        blocks: blocks(&docs::section(meta, section)),
    };
    [
        ("Why it matters", Section::WhyItMatters),
        ("How to fix it", Section::Fix),
        ("On the command line", Section::Cli),
        ("With Terraform", Section::Terraform),
    ]
    .into_iter()
    .map(part)
    .filter(|part| !part.blocks.is_empty())
    .collect()
}

/// Paragraphs and code of a rule's documentation.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_code = false;
    let mut begins = true;
    for line in text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
            begins = true;
            continue;
        }
        if line.trim().is_empty() && !is_code {
            begins = true;
            continue;
        }
        match blocks.last_mut().filter(|_| !begins) {
            Some(block) => {
                block.text.push(if is_code || line.starts_with("- ") { '\n' } else { ' ' });
                block.text.push_str(line);
            }
            None => blocks.push(Block { is_code, text: line.to_owned() }),
        }
        begins = false;
    }
    blocks
}

/// Accepts the finding until the end of a day.
pub async fn accept(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Extension(totals): Extension<Arc<Totals>>,
    Form(form): Form<Acceptance>,
) -> Result<Response, Failed> {
    accepted(&actor, &form.csrf)?;
    operates(&actor)?;
    let now = face.clock.now();
    let finding = found(&face, &form.finding).await?;
    let expires_at = end_of(&form.until)
        .filter(|at| now < *at && *at <= later(now, LONGEST + SignedDuration::from_hours(24)))
        .ok_or_else(|| Failed::wrong("The day must lie ahead, and within a year."))?;
    // Whoever writes several lines means one reason.
    let reason: Vec<&str> = form.reason.split_whitespace().collect();
    let terms = Terms { reason: &reason.join(" "), expires_at };
    decide::accept(&face, &actor, &finding, terms).await?;
    totals.forget().await;
    Ok(Redirect::to(&address::finding(&finding.id)).into_response())
}

/// Ends an exception before its time.
pub async fn end(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Extension(totals): Extension<Arc<Totals>>,
    Form(form): Form<Ending>,
) -> Result<Response, Failed> {
    accepted(&actor, &form.csrf)?;
    operates(&actor)?;
    decide::end(&face, &actor, &form.exception).await?;
    totals.forget().await;
    Ok(Redirect::to(&address::finding(&form.finding)).into_response())
}

async fn found(face: &Face, id: &str) -> Result<Finding, Failed> {
    let found = face.store.finding(id).await?;
    found.map(|(finding, _)| finding).ok_or_else(|| Failed::not_found("finding"))
}

fn operates(actor: &Actor) -> Result<(), Failed> {
    if actor.role >= Role::Operator {
        Ok(())
    } else {
        Err(Failed::forbidden("Accepting findings needs the role operator."))
    }
}

/// The first instant after a day in UTC.
fn end_of(day: &str) -> Option<Timestamp> {
    let next = day.parse::<Date>().ok()?.tomorrow().ok()?;
    Some(next.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    #[test]
    fn an_acceptance_lasts_to_the_end_of_its_day() {
        let end = end_of("2026-12-31").unwrap();
        assert_eq!(end.to_string(), "2027-01-01T00:00:00Z");
        for text in ["", "soon", "2026-13-01", "2026-12-31T00:00:00Z'"] {
            assert_eq!(end_of(text), None, "{text}");
        }
    }

    #[test]
    fn documentation_falls_into_paragraphs_and_code() {
        let text = "One\ntwo.\n- a\n- b\n\n```sh\naws x\n\naws y\n```\nThree.";
        let found = blocks(text);
        let block = |is_code, text: &str| Block { is_code, text: text.to_owned() };
        let expected = [
            block(false, "One two.\n- a\n- b"),
            block(true, "aws x\n\naws y"),
            block(false, "Three."),
        ];
        assert_eq!(found, expected);
    }
}
