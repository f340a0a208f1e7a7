//! The impactor's place to a few mm, from its outline: the two straight edges that every camera sees in every frame.

use rayon::prelude::*;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSource, SessionError};
use super::super::timeline::Moment;
use super::approach::{Approach, Place};
use super::edges::{DISTINCT, STEP_PX, Shot, shots_of, strength_of};
use super::line::Before;
use super::travel::Travel;

/// Points along an edge.
const SAMPLES: usize = 100;
/// Cameras on one side of the cylinder see nearly the same outline of one that is nearer to them and beside its place. Of
/// such places that of one that comes flying is where it touches when the clock says so: so far, mm, its way at a given
/// time may be off, 1-sigma (half a ms at 8 m/s), and so much of the edges' strength counts as one sigma.
const BY_CLOCK: (f64, f64) = (4.0, 0.002);
/// Radii that are tried, as shares of the simulation's.
const RADII: [f64; 7] = [0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 1.0];

/// Moves the place of a cylinder that was followed along `travel` to where the edges are; `None` when no place stands out:
/// then the motion may have been another body's.
pub(super) fn fit_to_outline(
    source: &dyn ReviewSource,
    moments: &[Moment],
    tracks: &[CameraTrack],
    approach: &Approach<'_>,
    start: &Place,
    travel: &[Option<Travel>],
) -> Result<Option<Place>, SessionError> {
    let shots = shots_of(source, moments, tracks, travel)?;
    let radius = approach.radius_mm();
    let strength = |place: &Place| {
        let cylinder = approach.filmed(place);
        let edges = |s: &Shot| cylinder.moved(approach.direction() * s.way_mm).outline(&s.camera);
        let seen = mean(shots.iter().filter_map(|s| share(strength_of(s, &edges(s)?, SAMPLES, STEP_PX))));
        // Where one rests that waits, no clock says.
        let off_mm = if start.pace.before == Before::Comes { place.along_mm - start.along_mm } else { 0.0 };
        seen - BY_CLOCK.1 * (off_mm / BY_CLOCK.0).powi(2)
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

/// The mean strength; `None` when too few points are in view.
fn share((sum, n): (f64, usize)) -> Option<f64> {
    (n > SAMPLES / 2).then(|| sum / n as f64)
}
