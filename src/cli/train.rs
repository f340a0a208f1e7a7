//! `crumple train`: `residual` makes a model, `evaluate` measures models.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::Context as _;

use super::arguments::{EvaluateArguments, TrainArguments, TrainCommand, TrainResidualArguments};
use super::progress::ProgressLine;
use super::review::print;
use super::table::{Align, Table};
use super::{App, stop_on_ctrl_c};
use crate::infer::ProviderRequest;
use crate::jobs::EstimatorChoice;
use crate::report::{Curve, CurvePanel, write_curves};
use crate::train::{
    CurvePoint, Evaluated, Figures, Recipe, TrainOrder, TrainReport, ZeroFlow, evaluate, train_residual,
};
use crate::vision::{DisFlow, ResidualEstimator, keep_to_calling_threads};

pub(super) fn run(words: &TrainArguments, app: &App) -> anyhow::Result<()> {
    match &words.what {
        TrainCommand::Residual(words) => residual(words, app),
        TrainCommand::Evaluate(words) => measure(words, app),
    }
}

fn residual(words: &TrainResidualArguments, app: &App) -> anyhow::Result<()> {
    limit_threads(words.threads)?;
    let recipe = Recipe::load(&words.recipe)?;
    let stop = stop_on_ctrl_c()?;
    let line = ProgressLine::for_training(words.quiet, recipe.training.steps);
    let judge = |path: &Path, references: &[_]| (app.judge_export)(path, references).map_err(Into::into);
    let order =
        TrainOrder { recipe: &recipe, studies: &words.data, out: &words.out, restart: words.restart, judge: &judge };
    let report = train_residual(&order, &mut |p| {
        line.show_training(p);
        if stop.load(Ordering::SeqCst) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    line.finish();
    let report = report?;
    let beside = write_beside(&words.out, &report)?;
    print(&as_text(&report, &words.out, &beside))
}

fn limit_threads(threads: Option<u16>) -> anyhow::Result<()> {
    if let Some(threads) = threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads));
        pool.build_global().context("cannot start the threads")?;
        keep_to_calling_threads()?;
    }
    Ok(())
}

/// Writes the report as JSON and its curves as SVG and PNG beside the model file.
fn write_beside(out: &Path, report: &TrainReport) -> anyhow::Result<Vec<PathBuf>> {
    let json = out.with_extension("training.json");
    let text = serde_json::to_string_pretty(report).context("cannot write the report down")?;
    std::fs::write(&json, text).with_context(|| format!("cannot write {}", json.display()))?;
    let headline = format!("{} {} · training", report.model.name, report.model.version);
    let below = format!(
        "{} steps, the weights of step {} are shipped; {:.0} min",
        report.steps,
        report.best_step,
        report.seconds / 60.0
    );
    let curves = write_curves(&out.with_extension("training.svg"), &headline, &below, &panels(&report.curve))?;
    Ok([json].into_iter().chain(curves).collect())
}

fn panels(curve: &[CurvePoint]) -> Vec<CurvePanel> {
    let of = |name: &str, value: &dyn Fn(&CurvePoint) -> f64| Curve {
        name: name.to_owned(),
        points: curve.iter().map(|p| (p.step as f64, value(p))).collect(),
    };
    let panel = |name: &str, axis: &str, curves| CurvePanel { name: name.to_owned(), axis: axis.to_owned(), curves };
    vec![
        panel(
            "Endpoint error",
            "error in px",
            vec![
                of("training, mean", &|p| f64::from(p.training_px)),
                of("validation, mean", &|p| p.validation.mean_px),
                of("validation, 90 %", &|p| p.validation.p90_px),
            ],
        ),
        panel(
            "Stated doubt, before calibration",
            "share of the errors",
            vec![
                of("within 1 sigma", &|p| p.validation.within_one_sigma),
                of("within 2 sigma", &|p| p.validation.within_two_sigma),
                of("absent surface found", &|p| p.validation.absent_found),
            ],
        ),
        panel("Loss of the training", "loss", vec![of("smoothed", &|p| f64::from(p.loss))]),
    ]
}

fn measure(words: &EvaluateArguments, app: &App) -> anyhow::Result<()> {
    limit_threads(words.threads)?;
    let recipe = Recipe::load(&words.recipe)?;
    let build = |model: &PathBuf| {
        (app.build_estimator)(&EstimatorChoice::Onnx { model: model.clone(), provider: ProviderRequest::Auto })
    };
    let models = words.model.iter().map(build).collect::<Result<Vec<_>, _>>()?;
    let mut all: Vec<&dyn ResidualEstimator> = vec![&ZeroFlow, &DisFlow::Medium];
    if recipe.crops.start != DisFlow::Medium {
        all.push(&recipe.crops.start);
    }
    all.extend(models.iter().map(AsRef::as_ref));
    let line = ProgressLine::for_training(words.quiet, words.pairs);
    let rows = evaluate(&recipe, &words.data, words.pairs, &all, &mut |done| line.show_pairs(done, words.pairs));
    line.finish();
    let rows: Vec<(String, Figures, Option<f64>)> =
        rows?.into_iter().map(|Evaluated { name, figures, pair_ms }| (name, figures, Some(pair_ms))).collect();
    print(&figures_table(&rows).to_string())
}

fn figures_table(rows: &[(String, Figures, Option<f64>)]) -> Table {
    let mut table = Table::new(&[
        ("", Align::Left),
        ("mean px", Align::Right),
        ("median", Align::Right),
        ("90 %", Align::Right),
        ("in 1 sigma", Align::Right),
        ("in 2 sigma", Align::Right),
        ("wrong, sure", Align::Right),
        ("present kept", Align::Right),
        ("absent found", Align::Right),
        ("ms", Align::Right),
    ]);
    for (name, f, ms) in rows {
        let share = |v: f64| format!("{:.1} %", 100.0 * v);
        table.push([
            name.clone(),
            format!("{:.3}", f.mean_px),
            format!("{:.3}", f.median_px),
            format!("{:.3}", f.p90_px),
            share(f.within_one_sigma),
            share(f.within_two_sigma),
            share(f.wrong_and_sure),
            share(f.present_kept),
            share(f.absent_found),
            ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}")),
        ]);
    }
    table
}

fn as_text(report: &TrainReport, out: &Path, beside: &[PathBuf]) -> String {
    let rows = [
        ("start (DIS; it states no sigma here)".to_owned(), report.report_start, None),
        (report.model.name.clone(), report.report, None),
    ];
    let beside: String = beside.iter().map(|p| format!("beside it: {}\n", p.display())).collect();
    format!(
        "{} {}: {} parameters, {} steps in {:.0} s, best at step {}\n\n{}\nmodel: {}\nsha256: {}\n{beside}",
        report.model.name,
        report.model.version,
        report.parameters,
        report.steps,
        report.seconds,
        report.best_step,
        figures_table(&rows),
        out.display(),
        report.model.sha256
    )
}
