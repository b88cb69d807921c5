//! Whether a trust accepts a token: the one place where rules compare issuers and subjects.

use headcount_sdk::model::FederatedSubject;

/// Whether two texts name the same issuer. Sources differ in the scheme and the last slash.
pub(super) fn same_issuer(one: &str, other: &str) -> bool {
    bare(one).eq_ignore_ascii_case(bare(other))
}

fn bare(issuer: &str) -> &str {
    let host = issuer.split_once("://").map_or(issuer, |(_, host)| host);
    host.trim_end_matches('/')
}

/// Whether some token with this subject fits one of the patterns; no pattern restricts nothing.
pub(super) fn accepts(patterns: &[String], subject: &FederatedSubject) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| fits(pattern, &subject.subject))
}

/// In a pattern `*` stands for any text and `?` for one letter. A subject that ends in `*` is
/// many: one of them that fits is enough.
fn fits(pattern: &str, subject: &str) -> bool {
    let pattern = pattern.as_bytes();
    let (stem, is_open) = match subject.strip_suffix('*') {
        Some(stem) => (stem, true),
        None => (subject, false),
    };
    // Which places of the pattern can be reached; `*` keeps its own place and opens the next.
    let mut reached = vec![false; pattern.len() + 1];
    reach(pattern, 0, &mut reached);
    for byte in stem.bytes() {
        let mut next = vec![false; pattern.len() + 1];
        for (place, letter) in pattern.iter().enumerate().filter(|(place, _)| reached[*place]) {
            match letter {
                b'*' => reach(pattern, place, &mut next),
                b'?' => reach(pattern, place + 1, &mut next),
                letter if *letter == byte => reach(pattern, place + 1, &mut next),
                _ => {}
            }
        }
        reached = next;
    }
    // Whatever is left of the pattern, some open end fits it.
    if is_open { reached.contains(&true) } else { reached[pattern.len()] }
}

fn reach(pattern: &[u8], mut place: usize, reached: &mut [bool]) {
    reached[place] = true;
    while pattern.get(place) == Some(&b'*') {
        place += 1;
        reached[place] = true;
    }
}
