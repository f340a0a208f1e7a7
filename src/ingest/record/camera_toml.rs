//! `camera.toml`: what a film of image files, a video or a NeXus file does not say about its camera.
//!
//! ```toml
//! name = "left"                     # default: the folder's or file's name
//! test_id = "T7"                    # default: the test folder's or file's name
//! description = "offset barrier"    # optional
//! length_unit = "mm"                # of pose and targets; default mm
//! time_unit = "s"                   # of times; default s
//! intrinsics = [2100.0, 2100.0, 639.5, 511.5]   # fx fy cx cy, px
//! distortion = [-0.1, 0.02, 0.0, 0.0]           # OpenCV's order, 0, 4, 5 or 8; default none
//! pose = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 3000], [0, 0, 0, 1]]  # world to camera; or four targets
//! times = [0.0, 0.001, 0.002]       # one a picture; or:
//! frame_rate_hz = 1000.0            # with
//! first_time_s = -0.002             # default 0
//! frames = "frame_*.tif"            # which files of the folder; default all pictures
//!
//! [[targets]]
//! world = [0.0, 0.0, 0.0]
//! image = [100.0, 200.0]
//! ```

use std::path::Path;

use serde::Deserialize;

use crate::domain::CameraRecord;
use crate::ingest::error::{IngestError, cannot};
use crate::ingest::units;

use super::camera::{self, At};

/// Largest `camera.toml`: a time a picture of a long film.
const MAX_TOML_BYTES: u64 = 16 << 20;

/// The file as it is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::ingest) struct CameraToml {
    pub(in crate::ingest) name: Option<String>,
    pub(in crate::ingest) test_id: Option<String>,
    pub(in crate::ingest) description: Option<String>,
    pub(in crate::ingest) frames: Option<String>,
    #[serde(default = "mm")]
    length_unit: String,
    #[serde(default = "s")]
    time_unit: String,
    intrinsics: [f64; 4],
    #[serde(default)]
    distortion: Vec<f64>,
    pose: Option<[[f64; 4]; 4]>,
    #[serde(default)]
    targets: Vec<TargetToml>,
    times: Option<Vec<f64>>,
    frame_rate_hz: Option<f64>,
    #[serde(default)]
    first_time_s: f64,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetToml {
    world: [f64; 3],
    image: [f64; 2],
}

fn mm() -> String {
    "mm".to_owned()
}

fn s() -> String {
    "s".to_owned()
}

/// Reads the camera file at `path`.
///
/// # Errors
/// A file that is missing, too large, no TOML, or has unknown or missing keys – with the line.
pub(in crate::ingest) fn read_camera_toml(path: &Path) -> Result<CameraToml, IngestError> {
    let size = std::fs::metadata(path).map_err(cannot(path, "open the camera file"))?.len();
    if size > MAX_TOML_BYTES {
        return Err(IngestError::refused(
            path,
            "file",
            format_args!("{size} bytes"),
            format_args!("at most {MAX_TOML_BYTES}"),
            "give frame_rate_hz instead of times",
        ));
    }
    let text = std::fs::read_to_string(path).map_err(cannot(path, "read the camera file"))?;
    toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|b| *b == b'\n').count());
        IngestError::refused(
            path,
            format_args!("line {line}"),
            e.message(),
            "the keys of a camera file: intrinsics, pose or targets, times or frame_rate_hz",
            "mend the line",
        )
    })
}

impl CameraToml {
    /// The camera for `frames` pictures of `width` × `height` px, called `name` unless the file says otherwise.
    ///
    /// # Errors
    /// Whatever a test record would be refused for, naming the key.
    pub(in crate::ingest) fn camera(
        &self,
        file: &Path,
        name: &str,
        frames: usize,
        (width, height): (usize, usize),
    ) -> Result<CameraRecord, IngestError> {
        let at = |place: &'static str| At { file, place };
        let factor = |place: &'static str, label: &str, of: fn(&str) -> Option<f64>, labels: &str| {
            of(label).ok_or_else(|| at(place).refuse(format_args!("{label:?}"), labels, "name the unit"))
        };
        let length_to_mm = factor("length_unit", &self.length_unit, units::mm_from_length, units::LENGTH_LABELS)?;
        let time_to_s = factor("time_unit", &self.time_unit, units::s_from_time, units::TIME_LABELS)?;
        let times_s = self.times_s(at("times, frame_rate_hz"), frames, time_to_s)?;
        camera::check_times(at("times"), &times_s, frames)?;
        let [fx, fy, cx, cy] = self.intrinsics;
        let matrix = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0];
        let intrinsics = camera::intrinsics_of(at("intrinsics"), &matrix)?;
        let distortion = camera::distortion_of(at("distortion"), &self.distortion)?;
        let pose = self.pose.map(|rows| {
            let mut flat = [0.0; 16];
            for (into, from) in flat.iter_mut().zip(rows.as_flattened()) {
                *into = *from;
            }
            camera::pose_of(at("pose"), &flat, length_to_mm)
        });
        let pose = pose.transpose()?;
        let world: Vec<f64> = self.targets.iter().flat_map(|t| t.world).collect();
        let image: Vec<f64> = self.targets.iter().flat_map(|t| t.image).collect();
        let targets = camera::targets_of(at("targets, world"), &world, at("targets, image"), &image, length_to_mm)?;
        camera::check_placed(at("pose, targets"), pose.as_ref(), targets.len())?;
        let name = self.name.clone().unwrap_or_else(|| name.to_owned());
        Ok(CameraRecord { name, width, height, intrinsics, distortion, pose, targets, times_s })
    }

    /// How many pictures there will be: one a time, or at the frame rate until `last_time_s`; 1 to `most`.
    pub(in crate::ingest) fn picture_count(&self, last_time_s: f64, most: usize) -> usize {
        let by_rate = |rate: f64| ((last_time_s - self.first_time_s) * rate + 1e-6).floor().max(0.0) as usize + 1;
        let count = match (&self.times, self.frame_rate_hz) {
            (Some(times), _) => times.len(),
            (None, rate) => rate.map_or(1, by_rate),
        };
        count.clamp(1, most)
    }

    fn times_s(&self, at: At<'_>, frames: usize, time_to_s: f64) -> Result<Vec<f64>, IngestError> {
        match (&self.times, self.frame_rate_hz) {
            (Some(times), None) => Ok(times.iter().map(|t| t * time_to_s).collect()),
            (None, Some(rate)) if rate.is_finite() && rate > 0.0 => {
                Ok((0..frames).map(|i| self.first_time_s + i as f64 / rate).collect())
            }
            (None, Some(rate)) => Err(at.refuse(format_args!("a frame rate of {rate}"), "a positive rate", "mend it")),
            (Some(_), Some(_)) => Err(at.refuse("both times and a frame rate", "one of them", "keep the times")),
            (None, None) => Err(at.refuse("neither", "times (one a picture) or frame_rate_hz", "add one of them")),
        }
    }
}
