//! What changed, in order.

use super::{Store, StoreError};

/// One change.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Event {
    /// Its number, rising.
    pub seq: i64,
    /// `upload`, `review`, `batch`, `flag`, `live`, `verdict`, `job`, `campaign`, `test` or `simulation`.
    pub name: String,
    /// What changed.
    pub subject_id: String,
    /// Where it belongs.
    pub campaign_id: Option<String>,
    /// When, Unix ms.
    pub at_ms: i64,
}

impl Store {
    /// Changes after number `after`, oldest first; of one campaign and of none when `campaign_id` is given.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_after(
        &self,
        after: i64,
        campaign_id: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Event>, StoreError> {
        sqlx::query_as(
            "SELECT seq, name, subject_id, campaign_id, at_ms FROM events
             WHERE seq > ?1 AND (?2 IS NULL OR campaign_id IS NULL OR campaign_id = ?2) ORDER BY seq LIMIT ?3",
        )
        .bind(after)
        .bind(campaign_id)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("read the events"))
    }

    /// Number of the newest change; 0 when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn newest_event(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM events")
            .fetch_one(&self.pool)
            .await
            .map_err(StoreError::database("read the newest event"))
    }

    /// Forgets all but the newest `keep` changes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_events(&self, keep: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM events WHERE seq <= (SELECT coalesce(max(seq), 0) FROM events) - ?1")
            .bind(keep)
            .execute(&self.pool)
            .await
            .map_err(StoreError::database("forget old events"))?;
        Ok(())
    }
}
