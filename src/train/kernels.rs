//! Operations that candle lacks, with their derivatives: unfolding for convolutions, windowed correlation, warping.
//!
//! candle's own gradient of a convolution is a plain loop, and its own resampling has no gradient; these run as fast
//! as the processor's memory, on all threads. Processor only: a GPU uses `composed`.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Error, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

/// The contiguous `f32` values behind a layout.
fn values<'s>(storage: &'s CpuStorage, layout: &Layout) -> Result<&'s [f32]> {
    let (from, to) = layout.contiguous_offsets().ok_or_else(|| Error::RequiresContiguous { op: "crumple kernel" })?;
    Ok(&storage.as_slice::<f32>()?[from..to])
}

/// `[B, C, H, W]` as four numbers.
fn dims(layout: &Layout) -> Result<(usize, usize, usize, usize)> {
    layout.shape().dims4()
}

/// Patches of 3 × 3: `[B, C, H, W]` → `[B, 9 C, Ho Wo]`, zero padding of 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unfold {
    /// 1 or 2.
    pub(super) stride: usize,
}

/// The transpose of [`Unfold`]: sums patches back to `[B, C, H, W]`.
#[derive(Debug, Clone, Copy)]
struct Fold {
    stride: usize,
    channels: usize,
    height: usize,
    width: usize,
}

/// Output length of a 3-tap convolution with padding 1.
pub(super) fn strided_length(length: usize, stride: usize) -> usize {
    (length - 1) / stride + 1
}

/// For tap `k` (0..3) the outputs whose source `o * stride + k - 1` lies inside `0..length`.
fn inside(k: usize, stride: usize, length: usize, outputs: usize) -> std::ops::Range<usize> {
    let first = usize::from(k == 0);
    // As many o as there are with o * stride + k <= length; none where the tap alone is beyond the edge.
    let last = length.checked_sub(k).map_or(0, |room| (room / stride + 1).min(outputs));
    first..last.max(first)
}

impl CustomOp1 for Unfold {
    fn name(&self) -> &'static str {
        "unfold3x3"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(storage, layout)?;
        let (batch, channels, height, width) = dims(layout)?;
        let (oh, ow) = (strided_length(height, self.stride), strided_length(width, self.stride));
        let mut out = vec![0_f32; batch * channels * 9 * oh * ow];
        out.par_chunks_mut(9 * oh * ow).zip(x.par_chunks(height * width)).for_each(|(patches, plane)| {
            for (tap, target) in patches.chunks_mut(oh * ow).enumerate() {
                let (ky, kx) = (tap / 3, tap % 3);
                let columns = inside(kx, self.stride, width, ow);
                for oy in inside(ky, self.stride, height, oh) {
                    let row = &plane[(oy * self.stride + ky - 1) * width..][..width];
                    for ox in columns.clone() {
                        target[oy * ow + ox] = row[ox * self.stride + kx - 1];
                    }
                }
            }
        });
        Ok((CpuStorage::F32(out), Shape::from((batch, channels * 9, oh * ow))))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (_, channels, height, width) = arg.dims4()?;
        let fold = Fold { stride: self.stride, channels, height, width };
        Ok(Some(grad.contiguous()?.apply_op1_no_bwd(&fold)?))
    }
}

impl CustomOp1 for Fold {
    fn name(&self) -> &'static str {
        "fold3x3"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let patches = values(storage, layout)?;
        let batch = layout.shape().dims3()?.0;
        let (oh, ow) = (strided_length(self.height, self.stride), strided_length(self.width, self.stride));
        let mut out = vec![0_f32; batch * self.channels * self.height * self.width];
        let planes = out.par_chunks_mut(self.height * self.width);
        planes.zip(patches.par_chunks(9 * oh * ow)).for_each(|(plane, patches)| {
            for (tap, source) in patches.chunks(oh * ow).enumerate() {
                let (ky, kx) = (tap / 3, tap % 3);
                let columns = inside(kx, self.stride, self.width, ow);
                for oy in inside(ky, self.stride, self.height, oh) {
                    let row = &mut plane[(oy * self.stride + ky - 1) * self.width..][..self.width];
                    for ox in columns.clone() {
                        row[ox * self.stride + kx - 1] += source[oy * ow + ox];
                    }
                }
            }
        });
        Ok((CpuStorage::F32(out), Shape::from((batch, self.channels, self.height, self.width))))
    }
}

/// Mean over channels of `a(x) · b(x + d)` for each `d` within the window: `[B, (2 r + 1)², H, W]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Correlate {
    /// Half-width of the window.
    pub(super) radius: usize,
}

/// The derivative of [`Correlate`]: from the other picture and the gradient. `sign` is +1 for `a`, -1 for `b`.
#[derive(Debug, Clone, Copy)]
struct CorrelateBack {
    radius: usize,
    sign: isize,
}

/// The places `p` in `0..length` with `p + shift` also in `0..length`.
fn overlap(shift: isize, length: usize) -> std::ops::Range<usize> {
    let from = (-shift).max(0) as usize;
    let to = length.saturating_sub(shift.max(0) as usize);
    from.min(to)..to
}

impl CustomOp2 for Correlate {
    fn name(&self) -> &'static str {
        "correlate"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (values(s1, l1)?, values(s2, l2)?);
        let (batch, channels, height, width) = dims(l1)?;
        let (side, area) = (2 * self.radius + 1, height * width);
        let mut out = vec![0_f32; batch * side * side * area];
        out.par_chunks_mut(area).enumerate().for_each(|(index, target)| {
            let (n, d) = (index / (side * side), index % (side * side));
            let (dy, dx) = (signed(d / side, self.radius), signed(d % side, self.radius));
            let columns = overlap(dx, width);
            if columns.is_empty() {
                return;
            }
            for c in 0..channels {
                let start = (n * channels + c) * area;
                let (a, b) = (&a[start..start + area], &b[start..start + area]);
                for y in overlap(dy, height) {
                    let there = (y as isize + dy) as usize * width;
                    let a = &a[y * width..][columns.clone()];
                    let b = &b[there..][shifted(&columns, dx)];
                    for ((t, a), b) in target[y * width..][columns.clone()].iter_mut().zip(a).zip(b) {
                        *t += a * b;
                    }
                }
            }
            let share = 1.0 / channels as f32;
            target.iter_mut().for_each(|t| *t *= share);
        });
        Ok((CpuStorage::F32(out), Shape::from((batch, side * side, height, width))))
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let back = |other: &Tensor, sign| {
            other.contiguous()?.apply_op2_no_bwd(&grad, &CorrelateBack { radius: self.radius, sign })
        };
        Ok((Some(back(b, 1)?), Some(back(a, -1)?)))
    }
}

impl CustomOp2 for CorrelateBack {
    fn name(&self) -> &'static str {
        "correlate-back"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (other, grad) = (values(s1, l1)?, values(s2, l2)?);
        let (batch, channels, height, width) = dims(l1)?;
        let (side, area) = (2 * self.radius + 1, height * width);
        let mut out = vec![0_f32; batch * channels * area];
        let share = 1.0 / channels as f32;
        out.par_chunks_mut(area).enumerate().for_each(|(index, target)| {
            let n = index / channels;
            let other = &other[index * area..][..area];
            for d in 0..side * side {
                let dy = self.sign * signed(d / side, self.radius);
                let dx = self.sign * signed(d % side, self.radius);
                let grad = &grad[(n * side * side + d) * area..][..area];
                let columns = overlap(dx, width);
                if columns.is_empty() {
                    continue;
                }
                for y in overlap(dy, height) {
                    let there = (y as isize + dy) as usize * width;
                    let far = shifted(&columns, dx);
                    // The gradient stands where `a` stands: here for a, at the far end for b.
                    let g =
                        if self.sign > 0 { &grad[y * width..][columns.clone()] } else { &grad[there..][far.clone()] };
                    let o = &other[there..][far];
                    for ((t, o), g) in target[y * width..][columns.clone()].iter_mut().zip(o).zip(g) {
                        *t += share * o * g;
                    }
                }
            }
        });
        Ok((CpuStorage::F32(out), Shape::from((batch, channels, height, width))))
    }
}

/// Place in the window as a displacement.
fn signed(place: usize, radius: usize) -> isize {
    place as isize - radius as isize
}

fn shifted(range: &std::ops::Range<usize>, shift: isize) -> std::ops::Range<usize> {
    (range.start as isize + shift) as usize..(range.end as isize + shift) as usize
}

/// Reads `x` at each pixel plus a flow, bilinear, edges held; the flow gets no gradient.
///
/// The arithmetic goes through normalised coordinates as ONNX GridSample does (operator set 16, `align_corners = 0`),
/// so that both round alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Warp;

/// The transpose of [`Warp`]: spreads a gradient (first) to where it was read from, by the flow (second).
#[derive(Debug, Clone, Copy)]
struct WarpBack;

/// The four places and weights of one bilinear reading.
fn taps(x: usize, y: usize, flow: (f32, f32), width: usize, height: usize) -> [(usize, f32); 4] {
    let along = |position: usize, shift: f32, length: usize| {
        let n = length as f32;
        let normalised = (2.0 * (position as f32 + shift) + 1.0) / n - 1.0;
        let source = (((normalised + 1.0) * n - 1.0) / 2.0).clamp(0.0, n - 1.0);
        let low = source.floor();
        let high = (low as usize + 1).min(length - 1);
        (low as usize, high, source - low)
    };
    let (x0, x1, fx) = along(x, flow.0, width);
    let (y0, y1, fy) = along(y, flow.1, height);
    [
        (y0 * width + x0, (1.0 - fx) * (1.0 - fy)),
        (y0 * width + x1, fx * (1.0 - fy)),
        (y1 * width + x0, (1.0 - fx) * fy),
        (y1 * width + x1, fx * fy),
    ]
}

/// Calls `visit(pixel, taps)` for each pixel of item `n`.
fn each_tap(flow: &[f32], n: usize, height: usize, width: usize, mut visit: impl FnMut(usize, [(usize, f32); 4])) {
    let area = height * width;
    let (fx, fy) = (&flow[2 * n * area..][..area], &flow[(2 * n + 1) * area..][..area]);
    for y in 0..height {
        for x in 0..width {
            let pixel = y * width + x;
            visit(pixel, taps(x, y, (fx[pixel], fy[pixel]), width, height));
        }
    }
}

impl CustomOp2 for Warp {
    fn name(&self) -> &'static str {
        "warp"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, flow) = (values(s1, l1)?, values(s2, l2)?);
        let (batch, channels, height, width) = dims(l1)?;
        let area = height * width;
        let mut out = vec![0_f32; batch * channels * area];
        out.par_chunks_mut(channels * area).enumerate().for_each(|(n, target)| {
            let x = &x[n * channels * area..][..channels * area];
            each_tap(flow, n, height, width, |pixel, taps| {
                for c in 0..channels {
                    target[c * area + pixel] = taps.iter().map(|(place, weight)| x[c * area + place] * weight).sum();
                }
            });
        });
        Ok((CpuStorage::F32(out), Shape::from((batch, channels, height, width))))
    }

    fn bwd(
        &self,
        _x: &Tensor,
        flow: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(grad.contiguous()?.apply_op2_no_bwd(flow, &WarpBack)?), None))
    }
}

impl CustomOp2 for WarpBack {
    fn name(&self) -> &'static str {
        "warp-back"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (grad, flow) = (values(s1, l1)?, values(s2, l2)?);
        let (batch, channels, height, width) = dims(l1)?;
        let area = height * width;
        let mut out = vec![0_f32; batch * channels * area];
        out.par_chunks_mut(channels * area).enumerate().for_each(|(n, target)| {
            let grad = &grad[n * channels * area..][..channels * area];
            each_tap(flow, n, height, width, |pixel, taps| {
                for c in 0..channels {
                    for (place, weight) in taps {
                        target[c * area + place] += weight * grad[c * area + pixel];
                    }
                }
            });
        });
        Ok((CpuStorage::F32(out), Shape::from((batch, channels, height, width))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::candle_ops::CandleOps;
    use crate::train::net::{ConvSpec, Ops};
    use crate::train::rng::Rng;
    use crate::train::weights::Weights;
    use candle_core::{Device, Var};

    /// Sums of some hundred products in 32 bits; both sides sum in their own order.
    const ROUNDING: f32 = 2e-5;

    fn random(rng: &mut Rng, dims: &[usize]) -> Tensor {
        let values: Vec<f32> = (0..dims.iter().product()).map(|_| rng.normal() as f32).collect();
        Tensor::from_vec(values, dims, &Device::Cpu).expect("tensor")
    }

    fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
        assert_eq!(a.dims(), b.dims());
        let both = (a - b).and_then(|d| d.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>());
        both.expect("they are of one shape")
    }

    #[test]
    fn our_convolution_is_candles_convolution_at_both_strides_and_odd_sizes() {
        let mut rng = Rng::new(1);
        for (stride, height, width) in [(1, 9, 7), (2, 8, 12), (2, 9, 7), (1, 1, 5), (2, 1, 1)] {
            let mut weights = Weights::seeded(2);
            let spec = ConvSpec { name: "a".to_owned(), inputs: 3, outputs: 5, stride, gain: 1.0 };
            let x = random(&mut rng, &[2, 3, height, width]);
            let ours = CandleOps { weights: &mut weights }.conv(&x, &spec).expect("ours");
            let (weight, _) = weights.layer(&spec).expect("layer");
            let theirs = x.conv2d(&weight, 1, stride, 1, 1).expect("candle's");
            assert!(largest_difference(&ours, &theirs) <= ROUNDING, "stride {stride}, {height} x {width}");
        }
    }

    #[test]
    fn our_upsampling_is_candles_bilinear_upsampling() {
        let x = random(&mut Rng::new(2), &[1, 2, 5, 3]);
        let ours = CandleOps { weights: &mut Weights::seeded(0) }.upsample(&x).expect("ours");
        let theirs = x.upsample_bilinear2d(10, 6, false).expect("candle's");
        assert!(largest_difference(&ours, &theirs) <= ROUNDING);
    }

    /// For an operation that is linear in `x`, the sum of `w · f(x)` has the gradient `fᵀ(w)`, so that
    /// `gradient · v = w · f(v)` for any `v`: exact, without steps of a finite difference.
    fn check_gradient(x: &Tensor, v: &Tensor, f: impl Fn(&Tensor) -> Tensor) {
        let var = Var::from_tensor(x).expect("variable");
        let out = f(var.as_tensor());
        let w = random(&mut Rng::new(99), out.dims());
        let total = |t: &Tensor| t.sum_all().expect("sum");
        let gradients = total(&(out * &w).expect("product")).backward().expect("gradient");
        let gradient = gradients.get(&var).expect("x has a gradient");
        let one = total(&(gradient * v).expect("product")).to_scalar::<f32>().expect("scalar");
        let other = total(&(f(v) * &w).expect("product")).to_scalar::<f32>().expect("scalar");
        assert!((one - other).abs() <= 1e-4 * (1.0 + one.abs() + other.abs()), "{one} and {other}");
    }

    #[test]
    fn gradients_are_the_transposes() {
        let mut rng = Rng::new(3);
        let (x, v) = (random(&mut rng, &[2, 3, 6, 9]), random(&mut rng, &[2, 3, 6, 9]));
        let other = random(&mut rng, &[2, 3, 6, 9]);
        for stride in [1, 2] {
            check_gradient(&x, &v, |x| x.apply_op1(Unfold { stride }).expect("unfold"));
        }
        for radius in [1, 3] {
            check_gradient(&x, &v, |x| x.apply_op2(&other, Correlate { radius }).expect("first"));
            check_gradient(&x, &v, |x| other.apply_op2(x, Correlate { radius }).expect("second"));
        }
        // Flows of some px: within the picture, between pixels, and beyond its edges.
        let flow = (random(&mut rng, &[2, 2, 6, 9]) * 3.0).expect("flow");
        check_gradient(&x, &v, |x| x.apply_op2(&flow, Warp).expect("warp"));
    }

    #[test]
    fn a_warp_by_whole_pixels_moves_the_picture_and_holds_the_edge() {
        let x = Tensor::from_vec(vec![1_f32, 2.0, 3.0, 4.0], (1, 1, 1, 4), &Device::Cpu).expect("picture");
        let flow = Tensor::from_vec(vec![1_f32, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0], (1, 2, 1, 4), &Device::Cpu);
        let moved = x.apply_op2(&flow.expect("flow"), Warp).expect("warp").flatten_all().expect("flat");
        let moved = moved.to_vec1::<f32>().expect("values");
        for (found, expected) in moved.iter().zip([2.0, 3.0, 4.0, 4.0]) {
            assert!((found - expected).abs() < 1e-5, "{moved:?}");
        }
    }
}
