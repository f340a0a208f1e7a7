//! The offset and the rate at which a cost is least.

use rayon::prelude::*;

use super::LARGEST_OFFSET_S;

/// Where a cost is least.
#[derive(Debug, Clone, Copy)]
pub(super) struct Solution {
    /// Offset in s, and rate.
    pub(super) best: [f64; 2],
    /// The cost there.
    pub(super) least: f64,
    /// 1-sigma of the offset, s.
    pub(super) sigma_s: f64,
}

impl Solution {
    /// Looks for it by a grid that closes in, and at the offset `also_at_s`, whose neighbourhood is too narrow for a grid.
    pub(super) fn of(cost: &(impl Fn(f64, f64) -> f64 + Sync), also_at_s: Option<f64>) -> Self {
        let (best, least) = cheapest(cost, also_at_s);
        Self { best, least, sigma_s: profile_sigma(cost, best, least) }
    }
}

/// Offset and rate of the least cost, and that cost.
fn cheapest(cost: &(impl Fn(f64, f64) -> f64 + Sync), also_at_s: Option<f64>) -> ([f64; 2], f64) {
    let (mut best, mut span) = ([0.0, 1.0], [LARGEST_OFFSET_S, 0.3]);
    let mut least = cost(best[0], best[1]);
    for level in 0..6 {
        let centre = best;
        let (n, m) = if level == 0 { (24, 6) } else { (4, 4) };
        let around = (-n..=n).map(|i| centre[0] + span[0] * f64::from(i) / f64::from(n));
        let offsets = around.chain(also_at_s.filter(|_| level == 0));
        let rates = |offset: f64| (-m..=m).map(move |j| [offset, centre[1] + span[1] * f64::from(j) / f64::from(m)]);
        let allowed = |[offset, rate]: &[f64; 2]| offset.abs() <= LARGEST_OFFSET_S && (0.5..=1.6).contains(rate);
        let grid: Vec<[f64; 2]> = offsets.flat_map(rates).filter(allowed).collect();
        let costs: Vec<f64> = grid.par_iter().map(|[offset, rate]| cost(*offset, *rate)).collect();
        for (at, c) in grid.into_iter().zip(costs) {
            if c < least {
                (least, best) = (c, at);
            }
        }
        span = [span[0] * 1.5 / f64::from(n), span[1] * 1.5 / f64::from(m)];
    }
    (best, least)
}

/// 1-sigma of the offset: how far it may go, the rate being free, until the cost has risen by one half.
fn profile_sigma(cost: &impl Fn(f64, f64) -> f64, best: [f64; 2], least: f64) -> f64 {
    let profile = |offset: f64| {
        (-8..=8).map(|j| cost(best[0] + offset, best[1] + 0.02 * f64::from(j))).fold(f64::INFINITY, f64::min) - least
    };
    let reach = |sign: f64| {
        let mut step = 1e-5;
        while step < LARGEST_OFFSET_S && profile(sign * step) < 0.5 {
            step *= 1.25;
        }
        step.min(LARGEST_OFFSET_S)
    };
    0.5 * (reach(1.0) + reach(-1.0))
}
