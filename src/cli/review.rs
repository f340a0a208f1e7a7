//! `crumple review`.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use super::arguments::ReviewArguments;
use super::progress::ProgressLine;
use super::request::{ReviewOrder, review_order};
use super::{App, stop_on_ctrl_c, summary};
use crate::export::REPORT_HTML;
use crate::ingest::probe::{ProbeKind, ProbeOptions, probe_in_own_process};
use crate::ingest::{IngestError, StudyFile};
use crate::jobs::{ReviewError, StudyToHear, review_test};
use crate::review::Progress;
use crate::vision::keep_to_calling_threads;

pub(super) fn run(words: ReviewArguments, app: &App) -> anyhow::Result<()> {
    let mut order = review_order(words)?;
    if let Some(threads) = order.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().context("cannot start the threads")?;
        keep_to_calling_threads()?;
    }
    let stop = stop_on_ctrl_c()?;
    try_files_apart(&order, &stop)?;
    load_study_apart(&mut order, &stop)?;
    let estimator = (app.build_estimator)(&order.estimator)?;
    let line = ProgressLine::for_review(order.quiet);
    let progress = |p| {
        line.show(p);
        if stop.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let reviewed = review_test(&order.request, estimator.as_ref(), &progress);
    line.finish();
    let reviewed = reviewed?;
    let mut text = summary::review_as_text(&reviewed.review);
    if order.request.report {
        text.push_str(&format!("report: {}\n", reviewed.folder.join(REPORT_HTML).display()));
    } else {
        text.push_str(&format!("findings: {}\n", reviewed.folder.display()));
    }
    print(&text)
}

/// Has both files tried by a process of their own, because the HDF5 library is not memory-safe.
fn try_files_apart(order: &ReviewOrder, stop: &AtomicBool) -> Result<(), ReviewError> {
    let simulation = ProbeKind::Simulation(order.request.simulation_options.clone());
    let files: [(&Path, &ProbeKind); 2] =
        [(&order.request.simulation, &simulation), (&order.request.test, &ProbeKind::Test)];
    for (path, kind) in files {
        let tried: Result<(), IngestError> = probe_in_own_process(path, kind, &ProbeOptions::default());
        if stop.load(Ordering::SeqCst) {
            return Err(ReviewError::Cancelled);
        }
        tried?;
    }
    Ok(())
}

/// Loads the study, each of its files tried by a process of its own, so that the review finds it in the cache. One that
/// was not asked for is left out when it cannot be loaded.
fn load_study_apart(order: &mut ReviewOrder, stop: &AtomicBool) -> Result<(), ReviewError> {
    let Some(StudyToHear { request: study, named, .. }) = &order.request.study else { return Ok(()) };
    let kind = ProbeKind::Simulation(study.options.clone());
    let try_file = |path: &Path| probe_in_own_process(path, &kind, &ProbeOptions::default());
    let line = ProgressLine::for_review(order.quiet);
    let loaded = StudyFile::load(study, &try_file, &mut |p| {
        line.show(Progress { stage: "study", done: p.done, total: p.total });
        if stop.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    line.finish();
    match loaded {
        Ok(_) => Ok(()),
        Err(_) if stop.load(Ordering::SeqCst) => Err(ReviewError::Cancelled),
        Err(error) if *named => Err(error.into()),
        Err(error) => {
            // Nobody may be listening any more.
            writeln!(io::stderr(), "warning: the study beside the simulation is left out: {error}").ok();
            order.request.study = None;
            Ok(())
        }
    }
}

/// Prints to stdout; a reader that has left (`crumple … | head`) is no error.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e).context("cannot print the findings"),
        _ => Ok(()),
    }
}
