//! The residual network, described once.
//!
//! [`residual_net`] is written against the small trait [`Ops`]. Given candle tensors it computes; given the graph
//! builder it writes the same steps down as ONNX nodes. So the model that is trained and the model that is exported
//! cannot drift apart, and the parity test has only the two meanings of each operation to compare.
//!
//! The network is a coarse-to-fine matcher: both pictures, freed of local brightness and contrast, pass the same
//! convolutions down to 1/2, 1/4 and 1/8 of their size. From the coarsest level up, the real picture's features are
//! moved by the flow known so far, compared with the predicted picture's features in a small window around each
//! pixel, and a few convolutions turn what they see into a correction of the flow. The start is `carried`. The finest
//! level also says how sure it is and whether the surface is there.

use serde::{Deserialize, Serialize};

/// How many levels the pyramid has: 1/2, 1/4, 1/8.
pub const LEVELS: usize = 3;

/// Bound of the predicted ln variance: sigma stays within e^(±3.5) px, about 0.03 to 33 px.
pub(super) const LOG_VAR_BOUND: f64 = 7.0;

/// Slope of the leaky rectifier for negative values.
pub(super) const LEAK: f64 = 0.1;

/// Luma variance below which a neighbourhood counts as flat and its noise is not blown up (0.02 squared).
const FLAT_VARIANCE: f64 = 4e-4;

/// Sizes of the network's parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetShape {
    /// Feature channels at 1/2, 1/4 and 1/8 of the picture.
    pub features: [usize; LEVELS],
    /// Half-width of the matching window at these levels, in pixels of the level.
    pub radius: [usize; LEVELS],
    /// Channels of the two hidden layers that turn a match into a flow.
    pub hidden: [usize; 2],
}

impl NetShape {
    /// Most channels of a layer.
    const MOST_CHANNELS: usize = 512;
    /// Widest matching window, half-width.
    const WIDEST_RADIUS: usize = 8;

    /// True when every size is within what the network can be built with.
    pub(super) fn is_possible(&self) -> bool {
        let channels = self.features.iter().chain(&self.hidden);
        channels.into_iter().all(|c| (1..=Self::MOST_CHANNELS).contains(c))
            && self.radius.iter().all(|r| (1..=Self::WIDEST_RADIUS).contains(r))
    }
}

/// Which layer a weight belongs to and how it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ConvSpec {
    /// Name of the layer; its parameters are `<name>.weight` `[out, in, 3, 3]` and `<name>.bias` `[out]`.
    pub(super) name: String,
    /// Input channels.
    pub(super) inputs: usize,
    /// Output channels.
    pub(super) outputs: usize,
    /// 1, or 2 to halve the size.
    pub(super) stride: usize,
    /// Factor on the usual spread of the first weights; small where the layer should begin by saying little.
    pub(super) gain: f64,
}

/// The operations of the network. Each implementation gives the same numbers, up to rounding.
pub(super) trait Ops {
    /// A tensor `[B, C, H, W]`, or the name of one.
    type Value: Clone;
    /// What can go wrong.
    type Error;

    /// 3 × 3 convolution with bias; zero padding of 1.
    fn conv(&mut self, x: &Self::Value, spec: &ConvSpec) -> Result<Self::Value, Self::Error>;
    /// `x` where positive, else [`LEAK`] × `x`.
    fn leaky_relu(&mut self, x: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// Joins channels.
    fn concat(&mut self, parts: &[&Self::Value]) -> Result<Self::Value, Self::Error>;
    /// The channels `start..start + length`.
    fn channels(&mut self, x: &Self::Value, start: usize, length: usize) -> Result<Self::Value, Self::Error>;
    /// Mean over blocks of `side` × `side` pixels.
    fn mean_pool(&mut self, x: &Self::Value, side: usize) -> Result<Self::Value, Self::Error>;
    /// Twice the size, bilinear, half-pixel centres, edges held.
    fn upsample(&mut self, x: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// Mean over channels of `a(x) · b(x + d)` for each `d` of the window, rows first; zero outside.
    fn correlate(&mut self, a: &Self::Value, b: &Self::Value, radius: usize) -> Result<Self::Value, Self::Error>;
    /// `x` read at each pixel's position plus `flow` (px, x then y), bilinear, edges held.
    fn warp(&mut self, x: &Self::Value, flow: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// Sum of two tensors of one shape.
    fn add(&mut self, a: &Self::Value, b: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// Difference of two tensors of one shape.
    fn sub(&mut self, a: &Self::Value, b: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// Product of two tensors of one shape.
    fn mul(&mut self, a: &Self::Value, b: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// Quotient of two tensors of one shape.
    fn div(&mut self, a: &Self::Value, b: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// `factor` · x + `offset`.
    fn affine(&mut self, x: &Self::Value, factor: f64, offset: f64) -> Result<Self::Value, Self::Error>;
    /// Square root.
    fn sqrt(&mut self, x: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// Hyperbolic tangent.
    fn tanh(&mut self, x: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// Logistic function.
    fn sigmoid(&mut self, x: &Self::Value) -> Result<Self::Value, Self::Error>;
    /// The same values; training does not look behind them.
    fn detach(&mut self, x: &Self::Value) -> Self::Value;
}

/// The model's inputs; see [`ModelSpec::residual`](crate::domain::ModelSpec::residual).
#[derive(Debug, Clone)]
pub(super) struct NetInput<V> {
    /// `[B, 1, H, W]`.
    pub(super) predicted: V,
    /// `[B, 1, H, W]`.
    pub(super) real: V,
    /// `[B, 1, H, W]`.
    pub(super) visible: V,
    /// `[B, 2, H, W]`, px.
    pub(super) carried: V,
}

/// The model's outputs, and what training wants to see besides.
#[derive(Debug, Clone)]
pub(super) struct NetOutput<V> {
    /// `[B, 2, H, W]`, px.
    pub(super) flow: V,
    /// `[B, 1, H, W]`, ln px².
    pub(super) log_var: V,
    /// `[B, 1, H, W]`.
    pub(super) present: V,
    /// Flow after each level, coarsest first, in pixels of the level.
    pub(super) level_flows: Vec<V>,
}

/// The network, from inputs to outputs. `log_var_offset` is the calibration, added to the predicted ln variance.
pub(super) fn residual_net<O: Ops>(
    ops: &mut O,
    shape: &NetShape,
    input: &NetInput<O::Value>,
    log_var_offset: f64,
) -> Result<NetOutput<O::Value>, O::Error> {
    let predicted = normalised(ops, &input.predicted)?;
    let real = normalised(ops, &input.real)?;
    let seen = pyramid(ops, shape, &predicted)?;
    let filmed = pyramid(ops, shape, &real)?;
    let coarsest = 1 << LEVELS;
    let start = ops.mean_pool(&input.carried, coarsest)?;
    let mut flow = ops.affine(&start, 1.0 / f64::from(coarsest as u32), 0.0)?;
    let mut level_flows = Vec::with_capacity(LEVELS);
    let mut hidden = None;
    for level in (0..LEVELS).rev() {
        if level + 1 < LEVELS {
            flow = doubled(ops, &flow)?;
        }
        let visible = ops.mean_pool(&input.visible, 2 << level)?;
        let features = decode(ops, shape, level, [&seen[level], &filmed[level], &flow, &visible])?;
        let spec = conv_spec(format!("flow{level}"), shape.hidden[1], 2, 1, 0.1);
        let correction = ops.conv(&features, &spec)?;
        flow = ops.add(&flow, &correction)?;
        level_flows.push(flow.clone());
        hidden = Some(features);
    }
    let hidden = hidden.expect("there is at least one level: anything else is a bug");
    let doubt = ops.conv(&hidden, &conv_spec("doubt".to_owned(), shape.hidden[1], 2, 1, 0.1))?;
    let doubt = ops.upsample(&doubt)?;
    let log_var = ops.channels(&doubt, 0, 1)?;
    let log_var = ops.affine(&log_var, 1.0 / LOG_VAR_BOUND, 0.0)?;
    let log_var = ops.tanh(&log_var)?;
    let log_var = ops.affine(&log_var, LOG_VAR_BOUND, log_var_offset)?;
    let logit = ops.channels(&doubt, 1, 1)?;
    let present = ops.sigmoid(&logit)?;
    let flow = doubled(ops, &flow)?;
    Ok(NetOutput { flow, log_var, present, level_flows })
}

fn conv_spec(name: String, inputs: usize, outputs: usize, stride: usize, gain: f64) -> ConvSpec {
    ConvSpec { name, inputs, outputs, stride, gain }
}

/// A flow at twice the size: its pixels are half as large, so its values double.
fn doubled<O: Ops>(ops: &mut O, flow: &O::Value) -> Result<O::Value, O::Error> {
    let larger = ops.upsample(flow)?;
    ops.affine(&larger, 2.0, 0.0)
}

/// The picture without its local brightness and contrast: paint and light drop out, structure stays.
fn normalised<O: Ops>(ops: &mut O, luma: &O::Value) -> Result<O::Value, O::Error> {
    let mean = neighbourhood_mean(ops, luma)?;
    let centred = ops.sub(luma, &mean)?;
    let square = ops.mul(&centred, &centred)?;
    let variance = neighbourhood_mean(ops, &square)?;
    let variance = ops.affine(&variance, 1.0, FLAT_VARIANCE)?;
    let spread = ops.sqrt(&variance)?;
    ops.div(&centred, &spread)
}

/// Smooth local mean: blocks of 8 × 8, bilinear in between.
fn neighbourhood_mean<O: Ops>(ops: &mut O, x: &O::Value) -> Result<O::Value, O::Error> {
    let mut mean = ops.mean_pool(x, 1 << LEVELS)?;
    for _ in 0..LEVELS {
        mean = ops.upsample(&mean)?;
    }
    Ok(mean)
}

/// Features at 1/2, 1/4 and 1/8; both pictures use the same weights.
fn pyramid<O: Ops>(ops: &mut O, shape: &NetShape, picture: &O::Value) -> Result<Vec<O::Value>, O::Error> {
    let mut levels = Vec::with_capacity(LEVELS);
    let (mut below, mut inputs) = (picture.clone(), 1);
    for (level, &outputs) in shape.features.iter().enumerate() {
        let x = ops.conv(&below, &conv_spec(format!("down{level}"), inputs, outputs, 2, 1.0))?;
        let x = ops.leaky_relu(&x)?;
        let x = ops.conv(&x, &conv_spec(format!("feature{level}"), outputs, outputs, 1, 1.0))?;
        below = ops.leaky_relu(&x)?;
        inputs = outputs;
        levels.push(below.clone());
    }
    Ok(levels)
}

/// What one level sees around the flow known so far; `[seen, filmed, flow, visible]` in, hidden features out.
fn decode<O: Ops>(
    ops: &mut O,
    shape: &NetShape,
    level: usize,
    [seen, filmed, flow, visible]: [&O::Value; 4],
) -> Result<O::Value, O::Error> {
    let behind = ops.detach(flow);
    let moved = ops.warp(filmed, &behind)?;
    let radius = shape.radius[level];
    let matches = ops.correlate(seen, &moved, radius)?;
    let matches = ops.leaky_relu(&matches)?;
    let joined = ops.concat(&[&matches, seen, visible])?;
    let inputs = (2 * radius + 1).pow(2) + shape.features[level] + 1;
    let x = ops.conv(&joined, &conv_spec(format!("match{level}"), inputs, shape.hidden[0], 1, 1.0))?;
    let x = ops.leaky_relu(&x)?;
    let x = ops.conv(&x, &conv_spec(format!("decide{level}"), shape.hidden[0], shape.hidden[1], 1, 1.0))?;
    ops.leaky_relu(&x)
}
