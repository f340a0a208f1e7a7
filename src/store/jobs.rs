//! Work to be done, under leases, in the queue of `apalis-sqlite`.
//!
//! A [`Hand`] takes jobs one after the other; it is a worker of the queue, under a name that nobody else ever bears. What
//! it takes is its own for as long as it is heard of. When it falls silent the queue gives its job to another hand, and
//! what the first one still writes is refused, because every result is written in a transaction that first asks whose
//! the job is.

use std::time::Duration;

use apalis_core::backend::WorkerFilter;
use apalis_core::backend::queue::Queue;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::status::Status;
use apalis_core::task::task_id::TaskId;
use apalis_core::worker::context::WorkerContext;
use apalis_sqlite::queries::{
    AckPayload, ack_tasks, fetch_next, keep_alive, lock_tasks, push_tasks, reenqueue_orphaned, register_worker,
};

use super::{Page, Store, StoreError, Writing, new_id};

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

    const ALL: [Self; 5] = [Self::ReadUpload, Self::ReviewTest, Self::SendWebhook, Self::SuggestChange, Self::NoteGain];

    /// How often it is tried: a file that kills the program twice will do so again, a webhook's other end comes back.
    fn max_attempts(self) -> usize {
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

/// Who does jobs of one kind, one after the other.
#[derive(Clone)]
pub struct Hand {
    kind: JobKind,
    worker: WorkerContext,
    config: apalis_sqlite::Config,
}

impl std::fmt::Debug for Hand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hand").field("kind", &self.kind).field("name", &self.worker.name()).finish()
    }
}

impl Hand {
    /// A hand that was silent for so long has lost its job.
    fn silent_s(&self) -> i64 {
        i64::try_from(self.config.heartbeat_interval.as_secs()).unwrap_or(i64::MAX)
    }
}

/// The right to do a job, while its hand is heard of.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The job.
    pub job_id: String,
    attempt: usize,
    hand: Hand,
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

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End<'a> {
    /// With its result.
    Done,
    /// For good, and why.
    Failed(&'a str),
    /// Because somebody asked for it.
    Cancelled,
}

impl<'a> End<'a> {
    /// The state that it leads to, as the API calls it.
    pub(super) fn state(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Why it failed, if it did.
    pub(super) fn why(self) -> Option<&'a str> {
        if let Self::Failed(why) = self { Some(why) } else { None }
    }
}

/// What became of the wish to cancel what a job is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancel {
    /// It had not begun, and will not.
    Ended,
    /// It runs, and was asked to stop.
    Asked,
    /// There is no such job, or it has ended.
    NoJob,
}

/// A row of the queue in the words of the API. A job that was killed without an error is one that was cancelled: whoever
/// ends it for an error says which. The queue's own times are whole seconds, ours stand beside.
const JOBS: &str = "SELECT id, job_type AS kind, CAST(job AS TEXT) AS subject_id, max_attempts,
    attempts + (status IN ('Queued', 'Running')) AS attempts, last_result ->> 'Err' AS error,
    CASE WHEN status IN ('Pending', 'Failed') THEN 'queued' WHEN status IN ('Queued', 'Running') THEN 'running'
        WHEN status = 'Done' THEN 'done' WHEN last_result ->> 'Err' IS NULL THEN 'cancelled' ELSE 'failed' END AS state,
    metadata ->> 'created_at' AS created_at, metadata ->> 'finished_at' AS finished_at FROM Jobs";

/// Puts a job into the queue, in the transaction that makes what it is about.
pub(super) async fn enqueue(writing: &mut Writing, kind: JobKind, subject_id: &str) -> Result<(), StoreError> {
    // The number of a UUIDv7: jobs of one order are done in its order, which ULIDs made within a ms would not keep.
    let id = ulid::Ulid::from(uuid::Uuid::now_v7());
    let created_at: String = sqlx::query_scalar("SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")
        .fetch_one(&mut *writing.tx)
        .await
        .map_err(StoreError::database("read the clock"))?;
    let task = TaskBuilder::new(subject_id.as_bytes().to_vec())
        .task_id(TaskId::from_ulid(id))
        .max_attempts(kind.max_attempts())
        .with_metadata([("created_at".to_owned(), created_at)].into_iter().collect())
        .build();
    push_tasks(&mut *writing.tx, kind.name(), &[task]).await.map_err(StoreError::queue("queue a job"))?;
    writing.note("job", &id.to_string(), None).await
}

/// Ends a job in the transaction that writes its result; refuses when the lease is not held any more, and to end well
/// what somebody cancelled meanwhile: who was told that it stops must not find a result.
pub(super) async fn end(writing: &mut Writing, lease: &Lease, how: End<'_>) -> Result<(), StoreError> {
    let job_id = || lease.job_id.clone();
    let cancelled = is_held(&mut writing.tx, lease).await?.ok_or_else(|| StoreError::LeaseLost { job_id: job_id() })?;
    let (status, result) = match how {
        End::Done if cancelled => return Err(StoreError::CancelWanted { job_id: job_id() }),
        End::Done => (Status::Done, Ok(serde_json::Value::Null)),
        // Killed: the queue begins again what only failed.
        End::Failed(why) => (Status::Killed, Err(why.to_owned())),
        End::Cancelled => (Status::Killed, Ok(serde_json::Value::Null)),
    };
    let task_id = TaskId::from_string(job_id());
    let ended = AckPayload { task_id, attempt: lease.attempt, status, result };
    ack_tasks(&mut *writing.tx, &[&ended], lease.hand.worker.name())
        .await
        .map_err(StoreError::database("end a job"))?;
    sqlx::query(
        "UPDATE Jobs SET metadata = json_set(metadata, '$.finished_at', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
         WHERE id = ?1",
    )
    .bind(&lease.job_id)
    .execute(&mut *writing.tx)
    .await
    .map_err(StoreError::database("note when a job ended"))?;
    writing.note("job", &lease.job_id, None).await
}

/// Whether the lease is held still, and if so whether somebody asked for the job to stop.
async fn is_held(connection: &mut sqlx::SqliteConnection, lease: &Lease) -> Result<Option<bool>, StoreError> {
    sqlx::query_scalar(
        "SELECT metadata ->> 'cancel_wanted' IS NOT NULL FROM Jobs
         WHERE id = ?1 AND lock_by = ?2 AND attempts = ?3 - 1 AND status = 'Running'",
    )
    .bind(&lease.job_id)
    .bind(lease.hand.worker.name())
    .bind(lease.attempt as i64)
    .fetch_optional(connection)
    .await
    .map_err(StoreError::database("read a job"))
}

/// Cancels the job that is about `subject_id`: one that waits ends, one that runs is asked to stop.
pub(super) async fn cancel(writing: &mut Writing, kind: JobKind, subject_id: &str) -> Result<Cancel, StoreError> {
    let waiting: Option<String> = sqlx::query_scalar(
        "UPDATE Jobs SET status = 'Killed', done_at = unixepoch(), last_result = json_object('Ok', NULL),
             metadata = json_set(metadata, '$.finished_at', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
         WHERE job = CAST(?1 AS BLOB) AND job_type = ?2 AND status = 'Pending' RETURNING id",
    )
    .bind(subject_id)
    .bind(kind.name())
    .fetch_optional(&mut *writing.tx)
    .await
    .map_err(StoreError::database("cancel a job"))?;
    if let Some(id) = waiting {
        writing.note("job", &id, None).await?;
        return Ok(Cancel::Ended);
    }
    let asked = sqlx::query(
        "UPDATE Jobs SET metadata = json_set(metadata, '$.cancel_wanted', 'yes')
         WHERE job = CAST(?1 AS BLOB) AND job_type = ?2 AND status = 'Running'",
    )
    .bind(subject_id)
    .bind(kind.name())
    .execute(&mut *writing.tx)
    .await
    .map_err(StoreError::database("ask a job to stop"))?;
    Ok(if asked.rows_affected() > 0 { Cancel::Asked } else { Cancel::NoJob })
}

impl Store {
    /// A new hand for jobs of one kind. While it holds one it is to be heard of within `lease`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hand(&self, kind: JobKind, lease: Duration) -> Result<Hand, StoreError> {
        // The queue notes when it heard of a hand in whole seconds: a second more, so that nobody loses a job early.
        let silent_s = (lease.as_secs_f64().ceil() as u64).saturating_add(1);
        let config = apalis_sqlite::Config {
            batch_size: 1,
            heartbeat_interval: Duration::from_secs(silent_s),
            queue: Queue::from(kind.name()),
            ..apalis_sqlite::Config::default()
        };
        let hand = Hand { kind, worker: WorkerContext::new(&new_id()), config };
        register_worker(&self.pool, &hand.config, &hand.worker, "crumple")
            .await
            .map_err(StoreError::database("register a hand"))?;
        Ok(hand)
    }

    /// Takes the next job for a hand: one that waits, or one whose hand has fallen silent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_job(&self, hand: &Hand) -> Result<Option<Taken>, StoreError> {
        if !self.has_work_for(hand).await? {
            return Ok(None);
        }
        let mut writing = self.write().await?;
        keep_alive(&mut *writing.tx, &hand.config, &hand.worker).await.map_err(StoreError::database("note a hand"))?;
        reenqueue_orphaned(&mut *writing.tx, hand.silent_s(), hand.kind.name(), &WorkerFilter::None)
            .await
            .map_err(StoreError::database("take back the jobs of silent hands"))?;
        let next = fetch_next(&mut *writing.tx, &hand.config, &hand.worker)
            .await
            .map_err(StoreError::queue("take a job"))?
            .pop();
        let Some(task) = next else { return Ok(None) };
        let job_id = task.task_id().map(ToString::to_string).expect("what comes from the table has an id, else a bug");
        lock_tasks(&mut *writing.tx, std::slice::from_ref(&job_id), hand.worker.name())
            .await
            .map_err(StoreError::database("take a job"))?;
        writing.note("job", &job_id, None).await?;
        writing.commit().await?;
        // The queue counts those attempts that have ended.
        let attempt = task.attempt() + 1;
        Ok(Some(Taken {
            kind: hand.kind,
            subject_id: String::from_utf8_lossy(&task.args).into_owned(),
            attempt: i64::try_from(attempt).unwrap_or(i64::MAX),
            is_last: attempt >= hand.kind.max_attempts(),
            lease: Lease { job_id, attempt, hand: hand.clone() },
        }))
    }

    /// Looking first keeps idle hands from taking the write lock.
    async fn has_work_for(&self, hand: &Hand) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar(
            "SELECT 1 FROM Jobs LEFT JOIN Workers ON Workers.id = lock_by WHERE job_type = ?1
             AND ((status = 'Pending' AND run_at <= unixepoch())
                 OR (status IN ('Queued', 'Running') AND unixepoch() - last_seen >= ?2)) LIMIT 1",
        )
        .bind(hand.kind.name())
        .bind(hand.silent_s())
        .fetch_optional(&self.pool)
        .await
        .map_err(StoreError::database("look for a job"))?;
        Ok(found.is_some())
    }

    /// Prolongs a lease; says whether the job is to be stopped.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when somebody else holds it now.
    pub async fn prolong(&self, lease: &Lease) -> Result<bool, StoreError> {
        let Hand { worker, config, .. } = &lease.hand;
        let mut writing = self.write().await?;
        let wanted = is_held(&mut writing.tx, lease).await?;
        let wanted = wanted.ok_or_else(|| StoreError::LeaseLost { job_id: lease.job_id.clone() })?;
        keep_alive(&mut *writing.tx, config, worker).await.map_err(StoreError::database("prolong a lease"))?;
        // Nobody waits for this: it is not told.
        writing.tx.commit().await.map_err(StoreError::database("prolong a lease"))?;
        Ok(wanted)
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
        if is_held(&mut writing.tx, lease).await?.is_none() {
            return Err(StoreError::LeaseLost { job_id: lease.job_id.clone() });
        }
        // The queue's own way back (`reenqueue_abandoned`) counts every attempt and knows no wait.
        sqlx::query(
            "UPDATE Jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL, run_at = unixepoch() + ?2,
                 last_result = json_object('Err', ?3), attempts = attempts + ?4 WHERE id = ?1",
        )
        .bind(&lease.job_id)
        .bind(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX / 4))
        .bind(error)
        .bind(i64::from(attempt_counts))
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
        let mut expired = 0;
        for kind in JobKind::ALL {
            expired += reenqueue_orphaned(&self.pool, 0, kind.name(), &WorkerFilter::None)
                .await
                .map_err(StoreError::database("end the leases of the dead"))?;
        }
        Ok(expired)
    }

    /// Jobs, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn jobs(&self, state: Option<&str>, page: &Page) -> Result<Vec<Job>, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT * FROM ({JOBS}) WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3"
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
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{JOBS} WHERE id = ?1")))
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
        sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT state, count(*) FROM ({JOBS}) GROUP BY state")))
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("count the jobs"))
    }
}

#[cfg(test)]
mod tests;
