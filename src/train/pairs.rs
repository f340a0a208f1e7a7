//! Filmed pairs with their truth, what the network is given of them, and crops of it as batches.

use candle_core::Tensor;
use ndarray::{Array2, Array3, Axis, s};
use sha2::{Digest, Sha256};

use super::device::device;
use super::error::TrainError;
use super::rng::Rng;
use super::weights::hex;
use crate::vision::{DisFlow, local_contrast};

/// A crop shows at least this share of surface, where one can be found.
const LEAST_SURFACE: f64 = 0.3;
/// How often a crop's place is drawn anew until it shows enough.
const TRIES: usize = 24;

/// A predicted and a real picture of one size, and what is true of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FilmedPair {
    /// Predicted picture `[H, W]`, luma.
    pub(super) predicted: Array2<f32>,
    /// Real picture `[H, W]`, luma.
    pub(super) real: Array2<f32>,
    /// 1 where the predicted picture shows a surface whose look is known, `[H, W]`.
    pub(super) visible: Array2<f32>,
    /// True flow `[2, H, W]`, px, x then y; of meaning where `visible`.
    pub(super) flow: Array3<f32>,
    /// 1 where the surface is seen in the real picture, `[H, W]`.
    pub(super) present: Array2<f32>,
}

/// Where filmed pairs come from. The same number gives the same pairs, on any thread.
pub(super) trait PairSource: Sync {
    /// The pairs of film number `index` of the stream `stream` (training, validation, …); one or more, of one size.
    fn pairs(&self, stream: Stream, index: usize) -> Result<Vec<FilmedPair>, TrainError>;
}

/// What pairs are for. No pair is in two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// To learn from.
    Training,
    /// To see when it is good enough, and which weights are best.
    Validation,
    /// To calibrate the stated sigma.
    Calibration,
    /// To report on; never seen before, of another family where the recipe names one.
    Report,
}

impl Stream {
    /// Its name, which its random numbers follow from.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Validation => "validation",
            Self::Calibration => "calibration",
            Self::Report => "report",
        }
    }
}

/// A pair as the network is given it, with its truth.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Prepared {
    /// Channels of [`Prepared::planes`] as `[C, H, W]`: paint predicted, paint real, visible, start x and y, doubt,
    /// true flow x and y, present.
    planes: Array3<f32>,
}

/// Channels of a prepared pair.
const CHANNELS: usize = 9;

impl Prepared {
    /// Takes the paint of both pictures and the start's flow between them.
    pub(super) fn from_pair(pair: &FilmedPair, dis: DisFlow) -> Result<Self, TrainError> {
        let (predicted, real) = (local_contrast(&pair.predicted)?, local_contrast(&pair.real)?);
        let start = dis.flow(&predicted, &real)?;
        let doubt = start.doubt_px();
        let (height, width) = predicted.dim();
        let mut planes = Array3::zeros((CHANNELS, height, width));
        for (at, plane) in [(0, &predicted), (1, &real), (2, &pair.visible), (5, &doubt), (8, &pair.present)] {
            planes.index_axis_mut(Axis(0), at).assign(plane);
        }
        planes.slice_mut(s![3..5, .., ..]).assign(&start.flow);
        planes.slice_mut(s![6..8, .., ..]).assign(&pair.flow);
        Ok(Self { planes })
    }

    /// A square of `side` px at a random place that shows some surface, turned or mirrored at random.
    pub(super) fn crop(&self, side: usize, rng: &mut Rng) -> Self {
        let (_, height, width) = self.planes.dim();
        let mut best = (-1.0, 0, 0);
        for _ in 0..TRIES {
            let place = |rng: &mut Rng, length: usize| (rng.unit() * (length - side + 1) as f64) as usize;
            let (x, y) = (place(rng, width), place(rng, height));
            let shown = self.planes.slice(s![2, y..y + side, x..x + side]).sum();
            let share = f64::from(shown) / (side * side) as f64;
            if share > best.0 {
                best = (share, x, y);
            }
            if share >= LEAST_SURFACE {
                break;
            }
        }
        let (_, x, y) = best;
        let planes = self.planes.slice(s![.., y..y + side, x..x + side]).to_owned();
        Self { planes }.turned(rng.next() % 8)
    }

    /// One of the eight ways to lay a square: mirrored along x, along y, and x exchanged for y.
    fn turned(mut self, way: u64) -> Self {
        for (bit, axis, channels) in [(1, 2, [3, 6]), (2, 1, [4, 7])] {
            if way & bit != 0 {
                self.planes.invert_axis(Axis(axis));
                channels.iter().for_each(|&c| self.planes.index_axis_mut(Axis(0), c).mapv_inplace(|v| -v));
            }
        }
        if way & 4 != 0 {
            self.planes.swap_axes(1, 2);
            for x in [3, 6] {
                let (x_part, y_part) = (self.planes.index_axis(Axis(0), x).to_owned(), x + 1);
                let y_values = self.planes.index_axis(Axis(0), y_part).to_owned();
                self.planes.index_axis_mut(Axis(0), x).assign(&y_values);
                self.planes.index_axis_mut(Axis(0), y_part).assign(&x_part);
            }
        }
        Self { planes: self.planes.as_standard_layout().into_owned() }
    }
}

/// Prepared squares of one size, item after item.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Batch {
    /// How many.
    pub(super) count: usize,
    /// Side, px.
    pub(super) side: usize,
    values: Vec<f32>,
}

impl Batch {
    /// Puts squares together.
    pub(super) fn from_items<'a>(items: impl Iterator<Item = &'a Prepared>, side: usize) -> Self {
        let mut batch = Self { count: 0, side, values: Vec::new() };
        for item in items {
            batch.values.extend(item.planes.iter());
            batch.count += 1;
        }
        batch
    }

    /// Some channels of all items as a tensor `[N, C, S, S]`.
    fn tensor(&self, first: usize, channels: usize) -> Result<Tensor, candle_core::Error> {
        let shape = (self.count, CHANNELS, self.side, self.side);
        Tensor::from_slice(&self.values, shape, device())?.narrow(1, first, channels)?.contiguous()
    }

    /// The network's inputs.
    pub(super) fn input(&self) -> Result<super::net::NetInput<Tensor>, candle_core::Error> {
        Ok(super::net::NetInput {
            predicted: self.tensor(0, 1)?,
            real: self.tensor(1, 1)?,
            visible: self.tensor(2, 1)?,
            start: self.tensor(3, 2)?,
            doubt: self.tensor(5, 1)?,
        })
    }

    /// True flow `[N, 2, S, S]` and presence `[N, 1, S, S]`.
    pub(super) fn truth(&self) -> Result<[Tensor; 2], candle_core::Error> {
        Ok([self.tensor(6, 2)?, self.tensor(8, 1)?])
    }

    /// A channel of an item.
    pub(super) fn plane(&self, item: usize, channel: usize) -> &[f32] {
        let area = self.side * self.side;
        &self.values[(item * CHANNELS + channel) * area..][..area]
    }

    /// SHA-256 over pictures and truth, hex.
    pub(super) fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        self.values.iter().for_each(|v| hasher.update(v.to_le_bytes()));
        hex(&hasher.finalize())
    }
}

/// The channel of [`Batch::plane`] that holds this.
pub(super) mod channel {
    /// 1 where a surface is shown.
    pub(in crate::train) const VISIBLE: usize = 2;
    /// The start's flow, x; y follows.
    pub(in crate::train) const START: usize = 3;
    /// True flow, x; y follows.
    pub(in crate::train) const FLOW: usize = 6;
    /// 1 where the surface is seen in the real picture.
    pub(in crate::train) const PRESENT: usize = 8;
}

/// How crops are taken from a source's pairs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cropping {
    /// Side of a crop, px.
    pub(super) side: usize,
    /// Crops of a pair.
    pub(super) per_pair: usize,
    /// Seed of their places.
    pub(super) seed: u64,
    /// The flow that the network starts from.
    pub(super) start: DisFlow,
}

/// The crops of all pairs of film `index`.
pub(super) fn crops_of(
    source: &dyn PairSource,
    stream: Stream,
    index: usize,
    cropping: Cropping,
) -> Result<Vec<Prepared>, TrainError> {
    let mut rng = Rng::for_name(cropping.seed, &format!("crop/{}/{index}", stream.name()));
    let mut crops = Vec::new();
    for pair in source.pairs(stream, index)? {
        let whole = Prepared::from_pair(&pair, cropping.start)?;
        crops.extend((0..cropping.per_pair).map(|_| whole.crop(cropping.side, &mut rng)));
    }
    Ok(crops)
}

/// The first `count` crops of a stream, in batches of at most `at_once`.
pub(super) fn fixed_crops(
    source: &dyn PairSource,
    stream: Stream,
    count: usize,
    at_once: usize,
    cropping: Cropping,
) -> Result<Vec<Batch>, TrainError> {
    let mut crops = Vec::new();
    for film in 0.. {
        crops.extend(crops_of(source, stream, film, cropping)?);
        if crops.len() >= count {
            break;
        }
    }
    crops.truncate(count);
    Ok(crops.chunks(at_once).map(|part| Batch::from_items(part.iter(), cropping.side)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture that moves by a known flow still does so after each of the eight ways to lay it.
    #[test]
    fn a_turned_pair_keeps_its_truth() {
        let side = 24;
        let picture = |dx: f32, dy: f32| {
            Array2::from_shape_fn((side, side), |(y, x)| {
                let (x, y) = (x as f32 - dx, y as f32 - dy);
                (0.5 * x + 0.2 * y).sin() + (0.3 * x - 0.4 * y).cos()
            })
        };
        let mut planes = Array3::zeros((CHANNELS, side, side));
        planes.index_axis_mut(Axis(0), 0).assign(&picture(0.0, 0.0));
        planes.index_axis_mut(Axis(0), 1).assign(&picture(2.0, -3.0));
        planes.index_axis_mut(Axis(0), 6).fill(2.0);
        planes.index_axis_mut(Axis(0), 7).fill(-3.0);
        for way in 0..8 {
            let turned = Prepared { planes: planes.clone() }.turned(way);
            let (dx, dy) = (turned.planes[(6, 0, 0)] as isize, turned.planes[(7, 0, 0)] as isize);
            for (y, x) in (6..18).flat_map(|y| (6..18).map(move |x| (y, x))) {
                let there = ((y as isize + dy) as usize, (x as isize + dx) as usize);
                let difference = turned.planes[(0, y, x)] - turned.planes[(1, there.0, there.1)];
                assert!(difference.abs() < 1e-4, "way {way}: {difference} at {y}, {x}");
            }
        }
    }
}
