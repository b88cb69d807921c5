//! Reads a query: selections with aliases, arguments, variables, fragments, `@include`, `@skip`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A query with its variables put in.
#[derive(Debug)]
pub(in crate::github) struct Query {
    pub(super) selections: Vec<Selection>,
    pub(super) fragments: BTreeMap<String, (String, Vec<Selection>)>,
}

/// One member of a selection set.
#[derive(Clone, Debug)]
pub(super) enum Selection {
    Field(Field),
    On(Option<String>, Vec<Selection>),
    Spread(String),
}

/// A field under the name that it is answered by.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) key: String,
    pub(super) name: String,
    pub(super) args: BTreeMap<String, Value>,
    pub(super) selections: Vec<Selection>,
}

impl Field {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.args.get(name).and_then(Value::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.args.get(name).and_then(Value::as_u64)
    }
}

impl Query {
    /// Reads the body of a request; the error is the answer.
    pub(in crate::github) fn read(body: &[u8]) -> Result<Self, Value> {
        let wrong = |message: &str| json!({"errors": [{"message": message, "locations": []}]});
        let body: Value = serde_json::from_slice(body)
            .map_err(|_| wrong("A query attribute must be specified"))?;
        let text = body["query"]
            .as_str()
            .ok_or_else(|| wrong("A query attribute must be specified and must be a string."))?;
        let mut parser = Parser {
            tokens: tokens(text),
            at: 0,
            variables: body["variables"].as_object().cloned().unwrap_or_default(),
        };
        parser.document().map_err(|found| wrong(&format!("Parse error on \"{found}\"")))
    }

    /// What GitHub takes for it: one point for each 100 requests that its connections stand for.
    pub(in crate::github) fn cost(&self) -> u64 {
        (self.weigh(&self.selections, 1).0 / 100).max(1)
    }

    /// How many nodes it could return.
    pub(in crate::github) fn nodes(&self) -> u64 {
        self.weigh(&self.selections, 1).1
    }

    fn weigh(&self, selections: &[Selection], times: u64) -> (u64, u64) {
        let mut sum = (0, 0);
        for selection in selections {
            let (requests, nodes) = match selection {
                Selection::On(_, inner) => self.weigh(inner, times),
                Selection::Spread(name) => {
                    self.fragments.get(name).map_or((0, 0), |(_, inner)| self.weigh(inner, times))
                }
                Selection::Field(field) => match field.number("first").or(field.number("last")) {
                    None => self.weigh(&field.selections, times),
                    Some(first) => {
                        let inner = self.weigh(&field.selections, times.saturating_mul(first));
                        (inner.0 + times, inner.1 + times.saturating_mul(first))
                    }
                },
            };
            sum = (sum.0 + requests, sum.1 + nodes);
        }
        sum
    }
}

struct Parser {
    tokens: Vec<String>,
    at: usize,
    variables: Map<String, Value>,
}

/// What stood where something else was wanted.
type Parsed<T> = Result<T, String>;

impl Parser {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        let token = self.peek().to_owned();
        self.at += 1;
        token
    }

    fn accept(&mut self, token: &str) -> bool {
        let found = self.peek() == token;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, token: &str) -> Parsed<()> {
        if self.accept(token) { Ok(()) } else { Err(self.peek().to_owned()) }
    }

    fn name(&mut self) -> Parsed<String> {
        let start = self.peek().chars().next();
        if start.is_some_and(|first| first.is_ascii_alphabetic() || first == '_') {
            return Ok(self.next());
        }
        Err(self.peek().to_owned())
    }

    fn document(&mut self) -> Parsed<Query> {
        let (mut selections, mut fragments) = (Vec::new(), BTreeMap::new());
        while self.at < self.tokens.len() {
            if self.accept("fragment") {
                let name = self.name()?;
                self.expect("on")?;
                let kind = self.name()?;
                fragments.insert(name, (kind, self.selections()?));
                continue;
            }
            if self.accept("query") {
                if self.peek() != "(" && self.peek() != "{" {
                    self.name()?;
                }
                if self.accept("(") {
                    self.definitions()?;
                }
            }
            selections = self.selections()?;
        }
        if selections.is_empty() {
            return Err("end of file".to_owned());
        }
        Ok(Query { selections, fragments })
    }

    /// `$org: String!, $first: Int = 50)`
    fn definitions(&mut self) -> Parsed<()> {
        while !self.accept(")") {
            self.expect("$")?;
            let name = self.name()?;
            self.expect(":")?;
            while matches!(self.peek(), "[" | "]" | "!")
                || self.peek() != "=" && {
                    let token = self.peek();
                    token != "$" && token != ")" && !token.is_empty()
                }
            {
                self.next();
            }
            if self.accept("=") {
                let value = self.value()?;
                self.variables.entry(name).or_insert(value);
            }
        }
        Ok(())
    }

    fn selections(&mut self) -> Parsed<Vec<Selection>> {
        self.expect("{")?;
        let mut selections = Vec::new();
        while !self.accept("}") {
            let (selection, kept) = self.selection()?;
            if kept {
                selections.push(selection);
            }
        }
        Ok(selections)
    }

    fn selection(&mut self) -> Parsed<(Selection, bool)> {
        if self.accept("...") {
            if self.accept("on") {
                let kind = self.name()?;
                let kept = self.directives()?;
                return Ok((Selection::On(Some(kind), self.selections()?), kept));
            }
            if self.peek() == "{" || self.peek() == "@" {
                let kept = self.directives()?;
                return Ok((Selection::On(None, self.selections()?), kept));
            }
            let name = self.name()?;
            let kept = self.directives()?;
            return Ok((Selection::Spread(name), kept));
        }
        let key = self.name()?;
        let name = if self.accept(":") { self.name()? } else { key.clone() };
        let args = self.arguments()?;
        let kept = self.directives()?;
        let selections = if self.peek() == "{" { self.selections()? } else { Vec::new() };
        Ok((Selection::Field(Field { key, name, args, selections }), kept))
    }

    fn arguments(&mut self) -> Parsed<BTreeMap<String, Value>> {
        let mut args = BTreeMap::new();
        if self.accept("(") {
            while !self.accept(")") {
                let name = self.name()?;
                self.expect(":")?;
                args.insert(name, self.value()?);
            }
        }
        Ok(args)
    }

    /// Whether the directives keep what they stand on.
    fn directives(&mut self) -> Parsed<bool> {
        let mut kept = true;
        while self.accept("@") {
            let name = self.name()?;
            let when = self.arguments()?.get("if").and_then(Value::as_bool).unwrap_or(true);
            kept &= when == (name != "skip");
        }
        Ok(kept)
    }

    fn value(&mut self) -> Parsed<Value> {
        let token = self.next();
        match token.as_str() {
            "$" => {
                let name = self.name()?;
                Ok(self.variables.get(&name).cloned().unwrap_or(Value::Null))
            }
            "[" => {
                let mut list = Vec::new();
                while !self.accept("]") {
                    list.push(self.value()?);
                }
                Ok(Value::Array(list))
            }
            "{" => {
                let mut object = Map::new();
                while !self.accept("}") {
                    let name = self.name()?;
                    self.expect(":")?;
                    object.insert(name, self.value()?);
                }
                Ok(Value::Object(object))
            }
            "true" => Ok(json!(true)),
            "false" => Ok(json!(false)),
            "null" => Ok(Value::Null),
            "" => Err("end of file".to_owned()),
            _ if token.starts_with('"')
                || token.starts_with(|c: char| c == '-' || c.is_ascii_digit()) =>
            {
                serde_json::from_str(&token).map_err(|_| token)
            }
            // An enum value.
            _ => Ok(json!(token)),
        }
    }
}

/// Names, numbers, strings with their quotes, `...`, and single signs. Commas are blanks.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_whitespace() || first == ',' || first == '\u{feff}' {
            rest = &rest[first.len_utf8()..];
            continue;
        } else if first == '#' {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
            continue;
        } else if rest.starts_with("...") {
            3
        } else if first == '"' {
            string_length(rest)
        } else if first.is_ascii_alphanumeric() || first == '_' || first == '-' {
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c)))
                .unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        tokens.push(rest[..length].to_owned());
        rest = &rest[length..];
    }
    tokens
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, sign) in text.char_indices().skip(1) {
        match sign {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}
