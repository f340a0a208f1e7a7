//! Where a cylinder ends along its axis, from the rims of its ends: the motion tells that to some cm only.

use std::f64::consts::TAU;

use rayon::prelude::*;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSource, SessionError};
use super::super::timeline::Moment;
use super::approach::{Approach, Place};
use super::edges::{DISTINCT, STEP_PX, Segment, Shot, shots_of, strength_of};
use super::travel::Travel;
use crate::geom::{Camera, Cylinder};

/// How far beyond where the motion has an end, and how near to the middle, it is sought, in radii.
const REACH: (f64, f64) = (2.5, 0.15);
/// Step of the search, in radii.
const STEP: f64 = 0.01;
/// Lines that a rim is taken for.
const LINES: usize = 48;
/// Points along each of them.
const SAMPLES: usize = 3;

/// The ends of a cylinder that was found at `place` and followed along `travel`, from the simulation's centre, mm; an end
/// whose rim does not stand out stays where the motion has it.
pub(super) fn fit_ends(
    source: &dyn ReviewSource,
    moments: &[Moment],
    tracks: &[CameraTrack],
    approach: &Approach<'_>,
    place: &Place,
    travel: &[Option<Travel>],
) -> Result<[f64; 2], SessionError> {
    let shots = shots_of(source, moments, tracks, travel)?;
    let radius = approach.radius_mm();
    let cylinder = approach.filmed(place);
    let middle = 0.5 * (place.span_mm[0] + place.span_mm[1]);
    let strength = |end: usize, at_mm: f64| {
        let rim = |s: &Shot| rim_of(&cylinder.moved(approach.direction() * s.way_mm), end, at_mm, &s.camera);
        let seen = shots.iter().map(|s| strength_of(s, &rim(s), SAMPLES, STEP_PX));
        let (sum, n) = seen.fold((0.0, 0), |(sum, n), (more, points)| (sum + more, n + points));
        sum / n.max(1) as f64
    };
    let found = [0, 1].map(|end| {
        let outwards = if end == 0 { -1.0 } else { 1.0 };
        let farthest = (place.span_mm[end] - middle).abs() + REACH.0 * radius;
        let steps = ((farthest - REACH.1 * radius) / (STEP * radius)).ceil() as u32;
        let at = |i: u32| middle + outwards * (REACH.1 + STEP * f64::from(i)) * radius;
        let mut all: Vec<(f64, f64)> = (0..=steps).into_par_iter().map(|i| (strength(end, at(i)), at(i))).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (most, usual) = (all[0], all[all.len() / 2]);
        if most.0 > DISTINCT * usual.0 { most.1 } else { place.span_mm[end] }
    });
    tracing::debug!(?found, motion = ?place.span_mm, "the ends of the impactor");
    Ok(found)
}

/// What a camera sees of the rim of a cylinder that ended so far along its axis.
fn rim_of(cylinder: &Cylinder, end: usize, at_mm: f64, camera: &Camera) -> Vec<Segment> {
    let eye = camera.centre_mm();
    let centre = cylinder.centre_mm + cylinder.axis * at_mm;
    let outwards = if end == 0 { -cylinder.axis } else { cylinder.axis };
    let is_cap_seen = (eye - centre).dot(&outwards) > 0.0;
    let [across, beside] = cylinder.across();
    let out = |i: usize| {
        let (sine, cosine) = (TAU * i as f64 / LINES as f64).sin_cos();
        across * cosine + beside * sine
    };
    let line = |i: usize| [out(i), out(i + 1)].map(|out| centre + out * cylinder.radius_mm);
    let is_seen = |i: &usize| is_cap_seen || out(*i).dot(&(eye - centre)) > cylinder.radius_mm;
    (0..LINES).filter(is_seen).map(line).collect()
}
