//! Which parts of an answer are kept, and a parser that keeps no other.
//!
//! Answers of reading calls hold secrets more often than their makers think. What a description
//! does not list is skipped while the text is parsed, without ever becoming a value; so is every
//! field on its deny list, at any depth, also inside of what is listed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The paths to keep. Lists are looked through: a path applies to each of their items.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    root: Node,
    deny: Arc<BTreeSet<String>>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Keep everything below.
    whole: bool,
    fields: BTreeMap<String, Node>,
    /// Applies to every entry of an object, whatever its name.
    any: Option<Box<Node>>,
}

/// Stands in a path for every entry of an object.
pub const EACH: &str = "*";

/// The name in a step: `owners` of `owners[]`, which is a list that may be missing as a whole.
#[must_use]
pub fn bare(step: &str) -> &str {
    step.strip_suffix("[]").unwrap_or(step)
}

/// The steps of a dotted path; `\\.` is a dot in a name. An empty path has none.
#[must_use]
pub fn steps(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    let mut step = String::new();
    let mut chars = path.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&'.') => step.extend(chars.next()),
            '.' => steps.push(std::mem::take(&mut step)),
            _ => step.push(c),
        }
    }
    steps.push(step);
    steps.retain(|step| !step.is_empty());
    steps
}

impl Shape {
    #[must_use]
    pub fn new(deny: &[String]) -> Self {
        Self { root: Node::default(), deny: Arc::new(deny.iter().cloned().collect()) }
    }

    /// Keeps what stands at a dotted path; an empty path is the whole answer.
    pub fn keep(&mut self, path: &str) {
        self.node(path).whole = true;
    }

    /// Keeps that something stands there, and nothing of it.
    pub fn open(&mut self, path: &str) {
        self.node(path);
    }

    fn node(&mut self, path: &str) -> &mut Node {
        steps(path).into_iter().fold(&mut self.root, |node, step| match step.as_str() {
            EACH => &mut **node.any.get_or_insert_default(),
            _ => node.fields.entry(bare(&step).to_owned()).or_default(),
        })
    }

    /// Parses a text. `None`: it is not JSON from its first byte to its last.
    #[must_use]
    pub fn parse(&self, text: &[u8]) -> Option<Value> {
        let mut parser = serde_json::Deserializer::from_slice(text);
        let value = Keep { node: &self.root, deny: &self.deny }.deserialize(&mut parser).ok()?;
        parser.end().ok()?;
        Some(value)
    }
}

#[derive(Clone, Copy)]
struct Keep<'a> {
    node: &'a Node,
    deny: &'a BTreeSet<String>,
}

impl Keep<'_> {
    /// A text or number that nobody asked for is not kept either.
    fn leaf(self, value: impl Into<Value>) -> Value {
        if self.node.whole { value.into() } else { Value::Null }
    }
}

impl<'de> DeserializeSeed<'de> for Keep<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Keep<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(self.leaf(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(self.leaf(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(self.leaf(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(self.leaf(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(if self.node.whole { Value::String(value.to_owned()) } else { Value::Null })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let below = self.node.fields.get(&name).or(self.node.any.as_deref());
            let below = below.or_else(|| self.node.whole.then_some(self.node));
            match below {
                Some(node) if !self.deny.contains(&name) => {
                    let value = object.next_value_seed(Keep { node, deny: self.deny })?;
                    fields.insert(name, value);
                }
                _ => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

    use serde_json::json;

    use super::*;

    fn check(keep: &[&str], text: &str, expected: Option<Value>) {
        let mut shape = Shape::new(&["client_secret".to_owned(), "password".to_owned()]);
        keep.iter().for_each(|path| shape.keep(path));
        assert_eq!(shape.parse(text.as_bytes()), expected, "{keep:?} of {text}");
    }

    #[test]
    fn only_what_is_listed_is_kept_and_nothing_that_is_denied() {
        let text = r#"{"data":[{"id":"a","secret":"MARKED","owner":{"id":1,"password":"MARKED"}},
            {"id":"b","client_secret":"MARKED","more":[{"client_secret":"MARKED"}]}],"next":null}"#;
        check(
            &["data.id", "data.owner", "next"],
            text,
            Some(json!({"data": [{"id": "a", "owner": {"id": 1}}, {"id": "b"}], "next": null})),
        );
        check(
            &["@odata\\.next"],
            r#"{"@odata.next":1,"@odata":{"next":2}}"#,
            Some(json!({"@odata.next": 1})),
        );
        check(&["data.more"], text, Some(json!({"data": [{}, {"more": [{}]}]})));
        check(&["data.client_secret"], text, Some(json!({"data": [{}, {}]})));
        check(
            &["*.id"],
            r#"{"x":{"id":1,"s":2},"y":{"id":3}}"#,
            Some(json!({"x":{"id":1},"y":{"id":3}})),
        );
        check(&["id"], r#"[{"id":"a","s":"MARKED"}]"#, Some(json!([{"id": "a"}])));
        check(&[""], r#"["a","b"]"#, Some(json!(["a", "b"])));
        check(&["id"], r#"["MARKED"]"#, Some(json!([null])));
        check(&["id"], r#"{"id":1.5,"x":-1}"#, Some(json!({"id": 1.5})));
    }

    #[test]
    fn a_text_that_is_cut_or_goes_on_is_no_answer() {
        let text = r#"{"data":[{"id":"a","x":["y",{"z":1}]}]}"#;
        for end in 0..text.len() {
            check(&["data.id"], text.get(..end).unwrap(), None);
        }
        check(&["data.id"], &format!("{text}{{"), None);
        check(&["data.id"], "<html>", None);
    }
}
