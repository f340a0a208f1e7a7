//! What was made of a suggestion: decisions, and the ledger that they are appended to.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Service;
use super::extract::{Body, List, Path};
use super::problem::{Answer, Problem};
use super::wire_suggestions::{DecisionState, Receipt};
use crate::export::ReceiptEvent;
use crate::jobs::{read_suggestion, receipt_of};
use crate::store::{self, Page};

/// Longest text of a decision, bytes.
const LONGEST_TEXT: usize = 10_000;

/// A decision about a change.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetDecision {
    state: DecisionState,
    /// Why; needed to reject.
    reason: Option<String>,
    /// Anything to add.
    note: Option<String>,
    author: Option<String>,
    /// The re-run, when it was tried: what it gained is noted when its review against the same test ends.
    simulation_id: Option<String>,
}

impl SetDecision {
    fn check(&self, rank: usize) -> Answer<()> {
        let texts = [&self.reason, &self.note, &self.author];
        if texts.into_iter().flatten().any(|t| t.len() > LONGEST_TEXT) {
            return Err(Problem::unprocessable(format!("a text is longer than {LONGEST_TEXT} letters: shorten it")));
        }
        if self.state == DecisionState::Rejected && said(self.reason.as_deref()).is_empty() {
            return Err(Problem::unprocessable("found no reason, expected one: say why the change is rejected"));
        }
        if self.state != DecisionState::Tried && self.simulation_id.is_some() {
            return Err(Problem::unprocessable("found a simulation_id, expected one only where a change was tried"));
        }
        if rank == 0 && self.state != DecisionState::Rejected {
            return Err(Problem::unprocessable(
                "change 0 stands for all changes, which can only be rejected: name one",
            ));
        }
        Ok(())
    }

    fn event(self, change: usize) -> (&'static str, ReceiptEvent) {
        let author = said(self.author.as_deref());
        let note = said(self.note.as_deref());
        match self.state {
            DecisionState::Accepted => ("accepted", ReceiptEvent::Accepted { change, author, note }),
            DecisionState::Tried => ("tried", ReceiptEvent::Tried { change, author, note }),
            DecisionState::Rejected => {
                ("rejected", ReceiptEvent::Rejected { change, reason: said(self.reason.as_deref()), author })
            }
        }
    }
}

fn said(text: Option<&str>) -> String {
    text.unwrap_or_default().trim().to_owned()
}

/// Decides about a change, by its rank; 0 with `rejected` is all of them. Each decision is a receipt of its own, the
/// newest one holds. A change that was `tried` with a simulation gets a further receipt with what it gained, as soon as
/// that simulation was reviewed against the same test.
#[utoipa::path(put, path = "/suggestions/{id}/changes/{rank}/decision", tag = "suggestions", request_body = SetDecision,
    params(("id" = String, Path, description = "The suggestion"), ("rank" = usize, Path, description = "Rank of the change, from 1; 0 for all")),
    responses((status = 200, body = Receipt), (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, body = Problem, content_type = "application/problem+json"), (status = 422, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn decide(
    State(service): State<Service>,
    Path((id, rank)): Path<(String, String)>,
    Body(new): Body<SetDecision>,
) -> Answer<Json<Receipt>> {
    let rank: usize = rank
        .parse()
        .map_err(|_| Problem::not_found(format!("found change {rank:?}, expected the rank of a change")))?;
    new.check(rank)?;
    let (suggestion, sha256) = read_suggestion(&service.shop, &id).await?;
    if rank != 0 && !suggestion.changes.iter().any(|c| c.rank == rank) {
        let what = format!("suggestion {id} has {} changes, there is no change {rank}", suggestion.changes.len());
        return Err(Problem::not_found(what));
    }
    let simulation_id = new.simulation_id.clone();
    let (name, event) = new.event(rank);
    let mut receipt = receipt_of(name, rank, sha256, event);
    receipt.simulation_id = simulation_id;
    let number = service.shop.store.decide(&id, receipt).await?;
    let rows = service.shop.store.receipts(&id).await?;
    let made = rows.into_iter().find(|r| r.number == number).and_then(Receipt::of);
    made.map(Json).ok_or_else(|| Problem::not_found(format!("there is no receipt {number}")))
}

/// Lists the receipts of a suggestion, oldest first.
#[utoipa::path(get, path = "/suggestions/{id}/receipts", tag = "suggestions", params(("id" = String, Path, description = "The suggestion")),
    responses((status = 200, body = List<Receipt>), (status = 404, body = Problem, content_type = "application/problem+json")))]
pub(super) async fn list_receipts(
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Answer<Json<List<Receipt>>> {
    let rows: Vec<store::Receipt> = service.shop.store.receipts(&id).await?;
    let receipts: Vec<Receipt> = rows.into_iter().filter_map(Receipt::of).collect();
    let page = Page { limit: receipts.len() as i64 + 1, cursor: None };
    Ok(Json(List::of(&page, receipts, |_| String::new(), |r| r)))
}

/// The whole ledger as it was sealed, a line a receipt: each holds the digest of the one before, so a line that was
/// changed, taken out or put in shows.
#[utoipa::path(get, path = "/receipts.jsonl", tag = "suggestions", responses((status = 200, body = String, content_type = "application/jsonl")))]
pub(super) async fn get_ledger(State(service): State<Service>) -> Answer<Response> {
    let mut text = service.shop.store.ledger().await?.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], text).into_response())
}
