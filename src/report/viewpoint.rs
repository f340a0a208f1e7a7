//! From where to look at a structure: upright as in the film, from the side that was filmed.

use nalgebra::{Matrix3, SymmetricEigen, Vector3};

use crate::domain::{Distortion, Intrinsics, Pose};
use crate::geom::Camera;

/// Middle of the bounding box, mm.
pub(super) fn centre_of(points: &[[f32; 3]]) -> Vector3<f64> {
    let (mut low, mut high) = (Vector3::repeat(f64::INFINITY), Vector3::repeat(f64::NEG_INFINITY));
    for p in points {
        let p = Vector3::from(p.map(f64::from));
        (low, high) = (low.inf(&p), high.sup(&p));
    }
    (low + high) / 2.0
}

/// Which way is up, and from where to look. The cameras know: up is the first picture's, the side is the one that was
/// filmed. Without cameras the principal axes of the shape decide.
pub(super) fn orientation(
    cameras: &[Camera],
    points: &[[f32; 3]],
    centre: Vector3<f64>,
) -> (Vector3<f64>, Vector3<f64>) {
    if let Some(first) = cameras.first() {
        let [_, y, _] = first.pose.rotation;
        let up = snapped(-Vector3::from(y));
        let mut side: Vector3<f64> = cameras.iter().map(|c| (c.centre_mm() - centre).normalize()).sum();
        if side.norm() < 0.3 {
            // Cameras on opposite sides: take the first one's.
            side = (first.centre_mm() - centre).normalize();
        }
        let flat = side - up * side.dot(&up);
        if flat.norm() > 0.1 && flat.iter().all(|v| v.is_finite()) {
            return (up, flat.normalize());
        }
    }
    let mut spread = Matrix3::zeros();
    for p in points {
        let d = Vector3::from(p.map(f64::from)) - centre;
        spread += d * d.transpose();
    }
    let axes = SymmetricEigen::new(spread);
    let mut order = [0, 1, 2];
    order.sort_by(|a, b| axes.eigenvalues[*b].total_cmp(&axes.eigenvalues[*a]));
    let [long, middle, short] = order.map(|i| axes.eigenvectors.column(i).into_owned());
    (middle, (short + long * 0.4).normalize())
}

/// The world axis that `direction` nearly is, so that upright things stand upright; else itself.
fn snapped(direction: Vector3<f64>) -> Vector3<f64> {
    let axis = direction.iamax();
    if direction[axis].abs() > 0.75 {
        let mut snapped = Vector3::zeros();
        snapped[axis] = direction[axis].signum();
        return snapped;
    }
    direction.normalize()
}

/// Rows of the rotation of a camera that looks along `-direction`.
fn axes_of(direction: Vector3<f64>, up: Vector3<f64>) -> [Vector3<f64>; 3] {
    let forward = -direction.normalize();
    let right = forward.cross(&up).normalize();
    [right, forward.cross(&right), forward]
}

/// Width and height of the shape as seen, mm.
pub(super) fn extents(
    points: &[[f32; 3]],
    centre: Vector3<f64>,
    direction: Vector3<f64>,
    up: Vector3<f64>,
) -> (f64, f64) {
    let [right, down, _] = axes_of(direction, up);
    let span = |axis: Vector3<f64>| {
        let reach = |p: &[f32; 3]| (Vector3::from(p.map(f64::from)) - centre).dot(&axis).abs();
        2.0 * points.iter().map(reach).fold(1e-6, f64::max)
    };
    (span(right), span(down))
}

/// A far camera whose picture of `size` the whole shape fills.
pub(super) fn camera_from(
    points: &[[f32; 3]],
    centre: Vector3<f64>,
    direction: Vector3<f64>,
    up: Vector3<f64>,
    size: (i32, i32),
) -> Camera {
    let rows = axes_of(direction, up);
    let (w, h) = extents(points, centre, direction, up);
    let distance = 12.0 * w.hypot(h);
    let px_per_mm = (f64::from(size.0) * 0.94 / w).min((f64::from(size.1) - 40.0) * 0.96 / h);
    let f = px_per_mm * distance;
    let turned = rows.map(|r| -r.dot(&centre));
    Camera {
        width: size.0 as usize,
        height: size.1 as usize,
        intrinsics: Intrinsics {
            fx: f,
            fy: f,
            cx: f64::from(size.0 - 1) / 2.0,
            cy: f64::from(size.1 - 1) / 2.0 + 12.0,
        },
        distortion: Distortion::default(),
        pose: Pose {
            rotation: rows.map(|r| [r.x, r.y, r.z]),
            translation_mm: [turned[0], turned[1], turned[2] + distance],
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_shape_is_in_the_picture_from_any_side() {
        let points: Vec<[f32; 3]> =
            (0..8).map(|i| [(i & 1) as f32 * 60.0, (i >> 1 & 1) as f32 * 80.0, (i >> 2) as f32 * 300.0]).collect();
        let centre = centre_of(&points);
        let (up, towards) = orientation(&[], &points, centre);
        for direction in [towards, -towards, towards + up * 0.4] {
            let camera = camera_from(&points, centre, direction, up, (500, 400));
            for p in &points {
                let seen = camera.pixel_from_world(p.map(f64::from));
                assert!(seen.depth_mm > 0.0 && (0.0..500.0).contains(&seen.x) && (0.0..400.0).contains(&seen.y));
            }
        }
    }
}
