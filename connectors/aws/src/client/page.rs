//! Reading a list to its end, and noticing when there is none.

use std::collections::BTreeSet;
use std::time::Duration;

use headcount_sdk::ScanError;
use headcount_sdk::contract::SCOPE_DEADLINE;
use tokio::time::Instant;

use super::{malformed, unavailable};

/// 10,000 pages of 1,000 records: more than an account can hold.
const MOST_PAGES: usize = 10_000;

/// Where a paged list stands. Refuses a marker that comes twice, a page that says "more" without
/// saying where, a list without end, and one that takes longer than a scope may.
pub(super) struct Cursor {
    operation: &'static str,
    at: Position,
    seen: BTreeSet<String>,
    deadline: Instant,
}

enum Position {
    Start,
    More(String),
    Asked,
    End,
}

impl Cursor {
    pub(super) fn new(operation: &'static str) -> Self {
        let limit = Duration::try_from(SCOPE_DEADLINE).unwrap_or(Duration::from_secs(1800));
        Self {
            operation,
            at: Position::Start,
            seen: BTreeSet::new(),
            deadline: Instant::now() + limit,
        }
    }

    /// The marker to ask with (`Some(None)` for the first page), or `None` at the end.
    #[expect(clippy::option_option, reason = "the first page has no marker, the end has no page")]
    pub(super) fn next(&mut self) -> Option<Option<String>> {
        match std::mem::replace(&mut self.at, Position::Asked) {
            Position::Start => Some(None),
            Position::More(marker) => Some(Some(marker)),
            Position::Asked | Position::End => {
                self.at = Position::End;
                None
            }
        }
    }

    /// Takes the end of the page that was read.
    pub(super) fn advance(
        &mut self,
        truncated: bool,
        marker: Option<String>,
    ) -> Result<(), ScanError> {
        self.at = match (truncated, marker) {
            (false, None) => Position::End,
            // The SDK reads a missing `IsTruncated` as "no".
            (false, Some(_)) => {
                return Err(malformed(self.operation, "Marker without IsTruncated"));
            }
            (true, None) => return Err(malformed(self.operation, "IsTruncated without Marker")),
            (true, Some(marker)) => {
                if !self.seen.insert(marker.clone()) {
                    return Err(malformed(self.operation, "Marker: the same one again"));
                }
                Position::More(marker)
            }
        };
        if self.seen.len() >= MOST_PAGES {
            return Err(malformed(self.operation, "Marker: a list without end"));
        }
        if Instant::now() > self.deadline {
            return Err(unavailable(
                self.operation,
                "the list took longer than a scope may".into(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_is_read_from_start_to_end() {
        let mut cursor = Cursor::new("iam:ListRoles");
        assert_eq!(cursor.next(), Some(None));
        cursor.advance(true, some("a")).unwrap();
        assert_eq!(cursor.next(), Some(some("a")));
        cursor.advance(false, None).unwrap();
        assert_eq!(cursor.next(), None);
        assert_eq!(cursor.next(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn lists_that_lie_about_their_end_are_refused() {
        let repeated = |pages: &[&str]| {
            let mut cursor = Cursor::new("iam:ListRoles");
            pages.iter().try_for_each(|marker| cursor.advance(true, some(marker)))
        };
        assert!(repeated(&["a", "b"]).is_ok());
        assert!(matches!(repeated(&["a", "b", "a"]), Err(ScanError::Malformed { .. })));
        let mut cursor = Cursor::new("iam:ListRoles");
        assert!(matches!(cursor.advance(true, None), Err(ScanError::Malformed { .. })));
        assert!(matches!(cursor.advance(false, some("a")), Err(ScanError::Malformed { .. })));
        let endless = (0..).map(|n| cursor.advance(true, Some(n.to_string())));
        assert!(endless.take(MOST_PAGES).any(|page| page.is_err()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_never_ends_in_time_is_given_up() {
        let mut cursor = Cursor::new("iam:ListRoles");
        tokio::time::advance(Duration::from_secs(31 * 60)).await;
        assert!(matches!(cursor.advance(true, some("a")), Err(ScanError::Unavailable { .. })));
    }
}
