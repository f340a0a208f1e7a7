//! One test against one simulation: align, track the deviation on the mesh, judge it.

mod align;
mod begin;
mod controls;
mod corroboration;
mod designs;
mod distrust;
mod early;
mod flags;
mod foreign;
mod impactor;
mod judge;
mod lift;
mod live;
mod measure;
mod nearby;
mod noise;
mod pace;
mod places;
mod record;
mod rigid;
mod seen_by;
mod series;
mod session;
mod stretch;
mod study_prior;
mod timeline;
mod track;
mod trigger;
mod witness;

pub use align::{AlignError, align_camera};
pub use corroboration::too_little_paint;
pub use flags::{Judged, judge, judge_so_far};
pub use impactor::Striker;
pub use judge::{CONFIDENCE, LIKELY, normal_cdf};
pub use lift::{LiftError, LiftPrior, Lifted, Sighting, lift};
pub use live::FilmWatch;
pub use measure::{CameraTrack, Candidate, Look, RealPicture, measure};
pub use rigid::{MeasuredNode, split_rigid};
pub use seen_by::SeenBy;
pub use session::{
    Measured, Progress, ReviewSetup, ReviewSource, SessionError, SourceError, measure_deviation,
    measure_deviation_watched,
};
pub use study_prior::StudyPrior;
pub use timeline::{Moment, moments};
pub use track::{StepPicture, TrackError, TrackedStep, Tracker};
pub use trigger::{LARGEST_OFFSET_S, TriggerFit};
pub use witness::Doubt;
