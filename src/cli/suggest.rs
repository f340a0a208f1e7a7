//! `crumple suggest`.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::Context as _;

use super::arguments::{SuggestArguments, SuggestFormat};
use super::progress::ProgressLine;
use super::request::study_cache;
use super::review::print;
use super::stop_on_ctrl_c;
use super::suggest_text::suggestion_as_text;
use crate::export::{NEXT_RUNS_CSV, SUGGESTION_HTML, SUGGESTION_JSON};
use crate::ingest::probe::{ProbeKind, ProbeOptions, probe_in_own_process};
use crate::ingest::{SimulationOptions, StudyRequest};
use crate::jobs::{RECEIPTS_JSONL, SuggestRequest, note_suggestion, suggest_change};

pub(super) fn run(words: &SuggestArguments) -> anyhow::Result<()> {
    let request = request(words);
    let stop = stop_on_ctrl_c()?;
    let line = ProgressLine::for_review(words.quiet);
    let kind = ProbeKind::Simulation(request.study.options.clone());
    // HDF5 files come from outside and the library is not memory-safe: each is tried in a process of its own.
    let try_file = |path: &Path| {
        let plain = path.ends_with(crate::export::REVIEW_VTKHDF);
        let own = ProbeKind::Simulation(SimulationOptions::default());
        probe_in_own_process(path, if plain { &own } else { &kind }, &ProbeOptions::default())
    };
    let suggested = suggest_change(&request, &try_file, &mut |p| {
        line.show_suggestion(p);
        if stop.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    line.finish();
    let suggested = suggested?;
    let ledger = words.ledger.clone().unwrap_or_else(|| suggested.folder.join(RECEIPTS_JSONL));
    note_suggestion(&ledger, &suggested.folder, &suggested.suggestion)?;
    let file = |name: &str| {
        let path = suggested.folder.join(name);
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {} back", path.display()))
    };
    match words.format {
        SuggestFormat::Json => print(&file(SUGGESTION_JSON)?),
        SuggestFormat::Csv => print(&file(NEXT_RUNS_CSV)?),
        SuggestFormat::Table => {
            let mut text = suggestion_as_text(&suggested.suggestion, suggested.left_out.as_ref());
            let shown = if request.report { suggested.folder.join(SUGGESTION_HTML) } else { suggested.folder.clone() };
            text.push_str(&format!("report: {}\nledger: {}\n", shown.display(), ledger.display()));
            print(&text)
        }
    }
}

fn request(words: &SuggestArguments) -> SuggestRequest {
    let mut options = SimulationOptions::default();
    if let Some(name) = &words.displacement {
        options.displacement.clone_from(name);
        options.displacement_required = true;
    }
    let cache = words.cache.clone().unwrap_or_else(|| study_cache(&words.study));
    SuggestRequest {
        review: words.review.clone(),
        study: StudyRequest { source: words.study.clone(), options, table: words.parameters.clone(), cache },
        out: words.out.clone().unwrap_or_else(|| words.review.join("suggestion")),
        next_runs: usize::from(words.next),
        planned: words.planned.clone(),
        report: !words.no_report,
        leave_one_out: words.leave_one_out,
    }
}
