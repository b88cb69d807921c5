//! The sentences: what is wrong with a value, and the remedy.

use super::Joined;
use crate::config::node::{Node, Value};
use crate::config::problem::{Place, Problem, suggestion};

pub(super) fn unknown_value(at: Place, text: &str, allowed: &[&str], path: &str) -> Problem {
    let hint = suggestion(text, allowed.iter().copied());
    Problem::new(Some(at), path, format!("unknown value `{text}`{hint}"))
}

pub(super) fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    match quoted.as_slice() {
        [only] => only.clone(),
        _ => format!("one of {}", quoted.join(", ")),
    }
}

pub(super) fn wrong_type<'a, 'b: 'a>(
    node: &Node,
    expected: impl Iterator<Item = &'a Joined<'b>>,
    path: &str,
) -> Problem {
    let mut names: Vec<String> = Vec::new();
    for joined in expected {
        for name in &joined.types {
            let words = match (*name, &joined.fixed) {
                ("string", Some(fixed)) => one_of(fixed),
                ("string", None) => "text".to_owned(),
                ("integer", _) => "a whole number".to_owned(),
                ("number", _) => "a number".to_owned(),
                ("boolean", _) => "`true` or `false`".to_owned(),
                ("array", _) => "a list".to_owned(),
                ("object", _) => "keys and values".to_owned(),
                _ => continue,
            };
            if !names.contains(&words) {
                names.push(words);
            }
        }
    }
    let expected = names.join(" or ");
    let remedy = match &node.value {
        Value::Number(_) | Value::Bool(_) if expected == "text" => "; put it in quotes",
        Value::Text(text) if looks_unquoted(text, &expected) => "; write it without quotes",
        Value::Null => "; leave the key out for the default",
        Value::Text(_) | Value::Map(_) if expected == "a list" => {
            "; begin each entry with `- ` or write it in [brackets]"
        }
        _ => "",
    };
    let message = format!("expected {expected}, found {}{remedy}", node.value.called());
    Problem::new(Some(node.at), path, message)
}

fn looks_unquoted(text: &str, expected: &str) -> bool {
    match expected {
        "a whole number" => text.parse::<i64>().is_ok(),
        "a number" => text.parse::<f64>().is_ok(),
        "`true` or `false`" => matches!(text, "true" | "false"),
        _ => false,
    }
}

pub(super) fn range(
    at: Place,
    number: &serde_json::Number,
    joined: &Joined<'_>,
    path: &str,
    out: &mut Vec<Problem>,
) {
    let Some(value) = number.as_f64() else { return };
    let bounds = match (joined.minimum, joined.maximum) {
        (Some(min), Some(max)) if value < min || value > max => format!("from {min} to {max}"),
        (Some(min), _) if value < min => format!("{min} or more"),
        (_, Some(max)) if value > max => format!("{max} or less"),
        _ => return,
    };
    out.push(Problem::new(Some(at), path, format!("{number} is out of range; allowed: {bounds}")));
}
