//! Global search and sampling in the unit cube: a Latin hypercube finds where to begin, differential-evolution chains
//! sample from there (ter Braak 2006). They need no gradient and cross between separate solutions.
//!
//! Written here, some twenty lines: `cmaes`, `argmin` and `metaheuristics-nature` describe themselves as optimisers, and
//! what is wanted is a sample. No sampler crate was tried.

use super::random::{Random, latin_hypercube};

/// Points of the first search, chains, steps of each, and how many of the steps are forgotten.
const SEARCH: usize = 2000;
const CHAINS: usize = 60;
const STEPS: usize = 400;
const FORGOTTEN: usize = 150;
/// Every so often a chain jumps by the whole difference of two others: from one solution to another.
const LEAP_EVERY: usize = 8;

/// Samples of the density `exp(−energy)` in the unit cube, and the best point that was met.
pub(super) struct Sampled {
    pub(super) samples: Vec<Vec<f64>>,
    pub(super) best: Vec<f64>,
}

/// Samples the unit cube of `dimensions`.
pub(super) fn sample(dimensions: usize, seed: u64, mut energy: impl FnMut(&[f64]) -> f64) -> Sampled {
    let mut random = Random::new(seed);
    let mut found: Vec<(f64, Vec<f64>)> =
        latin_hypercube(SEARCH, dimensions, &mut random).into_iter().map(|p| (energy(&p), p)).collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.truncate(CHAINS);
    let (mut best_energy, mut best) = found[0].clone();
    let mut samples = Vec::with_capacity(CHAINS * (STEPS - FORGOTTEN));
    for step in 0..STEPS {
        let usual = 2.38 / (2.0 * dimensions as f64).sqrt();
        let stride = if step % LEAP_EVERY == 0 { 0.98 } else { usual };
        for chain in 0..CHAINS {
            let (a, b) = (random.below(CHAINS), random.below(CHAINS));
            let proposed: Vec<f64> = (0..dimensions)
                .map(|i| found[chain].1[i] + stride * (found[a].1[i] - found[b].1[i]) + 1e-3 * random.normal())
                .collect();
            // The prior: even within the bounds, nothing outside.
            if proposed.iter().all(|x| (0.0..=1.0).contains(x)) {
                let there = energy(&proposed);
                if random.uniform().ln() < found[chain].0 - there {
                    if there < best_energy {
                        (best_energy, best) = (there, proposed.clone());
                    }
                    found[chain] = (there, proposed);
                }
            }
            if step >= FORGOTTEN {
                samples.push(found[chain].1.clone());
            }
        }
    }
    Sampled { samples, best }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_density_keeps_its_mean_and_its_width() {
        let sampled = sample(3, 7, |p| {
            let z = [(p[0] - 0.4) / 0.05, (p[1] - 0.6) / 0.1 - (p[0] - 0.4) / 0.05, (p[2] - 0.5) / 0.08];
            0.5 * z.iter().map(|z| z * z).sum::<f64>()
        });
        let mean = |i: usize| sampled.samples.iter().map(|s| s[i]).sum::<f64>() / sampled.samples.len() as f64;
        let spread = |i: usize| {
            let m = mean(i);
            (sampled.samples.iter().map(|s| (s[i] - m).powi(2)).sum::<f64>() / sampled.samples.len() as f64).sqrt()
        };
        assert!((mean(0) - 0.4).abs() < 0.005 && (spread(0) - 0.05).abs() < 0.006, "{} {}", mean(0), spread(0));
        assert!((spread(1) - 0.1 * 2.0_f64.sqrt()).abs() < 0.02, "{}", spread(1));
        assert!(sampled.best.iter().zip([0.4, 0.6, 0.5]).all(|(b, m)| (b - m).abs() < 0.05), "{:?}", sampled.best);
    }
}
