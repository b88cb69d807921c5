//! The JSON Schema of a line, made from the types that read it.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use super::{Begin, Done, Failure, REQUIRED, Seen};

/// What a line may be, as a JSON Schema (draft 2020-12).
#[must_use]
pub fn schema() -> Value {
    let mut generator = SchemaGenerator::default();
    for_kinds(&mut generator);
    let mut definitions = generator.take_definitions(true);
    for definition in definitions.values_mut() {
        close(definition);
    }
    for (name, kind) in KINDS {
        if let Some(definition) = definitions.get_mut(name) {
            tag(definition, kind);
        }
    }
    if let Some(observation) = definitions.get_mut("Observation") {
        loosen(observation);
    }
    let kinds: Vec<Value> =
        KINDS.iter().map(|(name, _)| json!({ "$ref": format!("#/$defs/{name}") })).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Headcount observations, version 1: one line",
        "description": "NDJSON. The first line is `begin`; then, per scope, its observations and \
                        one `complete` or `failed`. Without `complete` nothing disappears.",
        "oneOf": kinds,
        "$defs": definitions,
    })
}

/// A kind of line: the name of its type, and the `type` that it carries.
const KINDS: [(&str, &str); 4] =
    [("Begin", "begin"), ("Seen", "observation"), ("Done", "complete"), ("Failure", "failed")];

/// Has every kind of line defined.
fn for_kinds(generator: &mut SchemaGenerator) {
    generator.subschema_for::<Begin>();
    generator.subschema_for::<Seen>();
    generator.subschema_for::<Done>();
    generator.subschema_for::<Failure>();
}

/// Lets an object have no other fields than those it names, and so on inside.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") && !fields.contains_key("oneOf") {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Puts the `type` of a line in front.
fn tag(definition: &mut Value, kind: &str) {
    if let Some(properties) = definition.get_mut("properties").and_then(Value::as_object_mut) {
        let mut tagged = Map::new();
        tagged.insert("type".to_owned(), json!({ "const": kind }));
        tagged.append(properties);
        *properties = tagged;
    }
    match definition.get_mut("required").and_then(Value::as_array_mut) {
        Some(required) => required.insert(0, json!("type")),
        None => definition["required"] = json!(["type"]),
    }
}

/// Demands of an observation only what has no honest default, and names the defaults.
fn loosen(observation: &mut Value) {
    observation["required"] = json!(REQUIRED);
    for (name, default) in super::defaults() {
        if let Some(property) = observation["properties"].get_mut(name)
            && let Some(property) = property.as_object_mut()
        {
            property.insert("default".to_owned(), default.clone());
        }
    }
}
