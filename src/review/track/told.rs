//! What the lift is told of a frame: sightings with the looks of frame 0 and of the frame before, and contacts.

use nalgebra::Vector3;
use rayon::prelude::*;

use super::{BELIEVED, StepPicture, TrackError};
use crate::review::lift::{Lifted, Sighting};
use crate::review::measure::{Candidate, Look};
use crate::vision::{Paint, local_contrast};

/// A match is far from where it was looked for from this on, px; this share of far ones is many.
const FAR_PX: f32 = 1.0;
const MANY: f64 = 0.03;

/// True when many matches with the look of frame 0 were far from where they were looked for: a second look from where
/// they are finds more of them, and finds them better.
pub(super) fn has_far_to_go(fine: &[Candidate]) -> bool {
    let first = || fine.iter().filter(|c| c.look == Look::First);
    let far = first().filter(|c| c.patch.shift[0].hypot(c.patch.shift[1]) > FAR_PX).count();
    far as f64 > MANY * first().count() as f64
}

/// What the lift is told: the pictures' sightings, then the contacts.
pub(super) fn told(candidates: &[Candidate], contacts: &[Sighting]) -> Vec<Sighting> {
    candidates.iter().map(|c| &c.sighting).chain(contacts).cloned().collect()
}

/// The paint of each picture.
pub(super) fn paints_of(pictures: &[StepPicture]) -> Result<Vec<Paint>, TrackError> {
    pictures
        .par_iter()
        .map(|p| local_contrast(&p.picture).map_err(|source| TrackError::Vision { camera: p.camera, source }))
        .collect()
}

/// Re-expresses a sighting of a mesh that had been moved by `moved` for the mesh before.
pub(super) fn add_back(s: &mut Sighting, moved: &[Vector3<f64>]) {
    s.residual_px += s.pixel_per_world * at_point(s, moved);
}

pub(super) fn at_point(s: &Sighting, field: &[Vector3<f64>]) -> Vector3<f64> {
    s.nodes.iter().zip(s.weights).map(|(n, w)| field[*n as usize] * f64::from(w)).sum()
}

pub(super) fn keep_believed(candidates: Vec<Candidate>, lifted: &Lifted) -> Vec<Candidate> {
    candidates.into_iter().zip(&lifted.weights).filter(|(_, w)| **w >= BELIEVED).map(|(c, _)| c).collect()
}
