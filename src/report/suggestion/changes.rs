//! The ranked changes: mismatch before, and predicted after with its interval.

use super::{failed, short};
use crate::domain::{Change, Suggestion};
use crate::report::ReportError;
use crate::report::axes::{Axes, Span};
use crate::report::lettering::{MARGIN, SMALL, Swatch, WIDE, bold, filled, fitted, legend, line, style, title, write};
use crate::report::palette::{GRID, INK, MEASURED, MISMATCH, MUTED, nice_above};
use crate::report::plots::Plot;
use crate::report::sheet::{Area, DrawError, Sheet};

const LEFT: i32 = MARGIN + 700;
const ROW: i32 = 84;

pub(super) fn draw(s: &Suggestion) -> Result<Plot, ReportError> {
    let rows = s.changes.len() as i32;
    let height = 250 + ROW * rows;
    let mut sheet = Sheet::new(WIDE.0, height.max(450) as u32);
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        title(
            &area,
            &format!("{} · what each change is predicted to leave", s.test_id),
            "Mismatch over all observed nodes, root mean square",
        )?;
        legend(
            &area,
            (WIDE.0 as i32 - 320, 42),
            &[(Swatch::Stroke(MISMATCH), "now"), (Swatch::Stroke(MEASURED), "predicted, 90 %")],
        )?;
        let top = s.changes.iter().map(|c| c.before_mm.max(c.after_mm.upper)).fold(0.0, f64::max);
        let step = nice_above(top / 6.0);
        let x = Span::Linear(0.0, (top / step).ceil() * step);
        let (right, bottom) = (WIDE.0 as i32 - MARGIN - 20, 150 + ROW * rows);
        let axes = Axes { left: LEFT, top: 140, right, bottom, x, y: Span::Linear(0.0, 1.0) };
        for tick in x_marks(x, step) {
            let at = axes.at(tick, 0.0).0;
            line(&area, vec![(at, axes.top), (at, bottom)], GRID, 1)?;
            write(&area, &short(tick), &style(SMALL, INK), (at - 8, bottom + 22))?;
        }
        axes.name_x(&area, "mismatch in mm")?;
        for (index, c) in s.changes.iter().enumerate() {
            row(&area, &axes, c, 150 + ROW * index as i32 + ROW / 2)?;
        }
        Ok(())
    };
    letter().map_err(failed("the changes"))?;
    drop(area);
    Ok(Plot {
        name: "predicted_gain".to_owned(),
        title: "What each change is predicted to leave".to_owned(),
        caption: "Orange: the mismatch that the film shows now. Blue: what the change is predicted to leave, with the 90 % \
                  interval; it holds the doubt about the parameters, the reduced model's error and the measurement's noise."
            .to_owned(),
        sheet,
    })
}

fn x_marks(x: Span, step: f64) -> Vec<f64> {
    let Span::Linear(_, high) = x else { return Vec::new() };
    (0..).map(|i| f64::from(i) * step).take_while(|v| *v <= high * (1.0 + 1e-9)).collect()
}

fn row(area: &Area<'_>, axes: &Axes, c: &Change, y: i32) -> Result<(), DrawError> {
    let x = |mm: f64| axes.at(mm, 0.0).0;
    let room = LEFT - MARGIN - 70;
    write(area, &c.rank.to_string(), &bold(SMALL, INK), (MARGIN, y - 12))?;
    let words: Vec<String> =
        c.moves.iter().map(|m| format!("{} {} → {}", m.name, short(m.from), short(m.to.value))).collect();
    let all = c.moves.len() > 2;
    let (first, second) = if all {
        ("all parameters".to_owned(), words.join(", "))
    } else {
        (words.first().cloned().unwrap_or_default(), words.get(1).cloned().unwrap_or_default())
    };
    write(area, &fitted(area, &first, &style(SMALL, INK), room)?, &style(SMALL, INK), (MARGIN + 40, y - 12))?;
    let ink = if all { MUTED } else { INK };
    write(area, &fitted(area, &second, &style(SMALL, ink), room)?, &style(SMALL, ink), (MARGIN + 40, y + 16))?;
    filled(area, (x(c.after_mm.lower), y - 8), (x(c.after_mm.upper), y + 8), MEASURED)?;
    let at = x(c.after_mm.value);
    filled(area, (at - 4, y - 17), (at + 4, y + 17), INK)?;
    line(area, vec![(x(c.before_mm), y - 28), (x(c.before_mm), y + 28)], MISMATCH, 4)
}
