//! What one run of a network costs: its third meaning, beside candle's and ONNX's.

use std::convert::Infallible;

use super::net::{Calibration, ConvSpec, NetInput, NetShape, Ops, residual_net};
use super::network::Precision;

/// Work that a GPU, or any other machine, has with one pair of pictures.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations of convolutions and matching windows; a product with its sum counts as two.
    pub flop: f64,
    /// Bytes that move when each operation of the model file reads its inputs and writes its result once.
    pub bytes: f64,
}

impl NetShape {
    /// The cost of one pair of `height` x `width` pixels.
    #[must_use]
    pub fn cost(&self, height: usize, width: usize, precision: Precision) -> Cost {
        let mut ops = CostOps { half: precision == Precision::Half, cost: Cost::default() };
        let plane = |channels| Size { channels, height, width, half: false };
        let input =
            NetInput { predicted: plane(1), real: plane(1), visible: plane(1), start: plane(2), doubt: plane(1) };
        let Ok(_) = residual_net(&mut ops, self, &input, Calibration::default());
        ops.cost
    }
}

/// A tensor without its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Size {
    channels: usize,
    height: usize,
    width: usize,
    /// 16 bits a number.
    half: bool,
}

impl Size {
    fn numbers(&self) -> f64 {
        (self.channels * self.height * self.width) as f64
    }

    fn bytes(&self) -> f64 {
        self.numbers() * if self.half { 2.0 } else { 4.0 }
    }
}

/// Adds up instead of computing.
#[derive(Debug)]
struct CostOps {
    half: bool,
    cost: Cost,
}

impl CostOps {
    /// An operation that reads `inputs` and writes `result`.
    fn moves(&mut self, inputs: &[&Size], result: Size) -> Result<Size, Infallible> {
        self.cost.bytes += inputs.iter().map(|i| i.bytes()).sum::<f64>() + result.bytes();
        Ok(result)
    }

    /// One that writes what has the size of `x`, in 32 bits.
    fn single(&mut self, inputs: &[&Size], x: &Size) -> Result<Size, Infallible> {
        self.moves(inputs, Size { half: false, ..*x })
    }
}

impl Ops for CostOps {
    type Value = Size;
    type Error = Infallible;

    fn conv(&mut self, x: &Size, spec: &ConvSpec) -> Result<Size, Infallible> {
        let side = |length: usize| length.div_ceil(spec.stride);
        let (height, width) = (side(x.height), side(x.width));
        let result = Size { channels: spec.outputs, height, width, half: self.half };
        self.cost.flop += 2.0 * 9.0 * spec.inputs as f64 * result.numbers();
        self.moves(&[x], result)
    }

    fn leaky_relu(&mut self, x: &Size) -> Result<Size, Infallible> {
        self.moves(&[x], *x)
    }

    fn concat(&mut self, parts: &[&Size]) -> Result<Size, Infallible> {
        let channels = parts.iter().map(|p| p.channels).sum();
        self.moves(parts, Size { channels, half: parts.iter().any(|p| p.half), ..*parts[0] })
    }

    fn channels(&mut self, x: &Size, _: usize, length: usize) -> Result<Size, Infallible> {
        let part = Size { channels: length, ..*x };
        self.moves(&[&part], part)
    }

    fn mean_pool(&mut self, x: &Size, side: usize) -> Result<Size, Infallible> {
        self.moves(&[x], Size { height: x.height / side, width: x.width / side, ..*x })
    }

    fn upsample(&mut self, x: &Size) -> Result<Size, Infallible> {
        self.moves(&[x], Size { height: 2 * x.height, width: 2 * x.width, half: false, ..*x })
    }

    /// As the model file does it: each place of the window is sliced, multiplied and averaged by itself.
    fn correlate(&mut self, a: &Size, _: &Size, radius: usize) -> Result<Size, Infallible> {
        let a = Size { half: self.half, ..*a };
        let one = Size { channels: 1, ..a };
        let window = Size { channels: (2 * radius + 1).pow(2), ..a };
        for _ in 0..window.channels {
            self.moves(&[&a], a)?;
            self.moves(&[&a, &a], a)?;
            self.moves(&[&a], one)?;
        }
        self.cost.flop += 2.0 * a.numbers() * window.channels as f64;
        self.moves(&[&window], window)
    }

    fn warp(&mut self, x: &Size, flow: &Size) -> Result<Size, Infallible> {
        self.single(&[x, flow], x)
    }

    fn add(&mut self, a: &Size, b: &Size) -> Result<Size, Infallible> {
        self.single(&[a, b], a)
    }

    fn sub(&mut self, a: &Size, b: &Size) -> Result<Size, Infallible> {
        self.single(&[a, b], a)
    }

    fn mul(&mut self, a: &Size, b: &Size) -> Result<Size, Infallible> {
        let larger = if a.channels >= b.channels { a } else { b };
        self.single(&[a, b], larger)
    }

    fn div(&mut self, a: &Size, b: &Size) -> Result<Size, Infallible> {
        self.single(&[a, b], a)
    }

    fn affine(&mut self, x: &Size, _: f64, _: f64) -> Result<Size, Infallible> {
        self.single(&[x], x)
    }

    fn sqrt(&mut self, x: &Size) -> Result<Size, Infallible> {
        self.single(&[x], x)
    }

    fn tanh(&mut self, x: &Size) -> Result<Size, Infallible> {
        self.single(&[x], x)
    }

    fn sigmoid(&mut self, x: &Size) -> Result<Size, Infallible> {
        self.single(&[x], x)
    }

    fn detach(&mut self, x: &Size) -> Size {
        *x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_grows_with_the_picture_and_half_of_the_bits_moves_less() {
        let shape = NetShape { features: [10, 20], coarse_radius: 4, radius: 3, hidden: [32, 24], corrects: true };
        let small = shape.cost(96, 128, Precision::Single);
        let large = shape.cost(192, 256, Precision::Single);
        assert!((large.flop / small.flop - 4.0).abs() < 1e-9 && (large.bytes / small.bytes - 4.0).abs() < 1e-9);
        let half = shape.cost(96, 128, Precision::Half);
        assert_eq!(half.flop, small.flop);
        assert!(half.bytes < 0.8 * small.bytes && half.bytes > 0.5 * small.bytes);
        // A wider window costs the features' numbers once more for each of its places.
        let wider = NetShape { radius: 4, ..shape.clone() }.cost(96, 128, Precision::Single);
        let places = f64::from(81 - 49);
        assert!(wider.flop - small.flop > 2.0 * places * (20 * 24 * 32) as f64);
    }
}
