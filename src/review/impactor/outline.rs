//! The impactor's place to a few mm, from its outline: the two straight edges that every camera sees in every frame.

use rayon::prelude::*;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSource, SessionError};
use super::super::timeline::Moment;
use super::approach::{Approach, Place};
use super::edges::{DISTINCT, STEP_PX, Shot, WIDE_PX, shots_of, strength_of};
use super::line::Before;
use super::travel::Travel;

/// Points along an edge.
const SAMPLES: usize = 100;
/// Cameras on one side of the cylinder see nearly the same outline of one that is nearer to them and beside its place. Of
/// such places that of one that comes flying is where it touches when the clock says so: so far, mm, its way at a given
/// time may be off, 1-sigma (half a ms at 8 m/s), and so much of the edges' strength counts as one sigma.
const BY_CLOCK: (f64, f64) = (4.0, 0.002);
/// How far the motion may have put it wrong, beside its line and along it, in radii: on 17 films 0.5 and 0.3 at most.
const OFF: [f64; 2] = [0.7, 0.4];
/// Steps of the search in radii: over all that the motion may mean, near the best of that, and where the edges are.
const STEPS: [f64; 3] = [0.05, 0.02, 0.008];
/// Places that are looked at more closely after the first search and after the second.
const CLOSELY: [usize; 2] = [6, 3];
/// Those are so far apart, in radii.
const APART: f64 = 0.1;
/// Radii that are tried, as shares of the simulation's, and one that stands for all where edges may be some pixels off.
const RADII: [f64; 7] = [0.96, 0.97, 0.98, 0.985, 0.99, 0.995, 1.0];
const USUAL_RADIUS: f64 = 0.985;

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
    let seen = |place: &Place, reach_px: f64| {
        let cylinder = approach.filmed(place);
        let edges = |s: &Shot| cylinder.moved(approach.direction() * s.way_mm).outline(&s.camera);
        mean(shots.iter().filter_map(|s| share(strength_of(s, &edges(s)?, SAMPLES, reach_px))))
    };
    let by_clock = |place: &Place| {
        // Where one rests that waits, no clock says.
        let off_mm = if start.pace.before == Before::Comes { place.along_mm - start.along_mm } else { 0.0 };
        BY_CLOCK.1 * (off_mm / BY_CLOCK.0).powi(2)
    };
    let ranked = |places: Vec<Place>, reach_px: f64| {
        let mut found: Vec<(f64, Place)> =
            places.into_par_iter().map(|p| (seen(&p, reach_px) - by_clock(&p), p)).collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found
    };
    let everywhere =
        around(&Place { radius_share: USUAL_RADIUS, ..*start }, STEPS[0] * radius, OFF.map(|off| off * radius));
    let mut usual: Vec<f64> = everywhere.par_iter().map(|p| seen(p, STEP_PX)).collect();
    usual.sort_by(f64::total_cmp);
    let usual = usual[usual.len() / 2];

    let wide = apart(ranked(everywhere, WIDE_PX), APART * radius, CLOSELY[0]);
    let sized = |p: &Place| RADII.map(|radius_share| Place { radius_share, ..*p });
    let near = |p: Place| around(&p, STEPS[1] * radius, [1.5 * STEPS[0] * radius; 2]);
    let close = ranked(wide.iter().flat_map(sized).flat_map(near).collect(), STEP_PX);
    let exact = |(_, p): &(f64, Place)| around(p, STEPS[2] * radius, [2.0 * STEPS[1] * radius; 2]);
    let (most, best) = ranked(close.iter().take(CLOSELY[1]).flat_map(exact).collect(), STEP_PX)[0];
    tracing::debug!(most, usual, motion = ?start, ?best, "the impactor's outline");
    Ok((most > DISTINCT * usual).then_some(best))
}

/// Places around one, beside its line and along it, up to so far.
fn around(centre: &Place, step_mm: f64, reach_mm: [f64; 2]) -> Vec<Place> {
    let steps = |reach_mm: f64| {
        let reach = (reach_mm / step_mm).round() as i32;
        (-reach..=reach).map(move |i| f64::from(i) * step_mm)
    };
    let at = |beside: f64, along: f64| Place {
        lateral_mm: centre.lateral_mm + beside,
        along_mm: centre.along_mm + along,
        ..*centre
    };
    steps(reach_mm[0]).flat_map(|beside| steps(reach_mm[1]).map(move |along| at(beside, along))).collect()
}

/// The first places of a ranking that are so far from each other.
fn apart(ranking: Vec<(f64, Place)>, apart_mm: f64, count: usize) -> Vec<Place> {
    let mut taken: Vec<Place> = Vec::with_capacity(count);
    for (_, place) in ranking {
        let far = |t: &Place| (t.lateral_mm - place.lateral_mm).hypot(t.along_mm - place.along_mm) > apart_mm;
        if taken.len() < count && taken.iter().all(far) {
            taken.push(place);
        }
    }
    taken
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0usize), |(s, n), v| (s + v, n + 1));
    sum / n.max(1) as f64
}

/// The mean strength; `None` when too few points are in view.
fn share((sum, n): (f64, usize)) -> Option<f64> {
    (n > SAMPLES / 2).then(|| sum / n as f64)
}
