//! The words of the command line as clap reads them; [`request`](super::request) gives them their meaning.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Exit codes, for the help text.
const AFTER_HELP: &str = "Exit codes: 0 done (with or without findings), 1 the program or the machine failed, 2 an input \
                          was refused (nothing is written), 130 stopped by Ctrl-C (nothing is written).";

/// Says where, when and by how many mm a filmed crash test deformed differently from its simulation.
#[derive(Debug, Parser)]
#[command(name = "crumple", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Review one filmed test against one simulation
    #[command(after_help = AFTER_HELP)]
    Review(ReviewArguments),
    /// Train a residual model from its recipe and write it as one ONNX file
    #[command(after_help = AFTER_HELP)]
    Train(TrainArguments),
    /// Try one file and print a verdict; `review` starts this in a process of its own.
    #[command(hide = true)]
    Probe {
        /// As `ingest::probe::arguments` makes them.
        #[arg(num_args = 0.., trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<OsString>,
    },
}

#[derive(Debug, Args)]
pub(super) struct ReviewArguments {
    /// The solver's result: VTKHDF, with <NAME>.json beside it for units and part names
    pub(super) simulation: PathBuf,
    /// The film: a test record (.h5), NeXus, a folder of pictures or a video with its camera.toml
    pub(super) test: PathBuf,
    /// Folder of the findings: new, empty, or an earlier review (which is replaced)
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// How far the test may be off before it is flagged, mm
    #[arg(long, value_name = "MM", default_value_t = 5.0, value_parser = length_mm)]
    pub(super) tolerance_mm: f64,
    /// Tolerances part by part: TOML with `default = MM` and a table [parts] of NAME = MM or "NUMBER" = MM
    #[arg(long, value_name = "FILE")]
    pub(super) tolerances: Option<PathBuf>,
    /// Point array that is added to points that do not move [default: Displacement, where it is there]
    #[arg(long, value_name = "NAME")]
    pub(super) displacement: Option<String>,
    /// The mesh is only a part of what was filmed: do not look for its outline in frame 0
    #[arg(long)]
    pub(super) partial_mesh: bool,
    /// What measures the difference between the predicted and the real picture
    #[arg(long, value_enum, default_value_t = Residual::Dis)]
    pub(super) residual: Residual,
    /// Residual model, for --residual onnx [default: models/residual-small.onnx]
    #[arg(long, value_name = "FILE")]
    pub(super) model: Option<PathBuf>,
    /// Where the model must run, for --residual onnx; `auto` falls back to the processor and says so [default: auto]
    #[arg(long, value_enum)]
    pub(super) provider: Option<Provider>,
    /// Threads of the rasteriser and the matching, OpenCV's among them [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,
    /// Write the numbers only: no report.html, no plots
    #[arg(long)]
    pub(super) no_report: bool,
    /// No progress; the findings are still printed
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct TrainArguments {
    /// The recipe (TOML): network, synthetic pairs, training; see models/residual-small.toml
    pub(super) recipe: PathBuf,
    /// The model file to write; as it was when the training fails
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// No progress; the figures are still printed
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Residual {
    /// OpenCV's dense inverse search: no model, any processor
    Dis,
    /// A network run by ONNX Runtime
    Onnx,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Provider {
    /// CUDA where this machine has it, else the processor
    Auto,
    /// The processor
    Cpu,
    /// An NVIDIA GPU, or an error
    Cuda,
    /// TensorRT on an NVIDIA GPU, or an error
    Tensorrt,
}

fn length_mm(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(mm) if mm.is_finite() && mm > 0.0 => Ok(mm),
        _ => Err("expected a length above 0 in mm, for example 5".to_owned()),
    }
}
