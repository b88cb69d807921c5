//! The embedded store: one SQLite file, no server.
//!
//! One connection writes, in `BEGIN IMMEDIATE` transactions in which nothing but the store is
//! awaited; a few others read, each request in one consistent view. A version's use and owner are
//! the last that held while it was valid: they move without a new version.
//!
//! Each concern has its SQL in one file: [`records`] writes records and [`moving`] what moves in
//! them, [`neighbourhood`] reads what a scan needs and [`query`] what people ask, [`edges`],
//! [`findings`], [`outbox`] and [`backup`] do what their names say, [`work`] reads pages for people,
//! [`sources`] does the rest. Start at
//! `migrations/sqlite/0001_store.sql`.

mod access;
pub mod backup;
mod codec;
mod edges;
mod exceptions;
mod fault;
mod findings;
mod moving;
mod neighbourhood;
mod open;
mod outbox;
mod over_time;
mod pages;
mod query;
mod records;
mod sources;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeMap;
use std::path::Path;

use async_trait::async_trait;
use headcount_core::findings::exceptions::Exception;
use headcount_core::findings::{Finding, Severity};
use headcount_core::graph::Key;
use headcount_core::inventory::{Record, ScopeState};
use headcount_core::reconcile::Known;
use headcount_sdk::{RecordId, Scope};
use jiff::Timestamp;
use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, SqliteConnection, Transaction};

use self::fault::{Fallible, Fault, during};
use self::sources::Numbers;
use super::access::{AuditEntry, Token, TokenHash, Written};
use super::over_time::{Census, CountsAt, PastCoverage};
use super::paging::{FindingPlace, FindingQuery, Page, RecordPlace, RecordQuery};
use super::work::{Listed, Work, WorkCount, WorkFilter};
use super::{
    Attempt, AuditFilter, Commit, DeadLetter, Delivery, Event, FindingFilter, PastDrift,
    PastTransition, QueueState, RecordCount, RecordFilter, Result, SourceState, Store, Version,
};

/// The store in `<data_dir>/headcount.db`.
#[derive(Debug)]
pub struct SqliteStore {
    readers: SqlitePool,
    writer: Option<SqlitePool>,
    /// Held until the store is dropped; behind the pools, because fields drop in order. Without it
    /// nothing may be committed.
    lock: Option<std::fs::File>,
}

impl SqliteStore {
    /// Opens the store for the process that writes to it; creates it if there is none.
    ///
    /// # Errors
    /// `InUse` while another process has it open for writing; `Unusable` when it is not ours,
    /// damaged, from a newer version, or the directory cannot be used.
    pub async fn open(data_dir: &Path) -> Result<Self> {
        let store = Self::from(open::writing(data_dir).await?);
        let action = "count the links between records";
        let mut tx = store.write(action).await?;
        let written = edges::recount(&mut tx).await;
        end(tx, written, action).await?;
        Ok(store)
    }

    /// Opens a store that is there for small writes (tokens, exceptions), also beside the process
    /// that writes to it. [`Store::commit`] fails through it: one process decides what was found.
    ///
    /// # Errors
    /// `Unusable` when there is none, it is not ours, or it is of another schema.
    pub async fn open_beside(data_dir: &Path) -> Result<Self> {
        Ok(Self::from(open::beside(data_dir).await?))
    }

    /// Opens a store that is there for reading, also beside a process that writes to it. Writing
    /// through it fails.
    ///
    /// # Errors
    /// `Unusable` when there is none, it is not ours, or it is of another schema.
    pub async fn open_reader(data_dir: &Path) -> Result<Self> {
        Ok(Self::from(open::reading(data_dir).await?))
    }

    /// Waits for what is under way and closes the file. Dropping the store loses nothing either,
    /// but leaves the write-ahead log for the next opening to fold in.
    pub async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }

    async fn read(&self, action: &'static str) -> Result<Transaction<'static, Sqlite>> {
        self.readers.begin().await.map_err(during(action))
    }

    async fn write(&self, action: &'static str) -> Result<Transaction<'static, Sqlite>> {
        let Some(writer) = &self.writer else {
            return Err(Fault::Refused("it is open for reading only".to_owned()).during(action));
        };
        writer.begin_with("BEGIN IMMEDIATE").await.map_err(during(action))
    }
}

impl From<open::Opened> for SqliteStore {
    fn from(opened: open::Opened) -> Self {
        Self { readers: opened.readers, writer: opened.writer, lock: opened.lock }
    }
}

/// Commits what was written, or rolls it back and waits until that is done.
async fn end<T>(
    tx: Transaction<'static, Sqlite>,
    written: Fallible<T>,
    action: &'static str,
) -> Result<T> {
    match written {
        Ok(value) => {
            tx.commit().await.map_err(during(action))?;
            Ok(value)
        }
        Err(fault) => {
            // The first fault is the one to tell; a rollback that fails ends the connection.
            let _ = tx.rollback().await;
            Err(fault.during(action))
        }
    }
}

/// Everything that one commit writes, in the order that the tables need.
async fn write_commit(conn: &mut SqliteConnection, commit: &Commit) -> Fallible<()> {
    let mut numbers = Numbers::default();
    if let Some(state) = &commit.source_state {
        sources::write_source_state(conn, &mut numbers, state).await?;
    }
    if let Some(state) = &commit.scope {
        sources::write_scope_state(conn, &mut numbers, state).await?;
    }
    records::remove(conn, commit).await?;
    records::write(conn, &mut numbers, commit).await?;
    moving::use_of(conn, &commit.used).await?;
    moving::judge(conn, commit).await?;
    exceptions::judge_again(conn, commit).await?;
    over_time::write_census(conn, &mut numbers, &commit.census).await?;
    query::write_drift(conn, &mut numbers, commit).await?;
    findings::write(conn, commit).await?;
    outbox::write(conn, commit).await
}

#[async_trait]
impl Store for SqliteStore {
    async fn known(&self, source: &str, scope: &Scope) -> Result<Vec<Known>> {
        let action = "read the fingerprints of a scope";
        let mut tx = self.read(action).await?;
        neighbourhood::known(&mut tx, source, scope).await.map_err(during(action))
    }

    async fn count_in_scope(&self, source: &str, scope: &Scope) -> Result<u64> {
        let action = "read the fingerprints of a scope";
        let mut tx = self.read(action).await?;
        neighbourhood::count(&mut tx, source, scope).await.map_err(during(action))
    }

    async fn records_by_row(&self, rows: &[i64]) -> Result<Vec<Record>> {
        let action = "read records";
        let mut tx = self.read(action).await?;
        neighbourhood::by_row(&mut tx, rows).await.map_err(during(action))
    }

    async fn records(&self, ids: &[RecordId]) -> Result<Vec<Record>> {
        let action = "read records";
        let mut tx = self.read(action).await?;
        neighbourhood::by_id(&mut tx, ids).await.map_err(during(action))
    }

    async fn children(&self, parents: &[RecordId]) -> Result<Vec<Record>> {
        let action = "read the children of records";
        let mut tx = self.read(action).await?;
        neighbourhood::children(&mut tx, parents).await.map_err(during(action))
    }

    async fn linking(&self, keys: &[Key], limit: u32) -> Result<Vec<(Key, RecordId)>> {
        let action = "look up who links to records";
        let mut tx = self.read(action).await?;
        edges::linking(&mut tx, keys, limit).await.map_err(during(action))
    }

    async fn answering(&self, keys: &[Key], limit: u32) -> Result<Vec<(Key, RecordId)>> {
        let action = "look up whom records link to";
        let mut tx = self.read(action).await?;
        edges::answering(&mut tx, keys, limit).await.map_err(during(action))
    }

    async fn vanished(&self, ids: &[RecordId]) -> Result<Vec<Record>> {
        let action = "read records that are gone";
        let mut tx = self.read(action).await?;
        neighbourhood::vanished(&mut tx, ids).await.map_err(during(action))
    }

    async fn vanished_by_name(
        &self,
        source: &str,
        scope: &Scope,
        names: &[(String, String)],
    ) -> Result<BTreeMap<(String, String), RecordId>> {
        let action = "look up names of records that are gone";
        let mut tx = self.read(action).await?;
        neighbourhood::vanished_by_name(&mut tx, source, scope, names).await.map_err(during(action))
    }

    async fn findings_on(&self, subjects: &[String]) -> Result<Vec<Finding>> {
        let action = "read the findings on records";
        let mut tx = self.read(action).await?;
        findings::on(&mut tx, subjects).await.map_err(during(action))
    }

    async fn due(&self, source: &str, now: Timestamp, limit: u32) -> Result<Vec<Record>> {
        let action = "read what is due for judgement";
        let mut tx = self.read(action).await?;
        neighbourhood::due(&mut tx, source, now, limit).await.map_err(during(action))
    }

    async fn mark_all_due(&self, source: &str, now: Timestamp) -> Result<()> {
        let action = "mark records as due";
        let mut tx = self.write(action).await?;
        let written = neighbourhood::mark_all_due(&mut tx, source, now).await;
        end(tx, written, action).await
    }

    async fn scope_states(&self, source: Option<&str>) -> Result<Vec<ScopeState>> {
        let action = "read the states of scopes";
        let mut tx = self.read(action).await?;
        sources::scope_states(&mut tx, source).await.map_err(during(action))
    }

    async fn source_states(&self) -> Result<Vec<SourceState>> {
        let action = "read the states of sources";
        let mut tx = self.read(action).await?;
        sources::source_states(&mut tx).await.map_err(during(action))
    }

    async fn next_sequence(&self) -> Result<u64> {
        let action = "read the event sequence";
        let mut tx = self.read(action).await?;
        outbox::next_sequence(&mut tx).await.map_err(during(action))
    }

    async fn commit(&self, commit: &Commit) -> Result<()> {
        let action = "commit";
        if self.lock.is_none() {
            let reason = "another process may be committing".to_owned();
            return Err(Fault::Refused(reason).during(action));
        }
        let mut tx = self.write(action).await?;
        let written = write_commit(&mut tx, commit).await;
        end(tx, written, action).await
    }

    async fn cache_get(&self, source: &str, key: &str) -> Result<Option<Vec<u8>>> {
        let action = "read a connector's cache";
        let mut tx = self.read(action).await?;
        sources::cache_get(&mut tx, source, key).await.map_err(during(action))
    }

    async fn cache_put(&self, source: &str, key: &str, value: &[u8]) -> Result<()> {
        let action = "write a connector's cache";
        let mut tx = self.write(action).await?;
        let written = sources::cache_put(&mut tx, source, key, value).await;
        end(tx, written, action).await
    }

    async fn list_records(
        &self,
        filter: &RecordFilter,
        after: Option<&RecordId>,
        limit: u32,
    ) -> Result<Vec<Record>> {
        let action = "list records";
        let mut tx = self.read(action).await?;
        query::list(&mut tx, filter, after, limit).await.map_err(during(action))
    }

    async fn versions(&self, id: &RecordId) -> Result<Vec<Version>> {
        let action = "read the versions of a record";
        let mut tx = self.read(action).await?;
        query::versions(&mut tx, id).await.map_err(during(action))
    }

    async fn list_findings(&self, filter: &FindingFilter) -> Result<Vec<Finding>> {
        let action = "list findings";
        let mut tx = self.read(action).await?;
        findings::list(&mut tx, filter).await.map_err(during(action))
    }

    async fn finding(&self, id: &str) -> Result<Option<(Finding, Vec<PastTransition>)>> {
        let action = "read a finding";
        let mut tx = self.read(action).await?;
        findings::one(&mut tx, id).await.map_err(during(action))
    }

    async fn drift(&self, from: Timestamp, to: Timestamp) -> Result<Vec<PastDrift>> {
        let action = "read drift";
        let mut tx = self.read(action).await?;
        query::drift(&mut tx, from, to).await.map_err(during(action))
    }

    async fn count_records(&self) -> Result<Vec<RecordCount>> {
        let action = "count records";
        let mut tx = self.read(action).await?;
        query::count(&mut tx).await.map_err(during(action))
    }

    async fn count_open_findings(&self) -> Result<BTreeMap<(String, Severity, String), u64>> {
        let action = "count findings";
        let mut tx = self.read(action).await?;
        findings::count_open(&mut tx).await.map_err(during(action))
    }

    async fn page_records(&self, query: &RecordQuery) -> Result<Page<Record, RecordPlace>> {
        let action = "list records";
        let mut tx = self.read(action).await?;
        pages::records(&mut tx, query).await.map_err(during(action))
    }

    async fn page_findings(&self, query: &FindingQuery) -> Result<Page<Finding, FindingPlace>> {
        let action = "list findings";
        let mut tx = self.read(action).await?;
        pages::findings(&mut tx, query).await.map_err(during(action))
    }

    async fn page_drift(
        &self,
        between: (Timestamp, Timestamp),
        after: Option<(Timestamp, u64)>,
        limit: u32,
    ) -> Result<Vec<(u64, PastDrift)>> {
        let action = "read drift";
        let mut tx = self.read(action).await?;
        pages::drift(&mut tx, between, after, limit).await.map_err(during(action))
    }

    async fn events_after(&self, sequence: u64, limit: u32) -> Result<Vec<Event>> {
        let action = "read events";
        let mut tx = self.read(action).await?;
        outbox::events_after(&mut tx, sequence, limit).await.map_err(during(action))
    }

    async fn take_census(&self, source: &str, at: Timestamp) -> Result<Vec<Census>> {
        let action = "take a census";
        let mut tx = self.read(action).await?;
        over_time::take_census(&mut tx, source, at).await.map_err(during(action))
    }

    async fn census(&self, from: Timestamp, to: Timestamp) -> Result<Vec<Census>> {
        let action = "read the census";
        let mut tx = self.read(action).await?;
        over_time::census(&mut tx, from, to).await.map_err(during(action))
    }

    async fn coverage_at(&self, at: Timestamp) -> Result<Vec<PastCoverage>> {
        let action = "read past coverage";
        let mut tx = self.read(action).await?;
        over_time::coverage_at(&mut tx, at).await.map_err(during(action))
    }

    async fn counts_at(&self, at: Timestamp) -> Result<CountsAt> {
        let action = "count records";
        let mut tx = self.read(action).await?;
        over_time::counts_at(&mut tx, at).await.map_err(during(action))
    }

    async fn exceptions(&self) -> Result<Vec<Exception>> {
        let action = "read exceptions";
        let mut tx = self.read(action).await?;
        exceptions::all(&mut tx).await.map_err(during(action))
    }

    async fn exceptions_version(&self) -> Result<u64> {
        let action = "read exceptions";
        let mut tx = self.read(action).await?;
        exceptions::version(&mut tx).await.map_err(during(action))
    }

    async fn add_exception(&self, exception: &Exception, entry: &AuditEntry) -> Result<()> {
        let action = "keep an exception";
        let mut tx = self.write(action).await?;
        let written = exceptions::add(&mut tx, exception, entry).await;
        end(tx, written, action).await
    }

    async fn end_exception(&self, id: &str, entry: &AuditEntry) -> Result<Written> {
        let action = "end an exception";
        let mut tx = self.write(action).await?;
        let written = exceptions::end(&mut tx, id, entry).await;
        end(tx, written, action).await
    }

    async fn list_work(
        &self,
        filter: &WorkFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Work>> {
        let action = "list findings with their owners";
        let mut tx = self.read(action).await?;
        work::list(&mut tx, filter, after, limit).await.map_err(during(action))
    }

    async fn count_work(&self, filter: &WorkFilter) -> Result<Vec<WorkCount>> {
        let action = "count findings by owner";
        let mut tx = self.read(action).await?;
        work::by_owner(&mut tx, filter).await.map_err(during(action))
    }

    async fn list_counted(&self, of: &RecordCount, after: i64, limit: u32) -> Result<Vec<Listed>> {
        let action = "list records";
        let mut tx = self.read(action).await?;
        work::counted(&mut tx, of, after, limit).await.map_err(during(action))
    }

    async fn tokens(&self) -> Result<Vec<Token>> {
        let action = "list tokens";
        let mut tx = self.read(action).await?;
        access::tokens(&mut tx).await.map_err(during(action))
    }

    async fn token(&self, hash: &TokenHash) -> Result<Option<Token>> {
        let action = "look up a token";
        let mut tx = self.read(action).await?;
        access::token(&mut tx, hash).await.map_err(during(action))
    }

    async fn token_by_id(&self, id: &str) -> Result<Option<Token>> {
        let action = "look up a token";
        let mut tx = self.read(action).await?;
        access::token_by_id(&mut tx, id).await.map_err(during(action))
    }

    async fn add_token(
        &self,
        token: &Token,
        hash: &TokenHash,
        entry: &AuditEntry,
    ) -> Result<Written> {
        let action = "keep a token";
        let mut tx = self.write(action).await?;
        let written = access::add_token(&mut tx, token, hash, entry).await;
        end(tx, written, action).await
    }

    async fn revoke_token(&self, named: &str, entry: &AuditEntry) -> Result<Written> {
        let action = "revoke a token";
        let mut tx = self.write(action).await?;
        let written = access::revoke_token(&mut tx, named, entry).await;
        end(tx, written, action).await
    }

    async fn token_used(&self, id: &str, at: Timestamp) -> Result<()> {
        let action = "note the use of a token";
        let mut tx = self.write(action).await?;
        let written = access::token_used(&mut tx, id, at).await;
        end(tx, written, action).await
    }

    async fn note(&self, entries: &[AuditEntry]) -> Result<()> {
        let action = "write the audit";
        let mut tx = self.write(action).await?;
        let written = access::note(&mut tx, entries).await;
        end(tx, written, action).await
    }

    async fn audit(
        &self,
        filter: &AuditFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<(u64, AuditEntry)>> {
        let action = "read the audit";
        let mut tx = self.read(action).await?;
        access::audit(&mut tx, filter, before, limit).await.map_err(during(action))
    }

    async fn due_deliveries(
        &self,
        sink: &str,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Delivery>> {
        let action = "read due deliveries";
        let mut tx = self.read(action).await?;
        outbox::due(&mut tx, sink, now, limit).await.map_err(during(action))
    }

    async fn record_attempts(&self, sink: &str, attempts: &[Attempt]) -> Result<()> {
        let action = "record delivery attempts";
        let mut tx = self.write(action).await?;
        let written = outbox::record(&mut tx, sink, attempts).await;
        end(tx, written, action).await
    }

    async fn queue(&self, sink: &str) -> Result<QueueState> {
        let action = "read a sink's queue";
        let mut tx = self.read(action).await?;
        outbox::queue(&mut tx, sink).await.map_err(during(action))
    }

    async fn dead_letters(&self, sink: &str) -> Result<Vec<DeadLetter>> {
        let action = "read dead letters";
        let mut tx = self.read(action).await?;
        outbox::dead_letters(&mut tx, sink).await.map_err(during(action))
    }

    async fn replay(&self, sink: &str, since: Option<Timestamp>, now: Timestamp) -> Result<u64> {
        let action = "replay dead letters";
        let mut tx = self.write(action).await?;
        let written = outbox::replay(&mut tx, sink, since, now).await;
        end(tx, written, action).await
    }
}
