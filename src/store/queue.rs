//! The tables of the queue: those of `apalis-sqlite`, made by its own migrations and filled once from what earlier
//! versions of this program kept.

use std::path::Path;

use apalis_sqlite::SqliteStorage;
use sqlx::{Connection as _, SqlitePool};
use uuid::Uuid;

use super::StoreError;

/// The queue's migrations are counted apart from ours, so that each side still notices a database of a newer version.
const APPLIED: &str = "_queue_migrations";

/// What an earlier version knew of a job; see migration 10.
#[derive(sqlx::FromRow)]
struct Earlier {
    id: String,
    kind: String,
    subject_id: String,
    state: String,
    attempts: i64,
    max_attempts: i64,
    run_at_ms: i64,
    error: Option<String>,
    created_at: String,
    finished_at: Option<String>,
    done_at: Option<i64>,
}

/// Makes the queue's tables where they are missing, and brings them up to date.
///
/// # Errors
/// When the database at `path` refuses.
pub(super) async fn set_up(pool: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let mut migrations = SqliteStorage::migrations();
    migrations.dangerous_set_table_name(APPLIED);
    let refused = |source| StoreError::Migrate { path: path.to_owned(), source: Box::new(source) };
    migrations.run(pool).await.map_err(refused)?;
    // A job is looked for by what it is about when that is cancelled.
    sqlx::query("CREATE INDEX IF NOT EXISTS jobs_by_subject ON Jobs (job)")
        .execute(pool)
        .await
        .map_err(StoreError::database("index the jobs"))?;
    take_over(pool).await.map_err(StoreError::database("take over the jobs of an earlier version"))
}

/// Moves the jobs of an earlier version into the queue, all or none.
async fn take_over(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    let there: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM sqlite_schema WHERE name = 'earlier_jobs'").fetch_optional(&mut *tx).await?;
    if there.is_none() {
        return Ok(());
    }
    let earlier: Vec<Earlier> =
        sqlx::query_as("SELECT *, unixepoch(finished_at) AS done_at FROM earlier_jobs").fetch_all(&mut *tx).await?;
    for job in &earlier {
        insert(&mut tx, job).await?;
    }
    sqlx::query("DROP TABLE earlier_jobs").execute(&mut *tx).await?;
    tx.commit().await
}

async fn insert(tx: &mut sqlx::SqliteConnection, job: &Earlier) -> Result<(), sqlx::Error> {
    let error = job.error.as_deref();
    let (status, error) = match job.state.as_str() {
        "done" => ("Done", None),
        "failed" => ("Killed", Some(error.unwrap_or_default())),
        "cancelled" => ("Killed", None),
        // Who ran it is gone, for the program that opens the database holds it alone.
        _ => ("Pending", error),
    };
    sqlx::query(
        "INSERT INTO Jobs (job, id, job_type, status, attempts, max_attempts, run_at, last_result, done_at, metadata)
         VALUES (CAST(?1 AS BLOB), ?2, ?3, ?4, ?5, ?6, ?7,
             CASE WHEN ?8 IS NULL THEN json_object('Ok', NULL) ELSE json_object('Err', ?8) END, ?9,
             json_object('created_at', ?10, 'finished_at', ?11))",
    )
    .bind(&job.subject_id)
    .bind(queue_id(&job.id))
    .bind(&job.kind)
    .bind(status)
    .bind(job.attempts)
    .bind(job.max_attempts)
    .bind(job.run_at_ms / 1000)
    .bind(error)
    .bind(job.done_at)
    .bind(&job.created_at)
    .bind(&job.finished_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// The id of a job as the queue reads it: the same number as a ULID, whose texts sort as those of UUIDv7 do.
fn queue_id(uuid: &str) -> String {
    ulid::Ulid::from(Uuid::parse_str(uuid).unwrap_or_else(|_| Uuid::now_v7())).to_string()
}
