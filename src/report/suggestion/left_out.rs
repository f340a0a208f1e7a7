//! Each run as the test: what was estimated over what was true.

use super::failed;
use crate::domain::Suggestion;
use crate::report::ReportError;
use crate::report::axes::{Axes, Span};
use crate::report::lettering::{MARGIN, SMALL, WIDE, bold, filled, fitted, line, title, write};
use crate::report::palette::{CANNOT_TELL, INK, LIMIT, MEASURED};
use crate::report::plots::Plot;
use crate::report::sheet::{Area, DrawError, Sheet};
use crate::suggest::LeaveOneOut;

pub(super) fn draw(s: &Suggestion, left_out: &LeaveOneOut) -> Result<Plot, ReportError> {
    let mut sheet = Sheet::new(WIDE.0, WIDE.1);
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        let below = "Shares of the ranges; bars: 90 % intervals, blue where the parameter was identified";
        title(&area, "Each run of the study as the test", below)?;
        let count = s.parameters.len();
        let columns = if count <= 2 { count } else { 3 };
        for (index, p) in s.parameters.iter().enumerate() {
            let axes = panel(columns as i32, count.div_ceil(columns) as i32, index as i32);
            axes.draw(&area, index + columns >= count, index % columns == 0)?;
            line(&area, vec![axes.at(0.0, 0.0), axes.at(1.0, 1.0)], LIMIT, 2)?;
            let score = left_out.score(index);
            let words = format!("{} · {} of {} in the interval", p.parameter.name, score.held.0, score.tests);
            let name = fitted(&area, &words, &bold(SMALL, INK), axes.right - axes.left)?;
            write(&area, &name, &bold(SMALL, INK), (axes.left, axes.top - 22))?;
            points(&area, &axes, left_out, index)?;
            if index + columns >= count {
                axes.name_x(&area, "true")?;
            }
            if index % columns == 0 {
                axes.name_y(&area, "estimated", 74)?;
            }
        }
        Ok(())
    };
    letter().map_err(failed("the left-out tests"))?;
    drop(area);
    Ok(Plot {
        name: "left_out_tests".to_owned(),
        title: "Each run of the study as the test".to_owned(),
        caption: "What the same cameras and the same noise would have said if a run of the study were the test, and the study \
                  did not have it: some films of each run, side by side, each with its own noise. On the line: right. Grey bars: the film does not identify the parameter."
            .to_owned(),
        sheet,
    })
}

fn panel(columns: i32, rows: i32, index: i32) -> Axes {
    const LEFT: i32 = MARGIN + 90;
    const TOP: i32 = 128;
    const GAP: (i32, i32) = (50, 62);
    let width = (WIDE.0 as i32 - LEFT - MARGIN - GAP.0 * (columns - 1)) / columns;
    let height = (WIDE.1 as i32 - TOP - 90 - GAP.1 * (rows - 1)) / rows;
    let left = LEFT + index % columns * (width + GAP.0);
    let top = TOP + 24 + index / columns * (height + GAP.1);
    let span = Span::Linear(0.0, 1.0);
    Axes { left, top, right: left + width, bottom: top + height - 24, x: span, y: span }
}

/// Films of one run have the same truth: side by side, px.
const APART: i32 = 3;

fn points(area: &Area<'_>, axes: &Axes, left_out: &LeaveOneOut, index: usize) -> Result<(), DrawError> {
    for test in &left_out.tests {
        let (truth, e) = (test.truth[index], test.estimate[index]);
        let known = e.half_width() <= crate::domain::IDENTIFIED_HALF_WIDTH;
        let colour = if known { MEASURED } else { CANNOT_TELL };
        let at = |share| axes.at(truth, share);
        let beside = |(x, y): (i32, i32)| (x + APART * test.film as i32, y);
        line(area, vec![beside(at(e.lower)), beside(at(e.upper))], colour, 2)?;
        let (x, y) = beside(at(e.value));
        filled(area, (x - 3, y - 3), (x + 3, y + 3), INK)?;
    }
    Ok(())
}
