//! What can go wrong while a model is defined, trained or exported.

use std::path::PathBuf;

use crate::ingest::IngestError;
use crate::vision::VisionError;

/// A recipe that makes no sense, a failed computation, or a file that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The recipe file cannot be read.
    #[error("recipe {path} cannot be read: {source}")]
    RecipeFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The recipe file is not a recipe.
    #[error("recipe {path} is not understood: {source}")]
    RecipeSyntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// A value in the recipe is out of its range.
    #[error("recipe: {field} is {found}, expected {expected}")]
    Recipe {
        /// Section and key.
        field: &'static str,
        /// What it says.
        found: String,
        /// What is possible.
        expected: &'static str,
    },
    /// The model file cannot be written.
    #[error("model file {path} cannot be written: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A model file cannot be read.
    #[error("model file {path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A model file that this program did not write.
    #[error("{path} is not a residual model exported by crumple: it lacks {missing}")]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        missing: String,
    },
    /// candle failed.
    #[error("the network cannot be computed: {source}")]
    Compute {
        /// Why.
        #[from]
        source: candle_core::Error,
    },
    /// A checkpoint that cannot be gone on from.
    #[error(
        "checkpoint {path} cannot be gone on from: it is {found}; say --restart to begin anew, or name another --out"
    )]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// Whoever asked for the training does not want it any more; it can be gone on with.
    #[error("stopped at step {step}; the same command goes on from there ({checkpoint})")]
    Stopped {
        /// Steps done.
        step: usize,
        /// The file to go on from.
        checkpoint: PathBuf,
    },
    /// The exported file could not be tried.
    #[error("the exported file cannot be tried, so it is not written")]
    Judge {
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The written file does not compute what was trained.
    #[error("the exported file differs from the trained network by {difference:.1e}, expected at most {limit:.1e}")]
    Parity {
        /// Largest difference found, px, ln px² or probability.
        difference: f32,
        /// What would have been fine.
        limit: f32,
    },
    /// The loss became NaN or infinite.
    #[error("training diverged at step {step}: the loss is {loss}; lower training.learning_rate in the recipe")]
    Diverged {
        /// Step at which it was seen.
        step: usize,
        /// Its value.
        loss: f32,
    },
    /// A folder of simulations cannot be looked through.
    #[error("data {path} cannot be read: {source}")]
    Data {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder without simulations.
    #[error("data {path}: found no simulation, expected at least one file *.vtkhdf")]
    NoSimulations {
        /// The folder.
        path: PathBuf,
    },
    /// A simulation is refused.
    #[error("a simulation is refused: {source}")]
    Simulation {
        /// Where and why.
        #[from]
        source: IngestError,
    },
    /// Two runs of a family have different meshes.
    #[error(
        "simulation {path}: found another mesh than that of {first}, expected one topology in family {family}: give the \
         runs another `family` in their side-cars, or leave one out"
    )]
    OtherTopology {
        /// The file.
        path: PathBuf,
        /// The family.
        family: String,
        /// The run that came first.
        first: String,
    },
    /// A split without pairs.
    #[error(
        "the split `{split}` has no pair of runs: check films.held_out_families and films.held_out_region against the data"
    )]
    NoPairs {
        /// The split.
        split: String,
    },
    /// A picture could not be worked on.
    #[error("a picture could not be worked on: {source}")]
    Vision {
        /// Why.
        #[from]
        source: VisionError,
    },
    /// A thread could not be started.
    #[error("cannot start a thread: {source}")]
    Thread {
        /// Why.
        source: std::io::Error,
    },
}

impl TrainError {
    /// True when it was stopped on demand.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped { .. })
    }

    /// True when another recipe would have worked.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        match self {
            Self::RecipeFile { .. }
            | Self::RecipeSyntax { .. }
            | Self::Recipe { .. }
            | Self::Diverged { .. }
            | Self::Read { .. }
            | Self::Checkpoint { .. }
            | Self::NotOurs { .. }
            | Self::Data { .. }
            | Self::NoSimulations { .. }
            | Self::OtherTopology { .. }
            | Self::NoPairs { .. } => true,
            Self::Simulation { source } => source.is_input_error(),
            Self::Write { .. }
            | Self::Compute { .. }
            | Self::Vision { .. }
            | Self::Parity { .. }
            | Self::Judge { .. }
            | Self::Thread { .. }
            | Self::Stopped { .. } => false,
        }
    }
}
