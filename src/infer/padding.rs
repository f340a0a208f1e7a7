//! Pictures of any size to tensors whose sides the model accepts, and back.

use ndarray::{Array2, Array3, Array4, ArrayView2, ArrayView4, ArrayViewMut2, ArrayViewMut4, Axis, s};

/// The smallest multiple of `multiple` that is not below `length`.
pub(super) fn padded_length(length: usize, multiple: usize) -> usize {
    length.div_ceil(multiple) * multiple
}

/// How pixels beyond the picture are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fill {
    /// With the nearest pixel of the picture, so that no edge appears.
    Edge,
    /// With zeros: nothing is there.
    Zero,
}

/// Lays planes (channel `c` of request `b` is `planes[b][c]`) into `target` `[B, C, height, width]`, padded right and
/// below; requests that `target` has room for besides become zeros.
pub(super) fn lay(planes: &[Vec<ArrayView2<'_, f32>>], mut target: ArrayViewMut4<'_, f32>, fill: Fill) {
    for (b, mut request) in target.outer_iter_mut().enumerate() {
        let Some(planes) = planes.get(b) else {
            request.fill(0.0);
            continue;
        };
        for (mut whole, plane) in request.outer_iter_mut().zip(planes) {
            lay_plane(&mut whole, plane, fill);
        }
    }
}

fn lay_plane(whole: &mut ArrayViewMut2<'_, f32>, plane: &ArrayView2<'_, f32>, fill: Fill) {
    let (h, w) = plane.dim();
    whole.slice_mut(s![..h, ..w]).assign(plane);
    if fill == Fill::Zero {
        whole.slice_mut(s![..h, w..]).fill(0.0);
        whole.slice_mut(s![h.., ..]).fill(0.0);
        return;
    }
    for (mut row, values) in whole.outer_iter_mut().zip(plane.outer_iter()) {
        row.slice_mut(s![w..]).fill(values[w - 1]);
    }
    let (upper, mut below) = whole.view_mut().split_at(Axis(0), h);
    below.outer_iter_mut().for_each(|mut row| row.assign(&upper.row(h - 1)));
}

/// [`lay`] into a new array.
pub(super) fn stack(planes: &[Vec<ArrayView2<'_, f32>>], height: usize, width: usize, fill: Fill) -> Array4<f32> {
    let channels = planes.first().map_or(0, Vec::len);
    let mut stacked = Array4::zeros((planes.len(), channels, height, width));
    lay(planes, stacked.view_mut(), fill);
    stacked
}

/// Channel `c` of request `b`, cropped to `size`.
pub(super) fn crop_plane(stacked: &ArrayView4<'_, f32>, b: usize, c: usize, size: (usize, usize)) -> Array2<f32> {
    stacked.slice(s![b, c, ..size.0, ..size.1]).to_owned()
}

/// All channels of request `b`, cropped to `size`.
pub(super) fn crop_planes(stacked: &ArrayView4<'_, f32>, b: usize, size: (usize, usize)) -> Array3<f32> {
    stacked.slice(s![b, .., ..size.0, ..size.1]).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn edge_padding_repeats_the_nearest_pixel_and_cropping_undoes_it() {
        let plane = array![[1.0_f32, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let stacked = stack(&[vec![plane.view()]], 4, 4, Fill::Edge);
        let expected = array![[1.0, 2.0, 3.0, 3.0], [4.0, 5.0, 6.0, 6.0], [4.0, 5.0, 6.0, 6.0], [4.0, 5.0, 6.0, 6.0]];
        assert_eq!(stacked.slice(s![0, 0, .., ..]), expected);
        assert_eq!(crop_plane(&stacked.view(), 0, 0, (2, 3)), plane);
    }

    #[test]
    fn zero_padding_says_that_nothing_is_there() {
        let plane = array![[1.0_f32]];
        assert_eq!(stack(&[vec![plane.view()]], 2, 2, Fill::Zero).sum(), 1.0);
    }

    #[test]
    fn room_that_no_request_takes_is_cleared() {
        let plane = array![[1.0_f32, 2.0]];
        let mut target = Array4::from_elem((2, 1, 2, 4), 7.0);
        lay(&[vec![plane.view()]], target.view_mut(), Fill::Zero);
        assert_eq!(target.slice(s![0, 0, .., ..]), array![[1.0_f32, 2.0, 0.0, 0.0], [0.0; 4]]);
        assert_eq!(target.slice(s![1, .., .., ..]).sum(), 0.0);
    }

    #[test]
    fn lengths_grow_to_the_next_multiple_only() {
        assert_eq!([1, 7, 8, 9, 16].map(|n| padded_length(n, 8)), [8, 8, 8, 16, 16]);
    }
}
