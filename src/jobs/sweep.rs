//! Putting the data folder in order: what no row names goes.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::service_error::ServiceError;
use super::workshop::Workshop;
use crate::blobs::Swept;

/// What is younger than this may have its row on the way.
const YOUNG: Duration = Duration::from_secs(600);

/// At the start, when nothing runs yet: leases of the dead end, work in progress is thrown away, all orphans go.
///
/// # Errors
/// When the store or a folder fails.
pub async fn sweep_at_start(shop: &Arc<Workshop>) -> Result<Swept, ServiceError> {
    let waiting = shop.store.expire_leases().await?;
    if waiting > 0 {
        tracing::warn!(jobs = waiting, "the last run was cut off: its jobs are taken up again");
    }
    expire_uploads(shop, SystemTime::now()).await?;
    for kind in ["work", "desks"] {
        let folder = shop.folders.all(kind);
        remove_except(&folder, &HashSet::new())?;
    }
    remove_except(&shop.folders.all("uploads"), &shop.store.uploads_on_disk().await?.into_iter().collect())?;
    remove_except(&shop.folders.all("live"), &shop.store.live_ids().await?.into_iter().collect())?;
    remove_half_frames(&shop.folders.all("live"))?;
    remove_except(&shop.folders.all("studies"), &shop.store.studies_in_use().await?.into_iter().collect())?;
    // Nothing else runs: everything without a row is an orphan, however young.
    sweep(shop, SystemTime::now() + YOUNG).await
}

/// From time to time, beside the work.
///
/// # Errors
/// When the store or the blobs fail.
pub async fn sweep_beside_work(shop: &Arc<Workshop>) -> Result<Swept, ServiceError> {
    shop.store.forget_events(shop.settings.keep_events).await?;
    expire_uploads(shop, SystemTime::now()).await?;
    sweep(shop, SystemTime::now() - YOUNG).await
}

/// Uploads whose last part came too long before `now` are forgotten, and their bytes removed. When a part came the file
/// itself tells.
async fn expire_uploads(shop: &Workshop, now: SystemTime) -> Result<(), ServiceError> {
    for id in shop.store.uploads_receiving().await? {
        let path = shop.folders.upload(&id);
        // Without its file nothing tells when: who announced it finds that out, and deletes it.
        let Ok(part_at) = path.metadata().and_then(|m| m.modified()) else { continue };
        if now.duration_since(part_at).is_ok_and(|age| age > shop.settings.keep_uploads) {
            shop.store.remove_upload(&id).await?;
            std::fs::remove_file(&path).map_err(ServiceError::file("remove", &path))?;
            tracing::info!(upload = id, "was cut off and never went on: it is forgotten");
        }
    }
    Ok(())
}

async fn sweep(shop: &Workshop, before: SystemTime) -> Result<Swept, ServiceError> {
    let digests = shop.store.named_digests().await?.into_iter().collect();
    let mut results: HashSet<String> = shop.store.reviews_with_results().await?.into_iter().collect();
    results.extend(shop.store.suggestions_with_results().await?);
    Ok(shop.blobs.sweep(&digests, &results, before).await?)
}

fn remove_except(folder: &Path, kept: &HashSet<String>) -> Result<(), ServiceError> {
    for entry in std::fs::read_dir(folder).map_err(ServiceError::file("list", folder))? {
        let path = entry.map_err(ServiceError::file("list", folder))?.path();
        if kept.contains(&path.file_name().unwrap_or_default().to_string_lossy().into_owned()) {
            continue;
        }
        let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
        removed.map_err(ServiceError::file("remove", &path))?;
    }
    Ok(())
}

/// Frames that were being written when the program was killed: they were never acknowledged, so their sender still has
/// them. Their names begin with a dot (see `live_room`).
fn remove_half_frames(lives: &Path) -> Result<(), ServiceError> {
    let entries = |folder: &Path| -> Result<Vec<std::path::PathBuf>, ServiceError> {
        let failed = ServiceError::file("list", folder);
        let found = std::fs::read_dir(folder).and_then(|e| e.map(|e| e.map(|e| e.path())).collect());
        found.map_err(failed)
    };
    let mut folders = vec![lives.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b".")) {
                std::fs::remove_file(&path).map_err(ServiceError::file("remove", &path))?;
            }
        }
    }
    Ok(())
}
