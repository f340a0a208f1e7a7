//! Simulations and tests: what uploads became.

use super::jobs::{End, Lease, end};
use super::reviews::SHOWS;
use super::{Page, Store, StoreError, Writing, new_id};

/// A simulation that can be reviewed against.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Simulation {
    /// Its id.
    pub id: String,
    /// The file's name.
    pub name: String,
    /// The name without its ending.
    pub stem: String,
    /// Digest of the file, hex.
    pub sha256: String,
    /// Its size.
    pub bytes: i64,
    /// Digest of its side-car, hex.
    pub sidecar_sha256: Option<String>,
    /// The side-car's file name as it was uploaded.
    pub sidecar_name: Option<String>,
    /// Campaign that the side-car was uploaded to; empty for none.
    pub sidecar_campaign_id: Option<String>,
    /// What the reader found, JSON.
    pub summary: String,
    /// Grows with each change.
    pub version: i64,
    /// When it came.
    pub created_at: String,
}

/// A filmed test.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredTest {
    /// Its id.
    pub id: String,
    /// Where it belongs.
    pub campaign_id: String,
    /// Its name, as the record says it.
    pub name: String,
    /// The file's name.
    pub filename: String,
    /// Digest of the file, hex; none while it is live.
    pub sha256: Option<String>,
    /// Its size.
    pub bytes: i64,
    /// The cameras, JSON.
    pub cameras: String,
    /// 1 when it came frame by frame.
    pub live: i64,
    /// Grows with each change.
    pub version: i64,
    /// When it came.
    pub created_at: String,
    /// Its newest review, in whatever state.
    pub latest_review_id: Option<String>,
    /// Its newest review that has something to show: finished, or live.
    pub shown_review_id: Option<String>,
    /// The state of that review.
    pub shown_review_state: Option<String>,
    /// 1 while frames arrive.
    pub receiving: i64,
}

fn test_columns() -> String {
    let newest = |what, of| {
        format!("(SELECT r.{what} FROM reviews r WHERE r.test_id = t.id AND {of} ORDER BY r.id DESC LIMIT 1)")
    };
    format!(
        "SELECT t.*, {} AS latest_review_id, {} AS shown_review_id, {} AS shown_review_state,
         (SELECT count(*) FROM lives l WHERE l.test_id = t.id AND l.state = 'receiving') AS receiving FROM tests t",
        newest("id", "1"),
        newest("id", SHOWS),
        newest("state", SHOWS)
    )
}

/// Marks the upload of a lease as read, with what it became.
pub(super) async fn accept(
    writing: &mut Writing,
    lease: &Lease,
    upload_id: &str,
    sha256: &str,
    simulation_id: Option<&str>,
    test_id: Option<&str>,
) -> Result<(), StoreError> {
    end(writing, lease, End::Done).await?;
    let campaign: Option<String> = sqlx::query_scalar(
        "UPDATE uploads SET state = 'accepted', sha256 = ?2, simulation_id = ?3, test_id = ?4 WHERE id = ?1
         RETURNING campaign_id",
    )
    .bind(upload_id)
    .bind(sha256)
    .bind(simulation_id)
    .bind(test_id)
    .fetch_one(&mut *writing.tx)
    .await
    .map_err(StoreError::database("accept an upload"))?;
    writing.note("upload", upload_id, campaign.as_deref()).await
}

impl Store {
    /// The upload was a test: notes it once a campaign, however often the file comes.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn accept_test(&self, lease: &Lease, upload_id: &str, new: &StoredTest) -> Result<String, StoreError> {
        let mut writing = self.write().await?;
        let id: String = sqlx::query_scalar(
            "INSERT INTO tests (id, campaign_id, name, filename, sha256, bytes, cameras) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (campaign_id, sha256) DO UPDATE SET name = excluded.name RETURNING id",
        )
        .bind(&new.id)
        .bind(&new.campaign_id)
        .bind(&new.name)
        .bind(&new.filename)
        .bind(&new.sha256)
        .bind(new.bytes)
        .bind(&new.cameras)
        .fetch_one(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note a test"))?;
        let sha256 = new.sha256.as_deref().unwrap_or_default();
        accept(&mut writing, lease, upload_id, sha256, None, Some(&id)).await?;
        writing.note("test", &id, Some(&new.campaign_id)).await?;
        writing.commit().await?;
        Ok(id)
    }

    /// The upload cannot be used.
    ///
    /// # Errors
    /// When the lease is lost or the database fails.
    pub async fn refuse_upload(&self, lease: &Lease, upload_id: &str, why: &str) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        end(&mut writing, lease, End::Failed(why)).await?;
        let campaign: Option<String> = sqlx::query_scalar(
            "UPDATE uploads SET state = 'refused', refusal = ?2 WHERE id = ?1 RETURNING campaign_id",
        )
        .bind(upload_id)
        .bind(why)
        .fetch_one(&mut *writing.tx)
        .await
        .map_err(StoreError::database("refuse an upload"))?;
        writing.note("upload", upload_id, campaign.as_deref()).await?;
        writing.commit().await
    }

    /// One simulation.
    ///
    /// # Errors
    /// When it is not there or the database fails.
    pub async fn simulation(&self, id: &str) -> Result<Simulation, StoreError> {
        sqlx::query_as("SELECT * FROM simulations WHERE id = ?1")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::database("read a simulation"))?
            .ok_or_else(|| StoreError::missing("simulation", id))
    }

    /// Simulations, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn simulations(&self, page: &Page) -> Result<Vec<Simulation>, StoreError> {
        sqlx::query_as("SELECT * FROM simulations WHERE (?1 IS NULL OR id < ?1) ORDER BY id DESC LIMIT ?2")
            .bind(&page.cursor)
            .bind(page.limit)
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("list the simulations"))
    }

    /// One test.
    ///
    /// # Errors
    /// When it is not there or the database fails.
    pub async fn test(&self, id: &str) -> Result<StoredTest, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{} WHERE t.id = ?1", test_columns())))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::database("read a test"))?
            .ok_or_else(|| StoreError::missing("test", id))
    }

    /// Tests, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tests(&self, campaign_id: Option<&str>, page: &Page) -> Result<Vec<StoredTest>, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{} WHERE (?1 IS NULL OR t.campaign_id = ?1) AND (?2 IS NULL OR t.id < ?2) ORDER BY t.id DESC LIMIT ?3",
            test_columns()
        )))
        .bind(campaign_id)
        .bind(&page.cursor)
        .bind(page.limit)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("list the tests"))
    }

    /// Digests of all files that something names.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn named_digests(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT sha256 FROM simulations UNION SELECT sidecar_sha256 FROM simulations WHERE sidecar_sha256 IS NOT NULL
             UNION SELECT sha256 FROM tests WHERE sha256 IS NOT NULL UNION SELECT sha256 FROM waiting_sidecars",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("list the digests"))
    }
}

impl StoredTest {
    /// An id that no test has.
    #[must_use]
    pub fn fresh_id() -> String {
        new_id()
    }
}
