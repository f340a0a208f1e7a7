//! The test record in HDF5: `format = "crash-test-record"`, as README.md describes it under *Your own data*.

use crate::domain::{CameraRecord, Channel, Frame, TestRecord};
use crate::ingest::error::IngestError;
use crate::ingest::hdf5_read::{Dir, Kind, Set};
use crate::ingest::units;

use super::camera::{self, At};
use super::pixels::{self, Layout};

/// What the root attribute `format` must say.
pub(super) const FORMAT: &str = "crash-test-record";

/// Cameras of one record whose pictures lie in datasets.
#[derive(Debug)]
pub(super) struct Hdf5Record {
    pub(super) record: TestRecord,
    /// The pictures of each camera.
    pub(super) films: Vec<Film>,
}

/// A stack of pictures in one dataset `[T, H, W]` or `[T, H, W, 3]`.
#[derive(Debug)]
pub(super) struct Film {
    set: Set,
    layout: Layout,
    full_scale: f32,
}

impl Film {
    /// Plans the pictures in `set`.
    ///
    /// # Errors
    /// Another shape or type; empty or oversized pictures.
    pub(super) fn of_set(file: &std::path::Path, set: Set) -> Result<Self, IngestError> {
        let layout = match *set.shape() {
            [_, height, width] => Layout { height, width, channels: 1 },
            [_, height, width, 3] => Layout { height, width, channels: 3 },
            _ => {
                return Err(set.refuse(
                    set.describe(),
                    "[frames, height, width] or [frames, height, width, 3]",
                    "write all pictures of a camera into one dataset of one size",
                ));
            }
        };
        let full_scale = match set.kind() {
            Kind::Integer { bytes: 1, signed: false } => f32::from(u8::MAX),
            Kind::Integer { bytes: 2, signed: false } => f32::from(u16::MAX),
            _ => {
                return Err(set.refuse(
                    set.describe(),
                    "uint8 or uint16",
                    "write the pictures as the camera's sensor counts, 0 for black",
                ));
            }
        };
        layout.check(file, set.place())?;
        Ok(Self { set, layout, full_scale })
    }

    pub(super) fn frame_count(&self) -> usize {
        self.set.rows()
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// Reads picture `index` alone.
    ///
    /// # Errors
    /// An index beyond the film; damaged data.
    pub(super) fn read_frame(&self, index: usize, time_s: f64) -> Result<Frame, IngestError> {
        let luma = if self.full_scale > f32::from(u8::MAX) {
            pixels::luma(&self.set.read_rows::<u16>(index, 1)?, self.layout, self.full_scale)
        } else {
            pixels::luma(&self.set.read_rows::<u8>(index, 1)?, self.layout, self.full_scale)
        };
        let luma = luma.ok_or_else(|| {
            self.set.refuse(
                format_args!("a short picture {index}"),
                "a whole one",
                "the file is damaged, write it anew",
            )
        })?;
        Ok(Frame { index, time_s, luma })
    }
}

/// Factors from the record's units to the product's.
#[derive(Debug, Clone, Copy)]
struct Units {
    length_to_mm: f64,
    time_to_s: f64,
}

/// Walks and plans the record with the root group `root`.
///
/// # Errors
/// Everything that does not fit the contract, naming the dataset.
pub(super) fn plan_record(root: &Dir) -> Result<Hdf5Record, IngestError> {
    check_version(root)?;
    let units = units_of(root)?;
    let group = root.dir("cameras")?.ok_or_else(|| root.missing("cameras", "a group"))?;
    let mut cameras = Vec::new();
    let mut films = Vec::new();
    for name in group.names() {
        let Some(dir) = group.dir_in_list(name)? else { continue };
        let (camera, film) = plan_camera(name, &dir, units)?;
        cameras.push(camera);
        films.push(film);
    }
    if cameras.is_empty() {
        return Err(IngestError::refused(
            root.file(),
            group.place(),
            "no camera",
            "at least one group with frames",
            "write one group a camera",
        ));
    }
    let record = TestRecord {
        test_id: test_id(root)?,
        description: root.attr_text("description")?,
        cameras,
        channels: plan_channels(root, units)?,
    };
    Ok(Hdf5Record { record, films })
}

fn check_version(root: &Dir) -> Result<(), IngestError> {
    let version = root.attr_text("version")?.unwrap_or_default();
    // A newer minor version adds; a newer major one may change what is there.
    if version.split('.').next() == Some("1") {
        return Ok(());
    }
    Err(IngestError::refused(
        root.file(),
        "/, attribute version",
        if version.is_empty() { "nothing".to_owned() } else { format!("{version:?}") },
        "\"1.0\" or another 1.x",
        "write the record as version 1.0, or ask for a newer crumple",
    ))
}

fn test_id(root: &Dir) -> Result<String, IngestError> {
    if let Some(id) = root.attr_text("test_id")?.filter(|id| !id.is_empty()) {
        return Ok(id);
    }
    Err(IngestError::refused(
        root.file(),
        "/, attribute test_id",
        "nothing",
        "the test's name",
        "write the root attribute test_id",
    ))
}

fn units_of(root: &Dir) -> Result<Units, IngestError> {
    let factor = |name: &str, of: fn(&str) -> Option<f64>, labels: &str, assumed: &str| {
        let Some(label) = root.attr_text(name)? else {
            tracing::warn!(file = %root.file().display(), attribute = name, assumed, "no unit is given, one is assumed");
            return Ok(1.0);
        };
        of(&label).ok_or_else(|| {
            IngestError::refused(
                root.file(),
                format_args!("/, attribute {name}"),
                format_args!("{label:?}"),
                labels,
                "name the unit that the record uses",
            )
        })
    };
    Ok(Units {
        length_to_mm: factor("length_unit", units::mm_from_length, units::LENGTH_LABELS, "mm")?,
        time_to_s: factor("time_unit", units::s_from_time, units::TIME_LABELS, "s")?,
    })
}

/// The numbers of dataset `name`, which must have `shape`.
fn fixed<const N: usize>(dir: &Dir, name: &str, shape: &[usize]) -> Result<Option<[f64; N]>, IngestError> {
    let Some(set) = dir.set(name)? else { return Ok(None) };
    let wrong =
        || set.refuse(set.describe(), format_args!("{shape:?} float64"), "write it as README.md, Your own data, says");
    if set.shape() != shape {
        return Err(wrong());
    }
    set.read_numbers()?.try_into().map(Some).map_err(|_| wrong())
}

/// The rows of dataset `name` with `columns` numbers each.
fn rows(dir: &Dir, name: &str, columns: usize) -> Result<Vec<f64>, IngestError> {
    let set = dir.need_set(name)?;
    set.expect_numbers(columns)?;
    set.read_numbers()
}

fn plan_camera(name: &str, dir: &Dir, units: Units) -> Result<(CameraRecord, Film), IngestError> {
    let film = Film::of_set(dir.file(), dir.need_set("frames")?)?;
    let place = |member: &str| dir.place_of(member);
    let times_s: Vec<f64> = rows(dir, "time", 1)?.iter().map(|t| t * units.time_to_s).collect();
    camera::check_times(At { file: dir.file(), place: &place("time") }, &times_s, film.frame_count())?;
    let matrix = fixed::<9>(dir, "intrinsics", &[3, 3])?.ok_or_else(|| dir.missing("intrinsics", "a dataset"))?;
    let intrinsics = camera::intrinsics_of(At { file: dir.file(), place: &place("intrinsics") }, &matrix)?;
    let lens = match dir.set("distortion")? {
        Some(set) => {
            set.expect_numbers(1)?;
            set.read_numbers()?
        }
        None => Vec::new(),
    };
    let distortion = camera::distortion_of(At { file: dir.file(), place: &place("distortion") }, &lens)?;
    let pose = fixed::<16>(dir, "pose", &[4, 4])?
        .map(|m| camera::pose_of(At { file: dir.file(), place: &place("pose") }, &m, units.length_to_mm))
        .transpose()?;
    let targets = match dir.dir("targets")? {
        Some(marks) => {
            let (world, image) = (rows(&marks, "world", 3)?, rows(&marks, "image", 2)?);
            let (of_world, of_image) = (marks.place_of("world"), marks.place_of("image"));
            let at = |place| At { file: dir.file(), place };
            camera::targets_of(at(&of_world), &world, at(&of_image), &image, units.length_to_mm)?
        }
        None => Vec::new(),
    };
    camera::check_placed(At { file: dir.file(), place: dir.place() }, pose.as_ref(), targets.len())?;
    let Layout { height, width, .. } = film.layout();
    let name = name.to_owned();
    Ok((CameraRecord { name, width, height, intrinsics, distortion, pose, targets, times_s }, film))
}

fn plan_channels(root: &Dir, units: Units) -> Result<Vec<Channel>, IngestError> {
    let Some(group) = root.dir("channels")? else { return Ok(Vec::new()) };
    let mut channels = Vec::new();
    for name in group.names() {
        let Some(dir) = group.dir_in_list(name)? else { continue };
        let value = rows(&dir, "value", 1)?;
        let time_s: Vec<f64> = rows(&dir, "time", 1)?.iter().map(|t| t * units.time_to_s).collect();
        if value.len() != time_s.len() {
            return Err(IngestError::refused(
                root.file(),
                dir.place(),
                format_args!("{} values and {} times", value.len(), time_s.len()),
                "one time a value",
                "write the channel anew",
            ));
        }
        channels.push(Channel {
            name: name.to_owned(),
            unit: channel_attr(&dir, "unit")?.unwrap_or_default(),
            iso_mme_code: channel_attr(&dir, "iso_mme_code")?,
            time_s,
            value,
        });
    }
    Ok(channels)
}

/// Attributes of a channel stand at its group, or at its `value`.
fn channel_attr(dir: &Dir, name: &str) -> Result<Option<String>, IngestError> {
    match dir.attr_text(name)? {
        Some(text) => Ok(Some(text)),
        None => dir.need_set("value")?.attr_text(name),
    }
}
