//! The same operations as `kernels`, put together from candle's own: slower on the processor, but they run wherever
//! candle does. A GPU uses these; tests on the processor hold them to the kernels, values and gradients.

use candle_core::{DType, Result, Tensor};

/// 3 × 3 convolution with bias; zero padding of 1.
pub(super) fn convolve(x: &Tensor, weight: &Tensor, bias: &Tensor, stride: usize) -> Result<Tensor> {
    let outputs = weight.dim(0)?;
    x.conv2d(weight, 1, stride, 1, 1)?.broadcast_add(&bias.reshape((1, outputs, 1, 1))?)
}

/// Mean over channels of `a(x) · b(x + d)` for each `d` of the window, rows first; zero outside.
///
/// A row of `a` times a row of `b` is one matrix product; the window is a band of it. That is more arithmetic than is
/// needed and far fewer launches, which are what a GPU waits for here.
pub(super) fn correlate(a: &Tensor, b: &Tensor, radius: usize) -> Result<Tensor> {
    let (batch, channels, height, width) = a.dims4()?;
    let side = 2 * radius + 1;
    let padded = b.pad_with_zeros(2, radius, radius)?.pad_with_zeros(3, radius, radius)?;
    let (rows, padded) = (a.permute((0, 2, 3, 1))?.contiguous()?, padded.transpose(1, 2)?.contiguous()?);
    let band = (0..width * side).map(|i| (i / side + i % side) as u32).collect();
    let band = Tensor::from_vec(band, (1, 1, width, side), a.device())?;
    let band = band.broadcast_as((batch, height, width, side))?.contiguous()?;
    let one = |dy: usize| rows.matmul(&padded.narrow(1, dy, height)?.contiguous()?)?.gather(&band, 3);
    let window = (0..side).map(one).collect::<Result<Vec<_>>>()?;
    Tensor::cat(&window, 3)?.permute((0, 3, 1, 2))? / channels as f64
}

/// `x` read at each pixel's position plus `flow`, bilinear, edges held; the flow gets no gradient.
pub(super) fn warp(x: &Tensor, flow: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let device = x.device();
    let across = Tensor::arange(0_f32, width as f32, device)?.reshape((1, 1, width))?;
    let down = Tensor::arange(0_f32, height as f32, device)?.reshape((1, height, 1))?;
    let flow = flow.detach();
    let along = |component: usize, places: &Tensor, length: usize| -> Result<[Tensor; 3]> {
        let last = (length - 1) as f64;
        let at = flow.narrow(1, component, 1)?.squeeze(1)?.broadcast_add(places)?.clamp(0.0, last)?;
        let low = at.floor()?;
        let high = (&low + 1.0)?.clamp(0.0, last)?;
        let share = (at - &low)?;
        Ok([low, high, share])
    };
    let [x0, x1, fx] = along(0, &across, width)?;
    let [y0, y1, fy] = along(1, &down, height)?;
    let flat = x.contiguous()?.reshape((batch, channels, height * width))?;
    let read = |x: &Tensor, y: &Tensor, weight: Tensor| -> Result<Tensor> {
        let place = ((y * width as f64)? + x)?.to_dtype(DType::U32)?.reshape((batch, 1, height * width))?;
        let place = place.broadcast_as((batch, channels, height * width))?.contiguous()?;
        flat.gather(&place, 2)?.broadcast_mul(&weight.reshape((batch, 1, height * width))?)
    };
    let (gx, gy) = ((1.0 - &fx)?, (1.0 - &fy)?);
    let upper = (read(&x0, &y0, (&gx * &gy)?)? + read(&x1, &y0, (&fx * &gy)?)?)?;
    let lower = (read(&x0, &y1, (&gx * &fy)?)? + read(&x1, &y1, (&fx * &fy)?)?)?;
    (upper + lower)?.reshape((batch, channels, height, width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::kernels::{Correlate, Warp};
    use crate::train::rng::Rng;
    use candle_core::{Device, Var};

    fn random(rng: &mut Rng, dims: &[usize]) -> Tensor {
        let values = (0..dims.iter().product()).map(|_| rng.normal() as f32).collect();
        Tensor::from_vec(values, dims, &Device::Cpu).expect("tensor")
    }

    fn largest(a: &Tensor, b: &Tensor) -> f32 {
        (a - b).and_then(|d| d.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>()).expect("one shape")
    }

    /// Value of `f`, and the gradient of a weighted sum of it.
    fn both(x: &Tensor, f: &dyn Fn(&Tensor) -> Tensor) -> [Tensor; 2] {
        let var = Var::from_tensor(x).expect("variable");
        let out = f(var.as_tensor());
        let weights = random(&mut Rng::new(5), out.dims());
        let sum = (&out * weights).and_then(|p| p.sum_all()).expect("sum");
        let gradients = sum.backward().expect("gradient");
        [out.detach(), gradients.get(&var).expect("x has a gradient").clone()]
    }

    fn same(x: &Tensor, composed: &dyn Fn(&Tensor) -> Tensor, kernel: &dyn Fn(&Tensor) -> Tensor) {
        let (ours, theirs) = (both(x, composed), both(x, kernel));
        for (a, b) in ours.iter().zip(&theirs) {
            assert!(largest(a, b) < 2e-5, "differ by {}", largest(a, b));
        }
    }

    #[test]
    fn what_a_gpu_computes_is_what_the_kernels_compute() {
        let mut rng = Rng::new(12);
        let (x, other) = (random(&mut rng, &[2, 3, 7, 9]), random(&mut rng, &[2, 3, 7, 9]));
        let kernel = |a: &Tensor, b: &Tensor| a.apply_op2(b, Correlate { radius: 2 }).expect("kernel");
        same(&x, &|x| correlate(x, &other, 2).expect("composed"), &|x| kernel(x, &other));
        same(&x, &|x| correlate(&other, x, 2).expect("composed"), &|x| kernel(&other, x));
        // Flows within the picture, between pixels, and beyond its edges.
        let flow = (random(&mut rng, &[2, 2, 7, 9]) * 3.0).expect("flow");
        same(&x, &|x| warp(x, &flow).expect("composed"), &|x| x.apply_op2(&flow, Warp).expect("kernel"));
    }
}
