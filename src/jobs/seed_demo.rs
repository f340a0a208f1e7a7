//! The demo campaign: the shipped example, reviewed once as if somebody had uploaded it, then played in live.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::live_camera::LiveCamera;
use super::live_room::{Lives, NewFrame};
use super::service_error::ServiceError;
use super::workshop::Workshop;
use crate::ingest::TestFile;
use crate::review::moments;
use crate::store::{BatchOrder, NewUpload, Page, ReviewFilter, ReviewOrder, ReviewRow, SuggestionOrder, Upload};
use crate::tasks::run_on_thread;

/// Name of the demo campaign.
pub const DEMO_CAMPAIGN: &str = "Demo: crash box";
/// From one live moment to the next.
const PAUSE: Duration = Duration::from_secs(4);
/// The demo is ordered under this key, so that a restart does not order it again.
const KEY: &str = "crumple-demo-1";
/// Runs of the demo's design, beside its folder.
const STUDY: &str = "study";
/// Runs worth computing that the demo's suggestion names.
const NEXT_RUNS: i64 = 4;

/// Uploads `simulation.vtkhdf`, `simulation.json` and `test.h5` of the demo folder, the runs in the folder `study` beside it
/// where there is one, and orders their review; does nothing where that was done before.
///
/// # Errors
/// When a file is missing or refused, or the store fails.
pub async fn seed_demo(shop: &Arc<Workshop>) -> Result<(), ServiceError> {
    let Some(folder) = shop.settings.demo.clone() else { return Ok(()) };
    let campaign = shop.store.campaign_named(DEMO_CAMPAIGN).await?;
    // By the order and not by the test: the program may have been killed between the two.
    let filter = ReviewFilter { campaign_id: Some(campaign.id.clone()), ..ReviewFilter::default() };
    if shop.store.reviews(&filter, &Page { limit: 1, cursor: None }).await?.is_empty() {
        order(shop, &folder, &campaign.id).await?;
    }
    Ok(())
}

async fn order(shop: &Arc<Workshop>, folder: &Path, campaign_id: &str) -> Result<(), ServiceError> {
    bring(shop, &folder.join("simulation.json"), "sidecar", campaign_id).await?;
    let simulation = bring(shop, &folder.join("simulation.vtkhdf"), "simulation", campaign_id).await?;
    let test = bring(shop, &folder.join("test.h5"), "test", campaign_id).await?;
    let (Some(simulation_id), Some(test_id)) = (simulation.simulation_id, test.test_id) else {
        return Err(ServiceError::Refused { what: "the demo's files became no simulation and test".to_owned() });
    };
    // Before the review is ordered: it hears them.
    for file in study_files(&study_folder(folder)) {
        let kind = if file.extension().is_some_and(|e| e == "json") { "sidecar" } else { "simulation" };
        bring(shop, &file, kind, campaign_id).await?;
    }
    let review = ReviewOrder { simulation_id, test_id, tolerance_mm: 5.0, tolerances: Default::default(), study: true };
    let order = BatchOrder {
        idempotency_key: Some(KEY.to_owned()),
        request_sha256: KEY.to_owned(),
        webhook: None,
        reviews: vec![review],
    };
    shop.store.order_reviews(&order).await?;
    Ok(())
}

/// Where the runs of the demo's design are.
fn study_folder(demo: &Path) -> PathBuf {
    demo.parent().unwrap_or(demo).join(STUDY)
}

/// The runs of the demo's study, each after its side-car; none where the folder is not there.
fn study_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "json" || e == "vtkhdf")).collect();
    files.sort();
    files
}

/// Plays the demo's film in live, once its review is done and the machine has time: one moment after the other. Where the
/// program ended while it played, it goes on there.
///
/// # Errors
/// When the film cannot be read or the live test cannot begin.
pub async fn play_demo(shop: &Arc<Workshop>, lives: &Lives) -> Result<(), ServiceError> {
    let Some(folder) = shop.settings.demo.clone() else { return Ok(()) };
    let campaign = shop.store.campaign_named(DEMO_CAMPAIGN).await?;
    let filter = ReviewFilter { campaign_id: Some(campaign.id.clone()), ..ReviewFilter::default() };
    let left = shop.store.receiving_lives().await?.into_iter().find(|live| live.campaign_id == campaign.id);
    let is_left = |review: &ReviewRow| left.as_ref().is_some_and(|live| live.review_id == review.id);
    let mut changes = shop.store.changes();
    let reviews = loop {
        let reviews = shop.store.reviews(&filter, &Page { limit: 1000, cursor: None }).await?;
        if reviews.iter().all(|r| is_left(r) || (r.state != "queued" && r.state != "running")) {
            break reviews;
        }
        let _ = changes.changed().await;
    };
    let finished = reviews.iter().find(|r| r.state == "finished" && r.live == 0);
    if let Some(review) = finished.filter(|_| study_folder(&folder).is_dir()) {
        let order = SuggestionOrder {
            review_id: review.id.clone(),
            next_runs: NEXT_RUNS,
            planned: None,
            idempotency_key: Some(KEY.to_owned()),
        };
        shop.store.order_suggestion(&order).await?;
    }
    let Some(simulation_id) = reviews.first().map(|r| r.simulation_id.clone()) else { return Ok(()) };
    let path = folder.join("test.h5");
    let film = run_on_thread("open-demo", move || TestFile::open(&path)).await??;
    let record = film.record();
    let cameras: Vec<LiveCamera> = record.cameras.iter().map(LiveCamera::of_record).collect();
    let room = match &left {
        Some(live) => lives.room(&live.id).await?,
        None => {
            let name = format!("{}, live {}", record.test_id, campaign.tests);
            lives.begin(name, campaign.id, simulation_id, cameras, 5.0).await?
        }
    };
    let mut sent = 0;
    for moment in moments(&record.cameras) {
        sent += moment.frames.len();
        if sent <= room.status().received {
            continue;
        }
        for (camera, frame) in moment.frames {
            let luma = film.read_frame(camera, frame)?.luma;
            let grey: Vec<u8> = luma.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
            let name = record.cameras[camera].name.clone();
            room.take(&NewFrame { camera: name, time_s: record.cameras[camera].times_s[frame], bytes: grey.into() })?;
        }
        tokio::time::sleep(PAUSE).await;
    }
    lives.end(&room.row.id).await?;
    Ok(())
}

/// Takes a file in as an upload and waits until it was read.
async fn bring(
    shop: &Arc<Workshop>,
    path: &Path,
    kind: &'static str,
    campaign_id: &str,
) -> Result<Upload, ServiceError> {
    let id = Upload::fresh_id();
    let copied = tokio::fs::copy(path, shop.folders.upload(&id)).await.map_err(ServiceError::file("read", path))?;
    let length = i64::try_from(copied).unwrap_or(i64::MAX);
    let new = NewUpload {
        filename: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        length,
        kind,
        campaign_id: Some(campaign_id.to_owned()),
        expected_sha256: None,
    };
    let mut changes = shop.store.changes();
    let mut upload = shop.store.add_upload(&id, &new, true).await?;
    while upload.state == "reading" {
        // The channel lives as long as the store.
        let _ = changes.changed().await;
        upload = shop.store.upload(&id).await?;
    }
    match upload.refusal {
        Some(what) => Err(ServiceError::Refused { what }),
        None => Ok(upload),
    }
}
