//! Simple bodies around the structure: boxes, sheets and cylinders as triangles.

use nalgebra::Vector3;

/// A body of its own: points, mm, and triangles over them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Solid {
    pub(super) points_mm: Vec<[f32; 3]>,
    pub(super) triangles: Vec<[u32; 3]>,
}

impl Solid {
    /// A parallelogram in `parts` × `parts` cells; its normal is `along × across`.
    pub(super) fn add_sheet(&mut self, corner: Vector3<f64>, along: Vector3<f64>, across: Vector3<f64>, parts: usize) {
        let first = self.points_mm.len() as u32;
        let n = parts as u32 + 1;
        for j in 0..=parts {
            for i in 0..=parts {
                let share = |k: usize| k as f64 / parts as f64;
                self.push(corner + along * share(i) + across * share(j));
            }
        }
        for j in 0..parts as u32 {
            for i in 0..parts as u32 {
                let a = first + j * n + i;
                self.triangles.extend([[a, a + 1, a + n + 1], [a, a + n + 1, a + n]]);
            }
        }
    }

    /// A box around `centre` with half edges `half`; faces look outward.
    pub(super) fn cuboid(centre: Vector3<f64>, half: [Vector3<f64>; 3], parts: usize) -> Self {
        let mut solid = Self::default();
        for axis in 0..3 {
            let (out, a, b) = (half[axis], half[(axis + 1) % 3], half[(axis + 2) % 3]);
            solid.add_sheet(centre + out - a - b, a * 2.0, b * 2.0, parts);
            solid.add_sheet(centre - out - a - b, b * 2.0, a * 2.0, parts);
        }
        solid
    }

    /// A closed cylinder from `from` to `to`.
    pub(super) fn cylinder(from: Vector3<f64>, to: Vector3<f64>, radius_mm: f64, parts: usize) -> Self {
        const ROUND: usize = 48;
        let axis = (to - from).normalize();
        let side = any_normal(axis);
        let beside = axis.cross(&side);
        let mut solid = Self::default();
        let rim = |k: usize| {
            let a = std::f64::consts::TAU * k as f64 / ROUND as f64;
            (side * a.cos() + beside * a.sin()) * radius_mm
        };
        for j in 0..=parts {
            for k in 0..ROUND {
                solid.push(from + (to - from) * (j as f64 / parts as f64) + rim(k));
            }
        }
        let r = ROUND as u32;
        for j in 0..parts as u32 {
            for k in 0..r {
                let (a, b) = (j * r + k, j * r + (k + 1) % r);
                solid.triangles.extend([[a, b, b + r], [a, b + r, a + r]]);
            }
        }
        for (centre, outward) in [(from, false), (to, true)] {
            let middle = solid.points_mm.len() as u32;
            solid.push(centre);
            // The caps have points of their own, so that the rim stays sharp.
            for k in 0..ROUND {
                solid.push(centre + rim(k));
            }
            for k in 0..r {
                let (a, b) = (middle + 1 + k, middle + 1 + (k + 1) % r);
                solid.triangles.push(if outward { [middle, a, b] } else { [middle, b, a] });
            }
        }
        solid
    }

    fn push(&mut self, p: Vector3<f64>) {
        self.points_mm.push([p.x as f32, p.y as f32, p.z as f32]);
    }
}

/// A unit vector across `axis`.
pub(super) fn any_normal(axis: Vector3<f64>) -> Vector3<f64> {
    let other = if axis.x.abs() < 0.8 { Vector3::x() } else { Vector3::y() };
    axis.cross(&other).normalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(solid: &Solid) -> f64 {
        let at = |n: u32| Vector3::from(solid.points_mm[n as usize].map(f64::from));
        solid.triangles.iter().map(|[a, b, c]| at(*a).dot(&at(*b).cross(&at(*c))) / 6.0).sum()
    }

    #[test]
    fn bodies_are_closed_and_look_outward() {
        let half = [Vector3::x() * 2.0, Vector3::y() * 3.0, Vector3::z() * 4.0];
        assert!((volume(&Solid::cuboid(Vector3::new(9.0, 1.0, 2.0), half, 3)) - 192.0).abs() < 1e-3);
        let cylinder = Solid::cylinder(Vector3::zeros(), Vector3::new(0.0, 0.0, 10.0), 5.0, 4);
        let exact = std::f64::consts::PI * 250.0;
        assert!((volume(&cylinder) / exact - 1.0).abs() < 0.01, "{}", volume(&cylinder));
    }
}
