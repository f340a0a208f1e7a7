//! Words of `crumple suggest` and `crumple receipt`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct SuggestArguments {
    /// Folder that `crumple review` wrote
    pub(in crate::cli) review: PathBuf,
    /// The study: a folder of simulations (*.vtkhdf) of the reviewed design, or a TOML or JSON list of them
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) study: PathBuf,
    /// Parameters of the runs: CSV with a column `run` and one column a parameter [default: each run's own record]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) parameters: Option<PathBuf>,
    /// Folder of the suggestion [default: `suggestion` in the review's folder]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// How many simulations worth computing to propose
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub(in crate::cli) next: u16,
    /// Runs that are being computed or have failed: CSV like next_runs.csv, with a column `state` (pending, failed)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) planned: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = SuggestFormat::Table)]
    pub(in crate::cli) format: SuggestFormat,
    /// Let each run play the test, seen as this film was: how far suggestions from this study can be trusted
    #[arg(long)]
    pub(in crate::cli) leave_one_out: bool,
    /// Point array that is added to points that do not move [default: Displacement, where it is there]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) displacement: Option<String>,
    /// What was read of the study, kept for the next time [default: in the user's cache folder]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) cache: Option<PathBuf>,
    /// Ledger that notes the suggestion [default: receipts.jsonl in the suggestion's folder]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ledger: Option<PathBuf>,
    /// Write the numbers only: no suggestion.html, no plots
    #[arg(long)]
    pub(in crate::cli) no_report: bool,
    /// No progress; the findings are still printed
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SuggestFormat {
    /// Tables for people
    Table,
    /// suggestion.json
    Json,
    /// next_runs.csv
    Csv,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReceiptArguments {
    /// Folder that `crumple suggest` wrote
    pub(in crate::cli) suggestion: PathBuf,
    /// The ledger [default: receipts.jsonl in the suggestion's folder]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ledger: Option<PathBuf>,
    #[command(subcommand)]
    pub(in crate::cli) verb: ReceiptVerb,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ReceiptVerb {
    /// Print the ledger, after checking its chain of digests
    List,
    /// Note that a change will be made
    Accept {
        /// Rank of the change
        #[arg(long, value_name = "RANK", default_value_t = 1)]
        change: usize,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        author: String,
        /// Anything to add
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// Note that a change will not be made, and why
    Reject {
        /// Rank of the change; 0 is all of them
        #[arg(long, value_name = "RANK", default_value_t = 0)]
        change: usize,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        author: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Note that a change was made and computed
    Tried {
        /// Rank of the change
        #[arg(long, value_name = "RANK", default_value_t = 1)]
        change: usize,
        /// Who says so
        #[arg(long, value_name = "NAME")]
        author: String,
        /// Anything to add
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
    },
    /// Set the re-run's review beside the prediction
    Obtained {
        /// Rank of the change
        #[arg(long, value_name = "RANK", default_value_t = 1)]
        change: usize,
        /// Folder that `crumple review` wrote for the re-run and the same test
        #[arg(long, value_name = "DIR")]
        review: PathBuf,
    },
}
