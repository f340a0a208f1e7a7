//! The demo campaign: the shipped example, reviewed once, as if somebody had uploaded it.

use std::path::Path;
use std::sync::Arc;

use super::service_error::ServiceError;
use super::workshop::Workshop;
use crate::store::{BatchOrder, NewUpload, ReviewOrder, Upload};

/// Name of the demo campaign.
pub const DEMO_CAMPAIGN: &str = "Demo: crash box";
/// The demo is ordered under this key, so that a restart does not order it again.
const KEY: &str = "crumple-demo-1";

/// Uploads `simulation.vtkhdf`, `simulation.json` and `test.h5` of the demo folder and orders their review; does nothing
/// where that was done before.
///
/// # Errors
/// When a file is missing or refused, or the store fails.
pub async fn seed_demo(shop: &Arc<Workshop>) -> Result<(), ServiceError> {
    let Some(folder) = shop.settings.demo.clone() else { return Ok(()) };
    let campaign = shop.store.campaign_named(DEMO_CAMPAIGN).await?;
    if campaign.tests > 0 {
        return Ok(());
    }
    bring(shop, &folder.join("simulation.json"), "sidecar", &campaign.id).await?;
    let simulation = bring(shop, &folder.join("simulation.vtkhdf"), "simulation", &campaign.id).await?;
    let test = bring(shop, &folder.join("test.h5"), "test", &campaign.id).await?;
    let (Some(simulation_id), Some(test_id)) = (simulation.simulation_id, test.test_id) else {
        return Err(ServiceError::Refused { what: "the demo's files became no simulation and test".to_owned() });
    };
    let review = ReviewOrder { simulation_id, test_id, tolerance_mm: 5.0, tolerances: Default::default() };
    let order = BatchOrder {
        idempotency_key: Some(KEY.to_owned()),
        request_sha256: KEY.to_owned(),
        webhook: None,
        reviews: vec![review],
    };
    shop.store.order_reviews(&order).await?;
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
    shop.store.add_upload(&id, &new).await?;
    let mut changes = shop.store.changes();
    let mut upload = shop.store.upload_grew(&id, length).await?;
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
