//! Each parameter's range with what the simulation has and what the film says.

use super::{failed, short};
use crate::domain::{Suggestion, written_unit};
use crate::report::ReportError;
use crate::report::lettering::{
    Anchor, MARGIN, SMALL, Swatch, WIDE, bold, filled, fitted, legend, line, style, title, write,
};
use crate::report::palette::{CANNOT_TELL, GRID, INK, MEASURED, MISMATCH, MUTED};
use crate::report::plots::Plot;
use crate::report::sheet::{Area, DrawError, Sheet};

/// Left and right end of the ranges, px.
const LEFT: i32 = 430;
const RIGHT: i32 = WIDE.0 as i32 - 330;

pub(super) fn draw(s: &Suggestion) -> Result<Plot, ReportError> {
    let rows = s.parameters.len() as i32;
    let height = (190 + 100 * rows).max(500);
    let mut sheet = Sheet::new(WIDE.0, height as u32);
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        title(
            &area,
            &format!("{} · what the film says of each parameter", s.test_id),
            "Bounds of the study, 90 % interval",
        )?;
        let entries = [
            (Swatch::Stroke(MEASURED), "film, identified"),
            (Swatch::Stroke(CANNOT_TELL), "film, not identified"),
            (Swatch::Stroke(MISMATCH), "simulated"),
        ];
        legend(&area, (WIDE.0 as i32 - 290, 36), &entries)?;
        for index in 0..s.parameters.len() {
            row(&area, s, index, 190 + 100 * index as i32)?;
        }
        Ok(())
    };
    letter().map_err(failed("the intervals"))?;
    drop(area);
    Ok(Plot {
        name: "parameter_intervals".to_owned(),
        title: "What the film says of each parameter".to_owned(),
        caption: "Grey: the range that the study covers. The bar is the 90 % interval, widened until it holds nine of ten of \
                  the study's own runs; the black mark is the estimate, the upright line the reviewed simulation. A bar over the \
                  whole range means that the film does not tell."
            .to_owned(),
        sheet,
    })
}

fn row(area: &Area<'_>, s: &Suggestion, index: usize, y: i32) -> Result<(), DrawError> {
    let p = &s.parameters[index];
    let x =
        |value: f64| LEFT + (p.parameter.share_of(value).clamp(-0.02, 1.02) * f64::from(RIGHT - LEFT)).round() as i32;
    let unit = written_unit(&p.parameter.unit);
    let name = fitted(area, &p.parameter.name, &bold(SMALL, INK), LEFT - MARGIN - 30)?;
    write(area, &name, &bold(SMALL, INK), (MARGIN, y))?;
    filled(area, (LEFT, y - 5), (RIGHT, y + 5), GRID)?;
    write(area, &short(p.parameter.lower), &style(SMALL, MUTED).centred(), (LEFT, y + 30))?;
    write(
        area,
        &format!("{}{unit}", short(p.parameter.upper)),
        &style(SMALL, MUTED).to_the_right(),
        (RIGHT + 6, y + 30),
    )?;
    let colour = if p.identified { MEASURED } else { CANNOT_TELL };
    filled(area, (x(p.estimate.lower), y - 9), (x(p.estimate.upper), y + 9), colour)?;
    let at = x(p.estimate.value);
    filled(area, (at - 4, y - 17), (at + 4, y + 17), INK)?;
    if let Some(simulated) = p.simulated {
        line(area, vec![(x(simulated), y - 28), (x(simulated), y + 22)], MISMATCH, 4)?;
    }
    let words = format!("{}  ({} to {})", short(p.estimate.value), short(p.estimate.lower), short(p.estimate.upper));
    write(area, &words, &style(SMALL, INK), (RIGHT + 40, y - 14))?;
    let known = format!("± {:.0} % of the range", 100.0 * p.half_width_share);
    write(area, &known, &style(SMALL, MUTED), (RIGHT + 40, y + 14))
}
