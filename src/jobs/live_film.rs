//! The frames of a live test as they lie on disk: while it receives, and after its end until it was reviewed as a whole.

use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::live_camera::LiveCamera;
use super::service_error::ServiceError;
use crate::domain::CameraRecord;
use crate::ingest::read_picture;
use crate::store::Live;

/// The cameras of a live test and where their frames are.
#[derive(Debug, Clone)]
pub(super) struct LiveFilm {
    /// As they were announced.
    pub(super) announced: Vec<LiveCamera>,
    /// The same with their meaning.
    pub(super) cameras: Vec<CameraRecord>,
    /// One folder a camera in it.
    pub(super) folder: PathBuf,
}

impl LiveFilm {
    /// Of the row of a live test.
    ///
    /// # Errors
    /// When the row is damaged.
    pub(super) fn open(row: &Live, folder: PathBuf) -> Result<Self, ServiceError> {
        let announced: Vec<LiveCamera> = serde_json::from_str(&row.cameras)
            .map_err(|source| ServiceError::Damaged { what: format!("cameras of live test {}", row.id), source })?;
        let cameras = announced.iter().map(LiveCamera::record).collect::<Result<_, _>>()?;
        Ok(Self { announced, cameras, folder })
    }

    /// Folder of a camera's frames.
    pub(super) fn place(&self, camera: usize) -> PathBuf {
        self.folder.join(format!("c{camera:02}"))
    }

    /// A frame that is here, as light.
    ///
    /// # Errors
    /// When it is not here or cannot be read.
    pub(super) fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, ServiceError> {
        let record = &self.cameras[camera];
        let path = find_frame(&self.place(camera), frame).ok_or_else(|| ServiceError::Missing {
            what: format!("camera {} has not sent frame {frame}", record.name),
        })?;
        Ok(read_picture(&path, record.width, record.height)?)
    }

    /// True when the frame that is here has the same pixels as `bytes`: PNG, JPEG, or bare 8-bit grey.
    ///
    /// # Errors
    /// When the frame that is here cannot be read.
    pub(super) fn holds(&self, camera: usize, frame: usize, bytes: &[u8]) -> Result<bool, ServiceError> {
        let record = &self.cameras[camera];
        let Some(path) = find_frame(&self.place(camera), frame) else { return Ok(false) };
        let stored = std::fs::read(&path).map_err(ServiceError::file("read", &path))?;
        if stored == bytes {
            return Ok(true);
        }
        let here = image::load_from_memory(&stored)?;
        if bytes.len() == record.width * record.height {
            return Ok(here.into_luma8().into_raw() == bytes);
        }
        Ok(image::load_from_memory(bytes).is_ok_and(|sent| sent == here))
    }
}

/// The file of a frame, when it is here.
pub(super) fn find_frame(place: &Path, frame: usize) -> Option<PathBuf> {
    ["png", "jpg"].iter().map(|ending| place.join(format!("f_{frame:06}.{ending}"))).find(|p| p.is_file())
}
