//! The impactor's displacement in the film beside the simulation's, and by how much it went farther.

use plotters::element::{Circle, Polygon};
use plotters::style::Color;

use super::{Plot, failed};
use crate::domain::{Review, WayPoint};
use crate::report::ReportError;
use crate::report::axes::{Axes, Span};
use crate::report::lettering::{
    HEADLINE, MARGIN, SMALL, Swatch, WIDE, bold, dashed, headline, legend, line, style, title, write,
};
use crate::report::palette::{INK, MEASURED, MUTED, nice_above};
use crate::report::scene::Scene;
use crate::report::sheet::{Area, DrawError, Sheet};

/// Width of the band in sigmas.
const BAND: f64 = 2.0;
/// Fewer points are no way.
const FEWEST: usize = 3;

/// The points at which both ways are known.
pub(super) struct Ways(Vec<Both>);

/// The way in film and simulation at one film time.
struct Both {
    /// Film time, ms.
    time_ms: f64,
    seen_mm: f64,
    sigma_mm: f64,
    simulated_mm: f64,
}

impl Ways {
    /// The ways of a review; `None` where it did not follow an impactor.
    pub(super) fn of(review: &Review) -> Option<Self> {
        let both = |p: &WayPoint| {
            let (seen_mm, sigma_mm, simulated_mm) = (p.way_mm, p.sigma_mm, p.simulated_mm?);
            Some(Both { time_ms: p.time_s * 1e3, seen_mm, sigma_mm, simulated_mm })
        };
        let points: Vec<Both> = review.impactor.as_ref()?.way.iter().filter_map(both).collect();
        (points.len() >= FEWEST).then_some(Self(points))
    }

    fn times(&self) -> Span {
        Span::Linear(self.0[0].time_ms, self.0[self.0.len() - 1].time_ms)
    }
}

pub(super) fn draw(scene: &Scene<'_>, ways: &Ways) -> Result<Plot, ReportError> {
    let mut sheet = Sheet::new(WIDE.0, WIDE.1);
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        let headline = headline(&area, &scene.review.test_id, "impactor displacement", HEADLINE)?;
        title(&area, &headline, "How the film shows it, beside the simulation's")?;
        let right = WIDE.0 as i32 - MARGIN;
        let middle = right / 2 + 20;
        ways_panel(&area, ways, (MARGIN + 90, middle - 40))?;
        difference_panel(&area, ways, (middle + 90, right))
    };
    letter().map_err(failed("the impactor's displacement"))?;
    drop(area);
    Ok(Plot {
        name: "impactor_way".to_owned(),
        title: "Impactor displacement".to_owned(),
        caption: "Left: how far the impactor has come since it touched, in the film and in the simulation. Right: how \
                  much farther it is in the film, with two sigma. A line that rises from the contact on is another \
                  impact speed; one that bends later is a structure that yields more."
            .to_owned(),
        sheet,
    })
}

fn panel((left, right): (i32, i32), x: Span, y: Span) -> Axes {
    Axes { left, top: 224, right, bottom: WIDE.1 as i32 - 100, x, y }
}

/// A span of round values around all of `values`.
fn around(values: impl Iterator<Item = f64>) -> Span {
    /// So much of a step may lie outside: noise around zero needs no step of its own.
    const SPARE: f64 = 0.05;
    let (low, high) = values.fold((0.0_f64, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
    let step = nice_above((high - low).max(1e-3) / 5.0);
    let (bottom, top) = ((low / step + SPARE).floor(), (high / step - SPARE).ceil());
    Span::Linear(bottom * step, top.max(bottom + 1.0) * step)
}

fn frame(area: &Area<'_>, axes: &Axes, name: &str, unit: &str) -> Result<(), DrawError> {
    write(area, name, &bold(SMALL, INK), (axes.left, 128))?;
    axes.draw(area, true, true)?;
    axes.name_x(area, "time after the trigger in ms")?;
    axes.name_y(area, unit, 74)
}

fn ways_panel(area: &Area<'_>, ways: &Ways, place: (i32, i32)) -> Result<(), DrawError> {
    let axes = panel(place, ways.times(), around(ways.0.iter().flat_map(|p| [p.seen_mm, p.simulated_mm])));
    frame(area, &axes, "Displacement since it touched", "displacement in mm")?;
    legend(area, (axes.left, 158), &[(Swatch::Dot(MEASURED), "film"), (Swatch::Stroke(MUTED), "simulation")])?;
    line(area, ways.0.iter().map(|p| axes.at(p.time_ms, p.simulated_mm)).collect(), MUTED, 3)?;
    for p in &ways.0 {
        area.draw(&Circle::new(axes.at(p.time_ms, p.seen_mm), 6, MEASURED.filled()))?;
    }
    Ok(())
}

fn difference_panel(area: &Area<'_>, ways: &Ways, place: (i32, i32)) -> Result<(), DrawError> {
    let more = |p: &Both| p.seen_mm - p.simulated_mm;
    let ends = |p: &Both| [more(p) - BAND * p.sigma_mm, more(p) + BAND * p.sigma_mm];
    let axes = panel(place, ways.times(), around(ways.0.iter().flat_map(ends)));
    frame(area, &axes, "Film minus simulation", "difference in mm")?;
    let edge = |side: usize| ways.0.iter().map(move |p| axes.at(p.time_ms, ends(p)[side])).collect::<Vec<_>>();
    let (lower, mut upper) = (edge(0), edge(1));
    upper.reverse();
    area.draw(&Polygon::new([lower, upper].concat(), MEASURED.mix(0.25)))?;
    let level = axes.at(0.0, 0.0).1;
    dashed(area, (axes.left, level), (axes.right, level), INK, 2)?;
    line(area, ways.0.iter().map(|p| axes.at(p.time_ms, more(p))).collect(), MEASURED, 3)?;
    let last = &ways.0[ways.0.len() - 1];
    let words = format!("{:+.1} ± {:.1} mm at the end", more(last), last.sigma_mm);
    write(area, &words, &style(SMALL, INK), (axes.left, 158))
}
