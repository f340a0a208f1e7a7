//! Which model ran, and on what.

use serde::{Deserialize, Serialize};

/// What executes a model; the answer always names the one that really ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionProvider {
    /// ONNX Runtime on the processor.
    Cpu,
    /// ONNX Runtime on an NVIDIA GPU.
    Cuda,
    /// ONNX Runtime with TensorRT.
    Tensorrt,
    /// No network ran: OpenCV's dense inverse search on the processor.
    OpencvDis,
}

impl std::fmt::Display for ExecutionProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Tensorrt => "tensorrt",
            Self::OpencvDis => "opencv_dis",
        })
    }
}

/// A model's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelDigest {
    /// Name, for example `residual` or `dis-medium`.
    pub name: String,
    /// Version that the model's metadata states.
    pub version: String,
    /// SHA-256 of the model file, hex; empty for a classical method without a file.
    pub sha256: String,
}

/// One input or output of a model: its name and what its channels mean.
///
/// Every tensor is `float32 [B, channels, H, W]`; `B`, `H` and `W` are free, `H` and `W` multiples of
/// [`ModelSpec::size_multiple`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// Name in the graph.
    pub name: String,
    /// How many channels.
    pub channels: usize,
    /// Unit and meaning, for people.
    pub meaning: String,
}

impl TensorSpec {
    fn new(name: &str, channels: usize, meaning: &str) -> Self {
        Self { name: name.to_owned(), channels, meaning: meaning.to_owned() }
    }
}

/// What a model takes and gives: the contract between training, the model file and the engine that runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSpec {
    /// Name and major version of the contract, for example `residual/1`.
    pub contract: String,
    /// The graph's inputs, in order.
    pub inputs: Vec<TensorSpec>,
    /// The graph's outputs, in order.
    pub outputs: Vec<TensorSpec>,
    /// Height and width must be multiples of this, px; the engine pads and crops.
    pub size_multiple: usize,
}

impl ModelSpec {
    /// The dense residual model: where does the real picture show what the predicted picture shows?
    ///
    /// Both pictures are given as paint, their local contrast (`vision::local_contrast`). A point at pixel `x` of the
    /// predicted picture is found at `x + flow(x)` in the real one. `flow` is the whole residual, with `start` (a dense
    /// classical estimate) already in it. `log_var` is the natural logarithm of the variance of each of flow's two
    /// components in px². `present` is the probability that the surface is there at all.
    #[must_use]
    pub fn residual() -> Self {
        Self {
            contract: "residual/2".to_owned(),
            inputs: vec![
                TensorSpec::new("predicted", 1, "predicted picture, its paint: local contrast around 0.5"),
                TensorSpec::new("real", 1, "real picture, its paint"),
                TensorSpec::new("visible", 1, "1 where the predicted picture shows a surface, else 0"),
                TensorSpec::new("start", 2, "dense flow to start from, px, x then y"),
                TensorSpec::new("doubt", 1, "by how much the start's way there and back misses, px, 0 to 16"),
            ],
            outputs: vec![
                TensorSpec::new("flow", 2, "residual flow from predicted to real, px, x then y"),
                TensorSpec::new("log_var", 1, "ln of the variance of each flow component, px2"),
                TensorSpec::new("present", 1, "probability that the surface is seen in the real picture"),
            ],
            size_multiple: 32,
        }
    }
}
