//! Campaigns: tests that belong together.

use super::reviews::SHOWS;
use super::{Page, Store, StoreError, new_id};

/// A campaign with its counts.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Campaign {
    /// Its id.
    pub id: String,
    /// Its name, unique.
    pub name: String,
    /// When it was made.
    pub created_at: String,
    /// How many tests it has.
    pub tests: i64,
    /// How many mismatch flags of the newest review of each test that has something to show nobody has judged.
    pub open_flags: i64,
}

/// A part that was flagged in a campaign.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct FailingPart {
    /// Its name.
    pub part_name: String,
    /// In how many tests it was flagged.
    pub tests_flagged: i64,
    /// Its largest deviation, mm.
    pub worst_mm: f64,
}

fn columns() -> String {
    format!(
        "SELECT c.id, c.name, c.created_at,
         (SELECT count(*) FROM tests t WHERE t.campaign_id = c.id) AS tests,
         (SELECT count(*) FROM flags f WHERE f.campaign_id = c.id AND f.verdict = 'open' AND f.machine = 'mismatch'
             AND f.withdrawn_at IS NULL AND f.review_id IN (SELECT max(r.id) FROM reviews r WHERE r.campaign_id = c.id
                 AND {SHOWS} GROUP BY r.test_id)) AS open_flags
         FROM campaigns c"
    )
}

impl Store {
    /// Makes a campaign.
    ///
    /// # Errors
    /// When the name is taken or the database fails.
    pub async fn add_campaign(&self, name: &str) -> Result<Campaign, StoreError> {
        let mut writing = self.write().await?;
        let id = new_id();
        let made = sqlx::query("INSERT INTO campaigns (id, name) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING")
            .bind(&id)
            .bind(name)
            .execute(&mut *writing.tx)
            .await
            .map_err(StoreError::database("make a campaign"))?;
        if made.rows_affected() == 0 {
            return Err(StoreError::Conflict {
                what: format!("there is a campaign {name:?} already: choose another name, or use that one"),
            });
        }
        writing.note("campaign", &id, Some(&id)).await?;
        writing.commit().await?;
        self.campaign(&id).await
    }

    /// The campaign of this name, made where it is missing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn campaign_named(&self, name: &str) -> Result<Campaign, StoreError> {
        let find = || async {
            sqlx::query_scalar::<_, String>("SELECT id FROM campaigns WHERE name = ?1")
                .bind(name)
                .fetch_optional(&self.pool)
                .await
                .map_err(StoreError::database("find a campaign"))
        };
        if let Some(id) = find().await? {
            return self.campaign(&id).await;
        }
        match self.add_campaign(name).await {
            Err(StoreError::Conflict { .. }) => {}
            made => return made,
        }
        let id = find().await?.ok_or_else(|| StoreError::missing("campaign", name))?;
        self.campaign(&id).await
    }

    /// One campaign.
    ///
    /// # Errors
    /// When it is not there or the database fails.
    pub async fn campaign(&self, id: &str) -> Result<Campaign, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{} WHERE c.id = ?1", columns())))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::database("read a campaign"))?
            .ok_or_else(|| StoreError::missing("campaign", id))
    }

    /// Campaigns, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn campaigns(&self, page: &Page) -> Result<Vec<Campaign>, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{} WHERE (?1 IS NULL OR c.id < ?1) ORDER BY c.id DESC LIMIT ?2",
            columns()
        )))
        .bind(&page.cursor)
        .bind(page.limit)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("list the campaigns"))
    }

    /// Parts that were flagged in the newest reviews of a campaign's tests and not dismissed, most often first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn failing_parts(&self, campaign_id: &str) -> Result<Vec<FailingPart>, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT f.part_name, count(DISTINCT r.test_id) AS tests_flagged, max(f.peak_mm) AS worst_mm
             FROM flags f JOIN reviews r ON r.id = f.review_id
             WHERE f.campaign_id = ?1 AND f.machine = 'mismatch' AND f.verdict <> 'dismissed' AND f.withdrawn_at IS NULL
               AND r.id IN (SELECT max(r.id) FROM reviews r WHERE r.campaign_id = ?1 AND {SHOWS} GROUP BY r.test_id)
             GROUP BY f.part_name ORDER BY tests_flagged DESC, worst_mm DESC"
        )))
        .bind(campaign_id)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("count the failing parts"))
    }
}
