//! Where candle computes: the processor, or with the feature `cuda` the first NVIDIA GPU where there is one.

use std::sync::OnceLock;

use candle_core::Device;

static DEVICE: OnceLock<Device> = OnceLock::new();

/// The one device of this program.
pub(super) fn device() -> &'static Device {
    DEVICE.get_or_init(|| {
        if !cfg!(feature = "cuda") {
            return Device::Cpu;
        }
        Device::cuda_if_available(0).unwrap_or_else(|error| {
            tracing::warn!(%error, "CUDA cannot be used, candle computes on the processor");
            Device::Cpu
        })
    })
}

/// What it is, for the report.
pub(super) fn device_name() -> &'static str {
    if device().is_cuda() { "cuda" } else { "cpu" }
}
