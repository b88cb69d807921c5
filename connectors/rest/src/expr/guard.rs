//! What of an expression is refused before the parser sees it: shapes that make it recurse.

/// The longest source. Long enough for every mapping, short enough for the stack.
pub const MOST_BYTES: usize = 1024;
/// Brackets of any kind, open at once.
const DEEPEST: usize = 16;
/// Operators, dots and commas outside of texts. Each may be one level of the tree.
const MOST_OPERATORS: usize = 240;

/// Says whether the parser may have it.
///
/// # Errors
///
/// What is too much, and what to do.
pub fn admit(source: &str) -> Result<(), String> {
    if source.trim().is_empty() {
        return Err("an expression is empty: leave the key out instead".to_owned());
    }
    if source.len() > MOST_BYTES {
        return Err(format!(
            "an expression is longer than {MOST_BYTES} bytes: split it into several cases"
        ));
    }
    let (mut depth, mut operators) = (0_usize, 0_usize);
    let mut quote: Option<char> = None;
    let mut escaped = false;
    for c in source.chars() {
        if let Some(end) = quote {
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == end {
                quote = None;
            }
            // Brackets in texts are counted too: a raw or a triple-quoted text could otherwise
            // hide real ones from a scanner this simple.
            if matches!(c, '(' | '[' | '{') {
                operators += 1;
            }
        } else {
            match c {
                '"' | '\'' => quote = Some(c),
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if !(c.is_alphanumeric() || c.is_whitespace() || c == '_') {
                operators += 1;
            }
        }
        if depth > DEEPEST {
            return Err(format!("brackets are nested deeper than {DEEPEST}: simplify it"));
        }
    }
    if operators > MOST_OPERATORS {
        return Err(format!("more than {MOST_OPERATORS} operators: split it into several cases"));
    }
    if quotes_hide_nesting(source) {
        return Err(format!("brackets are nested deeper than {DEEPEST}: simplify it"));
    }
    Ok(())
}

/// The nesting if no bracket stood in a text: whatever the parser takes for a text, it cannot see
/// deeper nesting than this.
fn quotes_hide_nesting(source: &str) -> bool {
    let mut depth = 0_usize;
    for c in source.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > 2 * DEEPEST {
            return true;
        }
    }
    false
}
