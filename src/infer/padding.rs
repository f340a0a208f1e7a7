//! Pictures of any size to tensors whose sides the model accepts, and back.

use ndarray::{Array2, Array3, Array4, ArrayView2, ArrayView4, s};

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

/// Stacks planes (channel `c` of request `b` is `planes[b][c]`) to `[B, C, height, width]`, padded right and below.
pub(super) fn stack(planes: &[Vec<ArrayView2<'_, f32>>], height: usize, width: usize, fill: Fill) -> Array4<f32> {
    let channels = planes.first().map_or(0, Vec::len);
    let mut stacked = Array4::zeros((planes.len(), channels, height, width));
    for (b, request) in planes.iter().enumerate() {
        for (c, plane) in request.iter().enumerate() {
            let (h, w) = plane.dim();
            let mut target = stacked.slice_mut(s![b, c, .., ..]);
            target.slice_mut(s![..h, ..w]).assign(plane);
            if fill == Fill::Edge {
                for y in 0..h {
                    target.slice_mut(s![y, w..]).fill(plane[(y, w - 1)]);
                }
                let last = target.slice(s![h - 1, ..]).to_owned();
                for y in h..height {
                    target.slice_mut(s![y, ..]).assign(&last);
                }
            }
        }
    }
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
    fn lengths_grow_to_the_next_multiple_only() {
        assert_eq!([1, 7, 8, 9, 16].map(|n| padded_length(n, 8)), [8, 8, 8, 16, 16]);
    }
}
