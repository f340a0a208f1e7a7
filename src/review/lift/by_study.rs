//! The lift where there is a study: the deviation is a sum of what the designs do, and a rest.
//!
//! The film and the study alone say what the deviation is: neither the frame before nor the simulation's shape does,
//! because a structure that folds elsewhere is far from both. What no design does is told by the film: where it contradicts
//! the study, the study is heard less and all is solved again. The sheet is still a sheet there: what only a stretch
//! would explain (the edge of a shadow that moves) is not believed. Elsewhere its edges are as long as those of the
//! designs: a sum of fields that turn is drawn out or pressed together where they turn differently, a sum of lengths is
//! not. The strengths of the modes couple every
//! node with every other, so they are eliminated by hand: with `A` and `b` what the sightings say, `L` what the rest costs,
//! `X` the modes, `d` the deviation before and `δ` its increment, `(A + L) δ = b - L d + L X a` and
//! `(XᵀLX + 1) a = XᵀL (d + δ)`.

mod doubt;

use faer::linalg::solvers::DenseSolveCore;
use faer::prelude::Solve;
use faer::sparse::linalg::solvers::Llt;
use faer::{Col, ColMut, Mat, MatRef, Side};
use nalgebra::{DVector, Vector3};
use rayon::prelude::*;

use self::doubt::contradicted;
use super::normal::{Edge, Normal, for_columns};
use super::shape::{Expected, expected_lengths};
use super::{
    LiftError, LiftPrior, Lifted, Noise, Numbering, ROUNDS, Sighting, cauchy_weights, covariance_from_draws,
    misfit_sigmas,
};
use crate::review::study_prior::StudyPrior;

/// Rounds before what is far from the modes begins to count less: in the first ones everything is far.
const EVEN_ROUNDS: usize = 2;
/// Neighbours' rests err together: about so many nodes say once what their variance says.
const TOGETHER: f64 = 50.0;
/// What the prior of the lift without a study says here, 1-sigma, mm: nothing.
const NOTHING_MM: f64 = 1e3;
/// Variance of sightings over what they claim one by one: neighbours err together (a wrong slope under them, the light).
const SIGHTINGS_TOGETHER: f64 = 4.0;

/// How far an edge may be from the length that the modes tell, 1-sigma, as a share of its simulated length; what they
/// leave of each other's lengths is added. With 0.05 and 0.15 crash boxes come out as well as with 0.4, bumpers worse.
const LENGTH_SHARE: f64 = 0.4;
/// No edge is told to be shorter than this share of its simulated length.
const SHORTEST: f64 = 0.3;
/// Solutions in which more of the study is doubted than in the one before, at most.
const DOUBTS: usize = 3;
/// What is known where there is a study.
pub(in crate::review) struct StudyLift<'a> {
    /// What is believed without a study; where it is doubted the sheet is heard, which does not stretch.
    pub(in crate::review) alone: &'a LiftPrior<'a>,
    /// What the study says.
    pub(in crate::review) study: &'a StudyPrior,
    /// Which of the sightings hold on to frame 0: a few of them are wrong, many that agree are not.
    pub(in crate::review) firm: &'a [bool],
}

/// Solves for the increments of the nodes that `on_skin` names. `exact` sightings claim no more than they may; the
/// covariance is left empty unless it is asked for.
///
/// Where many firm sightings contradict what comes out, the test does what no design does: there the study is doubted
/// and the film believed.
///
/// # Errors
/// As [`super::lift`].
pub(in crate::review) fn lift_by_study(
    on_skin: &[bool],
    seen: &[Sighting],
    exact: &[Sighting],
    known: &StudyLift<'_>,
    with_covariance: bool,
) -> Result<Lifted, LiftError> {
    let shared = |s: &Sighting| Sighting { information: s.information / SIGHTINGS_TOGETHER, ..s.clone() };
    let sightings: Vec<Sighting> = seen.iter().map(shared).chain(exact.iter().cloned()).collect();
    let mut doubted = vec![false; on_skin.len()];
    let mut lifted = settle(on_skin, &sightings, known, (known.study, &doubted), with_covariance)?;
    for _ in 0..DOUBTS {
        let more = contradicted(known, &sightings, &lifted);
        if more.iter().zip(&doubted).all(|(more, before)| *before || !more) {
            break;
        }
        doubted.iter_mut().zip(more).for_each(|(d, m)| *d |= m);
        let study = known.study.doubted(known.alone.edges, &doubted);
        lifted = settle(on_skin, &sightings, known, (&study, &doubted), with_covariance)?;
    }
    Ok(lifted)
}

/// The solution with one opinion of the study, which is that it is `doubted` at some nodes.
fn settle(
    on_skin: &[bool],
    sightings: &[Sighting],
    known: &StudyLift<'_>,
    (study, doubted): (&StudyPrior, &[bool]),
    with_covariance: bool,
) -> Result<Lifted, LiftError> {
    let numbering = Numbering::new(on_skin);
    let anchor_mm = vec![NOTHING_MM; on_skin.len()];
    let prior = LiftPrior { membrane_mm: NOTHING_MM, anchor_mm: &anchor_mm, ..*known.alone };
    let normal = Normal::new(&numbering, sightings, &prior)?;
    let modal = Modal::new(study, &numbering, prior.before_mm);
    let mut weights = vec![1.0; sightings.len()];
    let mut increment = vec![Vector3::zeros(); on_skin.len()];
    let (mut flat, mut strengths) = (Col::zeros(3 * numbering.count), Col::zeros(modal.count()));
    for round in 0..EVEN_ROUNDS + ROUNDS {
        let costs = modal.costs(&normal.edges, &flat, &strengths, round < EVEN_ROUNDS);
        let settled = (round >= EVEN_ROUNDS).then_some(&strengths);
        let sheet = sheet((study, doubted), &prior, &increment, settled);
        let (factor, right) = normal.factor(&weights, &sheet, Some(&costs))?;
        let equations = modal.equations(&normal.edges, &costs, &factor);
        (flat, strengths) = equations.solve(&factor, &right);
        numbering.scatter(flat.as_ref(), &mut increment);
        let misfit: Vec<f64> = sightings.iter().map(|s| misfit_sigmas(s, &increment)).collect();
        if round + 1 == EVEN_ROUNDS + ROUNDS {
            let covariance_mm2 = if with_covariance {
                let study = Some((&modal, &costs, &equations));
                let draws = normal.draws(&factor, &numbering, sightings, &weights, &prior, &sheet, study);
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

/// What is expected of the sheet: where the study is `doubted`, that it does not stretch; elsewhere, once the modes have
/// `strengths`, that its edges are as long as these have them, whichever way they lie.
fn sheet(
    (study, doubted): (&StudyPrior, &[bool]),
    prior: &LiftPrior<'_>,
    increment: &[Vector3<f64>],
    strengths: Option<&Col<f64>>,
) -> Vec<Expected> {
    let unstretched = if doubted.contains(&true) { expected_lengths(prior, increment) } else { Vec::new() };
    let longer_mm = strengths.map(|s| &study.longer * DVector::from_iterator(s.nrows(), s.iter().copied()));
    let whole = |n: u32| prior.before_mm[n as usize] + increment[n as usize];
    let place = |n: u32| prior.simulated_mm[n as usize];
    let of_edge = |(index, [a, b]): (usize, &[u32; 2])| {
        if doubted[*a as usize] || doubted[*b as usize] {
            return unstretched[index];
        }
        let Some(longer_mm) = &longer_mm else { return Expected::NOTHING };
        let simulated = place(*b) - place(*a);
        let length_mm = (simulated.norm() + longer_mm[index]).max(SHORTEST * simulated.norm());
        let variance_mm2 = study.length_mm2[index] + (LENGTH_SHARE * simulated.norm()).powi(2);
        Expected::of_length(simulated, whole(*b) - whole(*a), length_mm, variance_mm2)
    };
    prior.edges.par_iter().enumerate().map(of_edge).collect()
}

/// The modes at the unknowns of the equations.
pub(super) struct Modal<'a> {
    prior: &'a StudyPrior,
    /// Unknowns × modes, mm.
    modes: Mat<f64>,
    /// Deviation before, mm.
    before: Col<f64>,
    /// Of each node on the skin: its place in the prior.
    nodes: Vec<usize>,
}

/// What the rest costs in one round, 1/mm²: of each edge, and of each node.
pub(super) struct Costs {
    pub(super) edges: Vec<f64>,
    pub(super) nodes: Vec<f64>,
}

impl<'a> Modal<'a> {
    fn new(prior: &'a StudyPrior, numbering: &Numbering, before_mm: &[Vector3<f64>]) -> Self {
        let nodes: Vec<usize> = (0..before_mm.len()).filter(|n| numbering.row(*n as u32).is_some()).collect();
        let modes =
            Mat::from_fn(3 * nodes.len(), prior.modes.ncols(), |r, m| prior.modes[(3 * nodes[r / 3] + r % 3, m)]);
        let before = Col::from_fn(3 * nodes.len(), |r| before_mm[nodes[r / 3]][r % 3]);
        Self { prior, modes, before, nodes }
    }

    fn count(&self) -> usize {
        self.modes.ncols()
    }

    /// Unless all count evenly, what is far from a sum of the modes counts less: there the test does what no design
    /// does.
    fn costs(&self, edges: &[Edge], increment: &Col<f64>, strengths: &Col<f64>, evenly: bool) -> Costs {
        let rest = &self.before + increment - &self.modes * strengths;
        let at = |r: usize| Vector3::new(rest[r], rest[r + 1], rest[r + 2]);
        let cost =
            |variance: f64, rest: Vector3<f64>| 1.0 / (variance + if evenly { 0.0 } else { rest.norm_squared() / 3.0 });
        let of_edge = |e: &Edge| cost(self.prior.edge_mm2[e.index], at(e.rows[1]) - at(e.rows[0]));
        let of_node = |(k, n): (usize, &usize)| cost(self.prior.node_mm2[*n], at(3 * k)) / TOGETHER;
        Costs {
            edges: edges.iter().map(of_edge).collect(),
            nodes: self.nodes.iter().enumerate().map(of_node).collect(),
        }
    }

    /// The equations of a round: `factor` is that of `A + L`.
    fn equations(&self, edges: &[Edge], costs: &Costs, factor: &Llt<usize, f64>) -> Equations {
        let mut coupling = self.modes.clone();
        for_columns(coupling.as_mut(), &|part| part.col_iter_mut().for_each(|column| costs.times(edges, column)));
        let mut pull = self.before.clone();
        costs.times(edges, pull.as_mut());
        let mut reply = coupling.clone();
        for_columns(reply.as_mut(), &|part| factor.solve_in_place(part));
        let (own, replied) = rayon::join(|| self.modes.transpose() * &coupling, || coupling.transpose() * &reply);
        // The Schur complement of a positive definite matrix with 1 added: it can be inverted.
        let schur = own - replied + Mat::<f64>::identity(self.count(), self.count());
        let inverse = schur.llt(Side::Lower).map(|factor| factor.inverse());
        let inverse = inverse.unwrap_or_else(|_| Mat::identity(self.count(), self.count()));
        let pull_on_strengths = coupling.transpose() * &self.before;
        Equations { pull, pull_on_strengths, coupling, reply, inverse }
    }

    /// Adds what the study's terms are perturbed by to a draw's right-hand side; returns what that is for the strengths.
    pub(super) fn perturb(&self, edges: &[Edge], costs: &Costs, noise: &mut Noise, right: &mut [f64]) -> Col<f64> {
        let strengths = Col::from_fn(self.count(), |_| noise.gauss());
        let mut rest = Col::zeros(self.modes.nrows());
        for (edge, cost) in edges.iter().zip(&costs.edges) {
            let [a, b] = edge.rows;
            for i in 0..3 {
                let e = noise.gauss() * cost.sqrt();
                rest[b + i] += e;
                rest[a + i] -= e;
            }
        }
        for (k, cost) in costs.nodes.iter().enumerate() {
            (0..3).for_each(|i| rest[3 * k + i] += noise.gauss() * cost.sqrt());
        }
        right.iter_mut().zip(rest.iter()).for_each(|(right, e)| *right -= e);
        strengths + self.modes.transpose() * rest
    }

    /// How many Gaussian numbers [`Self::perturb`] takes.
    pub(super) fn numbers(&self, edges: &[Edge]) -> usize {
        self.count() + 3 * (edges.len() + self.nodes.len())
    }
}

impl Costs {
    /// `L` times a vector, in its place.
    fn times(&self, edges: &[Edge], of: ColMut<'_, f64>) {
        let of: &mut [f64] = of.try_as_col_major_mut().expect("columns are contiguous, else a bug").as_slice_mut();
        let before = of.to_vec();
        for (k, cost) in self.nodes.iter().enumerate() {
            of[3 * k..3 * k + 3].iter_mut().for_each(|x| *x *= cost);
        }
        for (edge, cost) in edges.iter().zip(&self.edges) {
            let [a, b] = edge.rows;
            for i in 0..3 {
                let pull = cost * (before[b + i] - before[a + i]);
                of[b + i] += pull;
                of[a + i] -= pull;
            }
        }
    }
}

/// The strengths' equations with one round's costs.
pub(super) struct Equations {
    /// `L d`.
    pull: Col<f64>,
    /// `XᵀL d`.
    pull_on_strengths: Col<f64>,
    /// `L X`.
    coupling: Mat<f64>,
    /// `(A + L)⁻¹ L X`.
    reply: Mat<f64>,
    /// Inverse of the strengths' own equations.
    inverse: Mat<f64>,
}

impl Equations {
    /// Increment and strengths for the right-hand side `b` of the sightings.
    fn solve(&self, factor: &Llt<usize, f64>, right: &Col<f64>) -> (Col<f64>, Col<f64>) {
        let alone = factor.solve(right - &self.pull);
        let strengths = &self.inverse * (&self.pull_on_strengths + self.coupling.transpose() * &alone);
        (alone + &self.reply * &strengths, strengths)
    }

    /// Completes draws that were solved without the coupling; `strengths` are their perturbations, one column each.
    pub(super) fn complete(&self, alone: MatRef<'_, f64>, strengths: &[Col<f64>]) -> Mat<f64> {
        let strengths = Mat::from_fn(self.inverse.nrows(), strengths.len(), |r, c| strengths[c][r]);
        let drawn = &self.inverse * (strengths + self.coupling.transpose() * alone);
        alone + &self.reply * drawn
    }
}

#[cfg(test)]
mod tests;
