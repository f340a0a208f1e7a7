//! Pixels of any source as luminance.

use std::path::Path;

use ndarray::Array2;

use crate::ingest::error::IngestError;
use crate::ingest::limits;

/// Weights of red, green and blue (Rec. ITU-R BT.601-7, section 2.5.1).
const REC_601: [f32; 3] = [0.299, 0.587, 0.114];

/// Luminance of one colour.
pub(in crate::ingest) fn luma_of_rgb(rgb: [f32; 3]) -> f32 {
    rgb.iter().zip(REC_601).map(|(v, w)| v * w).sum()
}

/// How the values of a picture lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) struct Layout {
    pub(in crate::ingest) height: usize,
    pub(in crate::ingest) width: usize,
    /// 1 for grey, 3 for red-green-blue.
    pub(in crate::ingest) channels: usize,
}

impl Layout {
    /// Refuses empty pictures and such that would not fit into memory.
    ///
    /// # Errors
    /// [`IngestError::Refused`] with the size.
    pub(in crate::ingest) fn check(&self, file: &Path, place: &str) -> Result<(), IngestError> {
        let Self { height, width, channels } = *self;
        if height == 0 || width == 0 {
            return Err(IngestError::refused(
                file,
                place,
                format_args!("pictures of {width} x {height} px"),
                "at least 1 x 1 px",
                "record the film again, or leave the camera out",
            ));
        }
        let count = height.saturating_mul(width).saturating_mul(channels);
        limits::check_window(file, place, count, size_of::<f32>())
    }
}

/// Luminance 0–1 of `values`, which count from 0 to `full_scale`; `[height, width]`;
/// `None` when the number of values does not fit the layout.
pub(in crate::ingest) fn luma<T: Copy + Into<f32>>(
    values: &[T],
    layout: Layout,
    full_scale: f32,
) -> Option<Array2<f32>> {
    let Layout { height, width, channels } = layout;
    if values.len() != height.checked_mul(width)?.checked_mul(channels)? {
        return None;
    }
    let scale = full_scale.recip();
    let grey: Vec<f32> = match channels {
        1 => values.iter().map(|v| (*v).into() * scale).collect(),
        3 => {
            let [r, g, b] = REC_601.map(|w| w * scale);
            values.chunks_exact(3).map(|c| c[0].into() * r + c[1].into() * g + c[2].into() * b).collect()
        }
        _ => return None,
    };
    Array2::from_shape_vec((height, width), grey).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_scale_is_one_in_grey_and_in_colour() {
        let grey = luma(&[0_u8, 255], Layout { height: 1, width: 2, channels: 1 }, 255.0).expect("fits");
        assert_eq!(grey.as_slice(), Some([0.0, 1.0].as_slice()));
        let white = luma(&[65_535_u16; 3], Layout { height: 1, width: 1, channels: 3 }, 65_535.0).expect("fits");
        assert!((white[[0, 0]] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn green_is_brighter_than_red_than_blue() {
        let layout = Layout { height: 1, width: 3, channels: 3 };
        let l = luma(&[255_u8, 0, 0, 0, 255, 0, 0, 0, 255], layout, 255.0).expect("fits");
        assert!(
            (l[[0, 0]] - 0.299).abs() < 1e-6 && (l[[0, 1]] - 0.587).abs() < 1e-6 && (l[[0, 2]] - 0.114).abs() < 1e-6
        );
    }

    #[test]
    fn a_picture_of_another_size_is_no_picture() {
        assert!(luma(&[0_u8; 5], Layout { height: 2, width: 3, channels: 1 }, 255.0).is_none());
    }
}
