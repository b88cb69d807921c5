//! The audit log: entries by cursor, filtered by a phrase.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::ask::Ask;
use super::model::{AuditEntry, Hub, Org};
use super::reply::{Refusal, Reply};

const DAY: i64 = 24 * 3600;

/// What a phrase asks for. Several actions are alternatives; everything else must hold.
#[derive(Debug, Default)]
struct Phrase<'a> {
    actions: Vec<&'a str>,
    actor: Option<&'a str>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

fn read(phrase: &str) -> Result<Phrase<'_>, Refusal> {
    let mut read = Phrase::default();
    for part in phrase.split_whitespace() {
        let unread = || Refusal::new(422, "Validation Failed");
        let (name, value) = part.split_once(':').ok_or_else(unread)?;
        let moment = |text: &str| -> Result<Timestamp, Refusal> {
            let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
            full.parse().map_err(|_| unread())
        };
        match name {
            "action" => read.actions.push(value),
            "actor" => read.actor = Some(value),
            "created" => match (value.strip_prefix(">="), value.split_once("..")) {
                (Some(from), _) => read.from = Some(moment(from)?),
                (None, Some((from, to))) => {
                    read.from = Some(moment(from)?);
                    read.to = Some(moment(to)?);
                }
                _ => return Err(unread()),
            },
            _ => return Err(unread()),
        }
    }
    Ok(read)
}

impl Phrase<'_> {
    fn wants(&self, entry: &AuditEntry) -> bool {
        // `action:hook` stands for the whole category.
        let action = |wanted: &&str| {
            entry.action == **wanted
                || entry.action.strip_prefix(*wanted).is_some_and(|rest| rest.starts_with('.'))
        };
        (self.actions.is_empty() || self.actions.iter().any(action))
            && self.actor.is_none_or(|actor| actor == entry.actor)
            && self.from.is_none_or(|from| entry.recorded_at >= from)
            && self.to.is_none_or(|to| entry.recorded_at <= to)
    }
}

/// `GET /orgs/{org}/audit-log`. Entries live 180 days; without `created:` the last 90 are shown.
pub(super) fn audit_log<'a>(ask: &Ask<'a>) -> Result<Reply<'a>, Refusal> {
    let text = |name: &str| ask.query.get(name).map_or("", String::as_str);
    let phrase = read(text("phrase"))?;
    let kept = if phrase.from.is_some() { 180 } else { 90 };
    let horizon = ask.hub().clock().now() - SignedDuration::from_secs(kept * DAY);
    let wanted = |entry: &&AuditEntry| {
        entry.recorded_at >= horizon
            && phrase.wants(entry)
            && match text("include") {
                "all" => true,
                include => (include == "git") == entry.action.starts_with("git."),
            }
    };
    let mut all: Vec<&AuditEntry> = ask.org().audit.iter().filter(wanted).collect();
    all.sort_by(|a, b| (a.recorded_at, &a.document_id).cmp(&(b.recorded_at, &b.document_id)));
    if text("order") != "asc" {
        all.reverse();
    }
    if let Some(after) = ask.query.get("after") {
        let at = open(after).and_then(|id| all.iter().position(|entry| entry.document_id == id));
        let at = at.ok_or_else(|| Refusal::new(400, "Invalid cursor"))?;
        all.drain(..=at);
    }
    let size = text("per_page").parse().unwrap_or(30usize).clamp(1, 100);
    let size = size.min(ask.most.unwrap_or(100).max(1));
    let more = all.len() > size;
    all.truncate(size);
    let after = all.last().filter(|_| more).map(|last| seal(&last.document_id));
    Ok(Reply::Cursor(all.into_iter().map(|entry| ask.shape.audit(entry)).collect(), after))
}

/// A cursor: opaque, and not the id that it stands for.
fn seal(id: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("after:{id}"))
}

fn open(cursor: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    String::from_utf8(bytes).ok()?.strip_prefix("after:").map(str::to_owned)
}

impl Hub {
    /// Writes an entry into the audit log of an organisation, as of now.
    pub fn note(&mut self, org: u64, action: &str, more: &[(&str, Value)]) -> String {
        let (now, id) = (self.clock.now(), self.id());
        let document_id = format!("made-up-document-{id:012}");
        let more: Map<String, Value> =
            more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let entry = AuditEntry {
            document_id: document_id.clone(),
            action: action.to_owned(),
            actor: self.acting_owner(org),
            at: now,
            recorded_at: now,
            more,
        };
        if let Some(org) = self.organizations.get_mut(&org) {
            org.audit.push(entry);
        }
        document_id
    }

    /// The login of the first owner: in whose name scripts act.
    fn acting_owner(&self, org: u64) -> String {
        let owner = |org: &Org| org.members.iter().find(|(_, owner)| **owner).map(|(id, _)| *id);
        let id = self.organizations.get(&org).and_then(owner);
        id.and_then(|id| self.users.get(&id)).map_or(String::new(), |user| user.login.clone())
    }
}
