//! The reduced model: the displacement field at any parameters, as weights of the runs' fields.
//!
//! Snapshots are whole runs (space and time together); the modes are those of their inner products (method of
//! snapshots, Sirovich 1987). Each mode's coefficient is regressed on the parameters. As modes are sums of the runs'
//! fields, so is every prediction, and the fields may stay on disk.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use rayon::prelude::*;

use super::kernel::KINDS;
use super::regress::Regressions;
use super::{FieldError, Grams, StudyFields};
use crate::geom::bracket;

/// Share of the runs' spread that the modes must hold.
const ENERGY: f64 = 0.999;

/// A reduced model of a study.
#[derive(Debug, Clone)]
pub struct Surrogate {
    runs: usize,
    /// Runs × modes: how a mode is put together from the runs, divided by its strength.
    from_mode: DMatrix<f64>,
    regressions: Regressions,
    energy: f64,
}

impl Surrogate {
    /// Makes the model from the runs' parameters (shares of the ranges) and inner products.
    #[must_use]
    pub fn fit(shares: &[Vec<f64>], grams: &Grams) -> Self {
        Self::of_gram(shares, &grams.total())
    }

    /// From the runs × runs inner products alone.
    pub(super) fn of_gram(shares: &[Vec<f64>], gram: &DMatrix<f64>) -> Self {
        let n = shares.len();
        let centre = DMatrix::identity(n, n) - DMatrix::from_element(n, n, 1.0 / n as f64);
        let eigen = SymmetricEigen::new(&centre * gram * &centre);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let total: f64 = eigen.eigenvalues.iter().map(|e| e.max(0.0)).sum::<f64>().max(1e-300);
        let (mut kept, mut held) = (Vec::new(), 0.0);
        for i in order.into_iter().take(n.saturating_sub(2).max(1)) {
            if held >= ENERGY || eigen.eigenvalues[i] <= 1e-12 * total {
                break;
            }
            held += eigen.eigenvalues[i] / total;
            kept.push(i);
        }
        let strength = |m: usize| eigen.eigenvalues[kept[m]].max(0.0).sqrt();
        let coefficients = DMatrix::from_fn(n, kept.len(), |r, m| eigen.eigenvectors[(r, kept[m])] * strength(m));
        let from_mode = DMatrix::from_fn(n, kept.len(), |r, m| eigen.eigenvectors[(r, kept[m])] / strength(m));
        Self {
            runs: n,
            from_mode,
            regressions: Regressions::fit_together(shares, &coefficients),
            energy: held.min(1.0),
        }
    }

    /// The weights of the runs whose sum is the field at `shares`; they add up to 1.
    #[must_use]
    pub fn weights(&self, shares: &[f64]) -> DVector<f64> {
        let mut weights = &self.from_mode * self.regressions.predict(shares);
        weights.add_scalar_mut(1.0 / self.runs as f64);
        weights
    }

    /// Modes kept, and the share of the spread that they hold.
    #[must_use]
    pub fn modes(&self) -> (usize, f64) {
        (self.from_mode.ncols(), self.energy)
    }

    /// How many modes each kind of regression won.
    #[must_use]
    pub fn regressions(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for kind in &self.regressions.kind_of {
            let name = KINDS[*kind].name();
            match counts.iter_mut().find(|(n, _)| n == name) {
                Some((_, count)) => *count += 1,
                None => counts.push((name.to_owned(), 1)),
            }
        }
        counts
    }

    /// Node positions in mm at `shares` of the ranges and simulation time `time_s`; the undeformed shape follows the
    /// parameters too, where it differs from run to run.
    ///
    /// # Errors
    /// When a field cannot be read.
    pub fn positions_mm(
        &self,
        fields: &dyn StudyFields,
        shares: &[f64],
        time_s: f64,
    ) -> Result<Vec<[f32; 3]>, FieldError> {
        let weights: Vec<f32> = self.weights(shares).iter().map(|w| *w as f32).collect();
        let study = fields.study();
        let (a, b, part) = bracket(&study.times_s, time_s);
        let (first, second) = (fields.displacements_mm(a)?, fields.displacements_mm(b)?);
        let rest = fields.rest_mm()?;
        let (n, part) = (3 * study.node_count, part as f32);
        let value = |at: usize| {
            let mut sum = if study.rest_differs { 0.0 } else { rest[at] };
            for (run, weight) in weights.iter().enumerate() {
                let i = run * n + at;
                let moved = first[i] + part * (second[i] - first[i]);
                sum += weight * if study.rest_differs { rest[i] + moved } else { moved };
            }
            sum
        };
        Ok((0..study.node_count).into_par_iter().map(|node| [0, 1, 2].map(|axis| value(3 * node + axis))).collect())
    }
}
