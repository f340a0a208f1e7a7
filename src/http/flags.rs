//! Flags and verdicts.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::extract::{Body, List, PageWords, Path, Words, tagged_with};
use super::problem::{Answer, Problem};
use super::wire_flags::{Flag, VerdictRecord, VerdictState};
use crate::store::{FlagFilter, NewVerdict};

/// Which flags are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FlagWords {
    /// Of this campaign.
    campaign_id: Option<String>,
    /// Of this review.
    review_id: Option<String>,
    /// With this verdict.
    verdict: Option<VerdictState>,
    /// Judged flags that a later look at the film did not find any more, instead of those that stand [default: false].
    withdrawn: Option<bool>,
}

/// Lists flags in the order in which they were raised.
#[utoipa::path(get, path = "/flags", tag = "flags", params(FlagWords, PageWords), responses((status = 200, body = List<Flag>), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_flags(
    State(service): State<Service>,
    Words(wanted): Words<FlagWords>,
    Words(words): Words<PageWords>,
) -> Answer<Json<List<Flag>>> {
    let page = words.page()?;
    let filter = FlagFilter {
        campaign_id: wanted.campaign_id,
        review_id: wanted.review_id,
        verdict: wanted.verdict.map(|v| v.name().to_owned()),
        withdrawn: wanted.withdrawn.unwrap_or(false),
    };
    let rows = service.shop.store.flags(&filter, &page).await?;
    Ok(Json(List::of(&page, rows, |f| f.id.clone(), Flag::from)))
}

fn flag_answer(headers: &HeaderMap, flag: &Flag) -> Response {
    let body = serde_json::to_vec(flag).expect("a flag is JSON, else a bug");
    tagged_with(headers, &flag.tag(), "application/json", body.into())
}

/// Shows one flag.
#[utoipa::path(get, path = "/flags/{id}", tag = "flags", params(("id" = String, Path, description = "The flag")),
    responses((status = 200, body = Flag), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_flag(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    Ok(flag_answer(&headers, &Flag::from(service.shop.store.flag(&id).await?)))
}

/// What somebody says about a flag.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetVerdict {
    state: VerdictState,
    /// Why; needed to dismiss.
    reason: Option<String>,
    /// What it is called instead; needed to relabel.
    label: Option<String>,
    comment: Option<String>,
    author: Option<String>,
    /// Said before the machine's opinion was seen.
    #[serde(default)]
    blind: bool,
}

/// Sets the verdict on a flag. With `If-Match` (the flag's ETag) it is refused when somebody else was faster.
#[utoipa::path(put, path = "/flags/{id}/verdict", tag = "flags", request_body = SetVerdict,
    params(("id" = String, Path, description = "The flag"), ("If-Match" = Option<String>, Header, description = "The flag's ETag as last seen")),
    responses((status = 200, body = Flag), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 412, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn set_verdict(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(new): Body<SetVerdict>,
) -> Answer<Response> {
    let said = |text: Option<String>| text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    let new = NewVerdict {
        verdict: new.state.name().to_owned(),
        reason: said(new.reason),
        label: said(new.label),
        comment: said(new.comment),
        author: said(new.author),
        blind: new.blind,
    };
    if new.verdict == "dismissed" && new.reason.is_none() {
        return Err(Problem::unprocessable("found no reason, expected one: say why the flag is dismissed"));
    }
    if new.verdict == "relabelled" && new.label.is_none() {
        return Err(Problem::unprocessable("found no label, expected one: say what the flag is instead"));
    }
    let texts = [&new.reason, &new.label, &new.comment, &new.author];
    if texts.into_iter().flatten().any(|t| t.len() > 10_000) {
        return Err(Problem::unprocessable("a text is longer than 10000 letters: shorten it"));
    }
    let flag = service.shop.store.set_verdict(&id, expected_version(&headers)?, &new).await?;
    Ok(flag_answer(&HeaderMap::new(), &Flag::from(flag)))
}

/// The version that `If-Match` names; `None` without the header or for any version.
fn expected_version(headers: &HeaderMap) -> Answer<Option<i64>> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text.trim_start_matches("W/").trim_matches('"').parse();
    number.map(Some).map_err(|_| {
        Problem::new(
            StatusCode::PRECONDITION_FAILED,
            "changed",
            format!("If-Match is {text}, expected the ETag of the flag as it was last seen"),
        )
    })
}

/// Shows all that was said about a flag, oldest first.
#[utoipa::path(get, path = "/flags/{id}/verdicts", tag = "flags", params(("id" = String, Path, description = "The flag")),
    responses((status = 200, body = List<VerdictRecord>), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_verdicts(
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Answer<Json<List<VerdictRecord>>> {
    let rows = service.shop.store.verdicts(&id).await?;
    let page = crate::store::Page { limit: rows.len() as i64 + 1, cursor: None };
    Ok(Json(List::of(&page, rows, |_| String::new(), VerdictRecord::from)))
}
