//! Inner products of the runs' displacement fields, by time and part: all that errors, modes and regressions need.
//!
//! A predicted field is a weighted sum of the runs' fields, so every squared error is `wᵀ G w` with the weights of the
//! difference. The fields themselves need not be in memory (method of snapshots; Sirovich 1987).

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

/// `values[time][part]` is the runs × runs matrix of `Σ_nodes u_i · u_j`, mm².
#[derive(Debug, Clone, PartialEq)]
pub struct Grams {
    runs: usize,
    parts: usize,
    /// Nodes of each part.
    nodes_of_part: Vec<usize>,
    values: Vec<f64>,
}

impl Grams {
    /// No time yet.
    #[must_use]
    pub fn new(runs: usize, part_of_node: &[u16], parts: usize) -> Self {
        let mut nodes_of_part = vec![0; parts];
        for part in part_of_node {
            nodes_of_part[usize::from(*part)] += 1;
        }
        Self { runs, parts, nodes_of_part, values: Vec::new() }
    }

    /// From what [`Self::values`] gave; `None` when the number does not fit.
    #[must_use]
    pub fn from_values(runs: usize, part_of_node: &[u16], parts: usize, values: Vec<f64>) -> Option<Self> {
        let mut grams = Self::new(runs, part_of_node, parts);
        let one = runs * runs * parts;
        (one > 0 && values.len().is_multiple_of(one)).then(|| {
            grams.values = values;
            grams
        })
    }

    /// Appends one time; `slab` has the displacements of all runs, run by run, `3 × nodes` values each, mm.
    pub fn push(&mut self, slab: &[f32], part_of_node: &[u16]) {
        let (n, runs) = (3 * part_of_node.len(), self.runs);
        let pairs: Vec<(usize, usize)> = (0..runs).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
        let sums: Vec<Vec<f64>> = pairs
            .par_iter()
            .map(|(i, j)| {
                let (a, b) = (&slab[i * n..(i + 1) * n], &slab[j * n..(j + 1) * n]);
                let mut sum = vec![0.0_f64; self.parts];
                for ((a, b), part) in a.chunks_exact(3).zip(b.chunks_exact(3)).zip(part_of_node) {
                    sum[usize::from(*part)] += f64::from(a[0] * b[0] + a[1] * b[1] + a[2] * b[2]);
                }
                sum
            })
            .collect();
        let start = self.values.len();
        self.values.resize(start + self.parts * runs * runs, 0.0);
        for ((i, j), sum) in pairs.iter().zip(sums) {
            for (part, value) in sum.into_iter().enumerate() {
                let base = start + part * runs * runs;
                self.values[base + i * runs + j] = value;
                self.values[base + j * runs + i] = value;
            }
        }
    }

    /// All values: times × parts × runs × runs.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// How many times there are.
    #[must_use]
    pub fn times(&self) -> usize {
        self.values.len() / (self.parts * self.runs * self.runs).max(1)
    }

    /// How many parts there are.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// How many runs there are.
    #[must_use]
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Nodes of part `part`, or of all.
    #[must_use]
    pub fn nodes(&self, part: Option<usize>) -> usize {
        part.map_or_else(|| self.nodes_of_part.iter().sum(), |p| self.nodes_of_part[p])
    }

    /// The matrix of one time and part.
    #[must_use]
    pub fn at(&self, time: usize, part: usize) -> DMatrix<f64> {
        let size = self.runs * self.runs;
        let start = (time * self.parts + part) * size;
        DMatrix::from_row_slice(self.runs, self.runs, &self.values[start..start + size])
    }

    /// The sum over the parts (or one part) at one time.
    #[must_use]
    pub fn at_time(&self, time: usize, part: Option<usize>) -> DMatrix<f64> {
        match part {
            Some(part) => self.at(time, part),
            None => (0..self.parts).map(|p| self.at(time, p)).sum(),
        }
    }

    /// The sum over all times and parts.
    #[must_use]
    pub fn total(&self) -> DMatrix<f64> {
        (0..self.times()).map(|t| self.at_time(t, None)).fold(DMatrix::zeros(self.runs, self.runs), |a, b| a + b)
    }

    /// Mean squared length over the nodes of `part` (or all) of the field with these weights at `time`, mm².
    #[must_use]
    pub fn mean_square(&self, time: usize, part: Option<usize>, weights: &DVector<f64>) -> f64 {
        let sum = weights.dot(&(self.at_time(time, part) * weights));
        sum.max(0.0) / self.nodes(part).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weighted_field_has_the_length_that_its_gram_says() {
        // Two runs, three nodes, the third of another part.
        let slab = [1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 5.0, 3.0, 0.0, 0.0, 0.0, -1.0, 0.0, 4.0, 0.0, 0.0];
        let mut grams = Grams::new(2, &[0, 0, 1], 2);
        grams.push(&slab, &[0, 0, 1]);
        let weights = DVector::from_vec(vec![1.0, -1.0]);
        assert!((grams.mean_square(0, Some(0), &weights) - (4.0 + 9.0) / 2.0).abs() < 1e-9);
        assert!((grams.mean_square(0, Some(1), &weights) - 41.0).abs() < 1e-9);
        assert!((grams.mean_square(0, None, &weights) - 54.0 / 3.0).abs() < 1e-9);
        assert_eq!(Grams::from_values(2, &[0, 0, 1], 2, grams.values().to_vec()).as_ref(), Some(&grams));
        assert!(Grams::from_values(2, &[0, 0, 1], 2, vec![0.0; 7]).is_none());
    }
}
