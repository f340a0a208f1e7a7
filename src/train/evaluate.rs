//! [`evaluate`]: estimators side by side on the same pairs, as a review would run them.

use std::path::PathBuf;
use std::time::Instant;

use ndarray::{Array2, Array3, Axis};

use super::error::TrainError;
use super::measure::{Figures, Said, Tally};
use super::pairs::{PairSource, Stream};
use super::recipe::Recipe;
use crate::domain::{ExecutionProvider, ModelDigest};
use crate::vision::{DenseResidual, PicturePair, ResidualEstimator, VisionError, local_contrast};

/// Every how many pixels one is counted: neighbours say the same.
const STRIDE: usize = 3;

/// What one estimator reached.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// Its name.
    pub name: String,
    /// On the pixels whose surface is present.
    pub figures: Figures,
    /// Median wall clock of a pair, from both paints to the answer, ms.
    pub pair_ms: f64,
}

/// Knows nothing: flow zero everywhere.
#[derive(Debug, Clone, Copy)]
pub struct ZeroFlow;

impl ResidualEstimator for ZeroFlow {
    fn estimate(&self, pair: PicturePair<'_>) -> Result<DenseResidual, VisionError> {
        let (height, width) = pair.predicted.dim();
        let ones = Array2::ones((height, width));
        Ok(DenseResidual { flow: Array3::zeros((2, height, width)), sigma_px: ones.clone(), present: ones })
    }

    fn digest(&self) -> ModelDigest {
        ModelDigest { name: "zero flow".to_owned(), version: String::new(), sha256: String::new() }
    }

    fn provider(&self) -> ExecutionProvider {
        ExecutionProvider::Cpu
    }
}

/// Runs each of `estimators` on the first `count` pairs of the recipe's report stream: whole pictures of what no
/// training step has seen.
///
/// # Errors
/// When the studies do not fit the recipe, or an estimator fails.
pub fn evaluate(
    recipe: &Recipe,
    studies: &[PathBuf],
    count: usize,
    estimators: &[&dyn ResidualEstimator],
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Evaluated>, TrainError> {
    recipe.check()?;
    let (source, _) = super::data::open(recipe, studies)?;
    let mut found: Vec<(Tally, Vec<f64>)> = vec![Default::default(); estimators.len()];
    let mut done = 0;
    for film in 0.. {
        for pair in source.pairs(Stream::Report, film)?.into_iter().take(count - done) {
            let (predicted, real) = (local_contrast(&pair.predicted)?, local_contrast(&pair.real)?);
            let seen = PicturePair { predicted: &pair.predicted, real: &pair.real, visible: &pair.visible };
            for (estimator, (tally, times)) in estimators.iter().zip(&mut found) {
                let begun = Instant::now();
                let said = estimator.estimate_painted(seen, &predicted, &real)?;
                times.push(begun.elapsed().as_secs_f64() * 1e3);
                add(tally, &said, &pair.flow, &pair.visible, &pair.present);
            }
            done += 1;
            progress(done);
        }
        if done >= count {
            break;
        }
    }
    let rows = estimators.iter().zip(found).map(|(estimator, (tally, mut times))| {
        times.sort_unstable_by(f64::total_cmp);
        let pair_ms = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
        Evaluated { name: estimator.digest().name, figures: tally.figures(), pair_ms }
    });
    Ok(rows.collect())
}

fn add(tally: &mut Tally, said: &DenseResidual, truth: &Array3<f32>, visible: &Array2<f32>, present: &Array2<f32>) {
    let both = |flow: &Array3<f32>| [0, 1].map(|c| flow.index_axis(Axis(0), c).iter().copied().collect::<Vec<f32>>());
    let plane = |a: &Array2<f32>| a.iter().copied().collect::<Vec<f32>>();
    let (flow, true_flow) = (both(&said.flow), both(truth));
    let (sigma, there, visible, seen) = (plane(&said.sigma_px), plane(&said.present), plane(visible), plane(present));
    let said = Said {
        flow: [&flow[0], &flow[1]],
        sigma_px: &sigma,
        present: &there,
        truth: [&true_flow[0], &true_flow[1]],
        visible: &visible,
        seen: &seen,
    };
    tally.add(said, STRIDE);
}
