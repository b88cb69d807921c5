//! Text that came from outside, made harmless and short; numbers with their nouns.

/// Text that came from outside, made harmless for a terminal: control characters could move the
/// cursor or hide what stands there.
#[must_use]
pub fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// At most `limit` characters, with an ellipsis where something was cut.
#[must_use]
pub fn short(text: &str, limit: usize) -> String {
    let text = safe(text);
    if text.chars().count() <= limit {
        return text;
    }
    let mut cut: String = text.chars().take(limit.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// `1 key`, `3 keys`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) if noun.ends_with("ty") => format!("{number} {stem}ies"),
        _ => format!("{number} {noun}s"),
    }
}
