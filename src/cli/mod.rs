//! The command line: words become a typed request, an answer becomes a table, an error an exit code.

mod arguments;
mod film;
mod live;
mod progress;
mod receipt;
mod remote;
mod replay;
mod request;
mod review;
mod serve;
mod suggest;
mod suggest_text;
mod summary;
mod table;
mod train;
mod watch;
mod watch_film;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

pub use arguments::Arguments;

use self::arguments::Command;
use self::request::UsageError;
use crate::config::serve::{LogFormat, ServeSettings, SettingError};
use crate::config::{self, ConfigError};
use crate::infer::InferError;
use crate::ingest::{IngestError, probe};
use crate::jobs::{EstimatorChoice, FilmError, ReceiptError, ReviewError, SuggestJobError};
use crate::telemetry::{self, TelemetryError};
use crate::train::{Reference, TrainError};
use crate::vision::ResidualEstimator;

/// What the program is made of; `compose` builds it.
#[derive(Clone, Copy)]
pub struct App {
    /// Makes what measures the residual.
    pub build_estimator: fn(&EstimatorChoice) -> Result<Box<dyn ResidualEstimator>, EstimatorError>,
    /// Holds an exported model file against what was trained.
    pub judge_export: fn(&Path, &[Reference]) -> Result<f32, EstimatorError>,
    /// Runs the service until a signal ends it.
    pub serve: fn(ServeSettings) -> anyhow::Result<()>,
}

/// What measures could not be made ready.
#[derive(Debug, thiserror::Error)]
pub enum EstimatorError {
    /// The ONNX Runtime library is not there.
    #[error("the residual model cannot be run")]
    Config {
        /// Where was looked.
        #[from]
        source: ConfigError,
    },
    /// The model cannot be loaded, or not where it was asked to run.
    #[error("the residual model cannot be run")]
    Infer {
        /// Why.
        #[from]
        source: InferError,
    },
}

impl EstimatorError {
    /// True when another model or provider would have worked.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        match self {
            Self::Config { source } => source.is_input_error(),
            Self::Infer { source } => source.is_input_error(),
        }
    }
}

/// Exit code when the program or the machine failed.
const OUR_FAULT: u8 = 1;
/// Exit code when an input was refused; clap uses the same for words that it does not understand.
const INPUT_REFUSED: u8 = 2;
/// Exit code after Ctrl-C: 128 and the number of SIGINT, as shells have it.
const STOPPED: u8 = 130;

/// Runs what the arguments ask for; tells errors on stderr.
#[must_use]
pub fn run(arguments: Arguments, app: &App) -> ExitCode {
    let outcome = match arguments.command {
        // The service has settings of its own for this.
        Command::Serve(words) => serve::run(words, app),
        command => send_lines_if_asked().and_then(|()| run_command(command, app)),
    };
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    let code = exit_code(&error);
    // Where stderr is closed there is nobody to tell; the exit code still does.
    let _ = io::stderr().write_all(told(&error, code).as_bytes());
    ExitCode::from(code)
}

/// Sends log lines to stderr where `CRUMPLE_LOG` says which: how a review comes to what it says.
fn send_lines_if_asked() -> anyhow::Result<()> {
    match config::log_filter() {
        Some(filter) => Ok(telemetry::send_lines(&filter, LogFormat::Text)?),
        None => Ok(()),
    }
}

fn run_command(command: Command, app: &App) -> anyhow::Result<()> {
    match command {
        Command::Review(words) => review::run(words, app),
        Command::Suggest(words) => suggest::run(&words),
        Command::Receipt(words) => receipt::run(&words),
        Command::Serve(words) => serve::run(words, app),
        Command::Replay(words) => replay::run(&words),
        Command::Watch(words) => watch::run(&words),
        Command::Train(words) => train::run(&words, app),
        Command::Film(words) => film::run(&words),
        Command::Probe { words } => probe(&words),
    }
}

/// The one place that turns an error into an exit code.
fn exit_code(error: &anyhow::Error) -> u8 {
    let stopped = [
        error.downcast_ref::<ReviewError>().map(ReviewError::is_cancelled),
        error.downcast_ref::<FilmError>().map(|e| matches!(e, FilmError::Cancelled)),
        error.downcast_ref::<SuggestJobError>().map(SuggestJobError::is_cancelled),
    ];
    if stopped.into_iter().flatten().any(|stopped| stopped) {
        return STOPPED;
    }
    if error.downcast_ref::<TrainError>().is_some_and(TrainError::is_stopped) {
        return STOPPED;
    }
    let input = [
        error.downcast_ref::<ReviewError>().map(ReviewError::is_input_error),
        error.downcast_ref::<SuggestJobError>().map(SuggestJobError::is_input_error),
        error.downcast_ref::<ReceiptError>().map(ReceiptError::is_input_error),
        error.downcast_ref::<IngestError>().map(IngestError::is_input_error),
        error.downcast_ref::<EstimatorError>().map(EstimatorError::is_input_error),
        error.downcast_ref::<TrainError>().map(TrainError::is_input_error),
        error.downcast_ref::<FilmError>().map(FilmError::is_input_error),
        error.downcast_ref::<UsageError>().map(|_| true),
        error.downcast_ref::<SettingError>().map(SettingError::is_input_error),
        error.downcast_ref::<TelemetryError>().map(TelemetryError::is_input_error),
    ];
    if input.into_iter().flatten().any(|at_fault| at_fault) { INPUT_REFUSED } else { OUR_FAULT }
}

/// The message with its causes; a cause whose words the line above already has is left out.
fn told(error: &anyhow::Error, code: u8) -> String {
    if code == STOPPED {
        return format!("crumple: {error}\n");
    }
    let mut text = format!("error: {error}\n");
    let mut above = error.to_string();
    for cause in error.chain().skip(1) {
        let words = cause.to_string();
        if !above.contains(words.trim()) {
            text.push_str(&format!("  because: {}\n", words.trim().replace('\n', "\n    ")));
        }
        above = words;
    }
    text
}

/// The hidden subcommand: tries one file under limits, for the process that started this one.
fn probe(words: &[OsString]) -> anyhow::Result<()> {
    let (path, kind) = probe::kind_from_arguments(words).context("`crumple probe` is for the program itself")?;
    // Ctrl-C reaches every process of the terminal. The parent stops the review; if this one died of it, the parent
    // would take the file for one that crashes the library.
    ctrlc::set_handler(|| {}).context("cannot ignore Ctrl-C")?;
    probe::run_probe(&path, &kind, probe::ProbeLimits::default(), &mut io::stdout())?;
    Ok(())
}

/// A flag that Ctrl-C sets.
fn stop_on_ctrl_c() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    ctrlc::set_handler(move || told.store(true, Ordering::SeqCst)).context("cannot listen for Ctrl-C")?;
    Ok(stop)
}
