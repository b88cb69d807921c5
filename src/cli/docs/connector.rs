//! The reference page of a connector, from its manifest.

use std::fmt::Write as _;

use headcount_sdk::Manifest;
use headcount_sdk::manifest::{Caller, Need};

/// `configured`: how a source of it is named in the configuration.
#[must_use]
pub fn page(manifest: &Manifest, configured: &str) -> String {
    let mut page = format!("# {}\n\n{}\n", manifest.title, manifest.about);
    // Writing to a String cannot fail.
    let _ = writeln!(page, "\nIn the configuration: `{configured}`.");
    if manifest.is_open() {
        page.push_str(
            "\n## What is counted\n\nThe scopes and kinds of records that its lines name. ",
        );
        page.push_str("They are checked against the schema that `headcount sources schema ");
        page.push_str("--observations` prints.\n");
    } else {
        counted(manifest, &mut page);
    }
    page.push_str("\n## Permissions\n\n| operation | permission | who | why | without it |\n");
    page.push_str("|--|--|--|--|--|\n");
    for operation in manifest.operations {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} |",
            operation.name,
            permission(operation.permission, operation.caller),
            who(operation.caller),
            operation.why,
            without(operation.need),
        );
    }
    let _ = writeln!(page, "\n## Calls\n\n{}", manifest.call_budget);
    page.push_str("\n## What it cannot see\n\n");
    for blind in manifest.cannot_see {
        let _ = writeln!(page, "- {blind}");
    }
    page
}

/// What the connector itself says that there is.
fn counted(manifest: &Manifest, page: &mut String) {
    page.push_str("\n## What is counted\n\n| kind | class | what it is |\n|--|--|--|\n");
    for kind in manifest.kinds {
        let _ = writeln!(page, "| `{}` | {} | {} |", kind.name, kind.class.as_str(), kind.about);
    }
    page.push_str("\n## Scopes\n\nEach is read to its end or counts as not read.\n\n");
    page.push_str("| scope | what it holds | kinds |\n|--|--|--|\n");
    for scope in manifest.scopes {
        let kinds: Vec<String> = scope.kinds.iter().map(|k| format!("`{k}`")).collect();
        let _ = writeln!(page, "| `{}` | {} | {} |", scope.name, scope.about, kinds.join(", "));
    }
}

fn permission(name: &str, caller: Caller) -> String {
    match caller {
        Caller::Free => "none".to_owned(),
        Caller::Agent | Caller::Reader => format!("`{name}`"),
    }
}

const fn who(caller: Caller) -> &'static str {
    match caller {
        Caller::Agent => "the agent",
        Caller::Reader => "the role in each account",
        Caller::Free => "anyone",
    }
}

fn without(need: Need) -> String {
    match need {
        Need::Access => "nothing can be read".to_owned(),
        Need::Scopes(scopes) => format!("incomplete: {}", scopes.join(", ")),
        Need::Enrichment(field) => format!("not known: `{field}`"),
    }
}
