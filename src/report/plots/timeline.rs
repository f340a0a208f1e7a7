//! When each flag begins, how it grows, when it is largest.

use plotters::element::{Polygon, Rectangle};
use plotters::style::Color;

use super::{Plot, failed};
use crate::domain::{Flag, Verdict};
use crate::report::ReportError;
use crate::report::axes::{Axes, Span};
use crate::report::lettering::{
    Anchor, HEADLINE, MARGIN, SMALL, Swatch, WIDE, badge, bold, fitted, headline, legend, line, style, title, write,
};
use crate::report::palette::{CANNOT_TELL, GRID, INK, MISMATCH, MUTED, PAPER, flag_colours};
use crate::report::scene::Scene;
use crate::report::sheet::{Area, DrawError, Sheet};

/// Rows on the sheet; further flags are less grave.
const ROWS: usize = 16;

pub(super) fn draw(scene: &Scene<'_>) -> Result<Plot, ReportError> {
    let flags = &scene.review.flags[..scene.review.flags.len().min(ROWS)];
    let times: Vec<f64> = scene.fields.iter().map(|f| f.time_s * 1e3).collect();
    let first = times.first().copied().unwrap_or(0.0);
    let last = times.last().copied().filter(|t| *t > first).unwrap_or(first + 1.0);
    let row_height = ((WIDE.1 as i32 - 330) / flags.len() as i32).min(74);
    let top = 140;
    let axes = Axes {
        left: 470,
        top,
        right: WIDE.0 as i32 - 170,
        bottom: top + row_height * flags.len() as i32 + 10,
        x: Span::Linear(first, last),
        y: Span::Linear(0.0, 1.0),
    };
    // A sheet no taller than its rows need: two flags do not fill a slide.
    let height = (axes.bottom + 170).max(420) as u32;
    let mut sheet = Sheet::new(WIDE.0, height);
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        let below = if flags.len() < scene.review.flags.len() {
            format!("The {} gravest of {} flags", flags.len(), scene.review.flags.len())
        } else {
            "When each flag begins, how much of its area is active, when it is largest".to_owned()
        };
        title(&area, &headline(&area, &scene.review.test_id, "flags over time", HEADLINE)?, &below)?;
        grid(&area, &axes)?;
        for (i, flag) in flags.iter().enumerate() {
            row(scene, &area, &axes, &times, flag, top + row_height * i as i32 + row_height / 2, row_height)?;
        }
        key(&area, axes.bottom + 104)
    };
    letter().map_err(failed("the timeline of flags"))?;
    drop(area);
    Ok(Plot {
        name: "flag_timeline".to_owned(),
        title: "Flags over time".to_owned(),
        caption:
            "One row a flag, gravest first. The stronger the bar's colour, the more of the flag's elements are over \
                  the tolerance; the upright stroke is the onset: the first film time at which they are 5 % of the \
                  part's elements in view; the diamond is the peak."
                .to_owned(),
        sheet,
    })
}

/// What bars, strokes and diamonds mean, in two columns below the rows.
fn key(area: &Area<'_>, top: i32) -> Result<(), DrawError> {
    let left = [
        (Swatch::Shades(MISMATCH), "mismatch: the stronger, the more of its elements are over the tolerance"),
        (Swatch::Box(CANNOT_TELL), "cannot tell"),
    ];
    let right = [(Swatch::Upright(INK), "onset"), (Swatch::Diamond(INK), "peak, with its size on the right")];
    legend(area, (MARGIN + 6, top), &left)?;
    legend(area, (WIDE.0 as i32 - 500, top), &right)
}

fn grid(area: &Area<'_>, axes: &Axes) -> Result<(), DrawError> {
    let Span::Linear(first, last) = axes.x else { return Ok(()) };
    // The upright lines come from the same ticks as the numbers: draw the numbers with the axes, the lines here.
    let step = crate::report::palette::nice_above((last - first) / 9.0);
    let mut t = (first / step).ceil() * step;
    while t <= last + 1e-9 {
        let (x, _) = axes.at(t, 0.0);
        line(area, vec![(x, axes.top), (x, axes.bottom)], GRID, 1)?;
        line(area, vec![(x, axes.bottom), (x, axes.bottom + 7)], MUTED, 2)?;
        let words = crate::report::palette::number(t, step);
        write(area, &words, &style(SMALL, INK).centred(), (x, axes.bottom + 24))?;
        t += step;
    }
    line(area, vec![(axes.left, axes.bottom), (axes.right, axes.bottom)], MUTED, 2)?;
    axes.name_x(area, "time after the trigger in ms")
}

fn row(
    scene: &Scene<'_>,
    area: &Area<'_>,
    axes: &Axes,
    times_ms: &[f64],
    flag: &Flag,
    y: i32,
    height: i32,
) -> Result<(), DrawError> {
    let mismatch = flag.verdict == Verdict::Mismatch;
    let colour = if mismatch { MISMATCH } else { CANNOT_TELL };
    let (ground, ink) = flag_colours(flag.id.0, mismatch);
    let used = badge(area, &flag.id.0.to_string(), (MARGIN, y), ground, ink)?;
    let left = MARGIN + used.max(34) + 12;
    let name = fitted(area, &flag.part_name, &style(SMALL, INK), axes.left - left - 24)?;
    write(area, &name, &style(SMALL, INK), (left, y))?;

    let half = (height / 2 - 7).clamp(4, 18);
    let active: Vec<usize> =
        scene.flag_ids.iter().map(|ids| ids.iter().filter(|id| **id == flag.id.0).count()).collect();
    let most = active.iter().copied().max().unwrap_or(0).max(1);
    let between = |i: usize, j: usize| (times_ms[i] + times_ms[j]) / 2.0;
    for (i, count) in active.iter().enumerate().filter(|(_, count)| **count > 0) {
        // A bar begins at its first film time, not half a step earlier.
        let from = if i == 0 || active[i - 1] == 0 { times_ms[i] } else { between(i - 1, i) };
        let to = if i + 1 == times_ms.len() { times_ms[i] } else { between(i, i + 1) };
        if to <= from {
            continue;
        }
        let (a, b) = (axes.at(from, 0.0).0, axes.at(to, 0.0).0);
        let shade = 0.25 + 0.75 * *count as f64 / most as f64;
        area.draw(&Rectangle::new([(a, y - half), (b, y + half)], colour.mix(shade).filled()))?;
    }
    let onset = axes.at(flag.onset_s * 1e3, 0.0).0;
    line(area, vec![(onset, y - half - 4), (onset, y + half + 4)], INK, 4)?;
    if !mismatch {
        return Ok(());
    }
    let peak = axes.at(flag.peak_s * 1e3, 0.0).0;
    let d = half.min(12);
    let diamond = |d: i32| vec![(peak, y - d), (peak + d, y), (peak, y + d), (peak - d, y)];
    area.draw(&Polygon::new(diamond(d + 2), PAPER))?;
    area.draw(&Polygon::new(diamond(d), INK))?;
    write(area, &format!("{:.1} mm", flag.peak_mm), &bold(SMALL, INK), (axes.right + 26, y))
}
