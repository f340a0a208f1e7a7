//! A rigid body of one of the known shapes.

use nalgebra::Vector3;

use super::block::Block;
use super::cylinder::Cylinder;
use crate::domain::BodyShape;

/// A body in the world, mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Solid {
    /// A pole or a punch.
    Cylinder(Cylinder),
    /// A ram or a sled.
    Block(Block),
}

impl Solid {
    /// The same body elsewhere.
    #[must_use]
    pub fn moved(&self, by_mm: Vector3<f64>) -> Self {
        match self {
            Self::Cylinder(cylinder) => Self::Cylinder(cylinder.moved(by_mm)),
            Self::Block(block) => Self::Block(block.moved(by_mm)),
        }
    }

    /// The outward direction of its surface at a point of it, unit length.
    #[must_use]
    pub fn normal_at(&self, point_mm: Vector3<f64>) -> Vector3<f64> {
        /// A point so near to the side, mm, is of the side.
        const ON_SIDE_MM: f64 = 1e-3;
        match self {
            Self::Cylinder(cylinder) => match cylinder.side_distance(point_mm) {
                Some((distance, normal)) if distance.abs() < ON_SIDE_MM => normal,
                _ => {
                    let height = (point_mm - cylinder.centre_mm).dot(&cylinder.axis);
                    let [low, high] = cylinder.span_mm.map(|end| (height - end).abs());
                    if low < high { -cylinder.axis } else { cylinder.axis }
                }
            },
            Self::Block(block) => {
                let from = point_mm - block.origin_mm;
                let beyond = |axis: usize| {
                    let at = from.dot(&block.axes[axis]);
                    [(at - block.high_mm[axis], block.axes[axis]), (block.low_mm[axis] - at, -block.axes[axis])]
                };
                let sides = (0..3).flat_map(beyond);
                sides.max_by(|a, b| a.0.total_cmp(&b.0)).expect("a block has sides").1
            }
        }
    }

    /// The point of its surface that a ray from `eye`, mm, meets first.
    #[must_use]
    pub fn met_by(&self, eye: Vector3<f64>, ray: Vector3<f64>) -> Option<Vector3<f64>> {
        match self {
            Self::Cylinder(cylinder) => cylinder.met_by(eye, ray),
            Self::Block(block) => block.met_by(eye, ray),
        }
    }
}

impl From<BodyShape> for Solid {
    fn from(shape: BodyShape) -> Self {
        match shape {
            BodyShape::Cylinder { centre_mm, axis, radius_mm, span_mm } => {
                Self::Cylinder(Cylinder { centre_mm: centre_mm.into(), axis: axis.into(), radius_mm, span_mm })
            }
            BodyShape::Block { origin_mm, axes, low_mm, high_mm } => {
                Self::Block(Block { origin_mm: origin_mm.into(), axes: axes.map(Vector3::from), low_mm, high_mm })
            }
        }
    }
}

impl From<Solid> for BodyShape {
    fn from(solid: Solid) -> Self {
        match solid {
            Solid::Cylinder(Cylinder { centre_mm, axis, radius_mm, span_mm }) => {
                Self::Cylinder { centre_mm: centre_mm.into(), axis: axis.into(), radius_mm, span_mm }
            }
            Solid::Block(Block { origin_mm, axes, low_mm, high_mm }) => {
                Self::Block { origin_mm: origin_mm.into(), axes: axes.map(Into::into), low_mm, high_mm }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_comes_back_and_its_normals_point_outwards() {
        let cylinder = Solid::Cylinder(Cylinder {
            centre_mm: Vector3::new(5.0, 0.0, 0.0),
            axis: Vector3::y(),
            radius_mm: 10.0,
            span_mm: [20.0, 60.0],
        });
        let axes = [Vector3::x(), Vector3::y(), Vector3::z()];
        let block =
            Solid::Block(Block { origin_mm: Vector3::zeros(), axes, low_mm: [-5.0; 3], high_mm: [5.0, 8.0, 5.0] });
        for solid in [cylinder, block] {
            assert_eq!(Solid::from(BodyShape::from(solid)), solid);
            for ray in [Vector3::x(), -Vector3::x(), Vector3::y(), -Vector3::y(), Vector3::new(0.3, 0.1, -1.0)] {
                let aim = if solid == block { Vector3::zeros() } else { Vector3::new(5.0, 40.0, 0.0) };
                let point = solid.met_by(aim - ray * 500.0, ray).expect("it is aimed at");
                let normal = solid.normal_at(point);
                assert!(normal.dot(&ray) < -0.2, "{ray:?} meets {point:?} of {solid:?} with {normal:?}");
            }
        }
    }
}
