//! Rigid-body motion of a part told from its change of shape.
//!
//! The best rotation and translation between two weighted point sets (Kabsch, Acta Cryst. A32, 1976); what they leave
//! is the part's own deformation.

use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};

use crate::domain::RigidMotion;

/// A node of a part: where the simulation has it, how far the test is off, and how well that is known.
#[derive(Debug, Clone, Copy)]
pub struct MeasuredNode {
    /// Simulated position, mm.
    pub simulated_mm: Vector3<f64>,
    /// Test minus simulation, mm.
    pub deviation_mm: Vector3<f64>,
    /// 1-sigma, mm.
    pub sigma_mm: f64,
}

/// Fewer nodes do not tell a rotation from a deformation.
const FEWEST_NODES: usize = 8;

/// Splits the deviation of a part; `None` when too few nodes were measured.
#[must_use]
pub fn split_rigid(nodes: &[MeasuredNode]) -> Option<RigidMotion> {
    if nodes.len() < FEWEST_NODES {
        return None;
    }
    let weight = |n: &MeasuredNode| 1.0 / n.sigma_mm.max(0.05).powi(2);
    let total: f64 = nodes.iter().map(weight).sum();
    let mean = |f: &dyn Fn(&MeasuredNode) -> Vector3<f64>| {
        nodes.iter().map(|n| f(n) * weight(n)).sum::<Vector3<f64>>() / total
    };
    let from = mean(&|n| n.simulated_mm);
    let shift = mean(&|n| n.deviation_mm);
    let mut covariance = Matrix3::zeros();
    for n in nodes {
        let a = n.simulated_mm - from;
        let b = a + n.deviation_mm - shift;
        covariance += b * a.transpose() * weight(n);
    }
    let svd = covariance.svd(true, true);
    let (u, vt) = (svd.u?, svd.v_t?);
    let mut sign = Matrix3::identity();
    sign[(2, 2)] = (u * vt).determinant().signum();
    let rotation = Rotation3::from_matrix_unchecked(u * sign * vt);
    // By way of the quaternion: the arc cosine of a trace that rounding put above 3 is not a number.
    let turn = UnitQuaternion::from_rotation_matrix(&rotation).scaled_axis();
    let (mut rigid, mut left) = (0.0, 0.0);
    for n in nodes {
        let a = n.simulated_mm - from;
        let explained = rotation * a - a + shift;
        rigid += explained.norm_squared() * weight(n);
        left += (n.deviation_mm - explained).norm_squared() * weight(n);
    }
    Some(RigidMotion {
        translation_mm: shift.into(),
        rotation_rad: turn.into(),
        rigid_rms_mm: (rigid / total).sqrt(),
        deformation_rms_mm: (left / total).sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(deviation: impl Fn(Vector3<f64>) -> Vector3<f64>) -> Vec<MeasuredNode> {
        (0..60)
            .map(|i| {
                let x = Vector3::new(f64::from(i % 5) * 10.0, f64::from(i / 5 % 4) * 12.0, f64::from(i / 20) * 15.0);
                MeasuredNode { simulated_mm: x, deviation_mm: deviation(x), sigma_mm: 0.2 }
            })
            .collect()
    }

    #[test]
    fn a_turned_part_has_not_changed_its_shape() {
        let turn = Rotation3::new(Vector3::new(0.02, -0.05, 0.1));
        let motion = split_rigid(&block(|x| turn * x - x + Vector3::new(3.0, 0.0, -1.0))).expect("enough nodes");
        assert!(motion.deformation_rms_mm < 1e-9 && motion.rigid_rms_mm > 2.0, "{motion:?}");
        assert!((Vector3::from(motion.rotation_rad) - Vector3::new(0.02, -0.05, 0.1)).norm() < 1e-9);
    }

    #[test]
    fn a_part_that_did_not_turn_has_a_finite_turn() {
        for step in 0..200 {
            let shift = Vector3::new(0.013, -0.7, 0.11) * f64::from(step);
            let motion = split_rigid(&block(|x| shift + x * (1e-9 * f64::from(step)))).expect("enough nodes");
            let turn = Vector3::from(motion.rotation_rad);
            assert!(turn.norm() < 1e-6, "{step}: {motion:?}");
        }
    }

    #[test]
    fn a_stretched_part_has_not_moved() {
        let centre = Vector3::new(20.0, 18.0, 15.0);
        let motion = split_rigid(&block(|x| (x - centre) * 0.1)).expect("enough nodes");
        assert!(motion.rigid_rms_mm < 1e-9 && motion.deformation_rms_mm > 1.0, "{motion:?}");
        assert!(split_rigid(&block(|x| x)[..5]).is_none());
    }
}
