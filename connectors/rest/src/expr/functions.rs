//! Functions that descriptions have beside those of CEL. Times are texts in RFC 3339, because
//! that is what answers hold and what records keep.

use std::fmt::Write as _;
use std::sync::Arc;

use aws_lc_rs::hmac;
use cel::{Context, ExecutionError, Value};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

type Text = Arc<String>;
type Outcome<T> = Result<T, ExecutionError>;

/// What a description can call, as its reference says it.
pub const FUNCTIONS: [(&str, &str); 9] = [
    ("after(a, b)", "whether the time `a` is later than the time `b`"),
    ("days(duration)", "the whole days of a duration, rounded down"),
    ("digest(key, text)", "a short HMAC of a text: an id made of what must not be kept"),
    ("epoch(seconds)", "the time so many seconds after 1970"),
    ("epoch_ms(milliseconds)", "the time so many milliseconds after 1970"),
    ("indices(list)", "0, 1, 2 … for each item of a list"),
    ("minus(time, duration)", "an earlier time; durations as in ISO 8601, e.g. `P30D`"),
    ("near(a, b, duration)", "whether two times are no further apart than that"),
    ("plus(time, duration)", "a later time"),
];

/// Makes them known. The names are free: a test holds that.
pub fn add(context: &mut Context<'_, '_>) {
    let added = [
        context.add_function("after", after),
        context.add_function("days", days),
        context.add_function("digest", digest),
        context.add_function("epoch", epoch),
        context.add_function("epoch_ms", epoch_ms),
        context.add_function("indices", indices),
        context.add_function("minus", minus),
        context.add_function("near", near),
        context.add_function("plus", plus),
    ];
    debug_assert!(added.iter().all(Result::is_ok), "a name is taken by CEL itself");
}

// No message names the argument: it comes from an answer.
fn refused(function: &str) -> ExecutionError {
    ExecutionError::function_error(function, "not a time or duration")
}

fn time(function: &str, text: &str) -> Outcome<Timestamp> {
    text.parse().map_err(|_| refused(function))
}

fn duration(function: &str, text: &str) -> Outcome<SignedDuration> {
    let span: Span = text.parse().map_err(|_| refused(function))?;
    // A window of days is so many times 24 hours to every source that was read.
    span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| refused(function))
}

fn after(a: Text, b: Text) -> Outcome<bool> {
    Ok(time("after", &a)? > time("after", &b)?)
}

fn days(of: Text) -> Outcome<i64> {
    Ok(duration("days", &of)?.as_hours() / 24)
}

/// The first half of HMAC-SHA-256, in hexadecimal digits: `openssl dgst -sha256 -hmac KEY` gives the
/// same. It hides what nobody can guess; of what can be guessed, it hides nothing.
fn digest(key: Text, text: Text) -> Text {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let mut digits = String::new();
    for byte in hmac::sign(&key, text.as_bytes()).as_ref().iter().take(16) {
        // Writing to a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    Arc::new(digits)
}

fn epoch(seconds: i64) -> Outcome<Text> {
    let at = Timestamp::from_second(seconds).map_err(|_| refused("epoch"))?;
    Ok(Arc::new(at.to_string()))
}

fn epoch_ms(milliseconds: i64) -> Outcome<Text> {
    let at = Timestamp::from_millisecond(milliseconds).map_err(|_| refused("epoch_ms"))?;
    Ok(Arc::new(at.to_string()))
}

fn indices(list: Arc<Vec<Value>>) -> Arc<Vec<Value>> {
    Arc::new((0_i64..).zip(list.iter()).map(|(n, _)| Value::Int(n)).collect())
}

fn minus(at: Text, by: Text) -> Outcome<Text> {
    let at = time("minus", &at)?;
    let earlier = at.checked_sub(duration("minus", &by)?).map_err(|_| refused("minus"))?;
    Ok(Arc::new(earlier.to_string()))
}

fn plus(at: Text, by: Text) -> Outcome<Text> {
    let at = time("plus", &at)?;
    let later = at.checked_add(duration("plus", &by)?).map_err(|_| refused("plus"))?;
    Ok(Arc::new(later.to_string()))
}

fn near(a: Text, b: Text, within: Text) -> Outcome<bool> {
    let apart = time("near", &a)?.duration_since(time("near", &b)?).abs();
    Ok(apart <= duration("near", &within)?)
}
