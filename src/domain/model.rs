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
