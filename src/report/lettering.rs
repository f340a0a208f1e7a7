//! What all plots share: titles, words, labels on pictures, colour bars, axes.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::font::FAMILY;
use super::paint::cover;
use super::palette::{GRID, INK, LIMIT, MISMATCH, MUTED, PAPER, number, ticks, viridis};
use super::sheet::{Area, DrawError};

/// Size of a plot: a slide of 16:9.
pub(super) const WIDE: (u32, u32) = (1600, 900);
/// Line heights, px.
pub(super) const TITLE: f64 = 36.0;
pub(super) const TEXT: f64 = 25.0;
pub(super) const SMALL: f64 = 22.0;
/// Left edge of what a plot shows.
pub(super) const MARGIN: i32 = 40;
/// Where the content starts below title and subtitle.
pub(super) const CONTENT_TOP: i32 = 112;

pub(super) fn style(size: f64, colour: RGBColor) -> TextStyle<'static> {
    coloured(TextStyle::from((FAMILY, size)), colour)
}

pub(super) fn bold(size: f64, colour: RGBColor) -> TextStyle<'static> {
    coloured(TextStyle::from((FAMILY, size, FontStyle::Bold)), colour)
}

/// plotters ties a style to the life of its colour's type; setting the field leaves it free.
fn coloured(mut style: TextStyle<'static>, colour: RGBColor) -> TextStyle<'static> {
    style.color = colour.to_backend_color();
    style.pos(Pos::new(HPos::Left, VPos::Center))
}

pub(super) trait Anchor {
    fn centred(self) -> Self;
    fn to_the_right(self) -> Self;
}

impl Anchor for TextStyle<'static> {
    fn centred(self) -> Self {
        self.pos(Pos::new(HPos::Center, VPos::Center))
    }

    fn to_the_right(self) -> Self {
        self.pos(Pos::new(HPos::Right, VPos::Center))
    }
}

pub(super) fn write(area: &Area<'_>, text: &str, style: &TextStyle<'_>, at: (i32, i32)) -> Result<(), DrawError> {
    area.draw(&Text::new(text.to_owned(), at, style.clone()))
}

/// Room for a headline with nothing beside it, px.
pub(super) const HEADLINE: i32 = WIDE.0 as i32 - 2 * MARGIN;

/// "subject · what" in at most `width` px: a long name of a test gives way.
pub(super) fn headline(area: &Area<'_>, subject: &str, what: &str, width: i32) -> Result<String, DrawError> {
    let letters = bold(TITLE, INK);
    let what = format!(" · {what}");
    let (taken, _) = area.estimate_text_size(&what, &letters)?;
    Ok(fitted(area, subject, &letters, width - taken as i32)? + &what)
}

/// Headline and the line below it.
pub(super) fn title(area: &Area<'_>, headline: &str, below: &str) -> Result<(), DrawError> {
    write(area, headline, &bold(TITLE, INK), (MARGIN, 40))?;
    write(area, below, &style(TEXT, MUTED), (MARGIN, 82))
}

/// A line of `width` px.
pub(super) fn line(area: &Area<'_>, points: Vec<(i32, i32)>, colour: RGBColor, width: u32) -> Result<(), DrawError> {
    area.draw(&PathElement::new(points, ShapeStyle::from(&colour).stroke_width(width)))
}

pub(super) fn filled(area: &Area<'_>, from: (i32, i32), to: (i32, i32), colour: RGBColor) -> Result<(), DrawError> {
    area.draw(&Rectangle::new([from, to], colour.filled()))
}

/// A small filled label with white or dark letters, its left edge and middle at `at`; returns its width.
pub(super) fn badge(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    ground: RGBColor,
    ink: RGBColor,
) -> Result<i32, DrawError> {
    let letters = bold(SMALL, ink);
    let (width, _) = area.estimate_text_size(text, &letters)?;
    let width = width as i32 + 16;
    filled(area, (at.0, at.1 - 15), (at.0 + width, at.1 + 15), ground)?;
    write(area, text, &letters.centred(), (at.0 + width / 2, at.1))?;
    Ok(width)
}

/// `text` cut to `width` px with an ellipsis in its middle: names of parts tell them apart at both ends.
pub(super) fn fitted(area: &Area<'_>, text: &str, style: &TextStyle<'_>, width: i32) -> Result<String, DrawError> {
    let wide = |t: &str| area.estimate_text_size(t, style).map(|(w, _)| w as i32);
    if wide(text)? <= width {
        return Ok(text.to_owned());
    }
    let letters: Vec<char> = text.chars().collect();
    for keep in (1..letters.len()).rev() {
        let (front, back) = (keep.div_ceil(2), keep / 2);
        let (front, back) = (&letters[..front], &letters[letters.len() - back..]);
        let cut: String = front.iter().chain(&['…']).chain(back).collect();
        if wide(&cut)? <= width {
            return Ok(cut);
        }
    }
    Ok("…".to_owned())
}

/// What a colour bar shows.
pub(super) struct ColourBar {
    /// Left edge and top, px.
    pub at: (i32, i32),
    pub height: i32,
    /// Value at its top, mm.
    pub top_mm: f64,
    /// Marked with a line and its value when `named`.
    pub tolerance_mm: f64,
    /// Whether there is room for the tolerance's words.
    pub named: bool,
    /// Whether small values are drawn see-through, as over a picture.
    pub over_picture: bool,
}

/// A vertical scale of the deviation in mm, with the tolerance marked.
pub(super) fn colour_bar(area: &Area<'_>, bar: &ColourBar) -> Result<(), DrawError> {
    const WIDTH: i32 = 34;
    let (x, y) = bar.at;
    let row_of = |mm: f64| y + bar.height - (mm / bar.top_mm * f64::from(bar.height)).round() as i32;
    // Each row overlaps the next one, so that no seam shows where a viewer scales the drawing.
    for row in 0..bar.height {
        let mm = f64::from(bar.height - row) / f64::from(bar.height) * bar.top_mm;
        let share = if bar.over_picture { cover(mm, bar.tolerance_mm) / cover(1.0, 1.0) } else { 1.0 };
        // Over a picture the ground is grey on average; the bar shows the same mixture.
        let mixed = viridis((mm / bar.top_mm) as f32).map(|c| c * share + 190.0 * (1.0 - share));
        let [r, g, b] = mixed.map(|c| c as u8);
        filled(area, (x, y + row), (x + WIDTH, y + (row + 2).min(bar.height)), RGBColor(r, g, b))?;
    }
    area.draw(&Rectangle::new([(x, y), (x + WIDTH, y + bar.height)], MUTED))?;
    let values = ticks(bar.top_mm, 6);
    let step = values.get(1).copied().unwrap_or(1.0);
    for mm in &values {
        let row = row_of(*mm);
        line(area, vec![(x + WIDTH, row), (x + WIDTH + 8, row)], INK, 1)?;
        write(area, &number(*mm, step), &style(SMALL, INK), (x + WIDTH + 14, row))?;
    }
    write(area, "Deviation in mm", &style(SMALL, INK), (x, y - 24))?;
    if bar.tolerance_mm <= bar.top_mm {
        let row = row_of(bar.tolerance_mm);
        line(area, vec![(x - 8, row), (x + WIDTH + 8, row)], MISMATCH, 3)?;
        if bar.named {
            let label = format!("tolerance {} mm", trimmed(bar.tolerance_mm));
            write(area, &label, &bold(SMALL, MISMATCH), (x + WIDTH + 62, row))?;
        }
    }
    Ok(())
}

/// A number with at most two decimals and no empty ones.
pub(super) fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A round-ended set of words for a legend: a swatch and its meaning, one below the other.
pub(super) fn legend(area: &Area<'_>, at: (i32, i32), entries: &[(Swatch, &str)]) -> Result<(), DrawError> {
    for (i, (swatch, meaning)) in entries.iter().enumerate() {
        let (x, y) = (at.0, at.1 + 36 * i as i32);
        match swatch {
            Swatch::Frame(colour) => {
                let frame = ShapeStyle::from(colour).stroke_width(4);
                area.draw(&Rectangle::new([(x + 2, y - 9), (x + 32, y + 9)], frame))?;
            }
            Swatch::Dashes(colour) => {
                for row in [y - 9, y + 9] {
                    for start in [x, x + 13, x + 26] {
                        line(area, vec![(start, row), (start + 8, row)], *colour, 4)?;
                    }
                }
            }
            Swatch::Box(colour) => {
                filled(area, (x, y - 11), (x + 34, y + 11), *colour)?;
                area.draw(&Rectangle::new([(x, y - 11), (x + 34, y + 11)], MUTED))?;
            }
            Swatch::Hatch => {
                filled(area, (x, y - 11), (x + 34, y + 11), RGBColor(150, 150, 150))?;
                for i in 0..4 {
                    line(area, vec![(x + 1 + 8 * i, y + 11), (x + 9 + 8 * i, y - 11)], PAPER, 3)?;
                }
            }
            Swatch::Stripes => {
                filled(area, (x, y - 11), (x + 34, y + 11), RGBColor(206, 206, 206))?;
                let [r, g, b] = viridis(0.6).map(|c| c as u8);
                for i in 0..4 {
                    line(area, vec![(x + 1 + 8 * i, y - 10), (x + 9 + 8 * i, y + 10)], RGBColor(r, g, b), 4)?;
                }
            }
            Swatch::Stroke(colour) => line(area, vec![(x, y), (x + 34, y)], *colour, 4)?,
            Swatch::Dot(colour) => area.draw(&Circle::new((x + 17, y), 6, colour.filled()))?,
            Swatch::Upright(colour) => line(area, vec![(x + 17, y - 13), (x + 17, y + 13)], *colour, 4)?,
            Swatch::Diamond(colour) => {
                let corners = vec![(x + 17, y - 11), (x + 28, y), (x + 17, y + 11), (x + 6, y)];
                area.draw(&Polygon::new(corners, colour))?;
            }
            Swatch::Shades(colour) => {
                for (i, share) in [0.25, 0.5, 0.75, 1.0].into_iter().enumerate() {
                    let left = x + 9 * i as i32;
                    area.draw(&Rectangle::new([(left, y - 9), (left + 9, y + 9)], colour.mix(share).filled()))?;
                }
            }
        }
        write(area, meaning, &style(SMALL, INK), (x + 46, y))?;
    }
    Ok(())
}

/// The mark in a legend.
pub(super) enum Swatch {
    Frame(RGBColor),
    Dashes(RGBColor),
    Box(RGBColor),
    Hatch,
    /// What is estimated and not seen.
    Stripes,
    Stroke(RGBColor),
    Dot(RGBColor),
    Upright(RGBColor),
    Diamond(RGBColor),
    /// From pale to strong.
    Shades(RGBColor),
}

/// A dashed line between two points of a level or upright direction.
pub(super) fn dashed(
    area: &Area<'_>,
    from: (i32, i32),
    to: (i32, i32),
    colour: RGBColor,
    width: u32,
) -> Result<(), DrawError> {
    let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
    let length = dx.hypot(dy);
    let place = |s: f64| {
        let share = (s / length).min(1.0);
        (from.0 + (dx * share).round() as i32, from.1 + (dy * share).round() as i32)
    };
    let mut s = 0.0;
    while s < length {
        line(area, vec![place(s), place(s + 12.0)], colour, width)?;
        s += 20.0;
    }
    Ok(())
}

/// Colours of the axes for the plots that have some.
pub(super) const AXIS: RGBColor = MUTED;
pub(super) const GRID_LINE: RGBColor = GRID;
pub(super) const LIMIT_LINE: RGBColor = LIMIT;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sheet::Sheet;

    #[test]
    fn a_long_name_gives_way_in_a_headline_and_what_it_shows_stays() {
        const ROOM: i32 = 900;
        let mut sheet = Sheet::new(WIDE.0, WIDE.1);
        let area = sheet.area();
        let cut = |name: &str| headline(&area, name, "deviation over time by part", ROOM).expect("letters are there");
        assert_eq!(cut("T3"), "T3 · deviation over time by part");
        let long = cut("campaign-2026-11-bumper-series-B-left-hand-drive-0042");
        assert!(long.starts_with("camp") && long.contains("0042 · deviation over time by part"), "{long}");
        let (wide, _) = area.estimate_text_size(&long, &bold(TITLE, INK)).expect("letters are there");
        assert!(wide as i32 <= ROOM, "{wide} px");
    }
}
