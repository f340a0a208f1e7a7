//! Where the unknowns of the deviation are: at every node or, on a fine mesh, at control nodes.
//!
//! A film does not resolve as many nodes as a fine mesh has, and the lift's factorisation grows faster than their
//! number. On a fine mesh control nodes are spread over the skin ([`cluster`]), nearly evenly on what the cameras see
//! in frame 0 and [`UNSEEN`] times as far apart elsewhere. Tracking and lift know nothing but them; every other node
//! takes the deviation of up to three control nodes around it ([`weights`]), all of its own connected piece of skin.
//!
//! The prior stays what it is on a mesh as coarse as the control nodes: on a surface the sum of squared differences
//! over the edges does not depend on their length, and the reach of the anchor is counted in edges.

mod cluster;
mod weights;

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use self::cluster::{Clusters, SkinGraph};
use self::weights::Surroundings;
use super::lift::Sighting;
use crate::geom::{Skin, node_neighbours};

/// A skin of no more nodes has an unknown at each of them.
const MOST_NODES: usize = 6000;
/// So many control nodes are aimed at.
const AIMED_AT: usize = 5000;
/// How much farther apart control nodes are where no camera sees the skin at first.
const UNSEEN: f64 = 4.0;
/// Sigma of nodes that lie inside solids, where nothing is told of them, mm.
const INSIDE_MM: f64 = 30.0;

/// The up to three control nodes that a place of the skin follows, heaviest first; the weights sum to 1, and those
/// that are not needed are 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share {
    controls: [u32; 3],
    weights: [f32; 3],
}

impl Share {
    /// Follows one control node alone.
    fn of_one(control: u32) -> Self {
        Self { controls: [control; 3], weights: [1.0, 0.0, 0.0] }
    }

    /// The interpolated value; a constant field comes back to the last bit.
    fn vector(&self, values: &[Vector3<f64>]) -> Vector3<f64> {
        let [a, b, c] = self.controls.map(|k| values[k as usize]);
        a + (b - a) * f64::from(self.weights[1]) + (c - a) * f64::from(self.weights[2])
    }

    /// The mean of the controls' covariances: never less than that of the mean of their values. It grows where the
    /// place lies outside of its controls.
    fn covariance(&self, values: &[Matrix3<f64>]) -> Matrix3<f64> {
        self.controls.iter().zip(self.weights).map(|(k, w)| values[*k as usize] * f64::from(w.abs())).sum()
    }
}

/// The unknowns of a skin.
#[derive(Debug)]
pub(super) struct Controls {
    /// One entry an unknown: true where it takes part in the lift.
    pub(super) on_skin: Vec<bool>,
    /// Neighbouring unknowns.
    pub(super) edges: Vec<[u32; 2]>,
    coarse: Option<Coarse>,
}

/// What a fine mesh needs beside.
#[derive(Debug)]
struct Coarse {
    /// The node of each control node.
    nodes: Vec<u32>,
    /// One entry a node; `None` off the skin.
    shares: Vec<Option<Share>>,
    surroundings: Surroundings,
}

impl Controls {
    /// One unknown a node, or control nodes where the skin has more than [`MOST_NODES`].
    ///
    /// `rest_mm` is where the nodes are at first; `seen` says which of them a camera sees then.
    pub(super) fn new(skin: &Skin, rest_mm: &[[f32; 3]], seen: impl FnOnce() -> Vec<bool>) -> Self {
        let on_skin = skin.is_on_skin(rest_mm.len());
        if on_skin.iter().filter(|on| **on).count() <= MOST_NODES {
            return Self { on_skin, edges: node_neighbours(skin), coarse: None };
        }
        Self::coarse(skin, &on_skin, rest_mm, &seen(), AIMED_AT)
    }

    fn coarse(skin: &Skin, on_skin: &[bool], rest_mm: &[[f32; 3]], seen: &[bool], aimed_at: usize) -> Self {
        let graph = SkinGraph::new(skin, rest_mm);
        let scale: Vec<f64> = seen.iter().map(|seen| if *seen { 1.0 } else { UNSEEN }).collect();
        let clusters = Clusters::new(&graph, skin, on_skin, rest_mm, &scale, aimed_at);
        let edges = clusters.edges(&graph);
        let surroundings = Surroundings::new(clusters, &edges, rest_mm);
        let shares = (0..on_skin.len() as u32)
            .into_par_iter()
            .map(|n| surroundings.share(n, Vector3::from(rest_mm[n as usize].map(f64::from))))
            .collect();
        let nodes = surroundings.nodes().to_vec();
        Self { on_skin: vec![true; nodes.len()], edges, coarse: Some(Coarse { nodes, shares, surroundings }) }
    }

    /// How many unknowns there are.
    pub(super) fn count(&self) -> usize {
        self.on_skin.len()
    }

    /// How many nodes there are.
    pub(super) fn node_count(&self) -> usize {
        self.coarse.as_ref().map_or(self.on_skin.len(), |c| c.shares.len())
    }

    /// Values of the nodes at which the unknowns are.
    pub(super) fn places(&self, of_nodes: &[[f32; 3]]) -> Vec<[f32; 3]> {
        match &self.coarse {
            None => of_nodes.to_vec(),
            Some(coarse) => coarse.nodes.iter().map(|n| of_nodes[*n as usize]).collect(),
        }
    }

    /// The unknown that says most about a node; `None` where none does.
    pub(super) fn nearest(&self, node: usize) -> Option<usize> {
        match &self.coarse {
            None => Some(node),
            Some(coarse) => coarse.shares[node].map(|s| s.controls[0] as usize),
        }
    }

    /// A field at a node; zero off the skin.
    pub(super) fn vector_at(&self, node: usize, field: &[Vector3<f64>]) -> Vector3<f64> {
        match &self.coarse {
            None => field[node],
            Some(coarse) => coarse.shares[node].map_or_else(Vector3::zeros, |s| s.vector(field)),
        }
    }

    /// A field's covariance at a node.
    pub(super) fn covariance_at(&self, node: usize, field: &[Matrix3<f64>]) -> Matrix3<f64> {
        match &self.coarse {
            None => field[node],
            Some(coarse) => {
                coarse.shares[node].map_or_else(|| Matrix3::identity() * INSIDE_MM.powi(2), |s| s.covariance(field))
            }
        }
    }

    /// Simulation plus deviation, mm.
    pub(super) fn deviated(&self, simulated_mm: &[[f32; 3]], deviation: &[Vector3<f64>]) -> Vec<[f32; 3]> {
        let moved = |(node, x): (usize, &[f32; 3])| {
            let d = self.vector_at(node, deviation);
            [x[0] + d.x as f32, x[1] + d.y as f32, x[2] + d.z as f32]
        };
        simulated_mm.par_iter().enumerate().map(moved).collect()
    }

    /// Tells a sighting of nodes as one of unknowns. `rest_mm` are the places of [`Self::new`].
    pub(super) fn tell(&self, sighting: &mut Sighting, rest_mm: &[[f32; 3]]) {
        let Some(coarse) = &self.coarse else { return };
        let at = |i: usize| Vector3::from(rest_mm[sighting.nodes[i] as usize].map(f64::from));
        let weight = |i: usize| f64::from(sighting.weights[i]);
        let heaviest = if weight(1) > weight(0) { 1 } else { 0 };
        let heaviest = if weight(2) > weight(heaviest) { 2 } else { heaviest };
        let place = at(0) * weight(0) + at(1) * weight(1) + at(2) * weight(2);
        // A node inside a solid cannot be sighted; were it told of, control 0 with no weight keeps it out of the lift.
        let share = coarse
            .surroundings
            .share(sighting.nodes[heaviest], place)
            .unwrap_or(Share { controls: [0; 3], weights: [0.0; 3] });
        (sighting.nodes, sighting.weights) = (share.controls, share.weights);
    }

    /// Tells contacts, one a node, as those of unknowns. Neighbours err together: all of one unknown may claim no
    /// more precision than one of them.
    pub(super) fn tell_contacts(&self, contacts: &[Sighting], rest_mm: &[[f32; 3]]) -> Vec<Sighting> {
        let mut told = contacts.to_vec();
        if self.coarse.is_none() {
            return told;
        }
        let mut count = vec![0.0; self.count()];
        for contact in &mut told {
            self.tell(contact, rest_mm);
            count[contact.nodes[0] as usize] += 1.0;
        }
        for contact in &mut told {
            contact.information /= count[contact.nodes[0] as usize];
        }
        told
    }
}

#[cfg(test)]
mod tests;
