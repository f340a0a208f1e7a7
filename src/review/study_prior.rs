//! What the designs of a study say of the deviation: how it looks where it cannot be seen.
//!
//! The study's runs deviate from the simulation, too. The test is believed to deviate as a sum of what they do, and by
//! a rest that is as large and as smooth as what the others leave of each run when it is told from them
//! (leave-one-out). So the film decides how much of each there is, and where nothing is seen the sum goes on.

use nalgebra::{DMatrix, SymmetricEigen, Vector3};
use rayon::prelude::*;

/// Whether a study told of a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StudyHeard {
    /// There is none, or its designs do not differ yet.
    Nothing,
    /// It told how the structure deviates where the film does not show it.
    Told,
    /// The film contradicts all designs, then or before: they were not heard.
    Contradicted,
}

/// What a study says at one moment, at the unknowns of the field.
#[derive(Debug, Clone)]
pub struct StudyPrior {
    /// How the designs deviate: fields of one standard deviation each, mm.
    pub(super) modes: Vec<Vec<Vector3<f64>>>,
    /// Variance a coordinate of what the modes leave of the difference across each edge, mm² …
    pub(super) edge_mm2: Vec<f64>,
    /// … and at each unknown, mm².
    pub(super) node_mm2: Vec<f64>,
}

/// So many modes at most, those that hold the most.
const MOST_MODES: usize = 12;
/// A mode with less of the spread is left out.
const SMALLEST_SHARE: f64 = 1e-4;
/// Nothing is told from other designs better than this, 1-sigma: a node, and a difference across an edge, mm.
const FLOOR_MM: [f64; 2] = [0.2, 0.1];
/// Where the film contradicts the designs, what they say is believed to so many mm, 1-sigma: a node, a difference across an
/// edge.
const DOUBTED_MM: [f64; 2] = [4.0, 2.0];
/// Variance of what the modes leave of a test over what they leave of a run: a run is told from the whole of its field, a
/// test from what its film shows. With 1 instead of 4, 80 % of the truths of crash_box-T2 lie within 2 sigma, with 4 92 %.
const FILMED: f64 = 4.0;
/// Share of the spread that is taken for scatter when a run is told from the others.
const SCATTER: f64 = 1e-3;

impl StudyPrior {
    /// From how far each run has the unknowns from where the simulation has them, mm; `None` when they do not differ
    /// or are too few.
    pub(super) fn new(runs: &[Vec<Vector3<f64>>], edges: &[[u32; 2]]) -> Option<Self> {
        /// With fewer runs, what is left of each when it is told from the others says nothing.
        const FEWEST: usize = 4;
        let moved = |run: &&Vec<Vector3<f64>>| run.iter().any(|d| d.norm_squared() > 1e-6);
        let runs: Vec<&Vec<Vector3<f64>>> = runs.iter().filter(moved).collect();
        if runs.len() < FEWEST {
            return None;
        }
        let n = runs.len();
        let products: Vec<f64> = (0..n * n).into_par_iter().map(|i| dot(runs[i / n], runs[i % n])).collect();
        let gram = DMatrix::from_vec(n, n, products);
        let left = left_out(&gram);
        let rest = |values: &dyn Fn(usize) -> Vector3<f64>| -> f64 {
            let of_run = |r: usize| (0..n).map(|q| values(q) * left[(r, q)]).sum::<Vector3<f64>>().norm_squared();
            FILMED * (0..n).map(of_run).sum::<f64>() / (3 * n) as f64
        };
        let node_mm2 =
            (0..runs[0].len()).into_par_iter().map(|k| rest(&|q| runs[q][k]) + FLOOR_MM[0].powi(2)).collect();
        let edge_mm2 = edges
            .par_iter()
            .map(|e| rest(&|q| runs[q][e[1] as usize] - runs[q][e[0] as usize]) + FLOOR_MM[1].powi(2))
            .collect();
        Some(Self { modes: modes(&runs, &gram), edge_mm2, node_mm2 })
    }

    /// The same where the nodes of `doubted` and their edges are believed less.
    pub(super) fn doubted(&self, edges: &[[u32; 2]], doubted: &[bool]) -> Self {
        let mut less = self.clone();
        for (variance, _) in less.node_mm2.iter_mut().zip(doubted).filter(|(_, d)| **d) {
            *variance += DOUBTED_MM[0].powi(2);
        }
        for (variance, _) in less.edge_mm2.iter_mut().zip(edges).filter(|(_, e)| e.iter().any(|n| doubted[*n as usize]))
        {
            *variance += DOUBTED_MM[1].powi(2);
        }
        less
    }
}

fn dot(a: &[Vector3<f64>], b: &[Vector3<f64>]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.dot(b)).sum()
}

/// Rows of weights: what is left of each run when the others tell it (the leave-one-out rest of a ridge regression).
fn left_out(gram: &DMatrix<f64>) -> DMatrix<f64> {
    let n = gram.nrows();
    let scatter = SCATTER * gram.trace() / n as f64;
    let inverse = (gram + DMatrix::identity(n, n) * scatter).try_inverse().unwrap_or_else(|| DMatrix::identity(n, n));
    DMatrix::from_fn(n, n, |r, q| inverse[(r, q)] / inverse[(r, r)])
}

/// The strongest sums of the runs.
fn modes(runs: &[&Vec<Vector3<f64>>], gram: &DMatrix<f64>) -> Vec<Vec<Vector3<f64>>> {
    let n = runs.len();
    let eigen = SymmetricEigen::new(gram.clone());
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    order
        .into_iter()
        .take(MOST_MODES)
        .filter(|m| eigen.eigenvalues[*m] > SMALLEST_SHARE * gram.trace())
        .map(|m| {
            let weight = |r: usize| eigen.eigenvectors[(r, m)] / (n as f64).sqrt();
            (0..runs[0].len()).into_par_iter().map(|k| (0..n).map(|r| runs[r][k] * weight(r)).sum()).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(strength: f64, other: f64) -> Vec<Vector3<f64>> {
        (0..30).map(|n| Vector3::new(strength * f64::from(n), other * f64::from(n % 5), 0.0)).collect()
    }

    fn edges() -> Vec<[u32; 2]> {
        (1..30).map(|n| [n - 1, n]).collect()
    }

    #[test]
    fn too_few_or_equal_designs_say_nothing() {
        let same = vec![Vector3::zeros(); 30];
        assert!(StudyPrior::new(&[], &edges()).is_none());
        assert!(StudyPrior::new(&vec![same.clone(); 9], &edges()).is_none(), "none differs from the simulation");
        let few = [run(1.0, 0.0), run(-1.0, 0.5), run(0.5, 1.0), same];
        assert!(StudyPrior::new(&few, &edges()).is_none(), "three differ");
    }

    #[test]
    fn modes_hold_the_spread_and_what_designs_share_is_known_well() {
        let strengths = [(1.0, 0.0), (-1.0, 0.3), (0.5, -0.4), (0.8, 0.1), (-0.6, -0.2)];
        let plain: Vec<_> = strengths.iter().map(|(a, b)| run(*a, *b)).collect();
        let prior = StudyPrior::new(&plain, &edges()).expect("five designs");
        assert_eq!(prior.modes.len(), 2, "two kinds of motion");
        let spread: f64 = plain.iter().map(|r| r[29].norm_squared()).sum::<f64>() / 5.0;
        let held: f64 = prior.modes.iter().map(|m| m[29].norm_squared()).sum();
        assert!((held - spread).abs() < 1e-6 * spread, "{held} and {spread}");

        // One design folds where no other does: there the next may, too.
        let mut folded = plain;
        folded[2][12].z = 8.0;
        let doubtful = StudyPrior::new(&folded, &edges()).expect("five designs");
        assert!(
            doubtful.edge_mm2[11] > 20.0 * prior.edge_mm2[11],
            "{} and {}",
            doubtful.edge_mm2[11],
            prior.edge_mm2[11]
        );
        assert!(doubtful.edge_mm2[25] < 3.0 * prior.edge_mm2[25]);
    }
}
