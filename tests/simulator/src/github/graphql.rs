//! GraphQL queries: read, priced, and answered from the same hub as REST.
//!
//! Fields are those that an inventory asks for; any other is answered as an unknown field, so a
//! misspelt query fails here as it would at GitHub. Errors that bubble up do so by the
//! nullability of GitHub's schema: a denied `deployKeys` takes its repository with it.

mod fields;
mod parse;

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

pub(super) use self::parse::Query;
use self::parse::{Field, Selection};
use super::auth::{Bearer, Budget};
use super::model::{Hub, Installation};
use crate::fault::Fault;
use crate::serving::Turn;

/// One execution.
#[derive(Debug)]
pub(super) struct Run<'a> {
    hub: &'a Hub,
    bearer: &'a Bearer,
    budget: &'a Budget,
    query: &'a Query,
    turn: &'a Turn,
    errors: RefCell<Vec<Value>>,
    /// The query is wrong: there is no data at all.
    invalid: RefCell<bool>,
}

type Path = Vec<Value>;

/// What a field comes to; `Err`: null, and so is what contains it where null is not allowed.
type Resolved = Result<Value, Bubble>;

/// A null that its parent may not hold.
#[derive(Debug)]
pub(super) struct Bubble;

/// The answer to a query, `data` and `errors`.
pub(super) fn execute(
    hub: &Hub,
    bearer: &Bearer,
    query: &Query,
    (budget, turn): (&Budget, &Turn),
) -> Value {
    let (errors, invalid) = Default::default();
    let run = Run { hub, bearer, budget, query, turn, errors, invalid };
    let data =
        run.object("Query", &query.selections, &Vec::new(), &|field, path| run.root(field, path));
    let mut answer = Map::new();
    if !*run.invalid.borrow() {
        answer.insert("data".to_owned(), data.unwrap_or(Value::Null));
    }
    let errors = run.errors.into_inner();
    if !errors.is_empty() {
        answer.insert("errors".to_owned(), json!(errors));
    }
    Value::Object(answer)
}

/// What an integration without any permission gets.
pub(super) fn forbidden() -> Value {
    let error = json!({
        "type": "FORBIDDEN", "path": ["organization"], "locations": [{"line": 1, "column": 1}],
        "extensions": {"saml_failure": false},
        "message": "Resource not accessible by integration",
    });
    json!({"data": {"organization": null}, "errors": [error]})
}

/// A made-up object id: 40 digits that change with the text.
pub(super) fn oid(text: &str) -> String {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{state:016x}{:016x}{:08x}", state.rotate_left(17), text.len())
}

/// Rows of a connection: a key that orders them, and the row.
type Rows<T> = Vec<(String, T)>;

impl<'a> Run<'a> {
    fn installation(&self) -> Option<&'a Installation> {
        match self.bearer {
            Bearer::Installation { org, id } => {
                self.hub.organizations.get(org).and_then(|org| org.installations.get(id))
            }
            _ => None,
        }
    }

    /// Whether an installation holds one of these permissions. An owner may all.
    fn may(&self, permissions: &[&str]) -> bool {
        self.installation().is_none_or(|found| {
            permissions.iter().any(|permission| found.permissions.contains_key(*permission))
        })
    }

    fn error(&self, kind: &str, path: &Path, message: &str) {
        let mut error = json!({
            "type": kind, "path": path, "locations": [{"line": 1, "column": 1}],
            "message": message,
        });
        if kind == "FORBIDDEN" {
            error["extensions"] = json!({"saml_failure": false});
        }
        self.errors.borrow_mut().push(error);
    }

    fn unknown(&self, on: &str, field: &Field) -> Resolved {
        self.errors.borrow_mut().push(json!({
            "path": ["query", field.key], "locations": [{"line": 1, "column": 1}],
            "extensions": {
                "code": "undefinedField", "typeName": on, "fieldName": field.name,
            },
            "message": format!("Field '{}' doesn't exist on type '{on}'", field.name),
        }));
        *self.invalid.borrow_mut() = true;
        Ok(Value::Null)
    }

    /// The selected fields of an object of type `on`.
    fn object(
        &self,
        on: &str,
        selections: &[Selection],
        path: &Path,
        resolve: &dyn Fn(&Field, &Path) -> Resolved,
    ) -> Resolved {
        let mut object = Map::new();
        self.collect(on, selections, path, resolve, &mut object)?;
        Ok(Value::Object(object))
    }

    fn collect(
        &self,
        on: &str,
        selections: &[Selection],
        path: &Path,
        resolve: &dyn Fn(&Field, &Path) -> Resolved,
        object: &mut Map<String, Value>,
    ) -> Result<(), Bubble> {
        for selection in selections {
            match selection {
                Selection::Field(field) if field.name == "__typename" => {
                    object.insert(field.key.clone(), json!(on));
                }
                Selection::Field(field) => {
                    let mut path = path.clone();
                    path.push(json!(field.key));
                    object.insert(field.key.clone(), resolve(field, &path)?);
                }
                Selection::On(kind, inner) => {
                    if kind.as_deref().is_none_or(|kind| kind == on || is_interface(kind)) {
                        self.collect(on, inner, path, resolve, object)?;
                    }
                }
                Selection::Spread(name) => {
                    if let Some((kind, inner)) = self.query.fragments.get(name)
                        && (kind == on || is_interface(kind))
                    {
                        self.collect(on, inner, path, resolve, object)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// A connection over `rows`, which are in order. `write` writes a row's fields; `edge` what
    /// an edge has besides its node.
    fn connection<T>(
        &self,
        (on, field, path): (&str, &Field, &Path),
        rows: &Rows<T>,
        write: &dyn Fn(&T, &[Selection], &Path) -> Resolved,
        edge: &dyn Fn(&T, &Field) -> Option<Value>,
    ) -> Resolved {
        let Some(first) = field.number("first") else {
            self.error(
                "MISSING_PAGINATION_BOUNDARIES",
                path,
                &format!(
                    "You must provide a `first` or `last` value to properly paginate the `{}` \
                     connection.",
                    field.name
                ),
            );
            return Err(Bubble);
        };
        if first > 100 {
            let text = format!(
                "Requesting {first} records on the `{}` connection exceeds the `first` limit of \
                 100 records.",
                field.name
            );
            self.error("EXCESSIVE_PAGINATION", path, &text);
            return Err(Bubble);
        }
        let given = field.text("after");
        let after = given.map(open).unwrap_or_default();
        let again = after.starts_with("again:");
        let after = after.trim_start_matches("again:");
        // In descending order the keys fall, so the place is found and not compared.
        let from = match rows.iter().position(|(key, _)| key == after) {
            Some(at) => at + 1,
            None if after.is_empty() => 0,
            None => rows.iter().position(|(key, _)| key.as_str() > after).unwrap_or(rows.len()),
        };
        let size = first.min(self.turn.most.unwrap_or(100) as u64) as usize;
        let page = &rows[from..(from + size).min(rows.len())];
        let more = from + page.len() < rows.len();
        let end = page.last().map(|(key, _)| seal(key));
        let top = field.name == "repositories";
        let (page, more, end) = match self.turn.fault.filter(|_| top && !again) {
            Some(Fault::RepeatedMarker) => (page, true, given.map(str::to_owned).or(end)),
            Some(Fault::MissingMarker) => (page, true, None),
            Some(Fault::EmptyPage) => (&page[..0], true, Some(seal(&format!("again:{after}")))),
            _ => (page, more, end),
        };
        let start = page.first().map(|(key, _)| seal(key));
        self.object(on, &field.selections, path, &|field, path| match field.name.as_str() {
            "totalCount" => Ok(json!(rows.len())),
            "pageInfo" => self.object("PageInfo", &field.selections, path, &|field, _| match field
                .name
                .as_str()
            {
                "hasNextPage" => Ok(json!(more)),
                "hasPreviousPage" => Ok(json!(from > 0)),
                "endCursor" => Ok(json!(end)),
                "startCursor" => Ok(json!(start)),
                _ => self.unknown("PageInfo", field),
            }),
            "nodes" => {
                Ok(self
                    .nodes(page, top, path, &|(_, row), path| write(row, &field.selections, path)))
            }
            "edges" => Ok(self.nodes(page, top, path, &|(key, row), path| {
                self.object("Edge", &field.selections, path, &|field, path| match field
                    .name
                    .as_str()
                {
                    "node" => Ok(write(row, &field.selections, path).unwrap_or_default()),
                    "cursor" => Ok(json!(seal(key))),
                    _ => edge(row, field).map_or_else(|| self.unknown("Edge", field), Ok),
                })
            })),
            _ => self.unknown(on, field),
        })
    }

    /// A list that may hold nulls: a row that bubbles is one.
    fn nodes<R>(
        &self,
        page: &[R],
        top: bool,
        path: &Path,
        write: &dyn Fn(&R, &Path) -> Resolved,
    ) -> Value {
        let whole = self.hub.manners.whole_rows.filter(|_| top).unwrap_or(usize::MAX);
        let mut list = Vec::with_capacity(page.len());
        for (n, row) in page.iter().enumerate() {
            let mut path = path.clone();
            path.push(json!(n));
            if n >= whole {
                self.error(
                    "RESOURCE_LIMITS_EXCEEDED",
                    &path,
                    "Resource limits for this query exceeded.",
                );
                list.push(Value::Null);
                continue;
            }
            list.push(write(row, &path).unwrap_or(Value::Null));
        }
        Value::Array(list)
    }
}

fn is_interface(kind: &str) -> bool {
    matches!(kind, "Node" | "Actor" | "RepositoryOwner" | "GitObject")
}

/// A cursor: opaque.
fn seal(key: &str) -> String {
    STANDARD.encode(format!("cursor:v2:{key}"))
}

fn open(cursor: &str) -> String {
    let bytes = STANDARD.decode(cursor).unwrap_or_default();
    let text = String::from_utf8(bytes).unwrap_or_default();
    text.strip_prefix("cursor:v2:").unwrap_or_default().to_owned()
}
