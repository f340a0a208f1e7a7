//! Tests that arrive frame by frame.

use axum::Json;
use axum::body::Bytes;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::extract::{Body, Path, Words, name_of, tagged};
use super::problem::{Answer, Problem};
use crate::jobs::{LiveCamera, LiveTarget, NewFrame, Room};
use crate::store;

/// Largest frame, bytes.
pub(super) const FRAME_LIMIT: usize = 256 << 20;

/// A fixed reference target.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTarget {
    /// In the world, mm.
    world_mm: [f64; 3],
    /// In the (distorted) picture, px.
    image_px: [f64; 2],
}

/// A camera as in a test record, without its frames.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLiveCamera {
    name: String,
    /// Picture width, px.
    width: usize,
    /// Picture height, px.
    height: usize,
    /// fx, fy, cx, cy in px.
    intrinsics: [f64; 4],
    /// OpenCV's order k1 k2 p1 p2 k3 …
    #[serde(default)]
    distortion: Vec<f64>,
    /// World to camera, 16 numbers row by row, mm; or at least 4 targets.
    pose: Option<Vec<f64>>,
    #[serde(default)]
    targets: Vec<NewTarget>,
    /// When its frames will be taken, s after the trigger.
    times_s: Vec<f64>,
}

impl From<NewLiveCamera> for LiveCamera {
    fn from(c: NewLiveCamera) -> Self {
        Self {
            name: c.name,
            width: c.width,
            height: c.height,
            intrinsics: c.intrinsics,
            distortion: c.distortion,
            pose: c.pose,
            targets: c.targets.into_iter().map(|t| LiveTarget { world_mm: t.world_mm, image_px: t.image_px }).collect(),
            times_s: c.times_s,
        }
    }
}

/// A live test that begins.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLiveTest {
    simulation_id: String,
    campaign_id: String,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    cameras: Vec<NewLiveCamera>,
    /// How far off is too far, mm [default: 5].
    #[schema(exclusive_minimum = 0)]
    tolerance_mm: Option<f64>,
}

/// A live test as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Live {
    id: String,
    /// The same as `id`.
    live_id: String,
    review_id: String,
    test_id: String,
    campaign_id: String,
    simulation_id: String,
    name: String,
    /// Frames that arrived.
    received: i64,
    /// Frames that were announced.
    expected: Option<usize>,
    /// Frames that were reviewed as they arrived.
    reviewed: i64,
    /// Mismatches so far.
    flagged: usize,
    /// Frames left for the review after the end.
    behind: usize,
    /// At which rate frames are reviewed, where it is not all of them.
    rate_note: Option<String>,
    /// Film time of the newest reviewed moment, s.
    last_time_s: Option<f64>,
    ended: bool,
    /// Median from a frame's arrival to its flags in the store, ms; since the service started. Frames that came before
    /// the trigger was known are left out: they wait until something moves.
    p50_ms: Option<f64>,
    /// 99th percentile of it, ms.
    p99_ms: Option<f64>,
}

/// The live test as the store and its open room know it.
pub(super) async fn live_view(service: &Service, row: store::Live) -> Result<Live, store::StoreError> {
    let name = service.shop.store.test(&row.test_id).await?.name;
    let status = service.lives.open_room(&row.id).map(|room| room.status());
    let s = status.as_ref();
    let found = if s.is_none() { service.shop.store.review(&row.review_id).await?.flags } else { 0 };
    Ok(Live {
        live_id: row.id.clone(),
        review_id: row.review_id,
        test_id: row.test_id,
        campaign_id: row.campaign_id,
        simulation_id: row.simulation_id,
        name,
        received: s.map_or(row.received, |s| s.received as i64),
        expected: s.map(|s| s.expected),
        reviewed: s.map_or(row.reviewed, |s| s.reviewed as i64),
        flagged: s.map_or(usize::try_from(found).unwrap_or(0), |s| s.flagged),
        behind: s.map_or(0, |s| s.behind),
        rate_note: s.and_then(|s| s.rate_note.clone()).or(row.rate_note),
        last_time_s: s.map_or(row.last_time_s, |s| s.last_time_s),
        ended: row.state != "receiving",
        p50_ms: s.map_or(row.p50_ms, |s| s.p50_ms),
        p99_ms: s.map_or(row.p99_ms, |s| s.p99_ms),
        id: row.id,
    })
}

/// Begins a live test. Everything that does not need a frame is made ready now: the simulation's states, its skin, its
/// views for the page. What the simulation predicts is drawn from frame 0, which is taken before the shot.
#[utoipa::path(post, path = "/live", tag = "live", request_body = NewLiveTest,
    responses((status = 201, body = Live), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"), (status = 503, body = Problem, content_type = "application/problem+json", description = "Busy: Retry-After says when to come again")))]
pub(super) async fn begin_live(State(service): State<Service>, Body(new): Body<NewLiveTest>) -> Answer<Response> {
    let name = name_of(&new.name)?.to_owned();
    let tolerance_mm = new.tolerance_mm.unwrap_or(5.0);
    if !(tolerance_mm.is_finite() && tolerance_mm > 0.0) {
        return Err(Problem::unprocessable(format!("tolerance_mm is {tolerance_mm}, expected a number above 0")));
    }
    let cameras = new.cameras.into_iter().map(LiveCamera::from).collect();
    let room = service.lives.begin(name, new.campaign_id, new.simulation_id, cameras, tolerance_mm).await?;
    let view = live_view(&service, room.row.clone()).await?;
    let place = format!("/api/v1/live/{}", view.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(view)).into_response())
}

/// Which live tests are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LiveWords {
    /// Of this campaign.
    campaign_id: Option<String>,
}

/// Live tests that receive frames.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Lives {
    items: Vec<Live>,
    /// Always null: there are few.
    next_cursor: Option<String>,
}

/// Lists the tests that are live now.
#[utoipa::path(get, path = "/live", tag = "live", params(LiveWords), responses((status = 200, body = Lives)))]
pub(super) async fn list_live(State(service): State<Service>, Words(words): Words<LiveWords>) -> Answer<Json<Lives>> {
    let mut items = Vec::new();
    for row in service.shop.store.receiving_lives().await? {
        if words.campaign_id.as_ref().is_none_or(|c| *c == row.campaign_id) {
            items.push(live_view(&service, row).await?);
        }
    }
    Ok(Json(Lives { items, next_cursor: None }))
}

/// Shows one live test.
#[utoipa::path(get, path = "/live/{id}", tag = "live", params(("id" = String, Path, description = "The live test")),
    responses((status = 200, body = Live), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_live(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let view = live_view(&service, service.shop.store.live(&id).await?).await?;
    Ok(tagged(&headers, &view))
}

/// Which frame.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FrameWords {
    /// The camera's name.
    camera: String,
    /// When it was taken, s after the trigger: one of the camera's announced times.
    time_s: f64,
}

/// A frame that is on the service's disk.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FrameTaken {
    /// Frames that arrived so far.
    received: usize,
}

/// Takes a frame: PNG, JPEG, or width × height bytes of bare grey. It is on disk when this answers; the flags follow on
/// the event stream. The same frame again is no error; other pixels for a frame that is here are refused.
#[utoipa::path(post, path = "/live/{id}/frames", tag = "live", params(("id" = String, Path, description = "The live test"), FrameWords),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 202, body = FrameTaken), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Another picture of this camera and time is here already"),
        (status = 413, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn take_frame(
    State(service): State<Service>,
    Path(id): Path<String>,
    Words(words): Words<FrameWords>,
    bytes: Bytes,
) -> Answer<Response> {
    let room = service.lives.room(&id).await?;
    let received = take(room, NewFrame { camera: words.camera, time_s: words.time_s, bytes }).await?;
    Ok((StatusCode::ACCEPTED, Json(FrameTaken { received })).into_response())
}

async fn take(room: std::sync::Arc<Room>, frame: NewFrame) -> Answer<usize> {
    let taken = tokio::task::spawn_blocking(move || room.take(&frame)).await;
    let taken = taken.map_err(|e| {
        tracing::error!(error = %e, "taking a frame panicked");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the frame could not be taken")
    })?;
    Ok(taken?)
}

/// Ends a live test: its frames become a film, which is reviewed as a whole.
#[utoipa::path(post, path = "/live/{id}/end", tag = "live", params(("id" = String, Path, description = "The live test")),
    responses((status = 200, body = Live), (status = 404, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn end_live(State(service): State<Service>, Path(id): Path<String>) -> Answer<Response> {
    let row = service.lives.end(&id).await?;
    Ok(Json(live_view(&service, row).await?).into_response())
}

/// Places that take large bodies or are no plain requests.
pub(super) fn routes() -> axum::Router<Service> {
    axum::Router::new()
        .route("/api/v1/live/{id}/frames", post(take_frame))
        .layer(DefaultBodyLimit::max(FRAME_LIMIT))
        .route("/api/v1/live/{id}/stream", get(stream_frames))
}

/// The head of a frame in a stream: `{"camera":…,"time_s":…}`, before the picture's bytes.
#[derive(Debug, Deserialize)]
struct StreamHead {
    camera: String,
    time_s: f64,
}

/// A WebSocket for frames. Each binary message: u32 little-endian length of the head, the head as JSON
/// (`{"camera":…,"time_s":…}`), the picture. Each is answered by a text: `{"received":N}` or a problem.
#[utoipa::path(get, path = "/live/{id}/stream", tag = "live", params(("id" = String, Path, description = "The live test")),
    responses((status = 101, description = "Speaks WebSocket from here on"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "The request asks for no WebSocket"),
        (status = 404, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn stream_frames(
    State(service): State<Service>,
    Path(id): Path<String>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Answer<Response> {
    // Told before the upgrade, while it can be an answer with a status.
    service.lives.room(&id).await?;
    let upgrade = upgrade.map_err(|e| Problem::bad_request(format!("expected a WebSocket handshake: {e}")))?;
    let upgrade = upgrade.max_message_size(FRAME_LIMIT).max_frame_size(FRAME_LIMIT);
    Ok(upgrade.on_upgrade(move |socket| receive(service, id, socket)))
}

async fn receive(service: Service, id: String, mut socket: WebSocket) {
    loop {
        let message = tokio::select! {
            message = socket.recv() => message,
            () = service.end.cancelled() => return,
        };
        let bytes = match message {
            Some(Ok(Message::Binary(bytes))) => bytes,
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            Some(Ok(_)) => continue,
        };
        let answer = match take_message(&service, &id, bytes).await {
            Ok(received) => serde_json::json!({ "received": received }).to_string(),
            Err(problem) => serde_json::to_string(&problem).expect("a problem is JSON, else a bug"),
        };
        if socket.send(Message::Text(answer.into())).await.is_err() {
            return;
        }
    }
}

async fn take_message(service: &Service, id: &str, bytes: Bytes) -> Answer<usize> {
    let wrong =
        || Problem::bad_request("found no frame, expected u32 length of the head, the head as JSON, the picture");
    let length = bytes.get(..4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).ok_or_else(wrong)?;
    let begin = 4 + length as usize;
    let head: StreamHead = bytes.get(4..begin).and_then(|h| serde_json::from_slice(h).ok()).ok_or_else(wrong)?;
    let room = service.lives.room(id).await?;
    take(room, NewFrame { camera: head.camera, time_s: head.time_s, bytes: bytes.slice(begin..) }).await
}
