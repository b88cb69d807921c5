//! `headcount docs`: everything in the repository that is written by the program itself.
//!
//! Rule pages, the command line, the configuration's schema and reference, pages of connectors and
//! sinks, and permission files all come from the code that they describe. A test compares them with what
//! stands in the repository and names `headcount docs generate`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use headcount_core::rules::docs as rule_docs;

use super::Exit;
use crate::api::v1;
use crate::config::{reference, schema};
use crate::deliver::sinks;
use crate::registry;

mod commands;
mod connector;
mod deployment;
mod sink;

/// Folders in which nothing but generated files may stand.
const GENERATED_FOLDERS: [&str; 4] =
    ["docs/rules", "docs/reference", "deploy/permissions", "deploy/helm/headcount/files"];

#[derive(Debug, Args)]
pub struct DocsArgs {
    #[command(subcommand)]
    command: DocsCommand,
}

#[derive(Debug, Subcommand)]
enum DocsCommand {
    /// Write the generated files of the repository
    Generate {
        /// Write nothing; fail if a file is not as it would be written
        #[arg(long)]
        check: bool,
        /// The root of the repository
        #[arg(long, default_value = ".", value_name = "DIR")]
        root: PathBuf,
    },
}

pub fn run(args: &DocsArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let DocsCommand::Generate { check, root } = &args.command;
    let files = generated();
    let stale = stale(root, &files)?;
    if *check {
        anyhow::ensure!(
            stale.is_empty(),
            "not as they would be generated: {} (run `headcount docs generate`)",
            stale.join(", ")
        );
        return Ok(Exit::Ok);
    }
    for path in &stale {
        let full = root.join(path);
        match files.get(path) {
            Some(content) => {
                let folder = full.parent().unwrap_or(root);
                std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
                std::fs::write(&full, content).with_context(|| path.clone())?;
                writeln!(out, "wrote {path}")?;
            }
            None => {
                std::fs::remove_file(&full).with_context(|| path.clone())?;
                writeln!(out, "removed {path}")?;
            }
        }
    }
    if stale.is_empty() {
        writeln!(out, "nothing to do")?;
    }
    Ok(Exit::Ok)
}

/// Every generated file by its path in the repository.
#[must_use]
pub fn generated() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    files.insert("config/headcount.schema.json".to_owned(), schema::text());
    files.insert("config/headcount.reference.yaml".to_owned(), reference::text());
    files.insert("docs/reference/cli.md".to_owned(), commands::page());
    files.insert("docs/reference/openapi.json".to_owned(), v1::document_text());
    files.insert("docs/rules/README.md".to_owned(), rule_docs::index());
    for rule in registry::rules() {
        let meta = rule.meta();
        files.insert(format!("docs/rules/{}.md", meta.id), rule_docs::page(meta));
    }
    for manifest in registry::manifests() {
        let name = manifest.connector;
        let page = connector::page(manifest, &format!("connector: {name}"));
        files.insert(format!("docs/reference/connector-{name}.md"), page);
    }
    for (kind, source) in sinks::SOURCES {
        files.insert(format!("docs/reference/sink-{kind}.md"), sink::page(kind, source));
    }
    for manifest in registry::described() {
        let path = format!("docs/reference/connector-rest-{}.md", manifest.connector);
        let configured = format!("connector: rest` with `description: {}", manifest.connector);
        files.insert(path, connector::page(manifest, &configured));
    }
    files.extend(deployment::files());
    files
}

/// Paths that are missing, different, or should not be there.
pub fn stale(root: &Path, files: &BTreeMap<String, String>) -> anyhow::Result<Vec<String>> {
    let mut stale: Vec<String> = files
        .iter()
        .filter(|(path, content)| {
            // An unreadable file is written again, which tells what is wrong with it.
            std::fs::read_to_string(root.join(path)).ok().as_ref() != Some(*content)
        })
        .map(|(path, _)| path.clone())
        .collect();
    for folder in GENERATED_FOLDERS {
        let Ok(entries) = std::fs::read_dir(root.join(folder)) else { continue };
        for entry in entries {
            let name = entry?.file_name();
            let path = format!("{folder}/{}", name.to_string_lossy());
            if !files.contains_key(&path) {
                stale.push(path);
            }
        }
    }
    Ok(stale)
}
