//! How subjects of tokens are built, and when a pattern in a trust lets one in.
//!
//! Subjects are segments between colons. The first ones say who asks, the rest in which situation:
//! `repo:acme/shop` + `:environment:prod`, `system:serviceaccount:shop:web` and nothing more.

/// The trust names this very subject.
const EXACT: u8 = 100;
/// The trust names one situation of the one who asks.
const SITUATION: u8 = 95;
/// The pattern lets in nobody but the one who asks.
const ROOT: u8 = 90;
/// The pattern lets in a Kubernetes namespace.
const NAMESPACE: u8 = 70;
/// The pattern lets in an organisation, a group of projects.
const GROUP: u8 = 40;
/// The pattern lets in all sorts of subjects.
const BROAD: u8 = 25;
/// The trust lets in every subject of the issuer.
pub(super) const ANYONE: u8 = 10;
/// The most that is sure when a further condition on the subject is not known in full.
pub(super) const NARROWED: u8 = 50;

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// The part of a subject or pattern that says who asks, when it says so without wildcards.
pub(super) fn root(text: &str) -> Option<&str> {
    let segments = if text.starts_with(SERVICE_ACCOUNT) { 4 } else { 2 };
    let end = text.match_indices(':').nth(segments - 1).map_or(text.len(), |(at, _)| at);
    text.get(..end).filter(|root| is_literal(root))
}

/// What several who ask have in common: the namespace, the organisation.
pub(super) fn group(text: &str) -> Option<&str> {
    let end = match text.strip_prefix(SERVICE_ACCOUNT) {
        Some(rest) => SERVICE_ACCOUNT.len() + rest.find(':')?,
        None => {
            let start = text.find(':')?;
            start + text.get(start..)?.find('/')?
        }
    };
    // The separator is part of it, so that a group is never taken for a root.
    text.get(..=end).filter(|group| is_literal(group))
}

fn is_literal(text: &str) -> bool {
    !text.contains(['*', '?'])
}

/// How surely a pattern of a trust is meant for who presents `subject`; `None` = it is not let in.
///
/// A `*` at the end of the subject stands for whatever the issuer puts there.
pub(super) fn meets(pattern: &str, subject: &str) -> Option<u8> {
    let is_let_in = match subject.strip_suffix('*') {
        Some(beginning) => can_begin(pattern, beginning),
        None => matches(pattern, subject),
    };
    if !is_let_in {
        return None;
    }
    Some(if pattern.trim_matches(['*', '?']).is_empty() {
        ANYONE
    } else if pattern == subject && is_literal(subject) {
        EXACT
    } else if is_literal(pattern) {
        SITUATION
    } else if root(pattern).is_some() {
        ROOT
    } else if group(pattern).is_none() {
        BROAD
    } else if pattern.starts_with(SERVICE_ACCOUNT) {
        NAMESPACE
    } else {
        GROUP
    })
}

/// Whether the whole text fits, as AWS's `StringLike` fits it.
fn matches(pattern: &str, text: &str) -> bool {
    after(pattern, text).last().copied().unwrap_or_default()
}

/// Whether some text that begins so fits.
fn can_begin(pattern: &str, beginning: &str) -> bool {
    after(pattern, beginning).contains(&true)
}

/// Up to which places of the pattern the text may have come when it ends. From each of them some
/// further text leads to the end of the pattern.
fn after(pattern: &str, text: &str) -> Vec<bool> {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut at = vec![false; pattern.len() + 1];
    if let Some(first) = at.first_mut() {
        *first = true;
    }
    pass_stars(&pattern, &mut at);
    for letter in text.chars() {
        let mut next = vec![false; at.len()];
        for (place, wanted) in pattern.iter().enumerate() {
            if at.get(place) != Some(&true) {
                continue;
            }
            let target = match wanted {
                '*' => place,
                '?' => place + 1,
                wanted if *wanted == letter => place + 1,
                _ => continue,
            };
            if let Some(reached) = next.get_mut(target) {
                *reached = true;
            }
        }
        pass_stars(&pattern, &mut next);
        at = next;
    }
    at
}

/// A `*` also stands for nothing.
fn pass_stars(pattern: &[char], at: &mut [bool]) {
    for (place, wanted) in pattern.iter().enumerate() {
        if *wanted == '*'
            && at.get(place) == Some(&true)
            && let Some(reached) = at.get_mut(place + 1)
        {
            *reached = true;
        }
    }
}
