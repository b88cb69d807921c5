//! Copies of the whole inventory: one out, also while the agent writes, and one back into a data
//! directory that holds none.
//!
//! A copy gets its name when it is whole and on the disk; what an interruption leaves behind ends
//! in `.partial`.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use sqlx::{ConnectOptions as _, Connection as _};

use super::fault::reason;
use super::open::{self, FILE};
use crate::store::{Result, StoreError};

/// Writes the inventory of `data_dir`, as it is at one moment, to a file that is not there yet.
///
/// # Errors
/// `Unusable` when there is no inventory, or `to` exists or cannot be written; `Failed` when
/// `SQLite` could not copy.
pub async fn copy_out(data_dir: &Path, to: &Path) -> Result<()> {
    let from = data_dir.join(FILE);
    if open::inspect(&from).await?.is_empty() {
        return Err(open::unusable(&from, "there is no inventory in it"));
    }
    refuse_existing(to, "it is there already; give the copy another name")?;
    let partial = partial(to);
    let written = vacuum_into(&from, &partial).await;
    finish(written, &partial, to)
}

/// Makes a copy the inventory of `data_dir`, which must hold none.
///
/// # Errors
/// `InUse` while an agent has the directory; `Unusable` when it holds an inventory, or the copy is
/// none of ours or from a newer version; `Damaged` when its pages do not fit together.
pub async fn copy_in(from: &Path, data_dir: &Path) -> Result<()> {
    if open::inspect(from).await?.is_empty() {
        return Err(open::unusable(from, "it is no copy of an inventory"));
    }
    prove_whole(from).await?;
    open::create_dir(data_dir)?;
    let _lock = open::lock(data_dir)?;
    let to = data_dir.join(FILE);
    // A log of the old inventory would be folded into the new one.
    for there in [to.clone(), data_dir.join(format!("{FILE}-wal"))] {
        refuse_existing(&there, "the data directory holds an inventory; move it away first")?;
    }
    let partial = partial(&to);
    let written = copy_bytes(from, &partial);
    finish(written, &partial, &to)
}

fn refuse_existing(path: &Path, why: &str) -> Result<()> {
    match path.try_exists() {
        Ok(false) => Ok(()),
        Ok(true) => Err(open::unusable(path, why)),
        Err(error) => Err(open::io(path)(error)),
    }
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// An empty file, readable only by its owner. What an earlier interruption left is overwritten.
fn private(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600);
    options.open(path).map_err(open::io(path))
}

/// <https://www.sqlite.org/lang_vacuum.html#vacuuminto>: a consistent copy beside a writer. The
/// file may exist if it is empty.
async fn vacuum_into(from: &Path, to: &Path) -> Result<()> {
    let action = "copy the inventory";
    let failed = |error: sqlx::Error| StoreError::Failed { action, reason: reason(&error) };
    drop(private(to)?);
    let Some(name) = to.to_str() else {
        return Err(open::unusable(to, "its name is not UTF-8"));
    };
    let mut conn = open::options(from).read_only(true).connect().await.map_err(failed)?;
    sqlx::query("VACUUM INTO ?").bind(name).execute(&mut conn).await.map_err(failed)?;
    conn.close().await.map_err(failed)
}

async fn prove_whole(path: &Path) -> Result<()> {
    let damaged = |reason: String| StoreError::Damaged { what: "copy", reason };
    let failed = |error: sqlx::Error| damaged(reason(&error));
    let mut conn = open::options(path).read_only(true).connect().await.map_err(failed)?;
    let said: String =
        sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut conn).await.map_err(failed)?;
    conn.close().await.map_err(failed)?;
    if said == "ok" { Ok(()) } else { Err(damaged("its pages do not fit together".to_owned())) }
}

fn copy_bytes(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(open::io(from))?;
    let mut target = private(to)?;
    std::io::copy(&mut source, &mut target).map(drop).map_err(open::io(to))
}

/// Puts what was written on the disk and gives it its name; else leaves nothing.
fn finish(written: Result<()>, partial: &Path, to: &Path) -> Result<()> {
    let named = written.and_then(|()| {
        let on_disk = File::open(partial).and_then(|file| file.sync_all());
        on_disk.and_then(|()| fs::rename(partial, to)).map_err(open::io(to))
    });
    if named.is_err() {
        // The first failure is the one to tell.
        let _ = fs::remove_file(partial);
    }
    named?;
    match to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => {
            File::open(folder).and_then(|file| file.sync_all()).map_err(open::io(folder))
        }
        None => Ok(()),
    }
}
