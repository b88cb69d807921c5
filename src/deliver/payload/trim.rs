//! Keeps a message small: receivers refuse large bodies, and people can write a megabyte into a
//! tag. Cuts texts and lists, and remembers that it did.

use std::cell::Cell;
use std::collections::BTreeMap;

/// How much of each text and list is kept.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// Characters of a text.
    pub text: usize,
    /// Characters of a paragraph written by us.
    pub prose: usize,
    /// Entries of a list.
    pub entries: usize,
}

/// Enough for everything seen in practice.
pub const ROOMY: Caps = Caps { text: 400, prose: 3000, entries: 16 };
/// Keeps any message under the bound, even if every character needs six bytes as JSON.
pub const TIGHT: Caps = Caps { text: 40, prose: 300, entries: 3 };

#[derive(Debug)]
pub struct Trim {
    caps: Caps,
    cut: Cell<bool>,
}

impl Trim {
    pub const fn new(caps: Caps) -> Self {
        Self { caps, cut: Cell::new(false) }
    }

    /// Whether anything was left out so far.
    pub const fn was_cut(&self) -> bool {
        self.cut.get()
    }

    pub fn text(&self, text: &str) -> String {
        self.to(text, self.caps.text)
    }

    pub fn prose(&self, text: &str) -> String {
        self.to(text, self.caps.prose)
    }

    pub fn map(&self, map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        self.list(map.iter()).map(|(k, v)| (self.text(k), self.text(v))).collect()
    }

    pub fn list<I: ExactSizeIterator>(&self, items: I) -> std::iter::Take<I> {
        if items.len() > self.caps.entries {
            self.cut.set(true);
        }
        items.take(self.caps.entries)
    }

    fn to(&self, text: &str, most: usize) -> String {
        match text.char_indices().nth(most) {
            None => text.to_owned(),
            Some((end, _)) => {
                self.cut.set(true);
                format!("{}…", text.get(..end).unwrap_or_default())
            }
        }
    }
}
