//! Deviation over time, one panel a part: 95th percentile, its two-sigma band, the tolerance, the onset.

use plotters::element::Polygon;
use plotters::style::Color;

use super::{Plot, failed, ms};
use crate::domain::PartSummary;
use crate::report::ReportError;
use crate::report::axes::{Axes, Span};
use crate::report::lettering::{
    Anchor, LIMIT_LINE, MARGIN, SMALL, Swatch, WIDE, bold, dashed, filled, fitted, headline, legend, line, style,
    title, trimmed, write,
};
use crate::report::palette::{INK, MEASURED, MISMATCH, MUTED, PAPER, nice_above};
use crate::report::scene::Scene;
use crate::report::sheet::{Area, DrawError, Sheet};

/// Panels on a sheet; further parts deviate less than these.
const PANELS: usize = 12;
/// Below this share of a part's nodes in view that cameras measured its curve is an estimate.
const HARDLY_SEEN: f64 = 0.1;
/// Where the key begins, beside the headline, px.
const KEY_LEFT: i32 = WIDE.0 as i32 - 480;
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
        let room = KEY_LEFT - 2 * MARGIN;
        title(&area, &headline(&area, &scene.review.test_id, "deviation over time by part", room)?, &below)?;
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
            "95th percentile of the deviation over each part's nodes in view whose deviation is known, with two sigma, against the part's \
                  tolerance; dashed where cameras measured less than a tenth of them. The axes are the same in all panels."
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
    legend(area, (KEY_LEFT + 200, 42), &entries)?;
    dashed(area, (KEY_LEFT, 42), (KEY_LEFT + 34, 42), LIMIT_LINE, 3)?;
    write(area, "tolerance", &style(SMALL, INK), (KEY_LEFT + 46, 42))?;
    dashed(area, (KEY_LEFT, 78), (KEY_LEFT + 34, 78), MEASURED, 3)?;
    write(area, "hardly seen", &style(SMALL, INK), (KEY_LEFT + 46, 78))
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
        let upper = run.iter().map(|p| axes.at(p.time_ms, p.mm + BAND * p.sigma_mm));
        let lower = run.iter().rev().map(|p| axes.at(p.time_ms, (p.mm - BAND * p.sigma_mm).max(0.0)));
        area.draw(&Polygon::new(upper.chain(lower).collect::<Vec<_>>(), MEASURED.mix(0.25)))?;
    }
    for (points, is_seen) in strokes(part) {
        let places: Vec<(i32, i32)> = points.iter().map(|(t, v)| axes.at(*t, *v)).collect();
        if is_seen {
            line(area, places, MEASURED, 3)?;
        } else {
            places.windows(2).try_for_each(|w| dashed(area, w[0], w[1], MEASURED, 3))?;
        }
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

/// A part at one film time.
struct Point {
    time_ms: f64,
    mm: f64,
    sigma_mm: f64,
    /// Whether cameras see enough of it.
    is_seen: bool,
}

/// Stretches in which the part is known without a gap.
fn runs(part: &PartSummary) -> Vec<Vec<Point>> {
    let mut runs = vec![Vec::new()];
    let series = &part.series;
    for (i, ((t, value), sigma)) in series.times_s.iter().zip(&series.p95_mm).zip(&series.sigma_mm).enumerate() {
        match value.filter(|v| v.is_finite()) {
            Some(mm) => {
                let sigma_mm = sigma.filter(|s| s.is_finite()).unwrap_or(0.0);
                let is_seen = series.observed_share.get(i).is_none_or(|share| *share >= HARDLY_SEEN);
                let run = runs.last_mut().expect("a first run stands above; its absence is a bug");
                run.push(Point { time_ms: t * 1e3, mm, sigma_mm, is_seen });
            }
            None => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// The curve in strokes that are seen, or not, from end to end: time in ms and value in mm.
fn strokes(part: &PartSummary) -> Vec<(Vec<(f64, f64)>, bool)> {
    let mut strokes: Vec<(Vec<(f64, f64)>, bool)> = Vec::new();
    for run in runs(part) {
        let mut begun = false;
        for pair in run.windows(2) {
            let [from, to] = [&pair[0], &pair[1]].map(|p| (p.time_ms, p.mm));
            let is_seen = pair[0].is_seen && pair[1].is_seen;
            match strokes.last_mut().filter(|(_, kind)| begun && *kind == is_seen) {
                Some((points, _)) => points.push(to),
                None => strokes.push((vec![from, to], is_seen)),
            }
            begun = true;
        }
    }
    strokes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{PartId, PartSeries};

    #[test]
    fn a_curve_is_dashed_where_cameras_hardly_see_the_part_and_broken_where_it_is_unknown() {
        let known = [Some(1.0), Some(2.0), Some(3.0), Some(4.0), None, Some(6.0), Some(7.0)];
        let series = PartSeries {
            times_s: (0..7).map(|i| f64::from(i) * 1e-3).collect(),
            median_mm: vec![None; 7],
            p95_mm: known.to_vec(),
            sigma_mm: vec![Some(0.2); 7],
            coverage: vec![1.0; 7],
            observed_share: vec![0.8, 0.7, 0.01, 0.0, 0.0, 0.5, 0.5],
            rigid: vec![None; 7],
        };
        let part = PartSummary {
            part_id: PartId(1),
            part_name: "beam".to_owned(),
            tolerance_mm: 5.0,
            peak_mm: Some(7.0),
            peak_s: None,
            onset_s: None,
            mismatch_flags: 0,
            cannot_tell_flags: 0,
            series,
        };
        let drawn: Vec<(usize, bool)> = strokes(&part).iter().map(|(p, seen)| (p.len(), *seen)).collect();
        assert_eq!(drawn, [(2, true), (3, false), (2, true)]);
    }
}
