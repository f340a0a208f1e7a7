//! From the tracker's state to the field that is reported: which nodes a camera sees, and how well they are known.

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use super::measure::CameraTrack;
use super::session::{Measured, vector};
use super::track::TrackedStep;
use crate::domain::FrameField;
use crate::geom::{PinholeView, Raster, Skin, rasterise};

/// For each camera, which nodes the mesh at its measured place would show; none of what has eroded.
pub(super) fn nodes_in_view(skin: &Skin, tracks: &[CameraTrack], positions: &[[f32; 3]]) -> Vec<Vec<bool>> {
    let there = skin.is_on_skin(positions.len());
    tracks
        .par_iter()
        .map(|t| {
            let raster = rasterise(&t.view.camera, skin, positions);
            positions.par_iter().zip(&there).map(|(p, there)| *there && sees(&t.view, &raster, *p)).collect()
        })
        .collect()
}

/// True when the node at `p` is the nearest surface at its pixel, within the slack of one pixel's slope.
pub(super) fn sees(view: &PinholeView, raster: &Raster, p: [f32; 3]) -> bool {
    let at = view.camera.pinhole_pixel_from_world(p.map(f64::from));
    let (h, w) = raster.depth_mm.dim();
    let (x, y) = (at.x.round(), at.y.round());
    if !(at.depth_mm > 0.0 && x >= 1.0 && y >= 1.0 && x < w as f64 - 1.0 && y < h as f64 - 1.0) {
        return false;
    }
    let (r, c) = (y as usize, x as usize);
    if !view.is_inside(r, c) {
        return false;
    }
    let mut farthest = f32::NEG_INFINITY;
    for i in r - 1..=r + 1 {
        for j in c - 1..=c + 1 {
            farthest = farthest.max(raster.depth_mm[(i, j)]);
        }
    }
    at.depth_mm as f32 <= farthest * 1.005 + 1.5
}

/// How a camera sees a node that is known with some covariance.
#[derive(Clone, Copy)]
struct Sight {
    /// From the camera to the node, unit length.
    ray: Vector3<f64>,
    /// Where the camera looks, unit length.
    axis: Vector3<f64>,
    /// Sigma of its place across the ray, mm …
    sigma_mm: f64,
    /// … and along it.
    along_mm: f64,
    mm_per_px: f64,
}

impl Sight {
    fn of(view: &PinholeView, at_mm: Vector3<f64>, covariance_mm2: &Matrix3<f64>) -> Self {
        let camera = &view.camera;
        let j = camera.pixel_per_world(at_mm.into());
        let mm_per_px = camera.pinhole_pixel_from_world(at_mm.into()).depth_mm / camera.intrinsics.fx;
        let across = (j * covariance_mm2 * j.transpose()).trace().max(0.0).sqrt();
        let ray = (at_mm - camera.centre_mm()).normalize();
        let along_mm = ray.dot(&(covariance_mm2 * ray)).max(0.0).sqrt();
        Self { ray, axis: camera.pose.rotation[2].into(), sigma_mm: across * mm_per_px, along_mm, mm_per_px }
    }

    /// The smallest deviation that shows the same in the picture.
    fn smallest(&self, deviation_mm: Vector3<f64>) -> Vector3<f64> {
        deviation_mm - self.ray * self.ray.dot(&deviation_mm)
    }

    /// The deviation that shows the same in the picture and stays as far from the camera's plane.
    fn as_deep(&self, deviation_mm: Vector3<f64>) -> Vector3<f64> {
        deviation_mm - self.ray * (self.axis.dot(&deviation_mm) / self.axis.dot(&self.ray))
    }
}

/// A deviation, and the cameras whose view of it is judged.
struct Known<'a> {
    deviation_mm: Vector3<f64>,
    sights: &'a [Sight],
    /// Whether a study told of what is not seen.
    by_study: bool,
}

impl<'a> Known<'a> {
    /// `all` is how every camera would see the node, `seeing` how those do that show it. Of one camera only, what lies
    /// along its ray is the neighbours' guess: it is left out, unless there is another camera that sees the neighbours, and
    /// it is as sure as what is reported. What no camera shows is known from its surroundings: as any camera would see it.
    /// A study, too, guesses what lies along the ray; it is no evidence of the film. In a film of one camera the deviation
    /// stays at the simulation's depth, as in 2-D image correlation: so a plate that faces the camera stays in its plane.
    fn of(deviation_mm: Vector3<f64>, all: &'a [Sight], seeing: &'a [Sight], by_study: bool) -> Self {
        let whole = Self { deviation_mm, sights: if seeing.len() > 1 { seeing } else { all }, by_study };
        let [only] = seeing else { return whole };
        if !by_study && all.len() > 1 && whole.is_reported() && only.along_mm <= whole.limit_mm() {
            return whole;
        }
        let seen_mm = if all.len() > 1 { only.smallest(deviation_mm) } else { only.as_deep(deviation_mm) };
        Self { deviation_mm: seen_mm, sights: seeing, by_study }
    }

    fn sigma_mm(&self) -> f64 {
        self.sights.iter().map(|s| s.sigma_mm).fold(0.0, f64::max)
    }

    fn limit_mm(&self) -> f64 {
        let (mm, px, share) = LARGEST_REPORTED_SIGMA;
        let mm_per_px = self.sights.iter().map(|s| s.mm_per_px).fold(0.0, f64::max);
        mm.max(px * mm_per_px).max(share * self.deviation_mm.norm())
    }

    /// With a study everything is: its sigma is that of designs which differ, and holds where nothing is seen.
    fn is_reported(&self) -> bool {
        self.by_study || self.sigma_mm() <= self.limit_mm()
    }
}

/// Beyond this sigma nothing is reported of a node, seen or not: in mm (a fifth of the usual tolerance), in px of the
/// camera, and as a share of its deviation, whichever is largest. Of twelve limits that were tried on seven pairs
/// of `scripts/pairs.txt` it leaves less unsaid than those with the same error of what is reported.
const LARGEST_REPORTED_SIGMA: (f64, f64, f64) = (1.0, 0.5, 0.15);

/// What no camera measured may be ahead of its simulation or behind it, 1-sigma, s: it is told from its surroundings, as
/// if it had deformed as far as in the simulation. Of the values from 0 to 0.3 ms that were tried on pairs of the studies
/// the larger leave less error in what is reported; from 0.2 ms on bumper-T3's sigma is too wide.
const UNSEEN_CLOCK_S: f64 = 1.5e-4;

#[expect(clippy::too_many_arguments, reason = "the parts of one step, used once")]
pub(super) fn record_step(
    measured: &mut Measured,
    time_s: f64,
    step: &TrackedStep,
    seen: &[Vec<bool>],
    simulated: &[[f32; 3]],
    speed: &[Vector3<f64>],
    offset_sigma_s: f64,
    tracks: &[CameraTrack],
) {
    let n = simulated.len();
    let on_skin = step.on_skin();
    let mut field = FrameField {
        time_s,
        deviation_mm: vec![[f32::NAN; 3]; n],
        sigma_mm: vec![f32::NAN; n],
        observed: (0..n).map(|node| step.observed(node)).collect(),
    };
    let mut size = vec![f32::NAN; n];
    let mut along = vec![f32::NAN; n];
    let mut in_view = vec![false; n];
    for node in 0..n {
        let own_s = if step.by_study || step.observed(node) > 0 { 0.0 } else { UNSEEN_CLOCK_S };
        let clock = speed[node] * offset_sigma_s.hypot(own_s);
        let covariance: Matrix3<f64> = step.covariance_mm2(node) + clock * clock.transpose();
        let deviation = step.deviation_mm(node);
        in_view[node] = seen.iter().any(|s| s[node]);
        if !on_skin[node] {
            continue;
        }
        let at = vector(simulated[node]) + deviation;
        let all: Vec<Sight> = tracks.iter().map(|t| Sight::of(&t.view, at, &covariance)).collect();
        let seeing: Vec<Sight> = all.iter().zip(seen).filter(|(_, s)| s[node]).map(|(s, _)| *s).collect();
        let known = Known::of(deviation, &all, &seeing, step.by_study);
        let d = known.deviation_mm;
        let unit = d.try_normalize(1e-9).unwrap_or_else(Vector3::x);
        if in_view[node] {
            size[node] = d.norm() as f32;
            along[node] = unit.dot(&(covariance * unit)).max(0.0).sqrt() as f32;
        }
        if known.is_reported() {
            field.deviation_mm[node] = [d.x as f32, d.y as f32, d.z as f32];
            field.sigma_mm[node] = known.sigma_mm() as f32;
        }
    }
    measured.fields.push(field);
    measured.size_mm.push(size);
    measured.along_sigma_mm.push(along);
    measured.in_view.push(in_view);
    measured.seen_by.push(step.seen_by.clone());
    measured.by_study.push(step.by_study);
    measured.residuals_px.push(step.residuals_px.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_leave_out_the_ray_show_the_same_and_one_keeps_the_depth() {
        let ray = Vector3::new(0.3, -0.2, 1.0).normalize();
        let sight = Sight { ray, axis: Vector3::z(), sigma_mm: 0.1, along_mm: 9.0, mm_per_px: 1.0 };
        let whole = Vector3::new(3.0, 12.0, -4.0);
        let (smallest, as_deep) = (sight.smallest(whole), sight.as_deep(whole));
        assert!(smallest.dot(&ray).abs() < 1e-12 && as_deep.z.abs() < 1e-12, "{smallest} {as_deep}");
        for seen in [smallest, as_deep] {
            assert!((whole - seen).cross(&ray).norm() < 1e-12, "it differs along the ray alone: {seen}");
        }
        assert!(smallest.norm() < as_deep.norm());
    }
}
