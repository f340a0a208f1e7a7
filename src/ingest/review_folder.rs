//! A folder that `crumple review` wrote, read back: `review.json` and the field in `review.vtkhdf`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::{IngestError, cannot};
use super::hdf5_read::{self, Dir};
use super::vtkhdf::{SimulationFile, SimulationOptions};
use crate::domain::{FrameField, Mesh, Review};

/// Largest `review.json` that is read, bytes.
const MAX_JSON_BYTES: u64 = 1 << 30;

/// A rigid motion with a number that is not finite is written with `null` in it: it is none.
fn leave_out_unknown_motion(answer: &mut Value) {
    let parts = answer.get_mut("parts").and_then(Value::as_array_mut).into_iter().flatten();
    for motion in parts.filter_map(|p| p.pointer_mut("/series/rigid")?.as_array_mut()).flatten() {
        let unknown = |v: &Value| v.is_null() || v.as_array().is_some_and(|list| list.iter().any(Value::is_null));
        if motion.as_object().is_some_and(|m| m.values().any(unknown)) {
            *motion = Value::Null;
        }
    }
}

/// A review on disk; fields are read one moment at a time.
#[derive(Debug)]
pub struct ReviewFolder {
    review: Review,
    json: PathBuf,
    file: SimulationFile,
    root: Dir,
}

impl ReviewFolder {
    /// Opens the folder of a review.
    ///
    /// # Errors
    /// When `review.json` or `review.vtkhdf` is missing or is not what a review writes.
    pub fn open(folder: &Path) -> Result<Self, IngestError> {
        let json = folder.join("review.json");
        let size = std::fs::metadata(&json).map_err(cannot(&json, "open the review"))?.len();
        let refuse = |found: String| {
            IngestError::refused(&json, "review", found, "what `crumple review` wrote", "review the test again")
        };
        if size > MAX_JSON_BYTES {
            return Err(refuse(super::limits::bytes(size)));
        }
        let text = std::fs::read(&json).map_err(cannot(&json, "read the review"))?;
        let mut answer: Value = serde_json::from_slice(&text).map_err(|e| refuse(e.to_string()))?;
        leave_out_unknown_motion(&mut answer);
        let review: Review = serde_json::from_value(answer).map_err(|e| refuse(e.to_string()))?;
        let field = folder.join("review.vtkhdf");
        // The field's file is in mm and s, whatever record may stand beside it.
        let options =
            SimulationOptions { time_to_s: Some(1.0), length_to_mm: Some(1.0), ..SimulationOptions::default() };
        let file = SimulationFile::open(&field, &options)?;
        let root = hdf5_read::open_root(&field)?;
        Ok(Self { review, json, file, root })
    }

    /// The answer of the review.
    #[must_use]
    pub fn review(&self) -> &Review {
        &self.review
    }

    /// Where the answer stands.
    #[must_use]
    pub fn json(&self) -> &Path {
        &self.json
    }

    /// The mesh of the reviewed simulation.
    #[must_use]
    pub fn mesh(&self) -> &Mesh {
        self.file.mesh()
    }

    /// Film times, s.
    #[must_use]
    pub fn times_s(&self) -> &[f64] {
        self.file.times_s()
    }

    /// The reviewed simulation at film time `moment`, mm, and the measured field.
    ///
    /// # Errors
    /// Damaged data, arrays that a review does not lack.
    pub fn read_moment(&self, moment: usize) -> Result<(Vec<[f32; 3]>, FrameField), IngestError> {
        let positions = self.file.read_state(moment)?.positions_mm;
        let grid = self.root.dir("VTKHDF")?.ok_or_else(|| self.root.missing("VTKHDF", "a group"))?;
        let points = grid.dir("PointData")?.ok_or_else(|| grid.missing("PointData", "a group"))?;
        let steps = grid.dir("Steps")?.ok_or_else(|| grid.missing("Steps", "a group"))?;
        let offsets = steps.dir("PointDataOffsets")?.ok_or_else(|| steps.missing("PointDataOffsets", "a group"))?;
        let n = positions.len();
        let start = |name: &str| -> Result<usize, IngestError> {
            let set = offsets.need_set(name)?;
            let counts = set.read_counts()?;
            counts.get(moment).copied().ok_or_else(|| {
                set.refuse(
                    format_args!("{} entries", counts.len()),
                    format_args!("one for each film time"),
                    "review again",
                )
            })
        };
        let deviation = points.need_set("Deviation")?;
        deviation.expect_numbers(3)?;
        let rows: Vec<f32> = deviation.read_rows(start("Deviation")?, n)?;
        let sigma_mm: Vec<f32> = points.need_set("DeviationSigma")?.read_rows(start("DeviationSigma")?, n)?;
        let observed: Vec<u8> = points.need_set("Observed")?.read_rows(start("Observed")?, n)?;
        let deviation_mm = rows.as_chunks::<3>().0.to_vec();
        Ok((positions, FrameField { time_s: self.times_s()[moment], deviation_mm, sigma_mm, observed }))
    }
}
