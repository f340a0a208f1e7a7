//! The sides, the lean and the place of a ram, from the edges of its faces.

use rayon::prelude::*;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSource, SessionError};
use super::super::timeline::Moment;
use super::edges::{DISTINCT, STEP_PX, Shot, WIDE_PX, shots_of, strength_of};
use super::fit::{ROUNDS, climb_from};
use super::ram::{RamApproach, RamPlace};
use super::travel::Travel;

/// Points along an edge.
const SAMPLES: usize = 40;
/// Rounds of the climb with which edges that are some pixels off are looked for.
const WIDE_ROUNDS: usize = 4;
/// How far the motion may have put the sides wrong, as a share of the structure's size.
const SIDES_OFF: f64 = 0.1;
/// How far a ram may lean otherwise than the simulation's, rad: the search begins there, too.
const LEANS: f64 = 0.05;

/// Moves the sides of a ram that was followed along `travel` to where the edges are, and turns it as they are turned. Says
/// how strong they are there, too; `None` when none stand out.
pub(super) fn fit_to_edges(
    source: &dyn ReviewSource,
    moments: &[Moment],
    tracks: &[CameraTrack],
    approach: &RamApproach<'_>,
    start: &RamPlace,
    travel: &[Option<Travel>],
) -> Result<Option<(f64, RamPlace)>, SessionError> {
    let line = approach.line();
    let shots = shots_of(source, moments, tracks, travel)?;
    let strength = |edges: [f64; 7], reach_px: f64| {
        let block = approach.filmed(&approach.with_edges(start, edges));
        let along = |s: &Shot| {
            strength_of(s, &block.moved(line.direction * s.way_mm).edges_towards(&s.camera), SAMPLES, reach_px)
        };
        let (sum, n) = shots.iter().map(along).fold((0.0, 0), |(s, n), (more, m)| (s + more, n + m));
        sum / n.max(1) as f64
    };
    let off_mm = SIDES_OFF * approach.size_mm();
    let [side, lean] = [0.5 * off_mm, 0.25 * LEANS];
    let starts = shifted(approach.edges(start), off_mm);
    let mut usual: Vec<f64> = starts.par_iter().map(|s| strength(*s, STEP_PX)).collect();
    usual.sort_by(f64::total_cmp);
    let wide = |edges| strength(edges, WIDE_PX);
    let (_, upright) = climb_from(starts, [side, side, side, side, 0.0, 0.0, side], WIDE_ROUNDS, wide);
    let steps = [side, side, side, side, lean, lean, side];
    let (_, leant) = climb_from(leaning(upright), steps, WIDE_ROUNDS, wide);
    let (most, edges) =
        climb_from(vec![upright, leant], steps.map(|s| 0.3 * s), ROUNDS, |edges| strength(edges, STEP_PX));
    let usual = usual[usual.len() / 2];
    tracing::debug!(most, usual, motion = ?approach.edges(start), ?edges, "the ram's outline");
    Ok((most > DISTINCT * usual).then(|| (most, approach.with_edges(start, edges))))
}

/// The sides of a ram as they are, shifted either way along both axes, larger and smaller.
fn shifted([a0, a1, b0, b1, lean_a, lean_b, along]: [f64; 7], by_mm: f64) -> Vec<[f64; 7]> {
    let steps = [0.0, -by_mm, by_mm];
    let across = steps.into_iter().flat_map(|a| steps.map(|b| (a, b)));
    let sized = |(a, b)| steps.map(|m| [a0 + a - m, a1 + a + m, b0 + b - m, b1 + b + m, lean_a, lean_b, along]);
    across.flat_map(sized).collect()
}

/// The same sides upright and leaning either way.
fn leaning([a0, a1, b0, b1, _, _, along]: [f64; 7]) -> Vec<[f64; 7]> {
    let leans = [0.0, -LEANS, LEANS, -2.0 * LEANS, 2.0 * LEANS];
    leans.into_iter().flat_map(|a| leans.map(|b| [a0, a1, b0, b1, a, b, along])).collect()
}
