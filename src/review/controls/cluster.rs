//! Control nodes spread over the skin, and the nodes that are nearest to each.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::geom::Skin;

/// "Belongs to no control node": off the skin.
pub(super) const NOBODY: u32 = u32::MAX;

/// The edges of the skin as lists by node.
#[derive(Debug)]
pub(super) struct SkinGraph {
    starts: Vec<usize>,
    /// Neighbour and distance in mm.
    near: Vec<(u32, f32)>,
    /// Nodes of edges that only one triangle has.
    at_border: Vec<bool>,
}

impl SkinGraph {
    pub(super) fn new(skin: &Skin, rest_mm: &[[f32; 3]]) -> Self {
        let mut keys: Vec<u64> = skin
            .triangles
            .iter()
            .flat_map(|[a, b, c]| [[*a, *b], [*b, *c], [*c, *a]])
            .filter(|[a, b]| a != b)
            .map(|[a, b]| u64::from(a.min(b)) << 32 | u64::from(a.max(b)))
            .collect();
        keys.sort_unstable();
        let mut at_border = vec![false; rest_mm.len()];
        let mut starts = vec![0; rest_mm.len() + 1];
        for run in keys.chunk_by(|a, b| a == b) {
            for n in ends(run[0]) {
                at_border[n as usize] |= run.len() == 1;
                starts[n as usize + 1] += 1;
            }
        }
        keys.dedup();
        for n in 0..rest_mm.len() {
            starts[n + 1] += starts[n];
        }
        let (mut at, mut near) = (starts.clone(), vec![(0, 0.0); 2 * keys.len()]);
        for key in keys {
            let [a, b] = ends(key);
            let (p, q) = (rest_mm[a as usize], rest_mm[b as usize]);
            let length = (0..3).map(|i| (p[i] - q[i]).powi(2)).sum::<f32>().sqrt();
            for (from, to) in [(a, b), (b, a)] {
                near[at[from as usize]] = (to, length);
                at[from as usize] += 1;
            }
        }
        Self { starts, near, at_border }
    }

    fn neighbours(&self, node: usize) -> &[(u32, f32)] {
        &self.near[self.starts[node]..self.starts[node + 1]]
    }
}

fn ends(key: u64) -> [u32; 2] {
    [(key >> 32) as u32, key as u32]
}

/// Each node of the skin with its nearest control node.
#[derive(Debug)]
pub(super) struct Clusters {
    /// The node of each control node.
    pub(super) nodes: Vec<u32>,
    /// The control node of each node; [`NOBODY`] off the skin.
    pub(super) owner: Vec<u32>,
}

impl Clusters {
    /// Spreads about `aimed_at` control nodes, at least one on each connected piece. Distances along the edges count
    /// less where `scale` is larger.
    pub(super) fn new(
        graph: &SkinGraph,
        skin: &Skin,
        on_skin: &[bool],
        rest_mm: &[[f32; 3]],
        scale: &[f64],
        aimed_at: usize,
    ) -> Self {
        /// A greedy spread leaves so many discs of radius r on an area of r².
        const DENSITY: f64 = 0.75;
        /// Each further attempt spreads them so much wider.
        const WIDER: f64 = 1.15;
        /// Then there are as many pieces as that, and each keeps its one.
        const ATTEMPTS: usize = 12;
        let of_triangle = |t: &[u32; 3]| t.iter().map(|n| scale[*n as usize]).sum::<f64>() / 3.0;
        let areas = skin.areas_mm2(rest_mm);
        let area: f64 = skin.triangles.iter().zip(areas).map(|(t, a)| a / of_triangle(t).powi(2)).sum();
        let mut radius = (DENSITY * area / aimed_at as f64).sqrt().max(f64::from(f32::MIN_POSITIVE));
        for _ in 0..ATTEMPTS {
            if let Some(found) = Self::spread(graph, on_skin, scale, radius, aimed_at + aimed_at / 10) {
                return found;
            }
            radius *= WIDER;
        }
        Self::spread(graph, on_skin, scale, radius, usize::MAX).expect("any number is allowed, else a bug")
    }

    /// A node becomes a control node when none is nearer than `radius`: borders first, so that little lies outside of
    /// all control nodes, then by number. `None` when there would be more than `most`.
    fn spread(graph: &SkinGraph, on_skin: &[bool], scale: &[f64], radius: f64, most: usize) -> Option<Self> {
        let mut found = Self { nodes: Vec::new(), owner: vec![NOBODY; on_skin.len()] };
        let mut distance = vec![f64::INFINITY; on_skin.len()];
        let mut heap: BinaryHeap<Reverse<(u64, u32)>> = BinaryHeap::new();
        for border in [true, false] {
            for seed in (0..on_skin.len()).filter(|n| on_skin[*n] && graph.at_border[*n] == border) {
                if distance[seed] < radius {
                    continue;
                }
                if found.nodes.len() == most {
                    return None;
                }
                let control = found.nodes.len() as u32;
                found.nodes.push(seed as u32);
                (distance[seed], found.owner[seed]) = (0.0, control);
                heap.push(Reverse((0, seed as u32)));
                while let Some(Reverse((bits, n))) = heap.pop() {
                    // Distances are not negative, so their bits are in the same order.
                    let here = f64::from_bits(bits);
                    if here > distance[n as usize] {
                        continue;
                    }
                    for (m, length) in graph.neighbours(n as usize) {
                        let step = 2.0 * f64::from(*length) / (scale[n as usize] + scale[*m as usize]);
                        let there = here + step;
                        if there < radius && there < distance[*m as usize] {
                            (distance[*m as usize], found.owner[*m as usize]) = (there, control);
                            heap.push(Reverse((there.to_bits(), *m)));
                        }
                    }
                }
            }
        }
        Some(found)
    }

    /// Pairs of control nodes whose nodes touch, smaller first.
    pub(super) fn edges(&self, graph: &SkinGraph) -> Vec<[u32; 2]> {
        let mut edges: Vec<[u32; 2]> = Vec::new();
        for (n, own) in self.owner.iter().enumerate() {
            let others = graph.neighbours(n).iter().map(|(m, _)| self.owner[*m as usize]);
            edges.extend(others.filter(|other| own < other).map(|other| [*own, other]));
        }
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}
