//! The reference page of a sink: the header of the file that makes it, and its keys from the schema.

use std::fmt::Write as _;

use serde_json::Value as Schema;

use crate::config::schema::schema;

#[must_use]
pub fn page(kind: &str, source: &str) -> String {
    let mut page = format!("# Sink `{kind}`\n\n");
    for line in source.lines().map_while(|line| line.strip_prefix("//!")) {
        let line = line.strip_prefix(' ').unwrap_or(line);
        // A header of a module begins at the first level, a page has its title there.
        let deeper = if line.starts_with("# ") { "#" } else { "" };
        let _ = writeln!(page, "{deeper}{line}");
    }
    page.push_str("\n## Keys\n\n| key | default | meaning |\n|--|--|--|\n");
    let sink = &schema()["$defs"]["SinkConfig"];
    let own = sink["oneOf"].as_array().into_iter().flatten();
    let own = own.filter(|variant| variant["properties"]["type"]["const"] == kind);
    for schema in std::iter::once(sink).chain(own) {
        keys(schema, &mut page);
    }
    page.push_str(
        "\n`filter` takes `rules`, `at_least`, `sources` and `owners`; see the \
         [reference](../../config/headcount.reference.yaml). Attempts, dead letters, replay and \
         metrics are the same for every sink.\n",
    );
    page
}

fn keys(schema: &Schema, page: &mut String) {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Schema::as_str).collect();
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        if key == "type" {
            continue;
        }
        let default = match &property["default"] {
            _ if required.contains(&key.as_str()) => "required".to_owned(),
            Schema::Null | Schema::Object(_) => "–".to_owned(),
            value => format!("`{value}`"),
        };
        let about = property["description"].as_str().unwrap_or_default().replace('\n', " ");
        let _ = writeln!(page, "| `{key}` | {default} | {about} |");
    }
}
