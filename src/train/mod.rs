//! Defining, training and exporting models. The only module that sees candle.
//!
//! The residual network is described once (`net`), computed by candle (`candle_ops`) and written as an ONNX file
//! (`graph`, `export`); `infer` runs the file.

mod candle_ops;
mod error;
mod export;
mod graph;
mod kernels;
mod net;
mod network;
mod proto;
mod rng;
mod weights;

pub use error::TrainError;
pub use net::{LEVELS, NetShape};
pub use network::{Planes, ResidualNetwork};
