//! Work on a thread under a job's lease: while it goes on the lease is prolonged, the progress told, and the wish to stop
//! passed on.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::service_error::ServiceError;
use super::workshop::Workshop;
use crate::store::{StoreError, Taken};
use crate::tasks::run_on_thread;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(400);
/// The lease is prolonged at least so often: somebody who cancels is heard through it.
const HEARD_WITHIN: Duration = Duration::from_secs(2);

/// Why running work was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Somebody cancelled it.
    Cancelled,
    /// Somebody else has the lease.
    LeaseLost,
    /// The program ends.
    Program,
}

/// Work that came to no result.
pub(super) enum Failure {
    Stopped(Stopped),
    Error(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for Failure {
    fn from(e: E) -> Self {
        match e.into() {
            // Cancelled between the last look at the lease and the end of the work.
            ServiceError::Store(StoreError::CancelWanted { .. }) => Self::Stopped(Stopped::Cancelled),
            other => Self::Error(other),
        }
    }
}

/// What the work's thread shares with whoever waits for it.
pub(super) struct Reins<P> {
    stop: AtomicBool,
    latest: Mutex<P>,
}

impl<P: Copy> Reins<P> {
    /// Notes how far the work is; breaks when it should stop.
    pub(super) fn note(&self, progress: P) -> ControlFlow<()> {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        if self.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn latest(&self) -> P {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// A job that was taken, and the end of the program.
#[derive(Clone, Copy)]
pub(super) struct Held<'a> {
    pub(super) shop: &'a Workshop,
    pub(super) taken: &'a Taken,
    pub(super) end: &'a CancellationToken,
}

impl Held<'_> {
    /// Does `work` on a thread of its own; `tell` hears of each change of its progress, which begins as `first`.
    ///
    /// # Errors
    /// When the work fails, is told to stop, or loses its lease.
    pub(super) async fn work<P, T, Told>(
        self,
        name: &'static str,
        first: P,
        work: impl FnOnce(&Reins<P>) -> Result<T, ServiceError> + Send + 'static,
        tell: impl FnMut(P) -> Told,
    ) -> Result<T, Failure>
    where
        P: Copy + PartialEq + Send + 'static,
        T: Send + 'static,
        Told: Future<Output = Result<(), StoreError>>,
    {
        let reins = Arc::new(Reins { stop: AtomicBool::new(false), latest: Mutex::new(first) });
        let on_thread = {
            let reins = Arc::clone(&reins);
            run_on_thread(name, move || work(&reins))
        };
        let (stopped, done) = tokio::join!(self.keep(&reins, tell), async {
            let done = on_thread.await;
            // Ends the keeping as well.
            reins.stop();
            done
        });
        match (stopped, done?) {
            // What was finished before the stop was seen is finished – but for a lost lease.
            (Some(why), Err(_)) => Err(Failure::Stopped(why)),
            (Some(Stopped::LeaseLost), _) => Err(Failure::Stopped(Stopped::LeaseLost)),
            (_, done) => Ok(done?),
        }
    }

    /// Prolongs the lease and tells the progress until the work has ended; says why it stopped it, if it did.
    async fn keep<P, Told>(self, reins: &Reins<P>, mut tell: impl FnMut(P) -> Told) -> Option<Stopped>
    where
        P: Copy + PartialEq,
        Told: Future<Output = Result<(), StoreError>>,
    {
        let lease = self.shop.settings.lease;
        let (mut told, mut prolonged, mut why) = (None, Instant::now(), None);
        let mut ticks = tokio::time::interval(TELL_EVERY);
        let halt = |reason, why: &mut Option<Stopped>| {
            *why = Some(reason);
            reins.stop();
        };
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.end.cancelled(), if why.is_none() => halt(Stopped::Program, &mut why),
            }
            if reins.is_stopped() {
                return why;
            }
            if prolonged.elapsed() > HEARD_WITHIN.min(lease / 10) {
                prolonged = Instant::now();
                match self.shop.store.prolong(&self.taken.lease).await {
                    Ok(false) => {}
                    Ok(true) => halt(Stopped::Cancelled, &mut why),
                    Err(StoreError::LeaseLost { .. }) => halt(Stopped::LeaseLost, &mut why),
                    Err(e) => tracing::warn!(error = %e, "a lease could not be prolonged"),
                }
            }
            let now = reins.latest();
            if told != Some(now) {
                told = Some(now);
                if let Err(e) = tell(now).await {
                    tracing::warn!(error = %e, "progress could not be told");
                }
            }
        }
    }

    /// What becomes of a job whose work was stopped: what was cancelled is dropped by `drop_it`; when the program ends the
    /// job goes back.
    ///
    /// # Errors
    /// When the lease is lost, or the queue cannot be told.
    pub(super) async fn settle(
        self,
        by: Stopped,
        drop_it: impl Future<Output = Result<(), ServiceError>>,
    ) -> Result<(), ServiceError> {
        let lease = &self.taken.lease;
        match by {
            Stopped::Cancelled => drop_it.await,
            Stopped::LeaseLost => Err(StoreError::LeaseLost { job_id: lease.job_id.clone() }.into()),
            Stopped::Program => Ok(self.shop.store.give_back(lease, Duration::ZERO, None, false).await?),
        }
    }
}
