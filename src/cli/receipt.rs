//! `crumple receipt`.

use super::arguments::{ReceiptArguments, ReceiptVerb as Words};
use super::review::print;
use super::suggest_text::ledger_as_text;
use crate::export::Ledger;
use crate::jobs::{RECEIPTS_JSONL, ReceiptError, ReceiptVerb, note_receipt};

pub(super) fn run(words: &ReceiptArguments) -> anyhow::Result<()> {
    let ledger = words.ledger.clone().unwrap_or_else(|| words.suggestion.join(RECEIPTS_JSONL));
    let verb = match &words.verb {
        Words::List => {
            let opened = Ledger::open(&ledger).map_err(ReceiptError::from)?;
            return print(&ledger_as_text(opened.lines()));
        }
        Words::Accept { change, author, note } => {
            ReceiptVerb::Accept { change: *change, author: author.clone(), note: note.clone() }
        }
        Words::Reject { change, author, reason } => {
            ReceiptVerb::Reject { change: *change, author: author.clone(), reason: reason.clone() }
        }
        Words::Tried { change, author, note } => {
            ReceiptVerb::Tried { change: *change, author: author.clone(), note: note.clone() }
        }
        Words::Obtained { change, review } => ReceiptVerb::Obtained { change: *change, review: review.clone() },
    };
    let line = note_receipt(&ledger, &words.suggestion, verb)?;
    print(&ledger_as_text(&[line]))
}
