//! Sub-pixel refinement of a match, as digital image correlation does it.
//!
//! Inverse-compositional Gauss-Newton on a square patch (Baker and Matthews, IJCV 2004; Pan, Li and Tong, Exp. Mech.
//! 2013) with the zero-mean normalised criterion, so that gain and offset of the light do not matter. The predicted
//! picture already carries the simulation's stretch and turn; what is left over a patch is a shift.

use ndarray::{Array2, ArrayView2};

use super::picture::sample_bicubic;

/// Half the side of a patch, px.
const RADIUS: i32 = 7;
/// Gauss-Newton steps at most, and the step below which it has settled, px.
const STEPS: (usize, f32) = (12, 0.003);
/// A patch with fewer usable pixels says nothing.
const FEWEST_PIXELS: usize = 60;
/// Grey-value noise below which a perfect match would claim infinite precision (share of the toned scale).
const NOISE_FLOOR: f32 = 0.004;

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
    predicted: ArrayView2<'a, f32>,
    real: ArrayView2<'a, f32>,
    gradient_x: Array2<f32>,
    gradient_y: Array2<f32>,
}

/// The usable pixels of a patch: offset, value and gradient in the predicted picture.
struct Template {
    pixels: Vec<(f32, f32)>,
    value: Vec<f32>,
    gradient: Vec<[f32; 2]>,
    norm: f32,
}

impl<'a> PatchMatcher<'a> {
    /// Prepares the gradients of the predicted picture.
    #[must_use]
    pub fn new(predicted: &'a Array2<f32>, real: &'a Array2<f32>) -> Self {
        let (h, w) = predicted.dim();
        let mut gradient_x = Array2::zeros((h, w));
        let mut gradient_y = Array2::zeros((h, w));
        for r in 1..h.saturating_sub(1) {
            for c in 1..w.saturating_sub(1) {
                gradient_x[(r, c)] = 0.5 * (predicted[(r, c + 1)] - predicted[(r, c - 1)]);
                gradient_y[(r, c)] = 0.5 * (predicted[(r + 1, c)] - predicted[(r - 1, c)]);
            }
        }
        Self { predicted: predicted.view(), real: real.view(), gradient_x, gradient_y }
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
        let n = template.value.len() as f32;
        let mut hessian = [0.0f32; 3];
        for [gx, gy] in &template.gradient {
            hessian[0] += gx * gx;
            hessian[1] += gx * gy;
            hessian[2] += gy * gy;
        }
        let determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1];
        if !(determinant > 1e-3 * hessian[0].max(hessian[2]).powi(2)) {
            return None;
        }
        let inverse = [hessian[2] / determinant, -hessian[1] / determinant, hessian[0] / determinant];
        let [mut x, mut y] = shift;
        let mut warped = Vec::with_capacity(template.value.len());
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
        if !(last < 0.05) {
            return None;
        }
        self.warp(&template, column as f32 + x, row as f32 + y, &mut warped)?;
        let (_, _, error) = gradient_sum(&template, &warped)?;
        let variance = (error / (n - 4.0)).max(NOISE_FLOOR * NOISE_FLOOR);
        Some(PatchMatch {
            shift: [x, y],
            covariance: inverse.map(|v| v * variance),
            zncc: 1.0 - 0.5 * error / (template.norm * template.norm),
            contrast: template.norm / n.sqrt(),
        })
    }

    /// Standard deviation of the predicted picture over the patch around (`row`, `column`); 0 at the rim.
    #[must_use]
    pub fn contrast(&self, row: usize, column: usize) -> f32 {
        self.template(row, column, |_, _| true).map_or(0.0, |t| t.norm / (t.value.len() as f32).sqrt())
    }

    fn template(&self, row: usize, column: usize, usable: impl Fn(usize, usize) -> bool) -> Option<Template> {
        let (h, w) = self.predicted.dim();
        let side = (2 * RADIUS + 1) as usize;
        let mut t = Template {
            pixels: Vec::with_capacity(side * side),
            value: Vec::with_capacity(side * side),
            gradient: Vec::with_capacity(side * side),
            norm: 0.0,
        };
        for dy in -RADIUS..=RADIUS {
            for dx in -RADIUS..=RADIUS {
                let (r, c) = (row as i32 + dy, column as i32 + dx);
                if r < 1 || c < 1 || r >= h as i32 - 1 || c >= w as i32 - 1 {
                    continue;
                }
                let at = (r as usize, c as usize);
                if usable(at.0, at.1) {
                    t.pixels.push((dx as f32, dy as f32));
                    t.value.push(self.predicted[at]);
                    t.gradient.push([self.gradient_x[at], self.gradient_y[at]]);
                }
            }
        }
        if t.value.len() < FEWEST_PIXELS {
            return None;
        }
        let mean = t.value.iter().sum::<f32>() / t.value.len() as f32;
        t.value.iter_mut().for_each(|v| *v -= mean);
        t.norm = t.value.iter().map(|v| v * v).sum::<f32>().sqrt();
        (t.norm > 1e-4).then_some(t)
    }

    /// The real picture under the shifted patch.
    fn warp(&self, t: &Template, x: f32, y: f32, out: &mut Vec<f32>) -> Option<()> {
        out.clear();
        for (dx, dy) in &t.pixels {
            out.push(sample_bicubic(&self.real, x + dx, y + dy)?);
        }
        Some(())
    }
}

/// Right-hand side of the normal equations and the squared error, after bringing the real patch to the template's
/// mean and norm; `None` when the real patch is flat.
fn gradient_sum(t: &Template, warped: &[f32]) -> Option<(f32, f32, f32)> {
    let mean = warped.iter().sum::<f32>() / warped.len() as f32;
    let norm = warped.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>().sqrt();
    if norm < 1e-5 {
        return None;
    }
    let gain = t.norm / norm;
    let (mut bx, mut by, mut error) = (0.0, 0.0, 0.0);
    for ((w, v), [gx, gy]) in warped.iter().zip(&t.value).zip(&t.gradient) {
        let e = (w - mean) * gain - v;
        bx += gx * e;
        by += gy * e;
        error += e * e;
    }
    Some((bx, by, error))
}

#[cfg(test)]
mod tests {
    use super::*;
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
