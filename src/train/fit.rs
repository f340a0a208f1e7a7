//! [`train_residual`]: from a recipe to a model file.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use candle_core::{D, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use serde::Serialize;

use super::error::TrainError;
use super::measure::{HeldOut, calibration_offset, measure};
use super::net::{NetInput, NetOutput};
use super::network::ResidualNetwork;
use super::recipe::Recipe;
use super::synthetic::Pairs;
use crate::domain::ModelDigest;

/// Rounding of the robust length `sqrt(d² + e²) - e` near zero, px: below it errors count squared.
const SOFT_PX: f64 = 0.05;
/// Squared errors above this, px², count no further for the stated variance, so that outliers do not rule it.
const LARGEST_SQUARE: f64 = 256.0;
/// Weight of the coarser levels' errors beside the result's.
const LEVEL_WEIGHT: f64 = 0.25;
/// Weight of the variance's likelihood and of the presence's cross-entropy.
const DOUBT_WEIGHT: f64 = 0.1;
/// Steps over which the learning rate rises.
const WARM_UP_STEPS: usize = 30;
/// Longest gradient, over all parameters; longer ones are shortened.
const LONGEST_GRADIENT: f64 = 2.0;

/// Where the training stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainProgress {
    /// Steps done.
    pub step: usize,
    /// Steps to do.
    pub steps: usize,
    /// Smoothed loss.
    pub loss: f32,
    /// Smoothed endpoint error on the training pairs, px.
    pub epe_px: f32,
}

/// What came out, with what it was made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainReport {
    /// The model file.
    pub model: ModelDigest,
    /// Number of parameters.
    pub parameters: usize,
    /// Steps done.
    pub steps: usize,
    /// Wall clock, s.
    pub seconds: f64,
    /// On held-out pairs that start from zero flow.
    pub held_out: HeldOut,
    /// On the same pairs with a carried flow where the recipe gives one.
    pub held_out_carried: HeldOut,
    /// SHA-256 of the recipe's content.
    pub recipe_sha256: String,
    /// SHA-256 of the parameters.
    pub weights_sha256: String,
    /// SHA-256 of the first training batch and of the held-out pairs: the data that the recipe draws.
    pub data_sha256: [String; 2],
}

/// Trains a residual network as `recipe` says and writes it to `out` as one ONNX file.
///
/// `progress` is called after every step. The same recipe gives the same file, byte for byte, on the same program and
/// kind of processor.
///
/// # Errors
/// When the recipe is impossible, the training diverges, or the file cannot be written; then `out` is as before.
pub fn train_residual(
    recipe: &Recipe,
    out: &Path,
    progress: &mut dyn FnMut(TrainProgress),
) -> Result<TrainReport, TrainError> {
    recipe.check()?;
    let begun = Instant::now();
    let training = &recipe.training;
    let mut network = ResidualNetwork::seeded(recipe.network.clone(), training.seed)?;
    let first_batch = fit(recipe, &mut network, progress)?;
    let draw = |stream, count| Pairs::draw(&recipe.synthetic, training.seed, stream, 0, count);
    network.log_var_offset = calibration_offset(&mut network, &draw("calibration", training.calibration))?;
    let pairs = draw("held-out", training.held_out);
    let held_out_sha256 = pairs.digest();
    let held_out_carried = measure(&mut network, &pairs)?;
    let held_out = measure(&mut network, &pairs.without_carried())?;
    let mut report = TrainReport {
        model: ModelDigest { name: String::new(), version: String::new(), sha256: String::new() },
        parameters: network.parameter_count(),
        steps: training.steps,
        seconds: begun.elapsed().as_secs_f64(),
        held_out,
        held_out_carried,
        recipe_sha256: recipe.digest(),
        weights_sha256: network.weights_digest()?,
        data_sha256: [first_batch, held_out_sha256],
    };
    report.model = network.export(out, &lineage(recipe, &report))?;
    Ok(report)
}

/// What the model file says about where it comes from and how good it is.
fn lineage(recipe: &Recipe, report: &TrainReport) -> BTreeMap<String, String> {
    let entries = [
        ("name", recipe.model.name.clone()),
        ("version", recipe.model.version.clone()),
        ("lineage.recipe_sha256", report.recipe_sha256.clone()),
        ("lineage.seed", recipe.training.seed.to_string()),
        ("lineage.first_batch_sha256", report.data_sha256[0].clone()),
        ("lineage.held_out_sha256", report.data_sha256[1].clone()),
        ("lineage.data", "synthetic pairs only".to_owned()),
        ("held_out.epe_px", format!("{:.4}", report.held_out.epe_px)),
        ("held_out.zero_epe_px", format!("{:.4}", report.held_out.start_epe_px)),
        ("calibration.within_two_sigma", format!("{:.4}", report.held_out.within_two_sigma)),
    ];
    entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

/// Adjusts the parameters step by step; gives the digest of the first batch.
fn fit(
    recipe: &Recipe,
    network: &mut ResidualNetwork,
    progress: &mut dyn FnMut(TrainProgress),
) -> Result<String, TrainError> {
    let training = &recipe.training;
    let vars: Vec<Var> = network.weights.all().map(|(_, v)| v.clone()).collect();
    let settings = ParamsAdamW { lr: training.learning_rate, weight_decay: 1e-5, ..ParamsAdamW::default() };
    let mut optimiser = AdamW::new(vars.clone(), settings)?;
    let mut first_batch = String::new();
    let mut smooth: Option<(f32, f32)> = None;
    for step in 0..training.steps {
        let pairs = Pairs::draw(&recipe.synthetic, training.seed, "training", step * training.batch, training.batch);
        if step == 0 {
            first_batch = pairs.digest();
        }
        let output = network.forward(&net_input(&pairs)?)?;
        let (loss, epe) = loss(&pairs, &output)?;
        let mut gradients = loss.backward()?;
        let (loss, epe) = (loss.to_scalar::<f32>()?, epe.to_scalar::<f32>()?);
        if !loss.is_finite() {
            return Err(TrainError::Diverged { step, loss });
        }
        shorten(&vars, &mut gradients)?;
        optimiser.set_learning_rate(learning_rate(step, training.steps, training.learning_rate));
        optimiser.step(&gradients)?;
        let (l, e) = smooth.map_or((loss, epe), |(l, e)| (l + 0.05 * (loss - l), e + 0.05 * (epe - e)));
        smooth = Some((l, e));
        progress(TrainProgress { step: step + 1, steps: training.steps, loss: l, epe_px: e });
    }
    Ok(first_batch)
}

/// Linear rise, then half a cosine down to a hundredth.
fn learning_rate(step: usize, steps: usize, largest: f64) -> f64 {
    let rise = ((step + 1) as f64 / WARM_UP_STEPS as f64).min(1.0);
    let fall = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos());
    largest * rise * (0.01 + 0.99 * fall)
}

/// Bounds the length of the whole gradient.
fn shorten(vars: &[Var], gradients: &mut candle_core::backprop::GradStore) -> Result<(), TrainError> {
    let mut square = 0.0_f64;
    for var in vars {
        if let Some(gradient) = gradients.get(var) {
            square += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
    }
    let length = square.sqrt();
    if length > LONGEST_GRADIENT {
        for var in vars {
            if let Some(gradient) = gradients.remove(var) {
                gradients.insert(var, (gradient * (LONGEST_GRADIENT / length))?);
            }
        }
    }
    Ok(())
}

/// The pairs as the network's input.
pub(super) fn net_input(pairs: &Pairs) -> Result<NetInput<Tensor>, TrainError> {
    Ok(NetInput {
        predicted: pairs.tensor(&pairs.predicted, 1)?,
        real: pairs.tensor(&pairs.real, 1)?,
        visible: pairs.tensor(&pairs.visible, 1)?,
        carried: pairs.tensor(&pairs.carried, 2)?,
    })
}

/// What is to be made small, and the mean endpoint error in px beside it.
fn loss(pairs: &Pairs, output: &NetOutput<Tensor>) -> Result<(Tensor, Tensor), TrainError> {
    let truth = pairs.tensor(&pairs.flow, 2)?;
    let present = pairs.tensor(&pairs.present, 1)?;
    let visible = pairs.tensor(&pairs.visible, 1)?;
    let square = (&output.flow - &truth)?.sqr()?.sum_keepdim(1)?;
    let epe = masked_mean(&square.detach().sqrt()?, &present)?;
    let mut total = masked_mean(&robust(&square)?, &present)?;
    for (level, flow) in output.level_flows.iter().enumerate() {
        let side = pairs.side / flow.dim(D::Minus1)?;
        let share = present.avg_pool2d(side)?;
        let known = truth.broadcast_mul(&present)?.avg_pool2d(side)?.broadcast_div(&(&share + 1e-3)?)?;
        let mask = share.gt(0.5)?.to_dtype(candle_core::DType::F32)?;
        let square = ((flow * side as f64)? - known)?.sqr()?.sum_keepdim(1)?;
        let weight = LEVEL_WEIGHT * f64::from(1_u32 << level) / 4.0;
        total = (total + (masked_mean(&robust(&square)?, &mask)? * weight)?)?;
    }
    // Two normal components of equal variance: -ln p = d² / (2 v) + ln v, up to a constant. The flow itself does not
    // learn from it, else it would learn to be unsure instead of right.
    let square = square.detach().clamp(0.0, LARGEST_SQUARE)?;
    let likelihood = ((square * output.log_var.neg()?.exp()?)? * 0.5)?.add(&output.log_var)?;
    let doubt = masked_mean(&likelihood, &present)?;
    // Cross-entropy of the presence where the predicted picture shows something.
    let p = output.present.clamp(1e-4, 1.0 - 1e-4)?;
    let entropy = ((&present * p.log()?)? + ((1.0 - &present)? * (1.0 - &p)?.log()?)?)?.neg()?;
    let presence = masked_mean(&entropy, &visible)?;
    total = (total + ((doubt + presence)? * DOUBT_WEIGHT)?)?;
    Ok((total, epe))
}

/// Robust length from squared length, px.
fn robust(square: &Tensor) -> Result<Tensor, TrainError> {
    Ok(((square + SOFT_PX * SOFT_PX)?.sqrt()? - SOFT_PX)?)
}

/// Mean of `[B, 1, H, W]` where `mask` is 1.
fn masked_mean(values: &Tensor, mask: &Tensor) -> Result<Tensor, TrainError> {
    Ok(((values * mask)?.sum_all()? / (mask.sum_all()? + 1.0)?)?)
}
