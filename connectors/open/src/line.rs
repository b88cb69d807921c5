//! The observation schema as it stands on a line, and what makes a line one.
//!
//! The model of the sdk *is* the schema, so there are no types beside it here: what a line leaves
//! out of an observation is what [`Observation::new`] says of it, and what a line says and the
//! model has no place for is refused. No message repeats a value: it may be what somebody should
//! never have written down.

use std::sync::OnceLock;

use headcount_sdk::{Class, Degradation, Observation, RecordId, ScanError, Scope};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

mod check;
mod schema;
mod secret;

pub use self::schema::schema;
pub(crate) use self::secret::{is_secret, place_of_secret};

/// The version of the schema that is spoken here.
pub const VERSION: u32 = 1;

/// What an observation must say; everything else has an honest default.
pub(crate) const REQUIRED: [&str; 4] = ["id", "class", "kind", "name"];

/// One line.
#[derive(Debug)]
pub enum Line {
    Begin(Begin),
    Observation(Box<Seen>),
    Complete(Done),
    Failed(Failure),
}

/// The first line: which schema, and which scan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The version of the schema: 1.
    #[schemars(range(min = 1, max = 1))]
    pub schema: u32,
    /// The name of this scan, new for every scan: a run number, a time. Up to 128 letters, digits
    /// and `._:-`.
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9._:-]+$"))]
    pub scan: String,
}

/// One record that was seen in a scope.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    pub scope: Scope,
    pub observation: Observation,
}

/// Everything in the scope has been said: what was known there and was not named is gone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Done {
    pub scope: Scope,
    /// How many observations of this scope were written. With another number the scope counts as
    /// cut, so state it wherever lines might be lost on the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// As of when the source's answer holds, if it is older than the scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub as_of: Option<Timestamp>,
    /// Fields that could not be read. Also name each in the `unread` of the observations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<Degradation>,
}

/// The scope was not read to its end: nothing in it is gone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    pub scope: Scope,
    pub error: ScanError,
}

/// Why a line is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Where in the line, as `observation.usage.at`; empty: all of it.
    pub path: String,
    pub problem: String,
    pub remedy: String,
    /// The scope that the line speaks of, as far as it could be told.
    pub scope: Option<Scope>,
}

impl Wrong {
    pub(crate) fn new(path: &str, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { path: path.to_owned(), problem: problem.into(), remedy: remedy.into(), scope: None }
    }
}

/// Reads one line, at the time `now`.
///
/// # Errors
///
/// Where it is wrong, how, and what to do about it.
pub fn parse(line: &[u8], now: Timestamp) -> Result<Line, Wrong> {
    let value: Value = serde_json::from_slice(line).map_err(|error| {
        let problem = match error.classify() {
            serde_json::error::Category::Eof => "the line ends in the middle of its JSON",
            _ => "this is no JSON",
        };
        let remedy = "write one JSON object a line on stdout, and everything else to stderr";
        Wrong::new("", format!("{problem} (column {})", error.column()), remedy)
    })?;
    let scope = value.get("scope").and_then(|scope| Scope::deserialize(scope).ok());
    parsed(value, now).map_err(|wrong| Wrong { scope, ..wrong })
}

fn parsed(value: Value, now: Timestamp) -> Result<Line, Wrong> {
    if let Some(path) = place_of_secret(&value) {
        let remedy = "leave it out: Headcount keeps facts about credentials, never credentials";
        return Err(Wrong::new(&path, "this looks like the value of a secret", remedy));
    }
    let Value::Object(mut fields) = value else {
        let remedy = "write one JSON object a line";
        return Err(Wrong::new("", "this is JSON, but no object", remedy));
    };
    let kind = fields.remove("type");
    match kind.as_ref().and_then(Value::as_str) {
        Some("begin") => read(fields).and_then(check::begin).map(Line::Begin),
        Some("observation") => {
            fill_in(&mut fields)?;
            let seen = read(fields).and_then(check::observation)?;
            Ok(Line::Observation(Box::new(seen)))
        }
        Some("complete") => {
            read(fields).and_then(|done| check::complete(done, now)).map(Line::Complete)
        }
        Some("failed") => read(fields).and_then(check::failed).map(Line::Failed),
        _ => Err(Wrong::new(
            "type",
            "it is missing or unknown",
            "it is one of `begin`, `observation`, `complete`, `failed`",
        )),
    }
}

/// Puts in what a new observation says before anything is known.
fn fill_in(fields: &mut Map<String, Value>) -> Result<(), Wrong> {
    let Some(Value::Object(observation)) = fields.get_mut("observation") else {
        let remedy = "put the record there, with `id`, `class`, `kind` and `name`";
        return Err(Wrong::new("observation", "it is missing, or no object", remedy));
    };
    for name in REQUIRED {
        if !observation.contains_key(name) {
            let remedy = "every observation has `id`, `class`, `kind` and `name`";
            return Err(Wrong::new(&format!("observation.{name}"), "it is missing", remedy));
        }
    }
    for (name, default) in defaults() {
        observation.entry(name.as_str()).or_insert_with(|| default.clone());
    }
    Ok(())
}

/// What [`Observation::new`] says, without what must be given.
pub(crate) fn defaults() -> &'static Map<String, Value> {
    static DEFAULTS: OnceLock<Map<String, Value>> = OnceLock::new();
    DEFAULTS.get_or_init(|| {
        let id = RecordId::from_stored(String::new());
        let empty = Observation::new(id, Class::Identity, "", "");
        // The model has no map that JSON refuses.
        let mut fields = match serde_json::to_value(empty) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) | Err(_) => Map::new(),
        };
        fields.retain(|name, _| !REQUIRED.contains(&name.as_str()));
        fields
    })
}

/// Takes a line's fields for what they should be, and all of them.
fn read<T: DeserializeOwned + Serialize>(fields: Map<String, Value>) -> Result<T, Wrong> {
    let given = Value::Object(fields);
    let read: T = serde_path_to_error::deserialize(&given).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        Wrong::new(&path, without_values(&error.inner().to_string()), REMEDY)
    })?;
    // The model lets unknown fields pass, so that newer stores can be read. A line may not: a
    // misspelt `usage` would be "nobody records use".
    match serde_json::to_value(&read).map(|kept| lost(&given, &kept, "")) {
        Ok(None) => Ok(read),
        Ok(Some(path)) => Err(Wrong::new(&path, "there is no such field", REMEDY)),
        Err(_) => Err(Wrong::new("", "it cannot be kept", REMEDY)),
    }
}

const REMEDY: &str = "compare with `headcount sources schema --observations`";

/// The first path in `given` that is not in `kept`.
fn lost(given: &Value, kept: &Value, path: &str) -> Option<String> {
    match (given, kept) {
        (Value::Object(given), Value::Object(kept)) => given.iter().find_map(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match kept.get(name) {
                Some(kept) => lost(value, kept, &path),
                None => (!says_nothing(name, value)).then_some(path),
            }
        }),
        (Value::Array(given), Value::Array(kept)) => {
            let mut pairs = given.iter().zip(kept).enumerate();
            pairs.find_map(|(at, (given, kept))| lost(given, kept, &format!("{path}[{at}]")))
        }
        _ => None,
    }
}

/// Whether the model writes nothing where this was given.
fn says_nothing(name: &str, value: &Value) -> bool {
    let known = ["trust", "subjects", "unread", "expected", "as_of", "degraded"];
    let is_empty = match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    let is_usual = match name {
        "standing" => value.as_str() == Some("not_known"),
        "confidence" => value.as_u64() == Some(100),
        _ => false,
    };
    is_usual || (is_empty && known.contains(&name))
}

/// A message of serde without the values that it repeats: `unknown variant` and `invalid type`
/// name what was given.
fn without_values(message: &str) -> String {
    for (begins, plain) in [
        ("unknown variant", "this word is not known here"),
        ("invalid type", "this is of the wrong type"),
        ("invalid value", "this value does not fit"),
    ] {
        if let Some(rest) = message.strip_prefix(begins) {
            let expected = rest.rsplit_once(", expected ").map(|(_, expected)| expected);
            return match expected {
                Some(expected) => format!("{plain}; expected {expected}"),
                None => plain.to_owned(),
            };
        }
    }
    let names_a_field = message.starts_with("missing field")
        || message.starts_with("unknown field")
        || message.starts_with("duplicate field");
    if names_a_field { message.to_owned() } else { "this does not fit".to_owned() }
}

#[cfg(test)]
mod tests;
