//! Words become meaning, once: nothing below sees a raw flag.

use super::arguments::{Provider, Residual, ReviewArguments};
use crate::infer::ProviderRequest;
use crate::ingest::SimulationOptions;
use crate::jobs::{EstimatorChoice, ReviewRequest, ToleranceError, ToleranceRequest};

/// A review as asked for.
pub(super) struct ReviewOrder {
    pub(super) request: ReviewRequest,
    pub(super) estimator: EstimatorChoice,
    pub(super) threads: Option<usize>,
    pub(super) quiet: bool,
}

/// What the arguments of `crumple review` mean.
///
/// # Errors
/// When the tolerance file cannot be used.
pub(super) fn review_order(arguments: ReviewArguments) -> Result<ReviewOrder, ToleranceError> {
    let tolerances = match &arguments.tolerances {
        Some(path) => ToleranceRequest::load(path, arguments.tolerance_mm)?,
        None => ToleranceRequest::uniform(arguments.tolerance_mm),
    };
    let mut simulation_options = SimulationOptions::default();
    if let Some(name) = arguments.displacement {
        // Who names an array wants it added; a file without it is the wrong file.
        simulation_options.displacement = name;
        simulation_options.displacement_required = true;
    }
    let estimator = match arguments.residual {
        Residual::Dis => EstimatorChoice::Dis,
        Residual::Onnx => {
            EstimatorChoice::Onnx { model: arguments.model, provider: provider_request(arguments.provider) }
        }
    };
    Ok(ReviewOrder {
        request: ReviewRequest {
            simulation: arguments.simulation,
            simulation_options,
            test: arguments.test,
            out: arguments.out,
            tolerances,
            partial_mesh: arguments.partial_mesh,
            report: !arguments.no_report,
        },
        estimator,
        threads: arguments.threads.map(usize::from),
        quiet: arguments.quiet,
    })
}

fn provider_request(provider: Provider) -> ProviderRequest {
    match provider {
        Provider::Auto => ProviderRequest::Auto,
        Provider::Cpu => ProviderRequest::Cpu,
        Provider::Cuda => ProviderRequest::Cuda,
        Provider::Tensorrt => ProviderRequest::Tensorrt,
    }
}
