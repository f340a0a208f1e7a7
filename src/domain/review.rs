//! The answer: one test against one simulation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alignment::CameraAlignment;
use super::camera::CameraLens;
use super::flag::Flag;
use super::impactor::SeenImpactor;
use super::mesh::PartId;
use super::model::{ExecutionProvider, ModelDigest};

/// Version of `review.json`; grows when a field changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// How far the test may be off before it matters, mm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tolerances {
    /// For parts that `per_part_mm` does not name.
    pub default_mm: f64,
    /// By part.
    #[serde(default)]
    pub per_part_mm: BTreeMap<PartId, f64>,
}

impl Tolerances {
    /// The tolerance of part `id`, mm.
    #[must_use]
    pub fn of_mm(&self, id: PartId) -> f64 {
        self.per_part_mm.get(&id).copied().unwrap_or(self.default_mm)
    }
}

/// An input file's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputDigest {
    /// `simulation`, `test`, …
    pub role: String,
    /// Path as the caller gave it.
    pub path: String,
    /// SHA-256 of the bytes, hex.
    pub sha256: String,
}

/// What the measurement itself costs: learnt from the frames before the first contact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseFloor {
    /// How many quiet frames (over all cameras) it rests on.
    pub quiet_frames: usize,
    /// Median of the residual's length in the quiet frames, px.
    pub median_px: f64,
    /// 95th percentile of it, px.
    pub p95_px: f64,
    /// The same 95th percentile at the specimen, mm.
    pub p95_mm: f64,
    /// Counts of residual lengths, quiet frames; bin width [`NoiseFloor::BIN_PX`], the last bin holds the rest.
    pub histogram_quiet: Vec<u64>,
    /// The same counts for all later frames.
    pub histogram_all: Vec<u64>,
}

impl NoiseFloor {
    /// Width of a histogram bin, px.
    pub const BIN_PX: f64 = 0.05;
}

/// Rigid-body share of a part's deviation at one time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RigidMotion {
    /// Translation of the part's centroid, mm.
    pub translation_mm: [f64; 3],
    /// Rotation vector, rad.
    pub rotation_rad: [f64; 3],
    /// Root mean square of what the rigid motion explains, mm.
    pub rigid_rms_mm: f64,
    /// Root mean square of what is left: the part's own change of shape, mm.
    pub deformation_rms_mm: f64,
}

/// A part over time; all vectors have one value a film time, NaN (JSON null) where the part was not observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartSeries {
    /// Film times, s.
    pub times_s: Vec<f64>,
    /// Median deviation over the observed nodes, mm.
    pub median_mm: Vec<Option<f64>>,
    /// 95th percentile of the deviation over the observed nodes, mm.
    pub p95_mm: Vec<Option<f64>>,
    /// 1-sigma at the nodes around the 95th percentile, mm.
    pub sigma_mm: Vec<Option<f64>>,
    /// Share of the part's nodes in view whose deviation is known, 0–1: measured, or estimated from their surroundings
    /// and the study.
    pub coverage: Vec<f64>,
    /// Share of the part's nodes in view that a camera measured, 0–1: an impactor hides nodes, and bare metal shows
    /// nothing to match. Empty in reviews of an earlier version.
    #[serde(default)]
    pub observed_share: Vec<f64>,
    /// Rigid share.
    pub rigid: Vec<Option<RigidMotion>>,
}

/// A part in one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartSummary {
    /// The part.
    pub part_id: PartId,
    /// Its name.
    pub part_name: String,
    /// Its tolerance, mm.
    pub tolerance_mm: f64,
    /// Largest 95th percentile over time, mm; `None` when it was never observed.
    pub peak_mm: Option<f64>,
    /// When, s.
    pub peak_s: Option<f64>,
    /// First time at which a mismatch flag begins, s.
    pub onset_s: Option<f64>,
    /// How many mismatch flags it has.
    pub mismatch_flags: usize,
    /// How many "cannot tell" flags it has.
    pub cannot_tell_flags: usize,
    /// Over time.
    pub series: PartSeries,
}

/// Time spent in one stage, over all threads' wall clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageTiming {
    /// Name of the stage.
    pub stage: String,
    /// Seconds.
    pub seconds: f64,
}

/// One test against one simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Version of the program.
    pub program_version: String,
    /// The test's name.
    pub test_id: String,
    /// What was read.
    pub inputs: Vec<InputDigest>,
    /// What measured.
    pub models: Vec<ModelDigest>,
    /// What really executed the measurement.
    pub execution_provider: ExecutionProvider,
    /// By camera.
    pub alignment: BTreeMap<String, CameraAlignment>,
    /// Size and lens of each camera: with the pose, what `suggest` projects through. Missing in reviews before 0.2.
    #[serde(default)]
    pub lenses: BTreeMap<String, CameraLens>,
    /// The tolerances used.
    pub tolerance: Tolerances,
    /// The measurement's own noise.
    pub noise_floor: NoiseFloor,
    /// The simulation's impactor where it was found in the film. Missing in reviews before 0.2.
    #[serde(default)]
    pub impactor: Option<SeenImpactor>,
    /// By part.
    pub parts: Vec<PartSummary>,
    /// The findings, gravest first.
    pub flags: Vec<Flag>,
    /// Pictures reviewed, over all cameras.
    pub frames_reviewed: usize,
    /// Pictures a second, end to end.
    pub frames_per_s: f64,
    /// Where the time went.
    pub timings: Vec<StageTiming>,
    /// What a reader should know before trusting it: cameras left out, poses in doubt, parts that nobody sees.
    pub warnings: Vec<String>,
    /// What else the answer rests on, and no reason for doubt: a study that was heard, an impactor that was followed.
    /// Missing in reviews of an earlier version.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Whether so large a [`Review::share_compared`] means something when nothing was found: a part of which less was
/// measured, on average over the film, was hardly compared.
#[must_use]
pub fn is_compared(share: f64) -> bool {
    share >= 0.3
}

impl Review {
    /// Of the part that was measured best, the share that was measured after frame 0, 0–1, on average over the film. Zero
    /// when the film ends before anything moves: then nothing of the crash was compared.
    #[must_use]
    pub fn share_compared(&self) -> f64 {
        if self.noise_floor.quiet_frames >= self.frames_reviewed {
            return 0.0;
        }
        let share = |part: &PartSummary| {
            let PartSeries { coverage, observed_share, .. } = &part.series;
            let measured = if observed_share.is_empty() { coverage } else { observed_share };
            let later = measured.get(1..).unwrap_or_default();
            later.iter().sum::<f64>() / later.len().max(1) as f64
        };
        self.parts.iter().map(share).fold(0.0, f64::max)
    }

    /// Whether so much was compared that finding nothing means something.
    #[must_use]
    pub fn is_compared(&self) -> bool {
        is_compared(self.share_compared())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(coverage: [f64; 3], observed_share: &[f64]) -> PartSummary {
        PartSummary {
            part_id: PartId(1),
            part_name: "box".into(),
            tolerance_mm: 5.0,
            peak_mm: Some(0.0),
            peak_s: Some(0.0),
            onset_s: None,
            mismatch_flags: 0,
            cannot_tell_flags: 0,
            series: PartSeries {
                times_s: vec![0.0, 0.001, 0.002],
                median_mm: vec![Some(0.0); 3],
                p95_mm: vec![Some(0.0); 3],
                sigma_mm: vec![Some(0.1); 3],
                coverage: coverage.to_vec(),
                observed_share: observed_share.to_vec(),
                rigid: vec![None; 3],
            },
        }
    }

    fn review(parts: Vec<PartSummary>, quiet_frames: usize) -> Review {
        let nothing = NoiseFloor {
            quiet_frames,
            median_px: 0.0,
            p95_px: 0.0,
            p95_mm: 0.0,
            histogram_quiet: Vec::new(),
            histogram_all: Vec::new(),
        };
        Review {
            schema_version: SCHEMA_VERSION,
            program_version: String::new(),
            test_id: "t".into(),
            inputs: Vec::new(),
            models: Vec::new(),
            execution_provider: ExecutionProvider::OpencvDis,
            alignment: BTreeMap::new(),
            lenses: BTreeMap::new(),
            tolerance: Tolerances { default_mm: 5.0, per_part_mm: BTreeMap::new() },
            noise_floor: nothing,
            impactor: None,
            parts,
            flags: Vec::new(),
            frames_reviewed: 3,
            frames_per_s: 1.0,
            timings: Vec::new(),
            warnings: Vec::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn finding_nothing_means_something_where_something_was_compared() {
        let share = |parts, quiet| review(parts, quiet).share_compared();
        // Frame 0 is where the look is taken: it compares nothing. The part that is seen best counts.
        let dark = || part([1.0, 0.06, 0.0], &[1.0, 0.06, 0.0]);
        assert!((share(vec![dark()], 1) - 0.03).abs() < 1e-12 && !review(vec![dark()], 1).is_compared());
        assert!(review(vec![dark(), part([1.0, 0.9, 0.7], &[1.0, 0.8, 0.6])], 1).is_compared());
        // What a study tells was not measured; reviews of earlier versions do not tell the two apart.
        assert!(!review(vec![part([1.0; 3], &[1.0, 0.0, 0.0])], 1).is_compared());
        assert!(review(vec![part([1.0; 3], &[])], 1).is_compared());
        assert!(share(vec![part([1.0; 3], &[1.0; 3])], 3).abs() < 1e-12, "the film ends before anything moves");
    }
}
