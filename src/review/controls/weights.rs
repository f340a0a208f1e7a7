//! How a place between control nodes follows them: linearly over the triangle of three of them in which it lies.
//!
//! Around each control node the skin is laid flat: a place keeps its distance from the control node and its direction
//! in the plane that fits the nodes around. Of the control node and its neighbours along the skin, the triangle is that
//! of the Delaunay triangulation: of all that hold the place, the one with the least mean squared distance.

use nalgebra::{Matrix3, SymmetricEigen, Vector2, Vector3};

use super::Share;
use super::cluster::{Clusters, NOBODY};

/// More neighbours are not looked at; the nearest ones count.
const MOST_NEIGHBOURS: usize = 9;
/// A triangle whose height is a smaller share of its longest side says nothing across it.
const SLIVER: f64 = 0.05;
/// A place so little outside of a triangle (in barycentric weight) still follows it linearly.
const OUTSIDE: f64 = 0.35;

/// The flat surroundings of each control node.
#[derive(Debug)]
pub(super) struct Surroundings {
    clusters: Clusters,
    flat: Vec<Flat>,
}

/// The skin around one control node, laid flat; the control node is the origin.
#[derive(Debug)]
struct Flat {
    origin: Vector3<f64>,
    axes: [Vector3<f64>; 2],
    /// The control node itself, then its neighbours.
    near: Vec<(u32, Vector2<f64>)>,
}

impl Flat {
    fn place(&self, at: Vector3<f64>) -> Vector2<f64> {
        let offset = at - self.origin;
        let flat = Vector2::new(self.axes[0].dot(&offset), self.axes[1].dot(&offset));
        let length = flat.norm();
        if length < 1e-9 { flat } else { flat * (offset.norm() / length) }
    }
}

impl Surroundings {
    /// `edges` are the neighbouring control nodes, `rest_mm` the places of all nodes.
    pub(super) fn new(clusters: Clusters, edges: &[[u32; 2]], rest_mm: &[[f32; 3]]) -> Self {
        let at = |n: u32| Vector3::from(rest_mm[n as usize].map(f64::from));
        let origins: Vec<Vector3<f64>> = clusters.nodes.iter().map(|n| at(*n)).collect();
        let mut neighbours: Vec<Vec<u32>> = vec![Vec::new(); origins.len()];
        let mut spread = vec![Matrix3::zeros(); origins.len()];
        for [a, b] in edges {
            neighbours[*a as usize].push(*b);
            neighbours[*b as usize].push(*a);
            let offset = origins[*b as usize] - origins[*a as usize];
            spread[*a as usize] += offset * offset.transpose();
            spread[*b as usize] += offset * offset.transpose();
        }
        for (n, owner) in clusters.owner.iter().enumerate().filter(|(_, owner)| **owner != NOBODY) {
            let offset = at(n as u32) - origins[*owner as usize];
            spread[*owner as usize] += offset * offset.transpose();
        }
        let flat = (0..origins.len()).map(|k| lay_flat(k as u32, &origins, &neighbours[k], spread[k])).collect();
        Self { clusters, flat }
    }

    /// The node of each control node.
    pub(super) fn nodes(&self) -> &[u32] {
        &self.clusters.nodes
    }

    /// What the place `at` on the skin beside `node` follows; `None` when the node is not on the skin.
    pub(super) fn share(&self, node: u32, at: Vector3<f64>) -> Option<Share> {
        let owner = self.clusters.owner[node as usize];
        if owner == NOBODY {
            return None;
        }
        let flat = &self.flat[owner as usize];
        let place = flat.place(at);
        let share = in_triangle(&flat.near, place).or_else(|| on_segment(&flat.near, place));
        Some(share.unwrap_or_else(|| Share::of_one(owner)))
    }
}

fn lay_flat(control: u32, origins: &[Vector3<f64>], neighbours: &[u32], spread: Matrix3<f64>) -> Flat {
    let origin = origins[control as usize];
    let fit = SymmetricEigen::new(spread);
    let mut by_spread = [0, 1, 2];
    by_spread.sort_by(|a, b| fit.eigenvalues[*b].total_cmp(&fit.eigenvalues[*a]));
    let axes = [0, 1].map(|i| fit.eigenvectors.column(by_spread[i]).into_owned());
    let mut flat = Flat { origin, axes, near: Vec::new() };
    let mut near: Vec<(u32, Vector2<f64>)> =
        neighbours.iter().map(|k| (*k, flat.place(origins[*k as usize]))).collect();
    near.sort_by(|a, b| a.1.norm().total_cmp(&b.1.norm()).then(a.0.cmp(&b.0)));
    near.truncate(MOST_NEIGHBOURS);
    flat.near = vec![(control, Vector2::zeros())];
    flat.near.extend(near);
    flat
}

/// Linear weights in the best triangle; `None` when the place is too far outside of all.
fn in_triangle(near: &[(u32, Vector2<f64>)], place: Vector2<f64>) -> Option<Share> {
    // Inside comes before outside; inside the least mean squared distance wins, outside the least way out.
    let mut least = (true, f64::INFINITY);
    let mut best: Option<([usize; 3], [f64; 3])> = None;
    for i in 0..near.len() {
        for j in i + 1..near.len() {
            for k in j + 1..near.len() {
                let Some(weights) = barycentric([i, j, k].map(|n| near[n].1), place) else { continue };
                let out = weights.iter().fold(0.0, |out: f64, w| out.max(-w));
                let is_outside = out > 1e-9;
                let cost = if is_outside {
                    out
                } else {
                    [i, j, k].iter().zip(weights).map(|(n, w)| w * (near[*n].1 - place).norm_squared()).sum()
                };
                if (is_outside, cost) < least && out <= OUTSIDE {
                    least = (is_outside, cost);
                    best = Some(([i, j, k], weights));
                }
            }
        }
    }
    best.map(|(nodes, weights)| share_of(nodes.map(|n| near[n].0), weights))
}

fn barycentric([a, b, c]: [Vector2<f64>; 3], p: Vector2<f64>) -> Option<[f64; 3]> {
    let (u, v, w) = (b - a, c - a, p - a);
    let area = u.perp(&v);
    let longest = u.norm_squared().max(v.norm_squared()).max((c - b).norm_squared());
    if area.is_nan() || area.abs() <= SLIVER * longest {
        return None;
    }
    let (s, t) = (w.perp(&v) / area, u.perp(&w) / area);
    Some([1.0 - s - t, s, t])
}

/// The nearest point of the segments from the control node to its neighbours.
fn on_segment(near: &[(u32, Vector2<f64>)], place: Vector2<f64>) -> Option<Share> {
    let (own, others) = near.split_first()?;
    let mut best: Option<(f64, u32, f64)> = None;
    for (control, end) in others {
        let along = (end.dot(&place) / end.norm_squared().max(1e-12)).clamp(0.0, 1.0);
        let left = (place - end * along).norm();
        if best.is_none_or(|(least, ..)| left < least) {
            best = Some((left, *control, along));
        }
    }
    best.map(|(_, control, along)| share_of([own.0, control, own.0], [1.0 - along, along, 0.0]))
}

fn share_of(controls: [u32; 3], weights: [f64; 3]) -> Share {
    let mut order = [0, 1, 2];
    order.sort_by(|a, b| weights[*b].total_cmp(&weights[*a]));
    Share { controls: order.map(|i| controls[i]), weights: order.map(|i| weights[i] as f32) }
}
