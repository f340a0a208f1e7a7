//! [`OnnxEstimator`]: a residual model behind the seam that the review knows.

use ndarray::{Array3, Zip};

use super::backend::ResidualRequest;
use super::engine::{Engine, EngineOptions};
use super::error::InferError;
use super::onnx::OnnxBackend;
use crate::domain::{ExecutionProvider, ModelDigest};
use crate::vision::{DenseResidual, PicturePair, ResidualEstimator, VisionError};

/// Requests that may wait; the review asks from at most as many threads as it has, so it never meets "busy".
const LEAST_QUEUE: usize = 8;

/// A residual model that estimates for a review: an [`Engine`] with the identity of what it runs.
#[derive(Debug)]
pub struct OnnxEstimator {
    engine: Engine,
    digest: ModelDigest,
    provider: ExecutionProvider,
}

impl OnnxEstimator {
    /// Starts the engine of `backend`.
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub fn start(backend: OnnxBackend) -> Result<Self, InferError> {
        let (digest, provider) = (backend.digest(), backend.provider());
        let queue = rayon::current_num_threads().max(LEAST_QUEUE);
        let engine = Engine::start(backend, EngineOptions { queue, ..EngineOptions::default() })?;
        Ok(Self { engine, digest, provider })
    }
}

impl ResidualEstimator for OnnxEstimator {
    fn estimate(&self, pair: PicturePair<'_>) -> Result<DenseResidual, VisionError> {
        if pair.predicted.dim() != pair.real.dim() {
            return Err(VisionError::SizesDiffer { predicted: pair.predicted.dim(), real: pair.real.dim() });
        }
        let (height, width) = pair.predicted.dim();
        let request = ResidualRequest {
            predicted: pair.predicted.clone(),
            real: pair.real.clone(),
            visible: pair.visible.clone(),
            // The prediction already stands where the last frame left the structure: nothing is known beyond it.
            carried: Array3::zeros((2, height, width)),
        };
        let answer = self.engine.run(request).map_err(|e| VisionError::Model(Box::new(e)))?;
        // The model states the logarithm of a variance.
        let sigma_px = Zip::from(&answer.log_var).map_collect(|v| (0.5 * v).exp());
        Ok(DenseResidual { flow: answer.flow, sigma_px, present: answer.present })
    }

    fn digest(&self) -> ModelDigest {
        self.digest.clone()
    }

    fn provider(&self) -> ExecutionProvider {
        self.provider
    }
}
