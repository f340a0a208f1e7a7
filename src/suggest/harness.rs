//! The study judges its own suggestions: each run in turn is the filmed test, in some films, and the study does without it.

use nalgebra::DVector;

use super::calibrate::calibrate;
use super::estimate::Estimator;
use super::features::FeaturePlan;
use super::sight::Sight;
use crate::domain::{IDENTIFIED_HALF_WIDTH, Interval};

/// One film of a run that played the test.
#[derive(Debug, Clone)]
pub struct LeftOut {
    /// Index of the run.
    pub run: usize,
    /// Which of the run's films, each with its own noise.
    pub film: usize,
    /// Its parameters, shares of the ranges.
    pub truth: Vec<f64>,
    /// What was estimated, with the calibrated 90 % intervals, shares.
    pub estimate: Vec<Interval>,
}

/// All films of all runs that played the test.
#[derive(Debug, Clone)]
pub struct LeaveOneOut {
    /// By run and film.
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

/// Each run in turn is the truth: its films as this sight would see it (same places, same noise), the study without it.
/// The widening of the intervals is learnt from the other runs alone, but for the speed: what reads it off their ways knows
/// the left-out run's, too. That run's own speed is read without it.
#[must_use]
pub fn leave_one_out_tests(sight: &Sight, shares: &[Vec<f64>]) -> LeaveOneOut {
    let plan = FeaturePlan::new(sight);
    let evidence = plan.evidence(sight);
    let films = plan.films_of_runs(sight, shares, 0xf11e);
    let tests = (0..shares.len())
        .flat_map(|run| {
            let others: Vec<usize> = (0..shares.len()).filter(|r| *r != run).collect();
            let rest: Vec<Vec<f64>> = others.iter().map(|r| shares[*r].clone()).collect();
            let known = evidence.of_runs(&others);
            let of_rest: Vec<_> = others.iter().map(|r| films[*r].clone()).collect();
            let calibration = calibrate(&rest, &known, &of_rest);
            let estimator = Estimator::fit(&rest, &known);
            let played = |(film, numbers): (usize, &DVector<f64>)| {
                let posterior = estimator.posterior(numbers);
                let estimate = (0..rest[0].len()).map(|i| calibration.interval(&posterior, i)).collect();
                LeftOut { run, film, truth: shares[run].clone(), estimate }
            };
            films[run].iter().enumerate().map(played).collect::<Vec<_>>()
        })
        .collect();
    LeaveOneOut { tests }
}
