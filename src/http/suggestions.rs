//! Suggestions: what to change so that the simulation comes to the test, the model behind it, and the runs worth
//! computing.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::extract::{Body, List, PageWords, Path, Words, tagged};
use super::problem::{Answer, Problem};
use super::results::forever;
use super::wire_suggestions::{Suggestion, SuggestionDetail};
use crate::blobs::BlobKey;
use crate::export::{NEXT_RUNS_CSV, NEXT_RUNS_JSON, SUGGESTION_HTML, SUGGESTION_JSON};
use crate::store::SuggestionOrder;

/// Node positions for a slider; of a type of its own because packing would take longer than the model.
pub(super) const NODES: &str = "application/vnd.crumple.nodes";
/// Next runs when the caller does not say.
const NEXT_RUNS: i64 = 8;
const MOST_NEXT_RUNS: i64 = 64;

/// An order of a suggestion.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSuggestion {
    /// How many runs worth computing are wanted, 0 to 64 [default: 8].
    #[schema(minimum = 0, maximum = 64)]
    next_runs: Option<i64>,
    /// Runs that are being computed or have failed, so that they are not proposed again: a table like next-runs.csv,
    /// with a column `state` (`pending` or `failed`) where runs have failed.
    planned: Option<String>,
}

/// Asks what to change. The study is formed of the simulations of the same family that tell their parameters. While one
/// is under way for the review, asking again gives that one; so does the same `Idempotency-Key`, at any time.
#[utoipa::path(post, path = "/reviews/{id}/suggestions", tag = "suggestions", request_body = NewSuggestion,
    params(("id" = String, Path, description = "The review"), ("Idempotency-Key" = Option<String>, Header, description = "Any text of 1 to 200 letters")),
    responses((status = 202, body = Suggestion), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn order_suggestion(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(new): Body<NewSuggestion>,
) -> Answer<Response> {
    let key = headers.get("idempotency-key").map(|k| k.to_str().unwrap_or_default().to_owned());
    if key.as_ref().is_some_and(|k| k.is_empty() || k.len() > 200) {
        return Err(Problem::bad_request("Idempotency-Key must be 1 to 200 letters"));
    }
    let next_runs = new.next_runs.unwrap_or(NEXT_RUNS);
    if !(0..=MOST_NEXT_RUNS).contains(&next_runs) {
        let what = format!("next_runs is {next_runs}, expected 0 to {MOST_NEXT_RUNS}");
        return Err(Problem::unprocessable(what));
    }
    let store = &service.shop.store;
    let order = SuggestionOrder { review_id: id, next_runs, planned: new.planned, idempotency_key: key };
    let made = store.order_suggestion(&order).await?;
    let suggestion = Suggestion::from(store.suggestion(&made).await?);
    Ok((StatusCode::ACCEPTED, Json(suggestion)).into_response())
}

/// Lists the suggestions for a review, newest first.
#[utoipa::path(get, path = "/reviews/{id}/suggestions", tag = "suggestions", params(("id" = String, Path, description = "The review"), PageWords),
    responses((status = 200, body = List<Suggestion>), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_suggestions(
    State(service): State<Service>,
    Path(id): Path<String>,
    Words(words): Words<PageWords>,
) -> Answer<Json<List<Suggestion>>> {
    let page = words.page()?;
    let rows = service.shop.store.suggestions(&id, &page).await?;
    Ok(Json(List::of(&page, rows, |s| s.id.clone(), Suggestion::from)))
}

/// Shows one suggestion with its document.
#[utoipa::path(get, path = "/suggestions/{id}", tag = "suggestions", params(("id" = String, Path, description = "The suggestion")),
    responses((status = 200, body = SuggestionDetail), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_suggestion(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let row = service.shop.store.suggestion(&id).await?;
    let document = if row.state == "finished" {
        let text = file(&service, &id, SUGGESTION_JSON).await?;
        let document = serde_json::from_slice(&text).map_err(|source| {
            Problem::from(crate::jobs::ServiceError::Damaged { what: format!("document of suggestion {id}"), source })
        })?;
        Some(document)
    } else {
        None
    };
    Ok(tagged(&headers, &SuggestionDetail { suggestion: row.into(), document }))
}

/// Cancels a suggestion: one that waits at once, one that runs within seconds.
#[utoipa::path(delete, path = "/suggestions/{id}", tag = "suggestions", params(("id" = String, Path, description = "The suggestion")),
    responses((status = 202, body = Suggestion), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn cancel_suggestion(State(service): State<Service>, Path(id): Path<String>) -> Answer<Response> {
    let store = &service.shop.store;
    store.cancel_suggestion(&id).await?;
    Ok((StatusCode::ACCEPTED, Json(Suggestion::from(store.suggestion(&id).await?))).into_response())
}

/// A file of a finished suggestion; a problem that says why when it is not there.
async fn file(service: &Service, id: &str, name: &str) -> Answer<Bytes> {
    let row = service.shop.store.suggestion(id).await?;
    if row.state == "finished" {
        let key = BlobKey::Result(id.to_owned(), name.to_owned());
        if let Some(found) = service.shop.blobs.get(&key).await? {
            return Ok(found);
        }
    }
    let why = row.refusal.map(|r| format!(": {r}")).unwrap_or_default();
    Err(Problem::not_found(format!("suggestion {id} is {}{why}; it has no {name}", row.state)))
}

/// The report of a suggestion: one page that needs nothing else.
#[utoipa::path(get, path = "/suggestions/{id}/suggestion.html", tag = "suggestions", params(("id" = String, Path, description = "The suggestion")),
    responses((status = 200, body = String, content_type = "text/html"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_suggestion_report(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let body = file(&service, &id, SUGGESTION_HTML).await?;
    Ok(forever(&headers, &id, SUGGESTION_HTML, "text/html; charset=utf-8", body))
}

/// The runs worth computing, for a spreadsheet.
#[utoipa::path(get, path = "/suggestions/{id}/next-runs.csv", tag = "suggestions", params(("id" = String, Path, description = "The suggestion")),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_next_runs_csv(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let body = file(&service, &id, NEXT_RUNS_CSV).await?;
    Ok(forever(&headers, &id, NEXT_RUNS_CSV, "text/csv; charset=utf-8", body))
}

/// The runs worth computing, for the deck generator.
#[utoipa::path(get, path = "/suggestions/{id}/next-runs.json", tag = "suggestions", params(("id" = String, Path, description = "The suggestion")),
    responses((status = 200, body = Object), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_next_runs_json(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let body = file(&service, &id, NEXT_RUNS_JSON).await?;
    Ok(forever(&headers, &id, NEXT_RUNS_JSON, "application/json", body))
}

/// Where in the study the model is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ModelWords {
    /// Film time, s.
    time_s: f64,
    /// A value of each parameter in the document's order and unit, with commas between.
    p: String,
}

/// The mesh as the reduced model has it at a film time: little-endian f32, x y z of each node in the order of
/// `/reviews/{id}/mesh`, mm.
#[utoipa::path(get, path = "/suggestions/{id}/surrogate/mesh", tag = "suggestions", params(("id" = String, Path, description = "The suggestion"), ModelWords),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.crumple.nodes"), (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_model_mesh(
    State(service): State<Service>,
    Path(id): Path<String>,
    Words(words): Words<ModelWords>,
) -> Answer<Response> {
    if !words.time_s.is_finite() {
        return Err(Problem::bad_request(format!("time_s is {}, expected a number", words.time_s)));
    }
    let number = |text: &str| {
        text.trim().parse::<f64>().map_err(|_| Problem::bad_request(format!("found {text:?} in p, expected a number")))
    };
    let values = words.p.split(',').map(number).collect::<Answer<Vec<f64>>>()?;
    let body = service.surrogates.positions(&id, words.time_s, values).await?;
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(NODES));
    // Each place of a slider is asked for once; a cache would only fill up.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
