//! What the review leaves behind as files, except the report: `review.json`, `review.vtkhdf`, `flags.csv`.
//!
//! Everything is built in an [`OutputFolder`], so that a run that ends early leaves nothing half-written.
//! The formats are those of `formats.md`, section 4. Beside them, synthetic films: test records and their truth.

mod csv;
mod error;
mod folder;
mod json;
mod ledger;
mod suggestion;
mod test_record;
mod vtkhdf;
mod vtkhdf_file;

pub use csv::{flags_table_with_verdicts, write_flags_csv};
pub use error::ExportError;
pub use folder::{FolderKind, OWN_NAMES, OutputFolder};
pub use json::{review_json_with_verdicts, write_review_json};
pub use ledger::{Ledger, ReceiptEvent, ReceiptLine};
pub use suggestion::{SUGGESTION, read_suggestion_json, write_next_runs, write_suggestion_json};
pub use test_record::{FrameFormat, TestRecordWriter, TruthWriter};
pub use vtkhdf::{ExtraArray, ExtraRows, PositionError, Rows, write_review_vtkhdf};

/// File name of the review's answer.
pub const REVIEW_JSON: &str = "review.json";
/// File name of the measured field.
pub const REVIEW_VTKHDF: &str = "review.vtkhdf";
/// File name of the table of flags.
pub const FLAGS_CSV: &str = "flags.csv";
/// File name of the suggestion.
pub const SUGGESTION_JSON: &str = "suggestion.json";
/// File name of the suggestion's page.
pub const SUGGESTION_HTML: &str = "suggestion.html";
/// File name of the table of runs worth computing, for spreadsheets.
pub const NEXT_RUNS_CSV: &str = "next_runs.csv";
/// The same for deck generators.
pub const NEXT_RUNS_JSON: &str = "next_runs.json";
/// File name of the report.
pub const REPORT_HTML: &str = "report.html";
/// Folder of the report's plots.
pub const PLOTS_FOLDER: &str = "plots";
