//! When the trigger really fired: the simulation time that belongs to film time zero.
//!
//! Until the first contact nothing moves, in the test as in the simulation, so the moment of the first motion gives
//! the offset whatever the structure does later. The measured positions of the early frames are compared with the
//! simulation at `rate * (film time + offset)`: the rate is a nuisance that stands for another impact speed, and the
//! error allowed grows with the motion, so that the first moving frames decide and a real mismatch does not.
//!
//! An impactor that was followed in the film is the better clock. It is so heavy that it hardly minds what the structure
//! does: one that waits for the shot shows to a few hundredths of a frame when it starts, and one that comes shows the
//! rate, without which a test that is faster than its simulation passes for one that began earlier, and, where its
//! edges tell when it touches, the time.

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use super::impactor::{Before, ImpactorWay};
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

/// What the simulation says of the same nodes.
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
    /// How much faster than the simulation the test moved at first; 1 when equal.
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
/// Error of the impactor's way from one frame to the next, 1-sigma, mm, and how much otherwise it may be slowed down than
/// the simulation's, as a share of its way since the contact.
const WAY_MM: f64 = 0.05;
const SHARE_OF_WAY: f64 = 0.02;
/// Error of where its edges have it when it touches, 1-sigma, mm.
const TOUCHES_MM: f64 = 1.0;
/// How sure it is that the contact comes before the first motion, 1-sigma, s.
const CONTACT_SIGMA_S: f64 = 5e-5;
/// Where the nodes and the impactor's way contradict each other by more than 3 sigma, something else was followed than
/// the impactor, or it was looked for at a wrong time: the nodes are believed. As a cost.
const CONTRADICTION: f64 = 4.5;
/// The impactor's way is told from so many moments at least.
const LEAST_OF_WAY: usize = 3;

/// Finds the offset, with the `way` of the impactor where it was followed; `None` when nothing that was measured moves
/// in the simulation.
pub(super) fn fit_trigger(
    history: &NodeHistory,
    steps: &[EarlyStep],
    way: Option<&ImpactorWay<'_>>,
) -> Option<TriggerFit> {
    let measured: usize = steps.iter().map(|s| s.measured.iter().flatten().count()).sum();
    if measured == 0 || !something_moves(history) {
        return None;
    }
    let weighed = weigh(history, steps);
    let begun_s = first_motion_s(history, steps);
    let by_nodes = |offset: f64, rate: f64| {
        let too_late_s = begun_s.map_or(0.0, |t| (history.times_s[0] - t - offset).max(0.0));
        let recorded = (offset / RECORDED_S).powi(2).ln_1p();
        total_cost(history, &weighed, offset, rate, measured) + recorded + 0.5 * (too_late_s / CONTACT_SIGMA_S).powi(2)
    };
    let way = way.filter(|w| w.seen.len() >= LEAST_OF_WAY);
    let (alone, with_way) = rayon::join(
        || Solution::of(&by_nodes),
        || way.map(|w| Solution::of(&|offset, rate| by_nodes(offset, rate) + way_cost(w, offset, rate))),
    );
    // How fast the nodes move beside the impactor is the structure's affair.
    let at_any_rate =
        |offset: f64| (50..=160).map(|r| by_nodes(offset, 0.01 * f64::from(r))).fold(f64::INFINITY, f64::min);
    let agrees = |s: &Solution| at_any_rate(s.best[0]) - alone.least < CONTRADICTION;
    let Solution { best, sigma_s, .. } = with_way.filter(agrees).unwrap_or(alone);
    let share = share_left(history, steps, best);
    let sigma_s = sigma_s * (share / SHARE_OF_MOTION).clamp(LEAST_LEFT, MOST_LEFT);
    Some(TriggerFit { offset_s: best[0], sigma_s, rate: best[1] })
}

/// Where a cost is least.
#[derive(Debug, Clone, Copy)]
struct Solution {
    /// Offset in s, and rate.
    best: [f64; 2],
    /// The cost there.
    least: f64,
    /// 1-sigma of the offset, s.
    sigma_s: f64,
}

impl Solution {
    fn of(cost: &(impl Fn(f64, f64) -> f64 + Sync)) -> Self {
        let (best, least) = cheapest(cost);
        Self { best, least, sigma_s: profile_sigma(cost, best, least) }
    }
}

/// Offset and rate of the least cost, and that cost: by a grid that closes in.
fn cheapest(cost: &(impl Fn(f64, f64) -> f64 + Sync)) -> ([f64; 2], f64) {
    let (mut best, mut span) = ([0.0, 1.0], [LARGEST_OFFSET_S, 0.3]);
    let mut least = cost(best[0], best[1]);
    for level in 0..6 {
        let centre = best;
        let (n, m) = if level == 0 { (24, 6) } else { (4, 4) };
        let at = |(i, j): (i32, i32)| {
            [centre[0] + span[0] * f64::from(i) / f64::from(n), centre[1] + span[1] * f64::from(j) / f64::from(m)]
        };
        let grid = (-n..=n).flat_map(|i| (-m..=m).map(move |j| (i, j))).map(at);
        let allowed = |[offset, rate]: &[f64; 2]| offset.abs() <= LARGEST_OFFSET_S && (0.5..=1.6).contains(rate);
        let grid: Vec<[f64; 2]> = grid.filter(allowed).collect();
        let costs: Vec<f64> = grid.par_iter().map(|[offset, rate]| cost(*offset, *rate)).collect();
        for (at, c) in grid.into_iter().zip(costs) {
            if c < least {
                (least, best) = (c, at);
            }
        }
        span = [span[0] * 1.5 / f64::from(n), span[1] * 1.5 / f64::from(m)];
    }
    (best, least)
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
    let node_of = |(node, seen): (usize, &Option<_>)| weigh_node(history, node, seen.as_ref()?);
    steps
        .iter()
        .map(|s| Weighed { time_s: s.time_s, seen: s.measured.iter().enumerate().filter_map(node_of).collect() })
        .collect()
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
fn total_cost(history: &NodeHistory, steps: &[Weighed], offset: f64, rate: f64, measured: usize) -> f64 {
    let mut sum = 0.0;
    for step in steps {
        let (a, b, w) = bracket(&history.times_s, rate * (step.time_s + offset));
        let (before, after) = (&history.positions_mm[a], &history.positions_mm[b]);
        for seen in &step.seen {
            let chi2 = seen.chi2(before[seen.node] * (1.0 - w) + after[seen.node] * w);
            sum += 4.0 * (1.0 + chi2 / 4.0).ln() - seen.half_log;
        }
    }
    let frames = steps.len().max(1) as f64;
    0.5 * sum * (REGIONS_A_FRAME * frames / measured as f64).min(1.0) + 0.5 * ((rate - 1.0) / RATE_SIGMA).powi(2)
}

/// Negative log-likelihood of the impactor's way, whatever it did before it touched.
fn way_cost(way: &ImpactorWay<'_>, offset: f64, rate: f64) -> f64 {
    let if_it = |before: Before| {
        let of = |(time_s, seen_mm): &(f64, f64)| {
            let expected_mm = rate * way.line.since_contact_mm(before, time_s + offset);
            let variance = WAY_MM.powi(2) + (SHARE_OF_WAY * expected_mm.max(0.0)).powi(2);
            (seen_mm - expected_mm, variance)
        };
        let left: Vec<(f64, f64)> = way.seen.iter().map(of).collect();
        // From where the way is counted only the edges say: it touches at time 0.
        let touches = way.touches_mm.map(|mm| (mm, TOUCHES_MM.powi(2)));
        let all = || left.iter().chain(&touches);
        let start_mm = all().map(|(l, v)| l / v).sum::<f64>() / all().map(|(_, v)| 1.0 / v).sum::<f64>();
        all().map(|(l, v)| 0.5 * ((l - start_mm).powi(2) / v + v.ln())).sum::<f64>()
    };
    if_it(Before::Waits).min(if_it(Before::Comes))
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

/// 1-sigma of the offset: how far it may go, the rate being free, until the cost has risen by one half.
fn profile_sigma(cost: &impl Fn(f64, f64) -> f64, best: [f64; 2], least: f64) -> f64 {
    let profile = |offset: f64| {
        (-8..=8).map(|j| cost(best[0] + offset, best[1] + 0.02 * f64::from(j))).fold(f64::INFINITY, f64::min) - least
    };
    let reach = |sign: f64| {
        let mut step = 1e-5;
        while step < LARGEST_OFFSET_S && profile(sign * step) < 0.5 {
            step *= 1.25;
        }
        step.min(LARGEST_OFFSET_S)
    };
    0.5 * (reach(1.0) + reach(-1.0))
}

#[cfg(test)]
mod tests {
    use super::super::impactor::Line;
    use super::*;

    /// Forty nodes of a column that is crushed from the top at `speed` mm/s from time zero on.
    fn history(speed: f64) -> NodeHistory {
        let times_s: Vec<f64> = (0..20).map(|i| f64::from(i) * 1e-3).collect();
        let positions_mm = times_s
            .iter()
            .map(|t| {
                (0..40).map(|n| Vector3::new(0.0, 0.0, 5.0 * f64::from(n) - speed * t * f64::from(n) / 39.0)).collect()
            })
            .collect();
        NodeHistory { times_s, positions_mm }
    }

    fn early(speed: f64, offset: f64) -> Vec<EarlyStep> {
        (-2..6)
            .map(|i| {
                let time_s = f64::from(i) * 1.3e-3;
                let t = (time_s + offset).max(0.0);
                let measured = (0..40)
                    .map(|n| {
                        let z = 5.0 * f64::from(n) - speed * t * f64::from(n) / 39.0;
                        let wobble = 0.02 * f64::from((n * 7 + i) % 5 - 2);
                        Some((Vector3::new(0.0, 0.0, z + wobble), Matrix3::identity() * 0.01))
                    })
                    .collect();
                EarlyStep { time_s, measured }
            })
            .collect()
    }

    #[test]
    fn offset_is_found_for_an_identical_test() {
        let fit = fit_trigger(&history(7600.0), &early(7600.0, 0.53e-3), None).expect("it moves");
        assert!((fit.offset_s - 0.53e-3).abs() < 0.03e-3, "{fit:?}");
        assert!(fit.sigma_s > 0.0 && fit.sigma_s < 0.3e-3, "{fit:?}");
    }

    #[test]
    fn another_impact_speed_does_not_pass_for_a_late_trigger() {
        let fit = fit_trigger(&history(7600.0), &early(6800.0, -0.4e-3), None).expect("it moves");
        assert!((fit.offset_s + 0.4e-3).abs() < 0.08e-3, "{fit:?}");
        assert!((fit.rate - 6800.0 / 7600.0).abs() < 0.05, "{fit:?}");
    }

    /// A test that is faster than the simulation, and whose structure gives in only half as much.
    fn stiffer_and_faster(offset: f64) -> Vec<EarlyStep> {
        early(0.5 * 1.15 * 7600.0, offset)
    }

    fn way<'a>(times_s: &'a [f64], travel_mm: &'a [f64], before: Before, offset: f64) -> ImpactorWay<'a> {
        let line = Line { direction: Vector3::z(), times_s, travel_mm };
        let seen = |i: i32| {
            let time_s = f64::from(i) * 1.3e-3;
            (time_s, 40.0 + 1.15 * line.since_contact_mm(before, time_s + offset))
        };
        ImpactorWay { seen: (-2..6).map(seen).collect(), line, touches_mm: None }
    }

    #[test]
    fn an_impactor_that_waits_is_a_clock_whatever_the_structure_does() {
        let (times_s, travel_mm) = ([0.0, 0.02], [0.0, 152.0]);
        let seen = way(&times_s, &travel_mm, Before::Waits, -0.4e-3);
        let alone = fit_trigger(&history(7600.0), &stiffer_and_faster(-0.4e-3), None).expect("it moves");
        let fit = fit_trigger(&history(7600.0), &stiffer_and_faster(-0.4e-3), Some(&seen)).expect("it moves");
        assert!((fit.offset_s + 0.4e-3).abs() < 0.02e-3 && (fit.rate - 1.15).abs() < 0.02, "{fit:?}");
        assert!(fit.sigma_s < 0.1e-3 && alone.rate < 0.7, "{fit:?}, without it {alone:?}");
    }

    #[test]
    fn an_impactor_that_comes_tells_how_fast_the_test_is() {
        let (times_s, travel_mm) = ([0.0, 0.02], [0.0, 152.0]);
        let seen = way(&times_s, &travel_mm, Before::Comes, 0.3e-3);
        let fit = fit_trigger(&history(7600.0), &early(1.15 * 7600.0, 0.3e-3), Some(&seen)).expect("it moves");
        assert!((fit.offset_s - 0.3e-3).abs() < 0.05e-3 && (fit.rate - 1.15).abs() < 0.01, "{fit:?}");
    }

    #[test]
    fn where_it_touches_tells_when_an_impactor_that_comes_does() {
        let (times_s, travel_mm) = ([0.0, 0.02], [0.0, 152.0]);
        let seen = way(&times_s, &travel_mm, Before::Comes, 0.3e-3);
        let touching = ImpactorWay { touches_mm: Some(40.0), ..seen.clone() };
        // Its speed does not change in this film: it would look the same at any time.
        let worse = |way: &ImpactorWay<'_>| way_cost(way, -0.3e-3, 1.15) - way_cost(way, 0.3e-3, 1.15);
        let (without, with) = (worse(&seen), worse(&touching));
        assert!(without.abs() < 3.0 && with > 8.0, "0.6 ms too late: {with}, without its edges {without}");
    }

    #[test]
    fn a_way_that_contradicts_the_structure_is_not_believed() {
        // It was looked for 4 ms too late, where it waits for a shot that in truth has long begun.
        let (times_s, travel_mm) = ([0.0, 0.02], [0.0, 152.0]);
        let seen = way(&times_s, &travel_mm, Before::Waits, -4.0e-3);
        let fit = fit_trigger(&history(7600.0), &early(7600.0, 0.2e-3), Some(&seen)).expect("it moves");
        assert_eq!(Some(fit), fit_trigger(&history(7600.0), &early(7600.0, 0.2e-3), None));
        assert!((fit.offset_s - 0.2e-3).abs() < 0.03e-3, "{fit:?}");
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
        let fit = fit_trigger(&history, &steps, None).expect("it moves");
        assert!(fit.offset_s > -0.1e-3, "{fit:?}");
    }

    #[test]
    fn what_is_measured_badly_is_no_motion() {
        // Before the contact every node is seen a mm beside its place, as on bare metal, each to another side.
        let mut steps = early(7600.0, -0.35e-3);
        for step in steps.iter_mut().skip(1).filter(|s| s.time_s < 0.35e-3) {
            for (node, seen) in step.measured.iter_mut().enumerate() {
                let angle = 2.4 * node as f64;
                seen.as_mut().expect("all are measured").0 += Vector3::new(angle.cos(), 0.0, angle.sin());
            }
        }
        let history = history(7600.0);
        assert_eq!(first_motion_s(&history, &steps), Some(1.3e-3));
        let fit = fit_trigger(&history, &steps, None).expect("it moves");
        assert!((fit.offset_s + 0.35e-3).abs() < 0.2e-3, "{fit:?}");
    }

    #[test]
    fn nothing_that_moves_gives_no_offset() {
        assert!(fit_trigger(&history(0.0), &early(0.0, 0.0), None).is_none());
    }
}
