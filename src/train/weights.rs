//! The network's parameters by name, in a fixed order.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use sha2::{Digest, Sha256};

use super::device::device;
use super::net::ConvSpec;
use super::rng::Rng;

/// Parameters of a network; layers that are not known yet are drawn at random when they are first used.
#[derive(Debug)]
pub(super) struct Weights {
    vars: BTreeMap<String, Var>,
    seed: u64,
}

impl Weights {
    /// No parameters yet; those that are asked for are drawn from `seed` and their own name.
    pub(super) fn seeded(seed: u64) -> Self {
        Self { vars: BTreeMap::new(), seed }
    }

    /// Weight `[out, in, 3, 3]` and bias `[out]` of a layer.
    pub(super) fn layer(&mut self, spec: &ConvSpec) -> Result<(Var, Var), candle_core::Error> {
        let (weight, bias) = (format!("{}.weight", spec.name), format!("{}.bias", spec.name));
        if let (Some(w), Some(b)) = (self.vars.get(&weight), self.vars.get(&bias)) {
            return Ok((w.clone(), b.clone()));
        }
        // He et al. 2015, eq. 10: variance 2 / fan-in keeps the signal's size through rectifiers.
        let fan_in = spec.inputs * 9;
        let spread = spec.gain * (2.0 / fan_in as f64).sqrt();
        let mut rng = Rng::for_name(self.seed, &weight);
        let values: Vec<f32> = (0..spec.outputs * fan_in).map(|_| (rng.normal() * spread) as f32).collect();
        let w = Tensor::from_vec(values, (spec.outputs, spec.inputs, 3, 3), device())?;
        let w = Var::from_tensor(&w)?;
        let b = Var::from_tensor(&Tensor::zeros(spec.outputs, candle_core::DType::F32, device())?)?;
        self.vars.insert(weight, w.clone());
        self.vars.insert(bias, b.clone());
        Ok((w, b))
    }

    /// All parameters, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.vars.iter().map(|(name, var)| (name.as_str(), var))
    }

    /// All numbers, by name.
    pub(super) fn values(&self) -> Result<BTreeMap<String, Vec<f32>>, candle_core::Error> {
        self.all().map(|(name, var)| Ok((name.to_owned(), var.flatten_all()?.to_vec1::<f32>()?))).collect()
    }

    /// Puts `values` in place of the parameters of the same names; false when one is missing or of another length.
    pub(super) fn set(&self, values: &BTreeMap<String, Vec<f32>>) -> Result<bool, candle_core::Error> {
        for (name, var) in self.all() {
            match values.get(name) {
                Some(new) if new.len() == var.elem_count() => {
                    var.set(&Tensor::from_slice(new, var.dims(), device())?)?;
                }
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// How many numbers they are.
    pub(super) fn count(&self) -> usize {
        self.vars.values().map(|v| v.elem_count()).sum()
    }

    /// SHA-256 over names and values, hex.
    pub(super) fn digest(&self) -> Result<String, candle_core::Error> {
        let mut hasher = Sha256::new();
        for (name, var) in &self.vars {
            hasher.update(name.as_bytes());
            for value in var.flatten_all()?.to_vec1::<f32>()? {
                hasher.update(value.to_le_bytes());
            }
        }
        Ok(hex(&hasher.finalize()))
    }
}

/// Bytes as lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
