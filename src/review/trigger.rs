//! When the trigger really fired: the simulation time that belongs to film time zero.
//!
//! Until the first contact nothing moves, in the test as in the simulation, so the moment of the first motion gives
//! the offset whatever the structure does later. The measured positions of the early frames are compared with the
//! simulation at `rate * (film time + offset)`: the rate is a nuisance that stands for another impact speed, and the
//! error allowed grows with the motion, so that the first moving frames decide and a real mismatch does not.
//!
//! An impactor that was followed in the film is the better clock where it waits for the shot ([`by_way`]). Where there is
//! a study, its runs are held against the film beside the simulation ([`by_runs`]).

mod by_runs;
mod by_way;
mod solution;

use nalgebra::{Matrix3, Vector3};

use self::by_runs::by_runs;
use self::by_way::ByWay;
use super::impactor::ImpactorWay;
use crate::geom::bracket;

/// The measured positions of some nodes at one film time.
#[derive(Debug, Clone)]
pub(super) struct EarlyStep {
    /// Film time, s.
    pub(super) time_s: f64,
    /// One entry a node of the [`NodeHistory`]: measured position and its covariance, mm and mm²; `None` where it was
    /// not measured.
    pub(super) measured: Vec<Option<(Vector3<f64>, Matrix3<f64>)>>,
}

/// What the simulation, or another run, says of the same nodes.
#[derive(Debug, Clone)]
pub(super) struct NodeHistory {
    /// Times of the states, s, rising.
    pub(super) times_s: Vec<f64>,
    /// `[state][node]`, mm.
    pub(super) positions_mm: Vec<Vec<Vector3<f64>>>,
}

/// The solved offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TriggerFit {
    /// Simulation time minus film time, s.
    pub offset_s: f64,
    /// Its 1-sigma, s.
    pub sigma_s: f64,
    /// How much faster than the run that begins most like it the test moved at first; 1 when equal.
    pub rate: f64,
}

/// The largest offset that is looked for, s.
pub const LARGEST_OFFSET_S: f64 = 6e-3;
/// A test may differ from its simulation by this share of the motion without any fault of the clock, 1-sigma.
const SHARE_OF_MOTION: f64 = 0.12;
/// How far a recorded trigger is off, s: the scale of a Cauchy distribution, so that one which is off by some ms is found
/// as well where the film says so.
const RECORDED_S: f64 = 6e-4;
/// Sigma is scaled by the share of the motion that the fit leaves, over the one above, within these bounds: a test that
/// equals its simulation leaves next to nothing, but not the errors that all places in a picture share.
const LEAST_LEFT: f64 = 0.5;
const MOST_LEFT: f64 = 3.0;
/// Error that neighbouring nodes share, mm.
const COMMON_MM: f64 = 0.1;
/// Prior of the rate: 1-sigma about 1.
const RATE_SIGMA: f64 = 0.15;
/// Nodes of one region err together; a frame counts as so many independent ones.
const REGIONS_A_FRAME: f64 = 3.0;
/// How sure it is that the contact comes before the first motion, 1-sigma, s.
const CONTACT_SIGMA_S: f64 = 5e-5;
/// What lies 3 sigma away costs so much more.
const THREE_SIGMA: f64 = 4.5;

/// Finds the offset by `runs`, first the simulation and then what other runs of a study there are, and by the `way` of the
/// impactor where it was followed; `None` when nothing that was measured moves in the simulation.
pub(super) fn fit_trigger(
    runs: &[NodeHistory],
    steps: &[EarlyStep],
    way: Option<&ImpactorWay<'_>>,
) -> Option<TriggerFit> {
    let simulation = runs.first()?;
    if steps.iter().all(|s| s.measured.iter().flatten().next().is_none()) || !something_moves(simulation) {
        return None;
    }
    let begun_s = first_motion_s(simulation, steps);
    let way = way.and_then(ByWay::new);
    let by_clocks = |offset: f64| {
        let too_late_s = begun_s.map_or(0.0, |t| (simulation.times_s[0] - t - offset).max(0.0));
        let contact = 0.5 * (too_late_s / CONTACT_SIGMA_S).powi(2);
        let recorded = (offset / RECORDED_S).powi(2).ln_1p();
        contact + recorded + way.as_ref().map_or(0.0, |w| w.cost(offset))
    };
    let waits_s = way.as_ref().and_then(ByWay::waits_s);
    let told = by_runs(runs, &weigh(simulation, steps), &by_clocks, waits_s)?;
    let share = share_left(&runs[told.best], steps, told.at);
    let sigma_s = told.sigma_s * (share / SHARE_OF_MOTION).clamp(LEAST_LEFT, MOST_LEFT);
    Some(TriggerFit { offset_s: told.offset_s, sigma_s, rate: told.at[1] })
}

fn something_moves(history: &NodeHistory) -> bool {
    let Some((first, rest)) = history.positions_mm.split_first() else { return false };
    rest.iter().any(|state| state.iter().zip(first).any(|(a, b)| (a - b).norm() > 0.5))
}

/// Film time of the first step at which most nodes have moved: the contact came before, whatever came after.
fn first_motion_s(history: &NodeHistory, steps: &[EarlyStep]) -> Option<f64> {
    /// Three of four nodes have moved so many times farther than they had before, and than this, mm.
    const FARTHER: f64 = 2.5;
    const LEAST_MM: f64 = 0.2;
    let (first, last) = (history.positions_mm.first()?, history.positions_mm.last()?);
    let mut before_mm = LEAST_MM;
    for step in steps {
        // Along the way that each goes in the simulation: errors go to all sides.
        let moved = step.measured.iter().enumerate().filter_map(|(node, seen)| {
            let (position, _) = (*seen)?;
            Some((position - first[node]).dot(&(last[node] - first[node]).try_normalize(LEAST_MM)?))
        });
        let mut moved: Vec<f64> = moved.collect();
        if moved.is_empty() {
            continue;
        }
        let quarter = moved.len() / 4;
        let moved_mm = *moved.select_nth_unstable_by(quarter, f64::total_cmp).1;
        if moved_mm > FARTHER * before_mm {
            return Some(step.time_s);
        }
        before_mm = before_mm.max(moved_mm);
    }
    None
}

/// What of a step does not depend on offset and rate.
struct Weighed {
    time_s: f64,
    seen: Vec<WeighedNode>,
}

struct WeighedNode {
    node: usize,
    position: Vector3<f64>,
    /// Inverse of the spread that is allowed around the position, 1/mm².
    inverse: Matrix3<f64>,
    /// Half the logarithm of its determinant.
    half_log: f64,
}

impl WeighedNode {
    /// Squared distance of a place, in units of the spread. Written out: the search asks it millions of times.
    fn chi2(&self, place: Vector3<f64>) -> f64 {
        let (left, m) = (self.position - place, &self.inverse);
        let row = |i: usize| m[(i, 0)] * left.x + m[(i, 1)] * left.y + m[(i, 2)] * left.z;
        (left.x * row(0) + left.y * row(1) + left.z * row(2)).max(0.0)
    }
}

fn weigh(history: &NodeHistory, steps: &[EarlyStep]) -> Vec<Weighed> {
    /// So many nodes of a step tell as much as all.
    const NODES: usize = 300;
    let of_step = |step: &EarlyStep| {
        let seen = step.measured.iter().enumerate().filter_map(|(node, seen)| Some((node, seen.as_ref()?)));
        let stride = seen.clone().count().div_ceil(NODES).max(1);
        let weighed = seen.step_by(stride).filter_map(|(node, seen)| weigh_node(history, node, seen));
        Weighed { time_s: step.time_s, seen: weighed.collect() }
    };
    steps.iter().map(of_step).collect()
}

fn weigh_node(history: &NodeHistory, node: usize, seen: &(Vector3<f64>, Matrix3<f64>)) -> Option<WeighedNode> {
    let (position, covariance) = *seen;
    // The allowance follows the measured motion, so that it does not depend on what is being fitted.
    let moved = (position - history.positions_mm[0][node]).norm();
    let allowance = (SHARE_OF_MOTION * moved).hypot(COMMON_MM);
    let inverse = (covariance + Matrix3::identity() * allowance * allowance).try_inverse()?;
    let half_log = 0.5 * (inverse.determinant().max(1e-300)).ln();
    Some(WeighedNode { node, position, inverse, half_log })
}

/// Robust negative log-posterior, scaled to the number of independent regions.
fn total_cost(history: &NodeHistory, steps: &[Weighed], offset: f64, rate: f64) -> f64 {
    let mut sum = 0.0;
    for step in steps {
        let (a, b, w) = bracket(&history.times_s, rate * (step.time_s + offset));
        let (before, after) = (&history.positions_mm[a], &history.positions_mm[b]);
        for seen in &step.seen {
            let chi2 = seen.chi2(before[seen.node] * (1.0 - w) + after[seen.node] * w);
            sum += 4.0 * (1.0 + chi2 / 4.0).ln() - seen.half_log;
        }
    }
    let measured = steps.iter().map(|s| s.seen.len()).sum::<usize>().max(1) as f64;
    let frames = steps.len() as f64;
    0.5 * sum * (REGIONS_A_FRAME * frames / measured).min(1.0) + 0.5 * ((rate - 1.0) / RATE_SIGMA).powi(2)
}

/// What the best fit leaves of the motion, as a share of it: the median over the moving nodes. A test that equals its
/// simulation leaves next to nothing, and its clock is then known much better than that of a test that differs.
fn share_left(history: &NodeHistory, steps: &[EarlyStep], [offset, rate]: [f64; 2]) -> f64 {
    let mut shares = Vec::new();
    for step in steps {
        let (a, b, w) = bracket(&history.times_s, rate * (step.time_s + offset));
        for (node, seen) in step.measured.iter().enumerate() {
            let Some((position, covariance)) = seen else { continue };
            let moved = (position - history.positions_mm[0][node]).norm();
            let simulated = history.positions_mm[a][node] * (1.0 - w) + history.positions_mm[b][node] * w;
            if moved > 1.0 && covariance.trace() < 1.0 {
                shares.push((position - simulated).norm() / moved);
            }
        }
    }
    shares.sort_unstable_by(f64::total_cmp);
    shares.get(shares.len() / 2).copied().unwrap_or(SHARE_OF_MOTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Forty nodes of a column that is crushed from the top at `speed` mm/s from time zero on, all at once or, farther
    /// down, up to `later` s later.
    fn column(speed: f64, later: f64, time_s: f64) -> impl Iterator<Item = Vector3<f64>> {
        (0..40).map(f64::from).map(move |n| {
            let since_s = (time_s - later * (1.0 - n / 39.0)).max(0.0);
            Vector3::new(0.0, 0.0, 5.0 * n - speed * since_s * n / 39.0)
        })
    }

    pub(super) fn history(speed: f64, later: f64) -> NodeHistory {
        let times_s: Vec<f64> = (0..80).map(|i| f64::from(i) * 0.25e-3).collect();
        let positions_mm = times_s.iter().map(|t| column(speed, later, *t).collect()).collect();
        NodeHistory { times_s, positions_mm }
    }

    pub(super) fn early(speed: f64, later: f64, offset: f64) -> Vec<EarlyStep> {
        let step = |i: i32| {
            let time_s = f64::from(i) * 1.3e-3;
            let wobble = |n: i32| Vector3::z() * (0.02 * f64::from((n * 7 + i) % 5 - 2));
            let seen = (0..).zip(column(speed, later, time_s + offset)).map(|(n, at)| at + wobble(n));
            EarlyStep { time_s, measured: seen.map(|at| Some((at, Matrix3::identity() * 0.01))).collect() }
        };
        (-2..6).map(step).collect()
    }

    #[test]
    fn offset_is_found_for_an_identical_test() {
        let fit = fit_trigger(&[history(7600.0, 0.0)], &early(7600.0, 0.0, 0.53e-3), None).expect("it moves");
        assert!((fit.offset_s - 0.53e-3).abs() < 0.03e-3, "{fit:?}");
        assert!(fit.sigma_s > 0.0 && fit.sigma_s < 0.3e-3, "{fit:?}");
    }

    #[test]
    fn another_impact_speed_does_not_pass_for_a_late_trigger() {
        let fit = fit_trigger(&[history(7600.0, 0.0)], &early(6800.0, 0.0, -0.4e-3), None).expect("it moves");
        assert!((fit.offset_s + 0.4e-3).abs() < 0.08e-3, "{fit:?}");
        assert!((fit.rate - 6800.0 / 7600.0).abs() < 0.05, "{fit:?}");
    }

    #[test]
    fn the_contact_comes_before_the_first_motion() {
        // A plate that gives in by 5 mm in the simulation and by 2 mm in the test, and some nodes of what was hit.
        let gives_in = |by: f64| move |t: f64| -by * (7.0 * t.max(0.0) * 1e3 / by).min(1.0);
        let at = |way: f64, n: i32| Vector3::new(f64::from(n), 0.0, way);
        let place = |by: f64, t: f64, n: i32| at(if n < 36 { gives_in(by)(t) } else { -7600.0 * t.max(0.0) }, n);
        let times_s: Vec<f64> = (0..20).map(|i| f64::from(i) * 1e-3).collect();
        let positions_mm = times_s.iter().map(|t| (0..40).map(|n| place(5.0, *t, n)).collect()).collect();
        let seen = |i: i32| {
            let time_s = f64::from(i) * 1.35e-3;
            let one = |n: i32| Some((place(2.0, time_s + 0.35e-3, n), Matrix3::identity() * 0.1));
            EarlyStep { time_s, measured: (0..40).map(one).collect() }
        };
        let steps: Vec<EarlyStep> = (-2..3).map(seen).collect();
        let history = NodeHistory { times_s, positions_mm };
        assert_eq!(first_motion_s(&history, &steps), Some(0.0));
        let fit = fit_trigger(&[history], &steps, None).expect("it moves");
        assert!(fit.offset_s > -0.1e-3, "{fit:?}");
    }

    #[test]
    fn what_is_measured_badly_is_no_motion() {
        // Before the contact every node is seen a mm beside its place, as on bare metal, each to another side.
        let mut steps = early(7600.0, 0.0, -0.35e-3);
        for step in steps.iter_mut().skip(1).filter(|s| s.time_s < 0.35e-3) {
            for (node, seen) in step.measured.iter_mut().enumerate() {
                let angle = 2.4 * node as f64;
                seen.as_mut().expect("all are measured").0 += Vector3::new(angle.cos(), 0.0, angle.sin());
            }
        }
        let history = history(7600.0, 0.0);
        assert_eq!(first_motion_s(&history, &steps), Some(1.3e-3));
        let fit = fit_trigger(&[history], &steps, None).expect("it moves");
        assert!((fit.offset_s + 0.35e-3).abs() < 0.2e-3, "{fit:?}");
    }

    #[test]
    fn nothing_that_moves_gives_no_offset() {
        assert!(fit_trigger(&[history(0.0, 0.0)], &early(0.0, 0.0, 0.0), None).is_none());
    }
}
