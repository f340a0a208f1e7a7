//! What the people who run the service ask for.

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::extract::{List, PageWords, Path, Words, tagged};
use super::problem::{Answer, Problem};
use super::space::check_room;
use super::wire::Job;
use crate::telemetry::{names, resident_bytes};

/// Routes outside the API.
pub(super) fn routes() -> Router<Service> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route("/metrics", get(metrics_text))
}

/// Alive: answers at all.
async fn healthz() -> &'static str {
    "alive\n"
}

/// Ready: the database answers, the disk takes more, and the service does not end.
async fn readyz(State(service): State<Service>) -> Response {
    if service.end.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "ending\n").into_response();
    }
    if let Err(problem) = check_room(service.shop.folders.data(), 0) {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", problem.detail)).into_response();
    }
    match service.shop.store.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(e) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {e}\n")).into_response(),
    }
}

/// Figures for Prometheus.
async fn metrics_text(State(service): State<Service>) -> Response {
    if let Some(bytes) = resident_bytes() {
        metrics::gauge!(names::MEMORY).set(bytes as f64);
    }
    match service.shop.store.job_counts().await {
        Ok(counts) => {
            for state in ["queued", "running", "done", "failed", "cancelled"] {
                let count = counts.iter().find(|(s, _)| s == state).map_or(0, |(_, n)| *n);
                metrics::gauge!(names::JOBS, "state" => state).set(count as f64);
            }
        }
        Err(e) => tracing::error!(error = %e, "the jobs could not be counted"),
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], service.metrics.render()).into_response()
}

/// What runs here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Version {
    /// Of the program.
    version: String,
    /// What was set up to execute models: `dis` without one.
    provider: String,
    /// The commit it was built from, where the build knew it.
    commit: Option<String>,
    /// Since the start, s.
    up_s: u64,
}

/// Shows what runs here.
#[utoipa::path(get, path = "/version", tag = "operations", responses((status = 200, body = Version)))]
pub(super) async fn get_version(State(service): State<Service>) -> Json<Version> {
    let settings = &service.shop.settings;
    Json(Version {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        provider: if settings.with_model { settings.provider.clone() } else { "dis".to_owned() },
        commit: option_env!("CRUMPLE_COMMIT").map(str::to_owned),
        up_s: service.begun.elapsed().as_secs(),
    })
}

/// Something that can measure.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Model {
    name: String,
    /// `classical` or `network`.
    kind: String,
    /// The file of a network.
    file: Option<String>,
    /// True for the one that reviews use here.
    in_use: bool,
}

/// Lists what can measure.
#[utoipa::path(get, path = "/models", tag = "operations", responses((status = 200, body = Vec<Model>)))]
pub(super) async fn list_models(State(service): State<Service>) -> Json<Vec<Model>> {
    let settings = &service.shop.settings;
    let file = settings.model.file_name().map(|n| n.to_string_lossy().into_owned());
    Json(vec![
        Model { name: "dis".to_owned(), kind: "classical".to_owned(), file: None, in_use: !settings.with_model },
        Model {
            name: settings.model.file_stem().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            kind: "network".to_owned(),
            file,
            in_use: settings.with_model,
        },
    ])
}

/// Which jobs are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct JobWords {
    /// `queued`, `running`, `done`, `failed` or `cancelled`.
    state: Option<String>,
}

/// Lists the jobs, newest first.
#[utoipa::path(get, path = "/jobs", tag = "operations", params(JobWords, PageWords), responses((status = 200, body = List<Job>), (status = 400, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_jobs(
    State(service): State<Service>,
    Words(wanted): Words<JobWords>,
    Words(words): Words<PageWords>,
) -> Answer<Json<List<Job>>> {
    let page = words.page()?;
    let rows = service.shop.store.jobs(wanted.state.as_deref(), &page).await?;
    Ok(Json(List::of(&page, rows, |j| j.id.clone(), Job::from)))
}

/// Shows one job.
#[utoipa::path(get, path = "/jobs/{id}", tag = "operations", params(("id" = String, Path, description = "The job")),
    responses((status = 200, body = Job), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_job(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    Ok(tagged(&headers, &Job::from(service.shop.store.job(&id).await?)))
}

/// Cancels a job; only reviews and suggestions can be cancelled.
#[utoipa::path(delete, path = "/jobs/{id}", tag = "operations", params(("id" = String, Path, description = "The job")),
    responses((status = 202, body = Job), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 409, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn cancel_job(State(service): State<Service>, Path(id): Path<String>) -> Answer<Response> {
    let job = service.shop.store.job(&id).await?;
    match job.kind.as_str() {
        "review_test" => service.shop.store.cancel_review(&job.subject_id).await?,
        "suggest_change" => service.shop.store.cancel_suggestion(&job.subject_id).await?,
        other => {
            let what = format!("job {id} is a {other}, only reviews and suggestions can be cancelled");
            return Err(Problem::new(StatusCode::CONFLICT, "conflict", what));
        }
    }
    let job = Job::from(service.shop.store.job(&id).await?);
    Ok((StatusCode::ACCEPTED, Json(job)).into_response())
}
