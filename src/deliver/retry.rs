//! What follows an attempt. Pure: the time and the dice are handed in.

use jiff::{SignedDuration, Timestamp};

use super::DeliveryError;
use crate::store::Outcome;

/// Waits after the first, second, … failed attempt: the schedule of Standard Webhooks, some 75
/// hours in all, so that a receiver may be down over a weekend.
const WAITS: [SignedDuration; 9] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(5),
    SignedDuration::from_hours(10),
    SignedDuration::from_hours(14),
    SignedDuration::from_hours(20),
    SignedDuration::from_hours(24),
];

/// Attempts when the receiver refuses the event itself; somebody has to act, and then replays.
const REJECTED: u32 = 3;

/// No receiver may ask for a longer pause.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// The outcome to record for an attempt.
///
/// `attempts` counts this one. `dice` from 0 to 1 spreads the waits by ±20 %, so that what failed
/// together does not come back together.
#[must_use]
pub fn outcome(
    result: &Result<(), DeliveryError>,
    attempts: u32,
    now: Timestamp,
    dice: f64,
) -> Outcome {
    let Err(error) = result else { return Outcome::Delivered };
    let (after, most) = match error {
        DeliveryError::Retry { after, .. } => (*after, u32::MAX),
        DeliveryError::Reject { .. } => (None, REJECTED),
        DeliveryError::Gone { .. } => (None, 0),
    };
    let wait = WAITS.get(attempts.saturating_sub(1) as usize).filter(|_| attempts < most);
    let Some(wait) = wait else { return Outcome::Dead { error: error.to_string() } };
    let spread = wait.mul_f64(0.8 + 0.4 * dice.clamp(0.0, 1.0));
    let wait = spread.max(after.unwrap_or_default().min(LONGEST));
    let at = now.checked_add(wait).unwrap_or(Timestamp::MAX);
    Outcome::Retry { at, error: error.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    /// Seconds waited after each attempt in turn, until it is given up.
    fn waits(error: &DeliveryError, dice: f64) -> Vec<i64> {
        (1..)
            .map_while(|n| match outcome(&Err(error.clone()), n, NOW, dice) {
                Outcome::Retry { at, .. } => Some(at.as_second()),
                Outcome::Delivered | Outcome::Dead { .. } => None,
            })
            .collect()
    }

    #[test]
    fn ten_attempts_over_three_days_and_then_dead() {
        let error = DeliveryError::retry("down");
        let expected = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
        assert_eq!(waits(&error, 0.5), expected);
        assert_eq!(outcome(&Err(error), 10, NOW, 0.5), Outcome::Dead { error: "down".to_owned() });
    }

    #[test]
    fn waits_spread_by_a_fifth_either_way() {
        let error = DeliveryError::retry("down");
        assert_eq!(waits(&error, 0.0).get(1), Some(&240));
        assert_eq!(waits(&error, 1.0).get(1), Some(&360));
    }

    #[test]
    fn refused_events_die_after_three_attempts_and_gone_ones_at_once() {
        assert_eq!(waits(&DeliveryError::Reject { reason: "401".to_owned() }, 0.5).len(), 2);
        assert_eq!(waits(&DeliveryError::Gone { reason: "410".to_owned() }, 0.5).len(), 0);
    }

    #[test]
    fn receivers_may_ask_for_more_time_but_not_for_less_or_for_ever() {
        let after = |hours| DeliveryError::Retry {
            reason: "busy".to_owned(),
            after: Some(SignedDuration::from_hours(hours)),
        };
        assert_eq!(waits(&after(1), 0.5).first(), Some(&3600));
        assert_eq!(waits(&after(0), 0.5).first(), Some(&5));
        assert_eq!(waits(&after(1000), 0.5).first(), Some(&86_400));
    }

    #[test]
    fn success_is_success() {
        assert_eq!(outcome(&Ok(()), 7, NOW, 0.5), Outcome::Delivered);
    }
}
