//! Many outputs regressed on a few parameters: for each output the kernel that leave-one-out likelihood prefers.

use nalgebra::{DMatrix, DVector};

use super::kernel::{KINDS, Kind, NUGGETS};

/// Outputs with less spread than this say nothing (their unit is mm or a coefficient of mm).
const NO_SPREAD: f64 = 1e-9;

/// Fitted regressions of all outputs; outputs are standardised (mean 0, spread 1 over the runs).
#[derive(Debug, Clone)]
pub(super) struct Regressions {
    pub(super) points: Vec<Vec<f64>>,
    pub(super) mean: DVector<f64>,
    pub(super) spread: DVector<f64>,
    /// Kind of each output, as an index into [`KINDS`].
    pub(super) kind_of: Vec<usize>,
    /// Weights by output: runs × outputs.
    alpha: DMatrix<f64>,
    /// Leave-one-out errors, standardised: runs × outputs.
    pub(super) left_out: DMatrix<f64>,
    /// The standardised outputs: runs × outputs.
    pub(super) standard: DMatrix<f64>,
}

/// Kernel matrix of one choice, inverted.
struct Choice {
    kind: usize,
    inverse: DMatrix<f64>,
}

fn choices(points: &[Vec<f64>]) -> Vec<Choice> {
    let n = points.len();
    let mut all = Vec::new();
    for (kind, kernel) in KINDS.iter().enumerate() {
        let k = DMatrix::from_fn(n, n, |i, j| kernel.between(&points[i], &points[j]));
        for nugget in NUGGETS {
            let with = &k + DMatrix::identity(n, n) * nugget;
            if let Some(cholesky) = with.cholesky() {
                all.push(Choice { kind, inverse: cholesky.inverse() });
            }
        }
    }
    all
}

impl Regressions {
    /// Fits `outputs` (runs × outputs) at `points` (shares of the ranges, one a run).
    pub(super) fn fit(points: &[Vec<f64>], outputs: &DMatrix<f64>) -> Self {
        let (n, count) = outputs.shape();
        let mean = DVector::from_fn(count, |c, _| outputs.column(c).mean());
        let spread = DVector::from_fn(count, |c, _| outputs.column(c).variance().sqrt().max(NO_SPREAD));
        let standard = DMatrix::from_fn(n, count, |r, c| (outputs[(r, c)] - mean[c]) / spread[c]);
        let mut best = vec![f64::INFINITY; count];
        let mut kind_of = vec![0; count];
        let (mut alpha, mut left_out) = (DMatrix::zeros(n, count), DMatrix::zeros(n, count));
        for choice in choices(points) {
            let weights = &choice.inverse * &standard;
            let diagonal = choice.inverse.diagonal();
            let determinant: f64 = diagonal.iter().map(|d| d.ln()).sum::<f64>() / n as f64;
            for c in 0..count {
                // Leave-one-out predictive density with its own scale (Rasmussen and Williams 2006, section 5.4.2).
                let square: f64 = (0..n).map(|r| weights[(r, c)] * weights[(r, c)] / diagonal[r]).sum();
                let score = (square / n as f64).max(1e-300).ln() - determinant;
                if score < best[c] {
                    (best[c], kind_of[c]) = (score, choice.kind);
                    for r in 0..n {
                        alpha[(r, c)] = weights[(r, c)];
                        left_out[(r, c)] = weights[(r, c)] / diagonal[r];
                    }
                }
            }
        }
        Self { points: points.to_vec(), mean, spread, kind_of, alpha, left_out, standard }
    }

    /// As [`Self::fit`], with one kernel for all outputs: the one whose leave-one-out error, summed over all outputs in
    /// their own units, is least. Modes of a field share their kind of dependence, and a choice for each would follow
    /// the noise of the weak ones.
    pub(super) fn fit_together(points: &[Vec<f64>], outputs: &DMatrix<f64>) -> Self {
        let mut fitted = Self::fit(points, outputs);
        let (n, count) = outputs.shape();
        let mut least = f64::INFINITY;
        for choice in choices(points) {
            let weights = &choice.inverse * &fitted.standard;
            let diagonal = choice.inverse.diagonal();
            let left = DMatrix::from_fn(n, count, |r, c| weights[(r, c)] / diagonal[r]);
            let square: f64 = (0..count).map(|c| fitted.spread[c].powi(2) * left.column(c).norm_squared()).sum();
            if square < least {
                least = square;
                (fitted.alpha, fitted.left_out) = (weights, left);
                fitted.kind_of = vec![choice.kind; count];
            }
        }
        fitted
    }

    /// The outputs at `point`, in their own units.
    pub(super) fn predict(&self, point: &[f64]) -> DVector<f64> {
        let kernels: Vec<[f64; KINDS.len()]> = self.points.iter().map(|p| Kind::all_between(point, p)).collect();
        DVector::from_fn(self.kind_of.len(), |c, _| {
            let kind = self.kind_of[c];
            let standard: f64 = kernels.iter().enumerate().map(|(r, k)| k[kind] * self.alpha[(r, c)]).sum();
            self.mean[c] + self.spread[c] * standard
        })
    }

    /// The regressions of `directions` (outputs × few, standardised outputs), which are quick to evaluate.
    pub(super) fn project(&self, directions: &DMatrix<f64>) -> Projected {
        let mut by_kind = vec![DMatrix::zeros(self.points.len(), directions.ncols()); KINDS.len()];
        for (c, kind) in self.kind_of.iter().enumerate() {
            by_kind[*kind] += self.alpha.column(c) * directions.row(c);
        }
        Projected { points: self.points.clone(), by_kind }
    }
}

/// A few combinations of outputs as functions of the parameters.
#[derive(Debug, Clone)]
pub(super) struct Projected {
    points: Vec<Vec<f64>>,
    by_kind: Vec<DMatrix<f64>>,
}

impl Projected {
    /// The combinations at `point`, written into `out`.
    pub(super) fn predict_into(&self, point: &[f64], out: &mut DVector<f64>) {
        out.fill(0.0);
        for (r, p) in self.points.iter().enumerate() {
            let kernels = Kind::all_between(point, p);
            for (kernel, weights) in kernels.iter().zip(&self.by_kind) {
                for (c, value) in out.iter_mut().enumerate() {
                    *value += kernel * weights[(r, c)];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suggest::random::{Random, latin_hypercube};

    #[test]
    fn a_plane_and_a_bowl_are_learnt_and_leave_one_out_is_what_leaving_out_gives() {
        let points = latin_hypercube(14, 2, &mut Random::new(3));
        let value = |p: &[f64]| [3.0 + 2.0 * p[0] - p[1], (p[0] - 0.4).powi(2) * 5.0 + p[1]];
        let outputs = DMatrix::from_fn(14, 2, |r, c| value(&points[r])[c]);
        let all = Regressions::fit(&points, &outputs);
        for p in [[0.3, 0.6], [0.7, 0.2]] {
            let (found, true_) = (all.predict(&p), value(&p));
            assert!((found[0] - true_[0]).abs() < 0.01 && (found[1] - true_[1]).abs() < 0.05, "{found} {true_:?}");
        }
        // The closed form against really leaving out, with the same kernel and the same scaling.
        let kernel = KINDS[all.kind_of[1]];
        let rest: Vec<usize> = (1..14).collect();
        let k = DMatrix::from_fn(13, 13, |i, j| kernel.between(&points[rest[i]], &points[rest[j]]));
        let y = DVector::from_fn(13, |i, _| all.standard[(rest[i], 1)]);
        let fits = NUGGETS.map(|nugget| {
            let inverse = (&k + DMatrix::identity(13, 13) * nugget).try_inverse().expect("regular");
            let at = DVector::from_fn(13, |i, _| kernel.between(&points[0], &points[rest[i]]));
            all.standard[(0, 1)] - at.dot(&(inverse * &y))
        });
        assert!(fits.iter().any(|e| (e - all.left_out[(0, 1)]).abs() < 1e-6), "{fits:?} {}", all.left_out[(0, 1)]);
    }

    #[test]
    fn projections_are_combinations_of_the_outputs() {
        let points = latin_hypercube(9, 3, &mut Random::new(5));
        let outputs = DMatrix::from_fn(9, 4, |r, c| points[r][c % 3] * (c as f64 + 1.0) + points[r][0].powi(2));
        let all = Regressions::fit(&points, &outputs);
        let directions = DMatrix::from_fn(4, 2, |r, c| (r + 2 * c) as f64 - 1.0);
        let mut found = DVector::zeros(2);
        all.project(&directions).predict_into(&[0.2, 0.5, 0.9], &mut found);
        let plain = all.predict(&[0.2, 0.5, 0.9]);
        let standard = DVector::from_fn(4, |c, _| (plain[c] - all.mean[c]) / all.spread[c]);
        assert!((directions.transpose() * standard - found).norm() < 1e-9);
    }
}
