//! [`ResidualNetwork`]: the network with its parameters, run by candle or written as a model file.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;
use ndarray::{Array4, Ix4};
use prost::Message as _;
use sha2::{Digest, Sha256};

use super::candle_ops::CandleOps;
use super::device::device;
use super::error::TrainError;
use super::export::{model_bytes, write_whole};
use super::net::{Calibration, NetInput, NetOutput, NetShape, SIZE_MULTIPLE, residual_net};
use super::proto::Model;
use super::weights::{Weights, hex};
use crate::domain::{ModelDigest, ModelSpec};

/// The network's inputs or outputs as plain arrays, `[B, C, H, W]`.
pub type Planes = Array4<f32>;

/// What must be done to a picture before it is given, for whoever runs the file without this program.
const NORMALISATION: &str = "predicted and real are paint: luma minus its Gaussian mean (sigma 6 px), over the square \
root of the Gaussian mean (sigma 12 px) of that difference squared plus 0.015, times 0.15, plus 0.5";

/// How the convolutions of an exported file compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits throughout.
    Single,
    /// Convolutions and what lies between them in 16 bits, positions and results in 32: for GPUs.
    Half,
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Single => "fp32",
            Self::Half => "fp16",
        })
    }
}

/// A residual network and its parameters.
#[derive(Debug)]
pub struct ResidualNetwork {
    pub(super) shape: NetShape,
    pub(super) weights: Weights,
    pub(super) calibration: Calibration,
}

impl ResidualNetwork {
    /// An untrained network; its parameters follow from `seed` alone.
    ///
    /// # Errors
    /// When candle fails.
    pub fn seeded(shape: NetShape, seed: u64) -> Result<Self, TrainError> {
        let mut network = Self { shape, weights: Weights::seeded(seed), calibration: Calibration::default() };
        // One small run makes every layer known.
        let zeros =
            |channels| Tensor::zeros((1, channels, SIZE_MULTIPLE, SIZE_MULTIPLE), candle_core::DType::F32, device());
        let [predicted, real, visible, doubt] = [zeros(1)?, zeros(1)?, zeros(1)?, zeros(1)?];
        let input = NetInput { predicted, real, visible, start: zeros(2)?, doubt };
        network.forward(&input)?;
        Ok(network)
    }

    /// Sizes of its parts.
    #[must_use]
    pub fn shape(&self) -> &NetShape {
        &self.shape
    }

    /// How many parameters there are.
    #[must_use]
    pub fn parameter_count(&self) -> usize {
        self.weights.count()
    }

    /// SHA-256 over all parameters, hex: equal for networks that compute the same.
    ///
    /// # Errors
    /// When candle fails.
    pub fn weights_digest(&self) -> Result<String, TrainError> {
        Ok(self.weights.digest()?)
    }

    /// Reads back a model file that [`ResidualNetwork::export`] wrote.
    ///
    /// # Errors
    /// When the file cannot be read, is no such file, or lacks parameters; the message names what is missing.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        let bytes = std::fs::read(path).map_err(|source| TrainError::Read { path: path.to_path_buf(), source })?;
        let fault = |missing: &str| TrainError::NotOurs { path: path.to_path_buf(), missing: missing.to_owned() };
        let model = Model::decode(bytes.as_slice()).map_err(|e| fault(&format!("a readable structure ({e})")))?;
        let word = |key: &str| model.metadata_props.iter().find(|e| e.key == key).map(|e| e.value.clone());
        let shape = word("network").and_then(|w| serde_json::from_str(&w).ok());
        let shape =
            shape.filter(NetShape::is_possible).ok_or_else(|| fault("metadata `network` with possible sizes"))?;
        let number = |key: &str| word(key).and_then(|w| w.parse().ok());
        let factor =
            number("calibration.log_var_factor").ok_or_else(|| fault("metadata `calibration.log_var_factor`"))?;
        let offset =
            number("calibration.log_var_offset").ok_or_else(|| fault("metadata `calibration.log_var_offset`"))?;
        let mut network = Self::seeded(shape, 0)?;
        network.calibration = Calibration { factor, offset };
        let stored = model.graph.map(|g| g.initializer).unwrap_or_default();
        for (name, var) in network.weights.all() {
            let tensor = stored.iter().find(|t| t.name == name && t.raw_data.len() == 4 * var.elem_count());
            let tensor = tensor.ok_or_else(|| fault(&format!("parameter `{name}` of {:?}", var.dims())))?;
            let values = tensor.raw_data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            var.set(&Tensor::from_vec(values.collect(), var.dims(), device())?)?;
        }
        Ok(network)
    }

    pub(super) fn forward(&mut self, input: &NetInput<Tensor>) -> Result<NetOutput<Tensor>, TrainError> {
        let mut ops = CandleOps { weights: &mut self.weights };
        Ok(residual_net(&mut ops, &self.shape, input, self.calibration)?)
    }

    /// Runs the network with candle: `[predicted, real, visible, start, doubt]` to `[flow, log_var, present]`.
    ///
    /// Height and width must be multiples of [`ModelSpec::size_multiple`]. This is the reference that the exported
    /// file is compared with; reviews run the file through `infer`.
    ///
    /// # Errors
    /// When candle fails, for example because the sizes do not fit.
    pub fn run(&mut self, inputs: [&Planes; 5]) -> Result<[Planes; 3], TrainError> {
        let [predicted, real, visible, start, doubt] = inputs.map(tensor);
        let (start, doubt) = (start?, doubt?);
        let input = NetInput { predicted: predicted?, real: real?, visible: visible?, start, doubt };
        let output = self.forward(&input)?;
        Ok([planes(&output.flow)?, planes(&output.log_var)?, planes(&output.present)?])
    }

    /// Writes the network to `path` as one self-contained ONNX file with `metadata` (lineage, calibration); what every
    /// model file must say (contract, normalisation, size multiple) is added.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing half-written is left under its name.
    pub fn export(
        &self,
        path: &Path,
        precision: Precision,
        metadata: &BTreeMap<String, String>,
    ) -> Result<ModelDigest, TrainError> {
        let spec = ModelSpec::residual();
        let mut all = metadata.clone();
        all.insert("contract".to_owned(), spec.contract);
        all.insert("precision".to_owned(), precision.to_string());
        all.insert("size_multiple".to_owned(), spec.size_multiple.to_string());
        all.insert("normalisation".to_owned(), NORMALISATION.to_owned());
        all.insert("calibration.log_var_factor".to_owned(), self.calibration.factor.to_string());
        all.insert("calibration.log_var_offset".to_owned(), self.calibration.offset.to_string());
        all.insert("network".to_owned(), shape_words(&self.shape));
        all.insert("weights_sha256".to_owned(), self.weights.digest()?);
        all.insert("program_version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        let bytes = model_bytes(self, precision, &all)?;
        write_whole(path, &bytes)?;
        let word = |key: &str| all.get(key).cloned().unwrap_or_else(|| "unknown".to_owned());
        Ok(ModelDigest { name: word("name"), version: word("version"), sha256: hex(&Sha256::digest(&bytes)) })
    }
}

/// The sizes as the metadata states them.
fn shape_words(shape: &NetShape) -> String {
    serde_json::to_string(shape).expect("sizes are always writable: anything else is a bug")
}

fn tensor(planes: &Planes) -> Result<Tensor, TrainError> {
    let values: Vec<f32> = planes.iter().copied().collect();
    Ok(Tensor::from_vec(values, planes.dim(), device())?)
}

pub(super) fn planes(tensor: &Tensor) -> Result<Planes, TrainError> {
    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
    let array = ndarray::ArrayD::from_shape_vec(tensor.dims(), values)
        .expect("as many values as the shape says: anything else is a bug");
    Ok(array.into_dimensionality::<Ix4>().expect("the network's tensors have rank 4: anything else is a bug"))
}
