//! How far the impactor has come at each moment, from its own surface.
//!
//! It goes straight and does not deform, so that its way is one number: the robust mean over all patches of its
//! surface in all cameras, each matched from frame 0.

use nalgebra::Vector3;
use rayon::prelude::*;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSource, SessionError, load_pictures};
use super::super::timeline::Moment;
use super::approach::{Approach, Place};
use super::image_of;
use crate::geom::bracket;
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
    /// Since frame 0, mm.
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

/// Its way at each moment; `None` where it was not seen well enough.
pub(super) fn follow(
    source: &dyn ReviewSource,
    moments: &[Moment],
    tracks: &[CameraTrack],
    approach: &Approach<'_>,
    place: &Place,
    offset_s: f64,
) -> Result<Vec<Option<Travel>>, SessionError> {
    let cylinder = approach.filmed(place);
    let images: Vec<_> = tracks.iter().map(|t| image_of(&cylinder, &t.view)).collect();
    let paints = tracks.iter().map(|t| local_contrast(&t.first.picture)).collect::<Result<Vec<_>, VisionError>>()?;
    let patches: Vec<Vec<Patch>> = tracks
        .iter()
        .zip(&images)
        .map(|(t, image)| {
            let spots = image.indexed_iter().filter(|((r, c), shown)| **shown && r % STRIDE == 0 && c % STRIDE == 0);
            spots
                .filter_map(|((row, column), _)| {
                    let at_mm = cylinder.seen_at(&t.view.camera, row as f64, column as f64)?;
                    let depth = t.view.camera.pinhole_pixel_from_world(at_mm.into()).depth_mm as f32;
                    // Where the structure stands in front of it, the picture shows the structure.
                    (t.first.raster.depth_mm[(row, column)] > depth).then_some(Patch { row, column, at_mm })
                })
                .collect()
        })
        .collect();
    let begin_s = moments[0].time_s + offset_s;
    let simulated =
        |m: &Moment| place.rate * approach.simulated_way_between_mm(place.before, begin_s, m.time_s + offset_s);
    let mut lead = 0.0;
    let mut travel = Vec::with_capacity(moments.len());
    for moment in moments {
        let mut seen: Option<Travel> = Some(Travel { way_mm: simulated(moment) + lead, sigma_mm: 0.0 });
        if moment.frames.iter().any(|(_, frame)| *frame > 0) {
            let pictures = load_pictures(source, tracks, moment)?;
            let reals = pictures.iter().map(|p| local_contrast(&p.picture)).collect::<Result<Vec<_>, VisionError>>()?;
            for _ in 0..2 {
                let Some(guess) = seen else { break };
                let by = approach.direction();
                let mut votes = Vec::new();
                for (p, real) in pictures.iter().zip(&reals) {
                    let matcher = PatchMatcher::new(&paints[p.camera], real);
                    let camera = &tracks[p.camera].view.camera;
                    let shown = &images[p.camera];
                    let found = |patch: &Patch| vote(patch, &matcher, camera, by, guess.way_mm, |at| shown[at]);
                    votes.par_extend(patches[p.camera].par_iter().filter_map(found));
                }
                seen = agreed(&mut votes);
            }
        } else {
            seen = Some(Travel { way_mm: 0.0, sigma_mm: SHARED.1 });
        }
        if let Some(t) = seen {
            lead = t.way_mm - simulated(moment);
        }
        travel.push(seen);
    }
    Ok(travel)
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

/// The way at a film time, mm; between moments linear, where it was not seen from the nearest that were.
pub(super) fn at_time(moments: &[Moment], travel: &[Option<Travel>], time_s: f64) -> f64 {
    let (times, ways): (Vec<f64>, Vec<f64>) =
        moments.iter().zip(travel).filter_map(|(m, t)| Some((m.time_s, (*t)?.way_mm))).unzip();
    if times.is_empty() {
        return 0.0;
    }
    let (a, b, w) = bracket(&times, time_s);
    ways[a] * (1.0 - w) + ways[b] * w
}
