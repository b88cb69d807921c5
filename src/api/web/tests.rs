//! What holds for all of the page's own files.
#![allow(clippy::expect_used, reason = "tests fail by panicking")]

/// The one way past escaping is never taken: what a source wrote is text, whatever it looks like.
#[test]
fn no_template_switches_escaping_off() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/web/templates");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the templates are there") {
        let path = entry.expect("the folder can be read").path();
        let text = std::fs::read_to_string(&path).expect("a template is text");
        for way in ["|safe", "| safe", "{% autoescape", "|escape(", "<style", "style=\"", "onclick"]
        {
            assert!(!text.contains(way), "{}: `{way}`", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 10, "{seen} templates");
}
