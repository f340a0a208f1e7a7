//! Films of several kinds mixed by their shares, and the pool of crops that a training draws its batches from.

use std::collections::VecDeque;

use super::error::TrainError;
use super::pairs::{Batch, Cropping, FilmedPair, PairSource, Prepared, Stream, crops_of};
use super::rng::Rng;

/// Several sources as one.
pub(super) struct Mixed {
    /// Weight and source.
    parts: Vec<(f64, Box<dyn PairSource>)>,
    seed: u64,
}

impl Mixed {
    /// Each film comes from one of `parts`, drawn by weight.
    pub(super) fn new(parts: Vec<(f64, Box<dyn PairSource>)>, seed: u64) -> Self {
        Self { parts, seed }
    }
}

impl PairSource for Mixed {
    fn pairs(&self, stream: Stream, index: usize) -> Result<Vec<FilmedPair>, TrainError> {
        let total: f64 = self.parts.iter().map(|p| p.0).sum();
        let mut place = total * Rng::for_name(self.seed, &format!("mix/{}/{index}", stream.name())).unit();
        for (weight, source) in &self.parts {
            place -= weight;
            if place < 0.0 {
                return source.pairs(stream, index);
            }
        }
        let (_, last) = self.parts.last().expect("a recipe has data: it was checked");
        last.pairs(stream, index)
    }
}

/// How films pass through the pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct PoolPlan {
    /// How crops are taken.
    pub(super) cropping: Cropping,
    /// Films in the pool.
    pub(super) films: usize,
    /// Steps between two new films.
    pub(super) steps_per_film: usize,
    /// Crops a step.
    pub(super) batch: usize,
}

/// The crops of the newest films. What a step gets depends on its number alone, so that a training can be taken up
/// again at any step.
pub(super) struct Pool<'s> {
    source: &'s dyn PairSource,
    plan: PoolPlan,
    /// Number of the oldest film in `crops`.
    oldest: usize,
    crops: VecDeque<Vec<Prepared>>,
}

impl<'s> Pool<'s> {
    /// Draws the films that step `step` needs.
    pub(super) fn at_step(source: &'s dyn PairSource, plan: PoolPlan, step: usize) -> Result<Self, TrainError> {
        use rayon::prelude::*;
        let oldest = step / plan.steps_per_film;
        let numbers = oldest..oldest + plan.films;
        let crops: Vec<_> = numbers
            .into_par_iter()
            .map(|i| crops_of(source, Stream::Training, i, plan.cropping))
            .collect::<Result<_, _>>()?;
        Ok(Self { source, plan, oldest, crops: crops.into() })
    }

    /// The batch of `step`, which is not before the one asked for last.
    pub(super) fn batch(&mut self, step: usize) -> Result<Batch, TrainError> {
        while self.oldest < step / self.plan.steps_per_film {
            self.crops.pop_front();
            let next = self.oldest + self.plan.films;
            self.crops.push_back(crops_of(self.source, Stream::Training, next, self.plan.cropping)?);
            self.oldest += 1;
        }
        let mut rng = Rng::for_name(self.plan.cropping.seed, &format!("batch/{step}"));
        let mut below = |n: usize| (rng.next() % n as u64) as usize;
        let picks: Vec<(usize, usize)> =
            (0..self.plan.batch).map(|_| (below(self.plan.films), below(self.plan.cropping.per_pair))).collect();
        Ok(Batch::from_items(picks.iter().map(|(pair, crop)| &self.crops[*pair][*crop]), self.plan.cropping.side))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::recipe::Synthetic;
    use crate::train::synthetic::TexturePairs;

    #[test]
    fn a_batch_depends_on_its_step_alone() {
        let settings = Synthetic { side_px: 40, max_flow_px: 3.0, max_noise: 0.0, occluder_share: 0.0 };
        let source = Mixed::new(vec![(1.0, Box::new(TexturePairs { settings, seed: 1 }))], 1);
        let cropping = Cropping { side: 32, per_pair: 2, seed: 5 };
        let plan = PoolPlan { cropping, films: 3, steps_per_film: 2, batch: 4 };
        let mut from_start = Pool::at_step(&source, plan, 0).expect("pool");
        let all: Vec<String> = (0..7).map(|s| from_start.batch(s).expect("batch").digest()).collect();
        let mut later = Pool::at_step(&source, plan, 5).expect("pool");
        assert_eq!(later.batch(5).expect("batch").digest(), all[5]);
        assert_eq!(later.batch(6).expect("batch").digest(), all[6]);
        assert_ne!(all[0], all[1]);
    }
}
