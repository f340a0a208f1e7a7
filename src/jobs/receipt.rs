//! Keeping account of a suggestion: what was made of it, and what it gained against what was predicted.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::{Change, Review, Suggestion};
use crate::export::{
    ExportError, Ledger, REVIEW_JSON, ReceiptEvent, ReceiptLine, SUGGESTION_JSON, read_suggestion_json,
};
use crate::ingest::{IngestError, ReviewFolder, digest_sha256};

/// File name of the ledger in a suggestion's folder.
pub const RECEIPTS_JSONL: &str = "receipts.jsonl";

/// What somebody did with a suggestion.
#[derive(Debug, Clone, PartialEq)]
pub enum ReceiptVerb {
    /// A change will be made.
    Accept {
        /// Rank of the change.
        change: usize,
        /// Who.
        author: String,
        /// Anything to add.
        note: String,
    },
    /// It will not.
    Reject {
        /// Rank of the change; 0 is all of them.
        change: usize,
        /// Who.
        author: String,
        /// Why.
        reason: String,
    },
    /// It was made and computed.
    Tried {
        /// Rank of the change.
        change: usize,
        /// Who.
        author: String,
        /// Anything to add.
        note: String,
    },
    /// The re-run was reviewed.
    Obtained {
        /// Rank of the change.
        change: usize,
        /// Folder of the re-run's review.
        review: PathBuf,
    },
}

/// Why nothing was noted.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The ledger or the suggestion cannot be used.
    #[error("the receipt cannot be noted")]
    Export {
        /// Why.
        #[from]
        source: ExportError,
    },
    /// A review or a suggestion cannot be read.
    #[error("an input is refused")]
    Ingest {
        /// Why.
        #[from]
        source: IngestError,
    },
    /// There is no such change.
    #[error("the suggestion has {count} changes, there is no change {change}; name one of them with --change")]
    NoChange {
        /// What was asked for.
        change: usize,
        /// How many there are.
        count: usize,
    },
    /// The re-run was compared with another test.
    #[error(
        "the review {} is of the test {found:?}, the suggestion of {expected:?}: review the re-run against the same test",
        review.display()
    )]
    OtherTest {
        /// The review.
        review: PathBuf,
        /// Its test.
        found: String,
        /// The suggestion's.
        expected: String,
    },
    /// A rejection without a reason teaches nothing.
    #[error("a rejection needs a reason: say --reason TEXT")]
    NoReason,
    /// The re-run's review measured nothing.
    #[error("the review {} has measured nothing that could be compared", review.display())]
    NothingMeasured {
        /// The review.
        review: PathBuf,
    },
}

impl ReceiptError {
    /// True when the caller's words or files are at fault.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        match self {
            // The suggestion and the ledger are named by the caller; a file that is not there is theirs.
            Self::Export { source: ExportError::File { action: "read", .. } | ExportError::Json { .. } } => true,
            Self::Export { source } => source.is_input_error(),
            Self::Ingest { source } => source.is_input_error(),
            _ => true,
        }
    }
}

/// Notes that the suggestion in `folder` was made.
///
/// # Errors
/// When the ledger cannot be read or written.
pub fn note_suggestion(ledger: &Path, folder: &Path, suggestion: &Suggestion) -> Result<ReceiptLine, ReceiptError> {
    let digest = digest_sha256(&folder.join(SUGGESTION_JSON))?;
    Ok(Ledger::open(ledger)?.append(now(), &digest, suggested(suggestion))?.clone())
}

/// That a suggestion was made.
pub(super) fn suggested(suggestion: &Suggestion) -> ReceiptEvent {
    let of =
        |role: &str| suggestion.inputs.iter().find(|i| i.role == role).map_or_else(String::new, |i| i.sha256.clone());
    ReceiptEvent::Suggested {
        test_id: suggestion.test_id.clone(),
        headline: suggestion.headline.clone(),
        test_sha256: of("test"),
        simulation_sha256: of("simulation"),
    }
}

/// Notes what was done with the suggestion in `folder`.
///
/// # Errors
/// When there is no such change, the re-run is of another test, or the ledger cannot be read or written.
pub fn note_receipt(ledger: &Path, folder: &Path, verb: ReceiptVerb) -> Result<ReceiptLine, ReceiptError> {
    let path = folder.join(SUGGESTION_JSON);
    let suggestion = read_suggestion_json(&path)?;
    let digest = digest_sha256(&path)?;
    let check = |change: usize| {
        let found = suggestion.changes.iter().find(|c| c.rank == change);
        found.ok_or(ReceiptError::NoChange { change, count: suggestion.changes.len() })
    };
    let event = match verb {
        ReceiptVerb::Accept { change, author, note } => {
            check(change)?;
            ReceiptEvent::Accepted { change, author, note }
        }
        ReceiptVerb::Reject { change, author, reason } => {
            if change != 0 {
                check(change)?;
            }
            if reason.trim().is_empty() {
                return Err(ReceiptError::NoReason);
            }
            ReceiptEvent::Rejected { change, author, reason }
        }
        ReceiptVerb::Tried { change, author, note } => {
            check(change)?;
            ReceiptEvent::Tried { change, author, note }
        }
        ReceiptVerb::Obtained { change, review } => obtained(&suggestion, check(change)?, &review)?,
    };
    Ok(Ledger::open(ledger)?.append(now(), &digest, event)?.clone())
}

/// What the review of a re-run gained, beside what was predicted.
pub(super) fn obtained(suggestion: &Suggestion, change: &Change, folder: &Path) -> Result<ReceiptEvent, ReceiptError> {
    let review = ReviewFolder::open(folder)?;
    check_test(suggestion, review.review(), folder)?;
    let seen_mm = super::mismatch::mismatch_mm(&review)?
        .ok_or_else(|| ReceiptError::NothingMeasured { review: folder.to_owned() })?;
    // In the measure of the prediction: a re-run that left as much as there was obtains what there was.
    let reviewed_mm = suggestion.reviewed_mm.filter(|mm| *mm > 0.0);
    let obtained_mm = reviewed_mm.map_or(seen_mm, |reviewed_mm| change.before_mm * seen_mm / reviewed_mm);
    let predicted_mm = change.after_mm;
    Ok(ReceiptEvent::Obtained {
        change: change.rank,
        review_sha256: digest_sha256(&folder.join(REVIEW_JSON))?,
        before_mm: change.before_mm,
        predicted_mm,
        obtained_mm,
        inside: predicted_mm.holds(obtained_mm),
        left: obtained_mm / change.before_mm.max(1e-12),
    })
}

/// The same bytes, or at least the same name where the film was copied anew.
fn check_test(suggestion: &Suggestion, review: &Review, folder: &Path) -> Result<(), ReceiptError> {
    let of = |inputs: &[crate::domain::InputDigest]| {
        inputs.iter().find(|i| i.role == "test").map_or_else(String::new, |i| i.sha256.clone())
    };
    if of(&suggestion.inputs) == of(&review.inputs) || suggestion.test_id == review.test_id {
        return Ok(());
    }
    Err(ReceiptError::OtherTest {
        review: folder.to_owned(),
        found: review.test_id.clone(),
        expected: suggestion.test_id.clone(),
    })
}

/// The time, RFC 3339 in UTC.
pub(super) fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    rfc_3339(seconds)
}

/// Days to a date: Hinnant, "chrono-compatible low-level date algorithms", civil_from_days.
fn rfc_3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        assert_eq!(rfc_3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc_3339(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(rfc_3339(1_767_225_599), "2025-12-31T23:59:59Z");
    }
}
