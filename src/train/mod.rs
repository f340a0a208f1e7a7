//! Defining, training and exporting models. The only module that sees candle.
//!
//! The residual network is described once (`net`), computed by candle (`candle_ops`) and written as an ONNX file
//! (`graph`, `export`); `infer` runs the file. [`train_residual`] follows a [`Recipe`]: synthetic pairs with known truth
//! (`texture`, `synthetic`), robust endpoint error, likelihood and presence as the loss (`fit`), figures on held-out
//! pairs (`measure`).

mod candle_ops;
mod error;
mod export;
pub mod films;
mod fit;
mod graph;
mod kernels;
mod measure;
mod net;
mod network;
mod proto;
mod recipe;
mod rng;
mod synthetic;
mod texture;
mod weights;

pub use error::TrainError;
pub use fit::{TrainProgress, TrainReport, train_residual};
pub use measure::{HeldOut, NOMINAL_WITHIN_TWO_SIGMA};
pub use net::{LEVELS, NetShape};
pub use network::{Planes, ResidualNetwork};
pub use recipe::{ModelName, Recipe, Synthetic, Training};
