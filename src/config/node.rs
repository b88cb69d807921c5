//! A YAML document as a tree in which every key and value knows its line and column.
//!
//! The typed configuration loses places wherever serde buffers (flattened and tagged parts), so
//! the document is read into this tree first, checked here, and only then turned into types. The
//! parser brings the budgets that keep a hostile document from exhausting memory.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::problem::{Place, Problem};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub at: Place,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    /// In the order of the document; the parser refuses repeated keys.
    Map(Vec<(Key, Node)>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub at: Place,
    pub name: String,
}

impl Node {
    /// Reads one YAML (or JSON) document. An empty one is an empty map.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let options = serde_saphyr::options! {
            // Account numbers may begin with a zero, which a number would lose.
            leading_zero_numbers_as_strings: true,
            strict_booleans: true,
        };
        let parsed: Result<Option<Spanned<Value>>, _> =
            serde_saphyr::from_str_with_options(text, options);
        match parsed {
            Ok(Some(spanned)) => Ok(Self::from(spanned)),
            Ok(None) => Ok(Self { at: Place::START, value: Value::Map(Vec::new()) }),
            Err(error) => Err(not_yaml(&error)),
        }
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(k, _)| k.name == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The node at a path such as `rules.stale-identity.overrides[0]`, or the last on the way
    /// that exists.
    #[must_use]
    pub fn nearest(&self, path: &str) -> &Self {
        path.split(['.', '[']).fold(self, |node, step| {
            let next = match step.strip_suffix(']') {
                Some(number) => number.parse::<usize>().ok().and_then(|n| node.items().get(n)),
                None => node.get(step),
            };
            next.unwrap_or(node)
        })
    }

    /// The entries of a list; nothing for any other value.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same without places, for the typed configuration.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::Text(text) => text.clone().into(),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect()
            }
        }
    }
}

impl Value {
    /// What people call such a value, with its article.
    #[must_use]
    pub const fn called(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "keys and values",
        }
    }

    /// The JSON Schema name of its type.
    #[must_use]
    pub fn json_type(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(number) if number.is_f64() => "number",
            Self::Number(_) => "integer",
            Self::Text(_) => "string",
            Self::List(_) => "array",
            Self::Map(_) => "object",
        }
    }
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Self {
        Self { at: place(spanned.referenced), value: spanned.value }
    }
}

fn place(location: Location) -> Place {
    Place { line: location.line(), column: location.column() }
}

/// The parser's own words, without the excerpt of the document that it would print: a secret
/// that somebody pasted may stand there.
fn not_yaml(error: &serde_saphyr::Error) -> Problem {
    let at = error.location().map(place);
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    let message = first.split(" at line ").next().unwrap_or(first);
    // Advice to whoever calls the parser, not to whoever wrote the document.
    let message = message.split(", set ").next().unwrap_or(message);
    Problem::new(at, "", format!("not valid YAML: {message}"))
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a configuration value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        // `.nan` and `.inf` are no JSON numbers; as text they fail where a number is wanted.
        Ok(serde_json::Number::from_f64(value)
            .map_or_else(|| Value::Text(value.to_string()), Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element::<Spanned<Value>>()? {
            items.push(item.into());
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let node: Spanned<Value> = map.next_value()?;
            entries.push((Key { at: place(key.referenced), name: key.value }, node.into()));
        }
        Ok(Value::Map(entries))
    }
}
