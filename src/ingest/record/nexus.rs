//! NeXus: one detector's stack of pictures (`NXdetector/data`, rank 3), the rest of the camera in a camera file.

use std::path::{Path, PathBuf};

use crate::domain::TestRecord;
use crate::ingest::error::IngestError;
use crate::ingest::hdf5_read::Dir;

use super::camera_toml::read_camera_toml;
use super::hdf5_record::{Film, Hdf5Record};
use super::images::{CAMERA_FILE, stem};
use super::pixels::Layout;

/// How deep detectors are looked for: entry, instrument, detector, and one to spare.
const MAX_DEPTH: usize = 4;

/// Whether the root group holds a NeXus entry.
///
/// # Errors
/// Damaged groups.
pub(super) fn is_nexus(root: &Dir) -> Result<bool, IngestError> {
    let names: Vec<String> = root.names().map(str::to_owned).collect();
    for name in names {
        if let Some(dir) = root.dir_in_list(&name)?
            && dir.attr_text("NX_class")?.as_deref() == Some("NXentry")
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The camera file of a film file: `<name>.toml`, else `camera.toml` in the same folder.
///
/// # Errors
/// [`IngestError::Refused`] when there is neither.
pub(super) fn camera_file_of(path: &Path) -> Result<PathBuf, IngestError> {
    let own = path.with_extension("toml");
    let shared = path.with_file_name(CAMERA_FILE);
    [own.clone(), shared].into_iter().find(|p| p.is_file()).ok_or_else(|| {
        IngestError::refused(
            path,
            "film",
            "no camera file beside it",
            format_args!("{} or {CAMERA_FILE}", own.display()),
            "describe the camera there: intrinsics, pose or targets, times",
        )
    })
}

/// Plans the NeXus file at `path` with the root group `root`.
///
/// # Errors
/// No detector or more than one that fits; whatever a test record is refused for.
pub(super) fn plan_nexus(path: &Path, root: &Dir) -> Result<Hdf5Record, IngestError> {
    let mut detectors = Vec::new();
    find_detectors(root, 0, &mut detectors)?;
    let camera_file = camera_file_of(path)?;
    let toml = read_camera_toml(&camera_file)?;
    let last = |dir: &Dir| dir.place().rsplit('/').next().unwrap_or_default().to_owned();
    if detectors.len() > 1
        && let Some(name) = &toml.name
    {
        detectors.retain(|d| last(d) == *name);
    }
    let [detector] = detectors.as_slice() else {
        return Err(IngestError::refused(
            path,
            "/",
            format_args!("{} groups of class NXdetector with data that fit", detectors.len()),
            "one",
            "name the detector's group in the camera file (name = \"…\")",
        ));
    };
    let film = Film::of_set(path, detector.need_set("data")?)?;
    let Layout { height, width, .. } = film.layout();
    let camera = toml.camera(&camera_file, &last(detector), film.frame_count(), (width, height))?;
    let record = TestRecord {
        test_id: toml.test_id.unwrap_or_else(|| stem(path)),
        description: toml.description,
        cameras: vec![camera],
        channels: Vec::new(),
    };
    Ok(Hdf5Record { record, films: vec![film] })
}

fn find_detectors(dir: &Dir, depth: usize, found: &mut Vec<Dir>) -> Result<(), IngestError> {
    if dir.attr_text("NX_class")?.as_deref() == Some("NXdetector") && dir.set("data")?.is_some() {
        found.push(dir.clone());
        return Ok(());
    }
    if depth == MAX_DEPTH {
        return Ok(());
    }
    let names: Vec<String> = dir.names().map(str::to_owned).collect();
    for name in names {
        if let Some(child) = dir.dir_in_list(&name)? {
            find_detectors(&child, depth + 1, found)?;
        }
    }
    Ok(())
}
