//! The service over HTTP: typed requests in, views out, one mapping from errors to statuses. Sees `axum`.
//!
//! `routes` is one flat list. The description of the API (`/api/v1/openapi.json`) is made from the same list, so it
//! cannot tell of a route that is not there.

mod campaigns;
mod description;
mod events;
mod exports;
mod extract;
mod files;
mod first_looks;
mod flags;
mod hosts;
mod live;
mod ops;
mod page;
mod plots;
mod problem;
mod receipts;
mod results;
mod reviews;
mod space;
mod suggestions;
mod theme;
mod uploads;
mod wire;
mod wire_flags;
mod wire_suggestions;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use std::future::IntoFuture as _;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

pub use problem::Problem;

use crate::jobs::{Desks, Lives, Surrogates, Workshop};
use crate::telemetry::names;

/// Largest body of a request that is no upload and no frame, bytes.
const BODY_LIMIT: usize = 4 << 20;

/// What all routes share.
#[derive(Clone)]
pub struct Service {
    shop: Arc<Workshop>,
    desks: Desks,
    surrogates: Surrogates,
    lives: Lives,
    metrics: PrometheusHandle,
    end: CancellationToken,
    begun: Instant,
    /// Uploads of which a part is being received.
    receiving: Arc<Mutex<HashMap<String, ()>>>,
}

impl Service {
    /// A service on this ground; `end` closes the streams that would else stay open.
    #[must_use]
    pub fn new(shop: Arc<Workshop>, lives: Lives, metrics: PrometheusHandle, end: CancellationToken) -> Self {
        let desks = Desks::new(Arc::clone(&shop));
        let surrogates = Surrogates::new(Arc::clone(&shop));
        Self { shop, desks, surrogates, lives, metrics, end, begun: Instant::now(), receiving: Arc::default() }
    }
}

/// The head of the API's description.
#[derive(OpenApi)]
#[openapi(
    info(title = "Crumple", description = "Reviews filmed crash tests against their simulations.", license(name = "MIT OR Apache-2.0")),
    tags(
        (name = "campaigns"), (name = "uploads", description = "tus 1.0: creation, checksum (sha256), termination"),
        (name = "files", description = "simulations and tests"), (name = "reviews"), (name = "results"), (name = "flags"),
        (name = "suggestions", description = "what to change, and what came of it"),
        (name = "live"), (name = "events"), (name = "operations")
    )
)]
struct Head;

fn api() -> OpenApiRouter<Service> {
    OpenApiRouter::with_openapi(Head::openapi())
        .routes(routes!(campaigns::list_campaigns, campaigns::add_campaign))
        .routes(routes!(campaigns::get_campaign, campaigns::rename_campaign, campaigns::remove_campaign))
        .routes(routes!(uploads::list_uploads, uploads::begin_upload, uploads::upload_options))
        .routes(routes!(uploads::get_upload, uploads::upload_head, uploads::upload_part, uploads::remove_upload))
        .routes(routes!(files::list_simulations))
        .routes(routes!(files::get_simulation, files::remove_simulation))
        .routes(routes!(files::list_studies))
        .routes(routes!(files::list_tests))
        .routes(routes!(files::get_test, files::remove_test))
        .routes(routes!(reviews::list_reviews, reviews::order_reviews))
        .routes(routes!(reviews::get_review, reviews::cancel_review))
        .routes(routes!(reviews::get_batch))
        .routes(routes!(results::get_result))
        .routes(routes!(results::get_mesh))
        .routes(routes!(results::get_state))
        .routes(routes!(results::get_flag_elements))
        .routes(routes!(results::get_picture))
        .routes(routes!(plots::list_plots))
        .routes(routes!(plots::get_plot))
        .routes(routes!(exports::get_report))
        .routes(routes!(exports::get_flags_csv))
        .routes(routes!(exports::get_review_json))
        .routes(routes!(results::get_review_vtkhdf))
        .routes(routes!(flags::list_flags))
        .routes(routes!(flags::get_flag))
        .routes(routes!(flags::set_verdict))
        .routes(routes!(flags::list_verdicts))
        .routes(routes!(first_looks::list_first_looks, first_looks::add_first_look))
        .routes(routes!(suggestions::list_suggestions, suggestions::order_suggestion))
        .routes(routes!(suggestions::get_suggestion, suggestions::cancel_suggestion))
        .routes(routes!(suggestions::get_suggestion_report))
        .routes(routes!(suggestions::get_next_runs_csv))
        .routes(routes!(suggestions::get_next_runs_json))
        .routes(routes!(suggestions::get_model_mesh))
        .routes(routes!(receipts::decide))
        .routes(routes!(receipts::list_receipts))
        .routes(routes!(receipts::get_ledger))
        .routes(routes!(live::list_live, live::begin_live))
        .routes(routes!(live::get_live))
        .routes(routes!(live::end_live))
        .routes(routes!(events::stream_events))
        .routes(routes!(ops::list_models))
        .routes(routes!(ops::list_jobs))
        .routes(routes!(ops::get_job, ops::cancel_job))
        .routes(routes!(ops::get_version))
}

/// The description of the API, as the routes make it.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, mut description) =
        OpenApiRouter::<Service>::with_openapi(Head::openapi()).nest("/api/v1", api()).split_for_parts();
    // The version of the program would change the snapshot with every release and says nothing about the API.
    description.info.version = "1".to_owned();
    // It is routed beside the list, because its bodies may be larger.
    let (_, frames) = OpenApiRouter::<Service>::new()
        .nest("/api/v1", OpenApiRouter::new().routes(routes!(live::take_frame)).routes(routes!(live::stream_frames)))
        .split_for_parts();
    description.merge(frames);
    description::name_common_failures(&mut description);
    description
}

/// All routes.
pub fn routes(service: &Service) -> Router {
    let (api, _) = OpenApiRouter::with_openapi(Head::openapi()).nest("/api/v1", api()).split_for_parts();
    let packed = SizeAbove::new(1024)
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::SSE)
        .and(NotForContentType::const_new(suggestions::NODES));
    api.layer(DefaultBodyLimit::max(BODY_LIMIT))
        .merge(live::routes())
        .merge(SwaggerUi::new("/api/docs").url("/api/v1/openapi.json", openapi()))
        .merge(ops::routes())
        .fallback(page::page_or_problem)
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this place does not know that method")
        })
        .layer(CompressionLayer::new().compress_when(packed))
        .layer(CatchPanicLayer::custom(|_| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the service failed; its log has the cause")
                .into_response()
        }))
        .layer(middleware::from_fn_with_state(service.clone(), hosts::known_host))
        .layer(middleware::from_fn_with_state(service.clone(), measured))
        .with_state(service.clone())
}

/// Counts and times every answer by its route's pattern, and logs it.
async fn measured(State(_): State<Service>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().to_string();
    let path = request.extensions().get::<MatchedPath>().map_or_else(|| "page".to_owned(), |p| p.as_str().to_owned());
    let asked = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let (status, seconds) = (response.status().as_u16(), begun.elapsed().as_secs_f64());
    metrics::counter!(names::REQUESTS, "method" => method.clone(), "path" => path.clone(), "status" => status.to_string())
        .increment(1);
    metrics::histogram!(names::REQUEST_SECONDS, "method" => method.clone(), "path" => path).record(seconds);
    tracing::debug!(method, path = asked, status, seconds, "answered");
    response
}

/// Serves until `service.end`, then lets running answers finish for at most `grace`.
///
/// # Errors
/// When the port fails.
pub async fn serve(listener: TcpListener, service: Service, grace: Duration) -> std::io::Result<()> {
    let end = service.end.clone();
    let app = routes(&service);
    let waiting = end.clone();
    let serving = axum::serve(listener, app).with_graceful_shutdown(async move { waiting.cancelled().await });
    tokio::select! {
        served = serving.into_future() => served,
        () = async { end.cancelled().await; tokio::time::sleep(grace).await } => {
            tracing::warn!("some callers did not let go in time and were cut off");
            Ok(())
        }
    }
}
