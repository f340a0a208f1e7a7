//! The first moving frames: what the trigger is fitted to.

use std::collections::VecDeque;

use nalgebra::Vector3;

use super::impactor::ImpactorWay;
use super::measure::CameraTrack;
use super::session::{ReviewSetup, ReviewSource, SessionError, load_pictures, vector};
use super::timeline::Moment;
use super::track::{TrackedStep, Tracker, TrackerState};
use super::trigger::{EarlyStep, LARGEST_OFFSET_S, NodeHistory, TriggerFit, fit_trigger};

/// What was tracked while the trigger was looked for.
pub(super) struct Early<'a> {
    /// The solved trigger; `None` when nothing moves.
    pub(super) fit: Option<TriggerFit>,
    tracker: Tracker<'a>,
    /// One a moment, from the first on.
    steps: Vec<EarlyTracked>,
    compared: Option<Compared>,
    /// The tracker after the last few moments at which the simulation was still at rest, with how many those were. No
    /// more of them are kept, since each holds a picture a camera.
    at_rest: VecDeque<(usize, TrackerState)>,
}

/// What is said of the nodes that move most.
struct Compared {
    /// By the simulation, and after it by each run of the study that is another one.
    runs: Vec<NodeHistory>,
    /// By the film.
    seen: Vec<EarlyStep>,
}

struct EarlyTracked {
    time_s: f64,
    simulated: Vec<[f32; 3]>,
    step: TrackedStep,
}

impl<'a> Early<'a> {
    /// Fits the trigger again with what is known now of the impactor's way.
    pub(super) fn refit(&mut self, way: Option<&ImpactorWay<'_>>) {
        let Some(Compared { runs, seen }) = &self.compared else { return };
        // The moment after the last one that was tracked still belongs to the first contact.
        let until_s = match &self.steps[..] {
            [.., before, last] => 2.0 * last.time_s - before.time_s,
            _ => f64::INFINITY,
        };
        let way = way.map(|w| ImpactorWay {
            seen: w.seen.iter().copied().filter(|(time_s, _)| *time_s <= until_s).collect(),
            ..w.clone()
        });
        self.fit = fit_trigger(runs, seen, way.as_ref());
        tracing::debug!(fit = ?self.fit, way = way.map_or(0, |w| w.seen.len()), "the trigger");
    }

    /// The steps that would be the same if they were tracked again with the trigger off by `offset_s` and with the
    /// looks of `tracks`, and the tracker as it was after them: the frames before the first motion, mostly.
    pub(super) fn still_true(
        mut self,
        setup: &ReviewSetup<'a>,
        source: &dyn ReviewSource,
        undeformed: &[[f32; 3]],
        offset_s: f64,
        tracks: Vec<CameraTrack>,
    ) -> Result<(std::vec::IntoIter<TrackedStep>, Tracker<'a>), SessionError> {
        let same_looks = tracks.iter().zip(self.tracker.cameras()).all(|(a, b)| a.first.trusted == b.first.trusted);
        let mut same = 0;
        while same_looks && same < self.steps.len() {
            let now = source.simulated_mm(self.steps[same].time_s + offset_s).map_err(SessionError::Source)?;
            if !is_same_place(&self.steps[same].simulated, &now) {
                break;
            }
            same += 1;
        }
        if same < self.steps.len() {
            self.at_rest.retain(|(count, _)| *count <= same);
            same = match self.at_rest.pop_back() {
                Some((count, state)) => {
                    self.tracker.restore(state);
                    count
                }
                None => {
                    self.tracker = Tracker::new(setup.skin, undeformed, tracks);
                    0
                }
            };
        }
        self.steps.truncate(same);
        Ok((self.steps.into_iter().map(|s| s.step).collect::<Vec<_>>().into_iter(), self.tracker))
    }
}

/// Tracks the first moving frames with the trigger off by `assumed_s` and fits the offset to what was seen, there and of
/// the impactor.
pub(super) fn find_trigger<'a>(
    setup: &ReviewSetup<'a>,
    source: &dyn ReviewSource,
    undeformed: &[[f32; 3]],
    moments: &[Moment],
    tracks: &[CameraTrack],
    assumed_s: f64,
    way: Option<&ImpactorWay<'_>>,
) -> Result<Early<'a>, SessionError> {
    /// Moving frames that are looked at; later ones differ for other reasons than the clock.
    const EARLY: usize = 3;
    /// Nodes that are compared at most.
    const NODES: usize = 1500;
    /// Kept states of the tracker: an offset of as many frames less one costs nothing.
    const STATES: usize = 3;
    let tracker = Tracker::new(setup.skin, undeformed, tracks.to_vec());
    let mut early = Early { fit: None, tracker, steps: Vec::new(), compared: None, at_rest: VecDeque::new() };
    if setup.state_times_s.len() < 2 {
        return Ok(early);
    }
    let mut moving = 0;
    for moment in moments {
        let simulated = source.simulated_mm(moment.time_s + assumed_s).map_err(SessionError::Source)?;
        let pictures = load_pictures(source, early.tracker.cameras(), moment)?;
        early.tracker.erode(source, moment.time_s + assumed_s).map_err(SessionError::Source)?;
        let step = early.tracker.advance(moment.time_s, &simulated, &pictures, &[], setup.estimator)?;
        moving += usize::from(motion_mm(undeformed, &simulated, &step) > 1.0);
        if is_same_place(undeformed, &simulated) {
            early.at_rest.push_back((early.steps.len() + 1, early.tracker.state()));
            early.at_rest.drain(..early.at_rest.len().saturating_sub(STATES));
        }
        early.steps.push(EarlyTracked { time_s: moment.time_s, simulated, step });
        if moving >= EARLY {
            break;
        }
    }
    let last = early.steps.last().map_or(0.0, |s| s.time_s);
    let mut nodes = most_moving_nodes(setup, source, undeformed, last + LARGEST_OFFSET_S, NODES)?;
    nodes.retain(|n| early.steps.iter().any(|s| s.step.observed(*n) > 0));
    let simulation = node_history(setup, source, &nodes, 1.6 * (last + LARGEST_OFFSET_S))?;
    let seen: Vec<EarlyStep> =
        early.steps.iter().map(|s| early_step(s.time_s, &s.simulated, &s.step, &nodes)).collect();
    let others = other_histories(source, &nodes, &simulation)?;
    let runs = std::iter::once(simulation).chain(others).collect();
    early.compared = Some(Compared { runs, seen });
    early.refit(way);
    Ok(early)
}

/// What could never be seen.
const UNSEEN_MM: f32 = 1e-3;

/// True when no node differs by what could ever be seen.
fn is_same_place(a: &[[f32; 3]], b: &[[f32; 3]]) -> bool {
    a.iter().zip(b).all(|(a, b)| (0..3).all(|i| (a[i] - b[i]).abs() < UNSEEN_MM))
}

/// 95th percentile of the measured motion since frame 0, mm.
fn motion_mm(undeformed: &[[f32; 3]], simulated: &[[f32; 3]], step: &TrackedStep) -> f64 {
    let mut lengths: Vec<f64> = (0..undeformed.len())
        .filter(|n| step.observed(*n) > 0)
        .map(|n| (vector(simulated[n]) + step.deviation_mm(n) - vector(undeformed[n])).norm())
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

/// The same of each run of the study that is another one than the simulation; none where there is no study.
fn other_histories(
    source: &dyn ReviewSource,
    nodes: &[usize],
    simulation: &NodeHistory,
) -> Result<Vec<NodeHistory>, SessionError> {
    let mut runs: Vec<Vec<Vec<Vector3<f64>>>> = Vec::new();
    for (time_s, simulated) in simulation.times_s.iter().zip(&simulation.positions_mm) {
        let deviations = source.designs_mm(*time_s).map_err(SessionError::Source)?;
        runs.resize(deviations.len(), Vec::new());
        for (run, deviation) in runs.iter_mut().zip(deviations) {
            run.push(nodes.iter().zip(simulated).map(|(n, at)| at + vector(deviation[*n])).collect());
        }
    }
    let is_other = |run: &Vec<Vec<Vector3<f64>>>| {
        let mut pairs = run.iter().flatten().zip(simulation.positions_mm.iter().flatten());
        pairs.any(|(a, b)| (a - b).amax() > f64::from(UNSEEN_MM))
    };
    let of_run = |positions_mm| NodeHistory { times_s: simulation.times_s.clone(), positions_mm };
    Ok(runs.into_iter().filter(is_other).map(of_run).collect())
}

fn early_step(time_s: f64, simulated: &[[f32; 3]], step: &TrackedStep, nodes: &[usize]) -> EarlyStep {
    let measured = nodes
        .iter()
        .map(|n| {
            (step.observed(*n) > 0).then(|| (vector(simulated[*n]) + step.deviation_mm(*n), step.covariance_mm2(*n)))
        })
        .collect();
    EarlyStep { time_s, measured }
}
