//! `headcount restore`: a copy becomes the inventory of an empty data directory.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::{Exit, Globals};
use crate::registry;

const EXAMPLES: &str = "\
Examples:
  headcount restore 2026-11-26.db --config org.yaml

The agent must not run, and the data directory must hold no inventory: move an old one away first.
The next scan finds what changed since the copy was made. Events are numbered on from the copy, so
what was sent after it was made may be sent again.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RestoreArgs {
    /// A file that `headcount backup` wrote
    #[arg(value_name = "FILE")]
    from: PathBuf,
}

pub async fn run(
    args: &RestoreArgs,
    globals: &Globals,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    let data_dir = globals.load()?.data_dir;
    registry::restore(&args.from, &data_dir).await?;
    writeln!(out, "restored {} to {}", args.from.display(), data_dir.display())?;
    Ok(Exit::Ok)
}
