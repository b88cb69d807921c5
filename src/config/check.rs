//! Checks a document against the JSON Schema of the configuration, and says where and how it
//! differs.
//!
//! It knows the part of JSON Schema that `schemars` writes for our types, no more; the published
//! schema is checked by a full validator in the tests. It is stricter in one point: an object
//! with listed properties takes no others, so that a mistyped key is never silently ignored.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Schema;

use super::node::{Node, Value};
use super::problem::{Place, Problem, nearest, suggestion};

mod say;

use say::{one_of, range, unknown_value, wrong_type};

/// Judges a text that a schema marks with this `pattern` or `format`; the error is the remedy.
pub type TextCheck = fn(&str) -> Result<(), String>;

/// Everything that is wrong with `node`, in the order of the document.
#[must_use]
pub fn check(node: &Node, schema: &Schema, texts: &BTreeMap<&str, TextCheck>) -> Vec<Problem> {
    let checker = Checker { root: schema, texts };
    let mut problems = Vec::new();
    checker.node(node, schema, "", &mut problems);
    problems.sort_by_key(|p| p.at);
    problems
}

struct Checker<'a> {
    root: &'a Schema,
    texts: &'a BTreeMap<&'a str, TextCheck>,
}

/// A schema with its references followed and its parts joined.
#[derive(Default)]
struct Joined<'a> {
    properties: BTreeMap<&'a str, &'a Schema>,
    required: BTreeSet<&'a str>,
    /// The schema of the values under keys that are not listed.
    others: Option<&'a Schema>,
    is_closed: bool,
    items: Option<&'a Schema>,
    types: Vec<&'a str>,
    /// Texts that are allowed (`enum`, `const`).
    fixed: Option<Vec<&'a str>>,
    minimum: Option<f64>,
    maximum: Option<f64>,
    min_items: Option<u64>,
    min_length: Option<u64>,
    marks: Vec<&'a str>,
    /// Groups of alternatives; of each group one has to fit.
    choices: Vec<Vec<&'a Schema>>,
}

impl<'a> Checker<'a> {
    fn node(&self, node: &Node, schema: &'a Schema, path: &str, out: &mut Vec<Problem>) {
        let mut joined = Joined::default();
        self.join(schema, &mut joined);
        self.joined(node, joined, path, out);
    }

    fn joined(&self, node: &Node, mut joined: Joined<'a>, path: &str, out: &mut Vec<Problem>) {
        for group in std::mem::take(&mut joined.choices) {
            match self.choose(node, &group, path) {
                Ok(Some(chosen)) => self.join(chosen, &mut joined),
                Ok(None) => {}
                Err(problem) => {
                    out.push(problem);
                    return self.shared(node, &joined, path, out);
                }
            }
            if !joined.choices.is_empty() {
                return self.joined(node, joined, path, out);
            }
        }
        let before = out.len();
        self.kind(node, &joined, path, out);
        if out.len() > before {
            return;
        }
        match &node.value {
            Value::Map(_) => self.map(node, &joined, path, out),
            Value::List(items) => self.list(node.at, items, &joined, path, out),
            Value::Text(text) => self.text(node.at, text, &joined, path, out),
            Value::Number(number) => range(node.at, number, &joined, path, out),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// What can be said although it is open which alternative was meant.
    fn shared(&self, node: &Node, joined: &Joined<'a>, path: &str, out: &mut Vec<Problem>) {
        let Value::Map(entries) = &node.value else { return };
        for (key, value) in entries {
            if let Some(schema) = joined.properties.get(key.name.as_str()) {
                self.node(value, schema, &joint(path, &key.name), out);
            }
        }
    }

    fn join(&self, schema: &'a Schema, into: &mut Joined<'a>) {
        if let Some(name) = text_of(schema, "$ref").and_then(|r| r.strip_prefix("#/$defs/"))
            && let Some(target) = self.root.get("$defs").and_then(|defs| defs.get(name))
        {
            self.join(target, into);
        }
        for part in list_of(schema, "allOf") {
            self.join(part, into);
        }
        for group in ["oneOf", "anyOf"] {
            let choices: Vec<&Schema> = list_of(schema, group).collect();
            if !choices.is_empty() {
                into.choices.push(choices);
            }
        }
        if let Some(properties) = schema.get("properties").and_then(Schema::as_object) {
            into.properties.extend(properties.iter().map(|(k, v)| (k.as_str(), v)));
        }
        into.required.extend(list_of(schema, "required").filter_map(Schema::as_str));
        for other in ["additionalProperties", "unevaluatedProperties"] {
            into.others = into.others.or(schema.get(other).filter(|s| s.is_object()));
            into.is_closed |= schema.get(other) == Some(&Schema::Bool(false));
        }
        into.items = into.items.or(schema.get("items"));
        match schema.get("type") {
            Some(Schema::String(name)) => into.types = vec![name],
            Some(Schema::Array(names)) => {
                into.types = names.iter().filter_map(Schema::as_str).collect();
            }
            _ => {}
        }
        if let Some(text) = text_of(schema, "const") {
            into.fixed = Some(vec![text]);
        } else if schema.get("enum").is_some() {
            into.fixed = Some(list_of(schema, "enum").filter_map(Schema::as_str).collect());
        }
        let number = |key| schema.get(key).and_then(Schema::as_f64);
        into.minimum = number("minimum").or(into.minimum);
        into.maximum = number("maximum").or(into.maximum);
        into.min_items = schema.get("minItems").and_then(Schema::as_u64).or(into.min_items);
        into.min_length = schema.get("minLength").and_then(Schema::as_u64).or(into.min_length);
        into.marks.extend(["pattern", "format"].iter().filter_map(|key| text_of(schema, key)));
    }

    /// The alternative that was meant. `None`: the value may be anything of the group.
    fn choose(
        &self,
        node: &Node,
        group: &[&'a Schema],
        path: &str,
    ) -> Result<Option<&'a Schema>, Problem> {
        let parts: Vec<(&'a Schema, Joined<'a>)> = group
            .iter()
            .map(|schema| {
                let mut joined = Joined::default();
                self.join(schema, &mut joined);
                (*schema, joined)
            })
            .collect();
        if let Some(tag) = tag_of(&parts) {
            return by_tag(node, &parts, tag, path).map(Some);
        }
        let fits_type = |j: &Joined<'_>| {
            j.types.is_empty() || j.types.iter().any(|t| type_fits(t, &node.value))
        };
        let fitting: Vec<_> = parts.iter().filter(|(_, j)| fits_type(j)).collect();
        if fitting.is_empty() {
            return Err(wrong_type(node, parts.iter().map(|(_, j)| j), path));
        }
        if let Some(text) = node.text() {
            return by_text(node, text, &fitting, path);
        }
        Ok(self.by_likeness(node, &fitting))
    }

    /// The alternative with the fewest problems; of several, the one that knows most of the keys.
    fn by_likeness(
        &self,
        node: &Node,
        fitting: &[&(&'a Schema, Joined<'a>)],
    ) -> Option<&'a Schema> {
        fitting
            .iter()
            .min_by_key(|(schema, joined)| {
                let strange = match &node.value {
                    Value::Map(entries) => {
                        let known = entries
                            .iter()
                            .filter(|(k, _)| joined.properties.contains_key(k.name.as_str()))
                            .count();
                        let has_required =
                            entries.iter().any(|(k, _)| joined.required.contains(k.name.as_str()));
                        (entries.len() - known) + usize::from(!has_required)
                    }
                    _ => 0,
                };
                let mut problems = Vec::new();
                self.node(node, schema, "", &mut problems);
                (strange, problems.len())
            })
            .map(|(schema, _)| *schema)
    }

    fn kind(&self, node: &Node, joined: &Joined<'a>, path: &str, out: &mut Vec<Problem>) {
        let types = &joined.types;
        if !types.is_empty() && !types.iter().any(|t| type_fits(t, &node.value)) {
            out.push(wrong_type(node, std::iter::once(joined), path));
        }
    }

    fn map(&self, node: &Node, joined: &Joined<'a>, path: &str, out: &mut Vec<Problem>) {
        let Value::Map(entries) = &node.value else { return };
        let mut meant = BTreeSet::new();
        for (key, value) in entries {
            let inner = joint(path, &key.name);
            match joined.properties.get(key.name.as_str()).copied().or(joined.others) {
                Some(schema) => self.node(value, schema, &inner, out),
                None if joined.properties.is_empty() && !joined.is_closed => {}
                None => {
                    let known = joined.properties.keys().copied();
                    meant.extend(nearest(&key.name, known.clone()));
                    let message = format!("unknown key{}", suggestion(&key.name, known));
                    out.push(Problem::new(Some(key.at), &inner, message));
                }
            }
        }
        for name in &joined.required {
            if node.get(name).is_none() && !meant.contains(name) {
                out.push(Problem::new(Some(node.at), path, format!("`{name}` is missing")));
            }
        }
    }

    fn list(
        &self,
        at: Place,
        items: &[Node],
        joined: &Joined<'a>,
        path: &str,
        out: &mut Vec<Problem>,
    ) {
        if joined.min_items.is_some_and(|min| (items.len() as u64) < min) {
            out.push(Problem::new(Some(at), path, "needs at least one entry".to_owned()));
        }
        if let Some(schema) = joined.items {
            for (number, item) in items.iter().enumerate() {
                self.node(item, schema, &format!("{path}[{number}]"), out);
            }
        }
    }

    fn text(&self, at: Place, text: &str, joined: &Joined<'a>, path: &str, out: &mut Vec<Problem>) {
        if let Some(fixed) = &joined.fixed
            && !fixed.contains(&text)
        {
            out.push(unknown_value(at, text, fixed, path));
        }
        if text.is_empty() && joined.min_length.is_some_and(|min| min > 0) {
            out.push(Problem::new(Some(at), path, "must not be empty".to_owned()));
        }
        for mark in &joined.marks {
            if let Some(check) = self.texts.get(mark)
                && let Err(remedy) = check(text)
            {
                out.push(Problem::new(Some(at), path, remedy));
            }
        }
    }
}

/// The property by whose fixed text all alternatives are told apart.
fn tag_of<'a>(parts: &[(&'a Schema, Joined<'a>)]) -> Option<&'a str> {
    let (_, first) = parts.first()?;
    first.properties.keys().copied().find(|name| {
        parts.iter().all(|(_, joined)| {
            joined.required.contains(name)
                && joined.properties.get(name).is_some_and(|s| text_of(s, "const").is_some())
        })
    })
}

fn by_tag<'a>(
    node: &Node,
    parts: &[(&'a Schema, Joined<'a>)],
    tag: &str,
    path: &str,
) -> Result<&'a Schema, Problem> {
    let Value::Map(_) = &node.value else {
        return Err(wrong_type(node, parts.iter().map(|(_, j)| j), path));
    };
    let allowed: Vec<(&str, &'a Schema)> = parts
        .iter()
        .filter_map(|(schema, j)| {
            j.properties.get(tag).and_then(|s| text_of(s, "const")).map(|text| (text, *schema))
        })
        .collect();
    let names: Vec<&str> = allowed.iter().map(|(name, _)| *name).collect();
    let Some(given) = node.get(tag) else {
        let message = format!("`{tag}` is missing ({})", one_of(&names));
        return Err(Problem::new(Some(node.at), path, message));
    };
    let inner = joint(path, tag);
    let Some(text) = given.text() else {
        return Err(Problem::new(Some(given.at), &inner, format!("expected {}", one_of(&names))));
    };
    allowed
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, schema)| *schema)
        .ok_or_else(|| unknown_value(given.at, text, &names, &inner))
}

fn by_text<'a>(
    node: &Node,
    text: &str,
    fitting: &[&(&'a Schema, Joined<'a>)],
    path: &str,
) -> Result<Option<&'a Schema>, Problem> {
    let open = fitting.iter().find(|(_, j)| j.fixed.is_none());
    let exact = fitting.iter().find(|(_, j)| j.fixed.as_ref().is_some_and(|f| f.contains(&text)));
    match exact.or(open) {
        Some((schema, _)) => Ok(Some(schema)),
        None => {
            let names: Vec<&str> =
                fitting.iter().flat_map(|(_, j)| j.fixed.iter().flatten().copied()).collect();
            Err(unknown_value(node.at, text, &names, path))
        }
    }
}

fn type_fits(name: &str, value: &Value) -> bool {
    name == value.json_type() || (name == "number" && value.json_type() == "integer")
}

fn joint(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn text_of<'a>(schema: &'a Schema, key: &str) -> Option<&'a str> {
    schema.get(key).and_then(Schema::as_str)
}

fn list_of<'a>(schema: &'a Schema, key: &str) -> impl Iterator<Item = &'a Schema> {
    schema.get(key).and_then(Schema::as_array).into_iter().flatten()
}
