//! The hands of the service: they take jobs and do them until the program ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::service_error::ServiceError;
use super::workshop::Workshop;
use super::{
    note_gain::note_gain, read_upload::read_upload, review_pair::review_pair, send_webhook::send_webhook,
    suggest_review::suggest_review,
};
use crate::store::{End, Hand, JobKind, StoreError, Taken};
use crate::telemetry::names;

/// How long a hand without work waits for a change before it looks again: leases run out without one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A job is begun so often at most, counting those times that the program did not survive.
const MOST_BEGINNINGS: i64 = 20;

/// Starts the hands: two for uploads, so that a large file does not hold up a small one, one each for webhooks, suggestions and
/// what re-runs gained, and as many for reviews as the settings say.
#[must_use]
pub fn start_hands(shop: &Arc<Workshop>, end: &CancellationToken) -> JoinSet<()> {
    let mut hands = JoinSet::new();
    let mut add = |kind| {
        hands.spawn(work(Arc::clone(shop), kind, end.clone()));
    };
    add(JobKind::ReadUpload);
    add(JobKind::ReadUpload);
    add(JobKind::SendWebhook);
    add(JobKind::SuggestChange);
    add(JobKind::NoteGain);
    for _ in 0..shop.settings.workers {
        add(JobKind::ReviewTest);
    }
    hands
}

async fn work(shop: Arc<Workshop>, kind: JobKind, end: CancellationToken) {
    let mut changes = shop.store.changes();
    let mut hand = None;
    while !end.is_cancelled() {
        match take(&shop, kind, &mut hand).await {
            Ok(Some(taken)) => {
                run(&shop, &taken, &end).await;
                continue;
            }
            Ok(None) => {}
            Err(e) => tracing::error!(error = %e, "no job could be taken"),
        }
        tokio::select! {
            () = end.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = changes.changed() => {}
        }
    }
}

/// Takes a job with the hand, which is registered the first time.
async fn take(shop: &Workshop, kind: JobKind, hand: &mut Option<Hand>) -> Result<Option<Taken>, StoreError> {
    let registered = match hand.take() {
        Some(hand) => hand,
        None => shop.store.hand(kind, shop.settings.lease).await?,
    };
    shop.store.take_job(hand.insert(registered)).await
}

/// Does one job; an error that is the machine's gives it back for another attempt.
async fn run(shop: &Arc<Workshop>, taken: &Taken, end: &CancellationToken) {
    let begun = Instant::now();
    let span =
        tracing::info_span!("job", kind = taken.kind.name(), subject = %taken.subject_id, attempt = taken.attempt);
    tracing::info!(parent: &span, "begins");
    let done = match taken.kind {
        _ if taken.attempt > MOST_BEGINNINGS => give_up(shop, taken).await,
        JobKind::ReadUpload => with_heartbeat(shop, taken, read_upload(shop, taken)).await,
        JobKind::ReviewTest => review_pair(shop, taken, end).await,
        JobKind::SendWebhook => send_webhook(shop, taken).await,
        JobKind::SuggestChange => suggest_review(shop, taken, end).await,
        JobKind::NoteGain => with_heartbeat(shop, taken, note_gain(shop, taken)).await,
    };
    let outcome = match &done {
        Ok(()) => "done",
        Err(ServiceError::Store(StoreError::LeaseLost { .. })) => "lease_lost",
        Err(_) => "error",
    };
    metrics::histogram!(names::JOB_SECONDS, "kind" => taken.kind.name(), "outcome" => outcome)
        .record(begun.elapsed().as_secs_f64());
    match done {
        Ok(()) => tracing::info!(parent: &span, seconds = begun.elapsed().as_secs_f64(), "ends"),
        Err(ServiceError::Store(StoreError::LeaseLost { .. })) => tracing::warn!(parent: &span, "lost its lease"),
        Err(e) => {
            tracing::error!(parent: &span, error = %e.told(), "failed, will be tried again");
            let wait = Duration::from_secs(1 << taken.attempt.clamp(0, 6));
            if let Err(e) = shop.store.give_back(&taken.lease, wait, Some(&e.told()), true).await {
                tracing::error!(parent: &span, error = %e, "could not be given back; its lease will run out");
            }
        }
    }
}

/// Ends a job that was begun again and again and never ended: it may be what kills the program.
async fn give_up(shop: &Arc<Workshop>, taken: &Taken) -> Result<(), ServiceError> {
    let why = format!("it was begun {} times and the program died each time: look at the log", taken.attempt - 1);
    let (store, id) = (&shop.store, taken.subject_id.as_str());
    match taken.kind {
        JobKind::ReadUpload => store.refuse_upload(&taken.lease, id, &why).await?,
        JobKind::ReviewTest => store.drop_review(&taken.lease, id, End::Failed(&why)).await?,
        JobKind::SendWebhook => store.webhook_ended(&taken.lease, id, Some(&why)).await?,
        JobKind::SuggestChange => store.drop_suggestion(&taken.lease, id, End::Failed(&why)).await?,
        JobKind::NoteGain => store.gains_failed(&taken.lease, &why).await?,
    }
    Ok(())
}

/// Prolongs the lease while `work` runs.
async fn with_heartbeat(
    shop: &Arc<Workshop>,
    taken: &Taken,
    work: impl Future<Output = Result<(), ServiceError>>,
) -> Result<(), ServiceError> {
    let lease = shop.settings.lease;
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(lease / 3) => {
                if let Err(StoreError::LeaseLost { job_id }) = shop.store.prolong(&taken.lease).await {
                    return Err(StoreError::LeaseLost { job_id }.into());
                }
            }
        }
    }
}
