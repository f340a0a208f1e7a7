//! A cylinder's place, size and ends, from all its edges at once: the two sides of its outline and the rims of its ends.
//!
//! The sides alone leave open how far it is from cameras that look along nearly the same direction. The rims do not.

use std::f64::consts::TAU;

use rayon::prelude::*;

use super::approach::{Approach, Place};
use super::edges::{STEP_PX, Segment, Shot, strength_of};
use super::outline::{RADII, SHARP_PX, against_clock, around};
use crate::geom::{Camera, Cylinder};

/// How far beyond where the motion has an end, and how near to the middle, it is sought, in radii.
const REACH: (f64, f64) = (2.5, 0.15);
/// Step of the search for an end, in radii.
const STEP: f64 = 0.01;
/// Lines that a rim is taken for, and points along each of them.
const RIM: (usize, usize) = (48, 3);
/// A rim must be so much stronger at the best end than at the usual one: on 17 films true rims are 1.7 to 3.6 times as
/// strong, and what is taken for one that is hidden or out of the picture 1.2 to 1.5 times.
const DISTINCT: f64 = 1.65;
/// Points along a side.
const SIDE_SAMPLES: usize = 100;
/// How far the sides alone may have put it wrong, beside its line and along it, and the step of the search, in radii.
const OFF: ([f64; 2], f64) = ([0.2, 0.1], 0.02);
/// Places of that search from which the best is sought closely.
const CLOSELY: usize = 3;
/// Steps of that, in radii.
const STEPS: [f64; 3] = [0.01, 0.004, 0.002];

/// Moves the place that the sides of the outline gave, near where the motion has it, to where all edges are. An end whose
/// rim does not stand out stays where the motion has it.
pub(super) fn fit_to_all_edges(shots: &[Shot], approach: &Approach<'_>, by_motion: &Place, outlined: Place) -> Place {
    let radius = approach.radius_mm();
    let (span_mm, rims) = fit_ends(shots, approach, &outlined);
    let edges = Edges { shots, approach, rims, by_motion };
    let sized = RADII.iter().map(|radius_share| Place { radius_share: *radius_share, span_mm, ..outlined });
    let grid = sized.flat_map(|p| around(&p, OFF.1 * radius, OFF.0.map(|off| off * radius)));
    let mut ranking: Vec<(f64, Place)> =
        grid.collect::<Vec<_>>().into_par_iter().map(|p| (edges.value(&p, STEP_PX), p)).collect();
    ranking.sort_by(|a, b| b.0.total_cmp(&a.0));
    let closely = ranking.iter().take(CLOSELY).map(|(_, place)| edges.climb(*place));
    let (strength, place) = closely.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, Place { span_mm, ..outlined }));
    tracing::debug!(strength, ?outlined, ?place, ?rims, "the impactor by all its edges");
    place
}

/// The pictures of a film, and which ends of the cylinder have a rim that shows.
struct Edges<'a> {
    shots: &'a [Shot],
    approach: &'a Approach<'a>,
    rims: [bool; 2],
    by_motion: &'a Place,
}

impl Edges<'_> {
    /// What the pictures say for a place, and the clock against it.
    fn value(&self, place: &Place, reach_px: f64) -> f64 {
        self.strength(place, reach_px) - against_clock(place, self.by_motion)
    }

    /// How strong the pictures' edges are where those of a cylinder at `place` would be, 0 to 1.
    fn strength(&self, place: &Place, reach_px: f64) -> f64 {
        let cylinder = self.approach.filmed(place);
        mean(self.shots.iter().flat_map(|shot| {
            let there = cylinder.moved(self.approach.direction() * shot.way_mm);
            let sides = there.outline(&shot.camera).map(|s| strength_of(shot, &s, SIDE_SAMPLES, reach_px));
            let rims = [0, 1].into_iter().filter(|end| self.rims[*end]).map(move |end| {
                strength_of(shot, &rim_of(&there, end, place.span_mm[end], &shot.camera), RIM.1, reach_px)
            });
            sides.into_iter().chain(rims).collect::<Vec<_>>()
        }))
    }

    /// The strongest place near one.
    fn climb(&self, start: Place) -> (f64, Place) {
        /// Most steps of one size.
        const MOST: usize = 30;
        let mut best = (self.value(&start, SHARP_PX), start);
        for step in STEPS {
            for _ in 0..MOST {
                let tried = neighbours(&best.1, step, self.approach.radius_mm());
                let value = |p: Place| (self.value(&p, SHARP_PX), p);
                let next = tried.into_par_iter().map(value).max_by(|a, b| a.0.total_cmp(&b.0));
                match next.filter(|n| n.0 > best.0) {
                    Some(next) => best = next,
                    None => break,
                }
            }
        }
        best
    }
}

/// The places one step away: beside, along, larger or smaller, and with another end.
fn neighbours(centre: &Place, step: f64, radius_mm: f64) -> Vec<Place> {
    let step_mm = step * radius_mm;
    let sized = |by: f64| Place {
        radius_share: (centre.radius_share + by * step).clamp(RADII[0], RADII[RADII.len() - 1]),
        ..*centre
    };
    let moved = [-0.5, 0.0, 0.5].into_iter().flat_map(|by| around(&sized(by), step_mm, [step_mm; 2]));
    let ended = [(0, -step_mm), (0, step_mm), (1, -step_mm), (1, step_mm)].into_iter().map(|(end, by)| {
        let mut place = *centre;
        place.span_mm[end] += by;
        place
    });
    moved.chain(ended).collect()
}

/// The ends of a cylinder at `place`, from the simulation's centre, mm, and which of them have a rim that stands out.
fn fit_ends(shots: &[Shot], approach: &Approach<'_>, place: &Place) -> ([f64; 2], [bool; 2]) {
    let radius = approach.radius_mm();
    let cylinder = approach.filmed(place);
    let middle = 0.5 * (place.span_mm[0] + place.span_mm[1]);
    let strength = |end: usize, at_mm: f64| {
        let rim = |s: &Shot| rim_of(&cylinder.moved(approach.direction() * s.way_mm), end, at_mm, &s.camera);
        mean(shots.iter().map(|s| strength_of(s, &rim(s), RIM.1, STEP_PX)))
    };
    let found = [0, 1].map(|end| {
        let outwards = if end == 0 { -1.0 } else { 1.0 };
        let farthest = (place.span_mm[end] - middle).abs() + REACH.0 * radius;
        let steps = ((farthest - REACH.1 * radius) / (STEP * radius)).ceil() as u32;
        let at = |i: u32| middle + outwards * (REACH.1 + STEP * f64::from(i)) * radius;
        let mut all: Vec<(f64, f64)> = (0..=steps).into_par_iter().map(|i| (strength(end, at(i)), at(i))).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (most, usual) = (all[0], all[all.len() / 2]);
        (most.0 > DISTINCT * usual.0).then_some(most.1)
    });
    ([0, 1].map(|end| found[end].unwrap_or(place.span_mm[end])), found.map(|end| end.is_some()))
}

/// What a camera sees of the rim of a cylinder that ended so far along its axis.
fn rim_of(cylinder: &Cylinder, end: usize, at_mm: f64, camera: &Camera) -> Vec<Segment> {
    let eye = camera.centre_mm();
    let centre = cylinder.centre_mm + cylinder.axis * at_mm;
    let outwards = if end == 0 { -cylinder.axis } else { cylinder.axis };
    let is_cap_seen = (eye - centre).dot(&outwards) > 0.0;
    let [across, beside] = cylinder.across();
    let out = |i: usize| {
        let (sine, cosine) = (TAU * i as f64 / RIM.0 as f64).sin_cos();
        across * cosine + beside * sine
    };
    let line = |i: usize| [out(i), out(i + 1)].map(|out| centre + out * cylinder.radius_mm);
    let is_seen = |i: &usize| is_cap_seen || out(*i).dot(&(eye - centre)) > cylinder.radius_mm;
    (0..RIM.0).filter(is_seen).map(line).collect()
}

/// The mean over all points of sums over some.
fn mean(sums: impl Iterator<Item = (f64, usize)>) -> f64 {
    let (sum, n) = sums.fold((0.0, 0), |(sum, n), (more, points)| (sum + more, n + points));
    sum / n.max(1) as f64
}
