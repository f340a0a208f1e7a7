//! What the service knows, in SQLite: campaigns, uploads, simulations, tests, reviews, flags, verdicts, suggestions and
//! their receipts, jobs, events.
//!
//! The verbs are the trade's, not SQL's. Every change writes its event in the same transaction, so that the event
//! stream neither misses a change nor tells of one that did not happen. Sees `sqlx` and `apalis-sqlite`.
//!
//! # The jobs
//! Their queue and its leases are `apalis-sqlite`'s: its tables, and its statements in our transactions, so that a job is
//! queued with what it is about and ends with what came of it. Its own workers are not used: they end a job in a
//! transaction of their own, and their `setup` turns `synchronous` off. What it does not have is ours: a wait before the
//! next attempt, and the wish to cancel. `tests/service_crash.rs` kills it at random moments.

mod campaigns;
mod error;
mod events;
mod files;
mod first_looks;
#[cfg(test)]
mod fixture;
mod flags;
mod jobs;
mod lives;
mod queue;
mod receipts;
mod removal;
mod reviews;
mod same_flag;
mod sidecars;
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
pub use jobs::{End, Hand, Job, JobKind, Lease, Taken};
pub use lives::{Live, NewLive};
pub use receipts::{NewReceipt, Receipt, Seal, TriedChange};
pub use removal::Removed;
pub use reviews::{Batch, BatchOrder, Finished, ReviewFilter, ReviewOrder, ReviewRow, Webhook};
pub use sidecars::Sidecar;
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
        queue::set_up(&pool, path).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A database as version 4 of the tables left it: a judged flag, a simulation with its side-car, a sealed receipt.
    const EARLIER: &str = "
        INSERT INTO campaigns (id, name) VALUES ('c', 'Old');
        INSERT INTO uploads (id, filename, length, kind, campaign_id, state, sha256, simulation_id) VALUES
            ('u1', 'run.json', 1, 'sidecar', 'c', 'accepted', 'side', NULL),
            ('u2', 'run.vtkhdf', 1, 'simulation', 'c', 'accepted', 'file', 's');
        INSERT INTO simulations (id, name, stem, sha256, bytes, sidecar_sha256, summary) VALUES
            ('s', 'run.vtkhdf', 'run', 'file', 1, 'side', '');
        INSERT INTO waiting_sidecars (stem, sha256) VALUES ('run', 'side');
        INSERT INTO tests (id, campaign_id, name, filename, sha256, bytes, cameras) VALUES ('t', 'c', 't', 't.h5', 'film', 1, '[]');
        INSERT INTO reviews (id, campaign_id, simulation_id, test_id, state, tolerance_mm) VALUES ('r', 'c', 's', 't', 'finished', 5);
        INSERT INTO flags (id, review_id, campaign_id, number, part_name, peak_mm, machine, content, verdict, version) VALUES
            ('f', 'r', 'c', 1, 'plate', 9, 'mismatch', '{}', 'confirmed', 2);
        INSERT INTO verdicts (flag_id, verdict, blind) VALUES ('f', 'open', 0), ('f', 'confirmed', 1);
        INSERT INTO suggestions (id, review_id, campaign_id, next_runs) VALUES ('g', 'r', 'c', 0);
        INSERT INTO receipts (number, suggestion_id, event, line, sha256) VALUES (1, 'g', 'suggested', 'sealed', 'd');
        INSERT INTO jobs (id, kind, subject_id, state, attempts, max_attempts, error, created_at, finished_at) VALUES
            ('018f0000-0000-7000-8000-000000000001', 'read_upload', 'u1', 'done', 1, 3, NULL, '2026-11-01T08:00:00.000Z',
                '2026-11-01T08:00:01.000Z'),
            ('018f0000-0000-7000-8000-000000000002', 'review_test', 'r', 'failed', 3, 3, 'broken', '2026-11-01T08:00:02.000Z',
                '2026-11-01T08:00:03.000Z'),
            ('018f0000-0000-7000-8000-000000000003', 'review_test', 'r2', 'cancelled', 0, 3, NULL, '2026-11-01T08:00:04.000Z',
                '2026-11-01T08:00:05.000Z'),
            ('018f0000-0000-7000-8000-000000000004', 'review_test', 'r3', 'running', 1, 3, NULL, '2026-11-01T08:00:06.000Z', NULL),
            ('018f0000-0000-7000-8000-000000000005', 'review_test', 'r4', 'queued', 0, 3, NULL, '2026-11-01T08:00:07.000Z', NULL);";

    #[tokio::test]
    async fn a_store_of_an_earlier_version_keeps_what_people_said_and_gave() {
        let folder = tempfile::tempdir().unwrap();
        let (path, scripts) = (folder.path().join("crumple.db"), folder.path().join("scripts"));
        std::fs::create_dir(&scripts).unwrap();
        for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations")).unwrap() {
            let script = entry.unwrap().path();
            let name = script.file_name().unwrap().to_str().unwrap().to_owned();
            if name.as_str() < "0005" {
                std::fs::copy(&script, scripts.join(name)).unwrap();
            }
        }
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true).foreign_keys(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        sqlx::migrate::Migrator::new(scripts.as_path()).await.unwrap().run(&pool).await.unwrap();
        sqlx::raw_sql(EARLIER).execute(&pool).await.unwrap();
        pool.close().await;

        let store = Store::open(&path).await.unwrap();
        let flag = store.flag("f").await.unwrap();
        assert_eq!((flag.number, flag.verdict.as_str(), flag.version, flag.withdrawn_at), (1, "confirmed", 2, None));
        let said: Vec<String> = store.verdicts("f").await.unwrap().into_iter().map(|v| v.verdict).collect();
        assert_eq!(said, ["open", "confirmed"]);
        let simulation = store.simulation("s").await.unwrap();
        assert_eq!(
            (simulation.sidecar_name.as_deref(), simulation.sidecar_campaign_id.as_deref()),
            (Some("run.json"), Some("c"))
        );
        let upload = store.upload("u1").await.unwrap();
        let waiting = store.waiting_sidecar(&upload, "run").await.unwrap();
        assert_eq!(waiting, Some(Sidecar { name: "run.json".into(), sha256: "side".into() }));
        let found = store.simulation_for_sidecar(&upload, "run").await.unwrap();
        assert!(found.is_some_and(|s| s.id == "s" && s.takes_sidecar("other", &upload)));
        assert_eq!(store.ledger().await.unwrap(), ["sealed"]);
        let changed = sqlx::query("DELETE FROM receipts").execute(&store.pool).await.unwrap_err().to_string();
        assert!(changed.contains("only appended"), "{changed}");
        jobs_are_the_queues(&store).await;
        store.close().await;
        // The next start finds nothing to move.
        jobs_are_the_queues(&Store::open(&path).await.unwrap()).await;
    }

    async fn jobs_are_the_queues(store: &Store) {
        let jobs = store.jobs(None, &Page { limit: 9, cursor: None }).await.unwrap();
        let said: Vec<_> = jobs.iter().map(|j| (j.subject_id.as_str(), j.state.as_str(), j.attempts)).collect();
        let ended = [("r2", "cancelled", 0), ("r", "failed", 3), ("u1", "done", 1)];
        assert_eq!(said, [[("r4", "queued", 0), ("r3", "queued", 1)].as_slice(), &ended].concat());
        assert_eq!(jobs[3].error.as_deref(), Some("broken"));
        assert_eq!(jobs[4].created_at, "2026-11-01T08:00:00.000Z");
        assert_eq!(jobs[4].finished_at.as_deref(), Some("2026-11-01T08:00:01.000Z"));
    }
}
