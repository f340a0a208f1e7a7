//! What the service's jobs and views have in common: the store, the blobs, the folders, what measures.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::service_error::ServiceError;
use crate::blobs::Blobs;
use crate::config::serve::ServeSettings;
use crate::ingest::probe::{ProbeKind, ProbeOptions, probe_in_own_process};
use crate::ingest::{IngestError, SimulationOptions};
use crate::store::{Removed, Simulation, Store, StoredTest};
use crate::vision::ResidualEstimator;

/// Makes what measures, as the settings say.
pub type EstimatorMaker =
    Arc<dyn Fn() -> Result<Box<dyn ResidualEstimator>, Box<dyn std::error::Error + Send + Sync>> + Send + Sync>;

/// The service's common ground.
#[derive(Clone)]
pub struct Workshop {
    /// What is known.
    pub store: Store,
    /// The bytes.
    pub blobs: Blobs,
    /// Where files lie that are no blobs.
    pub folders: Folders,
    /// As it was set up.
    pub settings: Arc<ServeSettings>,
    /// What measures.
    pub make_estimator: EstimatorMaker,
}

/// Folders below the data folder.
#[derive(Debug, Clone)]
pub struct Folders {
    data: PathBuf,
}

impl Folders {
    /// Makes the folders where they are missing.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn make(data: &Path) -> Result<Self, ServiceError> {
        let folders = Self { data: data.to_owned() };
        for folder in ["uploads", "work", "desks", "live", "studies"] {
            let path = data.join(folder);
            std::fs::create_dir_all(&path).map_err(ServiceError::file("make the folder", &path))?;
        }
        Ok(folders)
    }

    /// The folder that holds all of them.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data.join("crumple.db")
    }

    /// What has arrived of an upload.
    #[must_use]
    pub fn upload(&self, id: &str) -> PathBuf {
        self.data.join("uploads").join(id)
    }

    /// Where a job may write; emptied when the service starts.
    #[must_use]
    pub fn work(&self, id: &str) -> PathBuf {
        self.data.join("work").join(id)
    }

    /// Where the files of a review lie for its pictures; emptied when the service starts.
    #[must_use]
    pub fn desk(&self, id: &str) -> PathBuf {
        self.data.join("desks").join(id)
    }

    /// The frames of a live test.
    #[must_use]
    pub fn live(&self, id: &str) -> PathBuf {
        self.data.join("live").join(id)
    }

    /// The runs of a study and what was read of them.
    #[must_use]
    pub fn study(&self, name: &str) -> PathBuf {
        self.data.join("studies").join(name)
    }

    /// A folder of one kind: `uploads`, `work`, `desks`, `live`, `studies`.
    #[must_use]
    pub fn all(&self, kind: &str) -> PathBuf {
        self.data.join(kind)
    }
}

impl Workshop {
    /// Tries a file in a process of its own.
    ///
    /// # Errors
    /// Why it is refused.
    pub(super) fn try_apart(&self, path: &Path, kind: &ProbeKind) -> Result<(), IngestError> {
        let options = ProbeOptions { time_limit: self.settings.read_limit, ..ProbeOptions::default() };
        probe_in_own_process(path, kind, &options)
    }

    /// Lays a simulation out in `folder` under its own name, with its side-car.
    ///
    /// # Errors
    /// When a blob is missing.
    pub(super) fn lay_out_simulation(&self, simulation: &Simulation, folder: &Path) -> Result<PathBuf, ServiceError> {
        let path = folder.join(safe_name(&simulation.name));
        self.blobs.lay_out(&simulation.sha256, &path)?;
        if let Some(sidecar) = &simulation.sidecar_sha256 {
            self.blobs.lay_out(sidecar, &path.with_extension("json"))?;
        }
        Ok(path)
    }

    /// Lays a test out in `folder` under its own name; a live test lies in its folder already.
    ///
    /// # Errors
    /// When a blob or the live test is missing.
    pub(super) async fn lay_out_test(&self, test: &StoredTest, folder: &Path) -> Result<PathBuf, ServiceError> {
        let Some(sha256) = &test.sha256 else {
            return Ok(self.folders.live(&self.store.live_of_test(&test.id).await?.id));
        };
        let path = folder.join(safe_name(&test.filename));
        self.blobs.lay_out(sha256, &path)?;
        Ok(path)
    }
}

impl Workshop {
    /// Clears away what removed things had beside their rows and blobs; a folder that stays for now goes at the next start.
    pub fn clear_away(&self, removed: &Removed) {
        for live in &removed.lives {
            let folder = self.folders.live(live);
            if let Err(error) = std::fs::remove_dir_all(&folder) {
                tracing::warn!(%error, folder = %folder.display(), "the frames of a deleted test stay until the next start");
            }
        }
    }
}

/// How simulations are read by the service.
#[must_use]
pub(super) fn simulation_options() -> SimulationOptions {
    SimulationOptions::default()
}

/// A file's name that is safe in a folder of ours: the last part, of letters that every disk takes; a long one loses its
/// middle, not its ending.
#[must_use]
pub fn safe_name(name: &str) -> String {
    /// Letters: 240 bytes at the most of those that take two.
    const LONGEST: usize = 120;
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let letters: Vec<char> =
        last.chars().map(|c| if c.is_alphanumeric() || "._-+ ()".contains(c) { c } else { '_' }).collect();
    let (begin, rest) = letters.split_at(letters.len().min(LONGEST / 2));
    let clean: String = begin.iter().chain(&rest[rest.len().saturating_sub(LONGEST / 2)..]).collect();
    if clean.trim_matches('.').is_empty() { "file".to_owned() } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_folder() {
        for (name, safe) in
            [("../../etc/passwd", "passwd"), ("..", "file"), ("a\\b.h5", "b.h5"), ("x\0y", "x_y"), ("", "file")]
        {
            assert_eq!(safe_name(name), safe);
        }
        let long = safe_name(&format!("{}.vtkhdf", "a".repeat(240)));
        assert!(long.len() == 120 && long.ends_with("a.vtkhdf"), "{long}");
    }
}
