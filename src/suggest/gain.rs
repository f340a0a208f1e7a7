//! What a change would gain: mismatch before, and after with an interval.
//!
//! If the parameters explain the test, the test is the design at some point of the posterior, and what is left after a
//! change is the distance between the two designs' pictures. The surrogate errs at both points; where they are close it
//! errs alike, so its error enters by how little it is correlated over that distance. What no parameter explains stays,
//! and so does the measurement's noise.

use nalgebra::{DMatrix, DVector};

use super::kernel::matern;
use super::leave_out::left_by_model;
use super::sight::Sight;
use super::{StudyFields, Surrogate};
use crate::domain::Interval;

/// Length over which the surrogate's error stays alike, shares of the range: the middle one of the kernels.
const ERROR_LENGTH: f64 = 1.2;

/// Pictures of one part (or all) as inner products, with what the prediction of a change needs.
pub(super) struct PartPictures {
    /// Index of the part; `None` for all.
    pub(super) part: Option<usize>,
    gram: DMatrix<f64>,
    places: usize,
    /// Mean square of the surrogate's leave-one-out error, mm².
    error_square: f64,
    noise_square: f64,
    /// Mean square of what no parameter explains, mm².
    unexplained_square: f64,
}

/// All parts that were seen, all together first.
pub(super) struct Gains<'a> {
    surrogate: &'a Surrogate,
    pub(super) parts: Vec<PartPictures>,
    runs: usize,
}

impl<'a> Gains<'a> {
    /// `best` is the most likely point, shares.
    pub(super) fn new(
        sight: &Sight,
        fields: &dyn StudyFields,
        surrogate: &'a Surrogate,
        shares: &[Vec<f64>],
        best: &[f64],
    ) -> Self {
        let total = fields.grams().total();
        let errors: Vec<DVector<f64>> =
            (0..shares.len()).map(|run| left_by_model(run, &shares[run], shares, &total)).collect();
        let runs = shares.len();
        let parts = std::iter::once(None).chain((0..sight.parts).map(Some));
        let parts = parts
            .filter_map(|part| {
                let own = |p: &super::sight::Place| part.is_none_or(|part| usize::from(p.part) == part);
                let (gram, places) = sight.gram(own);
                (places > 0).then(|| {
                    let inner = gram.view((0, 0), (runs, runs));
                    let square = |e: &DVector<f64>| e.dot(&(inner * e)).max(0.0) / places as f64;
                    let error_square = errors.iter().map(square).sum::<f64>() / runs as f64;
                    let noise_square = sight.noise_square(own);
                    let mut pictures =
                        PartPictures { part, gram, places, error_square, noise_square, unexplained_square: 0.0 };
                    let left = pictures.mean_square(&test_minus(runs, &surrogate.weights(best)));
                    pictures.unexplained_square = (left - error_square - noise_square).max(0.0);
                    pictures
                })
            })
            .collect();
        Self { surrogate, parts, runs }
    }

    /// Mismatch now, root mean square, mm.
    pub(super) fn before_mm(&self, part: &PartPictures) -> f64 {
        let mut weights = DVector::zeros(self.runs + 2);
        (weights[self.runs], weights[self.runs + 1]) = (1.0, -1.0);
        part.mean_square(&weights).sqrt()
    }

    /// Mismatch predicted at `change` when the test is one of `tests` (samples of the posterior), mm, and the probability
    /// that it is less than `before_mm`.
    pub(super) fn after_mm(
        &self,
        part: &PartPictures,
        change: &[f64],
        tests: &[Vec<f64>],
        before_mm: f64,
    ) -> (Interval, f64) {
        let here = self.surrogate.weights(change);
        let mut left: Vec<f64> = tests
            .iter()
            .map(|test| {
                let apart = test.iter().zip(change).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
                let difference = self.surrogate.weights(test) - &here;
                let mut weights = DVector::zeros(self.runs + 2);
                weights.rows_mut(0, self.runs).copy_from(&difference);
                let surrogate = 2.0 * (1.0 - matern(apart / ERROR_LENGTH)) * part.error_square;
                (part.mean_square(&weights) + surrogate + part.noise_square + part.unexplained_square).sqrt()
            })
            .collect();
        left.sort_by(f64::total_cmp);
        let at = |q: f64| left[((left.len() - 1) as f64 * q).round() as usize];
        let helps = left.partition_point(|mm| *mm < before_mm) as f64 / left.len() as f64;
        (Interval { value: at(0.5), lower: at(0.05), upper: at(0.95) }, helps)
    }
}

impl PartPictures {
    fn mean_square(&self, weights: &DVector<f64>) -> f64 {
        weights.dot(&(&self.gram * weights)).max(0.0) / self.places as f64
    }
}

/// Weights of the test's picture minus a sum of the runs'.
pub(super) fn test_minus(runs: usize, sum: &DVector<f64>) -> DVector<f64> {
    let mut weights = DVector::zeros(runs + 2);
    weights.rows_mut(0, runs).copy_from(&(-sum));
    weights[runs] = 1.0;
    weights
}
