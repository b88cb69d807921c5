//! The page of one record: facts with evidence, findings, its trail as a picture, its whole life.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use headcount_core::findings::Finding;
use headcount_core::inventory::{Origin, Record};
use headcount_sdk::{NatureKind, Observation, RecordId};
use jiff::Timestamp;
use serde::Deserialize;

use super::address::{self, Address};
use super::picture::{Picture, Subject};
use super::shell::{Failed, Shell, Tab, show};
use super::totals::Totals;
use super::words::{Row, Said, When, expiry, owner_of, status, usage};
use crate::api::Face;
use crate::api::auth::Actor;
use crate::store::Store;
use crate::view::around::{Linked, meant};
use crate::view::life::{Found, steps};
use crate::view::text::{safe, short};
use crate::view::trail::{Branches, Trail, percent, trail};
use crate::view::words::{self as say, brief};

/// What belongs to the record and is shown; an identity may hold thousands of grants.
const BELONGINGS: usize = 100;

#[derive(Deserialize)]
pub struct Asked {
    id: String,
}

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    shell: Shell,
    id: String,
    name: String,
    kind: String,
    kind_href: String,
    status: &'static str,
    gone: Option<When>,
    native: String,
    unread: Vec<(String, String)>,
    facts: Vec<Fact>,
    findings: Vec<Row>,
    claims: Vec<Claim>,
    no_claims: &'static str,
    picture: Option<Picture>,
    trail_words: Vec<TrailLine>,
    owner_words: String,
    belongings: Vec<Belonging>,
    more_belongings: usize,
    links: Vec<LinkRow>,
    timeline: Vec<Moment>,
    evidence: Vec<EvidenceRow>,
    maps: Vec<(&'static str, Vec<(String, String)>)>,
}

struct Fact {
    name: &'static str,
    said: Said,
    href: String,
}

/// One hint at who answers for the record.
struct Claim {
    names: String,
    locator: String,
    basis: &'static str,
    sure: u8,
}

struct TrailLine {
    depth: usize,
    verb: &'static str,
    what: String,
    href: String,
    basis: String,
    owner: String,
}

struct Belonging {
    href: String,
    name: String,
    kind: String,
    status: &'static str,
    used: Said,
    expiry: Option<Said>,
}

struct LinkRow {
    direction: &'static str,
    kind: String,
    end: String,
    there: String,
    href: String,
    trust: String,
}

/// One step on the timeline, of the record or of a finding on it.
struct Moment {
    at: Timestamp,
    when: When,
    class: &'static str,
    what: String,
    href: String,
    lines: Vec<String>,
}

struct EvidenceRow {
    operation: String,
    object: String,
    at: When,
}

pub async fn page(
    State(face): State<Face>,
    Extension(actor): Extension<Actor>,
    Extension(totals): Extension<Arc<Totals>>,
    Query(asked): Query<Asked>,
) -> Result<Response, Failed> {
    let (store, now) = (&*face.store, face.clock.now());
    let versions = store.versions(&RecordId::from_stored(asked.id)).await?;
    let found = Found::among(versions, None).ok_or_else(|| Failed::not_found("record"))?;
    let sums = totals.of(store).await?;
    let record = &found.record;
    let seen = &record.observation;
    let findings = store.findings_on(&[seen.id.to_string()]).await?;
    let around = Around::of(store, &found).await?;
    let mut children = store.children(std::slice::from_ref(record.id())).await?;
    let more_belongings = children.len().saturating_sub(BELONGINGS);
    children.truncate(BELONGINGS);
    show(&RecordPage {
        shell: Shell::new(&actor, &sums, Tab::Inventory, &short(&seen.name, 60)),
        id: safe(seen.id.as_str()),
        name: safe(&seen.name),
        kind: seen.kind.clone(),
        kind_href: Address::of("/inventory").with("kind", &seen.kind).into_text(),
        status: seen.status.as_str(),
        gone: found.gone_since.map(|at| When::new(at, now)),
        native: safe(&seen.native),
        unread: unread(seen),
        facts: facts(record, around.parent.as_ref().map(|(parent, _)| parent), now),
        findings: rows(&findings, record, now),
        claims: claims(seen),
        no_claims: no_claims(seen),
        picture: around.picture(record),
        trail_words: around.words(),
        owner_words: format!("Owner: {}", say::owner(record)),
        belongings: children.iter().map(|child| belonging(child, now)).collect(),
        more_belongings,
        links: around.linked.as_ref().map(|linked| links(record, linked)).unwrap_or_default(),
        timeline: timeline(store, &found, &findings, now).await?,
        evidence: evidence(seen, now),
        maps: maps(seen),
    })
}

/// What stands around a record that is there. Of one that is gone nothing is looked up: its links
/// are no longer kept.
struct Around {
    linked: Option<Linked>,
    parent: Option<(Record, Trail)>,
}

impl Around {
    async fn of(store: &dyn Store, found: &Found) -> Result<Self, Failed> {
        if found.gone_since.is_some() {
            return Ok(Self { linked: None, parent: None });
        }
        let record = &found.record;
        let linked = Linked::now(store, record).await?;
        let ids: Vec<RecordId> = record.observation.parent.iter().cloned().collect();
        let parent = match store.records(&ids).await?.pop() {
            Some(parent) => {
                let trail = trail(store, &parent).await?;
                Some((parent, trail))
            }
            None => None,
        };
        Ok(Self { linked: Some(linked), parent })
    }

    fn picture(&self, record: &Record) -> Option<Picture> {
        let trail = self.linked.as_ref()?.trail.as_ref()?;
        let parent = self.parent.as_ref().map(|(parent, trail)| (parent, trail));
        Some(Picture::of(&Subject { record, trail, parent }))
    }

    fn words(&self) -> Vec<TrailLine> {
        let mut lines = Vec::new();
        if let Some((parent, trail)) = &self.parent {
            lines.push(TrailLine {
                depth: 0,
                verb: "belongs to",
                what: format!("{} {}", parent.observation.kind, safe(&parent.observation.name)),
                href: address::record(parent.id().as_str()),
                basis: String::new(),
                owner: parent.owner.as_ref().map(|o| safe(&o.reference)).unwrap_or_default(),
            });
            tell(&trail.reached_by, 1, &mut lines);
            tell(&trail.reaches, 1, &mut lines);
        }
        if let Some(trail) = self.linked.as_ref().and_then(|linked| linked.trail.as_ref()) {
            tell(&trail.reached_by, 0, &mut lines);
            tell(&trail.reaches, 0, &mut lines);
        }
        lines
    }
}

fn tell(branches: &Branches, depth: usize, lines: &mut Vec<TrailLine>) {
    for branch in &branches.records {
        let basis = branch.basis.as_deref().map(safe).unwrap_or_default();
        let sure = if branch.confidence < 1.0 {
            format!(" ({})", percent(branch.confidence))
        } else {
            String::new()
        };
        lines.push(TrailLine {
            depth,
            verb: branch.link,
            what: format!("{} {} in {}", branch.kind, safe(&branch.name), branch.place),
            href: address::record(&branch.id),
            basis: format!("{basis}{sure}"),
            owner: branch.owner.as_ref().map(|o| safe(&o.reference)).unwrap_or_default(),
        });
        tell(&branch.then, depth + 1, lines);
    }
}

fn unread(seen: &Observation) -> Vec<(String, String)> {
    let missing = |(field, why): (&String, &String)| {
        (safe(&field.replace('_', " ")), format!("{} is missing", safe(why)))
    };
    seen.unread.iter().map(missing).collect()
}

fn plain(text: String) -> Said {
    Said { text, more: String::new(), class: "" }
}

fn moment(at: Timestamp, now: Timestamp) -> Said {
    let when = When::new(at, now);
    Said { text: when.full, more: when.hint, class: "" }
}

fn facts(record: &Record, parent: Option<&Record>, now: Timestamp) -> Vec<Fact> {
    let seen = &record.observation;
    let mut facts = Vec::new();
    let mut fact =
        |name: &'static str, said: Said| facts.push(Fact { name, said, href: String::new() });
    fact("owner", owner_of(record));
    fact("last used", usage(record, now));
    if let Some(said) = expiry(&seen.expiry, now) {
        fact("expires", said);
    }
    if let Some(privilege) = &seen.privilege {
        let class = if seen.unread.contains_key("privilege") { "unknown" } else { "" };
        let (text, more) = (privilege.level.as_str().to_owned(), safe(&privilege.reason));
        fact("privilege", Said { text, more, class });
    }
    if let Some(purpose) = &seen.purpose {
        let more = format!("from {}", safe(&purpose.locator));
        fact("purpose", Said { text: safe(&purpose.text), more, class: "" });
    }
    if let Some(nature) = &seen.nature {
        let text = match nature.kind {
            NatureKind::Person => "a person",
            NatureKind::Machine => "a machine",
        };
        let more = format!("{} % sure: {}", nature.confidence.as_percent(), safe(&nature.basis));
        fact("taken for", Said { text: text.to_owned(), more, class: "" });
    }
    fact(
        "created",
        match seen.created_at {
            Some(at) => moment(at, now),
            None => Said {
                text: "not told".to_owned(),
                more: "the source does not tell".to_owned(),
                class: "unknown",
            },
        },
    );
    let origin = match record.origin {
        Origin::Baseline => "was there at the first scan; nobody can say since when",
        Origin::Appeared => "appeared as new",
    };
    let first = When::new(record.first_seen_at, now);
    fact("first seen", Said { text: first.full, more: origin.to_owned(), class: "" });
    fact("source", Said { text: record.source.clone(), more: record.scope.to_string(), class: "" });
    if let Some(id) = &seen.parent {
        let text = match parent {
            Some(there) => {
                format!("{} {}", there.observation.kind, safe(&there.observation.name))
            }
            None => safe(id.as_str()),
        };
        let href = address::record(id.as_str());
        facts.push(Fact { name: "belongs to", said: plain(text), href });
    }
    if let Some(old) = &record.replaces {
        let href = address::record(old.as_str());
        facts.push(Fact { name: "took the name of", said: plain(safe(old.as_str())), href });
    }
    facts
}

fn rows(findings: &[Finding], record: &Record, now: Timestamp) -> Vec<Row> {
    let mut findings: Vec<&Finding> = findings.iter().collect();
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (status(f.status) == "resolved", std::cmp::Reverse(f.severity));
        key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
    });
    findings.into_iter().map(|finding| Row::new(finding, owner_of(record), now)).collect()
}

fn claims(seen: &Observation) -> Vec<Claim> {
    let claim = |evidence: &headcount_sdk::OwnerEvidence| Claim {
        names: safe(&evidence.reference),
        locator: safe(&evidence.locator),
        basis: evidence.basis.as_str(),
        sure: headcount_core::owners::weight(evidence.basis).as_percent(),
    };
    seen.owner_evidence.iter().map(claim).collect()
}

fn no_claims(seen: &Observation) -> &'static str {
    if seen.unread.contains_key("owner_evidence") {
        "It could not be read; nobody can say that there is none."
    } else {
        "The record itself names nobody. An owner above is inherited over the trail."
    }
}

fn belonging(child: &Record, now: Timestamp) -> Belonging {
    let seen = &child.observation;
    Belonging {
        href: address::record(seen.id.as_str()),
        name: short(&seen.name, 64),
        kind: seen.kind.clone(),
        status: seen.status.as_str(),
        used: usage(child, now),
        expiry: expiry(&seen.expiry, now),
    }
}

fn links(record: &Record, linked: &Linked) -> Vec<LinkRow> {
    let mut rows = Vec::new();
    for link in &record.observation.links {
        let ends = linked.outgoing.as_deref().unwrap_or_default();
        let ends = meant(record, link, ends);
        rows.push(LinkRow {
            direction: "from here",
            kind: say::words(link.kind.as_str()),
            end: say::endpoint(&link.to),
            there: say::found(&link.to, &ends, &linked.places),
            href: ends.first().map(|end| address::record(end.id().as_str())).unwrap_or_default(),
            trust: link.trust.as_ref().map(say::trust).unwrap_or_default(),
        });
    }
    // What belongs to the record has a table of its own.
    for link in linked.incoming.iter().filter(|link| link.kind != "belongs_to") {
        rows.push(LinkRow {
            direction: "to here",
            kind: say::words(link.kind),
            end: format!("{} {}", link.record_kind, safe(&link.name)),
            there: "there".to_owned(),
            href: address::record(&link.id),
            trust: String::new(),
        });
    }
    rows
}

/// Versions and findings together, the latest first.
async fn timeline(
    store: &dyn Store,
    found: &Found,
    findings: &[Finding],
    now: Timestamp,
) -> Result<Vec<Moment>, Failed> {
    let mut moments = Vec::new();
    for step in steps(&found.versions) {
        let (class, what) = match (step.what, found.record.origin) {
            ("first_seen", Origin::Baseline) => ("", "first seen, there at the first scan already"),
            ("first_seen", Origin::Appeared) => ("", "appeared"),
            ("back", _) => ("", "came back"),
            ("gone", _) => ("gone", "disappeared"),
            (other, _) => ("", other),
        };
        let line = |change: &headcount_core::reconcile::FieldChange| {
            format!("{}: {} → {}", safe(&change.field), brief(&change.from), brief(&change.to))
        };
        moments.push(Moment {
            at: step.at,
            when: When::new(step.at, now),
            class,
            what: what.to_owned(),
            href: String::new(),
            lines: step.fields.iter().map(line).collect(),
        });
    }
    for finding in findings {
        let Some((_, steps)) = store.finding(&finding.id).await? else { continue };
        for step in steps {
            let title = safe(&step.title);
            moments.push(Moment {
                at: step.at,
                when: When::new(step.at, now),
                class: "finding",
                what: format!("{} {}: {title}", finding.rule, step.kind.as_str()),
                href: address::finding(&finding.id),
                lines: step.resolution.iter().map(|why| safe(why)).collect(),
            });
        }
    }
    // Steps of one moment keep their order, turned around with all the others.
    moments.sort_by_key(|moment| moment.at);
    moments.reverse();
    Ok(moments)
}

fn evidence(seen: &Observation, now: Timestamp) -> Vec<EvidenceRow> {
    let row = |evidence: &headcount_sdk::model::Evidence| EvidenceRow {
        operation: safe(&evidence.operation),
        object: safe(&evidence.object),
        at: When::new(evidence.at, now),
    };
    seen.evidence.iter().map(row).collect()
}

fn maps(seen: &Observation) -> Vec<(&'static str, Vec<(String, String)>)> {
    [("Tags and labels", &seen.labels), ("Attributes", &seen.attributes)]
        .into_iter()
        .filter(|(_, map)| !map.is_empty())
        .map(|(heading, map)| {
            let rows = map.iter().map(|(key, value)| (safe(key), short(value, 400)));
            (heading, rows.collect())
        })
        .collect()
}
