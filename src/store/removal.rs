//! Taking things out of the store again. Nothing goes that somebody still works on; with a thing goes what was made of
//! it. The ledger of receipts stays as it is, files go with the next sweep.

use super::{Store, StoreError, Writing};

/// Removed: what a caller has to clear away that is no row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Live tests whose frames lie in folders of their own.
    pub lives: Vec<String>,
}

impl Store {
    /// Gives a campaign another name.
    ///
    /// # Errors
    /// When it is not there, the name is another campaign's, or the database fails.
    pub async fn rename_campaign(&self, id: &str, name: &str) -> Result<super::Campaign, StoreError> {
        let mut writing = self.write().await?;
        let other: Option<String> = sqlx::query_scalar("SELECT id FROM campaigns WHERE name = ?1 AND id <> ?2")
            .bind(name)
            .bind(id)
            .fetch_optional(&mut *writing.tx)
            .await
            .map_err(StoreError::database("find a campaign"))?;
        if other.is_some() {
            let what = format!("there is a campaign {name:?} already: choose another name");
            return Err(StoreError::Conflict { what });
        }
        let renamed = sqlx::query("UPDATE campaigns SET name = ?2 WHERE id = ?1")
            .bind(id)
            .bind(name)
            .execute(&mut *writing.tx)
            .await
            .map_err(StoreError::database("rename a campaign"))?;
        if renamed.rows_affected() == 0 {
            return Err(StoreError::missing("campaign", id));
        }
        writing.note("campaign", id, Some(id)).await?;
        writing.commit().await?;
        self.campaign(id).await
    }

    /// Removes a campaign with its tests and all that was made of them.
    ///
    /// # Errors
    /// When it is not there, a file of it is arriving, work on it goes on, or the database fails.
    pub async fn remove_campaign(&self, id: &str) -> Result<Removed, StoreError> {
        self.campaign(id).await?;
        let mut writing = self.write().await?;
        let what = format!("campaign {id}");
        let arriving = "SELECT id FROM uploads WHERE campaign_id = ?1 AND state IN ('receiving', 'reading')";
        if let Some(upload) = first(&mut writing, arriving, id).await? {
            return Err(busy(&what, &format!("upload {upload} is arriving"), "finish it or take it back"));
        }
        idle(&mut writing, "r.campaign_id = ?1", id, &what).await?;
        let mut removed = Removed::default();
        for test in all(&mut writing, "SELECT id FROM tests WHERE campaign_id = ?1", id).await? {
            removed.lives.extend(drop_test(&mut writing, &test, id).await?);
        }
        for upload in all(&mut writing, "DELETE FROM uploads WHERE campaign_id = ?1 RETURNING id", id).await? {
            writing.note("upload", &upload, Some(id)).await?;
        }
        for statement in [
            "DELETE FROM simulation_places WHERE campaign_id = ?1",
            "DELETE FROM waiting_sidecars WHERE campaign_id = ?1",
            "DELETE FROM campaigns WHERE id = ?1",
        ] {
            run(&mut writing, statement, id).await?;
        }
        writing.note("campaign", id, Some(id)).await?;
        writing.commit().await?;
        Ok(removed)
    }

    /// Removes a test with its reviews, their flags, verdicts and suggestions.
    ///
    /// # Errors
    /// When it is not there, is live, a review or suggestion of it waits or runs, or the database fails.
    pub async fn remove_test(&self, id: &str) -> Result<Removed, StoreError> {
        let test = self.test(id).await?;
        let mut writing = self.write().await?;
        idle(&mut writing, "r.test_id = ?1", id, &format!("test {id}")).await?;
        let lives = drop_test(&mut writing, id, &test.campaign_id).await?;
        writing.commit().await?;
        Ok(Removed { lives })
    }

    /// Removes a simulation that no finished review rests on.
    ///
    /// # Errors
    /// When it is not there, a review of it waits, runs or is finished, or the database fails.
    pub async fn remove_simulation(&self, id: &str) -> Result<(), StoreError> {
        self.simulation(id).await?;
        let mut writing = self.write().await?;
        let what = format!("simulation {id}");
        idle(&mut writing, "r.simulation_id = ?1", id, &what).await?;
        let finished = "SELECT id FROM reviews WHERE simulation_id = ?1 AND state = 'finished' ORDER BY id DESC";
        if let Some(review) = first(&mut writing, finished, id).await? {
            return Err(busy(&what, &format!("finished review {review} rests on it"), "delete the review first"));
        }
        // What failed or was cancelled shows nothing.
        let ended = "SELECT id FROM reviews WHERE simulation_id = ?1
            AND NOT EXISTS (SELECT 1 FROM lives l WHERE l.review_id = reviews.id)";
        for review in all(&mut writing, ended, id).await? {
            drop_review(&mut writing, &review).await?;
        }
        let live = "SELECT test_id FROM lives WHERE simulation_id = ?1";
        if let Some(test) = first(&mut writing, live, id).await? {
            return Err(busy(&what, &format!("live test {test} was filmed against it"), "delete the test first"));
        }
        run(
            &mut writing,
            "DELETE FROM waiting_sidecars WHERE (campaign_id, stem) IN
                 (SELECT campaign_id, stem FROM simulation_places WHERE simulation_id = ?1)",
            id,
        )
        .await?;
        run(&mut writing, "DELETE FROM simulation_places WHERE simulation_id = ?1", id).await?;
        drop_uploads(&mut writing, "DELETE FROM uploads WHERE simulation_id = ?1 RETURNING id", id).await?;
        run(&mut writing, "DELETE FROM simulations WHERE id = ?1", id).await?;
        writing.note("simulation", id, None).await?;
        writing.commit().await
    }

    /// Removes a review that has ended, with its flags, verdicts and suggestions.
    ///
    /// # Errors
    /// When it is not there, waits, runs, is that of a live test, or the database fails.
    pub async fn remove_review(&self, id: &str) -> Result<(), StoreError> {
        let review = self.review(id).await?;
        let mut writing = self.write().await?;
        let what = format!("review {id}");
        idle(&mut writing, "r.id = ?1", id, &what).await?;
        if let Some(test) = first(&mut writing, "SELECT test_id FROM lives WHERE review_id = ?1", id).await? {
            return Err(busy(&what, &format!("it belongs to live test {test}"), "delete the test"));
        }
        drop_review(&mut writing, id).await?;
        writing.note("test", &review.test_id, Some(&review.campaign_id)).await?;
        writing.commit().await
    }
}

fn busy(what: &str, why: &str, advice: &str) -> StoreError {
    StoreError::Conflict { what: format!("{what} cannot be deleted: {why}; {advice}") }
}

/// Refuses while a review `r` for which `which` holds waits or runs, is live, or a suggestion for it is being made.
async fn idle(writing: &mut Writing, which: &str, id: &str, what: &str) -> Result<(), StoreError> {
    let live = format!(
        "SELECT l.id FROM lives l JOIN reviews r ON r.id = l.review_id WHERE {which} AND l.state = 'receiving'"
    );
    if let Some(live) = first(writing, &live, id).await? {
        return Err(busy(what, &format!("live test {live} is open"), "end it first"));
    }
    let review = format!("SELECT r.id FROM reviews r WHERE {which} AND r.state IN ('queued', 'running')");
    if let Some(review) = first(writing, &review, id).await? {
        return Err(busy(what, &format!("review {review} is queued or running"), "cancel it or wait for its end"));
    }
    let suggestion = format!(
        "SELECT s.id FROM suggestions s JOIN reviews r ON r.id = s.review_id WHERE {which}
         AND s.state IN ('queued', 'running')"
    );
    if let Some(suggestion) = first(writing, &suggestion, id).await? {
        let why = format!("suggestion {suggestion} is queued or running");
        return Err(busy(what, &why, "cancel it or wait for its end"));
    }
    Ok(())
}

/// Removes a test that nobody works on; returns its live tests.
async fn drop_test(writing: &mut Writing, id: &str, campaign_id: &str) -> Result<Vec<String>, StoreError> {
    let lives = all(writing, "DELETE FROM lives WHERE test_id = ?1 RETURNING id", id).await?;
    for live in &lives {
        writing.note("live", live, Some(campaign_id)).await?;
    }
    for review in all(writing, "SELECT id FROM reviews WHERE test_id = ?1", id).await? {
        drop_review(writing, &review).await?;
    }
    drop_uploads(writing, "DELETE FROM uploads WHERE test_id = ?1 RETURNING id", id).await?;
    run(writing, "DELETE FROM tests WHERE id = ?1", id).await?;
    writing.note("test", id, Some(campaign_id)).await?;
    writing.note("campaign", campaign_id, Some(campaign_id)).await?;
    Ok(lives)
}

/// The uploads that a thing came by go with it: they tell of it.
async fn drop_uploads(writing: &mut Writing, statement: &'static str, id: &str) -> Result<(), StoreError> {
    for upload in all(writing, statement, id).await? {
        writing.note("upload", &upload, None).await?;
    }
    Ok(())
}

/// Removes a review that nobody works on.
async fn drop_review(writing: &mut Writing, id: &str) -> Result<(), StoreError> {
    let campaign = first(writing, "SELECT campaign_id FROM reviews WHERE id = ?1", id).await?;
    let batch = first(writing, "SELECT coalesce(batch_id, '') FROM reviews WHERE id = ?1", id).await?;
    run(writing, "DELETE FROM verdicts WHERE flag_id IN (SELECT id FROM flags WHERE review_id = ?1)", id).await?;
    for (name, statement) in [
        ("flag", "DELETE FROM flags WHERE review_id = ?1 RETURNING id"),
        ("suggestion", "DELETE FROM suggestions WHERE review_id = ?1 RETURNING id"),
    ] {
        for gone in all(writing, statement, id).await? {
            writing.note(name, &gone, campaign.as_deref()).await?;
        }
    }
    run(writing, "DELETE FROM first_looks WHERE review_id = ?1", id).await?;
    run(writing, "DELETE FROM reviews WHERE id = ?1", id).await?;
    // An order of which nothing is left must not answer for a new one under its key.
    let orders = "DELETE FROM batches WHERE id = ?1 AND coalesce(webhook_state, '') <> 'waiting'
        AND NOT EXISTS (SELECT 1 FROM reviews r WHERE r.batch_id = batches.id)";
    run(writing, orders, batch.as_deref().unwrap_or_default()).await?;
    writing.note("review", id, campaign.as_deref()).await
}

/// The ids that a statement about `id` gives.
async fn all(writing: &mut Writing, statement: &'static str, id: &str) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar(statement)
        .bind(id)
        .fetch_all(&mut *writing.tx)
        .await
        .map_err(StoreError::database("list what is to be removed"))
}

/// The first id that a statement about `id` gives.
async fn first(writing: &mut Writing, statement: &str, id: &str) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!("{statement} LIMIT 1")))
        .bind(id)
        .fetch_optional(&mut *writing.tx)
        .await
        .map_err(StoreError::database("look whether something is in use"))
}

async fn run(writing: &mut Writing, statement: &'static str, id: &str) -> Result<(), StoreError> {
    sqlx::query(statement).bind(id).execute(&mut *writing.tx).await.map_err(StoreError::database("remove rows"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Finished;
    use crate::store::fixture::{Bench, SIMULATION};
    use crate::store::flags::tests::{flag, new_flags, says};
    use crate::store::{FlagFilter, NewReceipt, Page, Said, SuggestionOrder};

    const ALL: Page = Page { limit: 100, cursor: None };

    fn refused(done: Result<impl std::fmt::Debug, StoreError>, word: &str) {
        let told = done.expect_err("it is in use").to_string();
        assert!(told.contains("cannot be deleted") && told.contains(word), "{told}");
    }

    /// A finished live review and a finished ordered one with a judged flag and a suggestion; returns test and review.
    async fn reviewed(bench: &Bench) -> (String, String) {
        let (store, live) = (&bench.store, bench.live().await);
        refused(store.remove_test(&live.test_id).await, "is open");
        refused(store.remove_campaign(&bench.campaign).await, "is open");
        refused(store.remove_simulation(SIMULATION).await, "is open");
        store.end_live(&live, "[]").await.unwrap();
        refused(store.remove_test(&live.test_id).await, "queued or running");
        let (review, lease) = bench.take().await;
        store
            .finish_review(&lease, &review, Finished { provider: "cpu", compared_share: 1.0, flags: &[] })
            .await
            .unwrap();
        let second = bench.order(&live.test_id).await;
        refused(store.remove_review(&second).await, "queued or running");
        let (_, lease) = bench.take().await;
        store
            .finish_review(
                &lease,
                &second,
                Finished { provider: "cpu", compared_share: 1.0, flags: &new_flags(&[flag(1, 2, 0..9, (0.01, 0.02))]) },
            )
            .await
            .unwrap();
        let flags = store.flags(&FlagFilter::default(), &ALL).await.unwrap();
        store.set_verdict(&flags[0].id, None, &says("confirmed")).await.unwrap();
        store.add_first_look(&second, None, "{}").await.unwrap();
        (live.test_id, second)
    }

    /// Makes a suggestion for the review, which seals a receipt.
    async fn suggest(bench: &Bench, review: &str) -> String {
        let order = SuggestionOrder { review_id: review.into(), next_runs: 0, planned: None, idempotency_key: None };
        let id = bench.store.order_suggestion(&order).await.unwrap();
        refused(bench.store.remove_review(review).await, "suggestion");
        let lease = std::time::Duration::from_secs(60);
        let hand = bench.store.hand(crate::store::JobKind::SuggestChange, lease).await.unwrap();
        let taken = bench.store.take_job(&hand).await.unwrap().unwrap();
        let text = |t: &str| t.to_owned();
        let said =
            Said { study: text("s"), verdict: text("change"), headline: text("h"), changes: 1, sha256: text("d") };
        let receipt = NewReceipt {
            event: "suggested",
            change: 0,
            simulation_id: None,
            review_id: None,
            seal: Box::new(|number, _| (format!("line {number}"), format!("digest {number}"))),
        };
        bench.store.finish_suggestion(&taken.lease, &id, &said, receipt).await.unwrap();
        id
    }

    #[tokio::test]
    async fn a_review_goes_with_all_that_was_made_of_it_but_for_the_ledger() {
        let bench = Bench::new().await;
        let store = &bench.store;
        let (test, review) = reviewed(&bench).await;
        let suggestion = suggest(&bench, &review).await;
        refused(store.remove_simulation(SIMULATION).await, "rests on it");
        let before = store.newest_event().await.unwrap();
        let batch = store.review(&review).await.unwrap().batch_id.unwrap();
        store.remove_review(&review).await.unwrap();
        assert!(matches!(store.review(&review).await, Err(StoreError::Missing { .. })));
        assert!(
            matches!(store.batch(&batch).await, Err(StoreError::Missing { .. })),
            "its key is free for a new order"
        );
        assert!(store.flags(&FlagFilter::default(), &ALL).await.unwrap().is_empty());
        assert!(matches!(store.suggestion(&suggestion).await, Err(StoreError::Missing { .. })));
        assert_eq!(store.ledger().await.unwrap(), ["line 1"], "receipts are only appended to");
        let told = store.events_after(before, None, 100).await.unwrap();
        for (name, id) in [("review", &review), ("test", &test)] {
            assert!(told.iter().any(|e| e.name == name && e.subject_id == *id), "{name}: {told:?}");
        }
        let shown = store.test(&test).await.unwrap().shown_review_id;
        assert!(shown.is_some_and(|id| id != review), "the board goes back to the review before");
    }

    #[tokio::test]
    async fn a_test_goes_with_its_reviews_and_then_its_simulation_may_go() {
        let bench = Bench::new().await;
        let store = &bench.store;
        let (test, _) = reviewed(&bench).await;
        let live = store.live_of_test(&test).await.unwrap();
        refused(store.remove_review(&live.review_id).await, "live test");
        assert_eq!(store.remove_test(&test).await.unwrap(), Removed { lives: vec![live.id] });
        assert!(matches!(store.test(&test).await, Err(StoreError::Missing { .. })));
        assert!(store.reviews_with_results().await.unwrap().is_empty(), "the sweep takes what they left");
        store.remove_simulation(SIMULATION).await.unwrap();
        assert!(store.named_digests().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_campaign_is_renamed_to_a_free_name_and_goes_with_its_tests() {
        let bench = Bench::new().await;
        let store = &bench.store;
        let other = store.add_campaign("Other").await.unwrap().id;
        assert_eq!(store.rename_campaign(&other, "Sled 7").await.unwrap().name, "Sled 7");
        assert_eq!(store.rename_campaign(&other, "Sled 7").await.unwrap().name, "Sled 7", "its own name is free");
        assert!(matches!(store.rename_campaign(&other, "Bench").await, Err(StoreError::Conflict { .. })));
        assert!(matches!(store.rename_campaign("none", "x").await, Err(StoreError::Missing { .. })));
        let (test, _) = reviewed(&bench).await;
        assert_eq!(store.remove_campaign(&bench.campaign).await.unwrap().lives.len(), 1);
        assert!(matches!(store.test(&test).await, Err(StoreError::Missing { .. })));
        assert_eq!(store.campaigns(&ALL).await.unwrap().len(), 1);
        store.simulation(SIMULATION).await.unwrap();
    }
}
