//! Where the reduced model can be trusted: its leave-one-out error over time, by part, beside its peers.

use super::failed;
use crate::domain::{Suggestion, SurrogateError};
use crate::report::ReportError;
use crate::report::axes::{Axes, Span};
use crate::report::lettering::{MARGIN, SMALL, Swatch, WIDE, bold, fitted, legend, line, title, write};
use crate::report::palette::{CANNOT_TELL, INK, LIMIT, MEASURED, nice_above};
use crate::report::plots::Plot;
use crate::report::sheet::{Area, DrawError, Sheet};

/// Panels on a sheet.
const PANELS: usize = 9;

pub(super) fn draw(s: &Suggestion) -> Result<Plot, ReportError> {
    let mut errors: Vec<&SurrogateError> = s.surrogate.errors.iter().collect();
    // With one part, all and the part are the same.
    if errors.len() == 2 {
        errors.truncate(1);
    }
    errors.truncate(PANELS);
    let mut sheet = Sheet::new(WIDE.0, WIDE.1);
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        let below =
            format!("{} runs, {} modes; each run predicted from the others", s.surrogate.runs, s.surrogate.modes);
        title(&area, "Where the reduced model can be trusted", &below)?;
        let entries = [
            (Swatch::Stroke(MEASURED), "reduced model"),
            (Swatch::Stroke(LIMIT), "linear regression"),
            (Swatch::Stroke(CANNOT_TELL), "nearest run"),
        ];
        legend(&area, (WIDE.0 as i32 - 300, 36), &entries)?;
        let columns = match errors.len() {
            0..=1 => 1,
            2 | 4 => 2,
            _ => 3,
        };
        let rows = errors.len().div_ceil(columns);
        let (x, y) = spans(s, &errors);
        for (i, error) in errors.iter().enumerate() {
            let axes = panel(columns, rows, i, x, y);
            axes.draw(&area, i + columns >= errors.len(), i % columns == 0)?;
            curves(&area, &axes, s, error)?;
            if i + columns >= errors.len() {
                axes.name_x(&area, "simulation time in ms")?;
            }
            if i % columns == 0 {
                axes.name_y(&area, "error in mm", 74)?;
            }
        }
        Ok(())
    };
    letter().map_err(failed("the reduced model's error"))?;
    drop(area);
    Ok(Plot {
        name: "reduced_model_error".to_owned(),
        title: "Leave-one-out error of the reduced model".to_owned(),
        caption: "Root mean square over runs and nodes, over the study's times. The axes are the same in all panels. Where the \
                  curves are high, the structure chooses between ways to fold, and no model of so few runs follows."
            .to_owned(),
        sheet,
    })
}

fn spans(s: &Suggestion, errors: &[&SurrogateError]) -> (Span, Span) {
    let top = errors
        .iter()
        .flat_map(|e| e.model_over_time_mm.iter().chain(&e.linear_over_time_mm).chain(&e.nearest_over_time_mm))
        .fold(0.0_f64, |a, b| a.max(*b));
    let step = nice_above(top / 5.0);
    let last = s.surrogate.times_s.last().copied().unwrap_or(0.001) * 1e3;
    (Span::Linear(0.0, last), Span::Linear(0.0, (top / step).ceil() * step))
}

fn panel(columns: usize, rows: usize, index: usize, x: Span, y: Span) -> Axes {
    const LEFT: i32 = MARGIN + 90;
    const TOP: i32 = 150;
    const GAP: (i32, i32) = (36, 62);
    let (columns, rows) = (columns as i32, rows as i32);
    let width = (WIDE.0 as i32 - LEFT - MARGIN - GAP.0 * (columns - 1)) / columns;
    let height = (WIDE.1 as i32 - TOP - 90 - GAP.1 * (rows - 1)) / rows;
    let left = LEFT + index as i32 % columns * (width + GAP.0);
    let top = TOP + 24 + index as i32 / columns * (height + GAP.1);
    Axes { left, top, right: left + width, bottom: top + height - 24, x, y }
}

fn curves(area: &Area<'_>, axes: &Axes, s: &Suggestion, error: &SurrogateError) -> Result<(), DrawError> {
    let words = format!("{} · {:.1} mm", error.part_name, error.model_mm);
    let name = fitted(area, &words, &bold(SMALL, INK), axes.right - axes.left)?;
    write(area, &name, &bold(SMALL, INK), (axes.left, axes.top - 22))?;
    let series = [
        (&error.nearest_over_time_mm, CANNOT_TELL),
        (&error.linear_over_time_mm, LIMIT),
        (&error.model_over_time_mm, MEASURED),
    ];
    for (values, colour) in series {
        let points = s.surrogate.times_s.iter().zip(values).map(|(t, v)| axes.at(t * 1e3, *v)).collect();
        line(area, points, colour, 3)?;
    }
    Ok(())
}
