//! Flags and what people say about them.

use super::{Page, Store, StoreError, Writing, new_id};

/// A flag as it stands.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct StoredFlag {
    /// Its id.
    pub id: String,
    /// The review that raised it.
    pub review_id: String,
    /// Where it belongs.
    pub campaign_id: String,
    /// Its number in the review.
    pub number: i64,
    /// What the review says, JSON of [`crate::domain::Flag`].
    pub content: String,
    /// `open`, `confirmed`, `dismissed` or `relabelled`.
    pub verdict: String,
    /// Why.
    pub reason: Option<String>,
    /// What it is called instead.
    pub label: Option<String>,
    /// Free text.
    pub comment: Option<String>,
    /// Who says so.
    pub author: Option<String>,
    /// When.
    pub verdict_at: Option<String>,
    /// Grows with each change.
    pub version: i64,
}

/// A flag that a review raised.
#[derive(Debug, Clone)]
pub struct NewFlag {
    /// Its number in the review.
    pub number: i64,
    /// The part's name.
    pub part_name: String,
    /// Largest deviation, mm.
    pub peak_mm: f64,
    /// `mismatch` or `cannot_tell`.
    pub machine: &'static str,
    /// All of it, JSON.
    pub content: String,
}

/// What somebody says about a flag.
#[derive(Debug, Clone)]
pub struct NewVerdict {
    /// `open`, `confirmed`, `dismissed` or `relabelled`.
    pub verdict: String,
    /// Why.
    pub reason: Option<String>,
    /// What it is called instead.
    pub label: Option<String>,
    /// Free text.
    pub comment: Option<String>,
    /// Who says so.
    pub author: Option<String>,
    /// Said before the machine's opinion was seen.
    pub blind: bool,
}

/// What was said about a flag once.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct VerdictRecord {
    /// The verdict.
    pub verdict: String,
    /// Why.
    pub reason: Option<String>,
    /// What it is called instead.
    pub label: Option<String>,
    /// Free text.
    pub comment: Option<String>,
    /// Who said so.
    pub author: Option<String>,
    /// 1 when said before the machine's opinion was seen.
    pub blind: i64,
    /// When.
    pub at: String,
}

/// Which flags are wanted.
#[derive(Debug, Clone, Default)]
pub struct FlagFilter {
    /// Of this campaign.
    pub campaign_id: Option<String>,
    /// Of this review.
    pub review_id: Option<String>,
    /// With this verdict.
    pub verdict: Option<String>,
}

const COLUMNS: &str = "SELECT id, review_id, campaign_id, number, content, verdict, reason, label, comment, author, verdict_at, \
                       version FROM flags";

/// Makes the flags of a review what `flags` says; a number that stays keeps its id and what people said about it.
pub(super) async fn replace_flags(
    writing: &mut Writing,
    review_id: &str,
    campaign_id: &str,
    flags: &[NewFlag],
) -> Result<(), StoreError> {
    let failed = StoreError::database;
    let dropped: Vec<String> = sqlx::query_scalar(
        "DELETE FROM flags WHERE review_id = ?1 AND number > ?2
         AND NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.flag_id = flags.id) RETURNING id",
    )
    .bind(review_id)
    .bind(i64::try_from(flags.len()).unwrap_or(i64::MAX))
    .fetch_all(&mut *writing.tx)
    .await
    .map_err(failed("drop flags"))?;
    for id in dropped {
        writing.note("flag", &id, Some(campaign_id)).await?;
    }
    for flag in flags {
        let changed: Option<String> = sqlx::query_scalar(
            "INSERT INTO flags (id, review_id, campaign_id, number, part_name, peak_mm, machine, content)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (review_id, number) DO UPDATE SET part_name = excluded.part_name, peak_mm = excluded.peak_mm,
                 machine = excluded.machine, content = excluded.content, version = version + 1
             WHERE content <> excluded.content RETURNING id",
        )
        .bind(new_id())
        .bind(review_id)
        .bind(campaign_id)
        .bind(flag.number)
        .bind(&flag.part_name)
        .bind(flag.peak_mm)
        .bind(flag.machine)
        .bind(&flag.content)
        .fetch_optional(&mut *writing.tx)
        .await
        .map_err(failed("note a flag"))?;
        if let Some(id) = changed {
            writing.note("flag", &id, Some(campaign_id)).await?;
        }
    }
    Ok(())
}

impl Store {
    /// One flag.
    ///
    /// # Errors
    /// When it is not there or the database fails.
    pub async fn flag(&self, id: &str) -> Result<StoredFlag, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = ?1")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(StoreError::database("read a flag"))?
            .ok_or_else(|| StoreError::missing("flag", id))
    }

    /// Flags by review and number; pages go by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn flags(&self, filter: &FlagFilter, page: &Page) -> Result<Vec<StoredFlag>, StoreError> {
        sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE (?1 IS NULL OR campaign_id = ?1) AND (?2 IS NULL OR review_id = ?2)
             AND (?3 IS NULL OR verdict = ?3) AND (?4 IS NULL OR id > ?4) ORDER BY id LIMIT ?5"
        )))
        .bind(&filter.campaign_id)
        .bind(&filter.review_id)
        .bind(&filter.verdict)
        .bind(&page.cursor)
        .bind(page.limit)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("list the flags"))
    }

    /// Somebody says something about a flag.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when `expected` is another version than there is; a missing flag; a failing database.
    pub async fn set_verdict(
        &self,
        id: &str,
        expected: Option<i64>,
        new: &NewVerdict,
    ) -> Result<StoredFlag, StoreError> {
        let mut writing = self.write().await?;
        let found: Option<(i64, String)> = sqlx::query_as("SELECT version, campaign_id FROM flags WHERE id = ?1")
            .bind(id)
            .fetch_optional(&mut *writing.tx)
            .await
            .map_err(StoreError::database("read a flag"))?;
        let (found, campaign) = found.ok_or_else(|| StoreError::missing("flag", id))?;
        if let Some(expected) = expected.filter(|e| *e != found) {
            return Err(StoreError::Changed { what: "flag", id: id.to_owned(), found, expected });
        }
        sqlx::query(
            "UPDATE flags SET verdict = ?2, reason = ?3, label = ?4, comment = ?5, author = ?6, version = version + 1,
                 verdict_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = ?1",
        )
        .bind(id)
        .bind(&new.verdict)
        .bind(&new.reason)
        .bind(&new.label)
        .bind(&new.comment)
        .bind(&new.author)
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("set a verdict"))?;
        sqlx::query(
            "INSERT INTO verdicts (flag_id, verdict, reason, label, comment, author, blind)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .bind(id)
        .bind(&new.verdict)
        .bind(&new.reason)
        .bind(&new.label)
        .bind(&new.comment)
        .bind(&new.author)
        .bind(i64::from(new.blind))
        .execute(&mut *writing.tx)
        .await
        .map_err(StoreError::database("keep a verdict"))?;
        writing.note("verdict", id, Some(&campaign)).await?;
        writing.commit().await?;
        self.flag(id).await
    }

    /// All that was said about a flag, oldest first.
    ///
    /// # Errors
    /// When the flag is not there or the database fails.
    pub async fn verdicts(&self, flag_id: &str) -> Result<Vec<VerdictRecord>, StoreError> {
        self.flag(flag_id).await?;
        sqlx::query_as(
            "SELECT verdict, reason, label, comment, author, blind, at FROM verdicts WHERE flag_id = ?1 ORDER BY seq",
        )
        .bind(flag_id)
        .fetch_all(&self.pool)
        .await
        .map_err(StoreError::database("read the verdicts"))
    }
}
