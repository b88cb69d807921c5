//! Opening the file: who may, and whether it is ours.
//!
//! The agent's process holds an advisory lock on `<data_dir>/lock` for as long as it writes; the
//! operating system releases it however the process ends. Readers take no lock: SQLite's
//! write-ahead log gives each of them a consistent view beside the writer.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::fault::reason;
use crate::store::{Result, StoreError};

pub(super) const FILE: &str = "headcount.db";
const LOCK: &str = "lock";
/// As in the first migration.
const APPLICATION: i64 = 1_212_370_516;
/// In schema order; a migration that was released is never edited.
const MIGRATIONS: [(i64, &str, &str); 4] = [
    (1, "store", include_str!("../migrations/sqlite/0001_store.sql")),
    (2, "graph", include_str!("../migrations/sqlite/0002_graph.sql")),
    (3, "service", include_str!("../migrations/sqlite/0003_service.sql")),
    (4, "told", include_str!("../migrations/sqlite/0004_told.sql")),
];

/// A writer waits behind another commit of its own process, and a first scan's may be long.
const WRITER_WAIT: Duration = Duration::from_secs(120);
const READERS: u32 = 3;

/// Where the store is, and the lock if this process writes.
#[derive(Debug)]
pub(super) struct Opened {
    pub writer: Option<SqlitePool>,
    pub readers: SqlitePool,
    pub lock: Option<File>,
}

pub(super) async fn writing(data_dir: &Path) -> Result<Opened> {
    create_dir(data_dir)?;
    let lock = lock(data_dir)?;
    let path = data_dir.join(FILE);
    let file = private().write(true).open(&path).map_err(io(&path))?;
    let length = file.metadata().map_err(io(&path))?.len();
    drop(file);
    if length > 0 {
        inspect(&path).await?.at_most(newest(), &path)?;
    }
    let writer = pool(writing_options(&path), 1, &path).await?;
    migrate(&writer, &path).await?;
    let readers = pool(options(&path).pragma("query_only", "on"), READERS, &path).await?;
    Ok(Opened { writer: Some(writer), readers, lock: Some(lock) })
}

/// For small writes beside the process that has the lock: SQLite lets one of them write at a time.
pub(super) async fn beside(data_dir: &Path) -> Result<Opened> {
    let readers = reading(data_dir).await?.readers;
    let path = data_dir.join(FILE);
    let writer = pool(writing_options(&path), 1, &path).await?;
    Ok(Opened { writer: Some(writer), readers, lock: None })
}

pub(super) async fn reading(data_dir: &Path) -> Result<Opened> {
    let path = data_dir.join(FILE);
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            return Err(unusable(&path, "there is no store yet (run `headcount scan` first)"));
        }
        Err(error) => return Err(io(&path)(error)),
    }
    let schema = inspect(&path).await?;
    schema.at_most(newest(), &path)?;
    if schema.0 < newest() {
        return Err(unusable(
            &path,
            "it was written by an older version (run `headcount scan` once to bring it up to date)",
        ));
    }
    let readers = pool(options(&path).read_only(true), READERS, &path).await?;
    Ok(Opened { writer: None, readers, lock: None })
}

pub(super) fn create_dir(data_dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(data_dir).map_err(io(data_dir))
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).mode(0o600);
    options
}

pub(super) fn lock(data_dir: &Path) -> Result<File> {
    let path = data_dir.join(LOCK);
    let file = private().write(true).open(&path).map_err(io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::InUse { path: data_dir.display().to_string() })
        }
        Err(TryLockError::Error(error)) => Err(io(&path)(error)),
    }
}

pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .disable_statement_logging()
}

fn writing_options(path: &Path) -> SqliteConnectOptions {
    options(path)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit is on the disk when it returns, also if the power goes.
        .synchronous(SqliteSynchronous::Full)
        // In KiB. Grows only as far as commits touch pages.
        .pragma("cache_size", "-16384")
        // A first scan's log may be large; it is cut back to this afterwards.
        .pragma("journal_size_limit", "67108864")
}

async fn pool(options: SqliteConnectOptions, most: u32, path: &Path) -> Result<SqlitePool> {
    SqlitePoolOptions::new()
        .max_connections(most)
        .acquire_timeout(WRITER_WAIT)
        .test_before_acquire(false)
        .connect_with(options)
        .await
        .map_err(|error| unusable(path, &reason(&error)))
}

/// The number of the last migration that a file has had; 0 = none.
pub(super) struct Schema(i64);

impl Schema {
    pub(super) const fn is_empty(&self) -> bool {
        self.0 == 0
    }

    fn at_most(&self, newest: i64, path: &Path) -> Result<()> {
        if self.0 <= newest {
            return Ok(());
        }
        let text = format!(
            "it was written by a newer version (its schema is {}, this program knows {newest}); \
             run that version or a later one",
            self.0
        );
        Err(unusable(path, &text))
    }
}

fn newest() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or_default()
}

/// Looks at a file without changing it, so that another program's database stays as it was.
pub(super) async fn inspect(path: &Path) -> Result<Schema> {
    let refused = |error: sqlx::Error| unusable(path, &reason(&error));
    let mut conn = options(path).read_only(true).connect().await.map_err(refused)?;
    let schema = schema(&mut conn).await.map_err(refused)?;
    conn.close().await.map_err(refused)?;
    schema.ok_or_else(|| unusable(path, "it is another program's database"))
}

async fn schema(conn: &mut SqliteConnection) -> sqlx::Result<Option<Schema>> {
    let application: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *conn).await?;
    let others: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '%sqlx%'")
            .fetch_one(&mut *conn)
            .await?;
    if application != APPLICATION {
        // A crash before the first migration leaves sqlx's table alone.
        return Ok((others == 0).then_some(Schema(0)));
    }
    let version: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(conn).await?;
    Ok(Some(Schema(version.unwrap_or_default())))
}

async fn migrate(writer: &SqlitePool, path: &Path) -> Result<()> {
    let migrations = MIGRATIONS
        .into_iter()
        .map(|(version, name, sql)| {
            let sql = sqlx::SqlStr::from_static(sql);
            Migration::new(version, name.into(), MigrationType::Simple, sql, false)
        })
        .collect();
    Migrator::with_migrations(migrations).run(writer).await.map_err(|error| {
        let text = match &error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                format!("its schema could not be brought up to date: {}", reason(error))
            }
            MigrateError::VersionMismatch(version) => {
                format!("its schema differs from this program's in migration {version}")
            }
            _ => "its schema could not be brought up to date".to_owned(),
        };
        unusable(path, &text)
    })
}

pub(super) fn unusable(path: &Path, reason: &str) -> StoreError {
    StoreError::Unusable { path: path.display().to_string(), reason: reason.to_owned() }
}

pub(super) fn io(path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    let path = PathBuf::from(path);
    move |error| unusable(&path, &error.kind().to_string())
}
