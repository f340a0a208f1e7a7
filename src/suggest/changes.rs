//! Ranked changes: one parameter, two, all of them; by what they are predicted to leave.
//!
//! What the film settles belongs to every change: where the simulation was hit slower than the test, a change that leaves
//! the speed as it is would explain that away by a thickness.

use nalgebra::DVector;
use rayon::prelude::*;

use super::calibrate::Calibration;
use super::estimate::{Estimator, Posterior};
use super::gain::{Gains, PartPictures};
use super::words::list;
use crate::domain::{Change, Flag, FlagId, IDENTIFIED_HALF_WIDTH, Interval, Move, PartGain, Study, Verdict};

/// Steps of a parameter's range when it alone moves, and when two move.
const STEPS_ALONE: usize = 201;
const STEPS_PAIR: usize = 41;
/// A change that moves a parameter by less is none, share of the range.
const LEAST_MOVE: f64 = 0.01;
/// Changes that are told.
const TOLD: usize = 8;
/// A flag is explained when its part keeps less than this of its mismatch.
const EXPLAINED: f64 = 0.5;
/// Probability from which a change is sure to help.
const SURE: f64 = 0.9;
/// Each further parameter of a change must bring what is left down to this share, or it is not worth moving.
const WORTH: f64 = 0.95;

/// What the ranking rests on.
pub(super) struct ChangeInput<'a> {
    pub(super) study: &'a Study,
    pub(super) estimator: &'a Estimator,
    pub(super) film: &'a DVector<f64>,
    pub(super) posterior: &'a Posterior,
    pub(super) calibration: &'a Calibration,
    pub(super) gains: &'a Gains<'a>,
    /// Widened samples of the posterior.
    pub(super) tests: &'a [Vec<f64>],
    /// The reviewed simulation, shares.
    pub(super) here: &'a [f64],
    pub(super) flags: &'a [Flag],
}

/// A candidate: which parameters, their intervals (shares), and the point.
#[derive(Clone)]
struct Candidate {
    moved: Vec<usize>,
    to: Vec<Interval>,
    point: Vec<f64>,
}

impl Candidate {
    /// The same with `more` moved, too, to `point` in all; parameters in the study's order.
    fn and(&self, more: &[(usize, Interval)], point: Vec<f64>) -> Self {
        let mut all: Vec<(usize, Interval)> = self.moved.iter().copied().zip(self.to.iter().copied()).collect();
        all.extend(more);
        all.sort_unstable_by_key(|(index, _)| *index);
        let (moved, to) = all.into_iter().unzip();
        Self { moved, to, point }
    }
}

/// The changes that are sure to help, best first; fewer parameters before more at the same gain.
pub(super) fn rank_changes(input: &ChangeInput<'_>) -> Vec<Change> {
    let settled = settled(input.posterior, input.calibration, input.here);
    let open: Vec<usize> = (0..input.here.len()).filter(|i| !settled.moved.contains(i)).collect();
    let mut sets: Vec<Vec<usize>> = open.iter().map(|i| vec![*i]).collect();
    sets.extend(open.iter().enumerate().flat_map(|(at, i)| open[at + 1..].iter().map(move |j| vec![*i, *j])));
    if !settled.moved.is_empty() {
        sets.push(Vec::new());
    }
    if open.len() > 2 {
        sets.push(open);
    }
    let mut changes: Vec<Change> = sets
        .into_par_iter()
        .map(|more| match more.as_slice() {
            [] => settled.clone(),
            [one] => alone(input, &settled, *one),
            [one, other] => pair(input, &settled, [*one, *other]),
            _ => all(input),
        })
        .map(|candidate| change(input, &candidate))
        .filter(|c| !c.moves.is_empty() && c.helps >= SURE)
        .collect();
    changes.sort_by(|a, b| {
        let cost = |c: &Change| c.after_mm.value * (1.0 / WORTH).powi(c.moves.len() as i32);
        cost(a).total_cmp(&cost(b))
    });
    tell_once(&mut changes);
    changes.truncate(TOLD);
    for (index, c) in changes.iter_mut().enumerate() {
        c.rank = index + 1;
    }
    changes
}

/// The parameters that the film identifies and that are not as in the simulation, at what the film says of them.
fn settled(posterior: &Posterior, calibration: &Calibration, here: &[f64]) -> Candidate {
    let mut found = Candidate { moved: Vec::new(), to: Vec::new(), point: here.to_vec() };
    for (index, here) in here.iter().enumerate() {
        let to = calibration.interval(posterior, index);
        if to.half_width() <= IDENTIFIED_HALF_WIDTH && !(to.lower..=to.upper).contains(here) {
            found.point[index] = to.value;
            found.moved.push(index);
            found.to.push(to);
        }
    }
    found
}

/// Keeps the best of the changes that move the same parameters: a pair whose second one stays where it is moves one.
fn tell_once(changes: &mut Vec<Change>) {
    let mut told = Vec::new();
    changes.retain(|c| {
        let moved: Vec<String> = c.moves.iter().map(|m| m.name.clone()).collect();
        let is_new = !told.contains(&moved);
        told.push(moved);
        is_new
    });
}

/// Mean and 90 % interval of a density given at evenly spread shares, widened.
fn interval_of(points: &[f64], weights: &[f64], widening: f64) -> Interval {
    let total: f64 = weights.iter().sum::<f64>().max(1e-300);
    let value = points.iter().zip(weights).map(|(p, w)| p * w).sum::<f64>() / total;
    let quantile = |q: f64| {
        let mut sum = 0.0;
        for (p, w) in points.iter().zip(weights) {
            sum += w / total;
            if sum >= q {
                return *p;
            }
        }
        points.last().copied().unwrap_or(value)
    };
    Interval {
        value,
        lower: (value - widening * (value - quantile(0.05)).max(0.0)).max(0.0),
        upper: (value + widening * (quantile(0.95) - value).max(0.0)).min(1.0),
    }
}

fn densities(energies: &[f64]) -> Vec<f64> {
    let least = energies.iter().copied().fold(f64::INFINITY, f64::min);
    energies.iter().map(|e| (least - e).exp()).collect()
}

fn grid(steps: usize) -> Vec<f64> {
    (0..steps).map(|i| i as f64 / (steps - 1) as f64).collect()
}

fn alone(input: &ChangeInput<'_>, settled: &Candidate, index: usize) -> Candidate {
    let mut energy = input.estimator.energy(input.film);
    let points = grid(STEPS_ALONE);
    let mut at = settled.point.clone();
    let energies: Vec<f64> = points
        .iter()
        .map(|s| {
            at[index] = *s;
            energy(&at)
        })
        .collect();
    let to = interval_of(&points, &densities(&energies), input.calibration.widening_of(input.posterior, index));
    at[index] = to.value;
    settled.and(&[(index, to)], at)
}

fn pair(input: &ChangeInput<'_>, settled: &Candidate, [first, second]: [usize; 2]) -> Candidate {
    let mut energy = input.estimator.energy(input.film);
    let points = grid(STEPS_PAIR);
    let mut at = settled.point.clone();
    let mut energies = Vec::with_capacity(points.len() * points.len());
    for a in &points {
        for b in &points {
            (at[first], at[second]) = (*a, *b);
            energies.push(energy(&at));
        }
    }
    let weights = densities(&energies);
    let n = points.len();
    let of_first: Vec<f64> = (0..n).map(|i| weights[i * n..(i + 1) * n].iter().sum()).collect();
    let of_second: Vec<f64> = (0..n).map(|j| (0..n).map(|i| weights[i * n + j]).sum()).collect();
    let to_first = interval_of(&points, &of_first, input.calibration.widening_of(input.posterior, first));
    let to_second = interval_of(&points, &of_second, input.calibration.widening_of(input.posterior, second));
    (at[first], at[second]) = (to_first.value, to_second.value);
    settled.and(&[(first, to_first), (second, to_second)], at)
}

fn all(input: &ChangeInput<'_>) -> Candidate {
    let moved: Vec<usize> = (0..input.here.len()).collect();
    let to: Vec<Interval> = moved.iter().map(|i| input.calibration.interval(input.posterior, *i)).collect();
    Candidate { point: to.iter().map(|t| t.value).collect(), to, moved }
}

fn change(input: &ChangeInput<'_>, candidate: &Candidate) -> Change {
    let parameters = &input.study.parameters;
    let moves: Vec<Move> = candidate
        .moved
        .iter()
        .zip(&candidate.to)
        .filter(|(i, to)| (to.value - input.here[**i]).abs() >= LEAST_MOVE)
        .map(|(i, to)| {
            let p = &parameters[*i];
            let at = |s: f64| p.value_at(s);
            Move {
                name: p.name.clone(),
                unit: p.unit.clone(),
                from: at(input.here[*i]),
                to: Interval { value: at(to.value), lower: at(to.lower), upper: at(to.upper) },
            }
        })
        .collect();
    let gain = |part: &PartPictures| {
        let before_mm = input.gains.before_mm(part);
        let (after_mm, helps) = input.gains.after_mm(part, &candidate.point, input.tests, before_mm);
        (before_mm, after_mm, helps)
    };
    let (before_mm, after_mm, helps) = gain(&input.gains.parts[0]);
    let parts: Vec<PartGain> = input.gains.parts[1..]
        .iter()
        .filter_map(|pictures| {
            let part = &input.study.parts[pictures.part?];
            let (before_mm, after_mm, _) = gain(pictures);
            Some(PartGain { part_id: part.id, part_name: part.name.clone(), before_mm, after_mm })
        })
        .collect();
    let (explains, leaves) = flags(input.flags, &parts);
    let why = why(&moves, &parts, &explains, &leaves);
    Change { rank: 0, moves, before_mm, after_mm, helps, parts, explains, leaves, why }
}

/// Mismatch flags whose part loses at least half, and the others.
fn flags(flags: &[Flag], parts: &[PartGain]) -> (Vec<FlagId>, Vec<FlagId>) {
    let explained =
        |f: &&Flag| parts.iter().any(|p| p.part_id == f.part_id && p.after_mm.value <= EXPLAINED * p.before_mm);
    let mismatches = flags.iter().filter(|f| f.verdict == Verdict::Mismatch);
    let (yes, no): (Vec<&Flag>, Vec<&Flag>) = mismatches.partition(explained);
    let ids = |list: Vec<&Flag>| list.into_iter().map(|f| f.id).collect();
    (ids(yes), ids(no))
}

fn why(moves: &[Move], parts: &[PartGain], explains: &[FlagId], leaves: &[FlagId]) -> String {
    let number = |ids: &[FlagId]| list(&ids.iter().map(|f| f.0.to_string()).collect::<Vec<_>>());
    let best =
        parts.iter().max_by(|a, b| (a.before_mm - a.after_mm.value).total_cmp(&(b.before_mm - b.after_mm.value)));
    let what = if moves.len() == 1 { "it alone" } else { "together they" };
    let mut text = best.map_or(String::new(), |p| {
        format!(
            "{what} bring{} {} from {:.1} to {:.1} mm",
            if moves.len() == 1 { "s" } else { "" },
            p.part_name,
            p.before_mm,
            p.after_mm.value
        )
    });
    if !explains.is_empty() {
        text.push_str(&format!("; explains flag {}", number(explains)));
    }
    if !leaves.is_empty() {
        text.push_str(&format!("; leaves flag {}", number(leaves)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::estimate::BlockFit;
    use super::*;

    /// Samples spread evenly by `half` about `centre`, one parameter a pair.
    fn posterior(about: &[(f64, f64)]) -> Posterior {
        let at = |k: usize| about.iter().map(|(centre, half)| centre + half * (k as f64 / 50.0 - 1.0)).collect();
        let blocks = vec![BlockFit { misfit: 1.0, information: vec![1.0; about.len()] }];
        Posterior { samples: (0..=100).map(at).collect(), best: about.iter().map(|(c, _)| *c).collect(), blocks }
    }

    #[test]
    fn what_the_film_settles_otherwise_belongs_to_every_change() {
        let calibration = Calibration {
            widening: vec![1.0; 3],
            rms: vec![0.0; 3],
            usual_misfits: vec![1.0],
            excess: Vec::new(),
            estimates: Vec::new(),
        };
        // Known and elsewhere; known and as simulated; elsewhere, but not known.
        let found = settled(&posterior(&[(0.8, 0.05), (0.42, 0.05), (0.8, 0.2)]), &calibration, &[0.5, 0.4, 0.5]);
        assert_eq!(found.moved, [0]);
        assert!((found.point[0] - 0.8).abs() < 1e-9 && found.point[1..] == [0.4, 0.5], "{:?}", found.point);
        let to = Interval { value: 0.9, lower: 0.8, upper: 1.0 };
        let more = found.and(&[(2, to)], vec![0.8, 0.4, 0.9]);
        assert_eq!((more.moved, more.to[1], more.point), (vec![0, 2], to, vec![0.8, 0.4, 0.9]));
    }

    #[test]
    fn a_pair_that_moves_one_parameter_is_not_told_beside_that_one_alone() {
        let moves = |names: &[&str]| {
            let to = Interval { value: 2.0, lower: 1.5, upper: 2.5 };
            names.iter().map(|n| Move { name: (*n).to_owned(), unit: "mm".to_owned(), from: 1.0, to }).collect()
        };
        let change = |names: &[&str], after: f64| Change {
            rank: 0,
            moves: moves(names),
            before_mm: 9.0,
            after_mm: Interval { value: after, lower: 0.0, upper: 8.0 },
            helps: 0.97,
            parts: Vec::new(),
            explains: Vec::new(),
            leaves: Vec::new(),
            why: String::new(),
        };
        let mut changes = vec![change(&["speed"], 2.0), change(&["speed"], 2.1), change(&["speed", "angle"], 2.2)];
        tell_once(&mut changes);
        assert_eq!(changes.iter().map(|c| c.after_mm.value).collect::<Vec<_>>(), [2.0, 2.2]);
    }
}
