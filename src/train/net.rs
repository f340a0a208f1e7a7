//! The residual network, described once.
//!
//! [`residual_net`] is written against the small trait [`Ops`]. Given candle tensors it computes; given the graph
//! builder it writes the same steps down as ONNX nodes. So the model that is trained and the model that is exported
//! cannot drift apart, and the parity test has only the two meanings of each operation to compare.
//!
//! The network corrects a dense flow that is there already (DIS). It reads the real picture where that flow says, sees
//! how well it explains the predicted one beside "nothing moved", and searches around both: at 1/8 of the size in a wide
//! window, at 1/4 in a finer one. Where the start is right it stays as it is, pixel for pixel; where it is not, a gate
//! puts the network's own flow in its place. The last layer also says how sure it is and whether the surface is there.

use serde::{Deserialize, Serialize};

/// Height and width must be multiples of this: the coarsest means are taken over blocks of 32 px.
pub(super) const SIZE_MULTIPLE: usize = 32;

/// Bound of the predicted ln variance before calibration: sigma stays within e^(±3.5) px, about 0.03 to 33 px.
pub(super) const LOG_VAR_BOUND: f64 = 7.0;

/// Slope of the leaky rectifier for negative values.
pub(super) const LEAK: f64 = 0.1;

/// Contrast of the paint that is given ([`crate::vision::local_contrast`]): divided out, so that it is about 1.
const PAINT_LEVEL: f64 = 0.15;

/// Power below which a window counts as flat (of paint with power 1).
const FLAT_POWER: f64 = 0.01;

/// How much more a hidden point counts in training than a seen one: they are few, and one that passes for seen is a
/// wrong match. `present` is a probability all the same: its odds are taken times this.
pub(super) const HIDDEN_WEIGHT: f64 = 4.0;
/// Where a gate stands before training: mostly at the start's side.
const GATE_BIAS: f64 = -2.0;

/// Channels of the evidence that both levels see.
const EVIDENCE: usize = 12;

/// Sizes of the network's parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetShape {
    /// Feature channels at 1/2 and 1/4 of the picture.
    pub features: [usize; 2],
    /// Half-width of the matching window at 1/8 of the size, in its pixels; 0 leaves this level out.
    pub coarse_radius: usize,
    /// Half-width of the matching window at 1/4 of the size, in its pixels.
    pub radius: usize,
    /// Channels of the two kinds of hidden layers: the first of a level, those behind it.
    pub hidden: [usize; 2],
    /// Whether the flow is corrected; a network that only judges the start's flow leaves it as it is.
    pub corrects: bool,
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
            && (1..=Self::WIDEST_RADIUS).contains(&self.radius)
            && self.coarse_radius <= Self::WIDEST_RADIUS
    }

    /// Channels of a matching window.
    fn window(radius: usize) -> usize {
        (2 * radius + 1).pow(2)
    }
}

/// What turns the network's own ln variance into the stated one: `factor · ln v + offset`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// How much wider (above 1) the doubts are spread than the network says.
    pub factor: f64,
    /// Added behind it.
    pub offset: f64,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { factor: 1.0, offset: 0.0 }
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
    /// Product; a factor with one channel counts for all of the other's.
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
    pub(super) start: V,
    /// `[B, 1, H, W]`, px.
    pub(super) doubt: V,
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

/// What both levels look at, at 1/4 of the size.
struct Scene<V> {
    /// Features of the predicted picture.
    seen: V,
    /// Features of the real one.
    filmed: V,
    /// The start's flow, px of the level.
    start: V,
    /// `EVIDENCE` channels.
    evidence: V,
}

/// The network, from inputs to outputs.
pub(super) fn residual_net<O: Ops>(
    ops: &mut O,
    shape: &NetShape,
    input: &NetInput<O::Value>,
    calibration: Calibration,
) -> Result<NetOutput<O::Value>, O::Error> {
    let scene = scene(ops, shape, input)?;
    let mut level_flows = Vec::new();
    let (mut flow, mut context) = (scene.start.clone(), None);
    if shape.coarse_radius > 0 {
        let (coarse, searched, hidden) = search_wide(ops, shape, &scene)?;
        level_flows.extend([coarse, searched.clone()]);
        (flow, context) = (searched, Some(hidden));
    }
    let hidden = look_closely(ops, shape, &scene, &flow, context.as_ref())?;
    let heads = ops.conv(&hidden, &conv_spec("heads", shape.hidden[1], 5, 1, 0.1))?;
    let step = ops.channels(&heads, 0, 2)?;
    let own = ops.add(&flow, &step)?;
    level_flows.push(own.clone());
    let said = ops.channels(&heads, 2, 3)?;
    let small = ops.concat(&[&own, &said])?;
    let half = ops.upsample(&small)?;
    let full = ops.upsample(&half)?;
    let flow = if shape.corrects { choose(ops, &input.start, &full)? } else { input.start.clone() };
    let log_var = ops.channels(&full, 3, 1)?;
    let log_var = ops.affine(&log_var, 1.0 / LOG_VAR_BOUND, 0.0)?;
    let log_var = ops.tanh(&log_var)?;
    let log_var = ops.affine(&log_var, LOG_VAR_BOUND * calibration.factor, calibration.offset)?;
    let logit = ops.channels(&full, 4, 1)?;
    let logit = ops.affine(&logit, 1.0, HIDDEN_WEIGHT.ln())?;
    let present = ops.sigmoid(&logit)?;
    Ok(NetOutput { flow, log_var, present, level_flows })
}

fn conv_spec(name: &str, inputs: usize, outputs: usize, stride: usize, gain: f64) -> ConvSpec {
    ConvSpec { name: name.to_owned(), inputs, outputs, stride, gain }
}

/// `start` where the gate (channel 2 of `full`) is shut, the network's flow (channels 0 and 1, in pixels of 1/4) where
/// it is open.
fn choose<O: Ops>(ops: &mut O, start: &O::Value, full: &O::Value) -> Result<O::Value, O::Error> {
    let own = ops.channels(full, 0, 2)?;
    let own = ops.affine(&own, 4.0, 0.0)?;
    let gate = gate(ops, full, 2)?;
    blend(ops, start, &own, &gate)
}

/// A channel as a gate, 0 to 1, nearly shut before training.
fn gate<O: Ops>(ops: &mut O, x: &O::Value, channel: usize) -> Result<O::Value, O::Error> {
    let logit = ops.channels(x, channel, 1)?;
    let logit = ops.affine(&logit, 1.0, GATE_BIAS)?;
    ops.sigmoid(&logit)
}

/// `a` where `gate` is 0, `b` where it is 1.
fn blend<O: Ops>(ops: &mut O, a: &O::Value, b: &O::Value, gate: &O::Value) -> Result<O::Value, O::Error> {
    let change = ops.sub(b, a)?;
    let change = ops.mul(&change, gate)?;
    ops.add(a, &change)
}

/// A flow at twice the size: its pixels are half as large, so its values double.
fn doubled<O: Ops>(ops: &mut O, flow: &O::Value) -> Result<O::Value, O::Error> {
    let larger = ops.upsample(flow)?;
    ops.affine(&larger, 2.0, 0.0)
}

/// A flow at half the size.
fn halved<O: Ops>(ops: &mut O, flow: &O::Value) -> Result<O::Value, O::Error> {
    let smaller = ops.mean_pool(flow, 2)?;
    ops.affine(&smaller, 0.5, 0.0)
}

/// Means over blocks of 4 × 4 blocks, spread out again: the surroundings of each pixel.
fn surroundings<O: Ops>(ops: &mut O, x: &O::Value) -> Result<O::Value, O::Error> {
    let mean = ops.mean_pool(x, 4)?;
    let mean = ops.upsample(&mean)?;
    ops.upsample(&mean)
}

fn scene<O: Ops>(ops: &mut O, shape: &NetShape, input: &NetInput<O::Value>) -> Result<Scene<O::Value>, O::Error> {
    let unit = |ops: &mut O, paint: &O::Value| ops.affine(paint, 1.0 / PAINT_LEVEL, -0.5 / PAINT_LEVEL);
    let (predicted, real) = (unit(ops, &input.predicted)?, unit(ops, &input.real)?);
    let moved = ops.warp(&real, &input.start)?;
    let start = ops.mean_pool(&input.start, 4)?;
    let start = ops.affine(&start, 0.25, 0.0)?;
    let power = powers(ops, &predicted)?;
    let by_start = likeness(ops, &predicted, &moved, &power)?;
    let unmoved = likeness(ops, &predicted, &real, &power)?;
    let around = surroundings(ops, &start)?;
    let roughness = ops.sub(&start, &around)?;
    let short = ops.affine(&start, 0.25, 0.0)?;
    let short = ops.tanh(&short)?;
    // d / (1 + d): the last frame's doubt of some px and a lost match are nearly the same.
    let beyond = ops.affine(&input.doubt, 1.0, 1.0)?;
    let doubt = ops.div(&input.doubt, &beyond)?;
    let doubt = ops.mean_pool(&doubt, 4)?;
    let visible = ops.mean_pool(&input.visible, 4)?;
    let strength = ops.sqrt(&power[0])?;
    let evidence = ops.concat(&[
        &by_start[0],
        &by_start[1],
        &by_start[2],
        &unmoved[0],
        &unmoved[1],
        &roughness,
        &short,
        &doubt,
        &visible,
        &strength,
    ])?;
    Ok(Scene { seen: features(ops, shape, &predicted)?, filmed: features(ops, shape, &real)?, start, evidence })
}

/// Mean squares over blocks of 4, 8 and 16 px.
fn powers<O: Ops>(ops: &mut O, x: &O::Value) -> Result<[O::Value; 3], O::Error> {
    let square = ops.mul(x, x)?;
    pools(ops, &square)
}

/// Means over blocks of 4, 8 and 16 px.
fn pools<O: Ops>(ops: &mut O, x: &O::Value) -> Result<[O::Value; 3], O::Error> {
    let four = ops.mean_pool(x, 4)?;
    let eight = ops.mean_pool(&four, 2)?;
    let sixteen = ops.mean_pool(&eight, 2)?;
    Ok([four, eight, sixteen])
}

/// Correlation of two paints over blocks of 8 and 16 px and the size of their difference over 4 px, at 1/4 of the size.
/// Paint has no local mean, so none is taken out.
fn likeness<O: Ops>(
    ops: &mut O,
    a: &O::Value,
    b: &O::Value,
    power_of_a: &[O::Value; 3],
) -> Result<[O::Value; 3], O::Error> {
    let power_of_b = powers(ops, b)?;
    let product = ops.mul(a, b)?;
    let product = pools(ops, &product)?;
    let mut found = Vec::with_capacity(2);
    for scale in [1, 2] {
        let both = ops.mul(&power_of_a[scale], &power_of_b[scale])?;
        let both = ops.affine(&both, 1.0, FLAT_POWER * FLAT_POWER)?;
        let length = ops.sqrt(&both)?;
        let mut share = ops.div(&product[scale], &length)?;
        for _ in 0..scale {
            share = ops.upsample(&share)?;
        }
        found.push(share);
    }
    let difference = ops.sub(a, b)?;
    let square = ops.mul(&difference, &difference)?;
    let square = ops.mean_pool(&square, 4)?;
    let square = ops.affine(&square, 1.0, FLAT_POWER)?;
    let size = ops.sqrt(&square)?;
    let coarse = found.pop().expect("two scales were computed: anything else is a bug");
    let fine = found.pop().expect("two scales were computed: anything else is a bug");
    Ok([fine, coarse, size])
}

/// Features at 1/4; both pictures use the same weights.
fn features<O: Ops>(ops: &mut O, shape: &NetShape, picture: &O::Value) -> Result<O::Value, O::Error> {
    let [half, quarter] = shape.features;
    let x = ops.conv(picture, &conv_spec("half", 1, half, 2, 1.0))?;
    let x = ops.leaky_relu(&x)?;
    let x = ops.conv(&x, &conv_spec("quarter", half, quarter, 2, 1.0))?;
    let x = ops.leaky_relu(&x)?;
    ops.conv(&x, &conv_spec("feature", quarter, quarter, 1, 1.0))
}

/// Flow at 1/8, the flow to go on with at 1/4, and what was seen, at 1/4.
type WideSearch<V> = (V, V, V);

/// The level at 1/8: looks far around the start and around "nothing moved". Gives its flow, the flow to go on with at
/// 1/4, and what it saw, at 1/4.
fn search_wide<O: Ops>(
    ops: &mut O,
    shape: &NetShape,
    scene: &Scene<O::Value>,
) -> Result<WideSearch<O::Value>, O::Error> {
    let (seen, filmed) = (ops.mean_pool(&scene.seen, 2)?, ops.mean_pool(&scene.filmed, 2)?);
    let start = halved(ops, &scene.start)?;
    let moved = ops.warp(&filmed, &start)?;
    let matches = ops.correlate(&seen, &moved, shape.coarse_radius)?;
    let still = ops.correlate(&seen, &filmed, 2)?;
    let evidence = ops.mean_pool(&scene.evidence, 2)?;
    let joined = ops.concat(&[&matches, &still, &seen, &evidence])?;
    let inputs = NetShape::window(shape.coarse_radius) + NetShape::window(2) + shape.features[1] + EVIDENCE;
    let x = ops.conv(&joined, &conv_spec("search", inputs, shape.hidden[0], 1, 1.0))?;
    let x = ops.leaky_relu(&x)?;
    let x = ops.conv(&x, &conv_spec("weigh", shape.hidden[0], shape.hidden[1], 1, 1.0))?;
    let hidden = ops.leaky_relu(&x)?;
    let heads = ops.conv(&hidden, &conv_spec("found", shape.hidden[1], 5, 1, 0.1))?;
    // Three places to begin from: the start, its surroundings, zero.
    let around = surroundings(ops, &start)?;
    let (smooth, keep) = (gate(ops, &heads, 2)?, ops.channels(&heads, 3, 1)?);
    let keep = ops.affine(&keep, 1.0, -GATE_BIAS)?;
    let keep = ops.sigmoid(&keep)?;
    let from = blend(ops, &start, &around, &smooth)?;
    let from = ops.mul(&from, &keep)?;
    let step = ops.channels(&heads, 0, 2)?;
    let own = ops.add(&from, &step)?;
    let gate = gate(ops, &heads, 4)?;
    let (larger, wide_gate) = (doubled(ops, &own)?, ops.upsample(&gate)?);
    let flow = blend(ops, &scene.start, &larger, &wide_gate)?;
    let context = ops.upsample(&hidden)?;
    Ok((own, flow, context))
}

/// The level at 1/4: looks around `flow` and gives its hidden features.
fn look_closely<O: Ops>(
    ops: &mut O,
    shape: &NetShape,
    scene: &Scene<O::Value>,
    flow: &O::Value,
    context: Option<&O::Value>,
) -> Result<O::Value, O::Error> {
    let behind = ops.detach(flow);
    let moved = ops.warp(&scene.filmed, &behind)?;
    let matches = ops.correlate(&scene.seen, &moved, shape.radius)?;
    let change = ops.sub(&behind, &scene.start)?;
    let mut parts = vec![&matches, &scene.seen, &scene.evidence, &change];
    parts.extend(context);
    let joined = ops.concat(&parts)?;
    let inputs = NetShape::window(shape.radius) + shape.features[1] + EVIDENCE + 2;
    let inputs = inputs + context.map_or(0, |_| shape.hidden[1]);
    let [first, behind] = shape.hidden;
    let x = ops.conv(&joined, &conv_spec("match", inputs, first, 1, 1.0))?;
    let x = ops.leaky_relu(&x)?;
    let x = ops.conv(&x, &conv_spec("compare", first, behind, 1, 1.0))?;
    let x = ops.leaky_relu(&x)?;
    let x = ops.conv(&x, &conv_spec("decide", behind, behind, 1, 1.0))?;
    ops.leaky_relu(&x)
}
