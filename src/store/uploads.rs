//! Files on their way in.

use super::{JobKind, Store, StoreError, jobs::enqueue, new_id};

/// An upload as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Upload {
    /// Its id.
    pub id: String,
    /// The file's name as the caller gave it, without folders.
    pub filename: String,
    /// How long the file is, bytes.
    pub length: i64,
    /// How much of it is here, bytes.
    pub received: i64,
    /// `receiving`, `reading`, `accepted` or `refused`.
    pub state: String,
    /// `simulation`, `sidecar` or `test`.
    pub kind: String,
    /// Where a test belongs.
    pub campaign_id: Option<String>,
    /// Digest that the caller promised, hex.
    pub expected_sha256: Option<String>,
    /// Digest that was found, hex.
    pub sha256: Option<String>,
    /// Why it was refused.
    pub refusal: Option<String>,
    /// The simulation that it became or joined.
    pub simulation_id: Option<String>,
    /// The test that it became.
    pub test_id: Option<String>,
    /// When it began.
    pub created_at: String,
    /// File name of the side-car that stands beside the simulation now.
    pub sidecar_name: Option<String>,
    /// Its digest, hex.
    pub sidecar_sha256: Option<String>,
}

const COLUMNS: &str =
    "SELECT u.*, s.sidecar_name, s.sidecar_sha256 FROM uploads u LEFT JOIN simulations s ON s.id = u.simulation_id";

/// A file that is announced.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// The file's name, without folders.
    pub filename: String,
    /// How long it is, bytes.
    pub length: i64,
    /// `simulation`, `sidecar` or `test`.
    pub kind: &'static str,
    /// Where a test belongs.
    pub campaign_id: Option<String>,
    /// Digest that the whole file must have, hex.
    pub expected_sha256: Option<String>,
}

impl Store {
    /// Announces a file. Its parts may lie ready when this returns: the caller makes the empty file first, or the whole
    /// one where `is_whole`; then it is read at once.
    ///
    /// # Errors
    /// When the campaign is not there or the database fails.
    pub async fn add_upload(&self, id: &str, new: &NewUpload, is_whole: bool) -> Result<Upload, StoreError> {
        if let Some(campaign) = &new.campaign_id {
            self.campaign(campaign).await?;
        }
        let mut writing = self.write().await?;
        sqlx::query(
            "INSERT INTO uploads (id, filename, length, kind, campaign_id, expected_sha256, received, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, CASE WHEN ?7 THEN ?3 ELSE 0 END, CASE WHEN ?7 THEN 'reading' ELSE 'receiving' END)",
        )
        .bind(id)
        .bind(&new.filename)
        .bind(new.length)
        .bind(new.kind)
        .bind(&new.campaign_id)
        .bind(&new.expected_sha256)
        .bind(is_whole)
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("note an upload"))?;
        if is_whole {
            enqueue(&mut writing, JobKind::ReadUpload, id).await?;
        }
        writing.note("upload", id, new.campaign_id.as_deref()).await?;
        writing.commit().await?;
        self.upload(id).await
    }

    /// One upload.
    ///
    /// # Errors
    /// When it is not there or the database fails.
    pub async fn upload(&self, id: &str) -> Result<Upload, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE u.id = ?1")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::database("read an upload"))?
            .ok_or_else(|| StoreError::missing("upload", id))
    }

    /// Notes that the file is here up to `received` bytes; with the last one, that it is to be read.
    ///
    /// # Errors
    /// When the upload is not there or the database fails.
    pub async fn upload_grew(&self, id: &str, received: i64) -> Result<Upload, StoreError> {
        let mut writing = self.write().await?;
        let complete: Option<(i64, Option<String>)> = sqlx::query_as(
            "UPDATE uploads SET received = ?2, state = CASE WHEN ?2 = length THEN 'reading' ELSE state END
             WHERE id = ?1 AND state = 'receiving' RETURNING received = length, campaign_id",
        )
        .bind(id)
        .bind(received)
        .fetch_optional(&mut *writing.tx)
        .await
        .map_err(StoreError::database("grow an upload"))?;
        if let Some((complete, campaign)) = complete {
            if complete != 0 {
                enqueue(&mut writing, JobKind::ReadUpload, id).await?;
            }
            writing.note("upload", id, campaign.as_deref()).await?;
        }
        writing.commit().await?;
        self.upload(id).await
    }

    /// What has arrived shows that the file cannot be used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refuse_while_receiving(&self, id: &str, why: &str) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let campaign: Option<Option<String>> = sqlx::query_scalar(
            "UPDATE uploads SET state = 'refused', refusal = ?2 WHERE id = ?1 AND state = 'receiving' RETURNING campaign_id",
        )
        .bind(id)
        .bind(why)
        .fetch_optional(&mut *writing.tx)
        .await
        .map_err(StoreError::database("refuse an upload"))?;
        writing.note("upload", id, campaign.flatten().as_deref()).await?;
        writing.commit().await
    }

    /// Forgets an upload that is still arriving or was refused.
    ///
    /// # Errors
    /// When it has become something already, is not there, or the database fails.
    pub async fn remove_upload(&self, id: &str) -> Result<(), StoreError> {
        let upload = self.upload(id).await?;
        if upload.state == "reading" || upload.state == "accepted" {
            return Err(StoreError::Conflict {
                what: format!("upload {id} is {} already: it cannot be taken back", upload.state),
            });
        }
        let mut writing = self.write().await?;
        sqlx::query("DELETE FROM uploads WHERE id = ?1 AND state IN ('receiving', 'refused')")
            .bind(id)
            .execute(&mut *writing.tx)
            .await
            .map_err(StoreError::database("remove an upload"))?;
        writing.note("upload", id, upload.campaign_id.as_deref()).await?;
        writing.commit().await
    }

    /// Ids of the uploads whose parts must be kept.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uploads_on_disk(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT id FROM uploads WHERE state IN ('receiving', 'reading')")
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("list the uploads"))
    }

    /// Ids of the uploads that wait for their next part.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uploads_receiving(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar("SELECT id FROM uploads WHERE state = 'receiving'")
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("list the uploads"))
    }

    /// Uploads, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn uploads(&self, page: &super::Page) -> Result<Vec<Upload>, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE (?1 IS NULL OR u.id < ?1) ORDER BY u.id DESC LIMIT ?2"
        )))
        .bind(&page.cursor)
        .bind(page.limit)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("list the uploads"))
    }
}

/// A new upload's id.
impl Upload {
    /// An id that no upload has.
    #[must_use]
    pub fn fresh_id() -> String {
        new_id()
    }
}
