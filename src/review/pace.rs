//! How the deviation goes on: where it was measured well it keeps its pace, elsewhere it stays.
//!
//! From one frame to the next the deviation of a crash changes by more than a match can search for, but its pace
//! changes little. What nothing measures keeps its place: a pace that rests on its neighbours alone runs away.

use nalgebra::Vector3;

/// Pace of the deviation at the unknowns of the field.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// When the deviation was measured last, s.
    measured_s: Option<f64>,
    velocity_mm_per_s: Vec<Vector3<f64>>,
}

/// A deviation known to this many mm keeps half of its pace.
const KNOWN_MM: f64 = 0.5;

impl Pace {
    /// At rest.
    pub(super) fn new(count: usize) -> Self {
        Self { measured_s: None, velocity_mm_per_s: vec![Vector3::zeros(); count] }
    }

    /// The deviation expected at `time_s`; `sigma_mm` says how well each value of `deviation` is known.
    pub(super) fn expected(&self, time_s: f64, deviation: &[Vector3<f64>], sigma_mm: &[f64]) -> Vec<Vector3<f64>> {
        let ahead_s = self.measured_s.map_or(0.0, |last_s| time_s - last_s);
        let share = |sigma: f64| KNOWN_MM.powi(2) / (KNOWN_MM.powi(2) + sigma.powi(2));
        let values = deviation.iter().zip(&self.velocity_mm_per_s).zip(sigma_mm);
        values.map(|((d, v), sigma)| d + v * (ahead_s * share(*sigma))).collect()
    }

    /// Learns that the deviation, `then` at the moment before, is `now` at `time_s`.
    pub(super) fn learn(&mut self, time_s: f64, then: &[Vector3<f64>], now: &[Vector3<f64>]) {
        if let Some(since_s) = self.measured_s.map(|last_s| time_s - last_s).filter(|since_s| *since_s > 0.0) {
            for ((v, now), then) in self.velocity_mm_per_s.iter_mut().zip(now).zip(then) {
                *v = (now - then) / since_s;
            }
        }
        self.measured_s = Some(time_s);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_goes_on_and_what_is_not_stays() {
        let mut pace = Pace::new(2);
        let (rest, moved) = (vec![Vector3::zeros(); 2], vec![Vector3::new(2.0, 0.0, -1.0); 2]);
        assert_eq!(pace.expected(0.0, &rest, &[0.1; 2]), rest);
        pace.learn(0.0, &rest, &rest);
        pace.learn(1e-3, &rest, &moved);
        let expected = pace.expected(1.5e-3, &moved, &[0.05, 10.0]);
        assert!((expected[0] - moved[0] * 1.5).norm() < 0.02, "{:?}", expected[0]);
        assert!((expected[1] - moved[1]).norm() < 0.01, "{:?}", expected[1]);
    }
}
