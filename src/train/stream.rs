//! Films of several kinds mixed by their shares, and the pool of crops that a training draws its batches from.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

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

/// One film's crops, or why it could not be drawn.
type Film = Result<Vec<Prepared>, TrainError>;

/// The crops of the newest films. What a step gets depends on its number alone, so that a training can be taken up
/// again at any step. The films to come are drawn ahead on all cores, while the network learns from those that are here.
pub(super) struct Pool {
    plan: PoolPlan,
    /// Number of the oldest film in `crops`.
    oldest: usize,
    crops: VecDeque<Vec<Prepared>>,
    /// Film `i` comes from the thread `i % threads`; each draws its films in order.
    threads: Vec<Receiver<Film>>,
}

impl Pool {
    /// Draws the films that step `step` needs, and those behind them on threads of `scope` until the pool is dropped.
    pub(super) fn at_step<'scope>(
        scope: &'scope Scope<'scope, '_>,
        source: &'scope dyn PairSource,
        plan: PoolPlan,
        step: usize,
    ) -> Result<Self, TrainError> {
        let oldest = step / plan.steps_per_film;
        let count = rayon::current_num_threads();
        let thread = |k: usize| {
            let first = oldest + (k + count - oldest % count) % count;
            let (send, receive) = sync_channel(1);
            let work = move || draw(source, plan.cropping, (first..).step_by(count), &send);
            let started = std::thread::Builder::new().name(format!("films-{k}")).spawn_scoped(scope, work);
            started.map(|_| receive).map_err(|source| TrainError::Thread { source })
        };
        let threads = (0..count).map(thread).collect::<Result<_, _>>()?;
        let mut pool = Self { plan, oldest, crops: VecDeque::new(), threads };
        while pool.crops.len() < plan.films {
            pool.take_next()?;
        }
        Ok(pool)
    }

    fn take_next(&mut self) -> Result<(), TrainError> {
        let film = self.oldest + self.crops.len();
        let next = self.threads[film % self.threads.len()].recv();
        self.crops.push_back(next.expect("films are drawn without end or end with an error: anything else is a bug")?);
        Ok(())
    }

    /// The batch of `step`, which is not before the one asked for last.
    pub(super) fn batch(&mut self, step: usize) -> Result<Batch, TrainError> {
        while self.oldest < step / self.plan.steps_per_film {
            self.crops.pop_front();
            self.oldest += 1;
            self.take_next()?;
        }
        let mut rng = Rng::for_name(self.plan.cropping.seed, &format!("batch/{step}"));
        let mut below = |n: usize| (rng.next() % n as u64) as usize;
        let picks: Vec<(usize, usize)> =
            (0..self.plan.batch).map(|_| (below(self.plan.films), below(self.plan.cropping.per_pair))).collect();
        Ok(Batch::from_items(picks.iter().map(|(pair, crop)| &self.crops[*pair][*crop]), self.plan.cropping.side))
    }
}

/// Draws `films` in order and sends them, until nobody takes them or one fails.
fn draw(source: &dyn PairSource, cropping: Cropping, films: impl Iterator<Item = usize>, send: &SyncSender<Film>) {
    for film in films {
        let drawn = crops_of(source, Stream::Training, film, cropping);
        let failed = drawn.is_err();
        if send.send(drawn).is_err() || failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::recipe::Synthetic;
    use crate::train::synthetic::TexturePairs;
    use crate::vision::DisFlow;

    #[test]
    fn a_batch_depends_on_its_step_alone() {
        let settings = Synthetic { side_px: 40, max_flow_px: 3.0, max_noise: 0.0, occluder_share: 0.0 };
        let source = Mixed::new(vec![(1.0, Box::new(TexturePairs { settings, seed: 1 }))], 1);
        let cropping = Cropping { side: 32, per_pair: 2, seed: 5, start: DisFlow::Medium };
        let plan = PoolPlan { cropping, films: 3, steps_per_film: 2, batch: 4 };
        let batches = |steps: std::ops::Range<usize>| -> Vec<String> {
            std::thread::scope(|scope| {
                let mut pool = Pool::at_step(scope, &source, plan, steps.start).expect("pool");
                steps.map(|s| pool.batch(s).expect("batch").digest()).collect()
            })
        };
        let all = batches(0..7);
        assert_eq!(batches(5..7), all[5..7]);
        assert_ne!(all[0], all[1]);
    }
}
