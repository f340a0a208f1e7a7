//! `crumple train`.

use super::arguments::TrainArguments;
use super::progress::ProgressLine;
use super::review::print;
use super::table::{Align, Table};
use crate::train::{HeldOut, Recipe, TrainReport, train_residual};

pub(super) fn run(words: &TrainArguments) -> anyhow::Result<()> {
    let recipe = Recipe::load(&words.recipe)?;
    let line = ProgressLine::for_training(words.quiet, recipe.training.steps);
    let report = train_residual(&recipe, &words.out, &mut |p| line.show_training(p));
    line.finish();
    print(&as_text(&report?, &words.out.display().to_string()))
}

fn as_text(report: &TrainReport, out: &str) -> String {
    let mut table = Table::new(&[
        ("held-out pairs", Align::Left),
        ("epe px", Align::Right),
        ("start px", Align::Right),
        ("in 2 sigma", Align::Right),
    ]);
    let mut row = |name: &str, h: &HeldOut| {
        table.push([
            name.to_owned(),
            format!("{:.3}", h.epe_px),
            format!("{:.3}", h.start_epe_px),
            format!("{:.1} %", 100.0 * h.within_two_sigma),
        ]);
    };
    row("from zero flow", &report.held_out);
    row("from carried flow", &report.held_out_carried);
    format!(
        "{} {}: {} parameters, {} steps in {:.0} s\n\n{table}\nmodel: {out}\nsha256: {}\n",
        report.model.name, report.model.version, report.parameters, report.steps, report.seconds, report.model.sha256
    )
}
