//! Expressions of a description: CEL, compiled once, run on one thread with a large stack.
//!
//! The CEL crate recurses in parser and interpreter, and a stack that runs out aborts the whole
//! process; nothing catches that. So the length, the nesting and the number of operators of a
//! source are bounded before the parser sees it, and neither compiling nor running ever happens
//! on a thread of the async runtime. Descriptions are written by whoever runs the agent: this
//! guards against accidents, and is no sandbox.
//!
//! No error of an evaluation carries a value: answers may hold what nobody should log.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, mpsc};

use cel::{Context, Env, ExecutionError, Program, Value as Cel};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer};
use serde_json::Value;

mod functions;
mod guard;
mod template;

pub use self::template::{Span, Template};

/// Enough for a thousand bytes of any shape that [`guard`] lets through, several times over. It
/// is address space: pages are taken as they are touched.
const STACK: usize = 64 * 1024 * 1024;

/// One expression of a description.
#[derive(Clone)]
pub struct Expr {
    source: String,
    variables: Vec<String>,
    program: Arc<Program>,
}

/// Why an expression had no usable outcome. Names no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A field that the expression asks for is not there, or the types do not fit.
    #[error("{0}")]
    Failed(&'static str),
    #[error("the evaluator is not running")]
    Stopped,
}

impl Expr {
    /// Compiles a source.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and what to do.
    pub fn compile(source: &str) -> Result<Self, String> {
        guard::admit(source)?;
        let text = source.to_owned();
        let compiled = on_large_stack(move || {
            let program = Program::compile(&text).map_err(|errors| brief(&errors))?;
            // A single letter is a loop's own variable: CEL does not tell the two apart.
            let asked = program.references();
            let asked = asked.variables().into_iter().filter(|name| name.len() > 1);
            let asked = asked.map(str::to_owned).collect();
            Ok::<_, String>((asked, program))
        });
        let (variables, program) = match compiled {
            Ok(outcome) => outcome?,
            Err(_) => return Err("the expression could not be compiled: simplify it".to_owned()),
        };
        Ok(Self { source: source.to_owned(), variables, program: Arc::new(program) })
    }

    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The variables it asks for, those of its own loops (single letters) aside.
    #[must_use]
    pub fn variables(&self) -> &[String] {
        &self.variables
    }

    /// Runs it. Only to be called from inside [`evaluate`].
    pub(crate) fn run(&self, scope: &Scope) -> Result<Value, EvalError> {
        let value =
            self.program.execute(&scope.0).map_err(|error| EvalError::Failed(named(&error)))?;
        value.json().map_err(|_| EvalError::Failed("the outcome is not a JSON value"))
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expr").field(&self.source).finish()
    }
}

impl<'de> Deserialize<'de> for Expr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Compiled here, so that the parser of the document adds the place to the error.
        Self::compile(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for Expr {
    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let functions = functions::FUNCTIONS.map(|(call, does)| format!("`{call}`: {does}"));
        json_schema!({
            "type": "string",
            "maxLength": guard::MOST_BYTES,
            "description": format!(
                "An expression in CEL, the Common Expression Language. Loop variables are single \
                 letters. Beside CEL's own functions there are {}.",
                functions.join("; ")
            )
        })
    }
}

/// The variables that expressions see, in the form in which CEL wants them.
pub(crate) struct Scope(Context<'static, 'static>);

impl Scope {
    /// A scope with the standard functions and Headcount's own. Only inside [`evaluate`].
    pub(crate) fn new() -> Self {
        static ENV: OnceLock<Arc<Env>> = OnceLock::new();
        let env = Arc::clone(ENV.get_or_init(|| Arc::new(Env::stdlib())));
        let mut context = Context::with_env(env);
        functions::add(&mut context);
        Self(context)
    }

    pub(crate) fn set(&mut self, name: &str, value: &Value) {
        self.0.add_variable_from_value(name, to_cel(value));
    }
}

/// Runs `work`, which may evaluate expressions, on the thread for it, and waits.
///
/// # Errors
///
/// When the thread is gone or `work` panicked.
pub(crate) async fn evaluate<T, F>(work: F) -> Result<T, EvalError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let (answer, outcome) = tokio::sync::oneshot::channel();
    submit(Box::new(move || {
        let done = catch_unwind(AssertUnwindSafe(work));
        let _ = answer.send(done.map_err(discard));
    }))?;
    outcome.await.map_err(|_| EvalError::Stopped)?.map_err(|()| EvalError::Stopped)
}

/// The same for callers that are not asynchronous: loading a description. Takes microseconds.
pub(crate) fn on_large_stack<T, F>(work: F) -> Result<T, EvalError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let (answer, outcome) = mpsc::sync_channel(1);
    submit(Box::new(move || {
        let done = catch_unwind(AssertUnwindSafe(work));
        let _ = answer.send(done.map_err(discard));
    }))?;
    outcome.recv().map_err(|_| EvalError::Stopped)?.map_err(|()| EvalError::Stopped)
}

fn discard(_: Box<dyn Any + Send>) {}

type Work = Box<dyn FnOnce() + Send>;

fn submit(work: Work) -> Result<(), EvalError> {
    static QUEUE: OnceLock<Option<mpsc::Sender<Work>>> = OnceLock::new();
    let queue = QUEUE.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Work>();
        let thread = std::thread::Builder::new().name("expressions".to_owned()).stack_size(STACK);
        thread.spawn(move || receiver.into_iter().for_each(|work| work())).ok().map(|_| sender)
    });
    queue.as_ref().ok_or(EvalError::Stopped)?.send(work).map_err(|_| EvalError::Stopped)
}

/// The first thing the parser complains of. The text of a description is no secret.
fn brief(errors: &cel::ParseErrors) -> String {
    let text = errors.to_string();
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    format!("not an expression in CEL: {}", line.trim())
}

const fn named(error: &ExecutionError) -> &'static str {
    match error {
        ExecutionError::NoSuchKey(_) => "a field that is asked for is missing",
        ExecutionError::UndeclaredReference(_) => "a variable that is asked for is missing",
        ExecutionError::FunctionError { .. } => "a function refused its arguments",
        _ => "the types do not fit",
    }
}

fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        // Whole numbers are `int`, so that they compare with the literals of a description.
        Value::Number(number) => number.as_i64().map_or_else(
            || {
                number
                    .as_u64()
                    .map_or_else(|| Cel::Float(number.as_f64().unwrap_or(f64::NAN)), Cel::UInt)
            },
            Cel::Int,
        ),
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => Cel::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.as_str().into(), to_cel(value)));
            Cel::Map(cel::objects::Map { map: Arc::new(fields.collect()) })
        }
    }
}

#[cfg(test)]
mod tests;
