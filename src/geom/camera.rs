//! Projection from the world to a picture and its derivative.
//!
//! ```
//! use crumple::domain::{Distortion, Intrinsics, Pose};
//! use crumple::geom::Camera;
//! let camera = Camera {
//!     width: 640,
//!     height: 480,
//!     intrinsics: Intrinsics { fx: 800.0, fy: 800.0, cx: 320.0, cy: 240.0 },
//!     distortion: Distortion::default(),
//!     pose: Pose { rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], translation_mm: [0.0, 0.0, 1000.0] },
//! };
//! let pixel = camera.pixel_from_world([100.0, 0.0, 0.0]);
//! assert!((pixel.x - 400.0).abs() < 1e-9 && (pixel.depth_mm - 1000.0).abs() < 1e-9);
//! ```

use nalgebra::{Matrix2x3, Matrix3, Vector3};

use crate::domain::{CameraRecord, Distortion, Intrinsics, Pose};

/// A point in a picture with its distance along the camera's axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Projected {
    /// Column, px.
    pub x: f64,
    /// Row, px.
    pub y: f64,
    /// Depth along the optical axis, mm; not positive behind the camera.
    pub depth_mm: f64,
}

/// A posed camera with its lens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// Picture width, px.
    pub width: usize,
    /// Picture height, px.
    pub height: usize,
    /// Pin-hole parameters.
    pub intrinsics: Intrinsics,
    /// Lens.
    pub distortion: Distortion,
    /// World-to-camera motion.
    pub pose: Pose,
}

impl Camera {
    /// The camera of `record`, standing at `pose`.
    #[must_use]
    pub fn from_record(record: &CameraRecord, pose: Pose) -> Self {
        Self {
            width: record.width,
            height: record.height,
            intrinsics: record.intrinsics,
            distortion: record.distortion,
            pose,
        }
    }

    /// The camera at another pose.
    #[must_use]
    pub fn at(&self, pose: Pose) -> Self {
        Self { pose, ..*self }
    }

    /// The point in camera axes, mm.
    #[must_use]
    pub fn camera_from_world(&self, point_mm: [f64; 3]) -> Vector3<f64> {
        // Written out: asked of every pixel, and a product of nalgebra's is a call.
        let ([x, y, z], r, t) = (point_mm, &self.pose.rotation, &self.pose.translation_mm);
        let row = |i: usize| r[i][0] * x + r[i][1] * y + r[i][2] * z + t[i];
        Vector3::new(row(0), row(1), row(2))
    }

    /// The pixel that shows a world point, lens included.
    #[must_use]
    pub fn pixel_from_world(&self, point_mm: [f64; 3]) -> Projected {
        let p = self.camera_from_world(point_mm);
        let [x, y] = distort(&self.distortion, p.x / p.z, p.y / p.z);
        self.intrinsics.pixel(x, y, p.z)
    }

    /// What the picture shows at `pixel`, the lens undone: coordinates at depth 1 in camera axes.
    #[must_use]
    pub fn normalised_from_pixel(&self, pixel: [f64; 2]) -> [f64; 2] {
        let k = self.intrinsics;
        undistort(&self.distortion, (pixel[0] - k.cx) / k.fx, (pixel[1] - k.cy) / k.fy)
    }

    /// The pixel that a lens without distortion would show.
    #[must_use]
    pub fn pinhole_pixel_from_world(&self, point_mm: [f64; 3]) -> Projected {
        let p = self.camera_from_world(point_mm);
        self.intrinsics.pixel(p.x / p.z, p.y / p.z, p.z)
    }

    /// Change of the pin-hole pixel with the world point, px/mm.
    #[must_use]
    pub fn pixel_per_world(&self, point_mm: [f64; 3]) -> Matrix2x3<f64> {
        let p = self.camera_from_world(point_mm);
        let (fx, fy, iz) = (self.intrinsics.fx, self.intrinsics.fy, 1.0 / p.z);
        #[rustfmt::skip]
        let pixel_per_camera = Matrix2x3::new(
            fx * iz, 0.0, -fx * p.x * iz * iz,
            0.0, fy * iz, -fy * p.y * iz * iz,
        );
        pixel_per_camera * rotation_of(&self.pose)
    }

    /// The ray of a pixel of the picture without lens: where the camera stands, mm, and the way to depth 1 mm.
    #[must_use]
    pub fn pinhole_ray(&self, row: f64, column: f64) -> (Vector3<f64>, Vector3<f64>) {
        let k = self.intrinsics;
        let ahead = Vector3::new((column - k.cx) / k.fx, (row - k.cy) / k.fy, 1.0);
        (self.centre_mm(), rotation_of(&self.pose).transpose() * ahead)
    }

    /// The camera's centre in the world, mm.
    #[must_use]
    pub fn centre_mm(&self) -> Vector3<f64> {
        -(rotation_of(&self.pose).transpose() * Vector3::from(self.pose.translation_mm))
    }
}

impl Intrinsics {
    fn pixel(&self, x: f64, y: f64, depth_mm: f64) -> Projected {
        Projected { x: self.fx * x + self.cx, y: self.fy * y + self.cy, depth_mm }
    }
}

/// The rotation of a pose as a matrix.
#[must_use]
pub(crate) fn rotation_of(pose: &Pose) -> Matrix3<f64> {
    Matrix3::from_fn(|r, c| pose.rotation[r][c])
}

/// OpenCV's forward lens model on normalised coordinates (calib3d, "Detailed Description").
#[must_use]
pub(crate) fn distort(lens: &Distortion, x: f64, y: f64) -> [f64; 2] {
    let [k1, k2, p1, p2, k3, k4, k5, k6] = lens.0;
    let r2 = x * x + y * y;
    let radial = (1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1.0 + r2 * (k4 + r2 * (k5 + r2 * k6)));
    [x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x), y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y]
}

/// The inverse of [`distort`] by fixed-point iteration; lenses of the usual strength settle in a few steps.
#[must_use]
pub(crate) fn undistort(lens: &Distortion, xd: f64, yd: f64) -> [f64; 2] {
    let (mut x, mut y) = (xd, yd);
    for _ in 0..30 {
        let [ex, ey] = distort(lens, x, y);
        let (dx, dy) = (xd - ex, yd - ey);
        x += dx;
        y += dy;
        if dx * dx + dy * dy < 1e-20 {
            break;
        }
    }
    [x, y]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn camera(k: [f64; 8]) -> Camera {
        Camera {
            width: 640,
            height: 480,
            intrinsics: Intrinsics { fx: 850.0, fy: 840.0, cx: 322.0, cy: 238.0 },
            distortion: Distortion(k),
            pose: Pose {
                rotation: [[0.8, -0.6, 0.0], [0.36, 0.48, -0.8], [0.48, 0.64, 0.6]],
                translation_mm: [10.0, -20.0, 900.0],
            },
        }
    }

    proptest! {
        #[test]
        fn undistort_inverts_distort(x in -0.4..0.4f64, y in -0.3..0.3f64, k1 in -0.2..0.1f64, k2 in -0.05..0.05f64) {
            let lens = Distortion([k1, k2, 4e-4, -3e-4, 0.0, 0.0, 0.0, 0.0]);
            let [xd, yd] = distort(&lens, x, y);
            let [xu, yu] = undistort(&lens, xd, yd);
            prop_assert!((xu - x).abs() < 1e-8 && (yu - y).abs() < 1e-8);
        }

        #[test]
        fn jacobian_is_the_difference_quotient(p in prop::array::uniform3(-150.0..150.0f64)) {
            let camera = camera([0.0; 8]);
            let j = camera.pixel_per_world(p);
            let h = 1e-4;
            for axis in 0..3 {
                let mut q = p;
                q[axis] += h;
                let (a, b) = (camera.pinhole_pixel_from_world(p), camera.pinhole_pixel_from_world(q));
                prop_assert!(((b.x - a.x) / h - j[(0, axis)]).abs() < 1e-4);
                prop_assert!(((b.y - a.y) / h - j[(1, axis)]).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn centre_projects_to_depth_zero() {
        let camera = camera([0.0; 8]);
        assert!(camera.camera_from_world(camera.centre_mm().into()).norm() < 1e-9);
    }
}
