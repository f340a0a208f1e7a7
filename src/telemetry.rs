//! Log lines and metrics: set up once, used everywhere through `tracing` and `metrics`.

use std::io::IsTerminal as _;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::serve::LogFormat;

/// Names of the metrics, so that one spelling serves all.
pub mod names {
    /// Answers by method, path pattern and status.
    pub const REQUESTS: &str = "crumple_http_requests_total";
    /// Time to the answer's head, s.
    pub const REQUEST_SECONDS: &str = "crumple_http_request_seconds";
    /// Jobs by state.
    pub const JOBS: &str = "crumple_jobs";
    /// Time of a job, s, by kind and outcome.
    pub const JOB_SECONDS: &str = "crumple_job_seconds";
    /// Pictures measured.
    pub const PICTURES: &str = "crumple_pictures_total";
    /// Pictures a second of the newest review.
    pub const PICTURES_PER_S: &str = "crumple_pictures_per_second";
    /// Bytes that uploads brought.
    pub const UPLOAD_BYTES: &str = "crumple_upload_bytes_total";
    /// Resident memory, bytes.
    pub const MEMORY: &str = "crumple_resident_memory_bytes";
    /// Readers of the event stream.
    pub const READERS: &str = "crumple_event_readers";
    /// From a live frame's arrival to its flags in the store, s.
    pub const LIVE_SECONDS: &str = "crumple_live_flag_seconds";
    /// Live frames by what became of them: `reviewed` or `behind`.
    pub const LIVE_FRAMES: &str = "crumple_live_frames_total";
    /// From asking the model to its answer, waiting included, s.
    pub const MODEL_SECONDS: &str = "crumple_model_seconds";
    /// One run of the model, of however many pairs, s.
    pub const MODEL_RUN_SECONDS: &str = "crumple_model_run_seconds";
    /// Pairs that the model answered.
    pub const MODEL_PAIRS: &str = "crumple_model_pairs_total";
    /// Runs of the model: with the pairs, how large the batches are.
    pub const MODEL_RUNS: &str = "crumple_model_runs_total";
    /// Requests that found the model's queue full.
    pub const MODEL_BUSY: &str = "crumple_model_busy_total";
    /// Loading the model and warming it up, s.
    pub const MODEL_START_SECONDS: &str = "crumple_model_cold_start";
    /// 1 for the execution provider in use.
    pub const PROVIDER: &str = "crumple_provider";
}

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// A filter without meaning.
    #[error("setting log is {filter:?}, expected a filter such as info or crumple=debug,info")]
    Filter {
        /// What it is.
        filter: String,
        /// Why not.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The metrics cannot be kept.
    #[error("cannot set up the metrics")]
    Metrics {
        /// Why.
        source: metrics_exporter_prometheus::BuildError,
    },
}

impl TelemetryError {
    /// True when another setting would have worked.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        matches!(self, Self::Filter { .. })
    }
}

/// Sends log lines to stderr.
///
/// # Errors
/// For a filter without meaning.
pub fn send_lines(filter: &str, format: LogFormat) -> Result<(), TelemetryError> {
    let parsed =
        EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })?;
    let colours = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(parsed).with_ansi(colours).with_writer(std::io::stderr);
    // A second service in one program (in tests) shares the first one's lines.
    let _ = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    Ok(())
}

/// Sends log lines to stderr and keeps the metrics; the handle writes them out. Asked for once a program.
///
/// # Errors
/// For a filter without meaning.
pub fn begin(filter: &str, format: LogFormat) -> Result<PrometheusHandle, TelemetryError> {
    send_lines(filter, format)?;
    let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0];
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)
        .map_err(|source| TelemetryError::Metrics { source })?;
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    let _ = metrics::set_global_recorder(recorder);
    Ok(handle)
}

/// Resident memory of this program, bytes; `None` where the system does not tell.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kb| kb * 1024)
}
