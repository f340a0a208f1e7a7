//! One ordered review, from the queue to its results.
//!
//! It may be begun more than once – after a crash another attempt takes it – but takes effect once: results go to names
//! of the review, and only the holder of the lease may say that they are finished.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::leased_work::{Failure, Held, Reins};
use super::review_study::StudyToHear;
use super::review_test::{ReviewRequest, Reviewed, review_test_showing};
use super::service_error::ServiceError;
use super::study_folder::{lay_out_study, study_request};
use super::tolerances::ToleranceRequest;
use super::views;
use super::workshop::{Workshop, simulation_options};
use crate::blobs::BlobKey;
use crate::domain::{Flag, Verdict};
use crate::review::Progress;
use crate::store::{End, Finished, NewFlag, ReviewRow, Taken};
use crate::telemetry::names;

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
        Err(Failure::Stopped(by)) => {
            let drop_it = async {
                shop.blobs.remove_results(&row.id).await?;
                Ok(shop.store.drop_review(&taken.lease, &row.id, End::Cancelled).await?)
            };
            Held { shop, taken, end }.settle(by, drop_it).await
        }
        Err(Failure::Error(e)) if e.is_input_error() || taken.is_last => {
            shop.blobs.remove_results(&row.id).await?;
            let why = e.told_without(&folder);
            Ok(shop.store.drop_review(&taken.lease, &row.id, End::Failed(&why)).await?)
        }
        Err(Failure::Error(e)) => Err(e),
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
    let work = {
        let shop = Arc::clone(shop);
        move |reins: &Reins<Progress>| measure(&shop, &request, reins)
    };
    let mut rate = Rate::default();
    let first = Progress { stage: "open", done: 0, total: 0 };
    let tell = |now: Progress| {
        let left_s = rate.seconds_left(now);
        async move { shop.store.review_progressed(&row.id, now.stage, now.done as i64, now.total as i64, left_s).await }
    };
    let reviewed = Held { shop, taken, end }.work("review", first, work, tell).await?;
    metrics::counter!(names::PICTURES).increment(reviewed.review.frames_reviewed as u64);
    metrics::gauge!(names::PICTURES_PER_S).set(reviewed.review.frames_per_s);
    keep_results(shop, row, &out).await?;
    let provider = serde_json::to_value(reviewed.review.execution_provider).ok();
    let provider = provider.as_ref().and_then(|p| p.as_str()).unwrap_or("cpu").to_owned();
    metrics::gauge!(names::PROVIDER, "provider" => provider.clone()).set(1.0);
    let flags: Vec<NewFlag> = reviewed.review.flags.iter().map(new_flag).collect();
    let compared_share = reviewed.review.share_compared();
    let finished = Finished { provider: &provider, compared_share, flags: &flags };
    shop.store.finish_review(&taken.lease, &row.id, finished).await?;
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
        study: if row.study == 0 { None } else { study_of(shop, row).await? },
        out: folder.join("out"),
        tolerances: ToleranceRequest { default_mm: row.tolerance_mm, per_part_mm },
        partial_mesh: false,
        report: true,
    })
}

/// The study that the simulation belongs to, where the service has one.
async fn study_of(shop: &Workshop, row: &ReviewRow) -> Result<Option<StudyToHear>, ServiceError> {
    match lay_out_study(shop, &row.simulation_id).await {
        Ok(name) => {
            Ok(Some(StudyToHear { request: study_request(&shop.folders, &name), named: false, in_our_folders: true }))
        }
        Err(e) if e.is_input_error() => Ok(None),
        Err(e) => Err(e),
    }
}

/// The review itself, with the page's views beside the findings.
fn measure(shop: &Workshop, request: &ReviewRequest, reins: &Reins<Progress>) -> Result<Reviewed, ServiceError> {
    let estimator = (shop.make_estimator)().map_err(ServiceError::Estimator)?;
    let folder = request.out.parent().unwrap_or(&request.out).join("shown");
    let mut failed = None;
    let reviewed = review_test_showing(request, estimator.as_ref(), &|p| reins.note(p), &mut |findings, review| {
        let written = views::write_views(&folder, findings).and_then(|()| {
            views::write_result(&folder, findings, &review.parts, &review.noise_floor, &review.warnings, &review.notes)
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

/// How fast pictures are measured.
#[derive(Default)]
struct Rate {
    /// When the first were there, and how many those were.
    begun: Option<(Instant, usize)>,
}

impl Rate {
    /// By the rate so far; `None` before the first picture.
    fn seconds_left(&mut self, now: Progress) -> Option<f64> {
        if now.stage == "measure" {
            self.begun.get_or_insert((Instant::now(), now.done));
        }
        let (since, first) = self.begun?;
        let done = now.done.saturating_sub(first);
        (done > 0).then(|| since.elapsed().as_secs_f64() / done as f64 * now.total.saturating_sub(now.done) as f64)
    }
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
