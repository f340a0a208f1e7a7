//! What a training makes small.

use candle_core::{D, DType, Tensor};

use super::net::{HIDDEN_WEIGHT, NetOutput};
use super::pairs::Batch;

/// Rounding of the robust length `sqrt(d² + e²) - e` near zero, px: below it errors count squared.
const SOFT_PX: f64 = 0.05;
/// Weight of the levels' own flows beside the result's.
const LEVEL_WEIGHT: f64 = 0.3;
/// Weight of the doubt's likelihood.
const DOUBT_WEIGHT: f64 = 0.1;
/// Weight of the presence's cross-entropy.
const PRESENCE_WEIGHT: f64 = 0.3;
/// Degrees of freedom of the error's distribution (Student's t): few, because a lost match is off by any distance.
const FREEDOM: f64 = 3.0;

/// The loss, and the mean endpoint error in px beside it.
pub(super) fn loss(batch: &Batch, output: &NetOutput<Tensor>) -> Result<(Tensor, Tensor), candle_core::Error> {
    let [truth, present] = batch.truth()?;
    let visible = batch.input()?.visible;
    let square = (&output.flow - &truth)?.sqr()?.sum_keepdim(1)?;
    let endpoint = masked_mean(&square.detach().sqrt()?, &present)?;
    let mut total = masked_mean(&robust(&square)?, &present)?;
    for flow in &output.level_flows {
        let side = batch.side / flow.dim(D::Minus1)?;
        let share = present.avg_pool2d(side)?;
        let known = truth.broadcast_mul(&present)?.avg_pool2d(side)?.broadcast_div(&(&share + 1e-3)?)?;
        let mask = share.gt(0.5)?.to_dtype(DType::F32)?;
        let square = ((flow * side as f64)? - known)?.sqr()?.sum_keepdim(1)?;
        total = (total + (masked_mean(&robust(&square)?, &mask)? * LEVEL_WEIGHT)?)?;
    }
    // Two components of Student's t with one scale s: -ln p = ln s² + (n + 2) / 2 · ln(1 + d² / (n s²)) + constant. The
    // flow itself does not learn from it, else it would learn to be unsure instead of right.
    let scaled = ((square.detach() * output.log_var.neg()?.exp()?)? * (1.0 / FREEDOM))?;
    let likelihood = ((scaled + 1.0)?.log()? * ((FREEDOM + 2.0) / 2.0))?.add(&output.log_var)?;
    total = (total + (masked_mean(&likelihood, &present)? * DOUBT_WEIGHT)?)?;
    // Cross-entropy of the presence where the predicted picture shows something.
    let p = output.present.clamp(1e-4, 1.0 - 1e-4)?;
    // As if hidden points were so much more frequent: the network adds back what that takes from the odds.
    let p = (&p / (&p + ((1.0 - &p)? * HIDDEN_WEIGHT)?)?)?;
    let entropy = ((&present * p.log()?)? + (((1.0 - &present)? * (1.0 - &p)?.log()?)? * HIDDEN_WEIGHT)?)?.neg()?;
    total = (total + (masked_mean(&entropy, &visible)? * PRESENCE_WEIGHT)?)?;
    Ok((total, endpoint))
}

/// Robust length from squared length, px.
fn robust(square: &Tensor) -> Result<Tensor, candle_core::Error> {
    (square + SOFT_PX * SOFT_PX)?.sqrt()? - SOFT_PX
}

/// Mean of `[B, 1, H, W]` where `mask` is 1.
fn masked_mean(values: &Tensor, mask: &Tensor) -> Result<Tensor, candle_core::Error> {
    (values * mask)?.sum_all()? / (mask.sum_all()? + 1.0)?
}
