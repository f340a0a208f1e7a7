//! A file that arrived becomes a simulation, a test or a side-car – or is refused with the reader's own words.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::service_error::ServiceError;
use super::workshop::{Workshop, safe_name, simulation_options};
use crate::domain::{CameraRecord, Parameter};
use crate::ingest::probe::ProbeKind;
use crate::ingest::{SimulationFile, TestFile};
use crate::store::{Sidecar, Simulation, StoredTest, Taken, Upload, new_id};
use crate::tasks::run_on_thread;

/// Campaign of tests that come without one.
pub const UNSORTED: &str = "Unsorted";

/// What the reader says of a simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulationSummary {
    /// Family of designs.
    pub family: Option<String>,
    /// Solver and version.
    pub solver: Option<String>,
    /// How many nodes.
    pub nodes: usize,
    /// How many elements.
    pub elements: usize,
    /// Times of the states, s.
    pub times_s: Vec<f64>,
    /// The parts: the solver's number and the name.
    pub parts: Vec<PartName>,
    /// The inputs of this run.
    pub parameters: Vec<Parameter>,
}

/// A part by number and name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartName {
    /// The solver's number.
    pub id: i32,
    /// Its name.
    pub name: String,
}

/// What the reader says of a camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraSummary {
    /// Its name.
    pub name: String,
    /// Picture width, px.
    pub width: usize,
    /// Picture height, px.
    pub height: usize,
    /// How many frames.
    pub frames: usize,
    /// Their times, s after the trigger.
    pub times_s: Vec<f64>,
}

impl From<&CameraRecord> for CameraSummary {
    fn from(c: &CameraRecord) -> Self {
        Self {
            name: c.name.clone(),
            width: c.width,
            height: c.height,
            frames: c.times_s.len(),
            times_s: c.times_s.clone(),
        }
    }
}

/// Name without ending.
#[must_use]
pub fn stem_of(name: &str) -> String {
    Path::new(name).file_stem().map_or_else(|| name.to_owned(), |s| s.to_string_lossy().into_owned())
}

/// Reads the upload of a job and writes what it became.
///
/// # Errors
/// When the program or the machine is at fault; a refused file is a result.
pub(super) async fn read_upload(shop: &Arc<Workshop>, taken: &Taken) -> Result<(), ServiceError> {
    let upload = shop.store.upload(&taken.subject_id).await?;
    if upload.state != "reading" {
        return shop
            .store
            .refuse_upload(&taken.lease, &upload.id, "it is not there any more")
            .await
            .map_err(Into::into);
    }
    let file = shop.folders.upload(&upload.id);
    let folder = shop.folders.work(&new_id());
    let read = read_into(shop, taken, &upload, &file, &folder).await;
    // Whatever comes, the laid-out links go; what stays after a crash is removed at the next start.
    let _ = tokio::fs::remove_dir_all(&folder).await;
    match read {
        Ok(()) => {}
        Err(e) if e.is_input_error() => {
            shop.store.refuse_upload(&taken.lease, &upload.id, &e.told_without(&folder)).await?;
        }
        Err(e) if taken.is_last => {
            let why = format!("the service could not read it: {}", e.told());
            shop.store.refuse_upload(&taken.lease, &upload.id, &why).await?;
        }
        Err(e) => return Err(e),
    }
    // The row says what became of it; the parts are not needed any more.
    let _ = tokio::fs::remove_file(&file).await;
    Ok(())
}

async fn read_into(
    shop: &Arc<Workshop>,
    taken: &Taken,
    upload: &Upload,
    file: &Path,
    folder: &Path,
) -> Result<(), ServiceError> {
    std::fs::create_dir_all(folder).map_err(ServiceError::file("make the folder", folder))?;
    let (sha256, bytes) = shop.blobs.take_file(file).await?;
    if let Some(expected) = upload.expected_sha256.as_ref().filter(|e| !e.eq_ignore_ascii_case(&sha256)) {
        return Err(ServiceError::Refused {
            what: format!(
                "{}: the SHA-256 of what arrived is {sha256}, expected {expected}: the file changed on the way, send it again",
                upload.filename
            ),
        });
    }
    let size = i64::try_from(bytes).unwrap_or(i64::MAX);
    match upload.kind.as_str() {
        "simulation" => read_simulation(shop, taken, upload, folder, sha256, size).await,
        "sidecar" => read_sidecar(shop, taken, upload, folder, sha256).await,
        _ => read_test(shop, taken, upload, folder, sha256, size).await,
    }
}

async fn read_simulation(
    shop: &Arc<Workshop>,
    taken: &Taken,
    upload: &Upload,
    folder: &Path,
    sha256: String,
    bytes: i64,
) -> Result<(), ServiceError> {
    let name = safe_name(&upload.filename);
    let stem = stem_of(&name);
    let mut simulation = Simulation {
        id: new_id(),
        name,
        sidecar_sha256: None,
        sidecar_name: None,
        sidecar_campaign_id: None,
        stem,
        sha256,
        bytes,
        summary: String::new(),
        version: 1,
        created_at: String::new(),
    };
    loop {
        let sidecar = shop.store.waiting_sidecar(upload, &simulation.stem).await?;
        (simulation.sidecar_name, simulation.sidecar_sha256) = sidecar.map(|s| (s.name, s.sha256)).unzip();
        simulation.summary = summarise(shop, &simulation, folder).await?;
        // A side-car that came while this was read is read with it: both are sent at once, and two hands read.
        if shop.store.accept_simulation(&taken.lease, upload, &simulation).await?.is_some() {
            return Ok(());
        }
    }
}

async fn read_sidecar(
    shop: &Arc<Workshop>,
    taken: &Taken,
    upload: &Upload,
    folder: &Path,
    sha256: String,
) -> Result<(), ServiceError> {
    let stem = stem_of(&safe_name(&upload.filename));
    let sidecar = Sidecar { name: upload.filename.clone(), sha256: sha256.clone() };
    let Some(mut simulation) = shop.store.simulation_for_sidecar(upload, &stem).await? else {
        let text = tokio::fs::read(shop.folders.upload(&upload.id)).await.unwrap_or_default();
        serde_json::from_slice::<serde_json::Value>(&text).map_err(|e| ServiceError::Refused {
            what: format!(
                "{}: found no JSON ({e}), expected the record of a simulation: mend the file",
                upload.filename
            ),
        })?;
        if shop.store.accept_sidecar(&taken.lease, upload, &stem, &sidecar, None).await? {
            return Ok(());
        }
        // Its simulation came while this was read.
        return Box::pin(read_sidecar(shop, taken, upload, folder, sha256)).await;
    };
    if !simulation.takes_sidecar(&sha256, upload) {
        return Err(ServiceError::Refused { what: taken_place(&simulation, upload) });
    }
    simulation.sidecar_sha256 = Some(sha256);
    let summary = summarise(shop, &simulation, folder).await?;
    let joined = Some((simulation.id.as_str(), summary.as_str()));
    shop.store.accept_sidecar(&taken.lease, upload, &stem, &sidecar, joined).await?;
    Ok(())
}

/// Why a side-car does not take the place of another.
fn taken_place(simulation: &Simulation, upload: &Upload) -> String {
    format!(
        "{}: simulation {} ({}) has a side-car already: {} of campaign {}. It is replaced only by a file of the same name \
         uploaded to the same campaign",
        upload.filename,
        simulation.name,
        simulation.id,
        simulation.sidecar_name.as_deref().unwrap_or("one"),
        simulation.sidecar_campaign_id.as_deref().filter(|c| !c.is_empty()).unwrap_or("none")
    )
}

async fn summarise(shop: &Arc<Workshop>, simulation: &Simulation, folder: &Path) -> Result<String, ServiceError> {
    let path = shop.lay_out_simulation(simulation, folder)?;
    let shop = Arc::clone(shop);
    run_on_thread("read-simulation", move || {
        shop.try_apart(&path, &ProbeKind::Simulation(simulation_options()))?;
        let file = SimulationFile::open(&path, &simulation_options())?;
        let record = file.record();
        let summary = SimulationSummary {
            family: record.family.clone(),
            solver: record.solver.clone(),
            nodes: file.mesh().node_count,
            elements: file.mesh().element_count(),
            times_s: file.times_s().to_vec(),
            parts: file.mesh().parts.iter().map(|p| PartName { id: p.id.0, name: p.name.clone() }).collect(),
            parameters: record.parameters.clone(),
        };
        Ok(serde_json::to_string(&summary).expect("a summary is JSON, else a bug"))
    })
    .await?
}

async fn read_test(
    shop: &Arc<Workshop>,
    taken: &Taken,
    upload: &Upload,
    folder: &Path,
    sha256: String,
    bytes: i64,
) -> Result<(), ServiceError> {
    let campaign_id = match &upload.campaign_id {
        Some(id) => id.clone(),
        None => shop.store.campaign_named(UNSORTED).await?.id,
    };
    let filename = safe_name(&upload.filename);
    let path = folder.join(&filename);
    shop.blobs.lay_out(&sha256, &path)?;
    let room = Arc::clone(shop);
    let (name, cameras) = run_on_thread("read-test", move || {
        room.try_apart(&path, &ProbeKind::Test)?;
        let file = TestFile::open(&path)?;
        let cameras: Vec<CameraSummary> = file.record().cameras.iter().map(CameraSummary::from).collect();
        Ok::<_, ServiceError>((file.record().test_id.clone(), cameras))
    })
    .await??;
    let test = StoredTest {
        id: StoredTest::fresh_id(),
        campaign_id,
        name,
        filename,
        sha256: Some(sha256),
        bytes,
        cameras: serde_json::to_string(&cameras).expect("cameras are JSON, else a bug"),
        live: 0,
        version: 1,
        created_at: String::new(),
        latest_review_id: None,
        shown_review_id: None,
        shown_review_state: None,
        receiving: 0,
    };
    shop.store.accept_test(&taken.lease, &upload.id, &test).await?;
    Ok(())
}
