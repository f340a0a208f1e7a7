//! Where a camera really stood and when the trigger really fired, with the doubt that is left.

use serde::{Deserialize, Serialize};

use super::camera::Pose;

/// What the final pose rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoseSource {
    /// Reference targets, together with the measured pose as a prior.
    Targets,
    /// Outline of the undeformed mesh in frame 0, together with the measured pose as a prior.
    Outline,
    /// Targets and outline together.
    TargetsAndOutline,
    /// The record's pose, unchanged: nothing to refine it with was found.
    Record,
}

/// Alignment of one camera with the simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraAlignment {
    /// Refined world-to-camera pose.
    pub pose: Pose,
    /// 1-sigma of the pose: rotation about the camera's x, y, z in rad, then translation in mm.
    pub pose_sigma: [f64; 6],
    /// What the pose rests on.
    pub pose_source: PoseSource,
    /// Simulation time minus film time, s; the same for all cameras of a test.
    pub time_offset_s: f64,
    /// 1-sigma of the offset, s.
    pub time_offset_sigma_s: f64,
    /// Root mean square of the target residuals after refinement, px; `None` without targets.
    pub target_rms_px: Option<f64>,
    /// Residual of each target after refinement (found minus expected), px; empty without targets.
    pub target_residuals_px: Vec<[f64; 2]>,
    /// How far the refinement moved the specimen's centre in the picture, px.
    pub moved_px: f64,
    /// What one px means at the specimen's centre, mm.
    pub mm_per_px: f64,
}
