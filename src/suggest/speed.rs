//! How fast the impactor came, read off its way.
//!
//! The way is the speed times the time, less what the structure took of it. What it takes differs from run to run, but
//! smoothly in time, and the runs tell how: the losses of the others, with their covariance, are what is known before of
//! the film's loss (generalised least squares), beside a share that no run shows: a deceleration that changes at random
//! from the contact on. So the speed needs no regression on parameters, which some ten runs teach badly, and comes out the
//! same where a thickness, not the speed, made the way shorter.

use nalgebra::{DMatrix, DVector};

/// How far a film's loss may be from all runs' ones, as a share of the variance of theirs. With 0.03 the runs of three
/// studies, each left out and given a film's noise, are off by as much as is stated (0.87 to 1.13 sigma, without it 1.2 to
/// 1.4), and by no more than with less.
const UNLIKE_RUNS: f64 = 0.03;

/// One run's way at the film times that are used, and its speed at the contact.
#[derive(Debug, Clone)]
pub(super) struct KnownWay {
    pub(super) way_mm: Vec<f64>,
    pub(super) speed_mm_per_s: f64,
}

/// Reads the speed off a way, by the losses of runs whose speed is known.
#[derive(Debug, Clone)]
pub(super) struct SpeedReader {
    /// Usual loss of way at each time, mm.
    loss_mm: DVector<f64>,
    /// What each moment's way plus loss counts in the speed, 1/s.
    weights: DVector<f64>,
}

impl SpeedReader {
    /// Learns from `runs`, whose ways are told at `times_s` since the contact; `noise_mm` is the error of one moment,
    /// 1-sigma. `None` where the times do not tell a speed.
    pub(super) fn new(times_s: &[f64], runs: &[&KnownWay], noise_mm: f64) -> Option<Self> {
        let (moments, count) = (times_s.len(), runs.len());
        if count < 3 || moments < 3 {
            return None;
        }
        let losses = DMatrix::from_fn(moments, count, |m, r| loss(runs[r], times_s, m));
        let loss_mm = losses.column_mean();
        let apart = DMatrix::from_fn(moments, count, |m, r| losses[(m, r)] - loss_mm[m]);
        let of_runs = &apart * apart.transpose() / (count - 1) as f64;
        let unlike = DMatrix::from_fn(moments, moments, |a, b| random_loss(times_s[a], times_s[b]));
        let unlike = &unlike * (UNLIKE_RUNS * of_runs.trace() / unlike.trace().max(f64::MIN_POSITIVE));
        let covariance = of_runs + unlike + DMatrix::identity(moments, moments) * (noise_mm * noise_mm);
        let inverse = covariance.cholesky()?.inverse();
        let model = DMatrix::from_fn(moments, 2, |m, c| if c == 0 { times_s[m] - times_s[0] } else { 1.0 });
        let weighted = model.transpose() * inverse;
        // The rows tell speed and start.
        let weights = (&weighted * &model).cholesky()?.solve(&weighted).row(0).transpose();
        Some(Self { loss_mm, weights })
    }

    /// The speed at the contact, mm/s, of a way at the times of [`Self::new`]; from where it is counted is arbitrary.
    pub(super) fn read_mm_per_s(&self, way_mm: &[f64]) -> f64 {
        way_mm.iter().zip(&self.loss_mm).zip(&self.weights).map(|((way, loss), weight)| weight * (way + loss)).sum()
    }
}

/// What the structure took of a run's way since the first moment, mm.
fn loss(run: &KnownWay, times_s: &[f64], moment: usize) -> f64 {
    run.speed_mm_per_s * (times_s[moment] - times_s[0]) - (run.way_mm[moment] - run.way_mm[0])
}

/// Covariance, up to a factor, of what a deceleration that is white noise has taken of the way at two times since the
/// contact, s: noise integrated twice.
fn random_loss(a_s: f64, b_s: f64) -> f64 {
    let (first, apart) = (a_s.min(b_s), (a_s - b_s).abs());
    first.powi(3) / 3.0 + apart * first.powi(2) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Slowed down with the square of time at first, and later by what a second rate adds.
    fn way(speed_mm_per_s: f64, rates_mm_per_s2: [f64; 2], times_s: &[f64]) -> KnownWay {
        let late = |t: f64| (t - 0.006).max(0.0);
        let at = |t: &f64| {
            speed_mm_per_s * t - 0.5 * (rates_mm_per_s2[0] * t * t + rates_mm_per_s2[1] * late(*t) * late(*t))
        };
        KnownWay { way_mm: times_s.iter().map(at).collect(), speed_mm_per_s }
    }

    #[test]
    fn the_speed_is_read_where_the_structure_takes_another_share_than_in_any_run() {
        let times: Vec<f64> = (0..14).map(|i| 1.3e-3 * f64::from(i)).collect();
        let runs: Vec<KnownWay> = [[2e5, 3e5], [3e5, 1e5], [2.5e5, 0.0], [1e5, 2e5], [2e5, 1e5]]
            .iter()
            .zip([6500.0, 7000.0, 7500.0, 8000.0, 8500.0])
            .map(|(rates, speed)| way(speed, *rates, &times))
            .collect();
        let reader = SpeedReader::new(&times, &runs.iter().collect::<Vec<_>>(), 0.07).expect("enough of both");
        for (speed, rates) in [(7200.0, [3.5e5, 2e5]), (6800.0, [0.5e5, 4e5])] {
            let test = way(speed, rates, &times);
            let from_elsewhere: Vec<f64> = test.way_mm.iter().map(|w| w - 4.0).collect();
            let read = reader.read_mm_per_s(&from_elsewhere);
            assert!((read - speed).abs() < 20.0, "{read} of {speed}");
        }
    }

    #[test]
    fn too_few_runs_or_moments_tell_nothing() {
        let times = [0.0, 1e-3, 2e-3];
        let run = way(7000.0, [1e5, 0.0], &times);
        assert!(SpeedReader::new(&times, &[&run, &run], 0.07).is_none());
        assert!(SpeedReader::new(&times[..2], &[&run, &run, &run], 0.07).is_none());
        assert!(SpeedReader::new(&times, &[&run, &run, &run], 0.07).is_some());
    }
}
