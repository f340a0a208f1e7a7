//! Why a report could not be made.

use std::path::PathBuf;

use super::input::SourceError;

/// Why a report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file system refused.
    #[error("cannot {action} {}: check that the disk has room and that the folder may be written", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A picture or positions could not be read again.
    #[error("cannot read {what} for the report")]
    Source {
        /// What was wanted.
        what: String,
        /// Why.
        source: SourceError,
    },
    /// A plot could not be drawn: a defect of the program, not of the input.
    #[error("cannot draw {what}")]
    Drawing {
        /// The plot, or the part of it.
        what: String,
        /// What the drawing library says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An array does not fit the mesh or the film.
    #[error("{what} has {found} entries, expected {expected}")]
    Length {
        /// The array.
        what: String,
        /// Entries found.
        found: usize,
        /// Entries needed.
        expected: usize,
    },
}

impl ReportError {
    /// Always false: the input was read and judged before a report is made, so what fails here is ours.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        false
    }
}
