//! The next simulations worth computing: those that leave the least doubt where the test may be.
//!
//! A Gaussian process's variance depends on where runs are, not on what they give, so a batch is chosen one by one as if
//! each were computed already (greedy; Krause, Singh and Guestrin 2008). The variance is averaged over the posterior: the
//! design near the test is what must be known.

use nalgebra::{DMatrix, DVector};

use super::kernel::Kind;
use super::random::{Random, latin_hypercube};
use crate::domain::{NextRun, StudyParameter};

/// Candidates spread over the bounds, candidates from the posterior, and posterior points that must be known.
const SPREAD: usize = 1500;
const NEAR: usize = 300;
const TARGETS: usize = 120;
/// The process whose variance counts, and its noise.
const KIND: Kind = Kind::Process(1.2);
const NUGGET: f64 = 1e-2;
/// A run nearer than this (share of the range, each parameter) to one that failed would fail again.
const NEAR_FAILED: f64 = 0.08;

/// What is known when the next runs are chosen; points are shares of the ranges.
#[derive(Debug, Clone, Copy)]
pub struct NextRunsInput<'a> {
    /// The parameters.
    pub parameters: &'a [StudyParameter],
    /// Runs of the study.
    pub runs: &'a [Vec<f64>],
    /// Runs that are being computed.
    pub pending: &'a [Vec<f64>],
    /// Runs that failed.
    pub failed: &'a [Vec<f64>],
    /// Samples of where the test may be.
    pub posterior: &'a [Vec<f64>],
    /// How many runs are wanted.
    pub count: usize,
}

/// Chooses the runs, most useful first.
#[must_use]
pub fn next_runs(input: &NextRunsInput<'_>) -> Vec<NextRun> {
    let stride = |n: usize, of: usize| of.div_ceil(n).max(1);
    let targets: Vec<&Vec<f64>> = input.posterior.iter().step_by(stride(TARGETS, input.posterior.len())).collect();
    let mut candidates = latin_hypercube(SPREAD, input.parameters.len(), &mut Random::new(0xde51));
    candidates.extend(input.posterior.iter().step_by(stride(NEAR, input.posterior.len())).cloned());
    candidates.retain(|c| !input.failed.iter().any(|f| c.iter().zip(f).all(|(a, b)| (a - b).abs() < NEAR_FAILED)));
    let known: Vec<&Vec<f64>> = input.runs.iter().chain(input.pending).collect();
    let mut doubt = Doubt::new(&known, &targets, &candidates);
    let at_first = doubt.mean_target_variance().max(1e-300);
    let mut chosen = Vec::new();
    for number in 0..input.count {
        let Some(best) = doubt.most_useful() else { break };
        doubt.learn(best);
        let values = input.parameters.iter().zip(&candidates[best]).map(|(p, s)| rounded(p.value_at(*s), p)).collect();
        let variance_left = doubt.mean_target_variance() / at_first;
        chosen.push(NextRun { name: format!("next_{:03}", number + 1), values, variance_left });
    }
    chosen
}

/// To a ten-thousandth of the range: a deck needs no more digits.
fn rounded(value: f64, parameter: &StudyParameter) -> f64 {
    let decimals = (4.0 - (parameter.upper - parameter.lower).log10().floor()).clamp(0.0, 12.0);
    let scale = 10.0_f64.powf(decimals);
    (value * scale).round() / scale
}

/// Covariances between targets and candidates, given everything that is known.
struct Doubt {
    /// Targets × candidates.
    cross: DMatrix<f64>,
    targets: DVector<f64>,
    /// Candidates × what they have learnt from: rows of the triangular factor, for covariances between candidates.
    factor: Vec<Vec<f64>>,
    points: Vec<Vec<f64>>,
    variance: Vec<f64>,
}

impl Doubt {
    fn new(known: &[&Vec<f64>], targets: &[&Vec<f64>], candidates: &[Vec<f64>]) -> Self {
        let n = known.len();
        let k = DMatrix::from_fn(n, n, |i, j| KIND.between(known[i], known[j])) + DMatrix::identity(n, n) * NUGGET;
        let lower = k.cholesky().map_or_else(|| DMatrix::identity(n, n), |c| c.l());
        let solve = |p: &[f64]| {
            let at = DVector::from_fn(n, |i, _| KIND.between(known[i], p));
            lower.solve_lower_triangular(&at).unwrap_or(at)
        };
        let at_targets: Vec<DVector<f64>> = targets.iter().map(|t| solve(t)).collect();
        let at_candidates: Vec<DVector<f64>> = candidates.iter().map(|c| solve(c)).collect();
        let cross = DMatrix::from_fn(targets.len(), candidates.len(), |t, c| {
            KIND.between(targets[t], &candidates[c]) - at_targets[t].dot(&at_candidates[c])
        });
        let left = |p: &[f64], v: &DVector<f64>| (KIND.between(p, p) - v.norm_squared()).max(0.0);
        Self {
            cross,
            targets: DVector::from_iterator(targets.len(), targets.iter().zip(&at_targets).map(|(t, v)| left(t, v))),
            variance: candidates.iter().zip(&at_candidates).map(|(c, v)| left(c, v)).collect(),
            factor: at_candidates.into_iter().map(|v| v.iter().copied().collect()).collect(),
            points: candidates.to_vec(),
        }
    }

    fn mean_target_variance(&self) -> f64 {
        self.targets.mean()
    }

    fn most_useful(&self) -> Option<usize> {
        let gain = |c: usize| self.cross.column(c).norm_squared() / (self.variance[c] + NUGGET);
        (0..self.points.len()).max_by(|a, b| gain(*a).total_cmp(&gain(*b)))
    }

    /// As if candidate `chosen` were computed.
    fn learn(&mut self, chosen: usize) {
        let scale = (self.variance[chosen] + NUGGET).sqrt();
        let own = self.factor[chosen].clone();
        let point = self.points[chosen].clone();
        let at_targets = self.cross.column(chosen) / scale;
        for c in 0..self.points.len() {
            let seen: f64 = self.factor[c].iter().zip(&own).map(|(a, b)| a * b).sum();
            let step = (KIND.between(&self.points[c], &point) - seen) / scale;
            self.variance[c] = (self.variance[c] - step * step).max(0.0);
            for t in 0..at_targets.len() {
                self.cross[(t, c)] -= at_targets[t] * step;
            }
            self.factor[c].push(step);
        }
        for t in 0..at_targets.len() {
            self.targets[t] = (self.targets[t] - at_targets[t] * at_targets[t]).max(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters() -> Vec<StudyParameter> {
        ["a", "b"]
            .map(|name| StudyParameter {
                name: name.to_owned(),
                unit: "mm".to_owned(),
                lower: 0.0,
                upper: 1.0,
                nominal: None,
                kind: None,
            })
            .to_vec()
    }

    #[test]
    fn runs_go_where_the_test_may_be_and_not_where_others_are_or_failed() {
        let parameters = parameters();
        let runs = latin_hypercube(6, 2, &mut Random::new(2));
        let mut random = Random::new(9);
        let posterior: Vec<Vec<f64>> = (0..400).map(|_| vec![0.75 + 0.05 * random.normal(), 0.3]).collect();
        let ask = |pending: &[Vec<f64>], failed: &[Vec<f64>]| {
            let input = NextRunsInput {
                parameters: &parameters,
                runs: &runs,
                pending,
                failed,
                posterior: &posterior,
                count: 3,
            };
            next_runs(&input)
        };
        let found = ask(&[], &[]);
        assert_eq!(found.len(), 3);
        assert!(found.windows(2).all(|w| w[1].variance_left <= w[0].variance_left) && found[0].variance_left < 0.7);
        assert!((found[0].values[0] - 0.75).abs() < 0.25 && (found[0].values[1] - 0.3).abs() < 0.25, "{found:?}");
        // The same run on its way makes another one the most useful; a failed one keeps its surroundings free.
        let first = found[0].values.clone();
        let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
        let failed = ask(&[], std::slice::from_ref(&first));
        assert!(failed.iter().all(|r| apart(&r.values, &first) >= NEAR_FAILED), "{failed:?}");
        assert!(ask(std::slice::from_ref(&first), &[])[0].values != first);
    }
}
