//! [`OnnxEstimator`]: a residual model behind the seam that the review knows.

use ndarray::Zip;

use super::backend::ResidualRequest;
use super::engine::{Engine, EngineOptions};
use super::error::InferError;
use super::onnx::OnnxBackend;
use super::stats::EngineStats;
use crate::domain::{ExecutionProvider, ModelDigest};
use crate::vision::{DenseResidual, DisFlow, Paint, PicturePair, ResidualEstimator, VisionError, local_contrast};

/// Requests that may wait; the review asks from at most as many threads as it has, so it never meets "busy".
const LEAST_QUEUE: usize = 8;

/// Patches find the right place from a flow that is off by at most so much, px.
const REACH_PX: f32 = 1.5;

/// The probability that an error with this standard deviation of each component is within [`REACH_PX`] (Rayleigh).
fn within_reach(sigma_px: f32) -> f32 {
    1.0 - (-0.5 * (REACH_PX / sigma_px.max(1e-3)).powi(2)).exp()
}

/// A residual model that estimates for a review: an [`Engine`] with the identity of what it runs. The flow that the model
/// starts from, OpenCV's DIS, is computed on the caller's thread, so that the model's own thread has only the model to run.
#[derive(Debug)]
pub struct OnnxEstimator {
    engine: Engine,
    digest: ModelDigest,
    provider: ExecutionProvider,
    /// What the model was trained to start from.
    start: DisFlow,
}

impl OnnxEstimator {
    /// Starts the engine of `backend`.
    ///
    /// # Errors
    /// When its thread cannot be started.
    pub fn start(backend: OnnxBackend) -> Result<Self, InferError> {
        let (digest, provider, start) = (backend.digest(), backend.provider(), backend.start());
        let queue = rayon::current_num_threads().max(LEAST_QUEUE);
        let engine = Engine::start(backend, EngineOptions { queue, ..EngineOptions::default() })?;
        Ok(Self { engine, digest, provider, start })
    }

    /// How long the model's answers took and how many there were.
    #[must_use]
    pub fn stats(&self) -> EngineStats {
        self.engine.stats()
    }
}

impl ResidualEstimator for OnnxEstimator {
    fn estimate(&self, pair: PicturePair<'_>) -> Result<DenseResidual, VisionError> {
        let (predicted, real) = rayon::join(|| local_contrast(pair.predicted), || local_contrast(pair.real));
        self.estimate_painted(pair, &predicted?, &real?)
    }

    fn estimate_painted(
        &self,
        pair: PicturePair<'_>,
        predicted: &Paint,
        real: &Paint,
    ) -> Result<DenseResidual, VisionError> {
        let start = self.start.flow(predicted, real)?;
        let request = ResidualRequest {
            predicted: predicted.clone(),
            real: real.clone(),
            visible: pair.visible.clone(),
            doubt: start.doubt_px(),
            start: start.flow,
        };
        let answer = self.engine.run(request).map_err(|e| VisionError::Model(Box::new(e)))?;
        // The model states the logarithm of a variance.
        let sigma_px = answer.log_var.mapv(|v| (0.5 * v).exp());
        // What is seen but found too far off is of no more use to the patches than what is hidden.
        let present = Zip::from(&answer.present).and(&sigma_px).map_collect(|seen, sigma| seen * within_reach(*sigma));
        Ok(DenseResidual { flow: answer.flow, sigma_px, present })
    }

    fn digest(&self) -> ModelDigest {
        self.digest.clone()
    }

    fn provider(&self) -> ExecutionProvider {
        self.provider
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reach_is_rayleighs_law() {
        assert!(within_reach(0.1) > 0.9999 && within_reach(0.0) > 0.9999);
        // The median of Rayleigh's law is at sigma times the root of 2 ln 2.
        assert!((within_reach(REACH_PX / (2.0 * 2_f32.ln()).sqrt()) - 0.5).abs() < 1e-6);
        assert!(within_reach(15.0) < 0.01);
    }
}
