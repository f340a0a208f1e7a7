//! Flags and what people say about them.

use super::{Page, Store, StoreError, Writing, new_id};
use crate::domain::Flag;

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
    /// When a later look at the film did not find it any more; it had been judged before.
    pub withdrawn_at: Option<String>,
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
    /// Those that were withdrawn instead of those that stand.
    pub withdrawn: bool,
}

const COLUMNS: &str = "SELECT id, review_id, campaign_id, number, content, verdict, reason, label, comment, author, verdict_at, \
                       version, withdrawn_at FROM flags";

/// A flag that a review has from an earlier look.
#[derive(sqlx::FromRow)]
struct Earlier {
    id: String,
    content: String,
    /// 1 when somebody said something about it.
    judged: i64,
    withdrawn_at: Option<String>,
}

/// Makes the flags of a review what `flags` says. A flag that is found again keeps its id and what people said about it
/// (see [`super::same_flag`]); one that is not is dropped, or withdrawn where somebody judged it.
pub(super) async fn replace_flags(
    writing: &mut Writing,
    review_id: &str,
    campaign_id: &str,
    flags: &[NewFlag],
) -> Result<(), StoreError> {
    let failed = StoreError::database;
    // Those that stand first: of two that share as much, that one is found again.
    let earlier: Vec<Earlier> = sqlx::query_as(
        "SELECT id, content, withdrawn_at, EXISTS (SELECT 1 FROM verdicts v WHERE v.flag_id = flags.id) AS judged
         FROM flags WHERE review_id = ?1 ORDER BY withdrawn_at IS NOT NULL, number, id",
    )
    .bind(review_id)
    .fetch_all(&mut *writing.tx)
    .await
    .map_err(failed("read the flags"))?;
    let parsed = |content: &str| serde_json::from_str::<Flag>(content).ok();
    let before: Vec<Option<Flag>> = earlier.iter().map(|e| parsed(&e.content)).collect();
    let after: Vec<Option<Flag>> = flags.iter().map(|f| parsed(&f.content)).collect();
    let found = super::same_flag::matched(&before, &after);
    for (index, old) in earlier.iter().enumerate() {
        if !found.contains(&Some(index)) && old.withdrawn_at.is_none() {
            let statement = if old.judged == 0 {
                "DELETE FROM flags WHERE id = ?1"
            } else {
                "UPDATE flags SET version = version + 1, withdrawn_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = ?1"
            };
            sqlx::query(statement).bind(&old.id).execute(&mut *writing.tx).await.map_err(failed("drop a flag"))?;
            writing.note("flag", &old.id, Some(campaign_id)).await?;
        }
    }
    // No two flags have one number, also between two statements: those that stay give theirs back first.
    sqlx::query("UPDATE flags SET number = -number WHERE review_id = ?1 AND withdrawn_at IS NULL")
        .bind(review_id)
        .execute(&mut *writing.tx)
        .await
        .map_err(failed("number the flags"))?;
    for (flag, found) in flags.iter().zip(&found) {
        write_flag(writing, review_id, campaign_id, flag, found.map(|index| &earlier[index])).await?;
    }
    Ok(())
}

/// Writes a flag, over the one that it was before.
async fn write_flag(
    writing: &mut Writing,
    review_id: &str,
    campaign_id: &str,
    flag: &NewFlag,
    before: Option<&Earlier>,
) -> Result<(), StoreError> {
    let id = before.map_or_else(new_id, |b| b.id.clone());
    let changed = before.is_none_or(|b| b.content != flag.content || b.withdrawn_at.is_some());
    sqlx::query(
        "INSERT INTO flags (id, review_id, campaign_id, number, part_name, peak_mm, machine, content)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE SET number = excluded.number, part_name = excluded.part_name,
             peak_mm = excluded.peak_mm, machine = excluded.machine, content = excluded.content, withdrawn_at = NULL,
             version = version + ?9",
    )
    .bind(&id)
    .bind(review_id)
    .bind(campaign_id)
    .bind(flag.number)
    .bind(&flag.part_name)
    .bind(flag.peak_mm)
    .bind(flag.machine)
    .bind(&flag.content)
    .bind(i64::from(changed))
    .execute(&mut *writing.tx)
    .await
    .map_err(StoreError::database("note a flag"))?;
    if changed { writing.note("flag", &id, Some(campaign_id)).await } else { Ok(()) }
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
             AND (?3 IS NULL OR verdict = ?3) AND (?4 IS NULL OR id > ?4) AND (withdrawn_at IS NOT NULL) = ?6 ORDER BY id LIMIT ?5"
        )))
        .bind(&filter.campaign_id)
        .bind(&filter.review_id)
        .bind(&filter.verdict)
        .bind(&page.cursor)
        .bind(page.limit)
        .bind(filter.withdrawn)
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

#[cfg(test)]
pub(super) mod tests {
    use std::ops::Range;

    use super::*;
    use crate::domain::BoundingBox;
    use crate::store::Finished;
    use crate::store::fixture::Bench;

    /// A flag on elements of a part, from its onset to its peak, s; a frame a millisecond.
    pub(in crate::store) fn flag(number: u32, part: i32, elements: Range<u32>, times_s: (f64, f64)) -> Flag {
        let frames = (times_s.0 * 1e3) as usize..=(times_s.1 * 1e3) as usize;
        let place = BoundingBox { x0: 0, y0: 0, x1: 9, y1: 9 };
        let bbox_px = [("left".to_owned(), frames.map(|i| (i, place)).collect())].into();
        Flag { bbox_px, ..crate::domain::tests::flag(number, part, elements, times_s) }
    }

    pub(in crate::store) fn new_flags(flags: &[Flag]) -> Vec<NewFlag> {
        let new = |f: &Flag| NewFlag {
            number: i64::from(f.id.0),
            part_name: f.part_name.clone(),
            peak_mm: f.peak_mm,
            machine: "mismatch",
            content: serde_json::to_string(f).unwrap(),
        };
        flags.iter().map(new).collect()
    }

    async fn listed(bench: &Bench, withdrawn: bool) -> Vec<StoredFlag> {
        let filter = FlagFilter { withdrawn, ..FlagFilter::default() };
        let mut flags = bench.store.flags(&filter, &Page { limit: 10, cursor: None }).await.unwrap();
        flags.sort_by_key(|f| f.number);
        flags
    }

    pub(in crate::store) fn says(verdict: &str) -> NewVerdict {
        let text = |t: &str| Some(t.to_owned());
        NewVerdict {
            verdict: verdict.into(),
            reason: text("shadow"),
            label: None,
            comment: text("seen in the left film"),
            author: text("Ada"),
            blind: false,
        }
    }

    #[tokio::test]
    async fn a_verdict_stays_with_its_place_when_the_whole_film_numbers_the_flags_anew() {
        let bench = Bench::new().await;
        let live = bench.live().await;
        let tell = async |flags: &[Flag]| {
            bench.store.live_progressed(&live, "[]", 3, Some(&new_flags(flags))).await.unwrap();
        };
        let right = flag(1, 2, 0..40, (0.010, 0.020));
        tell(std::slice::from_ref(&right)).await;
        let judged =
            bench.store.set_verdict(&listed(&bench, false).await[0].id, None, &says("dismissed")).await.unwrap();
        // The next event raises one before it; then the film ends and its review has them the other way round again.
        tell(&[flag(1, 1, 100..140, (0.008, 0.020)), flag(2, 2, 0..60, (0.010, 0.030))]).await;
        bench.store.end_live(&live, "[]").await.unwrap();
        let (review, lease) = bench.take().await;
        let last = [
            flag(1, 1, 100..150, (0.008, 0.040)),
            flag(2, 3, 200..210, (0.009, 0.02)),
            flag(3, 2, 0..55, (0.011, 0.04)),
        ];
        bench
            .store
            .finish_review(&lease, &review, Finished { provider: "cpu", compared_share: 1.0, flags: &new_flags(&last) })
            .await
            .unwrap();
        let flags = listed(&bench, false).await;
        let seen: Vec<(i64, &str, bool)> =
            flags.iter().map(|f| (f.number, f.verdict.as_str(), f.id == judged.id)).collect();
        assert_eq!(seen, [(1, "open", false), (2, "open", false), (3, "dismissed", true)]);
        let kept = &flags[2];
        assert_eq!((kept.comment.as_deref(), kept.author.as_deref()), (Some("seen in the left film"), Some("Ada")));
        assert!(kept.version > judged.version, "who saw the earlier extent is told that it changed");
        assert_eq!(bench.store.verdicts(&kept.id).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_judged_flag_that_is_not_found_again_is_withdrawn_counts_no_more_and_may_come_back() {
        let bench = Bench::new().await;
        let live = bench.live().await;
        let tell = async |flags: &[Flag]| {
            bench.store.live_progressed(&live, "[]", 3, Some(&new_flags(flags))).await.unwrap();
        };
        let (right, left) = (flag(1, 2, 0..40, (0.010, 0.020)), flag(1, 1, 100..140, (0.012, 0.020)));
        tell(std::slice::from_ref(&right)).await;
        let judged =
            bench.store.set_verdict(&listed(&bench, false).await[0].id, None, &says("confirmed")).await.unwrap();
        tell(std::slice::from_ref(&left)).await;
        let (standing, withdrawn) = (listed(&bench, false).await, listed(&bench, true).await);
        assert_eq!((standing.len(), standing[0].verdict.as_str()), (1, "open"), "the new flag 1 is nobody's yet");
        assert_eq!((withdrawn.len(), &withdrawn[0].id), (1, &judged.id));
        assert!(withdrawn[0].withdrawn_at.is_some() && withdrawn[0].verdict == "confirmed");
        assert_eq!(bench.store.review(&live.review_id).await.unwrap().flags, 1);
        let board = bench.store.campaign(&bench.campaign).await.unwrap();
        let parts = bench.store.failing_parts(&bench.campaign).await.unwrap();
        assert_eq!((board.open_flags, parts.len(), parts[0].part_name.as_str()), (1, 1, "part_1"));
        // Nobody judged the left one: it goes without a trace. The right one comes back with what was said.
        tell(std::slice::from_ref(&right)).await;
        let standing = listed(&bench, false).await;
        assert_eq!((standing.len(), &standing[0].id, standing[0].withdrawn_at.as_deref()), (1, &judged.id, None));
        assert!(listed(&bench, true).await.is_empty());
    }
}
