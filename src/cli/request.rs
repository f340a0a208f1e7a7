//! Words become meaning, once: nothing below sees a raw flag.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::arguments::{Provider, Residual, ReviewArguments};
use crate::config::cache_folder;
use crate::infer::ProviderRequest;
use crate::ingest::{SimulationOptions, StudyRequest};
use crate::jobs::{EstimatorChoice, ReviewRequest, StudyToHear, ToleranceError, ToleranceRequest};

/// The model that is shipped; looked for below the current folder and around the program.
const SHIPPED_MODEL: &str = "models/residual.onnx";

/// Words that do not go together or name a file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum UsageError {
    /// An option of the network without the network.
    #[error("{option} is given, but nothing runs a model: say --residual onnx as well, or leave {option} out")]
    WithoutModel {
        /// The option.
        option: &'static str,
    },
    /// A path that names no file.
    #[error("{}: found a folder or no name, expected the name of a file to write", path.display())]
    NoFileName {
        /// The path.
        path: std::path::PathBuf,
    },
    /// One file for two things.
    #[error("{}: found as film and as truth, expected two files: the truth must not stand where a review reads", path.display())]
    SameFile {
        /// The path.
        path: std::path::PathBuf,
    },
    /// The tolerance file.
    #[error("the tolerances are refused")]
    Tolerances {
        /// Why.
        #[from]
        source: ToleranceError,
    },
}

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
/// When words contradict each other, or the tolerance file cannot be used.
pub(super) fn review_order(arguments: ReviewArguments) -> Result<ReviewOrder, UsageError> {
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
    let estimator = match (arguments.residual, arguments.model, arguments.provider) {
        (Residual::Dis, None, None) => EstimatorChoice::Dis,
        // Silence would let the reader believe that the GPU was at work.
        (Residual::Dis, Some(_), _) => return Err(UsageError::WithoutModel { option: "--model" }),
        (Residual::Dis, None, Some(_)) => return Err(UsageError::WithoutModel { option: "--provider" }),
        (Residual::Onnx, model, provider) => EstimatorChoice::Onnx {
            model: model.unwrap_or_else(|| SHIPPED_MODEL.into()),
            provider: provider.map_or(ProviderRequest::Auto, provider_request),
        },
    };
    let named = arguments.study.is_some();
    let study = match arguments.study {
        None if !arguments.no_study => study_beside(&arguments.simulation),
        given => given,
    };
    let options = simulation_options.clone();
    Ok(ReviewOrder {
        request: ReviewRequest {
            simulation: arguments.simulation,
            simulation_options,
            test: arguments.test,
            study: study.map(|source| {
                let cache = study_cache(&source);
                StudyToHear {
                    request: StudyRequest { options, table: None, cache, source },
                    named,
                    in_our_folders: false,
                }
            }),
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

/// The folder of the simulation, where its table of runs names the simulation: then it is one of a study.
fn study_beside(simulation: &Path) -> Option<PathBuf> {
    /// The table of a study's runs, as the studies' generator writes it.
    const INDEX: &str = "index.csv";
    /// Larger tables are none.
    const MOST_BYTES: u64 = 16 << 20;
    let folder = simulation.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let index = folder.join(INDEX);
    if std::fs::metadata(&index).ok()?.len() > MOST_BYTES {
        return None;
    }
    let (table, name) = (std::fs::read_to_string(&index).ok()?, simulation.file_stem()?.to_str()?);
    let named = table.lines().any(|line| line.split(',').next().is_some_and(|run| run.trim() == name));
    named.then(|| folder.to_owned())
}

fn provider_request(provider: Provider) -> ProviderRequest {
    match provider {
        Provider::Auto => ProviderRequest::Auto,
        Provider::Cpu => ProviderRequest::Cpu,
        Provider::Cuda => ProviderRequest::Cuda,
        Provider::Tensorrt => ProviderRequest::Tensorrt,
    }
}

/// The cache of a study: a file in the user's cache folder, named after the study's place.
pub(super) fn study_cache(study: &Path) -> PathBuf {
    let place = study.canonicalize().unwrap_or_else(|_| study.to_owned());
    let digest = Sha256::digest(place.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
    cache_folder().join(format!("study-{name}.cache"))
}
