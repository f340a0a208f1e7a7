//! Reviews and batches.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::extract::{Body, List, PageWords, Path, Words, tagged};
use super::problem::{Answer, Problem};
use super::wire::{Review, ReviewState};
use crate::store::{BatchOrder, Page, ReviewFilter, ReviewOrder, Webhook};

/// Pairs in one order at most.
const MOST_PAIRS: usize = 10_000;

/// An order of reviews.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBatch {
    /// Taken for a check: all tests must be of this campaign.
    campaign_id: Option<String>,
    /// What to compare with what.
    pairs: Vec<Pair>,
    /// How far off is too far, mm [default: 5].
    #[schema(exclusive_minimum = 0)]
    tolerance_mm: Option<f64>,
    /// The same for single parts, by name or the solver's number, mm.
    #[serde(default)]
    tolerances: BTreeMap<String, f64>,
    /// Whether other designs of the simulation tell of what the film does not show, where the service has a study of them
    /// [default: true].
    #[serde(skip_serializing_if = "Option::is_none")]
    study: Option<bool>,
    /// Whom to tell when all are done.
    webhook: Option<NewWebhook>,
}

/// A test and what it is compared with.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Pair {
    simulation_id: String,
    test_id: String,
}

/// An address that is told when the batch is done: `POST` of JSON with `Crumple-Signature: t=UNIX_S,v1=HEX`, HEX being
/// the HMAC-SHA256 of `UNIX_S.BODY` under `secret`.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWebhook {
    /// http or https.
    url: String,
    /// At least 16 letters.
    #[schema(min_length = 16)]
    secret: String,
}

/// An order as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Batch {
    batch_id: String,
    /// All of its reviews.
    reviews: Vec<Review>,
    /// How many have ended, in whatever way.
    ended: usize,
    /// `waiting`, `sent`, `failed`; null without a webhook.
    webhook_state: Option<String>,
    created_at: String,
}

async fn batch_view(service: &Service, id: &str) -> Answer<Batch> {
    let store = &service.shop.store;
    let batch = store.batch(id).await?;
    let filter = ReviewFilter { batch_id: Some(id.to_owned()), ..ReviewFilter::default() };
    let mut rows = store.reviews(&filter, &Page { limit: MOST_PAIRS as i64, cursor: None }).await?;
    rows.reverse();
    let ended = rows.iter().filter(|r| r.state != "queued" && r.state != "running").count();
    Ok(Batch {
        batch_id: batch.id,
        reviews: rows.into_iter().map(Review::from).collect(),
        ended,
        webhook_state: batch.webhook_state,
        created_at: batch.created_at,
    })
}

/// Orders reviews. The same `Idempotency-Key` with the same body gives the same batch, however often it is sent.
#[utoipa::path(post, path = "/reviews", tag = "reviews", request_body = NewBatch,
    params(("Idempotency-Key" = Option<String>, Header, description = "Any text of 1 to 200 letters")),
    responses((status = 202, body = Batch), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"), (status = 409, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn order_reviews(
    State(service): State<Service>,
    headers: HeaderMap,
    Body(new): Body<NewBatch>,
) -> Answer<Response> {
    let order = check_order(&service, &headers, new).await?;
    let id = service.shop.store.order_reviews(&order).await?;
    Ok((StatusCode::ACCEPTED, Json(batch_view(&service, &id).await?)).into_response())
}

async fn check_order(service: &Service, headers: &HeaderMap, new: NewBatch) -> Answer<BatchOrder> {
    let key = headers.get("idempotency-key").map(|k| k.to_str().unwrap_or_default().to_owned());
    if key.as_ref().is_some_and(|k| k.is_empty() || k.len() > 200) {
        return Err(Problem::bad_request("Idempotency-Key must be 1 to 200 letters"));
    }
    if new.pairs.is_empty() || new.pairs.len() > MOST_PAIRS {
        return Err(Problem::unprocessable(format!("there are {} pairs, expected 1 to {MOST_PAIRS}", new.pairs.len())));
    }
    let tolerance_mm = new.tolerance_mm.unwrap_or(5.0);
    let named = new.tolerances.iter().map(|(name, mm)| (format!("the tolerance of part {name:?}"), *mm));
    for (what, mm) in std::iter::once(("tolerance_mm".to_owned(), tolerance_mm)).chain(named) {
        if !(mm.is_finite() && mm > 0.0) {
            return Err(Problem::unprocessable(format!("{what} is {mm} mm, expected a finite number above 0")));
        }
    }
    if let Some(hook) = &new.webhook {
        if !(hook.url.starts_with("http://") || hook.url.starts_with("https://")) || hook.url.len() > 2000 {
            return Err(Problem::unprocessable(format!("the webhook's url is {:?}, expected http(s)://…", hook.url)));
        }
        if hook.secret.len() < 16 {
            return Err(Problem::unprocessable("the webhook's secret is too short, expected at least 16 letters"));
        }
    }
    if let Some(campaign) = &new.campaign_id {
        for pair in &new.pairs {
            let test = service.shop.store.test(&pair.test_id).await?;
            if test.campaign_id != *campaign {
                return Err(Problem::unprocessable(format!(
                    "test {} is of campaign {}, expected one of campaign {campaign}",
                    test.id, test.campaign_id
                )));
            }
        }
    }
    let request = serde_json::to_vec(&new).expect("an order is JSON, else a bug");
    Ok(BatchOrder {
        idempotency_key: key,
        request_sha256: Sha256::digest(&request).iter().map(|b| format!("{b:02x}")).collect(),
        webhook: new.webhook.map(|w| Webhook { url: w.url, secret: w.secret }),
        reviews: new
            .pairs
            .into_iter()
            .map(|p| ReviewOrder {
                simulation_id: p.simulation_id,
                test_id: p.test_id,
                tolerance_mm,
                tolerances: new.tolerances.clone(),
                study: new.study.unwrap_or(true),
            })
            .collect(),
    })
}

/// Which reviews are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ReviewWords {
    /// Of this campaign.
    campaign_id: Option<String>,
    /// Of this test.
    test_id: Option<String>,
    /// In this state.
    state: Option<ReviewState>,
    /// Of this batch.
    batch_id: Option<String>,
}

/// Lists the reviews, newest first.
#[utoipa::path(get, path = "/reviews", tag = "reviews", params(ReviewWords, PageWords), responses((status = 200, body = List<Review>), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_reviews(
    State(service): State<Service>,
    Words(wanted): Words<ReviewWords>,
    Words(words): Words<PageWords>,
) -> Answer<Json<List<Review>>> {
    let page = words.page()?;
    let filter = ReviewFilter {
        campaign_id: wanted.campaign_id,
        test_id: wanted.test_id,
        state: wanted.state.map(|s| s.name().to_owned()),
        batch_id: wanted.batch_id,
    };
    let rows = service.shop.store.reviews(&filter, &page).await?;
    Ok(Json(List::of(&page, rows, |r| r.id.clone(), Review::from)))
}

/// Shows one review.
#[utoipa::path(get, path = "/reviews/{id}", tag = "reviews", params(("id" = String, Path, description = "The review")),
    responses((status = 200, body = Review), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_review(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    Ok(tagged(&headers, &Review::from(service.shop.store.review(&id).await?)))
}

/// What is to become of a review.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RemovalWords {
    /// Delete a review that has ended, with its flags, verdicts and suggestions, instead of cancelling one that has not
    /// [default: false].
    ended: Option<bool>,
}

/// Cancels a review: one that waits at once, one that runs within seconds. With `ended=true` deletes one that has ended.
#[utoipa::path(delete, path = "/reviews/{id}", tag = "reviews", params(("id" = String, Path, description = "The review"), RemovalWords),
    responses((status = 202, body = Review, description = "It is being cancelled"), (status = 204, description = "It was deleted"),
        (status = 404, body = Problem, content_type = "application/problem+json"), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn cancel_review(
    State(service): State<Service>,
    Path(id): Path<String>,
    Words(words): Words<RemovalWords>,
) -> Answer<Response> {
    // Two wishes and not one: who cancels a review that ends at that moment must not delete it.
    if words.ended == Some(true) {
        service.shop.store.remove_review(&id).await?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    service.shop.store.cancel_review(&id).await?;
    let review = Review::from(service.shop.store.review(&id).await?);
    Ok((StatusCode::ACCEPTED, Json(review)).into_response())
}

/// Shows one batch with all of its reviews.
#[utoipa::path(get, path = "/batches/{id}", tag = "reviews", params(("id" = String, Path, description = "The batch")),
    responses((status = 200, body = Batch), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_batch(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    Ok(tagged(&headers, &batch_view(&service, &id).await?))
}
