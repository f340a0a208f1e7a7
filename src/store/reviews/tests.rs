//! Reviews in the store: what is shown of a test, and who may end a review.

use super::*;
use crate::store::fixture::Bench;
use crate::store::flags::tests::{flag, new_flags};

#[tokio::test]
async fn a_newer_review_that_waits_fails_or_is_cancelled_does_not_hide_the_finished_one() {
    let bench = Bench::new().await;
    let (store, live) = (&bench.store, bench.live().await);
    store.end_live(&live, "[]").await.unwrap();
    let (first, lease) = bench.take().await;
    store
        .finish_review(
            &lease,
            &first,
            Finished { provider: "cpu", compared_share: 1.0, flags: &new_flags(&[flag(1, 2, 0..9, (0.01, 0.02))]) },
        )
        .await
        .unwrap();
    for end in [End::Failed("it is broken"), End::Cancelled] {
        let newer = bench.order(&live.test_id).await;
        let shown = async |when: &str| {
            let test = store.test(&live.test_id).await.unwrap();
            assert_eq!(test.latest_review_id.as_ref(), Some(&newer), "{when}");
            assert_eq!(
                (test.shown_review_id.as_ref(), test.shown_review_state.as_deref()),
                (Some(&first), Some("finished"))
            );
            assert_eq!(store.campaign(&bench.campaign).await.unwrap().open_flags, 1, "{when}");
            assert_eq!(store.failing_parts(&bench.campaign).await.unwrap().len(), 1, "{when}");
        };
        shown("it waits").await;
        let (_, lease) = bench.take().await;
        shown("it runs").await;
        store.drop_review(&lease, &newer, end).await.unwrap();
        shown(end.state()).await;
    }
    let newest = bench.order(&live.test_id).await;
    let (_, lease) = bench.take().await;
    store.finish_review(&lease, &newest, Finished { provider: "cpu", compared_share: 1.0, flags: &[] }).await.unwrap();
    assert_eq!(store.test(&live.test_id).await.unwrap().shown_review_id, Some(newest));
    assert_eq!(store.campaign(&bench.campaign).await.unwrap().open_flags, 0);
}

#[tokio::test]
async fn who_was_told_that_a_review_is_cancelled_finds_no_result_of_it() {
    let bench = Bench::new().await;
    let (store, live) = (&bench.store, bench.live().await);
    store.end_live(&live, "[]").await.unwrap();
    // It was taken, but has told nothing yet: it still shows as queued.
    let (review, lease) = bench.take().await;
    assert_eq!(store.review(&review).await.unwrap().state, "queued");
    store.cancel_review(&review).await.unwrap();
    let done =
        store.finish_review(&lease, &review, Finished { provider: "cpu", compared_share: 1.0, flags: &[] }).await;
    assert!(matches!(done, Err(StoreError::CancelWanted { .. })), "{done:?}");
    store.drop_review(&lease, &review, End::Cancelled).await.unwrap();
    assert_eq!(store.review(&review).await.unwrap().state, "cancelled");
}
