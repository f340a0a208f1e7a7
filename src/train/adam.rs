//! [`Adam`]: the optimiser, with a state that can be written down and taken up again to the bit.

use std::collections::BTreeMap;

use candle_core::Tensor;
use candle_core::backprop::GradStore;

use super::weights::Weights;

/// Smoothing of the gradient and of its square (Kingma and Ba 2015, the values of the paper).
const BETAS: [f64; 2] = [0.9, 0.999];
/// Keeps the quotient finite.
const EPSILON: f64 = 1e-8;
/// Decay of the weights, decoupled (Loshchilov and Hutter 2019).
const DECAY: f64 = 1e-4;
/// Longest gradient, over all parameters; longer ones are shortened.
const LONGEST_GRADIENT: f64 = 2.0;

/// Numbers by parameter name.
pub(super) type Named = BTreeMap<String, Vec<f32>>;

/// Adam with decoupled weight decay.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Adam {
    /// Steps taken.
    pub(super) steps: usize,
    /// Smoothed gradients.
    pub(super) first: Named,
    /// Smoothed squares of the gradients.
    pub(super) second: Named,
}

impl Adam {
    /// Moves the parameters once against `gradients`; false when they are not finite and nothing was moved.
    pub(super) fn step(
        &mut self,
        weights: &Weights,
        gradients: &GradStore,
        learning_rate: f64,
    ) -> Result<bool, candle_core::Error> {
        let mut found: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
        let mut square = 0.0_f64;
        for (name, var) in weights.all() {
            if let Some(gradient) = gradients.get(var) {
                let values = gradient.flatten_all()?.to_vec1::<f32>()?;
                square += values.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>();
                found.insert(name, values);
            }
        }
        if !square.is_finite() {
            return Ok(false);
        }
        let scale = (LONGEST_GRADIENT / square.sqrt().max(1e-12)).min(1.0) as f32;
        self.steps += 1;
        let rise = BETAS.map(|b| 1.0 - b.powf(self.steps as f64));
        for (name, var) in weights.all() {
            let Some(gradient) = found.get(name) else { continue };
            let blank = || vec![0.0; gradient.len()];
            let first = self.first.entry(name.to_owned()).or_insert_with(blank);
            let second = self.second.entry(name.to_owned()).or_insert_with(blank);
            let mut values = var.flatten_all()?.to_vec1::<f32>()?;
            let decay = if var.rank() > 1 { DECAY } else { 0.0 };
            for (((value, g), m), v) in values.iter_mut().zip(gradient).zip(first).zip(second) {
                let g = g * scale;
                *m += (1.0 - BETAS[0]) as f32 * (g - *m);
                *v += (1.0 - BETAS[1]) as f32 * (g * g - *v);
                let (m, v) = (f64::from(*m) / rise[0], f64::from(*v) / rise[1]);
                let step = m / (v.sqrt() + EPSILON) + decay * f64::from(*value);
                *value -= (learning_rate * step) as f32;
            }
            var.set(&Tensor::from_vec(values, var.dims(), var.device())?)?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::net::ConvSpec;

    #[test]
    fn a_quadratic_bowl_is_gone_down() {
        let mut weights = Weights::seeded(1);
        let spec = ConvSpec { name: "a".to_owned(), inputs: 1, outputs: 2, stride: 1, gain: 1.0 };
        let (weight, _) = weights.layer(&spec).expect("layer");
        let loss = || weight.as_tensor().affine(1.0, -0.7).and_then(|d| d.sqr()?.sum_all()).expect("loss");
        let mut adam = Adam::default();
        let before = loss().to_scalar::<f32>().expect("number");
        for _ in 0..400 {
            assert!(adam.step(&weights, &loss().backward().expect("gradient"), 0.01).expect("step"));
        }
        let here = adam.clone();
        let endless = loss().affine(f64::INFINITY, 0.0).and_then(|l| l.backward()).expect("gradient");
        assert!(!adam.step(&weights, &endless, 0.01).expect("step"), "an endless gradient moves nothing");
        assert_eq!(adam, here);
        let after = loss().to_scalar::<f32>().expect("number");
        assert!(after < 1e-3 * before, "{before} to {after}");
        assert_eq!(adam.steps, 400);
    }
}
