//! How good a flow with a stated doubt is on pairs whose truth is known.

use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::net::Calibration;
use super::network::ResidualNetwork;
use super::pairs::{Batch, channel};

/// Share of a normal error within one sigma.
pub const WITHIN_ONE_SIGMA: f64 = 0.682_689_492;
/// Share of a normal error within two sigma.
pub const WITHIN_TWO_SIGMA: f64 = 0.954_499_736;
/// A match that is off by more is wrong, px: the patches that refine it do not find back.
const WRONG_PX: f32 = 1.5;

/// Figures over the pixels whose surface is present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Pixels.
    pub pixels: usize,
    /// Mean endpoint error, px.
    pub mean_px: f64,
    /// Median endpoint error, px.
    pub median_px: f64,
    /// 90th percentile of the endpoint error, px.
    pub p90_px: f64,
    /// Share of the errors (of a component) within one stated sigma; [`WITHIN_ONE_SIGMA`] would be true.
    pub within_one_sigma: f64,
    /// Share within two stated sigmas; [`WITHIN_TWO_SIGMA`] would be true.
    pub within_two_sigma: f64,
    /// Share of the pixels that are off by more than 1.5 px and whose stated sigma is below a third of their error.
    pub wrong_and_sure: f64,
    /// Share of the visible pixels whose surface is seen and for which `present` is above 1/2.
    pub present_kept: f64,
    /// Share of the visible pixels whose surface is not seen and for which `present` is below 1/2.
    pub absent_found: f64,
}

/// What one estimator said of one picture, beside the truth; all of one length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    /// Flow, x and y.
    pub(super) flow: [&'a [f32]; 2],
    /// Stated standard deviation of a component, px.
    pub(super) sigma_px: &'a [f32],
    /// Stated probability that the surface is seen.
    pub(super) present: &'a [f32],
    /// True flow, x and y.
    pub(super) truth: [&'a [f32]; 2],
    /// 1 where a surface is shown.
    pub(super) visible: &'a [f32],
    /// 1 where it is seen in the real picture.
    pub(super) seen: &'a [f32],
}

/// Pixels so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Errors of the components and the stated sigma of present pixels, px.
    errors: Vec<[f32; 3]>,
    kept: usize,
    absent: [usize; 2],
}

impl Tally {
    /// Counts every `stride`-th pixel that shows a surface.
    pub(super) fn add(&mut self, said: Said<'_>, stride: usize) {
        for i in (0..said.visible.len()).step_by(stride).filter(|&i| said.visible[i] > 0.5) {
            let there = said.present[i] > 0.5;
            if said.seen[i] > 0.5 {
                let error = [0, 1].map(|c| said.flow[c][i] - said.truth[c][i]);
                self.errors.push([error[0], error[1], said.sigma_px[i]]);
                self.kept += usize::from(there);
            } else {
                self.absent[0] += usize::from(!there);
                self.absent[1] += 1;
            }
        }
    }

    /// The figures of all of them.
    pub(super) fn figures(&self) -> Figures {
        let count = self.errors.len().max(1) as f64;
        let mut lengths: Vec<f32> = self.errors.iter().map(|e| e[0].hypot(e[1])).collect();
        let wrong = self.errors.iter().zip(&lengths).filter(|(e, l)| **l > WRONG_PX && e[2] * 3.0 < **l).count();
        let mean = lengths.iter().map(|l| f64::from(*l)).sum::<f64>() / count;
        lengths.sort_unstable_by(f32::total_cmp);
        let at = |share: f64| lengths.get((share * lengths.len() as f64) as usize).map_or(f64::NAN, |l| f64::from(*l));
        Figures {
            pixels: self.errors.len(),
            mean_px: rounded(mean),
            median_px: rounded(at(0.5)),
            p90_px: rounded(at(0.9)),
            within_one_sigma: rounded(self.within(1.0, Calibration::default())),
            within_two_sigma: rounded(self.within(2.0, Calibration::default())),
            wrong_and_sure: rounded(wrong as f64 / count),
            present_kept: rounded(self.kept as f64 / count),
            absent_found: rounded(self.absent[0] as f64 / self.absent[1].max(1) as f64),
        }
    }

    /// Share of the components' errors within `sigmas` times the sigma that `calibration` makes of the stated one.
    fn within(&self, sigmas: f32, calibration: Calibration) -> f64 {
        let of =
            |stated: f32| (0.5 * (calibration.factor as f32 * 2.0 * stated.ln() + calibration.offset as f32)).exp();
        let inside = |e: &[f32; 3]| {
            let limit = sigmas * of(e[2]);
            usize::from(e[0].abs() <= limit) + usize::from(e[1].abs() <= limit)
        };
        self.errors.iter().map(inside).sum::<usize>() as f64 / (2 * self.errors.len()).max(1) as f64
    }

    /// The calibration after which 68 % of the errors lie within one sigma and, as near as that allows, 95 % within two.
    pub(super) fn calibration(&self) -> Calibration {
        let candidates = (0..=30).map(|i| 0.5 + 0.05 * f64::from(i)).map(|factor| {
            // The offset that makes the share within one sigma right, by the quantile of |error| / sigma^factor.
            let mut ratios: Vec<f32> =
                self.errors.iter().flat_map(|e| [e[0], e[1]].map(|c| c.abs() / e[2].powf(factor as f32))).collect();
            ratios.sort_unstable_by(f32::total_cmp);
            let at = (WITHIN_ONE_SIGMA * ratios.len() as f64) as usize;
            let offset = 2.0 * f64::from(ratios.get(at).copied().unwrap_or(1.0).max(1e-4)).ln();
            let calibration = Calibration { factor, offset };
            ((self.within(2.0, calibration) - WITHIN_TWO_SIGMA).abs(), calibration)
        });
        candidates.min_by(|a, b| a.0.total_cmp(&b.0)).map(|c| c.1).unwrap_or_default()
    }
}

/// To six decimals: figures go through JSON in checkpoints, and short numbers come back to the bit.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Runs `network` on `batches`.
pub(super) fn tally(network: &mut ResidualNetwork, batches: &[Batch]) -> Result<Tally, TrainError> {
    let mut tally = Tally::default();
    for batch in batches {
        let output = network.forward(&batch.input()?)?;
        let flow = output.flow.flatten_all()?.to_vec1::<f32>()?;
        let sigma = (output.log_var * 0.5)?.exp()?.flatten_all()?.to_vec1::<f32>()?;
        let present = output.present.flatten_all()?.to_vec1::<f32>()?;
        let area = batch.side * batch.side;
        for n in 0..batch.count {
            let truth = [batch.plane(n, channel::FLOW), batch.plane(n, channel::FLOW + 1)];
            let said = Said {
                flow: [&flow[2 * n * area..][..area], &flow[(2 * n + 1) * area..][..area]],
                sigma_px: &sigma[n * area..][..area],
                present: &present[n * area..][..area],
                truth,
                visible: batch.plane(n, channel::VISIBLE),
                seen: batch.plane(n, channel::PRESENT),
            };
            tally.add(said, 1);
        }
    }
    Ok(tally)
}

/// The error of the start's flow on the same batches; it states no doubt.
pub(super) fn start_tally(batches: &[Batch]) -> Tally {
    let mut tally = Tally::default();
    for batch in batches {
        let ones = vec![1.0; batch.side * batch.side];
        for n in 0..batch.count {
            let planes = |first: usize| [batch.plane(n, first), batch.plane(n, first + 1)];
            let said = Said {
                flow: planes(channel::START),
                sigma_px: &ones,
                present: &ones,
                truth: planes(channel::FLOW),
                visible: batch.plane(n, channel::VISIBLE),
                seen: batch.plane(n, channel::PRESENT),
            };
            tally.add(said, 1);
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::rng::Rng;

    /// Errors twice as large as stated, of a normal distribution: the calibration finds the factor 2 and both shares.
    #[test]
    fn a_sigma_that_is_half_as_large_as_it_should_be_is_doubled() {
        let mut rng = Rng::new(4);
        let mut draw = || {
            let sigma = 0.1 * rng.range(0.0, 3.0).exp();
            [0, 1].map(|_| (2.0 * sigma * rng.normal()) as f32).into_iter().chain([sigma as f32]).collect::<Vec<_>>()
        };
        let errors = (0..20_000).map(|_| draw()).map(|v| [v[0], v[1], v[2]]).collect();
        let tally = Tally { errors, ..Tally::default() };
        let found = tally.calibration();
        assert!((found.factor - 1.0).abs() < 0.11 && (found.offset - 4.0_f64.ln()).abs() < 0.25, "{found:?}");
        assert!((tally.within(1.0, found) - WITHIN_ONE_SIGMA).abs() < 0.01);
        assert!((tally.within(2.0, found) - WITHIN_TWO_SIGMA).abs() < 0.01);
        assert!(tally.figures().within_one_sigma < 0.5, "as stated it is too sure");
    }
}
