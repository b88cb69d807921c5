//! What must hold of a line that no type holds.

use headcount_sdk::{Observation, ScanError, Scope};
use jiff::{SignedDuration, Timestamp};

use super::{Begin, Done, Failure, Seen, VERSION, Wrong};

/// Longest id, name, place and text of an error.
const MAX_ID: usize = 1_024;
const MAX_PLACE: usize = 256;
const MAX_KIND: usize = 64;
const MAX_ERROR: usize = 1_000;

/// How far the clock of whoever writes may be ahead of the agent's.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Fields that an observation may name as unread; the agent keeps what it knew of them.
const UNREAD: [&str; 11] = [
    "created_at",
    "expiry",
    "labels",
    "links",
    "nature",
    "owner_evidence",
    "privilege",
    "purpose",
    "status",
    "subjects",
    "usage",
];

pub(super) fn begin(begin: Begin) -> Result<Begin, Wrong> {
    if begin.schema != VERSION {
        let remedy = format!("this agent speaks version {VERSION}");
        return Err(Wrong::new("schema", "another version of the schema", remedy));
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if begin.scan.is_empty() || begin.scan.len() > 128 || !begin.scan.chars().all(is_plain) {
        let remedy = "use 1 to 128 letters, digits and `._:-`";
        return Err(Wrong::new("scan", "this is no name for a scan", remedy));
    }
    Ok(begin)
}

pub(super) fn observation(seen: Seen) -> Result<Seen, Wrong> {
    scope(&seen.scope)?;
    let Observation { id, kind, name, .. } = &seen.observation;
    if !is_kebab(kind) {
        let remedy = "use lower case letters, digits and dashes, as in `access-key`";
        return Err(Wrong::new("observation.kind", "this is no kind of record", remedy));
    }
    if !is_id_of(id.as_str(), &seen.scope.place, kind) {
        let remedy = "it is `<place>:<kind>/<key>`, with the scope's place, the observation's kind \
                      and a key that its source never gives to another record";
        return Err(Wrong::new("observation.id", "this is no id of this place and kind", remedy));
    }
    if name.trim().is_empty() || name.len() > MAX_ID {
        let remedy = "say what people call it, or repeat the key";
        return Err(Wrong::new("observation.name", "it is empty or too long", remedy));
    }
    if let Some(parent) = &seen.observation.parent
        && (parent == id || !is_any_id(parent.as_str()))
    {
        let remedy = "it is the id of the identity that this belongs to";
        return Err(Wrong::new("observation.parent", "this is no id of another record", remedy));
    }
    let is_field = |name: &String| {
        let attribute = name.strip_prefix("attributes.").is_some_and(|rest| !rest.is_empty());
        UNREAD.contains(&name.as_str()) || attribute
    };
    if !seen.observation.unread.keys().all(is_field) {
        let remedy = format!("name one of {}, attributes.<name>", UNREAD.join(", "));
        return Err(Wrong::new("observation.unread", "there is no such field", remedy));
    }
    confidence(&seen.observation)?;
    Ok(seen)
}

fn confidence(observation: &Observation) -> Result<(), Wrong> {
    let natures = observation.nature.iter().map(|nature| nature.confidence);
    let links = observation.links.iter().map(|link| link.confidence);
    if natures.chain(links).any(|confidence| confidence.as_percent() > 100) {
        let remedy = "a confidence is a whole number of percent, from 0 to 100";
        return Err(Wrong::new("observation", "a confidence is over 100", remedy));
    }
    Ok(())
}

pub(super) fn complete(done: Done, now: Timestamp) -> Result<Done, Wrong> {
    scope(&done.scope)?;
    if done.as_of.is_some_and(|at| at.duration_since(now) > AHEAD) {
        let remedy = "it is the time at which the source's answer held; leave it out if it is now";
        return Err(Wrong::new("as_of", "it lies in the future", remedy));
    }
    for degradation in &done.degraded {
        short("degraded", &degradation.error)?;
    }
    Ok(done)
}

pub(super) fn failed(failure: Failure) -> Result<Failure, Wrong> {
    scope(&failure.scope)?;
    short("error", &failure.error)?;
    Ok(failure)
}

fn short(path: &str, error: &ScanError) -> Result<(), Wrong> {
    let text = error.to_string();
    if text.len() > MAX_ERROR || text.chars().any(char::is_control) {
        let remedy = "say in a sentence what failed; no bodies, queries or headers";
        return Err(Wrong::new(path, "the error is too long, or holds control characters", remedy));
    }
    Ok(())
}

fn scope(scope: &Scope) -> Result<(), Wrong> {
    if !is_place(&scope.place) {
        let remedy = "it is `<system>:<tenant>`, as in `acme:eu-1`: what record ids begin with";
        return Err(Wrong::new("scope.place", "this is no place", remedy));
    }
    if !is_kebab(&scope.kind) {
        let remedy = "use lower case letters, digits and dashes, as in `access-keys`";
        return Err(Wrong::new("scope.kind", "this is no kind of scope", remedy));
    }
    Ok(())
}

fn is_place(place: &str) -> bool {
    let Some((system, tenant)) = place.split_once(':') else { return false };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:".contains(c);
    let ends_well = !tenant.starts_with(':') && !tenant.ends_with(':');
    is_kebab(system)
        && place.len() <= MAX_PLACE
        && !tenant.is_empty()
        && ends_well
        && tenant.chars().all(is_plain)
}

fn is_kebab(word: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    word.len() <= MAX_KIND
        && word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(is_plain)
}

/// Whether an id has this place and kind, and a key.
fn is_id_of(id: &str, place: &str, kind: &str) -> bool {
    let key = id
        .strip_prefix(place)
        .and_then(|rest| rest.strip_prefix(':'))
        .and_then(|rest| rest.strip_prefix(kind))
        .and_then(|rest| rest.strip_prefix('/'));
    key.is_some_and(is_key) && id.len() <= MAX_ID
}

fn is_any_id(id: &str) -> bool {
    let Some((head, key)) = id.split_once('/') else { return false };
    let Some((place, kind)) = head.rsplit_once(':') else { return false };
    is_place(place) && is_kebab(kind) && is_key(key) && id.len() <= MAX_ID
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && !key.chars().any(|c| c.is_control() || c.is_whitespace())
}
