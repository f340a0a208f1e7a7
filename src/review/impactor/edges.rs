//! How strong the pictures' edges are where an impactor's would be, over a whole film.
//!
//! The background does not go along with the impactor, so that only its own edges are strong in all frames at once.

use nalgebra::Vector3;
use ndarray::Array2;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSource, SessionError, load_pictures};
use super::super::timeline::Moment;
use super::travel::Travel;
use crate::geom::Camera;
use crate::vision::sample_bicubic;

/// Frames that are looked at.
const MOMENTS: usize = 7;
/// Gradient at which an edge counts half, of the toned scale a px.
const HALF: f64 = 0.016;
/// Distance over which the step at an edge is measured, px.
pub(super) const STEP_PX: f64 = 1.5;
/// The same where an edge may still be some pixels off, px.
pub(super) const WIDE_PX: f64 = 5.0;
/// The best place must be so much stronger than the usual one.
pub(super) const DISTINCT: f64 = 1.2;

/// A line in the world, from one end to the other, mm.
pub(super) type Segment = [Vector3<f64>; 2];

/// One picture with its camera, and how far the impactor has come.
pub(super) struct Shot {
    pub(super) camera: Camera,
    picture: Array2<f32>,
    pub(super) way_mm: f64,
}

/// Pictures over the whole film, with an impactor that was followed along `travel`; without those of moments at which it
/// was not seen.
pub(super) fn shots_of(
    source: &dyn ReviewSource,
    moments: &[Moment],
    tracks: &[CameraTrack],
    travel: &[Option<Travel>],
) -> Result<Vec<Shot>, SessionError> {
    let mut shots = Vec::new();
    for (moment, travel) in moments.iter().zip(travel).step_by(moments.len().div_ceil(MOMENTS)) {
        let Some(Travel { way_mm, .. }) = *travel else { continue };
        for p in load_pictures(source, tracks, moment)? {
            shots.push(Shot { camera: tracks[p.camera].view.camera, picture: p.picture, way_mm });
        }
    }
    Ok(shots)
}

/// How strong the picture's edges are along lines, 0 to 1 for each point that is in view, summed, and how many there
/// are; without lines that reach behind the camera or are seen from their end.
pub(super) fn strength_of(shot: &Shot, lines: &[Segment], samples: usize, reach_px: f64) -> (f64, usize) {
    let picture = shot.picture.view();
    let (mut sum, mut n) = (0.0, 0usize);
    for line in lines {
        let [p, q] = line.map(|p| shot.camera.pinhole_pixel_from_world(p.into()));
        let length = (q.x - p.x).hypot(q.y - p.y);
        if p.depth_mm <= 0.0 || q.depth_mm <= 0.0 || length < 1.0 {
            continue;
        }
        let normal = [-(q.y - p.y) / length * reach_px, (q.x - p.x) / length * reach_px];
        for i in 0..samples {
            // The ends are left out: there other edges begin.
            let t = 0.05 + 0.9 * (i as f64 + 0.5) / samples as f64;
            let (x, y) = (p.x + t * (q.x - p.x), p.y + t * (q.y - p.y));
            let at = |s: f64| sample_bicubic(&picture, (x + s * normal[0]) as f32, (y + s * normal[1]) as f32);
            let (Some(left), Some(right)) = (at(-1.0), at(1.0)) else { continue };
            let gradient = f64::from((left - right).abs()) / (2.0 * reach_px);
            sum += gradient / (gradient + HALF);
            n += 1;
        }
    }
    (sum, n)
}
