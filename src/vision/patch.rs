//! Sub-pixel refinement of a match, as digital image correlation does it.
//!
//! Inverse-compositional Gauss-Newton on a square patch (Baker and Matthews, IJCV 2004; Pan, Li and Tong, Exp. Mech.
//! 2013) with the zero-mean normalised criterion, so that gain and offset of the light do not matter. The predicted
//! picture already carries the simulation's stretch and turn; what is left over a patch is a shift.

use ndarray::{Array2, CowArray, Ix2};

use super::picture::catmull_rom;

/// Half the side of a patch, px.
const RADIUS: i32 = 7;
/// Side of a patch, px.
const SIDE: usize = 2 * RADIUS as usize + 1;
/// Length of a stored row of a patch: [`SIDE`] filled up, with zeros, to whole vector registers.
const ROW: usize = SIDE.next_multiple_of(LANES);
/// Numbers in a stored patch.
const AREA: usize = SIDE * ROW;
/// Partial sums that run side by side; a compiler may not reorder floating-point sums by itself.
const LANES: usize = 8;
/// Gauss-Newton steps at most, and the step below which it has settled, px.
const STEPS: (usize, f32) = (12, 0.003);
/// A patch with fewer usable pixels says nothing.
const FEWEST_PIXELS: usize = 60;
/// Grey-value noise below which a perfect match would claim infinite precision (share of the toned scale).
const NOISE_FLOOR: f32 = 0.004;

/// What the noise of a picture adds to the square of its gradient, as a share of the variance by which two pictures
/// differ. White noise in both would give a quarter (a central difference halves the variance, and each picture has half
/// of it); a predicted picture is interpolated, and they differ by more than noise. Of a quarter and a tenth, tried on
/// pairs of the studies with the shared filmed tests beside, a tenth leaves no false flag behind a ram.
const GRADIENT_NOISE: f32 = 0.1;
/// Of the information that noise seems to explain alone, this share is kept.
const LEAST_INFORMATION: f32 = 0.05;

/// A refined match.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PatchMatch {
    /// Shift from the predicted to the real picture, px.
    pub shift: [f32; 2],
    /// Covariance (xx, xy, yy), px².
    pub covariance: [f32; 3],
    /// Zero-mean normalised cross-correlation at the end, -1 to 1.
    pub zncc: f32,
    /// Contrast of the patch in the predicted picture: standard deviation of the toned luminance.
    pub contrast: f32,
}

/// Refines matches between one predicted and one real picture.
#[derive(Debug, Clone)]
pub struct PatchMatcher<'a> {
    predicted: CowArray<'a, f32, Ix2>,
    real: CowArray<'a, f32, Ix2>,
    gradient_x: Array2<f32>,
    gradient_y: Array2<f32>,
}

/// A patch of the predicted picture, rows of [`ROW`]; everything is zero at pixels that are not usable.
struct Template {
    /// 1 at usable pixels.
    mask: [f32; AREA],
    /// Value less the mean.
    value: [f32; AREA],
    gradient_x: [f32; AREA],
    gradient_y: [f32; AREA],
    /// Number of usable pixels.
    count: f32,
    /// Root of the sum of the squared values.
    norm: f32,
    /// First and last row and column of the square that hold a usable pixel.
    rows: [usize; 2],
    columns: [usize; 2],
}

impl<'a> PatchMatcher<'a> {
    /// Prepares the gradients of the predicted picture.
    #[must_use]
    pub fn new(predicted: &'a Array2<f32>, real: &'a Array2<f32>) -> Self {
        let (h, w) = predicted.dim();
        let mut gradient_x = Array2::zeros((h, w));
        let mut gradient_y = Array2::zeros((h, w));
        let predicted = predicted.as_standard_layout();
        let flat = slice(&predicted);
        let (across, down) = (slice_mut(&mut gradient_x), slice_mut(&mut gradient_y));
        for row in 1..h.saturating_sub(1) {
            for i in row * w + 1..(row * w + w).saturating_sub(1) {
                across[i] = 0.5 * (flat[i + 1] - flat[i - 1]);
                down[i] = 0.5 * (flat[i + w] - flat[i - w]);
            }
        }
        Self { predicted, real: real.as_standard_layout(), gradient_x, gradient_y }
    }

    /// Refines the match of the patch around (`row`, `column`) from the start `shift`; `usable` says which pixels of
    /// the predicted picture belong to the same surface.
    ///
    /// `None` when the patch has too few pixels, no texture, or leaves the picture.
    #[must_use]
    pub fn refine(
        &self,
        row: usize,
        column: usize,
        shift: [f32; 2],
        usable: impl Fn(usize, usize) -> bool,
    ) -> Option<PatchMatch> {
        let template = self.template(row, column, usable)?;
        let n = template.count;
        let hessian = template.hessian();
        let determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1];
        let least = 1e-3 * hessian[0].max(hessian[2]).powi(2);
        if determinant.is_nan() || determinant <= least {
            return None;
        }
        let inverse = [hessian[2] / determinant, -hessian[1] / determinant, hessian[0] / determinant];
        let [mut x, mut y] = shift;
        let mut warped = [0.0; AREA];
        let mut last = f32::INFINITY;
        for _ in 0..STEPS.0 {
            self.warp(&template, column as f32 + x, row as f32 + y, &mut warped)?;
            let (bx, by, _) = gradient_sum(&template, &warped)?;
            let (dx, dy) = (inverse[0] * bx + inverse[1] * by, inverse[1] * bx + inverse[2] * by);
            x -= dx;
            y -= dy;
            last = dx.hypot(dy);
            if last < STEPS.1 {
                break;
            }
        }
        if last.is_nan() || last >= 0.05 {
            return None;
        }
        self.warp(&template, column as f32 + x, row as f32 + y, &mut warped)?;
        let (_, _, error) = gradient_sum(&template, &warped)?;
        let variance = (error / (n - 4.0)).max(NOISE_FLOOR * NOISE_FLOOR);
        Some(PatchMatch {
            shift: [x, y],
            covariance: without_noise(hessian, GRADIENT_NOISE * variance * n).map(|v| v * variance),
            zncc: 1.0 - 0.5 * error / (template.norm * template.norm),
            contrast: template.norm / n.sqrt(),
        })
    }

    /// Standard deviation of the predicted picture over the patch around (`row`, `column`); 0 at the rim.
    #[must_use]
    pub fn contrast(&self, row: usize, column: usize) -> f32 {
        self.template(row, column, |_, _| true).map_or(0.0, |t| t.norm / t.count.sqrt())
    }

    fn template(&self, row: usize, column: usize, usable: impl Fn(usize, usize) -> bool) -> Option<Template> {
        let (h, w) = self.predicted.dim();
        let (predicted, gx, gy) = (slice(&self.predicted), slice(&self.gradient_x), slice(&self.gradient_y));
        let mut t = Template {
            mask: [0.0; AREA],
            value: [0.0; AREA],
            gradient_x: [0.0; AREA],
            gradient_y: [0.0; AREA],
            count: 0.0,
            norm: 0.0,
            rows: [SIDE, 0],
            columns: [SIDE, 0],
        };
        for j in 0..SIDE {
            let r = row as i32 + j as i32 - RADIUS;
            if r < 1 || r >= h as i32 - 1 {
                continue;
            }
            for i in 0..SIDE {
                let c = column as i32 + i as i32 - RADIUS;
                if c < 1 || c >= w as i32 - 1 || !usable(r as usize, c as usize) {
                    continue;
                }
                let (to, from) = (j * ROW + i, r as usize * w + c as usize);
                t.mask[to] = 1.0;
                t.value[to] = predicted[from];
                t.gradient_x[to] = gx[from];
                t.gradient_y[to] = gy[from];
                t.count += 1.0;
                t.rows = [t.rows[0].min(j), t.rows[1].max(j)];
                t.columns = [t.columns[0].min(i), t.columns[1].max(i)];
            }
        }
        if t.count < FEWEST_PIXELS as f32 {
            return None;
        }
        let mean = sum(|i| t.value[i]) / t.count;
        for (v, m) in t.value.iter_mut().zip(&t.mask) {
            *v -= mean * m;
        }
        t.norm = sum(|i| t.value[i] * t.value[i]).sqrt();
        (t.norm > 1e-4).then_some(t)
    }

    /// The real picture under the patch whose centre is shifted to column `x`, row `y`; zero at unusable pixels.
    ///
    /// All pixels of a patch lie at the same fraction between their neighbours, so the bicubic weights are computed
    /// once and the interpolation runs along the rows first and then along the columns.
    fn warp(&self, t: &Template, x: f32, y: f32, out: &mut [f32; AREA]) -> Option<()> {
        let (h, w) = self.real.dim();
        let (left, right) = (t.columns[0] as f32 - RADIUS as f32, t.columns[1] as f32 - RADIUS as f32);
        let (top, bottom) = (t.rows[0] as f32 - RADIUS as f32, t.rows[1] as f32 - RADIUS as f32);
        if !(x + left >= 1.0 && x + right + 2.0 < w as f32 && y + top >= 1.0 && y + bottom + 2.0 < h as f32) {
            return None;
        }
        // Inside the picture x + left is at least 1, so cutting off the fraction there rounds down.
        let (first_column, first_row) = ((x + left) as usize, (y + top) as usize);
        let wx = catmull_rom(x + left - first_column as f32);
        let wy = catmull_rom(y + top - first_row as f32);
        let (count_rows, count_columns) = (t.rows[1] - t.rows[0] + 1, t.columns[1] - t.columns[0] + 1);
        let flat = slice(&self.real);
        let mut lines = [[0.0f32; ROW]; SIDE + 3];
        for (j, line) in lines[..count_rows + 3].iter_mut().enumerate() {
            let start = (first_row - 1 + j) * w + first_column - 1;
            let source = &flat[start..start + count_columns + 3];
            for (i, v) in line[..count_columns].iter_mut().enumerate() {
                *v = wx[0] * source[i] + wx[1] * source[i + 1] + wx[2] * source[i + 2] + wx[3] * source[i + 3];
            }
        }
        for j in 0..count_rows {
            let to = (t.rows[0] + j) * ROW + t.columns[0];
            let (row, mask) = (&mut out[to..to + count_columns], &t.mask[to..to + count_columns]);
            for (i, (v, m)) in row.iter_mut().zip(mask).enumerate() {
                let sum =
                    wy[0] * lines[j][i] + wy[1] * lines[j + 1][i] + wy[2] * lines[j + 2][i] + wy[3] * lines[j + 3][i];
                *v = if *m > 0.0 { sum } else { 0.0 };
            }
        }
        Some(())
    }
}

impl Template {
    /// Sums of the gradient's products: xx, xy, yy.
    fn hessian(&self) -> [f32; 3] {
        let (gx, gy) = (&self.gradient_x, &self.gradient_y);
        [sum(|i| gx[i] * gx[i]), sum(|i| gx[i] * gy[i]), sum(|i| gy[i] * gy[i])]
    }
}

/// The inverse of a patch's information (xx, xy, yy) after `noise` is taken from it in every direction. Noise has
/// gradients, too: along an edge or on plain paint they alone would seem to fix a match.
fn without_noise([xx, xy, yy]: [f32; 3], noise: f32) -> [f32; 3] {
    let (middle, spread) = (0.5 * (xx + yy), (0.5 * (xx - yy)).hypot(xy));
    let [most, least] = [middle + spread, middle - spread].map(|v| (v - noise).max(LEAST_INFORMATION * v));
    // The projector on the stronger direction; any direction will do where both are as strong.
    let across = if spread > 0.0 { [0.5 + 0.25 * (xx - yy) / spread, 0.5 * xy / spread] } else { [1.0, 0.0] };
    let (p, q) = (across[0], across[1]);
    [p / most + (1.0 - p) / least, q / most - q / least, (1.0 - p) / most + p / least]
}

/// Right-hand side of the normal equations and the squared error, after bringing the real patch to the template's
/// mean and norm; `None` when the real patch is flat.
fn gradient_sum(t: &Template, warped: &[f32; AREA]) -> Option<(f32, f32, f32)> {
    let mean = sum(|i| warped[i]) / t.count;
    let norm = sum(|i| {
        let d = (warped[i] - mean) * t.mask[i];
        d * d
    })
    .sqrt();
    if norm < 1e-5 {
        return None;
    }
    let gain = t.norm / norm;
    let mut left = [0.0f32; AREA];
    for i in 0..AREA {
        left[i] = (warped[i] - mean) * gain * t.mask[i] - t.value[i];
    }
    Some((sum(|i| t.gradient_x[i] * left[i]), sum(|i| t.gradient_y[i] * left[i]), sum(|i| left[i] * left[i])))
}

/// The sum of a term over a stored patch, in [`LANES`] partial sums.
#[inline]
fn sum(term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    for chunk in 0..AREA / LANES {
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += term(chunk * LANES + lane);
        }
    }
    lanes.iter().sum()
}

fn slice<S: ndarray::Data<Elem = f32>>(picture: &ndarray::ArrayBase<S, Ix2>) -> &[f32] {
    picture.as_slice().expect("pictures are in standard layout here, else a bug")
}

fn slice_mut(picture: &mut Array2<f32>) -> &mut [f32] {
    picture.as_slice_mut().expect("a fresh array is contiguous, else a bug")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::picture::sample_bicubic;
    use proptest::prelude::*;

    fn texture(shift: [f32; 2], gain: f32, offset: f32) -> Array2<f32> {
        Array2::from_shape_fn((60, 60), |(r, c)| {
            let (x, y) = (c as f32 - shift[0], r as f32 - shift[1]);
            offset
                + gain * (0.16 * ((0.53 * x + 0.21 * y).sin() + (0.61 * y - 0.17 * x).sin() + (0.33 * (x + y)).cos()))
        })
    }

    proptest! {
        #[test]
        fn a_shift_is_found_whatever_the_light(dx in -1.4..1.4f32, dy in -1.4..1.4f32, gain in 0.5..2.0f32, offset in -0.3..0.6f32) {
            let (a, b) = (texture([0.0; 2], 1.0, 0.5), texture([dx, dy], gain, offset));
            let found = PatchMatcher::new(&a, &b).refine(30, 30, [0.0; 2], |_, _| true).expect("texture everywhere");
            prop_assert!((found.shift[0] - dx).abs() < 0.02 && (found.shift[1] - dy).abs() < 0.02, "{found:?}");
            prop_assert!(found.zncc > 0.995);
        }
    }

    proptest! {
        /// Rows-then-columns with shared weights is the same interpolation as [`sample_bicubic`] pixel by pixel, to
        /// the rounding of the fraction (2e-6 of a pixel at column 30, times a slope of 0.2 a pixel).
        #[test]
        fn a_warp_is_bicubic_sampling_and_refuses_the_same_rims(x in 0.0..60.0f32, y in 0.0..60.0f32, gap in 0..15usize) {
            let picture = texture([0.3, 0.6], 1.0, 0.5);
            let matcher = PatchMatcher::new(&picture, &picture);
            let usable = |r: usize, c: usize| (c + 3 * r) % 15 != gap && c + 4 > 30 - gap;
            let template = matcher.template(30, 30, usable);
            prop_assume!(template.is_some());
            let template = template.expect("assumed");
            let mut warped = [0.0; AREA];
            let whole = matcher.warp(&template, x, y, &mut warped).is_some();
            let mut all_inside = true;
            for (at, warped) in warped.iter().enumerate() {
                let (dx, dy) = ((at % ROW) as f32 - 7.0, (at / ROW) as f32 - 7.0);
                if template.mask[at] == 0.0 {
                    prop_assert_eq!(*warped, 0.0);
                    continue;
                }
                match sample_bicubic(&picture.view(), x + dx, y + dy) {
                    Some(v) if whole => prop_assert!((v - warped).abs() < 1e-5, "{v} {warped}"),
                    found => all_inside &= found.is_some(),
                }
            }
            prop_assert!(whole || !all_inside, "refused although every pixel is inside");
            prop_assert!(!whole || all_inside, "accepted although a pixel is outside");
        }
    }

    #[test]
    fn noise_is_taken_out_of_the_information() {
        let (xx, xy, yy) = (9.0f32, 1.5, 2.0);
        let (plain, determinant) = (without_noise([xx, xy, yy], 0.0), xx * yy - xy * xy);
        for (found, wanted) in plain.into_iter().zip([yy, -xy, xx].map(|v| v / determinant)) {
            assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
        }
        assert_eq!(without_noise([4.0, 0.0, 4.0], 1.0), [1.0 / 3.0, 0.0, 1.0 / 3.0]);
        // An edge: strong across, and along it nothing but noise, of which the least share is kept.
        let [across, _, along] = without_noise([100.0, 0.0, 1.0], 2.0);
        assert!((across - 1.0 / 98.0).abs() < 1e-6 && (along - 1.0 / LEAST_INFORMATION).abs() < 1e-3);
    }

    #[test]
    fn a_flat_or_one_directional_patch_says_nothing() {
        let flat = Array2::from_elem((60, 60), 0.5);
        let stripes = Array2::from_shape_fn((60, 60), |(_, c)| 0.5 + 0.2 * (c as f32 * 0.7).sin());
        assert!(PatchMatcher::new(&flat, &flat).refine(30, 30, [0.0; 2], |_, _| true).is_none());
        assert!(PatchMatcher::new(&stripes, &stripes).refine(30, 30, [0.0; 2], |_, _| true).is_none());
        let good = texture([0.0; 2], 1.0, 0.5);
        assert!(PatchMatcher::new(&good, &good).refine(30, 30, [0.0; 2], |_, _| false).is_none());
    }

    #[test]
    fn covariance_tells_the_scatter_under_noise() {
        let clean = texture([0.0; 2], 1.0, 0.5);
        let mut seed = 1u32;
        let mut noise = || {
            let mut sum = 0.0;
            for _ in 0..12 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                sum += (seed >> 8) as f32 / 16_777_216.0;
            }
            sum - 6.0
        };
        let (mut scatter, mut claimed) = (0.0, 0.0);
        let rounds = 200;
        for _ in 0..rounds {
            let real = clean.mapv(|v| v + 0.02 * noise());
            let found = PatchMatcher::new(&clean, &real).refine(30, 30, [0.0; 2], |_, _| true).expect("texture");
            scatter += found.shift[0] * found.shift[0];
            claimed += found.covariance[0];
        }
        let ratio = scatter / claimed;
        assert!((0.6..1.6).contains(&ratio), "measured over claimed variance: {ratio}");
    }
}
