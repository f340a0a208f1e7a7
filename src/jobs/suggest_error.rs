//! Why no change was suggested, and who is to blame.

use std::path::PathBuf;

use crate::export::ExportError;
use crate::ingest::IngestError;
use crate::report::ReportError;
use crate::suggest::SuggestError;

/// A suggestion that could not be made; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum SuggestJobError {
    /// An input cannot be read.
    #[error("an input is refused")]
    Ingest {
        /// Which, where and why.
        #[from]
        source: IngestError,
    },
    /// The review is of another structure.
    #[error(
        "the review {} is of {} nodes and {} elements, the study {} of {} and {}, or they are connected otherwise: \
         give the study of the design that was reviewed",
        review.display(), found[0], found[1], study.display(), expected[0], expected[1]
    )]
    OtherMesh {
        /// The review.
        review: PathBuf,
        /// The study.
        study: PathBuf,
        /// Nodes and elements of the review.
        found: [usize; 2],
        /// Nodes and elements of the study.
        expected: [usize; 2],
    },
    /// The review has one moment or none.
    #[error("the review {} has fewer than two film times: nothing moves in it", review.display())]
    NoFilm {
        /// The review.
        review: PathBuf,
    },
    /// Neither the review nor its film tells the lenses.
    #[error("the review was written by an earlier version and its film is gone: review the test again")]
    NoLens,
    /// The reviewed simulation does not tell its parameters.
    #[error(
        "the reviewed simulation {} is no run of the study, and its parameters cannot be read ({reason}): put its side-car \
         beside it, or review against a run of the study",
        simulation.display()
    )]
    UnknownSimulation {
        /// The simulation.
        simulation: PathBuf,
        /// Why.
        reason: String,
    },
    /// No answer can be computed.
    #[error("no suggestion can be made")]
    Suggest {
        /// Why.
        #[from]
        source: SuggestError,
    },
    /// The answer cannot be written.
    #[error("the suggestion cannot be written")]
    Export {
        /// Why.
        #[from]
        source: ExportError,
    },
    /// The report cannot be drawn.
    #[error("the report cannot be made")]
    Report {
        /// Why.
        #[from]
        source: ReportError,
    },
    /// The caller said stop.
    #[error("stopped; nothing was written")]
    Cancelled,
}

impl SuggestJobError {
    /// True when the caller's files or folder are at fault.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        match self {
            Self::Ingest { source } => source.is_input_error(),
            Self::Suggest { source } => source.is_input_error(),
            Self::Export { source } => source.is_input_error(),
            Self::Report { source } => source.is_input_error(),
            Self::OtherMesh { .. } | Self::NoFilm { .. } | Self::NoLens | Self::UnknownSimulation { .. } => true,
            Self::Cancelled => false,
        }
    }

    /// True when the caller said stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match self {
            Self::Cancelled => true,
            Self::Ingest { source: IngestError::File { source, .. } } => {
                source.kind() == std::io::ErrorKind::Interrupted
            }
            _ => false,
        }
    }
}
