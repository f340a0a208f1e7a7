//! Simulations and tests.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::extract::{List, PageWords, Path, Words, tagged};
use super::problem::{Answer, Problem};
use super::wire::{Simulation, Test};
use crate::store::Page;

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

/// Deletes a simulation that no finished review rests on.
#[utoipa::path(delete, path = "/simulations/{id}", tag = "files", params(("id" = String, Path, description = "The simulation")),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "A review of it waits, runs or is finished")))]
pub(super) async fn remove_simulation(State(service): State<Service>, Path(id): Path<String>) -> Answer<StatusCode> {
    service.shop.store.remove_simulation(&id).await?;
    Ok(StatusCode::NO_CONTENT)
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

/// Deletes a test with its reviews, their flags, verdicts and suggestions.
#[utoipa::path(delete, path = "/tests/{id}", tag = "files", params(("id" = String, Path, description = "The test")),
    responses((status = 204), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "It is live, or a review of it waits or runs")))]
pub(super) async fn remove_test(State(service): State<Service>, Path(id): Path<String>) -> Answer<StatusCode> {
    let removed = service.shop.store.remove_test(&id).await?;
    service.shop.clear_away(&removed);
    Ok(StatusCode::NO_CONTENT)
}

/// Simulations of one family of designs, which differ in their parameters.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Study {
    /// The family, as the side-cars name it.
    family: String,
    /// Its simulations, newest first.
    simulation_ids: Vec<String>,
    /// What they differ in.
    parameters: Vec<StudyParameter>,
}

/// A parameter over a study.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StudyParameter {
    name: String,
    unit: String,
    /// Its smallest value in the study.
    least: f64,
    /// Its largest value in the study.
    most: f64,
}

/// Studies.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Studies {
    /// By family.
    items: Vec<Study>,
    /// Always null: there are few.
    next_cursor: Option<String>,
}

/// Lists the studies: simulations of one family, with what they differ in.
#[utoipa::path(get, path = "/studies", tag = "files", responses((status = 200, body = Studies)))]
pub(super) async fn list_studies(State(service): State<Service>) -> Answer<Json<Studies>> {
    let rows = service.shop.store.simulations(&Page { limit: 10_000, cursor: None }).await?;
    let mut studies: BTreeMap<String, Study> = BTreeMap::new();
    for simulation in rows.into_iter().map(Simulation::from) {
        let (id, family, parameters) = simulation.into_study();
        let Some(family) = family else { continue };
        let study = studies.entry(family.clone()).or_insert_with(|| Study {
            family,
            simulation_ids: Vec::new(),
            parameters: Vec::new(),
        });
        study.simulation_ids.push(id);
        for (name, unit, value) in parameters {
            match study.parameters.iter_mut().find(|p| p.name == name) {
                Some(known) => (known.least, known.most) = (known.least.min(value), known.most.max(value)),
                None => study.parameters.push(StudyParameter { name, unit, least: value, most: value }),
            }
        }
    }
    Ok(Json(Studies { items: studies.into_values().collect(), next_cursor: None }))
}
