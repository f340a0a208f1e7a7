//! Suggestions and their receipts as the API shows them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::wire::ReviewState;
use crate::domain::Interval;
use crate::export::{ReceiptEvent, ReceiptLine};
use crate::store;

/// What was suggested for a review.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Suggestion {
    id: String,
    review_id: String,
    campaign_id: String,
    state: ReviewState,
    /// What is being done.
    stage: String,
    /// Steps of the stage that are done.
    done: i64,
    /// Steps of the stage; 0 where they are not counted.
    total: i64,
    /// Why it failed.
    refusal: Option<String>,
    /// How many runs worth computing were asked for.
    next_runs: i64,
    /// `change`, `inside_noise`, `cannot_tell` or `model_form`; null until it is finished.
    verdict: Option<String>,
    /// In one sentence.
    headline: Option<String>,
    /// How many changes it ranks.
    changes: i64,
    /// Digest of suggestion.json, hex: the receipts name it.
    sha256: Option<String>,
    created_at: String,
    finished_at: Option<String>,
}

impl From<store::SuggestionRow> for Suggestion {
    fn from(s: store::SuggestionRow) -> Self {
        Self {
            id: s.id,
            review_id: s.review_id,
            campaign_id: s.campaign_id,
            state: ReviewState::of(&s.state),
            stage: s.stage,
            done: s.done,
            total: s.total,
            refusal: s.refusal,
            next_runs: s.next_runs,
            verdict: s.verdict,
            headline: s.headline,
            changes: s.changes,
            sha256: s.sha256,
            created_at: s.created_at,
            finished_at: s.finished_at,
        }
    }
}

/// A suggestion with its document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct SuggestionDetail {
    pub(super) suggestion: Suggestion,
    /// suggestion.json; null until it is finished.
    #[schema(value_type = Option<Object>)]
    pub(super) document: Option<serde_json::Value>,
}

/// A value with its 90 % interval.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct ValueInterval {
    value: f64,
    /// 5 % quantile.
    lower: f64,
    /// 95 % quantile.
    upper: f64,
}

impl From<Interval> for ValueInterval {
    fn from(i: Interval) -> Self {
        Self { value: i.value, lower: i.lower, upper: i.upper }
    }
}

/// What somebody decides about a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum DecisionState {
    /// It will be made.
    Accepted,
    /// It will not.
    Rejected,
    /// It was made and computed.
    Tried,
}

/// What happened to a suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReceiptKind {
    /// It was made.
    Suggested,
    /// A change will be made.
    Accepted,
    /// It will not.
    Rejected,
    /// It was made and computed.
    Tried,
    /// The re-run was reviewed.
    Obtained,
}

/// One line of the ledger. Receipts are appended, never changed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Receipt {
    /// Its number in the ledger, from 1.
    number: u64,
    /// When.
    at: String,
    event: ReceiptKind,
    /// Rank of the change; 0 is all of them.
    change: i64,
    /// The re-run, where one was named.
    simulation_id: Option<String>,
    /// The review of the re-run.
    review_id: Option<String>,
    /// Who decided.
    author: Option<String>,
    /// Why it was rejected, or what was added.
    note: Option<String>,
    /// Mismatch before, root mean square, mm.
    before_mm: Option<f64>,
    /// Mismatch predicted after the change, mm.
    predicted_mm: Option<ValueInterval>,
    /// Mismatch that the re-run's review found, mm.
    obtained_mm: Option<f64>,
    /// Whether it lies inside the predicted interval.
    inside: Option<bool>,
    /// Digest of suggestion.json, hex.
    suggestion_sha256: String,
    /// Digest of the line before; empty for the first.
    previous: String,
    /// Digest of this line (of its text in `receipts.jsonl` with an empty digest).
    sha256: String,
}

impl Receipt {
    /// From a row; `None` when its line is damaged, which the log says.
    pub(super) fn of(row: store::Receipt) -> Option<Self> {
        let line: ReceiptLine = match serde_json::from_str(&row.line) {
            Ok(line) => line,
            Err(e) => {
                tracing::error!(number = row.number, error = %e, "a receipt is damaged");
                return None;
            }
        };
        let mut receipt = Self {
            number: line.number,
            at: line.at,
            event: ReceiptKind::Suggested,
            change: row.change,
            simulation_id: row.simulation_id,
            review_id: row.review_id,
            author: None,
            note: None,
            before_mm: None,
            predicted_mm: None,
            obtained_mm: None,
            inside: None,
            suggestion_sha256: line.suggestion,
            previous: line.previous,
            sha256: line.sha256,
        };
        let some = |text: String| Some(text).filter(|t| !t.is_empty());
        match line.event {
            ReceiptEvent::Suggested { headline, .. } => receipt.note = some(headline),
            ReceiptEvent::Accepted { author, note, .. } => {
                receipt.event = ReceiptKind::Accepted;
                (receipt.author, receipt.note) = (some(author), some(note));
            }
            ReceiptEvent::Rejected { reason, author, .. } => {
                receipt.event = ReceiptKind::Rejected;
                (receipt.author, receipt.note) = (some(author), some(reason));
            }
            ReceiptEvent::Tried { author, note, .. } => {
                receipt.event = ReceiptKind::Tried;
                (receipt.author, receipt.note) = (some(author), some(note));
            }
            ReceiptEvent::Obtained { before_mm, predicted_mm, obtained_mm, inside, .. } => {
                receipt.event = ReceiptKind::Obtained;
                receipt.before_mm = Some(before_mm);
                receipt.predicted_mm = Some(predicted_mm.into());
                receipt.obtained_mm = Some(obtained_mm);
                receipt.inside = Some(inside);
            }
        }
        Some(receipt)
    }
}
