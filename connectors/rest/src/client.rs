//! The only place that calls: one operation at a time, through the governor, with patience, and
//! with every failure turned into the error that says what should happen next.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headcount_sdk::governor::{Governor, Limits};
use headcount_sdk::{ScanContext, ScanError};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use crate::auth::Authenticator;
use crate::describe::{Answer as Shaped, Description, ErrorRule, Means, Operation, ResetIs};
use crate::item;
use crate::shape::Shape;
use crate::transport::{Answer, Body, Request, Transport};

/// How long a source is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Tries of one call, at least 1.
    pub attempts: u32,
    /// Before the second try; doubled before each further one.
    pub pause: Duration,
    /// A source that asks for more is left alone until the next scan.
    pub longest_wait: Duration,
    /// For one scope.
    pub deadline: Duration,
    /// Between the starts of two calls; none = as the description says.
    pub spacing: Option<Duration>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            attempts: 4,
            pause: Duration::from_millis(500),
            longest_wait: Duration::from_secs(90),
            deadline: Duration::from_secs(
                headcount_sdk::contract::SCOPE_DEADLINE.as_secs().unsigned_abs(),
            ),
            spacing: None,
        }
    }
}

/// Calls the operations of one description at one tenant.
pub struct Client {
    pub description: Arc<Description>,
    base: Url,
    /// Of operations that are elsewhere.
    bases: BTreeMap<String, Url>,
    /// What expressions see as `settings`.
    pub settings: Arc<Value>,
    pub tuning: Tuning,
    auth: Authenticator,
    transport: Arc<dyn Transport>,
    governor: Governor,
    shapes: BTreeMap<String, Shapes>,
    clock: Mutex<Option<Clock>>,
}

struct Shapes {
    success: Shape,
    failure: Shape,
}

/// The time of a scan goes on while it runs.
struct Clock {
    scan: String,
    began: Timestamp,
    at: Instant,
}

/// One call, ready to be sent.
#[derive(Clone, Debug)]
pub struct Call {
    pub url: Url,
    pub body: Option<Value>,
}

/// What a call brought.
pub struct Called {
    pub answer: Value,
    pub headers: BTreeMap<String, String>,
}

/// How one try ended.
enum Tried {
    Done(Called),
    /// Nothing is there, for certain.
    Empty,
    Failed(ScanError),
    /// Worth another try, after so long if the source said.
    Again(ScanError, Option<Duration>),
}

impl Client {
    #[must_use]
    pub fn new(
        description: Arc<Description>,
        (base, bases): (Url, BTreeMap<String, Url>),
        settings: Arc<Value>,
        (auth, transport, tuning): (Authenticator, Arc<dyn Transport>, Tuning),
    ) -> Self {
        let described = Duration::from_millis(description.limits.spacing_ms);
        let limits = Limits {
            concurrency: description.limits.concurrency,
            spacing: tuning.spacing.unwrap_or(described),
        };
        let shapes = description.operations.iter();
        let shapes = shapes.map(|(name, op)| (name.clone(), shapes_of(&description, op))).collect();
        let governor = Governor::new(limits);
        let clock = Mutex::new(None);
        Self {
            description,
            base,
            bases,
            settings,
            tuning,
            auth,
            transport,
            governor,
            shapes,
            clock,
        }
    }

    /// Below which address an operation is.
    pub fn base(&self, operation: &str) -> &Url {
        self.bases.get(operation).unwrap_or(&self.base)
    }

    /// Calls until there is an answer or no hope. `None`: nothing is there, for certain.
    pub async fn call(
        &self,
        cx: &ScanContext,
        name: &str,
        call: &Call,
    ) -> Result<Option<Called>, ScanError> {
        let mut pause = self.tuning.pause;
        let mut renewed = false;
        let mut left = self.tuning.attempts.max(1);
        loop {
            match self.attempt(cx, name, call, &mut renewed).await? {
                Tried::Done(called) => return Ok(Some(called)),
                Tried::Empty => return Ok(None),
                Tried::Failed(error) => return Err(error),
                Tried::Again(error, asked) => {
                    left -= 1;
                    let wait = asked.unwrap_or(pause);
                    if matches!(error, ScanError::Throttled { .. }) {
                        self.governor.back_off(wait.min(self.tuning.longest_wait));
                    }
                    if left == 0 || wait > self.tuning.longest_wait {
                        return Err(error);
                    }
                    tokio::time::sleep(wait).await;
                    pause *= 2;
                }
            }
        }
    }

    async fn attempt(
        &self,
        cx: &ScanContext,
        name: &str,
        call: &Call,
        renewed: &mut bool,
    ) -> Result<Tried, ScanError> {
        let now = self.now(cx);
        let request = match self.request(name, call, now).await {
            Ok(request) => request,
            // The token server may be back in a moment.
            Err(error @ ScanError::Unavailable { .. }) => return Ok(Tried::Again(error, None)),
            Err(error) => return Err(error),
        };
        let exchanged = {
            let _turn = self.governor.turn(cx.priority).await;
            self.transport.exchange(request).await
        };
        let answer = match exchanged {
            Ok(answer) => answer,
            Err(broken) => {
                let error = unavailable(name, &broken.to_string());
                return Ok(Tried::Again(error, None));
            }
        };
        if answer.status == 401 && self.auth.exchanges() && !*renewed {
            // The token ended before its time; a new one may do.
            *renewed = true;
            self.auth.forget().await;
            return Ok(Tried::Again(self.denied(name), Some(Duration::ZERO)));
        }
        self.mind_the_quota(&answer, now);
        Ok(self.judge(name, answer, now))
    }

    async fn request(&self, name: &str, call: &Call, now: Timestamp) -> Result<Request, ScanError> {
        let operation = self.description.operations.get(name);
        let operation = operation.ok_or_else(|| unavailable(name, "there is no such operation"))?;
        let mut headers = self.auth.headers(&*self.transport, now).await?;
        headers.push(("accept".to_owned(), SecretString::from("application/json")));
        let fixed = self.description.headers.iter();
        headers
            .extend(fixed.map(|(name, value)| (name.clone(), SecretString::from(value.as_str()))));
        Ok(Request {
            method: operation.method.as_str(),
            url: call.url.clone(),
            headers,
            body: call.body.clone().map(Body::Json),
        })
    }

    fn now(&self, cx: &ScanContext) -> Timestamp {
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        match &*clock {
            Some(clock) if clock.scan == cx.scan => {
                let passed = SignedDuration::try_from(clock.at.elapsed()).unwrap_or_default();
                clock.began.checked_add(passed).unwrap_or(clock.began)
            }
            _ => {
                *clock = Some(Clock { scan: cx.scan.clone(), began: cx.now, at: Instant::now() });
                cx.now
            }
        }
    }

    fn judge(&self, name: &str, answer: Answer, now: Timestamp) -> Tried {
        let Some(shapes) = self.shapes.get(name) else {
            return Tried::Failed(unavailable(name, "there is no such operation"));
        };
        let succeeded = (200..300).contains(&answer.status);
        let shape = if succeeded { &shapes.success } else { &shapes.failure };
        let parsed = shape.parse(&answer.body);
        match self.meaning(name, answer.status, parsed.as_ref()) {
            None => match parsed {
                Some(value) => Tried::Done(Called { answer: value, headers: answer.headers }),
                None => Tried::Failed(malformed(name, "the answer is not JSON")),
            },
            Some(Means::Empty) => Tried::Empty,
            Some(Means::Denied) => Tried::Failed(self.denied(name)),
            Some(Means::NotSupported) => Tried::Failed(ScanError::NotSupported {
                operation: name.to_owned(),
                reason: "this tenant has no such thing".to_owned(),
            }),
            Some(Means::Throttled) => {
                let wait = self.wait(&answer, now);
                let retry_after_secs = wait.map(|wait| wait.as_secs());
                let operation = name.to_owned();
                Tried::Again(ScanError::Throttled { operation, retry_after_secs }, wait)
            }
            Some(Means::Unavailable) => {
                let reason = if succeeded {
                    "the answer says that it failed".to_owned()
                } else {
                    format!("status {}", answer.status)
                };
                let error = unavailable(name, &reason);
                if answer.status >= 500 { Tried::Again(error, None) } else { Tried::Failed(error) }
            }
        }
    }

    /// What an answer means, if it is no success.
    fn meaning(&self, name: &str, status: u16, answer: Option<&Value>) -> Option<Means> {
        let own = self.description.operations.get(name).into_iter().flat_map(|op| &op.errors);
        let rules = own.chain(&self.description.errors);
        if let Some(rule) = rules.into_iter().find(|rule| fits(rule, status, answer)) {
            return Some(rule.means);
        }
        match status {
            200..300 => {
                let flag = self.description.success.as_ref();
                let said = flag.map(|flag| {
                    answer.and_then(|answer| item::at(answer, &flag.at)).and_then(Value::as_bool)
                });
                // An answer that is no JSON is malformed, whatever it says.
                (answer.is_some() && matches!(said, Some(None | Some(false))))
                    .then_some(Means::Unavailable)
            }
            401 | 403 => Some(Means::Denied),
            429 => Some(Means::Throttled),
            _ => Some(Means::Unavailable),
        }
    }

    fn denied(&self, name: &str) -> ScanError {
        let operation = self.description.operations.get(name);
        let permission = operation.map(|op| op.permission.clone()).unwrap_or_default();
        ScanError::Denied { operation: name.to_owned(), permission }
    }

    /// How long the source asks to wait.
    fn wait(&self, answer: &Answer, now: Timestamp) -> Option<Duration> {
        let now = server_time(answer).unwrap_or(now);
        let until = |at: Timestamp| Duration::try_from(at.duration_since(now)).unwrap_or_default();
        if let Some(after) = answer.headers.get("retry-after") {
            let seconds = after.trim().parse().ok().map(Duration::from_secs);
            return seconds.or_else(|| http_date(after).map(until));
        }
        let described = self.description.rate_limit.as_ref()?;
        let reset = answer.headers.get(&described.reset.to_ascii_lowercase())?.trim();
        match described.reset_is {
            // Some write a fraction.
            ResetIs::Seconds => Duration::try_from_secs_f64(reset.parse().ok()?).ok(),
            ResetIs::Epoch => Timestamp::from_second(reset.parse().ok()?).ok().map(until),
            ResetIs::Time => reset.parse().ok().map(until),
        }
    }

    /// Leaves a part of the quota to others: they share it with production.
    fn mind_the_quota(&self, answer: &Answer, now: Timestamp) {
        let Some(described) = &self.description.rate_limit else { return };
        let left = answer.headers.get(&described.remaining.to_ascii_lowercase());
        let left = left.and_then(|left| left.trim().parse::<u64>().ok());
        if left.is_some_and(|left| left < described.reserve.max(1))
            && let Some(wait) = self.wait(answer, now)
        {
            self.governor.back_off(wait.min(self.tuning.longest_wait));
        }
    }
}

fn shapes_of(description: &Description, operation: &Operation) -> Shapes {
    let mut success = Shape::new(&description.deny);
    let items = operation.items.as_deref().unwrap_or_default();
    let within =
        |path: &str| if items.is_empty() { path.to_owned() } else { format!("{items}.{path}") };
    let fields: Vec<&String> = operation.fields().collect();
    match operation.answer {
        Shaped::Rows => success.keep(items),
        Shaped::Entries => {
            success.open(&within(crate::shape::EACH));
            let values = fields.iter().filter_map(|path| path.strip_prefix("value"));
            values.for_each(|path| success.keep(&within(&format!("{}{path}", crate::shape::EACH))));
        }
        Shaped::List | Shaped::One if fields.is_empty() => success.keep(items),
        Shaped::List | Shaped::One => fields.iter().for_each(|path| success.keep(&within(path))),
    }
    let mut failure = Shape::new(&description.deny);
    for rule in operation.errors.iter().chain(&description.errors) {
        if let Some(at) = &rule.at {
            failure.keep(at);
            success.keep(at);
        }
    }
    if let Some(flag) = &description.success {
        success.keep(&flag.at);
    }
    for path in operation.paging.iter().flat_map(crate::describe::Paging::paths) {
        success.keep(path);
    }
    Shapes { success, failure }
}

fn fits(rule: &ErrorRule, status: u16, answer: Option<&Value>) -> bool {
    if rule.status != status {
        return false;
    }
    let Some(at) = &rule.at else { return true };
    let found = answer.and_then(|answer| item::at(answer, at)).filter(|found| !found.is_null());
    let contains =
        |found: &Value| rule.contains.as_ref().is_none_or(|part| found.to_string().contains(part));
    match found {
        None => false,
        Some(found) if !contains(found) => false,
        Some(Value::Array(items)) if rule.empty_list => items.is_empty(),
        Some(_) if rule.empty_list => false,
        Some(Value::String(text)) => rule.one_of.is_empty() || rule.one_of.contains(text),
        Some(other) => rule.one_of.is_empty() || rule.one_of.contains(&other.to_string()),
    }
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|at| at.timestamp())
}

fn server_time(answer: &Answer) -> Option<Timestamp> {
    answer.headers.get("date").and_then(|date| http_date(date))
}

pub fn unavailable(operation: &str, reason: &str) -> ScanError {
    ScanError::Unavailable { operation: operation.to_owned(), reason: reason.to_owned() }
}

pub fn malformed(operation: &str, path: &str) -> ScanError {
    ScanError::Malformed { operation: operation.to_owned(), path: path.to_owned() }
}
