//! The inventory as one graph: which records a link means, whatever source they came from.
//!
//! A link names its far end in the words of its own source: an id, a handle, an issuer and subject
//! patterns. The records that it means are found in two steps. [`sought`] and [`answered`] turn
//! words into numbers ([`Key`]) that a store can look up; two records that share a number are
//! candidates and no more. [`connect`] then looks at both records and says whether, how surely and
//! why the link means this one. So a number may collide, and a key may be coarse, at no price but
//! a look in vain.
//!
//! Names are compared as the judges of trust compare them. AWS matches subjects with regard to
//! case (`StringEquals`, `StringLike`:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>),
//! and GitHub writes a repository's own case into its subject; so a trust in another case is no
//! way in, and no link here. Audiences are not compared: no record says for whom its tokens are.
//!
//! Start at [`connect`]; [`subject`] knows how subjects are built.

use std::collections::BTreeSet;

use headcount_sdk::model::{Confidence, Endpoint, Link, LinkKind, RecordId, Trust};
use sha2::{Digest, Sha256};

use crate::inventory::Record;

mod subject;
#[cfg(test)]
mod tests;

/// A word of the graph as a number. Kept by stores.
pub type Key = i64;

/// Changes whenever the same record gets other keys, so that stores know to count them again.
pub const VERSION: i64 = 2;

/// That a link of one record means another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    pub kind: LinkKind,
    pub confidence: Confidence,
    /// Why they belong together, for people.
    pub basis: String,
    pub by: By,
}

/// By which word a link finds its far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    Id,
    Handle,
    /// The far end can present a subject that the trust lets in.
    Subject,
    /// The far end goes by a name that the link guesses.
    Name,
}

/// Kinds of records that links guess at by name.
const GUESSED: [&str; 1] = ["iam-user"];

/// What the links of a record look for, and which places they name.
#[must_use]
pub fn sought(record: &Record) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    for link in &record.observation.links {
        match &link.to {
            Endpoint::Record { id } => {
                keys.insert(of_id(id));
            }
            Endpoint::Native { place, native } => {
                keys.insert(of_handle(place, native));
                keys.insert(of_place(place));
            }
            Endpoint::Account { place, principal: Some(principal), .. } => {
                keys.insert(of_handle(place, principal));
            }
            Endpoint::Likely { kind, names } => {
                keys.extend(names.iter().map(|name| of_name(kind, name)));
            }
            Endpoint::Federation { issuer } => match provider(issuer) {
                Provider::Tokens(issuer) => keys.extend(tokens(&issuer, link)),
                Provider::Handle => {
                    keys.insert(of_handle(&record.scope.place, issuer));
                }
            },
            Endpoint::Account { principal: None, .. }
            | Endpoint::Service { .. }
            | Endpoint::Dangling { .. }
            | Endpoint::Anyone => {}
        }
    }
    keys
}

/// What links find the record by.
#[must_use]
pub fn answered(record: &Record) -> BTreeSet<Key> {
    let mut keys = presented(record);
    keys.insert(of_id(record.id()));
    keys.extend(handle(record));
    keys
}

/// What the record answers to because of the subjects that it can present, or of its name.
#[must_use]
pub fn presented(record: &Record) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    if GUESSED.contains(&record.observation.kind.as_str()) {
        keys.insert(of_name(&record.observation.kind, &record.observation.name));
    }
    for presented in &record.observation.subjects {
        let Some(root) = subject::root(&presented.subject) else { continue };
        let issuer = bare_issuer(&presented.issuer);
        keys.insert(of_issuer(&issuer));
        keys.insert(of_subject(&issuer, root));
        keys.extend(subject::group(&presented.subject).map(|group| of_subject(&issuer, group)));
    }
    keys
}

/// What the record answers to because of its vendor's handle.
#[must_use]
pub fn handle(record: &Record) -> Option<Key> {
    let native = &record.observation.native;
    (!native.is_empty()).then(|| of_handle(&record.scope.place, native))
}

/// The ids that the links of a record name outright.
pub fn named(record: &Record) -> impl Iterator<Item = &RecordId> {
    record.observation.links.iter().filter_map(|link| match &link.to {
        Endpoint::Record { id } => Some(id),
        _ => None,
    })
}

/// The places whose records the links of a record name, whether they are there or not.
#[must_use]
pub fn places(record: &Record) -> BTreeSet<&str> {
    let links = record.observation.links.iter();
    links
        .filter_map(|link| match &link.to {
            Endpoint::Native { place, .. } => Some(place.as_str()),
            _ => None,
        })
        .collect()
}

/// What a record looks for whose links name a place.
#[must_use]
pub fn of_place(place: &str) -> Key {
    key(&["place", place])
}

/// How the links of `from` mean `to`: of each kind of link the surest, in the order of kinds.
#[must_use]
pub fn connect(from: &Record, to: &Record) -> Vec<Connection> {
    let mut found: Vec<Connection> = Vec::new();
    for link in &from.observation.links {
        let Some(connection) = meets(from, link, to) else { continue };
        match found.iter_mut().find(|known| known.kind == connection.kind) {
            Some(known) if surer(&connection, known) => *known = connection,
            Some(_) => {}
            None => found.push(connection),
        }
    }
    found.sort_by_key(|connection| connection.kind);
    found
}

/// The smaller text wins a tie, so that the order of links changes nothing.
fn surer(new: &Connection, known: &Connection) -> bool {
    (known.confidence, &new.basis) < (new.confidence, &known.basis)
}

fn meets(from: &Record, link: &Link, to: &Record) -> Option<Connection> {
    let seen = &to.observation;
    let is_handle = |place: &str, native: &str| {
        !native.is_empty() && to.scope.place == place && seen.native == native
    };
    let (confidence, basis, by) = match &link.to {
        Endpoint::Record { id } => {
            (id == to.id()).then(|| (100, "named by its source".to_owned(), By::Id))?
        }
        Endpoint::Native { place, native } => {
            is_handle(place, native).then(|| (100, format!("handle {native}"), By::Handle))?
        }
        Endpoint::Account { place, principal: Some(principal), .. } => {
            is_handle(place, principal).then(|| (100, format!("handle {principal}"), By::Handle))?
        }
        Endpoint::Likely { kind, names } => {
            let is_it =
                seen.kind == *kind && names.iter().any(|n| n.eq_ignore_ascii_case(&seen.name));
            is_it.then(|| (100, format!("a guess from the name {}", seen.name), By::Name))?
        }
        Endpoint::Federation { issuer } => match provider(issuer) {
            Provider::Tokens(issuer) => {
                let (confidence, basis) = lets_in(link.trust.as_ref(), &issuer, to)?;
                (confidence, basis, By::Subject)
            }
            Provider::Handle => is_handle(&from.scope.place, issuer)
                .then(|| (100, format!("handle {issuer}"), By::Handle))?,
        },
        _ => return None,
    };
    Some(Connection {
        kind: link.kind,
        confidence: times(link.confidence, Confidence::percent(confidence)),
        basis,
        by,
    })
}

/// How surely a trust in an issuer's tokens is meant for the record, and which subject says so.
fn lets_in(trust: Option<&Trust>, issuer: &str, to: &Record) -> Option<(u8, String)> {
    let patterns = trust.map_or(&[][..], |trust| &trust.subjects);
    let mut best: Option<(u8, String)> = None;
    for presented in &to.observation.subjects {
        // A subject that does not say who asks could be anyone's.
        let says_who = subject::root(&presented.subject).is_some();
        if !says_who || bare_issuer(&presented.issuer) != issuer {
            continue;
        }
        let anyone = (subject::ANYONE, format!("any subject of {issuer}"));
        let claims = patterns.iter().filter_map(|pattern| {
            let sure = subject::meets(pattern, &presented.subject)?;
            Some((sure, format!("subject {pattern}")))
        });
        let claims = claims.chain(patterns.is_empty().then_some(anyone));
        for claim in claims {
            let is_better = |b: &(u8, String)| (b.0, &claim.1) < (claim.0, &b.1);
            if best.as_ref().is_none_or(is_better) {
                best = Some(claim);
            }
        }
    }
    let (sure, basis) = best?;
    // Another condition speaks of the subject as well, and may let fewer in than the patterns.
    let narrowed = trust.is_some_and(|trust| {
        trust.narrowed_by.iter().any(|key| key.split(' ').any(|word| word.ends_with(":sub")))
    });
    Some((if narrowed { sure.min(subject::NARROWED) } else { sure }, basis))
}

/// One certainty under the condition of another.
#[must_use]
pub fn times(a: Confidence, b: Confidence) -> Confidence {
    let product = u32::from(a.as_percent()) * u32::from(b.as_percent()) / 100;
    Confidence::percent(u8::try_from(product).unwrap_or(100))
}

enum Provider {
    /// It signs tokens; told without scheme.
    Tokens(String),
    /// It is a record of its own place and known by its handle (a SAML provider).
    Handle,
}

fn provider(issuer: &str) -> Provider {
    match issuer.starts_with("arn:") {
        true => Provider::Handle,
        false => Provider::Tokens(bare_issuer(issuer)),
    }
}

/// An issuer without scheme and without slash at the end, its host in lower case: some sources
/// write the URL, others what AWS makes of it.
fn bare_issuer(issuer: &str) -> String {
    let text = issuer.trim();
    let text =
        text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
    let text = text.trim_end_matches('/');
    match text.split_once('/') {
        Some((host, path)) => format!("{}/{path}", host.to_ascii_lowercase()),
        None => text.to_ascii_lowercase(),
    }
}

/// What a trust in an issuer's tokens looks for: as narrow a key as each pattern allows.
fn tokens(issuer: &str, link: &Link) -> Vec<Key> {
    let patterns = link.trust.as_ref().map_or(&[][..], |trust| &trust.subjects);
    if patterns.is_empty() {
        return vec![of_issuer(issuer)];
    }
    let narrowest = |pattern: &String| {
        let part = subject::root(pattern).or_else(|| subject::group(pattern));
        part.map_or_else(|| of_issuer(issuer), |part| of_subject(issuer, part))
    };
    patterns.iter().map(narrowest).collect()
}

fn of_id(id: &RecordId) -> Key {
    key(&["id", id.as_str()])
}

fn of_handle(place: &str, native: &str) -> Key {
    key(&["handle", place, native])
}

fn of_name(kind: &str, name: &str) -> Key {
    key(&["name", kind, &name.to_ascii_lowercase()])
}

fn of_issuer(issuer: &str) -> Key {
    key(&["issuer", issuer])
}

fn of_subject(issuer: &str, part: &str) -> Key {
    key(&["subject", issuer, part])
}

fn key(parts: &[&str]) -> Key {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    let digest = hasher.finalize();
    digest.iter().take(8).fold(0, |number: i64, byte| (number << 8) | i64::from(*byte))
}
