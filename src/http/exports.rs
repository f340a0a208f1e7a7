//! What a finished review leaves as files for people and programs, with the verdicts as they stand. The files themselves
//! stay as they were written: verdicts are added when a file is asked for, so its tag is that of what it says now.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;

use super::Service;
use super::extract::{Path, tagged_by_digest};
use super::problem::{Answer, Problem};
use super::results::{file, finished, flags_of};
use super::wire::read;
use crate::domain::{JudgedFlag, Judgement};
use crate::export::{REPORT_HTML, REVIEW_JSON, flags_table_with_verdicts, review_json_with_verdicts};
use crate::report::report_with_verdicts;
use crate::store::StoredFlag;

fn judged(flag: StoredFlag) -> Option<JudgedFlag> {
    let content: Option<crate::domain::Flag> = read(&flag.content);
    let judgement = Judgement {
        state: flag.verdict,
        reason: flag.reason,
        label: flag.label,
        author: flag.author,
        comment: flag.comment,
        judged_at: flag.verdict_at,
        withdrawn_at: flag.withdrawn_at,
    };
    content.map(|flag| JudgedFlag { flag, judgement })
}

/// Flags with verdicts: those that stand by number, then those that were withdrawn.
async fn all_judged(service: &Service, review: &str) -> Answer<Vec<JudgedFlag>> {
    let mut flags = flags_of(service, review, false).await?;
    flags.extend(flags_of(service, review, true).await?);
    Ok(flags.into_iter().filter_map(judged).collect())
}

/// An answer that changes when somebody judges a flag.
fn current(headers: &HeaderMap, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = tagged_by_digest(headers, content_type, body.into());
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// The report: one page that needs nothing else, with the verdicts as they stand.
#[utoipa::path(get, path = "/reviews/{id}/report.html", tag = "results", params(("id" = String, Path, description = "The review")),
    responses((status = 200, body = String, content_type = "text/html"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_report(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let page = file(&service, &id, REPORT_HTML).await?;
    let page = report_with_verdicts(&String::from_utf8_lossy(&page), &all_judged(&service, &id).await?);
    Ok(current(&headers, "text/html; charset=utf-8", page))
}

/// The flags for a spreadsheet, with the verdicts as they stand; those that were withdrawn come last.
#[utoipa::path(get, path = "/reviews/{id}/flags.csv", tag = "results", params(("id" = String, Path, description = "The review")),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_flags_csv(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    finished(&service, &id).await?;
    let table = flags_table_with_verdicts(&all_judged(&service, &id).await?);
    Ok(current(&headers, "text/csv; charset=utf-8", table))
}

/// The review for programs: as it was written, with the verdicts as they stand in `verdicts`.
#[utoipa::path(get, path = "/reviews/{id}/review.json", tag = "results", params(("id" = String, Path, description = "The review")),
    responses((status = 200, body = Object), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_review_json(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let review = file(&service, &id, REVIEW_JSON).await?;
    let review = review_json_with_verdicts(&String::from_utf8_lossy(&review), &all_judged(&service, &id).await?);
    Ok(current(&headers, "application/json", review))
}
