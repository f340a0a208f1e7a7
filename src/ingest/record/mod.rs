//! Test records: what was filmed, from whatever it was filmed into.

pub(super) mod camera;
mod hdf5_record;
pub(super) mod pixels;

use std::path::{Path, PathBuf};

use crate::domain::{Frame, TestRecord};

use self::hdf5_record::{FORMAT, Hdf5Record};
use super::error::IngestError;
use super::hdf5_read;

/// An opened test: cameras and channels in memory, pictures read one at a time.
#[derive(Debug)]
pub struct TestFile {
    path: PathBuf,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Hdf5(Hdf5Record),
}

impl TestFile {
    /// Walks and plans the test at `path`: a test record (`.h5`).
    ///
    /// # Errors
    /// Every check that can refuse without reading pictures: see [`IngestError`].
    pub fn open(path: &Path) -> Result<Self, IngestError> {
        let root = hdf5_read::open_root(path)?;
        let source = match root.attr_text("format")?.as_deref() {
            Some(FORMAT) => Source::Hdf5(hdf5_record::plan_record(&root)?),
            other => {
                return Err(IngestError::refused(
                    path,
                    "/, attribute format",
                    other.map_or_else(|| "nothing".to_owned(), |f| format!("{f:?}")),
                    format_args!("{FORMAT:?}"),
                    "give a test record as docs/formats.md describes it",
                ));
            }
        };
        Ok(Self { path: path.to_owned(), source })
    }

    /// Cameras and channels.
    #[must_use]
    pub fn record(&self) -> &TestRecord {
        match &self.source {
            Source::Hdf5(record) => &record.record,
        }
    }

    /// Reads picture `index` of camera number `camera` in [`record`](Self::record); luminance 0–1 of full scale,
    /// colour weighted as in Rec. 601.
    ///
    /// # Errors
    /// A camera or picture that is not there; damaged data.
    pub fn read_frame(&self, camera: usize, index: usize) -> Result<Frame, IngestError> {
        let record = self.record();
        let Some(time_s) = record.cameras.get(camera).and_then(|c| c.times_s.get(index)).copied() else {
            return Err(IngestError::refused(
                &self.path,
                format_args!("camera {camera}"),
                record.cameras.get(camera).map_or_else(
                    || format!("{} cameras", record.cameras.len()),
                    |c| format!("{} frames", c.times_s.len()),
                ),
                format_args!("a frame {index}"),
                "ask for a frame that is there",
            ));
        };
        match &self.source {
            Source::Hdf5(record) => record.films[camera].read_frame(index, time_s),
        }
    }
}
