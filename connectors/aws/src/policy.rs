//! Reduces an IAM policy to one privilege level and the fact that decided it.
//!
//! Pure, and it never panics on a strange document: what it does not understand is `Unknown`,
//! never `None` or `Read`. It reads one policy at a time and weighs what is allowed. `Deny`
//! statements (but for one that denies everything), boundaries and organisation policies can only
//! take power away, so the level is an upper bound; the reason says where one of them is present.

mod actions;
mod managed;

use headcount_sdk::{Level, Privilege};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use self::actions::Verb;
pub(crate) use self::actions::matches;
pub(crate) use self::managed::managed;

/// A policy document as IAM delivers it (percent-encoded per RFC 3986) or as plain JSON.
pub(crate) fn parse_document(text: &str) -> Option<Value> {
    let text = text.trim();
    if text.starts_with('{') {
        return serde_json::from_str(text).ok();
    }
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    serde_json::from_str(&decoded).ok()
}

/// Judges the policy `name` by its document.
pub(crate) fn assess(name: &str, document: &str) -> Privilege {
    let Some(document) = parse_document(document) else {
        return unknown(format!("policy {name} is not a JSON document"));
    };
    let Some(statements) = statements(&document) else {
        return unknown(format!("policy {name} has no statements"));
    };
    let mut denies = false;
    let mut highest = none(format!("policy {name} allows nothing"));
    let mut allowed = Allowed::default();
    for statement in statements {
        let judged = match effect(statement) {
            Some(Effect::Allow) => allow(name, statement, &mut allowed),
            Some(Effect::Deny) if denies_everything(statement) => {
                return none(format!("policy {name} denies everything"));
            }
            Some(Effect::Deny) => {
                denies = true;
                continue;
            }
            None => unknown(format!("policy {name} has a statement without a known effect")),
        };
        highest = highest_of(highest, judged);
    }
    if let Some(way) = allowed.escalation() {
        let escalating =
            Privilege { level: Level::Escalating, reason: format!("policy {name} allows {way}") };
        highest = highest_of(highest, escalating);
    }
    if denies && highest.level > Level::None {
        highest.reason.push_str("; its Deny statements are not weighed");
    }
    highest
}

/// The higher of two levels; the first when they are equal.
pub(crate) fn highest_of(a: Privilege, b: Privilege) -> Privilege {
    if b.level > a.level { b } else { a }
}

pub(crate) fn unknown(reason: String) -> Privilege {
    Privilege { level: Level::Unknown, reason }
}

pub(crate) fn none(reason: String) -> Privilege {
    Privilege { level: Level::None, reason }
}

/// The statements of a document: one object or a list of them.
pub(crate) fn statements(document: &Value) -> Option<Vec<&Value>> {
    match field(document, "Statement")? {
        Value::Array(many) => Some(many.iter().collect()),
        one @ Value::Object(_) => Some(vec![one]),
        _ => None,
    }
}

/// A member of a JSON object. IAM takes element names in any case.
pub(crate) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v)
}

/// One string or a list of strings; `None` for every other shape.
pub(crate) fn strings(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::String(one) => Some(vec![one]),
        Value::Array(many) => many.iter().map(Value::as_str).collect(),
        _ => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

pub(crate) fn effect(statement: &Value) -> Option<Effect> {
    match field(statement, "Effect")?.as_str()? {
        "Allow" => Some(Effect::Allow),
        "Deny" => Some(Effect::Deny),
        _ => None,
    }
}

/// On what a statement works.
struct Reach {
    everything: bool,
    /// For the reason.
    text: String,
    /// Only on whoever makes the request: `…:user/${aws:username}`.
    own: bool,
    /// On roles by pattern. One named role is how services are meant to be given theirs.
    roles: bool,
}

fn reach(statement: &Value) -> Option<Reach> {
    if let Some(excluded) = field(statement, "NotResource") {
        let text = format!("everything but {}", strings(excluded)?.join(", "));
        return Some(Reach { everything: true, text, own: false, roles: true });
    }
    let resources = strings(field(statement, "Resource")?)?;
    let everything = resources.iter().any(|r| matches!(*r, "*" | "arn:*" | "arn:aws:*"));
    let own = !resources.is_empty()
        && resources.iter().all(|r| r.contains("${aws:username}") || r.contains("${aws:userid}"));
    let text = match resources.as_slice() {
        _ if everything => "*".to_owned(),
        [one] => (*one).to_owned(),
        many => format!("{} resources", many.len()),
    };
    let roles = everything || resources.iter().any(|r| r.contains(":iam:") && r.contains('*'));
    Some(Reach { everything, text, own, roles })
}

fn denies_everything(statement: &Value) -> bool {
    let all = |name| field(statement, name).and_then(strings).is_some_and(|v| v.contains(&"*"));
    all("Action") && all("Resource") && field(statement, "Condition").is_none()
}

fn allow(name: &str, statement: &Value, allowed: &mut Allowed) -> Privilege {
    let malformed =
        |what| unknown(format!("policy {name} has a statement whose {what} is not understood"));
    let Some(reach) = reach(statement) else {
        return malformed("resource");
    };
    let conditional = match field(statement, "Condition") {
        Some(Value::Object(conditions)) if conditions.is_empty() => "",
        Some(Value::Object(_)) => " under conditions",
        Some(_) => return malformed("condition"),
        None => "",
    };
    let found = |level, what: &str| Privilege {
        level,
        reason: format!("policy {name} allows {what} on {}{conditional}", reach.text),
    };
    if let Some(excluded) = field(statement, "NotAction") {
        let Some(excluded) = strings(excluded) else {
            return malformed("action");
        };
        let what = format!("everything but {}", excluded.join(", "));
        // Whoever may do everything but IAM cannot make itself an administrator by IAM.
        let without_iam =
            excluded.iter().any(|a| matches!(a.to_ascii_lowercase().as_str(), "iam:*" | "*"));
        let level = match (reach.everything, without_iam) {
            (true, false) => Level::Admin,
            _ => Level::Write,
        };
        return found(level, &what);
    }
    let Some(actions) = field(statement, "Action").and_then(strings) else {
        return malformed("action");
    };
    let mut highest = none(format!("policy {name} allows nothing"));
    for action in actions {
        allowed.note(action, &reach);
        let level = match actions::classify(action) {
            None => return malformed("action"),
            Some(Verb::Everything) if reach.everything => Level::Admin,
            Some(Verb::Escalates) if reach.own && actions::harmless_on_oneself(action) => {
                Level::Write
            }
            Some(Verb::Escalates) => Level::Escalating,
            Some(Verb::EscalatesAnywhere) if reach.everything => Level::Escalating,
            Some(Verb::Everything | Verb::EscalatesAnywhere | Verb::Writes) => Level::Write,
            Some(Verb::Reads) => Level::Read,
        };
        highest = highest_of(highest, found(level, action));
    }
    highest
}

/// Actions that make an administrator only together, gathered over a document's statements.
#[derive(Default)]
struct Allowed {
    passes_roles: bool,
    runs_code: Option<&'static str>,
}

impl Allowed {
    fn note(&mut self, action: &str, reach: &Reach) {
        self.passes_roles |= reach.roles && actions::matches(action, "iam:PassRole");
        if self.runs_code.is_none() {
            self.runs_code = actions::RUNS_AS_ROLE
                .iter()
                .find(|runner| actions::matches(action, runner))
                .copied();
        }
    }

    fn escalation(&self) -> Option<String> {
        let runner = self.runs_code.filter(|_| self.passes_roles)?;
        Some(format!("iam:PassRole together with {runner}"))
    }
}

#[cfg(test)]
mod tests;
