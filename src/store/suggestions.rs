//! Suggestions: what to change in a simulation so that it comes to the test.

use super::jobs::{Cancel, End, Lease, cancel, end, enqueue};
use super::receipts::{NewReceipt, append};
use super::{JobKind, Page, Store, StoreError, Writing, new_id};

/// A suggestion as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct SuggestionRow {
    /// Its id.
    pub id: String,
    /// For which review.
    pub review_id: String,
    /// Where the review belongs.
    pub campaign_id: String,
    /// How many next runs were asked for.
    pub next_runs: i64,
    /// Runs that are being computed or have failed, a CSV table.
    pub planned: Option<String>,
    /// `queued`, `running`, `finished`, `failed` or `cancelled`.
    pub state: String,
    /// What is being done.
    pub stage: String,
    /// Steps of the stage that are done.
    pub done: i64,
    /// Steps of the stage; 0 where they are not counted.
    pub total: i64,
    /// Why it failed.
    pub refusal: Option<String>,
    /// The folder of the study that it rests on.
    pub study: Option<String>,
    /// What it amounts to: `change`, `inside_noise`, `cannot_tell`, `model_form`.
    pub verdict: Option<String>,
    /// In one sentence.
    pub headline: Option<String>,
    /// How many changes it ranks.
    pub changes: i64,
    /// Digest of its document, hex.
    pub sha256: Option<String>,
    /// Grows with each change but progress.
    pub version: i64,
    /// When it was asked for.
    pub created_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
}

/// A suggestion to be made.
#[derive(Debug, Clone)]
pub struct SuggestionOrder {
    /// For which review.
    pub review_id: String,
    /// How many runs worth computing are wanted.
    pub next_runs: i64,
    /// Runs that are being computed or have failed, a CSV table.
    pub planned: Option<String>,
    /// The same key again gives the same suggestion.
    pub idempotency_key: Option<String>,
}

/// What a finished suggestion says.
#[derive(Debug, Clone)]
pub struct Said {
    /// Folder of the study.
    pub study: String,
    /// What it amounts to.
    pub verdict: String,
    /// In one sentence.
    pub headline: String,
    /// How many changes it ranks.
    pub changes: i64,
    /// Digest of the document, hex.
    pub sha256: String,
}

const COLUMNS: &str = "SELECT id, review_id, campaign_id, next_runs, planned, state, stage, done, total, refusal,
    study, verdict, headline, changes, sha256, version, created_at, finished_at FROM suggestions";

impl Store {
    /// Asks for a suggestion: its row and its job are there together. The same key gives the same suggestion, and so
    /// does a review for which one is under way.
    ///
    /// # Errors
    /// When the review is not there or not finished, the key stands for another request, or the database fails.
    pub async fn order_suggestion(&self, order: &SuggestionOrder) -> Result<String, StoreError> {
        let review = self.review(&order.review_id).await?;
        if review.state != "finished" {
            return Err(StoreError::Conflict {
                what: format!("review {} is {}: a suggestion needs a finished review", review.id, review.state),
            });
        }
        let mut writing = self.write().await?;
        if let Some(id) = known(&mut writing, order).await? {
            return Ok(id);
        }
        let id = new_id();
        sqlx::query(
            "INSERT INTO suggestions (id, review_id, campaign_id, idempotency_key, next_runs, planned)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .bind(&id)
        .bind(&review.id)
        .bind(&review.campaign_id)
        .bind(&order.idempotency_key)
        .bind(order.next_runs)
        .bind(&order.planned)
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note a suggestion"))?;
        enqueue(&mut writing, JobKind::SuggestChange, &id).await?;
        writing.note("suggestion", &id, Some(&review.campaign_id)).await?;
        writing.commit().await?;
        Ok(id)
    }

    /// One suggestion.
    ///
    /// # Errors
    /// When it is not there or the database fails.
    pub async fn suggestion(&self, id: &str) -> Result<SuggestionRow, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = ?1")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::database("read a suggestion"))?
            .ok_or_else(|| StoreError::missing("suggestion", id))
    }

    /// Suggestions for a review, newest first.
    ///
    /// # Errors
    /// When the review is not there or the database fails.
    pub async fn suggestions(&self, review_id: &str, page: &Page) -> Result<Vec<SuggestionRow>, StoreError> {
        self.review(review_id).await?;
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE review_id = ?1 AND (?2 IS NULL OR id < ?2) ORDER BY id DESC LIMIT ?3"
        )))
        .bind(review_id)
        .bind(&page.cursor)
        .bind(page.limit)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("list the suggestions"))
    }

    /// A suggestion is being worked on and is so far.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn suggestion_progressed(&self, id: &str, stage: &str, done: i64, total: i64) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let campaign: Option<String> = sqlx::query_scalar(
            "UPDATE suggestions SET state = 'running', stage = ?2, done = ?3, total = ?4
             WHERE id = ?1 AND state IN ('queued', 'running') RETURNING campaign_id",
        )
        .bind(id)
        .bind(stage)
        .bind(done)
        .bind(total)
        .fetch_optional(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note the progress of a suggestion"))?;
        if let Some(campaign) = campaign {
            writing.note("suggestion", id, Some(&campaign)).await?;
        }
        writing.commit().await
    }

    /// A suggestion is made: what it says, its first receipt and the end of its job are there together, or not at all.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn finish_suggestion(
        &self,
        lease: &Lease,
        id: &str,
        said: &Said,
        receipt: NewReceipt,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        end(&mut writing, lease, End::Done).await?;
        sqlx::query(
            "UPDATE suggestions SET study = ?2, verdict = ?3, headline = ?4, changes = ?5, sha256 = ?6 WHERE id = ?1",
        )
        .bind(id)
        .bind(&said.study)
        .bind(&said.verdict)
        .bind(&said.headline)
        .bind(said.changes)
        .bind(&said.sha256)
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note what is suggested"))?;
        append(&mut writing, id, receipt).await?;
        end_suggestion(&mut writing, id, "finished", None).await?;
        writing.commit().await
    }

    /// A suggestion cannot be made, or is not wanted any more.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn drop_suggestion(&self, lease: &Lease, id: &str, how: End<'_>) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        end(&mut writing, lease, how).await?;
        end_suggestion(&mut writing, id, how.state(), how.why()).await?;
        writing.commit().await
    }

    /// Asks for a suggestion to be stopped: one that waits is cancelled now, one that runs soon.
    ///
    /// # Errors
    /// When it has ended already, is not there, or the database fails.
    pub async fn cancel_suggestion(&self, id: &str) -> Result<(), StoreError> {
        let row = self.suggestion(id).await?;
        if row.state != "queued" && row.state != "running" {
            return Err(StoreError::Conflict { what: format!("suggestion {id} is {} already", row.state) });
        }
        let mut writing = self.write().await?;
        if cancel(&mut writing, JobKind::SuggestChange, id).await? == Cancel::Ended {
            end_suggestion(&mut writing, id, "cancelled", None).await?;
        }
        writing.commit().await
    }

    /// Ids of the suggestions whose documents must be kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn suggestions_with_results(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT id FROM suggestions WHERE state = 'finished'")
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("list the suggestions' documents"))
    }

    /// Folders of the studies that finished suggestions rest on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn studies_in_use(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT DISTINCT study FROM suggestions WHERE study IS NOT NULL")
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("list the studies"))
    }
}

/// The suggestion that an order stands for already.
async fn known(writing: &mut Writing, order: &SuggestionOrder) -> Result<Option<String>, StoreError> {
    let found = StoreError::database("find a suggestion");
    let Some(key) = &order.idempotency_key else {
        return sqlx::query_scalar(
            "SELECT id FROM suggestions WHERE review_id = ?1 AND state IN ('queued', 'running')",
        )
        .bind(&order.review_id)
        .fetch_optional(&mut *writing.tx)
        .await
        .map_err(found);
    };
    let known: Option<SuggestionRow> =
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE idempotency_key = ?1")))
            .bind(key)
            .fetch_optional(&mut *writing.tx)
            .await
            .map_err(found)?;
    let asked = |row: &SuggestionRow| {
        (&row.review_id, row.next_runs, &row.planned) == (&order.review_id, order.next_runs, &order.planned)
    };
    match known {
        Some(row) if !asked(&row) => Err(StoreError::Conflict {
            what: format!(
                "Idempotency-Key {key:?} stands for another request already (suggestion {}): use a new key for a new \
                 request",
                row.id
            ),
        }),
        known => Ok(known.map(|row| row.id)),
    }
}

async fn end_suggestion(writing: &mut Writing, id: &str, state: &str, why: Option<&str>) -> Result<(), StoreError> {
    let campaign: String = sqlx::query_scalar(
        "UPDATE suggestions SET state = ?2, stage = ?2, refusal = ?3, version = version + 1,
             finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = ?1 RETURNING campaign_id",
    )
    .bind(id)
    .bind(state)
    .bind(why)
    .fetch_one(&mut *writing.tx)
    .await
    .map_err(StoreError::database("end a suggestion"))?;
    writing.note("suggestion", id, Some(&campaign)).await
}
