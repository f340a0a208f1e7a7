//! Pixels that show something else than the specimen, although the mesh lies under them: an impactor or a fixture in
//! front of it, which no simulation mesh contains.
//!
//! Before the first contact the specimen stands still and the impactor flies: whatever moves in the quiet frames in
//! front of the mesh is not the mesh. Its look must not be carried along as the specimen's.

use ndarray::{Array2, Zip};

use crate::vision::{PatchMatcher, PicturePair, ResidualEstimator, VisionError};

/// Something that moved by more than this is not at rest, px.
const MOVED_PX: f32 = 0.6;
/// A patch that correlates less than this with itself at rest has changed.
const CHANGED_ZNCC: f32 = 0.5;
/// Half the side of the neighbourhood that is distrusted with a moving point, px: a patch's half side and a bit.
const SPREAD: usize = 9;
/// Distance between examined pixels.
const STRIDE: usize = 4;

/// Marks what differs between the quiet frames `first` and `later`; true where the look is the specimen's.
///
/// `covered` says which pixels show the mesh.
///
/// # Errors
/// When the estimator fails.
pub(super) fn trusted_at_rest(
    first: &Array2<f32>,
    later: &Array2<f32>,
    covered: &Array2<bool>,
    estimator: &dyn ResidualEstimator,
) -> Result<Array2<bool>, VisionError> {
    let visible = Array2::ones(first.dim());
    let dense = estimator.estimate(PicturePair { predicted: first, real: later, visible: &visible })?;
    let matcher = PatchMatcher::new(first, later);
    let (h, w) = first.dim();
    let mut trusted = Array2::from_elem((h, w), true);
    for row in (STRIDE..h.saturating_sub(STRIDE)).step_by(STRIDE) {
        for column in (STRIDE..w.saturating_sub(STRIDE)).step_by(STRIDE) {
            if !covered[(row, column)] {
                continue;
            }
            let flow = [dense.flow[(0, row, column)], dense.flow[(1, row, column)]];
            let still = matcher.refine(row, column, [0.0; 2], |_, _| true);
            let rests = still.is_some_and(|m| m.zncc > CHANGED_ZNCC && m.shift[0].hypot(m.shift[1]) < MOVED_PX);
            let moves = dense.present[(row, column)] > 0.5 && flow[0].hypot(flow[1]) > MOVED_PX;
            // A patch without texture is neither: its look says nothing, so it does no harm.
            let has_texture = matcher.contrast(row, column) > 0.03;
            if has_texture && moves && !rests {
                spread(&mut trusted, row, column);
            }
        }
    }
    Ok(trusted)
}

pub(super) fn spread(trusted: &mut Array2<bool>, row: usize, column: usize) {
    let (h, w) = trusted.dim();
    for r in row.saturating_sub(SPREAD)..(row + SPREAD + 1).min(h) {
        for c in column.saturating_sub(SPREAD)..(column + SPREAD + 1).min(w) {
            trusted[(r, c)] = false;
        }
    }
}

/// Pixels trusted in both.
pub(super) fn both(a: &mut Array2<bool>, b: &Array2<bool>) {
    Zip::from(a).and(b).for_each(|a, b| *a &= *b);
}
