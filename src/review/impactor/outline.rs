//! The impactor's place to a few mm, from its outline: the two straight edges that every camera sees in every frame.
//!
//! The background does not go along with it, so that only the impactor's own edges are strong in all frames at once.

use ndarray::Array2;
use rayon::prelude::*;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSource, SessionError, load_pictures};
use super::super::timeline::Moment;
use super::approach::{Approach, Place};
use crate::geom::{Camera, Cylinder};
use crate::vision::sample_bicubic;

/// Frames that are looked at.
const MOMENTS: usize = 7;
/// Points along an edge.
const SAMPLES: usize = 100;
/// Gradient at which an edge counts half, of the toned scale a px.
const HALF: f64 = 0.016;
/// Radii that are tried, as shares of the simulation's.
const RADII: [f64; 7] = [0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 1.0];
/// The best place must be so much stronger than the usual one.
const DISTINCT: f64 = 1.2;

/// One picture with its camera, and how far the impactor has come.
struct Shot {
    camera: Camera,
    picture: Array2<f32>,
    way_mm: f64,
}

/// Moves the place that the motion gave to where the edges are; `None` when no place stands out: then the motion may
/// have been another body's.
pub(super) fn fit_to_outline(
    source: &dyn ReviewSource,
    moments: &[Moment],
    tracks: &[CameraTrack],
    approach: &Approach<'_>,
    start: &Place,
    offset_s: f64,
) -> Result<Option<Place>, SessionError> {
    let mut shots = Vec::new();
    for moment in moments.iter().step_by(moments.len().div_ceil(MOMENTS)) {
        for p in load_pictures(source, tracks, moment)? {
            let (from_s, to_s) = (moments[start.pace.base].time_s + offset_s, moment.time_s + offset_s);
            let way_mm = start.pace.rate * approach.line().simulated_way_between_mm(start.pace.before, from_s, to_s);
            shots.push(Shot { camera: tracks[p.camera].view.camera, picture: p.picture, way_mm });
        }
    }
    let radius = approach.radius_mm();
    let strength = |place: &Place| {
        let cylinder = approach.filmed(place);
        mean(shots.iter().filter_map(|s| edge(s, &cylinder.moved(approach.direction() * s.way_mm))))
    };
    let grid = |centre: &Place, step: f64, reach: i32| {
        let steps = || (-reach..=reach).map(|i| f64::from(i) * step);
        let places = steps().flat_map(|beside| steps().map(move |along| [beside, along])).map(|[beside, along]| {
            Place { lateral_mm: centre.lateral_mm + beside, along_mm: centre.along_mm + along, ..*centre }
        });
        let mut found: Vec<(f64, Place)> =
            places.collect::<Vec<_>>().into_par_iter().map(|p| (strength(&p), p)).collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found
    };
    let (mut most, mut best) = (0.0, None);
    for radius_share in RADII {
        let coarse = grid(&Place { radius_share, ..*start }, 0.03 * radius, 7);
        let (strongest, place) = grid(&coarse[0].1, 0.008 * radius, 4)[0];
        if strongest > most && strongest > DISTINCT * coarse[coarse.len() / 2].0 {
            (most, best) = (strongest, Some(place));
        }
    }
    tracing::debug!(most, ?best, "the impactor's outline");
    Ok(best)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0usize), |(s, n), v| (s + v, n + 1));
    sum / n.max(1) as f64
}

/// How strong the picture's edges are along the two edges of the cylinder, 0 to 1; `None` when they are out of view.
fn edge(shot: &Shot, cylinder: &Cylinder) -> Option<f64> {
    /// Distance over which the step is measured, px.
    const STEP_PX: f64 = 1.5;
    let picture = shot.picture.view();
    let (mut sum, mut n) = (0.0, 0usize);
    for [a, b] in cylinder.outline(&shot.camera)? {
        let [p, q] = [a, b].map(|p| shot.camera.pinhole_pixel_from_world(p.into()));
        let length = (q.x - p.x).hypot(q.y - p.y);
        if p.depth_mm <= 0.0 || q.depth_mm <= 0.0 || length < 1.0 {
            return None;
        }
        let normal = [-(q.y - p.y) / length * STEP_PX, (q.x - p.x) / length * STEP_PX];
        for i in 0..SAMPLES {
            // The ends are left out: there the rims begin.
            let t = 0.05 + 0.9 * (i as f64 + 0.5) / SAMPLES as f64;
            let (x, y) = (p.x + t * (q.x - p.x), p.y + t * (q.y - p.y));
            let at = |s: f64| sample_bicubic(&picture, (x + s * normal[0]) as f32, (y + s * normal[1]) as f32);
            let (Some(left), Some(right)) = (at(-1.0), at(1.0)) else { continue };
            let gradient = f64::from((left - right).abs()) / (2.0 * STEP_PX);
            sum += gradient / (gradient + HALF);
            n += 1;
        }
    }
    (n > SAMPLES / 2).then(|| sum / n as f64)
}
