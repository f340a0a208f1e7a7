//! The report for people: plots as SVG and PNG files, and `report.html`, one page that needs nothing else.
//!
//! Plots are drawn once with plotters on a `sheet` that remembers the strokes, and replayed as SVG and as PNG. The
//! page is put together with `format!` and one escape function: it is a single page with a handful of tables, for which
//! a template crate would add a language and a build step and save nothing.

mod axes;
mod bitmap;
mod callout;
mod curves;
mod error;
mod escape;
mod font;
mod input;
mod lettering;
mod page;
mod paint;
mod palette;
mod plots;
mod scene;
mod sheet;
mod suggestion;
mod surface;
mod svg;
mod viewpoint;

use std::fs;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use curves::{Curve, CurvePanel, write_curves};
pub use error::ReportError;
pub use input::{PictureSource, ReportCamera, ReportInput, SourceError};
pub use page::{headline, report_with_verdicts};
pub use suggestion::{SuggestionPlots, write_suggestion_report};

/// What a report consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFiles {
    /// The page.
    pub html: PathBuf,
    /// The plots as SVG, in the page's order.
    pub svg: Vec<PathBuf>,
    /// The same plots as PNG.
    pub png: Vec<PathBuf>,
}

/// Writes `report.html`, `plots/*.svg` and `plots/*.png` into `dir`, which exists.
///
/// # Errors
/// [`ReportError::Length`] when an array does not fit, [`ReportError::Source`] when a picture or a shape cannot be
/// read, [`ReportError::File`] when a file cannot be written, [`ReportError::Drawing`] for a defect.
pub fn write_report(dir: &Path, input: &ReportInput<'_>) -> Result<ReportFiles, ReportError> {
    input.check()?;
    let scene = scene::Scene::read(input)?;
    let folder = dir.join("plots");
    fs::create_dir_all(&folder).map_err(|source| ReportError::File {
        action: "create",
        path: folder.clone(),
        source,
    })?;
    let written: Vec<Written> =
        plots::tasks(&scene).par_iter().map(|task| write_plot(&folder, task()?)).collect::<Result<_, _>>()?;
    let html = dir.join("report.html");
    let figures: Vec<page::Figure<'_>> = written
        .iter()
        .map(|w| page::Figure { name: &w.plot.name, title: &w.plot.title, caption: &w.plot.caption, svg: &w.svg })
        .collect();
    save(&html, page::page(input.review, &figures).as_bytes())?;
    let paths = |ending: &str| written.iter().map(|w| folder.join(format!("{}.{ending}", w.plot.name))).collect();
    Ok(ReportFiles { html, svg: paths("svg"), png: paths("png") })
}

/// A plot on disk, with its SVG text for the page.
struct Written {
    plot: plots::Plot,
    svg: String,
}

fn write_plot(folder: &Path, plot: plots::Plot) -> Result<Written, ReportError> {
    let svg = svg::svg_from_sheet(&plot.sheet, &plot.title)?;
    save(&folder.join(format!("{}.svg", plot.name)), svg.as_bytes())?;
    let png = bitmap::png_from_sheet(&plot.sheet, &plot.title)?;
    save(&folder.join(format!("{}.png", plot.name)), &png)?;
    Ok(Written { plot, svg })
}

fn save(path: &Path, content: &[u8]) -> Result<(), ReportError> {
    fs::write(path, content).map_err(|source| ReportError::File { action: "write", path: path.to_owned(), source })
}
