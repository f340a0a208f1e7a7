//! Why a blob could not be written, read or removed.

use std::path::{Path, PathBuf};

use super::BlobKey;

/// A blob that could not be had.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The store of objects failed.
    #[error("cannot {doing} the blob {key}")]
    Objects {
        /// What was being done.
        doing: &'static str,
        /// Which blob.
        key: String,
        /// Why.
        source: object_store::Error,
    },
    /// A file failed.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl BlobError {
    /// Never: these are faults of the machine.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        false
    }

    pub(super) fn objects(doing: &'static str, key: &BlobKey) -> impl FnOnce(object_store::Error) -> Self + use<> {
        let key = key.to_string();
        move |source| Self::Objects { doing, key, source }
    }

    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }
}
