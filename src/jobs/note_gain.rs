//! A re-run was reviewed: what it gained is noted beside what was predicted.

use std::path::Path;
use std::sync::Arc;

use super::receipt::obtained;
use super::service_error::ServiceError;
use super::suggest_review::{lay_out_review, receipt_of};
use super::workshop::Workshop;
use crate::blobs::BlobKey;
use crate::domain::Suggestion;
use crate::export::SUGGESTION_JSON;
use crate::store::{NewReceipt, Taken, TriedChange};
use crate::tasks::run_on_thread;

/// Appends the receipts of the review of a job: one for each change that was tried with its simulation.
///
/// # Errors
/// When the program or the machine is at fault; a review that cannot be compared is a result.
pub(super) async fn note_gain(shop: &Arc<Workshop>, taken: &Taken) -> Result<(), ServiceError> {
    let folder = shop.folders.work(&taken.lease.job_id);
    let _ = tokio::fs::remove_dir_all(&folder).await;
    let gains = gains(shop, &taken.subject_id, &folder).await;
    let _ = tokio::fs::remove_dir_all(&folder).await;
    match gains {
        Ok(gains) => Ok(shop.store.gains_noted(&taken.lease, gains).await?),
        Err(e) if e.is_input_error() || taken.is_last => {
            Ok(shop.store.gains_failed(&taken.lease, &e.told_without(&folder)).await?)
        }
        Err(e) => Err(e),
    }
}

async fn gains(shop: &Workshop, review_id: &str, folder: &Path) -> Result<Vec<(String, NewReceipt)>, ServiceError> {
    let tried = shop.store.tried_changes(review_id).await?;
    if tried.is_empty() {
        return Ok(Vec::new());
    }
    let review = lay_out_review(shop, review_id, folder)?;
    let mut gains = Vec::new();
    for TriedChange { suggestion_id, change } in tried {
        let (suggestion, sha256) = read_suggestion(shop, &suggestion_id).await?;
        let rank = usize::try_from(change).unwrap_or(0);
        let Some(found) = suggestion.changes.iter().find(|c| c.rank == rank).cloned() else { continue };
        let place = review.clone();
        let event = run_on_thread("note-gain", move || obtained(&suggestion, &found, &place)).await??;
        let mut receipt = receipt_of("obtained", rank, sha256, event);
        receipt.review_id = Some(review_id.to_owned());
        gains.push((suggestion_id, receipt));
    }
    Ok(gains)
}

/// The document of a finished suggestion and its digest, hex.
///
/// # Errors
/// When it is not finished or its document is missing.
pub async fn read_suggestion(shop: &Workshop, id: &str) -> Result<(Suggestion, String), ServiceError> {
    let row = shop.store.suggestion(id).await?;
    let key = BlobKey::Result(id.to_owned(), SUGGESTION_JSON.to_owned());
    let (Some(sha256), Some(text)) = (row.sha256, shop.blobs.get(&key).await?) else {
        let why = row.refusal.map(|r| format!(": {r}")).unwrap_or_default();
        return Err(ServiceError::Missing {
            what: format!("suggestion {id} is {}{why}; it has a document when it is finished", row.state),
        });
    };
    let suggestion = serde_json::from_slice(&text)
        .map_err(|source| ServiceError::Damaged { what: format!("document of suggestion {id}"), source })?;
    Ok((suggestion, sha256))
}
