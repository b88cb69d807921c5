//! Who is said to own a repository: custom properties, CODEOWNERS, a catalogue file, teams.
//!
//! Collects claims and weighs none of them.

use std::collections::{BTreeMap, BTreeSet};

use headcount_sdk::{OwnerBasis, OwnerEvidence, OwnerKind, Standing};
use serde::{Deserialize, Serialize};

use crate::wire::{FileNodes, Property};

/// What people write when a field is mandatory and they have nothing to say.
const NOBODY: &[&str] = &["", "-", "?", "n/a", "na", "none", "null", "nobody", "tbd", "unknown"];

/// An owner that a file names, and which file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) reference: String,
    pub(crate) locator: String,
}

pub(crate) fn claim(reference: &str, basis: OwnerBasis, locator: &str) -> OwnerEvidence {
    OwnerEvidence {
        reference: reference.to_owned(),
        basis,
        locator: locator.to_owned(),
        kind: OwnerKind::Technical,
        standing: Standing::NotKnown,
    }
}

/// Custom properties as labels: text as it is, lists joined by commas, unset ones left out.
pub(crate) fn labels(properties: &[Property]) -> BTreeMap<String, String> {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Array(values) => {
            let texts: Vec<&str> = values.iter().filter_map(|value| value.as_str()).collect();
            Some(texts.join(","))
        }
        serde_json::Value::Bool(flag) => Some(flag.to_string()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::Null | serde_json::Value::Object(_) => None,
    };
    let named = properties.iter().filter_map(|p| Some((p.property_name.clone(), text(&p.value)?)));
    named.collect()
}

/// Owners that labels name.
pub(crate) fn from_labels(
    labels: &BTreeMap<String, String>,
    owner_properties: &[String],
) -> Vec<OwnerEvidence> {
    let wanted: BTreeSet<String> = owner_properties.iter().map(|name| plain(name)).collect();
    let found = labels.iter().filter(|(name, _)| wanted.contains(&plain(name)));
    found
        .filter(|(_, value)| !NOBODY.contains(&value.trim().to_ascii_lowercase().as_str()))
        .map(|(name, value)| {
            claim(value.trim(), OwnerBasis::Label, &format!("custom property {name}"))
        })
        .collect()
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>().to_ascii_lowercase()
}

/// Owners that the files name. Only the first CODEOWNERS in GitHub's own order counts.
pub(crate) fn from_files(files: &FileNodes) -> Vec<Named> {
    let mut named = Vec::new();
    let codeowners = [&files.codeowners, &files.codeowners_root, &files.codeowners_docs];
    let text = |blob: &Option<crate::wire::Blob>| blob.as_ref().and_then(|blob| blob.text.clone());
    if let Some(text) = codeowners.into_iter().find_map(text) {
        let owners = catch_all(&text).into_iter();
        named.extend(owners.map(|reference| Named { reference, locator: "CODEOWNERS".to_owned() }));
    }
    if let Some(owner) = text(&files.catalog).as_deref().and_then(catalog_owner) {
        let locator = "catalog-info.yaml spec.owner".to_owned();
        named.push(Named { reference: owner, locator });
    }
    named
}

/// The owners of the last line that matches everything: in CODEOWNERS the last match wins. A line
/// without owners takes ownership away.
fn catch_all(text: &str) -> Vec<String> {
    let mut lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    let last = lines.rfind(|line| {
        matches!(line.split_whitespace().next(), Some("*" | "/*" | "**" | "/**" | "/" | "**/*"))
    });
    let owners = last.map(|line| line.split_whitespace().skip(1)).into_iter().flatten();
    owners.map(|owner| owner.trim_start_matches('@').to_owned()).collect()
}

/// `spec.owner` of the first document that has one. Only the plain form is understood: `spec:` at
/// the margin, `owner:` below it on a line of its own.
fn catalog_owner(text: &str) -> Option<String> {
    let mut inside: Option<Option<usize>> = None;
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or("").trim_end();
        let indent = line.len() - line.trim_start().len();
        if line.is_empty() {
            continue;
        }
        if indent == 0 {
            inside = (line == "spec:").then_some(None);
            continue;
        }
        let Some(level) = &mut inside else { continue };
        let level = *level.get_or_insert(indent);
        if let Some(owner) = line.trim_start().strip_prefix("owner:").filter(|_| indent == level) {
            let owner = owner.trim().trim_matches(['"', '\'']);
            let known = !NOBODY.contains(&owner.to_ascii_lowercase().as_str());
            return known.then(|| owner.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Blob;

    #[test]
    fn the_last_catch_all_line_names_the_owners() {
        let rows: [(&str, &[&str]); 6] = [
            ("* @acme/platform", &["acme/platform"]),
            (
                "* @acme/a\n/docs @ana\n* @acme/b ana@example.com # c",
                &["acme/b", "ana@example.com"],
            ),
            ("*.rs @acme/rust", &[]),
            ("* @acme/a\n*", &[]),
            ("# * @acme/a", &[]),
            ("", &[]),
        ];
        for (text, owners) in rows {
            assert_eq!(catch_all(text), owners, "{text}");
        }
    }

    #[test]
    fn catalogue_files_name_an_owner_in_spec_alone() {
        let rows = [
            ("kind: Component\nspec:\n  type: service\n  owner: team-a\n", Some("team-a")),
            (
                "metadata:\n  owner: x\nspec:\n  owner: \"group:default/b\" # c\n",
                Some("group:default/b"),
            ),
            ("spec:\n  system:\n    owner: nested\n", None),
            ("spec:\n  owner: unknown\n", None),
            ("owner: top\n", None),
            ("kind: A\nspec:\n  x: 1\n---\nspec:\n  owner: second\n", Some("second")),
        ];
        for (text, owner) in rows {
            assert_eq!(catalog_owner(text).as_deref(), owner, "{text}");
        }
    }

    #[test]
    fn the_first_codeowners_file_counts_alone() {
        let blob = |text: &str| Some(Blob { oid: None, text: Some(text.to_owned()) });
        let files = FileNodes {
            codeowners: None,
            codeowners_root: blob("* @root"),
            codeowners_docs: blob("* @docs"),
            catalog: blob("spec:\n  owner: cat\n"),
        };
        let named = from_files(&files);
        let owners: Vec<&str> = named.iter().map(|named| named.reference.as_str()).collect();
        assert_eq!(owners, ["root", "cat"]);
    }

    #[test]
    fn properties_become_labels_and_owner_properties_claims() {
        let property = |name: &str, value: serde_json::Value| Property {
            property_name: name.to_owned(),
            value,
        };
        let labels = labels(&[
            property("Owning_Team", "payments".into()),
            property("env", serde_json::json!(["prod", "eu"])),
            property("owner", serde_json::Value::Null),
            property("team", "TBD".into()),
        ]);
        assert_eq!(labels.get("env").map(String::as_str), Some("prod,eu"));
        assert!(!labels.contains_key("owner"));
        let wanted = ["owner", "owning-team", "team"].map(str::to_owned);
        let claims = from_labels(&labels, &wanted);
        let owners: Vec<&str> = claims.iter().map(|claim| claim.reference.as_str()).collect();
        assert_eq!(owners, ["payments"]);
    }
}
