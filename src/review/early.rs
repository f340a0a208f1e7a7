//! The first moving frames: what the trigger is fitted to.

use super::measure::CameraTrack;
use super::session::{ReviewSetup, ReviewSource, SessionError, load_pictures, vector};
use super::timeline::Moment;
use super::track::{TrackedStep, Tracker};
use super::trigger::{EarlyStep, LARGEST_OFFSET_S, NodeHistory, TriggerFit, fit_trigger};

/// Tracks the first moving frames at the recorded trigger and fits the offset to what was seen.
pub(super) fn find_trigger(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    undeformed: &[[f32; 3]],
    moments: &[Moment],
    tracks: &[CameraTrack],
) -> Result<Option<TriggerFit>, SessionError> {
    /// Moving frames that are looked at; later ones differ for other reasons than the clock.
    const EARLY: usize = 3;
    /// Nodes that are compared at most.
    const NODES: usize = 1500;
    if setup.state_times_s.len() < 2 {
        return Ok(None);
    }
    let mut tracker = Tracker::new(setup.skin, setup.node_count, tracks.to_vec());
    let mut steps: Vec<(f64, Vec<[f32; 3]>, TrackedStep)> = Vec::new();
    let mut moving = 0;
    for moment in moments {
        let simulated = source.simulated_mm(moment.time_s).map_err(SessionError::Source)?;
        let pictures = load_pictures(source, tracker.cameras(), moment)?;
        let step = tracker.advance(&simulated, &pictures, &[], setup.estimator)?;
        moving += usize::from(motion_mm(undeformed, &simulated, &step) > 1.0);
        steps.push((moment.time_s, simulated, step));
        if moving >= EARLY {
            break;
        }
    }
    let last = steps.last().map_or(0.0, |s| s.0);
    let nodes = most_moving_nodes(setup, source, undeformed, last + LARGEST_OFFSET_S, NODES)?;
    let history = node_history(setup, source, &nodes, 1.6 * (last + LARGEST_OFFSET_S))?;
    let early: Vec<EarlyStep> = steps.iter().map(|(time_s, x, step)| early_step(*time_s, x, step, &nodes)).collect();
    Ok(fit_trigger(&history, &early))
}

/// 95th percentile of the measured motion since frame 0, mm.
fn motion_mm(undeformed: &[[f32; 3]], simulated: &[[f32; 3]], step: &TrackedStep) -> f64 {
    let mut lengths: Vec<f64> = (0..undeformed.len())
        .filter(|n| step.observed[*n] > 0)
        .map(|n| (vector(simulated[n]) + step.deviation_mm[n] - vector(undeformed[n])).norm())
        .collect();
    if lengths.is_empty() {
        return 0.0;
    }
    let at = (lengths.len() * 95 / 100).min(lengths.len() - 1);
    *lengths.select_nth_unstable_by(at, f64::total_cmp).1
}

fn most_moving_nodes(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    undeformed: &[[f32; 3]],
    until_s: f64,
    count: usize,
) -> Result<Vec<usize>, SessionError> {
    let late = source.simulated_mm(until_s).map_err(SessionError::Source)?;
    let on_skin = setup.skin.is_on_skin(setup.node_count);
    let mut nodes: Vec<usize> = (0..setup.node_count).filter(|n| on_skin[*n]).collect();
    let moved = |n: &usize| (vector(late[*n]) - vector(undeformed[*n])).norm();
    nodes.sort_by(|a, b| moved(b).total_cmp(&moved(a)).then(a.cmp(b)));
    nodes.truncate((4 * count).min(nodes.len() / 2 + 1));
    let stride = nodes.len().div_ceil(count).max(1);
    Ok(nodes.into_iter().step_by(stride).collect())
}

fn node_history(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    nodes: &[usize],
    until_s: f64,
) -> Result<NodeHistory, SessionError> {
    let needed = setup.state_times_s.partition_point(|t| *t <= until_s) + 1;
    let times_s: Vec<f64> = setup.state_times_s.iter().copied().take(needed).collect();
    let positions_mm = times_s
        .iter()
        .map(|t| {
            let x = source.simulated_mm(*t).map_err(SessionError::Source)?;
            Ok(nodes.iter().map(|n| vector(x[*n])).collect())
        })
        .collect::<Result<_, SessionError>>()?;
    Ok(NodeHistory { times_s, positions_mm })
}

fn early_step(time_s: f64, simulated: &[[f32; 3]], step: &TrackedStep, nodes: &[usize]) -> EarlyStep {
    let measured = nodes
        .iter()
        .map(|n| {
            (step.observed[*n] > 0).then(|| (vector(simulated[*n]) + step.deviation_mm[*n], step.covariance_mm2[*n]))
        })
        .collect();
    EarlyStep { time_s, measured }
}
