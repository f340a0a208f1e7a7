//! The rectangle of a picture that is worth looking at: a specimen rarely fills more than half of it.

use std::ops::Range;

use ndarray::{Array2, s};

/// Sides are whole multiples of this, px, where the picture is large enough: a model is then run with few sizes.
const STEP_PX: usize = 32;

/// A rectangle of pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// From the first row to behind the last.
    pub rows: Range<usize>,
    /// From the first column to behind the last.
    pub columns: Range<usize>,
}

impl Window {
    /// The smallest window that holds every pixel of `wanted` with `margin_px` around it, as far as the picture goes;
    /// `None` when no pixel is wanted.
    #[must_use]
    pub fn around(wanted: &Array2<bool>, margin_px: usize) -> Option<Self> {
        let row_of = |r: usize| wanted.row(r).iter().any(|w| *w);
        let (h, w) = wanted.dim();
        let first = (0..h).find(|r| row_of(*r))?;
        let last = (first..h).rev().find(|r| row_of(*r))?;
        let (mut left, mut right) = (w, 0);
        for row in wanted.slice(s![first..=last, ..]).rows() {
            left = row.iter().take(left).position(|w| *w).unwrap_or(left);
            right = row.iter().rposition(|w| *w).unwrap_or(0).max(right);
        }
        Some(Self { rows: widened(first..last + 1, margin_px, h), columns: widened(left..right + 1, margin_px, w) })
    }

    /// What `picture` shows in the window.
    #[must_use]
    pub fn cut<T: Clone>(&self, picture: &Array2<T>) -> Array2<T> {
        picture.slice(s![self.rows.clone(), self.columns.clone()]).to_owned()
    }
}

/// `range` with `margin` on both sides, then up to a whole number of [`STEP_PX`], within `0..length`.
fn widened(range: Range<usize>, margin: usize, length: usize) -> Range<usize> {
    let (start, end) = (range.start.saturating_sub(margin), (range.end + margin).min(length));
    let wanted = (end - start).next_multiple_of(STEP_PX).min(length);
    let start = start.min(length - wanted);
    start..start + wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_what_is_wanted_and_ends_at_the_rim() {
        let mut wanted = Array2::from_elem((200, 300), false);
        assert_eq!(Window::around(&wanted, 10), None);
        wanted[(100, 150)] = true;
        wanted[(110, 140)] = true;
        let window = Window::around(&wanted, 10).expect("two pixels are wanted");
        assert_eq!((window.rows, window.columns), (90..122, 130..162));
        wanted[(199, 299)] = true;
        let window = Window::around(&wanted, 10).expect("three pixels are wanted");
        assert_eq!((window.rows, window.columns), (72..200, 108..300));
        let whole = Window::around(&wanted, 500).expect("three pixels are wanted");
        assert_eq!((whole.rows, whole.columns), (0..200, 0..300));
    }

    #[test]
    fn a_cut_begins_where_the_window_does() {
        let picture = Array2::from_shape_fn((40, 50), |(r, c)| 100 * r + c);
        let cut = Window { rows: 3..9, columns: 7..11 }.cut(&picture);
        assert_eq!((cut.dim(), cut[(0, 0)], cut[(5, 3)]), ((6, 4), 307, 810));
    }
}
