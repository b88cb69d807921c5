//! Pure: an item as it was parsed → an item in which every listed field is there.

use serde_json::{Map, Value};

use crate::describe::Operation;
use crate::shape::{EACH, bare, steps};

/// Checks what must be there and writes `null` for what may be missing, so that expressions can
/// ask for either. `Err` is the path of what is missing.
pub fn complete(operation: &Operation, mut item: Value) -> Result<Value, String> {
    let missing = |path: &&String, leaf| !is_there(&item, &steps(path), leaf);
    if let Some(path) = operation.required.iter().find(|path| missing(path, told)) {
        return Err(path.clone());
    }
    if let Some(path) = operation.nullable.iter().find(|path| missing(path, said)) {
        return Err(path.clone());
    }
    for path in &operation.optional {
        fill(&mut item, &steps(path));
    }
    Ok(item)
}

/// The value at a dotted path of an answer.
#[must_use]
pub fn at<'a>(answer: &'a Value, path: &str) -> Option<&'a Value> {
    steps(path).iter().try_fold(answer, |value, step| value.get(bare(step)))
}

/// What must stand at the end of a path.
type Leaf = fn(&Value) -> bool;

fn told(value: &Value) -> bool {
    !value.is_null()
}

fn said(_: &Value) -> bool {
    true
}

fn is_there(value: &Value, path: &[String], leaf: Leaf) -> bool {
    let Some((step, rest)) = path.split_first() else { return leaf(value) };
    match value {
        // In a list, each must have it.
        Value::Array(items) => items.iter().all(|item| is_there(item, path, leaf)),
        Value::Object(fields) if step == EACH => {
            fields.values().all(|field| is_there(field, rest, leaf))
        }
        Value::Object(fields) => fields.get(bare(step)).is_some_and(|field| {
            (bare(step) == step || field.is_array()) && is_there(field, rest, leaf)
        }),
        _ => false,
    }
}

fn fill(value: &mut Value, path: &[String]) {
    let Some((step, rest)) = path.split_first() else { return };
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, path)),
        Value::Object(fields) if step == EACH => {
            fields.values_mut().for_each(|field| fill(field, rest));
        }
        Value::Object(fields) => {
            let field = fields.entry(bare(step)).or_insert(Value::Null);
            // A list that is missing as a whole stays null.
            if !rest.is_empty() && (bare(step) == step || field.is_array()) {
                fill(field, rest);
            }
        }
        _ => {}
    }
}

/// The items of an answer, in its order. `Err` is the path of what has another shape.
pub fn items(operation: &Operation, mut answer: Value) -> Result<Vec<Value>, String> {
    use crate::describe::Answer;
    let path = operation.items.as_deref().unwrap_or_default();
    let found = steps(path).iter().try_fold(&mut answer, |value, step| value.get_mut(bare(step)));
    let wrong = || if path.is_empty() { "the answer".to_owned() } else { path.to_owned() };
    let Some(found) = found.map(Value::take) else {
        let empty = operation.omits_empty && answer.is_object();
        return if empty { Ok(Vec::new()) } else { Err(wrong()) };
    };
    match (operation.answer, found) {
        (Answer::List, Value::Array(items)) => Ok(items),
        (Answer::One, item @ Value::Object(_)) => Ok(vec![item]),
        (Answer::Entries, Value::Object(entries)) => {
            let pair = |(key, value): (String, Value)| {
                let fields = [("key".to_owned(), Value::String(key)), ("value".to_owned(), value)];
                Value::Object(fields.into_iter().collect())
            };
            Ok(entries.into_iter().map(pair).collect())
        }
        (Answer::Rows, Value::Array(rows)) => {
            rows.into_iter().map(|row| named(operation, row).ok_or_else(wrong)).collect()
        }
        _ => Err(wrong()),
    }
}

fn named(operation: &Operation, row: Value) -> Option<Value> {
    let Value::Array(cells) = row else { return None };
    (cells.len() == operation.columns.len())
        .then(|| Value::Object(operation.columns.iter().cloned().zip(cells).collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

    use serde_json::json;

    use super::*;

    fn operation(yaml: &str) -> Operation {
        serde_saphyr::from_str(&format!("path: /x\npermission: p\nwhy: w\n{yaml}")).unwrap()
    }

    #[test]
    fn a_required_field_is_there_or_named() {
        let op = operation("required: [id, owner.id, keys.kid]\noptional: [seen, a.b, keys.use]");
        let check = |item: Value, expected: Result<Value, &str>| {
            assert_eq!(complete(&op, item.clone()), expected.map_err(str::to_owned), "{item}");
        };
        check(
            json!({"id": 1, "owner": {"id": "o"}, "keys": [{"kid": "k"}]}),
            Ok(json!({"id": 1, "owner": {"id": "o"}, "keys": [{"kid": "k", "use": null}],
                "seen": null, "a": {"b": null}})),
        );
        check(json!({"id": null, "owner": {"id": "o"}, "keys": []}), Err("id"));
        check(json!({"id": 1, "owner": {}, "keys": []}), Err("owner.id"));
        check(json!({"id": 1, "owner": null, "keys": []}), Err("owner.id"));
        check(json!({"id": 1, "owner": {"id": "o"}}), Err("keys.kid"));
        check(json!({"id": 1, "owner": {"id": "o"}, "keys": [{"kid": "k"}, {}]}), Err("keys.kid"));
        check(json!("text"), Err("id"));
    }

    #[test]
    fn a_field_that_may_be_null_is_still_there() {
        let op = operation("nullable: [seen, keys.seen]");
        let check = |item: Value, expected: Result<(), &str>| {
            let outcome = complete(&op, item.clone()).map(drop);
            assert_eq!(outcome, expected.map_err(str::to_owned), "{item}");
        };
        check(json!({"seen": null, "keys": [{"seen": null}, {"seen": 1}]}), Ok(()));
        check(json!({"seen": 1, "keys": []}), Ok(()));
        check(json!({"keys": []}), Err("seen"));
        check(json!({"seen": null, "keys": [{"seen": null}, {}]}), Err("keys.seen"));
        check(json!({"seen": null}), Err("keys.seen"));
    }

    #[test]
    fn a_list_that_is_missing_stays_null() {
        let op = operation("required: [\"keys[].kid\"]\noptional: [\"owners[].id\"]");
        let check = |item: Value, expected: Result<Value, &str>| {
            assert_eq!(complete(&op, item.clone()), expected.map_err(str::to_owned), "{item}");
        };
        check(json!({"keys": []}), Ok(json!({"keys": [], "owners": null})));
        check(
            json!({"keys": [{"kid": 1}], "owners": [{}]}),
            Ok(json!({"keys": [{"kid": 1}], "owners": [{"id": null}]})),
        );
        check(json!({}), Err("keys[].kid"));
        check(json!({"keys": {"kid": 1}}), Err("keys[].kid"));
    }

    #[test]
    fn items_have_one_of_four_shapes() {
        let check = |yaml: &str, answer: Value, expected: Result<Value, &str>| {
            let found = items(&operation(yaml), answer).map(Value::Array);
            assert_eq!(found, expected.map_err(str::to_owned), "{yaml}");
        };
        check("items: data.keys", json!({"data": {"keys": ["a"]}}), Ok(json!(["a"])));
        check("", json!([1, 2]), Ok(json!([1, 2])));
        check("", json!({"data": []}), Err("the answer"));
        check("items: data", json!({}), Err("data"));
        check("items: data", json!({"data": null}), Err("data"));
        check("items: data\nomits_empty: true", json!({}), Ok(json!([])));
        check("items: data\nomits_empty: true", json!([]), Err("data"));
        check("answer: one", json!({"id": 1}), Ok(json!([{"id": 1}])));
        check("answer: entries", json!({"a/": 1}), Ok(json!([{"key": "a/", "value": 1}])));
        check("answer: rows\ncolumns: [a, b]", json!([[1, 2]]), Ok(json!([{"a": 1, "b": 2}])));
        check("answer: rows\ncolumns: [a, b]", json!([[1]]), Err("the answer"));
    }
}
