//! Work to be done, under leases.
//!
//! A job is taken with a token and a time until which it is leased. The holder prolongs the lease while it works. When
//! it dies, the lease runs out and the job is taken again, with another token; what the first holder still writes is
//! refused, because every result is written in a transaction that first asks for the token.

use std::time::Duration;

use super::{Page, Store, StoreError, Writing, new_id, now_ms};

/// What kinds of work there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Try a file that arrived, and make it a simulation, a test or a side-car.
    ReadUpload,
    /// Review one test against one simulation.
    ReviewTest,
    /// Tell the caller's address that a batch is done.
    SendWebhook,
    /// Suggest what to change, for one review.
    SuggestChange,
    /// Note what a re-run gained.
    NoteGain,
}

impl JobKind {
    /// Its name in the table and in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadUpload => "read_upload",
            Self::ReviewTest => "review_test",
            Self::SendWebhook => "send_webhook",
            Self::SuggestChange => "suggest_change",
            Self::NoteGain => "note_gain",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        [Self::ReadUpload, Self::ReviewTest, Self::SendWebhook, Self::SuggestChange, Self::NoteGain]
            .into_iter()
            .find(|k| k.name() == name)
    }

    /// How often it is tried: a file that kills the program twice will do so again, a webhook's other end comes back.
    fn max_attempts(self) -> i64 {
        match self {
            Self::ReadUpload | Self::ReviewTest | Self::SuggestChange | Self::NoteGain => 3,
            Self::SendWebhook => 6,
        }
    }
}

/// A job as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Job {
    /// Its id.
    pub id: String,
    /// Name of its [`JobKind`].
    pub kind: String,
    /// What it is about: an upload, a review, a batch, a suggestion.
    pub subject_id: String,
    /// `queued`, `running`, `done`, `failed` or `cancelled`.
    pub state: String,
    /// How often it was begun.
    pub attempts: i64,
    /// How often it is begun at most.
    pub max_attempts: i64,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
}

/// The right to do a job, for a time.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The job.
    pub job_id: String,
    token: String,
}

/// A job that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// What kind.
    pub kind: JobKind,
    /// What about.
    pub subject_id: String,
    /// Which attempt this is, from 1.
    pub attempt: i64,
    /// True when there will be no other attempt.
    pub is_last: bool,
    /// The right to do it.
    pub lease: Lease,
}

const COLUMNS: &str =
    "SELECT id, kind, subject_id, state, attempts, max_attempts, error, created_at, finished_at FROM jobs";

/// Puts a job into the queue, in the transaction that makes what it is about.
pub(super) async fn enqueue(writing: &mut Writing, kind: JobKind, subject_id: &str) -> Result<(), StoreError> {
    let id = new_id();
    sqlx::query("INSERT INTO jobs (id, kind, subject_id, max_attempts) VALUES (?1, ?2, ?3, ?4)")
        .bind(&id)
        .bind(kind.name())
        .bind(subject_id)
        .bind(kind.max_attempts())
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("queue a job"))?;
    writing.note("job", &id, None).await
}

/// Ends a job in the transaction that writes its result; refuses when the lease is not held any more, and to end well
/// what somebody cancelled meanwhile: who was told that it stops must not find a result.
pub(super) async fn end(
    writing: &mut Writing,
    lease: &Lease,
    state: &str,
    error: Option<&str>,
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE jobs SET state = ?3, error = ?4, lease_token = NULL, lease_until_ms = NULL,
             finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
         WHERE id = ?1 AND lease_token = ?2 AND state = 'running' AND (cancel_wanted = 0 OR ?3 <> 'done')",
    )
    .bind(&lease.job_id)
    .bind(&lease.token)
    .bind(state)
    .bind(error)
    .execute(&mut *writing.tx)
    .await
    .map_err(StoreError::database("end a job"))?;
    if done.rows_affected() != 1 {
        let wanted: Option<i64> = sqlx::query_scalar(
            "SELECT cancel_wanted FROM jobs WHERE id = ?1 AND lease_token = ?2 AND state = 'running'",
        )
        .bind(&lease.job_id)
        .bind(&lease.token)
        .fetch_optional(&mut *writing.tx)
        .await
        .map_err(StoreError::database("read a job"))?;
        let job_id = lease.job_id.clone();
        let cancelled = wanted.is_some_and(|w| w != 0);
        return Err(if cancelled { StoreError::CancelWanted { job_id } } else { StoreError::LeaseLost { job_id } });
    }
    writing.note("job", &lease.job_id, None).await
}

impl Store {
    /// Takes the next job of the given kinds: one that waits, or one whose lease ran out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_job(&self, kinds: &[JobKind], lease: Duration) -> Result<Option<Taken>, StoreError> {
        let names: Vec<&str> = kinds.iter().map(|k| k.name()).collect();
        let names = serde_json::to_string(&names).expect("names are JSON, else a bug");
        // Looking first keeps idle workers from taking the write lock.
        let waiting: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM jobs WHERE kind IN (SELECT value FROM json_each(?2)) AND run_at_ms <= ?1
             AND (state = 'queued' OR (state = 'running' AND lease_until_ms < ?1)) LIMIT 1",
        )
        .bind(now_ms())
        .bind(&names)
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::database("look for a job"))?;
        if waiting.is_none() {
            return Ok(None);
        }
        let mut writing = self.write().await?;
        let token = new_id();
        let now = now_ms();
        let row: Option<(String, String, String, i64, i64)> = sqlx::query_as(
            "UPDATE jobs SET state = 'running', attempts = attempts + 1, lease_token = ?2, lease_until_ms = ?3
             WHERE id = (SELECT id FROM jobs WHERE kind IN (SELECT value FROM json_each(?4)) AND run_at_ms <= ?1
                 AND (state = 'queued' OR (state = 'running' AND lease_until_ms < ?1)) ORDER BY id LIMIT 1)
             RETURNING id, kind, subject_id, attempts, max_attempts",
        )
        .bind(now)
        .bind(&token)
        .bind(now + i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 4))
        .bind(&names)
        .fetch_optional(&mut *writing.tx)
        .await
        .map_err(StoreError::database("take a job"))?;
        let Some((id, kind, subject_id, attempt, most)) = row else { return Ok(None) };
        writing.note("job", &id, None).await?;
        writing.commit().await?;
        let kind = JobKind::of_name(&kind).expect("the query asks for known kinds, else a bug");
        Ok(Some(Taken { kind, subject_id, attempt, is_last: attempt >= most, lease: Lease { job_id: id, token } }))
    }

    /// Prolongs a lease; says whether the job is to be stopped.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when somebody else holds it now.
    pub async fn prolong(&self, lease: &Lease, by: Duration) -> Result<bool, StoreError> {
        let wanted: Option<i64> = sqlx::query_scalar(
            "UPDATE jobs SET lease_until_ms = ?3 WHERE id = ?1 AND lease_token = ?2 AND state = 'running'
             RETURNING cancel_wanted",
        )
        .bind(&lease.job_id)
        .bind(&lease.token)
        .bind(now_ms() + i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4))
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::database("prolong a lease"))?;
        wanted.map(|w| w != 0).ok_or_else(|| StoreError::LeaseLost { job_id: lease.job_id.clone() })
    }

    /// Gives a job back, to be taken again after `wait`; `attempt_counts` is false when the program stops.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn give_back(
        &self,
        lease: &Lease,
        wait: Duration,
        error: Option<&str>,
        attempt_counts: bool,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        sqlx::query(
            "UPDATE jobs SET state = 'queued', lease_token = NULL, lease_until_ms = NULL, run_at_ms = ?3, error = ?4,
                 attempts = attempts - ?5 WHERE id = ?1 AND lease_token = ?2",
        )
        .bind(&lease.job_id)
        .bind(&lease.token)
        .bind(now_ms() + i64::try_from(wait.as_millis()).unwrap_or(0))
        .bind(error)
        .bind(i64::from(!attempt_counts))
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("give a job back"))?;
        writing.note("job", &lease.job_id, None).await?;
        writing.commit().await
    }

    /// Makes all leases run out now. Only the program that starts may ask for it: it holds the data folder alone, so
    /// whoever held them is dead.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_leases(&self) -> Result<u64, StoreError> {
        let done = sqlx::query("UPDATE jobs SET lease_until_ms = 0 WHERE state = 'running'")
            .execute(&self.pool)
            .await
            .map_err(StoreError::database("end the leases of the dead"))?;
        Ok(done.rows_affected())
    }

    /// Jobs, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn jobs(&self, state: Option<&str>, page: &Page) -> Result<Vec<Job>, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3"
        )))
        .bind(state)
        .bind(&page.cursor)
        .bind(page.limit)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("list the jobs"))
    }

    /// One job.
    ///
    /// # Errors
    /// When it is not there or the database fails.
    pub async fn job(&self, id: &str) -> Result<Job, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = ?1")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::database("read a job"))?
            .ok_or_else(|| StoreError::missing("job", id))
    }

    /// How many jobs are in each state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn job_counts(&self) -> Result<Vec<(String, i64)>, StoreError> {
        sqlx::query_as("SELECT state, count(*) FROM jobs GROUP BY state")
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("count the jobs"))
    }
}
