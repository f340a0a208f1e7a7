//! What can go wrong between a file and the domain, and who is to blame.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

/// Why a file could not be read. The text says what was found, what was expected, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The operating system did not give the file.
    #[error("{}: cannot {doing}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The HDF5 library refused the file.
    #[error(
        "{}, {place}: the HDF5 library cannot {doing}: {source}; the file is damaged or was cut off, copy it again \
         or write it anew",
        file.display()
    )]
    Hdf5 {
        /// The file.
        file: PathBuf,
        /// Object inside the file.
        place: String,
        /// What was tried.
        doing: &'static str,
        /// The library's words.
        source: hdf5::Error,
    },
    /// The content is not what the contract says.
    #[error("{}, {place}: found {found}, expected {expected}; {advice}", file.display())]
    Refused {
        /// The file.
        file: PathBuf,
        /// Object inside the file: dataset, attribute, key, frame, node.
        place: String,
        /// What is there.
        found: String,
        /// What should be there.
        expected: String,
        /// What to do about it.
        advice: String,
    },
    /// A picture could not be decoded.
    #[error("{}: cannot decode the picture: {source}; expected a whole PNG, JPEG or TIFF file, save it anew", file.display())]
    Picture {
        /// The file.
        file: PathBuf,
        /// The decoder's words.
        source: image::ImageError,
    },
    /// A video could not be opened or decoded.
    #[error("{}: cannot {doing}: {source}; convert the video to image files", file.display())]
    Video {
        /// The file.
        file: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// OpenCV's words.
        source: opencv::Error,
    },
    /// The separate process that tried the file first did not survive it.
    #[error("{}: the HDF5 library {how} on this file, so it is refused; the file is damaged, write it anew", file.display())]
    Crashed {
        /// The file.
        file: PathBuf,
        /// `crashed (signal 11)`, `took longer than 60 s`, …
        how: String,
    },
    /// The separate process tried the file and refused it; the text is the one it printed.
    #[error("{message}")]
    ProbeRefused {
        /// The child's complete error text.
        message: String,
        /// Whether the child blamed the file.
        input: bool,
    },
    /// The separate process could not be started or understood.
    #[error("cannot examine {} in a process of its own: {doing}: {source}", file.display())]
    Probe {
        /// The file.
        file: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl IngestError {
    /// True when the input is at fault (exit code 2), false when the machine or the program is.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        match self {
            Self::File { source, .. } => {
                let is_loop = source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
                let is_named = matches!(
                    source.kind(),
                    io::ErrorKind::NotFound
                        | io::ErrorKind::PermissionDenied
                        | io::ErrorKind::IsADirectory
                        | io::ErrorKind::NotADirectory
                        | io::ErrorKind::InvalidFilename
                        | io::ErrorKind::InvalidInput
                        | io::ErrorKind::InvalidData
                        | io::ErrorKind::UnexpectedEof
                );
                is_loop || is_named
            }
            Self::Hdf5 { .. }
            | Self::Refused { .. }
            | Self::Picture { .. }
            | Self::Video { .. }
            | Self::Crashed { .. } => true,
            Self::ProbeRefused { input, .. } => *input,
            Self::Probe { .. } => false,
        }
    }

    /// A [`IngestError::Refused`] from its four sentences.
    pub(crate) fn refused(
        file: &Path,
        place: impl Display,
        found: impl Display,
        expected: impl Display,
        advice: impl Display,
    ) -> Self {
        Self::Refused {
            file: file.to_owned(),
            place: place.to_string(),
            found: found.to_string(),
            expected: expected.to_string(),
            advice: advice.to_string(),
        }
    }
}

/// Makes an [`IngestError::File`] out of an [`io::Error`], for `map_err`.
pub(crate) fn cannot(file: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> IngestError + use<> {
    let file = file.to_owned();
    move |source| IngestError::File { file, doing, source }
}
