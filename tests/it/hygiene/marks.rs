//! What is put where a vendor could put a secret, and the search for it afterwards.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// What every mark begins with.
pub const MARK: &str = "HYGIENE-MARK-";
/// What stands where people's own words are kept: the search must find it.
pub const CONTROL: &str = "HYGIENE-CONTROL-";

/// The mark of one field.
pub fn mark(field: &str) -> String {
    format!("{MARK}{field}")
}

/// A text in every form in which it could be written down.
pub struct Needle {
    /// Compared without case: as it is, escaped for a URL, in hexadecimal digits.
    folded: Vec<String>,
    /// Base64, wherever the text begins in what was encoded.
    exact: Vec<String>,
}

impl Needle {
    pub fn of(text: &str) -> Self {
        let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let wide: String = text.chars().flat_map(|c| [c, '\0']).collect();
        let escaped = text.replace('-', "%2D");
        let exact = (0..3).map(|ahead| {
            let padded = format!("{}{text}", "x".repeat(ahead));
            let encoded = STANDARD_NO_PAD.encode(&padded);
            // The first and the last digits also depend on what stands around.
            let (from, to) = ([0, 2, 3][ahead], padded.len() * 8 / 6);
            encoded[from..to].to_owned()
        });
        let mut folded = vec![text.to_owned(), digits, wide, escaped];
        folded.iter_mut().for_each(|form| *form = form.to_ascii_lowercase());
        Self { folded, exact: exact.collect() }
    }

    /// Where it stands first, with what stands around it.
    pub fn find(&self, haystack: &Haystack) -> Option<String> {
        let text = &haystack.text;
        let folded = self.folded.iter().find_map(|form| haystack.folded.find(form));
        let found = folded.or_else(|| self.exact.iter().find_map(|form| text.find(form)))?;
        let from = (found.saturating_sub(300)..=found).find(|at| text.is_char_boundary(*at))?;
        let to = (found + 120).min(text.len());
        let to = (to..=text.len()).find(|at| text.is_char_boundary(*at))?;
        Some(text[from..to].to_owned())
    }
}

/// What is searched.
pub struct Haystack {
    pub name: String,
    text: String,
    folded: String,
}

impl Haystack {
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        // Texts survive this wherever they stand in a file of a database, also in a page that was
        // freed.
        let text = String::from_utf8_lossy(bytes).into_owned();
        let folded = text.to_ascii_lowercase();
        Self { name: name.to_owned(), text, folded }
    }

    pub fn len(&self) -> usize {
        self.text.len()
    }
}

/// Every file below a folder, as it is now.
pub fn files(name: &str, folder: &Path) -> Vec<Haystack> {
    let mut folders = vec![PathBuf::from(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                let file = path.file_name().unwrap().to_string_lossy();
                found.push(Haystack::new(&format!("{name}: {file}"), &bytes));
            }
        }
    }
    found
}

#[test]
fn a_mark_is_found_in_whatever_form_it_is_written_down() {
    let needle = Needle::of(MARK);
    let is_found = |text: &[u8]| needle.find(&Haystack::new("x", text)).is_some();
    let text = format!("say {MARK}token to nobody");
    let mut forms: Vec<Vec<u8>> = vec![
        text.clone().into(),
        text.to_lowercase().into(),
        text.replace('-', "%2d").into(),
        text.bytes().flat_map(|byte| format!("{byte:02X}").into_bytes()).collect(),
        text.bytes().flat_map(|byte| [byte, 0]).collect(),
        [&[0xff, 0xfe, 0x00][..], text.as_bytes(), &[0x80]].concat(),
    ];
    for ahead in 0..3 {
        forms.push(STANDARD.encode(format!("{}{text}", "-".repeat(ahead))).into());
    }
    for form in &forms {
        assert!(is_found(form), "{}", String::from_utf8_lossy(form));
    }
    for other in [&b"HYGIENE MARK"[..], b"", &STANDARD.encode("HYGIENE").into_bytes()] {
        assert!(!is_found(other));
    }
}
