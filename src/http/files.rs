//! Simulations and tests.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Service;
use super::extract::{List, PageWords, Words, tagged};
use super::problem::{Answer, Problem};
use super::wire::{Simulation, Test};

/// Lists the simulations, newest first.
#[utoipa::path(get, path = "/simulations", tag = "files", params(PageWords), responses((status = 200, body = List<Simulation>), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_simulations(
    State(service): State<Service>,
    Words(words): Words<PageWords>,
) -> Answer<Json<List<Simulation>>> {
    let page = words.page()?;
    let rows = service.shop.store.simulations(&page).await?;
    Ok(Json(List::of(&page, rows, |s| s.id.clone(), Simulation::from)))
}

/// Shows one simulation.
#[utoipa::path(get, path = "/simulations/{id}", tag = "files", params(("id" = String, Path, description = "The simulation")),
    responses((status = 200, body = Simulation), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_simulation(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    Ok(tagged(&headers, &Simulation::from(service.shop.store.simulation(&id).await?)))
}

/// Which tests are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TestWords {
    /// Of this campaign.
    campaign_id: Option<String>,
}

/// Lists the tests, newest first.
#[utoipa::path(get, path = "/tests", tag = "files", params(TestWords, PageWords), responses((status = 200, body = List<Test>), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_tests(
    State(service): State<Service>,
    Words(wanted): Words<TestWords>,
    Words(words): Words<PageWords>,
) -> Answer<Json<List<Test>>> {
    let page = words.page()?;
    let rows = service.shop.store.tests(wanted.campaign_id.as_deref(), &page).await?;
    Ok(Json(List::of(&page, rows, |t| t.id.clone(), Test::from)))
}

/// Shows one test.
#[utoipa::path(get, path = "/tests/{id}", tag = "files", params(("id" = String, Path, description = "The test")),
    responses((status = 200, body = Test), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_test(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    Ok(tagged(&headers, &Test::from(service.shop.store.test(&id).await?)))
}
