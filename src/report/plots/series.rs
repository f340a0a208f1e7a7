//! Deviation over time, one panel a part: 95th percentile, its two-sigma band, the tolerance, the onset.

use plotters::element::Polygon;
use plotters::style::Color;

use super::{Plot, failed, ms};
use crate::domain::PartSummary;
use crate::report::ReportError;
use crate::report::axes::{Axes, Span};
use crate::report::lettering::{
    Anchor, LIMIT_LINE, MARGIN, SMALL, Swatch, WIDE, bold, dashed, filled, fitted, legend, line, style, title, trimmed,
    write,
};
use crate::report::palette::{INK, MEASURED, MISMATCH, MUTED, PAPER, nice_above};
use crate::report::scene::Scene;
use crate::report::sheet::{Area, DrawError, Sheet};

/// Panels on a sheet; further parts deviate less than these.
const PANELS: usize = 12;
/// Width of the band in sigmas.
const BAND: f64 = 2.0;

pub(super) fn draw(scene: &Scene<'_>) -> Result<Plot, ReportError> {
    let mut parts: Vec<&PartSummary> = scene.review.parts.iter().filter(|p| p.peak_mm.is_some()).collect();
    let measured = parts.len();
    parts.sort_by(|a, b| b.peak_mm.unwrap_or(0.0).total_cmp(&a.peak_mm.unwrap_or(0.0)));
    parts.truncate(PANELS);
    let below = if measured > PANELS {
        format!("The {PANELS} of {measured} measured parts that deviate most")
    } else {
        "Deviation of the test from the simulation".to_owned()
    };
    let mut sheet = Sheet::new(WIDE.0, WIDE.1);
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        title(&area, &format!("{} · deviation over time by part", scene.review.test_id), &below)?;
        key(&area)?;
        let columns = columns_for(parts.len());
        let rows = parts.len().div_ceil(columns);
        let (x, y) = spans(&parts);
        for (i, part) in parts.iter().enumerate() {
            let (column, row) = (i % columns, i / columns);
            let axes = panel(columns, rows, column, row, x, y);
            // The lowest panel of each column carries the numbers, also where the last row is not full.
            axes.draw(&area, i + columns >= parts.len(), column == 0)?;
            curve(&area, &axes, part)?;
            if i + columns >= parts.len() {
                axes.name_x(&area, "time after the trigger in ms")?;
            }
            if column == 0 {
                axes.name_y(&area, "deviation in mm", 74)?;
            }
        }
        Ok(())
    };
    letter().map_err(failed("the deviation over time"))?;
    drop(area);
    Ok(Plot {
        name: "deviation_over_time".to_owned(),
        title: "Deviation over time by part".to_owned(),
        caption:
            "95th percentile of the deviation over each part's measured nodes, with two sigma, against the part's \
                  tolerance. The axes are the same in all panels."
                .to_owned(),
        sheet,
    })
}

fn columns_for(panels: usize) -> usize {
    match panels {
        0..=1 => 1,
        2 | 4 => 2,
        3 | 5 | 6 | 9 => 3,
        _ => 4,
    }
}

fn key(area: &Area<'_>) -> Result<(), DrawError> {
    let entries = [(Swatch::Stroke(MEASURED), "95th percentile"), (Swatch::Box(band_colour()), "± 2 sigma")];
    legend(area, (WIDE.0 as i32 - 280, 42), &entries)?;
    dashed(area, (WIDE.0 as i32 - 480, 42), (WIDE.0 as i32 - 446, 42), LIMIT_LINE, 3)?;
    write(area, "tolerance", &style(SMALL, INK), (WIDE.0 as i32 - 434, 42))
}

/// The band's colour as it looks on paper.
fn band_colour() -> plotters::style::RGBColor {
    plotters::style::RGBColor(0xbf, 0xdb, 0xeb)
}

fn spans(parts: &[&PartSummary]) -> (Span, Span) {
    let times = || parts.iter().flat_map(|p| p.series.times_s.iter().map(|t| t * 1e3));
    let (first, last) = (times().fold(f64::INFINITY, f64::min), times().fold(f64::NEG_INFINITY, f64::max));
    let top = parts
        .iter()
        .flat_map(|p| {
            let upper = p.series.p95_mm.iter().zip(&p.series.sigma_mm);
            upper.filter_map(|(v, s)| v.map(|v| v + BAND * s.unwrap_or(0.0))).chain([p.tolerance_mm * 1.2])
        })
        .filter(|v| v.is_finite())
        .fold(0.0, f64::max);
    let step = nice_above(top / 5.0);
    (Span::Linear(first, if last > first { last } else { first + 1.0 }), Span::Linear(0.0, (top / step).ceil() * step))
}

fn panel(columns: usize, rows: usize, column: usize, row: usize, x: Span, y: Span) -> Axes {
    const LEFT: i32 = MARGIN + 90;
    const TOP: i32 = 128;
    const GAP: (i32, i32) = (36, 62);
    let width = (WIDE.0 as i32 - LEFT - MARGIN - GAP.0 * (columns as i32 - 1)) / columns as i32;
    let height = (WIDE.1 as i32 - TOP - 84 - GAP.1 * (rows as i32 - 1)) / rows as i32 - if rows > 1 { 0 } else { 20 };
    let left = LEFT + column as i32 * (width + GAP.0);
    let top = TOP + 24 + row as i32 * (height + GAP.1);
    Axes { left, top, right: left + width, bottom: top + height - 24, x, y }
}

fn curve(area: &Area<'_>, axes: &Axes, part: &PartSummary) -> Result<(), DrawError> {
    let width = axes.right - axes.left;
    // The tolerance's value stands beside the name, where no curve can run through it.
    let limit = format!("tolerance {} mm", trimmed(part.tolerance_mm));
    let (wide, _) = area.estimate_text_size(&limit, &style(SMALL, MUTED))?;
    let beside = width > 2 * wide as i32;
    let name = fitted(area, &part.part_name, &bold(SMALL, INK), if beside { width - wide as i32 - 16 } else { width })?;
    write(area, &name, &bold(SMALL, INK), (axes.left, axes.top - 24))?;
    if beside {
        write(area, &limit, &style(SMALL, MUTED).to_the_right(), (axes.right, axes.top - 24))?;
    }
    for run in runs(part) {
        let upper = run.iter().map(|(t, v, s)| axes.at(*t, v + BAND * s));
        let lower = run.iter().rev().map(|(t, v, s)| axes.at(*t, (v - BAND * s).max(0.0)));
        area.draw(&Polygon::new(upper.chain(lower).collect::<Vec<_>>(), MEASURED.mix(0.25)))?;
        line(area, run.iter().map(|(t, v, _)| axes.at(*t, *v)).collect(), MEASURED, 3)?;
    }
    let level = axes.at(0.0, part.tolerance_mm).1;
    dashed(area, (axes.left, level), (axes.right, level), LIMIT_LINE, 2)?;
    let Some(onset) = part.onset_s else { return Ok(()) };
    let x = axes.at(onset * 1e3, 0.0).0;
    line(area, vec![(x, axes.top), (x, axes.bottom)], MISMATCH, 2)?;
    let words = format!("onset {}", ms(onset));
    let (wide, _) = area.estimate_text_size(&words, &bold(SMALL, MISMATCH))?;
    let to_left = x + 8 + wide as i32 > axes.right;
    let (from, to) = if to_left { (x - 12 - wide as i32, x - 4) } else { (x + 4, x + 12 + wide as i32) };
    filled(area, (from, axes.top), (to, axes.top + 28), PAPER)?;
    let letters = bold(SMALL, MISMATCH);
    let letters = if to_left { letters.to_the_right() } else { letters };
    write(area, &words, &letters, (if to_left { x - 8 } else { x + 8 }, axes.top + 14))
}

/// Stretches in which the part was measured without a gap: time in ms, value and sigma in mm.
fn runs(part: &PartSummary) -> Vec<Vec<(f64, f64, f64)>> {
    let mut runs = vec![Vec::new()];
    let series = &part.series;
    for ((t, value), sigma) in series.times_s.iter().zip(&series.p95_mm).zip(&series.sigma_mm) {
        match value.filter(|v| v.is_finite()) {
            Some(v) => {
                let sigma = sigma.filter(|s| s.is_finite()).unwrap_or(0.0);
                runs.last_mut().expect("a first run stands above; its absence is a bug").push((t * 1e3, v, sigma));
            }
            None => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}
