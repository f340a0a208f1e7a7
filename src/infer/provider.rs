//! Which hardware is asked for, and what this machine really has.

use std::path::Path;
use std::str::FromStr;

use ort::ep::cuda::{CUDA_DYLIBS, CUDNN_DYLIBS, ConvAlgorithmSearch, preload_dylibs};
use ort::ep::{CPU, CUDA, ExecutionProvider as _, ExecutionProviderDispatch, TensorRT};

/// What the caller asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ProviderRequest {
    /// CUDA when this machine has it, else the processor; the answer says which.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// An NVIDIA GPU; an error where there is none.
    Cuda,
    /// TensorRT on an NVIDIA GPU; an error where it is missing.
    Tensorrt,
}

impl ProviderRequest {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Cpu, Self::Cuda, Self::Tensorrt];
}

impl std::fmt::Display for ProviderRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Tensorrt => "tensorrt",
        })
    }
}

/// A word that names no execution provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown execution provider {found:?}, expected auto, cpu, cuda or tensorrt")]
pub struct ParseProviderError {
    /// The word.
    pub found: String,
}

impl FromStr for ProviderRequest {
    type Err = ParseProviderError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|p| p.to_string() == text.to_ascii_lowercase())
            .ok_or_else(|| ParseProviderError { found: text.to_owned() })
    }
}

/// The provider registrations for a session that must run on `provider`; each fails loudly.
///
/// TensorRT takes CUDA along for the nodes that it does not know. The processor is named, too, so that ONNX Runtime's
/// own choice of a device never applies. With `graphs`, CUDA records runs that ask for it.
pub(super) fn registrations(
    provider: crate::domain::ExecutionProvider,
    graphs: bool,
) -> Vec<ExecutionProviderDispatch> {
    use crate::domain::ExecutionProvider as Used;
    // Residuals are sub-pixel: 32 bits stay 32 bits (the 16-bit file is there for speed). Windows of a review have many
    // sizes, for each of which an exhaustive search for the best convolution would take longer than the run.
    let cuda = || {
        let search = ConvAlgorithmSearch::Heuristic;
        let cuda = CUDA::default().with_tf32(false).with_conv_algorithm_search(search).with_cuda_graph(graphs);
        cuda.build().error_on_failure()
    };
    match provider {
        Used::Cuda => vec![cuda()],
        Used::Tensorrt => vec![TensorRT::default().build().error_on_failure(), cuda()],
        Used::Cpu | Used::OpencvDis => vec![CPU::default().build().error_on_failure()],
    }
}

/// Why `wanted` cannot run here, found before ONNX Runtime is asked; `None` when nothing speaks against it.
///
/// Must be called with the library loaded.
pub(super) fn missing_for(wanted: ProviderRequest, library: &Path) -> Option<String> {
    let (compiled_in, module) = match wanted {
        ProviderRequest::Auto | ProviderRequest::Cpu => return None,
        ProviderRequest::Cuda => (CUDA::is_available(), "libonnxruntime_providers_cuda.so"),
        ProviderRequest::Tensorrt => (TensorRT::is_available(), "libonnxruntime_providers_tensorrt.so"),
    };
    let mut missing = Vec::new();
    if !nvidia_driver_is_present() {
        missing.push(
            "this machine has no NVIDIA driver (no /proc/driver/nvidia, no /dev/nvidiactl, no /dev/dxg)".to_owned(),
        );
    }
    match compiled_in {
        Ok(true) => {}
        Ok(false) => {
            missing.push(format!("{} is a build without {wanted} (it has: {})", library.display(), built_in()));
        }
        Err(error) => missing.push(format!("{} does not tell its providers ({error})", library.display())),
    }
    if let Some(folder) = library.parent()
        && !folder.join(module).is_file()
    {
        missing.push(format!("{module} is not in {}", folder.display()));
    }
    if missing.is_empty() { None } else { Some(missing.join("; ")) }
}

/// Loads the CUDA libraries that lie beside `library`, where `make setup` puts them: the provider itself would look for
/// them in the system's folders alone. Where one is missing it still may find that one there, or says what it lacks.
pub(super) fn load_companions(library: &Path) {
    let Some(folder) = library.parent() else { return };
    let there = |file: &str| folder.join(file).is_file().then_some(folder);
    if let Err(error) = preload_dylibs(there(CUDA_DYLIBS[0]), there(CUDNN_DYLIBS[0])) {
        tracing::warn!(%error, folder = %folder.display(), "CUDA's libraries beside ONNX Runtime are not complete");
    }
}

/// The providers that the loaded library was built with, among those that the product knows.
fn built_in() -> String {
    let known = [("cpu", CPU::is_available()), ("cuda", CUDA::is_available()), ("tensorrt", TensorRT::is_available())];
    let names: Vec<&str> = known.into_iter().filter_map(|(n, there)| there.unwrap_or(false).then_some(n)).collect();
    names.join(", ")
}

fn nvidia_driver_is_present() -> bool {
    ["/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"].iter().any(|p| Path::new(p).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_providers_go_both_ways() {
        for provider in ProviderRequest::ALL {
            assert_eq!(provider.to_string().parse(), Ok(provider));
        }
        assert_eq!("CUDA".parse(), Ok(ProviderRequest::Cuda));
    }

    #[test]
    fn an_unknown_word_is_told_what_is_known() {
        let error = ProviderRequest::from_str("gpu").expect_err("gpu is no provider").to_string();
        assert!(error.contains("\"gpu\"") && error.contains("auto, cpu, cuda or tensorrt"), "{error}");
    }
}
