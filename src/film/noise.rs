//! Random patterns in space that need no memory: a value is a hash of its cell.
//!
//! They are evaluated at the material point of the undeformed structure, so that a pattern sticks to the sheet however
//! it folds, without seams and without an unrolling.

/// A cell's hash: odd factors spread the coordinates, the finaliser of MurmurHash3 mixes them.
fn hash(cell: [i32; 3], seed: u32) -> u32 {
    mixed(spread(cell[0], 0) ^ spread(cell[1], 1) ^ spread(cell[2], 2) ^ seed)
}

fn spread(coordinate: i32, axis: usize) -> u32 {
    const FACTORS: [u32; 3] = [0x9e37_79b1, 0x85eb_ca77, 0xc2b2_ae3d];
    (coordinate as u32).wrapping_mul(FACTORS[axis]).rotate_left(7 * axis as u32)
}

fn mixed(mut h: u32) -> u32 {
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

/// The hash as a number in [0, 1).
fn unit(h: u32) -> f32 {
    (h >> 8) as f32 / (1_u32 << 24) as f32
}

fn floor(v: f32) -> i32 {
    let whole = v as i32;
    whole - i32::from(v < whole as f32)
}

/// Smooth noise between -1 and 1 that changes over about one unit.
#[must_use]
pub fn value_noise(p: [f32; 3], seed: u32) -> f32 {
    let cell = p.map(floor);
    let w: [f32; 3] = std::array::from_fn(|i| {
        let t = p[i] - cell[i] as f32;
        t * t * (3.0 - 2.0 * t)
    });
    let near: [[u32; 2]; 3] = std::array::from_fn(|i| [spread(cell[i], i), spread(cell[i] + 1, i)]);
    let at = |dx: usize, dy: usize, dz: usize| unit(mixed(near[0][dx] ^ near[1][dy] ^ near[2][dz] ^ seed));
    let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
    let plane = |dz| mix(mix(at(0, 0, dz), at(1, 0, dz), w[0]), mix(at(0, 1, dz), at(1, 1, dz), w[0]), w[1]);
    2.0 * mix(plane(0), plane(1), w[2]) - 1.0
}

/// Octaves of [`value_noise`], each of half the size and `gain` times the strength; those smaller than `finest` (in
/// units of the first) are left out, because a pixel would only average them away.
#[must_use]
pub(super) fn octaves(p: [f32; 3], count: u32, gain: f32, finest: f32, seed: u32) -> f32 {
    let (mut sum, mut weight, mut scale, mut total) = (0.0, 1.0, 1.0_f32, 0.0);
    for octave in 0..count {
        total += weight * weight;
        if octave == 0 || 1.0 / scale > finest {
            sum += weight * value_noise(p.map(|v| v * scale), seed.wrapping_add(octave * 0x51ed));
        }
        weight *= gain;
        scale *= 2.03;
    }
    // Octaves are independent, so their squares add up: the strength does not depend on how many there are.
    sum / total.sqrt()
}

/// How deep a point lies in the nearest of balls that are strewn one a cell with probability `share`, radius 0.2 to
/// 0.5 of a cell: positive inside, in cells.
#[must_use]
pub(super) fn balls(p: [f32; 3], share: f32, seed: u32) -> f32 {
    // A ball of at most half a cell around a centre in its cell reaches the nearer neighbours only.
    let base: [i32; 3] = std::array::from_fn(|i| floor(p[i] - 0.5));
    let mut deepest = f32::NEG_INFINITY;
    for corner in 0..8 {
        let cell = [base[0] + (corner & 1), base[1] + ((corner >> 1) & 1), base[2] + (corner >> 2)];
        let h = hash(cell, seed);
        if unit(h) >= share {
            continue;
        }
        let (h1, h2) = (hash(cell, h | 1), hash(cell, h ^ 0x5bd1));
        let at = [h1 & 0xffff, h1 >> 16, h2 & 0xffff].map(|v| v as f32 / 65_536.0);
        let radius = 0.2 + 0.3 * (h2 >> 16) as f32 / 65_536.0;
        let d2: f32 = (0..3).map(|i| (p[i] - cell[i] as f32 - at[i]).powi(2)).sum();
        deepest = deepest.max(radius - d2.sqrt());
    }
    deepest
}

/// From 0 to 1 while `v` goes from `-half` to `half`: an edge seen through a pixel.
#[must_use]
pub(super) fn edge(v: f32, half: f32) -> f32 {
    (0.5 + 0.5 * v / half.max(1e-6)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_smooth_bounded_and_differs_by_seed() {
        let mut largest = 0.0_f32;
        for i in 0..4000 {
            let p = [i as f32 * 0.013 - 20.0, i as f32 * 0.007, -3.0];
            let (a, b) = (value_noise(p, 1), value_noise([p[0] + 0.01, p[1], p[2]], 1));
            assert!((a - b).abs() < 0.05 && a.abs() <= 1.0, "{a} {b} at {p:?}");
            largest = largest.max(a.abs());
        }
        assert!(largest > 0.5);
        assert_ne!(value_noise([0.3; 3], 1), value_noise([0.3; 3], 2));
    }

    #[test]
    fn balls_cover_a_share_that_grows() {
        let covered = |share| {
            let n = 60;
            let inside =
                (0..n * n).filter(|i| balls([(i % n) as f32 * 0.37, (i / n) as f32 * 0.41, 7.2], share, 5) > 0.0);
            inside.count() as f64 / f64::from(n * n)
        };
        let (few, many) = (covered(0.3), covered(0.9));
        assert!(few > 0.02 && many > 2.0 * few && many < 0.6, "{few} {many}");
    }
}
