//! What a surface looks like where it is: reflectance as a function of the material point.

use super::noise::{balls, edge, octaves};

/// A pattern on top of the base coat.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// Dots as digital image correlation likes them.
    Speckle {
        /// Distance of dots, mm; a dot is 0.4 to 1 of it across.
        size_mm: f32,
        /// Share of places with a dot, 0–1.
        share: f32,
        /// Reflectance of a dot.
        albedo: f32,
        /// Which dots.
        seed: u32,
    },
    /// Printed lines.
    Grid {
        /// Distance of the lines, mm.
        pitch_mm: f32,
        /// Their width, mm.
        width_mm: f32,
        /// Reflectance of a line.
        albedo: f32,
    },
    /// Another coat beyond a plane.
    SecondCoat {
        /// Direction of the plane's normal.
        normal: [f32; 3],
        /// Its distance from the origin along the normal, mm.
        offset_mm: f32,
        /// Reflectance beyond it.
        albedo: f32,
    },
    /// A straight line across the surface: a scratch, a joint, a cable.
    Line {
        /// Direction of the normal of the plane that cuts the surface in the line.
        normal: [f32; 3],
        /// Its distance from the origin along the normal, mm.
        offset_mm: f32,
        /// Width, mm.
        width_mm: f32,
        /// Reflectance.
        albedo: f32,
    },
}

/// A coat of paint or bare metal.
#[derive(Debug, Clone, PartialEq)]
pub struct Paint {
    /// Diffuse reflectance, linear, 0–1.
    pub albedo: f32,
    /// Colour: multiplies the luminance by channel (red, green, blue); its Rec. 601 luma is 1.
    pub tint: [f32; 3],
    /// Unevenness of the coat, as a share of it.
    pub dirt: f32,
    /// Size of the unevenness, mm.
    pub dirt_mm: f32,
    /// How much finer unevenness counts, 0–1.
    pub dirt_gain: f32,
    /// Seed of the unevenness.
    pub seed: u32,
    /// Patterns, the last one on top.
    pub marks: Vec<Mark>,
    /// Strength of the highlight.
    pub gloss: f32,
    /// Sharpness of the highlight (Blinn's exponent).
    pub sharpness: f32,
    /// Share of the surroundings that it mirrors, 0–1: bare metal.
    pub mirror: f32,
}

impl Paint {
    /// An even, dull grey.
    #[must_use]
    pub fn plain(albedo: f32, seed: u32) -> Self {
        Self {
            albedo,
            tint: [1.0; 3],
            dirt: 0.0,
            dirt_mm: 30.0,
            dirt_gain: 0.5,
            seed,
            marks: Vec::new(),
            gloss: 0.02,
            sharpness: 12.0,
            mirror: 0.0,
        }
    }

    /// Reflectance at a material point whose undeformed normal is `normal`; a pixel covers `footprint_mm` there.
    #[must_use]
    pub fn albedo_at(&self, material_mm: [f32; 3], normal: [f32; 3], footprint_mm: f32) -> f32 {
        let mut albedo = self.albedo;
        if self.dirt > 0.0 {
            let p = material_mm.map(|v| v / self.dirt_mm);
            albedo *= 1.0 + self.dirt * octaves(p, 5, self.dirt_gain, footprint_mm / self.dirt_mm, self.seed);
        }
        for mark in &self.marks {
            let (share, other) = mark.cover(material_mm, normal, 0.5 * footprint_mm);
            albedo += share * (other - albedo);
        }
        albedo.clamp(0.01, 1.0)
    }
}

impl Mark {
    /// Share of the pixel that the mark covers, and its reflectance; `half_mm` is half a pixel.
    fn cover(&self, p: [f32; 3], normal: [f32; 3], half_mm: f32) -> (f32, f32) {
        match self {
            Self::Speckle { size_mm, share, albedo, seed } => {
                let depth = balls(p.map(|v| v / size_mm), *share, *seed) * size_mm;
                (edge(depth, half_mm), *albedo)
            }
            Self::Grid { pitch_mm, width_mm, albedo } => {
                let [u, v] = flat(p, normal);
                let from_line = |v: f32| {
                    let to = (v / pitch_mm - (v / pitch_mm).round()).abs() * pitch_mm;
                    edge(0.5 * width_mm - to, half_mm)
                };
                (from_line(u).max(from_line(v)), *albedo)
            }
            Self::SecondCoat { normal, offset_mm, albedo } => {
                let along: f32 = (0..3).map(|i| p[i] * normal[i]).sum();
                (edge(along - offset_mm, half_mm), *albedo)
            }
            Self::Line { normal, offset_mm, width_mm, albedo } => {
                let along: f32 = (0..3).map(|i| p[i] * normal[i]).sum();
                (edge(0.5 * width_mm - (along - offset_mm).abs(), half_mm), *albedo)
            }
        }
    }
}

/// Two coordinates along the surface: those across the axis to which it is most nearly normal.
fn flat(p: [f32; 3], normal: [f32; 3]) -> [f32; 2] {
    let n = normal.map(f32::abs);
    if n[0] >= n[1] && n[0] >= n[2] {
        [p[1], p[2]]
    } else if n[1] >= n[2] {
        [p[0], p[2]]
    } else {
        [p[0], p[1]]
    }
}

/// Share of a pixel and reflectance of a sticker at a place of its own plane, in half sides from its centre.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sticker {
    /// White square with two black quadrants.
    Quadrant,
    /// Black cross on white.
    Cross,
    /// Dark disc with a light ring: a coded target without its code.
    Disc,
    /// A strip of tape, four times as long as wide.
    Tape,
}

/// A sticker somewhere on a surface.
#[derive(Debug, Clone, PartialEq)]
pub struct Decal {
    /// Which one.
    pub sticker: Sticker,
    /// Material point of its centre, mm.
    pub centre_mm: [f32; 3],
    /// Its axes, unit length: along, across, and out of the surface.
    pub axes: [[f32; 3]; 3],
    /// Half its side (its width for tape), mm.
    pub half_mm: f32,
    /// Reflectance of its dark and light parts.
    pub tones: [f32; 2],
}

impl Decal {
    /// How far it reaches from its centre, mm.
    #[must_use]
    pub fn reach_mm(&self) -> f32 {
        self.half_mm * if self.sticker == Sticker::Tape { 4.2 } else { 1.45 }
    }

    /// Share of the pixel and reflectance at a material point.
    #[must_use]
    pub fn cover(&self, p: [f32; 3], footprint_mm: f32) -> (f32, f32) {
        let d: [f32; 3] = std::array::from_fn(|i| p[i] - self.centre_mm[i]);
        let along = |axis: usize| (0..3).map(|i| d[i] * self.axes[axis][i]).sum::<f32>();
        let (u, v) = (along(0), along(1));
        let (h, half) = (self.half_mm, 0.5 * footprint_mm);
        let length = if self.sticker == Sticker::Tape { 4.0 * h } else { h };
        let inside = edge(length - u.abs(), half) * edge(h - v.abs(), half);
        let dark = match self.sticker {
            Sticker::Quadrant => {
                let disc = edge(0.82 * h - u.hypot(v), half);
                let (right, low) = (edge(u, half), edge(v, half));
                disc * (right * low + (1.0 - right) * (1.0 - low))
            }
            Sticker::Cross => edge(0.12 * h - u.abs().min(v.abs()), half),
            Sticker::Disc => {
                let r = u.hypot(v);
                edge(0.45 * h - r, half) + edge(0.12 * h - (r - 0.75 * h).abs(), half)
            }
            Sticker::Tape => 0.0,
        };
        (inside, self.tones[1] + dark.min(1.0) * (self.tones[0] - self.tones[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stays_at_its_material_point_and_a_wide_pixel_averages_it() {
        let mut paint = Paint::plain(0.8, 1);
        paint.marks.push(Mark::Grid { pitch_mm: 10.0, width_mm: 1.0, albedo: 0.1 });
        let at = |x, footprint| paint.albedo_at([x, 5.0, 0.0], [0.0, 0.0, 1.0], footprint);
        assert!((at(20.0, 0.1) - 0.1).abs() < 1e-3 && (at(25.0, 0.1) - 0.8).abs() < 1e-3);
        assert!(at(20.0, 4.0) > 0.3, "a line thinner than the pixel cannot blacken it");
    }

    #[test]
    fn a_quadrant_sticker_has_two_dark_quadrants_and_ends_at_its_rim() {
        let decal = Decal {
            sticker: Sticker::Quadrant,
            centre_mm: [0.0; 3],
            axes: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            half_mm: 5.0,
            tones: [0.05, 0.9],
        };
        let tone = |x: f32, y: f32| decal.cover([x, y, 0.0], 0.1);
        for (x, y, expected) in [(2.0, 2.0, 0.05), (2.0, -2.0, 0.9)] {
            let (share, found) = tone(x, y);
            assert!(share == 1.0 && (found - expected).abs() < 1e-6, "{share} {found} at {x} {y}");
        }
        assert_eq!(tone(6.0, 0.0).0, 0.0);
    }
}
