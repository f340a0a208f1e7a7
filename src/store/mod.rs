//! What the service knows, in SQLite: campaigns, uploads, simulations, tests, reviews, flags, verdicts, suggestions and
//! their receipts, jobs, events.
//!
//! The verbs are the trade's, not SQL's. Every change writes its event in the same transaction, so that the event
//! stream neither misses a change nor tells of one that did not happen. Sees `sqlx`.
//!
//! # Why the jobs are a table of our own
//! The kept library that fits SQLite, `apalis-sqlite` 1.0 (looked at in November 2026), gives its lease to a worker and
//! not to a job, and acknowledges a job in a transaction of its own, after the effect. A review must be enqueued in the
//! transaction that makes its row, and its findings, its flags and the end of the job must be one transaction guarded
//! by the lease, or a `kill -9` in between does the work twice or announces it twice. That cannot be had through its
//! interface, so [`jobs`](Store::take_job) holds the lease and its token in one table.

mod campaigns;
mod error;
mod events;
mod files;
mod first_looks;
mod flags;
mod jobs;
mod lives;
mod receipts;
mod reviews;
mod suggestions;
mod uploads;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::sync::watch;

pub use campaigns::{Campaign, FailingPart};
pub use error::StoreError;
pub use events::Event;
pub use files::{Simulation, StoredTest};
pub use first_looks::FirstLook;
pub use flags::{FlagFilter, NewFlag, NewVerdict, StoredFlag, VerdictRecord};
pub use jobs::{Job, JobKind, Lease, Taken};
pub use lives::{Live, NewLive};
pub use receipts::{NewReceipt, Receipt, Seal, TriedChange};
pub use reviews::{Batch, BatchOrder, ReviewFilter, ReviewOrder, ReviewRow, Webhook};
pub use suggestions::{Said, SuggestionOrder, SuggestionRow};
pub use uploads::{NewUpload, Upload};

/// The database and who waits for its changes.
#[derive(Debug, Clone)]
pub struct Store {
    pool: SqlitePool,
    changed: watch::Sender<u64>,
}

/// One page of a list: newest first, `limit` long, from after `cursor` (the last id of the page before).
#[derive(Debug, Clone)]
pub struct Page {
    /// At most so many.
    pub limit: i64,
    /// Only older than this id.
    pub cursor: Option<String>,
}

/// A new id: UUIDv7, so that ids sort by their time.
#[must_use]
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Unix time, ms.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// A transaction that may write; readers are told when it is committed.
struct Writing {
    tx: Transaction<'static, Sqlite>,
    changed: watch::Sender<u64>,
}

impl Writing {
    /// Notes that `subject_id` changed.
    async fn note(&mut self, name: &str, subject_id: &str, campaign_id: Option<&str>) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO events (name, subject_id, campaign_id) VALUES (?1, ?2, ?3)")
            .bind(name)
            .bind(subject_id)
            .bind(campaign_id)
            .execute(&mut *self.tx)
            .await
            .map_err(StoreError::database("note an event"))?;
        Ok(())
    }

    async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await.map_err(StoreError::database("commit"))?;
        self.changed.send_modify(|n| *n += 1);
        Ok(())
    }
}

impl Store {
    /// Opens the database file, makes it where it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// When the file cannot be opened or is not of this program.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL a killed program loses nothing with NORMAL; a machine without power may lose the last commits.
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(20));
        let opened = |source| StoreError::Open { path: path.to_owned(), source };
        let pool = SqlitePoolOptions::new().max_connections(12).connect_with(options).await.map_err(opened)?;
        sqlx::migrate!("src/store/migrations")
            .run(&pool)
            .await
            .map_err(|source| StoreError::Migrate { path: path.to_owned(), source: Box::new(source) })?;
        Ok(Self { pool, changed: watch::Sender::new(0) })
    }

    /// Tells of every commit; the value means nothing.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Answers when the database does.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await.map_err(StoreError::database("answer"))?;
        Ok(())
    }

    /// Closes all connections, so that the write-ahead log is folded in.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn write(&self) -> Result<Writing, StoreError> {
        // IMMEDIATE: a transaction that first reads and then writes would else fail when another one wrote in between.
        let tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(StoreError::database("begin"))?;
        Ok(Writing { tx, changed: self.changed.clone() })
    }
}
