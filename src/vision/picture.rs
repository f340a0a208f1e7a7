//! Pictures as arrays: undistorting, tone, sub-pixel sampling.

use ndarray::{Array2, ArrayView2};
use opencv::boxed_ref::{BoxedRef, BoxedRefMut};
use opencv::core::{Mat, Scalar, Size};
use opencv::imgproc::{INTER_CUBIC, gaussian_blur_def, remap};

use super::VisionError;
use crate::geom::PinholeView;

/// `picture` (as the lens drew it) on the canvas of `view`; the rim is repeated outside.
///
/// # Errors
/// When OpenCV refuses.
pub fn canvas_picture(view: &PinholeView, picture: &Array2<f32>) -> Result<Array2<f32>, VisionError> {
    if view.is_identity() {
        return Ok(picture.clone());
    }
    let failed = |source| VisionError::OpenCv { during: "undistorting a picture", source };
    let (h, w) = view.source_x.dim();
    let mut out = Array2::<f32>::zeros((h, w));
    let (map_x, map_y) = (mat_of(&view.source_x).map_err(failed)?, mat_of(&view.source_y).map_err(failed)?);
    remap(
        &mat_of(picture).map_err(failed)?,
        &mut mat_of_mut(&mut out).map_err(failed)?,
        &map_x,
        &map_y,
        INTER_CUBIC,
        opencv::core::BORDER_REPLICATE,
        Scalar::default(),
    )
    .map_err(failed)?;
    Ok(out)
}

/// A picture's [`local_contrast`].
pub type Paint = Array2<f32>;

/// `picture` with its local mean taken out and its local contrast brought to one level, around 0.5.
///
/// Folding turns a surface in the light: shading changes by more than the paint's own contrast. What is left after this
/// is the paint. Noise is not lifted to full contrast, because a floor is added to the local one.
///
/// # Errors
/// When OpenCV refuses.
pub fn local_contrast(picture: &Array2<f32>) -> Result<Paint, VisionError> {
    /// Scale of shading, and of the neighbourhood whose contrast is taken, px (standard deviations).
    const SCALES_PX: [f64; 2] = [6.0, 12.0];
    /// Contrast that is added to the local one (share of the toned scale).
    const CONTRAST_FLOOR: f32 = 0.015;
    /// Contrast of the result.
    const LEVEL: f32 = 0.15;
    let failed = |source| VisionError::OpenCv { during: "normalising a picture", source };
    let mean = blurred(picture, SCALES_PX[0]).map_err(failed)?;
    let detail = picture - &mean;
    let power = blurred(&detail.mapv(|d| d * d), SCALES_PX[1]).map_err(failed)?;
    Ok(ndarray::Zip::from(&detail).and(&power).map_collect(|d, p| 0.5 + LEVEL * d / (p.sqrt() + CONTRAST_FLOOR)))
}

fn blurred(picture: &Array2<f32>, sigma_px: f64) -> opencv::Result<Array2<f32>> {
    let mut blurred = Array2::zeros(picture.dim());
    gaussian_blur_def(&mat_of(picture)?, &mut mat_of_mut(&mut blurred)?, Size::new(0, 0), sigma_px)?;
    Ok(blurred)
}

/// `picture` as OpenCV sees it.
fn mat_of(picture: &Array2<f32>) -> opencv::Result<BoxedRef<'_, Mat>> {
    let (h, w) = picture.dim();
    Mat::new_rows_cols_with_data(h as i32, w as i32, picture.as_slice().expect(CONTIGUOUS))
}

/// `picture` as OpenCV writes into it: what has this size and kind already is not allocated anew.
fn mat_of_mut(picture: &mut Array2<f32>) -> opencv::Result<BoxedRefMut<'_, Mat>> {
    let (h, w) = picture.dim();
    Mat::new_rows_cols_with_data_mut(h as i32, w as i32, picture.as_slice_mut().expect(CONTIGUOUS))
}

const CONTIGUOUS: &str = "pictures are contiguous, else a bug";

/// A fixed grey scale for a whole film: the same gain for every frame, so that flicker stays visible as what it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tone {
    black: f32,
    gain: f32,
}

impl Tone {
    /// Stretches the range between the 1st and 99th percentile of `picture` over most of the scale.
    ///
    /// Cameras of 12 bit stored in 16 use a sixteenth of the scale; without this they would look black to a flow.
    #[must_use]
    pub fn from_picture(picture: &Array2<f32>) -> Self {
        let mut values: Vec<f32> = picture.iter().copied().step_by(7).collect();
        values.sort_unstable_by(f32::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
        let (low, high) = (at(0.01), at(0.99));
        let gain = 0.8 / (high - low).max(1e-4);
        Self { black: low - 0.1 / gain, gain }
    }

    /// The film's own value of a toned one.
    #[must_use]
    pub fn linear(&self, toned: f32) -> f32 {
        toned / self.gain + self.black
    }

    /// The toned value of the film's own.
    #[must_use]
    pub fn toned(&self, linear: f32) -> f32 {
        (linear - self.black) * self.gain
    }

    /// `picture` on this scale, 0 to 1 but not clipped.
    #[must_use]
    pub fn apply(&self, picture: &Array2<f32>) -> Array2<f32> {
        picture.mapv(|v| self.toned(v))
    }
}

/// Catmull-Rom interpolation at column `x`, row `y`; `None` within one pixel of the rim.
#[must_use]
#[inline]
pub fn sample_bicubic(picture: &ArrayView2<'_, f32>, x: f32, y: f32) -> Option<f32> {
    let (h, w) = picture.dim();
    // The rims are whole numbers, so comparing before or after rounding down is the same.
    if !(x >= 1.0 && y >= 1.0 && x + 2.0 < w as f32 && y + 2.0 < h as f32) {
        return None;
    }
    // Positive here: cutting off the fraction rounds down, without a call into the C library for each pixel.
    let (x0, y0) = (x as usize, y as usize);
    let (wx, wy) = (catmull_rom(x - x0 as f32), catmull_rom(y - y0 as f32));
    let (column, row) = (x0 - 1, y0 - 1);
    let mut sum = 0.0;
    if let Some(flat) = picture.as_slice() {
        for (j, wy) in wy.iter().enumerate() {
            let start = (row + j) * w + column;
            let line = &flat[start..start + 4];
            sum += wy * (wx[0] * line[0] + wx[1] * line[1] + wx[2] * line[2] + wx[3] * line[3]);
        }
        return Some(sum);
    }
    for (j, wy) in wy.iter().enumerate() {
        let line: f32 = (0..4).map(|i| wx[i] * picture[(row + j, column + i)]).sum();
        sum += wy * line;
    }
    Some(sum)
}

/// Weights of the four neighbours at fraction `t` between the middle two (Keys 1981, a = -1/2).
#[inline]
pub(super) fn catmull_rom(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [0.5 * (-t3 + 2.0 * t2 - t), 0.5 * (3.0 * t3 - 5.0 * t2 + 2.0), 0.5 * (-3.0 * t3 + 4.0 * t2 + t), 0.5 * (t3 - t2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bicubic_is_exact_on_a_plane_and_refuses_the_rim() {
        let plane = Array2::from_shape_fn((20, 30), |(r, c)| 0.3 * c as f32 - 0.2 * r as f32);
        let v = sample_bicubic(&plane.view(), 10.37, 7.61).expect("inside");
        assert!((v - (0.3 * 10.37 - 0.2 * 7.61)).abs() < 1e-5);
        assert!(sample_bicubic(&plane.view(), 0.5, 7.0).is_none());
        assert!(sample_bicubic(&plane.view(), f32::NAN, 7.0).is_none());
    }

    #[test]
    fn tone_lifts_twelve_bits_in_sixteen() {
        let dark = Array2::from_shape_fn((40, 40), |(r, c)| ((r * 40 + c) as f32) / 1600.0 / 16.0);
        let lifted = Tone::from_picture(&dark).apply(&dark);
        let (low, high) = lifted.iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!(low > 0.05 && high < 0.95 && high - low > 0.7, "{low} {high}");
    }
}
