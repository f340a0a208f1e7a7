//! A rectangular block: what a ram or a sled looks like to a camera.

use nalgebra::Vector3;

use super::camera::Camera;

/// A block in the world, mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    /// A point from which its sides are told.
    pub origin_mm: Vector3<f64>,
    /// Directions of its edges, unit length, at right angles.
    pub axes: [Vector3<f64>; 3],
    /// Where it begins along each axis, from the origin, mm.
    pub low_mm: [f64; 3],
    /// Where it ends.
    pub high_mm: [f64; 3],
}

impl Block {
    /// The same block elsewhere.
    #[must_use]
    pub fn moved(&self, by_mm: Vector3<f64>) -> Self {
        Self { origin_mm: self.origin_mm + by_mm, ..*self }
    }

    /// Its corners, mm.
    #[must_use]
    pub fn corners_mm(&self) -> [Vector3<f64>; 8] {
        std::array::from_fn(|corner| {
            let side = |axis: usize| if corner >> axis & 1 == 0 { self.low_mm[axis] } else { self.high_mm[axis] };
            self.origin_mm + self.axes[0] * side(0) + self.axes[1] * side(1) + self.axes[2] * side(2)
        })
    }

    /// The point of its surface that a ray from `eye`, mm, meets first; `None` beside it and from inside.
    #[must_use]
    pub fn met_by(&self, eye: Vector3<f64>, ray: Vector3<f64>) -> Option<Vector3<f64>> {
        let from = eye - self.origin_mm;
        let (mut enters, mut leaves) = (0.0f64, f64::INFINITY);
        for (axis, (low, high)) in self.axes.iter().zip(self.low_mm.iter().zip(self.high_mm)) {
            let (at, along) = (from.dot(axis), ray.dot(axis));
            if along.abs() < 1e-12 {
                if at < *low || at > high {
                    return None;
                }
                continue;
            }
            // One division, not two: the search for a ram asks this of millions of rays.
            let per_mm = along.recip();
            let (a, b) = ((low - at) * per_mm, (high - at) * per_mm);
            (enters, leaves) = (enters.max(a.min(b)), leaves.min(a.max(b)));
        }
        (enters > 0.0 && enters <= leaves).then(|| eye + ray * enters)
    }

    /// The edges of the faces that are turned to a camera, but for those around its far face along the last axis.
    #[must_use]
    pub fn edges_towards(&self, camera: &Camera) -> Vec<[Vector3<f64>; 2]> {
        let from = camera.centre_mm() - self.origin_mm;
        let side = |axis: usize, high: bool| if high { self.high_mm[axis] } else { self.low_mm[axis] };
        let is_turned = |axis: usize, high: bool| {
            let beyond = from.dot(&self.axes[axis]) - side(axis, high);
            if high { beyond > 0.0 } else { beyond < 0.0 }
        };
        let mut edges = Vec::new();
        for along in 0..3 {
            let (i, j) = ((along + 1) % 3, (along + 2) % 3);
            for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
                let is_far = (i == 2 && a) || (j == 2 && b);
                if !is_far && (is_turned(i, a) || is_turned(j, b)) {
                    let foot = self.origin_mm + self.axes[i] * side(i, a) + self.axes[j] * side(j, b);
                    edges.push([false, true].map(|high| foot + self.axes[along] * side(along, high)));
                }
            }
        }
        edges
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geom::test_camera::camera;

    fn seen_at(body: &Block, row: f64, column: f64) -> Option<Vector3<f64>> {
        let (eye, ray) = camera().pinhole_ray(row, column);
        body.met_by(eye, ray)
    }

    #[test]
    fn its_nearest_side_is_seen_and_nothing_beside_it() {
        let axes = [Vector3::x(), Vector3::y(), Vector3::z()];
        let block = Block { origin_mm: Vector3::zeros(), axes, low_mm: [-50.0; 3], high_mm: [50.0; 3] };
        let seen = seen_at(&block, 240.0, 320.0).expect("in the middle");
        assert!((seen - Vector3::new(0.0, 0.0, -50.0)).norm() < 1e-9, "{seen}");
        let edge_px = 50.0 / 950.0 * 800.0;
        assert!(seen_at(&block, 240.0, 320.0 + edge_px - 0.1).is_some());
        assert!(seen_at(&block, 240.0, 320.0 + edge_px + 0.1).is_none());
        assert!(seen_at(&block.moved(Vector3::new(0.0, 0.0, -1000.0)), 240.0, 320.0).is_none(), "from inside");
    }

    #[test]
    fn the_edges_of_the_faces_that_are_seen_are_told_but_for_the_far_ones() {
        let axes = [Vector3::x(), Vector3::y(), -Vector3::z()];
        // The camera looks along +z, so that the far face of the last axis is the one that is turned to it.
        let block = Block { origin_mm: Vector3::zeros(), axes, low_mm: [-50.0; 3], high_mm: [50.0; 3] };
        assert!(block.edges_towards(&camera()).is_empty(), "of the far face alone");
        let edges = block.moved(Vector3::new(300.0, 0.0, 0.0)).edges_towards(&camera());
        assert_eq!(edges.len(), 3, "a side shows, too: {edges:?}");
        assert!(edges.iter().flatten().all(|p| (p.x - 250.0).abs() < 1e-9), "the near one: {edges:?}");
        let turned = Block { axes: [axes[0], axes[1], Vector3::z()], ..block };
        assert_eq!(turned.edges_towards(&camera()).len(), 4, "around the face that is turned to it");
    }
}
