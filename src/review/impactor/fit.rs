//! Place and size of the impactor from what moves as it would, between two frames.
//!
//! Beside the mesh, a pixel votes for a place when the impactor there explains its motion, and against it when the
//! motion is another; pixels outside that move as the impactor's surface would, vote against a place that is too small.

use nalgebra::Vector3;
use ndarray::Array2;
use rayon::prelude::*;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSetup, ReviewSource, SessionError, load_pictures};
use super::super::timeline::Moment;
use super::Body;
use super::base::BaseShot;
use super::line::{Before, Line};
use super::look::grown;
use crate::geom::{Camera, Extent, NO_TRIANGLE};
use crate::vision::PicturePair;

/// Distance between examined pixels.
const STRIDE: usize = 4;
/// The impactor must have moved by so much, px: less is not told from rest.
const MOVED_PX: f64 = 15.0;
/// Motion explained to this many px is a vote for, to three such is neither, more is a vote against.
const EXPLAINED_PX: f64 = 1.5;
/// Less motion is rest, px.
const AT_REST_PX: f64 = 2.0;
/// Share of the impactor's pixels whose motion it must explain.
pub(super) const CLEAR: f64 = 0.85;
/// How many there must be.
const ENOUGH: usize = 200;
/// How fast another design may be hit, over the simulation's speed: from where the search for the rate starts.
pub(super) const RATES: [f64; 3] = [0.8, 1.0, 1.25];
/// A faster impactor farther away looks like a slower one near by: a tenth more or less than the simulation's rate costs
/// about a hundredth of the votes, a quarter 6 %.
const RATE_DOUBT: f64 = 1.25;
/// All starts climb for so many rounds, then those that have come highest go on.
const FIRST_ROUNDS: usize = 2;
/// So many go on.
const GO_ON: usize = 6;
/// Steps of a climb shrink by so much a round.
const SHRINK: f64 = 0.55;
/// Rounds of a climb.
pub(super) const ROUNDS: usize = 7;

/// Where the motion puts the impactor.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByMotion<P> {
    pub(super) place: P,
    /// Share of its pixels whose motion it explains.
    pub(super) explained: f64,
}

/// A kind of impactor whose place is sought as `N` numbers.
pub(super) trait Sought<const N: usize>: Sync {
    /// Share of its pixels whose motion it must explain at least: less than [`CLEAR`] where its outline can make sure.
    const LEAST: f64 = CLEAR;
    /// What it looks like.
    type Body: Body;
    /// What is found.
    type Place: std::fmt::Debug + Send;

    /// Its way in the simulation.
    fn line(&self) -> Line<'_>;
    /// A point of it that the cameras see move.
    fn seen_point_mm(&self) -> Vector3<f64>;
    /// From where the search climbs, and its first steps.
    fn starts(&self) -> (Vec<[f64; N]>, [f64; N]);
    /// The place of these numbers, when the simulation's impactor goes as `way` says; `None` where there is none.
    fn place(&self, numbers: [f64; N], way: Way) -> Option<Self::Place>;
    /// The body at the moment [`Pace::base`](super::line::Pace), and one that reaches farther.
    fn filmed(&self, place: &Self::Place) -> (Self::Body, Self::Body);
    /// How much farther it goes than the simulation's.
    fn rate(&self, place: &Self::Place) -> f64;
}

/// How the simulation's impactor moves between the two frames that are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// What it does before it touches.
    pub(super) before: Before,
    /// The first of them, a moment of the film.
    pub(super) base: usize,
    /// Where it is then, from where it touches, mm.
    pub(super) base_mm: f64,
    /// How far it goes, mm.
    mm: f64,
}

/// What one camera saw move.
struct Evidence<'t> {
    camera: &'t Camera,
    /// The camera's centre, mm.
    eye: Vector3<f64>,
    points: Vec<Point>,
}

/// A pixel that was looked at.
struct Point {
    row: f64,
    column: f64,
    /// Direction from the camera's centre.
    ray: Vector3<f64>,
    flow_px: [f64; 2],
    moves: bool,
}

/// Finds the impactor by its motion; `None` when the film does not show it clearly.
pub(super) fn fit_to_motion<const N: usize, S: Sought<N>>(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    moments: &[Moment],
    tracks: &[CameraTrack],
    sought: &S,
    offset_s: f64,
) -> Result<Option<ByMotion<S::Place>>, SessionError> {
    let mut unclear: Option<ByMotion<S::Place>> = None;
    // In frame 0 an impactor may still be out of the picture.
    for base in [0, moments.len() / 4, moments.len() / 2] {
        let begin_s = moments[base].time_s + offset_s;
        let shots = BaseShot::at(setup, source, base, moments, tracks, offset_s)?;
        let mut clear = Vec::new();
        for before in [Before::Waits, Before::Comes] {
            if before == Before::Comes && base > 0 && begin_s > 0.0 {
                // After the contact both are the same.
                continue;
            }
            let way_at = |m: &Moment| sought.line().simulated_way_between_mm(before, begin_s, m.time_s + offset_s);
            let far = |m: &&Moment| tracks.iter().any(|t| moves_px(sought, &t.view.camera, way_at(m)) > MOVED_PX);
            let Some(moment) = moments[base..].iter().find(far) else { continue };
            let evidence = evidence_of(setup, source, &shots, moment, tracks)?;
            let base_mm = sought.line().since_contact_mm(before, begin_s);
            let way = Way { before, base, base_mm, mm: way_at(moment) };
            let Some(place) = search(sought, &evidence, way) else { continue };
            let (explained, all) = explained(sought, &evidence, &place, way.mm);
            tracing::debug!(?place, explained, all, "the impactor by its motion");
            let found = ByMotion { place, explained: explained as f64 / all.max(1) as f64 };
            if all >= ENOUGH && found.explained >= CLEAR {
                clear.push(found);
            } else if all >= ENOUGH && found.explained >= unclear.as_ref().map_or(S::LEAST, |u| u.explained) {
                unclear = Some(found);
            }
        }
        // Two frames are explained by one that waits as well as by one that comes, if it only goes fast or slowly enough:
        // designs are hit at about the same speed.
        let unlike = |found: &ByMotion<S::Place>| sought.rate(&found.place).ln().abs();
        if let Some(likely) = clear.into_iter().min_by(|a, b| unlike(a).total_cmp(&unlike(b))) {
            return Ok(Some(likely));
        }
    }
    Ok(unclear)
}

/// What moved beside the mesh between `shots` and `moment`.
fn evidence_of<'t>(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    shots: &[Option<BaseShot>],
    moment: &Moment,
    tracks: &'t [CameraTrack],
) -> Result<Vec<Evidence<'t>>, SessionError> {
    let mut evidence = Vec::new();
    for p in load_pictures(source, tracks, moment)? {
        let (track, Some(shot)) = (&tracks[p.camera], &shots[p.camera]) else { continue };
        let first = &shot.picture;
        let visible = Array2::ones(first.dim());
        let dense = setup.estimator.estimate(PicturePair { predicted: first, real: &p.picture, visible: &visible })?;
        let near = grown(&shot.raster.triangle.mapv(|t| t != NO_TRIANGLE), shot.margin_px);
        let camera = &track.view.camera;
        let mut points = Vec::new();
        for row in (STRIDE..first.nrows() - STRIDE).step_by(STRIDE) {
            for column in (STRIDE..first.ncols() - STRIDE).step_by(STRIDE) {
                if dense.present[(row, column)] > 0.5 && !near[(row, column)] && track.view.is_inside(row, column) {
                    let flow_px @ [x, y] = [0, 1].map(|i| f64::from(dense.flow[(i, row, column)]));
                    let (row, column) = (row as f64, column as f64);
                    let (_, ray) = camera.pinhole_ray(row, column);
                    points.push(Point { row, column, ray, flow_px, moves: x.hypot(y) > AT_REST_PX });
                }
            }
        }
        evidence.push(Evidence { camera, eye: camera.centre_mm(), points });
    }
    Ok(evidence)
}

/// How far the impactor's nearest side moves in a picture, px.
fn moves_px<const N: usize>(sought: &impl Sought<N>, camera: &Camera, way_mm: f64) -> f64 {
    shift_px(camera, sought.seen_point_mm(), sought.line().direction * way_mm).map_or(0.0, |[x, y]| x.hypot(y))
}

/// Shift of a point's pixel when the point moves; `None` behind the camera.
fn shift_px(camera: &Camera, from: Vector3<f64>, by: Vector3<f64>) -> Option<[f64; 2]> {
    let (a, b) = (camera.pinhole_pixel_from_world(from.into()), camera.pinhole_pixel_from_world((from + by).into()));
    (a.depth_mm > 0.0 && b.depth_mm > 0.0).then_some([b.x - a.x, b.y - a.y])
}

/// The best place of those that climbing comes to; of two as good the one of the earlier start.
fn search<const N: usize, S: Sought<N>>(sought: &S, evidence: &[Evidence<'_>], way: Way) -> Option<S::Place> {
    let (starts, steps) = sought.starts();
    let value = |numbers: [f64; N]| {
        let Some(place) = sought.place(numbers, way) else { return f64::NEG_INFINITY };
        let votes = votes(sought, evidence, &place, way.mm);
        votes - RATE_DOUBT * sought.rate(&place).ln().powi(2) * votes.max(0.0)
    };
    let climbed = starts.into_par_iter().map(|start| climb(&value, start, steps, FIRST_ROUNDS));
    let mut climbed: Vec<(f64, [f64; N])> = climbed.collect();
    climbed.sort_by(|a, b| b.0.total_cmp(&a.0));
    let high = climbed.into_iter().take(GO_ON).map(|(_, numbers)| numbers).collect();
    let steps = steps.map(|s| s * SHRINK.powi(FIRST_ROUNDS as i32));
    sought.place(climb_from(high, steps, ROUNDS - FIRST_ROUNDS, value).1, way)
}

/// The highest value that climbing for some rounds from one of the starts comes to, and the numbers there; of two as high the one of the
/// earlier start.
pub(super) fn climb_from<const N: usize>(
    starts: Vec<[f64; N]>,
    steps: [f64; N],
    rounds: usize,
    value: impl Fn([f64; N]) -> f64 + Sync,
) -> (f64, [f64; N]) {
    let climbed = starts.into_par_iter().map(|start| climb(&value, start, steps, rounds));
    let found: Vec<(f64, [f64; N])> = climbed.collect();
    let best = found.into_iter().reduce(|best, other| if other.0 > best.0 { other } else { best });
    best.expect("a search begins somewhere, else a bug")
}

/// Climbs from `best`, one number after the other with shrinking steps; the value and the numbers.
fn climb<const N: usize>(
    value: &impl Fn([f64; N]) -> f64,
    mut best: [f64; N],
    mut steps: [f64; N],
    rounds: usize,
) -> (f64, [f64; N]) {
    let mut most = value(best);
    for _ in 0..rounds {
        for i in 0..N {
            let centre = best[i];
            for k in [-3.0, -2.0, -1.0, 1.0, 2.0, 3.0] {
                let mut tried = best;
                tried[i] = centre + k * steps[i];
                let v = value(tried);
                if v > most {
                    (most, best) = (v, tried);
                }
            }
        }
        steps = steps.map(|s| SHRINK * s);
    }
    (most, best)
}

impl<'t> Evidence<'t> {
    /// A body as this camera would see it, if it moved by `by` between the two frames.
    fn showing<B: Body>(&'t self, body: B, by: Vector3<f64>) -> Shown<'t, B> {
        Shown { body, extent: body.extent(self.camera), camera: self.camera, eye: self.eye, by }
    }
}

/// A moving body before a camera.
struct Shown<'t, B> {
    body: B,
    extent: Extent,
    camera: &'t Camera,
    eye: Vector3<f64>,
    by: Vector3<f64>,
}

impl<B: Body> Shown<'_, B> {
    /// How far from the body's motion the flow at a pixel is that shows it, px.
    fn distance_px(&self, point: &Point) -> Option<f64> {
        // Most pixels lie far beside it, and the search asks millions of times.
        if !self.extent.holds(point.row, point.column) {
            return None;
        }
        let seen = self.body.met_by(self.eye, point.ray)?;
        let [x, y] = shift_px(self.camera, seen, self.by)?;
        Some((point.flow_px[0] - x).hypot(point.flow_px[1] - y))
    }
}

fn votes<const N: usize, S: Sought<N>>(sought: &S, evidence: &[Evidence<'_>], place: &S::Place, way_mm: f64) -> f64 {
    let (body, larger) = sought.filmed(place);
    let by = sought.line().direction * (sought.rate(place) * way_mm);
    let mut sum = 0.0;
    for e in evidence {
        let (body, larger) = (e.showing(body, by), e.showing(larger, by));
        for p in &e.points {
            if let Some(d) = body.distance_px(p) {
                sum += 1.0 - 2.0 * (d / (2.0 * EXPLAINED_PX)).min(1.0);
            } else if p.moves && larger.distance_px(p).is_some_and(|d| d < EXPLAINED_PX) {
                sum -= 1.0;
            }
        }
    }
    sum
}

/// Of the impactor's examined pixels, how many move as it would, and how many there are.
fn explained<const N: usize, S: Sought<N>>(
    sought: &S,
    evidence: &[Evidence<'_>],
    place: &S::Place,
    way_mm: f64,
) -> (usize, usize) {
    let (body, _) = sought.filmed(place);
    let by = sought.line().direction * (sought.rate(place) * way_mm);
    let distances = evidence.iter().flat_map(|e| {
        let shown = e.showing(body, by);
        e.points.iter().filter_map(move |p| shown.distance_px(p))
    });
    distances.fold((0, 0), |(good, all), d| (good + usize::from(d < EXPLAINED_PX), all + 1))
}
