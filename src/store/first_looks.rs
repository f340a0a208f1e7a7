//! What people saw before they saw the machine's flags.

use super::{Store, StoreError, new_id};

/// One look.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct FirstLook {
    /// Its id.
    pub id: String,
    /// The review.
    pub review_id: String,
    /// Who looked.
    pub author: Option<String>,
    /// What was seen, JSON.
    pub seen: String,
    /// When.
    pub at: String,
}

impl Store {
    /// Keeps what somebody saw.
    ///
    /// # Errors
    /// When the review is not there or the database fails.
    pub async fn add_first_look(
        &self,
        review_id: &str,
        author: Option<&str>,
        seen: &str,
    ) -> Result<FirstLook, StoreError> {
        let review = self.review(review_id).await?;
        let mut writing = self.write().await?;
        let look =
            sqlx::query_as("INSERT INTO first_looks (id, review_id, author, seen) VALUES (?1, ?2, ?3, ?4) RETURNING *")
                .bind(new_id())
                .bind(review_id)
                .bind(author)
                .bind(seen)
                .fetch_one(&mut *writing.tx)
                .await
                .map_err(StoreError::database("keep a first look"))?;
        writing.note("review", review_id, Some(&review.campaign_id)).await?;
        writing.commit().await?;
        Ok(look)
    }

    /// All looks at a review, oldest first.
    ///
    /// # Errors
    /// When the review is not there or the database fails.
    pub async fn first_looks(&self, review_id: &str) -> Result<Vec<FirstLook>, StoreError> {
        self.review(review_id).await?;
        sqlx::query_as("SELECT * FROM first_looks WHERE review_id = ?1 ORDER BY id")
            .bind(review_id)
            .fetch_all(&self.pool)
            .await
            .map_err(StoreError::database("read the first looks"))
    }
}
