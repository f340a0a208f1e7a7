//! Random paint: what the surface of a synthetic pair looks like.

use super::rng::Rng;

/// Smooth random values: a lattice of normal numbers, cubic in between.
#[derive(Debug, Clone)]
pub(super) struct ValueNoise {
    lattice: Vec<f32>,
    side: usize,
    pitch: f64,
}

impl ValueNoise {
    /// Values that change over about `pitch` units, defined on `-pitch..=extent + pitch`.
    pub(super) fn new(rng: &mut Rng, extent: f64, pitch: f64) -> Self {
        let side = (extent / pitch).ceil() as usize + 5;
        let lattice = (0..side * side).map(|_| rng.normal() as f32).collect();
        Self { lattice, side, pitch }
    }

    /// The value at (x, y); beyond the lattice the nearest place inside counts.
    pub(super) fn at(&self, x: f64, y: f64) -> f64 {
        let along = |v: f64| {
            let place = (v / self.pitch + 1.5).clamp(1.0, self.side as f64 - 2.001);
            (place as usize, place.fract())
        };
        let ((i, fx), (j, fy)) = (along(x), along(y));
        let (wx, wy) = (cubic(fx), cubic(fy));
        let mut sum = 0.0;
        for (dj, b) in wy.iter().enumerate() {
            let row = &self.lattice[(j + dj - 1) * self.side + i - 1..][..4];
            sum += b * wx.iter().zip(row).map(|(a, v)| a * f64::from(*v)).sum::<f64>();
        }
        sum
    }
}

/// Weights of the uniform cubic B-spline: smooth, and without overshoot.
fn cubic(t: f64) -> [f64; 4] {
    let (u, t2, t3) = (1.0 - t, t * t, t * t * t);
    [u * u * u / 6.0, (3.0 * t3 - 6.0 * t2 + 4.0) / 6.0, (-3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0) / 6.0, t3 / 6.0]
}

/// A flat pattern with sharp edges on top of smooth paint.
#[derive(Debug, Clone)]
enum Pattern {
    /// Nothing but smooth paint.
    Plain,
    /// Speckles as digital image correlation likes them: threshold on a noise of their size.
    Speckle { noise: ValueNoise, level: f64, depth: f64 },
    /// A grid of lines, turned by an angle.
    Grid { pitch: f64, width: f64, cos: f64, sin: f64, depth: f64 },
    /// A few stickers: discs with quadrants.
    Stickers { centres: Vec<(f64, f64, f64)>, depth: f64 },
}

/// A surface's luma as a function of the place.
#[derive(Debug, Clone)]
pub(super) struct Texture {
    waves: Vec<(ValueNoise, f64)>,
    pattern: Pattern,
    base: f64,
}

impl Texture {
    /// A random one for places in `0..extent`.
    pub(super) fn random(rng: &mut Rng, extent: f64) -> Self {
        // Band-passed noise: scales of 3 to 24 px, each with a weight of its own; some surfaces are nearly plain.
        let strength = 0.02 + 0.13 * rng.unit().powi(2);
        let waves = [3.0, 6.0, 12.0, 24.0]
            .map(|pitch| {
                let pitch = pitch * rng.range(0.8, 1.3);
                (ValueNoise::new(rng, extent, pitch), strength * rng.range(0.2, 1.6))
            })
            .to_vec();
        let depth = rng.range(0.1, 0.5) * if rng.chance(0.5) { 1.0 } else { -1.0 };
        let pattern = match rng.next() % 8 {
            0 | 1 => Pattern::Plain,
            2..=4 => {
                let pitch = rng.range(2.0, 5.0);
                let noise = ValueNoise::new(rng, extent, pitch);
                Pattern::Speckle { noise, level: rng.range(-0.3, 0.3), depth }
            }
            5 => {
                let angle = rng.range(0.0, std::f64::consts::PI);
                let (pitch, width) = (rng.range(7.0, 20.0), rng.range(1.5, 3.0));
                Pattern::Grid { pitch, width, cos: angle.cos(), sin: angle.sin(), depth }
            }
            _ => {
                let mut centre = |_| (rng.range(0.0, extent), rng.range(0.0, extent), rng.range(3.0, 9.0));
                Pattern::Stickers { centres: (0..5).map(&mut centre).collect(), depth }
            }
        };
        Self { waves, pattern, base: rng.range(0.25, 0.75) }
    }

    /// Luma at (x, y), not yet bounded.
    pub(super) fn at(&self, x: f64, y: f64) -> f64 {
        let smooth: f64 = self.waves.iter().map(|(noise, weight)| weight * noise.at(x, y)).sum();
        let sharp = match &self.pattern {
            Pattern::Plain => 0.0,
            // About a pixel from dark to light, as a lens leaves it.
            Pattern::Speckle { noise, level, depth } => depth * (((noise.at(x, y) - level) * 6.0).tanh() * 0.5),
            Pattern::Grid { pitch, width, cos, sin, depth } => {
                let line = |v: f64| {
                    let off = (v / pitch - (v / pitch).round()).abs() * pitch;
                    ((width / 2.0 - off) * 2.0).tanh() * 0.5 + 0.5
                };
                depth * line(x * cos + y * sin).max(line(y * cos - x * sin))
            }
            Pattern::Stickers { centres, depth } => {
                centres.iter().map(|c| depth * sticker(x - c.0, y - c.1, c.2)).sum()
            }
        };
        self.base + smooth + sharp
    }
}

/// A disc of the given radius with light and dark quadrants.
fn sticker(x: f64, y: f64, radius: f64) -> f64 {
    let inside = ((radius - x.hypot(y)) * 2.0).tanh() * 0.5 + 0.5;
    inside * (x * 1.5).tanh() * (y * 1.5).tanh()
}
