//! Tests that arrive frame by frame.

use super::reviews::{ReviewOrder, add_review};
use super::{JobKind, NewFlag, Store, StoreError, new_id};

/// A live test as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Live {
    /// Its id.
    pub id: String,
    /// The review that its frames are for.
    pub review_id: String,
    /// The test that they become.
    pub test_id: String,
    /// What it is compared with.
    pub simulation_id: String,
    /// Where it belongs.
    pub campaign_id: String,
    /// The cameras, JSON as they were announced.
    pub cameras: String,
    /// `receiving` or `ended`.
    pub state: String,
    /// Frames that arrived.
    pub received: i64,
    /// Frames that were reviewed as they arrived.
    pub reviewed: i64,
    /// At which rate they are reviewed, where it is not all of them.
    pub rate_note: Option<String>,
    /// When it began.
    pub created_at: String,
    /// Film time of the newest reviewed frame, s.
    pub last_time_s: Option<f64>,
    /// Median from a frame's arrival to its flags, ms.
    pub p50_ms: Option<f64>,
    /// 99th percentile of it, ms.
    pub p99_ms: Option<f64>,
}

/// A live test that is announced.
#[derive(Debug, Clone)]
pub struct NewLive {
    /// Its name.
    pub name: String,
    /// Where it belongs.
    pub campaign_id: String,
    /// What it is compared with.
    pub simulation_id: String,
    /// The cameras as the test's page shows them, JSON.
    pub cameras: String,
    /// The cameras as they were announced, JSON.
    pub records: String,
    /// Tolerance, mm.
    pub tolerance_mm: f64,
}

impl Store {
    /// Announces a live test: the test, its review and the live row.
    ///
    /// # Errors
    /// When the campaign or the simulation is not there or the database fails.
    pub async fn begin_live(&self, new: &NewLive) -> Result<Live, StoreError> {
        self.campaign(&new.campaign_id).await?;
        let mut writing = self.write().await?;
        let (id, test_id) = (new_id(), new_id());
        sqlx::query(
            "INSERT INTO tests (id, campaign_id, name, filename, bytes, cameras, live) VALUES (?1, ?2, ?3, ?3, 0, ?4, 1)",
        )
        .bind(&test_id)
        .bind(&new.campaign_id)
        .bind(&new.name)
        .bind(&new.cameras)
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note a live test"))?;
        let order = ReviewOrder {
            simulation_id: new.simulation_id.clone(),
            test_id: test_id.clone(),
            tolerance_mm: new.tolerance_mm,
            tolerances: std::collections::BTreeMap::new(),
            study: true,
        };
        let review_id = add_review(&mut writing, None, &order, true).await?;
        sqlx::query(
            "INSERT INTO lives (id, review_id, test_id, simulation_id, campaign_id, cameras) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )
        .bind(&id)
        .bind(&review_id)
        .bind(&test_id)
        .bind(&new.simulation_id)
        .bind(&new.campaign_id)
        .bind(&new.records)
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note a live review"))?;
        writing.note("test", &test_id, Some(&new.campaign_id)).await?;
        writing.note("live", &id, Some(&new.campaign_id)).await?;
        writing.commit().await?;
        self.live(&id).await
    }

    /// One live test.
    ///
    /// # Errors
    /// When it is not there or the database fails.
    pub async fn live(&self, id: &str) -> Result<Live, StoreError> {
        sqlx::query_as("SELECT * FROM lives WHERE id = ?1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::database("read a live test"))?
            .ok_or_else(|| StoreError::missing("live test", id))
    }

    /// The live test that became this test.
    ///
    /// # Errors
    /// When it is not there or the database fails.
    pub async fn live_of_test(&self, test_id: &str) -> Result<Live, StoreError> {
        sqlx::query_as("SELECT * FROM lives WHERE test_id = ?1")
            .bind(test_id)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::database("read a live test"))?
            .ok_or_else(|| StoreError::missing("live test of test", test_id))
    }

    /// Live tests that still receive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn receiving_lives(&self) -> Result<Vec<Live>, StoreError> {
        sqlx::query_as("SELECT * FROM lives WHERE state = 'receiving' ORDER BY id")
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("list the live tests"))
    }

    /// Ids of all live tests: their frames must be kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn live_ids(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT id FROM lives")
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("list the live tests"))
    }

    /// Frames arrived and were reviewed; flags as they stand now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn live_progressed(
        &self,
        live: &Live,
        cameras: &str,
        total: i64,
        flags: Option<&[NewFlag]>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        sqlx::query(
            "UPDATE lives SET received = ?2, reviewed = ?3, rate_note = ?4 WHERE id = ?1 AND state = 'receiving'",
        )
        .bind(&live.id)
        .bind(live.received)
        .bind(live.reviewed)
        .bind(&live.rate_note)
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note the progress of a live test"))?;
        sqlx::query("UPDATE tests SET cameras = ?2, version = version + 1 WHERE id = ?1")
            .bind(&live.test_id)
            .bind(cameras)
            .execute(&mut *writing.tx)
            .await
            .map_err(StoreError::database("note frames"))?;
        sqlx::query(
            "UPDATE reviews SET pictures_done = ?2, pictures_total = ?3, stage = 'live' WHERE id = ?1 AND state = 'running'",
        )
        .bind(&live.review_id)
        .bind(live.reviewed)
        .bind(total)
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note the progress of a live review"))?;
        if let Some(flags) = flags {
            super::flags::replace_flags(&mut writing, &live.review_id, &live.campaign_id, flags).await?;
        }
        writing.note("live", &live.id, Some(&live.campaign_id)).await?;
        writing.commit().await
    }

    /// No more frames come: the whole film is reviewed again, all frames of it. `reached` has the last figures.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_live(&self, reached: &Live, cameras: &str) -> Result<Live, StoreError> {
        let id = reached.id.as_str();
        let live = self.live(id).await?;
        let mut writing = self.write().await?;
        let ended = sqlx::query(
            "UPDATE lives SET state = 'ended', received = ?2, reviewed = ?3, rate_note = ?4, last_time_s = ?5,
                 p50_ms = ?6, p99_ms = ?7 WHERE id = ?1 AND state = 'receiving'",
        )
        .bind(id)
        .bind(reached.received)
        .bind(reached.reviewed)
        .bind(&reached.rate_note)
        .bind(reached.last_time_s)
        .bind(reached.p50_ms)
        .bind(reached.p99_ms)
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("end a live test"))?;
        if ended.rows_affected() == 0 {
            return Ok(live);
        }
        sqlx::query("UPDATE tests SET cameras = ?2, version = version + 1 WHERE id = ?1")
            .bind(&live.test_id)
            .bind(cameras)
            .execute(&mut *writing.tx)
            .await
            .map_err(StoreError::database("note frames"))?;
        sqlx::query("UPDATE reviews SET state = 'queued', stage = 'finishing the rest' WHERE id = ?1")
            .bind(&live.review_id)
            .execute(&mut *writing.tx)
            .await
            .map_err(StoreError::database("queue a live review"))?;
        super::jobs::enqueue(&mut writing, JobKind::ReviewTest, &live.review_id).await?;
        writing.note("live", id, Some(&live.campaign_id)).await?;
        writing.note("review", &live.review_id, Some(&live.campaign_id)).await?;
        writing.note("test", &live.test_id, Some(&live.campaign_id)).await?;
        writing.commit().await?;
        self.live(id).await
    }

    /// No frame ever came: the live test ends, and its review with it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn abandon_live(&self, id: &str) -> Result<Live, StoreError> {
        let live = self.live(id).await?;
        let mut writing = self.write().await?;
        let ended = sqlx::query("UPDATE lives SET state = 'ended' WHERE id = ?1 AND state = 'receiving'")
            .bind(id)
            .execute(&mut *writing.tx)
            .await
            .map_err(StoreError::database("end a live test"))?;
        if ended.rows_affected() == 0 {
            return Ok(live);
        }
        super::reviews::end_review(&mut writing, &live.review_id, "cancelled", Some("no frame came"), None).await?;
        writing.note("live", id, Some(&live.campaign_id)).await?;
        writing.commit().await?;
        self.live(id).await
    }
}
