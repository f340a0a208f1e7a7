//! The network's operations on candle tensors: the meaning that is trained.

use candle_core::{Result, Tensor};

use super::composed;
use super::kernels::{Correlate, Unfold, Warp, strided_length};
use super::net::{ConvSpec, LEAK, Ops};
use super::weights::Weights;

/// Computes with the parameters in `weights`; draws those that are missing.
#[derive(Debug)]
pub(super) struct CandleOps<'w> {
    /// The parameters.
    pub(super) weights: &'w mut Weights,
}

impl Ops for CandleOps<'_> {
    type Value = Tensor;
    type Error = candle_core::Error;

    fn conv(&mut self, x: &Tensor, spec: &ConvSpec) -> Result<Tensor> {
        let (weight, bias) = self.weights.layer(spec)?;
        if !x.device().is_cpu() {
            return composed::convolve(x, weight.as_tensor(), bias.as_tensor(), spec.stride);
        }
        convolve(x, weight.as_tensor(), bias.as_tensor(), spec.stride)
    }

    fn leaky_relu(&mut self, x: &Tensor) -> Result<Tensor> {
        // relu(x) (1 - LEAK) + LEAK x: one comparison, and a gradient that candle has.
        (x.relu()? * (1.0 - LEAK))? + (x * LEAK)?
    }

    fn concat(&mut self, parts: &[&Tensor]) -> Result<Tensor> {
        Tensor::cat(parts, 1)
    }

    fn channels(&mut self, x: &Tensor, start: usize, length: usize) -> Result<Tensor> {
        x.narrow(1, start, length)
    }

    fn mean_pool(&mut self, x: &Tensor, side: usize) -> Result<Tensor> {
        x.avg_pool2d(side)
    }

    fn upsample(&mut self, x: &Tensor) -> Result<Tensor> {
        let wider = upsample_along(x, 3)?;
        upsample_along(&wider, 2)
    }

    fn correlate(&mut self, a: &Tensor, b: &Tensor, radius: usize) -> Result<Tensor> {
        if !a.device().is_cpu() {
            return composed::correlate(a, b, radius);
        }
        a.contiguous()?.apply_op2(&b.contiguous()?, Correlate { radius })
    }

    fn warp(&mut self, x: &Tensor, flow: &Tensor) -> Result<Tensor> {
        if !x.device().is_cpu() {
            return composed::warp(x, flow);
        }
        x.contiguous()?.apply_op2(&flow.contiguous()?, Warp)
    }

    fn add(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a + b
    }

    fn sub(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a - b
    }

    fn mul(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a.broadcast_mul(b)
    }

    fn div(&mut self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        a / b
    }

    fn affine(&mut self, x: &Tensor, factor: f64, offset: f64) -> Result<Tensor> {
        x.affine(factor, offset)
    }

    fn sqrt(&mut self, x: &Tensor) -> Result<Tensor> {
        x.sqrt()
    }

    fn tanh(&mut self, x: &Tensor) -> Result<Tensor> {
        x.tanh()
    }

    fn sigmoid(&mut self, x: &Tensor) -> Result<Tensor> {
        // 1 / (1 + e^-x), with the gradient that candle composes.
        (x.neg()?.exp()? + 1.0)?.recip()
    }

    fn detach(&mut self, x: &Tensor) -> Tensor {
        x.detach()
    }
}

/// 3 × 3 convolution as one matrix product, so that its gradient is matrix products, too.
fn convolve(x: &Tensor, weight: &Tensor, bias: &Tensor, stride: usize) -> Result<Tensor> {
    let (batch, inputs, height, width) = x.dims4()?;
    let outputs = weight.dim(0)?;
    let patches = x.contiguous()?.apply_op1(Unfold { stride })?;
    let matrix = weight.reshape((1, outputs, inputs * 9))?;
    let product = matrix.broadcast_matmul(&patches)?.broadcast_add(&bias.reshape((1, outputs, 1))?)?;
    product.reshape((batch, outputs, strided_length(height, stride), strided_length(width, stride)))
}

/// Twice as long along `dim`: each new pixel is 3/4 of the old one that it lies in and 1/4 of the nearer neighbour.
fn upsample_along(x: &Tensor, dim: usize) -> Result<Tensor> {
    let length = x.dim(dim)?;
    let before = Tensor::cat(&[&x.narrow(dim, 0, 1)?, &x.narrow(dim, 0, length - 1)?], dim);
    let after = |x: &Tensor| Tensor::cat(&[&x.narrow(dim, 1, length - 1)?, &x.narrow(dim, length - 1, 1)?], dim);
    let (before, after) = if length > 1 { (before?, after(x)?) } else { (x.clone(), x.clone()) };
    let near = (x * 0.75)?;
    let even = (&near + (before * 0.25)?)?;
    let odd = (&near + (after * 0.25)?)?;
    let mut dims = x.dims().to_vec();
    dims[dim] = 2 * length;
    // Interleave: a new axis behind `dim`, then the two are one.
    Tensor::stack(&[&even, &odd], dim + 1)?.reshape(dims)
}
