//! The words of the command line as clap reads them; [`request`](super::request) gives them their meaning.

mod suggest;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use self::suggest::{ReceiptArguments, ReceiptVerb, SuggestArguments, SuggestFormat};
use crate::config::serve::ServeWords;

macro_rules! exit_codes {
    () => {
        "Exit codes: 0 done (with or without findings), 1 the program or the machine failed, 2 an input was refused \
         (nothing is written), 130 stopped by Ctrl-C (nothing is written)."
    };
}

/// Exit codes, for the help text.
const AFTER_HELP: &str = exit_codes!();
/// The same, and where to see how it works, for the program's help text.
const PROGRAM_AFTER_HELP: &str = concat!(
    exit_codes!(),
    " CRUMPLE_LOG=crumple=debug in the environment tells on stderr how a command comes to what it says."
);

/// Where settings come from, for the help text.
const SERVE_AFTER_HELP: &str = "Each setting may also stand in the settings file (--config) as NAME = VALUE, or in the \
                                environment as CRUMPLE_NAME: --lease-s is lease_s there and CRUMPLE_LEASE_S here. A flag \
                                wins over the environment, and that over the file. Ctrl-C or SIGTERM ends the service; \
                                running reviews go back into the queue.";

/// Says where, when and by how many mm a filmed crash test deformed differently from its simulation.
#[derive(Debug, Parser)]
#[command(name = "crumple", version, after_help = PROGRAM_AFTER_HELP, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Review one filmed test against one simulation
    #[command(after_help = AFTER_HELP)]
    Review(ReviewArguments),
    /// Suggest which parameter to change, from a review and a study of simulations
    #[command(after_help = AFTER_HELP)]
    Suggest(SuggestArguments),
    /// Keep account of a suggestion: accepted, rejected, tried, and what the re-run gained
    #[command(after_help = AFTER_HELP)]
    Receipt(ReceiptArguments),
    /// Train a residual model from its recipe, or measure one
    Train(TrainArguments),
    /// Film a simulation run as if it were a test, with known truth
    #[command(after_help = AFTER_HELP)]
    Film(FilmArguments),
    /// Run the service: API, page, uploads, reviews in a queue
    #[command(after_help = SERVE_AFTER_HELP)]
    Serve(ServeArguments),
    /// Play a stored film into a running service, frame by frame, and measure how soon its flags come
    Replay(ReplayArguments),
    /// Send what is dropped into a folder to a running service: files when they are whole, films of pictures live
    Watch(WatchArguments),
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
    /// Simulations of the same design with other parameters, which tell how the structure deviates where the film does
    /// not show it: a folder of them, or a TOML or JSON list [default: the simulation's own folder, where its index.csv
    /// names it]
    #[arg(long, value_name = "DIR")]
    pub(super) study: Option<PathBuf>,
    /// Hear no study
    #[arg(long, conflicts_with = "study")]
    pub(super) no_study: bool,
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
    /// Residual model, for --residual onnx [default: models/residual.onnx]
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
    #[command(subcommand)]
    pub(super) what: TrainCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum TrainCommand {
    /// Train the dense residual model from simulations and write it as ONNX files
    #[command(after_help = AFTER_HELP)]
    Residual(TrainResidualArguments),
    /// Measure zero flow, OpenCV DIS and a model on pairs that no training step has seen
    #[command(after_help = AFTER_HELP)]
    Evaluate(EvaluateArguments),
}

#[derive(Debug, Args)]
pub(super) struct TrainResidualArguments {
    /// Folders of simulations, one a family; the recipe says which are learnt from and which are reported on
    #[arg(long, value_name = "STUDY", num_args = 1..)]
    pub(super) data: Vec<PathBuf>,
    /// The recipe (TOML): network, data, training; see models/residual.toml
    #[arg(long, value_name = "FILE")]
    pub(super) recipe: PathBuf,
    /// The model file to write, as it was when the training fails; FILE-fp16.onnx, curves, report and checkpoint come
    /// beside it
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// Begin anew where a checkpoint lies beside the model file, instead of going on from it
    #[arg(long)]
    pub(super) restart: bool,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,
    /// No progress; the figures are still printed
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct EvaluateArguments {
    /// Folders of simulations, as for `train residual`
    #[arg(long, value_name = "STUDY", num_args = 1..)]
    pub(super) data: Vec<PathBuf>,
    /// The recipe whose report pairs are measured
    #[arg(long, value_name = "FILE")]
    pub(super) recipe: PathBuf,
    /// Model files to put beside DIS and zero flow
    #[arg(long, value_name = "FILE", num_args = 0..)]
    pub(super) model: Vec<PathBuf>,
    /// Pairs
    #[arg(long, value_name = "N", default_value_t = 48)]
    pub(super) pairs: usize,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(super) threads: Option<u16>,
    /// No progress
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct FilmArguments {
    /// The run that plays the test: VTKHDF, with <NAME>.json beside it for part names and impactor
    pub(super) simulation: PathBuf,
    /// The test record to write; as it was when the filming fails
    #[arg(long, value_name = "FILE")]
    pub(super) out: PathBuf,
    /// Write what was really filmed, too: positions, poses, trigger (HDF5)
    #[arg(long, value_name = "FILE")]
    pub(super) truth: Option<PathBuf>,
    /// Seed of everything random: the same seed gives the same film
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    /// Surface of the structure
    #[arg(long, value_enum, default_value_t = LookName::Random)]
    pub(super) look: LookName,
    /// How many cameras
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=12))]
    pub(super) cameras: u8,
    /// How many frames a camera takes; the first two show the structure at rest
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(4..=10_000))]
    pub(super) frames: u16,
    /// Width of a picture, px
    #[arg(long, value_name = "PX", default_value_t = 640, value_parser = clap::value_parser!(u16).range(160..=8192))]
    pub(super) width: u16,
    /// Height of a picture, px
    #[arg(long, value_name = "PX", default_value_t = 480, value_parser = clap::value_parser!(u16).range(120..=8192))]
    pub(super) height: u16,
    /// 16 bits a pixel instead of 8
    #[arg(long)]
    pub(super) sixteen_bit: bool,
    /// Red, green and blue instead of grey
    #[arg(long)]
    pub(super) colour: bool,
    /// Point array that is added to points that do not move [default: Displacement, where it is there]
    #[arg(long, value_name = "NAME")]
    pub(super) displacement: Option<String>,
    /// No progress; what was filmed is still printed
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// The film: whatever `review` takes for a test
    pub(super) test: PathBuf,
    /// The service
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(super) url: String,
    /// What to compare with: id or name of a simulation that the service has [default: that
    /// with which a test of the same name was reviewed last, else the only one]
    #[arg(long, value_name = "ID")]
    pub(super) simulation: Option<String>,
    /// Campaign of the test; made where it is missing
    #[arg(long, value_name = "NAME", default_value = "Live")]
    pub(super) campaign: String,
    /// Name of the test [default: the film's]
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Seconds of film in a second: 1 is as it was filmed, 0.001 makes a millisecond last a second
    #[arg(long, value_name = "N", default_value_t = 0.001, value_parser = above_zero)]
    pub(super) speed: f64,
    /// So many cameras: fewer than the film has, or more, which are copies of them [default: those of the film]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) cameras: Option<u8>,
    /// How far the test may be off before it is flagged, mm
    #[arg(long, value_name = "MM", default_value_t = 5.0, value_parser = length_mm)]
    pub(super) tolerance_mm: f64,
    /// How long to wait for the last flags before the live test is ended, s
    #[arg(long, value_name = "S", default_value_t = 60.0, value_parser = above_zero)]
    pub(super) patience_s: f64,
}

#[derive(Debug, Args)]
pub(super) struct WatchArguments {
    /// The folder: simulations (.vtkhdf, .json), tests (.h5), and a folder with a camera.toml for each film that a
    /// camera still writes picture by picture
    pub(super) folder: PathBuf,
    /// The service
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub(super) url: String,
    /// Campaign of the tests; made where it is missing
    #[arg(long, value_name = "NAME", default_value = "Watched")]
    pub(super) campaign: String,
    /// Id of the simulation to compare with [default: the last one that was dropped]
    #[arg(long, value_name = "ID")]
    pub(super) simulation: Option<String>,
    /// How far a test may be off before it is flagged, mm
    #[arg(long, value_name = "MM", default_value_t = 5.0, value_parser = length_mm)]
    pub(super) tolerance_mm: f64,
    /// A file that was not written to for so long is taken, s
    #[arg(long, value_name = "S", default_value_t = 2.0, value_parser = above_zero)]
    pub(super) still_s: f64,
    /// A film of pictures that got no picture for so long has ended, s
    #[arg(long, value_name = "S", default_value_t = 10.0, value_parser = above_zero)]
    pub(super) film_still_s: f64,
    /// Take what is there and end
    #[arg(long)]
    pub(super) once: bool,
}

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// Settings file (TOML) [default: what CRUMPLE_CONFIG names]
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Address and port to listen at; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Further names by which the service may be addressed, as nginx passes them on (a,b; * for any); its addresses and
    /// localhost always may [default: none]
    #[arg(long, value_name = "NAMES")]
    allowed_hosts: Option<String>,
    /// Folder of the database and of all files; one service at a time may use it [default: crumple-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Reviews at a time; each one uses all cores [default: 1]
    #[arg(long, value_name = "N")]
    workers: Option<u64>,
    /// How long a job is held by a worker that no longer answers, s, and up to two seconds more [default: 30]
    #[arg(long, value_name = "S")]
    lease_s: Option<f64>,
    /// Largest file that is taken, GB [default: 64]
    #[arg(long, value_name = "GB")]
    max_upload_gb: Option<f64>,
    /// How long an upload that was cut off waits for its next part, days [default: 7]
    #[arg(long, value_name = "DAYS")]
    keep_uploads_days: Option<f64>,
    /// How long one file may be tried in its own process, s [default: 60]
    #[arg(long, value_name = "S")]
    read_limit_s: Option<f64>,
    /// What measures: dis or onnx [default: dis]
    #[arg(long, value_name = "NAME")]
    residual: Option<String>,
    /// Residual model, for onnx [default: models/residual.onnx]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Where the model must run: auto, cpu, cuda or tensorrt [default: auto]
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Live tests at a time; further ones are answered "busy" [default: 4]
    #[arg(long, value_name = "N")]
    max_live: Option<u64>,
    /// Changes that a reader of the event stream may have missed and still gets [default: 200000]
    #[arg(long, value_name = "N")]
    keep_events: Option<u64>,
    /// How long running answers and jobs may take when the service ends, s [default: 10]
    #[arg(long, value_name = "S")]
    stop_s: Option<f64>,
    /// Which log lines go to stderr: error, warn, info, debug, or by module (crumple::jobs=debug,info) [default: info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How they look: text or json [default: text]
    #[arg(long, value_name = "NAME")]
    log_format: Option<String>,
    /// Make a demo campaign from simulation.vtkhdf, simulation.json and test.h5 of this folder, once
    #[arg(long, value_name = "DIR")]
    demo: Option<PathBuf>,
}

impl ServeArguments {
    /// The flags as one source of settings.
    pub(super) fn into_words(self) -> ServeWords {
        ServeWords {
            listen: self.listen,
            allowed_hosts: self.allowed_hosts,
            data: self.data,
            workers: self.workers,
            lease_s: self.lease_s,
            max_upload_gb: self.max_upload_gb,
            keep_uploads_days: self.keep_uploads_days,
            read_limit_s: self.read_limit_s,
            residual: self.residual,
            model: self.model,
            provider: self.provider,
            max_live: self.max_live,
            keep_events: self.keep_events,
            stop_s: self.stop_s,
            log: self.log,
            log_format: self.log_format,
            demo: self.demo,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Residual {
    /// OpenCV's dense inverse search: no model, any processor
    Dis,
    /// A network run by ONNX Runtime
    Onnx,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LookName {
    /// Any of the others, by the seed
    Random,
    /// Sprayed dots
    Speckle,
    /// An even coat
    Plain,
    /// An uneven, dirty coat
    Dirty,
    /// Two coats a part
    TwoTone,
    /// A coat with quadrant stickers
    Stickers,
    /// A printed grid
    Grid,
    /// Bare metal with highlights
    Metal,
    /// A coat with strips of tape
    Tape,
    /// Another look a part
    Mixed,
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

fn above_zero(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() && n > 0.0 => Ok(n),
        _ => Err("expected a number above 0".to_owned()),
    }
}
