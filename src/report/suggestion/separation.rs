//! What the film can separate: the eigenvectors of the information, one column each.

use plotters::style::RGBColor;

use super::failed;
use crate::domain::Suggestion;
use crate::report::ReportError;
use crate::report::lettering::{
    Anchor, HEADLINE, MARGIN, SMALL, WIDE, bold, filled, fitted, headline, style, title, write,
};
use crate::report::palette::{INK, MUTED};
use crate::report::plots::Plot;
use crate::report::sheet::{Area, DrawError, Sheet};

const LEFT: i32 = 430;
const TOP: i32 = 220;
const ROW: i32 = 84;

pub(super) fn draw(s: &Suggestion) -> Result<Plot, ReportError> {
    let rows = s.parameters.len() as i32;
    let mut sheet = Sheet::new(WIDE.0, (TOP + ROW * rows + 60).max(450) as u32);
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        let below = "Columns: independent directions, best known first; numbers: weight of each parameter, in ranges";
        title(&area, &headline(&area, &s.test_id, "what the film separates", HEADLINE)?, below)?;
        let width = (WIDE.0 as i32 - LEFT - MARGIN) / s.directions.len().max(1) as i32;
        for (index, p) in s.parameters.iter().enumerate() {
            let y = TOP + ROW * index as i32 + ROW / 2;
            let name = fitted(&area, &p.parameter.name, &bold(SMALL, INK), LEFT - MARGIN - 20)?;
            write(&area, &name, &bold(SMALL, INK), (MARGIN, y))?;
        }
        write(&area, "sigma, share of range", &style(SMALL, MUTED), (MARGIN, TOP - 40))?;
        for column in 0..s.directions.len() {
            direction(&area, s, column, width)?;
        }
        Ok(())
    };
    letter().map_err(failed("what the film separates"))?;
    drop(area);
    Ok(Plot {
        name: "identifiability".to_owned(),
        title: "What the film separates".to_owned(),
        caption: "Eigenvectors of the film's information about the parameters. A column with a small sigma and one strong row \
                  is a parameter that the film knows; a column with several strong rows is a combination; a column whose \
                  sigma is above 29 % (what the bounds alone say) cannot be told."
            .to_owned(),
        sheet,
    })
}

fn direction(area: &Area<'_>, s: &Suggestion, column: usize, width: i32) -> Result<(), DrawError> {
    let d = &s.directions[column];
    let x = LEFT + width * column as i32;
    let sigma = if d.sigma_share > 0.999 { "> 100 %".to_owned() } else { format!("{:.0} %", 100.0 * d.sigma_share) };
    write(area, &sigma, &bold(SMALL, INK).centred(), (x + width / 2, TOP - 40))?;
    for (index, weight) in d.weights.iter().enumerate() {
        let y = TOP + ROW * index as i32;
        filled(area, (x + 4, y + 4), (x + width - 4, y + ROW - 4), colour(*weight))?;
        let ink = if weight.abs() > 0.6 { RGBColor(0xfe, 0xfe, 0xfe) } else { RGBColor(0x1b, 0x1b, 0x1b) };
        write(area, &format!("{weight:+.2}"), &style(SMALL, ink).centred(), (x + width / 2, y + ROW / 2))?;
    }
    Ok(())
}

/// Blue for more, vermillion for less, paper for nothing; the same strength for the same size.
fn colour(weight: f64) -> RGBColor {
    let end = if weight >= 0.0 { [0.0, 114.0, 178.0] } else { [213.0, 94.0, 0.0] };
    let share = weight.abs().min(1.0);
    let [r, g, b] = end.map(|c| (244.0 + (c - 244.0) * share) as u8);
    RGBColor(r, g, b)
}
