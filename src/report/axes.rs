//! A plain pair of axes: ticks at round values, light grid, units in the titles.

use super::lettering::{AXIS, Anchor, GRID_LINE, SMALL, line, style, write};
use super::palette::{INK, MUTED, number, ticks};
use super::sheet::{Area, DrawError};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontTransform, TextStyle};

/// The range of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Span {
    /// From 0 … or any other value.
    Linear(f64, f64),
    /// Powers of ten between two exponents.
    Decades(i32, i32),
}

/// Axes on a sheet: the plotting rectangle in px and what it spans.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axes {
    pub left: i32,
    pub top: i32,
    pub right: i32,
    pub bottom: i32,
    pub x: Span,
    pub y: Span,
}

impl Span {
    /// 0 at the low end, 1 at the high end.
    fn share(self, value: f64) -> f64 {
        match self {
            Self::Linear(low, high) => (value - low) / (high - low),
            Self::Decades(low, high) => (value.max(1e-300).log10() - f64::from(low)) / f64::from(high - low),
        }
    }

    /// Round values with their words.
    fn marks(self, count: usize) -> Vec<(f64, String)> {
        match self {
            Self::Linear(low, high) => {
                let all = ticks(high - low, count);
                let step = all.get(1).copied().unwrap_or(1.0);
                let first = (low / step - 1e-9).ceil() * step;
                let values = (0..=all.len()).map(|i| first + i as f64 * step);
                values.take_while(|v| *v <= high + 1e-9 * step).map(|v| (v, number(v, step))).collect()
            }
            Self::Decades(low, high) => (low..=high)
                .map(|e| {
                    (
                        10_f64.powi(e),
                        if e >= 0 {
                            format!("{}", 10_i64.pow(e as u32))
                        } else {
                            number(10_f64.powi(e), 10_f64.powi(e))
                        },
                    )
                })
                .collect(),
        }
    }
}

impl Axes {
    /// The pixel of a value.
    pub(super) fn at(&self, x: f64, y: f64) -> (i32, i32) {
        let across = f64::from(self.right - self.left) * self.x.share(x).clamp(-0.5, 1.5);
        let up = f64::from(self.bottom - self.top) * self.y.share(y).clamp(-0.5, 1.5);
        (self.left + across.round() as i32, self.bottom - up.round() as i32)
    }

    /// Grid, axes and numbers; numbers only where wanted, so that neighbouring panels can share them.
    pub(super) fn draw(&self, area: &Area<'_>, numbers_below: bool, numbers_left: bool) -> Result<(), DrawError> {
        let columns = ((self.right - self.left) / 110).clamp(3, 9) as usize;
        let rows = ((self.bottom - self.top) / 70).clamp(2, 7) as usize;
        for (value, words) in self.y.marks(rows) {
            let (_, y) = self.at(0.0, value);
            line(area, vec![(self.left, y), (self.right, y)], GRID_LINE, 1)?;
            if numbers_left {
                write(area, &words, &style(SMALL, INK).to_the_right(), (self.left - 12, y))?;
            }
        }
        for (value, words) in self.x.marks(columns) {
            let (x, _) = self.at(value, 0.0);
            line(area, vec![(x, self.bottom), (x, self.bottom + 7)], AXIS, 2)?;
            if numbers_below {
                write(area, &words, &style(SMALL, INK).centred(), (x, self.bottom + 24))?;
            }
        }
        line(area, vec![(self.left, self.bottom), (self.right, self.bottom)], AXIS, 2)
    }

    /// Title of the horizontal axis, below its numbers.
    pub(super) fn name_x(&self, area: &Area<'_>, name: &str) -> Result<(), DrawError> {
        let middle = (self.left + self.right) / 2;
        write(area, name, &style(SMALL, MUTED).centred(), (middle, self.bottom + 56))
    }

    /// Title of the vertical axis, turned, `distance` px left of it.
    pub(super) fn name_y(&self, area: &Area<'_>, name: &str, distance: i32) -> Result<(), DrawError> {
        let at = (self.left - distance, (self.top + self.bottom) / 2);
        write(area, name, &turned(), at)
    }
}

/// Upright letters read from below.
pub(super) fn turned() -> TextStyle<'static> {
    style(SMALL, MUTED).transform(FontTransform::Rotate270).pos(Pos::new(HPos::Center, VPos::Center))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_land_where_the_axes_say() {
        let axes =
            Axes { left: 100, top: 50, right: 300, bottom: 250, x: Span::Linear(0.0, 10.0), y: Span::Decades(-2, 2) };
        assert_eq!(axes.at(5.0, 1.0), (200, 150));
        assert_eq!(axes.at(0.0, 0.01), (100, 250));
        let marks: Vec<String> = axes.y.marks(5).into_iter().map(|(_, words)| words).collect();
        assert_eq!(marks, ["0.01", "0.1", "1", "10", "100"]);
        assert_eq!(Span::Linear(-0.3, 1.0).marks(4).first().map(|m| m.0), Some(0.0));
    }
}
