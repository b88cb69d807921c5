//! The rules of the house that no compiler holds.
//!
//! Each law looks at one file and names what offends it; one test per law walks the repository.
//! [`every_law_catches_what_it_forbids`] plants an offence for each of them, so that none of them
//! is green because it looks at nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A file of the repository, by its path from the root, with `/` between folders.
struct File {
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// The lines outside `//` comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// The lines of code that hold one of `words`, as offences.
    fn naming(&self, words: &[&str], why: &str) -> Vec<String> {
        let mut offences = Vec::new();
        for (number, line) in self.code() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                offences.push(format!("{}:{number}: `{word}`: {why}", self.path));
            }
        }
        offences
    }
}

type Law = fn(&File) -> Vec<String>;

/// Lines that a file may have; past 400 its module doc says why it is not split.
const MAX_LINES: usize = 700;

fn opens_with_what_it_is_for(file: &File) -> Vec<String> {
    let says = ["//!", "#![doc = include_str!("].iter().any(|says| file.text.starts_with(says));
    let opens = !file.is_rust() || says;
    offence(opens, file, "the module does not open with `//!`: what it owns, what it refuses")
}

fn is_short_enough_to_read(file: &File) -> Vec<String> {
    let max = if file.path == "docs/architecture.md" { 300 } else { MAX_LINES };
    let is_prose = file.is_rust() || file.path == "docs/architecture.md";
    let lines = file.text.lines().count();
    offence(!is_prose || lines <= max, file, &format!("{lines} lines; split it (at most {max})"))
}

fn is_no_mod_rs(file: &File) -> Vec<String> {
    let named = file.path.ends_with("/mod.rs");
    offence(!named, file, "name the module `foo.rs` beside its folder `foo/`")
}

/// What a pure module cannot name: clocks, files, the environment, the network, other tasks,
/// chance, logs. `std` is imported one path a line there, so that nothing hides in braces.
fn core_is_pure(file: &File) -> Vec<String> {
    const IMPURE: &[&str] = &[
        "tokio",
        "async ",
        ".await",
        "std::{",
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "std::thread",
        "std::sync",
        "std::time",
        "SystemTime",
        "Instant",
        "Timestamp::now",
        "Zoned::now",
        "rand::",
        "fastrand",
        "HashMap",
        "HashSet",
        "tracing",
        "log::",
        "println!",
        "eprintln!",
    ];
    if !file.path.starts_with("src/core/") || !file.is_rust() {
        return Vec::new();
    }
    file.naming(IMPURE, "src/core is pure; hand it in as an argument")
}

/// Crates without clock, I/O or chance. Cargo refuses to let a crate name any other.
fn core_depends_on_little(file: &File) -> Vec<String> {
    const ALLOWED: &[&str] = &[
        "headcount-sdk",
        "jiff",
        "schemars",
        "serde",
        "serde_json",
        "sha2",
        "strsim",
        "thiserror",
        // in tests
        "insta",
        "proptest",
    ];
    if file.path != "src/core/Cargo.toml" {
        return Vec::new();
    }
    let mut section = "";
    let mut offences = Vec::new();
    for line in file.text.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.contains("dependencies") {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if !name.is_empty() && !name.starts_with('#') && !ALLOWED.contains(&name) {
                offences.push(format!("{}: `{name}` in the pure core", file.path));
            }
        }
    }
    offences
}

fn leaves_nothing_for_later(file: &File) -> Vec<String> {
    // In two parts, so that this file does not offend itself.
    const LATER: &[&str] = &[
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("to", "do!("),
        concat!("unimpl", "emented!("),
        concat!("db", "g!("),
        concat!("#[ig", "nore"),
    ];
    if !file.is_rust() {
        return Vec::new();
    }
    let mut offences = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for word in LATER.iter().filter(|word| line.contains(**word)) {
            let number = index + 1;
            offences.push(format!("{}:{number}: `{word}`: do it, or file it", file.path));
        }
    }
    offences
}

/// One word per thing; the list with reasons is in CONTRIBUTING.md. Vendors' own type names, which
/// hold the word without being it, pass.
fn keeps_to_the_words_of_the_house(file: &File) -> Vec<String> {
    const NEVER: &[(&str, &str)] = &[(concat!("plug", "in"), "connector")];
    let is_ours = file.is_rust() || file.path.starts_with("docs/");
    if !is_ours {
        return Vec::new();
    }
    let mut offences = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let words: BTreeSet<String> = words(line).collect();
        for (never, instead) in NEVER {
            let plural = format!("{never}s");
            if words.contains(*never) || words.contains(&plural) {
                offences.push(format!("{}:{}: say `{instead}`", file.path, index + 1));
            }
        }
    }
    offences
}

fn words(line: &str) -> impl Iterator<Item = String> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_lowercase)
}

fn names_tests_as_sentences(file: &File) -> Vec<String> {
    let mut offences = Vec::new();
    let mut lines = file.text.lines().enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        let is_test = matches!(line.trim(), "#[test]") || line.trim().starts_with("#[tokio::test");
        let next = lines.peek().map(|(_, next)| next.trim()).unwrap_or_default();
        if is_test && file.is_rust() && next.contains("fn test_") {
            let place = format!("{}:{}", file.path, index + 2);
            offences.push(format!("{place}: the name says what holds, without `test_`"));
        }
    }
    offences
}

/// Ids and keys that look real are taken for real by every scanner that meets them, ours included.
fn holds_no_key_that_looks_real(file: &File) -> Vec<String> {
    /// Made up, and so much so that it shows.
    const MADE_UP: &[&str] = &["EXAMPLE", "SIMULATOR", "UNKNOWN", "TEST", "FAKE", "AAAA", "0000"];
    let mut offences = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let at = format!("{}:{}", file.path, index + 1);
        for id in access_key_ids(line) {
            if !MADE_UP.iter().any(|word| id.contains(word)) {
                offences.push(format!("{at}: `{id}` looks real; use one with EXAMPLE in it"));
            }
        }
        if line.contains(concat!("PRIVATE", " KEY-----")) {
            offences.push(format!("{at}: a private key; make one when the test runs"));
        }
    }
    offences
}

/// Twenty capitals and digits that begin like the id of an AWS access key.
fn access_key_ids(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| {
        word.len() == 20
            && (word.starts_with("AKIA") || word.starts_with("ASIA"))
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    })
}

fn links_lead_to_files_that_are_there(file: &File) -> Vec<String> {
    if !file.is_markdown() {
        return Vec::new();
    }
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    let targets = file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let mut offences = Vec::new();
    for target in targets {
        let path = target.split('#').next().unwrap_or_default();
        let is_elsewhere = path.is_empty() || path.contains(':') || path.contains(' ');
        if !is_elsewhere && !root().join(folder).join(path).exists() {
            offences.push(format!("{}: the link to {target} leads nowhere", file.path));
        }
    }
    offences
}

/// These name files and tests as proof; a proof that is gone is no proof.
const PROVEN: [&str; 2] = ["docs/architecture.md", "docs/threat-model.md"];

fn architecture_names_what_exists(file: &File, tests: &BTreeSet<String>) -> Vec<String> {
    if !PROVEN.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let mut offences = Vec::new();
    for name in file.text.split('`').skip(1).step_by(2) {
        let roots = ["src/", "connectors/", "tests/", "docs/"];
        let is_path = roots.iter().any(|root| name.starts_with(root));
        let is_pattern = name.contains(['*', '<', '{', '…']);
        if is_path && !is_pattern && !root().join(name).exists() {
            offences.push(format!("{}: there is no {name}", file.path));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_sentence = name.matches('_').count() >= 3 && name.chars().all(plain);
        if is_sentence && !tests.contains(name) {
            offences.push(format!("{}: no test is called {name}", file.path));
        }
    }
    offences
}

const LAWS: &[Law] = &[
    opens_with_what_it_is_for,
    is_short_enough_to_read,
    is_no_mod_rs,
    core_is_pure,
    core_depends_on_little,
    leaves_nothing_for_later,
    keeps_to_the_words_of_the_house,
    names_tests_as_sentences,
    holds_no_key_that_looks_real,
    links_lead_to_files_that_are_there,
];

#[test]
fn modules_open_with_what_they_are_for() {
    check(opens_with_what_it_is_for);
}

#[test]
fn files_are_short_enough_to_read() {
    check(is_short_enough_to_read);
}

#[test]
fn modules_stand_beside_their_folder() {
    check(is_no_mod_rs);
}

#[test]
fn the_core_is_pure() {
    check(core_is_pure);
    check(core_depends_on_little);
}

#[test]
fn nothing_is_left_for_later() {
    check(leaves_nothing_for_later);
}

#[test]
fn code_and_documents_keep_to_the_words_of_the_house() {
    check(keeps_to_the_words_of_the_house);
}

#[test]
fn tests_are_named_by_what_holds() {
    check(names_tests_as_sentences);
}

#[test]
fn fixtures_hold_no_key_that_looks_real() {
    check(holds_no_key_that_looks_real);
}

#[test]
fn links_in_documents_lead_somewhere() {
    check(links_lead_to_files_that_are_there);
}

#[test]
fn the_architecture_page_names_files_and_tests_that_exist() {
    let files = files();
    let tests: BTreeSet<String> = files
        .iter()
        .filter(|file| file.is_rust())
        .flat_map(|file| file.text.split("fn ").skip(1))
        .filter_map(|rest| rest.split(['(', '<']).next())
        .map(str::to_owned)
        .collect();
    let offences = files.iter().flat_map(|file| architecture_names_what_exists(file, &tests));
    assert_clean(offences.collect());
}

#[test]
fn every_rule_has_its_page_and_every_page_its_rule() {
    let rules: BTreeSet<String> = files()
        .iter()
        .filter(|file| {
            file.path.starts_with("src/core/rules/") && file.text.contains("Meta = Meta {")
        })
        .filter_map(|file| file.text.split("id: \"").nth(1)?.split('"').next().map(str::to_owned))
        .collect();
    let pages: BTreeSet<String> = files()
        .iter()
        .filter_map(|file| file.path.strip_prefix("docs/rules/")?.strip_suffix(".md"))
        .filter(|name| *name != "README")
        .map(str::to_owned)
        .collect();
    assert!(rules.len() >= 15, "the rules were not found: {rules:?}");
    assert_eq!(rules, pages, "run `cargo run -- docs generate`");
}

#[test]
fn the_readme_gives_the_command_that_ci_runs() {
    const COMMAND: &str = "cargo test --workspace --locked";
    for path in ["README.md", "CONTRIBUTING.md", ".ci/run"] {
        let text = fs::read_to_string(root().join(path)).unwrap();
        assert!(text.contains(COMMAND), "{path} does not say `{COMMAND}`");
    }
}

#[test]
fn every_law_catches_what_it_forbids() {
    let long = format!("//! Long.\n{}", "//\n".repeat(MAX_LINES));
    let key = ["AK", "IAQ3EGTKLMNOP12345"].concat();
    let planted: &[(Law, &str, &str)] = &[
        (opens_with_what_it_is_for, "src/a.rs", "use std::fmt;"),
        (is_short_enough_to_read, "src/a.rs", &long),
        (is_no_mod_rs, "src/a/mod.rs", "//! A."),
        (core_is_pure, "src/core/a.rs", "//! A.\nfn f() { Instant::now(); }"),
        (core_depends_on_little, "src/core/Cargo.toml", "[dependencies]\ntokio.workspace = true"),
        (leaves_nothing_for_later, "src/a.rs", concat!("//! A.\n// TO", "DO: more")),
        (keeps_to_the_words_of_the_house, "src/a.rs", concat!("//! A plug", "in.")),
        (names_tests_as_sentences, "src/a.rs", "//! A.\n#[test]\nfn test_it() {}"),
        (holds_no_key_that_looks_real, "a.csv", &key),
        (links_lead_to_files_that_are_there, "README.md", "[there](docs/nowhere.md)"),
    ];
    for law in LAWS {
        let is_planted = planted.iter().any(|(of, _, _)| std::ptr::fn_addr_eq(*of, *law));
        assert!(is_planted, "a law without a planted offence");
    }
    for (law, path, text) in planted {
        let file = File { path: (*path).to_owned(), text: (*text).to_owned() };
        assert_eq!(law(&file).len(), 1, "what was planted in {path} was not caught: {text:.80}");
    }
    let lies = "`src/nowhere.rs` is held by `a_test_that_is_not`";
    let file = File { path: "docs/architecture.md".to_owned(), text: lies.to_owned() };
    assert_eq!(architecture_names_what_exists(&file, &BTreeSet::new()).len(), 2);
}

fn offence(holds: bool, file: &File, what: &str) -> Vec<String> {
    if holds { Vec::new() } else { vec![format!("{}: {what}", file.path)] }
}

fn check(law: Law) {
    assert_clean(files().iter().flat_map(law).collect());
}

fn assert_clean(offences: Vec<String>) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// Built, stored, or kept by git.
const NOT_OURS: &[&str] = &["target", ".git", "headcount-data"];

fn from_root(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/")
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the repository, sorted by path.
fn files() -> Vec<File> {
    let mut files = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name());
            if NOT_OURS.iter().any(|other| name.as_os_str() == *other) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            match fs::read_to_string(&path) {
                Ok(text) => files.push(File { path: from_root(&path), text }),
                // A picture.
                Err(error) if error.kind() == ErrorKind::InvalidData => {}
                Err(error) => panic!("{}: {error}", path.display()),
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() > 50, "the repository was not found at {}", root().display());
    files
}
