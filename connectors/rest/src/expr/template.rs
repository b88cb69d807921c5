//! Text with expressions in it: `/v1/projects/${project.id}/keys`. In a path, an outcome is one
//! segment; `${+pool.name}` stands for several, as in RFC 6570.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer};
use serde_json::Value;

use super::{EvalError, Expr, Scope};

/// A text of a description in which `${expression}` stands for its outcome.
#[derive(Clone, Debug)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Expr(Expr, Span),
}

/// How much of a path an outcome is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Segment,
    Segments,
}

impl Template {
    /// Compiles the expressions in a text.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what to do.
    pub fn compile(source: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some((text, tail)) = rest.split_once("${") {
            let (expression, tail) = tail
                .split_once('}')
                .ok_or_else(|| "`${` has no `}`: close it, or leave `${` out".to_owned())?;
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
            let (span, expression) = match expression.strip_prefix('+') {
                Some(expression) => (Span::Segments, expression),
                None => (Span::Segment, expression),
            };
            parts.push(Part::Expr(Expr::compile(expression)?, span));
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { source: source.to_owned(), parts })
    }

    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    #[must_use]
    pub fn variables(&self) -> Vec<String> {
        let of = |part: &Part| match part {
            Part::Text(_) => Vec::new(),
            Part::Expr(expr, _) => expr.variables().to_vec(),
        };
        self.parts.iter().flat_map(of).collect()
    }

    /// Fills it in; `escape` is asked about each outcome. Only inside `evaluate`.
    pub(crate) fn fill(
        &self,
        scope: &Scope,
        escape: fn(&str, Span) -> Option<String>,
    ) -> Result<String, EvalError> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(fixed) => text.push_str(fixed),
                Part::Expr(expr, span) => {
                    let outcome = match expr.run(scope)? {
                        Value::String(outcome) => outcome,
                        Value::Number(outcome) => outcome.to_string(),
                        Value::Bool(outcome) => outcome.to_string(),
                        _ => return Err(EvalError::Failed("the outcome is not a text")),
                    };
                    let escaped = escape(&outcome, *span);
                    text.push_str(&escaped.ok_or(EvalError::Failed("the outcome does not fit"))?);
                }
            }
        }
        Ok(text)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::compile(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Text in which `${expression}` stands for the outcome of the expression."
        })
    }
}
