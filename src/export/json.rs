//! `review.json`: the fields of [`Review`], no more and no less.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::ExportError;
use crate::domain::Review;

/// Writes `review` to `path`, indented for people; numbers that are not finite become `null`.
///
/// # Errors
/// [`ExportError::File`] when the file cannot be made, [`ExportError::Json`] when it cannot be filled.
pub fn write_review_json(path: &Path, review: &Review) -> Result<(), ExportError> {
    let file =
        File::create(path).map_err(|source| ExportError::File { action: "create", path: path.to_owned(), source })?;
    let mut writer = BufWriter::new(file);
    serde_json::to_writer_pretty(&mut writer, review)
        .map_err(|source| ExportError::Json { path: path.to_owned(), source })?;
    writer.write_all(b"\n").and_then(|()| writer.flush()).map_err(|source| ExportError::File {
        action: "write",
        path: path.to_owned(),
        source,
    })
}
