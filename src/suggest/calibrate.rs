//! Honest intervals: the study's own runs play the test, and the intervals are widened until they hold them.
//!
//! Films of each run, under the same mask and noise, go through the estimator that the other runs make. How many of its
//! own half-widths the estimate was off by is a film's score; the 90 % score widens the interval (split conformal
//! prediction; Vovk, Gammerman and Shafer 2005). The test is one more run of the same kind if a parameter of the study
//! explains it.

use nalgebra::DVector;
use rayon::prelude::*;

use super::estimate::{BlockFit, Estimator, Posterior};
use super::features::Evidence;
use crate::domain::Interval;

/// The wanted probability of an interval.
const HELD: f64 = 0.9;
/// Intervals are not made narrower than the sampler's, and not wider than this many times it.
const WIDEST: f64 = 6.0;
/// A squared misfit below that of one number which is off by its 1-sigma is none, however exactly the runs are fitted.
const WITHIN_ERROR: f64 = 1.0;
/// A film that fits badly is believed less: its interval grows with its misfit, up to this.
const WORST_FIT: f64 = 3.0;

/// How the estimates of the runs, each left out, turned out.
#[derive(Debug, Clone)]
pub struct Calibration {
    /// By parameter: what the sampler's interval is widened by.
    pub widening: Vec<f64>,
    /// By parameter: root mean square error over all films, share of the range.
    pub rms: Vec<f64>,
    /// By block of the evidence: median over the films of its misfit at the best point.
    pub usual_misfits: Vec<f64>,
    /// By film: how much the misfit at its true parameters is above that at its best point.
    pub excess: Vec<f64>,
    /// By run: its estimate, the mean of those of its films, shares.
    pub estimates: Vec<Vec<f64>>,
}

/// One film of a run that the others estimate.
struct Played<'a> {
    truth: &'a [f64],
    mean: Vec<f64>,
    intervals: Vec<[f64; 2]>,
    blocks: Vec<BlockFit>,
    excess: f64,
}

/// Leaves out each run in turn. `films` has the numbers of films of each run, each with a draw of all that is in doubt of a
/// measurement; as many of each, at least one.
#[must_use]
pub fn calibrate(points: &[Vec<f64>], evidence: &Evidence, films: &[Vec<DVector<f64>>]) -> Calibration {
    let by_run: Vec<Vec<Played<'_>>> = (0..points.len())
        .into_par_iter()
        .map(|run| {
            let others: Vec<usize> = (0..points.len()).filter(|r| *r != run).collect();
            let rest: Vec<Vec<f64>> = others.iter().map(|r| points[*r].clone()).collect();
            let estimator = Estimator::fit(&rest, &evidence.of_runs(&others));
            films[run].par_iter().map(|film| play(&estimator, film, &points[run])).collect()
        })
        .collect();
    let estimates = by_run.iter().map(|films| mean_of(films.iter().map(|film| &film.mean))).collect();
    let all: Vec<Played<'_>> = by_run.into_iter().flatten().collect();
    let dimensions = points[0].len();
    let usual_misfits: Vec<f64> = (0..evidence.blocks.len())
        .map(|block| middle(all.iter().map(|film| film.blocks[block].misfit).collect()))
        .collect();
    let scores: Vec<Vec<f64>> = (0..dimensions)
        .map(|i| all.iter().map(|film| film.score(i) / bad_fit(&film.blocks, &usual_misfits, i)).collect())
        .collect();
    let pooled = quantile(scores.concat());
    let rms = |i: usize| {
        let square: f64 = all.iter().map(|film| (film.mean[i] - film.truth[i]).powi(2)).sum();
        (square / all.len() as f64).sqrt()
    };
    Calibration {
        widening: scores.iter().map(|s| quantile(s.clone()).max(pooled).clamp(1.0, WIDEST)).collect(),
        rms: (0..dimensions).map(rms).collect(),
        usual_misfits,
        excess: all.iter().map(|film| film.excess).collect(),
        estimates,
    }
}

fn play<'a>(estimator: &Estimator, film: &DVector<f64>, truth: &'a [f64]) -> Played<'a> {
    let posterior = estimator.posterior(film);
    let excess = estimator.misfit(film, truth) - posterior.misfit();
    let intervals = (0..truth.len()).map(|i| posterior.interval(i)).collect();
    Played { truth, mean: posterior.mean(), intervals, blocks: posterior.blocks, excess }
}

impl Played<'_> {
    /// How many half-widths of its interval the estimate of parameter `index` is off by.
    fn score(&self, index: usize) -> f64 {
        let ([low, high], mean) = (self.intervals[index], self.mean[index]);
        let (below, above) = ((mean - low).max(1e-6), (high - mean).max(1e-6));
        let off = self.truth[index] - mean;
        if off < 0.0 { -off / below } else { off / above }
    }
}

fn mean_of<'a>(all: impl ExactSizeIterator<Item = &'a Vec<f64>>) -> Vec<f64> {
    let count = all.len() as f64;
    let sum = all.cloned().reduce(|a, b| a.iter().zip(b).map(|(a, b)| a + b).collect());
    sum.expect("a run has films").into_iter().map(|s| s / count).collect()
}

fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// What a misfit adds to the interval of parameter `index`: the errors of a block of the evidence that fits worse than it
/// usually does grow by the root of that ratio, as for averages of discordant measurements (Birge 1932), and the interval
/// grows with the errors of those blocks that tell of the parameter. Nothing for films that fit: a block of a single number
/// fits the runs nearly exactly, and is not off because it fits a film less exactly, within its error.
fn bad_fit(blocks: &[BlockFit], usual_misfits: &[f64], index: usize) -> f64 {
    let (mut believed, mut left) = (0.0, 0.0);
    for (block, usual) in blocks.iter().zip(usual_misfits) {
        let ratio = (block.misfit / usual.max(WITHIN_ERROR)).clamp(1.0, WORST_FIT * WORST_FIT);
        believed += block.information[index];
        left += block.information[index] / ratio;
    }
    // Where no block tells of it, the bounds are the interval.
    if left > 0.0 { (believed / left).sqrt() } else { 1.0 }
}

fn quantile(mut scores: Vec<f64>) -> f64 {
    scores.sort_by(f64::total_cmp);
    let rank = (HELD * scores.len() as f64).ceil() as usize;
    scores[rank.clamp(1, scores.len()) - 1]
}

impl Calibration {
    /// What the sampler's interval of parameter `index` is widened by for this film.
    #[must_use]
    pub fn widening_of(&self, posterior: &Posterior, index: usize) -> f64 {
        self.widening[index] * self.widening_by_misfit(posterior, index)
    }

    /// What the interval of parameter `index` is widened by because what tells of it fits this film's best parameters worse
    /// than the runs fit theirs; 1 where it does not.
    #[must_use]
    pub fn widening_by_misfit(&self, posterior: &Posterior, index: usize) -> f64 {
        bad_fit(&posterior.blocks, &self.usual_misfits, index)
    }

    /// The widened interval of parameter `index`, shares, inside the bounds.
    #[must_use]
    pub fn interval(&self, posterior: &Posterior, index: usize) -> Interval {
        let (mean, [low, high]) = (posterior.mean()[index], posterior.interval(index));
        let wide = self.widening_of(posterior, index);
        Interval {
            value: mean,
            lower: (mean - wide * (mean - low).max(0.0)).max(0.0),
            upper: (mean + wide * (high - mean).max(0.0)).min(1.0),
        }
    }

    /// Samples of the posterior, widened about its mean as the intervals are; every `stride`-th.
    #[must_use]
    pub fn widened(&self, posterior: &Posterior, stride: usize) -> Vec<Vec<f64>> {
        let mean = posterior.mean();
        let wide: Vec<f64> = (0..mean.len()).map(|i| self.widening_of(posterior, i)).collect();
        let widen = |s: &Vec<f64>| -> Vec<f64> {
            s.iter().zip(&mean).zip(&wide).map(|((x, m), w)| (m + w * (x - m)).clamp(0.0, 1.0)).collect()
        };
        posterior.samples.iter().step_by(stride.max(1)).map(widen).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_badly_widens_what_it_tells_of_and_nothing_else() {
        let block = |misfit: f64, information: [f64; 3]| BlockFit { misfit, information: information.to_vec() };
        // The impactor's way, which fits, tells of the first parameter; the structure, which does not, of the second.
        let blocks = [block(3.0, [100.0, 0.0, 0.0]), block(36.0, [0.0, 10.0, 0.0])];
        let widened = |index| bad_fit(&blocks, &[4.0, 9.0], index);
        assert_eq!((widened(0), widened(1), widened(2)), (1.0, 2.0, 1.0));
        let worst = bad_fit(&blocks, &[4.0, 3.0], 1);
        assert!((worst - WORST_FIT).abs() < 1e-12, "{worst}");
        // A number of its own that fits to within its error, if less exactly than it fits the runs.
        let blocks = [block(0.8, [100.0, 0.0, 0.0])];
        assert!((bad_fit(&blocks, &[0.01], 0) - 1.0).abs() < 1e-12);
    }
}
