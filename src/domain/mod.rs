//! The words of the trade as plain data: no input, no output, no heavy crate.
//!
//! Everything here is in the product's own units – mm, s, px, rad, MPa – because the readers in `ingest` convert
//! at the edge. World axes are the simulation's; pixel (0, 0) is the centre of the top-left pixel, x right, y down.

mod alignment;
mod camera;
mod deviation;
mod film;
mod flag;
mod impactor;
mod judgement;
mod mesh;
mod model;
mod review;
mod simulation;
mod study;
mod suggestion;

pub use alignment::{CameraAlignment, PoseSource};
pub use camera::{CameraLens, Distortion, Intrinsics, Pose, TargetMark};
pub use deviation::FrameField;
pub use film::{CameraRecord, Channel, Frame, TestRecord};
pub use flag::{BoundingBox, Flag, FlagId, FlagKind, Verdict};
pub use impactor::{BodyShape, Impactor, ImpactorPlace, RigidWall, SeenBody, SeenImpactor, WayPoint};
pub use judgement::{JudgedFlag, Judgement};
pub use mesh::{CellType, Mesh, Part, PartId};
pub use model::{ExecutionProvider, ModelDigest, ModelSpec, TensorSpec};
pub use review::{
    InputDigest, NoiseFloor, PartSeries, PartSummary, Review, RigidMotion, SCHEMA_VERSION, StageTiming, Tolerances,
    is_compared,
};
pub use simulation::{Curve, Parameter, SimulationRecord, State};
pub use study::{RefusedRun, RunImpactor, Study, StudyParameter, StudyRun, written_unit};
pub use suggestion::{
    Change, Direction, Hypothesis, IDENTIFIED_HALF_WIDTH, Interval, ModelForm, Move, NextRun, ParameterEstimate,
    PartGain, SUGGESTION_SCHEMA_VERSION, Suggestion, SuggestionVerdict, SurrogateError, SurrogateReport,
};

#[cfg(test)]
pub(crate) mod tests {
    use super::{CameraRecord, Distortion, Flag, FlagId, FlagKind, Intrinsics, JudgedFlag, Judgement, PartId, Verdict};

    /// A camera of eight by eight pixels with nothing but its times, s.
    pub(crate) fn camera(name: &str, times_s: &[f64]) -> CameraRecord {
        CameraRecord {
            name: name.into(),
            width: 8,
            height: 8,
            intrinsics: Intrinsics { fx: 1.0, fy: 1.0, cx: 0.0, cy: 0.0 },
            distortion: Distortion::default(),
            pose: None,
            targets: Vec::new(),
            times_s: times_s.to_vec(),
        }
    }

    /// A flag of a part on some elements, from its onset to its peak, s.
    pub(crate) fn flag(number: u32, part: i32, elements: std::ops::Range<u32>, (onset_s, peak_s): (f64, f64)) -> Flag {
        Flag {
            id: FlagId(number),
            part_id: PartId(part),
            part_name: format!("part_{part}"),
            cameras: vec!["left".into()],
            onset_s,
            peak_s,
            peak_mm: 9.0,
            peak_sigma_mm: 0.5,
            area_mm2: 100.0,
            kind: FlagKind::Deformation,
            probability: 0.99,
            verdict: Verdict::Mismatch,
            element_ids: elements.collect(),
            bbox_px: Default::default(),
            observed_share: None,
        }
    }

    /// A flag with a verdict by Ada; `open` is nobody's.
    pub(crate) fn judged(number: u32, state: &str) -> JudgedFlag {
        let text = |t: &str| (state != "open").then(|| t.to_owned());
        let judgement = Judgement {
            state: state.to_owned(),
            reason: text("shadow"),
            author: text("Ada"),
            judged_at: text("2026-11-27T10:00:00Z"),
            ..Judgement::default()
        };
        JudgedFlag { flag: flag(number, 2, 0..9, (0.01, 0.02)), judgement }
    }
}
