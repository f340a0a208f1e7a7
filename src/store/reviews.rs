//! Reviews and the batches that asked for them.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::jobs::{Cancel, End, Lease, cancel, end, enqueue};
use super::{JobKind, NewFlag, Page, Store, StoreError, Writing, new_id};

/// A review as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct ReviewRow {
    /// Its id.
    pub id: String,
    /// The order it came with.
    pub batch_id: Option<String>,
    /// Where its test belongs.
    pub campaign_id: String,
    /// Against which simulation.
    pub simulation_id: String,
    /// Which test.
    pub test_id: String,
    /// `queued`, `running`, `finished`, `failed` or `cancelled`.
    pub state: String,
    /// What is being done.
    pub stage: String,
    /// Pictures measured.
    pub pictures_done: i64,
    /// Pictures in all.
    pub pictures_total: i64,
    /// How long it will take, by the rate so far, s.
    pub seconds_left: Option<f64>,
    /// Why it failed.
    pub refusal: Option<String>,
    /// Tolerance of parts that `tolerances` does not name, mm.
    pub tolerance_mm: f64,
    /// Tolerances by part, JSON object of mm.
    pub tolerances: String,
    /// 1 where the simulation's study is heard, if there is one.
    pub study: i64,
    /// What executed the measurement.
    pub provider: Option<String>,
    /// 1 for the review of frames as they arrive.
    pub live: i64,
    /// Grows with each change but progress.
    pub version: i64,
    /// When it was ordered.
    pub created_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
    /// How many flags it has.
    pub flags: i64,
    /// Of the part that it measured best, the share that was measured after frame 0, 0–1; told when it is finished.
    pub compared_share: Option<f64>,
}

/// What a finished review is noted with.
#[derive(Debug, Clone, Copy)]
pub struct Finished<'a> {
    /// What executed the measurement.
    pub provider: &'a str,
    /// Of the part that was measured best, the share that was measured after frame 0, 0–1.
    pub compared_share: f64,
    /// Its flags.
    pub flags: &'a [NewFlag],
}

/// An order of reviews.
#[derive(Debug, Clone, Default)]
pub struct BatchOrder {
    /// The same key again gives the same batch.
    pub idempotency_key: Option<String>,
    /// Digest of the request, so that a key cannot stand for two of them.
    pub request_sha256: String,
    /// Whom to tell when all are done.
    pub webhook: Option<Webhook>,
    /// The reviews.
    pub reviews: Vec<ReviewOrder>,
}

/// One review to be made.
#[derive(Debug, Clone)]
pub struct ReviewOrder {
    /// Against which simulation.
    pub simulation_id: String,
    /// Which test.
    pub test_id: String,
    /// Tolerance of parts that are not named, mm.
    pub tolerance_mm: f64,
    /// By part, mm.
    pub tolerances: BTreeMap<String, f64>,
    /// Whether the simulation's study is heard, where there is one.
    pub study: bool,
}

/// An address that wants to be told.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where to.
    pub url: String,
    /// Key of the signature.
    pub secret: String,
}

/// An order as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Batch {
    /// Its id.
    pub id: String,
    /// Whom to tell.
    pub webhook_url: Option<String>,
    /// Key of the signature.
    pub webhook_secret: Option<String>,
    /// `waiting`, `sent` or `failed`.
    pub webhook_state: Option<String>,
    /// When it was given.
    pub created_at: String,
}

/// Which reviews are wanted.
#[derive(Debug, Clone, Default)]
pub struct ReviewFilter {
    /// Of this campaign.
    pub campaign_id: Option<String>,
    /// Of this test.
    pub test_id: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Of this order.
    pub batch_id: Option<String>,
}

/// A review `r` that has something to show: finished, or of a test that is live. A newer one that waits, failed or was
/// cancelled does not hide it.
pub(super) const SHOWS: &str = "(r.state = 'finished' OR (r.live = 1 AND r.state IN ('queued', 'running')))";

const COLUMNS: &str = "SELECT r.*, (SELECT count(*) FROM flags f WHERE f.review_id = r.id AND f.machine = 'mismatch' AND f.withdrawn_at IS NULL) AS flags FROM reviews r";

impl Store {
    /// Takes an order: its reviews and their jobs are there together, or not at all. The same key gives the same batch.
    ///
    /// # Errors
    /// When the key stands for another request, a simulation or test is not there, or the database fails.
    pub async fn order_reviews(&self, order: &BatchOrder) -> Result<String, StoreError> {
        let mut writing = self.write().await?;
        if let Some(key) = &order.idempotency_key {
            let known: Option<(String, String)> =
                sqlx::query_as("SELECT id, request_sha256 FROM batches WHERE idempotency_key = ?1")
                    .bind(key)
                    .fetch_optional(&mut *writing.tx)
                    .await
                    .map_err(StoreError::database("find a batch"))?;
            if let Some((id, digest)) = known {
                if digest == order.request_sha256 {
                    return Ok(id);
                }
                return Err(StoreError::Conflict {
                    what: format!(
                        "Idempotency-Key {key:?} stands for another request already (batch {id}): use a new key for a \
                         new request"
                    ),
                });
            }
        }
        let batch_id = new_id();
        sqlx::query(
            "INSERT INTO batches (id, idempotency_key, request_sha256, webhook_url, webhook_secret, webhook_state)
             VALUES (?1, ?2, ?3, ?4, ?5, CASE WHEN ?4 IS NULL THEN NULL ELSE 'waiting' END)",
        )
        .bind(&batch_id)
        .bind(&order.idempotency_key)
        .bind(&order.request_sha256)
        .bind(order.webhook.as_ref().map(|w| &w.url))
        .bind(order.webhook.as_ref().map(|w| &w.secret))
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note a batch"))?;
        for review in &order.reviews {
            let id = add_review(&mut writing, Some(&batch_id), review, false).await?;
            enqueue(&mut writing, JobKind::ReviewTest, &id).await?;
        }
        writing.commit().await?;
        Ok(batch_id)
    }

    /// One review.
    ///
    /// # Errors
    /// When it is not there or the database fails.
    pub async fn review(&self, id: &str) -> Result<ReviewRow, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE r.id = ?1")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::database("read a review"))?
            .ok_or_else(|| StoreError::missing("review", id))
    }

    /// Reviews, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reviews(&self, filter: &ReviewFilter, page: &Page) -> Result<Vec<ReviewRow>, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE (?1 IS NULL OR r.campaign_id = ?1) AND (?2 IS NULL OR r.test_id = ?2)
             AND (?3 IS NULL OR r.state = ?3) AND (?4 IS NULL OR r.batch_id = ?4) AND (?5 IS NULL OR r.id < ?5)
             ORDER BY r.id DESC LIMIT ?6"
        )))
        .bind(&filter.campaign_id)
        .bind(&filter.test_id)
        .bind(&filter.state)
        .bind(&filter.batch_id)
        .bind(&page.cursor)
        .bind(page.limit)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("list the reviews"))
    }

    /// One order.
    ///
    /// # Errors
    /// When it is not there or the database fails.
    pub async fn batch(&self, id: &str) -> Result<Batch, StoreError> {
        sqlx::query_as("SELECT id, webhook_url, webhook_secret, webhook_state, created_at FROM batches WHERE id = ?1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::database("read a batch"))?
            .ok_or_else(|| StoreError::missing("batch", id))
    }

    /// A review is being worked on and is so far.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn review_progressed(
        &self,
        id: &str,
        stage: &str,
        done: i64,
        total: i64,
        seconds_left: Option<f64>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let campaign: Option<String> = sqlx::query_scalar(
            "UPDATE reviews SET state = 'running', stage = ?2, pictures_done = ?3, pictures_total = ?4, seconds_left = ?5
             WHERE id = ?1 AND state IN ('queued', 'running') RETURNING campaign_id",
        )
        .bind(id)
        .bind(stage)
        .bind(done)
        .bind(total)
        .bind(seconds_left)
        .fetch_optional(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note the progress of a review"))?;
        if let Some(campaign) = campaign {
            writing.note("review", id, Some(&campaign)).await?;
        }
        writing.commit().await
    }

    /// A review is done: its flags and the end of its job are there together, or not at all.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn finish_review(&self, lease: &Lease, id: &str, finished: Finished<'_>) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        end(&mut writing, lease, End::Done).await?;
        let campaign = end_review(&mut writing, id, "finished", None, Some(finished.provider)).await?;
        sqlx::query("UPDATE reviews SET compared_share = ?2 WHERE id = ?1")
            .bind(id)
            .bind(finished.compared_share)
            .execute(&mut *writing.tx)
            .await
            .map_err(StoreError::database("note what a review compared"))?;
        super::flags::replace_flags(&mut writing, id, &campaign, finished.flags).await?;
        super::receipts::queue_gains(&mut writing, id).await?;
        finish_batch(&mut writing, id).await?;
        writing.commit().await
    }

    /// A review cannot be done, or is not wanted any more.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn drop_review(&self, lease: &Lease, id: &str, how: End<'_>) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        end(&mut writing, lease, how).await?;
        end_review(&mut writing, id, how.state(), how.why(), None).await?;
        finish_batch(&mut writing, id).await?;
        writing.commit().await
    }

    /// Asks for a review to be stopped: one that waits is cancelled now, one that runs soon.
    ///
    /// # Errors
    /// When it has ended already, is not there, or the database fails.
    pub async fn cancel_review(&self, id: &str) -> Result<(), StoreError> {
        let review = self.review(id).await?;
        if review.state != "queued" && review.state != "running" {
            let what = format!("review {id} is {} already; DELETE with ended=true deletes it", review.state);
            return Err(StoreError::Conflict { what });
        }
        let mut writing = self.write().await?;
        match cancel(&mut writing, JobKind::ReviewTest, id).await? {
            Cancel::Ended => {
                end_review(&mut writing, id, "cancelled", None, None).await?;
                finish_batch(&mut writing, id).await?;
            }
            Cancel::Asked => {}
            Cancel::NoJob => {
                let what = format!("review {id} is of a live test: end the live test first");
                return Err(StoreError::Conflict { what });
            }
        }
        writing.commit().await
    }

    /// The webhook of a batch was told, or will not be.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn webhook_ended(&self, lease: &Lease, batch_id: &str, error: Option<&str>) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let (how, webhook) = error.map_or((End::Done, "sent"), |why| (End::Failed(why), "failed"));
        end(&mut writing, lease, how).await?;
        sqlx::query("UPDATE batches SET webhook_state = ?2 WHERE id = ?1")
            .bind(batch_id)
            .bind(webhook)
            .execute(&mut *writing.tx)
            .await
            .map_err(StoreError::database("note a webhook"))?;
        writing.note("batch", batch_id, None).await?;
        writing.commit().await
    }

    /// Ids of the reviews whose results must be kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reviews_with_results(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT id FROM reviews WHERE state = 'finished' OR (live = 1 AND state IN ('queued', 'running'))",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("list the results"))
    }
}

/// Makes the row of a review.
pub(super) async fn add_review(
    writing: &mut Writing,
    batch_id: Option<&str>,
    order: &ReviewOrder,
    live: bool,
) -> Result<String, StoreError> {
    let campaign: Option<String> = sqlx::query_scalar("SELECT campaign_id FROM tests WHERE id = ?1")
        .bind(&order.test_id)
        .fetch_optional(&mut *writing.tx)
        .await
        .map_err(StoreError::database("find a test"))?;
    let campaign = campaign.ok_or_else(|| StoreError::missing("test", &order.test_id))?;
    let simulation: Option<i64> = sqlx::query_scalar("SELECT 1 FROM simulations WHERE id = ?1")
        .bind(&order.simulation_id)
        .fetch_optional(&mut *writing.tx)
        .await
        .map_err(StoreError::database("find a simulation"))?;
    if simulation.is_none() {
        return Err(StoreError::missing("simulation", &order.simulation_id));
    }
    let id = new_id();
    sqlx::query(
        "INSERT INTO reviews (id, batch_id, campaign_id, simulation_id, test_id, tolerance_mm, tolerances, live, study, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, CASE WHEN ?8 THEN 'running' ELSE 'queued' END)",
    )
    .bind(&id)
    .bind(batch_id)
    .bind(&campaign)
    .bind(&order.simulation_id)
    .bind(&order.test_id)
    .bind(order.tolerance_mm)
    .bind(serde_json::to_string(&order.tolerances).expect("numbers by name are JSON, else a bug"))
    .bind(live)
    .bind(order.study)
    .execute(&mut *writing.tx)
    .await
    .map_err(StoreError::database("note a review"))?;
    writing.note("review", &id, Some(&campaign)).await?;
    Ok(id)
}

/// Ends a review; returns its campaign.
pub(super) async fn end_review(
    writing: &mut Writing,
    id: &str,
    state: &str,
    why: Option<&str>,
    provider: Option<&str>,
) -> Result<String, StoreError> {
    let row = sqlx::query(
        "UPDATE reviews SET state = ?2, stage = ?2, refusal = ?3, provider = coalesce(?4, provider), seconds_left = NULL,
             version = version + 1, finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
             pictures_done = CASE WHEN ?2 = 'finished' THEN pictures_total ELSE pictures_done END
         WHERE id = ?1 RETURNING campaign_id, test_id",
    )
    .bind(id)
    .bind(state)
    .bind(why)
    .bind(provider)
    .fetch_one(&mut *writing.tx)
    .await
    .map_err(StoreError::database("end a review"))?;
    let (campaign, test): (String, String) = (row.get(0), row.get(1));
    sqlx::query("UPDATE tests SET version = version + 1 WHERE id = ?1")
        .bind(&test)
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note a test's review"))?;
    writing.note("review", id, Some(&campaign)).await?;
    writing.note("test", &test, Some(&campaign)).await?;
    Ok(campaign)
}

/// Queues the webhook of a review's batch when this was its last one.
async fn finish_batch(writing: &mut Writing, review_id: &str) -> Result<(), StoreError> {
    let batch: Option<String> = sqlx::query_scalar(
        "SELECT b.id FROM batches b JOIN reviews r ON r.batch_id = b.id WHERE r.id = ?1 AND b.webhook_state = 'waiting'
         AND NOT EXISTS (SELECT 1 FROM reviews o WHERE o.batch_id = b.id AND o.state IN ('queued', 'running'))",
    )
    .bind(review_id)
    .fetch_optional(&mut *writing.tx)
    .await
    .map_err(StoreError::database("look whether a batch is done"))?;
    match batch {
        Some(id) => enqueue(writing, JobKind::SendWebhook, &id).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
