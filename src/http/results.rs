//! What a finished review shows. Everything but the verdicts in `result` never changes and may be kept by callers (what is
//! exported with verdicts: `exports`).

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;
use tower_http::services::ServeFile;
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::extract::{Path, Words, immutable, tagged, tagged_with};
use super::problem::{Answer, Problem};
use super::wire_flags::Flag;
use crate::blobs::BlobKey;
use crate::export::REVIEW_VTKHDF;
use crate::jobs::views::{self, ResultView};
use crate::jobs::{Layer, PictureOrder};
use crate::store::{FlagFilter, Page, StoredFlag};

const OCTETS: &str = "application/octet-stream";

/// A camera as a pin-hole on its lens-free canvas.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResultCamera {
    name: String,
    /// Width of the canvas, px.
    width: usize,
    /// Height of the canvas, px.
    height: usize,
    fx: f64,
    fy: f64,
    /// Principal point, px from the centre of the top-left pixel.
    cx: f64,
    cy: f64,
    /// World to camera, 4 by 4, row by row, mm.
    #[schema(min_items = 16, max_items = 16)]
    pose: Vec<f64>,
    /// Frame of each moment; null where the camera took none.
    frames: Vec<Option<usize>>,
    /// What one px means at the specimen's centre, mm.
    mm_per_px: f64,
    /// How far the refinement moved the specimen's centre, px.
    moved_px: f64,
    /// Root mean square of the target residuals, px; null without targets.
    target_rms_px: Option<f64>,
}

/// A part over time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ResultPart {
    id: i32,
    name: String,
    tolerance_mm: f64,
    onset_s: Option<f64>,
    peak_mm: Option<f64>,
    series: Vec<PartMoment>,
}

/// A part at one moment; null where it was not measured.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartMoment {
    time_s: f64,
    p50_mm: Option<f64>,
    p95_mm: Option<f64>,
    sigma_mm: Option<f64>,
    /// Share of the visible nodes of which the deviation is known.
    coverage: f64,
    /// Share of the visible nodes that a camera measured; null in reviews of earlier versions.
    observed: Option<f64>,
}

/// Simulation time minus film time.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Trigger {
    offset_s: f64,
    sigma_s: f64,
}

/// How far the impactor has come at one film time since it touched; negative before.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ImpactorMoment {
    time_s: f64,
    /// In the film.
    seen_mm: f64,
    /// 1-sigma of it.
    sigma_mm: f64,
    /// In the simulation; null in reviews of earlier versions.
    simulated_mm: Option<f64>,
}

/// A review in numbers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReviewResult {
    /// Film times of the moments, s.
    times_s: Vec<f64>,
    cameras: Vec<ResultCamera>,
    parts: Vec<ResultPart>,
    /// By camera: pose with sigma, what it rests on, target residuals; as in review.json.
    #[schema(value_type = Object)]
    alignment: serde_json::Value,
    trigger: Trigger,
    /// As `noise_floor` in review.json.
    #[schema(value_type = Object)]
    noise: serde_json::Value,
    /// What to trust less.
    warnings: Vec<String>,
    /// What else it rests on, which is no reason for doubt.
    notes: Vec<String>,
    nodes: usize,
    elements: usize,
    /// Largest measured deviation, mm: the end of a colour scale.
    largest_mm: f64,
    /// By rising film time; empty where no impactor was followed.
    impactor: Vec<ImpactorMoment>,
    /// With people's verdicts.
    flags: Vec<Flag>,
    /// Flags that somebody judged and that a later look at the film did not find any more; they count nowhere.
    withdrawn_flags: Vec<Flag>,
}

fn result_of(view: ResultView, flags: Vec<Flag>, withdrawn_flags: Vec<Flag>) -> ReviewResult {
    ReviewResult {
        times_s: view.times_s,
        cameras: view
            .cameras
            .into_iter()
            .map(|c| ResultCamera {
                name: c.name,
                width: c.width,
                height: c.height,
                fx: c.fx,
                fy: c.fy,
                cx: c.cx,
                cy: c.cy,
                pose: c.pose.to_vec(),
                frames: c.frames,
                mm_per_px: c.mm_per_px,
                moved_px: c.moved_px,
                target_rms_px: c.target_rms_px,
            })
            .collect(),
        parts: view
            .parts
            .into_iter()
            .map(|p| ResultPart {
                id: p.id,
                name: p.name,
                tolerance_mm: p.tolerance_mm,
                onset_s: p.onset_s,
                peak_mm: p.peak_mm,
                series: p
                    .series
                    .into_iter()
                    .map(|m| PartMoment {
                        time_s: m.time_s,
                        p50_mm: m.p50_mm,
                        p95_mm: m.p95_mm,
                        sigma_mm: m.sigma_mm,
                        coverage: m.coverage,
                        observed: m.observed,
                    })
                    .collect(),
            })
            .collect(),
        alignment: view.alignment,
        trigger: Trigger { offset_s: view.trigger.offset_s, sigma_s: view.trigger.sigma_s },
        noise: view.noise,
        warnings: view.warnings,
        notes: view.notes,
        nodes: view.nodes,
        elements: view.elements,
        largest_mm: view.largest_mm,
        impactor: view
            .impactor
            .into_iter()
            .map(|p| ImpactorMoment {
                time_s: p.time_s,
                seen_mm: p.way_mm,
                sigma_mm: p.sigma_mm,
                simulated_mm: p.simulated_mm,
            })
            .collect(),
        flags,
        withdrawn_flags,
    }
}

/// A result file; a problem that says why when it is not there.
pub(super) async fn file(service: &Service, review: &str, name: &str) -> Answer<Bytes> {
    let state = finished(service, review).await?;
    stored(service, review, &state, name).await
}

/// A view, which a live review has before it is finished; says whether it may still change.
async fn view(service: &Service, review: &str, name: &str) -> Answer<(Bytes, bool)> {
    let row = service.shop.store.review(review).await?;
    if row.live != 0 && row.state != "finished" && row.refusal.is_none() {
        return Ok((stored(service, review, &row.state, name).await?, true));
    }
    Ok((file(service, review, name).await?, false))
}

async fn stored(service: &Service, review: &str, state: &str, name: &str) -> Answer<Bytes> {
    let key = BlobKey::Result(review.to_owned(), name.to_owned());
    service
        .shop
        .blobs
        .get(&key)
        .await?
        .ok_or_else(|| Problem::not_found(format!("review {review} ({state}) has no {name}")))
}

/// The review's state, when it has results.
pub(super) async fn finished(service: &Service, review: &str) -> Answer<String> {
    let row = service.shop.store.review(review).await?;
    if row.state == "finished" {
        return Ok(row.state);
    }
    let why = row.refusal.map(|r| format!(": {r}")).unwrap_or_default();
    Err(Problem::not_found(format!("review {review} is {}{why}; it has results when it is finished", row.state)))
}

/// Shows a finished review in numbers, with the verdicts as they stand.
#[utoipa::path(get, path = "/reviews/{id}/result", tag = "results", params(("id" = String, Path, description = "The review")),
    responses((status = 200, body = ReviewResult), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_result(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (text, _) = view(&service, &id, views::RESULT).await?;
    let view: ResultView = serde_json::from_slice(&text).map_err(|source| {
        Problem::from(crate::jobs::ServiceError::Damaged { what: format!("result of review {id}"), source })
    })?;
    let shown = |flags: Vec<StoredFlag>| flags.into_iter().map(Flag::from).collect();
    let standing = flags_of(&service, &id, false).await?;
    let withdrawn = flags_of(&service, &id, true).await?;
    Ok(tagged(&headers, &result_of(view, shown(standing), shown(withdrawn))))
}

/// The flags of a review by number: those that stand, or those that were withdrawn.
pub(super) async fn flags_of(service: &Service, review: &str, withdrawn: bool) -> Answer<Vec<StoredFlag>> {
    let filter = FlagFilter { review_id: Some(review.to_owned()), withdrawn, ..FlagFilter::default() };
    let mut flags = service.shop.store.flags(&filter, &Page { limit: 100_000, cursor: None }).await?;
    flags.sort_by_key(|f| f.number);
    Ok(flags)
}

/// A result file, which the caller may keep.
pub(super) fn forever(
    headers: &HeaderMap,
    review: &str,
    name: &str,
    content_type: &'static str,
    body: Bytes,
) -> Response {
    // The name says it all: results of a finished review are written once.
    immutable(tagged_with(headers, &format!("\"{review}-{}\"", name.replace(['/', '"'], "-")), content_type, body))
}

/// A view: kept by the caller when it cannot change.
fn shown(headers: &HeaderMap, review: &str, name: &str, body: Bytes, changes: bool) -> Response {
    if changes {
        let no_store = HeaderValue::from_static("no-store");
        return ([(header::CONTENT_TYPE, HeaderValue::from_static(OCTETS)), (header::CACHE_CONTROL, no_store)], body)
            .into_response();
    }
    forever(headers, review, name, OCTETS, body)
}

/// The mesh. Little-endian: u32 nodes N, u32 triangles M, u32 elements E, u32 0, f32 undeformed\[3N\] (mm), u32 nodes of
/// the triangles\[3M\], u32 element of each triangle\[M\], i32 part of each element\[E\], u32 id of each element\[E\].
#[utoipa::path(get, path = "/reviews/{id}/mesh", tag = "results", params(("id" = String, Path, description = "The review")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_mesh(
    State(service): State<Service>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (body, changes) = view(&service, &id, views::MESH).await?;
    Ok(shown(&headers, &id, "mesh", body, changes))
}

/// A moment's index; a problem, not plain text, for what is none.
fn moment_of(text: &str) -> Answer<usize> {
    text.parse().map_err(|_| Problem::not_found(format!("found moment {text:?}, expected an index in times_s")))
}

/// One moment. Little-endian f32: simulated\[3N\] (mm), deviation\[3N\] (mm, NaN: not known), sigma\[N\] (mm), plastic
/// strain\[N\]; then u8: how many cameras measured the node\[N\], which reviews of earlier versions lack; and, where something
/// has eroded, 1 for each element that is still there\[E\].
#[utoipa::path(get, path = "/reviews/{id}/states/{moment}", tag = "results",
    params(("id" = String, Path, description = "The review"), ("moment" = usize, Path, description = "Index in times_s")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_state(
    State(service): State<Service>,
    Path((id, moment)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let name = views::state_name(moment_of(&moment)?);
    let (body, changes) = view(&service, &id, &name).await?;
    Ok(shown(&headers, &id, &name, body, changes))
}

/// The number of the flag of each element at one moment, little-endian u16, 0 for none.
#[utoipa::path(get, path = "/reviews/{id}/flag_elements/{moment}", tag = "results",
    params(("id" = String, Path, description = "The review"), ("moment" = usize, Path, description = "Index in times_s")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_flag_elements(
    State(service): State<Service>,
    Path((id, moment)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let name = views::flags_name(moment_of(&moment)?);
    let (body, changes) = view(&service, &id, &name).await?;
    Ok(shown(&headers, &id, &name, body, changes))
}

/// Which picture.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LayerName {
    /// As filmed.
    Film,
    /// As the simulation would have it.
    Predicted,
}

/// How a picture is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PictureWords {
    /// As filmed, or as the simulation would have it [default: film].
    #[param(inline)]
    layer: Option<LayerName>,
    /// Width, px, 16 to 4096; the canvas's own without it.
    #[param(minimum = 16, maximum = 4096)]
    width: Option<u32>,
}

/// A picture on the lens-free canvas: `{moment}.jpg` or `{moment}.png`.
#[utoipa::path(get, path = "/reviews/{id}/pictures/{camera}/{file}", tag = "results",
    params(("id" = String, Path, description = "The review"), ("camera" = String, Path, description = "The camera's name"),
        ("file" = String, Path, description = "`{moment}.jpg` or `{moment}.png`"), PictureWords),
    responses((status = 200, body = Vec<u8>, content_type = "image/jpeg"), (status = 400, body = Problem, content_type = "application/problem+json"), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn get_picture(
    State(service): State<Service>,
    Path((id, camera, name)): Path<(String, String, String)>,
    Words(words): Words<PictureWords>,
    headers: HeaderMap,
) -> Answer<Response> {
    let row = service.shop.store.review(&id).await?;
    let live = row.live != 0 && row.state != "finished";
    if !live {
        finished(&service, &id).await?;
    }
    let wanted = || Problem::not_found(format!("found picture {name:?}, expected MOMENT.jpg or MOMENT.png"));
    let (moment, ending) = name.split_once('.').ok_or_else(wanted)?;
    let moment = moment.parse().map_err(|_| wanted())?;
    let (png, content_type) = match ending {
        "jpg" | "jpeg" => (false, "image/jpeg"),
        "png" => (true, "image/png"),
        _ => return Err(wanted()),
    };
    if words.width.is_some_and(|w| !(16..=4096).contains(&w)) {
        return Err(Problem::bad_request("width must be 16 to 4096 px"));
    }
    let layer = match words.layer {
        None | Some(LayerName::Film) => Layer::Film,
        Some(LayerName::Predicted) => Layer::Predicted,
    };
    let order = PictureOrder { camera, moment, layer, width: words.width, png };
    let tag = format!("{}-{moment}-{layer:?}-{}.{ending}", order.camera.len(), words.width.unwrap_or(0));
    if live {
        let room = service.shop.store.live_of_test(&row.test_id).await?;
        let body = service.desks.live_picture(&service.lives, &room.id, &id, order).await?;
        let no_store = HeaderValue::from_static("no-store");
        return Ok((
            [(header::CONTENT_TYPE, HeaderValue::from_static(content_type)), (header::CACHE_CONTROL, no_store)],
            body,
        )
            .into_response());
    }
    let body = service.desks.picture(&id, order).await?;
    Ok(forever(&headers, &id, &tag, content_type, body))
}

/// The field for ParaView.
#[utoipa::path(get, path = "/reviews/{id}/review.vtkhdf", tag = "results", params(("id" = String, Path, description = "The review")),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The bytes that `Range` names: a download that was cut off goes on"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "`Range` names bytes that the file does not have")))]
pub(super) async fn get_review_vtkhdf(
    State(service): State<Service>,
    Path(id): Path<String>,
    request: Request,
) -> Answer<Response> {
    let state = finished(&service, &id).await?;
    let key = BlobKey::Result(id.clone(), REVIEW_VTKHDF.to_owned());
    let Some(path) = service.shop.blobs.path(&key).await? else {
        return Err(Problem::not_found(format!("review {id} ({state}) has no {REVIEW_VTKHDF}")));
    };
    // It may have gigabytes: piece by piece, and in ranges.
    let Ok(served) = ServeFile::new(path).oneshot(request).await;
    let mut response = served.map(Body::new);
    if response.status().is_client_error() || response.status().is_server_error() {
        // What cannot be had now may be had later: nobody shall keep that.
        return Ok(response);
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(OCTETS));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"review.vtkhdf\""));
    Ok(immutable(response))
}
