//! What the impactor's way says of the trigger.
//!
//! The impactor is so heavy that it hardly minds what the structure does. One that waits for the shot shows to a few
//! hundredths of a frame when it starts. One that comes goes at the same speed before and after the contact: only where
//! its edges have it tells when it touches, to some 0.2 ms. How fast the nodes move beside it is the structure's affair,
//! so its rate is its own.

use super::super::impactor::{Before, ImpactorWay};
use super::{LARGEST_OFFSET_S, RATE_SIGMA, THREE_SIGMA};

/// Error of its way from one frame to the next, 1-sigma, mm, and how much otherwise it may be slowed down than the
/// simulation's, as a share of its way since the contact.
const WAY_MM: f64 = 0.05;
const SHARE_OF_WAY: f64 = 0.02;
/// How far its edges have it from where it touches, mm: the scale of a Cauchy distribution, since now and then they
/// are another's.
const TOUCHES_MM: f64 = 2.0;
/// It is told from so many moments at least.
const LEAST_OF_WAY: usize = 3;
/// So much less must waiting cost than coming before it passes for one that waits. Much more than one fit would need:
/// edges of something else are wrong at all moments together.
const CLEARLY: f64 = 20.0;

/// An impactor that was followed, as a clock.
#[derive(Debug)]
pub(super) struct ByWay<'a> {
    way: &'a ImpactorWay<'a>,
    /// The offset at which it waits, in s, and the cost there; `None` where it comes, or where that is not clear.
    waits: Option<(f64, f64)>,
}

impl<'a> ByWay<'a> {
    /// `None` where it was seen too seldom.
    pub(super) fn new(way: &'a ImpactorWay<'a>) -> Option<Self> {
        let cheapest = |before: Before| {
            const STEP_S: f64 = 1e-5;
            let steps = (LARGEST_OFFSET_S / STEP_S) as i32;
            let at = |i: i32| f64::from(i) * STEP_S;
            let costs = (-steps..=steps).map(|i| (at(i), Straight::fitted(way, before, at(i)).cost));
            costs.min_by(|a, b| a.1.total_cmp(&b.1))
        };
        if way.seen.len() < LEAST_OF_WAY {
            return None;
        }
        let (waits, comes) = (cheapest(Before::Waits)?, cheapest(Before::Comes)?);
        Some(Self { way, waits: (waits.1 + CLEARLY < comes.1).then_some(waits) })
    }

    /// The offset at which it waits, s.
    pub(super) fn waits_s(&self) -> Option<f64> {
        self.waits.map(|(offset_s, _)| offset_s)
    }

    /// What it costs at an offset in s: a negative log-likelihood. Where the nodes contradict it by more than 3 sigma,
    /// something else was followed than the impactor, or it was looked for at a wrong time: it does not cost more.
    pub(super) fn cost(&self, offset: f64) -> f64 {
        match (self.waits, self.way.touches_mm) {
            (Some((_, least)), _) => (Straight::fitted(self.way, Before::Waits, offset).cost - least).min(THREE_SIGMA),
            (None, Some(touches_mm)) => {
                let off_mm = touches_mm - Straight::fitted(self.way, Before::Comes, offset).start_mm;
                (off_mm / TOUCHES_MM).powi(2).ln_1p()
            }
            (None, None) => 0.0,
        }
    }
}

/// The simulation's way laid through what was seen, at an offset.
struct Straight {
    /// Where it is at the contact, in mm.
    start_mm: f64,
    /// Its negative log-likelihood.
    cost: f64,
}

impl Straight {
    fn fitted(way: &ImpactorWay<'_>, before: Before, offset: f64) -> Self {
        let of = |(time_s, seen_mm): &(f64, f64)| {
            let expected_mm = way.line.since_contact_mm(before, time_s + offset);
            (expected_mm, *seen_mm, WAY_MM.powi(2) + (SHARE_OF_WAY * expected_mm.max(0.0)).powi(2))
        };
        let seen: Vec<(f64, f64, f64)> = way.seen.iter().map(of).collect();
        // Weighted least squares, with the prior of the rate: seen = start + rate * expected.
        let sum = |of: &dyn Fn(f64, f64) -> f64| seen.iter().map(|(e, s, v)| of(*e, *s) / v).sum::<f64>();
        let prior = RATE_SIGMA.powi(-2);
        let (n, e, ee) = (sum(&|_, _| 1.0), sum(&|e, _| e), prior + sum(&|e, _| e * e));
        let (s, es) = (sum(&|_, s| s), prior + sum(&|e, s| e * s));
        let determinant = n * ee - e * e;
        let (start_mm, rate) = ((s * ee - es * e) / determinant, (n * es - e * s) / determinant);
        let left = seen.iter().map(|(e, s, v)| (s - start_mm - rate * e).powi(2) / v + v.ln());
        Self { start_mm, cost: 0.5 * (left.sum::<f64>() + prior * (rate - 1.0).powi(2)) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::impactor::Line;
    use super::super::fit_trigger;
    use super::super::tests::{early, history};
    use super::*;
    use nalgebra::Vector3;

    const TIMES_S: [f64; 2] = [0.0, 0.02];
    const TRAVEL_MM: [f64; 2] = [0.0, 152.0];

    /// The way of one that is 15 % faster than the simulation's.
    fn way(before: Before, offset: f64, touches_mm: Option<f64>) -> ImpactorWay<'static> {
        let line = Line { direction: Vector3::z(), times_s: &TIMES_S, travel_mm: &TRAVEL_MM };
        let seen = |i: i32| {
            let time_s = f64::from(i) * 1.3e-3;
            (time_s, 40.0 + 1.15 * line.since_contact_mm(before, time_s + offset))
        };
        ImpactorWay { seen: (-2..6).map(seen).collect(), line, touches_mm }
    }

    #[test]
    fn an_impactor_that_waits_is_a_clock_whatever_the_structure_does() {
        let seen = way(Before::Waits, -0.4e-3, None);
        // The test's structure gives in only half as much, and much of it later.
        let (runs, steps) = ([history(7600.0, 0.0)], early(0.5 * 1.15 * 7600.0, 0.2e-3, -0.4e-3));
        let alone = fit_trigger(&runs, &steps, None).expect("it moves");
        let fit = fit_trigger(&runs, &steps, Some(&seen)).expect("it moves");
        assert!((fit.offset_s + 0.4e-3).abs() < 0.03e-3 && fit.sigma_s < 0.1e-3, "{fit:?}");
        assert!((alone.offset_s + 0.4e-3).abs() > 0.05e-3, "{alone:?}");
    }

    #[test]
    fn where_it_touches_tells_when_an_impactor_that_comes_does() {
        // Its speed does not change in this film: it would look the same at any time.
        let (seen, touching) = (way(Before::Comes, 0.3e-3, None), way(Before::Comes, 0.3e-3, Some(40.0)));
        let worse = |way: &ImpactorWay<'_>| {
            let by_way = ByWay::new(way).expect("it was seen often enough");
            assert_eq!(by_way.waits_s(), None);
            by_way.cost(-0.3e-3) - by_way.cost(0.3e-3)
        };
        let (without, with) = (worse(&seen), worse(&touching));
        assert!(without.abs() < 1e-9 && with > 1.5, "0.6 ms too late: {with}, without its edges {without}");
    }

    #[test]
    fn edges_of_something_else_hardly_matter() {
        let touching = way(Before::Comes, 0.3e-3, Some(60.0));
        let (runs, steps) = ([history(7600.0, 0.0)], early(1.15 * 7600.0, 0.0, 0.3e-3));
        let fit = fit_trigger(&runs, &steps, Some(&touching)).expect("it moves");
        assert!((fit.offset_s - 0.3e-3).abs() < 0.1e-3, "{fit:?}");
    }

    #[test]
    fn a_way_that_contradicts_the_structure_is_not_believed() {
        // It was looked for 4 ms too late, where it waits for a shot that in truth has long begun.
        let seen = way(Before::Waits, -4.0e-3, None);
        let (runs, steps) = ([history(7600.0, 0.0)], early(7600.0, 0.0, 0.2e-3));
        let fit = fit_trigger(&runs, &steps, Some(&seen)).expect("it moves");
        assert_eq!(Some(fit), fit_trigger(&runs, &steps, None));
        assert!((fit.offset_s - 0.2e-3).abs() < 0.03e-3, "{fit:?}");
    }

    #[test]
    fn a_little_ahead_at_first_is_no_waiting() {
        let mut seen = way(Before::Comes, 0.3e-3, Some(40.0));
        seen.seen[0].1 += 3.0;
        seen.seen[1].1 += 1.5;
        assert_eq!(ByWay::new(&seen).expect("it was seen often enough").waits_s(), None);
    }

    #[test]
    fn two_moments_tell_nothing() {
        let mut seen = way(Before::Waits, 0.0, None);
        seen.seen.truncate(LEAST_OF_WAY - 1);
        assert!(ByWay::new(&seen).is_none());
    }
}
