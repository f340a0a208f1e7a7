//! Pairs with known truth: a random surface, moved by a random smooth flow, filmed with light, noise and occluders.

use candle_core::{Device, Tensor};
use sha2::{Digest, Sha256};

use super::recipe::Synthetic;
use super::rng::Rng;
use super::texture::{Texture, ValueNoise};
use super::weights::hex;

/// Samples across one pixel: a pixel is the mean of 2 × 2 places, as a sensor integrates.
const SAMPLES: [f64; 2] = [-0.25, 0.25];

/// Pairs as planes, item after item; all of one size.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Pairs {
    /// How many.
    pub(super) count: usize,
    /// Side, px.
    pub(super) side: usize,
    /// `[N, 1, S, S]`.
    pub(super) predicted: Vec<f32>,
    /// `[N, 1, S, S]`.
    pub(super) real: Vec<f32>,
    /// `[N, 1, S, S]`.
    pub(super) visible: Vec<f32>,
    /// `[N, 2, S, S]`, px.
    pub(super) carried: Vec<f32>,
    /// `[N, 2, S, S]`, px: the truth.
    pub(super) flow: Vec<f32>,
    /// `[N, 1, S, S]`: 1 where the surface is seen in the real picture.
    pub(super) present: Vec<f32>,
}

impl Pairs {
    /// Pairs number `first..first + count` of the stream that `seed` and `stream` name.
    pub(super) fn draw(settings: &Synthetic, seed: u64, stream: &str, first: usize, count: usize) -> Self {
        use rayon::prelude::*;
        let one = |i: usize| draw_one(settings, &mut Rng::for_name(seed, &format!("{stream}/{i}")));
        let items: Vec<Self> = (first..first + count).into_par_iter().map(one).collect();
        let mut all = Self { count, side: settings.side_px, ..Self::default() };
        for item in items {
            all.predicted.extend(item.predicted);
            all.real.extend(item.real);
            all.visible.extend(item.visible);
            all.carried.extend(item.carried);
            all.flow.extend(item.flow);
            all.present.extend(item.present);
        }
        all
    }

    /// The same pairs without a carried flow.
    pub(super) fn without_carried(mut self) -> Self {
        self.carried.fill(0.0);
        self
    }

    /// The pairs `first..first + count`.
    pub(super) fn part(&self, first: usize, count: usize) -> Self {
        let area = self.side * self.side;
        let cut = |plane: &[f32], channels: usize| plane[first * channels * area..][..count * channels * area].to_vec();
        Self {
            count,
            side: self.side,
            predicted: cut(&self.predicted, 1),
            real: cut(&self.real, 1),
            visible: cut(&self.visible, 1),
            carried: cut(&self.carried, 2),
            flow: cut(&self.flow, 2),
            present: cut(&self.present, 1),
        }
    }

    /// One of the planes as a tensor.
    pub(super) fn tensor(&self, plane: &[f32], channels: usize) -> Result<Tensor, candle_core::Error> {
        Tensor::from_slice(plane, (self.count, channels, self.side, self.side), &Device::Cpu)
    }

    /// SHA-256 over pictures and truth, hex.
    pub(super) fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for plane in [&self.predicted, &self.real, &self.visible, &self.carried, &self.flow, &self.present] {
            for value in plane {
                hasher.update(value.to_le_bytes());
            }
        }
        hex(&hasher.finalize())
    }
}

/// A smooth random displacement: a common shift and two scales of bending, never beyond `limit`.
struct Motion {
    parts: [(ValueNoise, ValueNoise, f64); 2],
    shift: (f64, f64),
    limit: f64,
}

impl Motion {
    fn random(rng: &mut Rng, side: f64, limit: f64) -> Self {
        // Small motions are as frequent as large ones, relative to their size.
        let size = limit * rng.unit().powf(1.5);
        let mut part = |pitch: f64, share: f64| {
            let x = ValueNoise::new(rng, side, pitch);
            (x, ValueNoise::new(rng, side, pitch), share * size * rng.unit())
        };
        let parts = [part(40.0, 1.0), part(16.0, 0.35)];
        let shift = (size * rng.range(-1.0, 1.0), size * rng.range(-1.0, 1.0));
        Self { parts, shift, limit }
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let bend = |pick: fn(&(ValueNoise, ValueNoise, f64)) -> &ValueNoise| -> f64 {
            self.parts.iter().map(|p| p.2 * pick(p).at(x, y)).sum()
        };
        // A soft bound keeps the motion smooth where a hard one would fold it.
        let bound = |v: f64| if self.limit > 0.0 { self.limit * (v / self.limit).tanh() } else { 0.0 };
        (bound(self.shift.0 + bend(|p| &p.0)), bound(self.shift.1 + bend(|p| &p.1)))
    }
}

/// How one of the two pictures was taken.
struct Exposure {
    gain: f64,
    bias: f64,
    noise: f64,
    /// Light that changes over the picture.
    light: (ValueNoise, f64),
}

impl Exposure {
    fn random(rng: &mut Rng, side: f64, max_noise: f64) -> Self {
        let light = (ValueNoise::new(rng, side, 50.0), rng.range(0.0, 0.15));
        Self { gain: rng.range(0.7, 1.3), bias: rng.range(-0.1, 0.1), noise: max_noise * rng.unit(), light }
    }

    fn take(&self, rng: &mut Rng, luma: f64, x: f64, y: f64) -> f32 {
        let light = 1.0 + self.light.1 * self.light.0.at(x, y);
        (self.gain * light * luma + self.bias + self.noise * rng.normal()).clamp(0.0, 1.0) as f32
    }
}

/// A region bounded by a smooth random outline.
struct Region {
    noise: ValueNoise,
    level: f64,
}

impl Region {
    fn random(rng: &mut Rng, side: f64) -> Self {
        let pitch = rng.range(14.0, 30.0);
        Self { noise: ValueNoise::new(rng, side, pitch), level: rng.range(0.25, 0.7) }
    }

    fn holds(&self, x: f64, y: f64) -> bool {
        self.noise.at(x, y) > self.level
    }
}

fn draw_one(settings: &Synthetic, rng: &mut Rng) -> Pairs {
    let side = settings.side_px;
    let extent = side as f64;
    // The surface is known some way beyond the picture, so that what moves in is paint and not an edge.
    let margin = settings.max_flow_px + 2.0;
    let paint = Texture::random(rng, extent + 2.0 * margin);
    let before = Texture::random(rng, extent);
    let motion = Motion::random(rng, extent, settings.max_flow_px);
    let error = Motion::random(rng, extent, settings.max_carried_error_px);
    let carries = rng.chance(settings.carried_share);
    let occluder = rng.chance(settings.occluder_share).then(|| Region::random(rng, extent));
    let hidden = rng.chance(0.4).then(|| Region::random(rng, extent));
    let (shot, render) =
        (Exposure::random(rng, extent, settings.max_noise), Exposure::random(rng, extent, settings.max_noise / 2.0));
    let occluded = |x: f64, y: f64| occluder.as_ref().is_some_and(|o| o.holds(x, y));
    let mean = |of: &dyn Fn(f64, f64) -> f64, x: f64, y: f64| {
        SAMPLES.iter().flat_map(|dy| SAMPLES.map(|dx| of(x + dx, y + dy))).sum::<f64>() / 4.0
    };
    let mut pair = Pairs { count: 1, side, ..Pairs::default() };
    let (mut dxs, mut dys, mut cxs, mut cys) = (vec![], vec![], vec![], vec![]);
    for (x, y) in (0..side * side).map(|i| ((i % side) as f64, (i / side) as f64)) {
        let filmed = if occluded(x, y) {
            mean(&|x, y| before.at(x, y), x, y)
        } else {
            mean(&|x, y| paint.at(x + margin, y + margin), x, y)
        };
        pair.real.push(shot.take(rng, filmed, x, y));
        // The predicted picture shows at x what the real one shows at x + flow(x).
        let moved = |x: f64, y: f64| {
            let (dx, dy) = motion.at(x, y);
            paint.at(x + dx + margin, y + dy + margin)
        };
        let visible = !hidden.as_ref().is_some_and(|h| h.holds(x, y));
        let luma = if visible { render.take(rng, mean(&moved, x, y), x, y) } else { 0.0 };
        pair.predicted.push(luma);
        pair.visible.push(f32::from(u8::from(visible)));
        let (dx, dy) = motion.at(x, y);
        let (ex, ey) = error.at(x, y);
        let inside = |v: f64| (-0.5..extent - 0.5).contains(&v);
        let seen = inside(x + dx) && inside(y + dy) && !occluded(x + dx, y + dy);
        pair.present.push(f32::from(u8::from(visible && seen)));
        dxs.push(dx as f32);
        dys.push(dy as f32);
        cxs.push(if carries { (dx + ex) as f32 } else { 0.0 });
        cys.push(if carries { (dy + ey) as f32 } else { 0.0 });
    }
    pair.flow = [dxs, dys].concat();
    pair.carried = [cxs, cys].concat();
    pair
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Synthetic {
        Synthetic {
            side_px: 32,
            max_flow_px: 4.0,
            max_carried_error_px: 1.0,
            carried_share: 0.5,
            max_noise: 0.0,
            occluder_share: 0.0,
        }
    }

    #[test]
    fn pairs_repeat_with_their_seed_and_differ_by_number() {
        let draw = |seed, first| Pairs::draw(&settings(), seed, "test", first, 2).digest();
        assert_eq!(draw(1, 0), draw(1, 0));
        assert_ne!(draw(1, 0), draw(1, 2));
        assert_ne!(draw(1, 0), draw(2, 0));
    }

    /// The truth is the truth: reading the real picture at `x + flow` explains the predicted one far better than
    /// reading it at `x`, although light and gain differ (so compared by correlation).
    #[test]
    fn the_true_flow_explains_the_predicted_picture() {
        let pairs = Pairs::draw(&settings(), 3, "test", 0, 24);
        let (s, area) = (pairs.side, pairs.side * pairs.side);
        let correlation = |scale: f32| {
            let (mut sum, mut items) = (0.0, 0.0);
            for n in 0..pairs.count {
                let mut values = vec![];
                for i in (0..area).filter(|i| pairs.present[n * area + i] == 1.0) {
                    let fx = (i % s) as f32 + scale * pairs.flow[2 * n * area + i];
                    let fy = (i / s) as f32 + scale * pairs.flow[(2 * n + 1) * area + i];
                    let (x, y) = (fx.clamp(0.0, s as f32 - 2.0), fy.clamp(0.0, s as f32 - 2.0));
                    let (ix, iy, ax, ay) = (x as usize, y as usize, x.fract(), y.fract());
                    let at = |x: usize, y: usize| pairs.real[n * area + y * s + x];
                    let top = at(ix, iy) * (1.0 - ax) + at(ix + 1, iy) * ax;
                    let low = at(ix, iy + 1) * (1.0 - ax) + at(ix + 1, iy + 1) * ax;
                    values.push((f64::from(pairs.predicted[n * area + i]), f64::from(top * (1.0 - ay) + low * ay)));
                }
                let count = values.len() as f64;
                let (ma, mb) =
                    (values.iter().map(|v| v.0).sum::<f64>() / count, values.iter().map(|v| v.1).sum::<f64>() / count);
                let dot = |f: &dyn Fn(&(f64, f64)) -> f64| values.iter().map(f).sum::<f64>();
                let (ab, aa, bb) =
                    (dot(&|v| (v.0 - ma) * (v.1 - mb)), dot(&|v| (v.0 - ma).powi(2)), dot(&|v| (v.1 - mb).powi(2)));
                sum += ab / (aa * bb).sqrt().max(1e-9);
                items += 1.0;
            }
            sum / items
        };
        let (with, without) = (correlation(1.0), correlation(0.0));
        assert!(with > 0.85 && with > without + 0.1, "with the flow {with:.3}, without {without:.3}");
    }
}
