//! The ledger of suggestions: what was suggested, what was made of it, and what it gained. Only ever appended to.
//!
//! One JSON object a line. Each line holds the digest of the one before and its own (SHA-256 over its text without that
//! digest), so a line that is changed, taken out or put in between shows when the ledger is opened.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::ExportError;
use crate::domain::Interval;

/// What happened to a suggestion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum ReceiptEvent {
    /// It was made.
    Suggested {
        /// The test.
        test_id: String,
        /// In one sentence.
        headline: String,
        /// Digest of the reviewed test.
        test_sha256: String,
        /// Digest of the reviewed simulation.
        simulation_sha256: String,
    },
    /// Somebody will follow it.
    Accepted {
        /// Rank of the change.
        change: usize,
        /// Who.
        author: String,
        /// Anything to add.
        note: String,
    },
    /// Somebody will not.
    Rejected {
        /// Rank of the change; 0 is all of them.
        change: usize,
        /// Who.
        author: String,
        /// Why.
        reason: String,
    },
    /// The change was made and computed.
    Tried {
        /// Rank of the change.
        change: usize,
        /// Who.
        author: String,
        /// Anything to add.
        note: String,
    },
    /// The re-run was reviewed: predicted and obtained stand side by side.
    Obtained {
        /// Rank of the change.
        change: usize,
        /// Digest of the re-run's `review.json`.
        review_sha256: String,
        /// Mismatch of the first review, root mean square, mm.
        before_mm: f64,
        /// Mismatch predicted after the change, mm.
        predicted_mm: Interval,
        /// Mismatch of the re-run's review, mm.
        obtained_mm: f64,
        /// Whether it lies inside the predicted interval.
        inside: bool,
        /// Mismatch obtained over the mismatch before.
        left: f64,
    },
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceiptLine {
    /// Number, from 1.
    pub number: u64,
    /// When, RFC 3339.
    pub at: String,
    /// Digest of the `suggestion.json` that it is about.
    pub suggestion: String,
    /// What happened.
    #[serde(flatten)]
    pub event: ReceiptEvent,
    /// Digest of the line before; empty for the first.
    pub previous: String,
    /// Digest of this line's text with this field empty.
    pub sha256: String,
}

impl ReceiptLine {
    /// Makes a line and seals it with its digest.
    #[must_use]
    pub fn seal(number: u64, at: String, suggestion: String, event: ReceiptEvent, previous: String) -> Self {
        let mut line = Self { number, at, suggestion, event, previous, sha256: String::new() };
        line.sha256 = digest(&line);
        line
    }

    /// The line as it stands in the ledger.
    #[must_use]
    pub fn text(&self) -> String {
        text_of(self)
    }
}

/// An opened ledger whose chain holds.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    lines: Vec<ReceiptLine>,
}

impl Ledger {
    /// Opens the ledger; one that is not there is empty.
    ///
    /// # Errors
    /// [`ExportError::Ledger`] when a line was changed, [`ExportError::File`] when it cannot be read.
    pub fn open(path: &Path) -> Result<Self, ExportError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ExportError::File { action: "read", path: path.to_owned(), source }),
        };
        let broken = |line: usize, found: String, expected: String| {
            Err(ExportError::Ledger { path: path.to_owned(), line: line + 1, found, expected })
        };
        let mut lines: Vec<ReceiptLine> = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let line: ReceiptLine = match serde_json::from_str(text) {
                Ok(line) => line,
                Err(e) => return broken(index, e.to_string(), "a line of a ledger".to_owned()),
            };
            let previous = lines.last().map_or("", |l| l.sha256.as_str());
            if line.previous != previous {
                return broken(
                    index,
                    format!("the digest {:?} of another line before", line.previous),
                    format!("{previous:?}"),
                );
            }
            let own = digest_of_text(text, &line.sha256);
            if line.sha256 != own || line.number != index as u64 + 1 {
                return broken(
                    index,
                    format!("number {} and digest {:?}", line.number, line.sha256),
                    format!("number {} and {own:?}", index + 1),
                );
            }
            lines.push(line);
        }
        Ok(Self { path: path.to_owned(), lines })
    }

    /// What stands in it.
    #[must_use]
    pub fn lines(&self) -> &[ReceiptLine] {
        &self.lines
    }

    /// Appends one line and sees it onto the disk.
    ///
    /// # Errors
    /// [`ExportError::File`] when it cannot be written.
    pub fn append(&mut self, at: String, suggestion: &str, event: ReceiptEvent) -> Result<&ReceiptLine, ExportError> {
        let previous = self.lines.last().map_or_else(String::new, |l| l.sha256.clone());
        let line = ReceiptLine::seal(self.lines.len() as u64 + 1, at, suggestion.to_owned(), event, previous);
        let failed = |source| ExportError::File { action: "append to", path: self.path.clone(), source };
        if let Some(parent) = self.path.parent().filter(|p| !p.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let text = format!("{}\n", text_of(&line));
        let mut file = OpenOptions::new().append(true).create(true).open(&self.path).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        self.lines.push(line);
        Ok(self.lines.last().expect("a line was just pushed; its absence is a bug"))
    }
}

fn text_of(line: &ReceiptLine) -> String {
    serde_json::to_string(line).expect("texts and finite numbers make JSON; anything else is a bug")
}

fn digest(line: &ReceiptLine) -> String {
    hex(&text_of(&ReceiptLine { sha256: String::new(), ..line.clone() }))
}

/// Digest of a line as it stands, its own digest taken out: a number that was read may differ from the written one in its
/// last place. Empty for a line that does not end with its digest.
fn digest_of_text(text: &str, sha256: &str) -> String {
    text.strip_suffix(&format!("{sha256}\"}}")).map_or_else(String::new, |head| hex(&format!("{head}\"}}")))
}

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(path: &Path) -> Ledger {
        let mut ledger = Ledger::open(path).expect("empty");
        for reason in ["the sheet cannot be had", "too heavy", "not now"] {
            let event = ReceiptEvent::Rejected { change: 1, author: "me".into(), reason: reason.into() };
            ledger.append("2026-01-01T00:00:00Z".into(), "ab", event).expect("appended");
        }
        ledger
    }

    #[test]
    fn what_is_appended_is_read_again_and_a_changed_line_shows() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("sub/receipts.jsonl");
        let ledger = filled(&path);
        assert_eq!(Ledger::open(&path).expect("holds").lines(), ledger.lines());
        let text = fs::read_to_string(&path).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        let changed = text.replace("too heavy", "too light");
        let taken_out = format!("{}\n{}\n", lines[0], lines[2]);
        let cut = format!("{}\n", &lines[0][..lines[0].len() - 2]);
        for (tampered, line) in [(changed, 2), (taken_out, 2), (cut, 1)] {
            fs::write(&path, tampered).expect("write");
            let error = Ledger::open(&path).expect_err("tampered");
            assert!(error.is_input_error() && error.to_string().contains(&format!("line {line}")), "{error}");
        }
    }

    /// JSON's short digits are not always read back to the same bits: the chain must hold all the same.
    #[test]
    fn numbers_of_any_digits_keep_the_chain() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("receipts.jsonl");
        let mut ledger = Ledger::open(&path).expect("empty");
        for i in 1..200 {
            let [before_mm, obtained_mm] = [f64::from(i) * std::f64::consts::PI / 7.0, 1e-7 / f64::from(i)];
            let event = ReceiptEvent::Obtained {
                change: 1,
                review_sha256: String::new(),
                before_mm,
                predicted_mm: Interval { value: before_mm.sqrt(), lower: before_mm.sin(), upper: before_mm.exp() },
                obtained_mm,
                inside: false,
                left: obtained_mm / before_mm,
            };
            ledger.append("2026-01-01T00:00:00Z".into(), "", event).expect("appended");
        }
        assert_eq!(Ledger::open(&path).expect("holds").lines().len(), 199);
    }
}
