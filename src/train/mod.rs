//! Defining, training and exporting models. The only module that sees candle.
//!
//! The residual network is described once (`net`), computed by candle (`candle_ops`) and written as an ONNX file
//! (`graph`, `export`); `infer` runs the file. [`train_residual`] follows a [`Recipe`]: filmed pairs with known truth
//! (`data`: rendered films of two simulations, random textures) with the classical start between them (`pairs`), crops of
//! them in a pool (`stream`), robust endpoint error, likelihood and presence as the `loss`, steps that can be stopped and
//! taken up again (`fit`, `adam`, `checkpoint`), figures on pairs kept apart (`measure`).

mod adam;
mod candle_ops;
mod checkpoint;
mod composed;
mod cost;
mod data;
mod device;
mod error;
mod evaluate;
mod export;
pub mod films;
mod fit;
mod graph;
mod kernels;
mod loss;
mod measure;
mod net;
mod network;
mod pairs;
mod proto;
mod recipe;
mod rng;
mod stream;
mod synthetic;
mod texture;
mod weights;

pub use checkpoint::CurvePoint;
pub use cost::Cost;
pub use error::TrainError;
pub use evaluate::{Evaluated, ZeroFlow, evaluate};
pub use fit::{
    Judge, PARITY, PARITY_HALF, Reference, TrainOrder, TrainProgress, TrainReport, half_path, train_residual,
};
pub use measure::{Figures, WITHIN_ONE_SIGMA, WITHIN_TWO_SIGMA};
pub use net::{Calibration, NetShape};
pub use network::{Planes, Precision, ResidualNetwork};
pub use recipe::{Crops, Data, DataKind, ModelName, Recipe, Synthetic, Training};
