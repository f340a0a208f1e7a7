//! Pairs with known truth: a random surface, moved by a random smooth flow, filmed with light, noise and occluders.

use ndarray::{Array2, Array3};

use super::error::TrainError;
use super::pairs::{FilmedPair, PairSource, Stream};
use super::recipe::Synthetic;
use super::rng::Rng;
use super::texture::{Texture, ValueNoise};

/// Samples across one pixel: a pixel is the mean of 2 × 2 places, as a sensor integrates.
const SAMPLES: [f64; 2] = [-0.25, 0.25];

/// Pairs of random textures, each of which follows from `seed`, its stream and its number.
#[derive(Debug, Clone)]
pub(super) struct TexturePairs {
    /// How they look.
    pub(super) settings: Synthetic,
    /// Seed of all of them.
    pub(super) seed: u64,
}

impl PairSource for TexturePairs {
    fn pairs(&self, stream: Stream, index: usize) -> Result<Vec<FilmedPair>, TrainError> {
        Ok(vec![draw_one(&self.settings, &mut Rng::for_name(self.seed, &format!("{}/{index}", stream.name())))])
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

fn draw_one(settings: &Synthetic, rng: &mut Rng) -> FilmedPair {
    let side = settings.side_px;
    let extent = side as f64;
    // The surface is known some way beyond the picture, so that what moves in is paint and not an edge.
    let margin = settings.max_flow_px + 2.0;
    let paint = Texture::random(rng, extent + 2.0 * margin);
    let before = Texture::random(rng, extent);
    let motion = Motion::random(rng, extent, settings.max_flow_px);
    let occluder = rng.chance(settings.occluder_share).then(|| Region::random(rng, extent));
    let hidden = rng.chance(0.4).then(|| Region::random(rng, extent));
    let (shot, render) =
        (Exposure::random(rng, extent, settings.max_noise), Exposure::random(rng, extent, settings.max_noise / 2.0));
    let occluded = |x: f64, y: f64| occluder.as_ref().is_some_and(|o| o.holds(x, y));
    let mean = |of: &dyn Fn(f64, f64) -> f64, x: f64, y: f64| {
        SAMPLES.iter().flat_map(|dy| SAMPLES.map(|dx| of(x + dx, y + dy))).sum::<f64>() / 4.0
    };
    let blank = || Array2::zeros((side, side));
    let mut pair = FilmedPair {
        predicted: blank(),
        real: blank(),
        visible: blank(),
        flow: Array3::zeros((2, side, side)),
        present: blank(),
    };
    for (row, column) in (0..side).flat_map(|row| (0..side).map(move |column| (row, column))) {
        let (x, y) = (column as f64, row as f64);
        let filmed = if occluded(x, y) {
            mean(&|x, y| before.at(x, y), x, y)
        } else {
            mean(&|x, y| paint.at(x + margin, y + margin), x, y)
        };
        pair.real[(row, column)] = shot.take(rng, filmed, x, y);
        // The predicted picture shows at x what the real one shows at x + flow(x).
        let moved = |x: f64, y: f64| {
            let (dx, dy) = motion.at(x, y);
            paint.at(x + dx + margin, y + dy + margin)
        };
        let visible = !hidden.as_ref().is_some_and(|h| h.holds(x, y));
        pair.predicted[(row, column)] = if visible { render.take(rng, mean(&moved, x, y), x, y) } else { 0.0 };
        pair.visible[(row, column)] = f32::from(u8::from(visible));
        let (dx, dy) = motion.at(x, y);
        let inside = |v: f64| (-0.5..extent - 0.5).contains(&v);
        let seen = inside(x + dx) && inside(y + dy) && !occluded(x + dx, y + dy);
        pair.present[(row, column)] = f32::from(u8::from(visible && seen));
        pair.flow[(0, row, column)] = dx as f32;
        pair.flow[(1, row, column)] = dy as f32;
    }
    pair
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(seed: u64) -> TexturePairs {
        let settings = Synthetic { side_px: 32, max_flow_px: 4.0, max_noise: 0.0, occluder_share: 0.0 };
        TexturePairs { settings, seed }
    }

    fn pair(seed: u64, index: usize) -> FilmedPair {
        source(seed).pairs(Stream::Training, index).expect("textures are always there").remove(0)
    }

    #[test]
    fn pairs_repeat_with_their_seed_and_differ_by_number() {
        assert_eq!(pair(1, 0), pair(1, 0));
        assert_ne!(pair(1, 0), pair(1, 2));
        assert_ne!(pair(1, 0), pair(2, 0));
        assert_ne!(pair(1, 0), source(1).pairs(Stream::Report, 0).expect("pair").remove(0));
    }

    /// The truth is the truth: reading the real picture at `x + flow` explains the predicted one far better than
    /// reading it at `x`, although light and gain differ (so compared by correlation).
    #[test]
    fn the_true_flow_explains_the_predicted_picture() {
        let correlation = |scale: f32| (0..24).map(|i| explained(&pair(3, i), scale)).sum::<f64>() / 24.0;
        let (with, without) = (correlation(1.0), correlation(0.0));
        assert!(with > 0.85 && with > without + 0.1, "with the flow {with:.3}, without {without:.3}");
    }

    /// Correlation of the predicted picture with the real one, read at `scale` times the true flow.
    fn explained(pair: &FilmedPair, scale: f32) -> f64 {
        let (height, width) = pair.predicted.dim();
        let mut values = vec![];
        for (at, predicted) in pair.predicted.indexed_iter().filter(|(at, _)| pair.present[*at] == 1.0) {
            let x = (at.1 as f32 + scale * pair.flow[(0, at.0, at.1)]).clamp(0.0, width as f32 - 2.0);
            let y = (at.0 as f32 + scale * pair.flow[(1, at.0, at.1)]).clamp(0.0, height as f32 - 2.0);
            let (column, row, a, b) = (x as usize, y as usize, x.fract(), y.fract());
            let along = |row: usize| pair.real[(row, column)] * (1.0 - a) + pair.real[(row, column + 1)] * a;
            values.push((f64::from(*predicted), f64::from(along(row) * (1.0 - b) + along(row + 1) * b)));
        }
        let count = values.len() as f64;
        let mean = |f: &dyn Fn(&(f64, f64)) -> f64| values.iter().map(f).sum::<f64>() / count;
        let (ma, mb) = (mean(&|v| v.0), mean(&|v| v.1));
        let ab = mean(&|v| (v.0 - ma) * (v.1 - mb));
        ab / (mean(&|v| (v.0 - ma).powi(2)) * mean(&|v| (v.1 - mb).powi(2))).sqrt().max(1e-9)
    }
}
