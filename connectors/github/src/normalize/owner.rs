//! Who is said to own a repository: custom properties, CODEOWNERS, a catalogue file, teams.
//!
//! Collects claims and weighs none of them.

use std::collections::BTreeMap;

use headcount_sdk::owner::{self, Keys, claim, names_someone};
use headcount_sdk::{OwnerBasis, OwnerEvidence};
use serde::{Deserialize, Serialize};

use crate::wire::{FileNodes, Property};

/// An owner that a file names, and which file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) reference: String,
    pub(crate) locator: String,
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
    let wanted = Keys::new(owner_properties);
    let found = labels.iter().filter(|(name, value)| wanted.has(name) && names_someone(value));
    found
        .map(|(name, value)| OwnerEvidence {
            kind: owner::kind_of(name),
            ..claim(value, OwnerBasis::Label, &format!("custom property {name}"))
        })
        .collect()
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

/// `spec.owner` of the first document that has one. A file that is no YAML names nobody: it is the
/// repository's to mend, and no fault of the reading.
fn catalog_owner(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Entity {
        spec: Option<Spec>,
    }
    #[derive(Deserialize)]
    struct Spec {
        owner: Option<String>,
    }
    let entities: Vec<Entity> = serde_saphyr::from_multiple(text).ok()?;
    let owner = entities.into_iter().find_map(|entity| entity.spec?.owner)?;
    names_someone(&owner).then_some(owner)
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
