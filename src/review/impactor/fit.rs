//! Place and length of the impactor from what moves as it would, between frame 0 and a later one.
//!
//! Beside the mesh, a pixel votes for a place when the impactor there explains its motion, and against it when the
//! motion is another; pixels outside that move as the impactor's surface would, vote against a place that is too small.

use ndarray::Array2;
use rayon::prelude::*;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSetup, ReviewSource, SessionError, load_pictures};
use super::super::timeline::Moment;
use super::approach::{Approach, Before, Place};
use super::look::grown;
use crate::geom::{Camera, Cylinder, NO_TRIANGLE};
use crate::vision::PicturePair;

/// Distance between examined pixels.
const STRIDE: usize = 4;
/// The impactor must have moved by so much, px: less is not told from rest.
const MOVED_PX: f64 = 15.0;
/// Motion explained to this many px is a vote for, to three such is neither, more is a vote against.
const EXPLAINED_PX: f64 = 1.5;
/// Less motion is rest, px.
const AT_REST_PX: f64 = 2.0;
/// Distance from the mesh's outline at which a pixel surely shows something else, px.
const BESIDE_PX: usize = 4;
/// Share of the impactor's pixels whose motion it must explain, and how many there must be.
const CLEAR: (f64, usize) = (0.85, 200);

/// What one camera saw move.
struct Evidence<'t> {
    camera: &'t Camera,
    /// Row, column, flow.
    points: Vec<(f64, f64, [f64; 2])>,
}

/// Finds the impactor by its motion; `None` when the film does not show it clearly.
pub(super) fn fit_to_motion(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    moments: &[Moment],
    tracks: &[CameraTrack],
    approach: &Approach<'_>,
    offset_s: f64,
) -> Result<Option<Place>, SessionError> {
    for before in [Before::Waits, Before::Comes] {
        let found = fit_one_that(before, setup, source, moments, tracks, approach, offset_s)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn fit_one_that(
    before: Before,
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    moments: &[Moment],
    tracks: &[CameraTrack],
    approach: &Approach<'_>,
    offset_s: f64,
) -> Result<Option<Place>, SessionError> {
    let begin_s = moments[0].time_s + offset_s;
    let way_at = |m: &Moment| approach.simulated_way_between_mm(before, begin_s, m.time_s + offset_s);
    let whole = approach.touching(0.0);
    let far = |m: &&Moment| tracks.iter().any(|t| moves_px(&whole, approach, &t.view.camera, way_at(m)) > MOVED_PX);
    let Some(moment) = moments.iter().find(far) else { return Ok(None) };
    let mut evidence = Vec::new();
    for p in load_pictures(source, tracks, moment)? {
        let track = &tracks[p.camera];
        let first = &track.first.picture;
        let visible = Array2::ones(first.dim());
        let dense = setup.estimator.estimate(PicturePair { predicted: first, real: &p.picture, visible: &visible })?;
        let near = grown(&track.first.raster.triangle.mapv(|t| t != NO_TRIANGLE), BESIDE_PX);
        let mut points = Vec::new();
        for row in (STRIDE..first.nrows() - STRIDE).step_by(STRIDE) {
            for column in (STRIDE..first.ncols() - STRIDE).step_by(STRIDE) {
                if dense.present[(row, column)] > 0.5 && !near[(row, column)] && track.view.is_inside(row, column) {
                    let flow = [0, 1].map(|i| f64::from(dense.flow[(i, row, column)]));
                    points.push((row as f64, column as f64, flow));
                }
            }
        }
        evidence.push(Evidence { camera: &track.view.camera, points });
    }
    let way = Way { before, first_mm: approach.since_contact_mm(before, begin_s), mm: way_at(moment) };
    let place = search(approach, &evidence, way);
    let (explained, all) = explained(approach, &evidence, &place, way.mm);
    tracing::debug!(?place, explained, all, "the impactor by its motion");
    Ok((all >= CLEAR.1 && explained as f64 >= CLEAR.0 * all as f64).then_some(place))
}

/// How the simulation's impactor moves between frame 0 and the frame that is looked at.
#[derive(Clone, Copy)]
struct Way {
    before: Before,
    /// Where it is in frame 0, from where it touches, mm.
    first_mm: f64,
    /// How far it goes, mm.
    mm: f64,
}

/// How far the impactor's nearest side moves in a picture, px.
fn moves_px(cylinder: &Cylinder, approach: &Approach<'_>, camera: &Camera, way_mm: f64) -> f64 {
    let from = cylinder.centre_mm + cylinder.axis * approach.middle_mm;
    shift_px(camera, from, approach.direction() * way_mm).map_or(0.0, |[x, y]| x.hypot(y))
}

/// Shift of a point's pixel when the point moves; `None` behind the camera.
fn shift_px(camera: &Camera, from: nalgebra::Vector3<f64>, by: nalgebra::Vector3<f64>) -> Option<[f64; 2]> {
    let (a, b) = (camera.pinhole_pixel_from_world(from.into()), camera.pinhole_pixel_from_world((from + by).into()));
    (a.depth_mm > 0.0 && b.depth_mm > 0.0).then_some([b.x - a.x, b.y - a.y])
}

/// Sideways places from which the search starts, in radii: another design is hit elsewhere.
const STARTS: [f64; 7] = [0.0, -0.6, 0.6, -1.2, 1.2, -1.8, 1.8];

/// The best place of those that climbing from [`STARTS`] comes to.
fn search(approach: &Approach<'_>, evidence: &[Evidence<'_>], way: Way) -> Place {
    let found: Vec<(f64, Place)> =
        STARTS.par_iter().map(|start| climb(approach, evidence, way, start * approach.radius_mm())).collect();
    found.into_iter().reduce(|best, other| if other.0 > best.0 { other } else { best }).expect("there are starts").1
}

/// Climbs from a sideways place, one coordinate after the other with shrinking steps; the votes and the place.
fn climb(approach: &Approach<'_>, evidence: &[Evidence<'_>], way: Way, lateral_mm: f64) -> (f64, Place) {
    const ROUNDS: usize = 7;
    let radius = approach.radius_mm();
    let from_numbers = |p: [f64; 4]| Place {
        lateral_mm: p[0],
        along_mm: p[3] * way.first_mm,
        span_mm: [p[1], p[2]],
        radius_share: 1.0,
        rate: p[3],
        before: way.before,
    };
    let mut best = [lateral_mm, approach.middle_mm - 1.6 * radius, approach.middle_mm + 1.6 * radius, 1.0];
    let mut steps = [0.16 * radius, 0.64 * radius, 0.64 * radius, 0.05];
    let mut most = votes(approach, evidence, &from_numbers(best), way.mm);
    for _ in 0..ROUNDS {
        for i in 0..4 {
            let centre = best[i];
            for k in [-3.0, -2.0, -1.0, 1.0, 2.0, 3.0] {
                let mut tried = best;
                tried[i] = centre + k * steps[i];
                if tried[2] - tried[1] < 0.3 * radius {
                    continue;
                }
                let v = votes(approach, evidence, &from_numbers(tried), way.mm);
                if v > most {
                    (most, best) = (v, tried);
                }
            }
        }
        steps = steps.map(|s| 0.55 * s);
    }
    (most, from_numbers(best))
}

/// What is seen of the impactor at a pixel, and how far from its motion the flow there is, px.
fn distance_px(
    cylinder: &Cylinder,
    camera: &Camera,
    point: &(f64, f64, [f64; 2]),
    by: nalgebra::Vector3<f64>,
) -> Option<f64> {
    let seen = cylinder.seen_at(camera, point.0, point.1)?;
    let [x, y] = shift_px(camera, seen, by)?;
    Some((point.2[0] - x).hypot(point.2[1] - y))
}

fn votes(approach: &Approach<'_>, evidence: &[Evidence<'_>], place: &Place, way_mm: f64) -> f64 {
    let cylinder = approach.filmed(place);
    let endless = Cylinder { span_mm: [f64::NEG_INFINITY, f64::INFINITY], ..cylinder };
    let by = approach.direction() * (place.rate * way_mm);
    let mut sum = 0.0;
    for e in evidence {
        for p in &e.points {
            if let Some(d) = distance_px(&cylinder, e.camera, p, by) {
                sum += 1.0 - 2.0 * (d / (2.0 * EXPLAINED_PX)).min(1.0);
            } else if p.2[0].hypot(p.2[1]) > AT_REST_PX
                && distance_px(&endless, e.camera, p, by).is_some_and(|d| d < EXPLAINED_PX)
            {
                sum -= 1.0;
            }
        }
    }
    sum
}

/// Of the impactor's examined pixels, how many move as it would, and how many there are.
fn explained(approach: &Approach<'_>, evidence: &[Evidence<'_>], place: &Place, way_mm: f64) -> (usize, usize) {
    let cylinder = approach.filmed(place);
    let by = approach.direction() * (place.rate * way_mm);
    let distances =
        evidence.iter().flat_map(|e| e.points.iter().filter_map(|p| distance_px(&cylinder, e.camera, p, by)));
    distances.fold((0, 0), |(good, all), d| (good + usize::from(d < EXPLAINED_PX), all + 1))
}
