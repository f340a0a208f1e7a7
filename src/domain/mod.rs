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
pub use impactor::{Impactor, ImpactorPlace, RigidWall, SeenImpactor, WayPoint};
pub use mesh::{CellType, Mesh, Part, PartId};
pub use model::{ExecutionProvider, ModelDigest, ModelSpec, TensorSpec};
pub use review::{
    InputDigest, NoiseFloor, PartSeries, PartSummary, Review, RigidMotion, SCHEMA_VERSION, StageTiming, Tolerances,
};
pub use simulation::{Curve, Parameter, SimulationRecord, State};
pub use study::{RefusedRun, RunImpactor, Study, StudyParameter, StudyRun, written_unit};
pub use suggestion::{
    Change, Direction, Hypothesis, IDENTIFIED_HALF_WIDTH, Interval, ModelForm, Move, NextRun, ParameterEstimate,
    PartGain, SUGGESTION_SCHEMA_VERSION, Suggestion, SuggestionVerdict, SurrogateError, SurrogateReport,
};
