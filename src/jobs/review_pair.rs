//! One ordered review, from the queue to its results: the lease is prolonged and the progress told while it runs.
//!
//! It may be begun more than once – after a crash another attempt takes it – but takes effect once: results go to names
//! of the review, and only the holder of the lease may say that they are finished.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::review_test::{ReviewRequest, Reviewed, review_test_showing};
use super::service_error::ServiceError;
use super::tolerances::ToleranceRequest;
use super::views;
use super::workshop::{Workshop, simulation_options};
use crate::blobs::BlobKey;
use crate::domain::{Flag, Verdict};
use crate::review::Progress;
use crate::store::{NewFlag, ReviewRow, StoreError, Taken};
use crate::tasks::run_on_thread;
use crate::telemetry::names;

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(400);

/// Why a running review was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// Somebody cancelled it.
    Cancelled,
    /// Somebody else has the lease.
    LeaseLost,
    /// The program ends.
    Program,
}

/// Does the review of a job.
///
/// # Errors
/// When the program or the machine is at fault; a refused or cancelled review is a result.
pub(super) async fn review_pair(
    shop: &Arc<Workshop>,
    taken: &Taken,
    end: &CancellationToken,
) -> Result<(), ServiceError> {
    let row = shop.store.review(&taken.subject_id).await?;
    let folder = shop.folders.work(&taken.lease.job_id);
    let _ = tokio::fs::remove_dir_all(&folder).await;
    let outcome = attempt(shop, taken, end, &row, &folder).await;
    let _ = tokio::fs::remove_dir_all(&folder).await;
    match outcome {
        Ok(()) => Ok(()),
        Err(Failure::Stopped(Stopped::Cancelled)) => {
            shop.blobs.remove_results(&row.id).await?;
            Ok(shop.store.drop_review(&taken.lease, &row.id, "cancelled", None).await?)
        }
        Err(Failure::Stopped(Stopped::LeaseLost)) => {
            Err(StoreError::LeaseLost { job_id: taken.lease.job_id.clone() }.into())
        }
        Err(Failure::Stopped(Stopped::Program)) => {
            Ok(shop.store.give_back(&taken.lease, Duration::ZERO, None, false).await?)
        }
        Err(Failure::Error(e)) if e.is_input_error() || taken.is_last => {
            shop.blobs.remove_results(&row.id).await?;
            let why = e.told_without(&folder);
            Ok(shop.store.drop_review(&taken.lease, &row.id, "failed", Some(&why)).await?)
        }
        Err(Failure::Error(e)) => Err(e),
    }
}

enum Failure {
    Stopped(Stopped),
    Error(ServiceError),
}

impl<E: Into<ServiceError>> From<E> for Failure {
    fn from(e: E) -> Self {
        Self::Error(e.into())
    }
}

async fn attempt(
    shop: &Arc<Workshop>,
    taken: &Taken,
    end: &CancellationToken,
    row: &ReviewRow,
    folder: &Path,
) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(ServiceError::file("make the folder", folder))?;
    let request = request(shop, row, folder).await?;
    let out = request.out.clone();
    let stop = Arc::new(AtomicBool::new(false));
    let latest = Arc::new(Mutex::new(Progress { stage: "open", done: 0, total: 0 }));
    let work = {
        let (shop, stop, latest) = (Arc::clone(shop), Arc::clone(&stop), Arc::clone(&latest));
        run_on_thread("review", move || measure(&shop, &request, &stop, &latest))
    };
    let (told, reviewed) = tokio::join!(tell(shop, taken, end, row, &stop, &latest), async {
        let done = work.await;
        // Ends the telling as well.
        stop.store(true, Ordering::SeqCst);
        done
    });
    let reviewed = match (told, reviewed?) {
        // What was finished before the stop was seen is finished – but for a lost lease.
        (Some(why), Err(_)) => return Err(Failure::Stopped(why)),
        (Some(Stopped::LeaseLost), _) => return Err(Failure::Stopped(Stopped::LeaseLost)),
        (_, reviewed) => reviewed?,
    };
    metrics::counter!(names::PICTURES).increment(reviewed.review.frames_reviewed as u64);
    metrics::gauge!(names::PICTURES_PER_S).set(reviewed.review.frames_per_s);
    keep_results(shop, row, &out).await?;
    let provider = serde_json::to_value(reviewed.review.execution_provider).ok();
    let provider = provider.as_ref().and_then(|p| p.as_str()).unwrap_or("cpu").to_owned();
    metrics::gauge!(names::PROVIDER, "provider" => provider.clone()).set(1.0);
    let flags: Vec<NewFlag> = reviewed.review.flags.iter().map(new_flag).collect();
    shop.store.finish_review(&taken.lease, &row.id, &provider, &flags).await?;
    Ok(())
}

/// A flag as the store keeps it.
#[must_use]
pub(super) fn new_flag(flag: &Flag) -> NewFlag {
    NewFlag {
        number: i64::from(flag.id.0),
        part_name: flag.part_name.clone(),
        peak_mm: flag.peak_mm,
        machine: match flag.verdict {
            Verdict::Mismatch => "mismatch",
            Verdict::CannotTell => "cannot_tell",
        },
        content: serde_json::to_string(flag).expect("a flag is JSON, else a bug"),
    }
}

async fn request(shop: &Workshop, row: &ReviewRow, folder: &Path) -> Result<ReviewRequest, ServiceError> {
    let simulation = shop.store.simulation(&row.simulation_id).await?;
    let test = shop.store.test(&row.test_id).await?;
    let per_part_mm = serde_json::from_str(&row.tolerances)
        .map_err(|source| ServiceError::Damaged { what: format!("tolerances of review {}", row.id), source })?;
    Ok(ReviewRequest {
        simulation: shop.lay_out_simulation(&simulation, folder)?,
        simulation_options: simulation_options(),
        test: shop.lay_out_test(&test, folder).await?,
        out: folder.join("out"),
        tolerances: ToleranceRequest { default_mm: row.tolerance_mm, per_part_mm },
        partial_mesh: false,
        report: true,
    })
}

/// The review itself, with the page's views beside the findings.
fn measure(
    shop: &Workshop,
    request: &ReviewRequest,
    stop: &AtomicBool,
    latest: &Mutex<Progress>,
) -> Result<Reviewed, ServiceError> {
    let estimator = (shop.make_estimator)().map_err(ServiceError::Estimator)?;
    let progress = |p: Progress| {
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = p;
        if stop.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let folder = request.out.parent().unwrap_or(&request.out).join("shown");
    let mut failed = None;
    let reviewed = review_test_showing(request, estimator.as_ref(), &progress, &mut |findings, review| {
        let written = views::write_views(&folder, findings).and_then(|()| {
            views::write_result(&folder, findings, &review.parts, &review.noise_floor, &review.warnings)
        });
        if let Err(e) = written {
            failed = Some(e);
        }
    })?;
    match failed {
        None => Ok(reviewed),
        Some(e) => Err(e),
    }
}

/// Prolongs the lease and tells the progress until the work has ended; says why it stopped it, if it did.
async fn tell(
    shop: &Workshop,
    taken: &Taken,
    end: &CancellationToken,
    row: &ReviewRow,
    stop: &AtomicBool,
    latest: &Mutex<Progress>,
) -> Option<Stopped> {
    let lease = shop.settings.lease;
    let (mut told, mut prolonged) = (None, Instant::now());
    let mut why = None;
    let mut begun: Option<(Instant, usize)> = None;
    let mut ticks = tokio::time::interval(TELL_EVERY);
    let halt = |reason, why: &mut Option<Stopped>| {
        *why = Some(reason);
        stop.store(true, Ordering::SeqCst);
    };
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = end.cancelled(), if why.is_none() => halt(Stopped::Program, &mut why),
        }
        if stop.load(Ordering::SeqCst) {
            return why;
        }
        // Cancelling asks through the lease, so it is prolonged more often than it must be.
        if prolonged.elapsed() > lease / 10 || prolonged.elapsed() > Duration::from_secs(2) {
            prolonged = Instant::now();
            match shop.store.prolong(&taken.lease, lease).await {
                Ok(false) => {}
                Ok(true) => halt(Stopped::Cancelled, &mut why),
                Err(StoreError::LeaseLost { .. }) => halt(Stopped::LeaseLost, &mut why),
                Err(e) => tracing::warn!(error = %e, "a lease could not be prolonged"),
            }
        }
        let now = *latest.lock().unwrap_or_else(PoisonError::into_inner);
        if now.stage == "measure" && begun.is_none() {
            begun = Some((Instant::now(), now.done));
        }
        if told != Some(now) {
            told = Some(now);
            let left =
                begun.and_then(|(since, first)| seconds_left(since.elapsed(), now.done - first.min(now.done), now));
            let (done, total) = (now.done as i64, now.total as i64);
            if let Err(e) = shop.store.review_progressed(&row.id, now.stage, done, total, left).await {
                tracing::warn!(error = %e, "progress could not be told");
            }
        }
    }
}

/// By the rate so far; `None` before the first picture.
fn seconds_left(elapsed: Duration, done: usize, now: Progress) -> Option<f64> {
    (done > 0).then(|| elapsed.as_secs_f64() / done as f64 * now.total.saturating_sub(now.done) as f64)
}

/// Moves the findings and the views into the blobs; what an earlier attempt left there goes first.
async fn keep_results(shop: &Workshop, row: &ReviewRow, out: &Path) -> Result<(), ServiceError> {
    shop.blobs.remove_results(&row.id).await?;
    let shown = out.parent().unwrap_or(out).join("shown");
    for root in [out.to_owned(), shown] {
        for path in files_below(&root)? {
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            shop.blobs.put_file(&BlobKey::Result(row.id.clone(), name), &path).await?;
        }
    }
    let done = BlobKey::Result(row.id.clone(), "complete".to_owned());
    shop.blobs.put(&done, Bytes::from_static(b"complete\n")).await?;
    Ok(())
}

pub(super) fn files_below(root: &Path) -> Result<Vec<PathBuf>, ServiceError> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(ServiceError::file("list", &folder))? {
            let path = entry.map_err(ServiceError::file("list", &folder))?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}
