//! `suggestion.html` and its plots: what the film says of each parameter, what it separates, what each change is predicted
//! to leave, and how far the reduced model can be trusted.

mod changes;
mod intervals;
mod left_out;
mod page;
mod separation;
mod trust;

use std::fs;
use std::path::Path;

use super::plots::Plot;
use super::sheet::DrawError;
use super::{ReportError, save, write_plot};
use crate::domain::Suggestion;
use crate::suggest::LeaveOneOut;

/// What the page and its plots show.
#[derive(Debug, Clone, Copy)]
pub struct SuggestionPlots<'a> {
    /// The answer.
    pub suggestion: &'a Suggestion,
    /// The runs that played the test, when they did.
    pub left_out: Option<&'a LeaveOneOut>,
}

/// Writes `suggestion.html`, `plots/*.svg` and `plots/*.png` into `dir`, which exists.
///
/// # Errors
/// As [`super::write_report`].
pub fn write_suggestion_report(dir: &Path, plots: &SuggestionPlots<'_>) -> Result<(), ReportError> {
    let folder = dir.join("plots");
    fs::create_dir_all(&folder).map_err(|source| ReportError::File {
        action: "create",
        path: folder.clone(),
        source,
    })?;
    let s = plots.suggestion;
    let mut all: Vec<Plot> = vec![intervals::draw(s)?];
    if !s.changes.is_empty() {
        all.push(changes::draw(s)?);
    }
    all.push(separation::draw(s)?);
    all.push(trust::draw(s)?);
    if let Some(left_out) = plots.left_out {
        all.push(left_out::draw(s, left_out)?);
    }
    let written = all.into_iter().map(|plot| write_plot(&folder, plot)).collect::<Result<Vec<_>, _>>()?;
    save(&dir.join("suggestion.html"), page::page(s, &written).as_bytes())
}

/// Names the plot in a drawing error.
fn failed(what: &str) -> impl Fn(DrawError) -> ReportError {
    let what = what.to_owned();
    move |source| ReportError::Drawing { what: what.clone(), source: source.into() }
}

/// A number with three decimals at most.
fn short(value: f64) -> String {
    if value.abs() >= 100.0 {
        return format!("{value:.1}");
    }
    format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
}
