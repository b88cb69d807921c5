//! `headcount backup`: the whole inventory in one file, also while the agent runs.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use super::{Exit, Globals, UsageError};
use crate::registry;

const EXAMPLES: &str = "\
Examples:
  headcount backup 2026-11-26.db --config org.yaml
  kubectl exec headcount-0 -- headcount backup - > 2026-11-26.db

The copy is the inventory at one moment: records with their history, findings, and what
sinks still have to get. Keep it like the inventory itself: it is a map of your weak spots. `headcount
restore` brings it back.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BackupArgs {
    /// The file to write, which must not be there; `-` for standard output
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

pub async fn run(
    args: &BackupArgs,
    globals: &Globals,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    let data_dir = globals.load()?.data_dir;
    if args.to == Path::new("-") {
        return stream(&data_dir, out).await;
    }
    registry::back_up(&data_dir, &args.to).await?;
    let bytes = fs::metadata(&args.to).with_context(|| args.to.display().to_string())?.len();
    writeln!(out, "wrote {} ({bytes} bytes)", args.to.display())?;
    Ok(Exit::Ok)
}

/// By way of a file beside the inventory: a copy is written here and there, not from its beginning
/// to its end.
async fn stream(data_dir: &Path, out: &mut (dyn Write + Send)) -> anyhow::Result<Exit> {
    if io::stdout().is_terminal() {
        return Err(UsageError("a copy is no text; redirect it to a file".to_owned()).into());
    }
    let name = format!("backup-{}.db", std::process::id());
    let passing = data_dir.join(name);
    registry::back_up(data_dir, &passing).await?;
    let copied = File::open(&passing).and_then(|mut file| io::copy(&mut file, out));
    fs::remove_file(&passing).with_context(|| passing.display().to_string())?;
    copied?;
    Ok(Exit::Ok)
}
