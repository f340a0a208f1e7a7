//! From one film's numbers to a posterior over the parameters.
//!
//! Each number is regressed on the parameters; its leave-one-out error is what the surrogate may be wrong by, and joins
//! the doubt of measurement, trigger and pose. The numbers are reduced to the few directions in which the parameters
//! show most against that error (Fisher's discriminant directions, with the errors' spread as the scale). There the
//! error's covariance is estimated from the runs' leave-one-out errors and shrunk to its diagonal, and the misfit is
//! Student's: a covariance from N errors leaves that much doubt, and single wrong numbers weigh little.
//!
//! The structure's numbers are hundreds and the impactor's way is a few, which would drown among them: both are reduced by
//! themselves ([`Evidence`]'s blocks) and their misfits added.

use std::ops::Range;

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::features::{Evidence, EvidenceBlock};
use super::regress::{Projected, Regressions};
use super::sampler::sample;

/// Directions beyond the number of parameters: room for what the parameters do in bends.
const DIRECTIONS_BEYOND: usize = 3;
/// How far the errors' covariance is shrunk to its diagonal (Ledoit and Wolf 2004 give some such share for N ≈ q).
const SHRINK: f64 = 0.5;
/// Least standardised error: no number is believed to better than a hundredth of its spread.
const LEAST_ERROR: f64 = 0.01;
/// Of the samples: the same for all films, so that a run's are those of its numbers, wherever it stands in its study.
const SEED: u64 = 2;
/// Fewest degrees of freedom of the Student misfit.
const FEWEST_FREE: f64 = 3.0;

/// A fitted estimator.
#[derive(Debug, Clone)]
pub struct Estimator {
    dimensions: usize,
    blocks: Vec<Block>,
}

/// The estimator of one block of the evidence.
#[derive(Debug, Clone)]
struct Block {
    numbers: Range<usize>,
    regressions: Regressions,
    /// Standardised numbers × directions.
    directions: DMatrix<f64>,
    projected: Projected,
    precision: DMatrix<f64>,
    free: f64,
}

/// What one film says of the parameters, in shares of their ranges.
#[derive(Debug, Clone)]
pub struct Posterior {
    /// Samples.
    pub samples: Vec<Vec<f64>>,
    /// The most likely point.
    pub best: Vec<f64>,
    /// What each block of the evidence says at the best point.
    pub blocks: Vec<BlockFit>,
}

/// How one block of the evidence fits the best point, and what it tells there.
#[derive(Debug, Clone)]
pub struct BlockFit {
    /// Squared misfit (Mahalanobis).
    pub misfit: f64,
    /// By parameter: the diagonal of Fisher's information, 1 / share².
    pub information: Vec<f64>,
}

impl Posterior {
    /// Squared misfit (Mahalanobis) at the best point.
    #[must_use]
    pub fn misfit(&self) -> f64 {
        self.blocks.iter().map(|block| block.misfit).sum()
    }

    /// Mean over the samples.
    #[must_use]
    pub fn mean(&self) -> Vec<f64> {
        let n = self.samples.len() as f64;
        (0..self.best.len()).map(|i| self.samples.iter().map(|s| s[i]).sum::<f64>() / n).collect()
    }

    /// The 5 % and 95 % quantiles of parameter `index`.
    #[must_use]
    pub fn interval(&self, index: usize) -> [f64; 2] {
        let mut all: Vec<f64> = self.samples.iter().map(|s| s[index]).collect();
        all.sort_by(f64::total_cmp);
        [0.05, 0.95].map(|q| all[((all.len() - 1) as f64 * q).round() as usize])
    }
}

impl Estimator {
    /// Fits what `evidence` says of the runs at `points` (shares, one a run).
    #[must_use]
    pub fn fit(points: &[Vec<f64>], evidence: &Evidence) -> Self {
        let blocks = evidence.blocks.iter().map(|block| Block::fit(points, evidence, block)).collect();
        Self { dimensions: points[0].len(), blocks }
    }

    /// Squared misfit (Mahalanobis) of `numbers` at `shares`.
    #[must_use]
    pub fn misfit(&self, numbers: &DVector<f64>, shares: &[f64]) -> f64 {
        self.blocks.iter().map(|block| block.misfit(numbers, shares)).sum()
    }

    /// Minus the logarithm of the likelihood, up to a constant, as a function of the shares.
    pub fn energy<'a>(&'a self, numbers: &DVector<f64>) -> impl FnMut(&[f64]) -> f64 + use<'a> {
        let mut blocks: Vec<_> = self.blocks.iter().map(|block| block.energy(numbers)).collect();
        move |shares| blocks.iter_mut().map(|energy| energy(shares)).sum()
    }

    /// Samples the posterior of `numbers`; the prior is even within the bounds.
    #[must_use]
    pub fn posterior(&self, numbers: &DVector<f64>) -> Posterior {
        let sampled = sample(self.dimensions, SEED, self.energy(numbers));
        let fit = |block: &Block| BlockFit {
            misfit: block.misfit(numbers, &sampled.best),
            information: block.information(&sampled.best).diagonal().iter().copied().collect(),
        };
        let blocks = self.blocks.iter().map(fit).collect();
        Posterior { samples: sampled.samples, best: sampled.best, blocks }
    }

    /// Information of the film about the parameters at `shares` (Fisher's matrix, prior left out).
    #[must_use]
    pub fn information(&self, shares: &[f64]) -> DMatrix<f64> {
        let none = DMatrix::zeros(shares.len(), shares.len());
        self.blocks.iter().fold(none, |sum, block| sum + block.information(shares))
    }
}

impl Block {
    fn fit(points: &[Vec<f64>], evidence: &Evidence, block: &EvidenceBlock) -> Self {
        let (first, count) = (block.numbers.start, block.numbers.len());
        let regressions = Regressions::fit(points, &evidence.runs.columns(first, count).into_owned());
        let (n, dimensions) = (points.len(), points[0].len());
        let doubt = DMatrix::from_fn(evidence.doubt.nrows(), count, |r, c| {
            evidence.doubt[(r, first + c)] / regressions.spread[c]
        });
        let scale = DVector::from_fn(count, |c, _| {
            let error = regressions.left_out.column(c).norm_squared() / n as f64;
            (error + doubt.column(c).norm_squared() + LEAST_ERROR * LEAST_ERROR).sqrt()
        });
        let most = block.most.unwrap_or(dimensions + DIRECTIONS_BEYOND).min(n.saturating_sub(2)).max(1);
        let directions = directions(&regressions, &scale, most);
        let covariance = covariance(&regressions.left_out, &doubt, &directions);
        let count = directions.ncols();
        let precision = covariance.cholesky().map_or_else(|| DMatrix::identity(count, count), |c| c.inverse());
        let precision = precision * block.trust;
        let projected = regressions.project(&directions);
        let free = (n as f64 - 0.5 * count as f64).max(FEWEST_FREE);
        Self { numbers: block.numbers.clone(), regressions, directions, projected, precision, free }
    }

    fn reduced(&self, numbers: &DVector<f64>) -> DVector<f64> {
        let standard = DVector::from_fn(self.numbers.len(), |c, _| {
            (numbers[self.numbers.start + c] - self.regressions.mean[c]) / self.regressions.spread[c]
        });
        self.directions.transpose() * standard
    }

    fn at(&self, shares: &[f64]) -> DVector<f64> {
        let mut out = DVector::zeros(self.directions.ncols());
        self.projected.predict_into(shares, &mut out);
        out
    }

    fn misfit(&self, numbers: &DVector<f64>, shares: &[f64]) -> f64 {
        let left = self.reduced(numbers) - self.at(shares);
        left.dot(&(&self.precision * &left))
    }

    fn energy<'a>(&'a self, numbers: &DVector<f64>) -> impl FnMut(&[f64]) -> f64 + use<'a> {
        let wanted = self.reduced(numbers);
        let count = self.directions.ncols();
        let (mut at, mut left) = (DVector::zeros(count), DVector::zeros(count));
        move |shares| {
            self.projected.predict_into(shares, &mut at);
            left.copy_from(&wanted);
            left -= &at;
            let mut square = 0.0;
            for c in 0..count {
                square += left[c] * self.precision.column(c).dot(&left);
            }
            0.5 * (self.free + count as f64) * (square / self.free).ln_1p()
        }
    }

    fn information(&self, shares: &[f64]) -> DMatrix<f64> {
        const STEP: f64 = 0.02;
        let slope = |i: usize| {
            let (mut up, mut down) = (shares.to_vec(), shares.to_vec());
            up[i] += STEP;
            down[i] -= STEP;
            (self.at(&up) - self.at(&down)) / (2.0 * STEP)
        };
        let slope = DMatrix::from_columns(&(0..shares.len()).map(slope).collect::<Vec<_>>());
        slope.transpose() * &self.precision * slope
    }
}

/// The directions, over standardised numbers, in which what the regressions predict is largest against `scale`.
fn directions(regressions: &Regressions, scale: &DVector<f64>, count: usize) -> DMatrix<f64> {
    let (n, numbers) = regressions.standard.shape();
    let mut signal =
        DMatrix::from_fn(n, numbers, |r, c| (regressions.standard[(r, c)] - regressions.left_out[(r, c)]) / scale[c]);
    for c in 0..numbers {
        let mean = signal.column(c).mean();
        signal.column_mut(c).add_scalar_mut(-mean);
    }
    // The right singular vectors by way of the small matrix.
    let eigen = SymmetricEigen::new(&signal * signal.transpose());
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    let largest = eigen.eigenvalues[order[0]].max(1e-300);
    let first = order[0];
    order.retain(|i| *i == first || eigen.eigenvalues[*i] > 1e-9 * largest);
    order.truncate(count);
    let columns: Vec<DVector<f64>> = order
        .iter()
        .map(|i| {
            let vector = signal.transpose() * eigen.eigenvectors.column(*i) / eigen.eigenvalues[*i].max(1e-300).sqrt();
            DVector::from_fn(numbers, |c, _| vector[c] / scale[c])
        })
        .collect();
    DMatrix::from_columns(&columns)
}

/// Covariance of the errors along the directions: leave-one-out errors shrunk to their diagonal, and the doubt.
fn covariance(left_out: &DMatrix<f64>, doubt: &DMatrix<f64>, directions: &DMatrix<f64>) -> DMatrix<f64> {
    let errors = left_out * directions;
    let full = errors.transpose() * &errors / errors.nrows() as f64;
    let doubt = doubt * directions;
    let mut all = &full * (1.0 - SHRINK) + DMatrix::from_diagonal(&full.diagonal()) * SHRINK;
    all += doubt.transpose() * &doubt;
    let least = 1e-6 * all.trace() / all.nrows() as f64;
    all + DMatrix::identity(directions.ncols(), directions.ncols()) * least
}
