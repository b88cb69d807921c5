//! What stands in the repository is what the program would write: rule pages, the command line,
//! the configuration's schema and reference, connector pages, permission files.

use std::path::Path;

use headcount::cli::docs::{generated, stale};

#[test]
fn generated_files_are_as_they_would_be_generated() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let stale = stale(root, &generated()).unwrap();
    assert!(stale.is_empty(), "run `cargo run -- docs generate`; not up to date: {stale:?}");
}

#[test]
fn a_file_that_nobody_generates_is_named() {
    let root = tempfile::tempdir().unwrap();
    let files = generated();
    assert_eq!(stale(root.path(), &files).unwrap().len(), files.len());
    for (path, content) in &files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    assert!(stale(root.path(), &files).unwrap().is_empty());
    std::fs::write(root.path().join("docs/rules/no-such-rule.md"), "").unwrap();
    assert_eq!(stale(root.path(), &files).unwrap(), ["docs/rules/no-such-rule.md"]);
}
