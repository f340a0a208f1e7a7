//! Campaigns.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Service;
use super::extract::{Body, List, PageWords, Path, Words, name_of, tagged};
use super::problem::{Answer, Problem};
use super::wire::{Campaign, CampaignBoard};
use crate::store::Page;

/// A campaign to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCampaign {
    /// Its name; no other campaign may have it.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
}

/// Lists the campaigns, newest first.
#[utoipa::path(get, path = "/campaigns", tag = "campaigns", params(PageWords),
    responses((status = 200, body = List<Campaign>), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_campaigns(
    State(service): State<Service>,
    Words(words): Words<PageWords>,
) -> Answer<Json<List<Campaign>>> {
    let page = words.page()?;
    let rows = service.shop.store.campaigns(&page).await?;
    Ok(Json(List::of(&page, rows, |c| c.id.clone(), Campaign::from)))
}

/// Makes a campaign.
#[utoipa::path(post, path = "/campaigns", tag = "campaigns", request_body = NewCampaign,
    responses((status = 201, body = Campaign), (status = 409, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn add_campaign(State(service): State<Service>, Body(new): Body<NewCampaign>) -> Answer<Response> {
    let made = service.shop.store.add_campaign(name_of(&new.name)?).await?;
    let place = format!("/api/v1/campaigns/{}", made.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(Campaign::from(made))).into_response())
}

/// Shows one campaign with its tests and the parts that fail.
#[utoipa::path(get, path = "/campaigns/{id}", tag = "campaigns", params(("id" = String, Path, description = "The campaign")),
    responses((status = 200, body = CampaignBoard), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_campaign(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let store = &service.shop.store;
    let campaign = store.campaign(&id).await?;
    let tests = store.tests(Some(&id), &Page { limit: 1000, cursor: None }).await?;
    let parts = store.failing_parts(&id).await?;
    let board = CampaignBoard {
        id: campaign.id,
        name: campaign.name,
        created_at: campaign.created_at,
        open_flags: campaign.open_flags,
        tests: tests.into_iter().map(Into::into).collect(),
        parts: parts.into_iter().map(Into::into).collect(),
    };
    Ok(tagged(&headers, &board))
}

/// Gives a campaign another name.
#[utoipa::path(patch, path = "/campaigns/{id}", tag = "campaigns", request_body = NewCampaign, params(("id" = String, Path, description = "The campaign")),
    responses((status = 200, body = Campaign), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn rename_campaign(
    State(service): State<Service>,
    Path(id): Path<String>,
    Body(new): Body<NewCampaign>,
) -> Answer<Json<Campaign>> {
    Ok(Json(service.shop.store.rename_campaign(&id, name_of(&new.name)?).await?.into()))
}

/// Deletes a campaign with its tests, their reviews, flags, verdicts and suggestions. Simulations stay.
#[utoipa::path(delete, path = "/campaigns/{id}", tag = "campaigns", params(("id" = String, Path, description = "The campaign")),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Something in it is still arriving, waiting or running")))]
pub(super) async fn remove_campaign(State(service): State<Service>, Path(id): Path<String>) -> Answer<StatusCode> {
    let removed = service.shop.store.remove_campaign(&id).await?;
    service.shop.clear_away(&removed);
    Ok(StatusCode::NO_CONTENT)
}
