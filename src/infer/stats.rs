//! How long a model's answers take: for `/metrics`, and as percentiles for benches and logs.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::telemetry::names;

/// Requests that the percentiles are taken over: the newest.
const KEPT: usize = 1024;

/// What an engine has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EngineStats {
    /// Time of the warm-up, s; 0 for an engine that was left cold.
    pub cold_start_s: f64,
    /// Pairs answered.
    pub pairs: usize,
    /// Runs that they took.
    pub runs: usize,
    /// Median of the newest requests from asking to the answer, waiting included, ms.
    pub p50_ms: f64,
    /// 99th percentile of the same, ms.
    pub p99_ms: f64,
    /// Pairs a second while the model was running.
    pub pairs_per_s: f64,
}

/// The times behind them.
#[derive(Debug, Default)]
pub(super) struct Times(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    cold_start: Duration,
    pairs: usize,
    runs: usize,
    running: Duration,
    newest: VecDeque<Duration>,
}

impl Times {
    /// The warm-up is done.
    pub(super) fn note_start(&self, took: Duration) {
        metrics::gauge!(names::MODEL_START_SECONDS).set(took.as_secs_f64());
        self.with(|n| n.cold_start = took);
    }

    /// A run of pairs that were asked for at the times `asked` is done.
    pub(super) fn note_run(&self, took: Duration, asked: &[Instant]) {
        metrics::histogram!(names::MODEL_RUN_SECONDS).record(took.as_secs_f64());
        metrics::counter!(names::MODEL_RUNS).increment(1);
        metrics::counter!(names::MODEL_PAIRS).increment(asked.len() as u64);
        self.with(|n| {
            n.pairs += asked.len();
            n.runs += 1;
            n.running += took;
            for asked in asked {
                metrics::histogram!(names::MODEL_SECONDS).record(asked.elapsed().as_secs_f64());
                n.newest.push_back(asked.elapsed());
            }
            while n.newest.len() > KEPT {
                n.newest.pop_front();
            }
        });
    }

    /// All of it in figures.
    pub(super) fn stats(&self) -> EngineStats {
        self.with(|n| {
            let mut sorted: Vec<f64> = n.newest.iter().map(|d| d.as_secs_f64() * 1e3).collect();
            sorted.sort_unstable_by(f64::total_cmp);
            let at = |share: f64| {
                let place = (share * sorted.len() as f64) as usize;
                sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
            };
            let seconds = n.running.as_secs_f64();
            EngineStats {
                cold_start_s: n.cold_start.as_secs_f64(),
                pairs: n.pairs,
                runs: n.runs,
                p50_ms: at(0.5),
                p99_ms: at(0.99),
                pairs_per_s: if seconds > 0.0 { n.pairs as f64 / seconds } else { 0.0 },
            }
        })
    }

    fn with<T>(&self, of: impl FnOnce(&mut Noted) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_rates_are_those_of_the_times() {
        let times = Times::default();
        times.note_start(Duration::from_millis(300));
        let now = Instant::now();
        let ago = |ms: u64| now.checked_sub(Duration::from_millis(ms)).expect("the clock has run that long");
        for ms in 1..=100 {
            times.note_run(Duration::from_millis(10), &[ago(10 * ms)]);
        }
        times.note_run(Duration::from_millis(10), &[ago(505), ago(505)]);
        let stats = times.stats();
        assert_eq!((stats.pairs, stats.runs), (102, 101));
        // The clock runs on while they are noted, so a little more than what was put in.
        assert!((505.0..560.0).contains(&stats.p50_ms), "{stats:?}");
        assert!((990.0..1060.0).contains(&stats.p99_ms), "{stats:?}");
        assert!((stats.pairs_per_s - 102.0 / 1.01).abs() < 0.1 && (stats.cold_start_s - 0.3).abs() < 1e-9, "{stats:?}");
    }
}
