//! `review.json`: the fields of [`Review`], no more and no less.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use super::ExportError;
use crate::domain::{FlagId, JudgedFlag, Judgement, PartId, Review};

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

/// A verdict in `verdicts`.
#[derive(Serialize)]
struct Said<'a> {
    flag_id: FlagId,
    part_id: PartId,
    part_name: &'a str,
    onset_s: f64,
    #[serde(flatten)]
    judgement: &'a Judgement,
}

/// The text of a `review.json` with one more field, `verdicts`: what people said about its flags, and about those that it
/// does not find any more. All that was written before stays as it is, letter by letter.
#[must_use]
pub fn review_json_with_verdicts(review: &str, flags: &[JudgedFlag]) -> String {
    let said: Vec<Said<'_>> = flags
        .iter()
        .filter(|f| f.judgement.judged_at.is_some())
        .map(|JudgedFlag { flag, judgement }| Said {
            flag_id: flag.id,
            part_id: flag.part_id,
            part_name: &flag.part_name,
            onset_s: flag.onset_s,
            judgement,
        })
        .collect();
    let said = serde_json::to_string_pretty(&said).expect("verdicts are JSON, else a bug").replace('\n', "\n  ");
    match review.trim_end().strip_suffix('}') {
        Some(open) => format!("{},\n  \"verdicts\": {said}\n}}\n", open.trim_end()),
        // No object, so no review: left to whoever reads it.
        None => review.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tests::judged;

    #[test]
    fn verdicts_are_added_and_nothing_else_changes() {
        let written = "{\n  \"peak_mm\": 0.30000000000000004,\n  \"flags\": []\n}\n";
        let text = review_json_with_verdicts(written, &[judged(3, "dismissed"), judged(4, "open")]);
        assert!(
            text.starts_with("{\n  \"peak_mm\": 0.30000000000000004,\n  \"flags\": [],\n  \"verdicts\": ["),
            "{text}"
        );
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        let said = read["verdicts"].as_array().unwrap();
        assert_eq!(said.len(), 1, "nobody said anything about flag 4");
        assert_eq!(
            (&said[0]["flag_id"], &said[0]["state"], &said[0]["author"]),
            (&3.into(), &"dismissed".into(), &"Ada".into())
        );
    }
}
