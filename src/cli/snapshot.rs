//! `headcount snapshot`: the inventory of a moment as a file, with what can be relied on in it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use aws_lc_rs::digest;
use clap::Args;
use futures::StreamExt as _;
use jiff::Timestamp;
use serde::Serialize;

use super::session::Session;
use super::time::Moment;
use super::{Exit, Globals, UsageError};
use crate::snapshot::coverage::{self, Manifest};
use crate::snapshot::write::Format;
use crate::snapshot::{document, everything};

const EXAMPLES: &str = "\
Examples:
  headcount snapshot -o audit/                             as it is now, as NDJSON
  headcount snapshot --at 2026-09-30 --format parquet -o q3/
  duckdb -c \"select count(*) from 'q3/inventory.parquet' where owner is null\"

Writes inventory.FORMAT and coverage.json. The latter says per scope whether it was read to its end
by then, why not if not, and the SHA-256 of the former. Ends with exit code 4 if something was not
complete.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct SnapshotArgs {
    /// As of when: a time, a day (its first instant in UTC), how long ago (`24h`), or `now`
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, default_value = "now")]
    at: Moment,
    /// In which form
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Into which folder; it is made if it is not there
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
}

/// `coverage.json`
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    manifest: &'a Manifest,
    files: [Digested; 1],
}

#[derive(Serialize)]
struct Digested {
    name: String,
    bytes: u64,
    sha256: String,
}

pub async fn run(
    args: &SnapshotArgs,
    globals: &Globals,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Exit> {
    let session = Session::to_read(globals).await?;
    let at = args.at.resolve(session.now);
    if at > session.now {
        return Err(UsageError("--at is in the future".to_owned()).into());
    }
    fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let manifest = coverage::manifest(session.store.as_ref(), at).await?;
    let name = format!("inventory.{}", args.format.extension());
    let file = inventory(&session, at, args.format, &args.out.join(&name)).await?;
    let path = args.out.join("coverage.json");
    let text = serde_json::to_string_pretty(&Written { manifest: &manifest, files: [file] })?;
    fs::write(&path, text + "\n").with_context(|| path.display().to_string())?;
    writeln!(out, "{}\n{}", args.out.join(&name).display(), path.display())?;
    Ok(if manifest.complete { Exit::Ok } else { Exit::Incomplete })
}

/// Writes beside the name and renames, so that what bears the name is whole.
async fn inventory(
    session: &Session,
    at: Timestamp,
    format: Format,
    path: &Path,
) -> anyhow::Result<Digested> {
    let part = path.with_extension("part");
    let context = || part.display().to_string();
    let mut file = File::create(&part).with_context(context)?;
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut bytes = 0;
    let document = document(Arc::clone(&session.store), everything(at), format)?;
    let mut pieces = std::pin::pin!(document);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        hash.update(&piece);
        bytes += piece.len() as u64;
        file.write_all(&piece).with_context(context)?;
    }
    file.sync_all().with_context(context)?;
    fs::rename(&part, path).with_context(|| path.display().to_string())?;
    let sha256 = hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Digested { name, bytes, sha256 })
}
