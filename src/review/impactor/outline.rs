//! The impactor's place to a few mm, from its outline: the two straight edges that every camera sees in every frame.

use rayon::prelude::*;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSource, SessionError};
use super::super::timeline::Moment;
use super::approach::{Approach, Place};
use super::edges::{DISTINCT, STEP_PX, Shot, WIDE_PX, shots_of, strength_of};
use super::fit::{ByMotion, CLEAR};
use super::line::Before;
use super::travel::Travel;

/// The best place must be so much stronger than the usual one where the motion is explained less clearly: on 17 films the
/// true one is 1.6 to 3.5 times as strong.
const DISTINCT_UNCLEAR: f64 = 1.5;
/// Points along an edge.
const SAMPLES: usize = 100;
/// Cameras on one side of the cylinder see nearly the same outline of one that is nearer to them and beside its place. Of
/// such places that of one that comes flying is where it touches when the clock says so: so far, mm, its way at a given
/// time may be off, 1-sigma (half a ms at 8 m/s), and so much of the edges' strength counts as one sigma.
const BY_CLOCK: (f64, f64) = (4.0, 0.002);
/// How far the motion may have put it wrong, beside its line and along it, in radii: on 17 films 0.5 and 0.3 at most.
const OFF: [f64; 2] = [0.7, 0.4];
/// Steps of the search in radii: over all that the motion may mean, near the best of that, and where the edges are.
const STEPS: [f64; 4] = [0.05, 0.02, 0.008, 0.002];
/// Distance over which the step at an edge is measured in the end, px: over more an edge is as strong beside its place.
const SHARP_PX: f64 = 0.6;
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
    moved: &ByMotion<Place>,
    travel: &[Option<Travel>],
) -> Result<Option<Place>, SessionError> {
    let start = moved.place;
    let outline = Outline { shots: shots_of(source, moments, tracks, travel)?, approach, start };
    let [far, near, close, exact] = STEPS.map(|step| step * approach.radius_mm());

    let everywhere = around(&Place { radius_share: USUAL_RADIUS, ..start }, far, OFF.map(|o| o * approach.radius_mm()));
    let usual = outline.usual(&everywhere);
    let strongest = apart(outline.ranked(everywhere, WIDE_PX), APART * approach.radius_mm(), CLOSELY[0]);
    let sized = strongest.iter().flat_map(|p| RADII.map(|radius_share| Place { radius_share, ..*p }));
    let ranking = outline.ranked(sized.flat_map(|p| around(&p, near, [1.5 * far; 2])).collect(), STEP_PX);
    let closely = ranking.iter().take(CLOSELY[1]).flat_map(|(_, p)| around(p, close, [2.0 * near; 2]));
    let (most, place) = outline.ranked(closely.collect(), STEP_PX)[0];
    let (_, best) = outline.ranked(around(&place, exact, [1.5 * close; 2]), SHARP_PX)[0];
    tracing::debug!(most, usual, motion = ?moved, ?best, "the impactor's outline");
    let distinct = if moved.explained < CLEAR { DISTINCT_UNCLEAR } else { DISTINCT };
    Ok((most > distinct * usual).then_some(best))
}

/// The pictures of a film in which the outline is sought, and where the motion puts it.
struct Outline<'a> {
    shots: Vec<Shot>,
    approach: &'a Approach<'a>,
    start: Place,
}

impl Outline<'_> {
    /// How strong the pictures' edges are where those of a cylinder at `place` would be, 0 to 1.
    fn strength(&self, place: &Place, reach_px: f64) -> f64 {
        let cylinder = self.approach.filmed(place);
        let edges = |s: &Shot| cylinder.moved(self.approach.direction() * s.way_mm).outline(&s.camera);
        mean(self.shots.iter().filter_map(|s| share(strength_of(s, &edges(s)?, SAMPLES, reach_px))))
    }

    /// That of the middle one of the places.
    fn usual(&self, places: &[Place]) -> f64 {
        let mut all: Vec<f64> = places.par_iter().map(|p| self.strength(p, STEP_PX)).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    }

    /// The places by their strength, less what the clock says against them; the strongest first.
    fn ranked(&self, places: Vec<Place>, reach_px: f64) -> Vec<(f64, Place)> {
        let value = |p: Place| (self.strength(&p, reach_px) - self.against_clock(&p), p);
        let mut ranking: Vec<(f64, Place)> = places.into_par_iter().map(value).collect();
        ranking.sort_by(|a, b| b.0.total_cmp(&a.0));
        ranking
    }

    fn against_clock(&self, place: &Place) -> f64 {
        // Where one rests that waits, no clock says.
        let comes = self.start.pace.before == Before::Comes;
        let off_mm = if comes { place.along_mm - self.start.along_mm } else { 0.0 };
        BY_CLOCK.1 * (off_mm / BY_CLOCK.0).powi(2)
    }
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
