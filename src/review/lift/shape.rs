//! Sheet metal turns and bends, but hardly stretches: what neighbours are to each other in the simulation they are in
//! the test, turned.
//!
//! Each node has a turn, the rotation that carries its edges from the simulation to where they are now (Sorkine and
//! Alexa, SGP 2007). An edge is expected as both its nodes turn it, and one that is far from that is a hinge or a
//! stretched place, which counts less and less. Both are renewed in every round of the lift.

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use super::LiftPrior;

/// What is expected of an edge, and how firmly.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// Deviation of the second node less that of the first, mm.
    pub(super) difference_mm: Vector3<f64>,
    /// Inverse variance, 1/mm².
    pub(super) information: f64,
    /// The only direction, unit length, in which anything is expected; `None` for all.
    pub(super) along: Option<Vector3<f64>>,
}

impl Expected {
    /// Of which nothing is expected.
    pub(super) const NOTHING: Self = Self { difference_mm: Vector3::new(0.0, 0.0, 0.0), information: 0.0, along: None };

    /// Of an edge that is `length_mm` long, with a variance in mm², whichever way it lies: `simulated` where the simulation
    /// has it, `found` how its nodes deviate from each other now.
    pub(super) fn of_length(simulated: Vector3<f64>, found: Vector3<f64>, length_mm: f64, variance_mm2: f64) -> Self {
        let Some(along) = (simulated + found).try_normalize(1e-9) else { return Self::NOTHING };
        let difference_mm = along * (length_mm - along.dot(&simulated));
        Self { difference_mm, information: 1.0 / variance_mm2, along: Some(along) }
    }

    /// Inverse covariance, 1/mm².
    pub(super) fn weight(&self) -> Matrix3<f64> {
        let directions = self.along.map_or_else(Matrix3::identity, |along| along * along.transpose());
        directions * self.information
    }

    /// The same expectation by someone who does not know how the edge is turned.
    pub(super) fn loosened(self, by_mm: f64) -> Self {
        Self { information: 1.0 / (1.0 / self.information + by_mm * by_mm), ..self }
    }
}

/// Share of a node's squared edge lengths that keeps it from turning: it decides where edges do not (a row of nodes
/// about its own line), and is nothing beside them elsewhere.
const STAYS: f64 = 1e-3;

/// An edge as its two nodes turn it, mm.
struct Turned {
    simulated: Vector3<f64>,
    /// Deviation of the second node less that of the first, by their turns …
    expected: Vector3<f64>,
    /// … and as it is now.
    found: Vector3<f64>,
}

/// What each edge of `prior` is expected to be when the nodes have moved by `increment`.
pub(super) fn expected_edges(prior: &LiftPrior<'_>, increment: &[Vector3<f64>]) -> Vec<Expected> {
    let expected = |edge: Turned| {
        let off_mm2 = (edge.found - edge.expected).norm_squared() / 3.0;
        edge.expectation(prior, off_mm2, None)
    };
    turned_edges(prior, increment).into_iter().map(expected).collect()
}

/// The same of their lengths alone: a sheet may fold elsewhere, but it does not stretch.
pub(super) fn expected_lengths(prior: &LiftPrior<'_>, increment: &[Vector3<f64>]) -> Vec<Expected> {
    let expected = |edge: Turned| {
        let Some(along) = (edge.simulated + edge.expected).try_normalize(1e-9) else { return Expected::NOTHING };
        let off_mm2 = (edge.found - edge.expected).dot(&along).powi(2);
        edge.expectation(prior, off_mm2, Some(along))
    };
    turned_edges(prior, increment).into_iter().map(expected).collect()
}

impl Turned {
    /// What is far from where it is expected counts less.
    fn expectation(&self, prior: &LiftPrior<'_>, off_mm2: f64, along: Option<Vector3<f64>>) -> Expected {
        let sigma_mm = prior.shape_mm.hypot(prior.shape_share * self.simulated.norm());
        Expected { difference_mm: self.expected, information: 1.0 / (sigma_mm * sigma_mm + off_mm2), along }
    }
}

fn turned_edges(prior: &LiftPrior<'_>, increment: &[Vector3<f64>]) -> Vec<Turned> {
    let whole = |n: u32| prior.before_mm[n as usize] + increment[n as usize];
    let simulated = |e: &[u32; 2]| prior.simulated_mm[e[1] as usize] - prior.simulated_mm[e[0] as usize];
    let difference = |e: &[u32; 2]| whole(e[1]) - whole(e[0]);
    let mut carried = vec![Matrix3::zeros(); increment.len()];
    for e in prior.edges {
        let here = simulated(e);
        let carries = (here + difference(e)) * here.transpose() + Matrix3::identity() * (STAYS * here.norm_squared());
        e.iter().for_each(|n| carried[*n as usize] += carries);
    }
    let turns: Vec<Matrix3<f64>> = carried.into_par_iter().map(nearest_rotation).collect();
    let turned = |e: &[u32; 2]| {
        let simulated = simulated(e);
        let turned = (turns[e[0] as usize] + turns[e[1] as usize]) * simulated * 0.5;
        Turned { simulated, expected: turned - simulated, found: difference(e) }
    };
    prior.edges.par_iter().map(turned).collect()
}

/// The rotation nearest to a matrix; none where the matrix is zero.
fn nearest_rotation(m: Matrix3<f64>) -> Matrix3<f64> {
    let svd = m.svd(true, true);
    let (Some(mut u), Some(v)) = (svd.u, svd.v_t) else { return Matrix3::identity() };
    if (u * v).determinant() < 0.0 {
        // The singular values come in falling order: the last direction is the least determined.
        u.column_mut(2).neg_mut();
    }
    u * v
}

#[cfg(test)]
mod tests {
    use nalgebra::Rotation3;

    use super::*;

    const SIDE: usize = 9;

    /// A plate of nodes 5 mm apart with the edges of its squares and one diagonal of each.
    fn plate() -> (Vec<Vector3<f64>>, Vec<[u32; 2]>) {
        let at = |i: usize, j: usize| (j * SIDE + i) as u32;
        let nodes = (0..SIDE * SIDE).map(|n| Vector3::new(5.0 * (n % SIDE) as f64, 5.0 * (n / SIDE) as f64, 0.0));
        let mut edges = Vec::new();
        for (i, j) in (0..SIDE * SIDE).map(|n| (n % SIDE, n / SIDE)) {
            edges.extend((i + 1 < SIDE).then(|| [at(i, j), at(i + 1, j)]));
            edges.extend((j + 1 < SIDE).then(|| [at(i, j), at(i, j + 1)]));
            edges.extend((i + 1 < SIDE && j + 1 < SIDE).then(|| [at(i, j), at(i + 1, j + 1)]));
        }
        (nodes.collect(), edges)
    }

    /// What is expected of the edges of a plate of which `moved` says where each node is.
    fn expected(moved: impl Fn(Vector3<f64>) -> Vector3<f64>) -> Vec<([u32; 2], Expected, Vector3<f64>)> {
        expected_by(expected_edges, moved)
    }

    fn expected_by(
        expects: fn(&LiftPrior<'_>, &[Vector3<f64>]) -> Vec<Expected>,
        moved: impl Fn(Vector3<f64>) -> Vector3<f64>,
    ) -> Vec<([u32; 2], Expected, Vector3<f64>)> {
        let (nodes, edges) = plate();
        let deviation: Vec<Vector3<f64>> = nodes.iter().map(|n| moved(*n) - n).collect();
        let prior = LiftPrior {
            edges: &edges,
            membrane_mm: 1.0,
            simulated_mm: &nodes,
            shape_mm: 0.1,
            shape_share: 0.0,
            doubt_mm: 0.0,
            before_mm: &vec![Vector3::zeros(); nodes.len()],
            anchor_mm: &vec![1.0; nodes.len()],
        };
        let found = expects(&prior, &deviation);
        let difference = |e: &[u32; 2]| deviation[e[1] as usize] - deviation[e[0] as usize];
        edges.iter().zip(found).map(|(e, f)| (*e, f, difference(e))).collect()
    }

    #[test]
    fn a_plate_that_turns_as_one_is_what_is_expected() {
        let turn = Rotation3::from_euler_angles(0.4, -0.9, 1.3);
        for (edge, expected, difference) in expected(|n| turn * n + Vector3::new(3.0, 0.0, -8.0)) {
            assert!((expected.difference_mm - difference).norm() < 0.02, "{edge:?}: {expected:?}, {difference}");
            assert!(expected.information > 90.0, "{edge:?}: {expected:?}");
        }
    }

    /// Bent by 60 degrees at the middle column.
    fn bent(n: Vector3<f64>) -> Vector3<f64> {
        let turn = Rotation3::from_axis_angle(&Vector3::y_axis(), 1.05);
        let pivot = Vector3::new(5.0 * (SIDE / 2) as f64, 0.0, 0.0);
        if n.x > pivot.x { pivot + turn * (n - pivot) } else { n }
    }

    #[test]
    fn a_bent_sheet_keeps_its_lengths_and_a_stretched_one_does_not() {
        for (edge, expected, _) in expected_by(expected_lengths, bent) {
            assert!(expected.information > 20.0, "{edge:?}: {expected:?}");
        }
        let stretched = expected_by(expected_lengths, |n| Vector3::new(1.2 * n.x, n.y, n.z));
        let lies_along_x = |e: &[u32; 2]| e[1] == e[0] + 1;
        for (edge, expected, _) in stretched.iter().filter(|(e, ..)| lies_along_x(e)) {
            assert!(expected.information < 1.1, "{edge:?}: {expected:?}");
            assert!(expected.along.is_some_and(|along| along.x > 0.99), "{edge:?}: {expected:?}");
        }
    }

    #[test]
    fn an_edge_is_as_long_as_it_is_told_to_be_whichever_way_it_lies() {
        let simulated = Vector3::new(5.0, 0.0, 0.0);
        let lies = Vector3::new(0.0, 3.0, 4.0);
        let expected = Expected::of_length(simulated, lies * 1.6 - simulated, 5.5, 0.04);
        let along = expected.along.expect("it has a direction");
        assert!((along - lies / 5.0).norm() < 1e-9, "{expected:?}");
        assert!((expected.information - 25.0).abs() < 1e-9);
        // Along itself it is expected where it would be 5.5 mm long; what it does across is its own affair.
        assert!(((simulated + expected.difference_mm).dot(&along) - 5.5).abs() < 1e-9, "{expected:?}");
        assert_eq!(expected.weight() * Vector3::x(), Vector3::zeros());
        assert_eq!(
            Expected::of_length(simulated, -simulated, 5.0, 0.04).information,
            0.0,
            "of a point nothing is told"
        );
    }

    #[test]
    fn a_hinge_counts_less_than_the_plates_beside_it() {
        let bent = expected(bent);
        let across = |e: &[u32; 2]| e.iter().any(|n| *n as usize % SIDE == SIDE / 2) && e[1] == e[0] + 1;
        let away = |e: &[u32; 2]| e.iter().all(|n| (*n as usize % SIDE).abs_diff(SIDE / 2) > 2);
        for (edge, expected, _) in &bent {
            assert!(!across(edge) || expected.information < 10.0, "{edge:?}: {expected:?}");
            assert!(!away(edge) || expected.information > 90.0, "{edge:?}: {expected:?}");
        }
    }
}
