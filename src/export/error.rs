//! Why an answer could not be written.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::vtkhdf::PositionError;

/// Why an answer could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder holds something that is not an earlier review.
    #[error(
        "the output folder {} is not empty and holds no earlier answer (found {found}, expected {expected}): \
         name another folder with --out, or empty this one",
        path.display()
    )]
    FolderInUse {
        /// The folder.
        path: PathBuf,
        /// An entry that is there.
        found: String,
        /// The file that would make it an earlier review.
        expected: &'static str,
    },
    /// The name cannot be that of a folder.
    #[error("the output {} {problem}: name a folder that is new, empty or an earlier answer with --out", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The file system refused.
    #[error("cannot {action} {}: check that the name can be that of a folder, that it may be written, and that the disk has room", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The review could not be put into JSON.
    #[error("cannot write the review as JSON to {}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What serde says.
        source: serde_json::Error,
    },
    /// The HDF5 library refused.
    #[error("cannot write dataset {dataset} of {}", path.display())]
    Hdf5 {
        /// The file.
        path: PathBuf,
        /// The dataset, group or attribute.
        dataset: String,
        /// What HDF5 says.
        source: hdf5::Error,
    },
    /// A ledger whose chain does not hold, or a line that is none.
    #[error(
        "{}, line {line}: found {found}, expected {expected}; the ledger was changed after it was written: keep it as \
         evidence, and name another file with --ledger",
        path.display()
    )]
    Ledger {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is there.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// An array has not one entry for each node, element or film time.
    #[error("{what} of film time {frame} has {found} entries, the mesh has {expected}")]
    Length {
        /// The array.
        what: String,
        /// Index of the film time.
        frame: usize,
        /// Entries found.
        found: usize,
        /// Entries needed.
        expected: usize,
    },
    /// The positions at a film time could not be had.
    #[error("cannot read the simulation's positions at film time {frame}")]
    Positions {
        /// Index of the film time.
        frame: usize,
        /// Why.
        source: PositionError,
    },
}

impl ExportError {
    /// True when the caller's choice of folder is at fault, not the machine or the program.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        match self {
            Self::FolderInUse { .. } | Self::NotAFolder { .. } | Self::Ledger { .. } => true,
            // A folder of this name cannot be: one of its parents is a file, or it is too long.
            Self::File { source, .. } => {
                matches!(
                    source.kind(),
                    ErrorKind::AlreadyExists | ErrorKind::NotADirectory | ErrorKind::InvalidFilename
                )
            }
            _ => false,
        }
    }
}
