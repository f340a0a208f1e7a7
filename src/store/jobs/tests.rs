//! Who may end a job, and what becomes of one that nobody ends.

use super::*;
use crate::store::fixture::Bench;

const LONG: Duration = Duration::from_secs(60);

/// Three reviews that wait; returns their ids in the order in which they were ordered.
async fn three_orders(bench: &Bench) -> Vec<String> {
    let live = bench.live().await;
    bench.store.end_live(&live, "[]").await.unwrap();
    let mut ids = vec![live.review_id];
    for _ in 0..2 {
        ids.push(bench.order(&live.test_id).await);
    }
    ids
}

async fn hand(store: &Store) -> Hand {
    store.hand(JobKind::ReviewTest, LONG).await.unwrap()
}

async fn take(store: &Store, hand: &Hand) -> Option<Taken> {
    store.take_job(hand).await.unwrap()
}

async fn state(store: &Store, lease: &Lease) -> (String, i64, Option<String>) {
    let job = store.job(&lease.job_id).await.unwrap();
    (job.state, job.attempts, job.error)
}

fn is_lost<T>(done: &Result<T, StoreError>) -> bool {
    matches!(done, Err(StoreError::LeaseLost { .. }))
}

#[tokio::test]
async fn jobs_are_taken_once_and_in_their_order() {
    let bench = Bench::new().await;
    let (store, orders) = (&bench.store, three_orders(&bench).await);
    let (first, second) = (hand(store).await, hand(store).await);
    let mut subjects = vec![];
    for hand in [&first, &second, &first] {
        subjects.push(take(store, hand).await.unwrap().subject_id);
    }
    assert_eq!(subjects, orders);
    assert!(take(store, &second).await.is_none(), "all are taken");
    let webhooks = store.hand(JobKind::SendWebhook, LONG).await.unwrap();
    assert!(take(store, &webhooks).await.is_none(), "none is of its kind");
    assert_eq!(store.job_counts().await.unwrap(), [("running".to_owned(), 3)]);
}

#[tokio::test]
async fn a_hand_that_comes_late_ends_nothing() {
    let bench = Bench::new().await;
    let store = &bench.store;
    three_orders(&bench).await;
    let late = take(store, &hand(store).await).await.unwrap();
    assert!(!store.prolong(&late.lease).await.unwrap(), "nobody wants it to stop");
    assert_eq!(store.expire_leases().await.unwrap(), 1);
    let second = take(store, &hand(store).await).await.unwrap();
    assert_eq!((second.subject_id.as_str(), second.attempt, second.is_last), (late.subject_id.as_str(), 2, false));
    assert!(is_lost(&store.prolong(&late.lease).await));
    assert!(is_lost(&store.drop_review(&late.lease, &late.subject_id, End::Failed("late")).await));
    assert!(is_lost(&store.give_back(&late.lease, Duration::ZERO, None, true).await));
    let (now, attempts, _) = state(store, &second.lease).await;
    assert_eq!((now.as_str(), attempts), ("running", 2), "the late one changed nothing");
    store.drop_review(&second.lease, &second.subject_id, End::Failed("broken")).await.unwrap();
    assert_eq!(state(store, &second.lease).await, ("failed".to_owned(), 2, Some("broken".to_owned())));
    assert!(is_lost(&store.drop_review(&second.lease, &second.subject_id, End::Failed("twice")).await), "it has ended");
}

#[tokio::test]
async fn an_earlier_attempt_of_the_same_hand_ends_nothing_either() {
    let bench = Bench::new().await;
    let store = &bench.store;
    three_orders(&bench).await;
    let hand = hand(store).await;
    let late = take(store, &hand).await.unwrap();
    store.expire_leases().await.unwrap();
    let again = take(store, &hand).await.unwrap();
    assert_eq!((again.subject_id.as_str(), again.attempt), (late.subject_id.as_str(), 2));
    assert!(is_lost(&store.drop_review(&late.lease, &late.subject_id, End::Cancelled).await));
    store.drop_review(&again.lease, &again.subject_id, End::Cancelled).await.unwrap();
}

#[tokio::test]
async fn a_hand_that_falls_silent_loses_its_job_and_one_that_is_heard_keeps_it() {
    let bench = Bench::new().await;
    let store = &bench.store;
    three_orders(&bench).await;
    let brief = Duration::from_millis(1200);
    let register = async || store.hand(JobKind::ReviewTest, brief).await.unwrap();
    let (heard, silent, waiting) = (register().await, register().await, register().await);
    let (kept, lost) = (take(store, &heard).await.unwrap(), take(store, &silent).await.unwrap());
    let third = take(store, &waiting).await.unwrap();
    store.drop_review(&third.lease, &third.subject_id, End::Cancelled).await.unwrap();
    assert!(take(store, &waiting).await.is_none(), "both are held");
    let mut again = None;
    for _ in 0..60 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        store.prolong(&kept.lease).await.unwrap();
        again = take(store, &waiting).await;
        if again.is_some() {
            break;
        }
    }
    let again = again.expect("a job of a silent hand is taken again");
    assert_eq!((again.subject_id, again.attempt), (lost.subject_id, 2));
    assert!(is_lost(&store.prolong(&lost.lease).await));
}

#[tokio::test]
async fn a_job_that_is_given_back_waits_and_counts_what_was_tried() {
    let bench = Bench::new().await;
    let store = &bench.store;
    let orders = three_orders(&bench).await;
    let hand = hand(store).await;
    let first = take(store, &hand).await.unwrap();
    store.give_back(&first.lease, Duration::ZERO, None, false).await.unwrap();
    assert_eq!(state(store, &first.lease).await, ("queued".to_owned(), 0, None), "the program stopped");
    let again = take(store, &hand).await.unwrap();
    assert_eq!((again.subject_id.as_str(), again.attempt), (orders[0].as_str(), 1));
    store.give_back(&again.lease, LONG, Some("no room"), true).await.unwrap();
    assert_eq!(state(store, &first.lease).await, ("queued".to_owned(), 1, Some("no room".to_owned())));
    assert_eq!(take(store, &hand).await.unwrap().subject_id, orders[1], "it waits");
}

#[tokio::test]
async fn what_is_cancelled_ends_at_once_or_is_asked_to_stop() {
    let bench = Bench::new().await;
    let store = &bench.store;
    let orders = three_orders(&bench).await;
    let hand = hand(store).await;
    let running = take(store, &hand).await.unwrap();
    store.cancel_review(&orders[0]).await.unwrap();
    store.cancel_review(&orders[1]).await.unwrap();
    assert!(store.prolong(&running.lease).await.unwrap(), "it is asked to stop");
    store.drop_review(&running.lease, &orders[0], End::Cancelled).await.unwrap();
    let page = Page { limit: 9, cursor: None };
    let cancelled = store.jobs(Some("cancelled"), &page).await.unwrap();
    let subjects: Vec<&str> = cancelled.iter().map(|j| j.subject_id.as_str()).collect();
    assert_eq!(subjects, [orders[1].as_str(), &orders[0]], "newest first");
    assert!(cancelled.iter().all(|j| j.error.is_none() && j.finished_at.is_some()), "{cancelled:?}");
    assert_eq!(take(store, &hand).await.unwrap().subject_id, orders[2]);
}
