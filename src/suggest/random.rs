//! Repeatable random numbers: the same study and film give the same suggestion.

/// SplitMix64 (Steele, Lea and Flood 2014): small, and good enough to spread points and walk chains.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// The stream that belongs to some numbers: so a run draws the same wherever it stands in its study.
    pub(super) fn of<'a>(seed: u64, numbers: impl IntoIterator<Item = &'a f64>) -> Self {
        numbers.into_iter().fold(Self::new(seed), |mut random, x| {
            random.0 ^= x.to_bits();
            Self(random.next())
        })
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Even in [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A whole number below `end`, which is above 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        ((self.uniform() * end as f64) as usize).min(end - 1)
    }

    /// Normal, mean 0, deviation 1 (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// `count` points in the unit cube, one in each slice of each axis.
pub(super) fn latin_hypercube(count: usize, dimensions: usize, random: &mut Random) -> Vec<Vec<f64>> {
    let mut points = vec![vec![0.0; dimensions]; count];
    for axis in 0..dimensions {
        let mut slices: Vec<usize> = (0..count).collect();
        for i in (1..count).rev() {
            slices.swap(i, random.below(i + 1));
        }
        for (point, slice) in points.iter_mut().zip(slices) {
            point[axis] = (slice as f64 + random.uniform()) / count as f64;
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_even_normal_and_spread() {
        let mut random = Random::new(1);
        let even: Vec<f64> = (0..20_000).map(|_| random.uniform()).collect();
        let normal: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        assert!((mean(&even) - 0.5).abs() < 0.01 && mean(&normal).abs() < 0.03);
        assert!((normal.iter().map(|x| x * x).sum::<f64>() / 20_000.0 - 1.0).abs() < 0.05);
        let first = |numbers: &[f64]| Random::of(1, numbers).uniform();
        assert!(
            first(&[1.0, 2.0]) != first(&[2.0, 1.0]) && first(&[1.0, 2.0]).to_bits() == first(&[1.0, 2.0]).to_bits()
        );
        let cube = latin_hypercube(10, 3, &mut random);
        for axis in 0..3 {
            let mut slices: Vec<usize> = cube.iter().map(|p| (p[axis] * 10.0) as usize).collect();
            slices.sort_unstable();
            assert_eq!(slices, (0..10).collect::<Vec<_>>());
        }
    }
}
