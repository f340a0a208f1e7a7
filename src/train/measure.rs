//! How good a network is on pairs whose truth is known.

use serde::Serialize;

use super::error::TrainError;
use super::fit::net_input;
use super::network::ResidualNetwork;
use super::synthetic::Pairs;

/// Pairs that are run at once.
const CHUNK: usize = 8;
/// Median of the chi-square distribution with two degrees of freedom: half of all squared lengths lie below.
const MEDIAN_CHI_SQUARE_2: f64 = 1.386_294_361;
/// Share of a normal distribution in two dimensions within two sigma of each component taken together: 1 - e^-2.
pub const NOMINAL_WITHIN_TWO_SIGMA: f64 = 0.864_664_717;

/// Figures over the pixels whose surface is present.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HeldOut {
    /// Pairs.
    pub pairs: usize,
    /// Mean endpoint error, px.
    pub epe_px: f64,
    /// Median endpoint error, px.
    pub median_epe_px: f64,
    /// Mean endpoint error of the flow that it started from (zero, or the carried one), px.
    pub start_epe_px: f64,
    /// Share of pixels whose error is within two stated sigmas; [`NOMINAL_WITHIN_TWO_SIGMA`] would be perfect.
    pub within_two_sigma: f64,
    /// Share of visible pixels for which `present` is on the right side of 1/2.
    pub present_accuracy: f64,
}

/// Squared error in px², stated ln variance, squared error of the start, px²; for each present pixel.
type PixelErrors = Vec<(f32, f32, f32)>;

/// Measures `network` on `pairs`.
pub(super) fn measure(network: &mut ResidualNetwork, pairs: &Pairs) -> Result<HeldOut, TrainError> {
    let (pixels, right, visible) = errors(network, pairs)?;
    let count = pixels.len().max(1) as f64;
    let mean = |of: &dyn Fn(&(f32, f32, f32)) -> f64| pixels.iter().map(of).sum::<f64>() / count;
    let mut lengths: Vec<f32> = pixels.iter().map(|p| p.0.sqrt()).collect();
    lengths.sort_by(f32::total_cmp);
    Ok(HeldOut {
        pairs: pairs.count,
        epe_px: mean(&|p| f64::from(p.0).sqrt()),
        median_epe_px: f64::from(lengths.get(lengths.len() / 2).copied().unwrap_or(f32::NAN)),
        start_epe_px: mean(&|p| f64::from(p.2).sqrt()),
        within_two_sigma: mean(&|p| f64::from(u8::from(p.0 <= 4.0 * p.1.exp()))),
        present_accuracy: right as f64 / visible.max(1) as f64,
    })
}

/// What must be added to the stated ln variance so that the median squared error is what a normal error would have.
pub(super) fn calibration_offset(network: &mut ResidualNetwork, pairs: &Pairs) -> Result<f64, TrainError> {
    let (pixels, _, _) = errors(network, pairs)?;
    let mut ratios: Vec<f32> = pixels.iter().map(|p| p.0 / p.1.exp()).collect();
    ratios.sort_by(f32::total_cmp);
    let median = ratios.get(ratios.len() / 2).map_or(MEDIAN_CHI_SQUARE_2, |r| f64::from(*r));
    Ok((median.max(1e-6) / MEDIAN_CHI_SQUARE_2).ln())
}

/// Errors of all present pixels; how many visible pixels have the right presence, and how many are visible.
fn errors(network: &mut ResidualNetwork, pairs: &Pairs) -> Result<(PixelErrors, usize, usize), TrainError> {
    let (mut pixels, mut right, mut visible) = (Vec::new(), 0, 0);
    let area = pairs.side * pairs.side;
    for first in (0..pairs.count).step_by(CHUNK) {
        let part = pairs.part(first, CHUNK.min(pairs.count - first));
        let output = network.forward(&net_input(&part)?)?;
        let flow = output.flow.flatten_all()?.to_vec1::<f32>()?;
        let log_var = output.log_var.flatten_all()?.to_vec1::<f32>()?;
        let present = output.present.flatten_all()?.to_vec1::<f32>()?;
        for i in (0..part.count * area).filter(|&i| part.visible[i] > 0.5) {
            visible += 1;
            right += usize::from((present[i] > 0.5) == (part.present[i] > 0.5));
            if part.present[i] > 0.5 {
                let x = 2 * (i / area) * area + i % area;
                let square = |a: &[f32]| (a[x] - part.flow[x]).powi(2) + (a[x + area] - part.flow[x + area]).powi(2);
                pixels.push((square(&flow), log_var[i], square(&part.carried)));
            }
        }
    }
    Ok((pixels, right, visible))
}
