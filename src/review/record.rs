//! From the tracker's state to the field that is reported: which nodes a camera sees, and how well they are known.

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use super::measure::CameraTrack;
use super::session::{Measured, ReviewSetup, vector};
use super::track::TrackedStep;
use crate::domain::FrameField;
use crate::geom::{PinholeView, Raster, rasterise};

/// For each camera, which nodes the mesh at its measured place would show.
pub(super) fn nodes_in_view(setup: &ReviewSetup<'_>, tracks: &[CameraTrack], positions: &[[f32; 3]]) -> Vec<Vec<bool>> {
    tracks
        .par_iter()
        .map(|t| {
            let raster = rasterise(&t.view.camera, setup.skin, positions);
            positions.par_iter().map(|p| sees(&t.view, &raster, *p)).collect()
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

/// Beyond this sigma nothing is reported of a node, seen or not: in mm (a fifth of the usual tolerance), in px of the
/// camera, and as a share of its deviation, whichever is largest. Of twelve limits that were tried on seven pairs
/// of `scripts/pairs.txt` it leaves less unsaid than those with the same error of what is reported.
const LARGEST_REPORTED_SIGMA: (f64, f64, f64) = (1.0, 0.5, 0.15);

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
        let clock = speed[node] * offset_sigma_s;
        let covariance: Matrix3<f64> = step.covariance_mm2(node) + clock * clock.transpose();
        let deviation = step.deviation_mm(node);
        let mut worst: Option<f64> = None;
        let mut rays = Vec::new();
        let mut mm_per_px = 0.0f64;
        in_view[node] = seen.iter().any(|s| s[node]);
        if !on_skin[node] {
            continue;
        }
        for (track, seen) in tracks.iter().zip(seen) {
            // What no camera should see is known from its surroundings: as any camera would see it.
            if !seen[node] && in_view[node] {
                continue;
            }
            let p = vector(simulated[node]) + deviation;
            let j = track.view.camera.pixel_per_world(p.into());
            let depth = track.view.camera.pinhole_pixel_from_world(p.into()).depth_mm;
            let mm = depth / track.view.camera.intrinsics.fx;
            mm_per_px = mm_per_px.max(mm);
            let plane = j * covariance * j.transpose() * mm * mm;
            let sigma = plane.trace().max(0.0).sqrt();
            rays.push((p - track.view.camera.centre_mm()).normalize());
            worst = Some(worst.map_or(sigma, |w: f64| w.max(sigma)));
        }
        let Some(sigma) = worst else { continue };
        let mut d = deviation;
        if let [ray] = rays[..] {
            // One camera: what lies along its ray is the neighbours' guess, not a measurement.
            d -= ray * ray.dot(&d);
        }
        let unit = d.try_normalize(1e-9).unwrap_or_else(Vector3::x);
        if in_view[node] {
            size[node] = d.norm() as f32;
            along[node] = unit.dot(&(covariance * unit)).max(0.0).sqrt() as f32;
        }
        let (mm, px, share) = LARGEST_REPORTED_SIGMA;
        if sigma <= mm.max(px * mm_per_px).max(share * d.norm()) {
            field.deviation_mm[node] = [d.x as f32, d.y as f32, d.z as f32];
            field.sigma_mm[node] = sigma as f32;
        }
    }
    measured.fields.push(field);
    measured.size_mm.push(size);
    measured.along_sigma_mm.push(along);
    measured.in_view.push(in_view);
    measured.residuals_px.push(step.residuals_px.clone());
}
