//! How far the impactor has come at each moment, from its own surface.
//!
//! It goes straight and does not deform, so that its way is one number: the robust mean over all patches of its
//! surface in all cameras, each matched from one frame.

use nalgebra::Vector3;
use ndarray::Array2;
use rayon::prelude::*;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSource, SessionError, load_pictures};
use super::super::timeline::Moment;
use super::base::BaseShot;
use super::line::{Line, Pace};
use super::{Body, image_of};
use crate::vision::{PatchMatcher, VisionError, local_contrast};

/// Distance between examined pixels.
const STRIDE: usize = 8;
/// A patch that correlates less shows something else.
const LOWEST_ZNCC: f32 = 0.6;
/// Patches that must be matched.
const FEWEST: usize = 30;
/// A patch that lands farther from where it is expected is another one, px.
const FARTHEST_PX: f64 = 6.0;
/// A body that goes straight leaves no more than this across its line, px: else it turns, or it is not the impactor.
const STRAIGHT_PX: f64 = 1.0;
/// Error that all patches share: of the place (as a share of the way) and of the lens and the pose, mm.
const SHARED: (f64, f64) = (0.002, 0.2);

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Travel {
    /// Since the moment [`Pace::base`], mm.
    pub(super) way_mm: f64,
    /// 1-sigma, mm.
    pub(super) sigma_mm: f64,
}

/// One patch of the impactor's surface.
struct Patch {
    row: usize,
    column: usize,
    at_mm: Vector3<f64>,
}

/// The way of `body`, which `shots` show, at each moment; `None` where it was not seen well enough.
#[expect(clippy::too_many_arguments, reason = "a film, a body and its way, each used once")]
pub(super) fn follow(
    source: &dyn ReviewSource,
    moments: &[Moment],
    tracks: &[CameraTrack],
    shots: &[Option<BaseShot>],
    body: &impl Body,
    line: Line<'_>,
    pace: Pace,
    offset_s: f64,
) -> Result<Vec<Option<Travel>>, SessionError> {
    let images: Vec<_> = tracks.iter().map(|t| image_of(body, &t.view)).collect();
    let paint = |shot: &Option<BaseShot>| shot.as_ref().map(|s| local_contrast(&s.picture)).transpose();
    let paints = shots.iter().map(paint).collect::<Result<Vec<_>, VisionError>>()?;
    let patches: Vec<Vec<Patch>> = tracks
        .iter()
        .zip(&images)
        .zip(shots)
        .map(|((t, image), shot)| shot.as_ref().map_or_else(Vec::new, |shot| patches_of(body, t, image, shot)))
        .collect();
    let begin_s = moments[pace.base].time_s + offset_s;
    let simulated = |m: &Moment| pace.rate * line.simulated_way_between_mm(pace.before, begin_s, m.time_s + offset_s);
    let mut travel = vec![None; moments.len()];
    let (on, back) = (pace.base..moments.len(), (0..pace.base).rev());
    for order in [on.collect::<Vec<_>>(), back.collect()] {
        let mut lead = 0.0;
        for index in order {
            let moment = &moments[index];
            let mut seen = Some(Travel { way_mm: simulated(moment) + lead, sigma_mm: 0.0 });
            if index == pace.base {
                seen = Some(Travel { way_mm: 0.0, sigma_mm: SHARED.1 });
            } else {
                let pictures = load_pictures(source, tracks, moment)?;
                let reals =
                    pictures.iter().map(|p| local_contrast(&p.picture)).collect::<Result<Vec<_>, VisionError>>()?;
                for _ in 0..2 {
                    let Some(guess) = seen else { break };
                    let mut votes = Vec::new();
                    for (p, real) in pictures.iter().zip(&reals) {
                        let Some(paint) = &paints[p.camera] else { continue };
                        let matcher = PatchMatcher::new(paint, real);
                        let camera = &tracks[p.camera].view.camera;
                        let shown = &images[p.camera];
                        let found =
                            |patch: &Patch| vote(patch, &matcher, camera, line.direction, guess.way_mm, |at| shown[at]);
                        votes.par_extend(patches[p.camera].par_iter().filter_map(found));
                    }
                    seen = agreed(&mut votes);
                }
            }
            if let Some(t) = seen {
                lead = t.way_mm - simulated(moment);
            }
            travel[index] = seen;
        }
    }
    Ok(travel)
}

/// The patches of the body that a picture shows: where the structure stands in front of it, it shows the structure.
fn patches_of(body: &impl Body, track: &CameraTrack, image: &Array2<bool>, shot: &BaseShot) -> Vec<Patch> {
    let spots = image.indexed_iter().filter(|((r, c), shown)| **shown && r % STRIDE == 0 && c % STRIDE == 0);
    spots
        .filter_map(|((row, column), _)| {
            let at_mm = body.seen_at(&track.view.camera, row as f64, column as f64)?;
            let depth = track.view.camera.pinhole_pixel_from_world(at_mm.into()).depth_mm as f32;
            (shot.raster.depth_mm[(row, column)] > depth).then_some(Patch { row, column, at_mm })
        })
        .collect()
}

/// One patch's way in mm, its weight, and what is left across the line in px.
fn vote(
    patch: &Patch,
    matcher: &PatchMatcher<'_>,
    camera: &crate::geom::Camera,
    direction: Vector3<f64>,
    guess_mm: f64,
    usable: impl Fn((usize, usize)) -> bool,
) -> Option<[f64; 3]> {
    let pixel = |way: f64| camera.pinhole_pixel_from_world((patch.at_mm + direction * way).into());
    let (start, here, next) = (pixel(0.0), pixel(guess_mm), pixel(guess_mm + 1.0));
    if next.depth_mm <= 0.0 {
        return None;
    }
    let slope = [next.x - here.x, next.y - here.y];
    let shift = [(here.x - start.x) as f32, (here.y - start.y) as f32];
    let found = matcher.refine(patch.row, patch.column, shift, |r, c| usable((r, c)))?;
    let left = [f64::from(found.shift[0] - shift[0]), f64::from(found.shift[1] - shift[1])];
    if found.zncc < LOWEST_ZNCC || left[0].hypot(left[1]) > FARTHEST_PX {
        return None;
    }
    let steep = slope[0] * slope[0] + slope[1] * slope[1];
    let more = (slope[0] * left[0] + slope[1] * left[1]) / steep;
    let across = (slope[0] * left[1] - slope[1] * left[0]) / steep.sqrt();
    (steep > 1e-6).then_some([guess_mm + more, steep, across])
}

/// The weighted median of the votes; `None` when they are few or when the body does not go straight.
fn agreed(votes: &mut [[f64; 3]]) -> Option<Travel> {
    if votes.len() < FEWEST {
        return None;
    }
    let mut across: Vec<f64> = votes.iter().map(|v| v[2].abs()).collect();
    let middle = across.len() / 2;
    if *across.select_nth_unstable_by(middle, f64::total_cmp).1 > STRAIGHT_PX {
        return None;
    }
    votes.sort_unstable_by(|a, b| a[0].total_cmp(&b[0]));
    let half = 0.5 * votes.iter().map(|v| v[1]).sum::<f64>();
    let mut sum = 0.0;
    let way_mm = votes.iter().find(|v| {
        sum += v[1];
        sum >= half
    })?[0];
    let mut off: Vec<f64> = votes.iter().map(|v| (v[0] - way_mm).abs()).collect();
    let spread = 1.4826 * *off.select_nth_unstable_by(middle, f64::total_cmp).1 / (votes.len() as f64).sqrt();
    Some(Travel { way_mm, sigma_mm: spread.hypot(SHARED.0 * way_mm).hypot(SHARED.1) })
}

/// The way at which it touches, by the first moment after that: simulation time 0 is the contact, wherever the impactor
/// came from, and so short after it has gone as in the simulation, but for its rate. `None` when it was never seen.
pub(super) fn at_contact(
    moments: &[Moment],
    travel: &[Option<Travel>],
    line: Line<'_>,
    pace: Pace,
    offset_s: f64,
) -> Option<Travel> {
    /// Error of the rate, as a share.
    const RATE: f64 = 0.04;
    let after = moments.iter().zip(travel).filter(|(m, _)| m.time_s + offset_s >= 0.0);
    let (moment, seen) = after.filter_map(|(m, t)| Some((m, (*t)?))).next()?;
    let gone_mm = pace.rate * line.simulated_way_mm(moment.time_s + offset_s);
    Some(Travel { way_mm: seen.way_mm - gone_mm, sigma_mm: seen.sigma_mm.hypot(RATE * gone_mm) })
}
