//! Puts the program together: the only file that names concrete adapters.

use crate::cli::{App, EstimatorError};
use crate::config::Settings;
use crate::infer::{OnnxBackend, OnnxEstimator};
use crate::jobs::EstimatorChoice;
use crate::vision::{DisFlow, ResidualEstimator};

/// The program as it is shipped.
#[must_use]
pub fn app() -> App {
    App { build_estimator }
}

/// What measures, as chosen.
///
/// # Errors
/// When the ONNX Runtime library or the model cannot be loaded, or the provider is missing.
fn build_estimator(choice: &EstimatorChoice) -> Result<Box<dyn ResidualEstimator>, EstimatorError> {
    match choice {
        EstimatorChoice::Dis => Ok(Box::new(DisFlow)),
        EstimatorChoice::Onnx { model, provider } => {
            let settings = Settings::from_env();
            let library = settings.find_onnxruntime()?;
            // A file that is nowhere is refused by the name that the caller gave.
            let model = settings.find_shipped(model).unwrap_or_else(|| model.clone());
            let backend = OnnxBackend::open(&model, *provider, &library)?;
            Ok(Box::new(OnnxEstimator::start(backend)?))
        }
    }
}
