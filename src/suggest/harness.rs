//! The study judges its own suggestions: each run in turn is the filmed test, and the study does without it.

use nalgebra::DMatrix;

use super::calibrate::calibrate;
use super::estimate::Estimator;
use super::features::{FeaturePlan, with_noise};
use super::random::Random;
use super::sight::Sight;
use crate::domain::{IDENTIFIED_HALF_WIDTH, Interval};

/// One run that played the test.
#[derive(Debug, Clone)]
pub struct LeftOut {
    /// Index of the run.
    pub run: usize,
    /// Its parameters, shares of the ranges.
    pub truth: Vec<f64>,
    /// What was estimated, with the calibrated 90 % intervals, shares.
    pub estimate: Vec<Interval>,
}

/// All runs that played the test.
#[derive(Debug, Clone)]
pub struct LeaveOneOut {
    /// By run.
    pub tests: Vec<LeftOut>,
}

/// Figures of one parameter over all left-out tests.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterScore {
    /// Tests.
    pub tests: usize,
    /// How many were identified ([`IDENTIFIED_HALF_WIDTH`]).
    pub identified: usize,
    /// Median of the error, share of the range.
    pub median_error: f64,
    /// Root mean square of the error.
    pub rms_error: f64,
    /// How many were within 5 % of the range: among all, among the identified.
    pub within_5_percent: (usize, usize),
    /// How many truths were inside the 90 % interval: among all, among the identified.
    pub held: (usize, usize),
    /// Median half-width of the interval, share.
    pub half_width: f64,
}

impl LeaveOneOut {
    /// The figures of parameter `index`.
    #[must_use]
    pub fn score(&self, index: usize) -> ParameterScore {
        let rows: Vec<(f64, bool, f64)> = self
            .tests
            .iter()
            .map(|t| {
                let e = t.estimate[index];
                ((e.value - t.truth[index]).abs(), e.holds(t.truth[index]), e.half_width())
            })
            .collect();
        let median = |mut v: Vec<f64>| {
            v.sort_by(f64::total_cmp);
            v[v.len() / 2]
        };
        let known = |r: &&(f64, bool, f64)| r.2 <= IDENTIFIED_HALF_WIDTH;
        ParameterScore {
            tests: rows.len(),
            identified: rows.iter().filter(known).count(),
            median_error: median(rows.iter().map(|r| r.0).collect()),
            rms_error: (rows.iter().map(|r| r.0 * r.0).sum::<f64>() / rows.len() as f64).sqrt(),
            within_5_percent: (
                rows.iter().filter(|r| r.0 <= 0.05).count(),
                rows.iter().filter(known).filter(|r| r.0 <= 0.05).count(),
            ),
            held: (rows.iter().filter(|r| r.1).count(), rows.iter().filter(known).filter(|r| r.1).count()),
            half_width: median(rows.iter().map(|r| r.2).collect()),
        }
    }
}

/// Each run in turn is the truth: its film as this sight would see it (same places, same noise), the study without it.
/// The widening of the intervals is learnt from the other runs alone.
#[must_use]
pub fn leave_one_out_tests(sight: &Sight, shares: &[Vec<f64>]) -> LeaveOneOut {
    let plan = FeaturePlan::new(sight);
    let numbers = plan.of_runs(sight);
    let doubt = plan.doubt(sight, &sight.test);
    let noisy = noisy_runs(&plan, sight, 0xf11e);
    let tests = (0..shares.len())
        .map(|run| {
            let others: Vec<usize> = (0..shares.len()).filter(|r| *r != run).collect();
            let rest: Vec<Vec<f64>> = others.iter().map(|r| shares[*r].clone()).collect();
            let (known, noisy_known) = (numbers.select_rows(&others), noisy.select_rows(&others));
            let calibration = calibrate(&rest, &known, &noisy_known, &doubt);
            let film = noisy.row(run).transpose();
            let posterior = Estimator::fit(&rest, &known, &doubt).posterior(&film, 99);
            let estimate = (0..rest[0].len()).map(|i| calibration.interval(&posterior, i)).collect();
            LeftOut { run, truth: shares[run].clone(), estimate }
        })
        .collect();
    LeaveOneOut { tests }
}

/// The runs' numbers, each with a draw of the measurement's noise.
pub(super) fn noisy_runs(plan: &FeaturePlan, sight: &Sight, seed: u64) -> DMatrix<f64> {
    let mut random = Random::new(seed);
    let rows: Vec<_> =
        sight.runs.iter().map(|seen| plan.of(sight, &with_noise(sight, seen, &mut random)).transpose()).collect();
    DMatrix::from_rows(&rows)
}
