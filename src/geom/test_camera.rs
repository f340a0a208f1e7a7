//! The camera of this room's tests.

use super::Camera;
use crate::domain::{Distortion, Intrinsics, Pose};

/// Looks along z from 1 m before the origin.
pub(super) fn camera() -> Camera {
    Camera {
        width: 640,
        height: 480,
        intrinsics: Intrinsics { fx: 800.0, fy: 800.0, cx: 320.0, cy: 240.0 },
        distortion: Distortion::default(),
        pose: Pose {
            rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            translation_mm: [0.0, 0.0, 1000.0],
        },
    }
}
