//! Writing a description of a SaaS API with nothing but the program.

use std::process::Output;

fn headcount(home: &std::path::Path, arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_headcount"));
    command.args(arguments).env_clear().current_dir(home).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_new_description_reads_its_answers_and_says_when_they_break() {
    let home = tempfile::tempdir().unwrap();
    let made = headcount(home.path(), &["sources", "new", "acme"]);
    assert!(made.status.success(), "{made:?}");
    let test = ["sources", "test", "acme.yaml", "--fixture", "acme"];
    let read = headcount(home.path(), &test);
    assert!(read.status.success(), "{read:?}");
    assert!(stdout(&read).contains("complete"), "{}", stdout(&read));
    assert!(!stdout(&read).contains("never kept"), "a denied field got through");

    // A second start keeps what somebody has written.
    let again = headcount(home.path(), &["sources", "new", "acme"]);
    assert_eq!(again.status.code(), Some(2), "{again:?}");

    let answers = home.path().join("acme/items.json");
    let text = std::fs::read_to_string(&answers).unwrap();
    std::fs::write(&answers, text.replace("\"id\": \"key-1\", ", "")).unwrap();
    let broken = headcount(home.path(), &test);
    assert_eq!(broken.status.code(), Some(4), "{broken:?}");
    assert!(stdout(&broken).contains("not read to its end"), "{}", stdout(&broken));
}

#[test]
fn the_catalogue_is_listed_and_a_wrong_description_is_refused_with_its_place() {
    let home = tempfile::tempdir().unwrap();
    let listed = headcount(home.path(), &["sources", "list"]);
    for name in ["okta", "openai", "entra", "vault"] {
        assert!(stdout(&listed).contains(name), "{name}");
    }
    std::fs::create_dir(home.path().join("none")).unwrap();
    std::fs::write(home.path().join("bad.yaml"), "name: bad\nabuot: x\n").unwrap();
    let refused = headcount(home.path(), &["sources", "test", "bad.yaml", "--fixture", "none"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("bad.yaml"), "{said}");
}
