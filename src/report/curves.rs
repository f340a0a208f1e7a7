//! Curves of a training, drawn once as SVG and PNG.

use std::path::{Path, PathBuf};

use plotters::style::RGBColor;

use super::axes::{Axes, Span};
use super::error::ReportError;
use super::lettering::{MARGIN, SMALL, Swatch, WIDE, bold, legend, line, title, write};
use super::palette::{INK, LIMIT, MEASURED, MISMATCH, nice_above};
use super::sheet::{Area, DrawError, Sheet};
use super::{bitmap, save, svg};

/// One curve: its name and its points, step and value.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// For the legend.
    pub name: String,
    /// Steps done and the value then.
    pub points: Vec<(f64, f64)>,
}

/// A panel with up to three curves of one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvePanel {
    /// What is drawn.
    pub name: String,
    /// Unit and quantity of the vertical axis.
    pub axis: String,
    /// The curves.
    pub curves: Vec<Curve>,
}

const COLOURS: [RGBColor; 3] = [MEASURED, MISMATCH, LIMIT];

/// Draws `panels` side by side as `<stem>.svg` and `<stem>.png`.
///
/// # Errors
/// When a file cannot be written, or for a defect of the drawing.
pub fn write_curves(
    stem: &Path,
    headline: &str,
    below: &str,
    panels: &[CurvePanel],
) -> Result<[PathBuf; 2], ReportError> {
    let mut sheet = Sheet::new(WIDE.0, WIDE.1);
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        title(&area, headline, below)?;
        let count = panels.len().max(1) as i32;
        let width = (WIDE.0 as i32 - MARGIN) / count;
        panels.iter().enumerate().try_for_each(|(i, panel)| draw(&area, panel, MARGIN + i as i32 * width, width))
    };
    letter()
        .map_err(|e| ReportError::Drawing { what: "the curves of the training".to_owned(), source: Box::new(e) })?;
    drop(area);
    let [svg_path, png_path] = ["svg", "png"].map(|ending| stem.with_extension(ending));
    save(&svg_path, svg::svg_from_sheet(&sheet, headline)?.as_bytes())?;
    save(&png_path, &bitmap::png_from_sheet(&sheet, headline)?)?;
    Ok([svg_path, png_path])
}

fn draw(area: &Area<'_>, panel: &CurvePanel, left: i32, width: i32) -> Result<(), DrawError> {
    let points = || panel.curves.iter().flat_map(|c| c.points.iter().copied()).filter(|p| p.1.is_finite());
    let last = points().map(|p| p.0).fold(1.0, f64::max);
    let top = points().map(|p| p.1).fold(0.0, f64::max).max(1e-6);
    let low = points().map(|p| p.1).fold(0.0, f64::min);
    let step = nice_above((top - low) / 5.0);
    let y = Span::Linear((low / step).floor() * step, (top / step).ceil() * step);
    let bottom = WIDE.1 as i32 - 100;
    let axes = Axes { left: left + 100, top: 270, right: left + width - 40, bottom, x: Span::Linear(0.0, last), y };
    write(area, &panel.name, &bold(SMALL, INK), (axes.left, 140))?;
    axes.draw(area, true, true)?;
    axes.name_x(area, "steps")?;
    axes.name_y(area, &panel.axis, 86)?;
    for (curve, colour) in panel.curves.iter().zip(COLOURS) {
        let finite = curve.points.iter().filter(|p| p.1.is_finite());
        let places: Vec<(i32, i32)> = finite.map(|(x, y)| axes.at(*x, *y)).collect();
        if places.len() > 1 {
            line(area, places, colour, 3)?;
        }
    }
    let entries: Vec<(Swatch, &str)> =
        panel.curves.iter().zip(COLOURS).map(|(c, colour)| (Swatch::Stroke(colour), c.name.as_str())).collect();
    legend(area, (axes.left, 176), &entries)
}
