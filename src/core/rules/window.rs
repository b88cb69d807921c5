//! The two shapes of a time threshold. Both answer with the moment to judge again, and that
//! moment is always later than `now`.

use jiff::{SignedDuration, Timestamp};

/// The end of the window that begins at `start`, while `now` is still before it.
pub(super) fn open_until(
    start: Timestamp,
    span: SignedDuration,
    now: Timestamp,
) -> Option<Timestamp> {
    let end = after(start, span);
    (now < end).then_some(end)
}

/// The first moment past the limit, unless `now` is past it. Exactly at the limit is not past it.
///
/// The answer is a whole second late: a store may cut fractions off, and a judgement taken again
/// exactly at the limit would name the same moment for ever.
pub(super) fn past_at(start: Timestamp, span: SignedDuration, now: Timestamp) -> Option<Timestamp> {
    let limit = after(start, span);
    (now <= limit).then(|| after(limit, SignedDuration::from_secs(1)))
}

/// Thresholds may be absurdly large; the end of time is then the right answer.
fn after(start: Timestamp, span: SignedDuration) -> Timestamp {
    start.checked_add(span).unwrap_or(Timestamp::MAX)
}
