//! What the nodes say of the trigger: one of the runs begins much as the test does.
//!
//! A test that differs from its simulation in more than its speed begins otherwise: another sheet gives in elsewhere, and
//! what is hit first moves first. The simulation alone takes that for an error of the clock. So each run of a study is
//! held against the film, too, at its own rate, and says when the test began and how well it fits; the answer is the mean
//! of what they say, by their likelihoods.

use rayon::prelude::*;

use super::solution::Solution;
use super::{NodeHistory, Weighed, total_cost};

/// What the runs say of the trigger.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// Simulation time minus film time, s …
    pub(super) offset_s: f64,
    /// … and its 1-sigma.
    pub(super) sigma_s: f64,
    /// The run that begins most like the test …
    pub(super) best: usize,
    /// … and its own offset in s and its rate.
    pub(super) at: [f64; 2],
}

/// What `runs` say of the offset together; `other` is what all else costs at an offset, which is least at `also_at_s`
/// where something there is as sharp as that. `None` without runs.
pub(super) fn by_runs(
    runs: &[NodeHistory],
    steps: &[Weighed],
    other: &(impl Fn(f64) -> f64 + Sync),
    also_at_s: Option<f64>,
) -> Option<Told> {
    let of_run = |run: &NodeHistory| {
        Solution::of(&|offset, rate| total_cost(run, steps, offset, rate) + other(offset), also_at_s)
    };
    let told: Vec<Solution> = runs.par_iter().map(of_run).collect();
    let best = (0..told.len()).min_by(|a, b| told[*a].least.total_cmp(&told[*b].least))?;
    // The mass of a run is its likelihood where it fits best, times how wide that is.
    let mass: Vec<f64> = told.iter().map(|s| (told[best].least - s.least).exp() * s.sigma_s).collect();
    let sum: f64 = mass.iter().sum();
    let mean = |of: &dyn Fn(&Solution) -> f64| told.iter().zip(&mass).map(|(s, m)| m * of(s)).sum::<f64>() / sum;
    let offset_s = mean(&|s| s.best[0]);
    let variance = mean(&|s| s.sigma_s.powi(2) + (s.best[0] - offset_s).powi(2));
    Some(Told { offset_s, sigma_s: variance.sqrt(), best, at: told[best].best })
}

#[cfg(test)]
mod tests {
    use super::super::fit_trigger;
    use super::super::tests::{early, history};

    /// A test that differs from its simulation in more than its speed: most of it moves later.
    const LATER_S: f64 = 1.0e-3;
    const OFFSET_S: f64 = 0.3e-3;

    #[test]
    fn runs_that_begin_as_the_test_does_tell_what_the_simulation_takes_for_an_error_of_the_clock() {
        let seen = early(7600.0, LATER_S, OFFSET_S);
        let simulation = || history(7600.0, 0.0);
        let runs = [simulation(), history(7000.0, 0.7 * LATER_S), history(8200.0, 1.3 * LATER_S)];
        let alone = fit_trigger(&runs[..1], &seen, None).expect("it moves");
        let fit = fit_trigger(&runs, &seen, None).expect("it moves");
        assert!((alone.offset_s - OFFSET_S).abs() > 0.2e-3, "{alone:?}");
        assert!((fit.offset_s - OFFSET_S).abs() < 0.1e-3, "{fit:?}, the simulation alone {alone:?}");
        let [a, b, c] = runs;
        let turned = fit_trigger(&[a, c, b], &seen, None).expect("it moves");
        assert!((turned.offset_s - fit.offset_s).abs() < 1e-9, "{turned:?}, {fit:?}");
    }

    #[test]
    fn runs_that_begin_otherwise_do_not_mislead_a_test_that_equals_its_simulation() {
        let seen = early(7600.0, 0.0, OFFSET_S);
        let runs = [history(7600.0, 0.0), history(7600.0, LATER_S), history(6000.0, 0.5 * LATER_S)];
        let fit = fit_trigger(&runs, &seen, None).expect("it moves");
        assert!((fit.offset_s - OFFSET_S).abs() < 0.03e-3 && fit.sigma_s < 0.1e-3, "{fit:?}");
    }
}
