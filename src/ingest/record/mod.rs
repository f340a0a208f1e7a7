//! Test records: what was filmed, from whatever it was filmed into.

pub(super) mod camera;
mod camera_toml;
mod growing;
mod hdf5_record;
mod images;
mod nexus;
mod palette_tiff;
pub(super) mod pixels;
mod video;

use std::path::{Path, PathBuf};

use crate::domain::{Frame, TestRecord};

use self::hdf5_record::{FORMAT, Hdf5Record};
use self::images::ImageRecord;
use self::video::VideoRecord;
use super::error::IngestError;
pub use growing::GrowingFilm;
pub use images::read_picture;

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
    Images(ImageRecord),
    Video(VideoRecord),
}

impl TestFile {
    /// Walks and plans the test at `path`: a test record (`.h5`), a folder of image files with a `camera.toml`
    /// (one camera, or one folder a camera), a NeXus file or a video with its camera file beside it
    /// (`<name>.toml` or `camera.toml`).
    ///
    /// # Errors
    /// Every check that can refuse without reading pictures: see [`IngestError`].
    pub fn open(path: &Path) -> Result<Self, IngestError> {
        if path.is_dir() {
            let source = Source::Images(images::plan_folder(path)?);
            return Ok(Self { path: path.to_owned(), source });
        }
        if video::is_video(path) && !hdf5_read::has_signature(path) {
            let source = Source::Video(video::plan_video(path)?);
            return Ok(Self { path: path.to_owned(), source });
        }
        let root = hdf5_read::open_root(path)?;
        let source = match root.attr_text("format")?.as_deref() {
            Some(FORMAT) => Source::Hdf5(hdf5_record::plan_record(&root)?),
            None if nexus::is_nexus(&root)? => Source::Hdf5(nexus::plan_nexus(path, &root)?),
            other => {
                return Err(IngestError::refused(
                    path,
                    "/, attribute format",
                    other.map_or_else(|| "nothing".to_owned(), |f| format!("{f:?}")),
                    format_args!("{FORMAT:?} (or a NeXus file with an NXentry)"),
                    "give a test record: see README.md, Your own data",
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
            Source::Images(images) => &images.record,
            Source::Video(video) => &video.record,
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
            Source::Images(images) => images.read_frame(camera, index, time_s),
            Source::Video(video) => video.read_frame(index, time_s),
        }
    }
}
