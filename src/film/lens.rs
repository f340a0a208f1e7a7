//! The lens: where it shows a point, and how sharp.
//!
//! The rasteriser knows no lenses. So the nodes are moved in the camera's own space to where a pin-hole camera would
//! show them at the distorted pixel; edges stay straight between nodes, which is off by about 0.01 px at the element
//! sizes of a film's structure and exact at its nodes.

use ndarray::{Array3, Axis};
use rayon::prelude::*;

use crate::domain::{Distortion, Intrinsics, Pose};
use crate::geom::{Camera, Projected};

/// A pose that leaves everything where it is: the nodes are in camera space already.
const AT_ORIGIN: Pose =
    Pose { rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], translation_mm: [0.0; 3] };

/// A part of a picture: first column and row, width and height, px.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub x: usize,
    /// First row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Window {
    /// The whole picture of a camera.
    #[must_use]
    pub fn whole(camera: &Camera) -> Self {
        Self { x: 0, y: 0, width: camera.width, height: camera.height }
    }
}

/// Points in a space in which a pin-hole camera at the origin shows them where the lens of `camera` does.
#[must_use]
pub(super) fn bend(camera: &Camera, positions_mm: &[[f32; 3]]) -> Vec<[f32; 3]> {
    let limit = farthest_squared(camera);
    positions_mm
        .par_iter()
        .map(|p| {
            let q = camera.camera_from_world(p.map(f64::from));
            if q.z < 1.0 {
                return [q.x as f32, q.y as f32, q.z as f32];
            }
            let [x, y] = [q.x / q.z, q.y / q.z];
            let r2 = x * x + y * y;
            // Beyond the rim of the picture a lens polynomial may fold back; there the rim's magnification goes on.
            let scale = if r2 > limit { (limit / r2).sqrt() } else { 1.0 };
            let lens = Camera { pose: AT_ORIGIN, ..*camera };
            let Projected { x: u, y: v, .. } = lens.pixel_from_world([x * scale, y * scale, 1.0]);
            let k = camera.intrinsics;
            let (xd, yd) = ((u - k.cx) / k.fx / scale, (v - k.cy) / k.fy / scale);
            [(xd * q.z) as f32, (yd * q.z) as f32, q.z as f32]
        })
        .collect()
}

/// Squared radius (normalised) a little outside of the picture's farthest corner.
fn farthest_squared(camera: &Camera) -> f64 {
    let k = camera.intrinsics;
    let x = (k.cx / k.fx).max((camera.width as f64 - k.cx) / k.fx);
    let y = (k.cy / k.fy).max((camera.height as f64 - k.cy) / k.fy);
    1.35 * (x * x + y * y)
}

/// The pin-hole camera for [`bend`]ed points that samples `window` at `offset` px from the pixels' centres.
#[must_use]
pub(super) fn flat_camera(camera: &Camera, window: Window, offset: [f64; 2]) -> Camera {
    let k = camera.intrinsics;
    Camera {
        width: window.width,
        height: window.height,
        intrinsics: Intrinsics { cx: k.cx - window.x as f64 - offset[0], cy: k.cy - window.y as f64 - offset[1], ..k },
        distortion: Distortion::default(),
        pose: AT_ORIGIN,
    }
}

/// Blurs the planes of a picture with a Gaussian of `sigma_px`; the rim is repeated.
pub(super) fn blur(picture: &mut Array3<f32>, sigma_px: f32) {
    if sigma_px < 0.05 {
        return;
    }
    let reach = (3.0 * sigma_px).ceil() as i32;
    let mut weights: Vec<f32> = (-reach..=reach).map(|i| (-0.5 * (i as f32 / sigma_px).powi(2)).exp()).collect();
    let sum: f32 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= sum);
    for mut plane in picture.axis_iter_mut(Axis(0)) {
        for axis in [Axis(1), Axis(0)] {
            let lanes: Vec<_> = plane.lanes_mut(axis).into_iter().collect();
            lanes.into_par_iter().for_each(|mut lane| {
                let line = lane.to_vec();
                let last = line.len() as i32 - 1;
                for (i, out) in lane.iter_mut().enumerate() {
                    *out = (-reach..=reach)
                        .zip(&weights)
                        .map(|(d, w)| w * line[(i as i32 + d).clamp(0, last) as usize])
                        .sum();
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bent_points_are_shown_where_the_lens_shows_them() {
        let camera = Camera {
            width: 640,
            height: 480,
            intrinsics: Intrinsics { fx: 800.0, fy: 800.0, cx: 322.0, cy: 243.0 },
            distortion: Distortion([-0.13, 0.02, 3e-4, -2e-4, 0.0, 0.0, 0.0, 0.0]),
            pose: Pose { translation_mm: [3.0, -8.0, 1200.0], ..AT_ORIGIN },
        };
        let window = Window { x: 100, y: 60, width: 320, height: 240 };
        let flat = flat_camera(&camera, window, [0.25, -0.25]);
        for p in [[0.0_f32, 0.0, 0.0], [300.0, -200.0, 40.0], [-420.0, 310.0, -60.0]] {
            let bent = bend(&camera, &[p])[0].map(f64::from);
            let (a, b) = (camera.pixel_from_world(p.map(f64::from)), flat.pinhole_pixel_from_world(bent));
            assert!((a.x - 100.25 - b.x).abs() < 1e-3 && (a.y - 59.75 - b.y).abs() < 1e-3, "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_blur_keeps_the_light() {
        let mut picture = Array3::zeros((1, 31, 31));
        picture[(0, 15, 15)] = 1.0;
        blur(&mut picture, 1.2);
        assert!((picture.sum() - 1.0).abs() < 1e-4 && picture[(0, 15, 15)] < 0.2);
    }
}
