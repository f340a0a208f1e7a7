//! The normal equations of the lift: their pattern is found once, their numbers are renewed in every round.
//!
//! Nodes come in blocks of three unknowns, so the pattern is that of the nodes: each node with itself, with its
//! neighbours, and the nodes of one sighting with each other. A fill-reducing order of the unknowns costs as much as a
//! factorisation and depends on the pattern alone.

use faer::prelude::{ReborrowMut, Solve};
use faer::sparse::linalg::solvers::{Llt, SymbolicLlt};
use faer::sparse::{SparseColMatRef, SymbolicSparseColMat};
use faer::{MatMut, Side};
use nalgebra::{Matrix3, Matrix3x2, Vector2, Vector3};
use rayon::prelude::*;

use super::by_study::{Costs, Equations, Modal};
use super::shape::Expected;
use super::{DRAWS, LiftError, LiftPrior, Noise, Numbering, Sighting};

/// Right-hand sides that one task works on.
const COLUMNS_A_TASK: usize = 6;

/// Does the same to all columns, several of them at once.
pub(super) fn for_columns(columns: MatMut<'_, f64>, work: &(impl Fn(MatMut<'_, f64>) + Sync)) {
    let count = columns.ncols();
    if count <= COLUMNS_A_TASK {
        return work(columns);
    }
    let (left, right) = columns.split_at_col_mut(count.div_ceil(2 * COLUMNS_A_TASK) * COLUMNS_A_TASK);
    rayon::join(|| for_columns(left, work), || for_columns(right, work));
}

/// Where the 3 × 3 block of two nodes lies in the column-major values: the lower triangle of the matrix is stored,
/// so the second and third column of a node are one and two entries shorter.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// Place of entry (0, 0), or where it would be.
    first: usize,
    /// Entries of the node's first column; 0 marks a block that is not stored.
    height: usize,
}

impl Slot {
    /// Place of entry (`i`, `j`).
    fn at(self, i: usize, j: usize) -> usize {
        self.first + i + j * self.height - [0, 1, 3][j]
    }
}

/// A sighting as the equations see it, before its robust weight.
struct Term {
    /// Unknown of each node; `None` off the skin.
    rows: [Option<usize>; 3],
    weights: [f64; 3],
    /// Blocks of the pairs of nodes, row by row.
    slots: [[Slot; 3]; 3],
    block: Matrix3<f64>,
    pull: Vector3<f64>,
}

/// An edge as the equations see it.
pub(super) struct Edge {
    /// Which of the prior's edges.
    pub(super) index: usize,
    /// Unknown of each node.
    pub(super) rows: [usize; 2],
    /// Blocks of the first node, of the second, and of both.
    slots: [Slot; 3],
    /// Difference of the deviations before, mm.
    before: Vector3<f64>,
}

/// The equations of one lift.
pub(super) struct Normal {
    pattern: SymbolicSparseColMat<usize>,
    order: SymbolicLlt<usize>,
    terms: Vec<Term>,
    pub(super) edges: Vec<Edge>,
    /// Block of each node with itself.
    own: Vec<Slot>,
    /// What the anchors add to the matrix.
    anchor_values: Vec<f64>,
    /// Inverse variance of the difference of neighbours' increments, 1/mm².
    membrane: f64,
    unknowns: usize,
}

/// The pattern of nodes: the nodes below each node's diagonal, itself first.
struct Blocks {
    rows: Vec<u32>,
    starts: Vec<usize>,
}

impl Blocks {
    fn new(numbering: &Numbering, sightings: &[Sighting], edges: &[[u32; 2]]) -> Self {
        let node = |n: u32| numbering.row_of[n as usize];
        let key = |a: u32, b: u32| u64::from(a.min(b)) << 32 | u64::from(a.max(b));
        let mut keys: Vec<u64> = (0..numbering.count as u32).map(|n| key(n, n)).collect();
        keys.extend(edges.iter().filter_map(|[a, b]| Some(key(node(*a)?, node(*b)?))));
        for s in sightings {
            let [a, b, c] = s.nodes.map(node);
            keys.extend([(a, b), (b, c), (c, a)].into_iter().filter_map(|(a, b)| Some(key(a?, b?))));
        }
        keys.sort_unstable();
        keys.dedup();
        let mut starts = vec![0; numbering.count + 1];
        for k in &keys {
            starts[(k >> 32) as usize + 1] += 1;
        }
        for n in 0..numbering.count {
            starts[n + 1] += starts[n];
        }
        Self { rows: keys.iter().map(|k| *k as u32).collect(), starts }
    }

    fn height(&self, node: usize) -> usize {
        3 * (self.starts[node + 1] - self.starts[node])
    }

    /// Place of a node's first value: nine a block, less the three above the diagonal of each node before.
    fn first_value(&self, node: usize) -> usize {
        9 * self.starts[node] - 3 * node
    }

    /// The block of unknowns `a` and `b` (multiples of 3); not stored above the diagonal.
    fn slot(&self, a: usize, b: usize) -> Slot {
        let (row, column) = (a / 3, b / 3);
        if row < column {
            return Slot::default();
        }
        let below = &self.rows[self.starts[column]..self.starts[column + 1]];
        let k = below.binary_search(&(row as u32)).expect("the pattern holds every pair of a term, else a bug");
        Slot { first: self.first_value(column) + 3 * k, height: self.height(column) }
    }

    fn pattern(&self) -> SymbolicSparseColMat<usize> {
        let nodes = self.starts.len() - 1;
        let mut starts = Vec::with_capacity(3 * nodes + 1);
        let mut rows = Vec::with_capacity(self.first_value(nodes));
        for node in 0..nodes {
            for j in 0..3 {
                starts.push(rows.len());
                let below = self.rows[self.starts[node]..self.starts[node + 1]].iter();
                rows.extend(below.flat_map(|r| (0..3).map(move |i| 3 * *r as usize + i)).skip(j));
            }
        }
        starts.push(rows.len());
        SymbolicSparseColMat::new_checked(3 * nodes, 3 * nodes, starts, None, rows)
    }
}

impl Normal {
    /// Finds pattern and order, and the prior's part.
    pub(super) fn new(numbering: &Numbering, sightings: &[Sighting], prior: &LiftPrior<'_>) -> Result<Self, LiftError> {
        let unknowns = 3 * numbering.count;
        let blocks = Blocks::new(numbering, sightings, prior.edges);
        let pattern = blocks.pattern();
        let order = SymbolicLlt::try_new(pattern.as_ref(), Side::Lower).map_err(|_| LiftError { unknowns })?;
        let terms = sightings.par_iter().map(|s| Term::new(numbering, &blocks, s)).collect();
        let edges =
            prior.edges.iter().enumerate().filter_map(|(i, _)| Edge::new(numbering, &blocks, prior, i)).collect();
        let own = (0..numbering.count).map(|k| blocks.slot(3 * k, 3 * k)).collect();
        let mut anchor_values = vec![0.0; blocks.first_value(numbering.count)];
        for (node, anchor) in prior.anchor_mm.iter().enumerate() {
            if let Some(r) = numbering.row(node as u32) {
                let slot = blocks.slot(r, r);
                (0..3).for_each(|i| anchor_values[slot.at(i, i)] += anchor.powi(-2));
            }
        }
        Ok(Self { pattern, order, terms, edges, own, anchor_values, membrane: prior.membrane_mm.powi(-2), unknowns })
    }

    /// Factor and right-hand side with the robust weights of a round, what it expects of the edges and, where there is a
    /// study, what its rest costs: the factor is with it, the right-hand side without.
    pub(super) fn factor(
        &self,
        weights: &[f64],
        expected: &[Expected],
        costs: Option<&Costs>,
    ) -> Result<(Llt<usize, f64>, faer::Col<f64>), LiftError> {
        let (mut values, mut right) = (self.anchor_values.clone(), vec![0.0; self.unknowns]);
        for edge in &self.edges {
            edge.add(self.membrane, &expected[edge.index], &mut values, &mut right);
        }
        for (term, weight) in self.terms.iter().zip(weights) {
            term.add(*weight, &mut values, &mut right);
        }
        if let Some(costs) = costs {
            for (edge, cost) in self.edges.iter().zip(&costs.edges) {
                edge.stiffen(*cost, &mut values);
            }
            for (slot, cost) in self.own.iter().zip(&costs.nodes) {
                (0..3).for_each(|i| values[slot.at(i, i)] += cost);
            }
        }
        let matrix = SparseColMatRef::new(self.pattern.as_ref(), &values);
        let factor = Llt::try_new_with_symbolic(self.order.clone(), matrix, Side::Lower)
            .map_err(|_| LiftError { unknowns: self.unknowns })?;
        Ok((factor, faer::Col::from_fn(self.unknowns, |r| right[r])))
    }

    /// Draws from the posterior, one a column: solutions for right-hand sides in which every term of the objective is
    /// perturbed by its own noise (Papandreou and Yuille, NIPS 2010).
    #[expect(clippy::too_many_arguments, reason = "the parts of one objective, used by two lifts")]
    pub(super) fn draws(
        &self,
        factor: &Llt<usize, f64>,
        numbering: &Numbering,
        sightings: &[Sighting],
        weights: &[f64],
        prior: &LiftPrior<'_>,
        expected: &[Expected],
        study: Option<(&Modal<'_>, &Costs, &Equations)>,
    ) -> faer::Mat<f64> {
        let roots: Vec<Option<Matrix3x2<f64>>> = sightings
            .iter()
            .zip(weights)
            .map(|(s, w)| Some(s.pixel_per_world.transpose() * (s.information * *w).cholesky()?.l()))
            .collect();
        let root = |e: &Expected| (self.membrane + e.information).sqrt();
        let edges: Vec<([usize; 2], f64, Option<Vector3<f64>>)> = self
            .edges
            .iter()
            .map(|e| (e.rows, &expected[e.index]))
            .map(|(rows, expected)| (rows, root(expected), expected.along))
            .collect();
        let anchors: Vec<(usize, f64)> = prior
            .anchor_mm
            .iter()
            .enumerate()
            .filter_map(|(node, anchor)| Some((numbering.row(node as u32)?, *anchor)))
            .collect();
        let numbers = 3 * (anchors.len() + edges.len())
            + 2 * roots.iter().flatten().count()
            + study.map_or(0, |(modal, ..)| modal.numbers(&self.edges));
        let mut right = vec![0.0; self.unknowns * DRAWS];
        let draw = |(column, right): (usize, &mut [f64])| {
            let mut noise = Noise::after(column * numbers);
            for (r, anchor) in &anchors {
                (0..3).for_each(|i| right[r + i] += noise.gauss() / anchor);
            }
            for ([a, b], root, along) in &edges {
                let e = match along {
                    // What the membrane says beside it is nothing there.
                    Some(along) => along * (noise.gauss() * root),
                    None => Vector3::from_fn(|_, _| noise.gauss() * root),
                };
                for i in 0..3 {
                    right[a + i] += e[i];
                    right[b + i] -= e[i];
                }
            }
            for (term, root) in self.terms.iter().zip(&roots) {
                let Some(root) = root else { continue };
                let e = root * Vector2::new(noise.gauss(), noise.gauss());
                for (r, w) in term.rows.iter().zip(term.weights) {
                    let Some(r) = r else { continue };
                    (0..3).for_each(|i| right[r + i] += w * e[i]);
                }
            }
            study.map(|(modal, costs, _)| modal.perturb(&self.edges, costs, &mut noise, right))
        };
        let strengths: Vec<Option<faer::Col<f64>>> =
            right.par_chunks_mut(self.unknowns.max(1)).enumerate().map(draw).collect();
        let mut draws = MatMut::from_column_major_slice_mut(&mut right, self.unknowns, DRAWS);
        for_columns(draws.rb_mut(), &|part| factor.solve_in_place(part));
        match study {
            Some((.., equations)) => {
                let strengths: Vec<faer::Col<f64>> = strengths.into_iter().flatten().collect();
                equations.complete(draws.as_ref(), &strengths)
            }
            None => draws.to_owned(),
        }
    }
}

impl Edge {
    fn new(numbering: &Numbering, blocks: &Blocks, prior: &LiftPrior<'_>, index: usize) -> Option<Self> {
        let [node_a, node_b] = prior.edges[index];
        let (a, b) = (numbering.row(node_a)?, numbering.row(node_b)?);
        let slots = [blocks.slot(a, a), blocks.slot(b, b), blocks.slot(a.max(b), a.min(b))];
        let before = prior.before_mm[node_b as usize] - prior.before_mm[node_a as usize];
        Some(Self { index, rows: [a, b], slots, before })
    }

    fn add(&self, membrane: f64, expected: &Expected, values: &mut [f64], right: &mut [f64]) {
        let weight = expected.weight();
        let pull = weight * (self.before - expected.difference_mm);
        let [a, b] = self.rows;
        for i in 0..3 {
            right[a + i] += pull[i];
            right[b + i] -= pull[i];
        }
        let [aa, bb, ab] = self.slots;
        let block = weight + Matrix3::identity() * membrane;
        for j in 0..3 {
            (0..3).for_each(|i| values[ab.at(i, j)] -= block[(i, j)]);
            for i in j..3 {
                values[aa.at(i, j)] += block[(i, j)];
                values[bb.at(i, j)] += block[(i, j)];
            }
        }
    }

    fn stiffen(&self, stiffness: f64, values: &mut [f64]) {
        let [aa, bb, ab] = self.slots;
        for i in 0..3 {
            values[aa.at(i, i)] += stiffness;
            values[bb.at(i, i)] += stiffness;
            values[ab.at(i, i)] -= stiffness;
        }
    }
}

impl Term {
    fn new(numbering: &Numbering, blocks: &Blocks, s: &Sighting) -> Self {
        let rows = s.nodes.map(|n| numbering.row(n));
        let slot = |a: Option<usize>, b: Option<usize>| match (a, b) {
            (Some(a), Some(b)) => blocks.slot(a, b),
            _ => Slot::default(),
        };
        let projected = s.pixel_per_world.transpose() * s.information;
        Self {
            rows,
            weights: s.weights.map(f64::from),
            slots: rows.map(|a| rows.map(|b| slot(a, b))),
            block: projected * s.pixel_per_world,
            pull: projected * s.residual_px,
        }
    }

    fn add(&self, weight: f64, values: &mut [f64], right: &mut [f64]) {
        for (p, wa) in self.weights.iter().enumerate() {
            let Some(a) = self.rows[p] else { continue };
            (0..3).for_each(|i| right[a + i] += weight * wa * self.pull[i]);
            for (q, wb) in self.weights.iter().enumerate() {
                let slot = self.slots[p][q];
                if slot.height == 0 {
                    continue;
                }
                let scale = weight * wa * wb;
                let diagonal = self.rows[q] == Some(a);
                for j in 0..3 {
                    for i in (if diagonal { j } else { 0 })..3 {
                        values[slot.at(i, j)] += scale * self.block[(i, j)];
                    }
                }
            }
        }
    }
}
