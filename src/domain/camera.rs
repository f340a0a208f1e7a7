//! A camera as photogrammetry knows it: pin-hole, OpenCV's lens model, a pose, fixed targets.

use serde::{Deserialize, Serialize};

/// The pin-hole part of a camera: focal lengths and principal point in px, no skew.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Intrinsics {
    /// Focal length along x, px.
    pub fx: f64,
    /// Focal length along y, px.
    pub fy: f64,
    /// Principal point x, px from the centre of the top-left pixel.
    pub cx: f64,
    /// Principal point y, px.
    pub cy: f64,
}

/// OpenCV's rational lens model in OpenCV's order: k1 k2 p1 p2 k3 k4 k5 k6; unused ones are 0.
///
/// Source: OpenCV 4 documentation, module calib3d, "Detailed Description".
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Distortion(pub [f64; 8]);

impl Distortion {
    /// True when the lens bends nothing, so that a picture need not be resampled.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.iter().all(|k| *k == 0.0)
    }
}

/// A camera without its place: size of the picture, pin-hole part and lens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CameraLens {
    /// Width of the picture, px.
    pub width: usize,
    /// Height of the picture, px.
    pub height: usize,
    /// Pin-hole part.
    pub intrinsics: Intrinsics,
    /// Lens.
    pub distortion: Distortion,
}

/// World-to-camera rigid motion, OpenCV axes (x right, y down, z forward), translation in mm.
///
/// `point_in_camera = rotation * point_in_world + translation_mm`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// Rotation matrix, row by row.
    pub rotation: [[f64; 3]; 3],
    /// Translation in mm.
    pub translation_mm: [f64; 3],
}

/// A fixed reference target: measured in the world, found in the picture. Not on the specimen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TargetMark {
    /// Position in the world, mm.
    pub world_mm: [f64; 3],
    /// Position in the (distorted) picture, px.
    pub image_px: [f64; 2],
}
