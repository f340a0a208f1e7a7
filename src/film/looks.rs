//! Random coats: what a test structure may look like.

use nalgebra::Vector3;

use super::paint::{Decal, Mark, Paint, Sticker};
use super::rng::Rng;
use super::solids::any_normal;
use crate::geom::Skin;

/// A kind of surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// Sprayed dots for digital image correlation.
    Speckle,
    /// An even coat.
    Plain,
    /// An uneven, dirty coat.
    Dirty,
    /// Two coats a part.
    TwoTone,
    /// A coat with quadrant stickers.
    Stickers,
    /// A printed grid.
    Grid,
    /// Bare metal with highlights.
    Metal,
    /// A coat with strips of tape.
    Tape,
    /// Another look a part.
    Mixed,
}

impl Look {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Speckle,
        Self::Plain,
        Self::Dirty,
        Self::TwoTone,
        Self::Stickers,
        Self::Grid,
        Self::Metal,
        Self::Tape,
        Self::Mixed,
    ];

    /// A random one, for a structure of `parts` parts.
    #[must_use]
    pub fn random(rng: &mut Rng, parts: usize) -> Self {
        loop {
            let look = rng.pick(&Self::ALL);
            if look != Self::Mixed || parts > 1 {
                return look;
            }
        }
    }
}

impl std::fmt::Display for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Speckle => "speckle",
            Self::Plain => "plain",
            Self::Dirty => "dirty",
            Self::TwoTone => "two-tone",
            Self::Stickers => "stickers",
            Self::Grid => "grid",
            Self::Metal => "metal",
            Self::Tape => "tape",
            Self::Mixed => "mixed",
        })
    }
}

/// A seed that fits the patterns.
fn seed(rng: &mut Rng) -> u32 {
    rng.next() as u32
}

/// A coat of `look`; patterns are sized for cameras that see `mm_per_px`.
pub(super) fn coat(rng: &mut Rng, look: Look, mm_per_px: f64) -> Paint {
    let mm = |px: f64| (px * mm_per_px) as f32;
    let mut paint = Paint::plain(rng.range(0.25, 0.75) as f32, seed(rng));
    paint.tint = tint(rng, 0.12);
    paint.gloss = rng.range(0.0, 0.06) as f32;
    paint.sharpness = rng.log_range(6.0, 60.0) as f32;
    // No real coat is perfectly even: orange peel, dust, the rolling's direction.
    paint.dirt = rng.range(0.15, 0.45) as f32;
    paint.dirt_mm = mm(rng.log_range(4.0, 20.0));
    paint.dirt_gain = rng.range(0.5, 1.0) as f32;
    match look {
        Look::Plain | Look::Stickers | Look::Tape | Look::Mixed => {}
        Look::Dirty => {
            paint.dirt = rng.range(0.3, 0.7) as f32;
            paint.dirt_mm = mm(rng.log_range(6.0, 40.0));
            paint.dirt_gain = rng.range(0.6, 0.95) as f32;
            lines(rng, &mut paint, 2, mm(120.0), mm(1.2));
        }
        Look::Speckle => speckle(rng, &mut paint, &mm),
        Look::TwoTone => {
            let darker = rng.chance(0.5);
            let albedo = paint.albedo * rng.range(0.25, 0.6) as f32;
            let other = if darker { albedo } else { (1.7 * paint.albedo).min(0.85) };
            paint.marks.push(Mark::SecondCoat {
                normal: rng.direction().map(|v| v as f32),
                offset_mm: mm(rng.range(-80.0, 80.0)),
                albedo: other,
            });
        }
        Look::Grid => {
            let dark = rng.range(0.05, 0.2) as f32;
            let pitch_mm = mm(rng.range(6.0, 18.0));
            let width_mm = (pitch_mm * rng.range(0.12, 0.3) as f32).max(mm(1.0));
            paint.albedo = rng.range(0.5, 0.8) as f32;
            paint.marks.push(Mark::Grid { pitch_mm, width_mm, albedo: dark });
        }
        Look::Metal => {
            paint.albedo = rng.range(0.12, 0.3) as f32;
            paint.mirror = rng.range(0.25, 0.6) as f32;
            paint.gloss = rng.range(0.1, 0.35) as f32;
            paint.sharpness = rng.log_range(12.0, 90.0) as f32;
            paint.tint = tint(rng, 0.04);
            paint.dirt = rng.range(0.2, 0.5) as f32;
        }
    }
    paint
}

/// Up to `most` straight scratches within `reach_mm` of the origin.
fn lines(rng: &mut Rng, paint: &mut Paint, most: u64, reach_mm: f32, width_mm: f32) {
    for _ in 0..rng.next() % (most + 1) {
        let lighter = rng.chance(0.3);
        paint.marks.push(Mark::Line {
            normal: rng.direction().map(|v| v as f32),
            offset_mm: reach_mm * rng.range(-1.0, 1.0) as f32,
            width_mm: width_mm * rng.log_range(0.6, 2.5) as f32,
            albedo: if lighter { rng.range(0.5, 0.8) } else { rng.range(0.03, 0.15) } as f32,
        });
    }
}

fn speckle(rng: &mut Rng, paint: &mut Paint, mm: &dyn Fn(f64) -> f32) {
    let on_white = rng.chance(0.8);
    let (coat, dots) = if on_white {
        (rng.range(0.6, 0.85), rng.range(0.03, 0.15))
    } else {
        (rng.range(0.05, 0.15), rng.range(0.5, 0.85))
    };
    paint.albedo = coat as f32;
    paint.dirt = rng.range(0.02, 0.12) as f32;
    let size_mm = mm(rng.log_range(3.0, 8.0));
    let share = rng.range(0.45, 0.95) as f32;
    let s = seed(rng);
    paint.marks.push(Mark::Speckle { size_mm, share, albedo: dots as f32, seed: s });
    if rng.chance(0.5) {
        // A second spray of another size.
        let size_mm = size_mm * rng.range(1.6, 2.6) as f32;
        let (share, s) = (rng.range(0.15, 0.4) as f32, seed(rng));
        paint.marks.push(Mark::Speckle { size_mm, share, albedo: dots as f32, seed: s });
    }
}

/// Front and back of each part. Backs are often not painted at all: primer or bare metal.
pub(super) fn coats(rng: &mut Rng, look: Look, parts: usize, mm_per_px: f64) -> Vec<[Paint; 2]> {
    let single = |rng: &mut Rng| loop {
        let one = rng.pick(&Look::ALL);
        if one != Look::Mixed {
            return one;
        }
    };
    let alike = rng.chance(0.5);
    let common = coat(rng, look, mm_per_px);
    (0..parts.max(1))
        .map(|_| {
            let front = match look {
                Look::Mixed => {
                    let one = single(rng);
                    coat(rng, one, mm_per_px)
                }
                _ if alike => common.clone(),
                one => coat(rng, one, mm_per_px),
            };
            let back = match rng.next() % 3 {
                0 => front.clone(),
                1 => coat(rng, Look::Plain, mm_per_px),
                _ => coat(rng, Look::Metal, mm_per_px),
            };
            [front, back]
        })
        .collect()
}

/// A coat for what stands around: walls, floors, clamps, impactors.
pub(super) fn surroundings_coat(rng: &mut Rng, mm_per_px: f64) -> Paint {
    let mut paint = Paint::plain(rng.range(0.12, 0.55) as f32, seed(rng));
    paint.dirt = rng.range(0.1, 0.5) as f32;
    paint.dirt_mm = (mm_per_px * rng.log_range(25.0, 160.0)) as f32;
    paint.dirt_gain = rng.range(0.4, 0.85) as f32;
    paint.tint = tint(rng, 0.15);
    lines(rng, &mut paint, 6, (mm_per_px * 500.0) as f32, (mm_per_px * 1.5) as f32);
    paint
}

/// A colour whose Rec. 601 luma is 1, `strength` away from grey.
fn tint(rng: &mut Rng, strength: f64) -> [f32; 3] {
    let raw: [f64; 3] = std::array::from_fn(|_| 1.0 + strength * rng.normal().clamp(-2.0, 2.0));
    let luma = 0.299 * raw[0] + 0.587 * raw[1] + 0.114 * raw[2];
    raw.map(|v| (v / luma) as f32)
}

/// Stickers or tape at random places of a skin, as `look` asks for; none for most looks.
pub(super) fn stickers(rng: &mut Rng, look: Look, skin: &Skin, rest_mm: &[[f32; 3]], mm_per_px: f64) -> Vec<Decal> {
    let count = match look {
        Look::Stickers => 16 + (rng.next() % 48) as usize,
        Look::Tape => 4 + (rng.next() % 10) as usize,
        Look::Mixed => (rng.next() % 16) as usize,
        _ if rng.chance(0.15) => 1 + (rng.next() % 6) as usize,
        _ => 0,
    };
    let kind = if look == Look::Tape {
        Sticker::Tape
    } else {
        rng.pick(&[Sticker::Quadrant, Sticker::Quadrant, Sticker::Cross, Sticker::Disc])
    };
    let half_mm = (mm_per_px * rng.range(3.5, 9.0)) as f32;
    let areas = skin.areas_mm2(rest_mm);
    let mut sums = Vec::with_capacity(areas.len());
    let mut sum = 0.0;
    for a in &areas {
        sum += a;
        sums.push(sum);
    }
    if sum <= 0.0 {
        return Vec::new();
    }
    (0..count)
        .map(|_| {
            let wanted = rng.range(0.0, sum);
            let t = sums.partition_point(|s| *s < wanted).min(sums.len() - 1);
            sticker_on(rng, kind, skin.triangles[t], rest_mm, half_mm)
        })
        .collect()
}

fn sticker_on(rng: &mut Rng, sticker: Sticker, nodes: [u32; 3], rest_mm: &[[f32; 3]], half_mm: f32) -> Decal {
    let [a, b, c] = nodes.map(|n| Vector3::from(rest_mm[n as usize].map(f64::from)));
    let (mut u, mut v) = (rng.unit(), rng.unit());
    if u + v > 1.0 {
        (u, v) = (1.0 - u, 1.0 - v);
    }
    let normal = (b - a).cross(&(c - a)).normalize() * if rng.chance(0.5) { 1.0 } else { -1.0 };
    let tones = [rng.range(0.02, 0.1) as f32, rng.range(0.6, 0.9) as f32];
    decal(rng, sticker, a + (b - a) * u + (c - a) * v, normal, half_mm, tones)
}

/// A sticker at a place, turned at random.
pub(super) fn decal(
    rng: &mut Rng,
    sticker: Sticker,
    centre: Vector3<f64>,
    normal: Vector3<f64>,
    half_mm: f32,
    tones: [f32; 2],
) -> Decal {
    let side = any_normal(normal);
    let beside = normal.cross(&side);
    let turn = rng.range(0.0, std::f64::consts::TAU);
    let along = side * turn.cos() + beside * turn.sin();
    let axes = [along, normal.cross(&along), normal].map(|v| [v.x as f32, v.y as f32, v.z as f32]);
    let half_mm = half_mm * rng.range(0.85, 1.15) as f32;
    Decal { sticker, centre_mm: [centre.x as f32, centre.y as f32, centre.z as f32], axes, half_mm, tones }
}
