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
    let sighting = |rim: RimPoint| {
        let RimPoint { pixel: [r, c], at, normal } = rim;
        let point = raster.surface_point(camera, skin, r, c)?;
        let distance = edge_across(picture, at, normal, options.reach_px)?;
        let world_mm = blend(positions_mm, skin.triangles[point.triangle as usize], point.barycentric);
        let expected = camera.pinhole_pixel_from_world(world_mm);
        let pixel = [
            expected.x + (at[0] + distance * normal[0] - c as f64) - 0.5 * normal[0],
            expected.y + (at[1] + distance * normal[1] - r as f64) - 0.5 * normal[1],
        ];
        Some(Sighting { world_mm, pixel, across: Some(normal), sigma_px: options.sigma_px })
    };
    rim_points(raster, options.stride).into_iter().filter_map(sighting).collect()
}

/// How much an outline stands out from what lies on either side of it: how often the picture's edge on the outline is
/// stronger than one beside it, 0 to 1. By chance it is one half.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Prominence {
    /// Places of the outline that were looked at.
    pub places: usize,
    /// Over all of them, beside edges on the mesh's side.
    pub inside: f64,
    /// Beside edges on the other side.
    pub outside: f64,
}

impl Prominence {
    /// What is seen of one outline in two pictures.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let places = self.places + other.places;
        let mean = |a: f64, b: f64| (self.places as f64 * a + other.places as f64 * b) / places.max(1) as f64;
        Self { places, inside: mean(self.inside, other.inside), outside: mean(self.outside, other.outside) }
    }

    /// On the side that is less restless: a printed grid, or a floor in the sun, has stronger edges than any outline.
    #[must_use]
    pub fn stronger(self) -> f64 {
        self.inside.max(self.outside)
    }
}

/// How much the outline of the mesh, drawn as `raster`, stands out in the picture from what lies up to `reach_px` to both
/// sides. It ranks edges and does not ask how strong they are, so that a grey part on a grey floor counts like a white
/// part on a black one.
#[must_use]
pub fn outline_prominence(raster: &Raster, picture: &Array2<f32>, reach_px: f64, stride: usize) -> Prominence {
    /// An edge this close is the outline's, one that lies farther than this beside it is another one, px.
    const ON_PX: f64 = 1.0;
    const BESIDE_PX: f64 = 3.0;
    let look = |rim: RimPoint| {
        let strength = strength_across(picture, rim.at, rim.normal, reach_px)?;
        let middle = (strength.len() / 2) as f64;
        let pick = |wanted: &dyn Fn(f64) -> bool| -> Vec<f32> {
            let off_px = |i: usize| (i as f64 - middle) * STEP_PX;
            strength.iter().enumerate().filter(|(i, _)| wanted(off_px(*i))).map(|(_, s)| *s).collect()
        };
        let on = pick(&|d| d.abs() <= ON_PX);
        let over = |beside: Vec<f32>| {
            let wins = on.iter().map(|a| beside.iter().filter(|b| a > b).count()).sum::<usize>();
            wins as f64 / (on.len() * beside.len()).max(1) as f64
        };
        let (inside, outside) = (over(pick(&|d| d < -BESIDE_PX)), over(pick(&|d| d > BESIDE_PX)));
        Some(Prominence { places: 1, inside, outside })
    };
    rim_points(raster, stride).into_iter().filter_map(look).fold(Prominence::default(), Prominence::and)
}

/// A pixel on the rim of what is drawn.
struct RimPoint {
    /// Row and column.
    pixel: [usize; 2],
    /// The outline there: the rim's pixel centre lies half a pixel inside of it. Column and row, px.
    at: [f64; 2],
    /// From the covered to the empty side, unit length.
    normal: [f64; 2],
}

/// Every `stride`-th pixel of the rim that has a clear direction.
fn rim_points(raster: &Raster, stride: usize) -> Vec<RimPoint> {
    let (h, w) = raster.triangle.dim();
    let covered = |r: i64, c: i64| {
        r >= 0 && c >= 0 && r < h as i64 && c < w as i64 && raster.triangle[(r as usize, c as usize)] != NO_TRIANGLE
    };
    let on_rim = |&(r, c): &(i64, i64)| {
        covered(r, c) && !(covered(r - 1, c) && covered(r + 1, c) && covered(r, c - 1) && covered(r, c + 1))
    };
    let pixels = (4..h as i64 - 4).flat_map(|r| (4..w as i64 - 4).map(move |c| (r, c)));
    pixels
        .filter(on_rim)
        .skip(stride.saturating_sub(1))
        .step_by(stride.max(1))
        .filter_map(|(r, c)| {
            let normal = outward_normal(&covered, r, c)?;
            let at = [c as f64 + 0.5 * normal[0], r as f64 + 0.5 * normal[1]];
            Some(RimPoint { pixel: [r as usize, c as usize], at, normal })
        })
        .collect()
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

/// Distance between two places across an outline at which the edge is told, px.
const STEP_PX: f64 = 0.5;

/// Signed distance in px along `normal` (unit length) from `at` to the strongest edge within `reach_px`; `None` when no
/// edge stands out.
#[must_use]
pub fn edge_across(picture: &Array2<f32>, at: [f64; 2], normal: [f64; 2], reach_px: f64) -> Option<f64> {
    let strength = strength_across(picture, at, normal, reach_px)?;
    let (best, peak) = strength.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map(|(i, s)| (i, *s))?;
    let second =
        strength.iter().enumerate().filter(|(i, _)| i.abs_diff(best) > 4).map(|(_, s)| *s).fold(0.0f32, f32::max);
    if peak < 0.04 || second > 0.7 * peak || best == 0 || best + 1 == strength.len() {
        return None;
    }
    let (a, b, c) = (strength[best - 1], peak, strength[best + 1]);
    let vertex = if (a - 2.0 * b + c).abs() > 1e-9 { 0.5 * (a - c) / (a - 2.0 * b + c) } else { 0.0 };
    Some((best as f64 - (strength.len() / 2) as f64 + f64::from(vertex)) * STEP_PX)
}

/// Strength of the edge at places across an outline, [`STEP_PX`] apart, from `reach_px` inside to as far outside; `None`
/// where the picture ends.
fn strength_across(picture: &Array2<f32>, at: [f64; 2], normal: [f64; 2], reach_px: f64) -> Option<Vec<f32>> {
    let steps = (reach_px / STEP_PX).ceil() as i32;
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
    let edge = |i: i32| {
        let d = f64::from(i) * STEP_PX;
        Some((value(d + 1.0)? - value(d - 1.0)?).abs())
    };
    (-steps..=steps).map(edge).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Distortion, Intrinsics, Pose};
    use crate::geom::pose::{PosePrior, moved_pose, refine_pose};
    use crate::geom::rasterise;

    fn camera() -> Camera {
        Camera {
            width: 320,
            height: 240,
            intrinsics: Intrinsics { fx: 500.0, fy: 500.0, cx: 160.0, cy: 120.0 },
            distortion: Distortion::default(),
            pose: Pose {
                rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
                translation_mm: [0.0, 0.0, 500.0],
            },
        }
    }

    fn plate_skin() -> Skin {
        Skin { triangles: vec![[0, 1, 2], [0, 2, 3]], element_of: vec![0, 0] }
    }

    #[test]
    fn the_outline_of_a_plate_brings_the_camera_back() {
        let camera = camera();
        let positions = vec![[-80.0, -60.0, 0.0], [90.0, -50.0, 0.0], [80.0, 60.0, 0.0], [-90.0, 50.0, 0.0]];
        let skin = plate_skin();
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

    /// A plate of another grey than what lies behind it, both more restless than they differ; and the plate drawn where
    /// it is and where it is not.
    #[test]
    fn a_faint_outline_stands_out_where_it_is_and_nowhere_else() {
        let plate = |x: f32, y: f32| {
            let corners = [[x, y, 0.0], [x + 160.0, y, 0.0], [x + 160.0, y + 110.0, 0.0], [x, y + 110.0, 0.0]];
            rasterise(&camera(), &plate_skin(), &corners)
        };
        let (there, elsewhere) = (plate(-80.0, -60.0), plate(-60.0, -35.0));
        let paint = |(r, c): (usize, usize)| 0.05 * (0.7 * r as f32).sin() * (0.9 * c as f32).cos();
        let grey = |at: (usize, usize)| if there.triangle[at] == NO_TRIANGLE { 0.5 } else { 0.56 };
        let picture = Array2::from_shape_fn((240, 320), |at| grey(at) + paint(at));
        let seen = outline_prominence(&there, &picture, 14.0, 2);
        let beside = outline_prominence(&elsewhere, &picture, 14.0, 2);
        assert!(seen.places > 150 && seen.stronger() > 0.7, "{seen:?}");
        assert!((beside.stronger() - 0.5).abs() < 0.12, "{beside:?}");
    }
}
