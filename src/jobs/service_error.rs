//! Why the service could not do a job or show something.

use std::path::{Path, PathBuf};

use super::receipt::ReceiptError;
use super::{ReviewError, SuggestJobError};
use crate::blobs::BlobError;
use crate::ingest::IngestError;
use crate::review::SessionError;
use crate::store::StoreError;
use crate::tasks::TaskError;
use crate::vision::VisionError;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blobs.
    #[error(transparent)]
    Blob(#[from] BlobError),
    /// A thread.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// A file that cannot be read as what it should be.
    #[error(transparent)]
    Ingest(Box<IngestError>),
    /// A review.
    #[error(transparent)]
    Review(Box<ReviewError>),
    /// A suggestion.
    #[error(transparent)]
    Suggest(Box<SuggestJobError>),
    /// What a re-run gained.
    #[error(transparent)]
    Receipt(Box<ReceiptError>),
    /// The fields of a study.
    #[error("{what}")]
    Study {
        /// What failed.
        what: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The measurement of live frames.
    #[error(transparent)]
    Session(Box<SessionError>),
    /// A picture could not be drawn.
    #[error("a picture could not be drawn")]
    Vision(#[from] VisionError),
    /// What measures could not be made ready.
    #[error("what measures could not be made ready")]
    Estimator(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A picture could not be written.
    #[error("a picture could not be written")]
    Picture(#[from] image::ImageError),
    /// Our own JSON.
    #[error("what the service wrote cannot be read: {what}")]
    Damaged {
        /// Which text.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A file of ours.
    #[error("cannot {doing} {}", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Asked for something that cannot be.
    #[error("{what}")]
    Refused {
        /// What was found, what was expected, what to do.
        what: String,
    },
    /// There is no such thing.
    #[error("{what}")]
    Missing {
        /// What is not there.
        what: String,
    },
    /// The machine has enough to do.
    #[error("{what}")]
    Busy {
        /// What is full, and when to come again.
        what: String,
    },
}

// Boxed, because they are large and most answers are no errors.
impl From<IngestError> for ServiceError {
    fn from(e: IngestError) -> Self {
        Self::Ingest(Box::new(e))
    }
}

impl From<ReviewError> for ServiceError {
    fn from(e: ReviewError) -> Self {
        Self::Review(Box::new(e))
    }
}

impl From<SuggestJobError> for ServiceError {
    fn from(e: SuggestJobError) -> Self {
        Self::Suggest(Box::new(e))
    }
}

impl From<ReceiptError> for ServiceError {
    fn from(e: ReceiptError) -> Self {
        Self::Receipt(Box::new(e))
    }
}

impl From<SessionError> for ServiceError {
    fn from(e: SessionError) -> Self {
        Self::Session(Box::new(e))
    }
}

impl ServiceError {
    /// True when the caller or the caller's file is at fault.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        match self {
            Self::Store(e) => e.is_input_error(),
            Self::Ingest(e) => e.is_input_error(),
            Self::Review(e) => e.is_input_error(),
            Self::Suggest(e) => e.is_input_error(),
            Self::Receipt(e) => e.is_input_error(),
            Self::Session(e) => e.is_input_error(),
            Self::Refused { .. } | Self::Missing { .. } | Self::Busy { .. } => true,
            _ => false,
        }
    }

    /// The message with its causes, in one line.
    #[must_use]
    pub fn told(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let words = error.to_string();
            if !text.contains(words.trim()) {
                text.push_str(": ");
                text.push_str(words.trim());
            }
            cause = error.source();
        }
        text
    }

    /// A message in which files are called as the caller calls them, not by our folders.
    #[must_use]
    pub fn told_without(&self, folder: &Path) -> String {
        self.told().replace(&format!("{}/", folder.display()), "")
    }

    pub(super) fn file(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }
}
