//! `crumple film`.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use super::arguments::{FilmArguments, LookName};
use super::progress::ProgressLine;
use super::request::UsageError;
use super::review::print;
use super::stop_on_ctrl_c;
use crate::film::{FilmOrder, Look};
use crate::ingest::SimulationOptions;
use crate::ingest::probe::{ProbeKind, ProbeOptions, probe_in_own_process};
use crate::jobs::{FilmRequest, Filmed, film_test};

pub(super) fn run(words: &FilmArguments) -> anyhow::Result<()> {
    let request = film_request(words)?;
    let stop = stop_on_ctrl_c()?;
    let kind = ProbeKind::Simulation(request.simulation_options.clone());
    // The HDF5 library is not memory-safe: a process of its own tries the file first.
    probe_in_own_process(&request.simulation, &kind, &ProbeOptions::default())?;
    let line = ProgressLine::for_films(words.quiet);
    let filmed = film_test(&request, &|done, total| {
        line.show_filming(done, total);
        if stop.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    line.finish();
    print(&as_text(&filmed?, words))
}

fn film_request(words: &FilmArguments) -> Result<FilmRequest, UsageError> {
    for path in [Some(&words.out), words.truth.as_ref()].into_iter().flatten() {
        if path.file_name().is_none() || path.is_dir() {
            return Err(UsageError::NoFileName { path: path.clone() });
        }
    }
    if words.truth.as_ref() == Some(&words.out) {
        return Err(UsageError::SameFile { path: words.out.clone() });
    }
    let mut simulation_options = SimulationOptions::default();
    if let Some(name) = &words.displacement {
        simulation_options.displacement.clone_from(name);
        simulation_options.displacement_required = true;
    }
    let order = FilmOrder {
        seed: words.seed,
        look: look(words.look),
        cameras: usize::from(words.cameras),
        frames: usize::from(words.frames),
        size: [usize::from(words.width), usize::from(words.height)],
        bits: if words.sixteen_bit { 16 } else { 8 },
        colour: words.colour,
        ..FilmOrder::default()
    };
    Ok(FilmRequest {
        simulation: words.simulation.clone(),
        simulation_options,
        order,
        out: words.out.clone(),
        truth: words.truth.clone(),
    })
}

fn look(name: LookName) -> Option<Look> {
    Some(match name {
        LookName::Random => return None,
        LookName::Speckle => Look::Speckle,
        LookName::Plain => Look::Plain,
        LookName::Dirty => Look::Dirty,
        LookName::TwoTone => Look::TwoTone,
        LookName::Stickers => Look::Stickers,
        LookName::Grid => Look::Grid,
        LookName::Metal => Look::Metal,
        LookName::Tape => Look::Tape,
        LookName::Mixed => Look::Mixed,
    })
}

fn as_text(filmed: &Filmed, words: &FilmArguments) -> String {
    let cameras: Vec<String> =
        filmed.cameras.iter().map(|(name, targets)| format!("{name} ({targets} targets)")).collect();
    let mut text = format!(
        "{} pictures, look {}, seed {}; cameras: {}\nfilm: {}\n",
        filmed.pictures,
        filmed.look,
        words.seed,
        cameras.join(", "),
        words.out.display()
    );
    if let Some(truth) = &words.truth {
        text.push_str(&format!("truth: {} (trigger {:+.3} ms)\n", truth.display(), 1e3 * filmed.trigger_offset_s));
    }
    text
}
