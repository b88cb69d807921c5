//! `headcount sources`: sources that need no code here. SaaS APIs that are read from a description,
//! and how to write one ([`described`]); the lines that programs and pushes speak ([`validate`]).

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Exit;
use super::lines::write_json;
use super::style::Style;

#[cfg(feature = "rest")]
mod described;
#[cfg(feature = "open")]
mod validate;

const EXAMPLES: &str = "\
Examples:
  headcount sources list                            the catalogue
  headcount sources new acme                        acme.yaml and acme/, to start from
  headcount sources test acme.yaml --fixture acme   read the made-up answers in acme/
  headcount sources schema > description.json       for an editor
  acme-keys | headcount sources validate            check what a program writes
  headcount sources schema --observations           what a program or a push may say";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SourcesArgs {
    #[command(subcommand)]
    command: SourcesCommand,
}

#[derive(Debug, Subcommand)]
enum SourcesCommand {
    /// List the descriptions that come along
    #[cfg(feature = "rest")]
    List,
    /// Write a description to start from, and answers that it reads
    #[cfg(feature = "rest")]
    New {
        /// What the API is called: lower case, digits and dashes
        name: String,
    },
    /// Read made-up answers by a description, and show records and coverage; calls nothing
    #[cfg(feature = "rest")]
    Test {
        /// The file of a description
        #[arg(value_name = "FILE")]
        description: PathBuf,
        /// The folder with the answers, one file per request
        #[arg(long, value_name = "DIR")]
        fixture: PathBuf,
        /// Every record in full, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Check lines of observations, of a program or a push, and say what is wrong with them
    #[cfg(feature = "open")]
    Validate {
        /// A file with the lines; left out or `-`, standard input
        #[arg(value_name = "FILE")]
        lines: Option<PathBuf>,
    },
    /// Print the JSON Schema of descriptions, or of lines of observations
    Schema {
        /// Of the lines that programs and pushes speak
        #[cfg(feature = "open")]
        #[arg(long)]
        observations: bool,
    },
}

pub async fn run(
    args: &SourcesArgs,
    style: Style,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    match &args.command {
        #[cfg(feature = "rest")]
        SourcesCommand::List => described::list(style, out),
        #[cfg(feature = "rest")]
        SourcesCommand::New { name } => described::new(name, out),
        #[cfg(feature = "rest")]
        SourcesCommand::Test { description, fixture, json } => {
            described::test(description, fixture, *json, style, out).await
        }
        #[cfg(feature = "open")]
        SourcesCommand::Validate { lines } => validate::run(lines.as_deref(), style, out),
        #[cfg(feature = "open")]
        SourcesCommand::Schema { observations: true } => {
            write_json(out, &headcount_open::line::schema())?;
            Ok(Exit::Ok)
        }
        SourcesCommand::Schema { .. } => {
            #[cfg(feature = "rest")]
            write_json(out, &headcount_rest::describe::schema())?;
            #[cfg(not(feature = "rest"))]
            write_json(out, &headcount_open::line::schema())?;
            Ok(Exit::Ok)
        }
    }
}
