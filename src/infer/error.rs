//! What can go wrong between a request and its answer.

use std::path::PathBuf;
use std::time::Duration;

use super::provider::ProviderRequest;

/// A model that cannot be loaded, or a request that cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// The ONNX Runtime library is not loadable, or too old.
    #[error(
        "ONNX Runtime library {path} cannot be used: {source}; run `make setup`, or name another in ORT_DYLIB_PATH"
    )]
    Library {
        /// The library.
        path: PathBuf,
        /// Why.
        source: ort::LoadDynamicError,
    },
    /// A process can hold one ONNX Runtime library only.
    #[error("ONNX Runtime is already loaded from {loaded}, cannot load {wanted} as well; use one library a process")]
    SecondLibrary {
        /// The library in use.
        loaded: PathBuf,
        /// The library asked for.
        wanted: PathBuf,
    },
    /// The model file cannot be read.
    #[error("model file {path} cannot be read: {source}")]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// ONNX Runtime refuses the model file.
    #[error("{path} is not a model that ONNX Runtime can load: {source}")]
    ModelRefused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ort::Error,
    },
    /// The file is a model, but not one with the residual contract.
    #[error("{path} is not a {contract} model: {found}, expected {expected}; export it with `crumple train`")]
    Contract {
        /// The file.
        path: PathBuf,
        /// The wanted contract.
        contract: String,
        /// What the file has.
        found: String,
        /// What it should have.
        expected: String,
    },
    /// The asked-for execution provider is not to be had on this machine.
    #[error(
        "execution provider {wanted} is not available: {found}; ask for `auto` or `cpu`, or install what is missing"
    )]
    Provider {
        /// What was asked for.
        wanted: ProviderRequest,
        /// What was found instead.
        found: String,
    },
    /// A request with pictures that do not fit together.
    #[error("bad request: {what} is {found}, expected {expected}")]
    Request {
        /// Which input.
        what: &'static str,
        /// Its size or value.
        found: String,
        /// What is wanted.
        expected: String,
    },
    /// ONNX Runtime failed while it ran the model.
    #[error("ONNX Runtime failed to run the model: {source}")]
    Run {
        /// Why.
        #[from]
        source: ort::Error,
    },
    /// The model ran, but what it gave is not what its contract says.
    #[error("the model's output {output} is {found}, expected {expected}")]
    Output {
        /// Which output.
        output: String,
        /// What came.
        found: String,
        /// What the contract says.
        expected: String,
    },
    /// The queue is full. Not a fault: come again later.
    #[error("the model is busy: {waiting} requests wait already; try again in {} ms", retry_after.as_millis())]
    Busy {
        /// How many requests the queue holds.
        waiting: usize,
        /// When a place is likely to be free.
        retry_after: Duration,
    },
    /// A request of the same batch failed; the cause is told in words because several callers share it.
    #[error("the batch failed: {message}")]
    Batch {
        /// The backend's error.
        message: String,
        /// Whether the input was at fault.
        input_error: bool,
    },
    /// The engine's thread cannot be started.
    #[error("cannot start the model's thread: {source}")]
    Thread {
        /// Why.
        source: std::io::Error,
    },
    /// The engine's thread has ended, for example because the backend panicked.
    #[error("the model's thread has stopped; see the log for its last message")]
    Stopped,
}

impl InferError {
    /// True when another input would have worked: a bad file or request, not a bad machine.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        match self {
            Self::ModelFile { .. }
            | Self::ModelRefused { .. }
            | Self::Contract { .. }
            | Self::Provider { .. }
            | Self::Request { .. } => true,
            Self::Batch { input_error, .. } => *input_error,
            Self::Library { .. }
            | Self::SecondLibrary { .. }
            | Self::Run { .. }
            | Self::Output { .. }
            | Self::Busy { .. }
            | Self::Thread { .. }
            | Self::Stopped => false,
        }
    }
}
