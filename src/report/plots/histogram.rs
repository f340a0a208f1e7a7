//! How large the residuals are, before the first contact and after it, with the noise floor.

use plotters::element::Polygon;
use plotters::style::Color;

use super::{Plot, failed};
use crate::domain::NoiseFloor;
use crate::report::ReportError;
use crate::report::axes::{Axes, Span};
use crate::report::lettering::{
    Anchor, HEADLINE, LIMIT_LINE, MARGIN, SMALL, Swatch, WIDE, bold, dashed, headline, legend, line, style, title,
    trimmed, write,
};
use crate::report::palette::{CANNOT_TELL, INK, MEASURED, nice_above};
use crate::report::scene::Scene;
use crate::report::sheet::{Area, DrawError, Sheet};

/// Bins to the right of this share of all residuals are put into the last one: a long tail would hide the rest.
const TAIL: f64 = 0.02;

pub(super) fn draw(scene: &Scene<'_>) -> Result<Plot, ReportError> {
    let noise = &scene.review.noise_floor;
    let (quiet, later) = (shares(&noise.histogram_quiet), shares(&noise.histogram_all));
    let bins = shown_bins(&later).max(shown_bins(&quiet)).max(8);
    let (quiet, later) = (folded(&quiet, bins), folded(&later, bins));
    let least = quiet.iter().chain(&later).filter(|v| **v > 0.0).fold(1.0_f64, |a, b| a.min(*b));
    let right = bins as f64 * NoiseFloor::BIN_PX;
    let step = nice_above(right / 8.0);
    let axes = Axes {
        left: MARGIN + 100,
        top: 164,
        right: WIDE.0 as i32 - MARGIN - 20,
        bottom: WIDE.1 as i32 - 84,
        x: Span::Linear(0.0, (right / step).ceil() * step),
        y: Span::Decades((least.log10().floor() as i32).clamp(-3, 1), 2),
    };
    let mut sheet = Sheet::new(WIDE.0, WIDE.1);
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        let headline = headline(&area, &scene.review.test_id, "residuals and the noise floor", HEADLINE)?;
        title(&area, &headline, &floor_words(noise))?;
        axes.draw(&area, true, true)?;
        axes.name_x(&area, "residual between predicted and real picture in px (the last bin holds all larger ones)")?;
        axes.name_y(&area, "share of residuals in %", 92)?;
        steps(&area, &axes, &quiet, CANNOT_TELL, 0.35)?;
        steps(&area, &axes, &later, MEASURED, 0.0)?;
        tail_words(&area, &axes, &later)?;
        floor_line(&area, &axes, noise)?;
        let later = (Swatch::Stroke(MEASURED), "all later frames");
        let quiet = (Swatch::Stroke(CANNOT_TELL), "quiet frames, before the first contact");
        let entries = if noise.quiet_frames == 0 { vec![later] } else { vec![quiet, later] };
        legend(&area, (WIDE.0 as i32 - 560, 176), &entries)
    };
    letter().map_err(failed("the histogram of residuals"))?;
    drop(area);
    Ok(Plot {
        name: "residual_histogram".to_owned(),
        title: "Residuals and the noise floor".to_owned(),
        caption: if noise.quiet_frames == 0 {
            "No frame lies before the first contact: the measurement's own noise was not measured.".to_owned()
        } else {
            format!(
                "Residuals in the quiet frames are the measurement's own noise (95 % below {:.3} px); what lies to the \
                 right of it in the later frames is deviation.",
                noise.p95_px
            )
        },
        sheet,
    })
}

/// The noise floor in a line.
fn floor_words(noise: &NoiseFloor) -> String {
    if noise.quiet_frames == 0 {
        return "Noise floor not measured: no picture before the contact".to_owned();
    }
    format!(
        "Noise floor from {} quiet frames: median {:.3} px, 95 % below {:.3} px = {:.2} mm",
        noise.quiet_frames, noise.median_px, noise.p95_px, noise.p95_mm
    )
}

/// Counts as per cent of their sum.
fn shares(counts: &[u64]) -> Vec<f64> {
    let sum: u64 = counts.iter().sum();
    counts.iter().map(|c| 100.0 * *c as f64 / sum.max(1) as f64).collect()
}

/// Bins that hold all but [`TAIL`] of the residuals.
fn shown_bins(shares: &[f64]) -> usize {
    let mut left = 0.0;
    let tail = shares.iter().rev().take_while(|s| {
        left += **s;
        left <= 100.0 * TAIL
    });
    shares.len() - tail.count()
}

/// The first `bins` shares, with everything beyond added to the last one.
fn folded(shares: &[f64], bins: usize) -> Vec<f64> {
    let mut folded: Vec<f64> = shares.iter().copied().take(bins).collect();
    folded.resize(bins, 0.0);
    folded[bins - 1] += shares.iter().skip(bins).sum::<f64>();
    folded
}

/// A stepped line over the bins, filled below with `shade`.
fn steps(
    area: &Area<'_>,
    axes: &Axes,
    shares: &[f64],
    colour: plotters::style::RGBColor,
    shade: f64,
) -> Result<(), DrawError> {
    if shares.iter().all(|s| *s <= 0.0) {
        return Ok(());
    }
    let mut points = vec![(axes.left, axes.bottom)];
    let end = shares.iter().rposition(|s| *s > 0.0).map_or(0, |last| last + 1);
    for (i, share) in shares[..end].iter().enumerate() {
        let y = axes.at(0.0, *share).1.min(axes.bottom);
        for edge in [i, i + 1] {
            points.push((axes.at(edge as f64 * NoiseFloor::BIN_PX, 1.0).0, y));
        }
    }
    points.push((points[points.len() - 1].0, axes.bottom));
    if shade > 0.0 {
        area.draw(&Polygon::new(points.clone(), colour.mix(shade)))?;
    }
    line(area, points, colour, 3)
}

/// Says what the last bin holds, when it stands out.
fn tail_words(area: &Area<'_>, axes: &Axes, shares: &[f64]) -> Result<(), DrawError> {
    let [.., before, last] = shares else { return Ok(()) };
    if *last <= 3.0 * before {
        return Ok(());
    }
    let from = (shares.len() - 1) as f64 * NoiseFloor::BIN_PX;
    let (x, y) = axes.at(from, *last);
    let words = format!("{last:.1} % above {} px", trimmed(from));
    write(area, &words, &style(SMALL, INK).to_the_right(), (x.min(axes.right) + 10, y - 18))
}

fn floor_line(area: &Area<'_>, axes: &Axes, noise: &NoiseFloor) -> Result<(), DrawError> {
    if !noise.p95_px.is_finite() || noise.quiet_frames == 0 {
        return Ok(());
    }
    let x = axes.at(noise.p95_px, 1.0).0.min(axes.right);
    dashed(area, (x, axes.top - 36), (x, axes.bottom), LIMIT_LINE, 3)?;
    write(area, &format!("noise floor {:.3} px", noise.p95_px), &bold(SMALL, INK), (x + 10, axes.top - 24))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_tail_is_folded_into_the_last_bin_without_loss() {
        let mut counts = vec![1000_u64, 500, 100, 60];
        counts.extend([0; 200]);
        counts.push(2);
        let all = shares(&counts);
        let bins = shown_bins(&all);
        assert_eq!(bins, 4);
        let folded = folded(&all, bins);
        assert!((folded.iter().sum::<f64>() - 100.0).abs() < 1e-9);
    }
}
