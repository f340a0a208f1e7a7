//! The outline of the undeformed mesh in frame 0: where the picture has an edge near the place that the pose expects.
//!
//! Model-based edge tracking (Harris, "Tracking with rigid models", 1992): from points on the drawn outline the
//! strongest edge along the normal is looked up in the picture; the distances across the outline are what
//! [`refine_pose`](crate::geom::pose::refine_pose) explains by a motion of the camera.

use ndarray::Array2;

use super::picture::sample_bicubic;
use super::predict::blend;
use crate::geom::pose::Sighting;
use crate::geom::{Camera, NO_TRIANGLE, Raster, Skin};

/// How to look for edges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutlineOptions {
    /// How far to both sides of the expected place, px.
    pub reach_px: f64,
    /// Every how many outline pixels.
    pub stride: usize,
    /// 1-sigma of one sighting, px; neighbours on one edge share their error, so it is larger than an edge's own.
    pub sigma_px: f64,
}

/// What the picture shows of the outline of the mesh, drawn as `raster` at `positions_mm`.
#[must_use]
pub fn outline_sightings(
    camera: &Camera,
    skin: &Skin,
    raster: &Raster,
    positions_mm: &[[f32; 3]],
    picture: &Array2<f32>,
    options: OutlineOptions,
) -> Vec<Sighting> {
    let (h, w) = picture.dim();
    let covered = |r: i64, c: i64| {
        r >= 0 && c >= 0 && r < h as i64 && c < w as i64 && raster.triangle[(r as usize, c as usize)] != NO_TRIANGLE
    };
    let mut found = Vec::new();
    let mut count = 0usize;
    for r in 4..h.saturating_sub(4) {
        for c in 4..w.saturating_sub(4) {
            let (ri, ci) = (r as i64, c as i64);
            let rim = covered(ri, ci)
                && !(covered(ri - 1, ci) && covered(ri + 1, ci) && covered(ri, ci - 1) && covered(ri, ci + 1));
            if !rim {
                continue;
            }
            count += 1;
            if !count.is_multiple_of(options.stride) {
                continue;
            }
            let Some(normal) = outward_normal(&covered, ri, ci) else { continue };
            let Some(point) = raster.surface_point(camera, skin, r, c) else { continue };
            // The rim's pixel centre lies half a pixel inside the outline.
            let rim = [c as f64 + 0.5 * normal[0], r as f64 + 0.5 * normal[1]];
            let Some(distance) = edge_across(picture, rim, normal, options.reach_px) else { continue };
            let world_mm = blend(positions_mm, skin.triangles[point.triangle as usize], point.barycentric);
            let expected = camera.pinhole_pixel_from_world(world_mm);
            found.push(Sighting {
                world_mm,
                pixel: [
                    expected.x + (rim[0] + distance * normal[0] - c as f64) - 0.5 * normal[0],
                    expected.y + (rim[1] + distance * normal[1] - r as f64) - 0.5 * normal[1],
                ],
                across: Some(normal),
                sigma_px: options.sigma_px,
            });
        }
    }
    found
}

/// Unit vector from the covered to the empty side, from a 7×7 neighbourhood.
fn outward_normal(covered: &impl Fn(i64, i64) -> bool, r: i64, c: i64) -> Option<[f64; 2]> {
    let (mut x, mut y) = (0.0, 0.0);
    for dr in -3..=3 {
        for dc in -3..=3 {
            if !covered(r + dr, c + dc) {
                x += dc as f64;
                y += dr as f64;
            }
        }
    }
    let length = f64::hypot(x, y);
    (length > 4.0).then(|| [x / length, y / length])
}

/// Signed distance in px along `normal` (unit length) from `at` to the strongest edge within `reach_px`; `None` when no
/// edge stands out.
#[must_use]
pub fn edge_across(picture: &Array2<f32>, at: [f64; 2], normal: [f64; 2], reach_px: f64) -> Option<f64> {
    const STEP: f64 = 0.5;
    let steps = (reach_px / STEP).ceil() as i32;
    // Averaging along the edge keeps the surface's own texture from passing for its outline.
    let value = |d: f64| -> Option<f32> {
        let mut sum = 0.0;
        for side in -2..=2 {
            let s = f64::from(side);
            let x = at[0] + d * normal[0] - s * normal[1];
            let y = at[1] + d * normal[1] + s * normal[0];
            sum += sample_bicubic(&picture.view(), x as f32, y as f32)?;
        }
        Some(sum / 5.0)
    };
    let mut strength = Vec::with_capacity((2 * steps + 1) as usize);
    for i in -steps..=steps {
        let d = f64::from(i) * STEP;
        strength.push((value(d + 1.0)? - value(d - 1.0)?).abs());
    }
    let (best, peak) = strength.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, s)| (i, *s))?;
    let second =
        strength.iter().enumerate().filter(|(i, _)| i.abs_diff(best) > 4).map(|(_, s)| *s).fold(0.0f32, f32::max);
    if peak < 0.04 || second > 0.7 * peak || best == 0 || best + 1 == strength.len() {
        return None;
    }
    let (a, b, c) = (strength[best - 1], peak, strength[best + 1]);
    let vertex = if (a - 2.0 * b + c).abs() > 1e-9 { 0.5 * (a - c) / (a - 2.0 * b + c) } else { 0.0 };
    Some((best as f64 - f64::from(steps) + f64::from(vertex)) * STEP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Distortion, Intrinsics, Pose};
    use crate::geom::pose::{PosePrior, moved_pose, refine_pose};
    use crate::geom::rasterise;

    #[test]
    fn the_outline_of_a_plate_brings_the_camera_back() {
        let camera = Camera {
            width: 320,
            height: 240,
            intrinsics: Intrinsics { fx: 500.0, fy: 500.0, cx: 160.0, cy: 120.0 },
            distortion: Distortion::default(),
            pose: Pose {
                rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
                translation_mm: [0.0, 0.0, 500.0],
            },
        };
        let positions = vec![[-80.0, -60.0, 0.0], [90.0, -50.0, 0.0], [80.0, 60.0, 0.0], [-90.0, 50.0, 0.0]];
        let skin = Skin { triangles: vec![[0, 1, 2], [0, 2, 3]], element_of: vec![0, 0] };
        let motion = nalgebra::Vector6::new(0.002, -0.0015, 0.004, 0.8, -0.5, 0.0);
        let truth = camera.at(moved_pose(&camera.pose, &motion));
        let seen = rasterise(&truth, &skin, &positions);
        let picture = Array2::from_shape_fn((240, 320), |at| if seen.triangle[at] == NO_TRIANGLE { 0.2 } else { 0.8 });
        let mut at = camera;
        for _ in 0..3 {
            let raster = rasterise(&at, &skin, &positions);
            let options = OutlineOptions { reach_px: 8.0, stride: 3, sigma_px: 1.0 };
            let sightings = outline_sightings(&at, &skin, &raster, &positions, &picture, options);
            assert!(sightings.len() > 100);
            at.pose = refine_pose(&at, &sightings, Some(PosePrior::default())).expect("determined").pose;
        }
        for p in [[-80.0, -60.0, 0.0], [80.0, 60.0, 0.0]] {
            let (a, b) = (truth.pinhole_pixel_from_world(p), at.pinhole_pixel_from_world(p));
            assert!((a.x - b.x).hypot(a.y - b.y) < 0.35, "{a:?} {b:?}");
        }
    }
}
