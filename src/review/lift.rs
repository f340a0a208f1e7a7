//! From residuals in pictures to a deviation on the mesh.
//!
//! Every sighting says how far, in px of one camera, the surface point is from where it is expected. The increment of
//! the deviation is the maximum a posteriori estimate over all nodes at once: sightings with their covariance and a
//! Cauchy weight (a wrong match must not pull its neighbours along), a membrane prior that lets neighbours move
//! alike, a prior on the shape ([`shape`]: sheet metal turns and bends, but hardly stretches), and an anchor that keeps what nothing measures where it was. With one camera the component along the ray is
//! determined by the anchor alone, so nothing is invented there.

mod by_study;
mod normal;
mod shape;

use faer::prelude::Solve;
use nalgebra::{Matrix2, Matrix2x3, Matrix3, Vector2, Vector3};

pub(in crate::review) use self::by_study::{StudyLift, lift_by_study};
use self::normal::Normal;
use self::shape::{Expected, expected_edges};

/// One measured shift of a surface point in one camera.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// Which camera.
    pub camera: usize,
    /// The nodes around the point.
    pub nodes: [u32; 3],
    /// Their weights; they sum to 1.
    pub weights: [f32; 3],
    /// Change of the pixel with the point, px/mm.
    pub pixel_per_world: Matrix2x3<f64>,
    /// Seen minus expected, px.
    pub residual_px: Vector2<f64>,
    /// Inverse covariance of the residual, 1/px².
    pub information: Matrix2<f64>,
}

/// What is believed before the sightings.
#[derive(Debug, Clone, Copy)]
pub struct LiftPrior<'a> {
    /// Node pairs that are neighbours on the skin.
    pub edges: &'a [[u32; 2]],
    /// How much the increments of neighbours differ, 1-sigma, mm.
    pub membrane_mm: f64,
    /// Where the simulation has the nodes, mm.
    pub simulated_mm: &'a [Vector3<f64>],
    /// How far an edge may be from the turned one of the simulation, 1-sigma, mm …
    pub shape_mm: f64,
    /// … and as a share of its length.
    pub shape_share: f64,
    /// How far an edge may be from where its turn is known, 1-sigma, mm: the covariance is taken with it.
    pub doubt_mm: f64,
    /// The deviation before the increment, mm.
    pub before_mm: &'a [Vector3<f64>],
    /// How far each node's increment may be from zero, 1-sigma, mm; `f64::INFINITY` is not allowed.
    pub anchor_mm: &'a [f64],
}

/// The increment of the deviation.
#[derive(Debug, Clone)]
pub struct Lifted {
    /// Increment of each node, mm; zero off the skin.
    pub increment_mm: Vec<Vector3<f64>>,
    /// Covariance of each node's increment, mm²; empty when it was not asked for.
    pub covariance_mm2: Vec<Matrix3<f64>>,
    /// Robust weight of each sighting, 0–1.
    pub weights: Vec<f64>,
    /// What is left of each residual in units of its sigma.
    pub misfit: Vec<f64>,
}

/// A normal equation that has no solution: an anchor was zero or not finite.
#[derive(Debug, thiserror::Error)]
#[error("the lift's normal equations are singular at {unknowns} unknowns: a defect, please report the input")]
pub struct LiftError {
    /// Size of the system.
    pub unknowns: usize,
}

/// Sightings that disagree by more than this many sigma count less and less.
const CAUCHY: f64 = 2.0;
/// Rounds of reweighting.
const ROUNDS: usize = 4;
/// Random draws from the posterior from which the covariance is estimated.
const DRAWS: usize = 24;

/// Solves for the increments of the nodes that `on_skin` names.
///
/// # Errors
/// When the prior does not determine every unknown.
pub fn lift(on_skin: &[bool], sightings: &[Sighting], prior: &LiftPrior<'_>) -> Result<Lifted, LiftError> {
    solve(on_skin, sightings, prior, true)
}

/// [`lift`] for a caller that needs no covariance, which costs as much as the solution: it is left empty.
///
/// # Errors
/// As [`lift`].
pub(super) fn lift_increment(
    on_skin: &[bool],
    sightings: &[Sighting],
    prior: &LiftPrior<'_>,
) -> Result<Lifted, LiftError> {
    solve(on_skin, sightings, prior, false)
}

fn solve(
    on_skin: &[bool],
    sightings: &[Sighting],
    prior: &LiftPrior<'_>,
    with_covariance: bool,
) -> Result<Lifted, LiftError> {
    let numbering = Numbering::new(on_skin);
    let mut weights = vec![1.0; sightings.len()];
    let mut increment = vec![Vector3::zeros(); on_skin.len()];
    let normal = Normal::new(&numbering, sightings, prior)?;
    for round in 0..ROUNDS {
        let edges = expected_edges(prior, &increment);
        let (factor, right) = normal.factor(&weights, &edges, None)?;
        let solution = factor.solve(&right);
        numbering.scatter(solution.as_ref(), &mut increment);
        let misfit: Vec<f64> = sightings.iter().map(|s| misfit_sigmas(s, &increment)).collect();
        if round + 1 == ROUNDS {
            let covariance_mm2 = if with_covariance {
                let edges: Vec<Expected> = edges.into_iter().map(|e| e.loosened(prior.doubt_mm)).collect();
                let (factor, _) = normal.factor(&weights, &edges, None)?;
                let draws = normal.draws(&factor, &numbering, sightings, &weights, prior, &edges, None);
                covariance_from_draws(&numbering, &draws, on_skin.len())
            } else {
                Vec::new()
            };
            return Ok(Lifted { increment_mm: increment, covariance_mm2, weights, misfit });
        }
        weights = cauchy_weights(&misfit);
    }
    unreachable!("the last round returns")
}

/// Robust weights of sightings by their misfit in sigmas.
fn cauchy_weights(misfit: &[f64]) -> Vec<f64> {
    misfit.iter().map(|m| 1.0 / (1.0 + (m / CAUCHY).powi(2))).collect()
}

/// Unexplained part of a sighting in units of its sigma.
fn misfit_sigmas(s: &Sighting, increment: &[Vector3<f64>]) -> f64 {
    let left = s.residual_px - s.pixel_per_world * at_point(s, increment);
    left.dot(&(s.information * left)).max(0.0).sqrt()
}

fn at_point(s: &Sighting, field: &[Vector3<f64>]) -> Vector3<f64> {
    s.nodes.iter().zip(s.weights).map(|(n, w)| field[*n as usize] * f64::from(w)).sum()
}

/// Which unknowns belong to which node.
struct Numbering {
    row_of: Vec<Option<u32>>,
    count: usize,
}

impl Numbering {
    fn new(on_skin: &[bool]) -> Self {
        let mut count = 0;
        let row_of = on_skin
            .iter()
            .map(|on| {
                on.then(|| {
                    count += 1;
                    count - 1
                })
            })
            .collect();
        Self { row_of, count: count as usize }
    }

    fn row(&self, node: u32) -> Option<usize> {
        self.row_of[node as usize].map(|r| 3 * r as usize)
    }

    fn scatter(&self, solution: faer::ColRef<'_, f64>, out: &mut [Vector3<f64>]) {
        for (node, row) in self.row_of.iter().enumerate() {
            if let Some(r) = row.map(|r| 3 * r as usize) {
                out[node] = Vector3::new(solution[r], solution[r + 1], solution[r + 2]);
            }
        }
    }
}

fn covariance_from_draws(numbering: &Numbering, draws: &faer::Mat<f64>, nodes: usize) -> Vec<Matrix3<f64>> {
    let mut sum = vec![Matrix3::zeros(); nodes];
    let mut draw = vec![Vector3::zeros(); nodes];
    for column in 0..DRAWS {
        numbering.scatter(draws.col(column), &mut draw);
        for (s, d) in sum.iter_mut().zip(&draw) {
            *s += d * d.transpose() / DRAWS as f64;
        }
    }
    sum
}

/// SplitMix64 (Steele et al., OOPSLA 2014) summed to a Gaussian: the same draws on every machine.
struct Noise(u64);

impl Noise {
    /// The stream after `numbers` Gaussian ones were taken from its beginning.
    fn after(numbers: usize) -> Self {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        Self(STEP.wrapping_add(STEP.wrapping_mul(2 * numbers as u64)))
    }

    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn gauss(&mut self) -> f64 {
        let (u, v) = (self.uniform().max(1e-300), self.uniform());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A strip of nodes 10 mm apart; two cameras look along y and along x+y.
    fn strip(count: usize) -> (Vec<bool>, Vec<[u32; 2]>) {
        (vec![true; count], (1..count as u32).map(|i| [i - 1, i]).collect())
    }

    fn seen(camera: usize, node: u32, view: Matrix2x3<f64>, truth: Vector3<f64>) -> Sighting {
        Sighting {
            camera,
            nodes: [node, node, node],
            weights: [1.0, 0.0, 0.0],
            pixel_per_world: view,
            residual_px: view * truth,
            information: Matrix2::identity() * 100.0,
        }
    }

    fn front() -> Matrix2x3<f64> {
        Matrix2x3::new(1.3, 0.0, 0.0, 0.0, 0.0, -1.3)
    }

    fn side() -> Matrix2x3<f64> {
        Matrix2x3::new(0.0, 1.2, 0.0, 0.0, 0.0, -1.2)
    }

    #[test]
    fn two_cameras_give_all_three_components() {
        let (on, edges) = strip(20);
        let truth = Vector3::new(4.0, -3.0, 2.0);
        let mut sightings: Vec<_> = (0..20).map(|n| seen(0, n, front(), truth)).collect();
        sightings.extend((0..20).map(|n| seen(1, n, side(), truth)));
        let anchor = vec![5.0; 20];
        let prior = LiftPrior {
            edges: &edges,
            membrane_mm: 1.0,
            simulated_mm: &vec![Vector3::zeros(); on.len()],
            shape_mm: 10.0,
            shape_share: 0.0,
            doubt_mm: 0.0,
            before_mm: &vec![Vector3::zeros(); on.len()],
            anchor_mm: &anchor,
        };
        let found = lift(&on, &sightings, &prior).expect("anchored");
        assert!((found.increment_mm[10] - truth).norm() < 0.02, "{:?}", found.increment_mm[10]);
        assert!(found.covariance_mm2[10][(1, 1)].sqrt() < 0.15);
        let alone = lift_increment(&on, &sightings, &prior).expect("anchored");
        assert_eq!((alone.increment_mm, alone.weights), (found.increment_mm, found.weights), "without its covariance");
    }

    #[test]
    fn one_camera_invents_nothing_along_its_ray() {
        let (on, edges) = strip(20);
        let sightings: Vec<_> = (0..20).map(|n| seen(0, n, front(), Vector3::new(4.0, -3.0, 2.0))).collect();
        let anchor = vec![5.0; 20];
        let prior = LiftPrior {
            edges: &edges,
            membrane_mm: 1.0,
            simulated_mm: &vec![Vector3::zeros(); on.len()],
            shape_mm: 10.0,
            shape_share: 0.0,
            doubt_mm: 0.0,
            before_mm: &vec![Vector3::zeros(); on.len()],
            anchor_mm: &anchor,
        };
        let found = lift(&on, &sightings, &prior).expect("anchored");
        let d = found.increment_mm[10];
        assert!((d.x - 4.0).abs() < 0.02 && d.y.abs() < 1e-9 && (d.z - 2.0).abs() < 0.02, "{d:?}");
        assert!(found.covariance_mm2[10][(1, 1)] > 10.0 * found.covariance_mm2[10][(0, 0)]);
    }

    #[test]
    fn a_wrong_match_is_outvoted_and_doubt_grows_away_from_sightings() {
        let (on, edges) = strip(40);
        let truth = Vector3::new(2.0, 0.0, 1.0);
        let mut sightings: Vec<_> = (0..20).map(|n| seen(0, n, front(), truth)).collect();
        sightings[10].residual_px += Vector2::new(25.0, -10.0);
        let anchor = vec![50.0; 40];
        let prior = LiftPrior {
            edges: &edges,
            membrane_mm: 0.5,
            simulated_mm: &vec![Vector3::zeros(); on.len()],
            shape_mm: 10.0,
            shape_share: 0.0,
            doubt_mm: 0.0,
            before_mm: &vec![Vector3::zeros(); on.len()],
            anchor_mm: &anchor,
        };
        let found = lift(&on, &sightings, &prior).expect("anchored");
        assert!(found.weights[10] < 0.01 && found.weights[5] > 0.9);
        assert!((found.increment_mm[10].x - 2.0).abs() < 0.1);
        let sigma = |n: usize| found.covariance_mm2[n][(0, 0)].sqrt();
        // A chain's doubt grows with the root of the distance, here by 2.6; a sigma from 24 draws is known to 15 %.
        assert!(sigma(39) > 1.5 * sigma(22) && sigma(22) > sigma(10), "{} {} {}", sigma(39), sigma(22), sigma(10));
    }

    /// The blocks, their places and the prior against a dense matrix that is summed term by term.
    #[test]
    fn the_sparse_equations_are_the_dense_ones() {
        let on: Vec<bool> = (0..9).map(|n| n != 4).collect();
        let edges = [[0, 1], [1, 2], [0, 3], [3, 5], [5, 6], [6, 7], [2, 7], [7, 8], [4, 5], [0, 8]];
        let mut noise = Noise(5);
        let mut sightings = Vec::new();
        for nodes in [[0, 1, 2], [8, 3, 0], [5, 4, 6], [7, 7, 2], [6, 1, 8]] {
            sightings.push(Sighting {
                camera: 0,
                nodes,
                weights: [0.5, 0.3, 0.2],
                pixel_per_world: Matrix2x3::from_fn(|_, _| noise.gauss()),
                residual_px: Vector2::new(0.1 * noise.gauss(), 0.1 * noise.gauss()),
                information: Matrix2::new(30.0, 5.0, 5.0, 20.0),
            });
        }
        let before: Vec<_> = (0..9).map(|n| Vector3::new(f64::from(n), 1.0, -0.5 * f64::from(n))).collect();
        let anchor: Vec<f64> = (0..9).map(|n| 2.0 + 0.3 * f64::from(n)).collect();
        let prior = LiftPrior {
            edges: &edges,
            membrane_mm: 0.8,
            simulated_mm: &before,
            shape_mm: 3.0,
            shape_share: 0.0,
            doubt_mm: 0.0,
            before_mm: &before,
            anchor_mm: &anchor,
        };
        let weights = [1.0, 0.3, 0.9, 0.5, 0.01];
        let expected: Vec<Expected> = (0..edges.len())
            .map(|i| Expected {
                difference_mm: Vector3::new(0.1, 0.2 * i as f64, -0.3),
                information: 0.1 + 0.05 * i as f64,
                along: (i % 2 == 1).then(|| Vector3::new(0.6, 0.0, -0.8)),
            })
            .collect();
        let numbering = Numbering::new(&on);
        let normal = Normal::new(&numbering, &sightings, &prior).expect("anchored");
        let (factor, right) = normal.factor(&weights, &expected, None).expect("anchored");
        let mut found = vec![Vector3::zeros(); on.len()];
        numbering.scatter(factor.solve(&right).as_ref(), &mut found);

        let mut matrix = nalgebra::DMatrix::<f64>::zeros(27, 27);
        let mut right = nalgebra::DVector::<f64>::zeros(27);
        (0..27).for_each(|i| matrix[(i, i)] += anchor[i / 3].powi(-2));
        for ([a, b], expected) in edges.map(|e| e.map(|n: u32| n as usize)).iter().zip(&expected) {
            if on[*a] && on[*b] {
                let weight = match expected.along {
                    Some(along) => along * along.transpose() * expected.information,
                    None => Matrix3::identity() * expected.information,
                };
                let mut between = nalgebra::Matrix3xX::<f64>::zeros(27);
                between.fixed_view_mut::<3, 3>(0, 3 * a).copy_from(&-Matrix3::identity());
                between.fixed_view_mut::<3, 3>(0, 3 * b).copy_from(&Matrix3::identity());
                matrix += between.transpose() * (weight + Matrix3::identity() * 0.8f64.powi(-2)) * &between;
                right -= between.transpose() * weight * (before[*b] - before[*a] - expected.difference_mm);
            }
        }
        for (s, weight) in sightings.iter().zip(weights) {
            let mut row = nalgebra::Matrix2xX::<f64>::zeros(27);
            for (n, w) in s.nodes.iter().zip(s.weights).filter(|(n, _)| **n != 4) {
                let mut columns = row.columns_mut(3 * *n as usize, 3);
                columns += s.pixel_per_world * f64::from(w);
            }
            matrix += row.transpose() * s.information * &row * weight;
            right += row.transpose() * s.information * s.residual_px * weight;
        }
        let solution = matrix.cholesky().expect("positive").solve(&right);
        for node in (0..9).filter(|n| on[*n]) {
            let expected = Vector3::new(solution[3 * node], solution[3 * node + 1], solution[3 * node + 2]);
            assert!((found[node] - expected).norm() < 1e-9, "node {node}");
        }
    }

    #[test]
    fn a_stream_of_noise_can_be_entered_anywhere() {
        let mut all = Noise::after(0);
        let first: Vec<f64> = (0..40).map(|_| all.gauss()).collect();
        let mut later = Noise::after(17);
        assert!((17..40).all(|i| later.gauss() == first[i]));
    }
}
