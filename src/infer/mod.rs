//! Running models: a small synchronous [`Backend`], and an [`Engine`] that owns one on its own thread.
//!
//! The engine is the only way to a model. It takes one request, batches those that wait, and answers each through a
//! one-shot reply; when its queue is full it says [`InferError::Busy`] at once. `OnnxBackend` is the implementation
//! over ONNX Runtime; this module is the only one that sees it. `OnnxEstimator` puts an engine behind the seam that the
//! review knows.
//!
//! ```no_run
//! use crumple::{config::Settings, infer::{Engine, EngineOptions, OnnxBackend, ProviderRequest, ResidualRequest}};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let library = Settings::from_env().find_onnxruntime()?;
//! let backend = OnnxBackend::open("models/residual.onnx".as_ref(), ProviderRequest::Auto, &library)?;
//! println!("runs on {}", backend.provider());
//! let engine = Engine::start(backend, EngineOptions::default())?;
//! let output = engine.run(ResidualRequest::blank(48, 64))?;
//! assert_eq!(output.flow.dim(), (2, 48, 64));
//! # Ok(())
//! # }
//! ```

mod backend;
mod engine;
mod error;
mod estimator;
mod onnx;
mod padding;
mod provider;
mod resident;
mod stats;

pub use backend::{Backend, ResidualOutput, ResidualRequest};
pub use engine::{Engine, EngineOptions, Pending};
pub use error::InferError;
pub use estimator::OnnxEstimator;
pub use onnx::OnnxBackend;
pub use provider::{ParseProviderError, ProviderRequest};
pub use stats::EngineStats;
