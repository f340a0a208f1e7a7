//! The ledger of suggestions: receipts that are appended, never changed, each sealed with the digest of the one before.
//!
//! What a receipt says and how it is sealed is the caller's; the store gives the number and the digest before, in the
//! transaction that appends it, so that the chain has no fork.

use super::jobs::{End, Lease, end, enqueue};
use super::{JobKind, Store, StoreError, Writing};

/// Makes the line and its digest (hex) from the number and the digest of the line before (empty for the first).
pub type Seal = Box<dyn FnOnce(u64, &str) -> (String, String) + Send>;

/// A receipt to be appended.
pub struct NewReceipt {
    /// `suggested`, `accepted`, `rejected`, `tried` or `obtained`.
    pub event: &'static str,
    /// Rank of the change; 0 is all of them.
    pub change: i64,
    /// The re-run, when it was tried.
    pub simulation_id: Option<String>,
    /// The review of the re-run, when something was obtained.
    pub review_id: Option<String>,
    /// Seals it.
    pub seal: Seal,
}

/// A receipt of the ledger.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Receipt {
    /// Its number, from 1.
    pub number: i64,
    /// What it is about.
    pub suggestion_id: String,
    /// `suggested`, `accepted`, `rejected`, `tried` or `obtained`.
    pub event: String,
    /// Rank of the change; 0 is all of them.
    pub change: i64,
    /// The re-run, when it was tried.
    pub simulation_id: Option<String>,
    /// The review of the re-run, when something was obtained.
    pub review_id: Option<String>,
    /// The line as it was sealed, JSON.
    pub line: String,
    /// Its digest, hex.
    pub sha256: String,
}

/// A change that was tried, and the suggestion that it is of.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TriedChange {
    /// The suggestion.
    pub suggestion_id: String,
    /// Rank of the change.
    pub change: i64,
}

/// Appends a receipt in the transaction that makes it true.
pub(super) async fn append(writing: &mut Writing, suggestion_id: &str, new: NewReceipt) -> Result<i64, StoreError> {
    let last: Option<(i64, String)> =
        sqlx::query_as("SELECT number, sha256 FROM receipts ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *writing.tx)
            .await
            .map_err(StoreError::database("read the newest receipt"))?;
    let (before, digest) = last.unwrap_or_default();
    let number = before + 1;
    let (line, sha256) = (new.seal)(number.unsigned_abs(), &digest);
    sqlx::query(
        "INSERT INTO receipts (number, suggestion_id, event, change, simulation_id, review_id, line, sha256)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(number)
    .bind(suggestion_id)
    .bind(new.event)
    .bind(new.change)
    .bind(&new.simulation_id)
    .bind(&new.review_id)
    .bind(line)
    .bind(sha256)
    .execute(&mut *writing.tx)
    .await
    .map_err(StoreError::database("append a receipt"))?;
    let campaign: String = sqlx::query_scalar("SELECT campaign_id FROM suggestions WHERE id = ?1")
        .bind(suggestion_id)
        .fetch_one(&mut *writing.tx)
        .await
        .map_err(StoreError::database("find a suggestion"))?;
    writing.note("suggestion", suggestion_id, Some(&campaign)).await?;
    Ok(number)
}

/// Queues the receipts of a finished review whose simulation was tried for a change.
pub(super) async fn queue_gains(writing: &mut Writing, review_id: &str) -> Result<(), StoreError> {
    let tried: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT 1 FROM ({TRIED}) LIMIT 1")))
        .bind(review_id)
        .fetch_optional(&mut *writing.tx)
        .await
        .map_err(StoreError::database("look for a tried change"))?;
    match tried {
        Some(_) => enqueue(writing, JobKind::NoteGain, review_id).await,
        None => Ok(()),
    }
}

/// Changes that were tried with the simulation of review ?1 against its test, and have no receipt of this review yet.
const TRIED: &str = "SELECT DISTINCT t.suggestion_id AS suggestion_id, t.change AS change FROM receipts t
    JOIN suggestions s ON s.id = t.suggestion_id JOIN reviews before ON before.id = s.review_id
    JOIN reviews r ON r.id = ?1
    WHERE t.event = 'tried' AND t.simulation_id = r.simulation_id AND before.test_id = r.test_id AND r.live = 0
      AND NOT EXISTS (SELECT 1 FROM receipts o WHERE o.event = 'obtained' AND o.suggestion_id = t.suggestion_id
          AND o.change = t.change AND o.review_id = r.id)";

impl Store {
    /// Notes a decision about a change. When a change was tried with a simulation that was reviewed against the test
    /// already, what it gained is queued to be noted as well.
    ///
    /// # Errors
    /// When the suggestion is not finished, it or the simulation is not there, or the database fails.
    pub async fn decide(&self, suggestion_id: &str, receipt: NewReceipt) -> Result<i64, StoreError> {
        let row = self.suggestion(suggestion_id).await?;
        if row.state != "finished" {
            return Err(StoreError::Conflict { what: format!("suggestion {suggestion_id} is {}", row.state) });
        }
        let simulation = receipt.simulation_id.clone();
        if let Some(id) = &simulation {
            self.simulation(id).await?;
        }
        let mut writing = self.write().await?;
        let number = append(&mut writing, suggestion_id, receipt).await?;
        if let Some(simulation) = simulation {
            let reviewed: Vec<String> = sqlx::query_scalar(
                "SELECT id FROM reviews WHERE simulation_id = ?1 AND state = 'finished'
                 AND test_id = (SELECT test_id FROM reviews WHERE id = ?2)",
            )
            .bind(&simulation)
            .bind(&row.review_id)
            .fetch_all(&mut *writing.tx)
            .await
            .map_err(StoreError::database("look for reviews of the re-run"))?;
            for review in reviewed {
                queue_gains(&mut writing, &review).await?;
            }
        }
        writing.commit().await?;
        Ok(number)
    }

    /// Receipts of a suggestion, oldest first.
    ///
    /// # Errors
    /// When the suggestion is not there or the database fails.
    pub async fn receipts(&self, suggestion_id: &str) -> Result<Vec<Receipt>, StoreError> {
        self.suggestion(suggestion_id).await?;
        sqlx::query_as("SELECT * FROM receipts WHERE suggestion_id = ?1 ORDER BY number")
            .bind(suggestion_id)
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("read the receipts"))
    }

    /// The whole ledger, a line a receipt.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn ledger(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT line FROM receipts ORDER BY number")
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("read the ledger"))
    }

    /// Changes that a finished review is the re-run of, and that have no receipt of it yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tried_changes(&self, review_id: &str) -> Result<Vec<TriedChange>, StoreError> {
        sqlx::query_as(TRIED)
            .bind(review_id)
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("read the tried changes"))
    }

    /// Notes what a re-run gained; the receipts and the end of the job are there together.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn gains_noted(&self, lease: &Lease, gains: Vec<(String, NewReceipt)>) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        end(&mut writing, lease, End::Done).await?;
        for (suggestion_id, receipt) in gains {
            append(&mut writing, &suggestion_id, receipt).await?;
        }
        writing.commit().await
    }

    /// What a re-run gained cannot be told.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn gains_failed(&self, lease: &Lease, why: &str) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        end(&mut writing, lease, End::Failed(why)).await?;
        writing.commit().await
    }
}
