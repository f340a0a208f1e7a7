//! One ordered suggestion, from the queue to its document.
//!
//! As with a review, it may be begun more than once but takes effect once: the document goes to names of the
//! suggestion, and only the holder of the lease may say that it is finished and append its receipt.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::leased_work::{Failure, Held, Reins};
use super::receipt::{now, suggested};
use super::service_error::ServiceError;
use super::study_folder::{lay_out_study, study_request};
use super::suggest_change::{SuggestProgress, SuggestRequest, suggest_change};
use super::workshop::Workshop;
use crate::blobs::BlobKey;
use crate::domain::Suggestion;
use crate::export::{REVIEW_JSON, REVIEW_VTKHDF, ReceiptEvent, ReceiptLine, SUGGESTION_JSON, write_suggestion_json};
use crate::ingest::digest_sha256;
use crate::store::{End, NewReceipt, Said, SuggestionRow, Taken};

/// Makes the suggestion of a job.
///
/// # Errors
/// When the program or the machine is at fault; a refused or cancelled suggestion is a result.
pub(super) async fn suggest_review(
    shop: &Arc<Workshop>,
    taken: &Taken,
    end: &CancellationToken,
) -> Result<(), ServiceError> {
    let row = shop.store.suggestion(&taken.subject_id).await?;
    let folder = shop.folders.work(&taken.lease.job_id);
    let _ = tokio::fs::remove_dir_all(&folder).await;
    let outcome = attempt(shop, taken, end, &row, &folder).await;
    let _ = tokio::fs::remove_dir_all(&folder).await;
    match outcome {
        Ok(()) => Ok(()),
        Err(Failure::Stopped(by)) => {
            let drop_it = async {
                shop.blobs.remove_results(&row.id).await?;
                Ok(shop.store.drop_suggestion(&taken.lease, &row.id, End::Cancelled).await?)
            };
            Held { shop, taken, end }.settle(by, drop_it).await
        }
        Err(Failure::Error(e)) if e.is_input_error() || taken.is_last => {
            shop.blobs.remove_results(&row.id).await?;
            let why = e.told_without(&folder).replace(&format!("{}/", shop.folders.all("studies").display()), "");
            Ok(shop.store.drop_suggestion(&taken.lease, &row.id, End::Failed(&why)).await?)
        }
        Err(Failure::Error(e)) => Err(e),
    }
}

async fn attempt(
    shop: &Arc<Workshop>,
    taken: &Taken,
    end: &CancellationToken,
    row: &SuggestionRow,
    folder: &Path,
) -> Result<(), Failure> {
    shop.store.suggestion_progressed(&row.id, "files", 0, 0).await?;
    let review = shop.store.review(&row.review_id).await?;
    let study = lay_out_study(shop, &review.simulation_id).await?;
    let request = SuggestRequest {
        review: lay_out_review(shop, &review.id, folder)?,
        study: study_request(&shop.folders, &study),
        out: folder.join("out"),
        next_runs: usize::try_from(row.next_runs).unwrap_or(0),
        planned: planned(row, folder)?,
        report: true,
        leave_one_out: false,
    };
    let work = {
        let request = request.clone();
        move |reins: &Reins<SuggestProgress>| make(&request, reins)
    };
    let first = SuggestProgress { stage: "study", done: 0, total: 0 };
    let tell = |now: SuggestProgress| async move {
        shop.store.suggestion_progressed(&row.id, now.stage, now.done as i64, now.total as i64).await
    };
    let (suggestion, sha256) = Held { shop, taken, end }.work("suggest", first, work, tell).await?;
    keep(shop, row, &request.out).await?;
    let said = Said {
        study,
        verdict: name_of(&suggestion),
        headline: suggestion.headline.clone(),
        changes: i64::try_from(suggestion.changes.len()).unwrap_or(i64::MAX),
        sha256: sha256.clone(),
    };
    let receipt = receipt_of("suggested", 0, sha256, suggested(&suggestion));
    shop.store.finish_suggestion(&taken.lease, &row.id, &said, receipt).await?;
    Ok(())
}

/// The table of planned runs as a file.
fn planned(row: &SuggestionRow, folder: &Path) -> Result<Option<PathBuf>, ServiceError> {
    let Some(text) = &row.planned else { return Ok(None) };
    let path = folder.join("planned.csv");
    std::fs::write(&path, text).map_err(ServiceError::file("write", &path))?;
    Ok(Some(path))
}

/// The verdict as the document spells it.
fn name_of(suggestion: &Suggestion) -> String {
    let value = serde_json::to_value(suggestion.verdict).expect("a verdict is JSON, else a bug");
    value.as_str().unwrap_or_default().to_owned()
}

/// A receipt about the document with digest `suggestion`, sealed as the ledger on disk seals its lines.
#[must_use]
pub fn receipt_of(event_name: &'static str, change: usize, suggestion: String, event: ReceiptEvent) -> NewReceipt {
    NewReceipt {
        event: event_name,
        change: i64::try_from(change).unwrap_or(0),
        simulation_id: None,
        review_id: None,
        seal: Box::new(move |number, previous| {
            let line = ReceiptLine::seal(number, now(), suggestion, event, previous.to_owned());
            (line.text(), line.sha256)
        }),
    }
}

/// Lays out what a suggestion reads of a review.
pub(super) fn lay_out_review(shop: &Workshop, review_id: &str, folder: &Path) -> Result<PathBuf, ServiceError> {
    let place = folder.join("review");
    std::fs::create_dir_all(&place).map_err(ServiceError::file("make the folder", &place))?;
    for name in [REVIEW_JSON, REVIEW_VTKHDF] {
        shop.blobs.lay_out_blob(&BlobKey::Result(review_id.to_owned(), name.to_owned()), &place.join(name))?;
    }
    Ok(place)
}

/// The suggestion itself and the digest of its document.
fn make(request: &SuggestRequest, reins: &Reins<SuggestProgress>) -> Result<(Suggestion, String), ServiceError> {
    // Each run was tried in a process of its own when it was uploaded, and the review is ours.
    let mut made = suggest_change(request, &|_| Ok(()), &mut |p| reins.note(p))?;
    // Our folders are nobody's business.
    for input in &mut made.suggestion.inputs {
        if let Some(name) = Path::new(&input.path).file_name() {
            input.path = name.to_string_lossy().into_owned();
        }
    }
    let path = made.folder.join(SUGGESTION_JSON);
    write_suggestion_json(&path, &made.suggestion).map_err(super::SuggestJobError::from)?;
    Ok((made.suggestion, digest_sha256(&path)?))
}

/// Moves the document, its report and its plots into the blobs; what an earlier attempt left there goes first.
async fn keep(shop: &Workshop, row: &SuggestionRow, out: &Path) -> Result<(), ServiceError> {
    shop.blobs.remove_results(&row.id).await?;
    for path in super::review_pair::files_below(out)? {
        let name = path.strip_prefix(out).unwrap_or(&path).to_string_lossy().into_owned();
        shop.blobs.put_file(&BlobKey::Result(row.id.clone(), name), &path).await?;
    }
    Ok(())
}
