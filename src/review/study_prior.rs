//! What the designs of a study say of the deviation: how it looks where it cannot be seen.
//!
//! The study's runs deviate from the simulation, too. The test is believed to deviate as a sum of what they do, and by
//! a rest that is as large and as smooth as what the others leave of each run when it is told from them by what the film
//! shows (leave-one-out). So the film decides how much of each there is, and where nothing is seen the sum goes on.

use nalgebra::{DMatrix, SymmetricEigen, Vector3};
use rayon::prelude::*;

use super::designs::Designs;

/// What a study says at one moment, at the unknowns of the field.
#[derive(Debug, Clone)]
pub struct StudyPrior {
    /// How the designs deviate: fields of one standard deviation each, mm; three rows an unknown, one column a mode.
    pub(super) modes: DMatrix<f64>,
    /// Variance a coordinate of what the modes leave of the difference across each edge, mm² …
    pub(super) edge_mm2: Vec<f64>,
    /// … and at each unknown, mm².
    pub(super) node_mm2: Vec<f64>,
    /// How much longer each edge is than in the simulation, mm: one row an edge, one column a mode. A sum of fields that
    /// turn is too short or too long; a sum of lengths is not.
    pub(super) longer: DMatrix<f64>,
    /// Variance of what the modes leave of each length, mm².
    pub(super) length_mm2: Vec<f64>,
}

/// So many modes at most, those that hold the most.
const MOST_MODES: usize = 32;
/// A mode with less of the spread is left out.
const SMALLEST_SHARE: f64 = 1e-6;
/// Nothing is told from other designs better than this, 1-sigma: a node, and a difference across an edge, mm.
const FLOOR_MM: [f64; 2] = [0.2, 0.1];
/// Where the film contradicts the designs, what they say is believed to so many mm, 1-sigma: a node, a difference across an
/// edge.
const DOUBTED_MM: [f64; 2] = [4.0, 2.0];
/// Variance of what the modes leave of a test over what they leave of a run: a run's field is free of the errors that
/// neighbouring sightings share. With 2 instead of 4, 87 % of the truths of crash_box-T2 lie within 2 sigma, with 4 91 %.
const FILMED: f64 = 4.0;
/// How well a film tells each unknown that it shows, 1-sigma, mm; neighbours err together.
const TOLD_MM: f64 = 2.0;

impl StudyPrior {
    /// From the designs; `None` when they do not differ from the simulation or are too few. `seen` are the unknowns that
    /// the film shows.
    pub(super) fn new(designs: &Designs, edges: &[[u32; 2]], seen: &[bool]) -> Option<Self> {
        /// With fewer runs, what is left of each when it is told from the others says nothing.
        const FEWEST: usize = 4;
        if designs.runs < FEWEST {
            return None;
        }
        let told = left_out(designs, seen);
        let (left, left_of_length) = (&designs.fields_mm * &told, &designs.longer_mm * &told);
        let at = |run: usize, node: usize| Vector3::from(left.fixed_view::<3, 1>(3 * node, run));
        let rest = |of_run: &dyn Fn(usize) -> Vector3<f64>| -> f64 {
            FILMED * (0..designs.runs).map(|r| of_run(r).norm_squared()).sum::<f64>() / (3 * designs.runs) as f64
        };
        let of_node = |n: usize| rest(&|r| at(r, n)) + FLOOR_MM[0].powi(2);
        let of_edge = |e: &[u32; 2]| rest(&|r| at(r, e[1] as usize) - at(r, e[0] as usize)) + FLOOR_MM[1].powi(2);
        let of_length = |e: usize| FILMED * left_of_length.row(e).norm_squared() / designs.runs as f64;
        let shares = modes(designs);
        Some(Self {
            modes: &designs.fields_mm * &shares,
            longer: &designs.longer_mm * &shares,
            length_mm2: (0..edges.len()).map(of_length).collect(),
            edge_mm2: edges.par_iter().map(of_edge).collect(),
            node_mm2: (0..seen.len()).into_par_iter().map(of_node).collect(),
        })
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

/// What is left of each run when the others tell it, at whatever pace, by the unknowns that are `seen`, as a sum of the
/// designs: the rest of a ridge regression that leaves out all that is the run's.
fn left_out(designs: &Designs, seen: &[bool]) -> DMatrix<f64> {
    let rows: Vec<usize> = (0..3 * seen.len()).filter(|r| seen[r / 3]).collect();
    let shown = designs.fields_mm.select_rows(&rows);
    let count = designs.run.len();
    let ridge = designs.runs as f64 * TOLD_MM.powi(2);
    let gram = shown.tr_mul(&shown) + DMatrix::identity(count, count) * ridge;
    // Both inverses are of positive definite matrices. Where numbers fail all the same, a run is left whole.
    let inverse = gram.try_inverse().unwrap_or_else(|| DMatrix::identity(count, count));
    let mut weights = DMatrix::identity(count, designs.runs);
    for run in 0..designs.runs {
        // The run as it is now comes first.
        let own: Vec<usize> = (0..count).filter(|c| designs.run[*c] == Some(run)).collect();
        let of_own = inverse.select_rows(&own);
        let block = of_own.select_columns(&own);
        if let Some(block) = block.try_inverse() {
            weights.set_column(run, &(block.row(0) * &of_own).transpose());
        }
    }
    weights
}

/// The strongest sums of the designs, as columns: how much of each design they hold.
fn modes(designs: &Designs) -> DMatrix<f64> {
    let eigen = SymmetricEigen::new(designs.fields_mm.tr_mul(&designs.fields_mm));
    let mut order: Vec<usize> = (0..designs.run.len()).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    let smallest = SMALLEST_SHARE * eigen.eigenvalues.sum();
    order.retain(|m| eigen.eigenvalues[*m] > smallest);
    order.truncate(MOST_MODES);
    let mut shares = eigen.eigenvectors.select_columns(&order) / (designs.runs as f64).sqrt();
    // An eigenvector may point either way, and which it does hangs on the order of the runs.
    let sums = designs.fields_mm.row_sum() * &shares;
    for (mut mode, _) in shares.column_iter_mut().zip(sums.iter()).filter(|(_, sum)| **sum < 0.0) {
        mode.neg_mut();
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::review::designs::Mesh;

    fn run(strength: f64, other: f64) -> Vec<Vector3<f64>> {
        (0..30).map(|n| Vector3::new(strength * f64::from(n), other * f64::from(n % 5), 0.0)).collect()
    }

    /// The designs of a strip along y.
    fn designs(runs: Vec<Vec<Vector3<f64>>>, paced: Vec<(Option<usize>, Vec<Vector3<f64>>)>) -> Designs {
        let strip: Vec<_> = (0..30).map(|n| Vector3::y() * 5.0 * f64::from(n)).collect();
        Designs::new(Mesh { places_mm: &strip, edges: &edges() }, runs, paced)
    }

    fn prior(runs: &[Vec<Vector3<f64>>]) -> Option<StudyPrior> {
        StudyPrior::new(&designs(runs.to_vec(), Vec::new()), &edges(), &[true; 30])
    }

    fn edges() -> Vec<[u32; 2]> {
        (1..30).map(|n| [n - 1, n]).collect()
    }

    #[test]
    fn too_few_or_equal_designs_say_nothing() {
        let same = vec![Vector3::zeros(); 30];
        assert!(prior(&[]).is_none());
        assert!(prior(&vec![same.clone(); 9]).is_none(), "none differs from the simulation");
        let few = [run(1.0, 0.0), run(-1.0, 0.5), run(0.5, 1.0), same];
        assert!(prior(&few).is_none(), "three differ");
    }

    #[test]
    fn modes_hold_the_spread_and_what_designs_share_is_known_well() {
        let strengths = [(1.0, 0.0), (-1.0, 0.3), (0.5, -0.4), (0.8, 0.1), (-0.6, -0.2)];
        let plain: Vec<_> = strengths.iter().map(|(a, b)| run(*a, *b)).collect();
        let plainly = prior(&plain).expect("five designs");
        assert_eq!(plainly.modes.ncols(), 2, "two kinds of motion");
        let spread: f64 = plain.iter().map(|r| r[29].norm_squared()).sum::<f64>() / 5.0;
        let held = plainly.modes.rows(87, 3).norm_squared();
        assert!((held - spread).abs() < 1e-6 * spread, "{held} and {spread}");

        // One design folds where no other does: there the next may, too.
        let mut folded = plain;
        folded[2][12].z = 8.0;
        let doubtful = prior(&folded).expect("five designs");
        assert!(
            doubtful.edge_mm2[11] > 20.0 * plainly.edge_mm2[11],
            "{} and {}",
            doubtful.edge_mm2[11],
            plainly.edge_mm2[11]
        );
        assert!(doubtful.edge_mm2[25] < 3.0 * plainly.edge_mm2[25]);
    }

    #[test]
    fn what_bends_keeps_its_lengths_and_what_stretches_does_not() {
        // Each run turns the strip's second half about its middle: fields that turn do not add up, lengths do.
        let bent = |turn: f64| -> Vec<_> {
            let half = |n: u32| 5.0 * f64::from(n.saturating_sub(15));
            (0..30).map(|n| Vector3::new(0.0, half(n) * (turn.cos() - 1.0), half(n) * turn.sin())).collect()
        };
        let bends = prior(&[0.3, -0.5, 0.8, 1.1, -0.9].map(bent)).expect("five designs");
        assert!(bends.longer.amax() < 1e-9 && bends.length_mm2.iter().all(|v| *v < 1e-9));
        let stretched = |by: f64| (0..30).map(|n| Vector3::y() * by * f64::from(n)).collect::<Vec<_>>();
        let stretches = prior(&[0.3, -0.5, 0.8, 1.1, -0.9].map(stretched)).expect("five designs");
        let spread: f64 = [0.3, -0.5, 0.8, 1.1, -0.9].iter().map(|by| by * by / 5.0).sum();
        assert!((stretches.longer.row(7).norm_squared() - spread).abs() < 1e-9, "{}", stretches.longer);
        assert!(
            stretches.length_mm2[7] < 0.01 * spread,
            "each run's is told by the others: {}",
            stretches.length_mm2[7]
        );
    }

    #[test]
    fn the_order_of_the_designs_does_not_matter() {
        let strengths = [(1.0, 0.0), (-1.0, 0.3), (0.5, -0.4), (0.8, 0.1), (-0.6, -0.2)];
        let mut runs: Vec<_> = strengths.iter().map(|(a, b)| run(*a, *b)).collect();
        let forward = prior(&runs).expect("five designs");
        runs.reverse();
        let backward = prior(&runs).expect("five designs");
        assert!((&forward.modes - &backward.modes).amax() < 1e-9, "{} {}", forward.modes, backward.modes);
        assert!((forward.node_mm2[29] - backward.node_mm2[29]).abs() < 1e-9);
    }

    #[test]
    fn a_run_is_told_from_what_others_are_at_another_pace_but_not_from_itself() {
        // A bump that travels along the strip: each run has it where its neighbour has it a little later.
        let bump =
            |place: f64| (0..30).map(move |n| Vector3::z() * 40.0 * (-(f64::from(n) - place).powi(2) / 2.0).exp());
        let places = [4.0, 8.0, 12.0, 16.0, 20.0, 24.0];
        let runs: Vec<Vec<_>> = places.iter().map(|p| bump(*p).collect()).collect();
        let later = |by: f64| places.iter().enumerate().map(move |(r, p)| (Some(r), bump(p + by).collect()));
        let prior = |paced| StudyPrior::new(&designs(runs.clone(), paced), &edges(), &[true; 30]).expect("six");
        let alone = prior(Vec::new()).node_mm2[12];
        assert!(prior(later(4.0).collect()).node_mm2[12] < 0.2 * alone);
        // At the same pace it tells itself, which says nothing of a test.
        assert!(prior(later(0.0).collect()).node_mm2[12] > 0.9 * alone);
    }

    #[test]
    fn where_a_film_shows_nothing_what_it_does_not_show_is_doubted() {
        let strengths = [(1.0, 0.0), (-1.0, 0.3), (0.5, -0.4), (0.8, 0.1), (-0.6, -0.2)];
        let designs = designs(strengths.iter().map(|(a, b)| run(*a, *b)).collect(), Vec::new());
        let of = |seen: &dyn Fn(usize) -> bool| {
            let seen: Vec<bool> = (0..30).map(seen).collect();
            StudyPrior::new(&designs, &edges(), &seen).expect("five designs").node_mm2[29]
        };
        assert!(of(&|_| false) > 10.0 * of(&|n| n < 15));
        assert!(of(&|n| n < 2) > of(&|n| n < 15));
    }
}
