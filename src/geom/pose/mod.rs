//! Where the camera really stood: robust least squares on what the picture shows of known points and edges.
//!
//! The measured pose is a prior with its own sigma, so that few targets do not have to carry all six unknowns. A small
//! motion is `point' = exp(rotation) * point + translation` in camera axes: the rotation turns about the camera's own
//! centre, as a tripod head does.

mod solve;

pub use solve::{PoseError, pose_from_targets};

use nalgebra::{Matrix2x6, Matrix3, Matrix6, RowVector6, SMatrix, Vector2, Vector3, Vector6};

use super::camera::{Camera, rotation_of};
use crate::domain::Pose;

/// How wrong a measured pose may be: 1-sigma of each unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PosePrior {
    /// About each camera axis, rad.
    pub rotation_sigma_rad: f64,
    /// Along each camera axis, mm.
    pub translation_sigma_mm: f64,
}

impl Default for PosePrior {
    /// The survey errors that the file contract announces: some tenths of a degree and a few mm.
    fn default() -> Self {
        Self { rotation_sigma_rad: 0.3f64.to_radians(), translation_sigma_mm: 3.0 }
    }
}

/// One thing that a picture shows of the world, on the pin-hole canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting {
    /// Where it is in the world, mm.
    pub world_mm: [f64; 3],
    /// Where the canvas shows it, px.
    pub pixel: [f64; 2],
    /// `Some(normal)` when only the distance across an edge is known (unit vector on the canvas).
    pub across: Option<[f64; 2]>,
    /// 1-sigma of a coordinate of `pixel`, px.
    pub sigma_px: f64,
}

/// A pose with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct PoseEstimate {
    /// The refined pose.
    pub pose: Pose,
    /// Covariance of (rotation rad, translation mm) in camera axes.
    pub covariance: Matrix6<f64>,
    /// Found minus expected for each sighting, px; edges have one meaningful component, along their normal.
    pub residuals_px: Vec<[f64; 2]>,
    /// Robust weight of each sighting, 0–1.
    pub weights: Vec<f64>,
}

impl PoseEstimate {
    /// Root mean square of the residuals' lengths, px, over the sightings that `keep` names.
    #[must_use]
    pub fn rms_px(&self, keep: std::ops::Range<usize>) -> Option<f64> {
        let chosen = &self.residuals_px[keep];
        (!chosen.is_empty())
            .then(|| (chosen.iter().map(|[x, y]| x * x + y * y).sum::<f64>() / chosen.len() as f64).sqrt())
    }

    /// How well the estimate says where `camera`, which has its pose, shows a point: 1-sigma of a coordinate, px.
    #[must_use]
    pub fn sigma_px_at(&self, camera: &Camera, world_mm: [f64; 3]) -> f64 {
        let point = Sighting { world_mm, pixel: [0.0; 2], across: None, sigma_px: 1.0 };
        let (_, jacobian) = linearise(camera, &point);
        (0.5 * (jacobian * self.covariance * jacobian.transpose()).trace()).max(0.0).sqrt()
    }

    /// 1-sigma of (rotation rad, translation mm).
    #[must_use]
    pub fn sigma(&self) -> [f64; 6] {
        std::array::from_fn(|i| self.covariance[(i, i)].max(0.0).sqrt())
    }
}

/// Gauss-Newton with Cauchy weights from `camera.pose`; the lens of `camera` is ignored, sightings are on the canvas.
///
/// `prior` of `None` means that the start carries no weight. Returns `None` when the sightings and the prior together
/// leave an unknown undetermined.
#[must_use]
pub fn refine_pose(camera: &Camera, sightings: &[Sighting], prior: Option<PosePrior>) -> Option<PoseEstimate> {
    /// Residuals beyond this many sigma count less and less (95 % efficiency on Gaussian noise; Rey 1983).
    const CAUCHY: f64 = 2.385;
    let information = prior.map_or(Matrix6::zeros(), |p| {
        let (r, t) = (p.rotation_sigma_rad.powi(-2), p.translation_sigma_mm.powi(-2));
        Matrix6::from_diagonal(&Vector6::new(r, r, r, t, t, t))
    });
    let mut moved = Vector6::zeros();
    let mut at = *camera;
    let mut normal = Matrix6::zeros();
    for _ in 0..30 {
        let mut gradient = -(information * moved);
        normal = information;
        for s in sightings {
            let (residual, jacobian) = linearise(&at, s);
            let (rows, residual) = across_only(s, residual, jacobian);
            let u = residual.norm() / s.sigma_px;
            let weight = 1.0 / ((1.0 + (u / CAUCHY).powi(2)) * s.sigma_px * s.sigma_px);
            normal += rows.transpose() * rows * weight;
            gradient += rows.transpose() * residual * weight;
        }
        let step = normal.cholesky()?.solve(&gradient);
        at.pose = moved_pose(&at.pose, &step);
        moved += step;
        if step.fixed_rows::<3>(0).norm() < 1e-9 && step.fixed_rows::<3>(3).norm() < 1e-6 {
            break;
        }
    }
    let mut residuals_px = Vec::with_capacity(sightings.len());
    let mut weights = Vec::with_capacity(sightings.len());
    for s in sightings {
        let (residual, jacobian) = linearise(&at, s);
        let residual = across_only(s, residual, jacobian).1;
        residuals_px.push([residual.x, residual.y]);
        weights.push(1.0 / (1.0 + (residual.norm() / s.sigma_px / CAUCHY).powi(2)));
    }
    Some(PoseEstimate { pose: at.pose, covariance: normal.try_inverse()?, residuals_px, weights })
}

/// Found minus expected, and the change of the expected pixel with the small motion.
fn linearise(camera: &Camera, s: &Sighting) -> (Vector2<f64>, Matrix2x6<f64>) {
    let p = camera.camera_from_world(s.world_mm);
    let expected = camera.pinhole_pixel_from_world(s.world_mm);
    let (fx, fy, iz) = (camera.intrinsics.fx, camera.intrinsics.fy, 1.0 / p.z);
    #[rustfmt::skip]
    let pixel_per_point = SMatrix::<f64, 2, 3>::new(
        fx * iz, 0.0, -fx * p.x * iz * iz,
        0.0, fy * iz, -fy * p.y * iz * iz,
    );
    let mut jacobian = Matrix2x6::zeros();
    jacobian.fixed_view_mut::<2, 3>(0, 0).copy_from(&(pixel_per_point * -p.cross_matrix()));
    jacobian.fixed_view_mut::<2, 3>(0, 3).copy_from(&pixel_per_point);
    (Vector2::new(s.pixel[0] - expected.x, s.pixel[1] - expected.y), jacobian)
}

/// Keeps the component across an edge; leaves a point as it is.
fn across_only(s: &Sighting, residual: Vector2<f64>, jacobian: Matrix2x6<f64>) -> (Matrix2x6<f64>, Vector2<f64>) {
    let Some(n) = s.across else { return (jacobian, residual) };
    let n = Vector2::from(n);
    let row: RowVector6<f64> = n.transpose() * jacobian;
    (Matrix2x6::from_rows(&[row * n.x, row * n.y]), n * n.dot(&residual))
}

/// `pose` after the small motion (rotation rad, translation mm) in camera axes.
#[must_use]
pub fn moved_pose(pose: &Pose, motion: &Vector6<f64>) -> Pose {
    let turn = nalgebra::Rotation3::new(motion.fixed_rows::<3>(0).into_owned());
    let rotation: Matrix3<f64> = turn.matrix() * rotation_of(pose);
    let translation = turn * Vector3::from(pose.translation_mm) + motion.fixed_rows::<3>(3);
    Pose {
        rotation: std::array::from_fn(|r| std::array::from_fn(|c| rotation[(r, c)])),
        translation_mm: translation.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Distortion, Intrinsics};
    use proptest::prelude::*;

    fn camera() -> Camera {
        Camera {
            width: 640,
            height: 480,
            intrinsics: Intrinsics { fx: 1280.0, fy: 1280.0, cx: 320.0, cy: 240.0 },
            distortion: Distortion::default(),
            pose: Pose {
                rotation: [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]],
                translation_mm: [0.0, 100.0, 1000.0],
            },
        }
    }

    const POINTS: [[f64; 3]; 6] = [
        [-120., 30., 10.],
        [130., -60., 40.],
        [60., 150., 190.],
        [-90., -140., 150.],
        [0., 0., 90.],
        [40., -80., 220.],
    ];

    fn sightings(truth: &Camera) -> Vec<Sighting> {
        POINTS
            .iter()
            .map(|p| {
                let q = truth.pinhole_pixel_from_world(*p);
                Sighting { world_mm: *p, pixel: [q.x, q.y], across: None, sigma_px: 0.2 }
            })
            .collect()
    }

    proptest! {
        #[test]
        fn exact_targets_give_back_the_pose(m in prop::array::uniform6(-1.0..1.0f64)) {
            let motion = Vector6::new(m[0] * 0.01, m[1] * 0.01, m[2] * 0.01, m[3] * 5.0, m[4] * 5.0, m[5] * 5.0);
            let truth = camera().at(moved_pose(&camera().pose, &motion));
            let found = refine_pose(&camera(), &sightings(&truth), None).expect("six points determine a pose");
            for p in POINTS {
                let (a, b) = (truth.pinhole_pixel_from_world(p), camera().at(found.pose).pinhole_pixel_from_world(p));
                prop_assert!((a.x - b.x).abs() < 1e-4 && (a.y - b.y).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn one_wrong_target_is_outvoted() {
        let motion = Vector6::new(0.002, -0.003, 0.002, 1.0, -2.0, 0.5);
        let truth = camera().at(moved_pose(&camera().pose, &motion));
        let mut seen = sightings(&truth);
        seen[2].pixel[0] += 40.0;
        let found = refine_pose(&camera(), &seen, Some(PosePrior::default())).expect("the prior determines the pose");
        assert!(found.weights[2] < 0.01);
        let p = [0.0, 0.0, 100.0];
        let (a, b) = (truth.pinhole_pixel_from_world(p), camera().at(found.pose).pinhole_pixel_from_world(p));
        assert!((a.x - b.x).hypot(a.y - b.y) < 0.3, "{a:?} {b:?}");
    }

    #[test]
    fn targets_far_behind_a_point_tell_less_of_where_it_is_shown() {
        let beside = sightings(&camera());
        // The same directions, four times as far away.
        let behind = beside.iter().map(|s| {
            let centre = [0.0, -1000.0, 100.0];
            Sighting { world_mm: std::array::from_fn(|i| centre[i] + 4.0 * (s.world_mm[i] - centre[i])), ..*s }
        });
        let sigma_px = |seen: &[Sighting]| {
            let found =
                refine_pose(&camera(), seen, Some(PosePrior::default())).expect("the prior determines the pose");
            found.sigma_px_at(&camera().at(found.pose), [0.0, 0.0, 100.0])
        };
        let (near, far) = (sigma_px(&beside), sigma_px(&behind.collect::<Vec<_>>()));
        assert!((near - 0.2 / 6f64.sqrt()).abs() < 0.03, "six targets of 0.2 px around it: {near}");
        assert!(far > 4.0 * near, "{far} px and {near} px");
    }

    #[test]
    fn nothing_seen_leaves_the_prior_as_it_is() {
        let found = refine_pose(&camera(), &[], Some(PosePrior::default())).expect("the prior determines the pose");
        assert_eq!(found.pose, camera().pose);
        assert!((found.sigma()[4] - 3.0).abs() < 1e-9);
        assert!(refine_pose(&camera(), &[], None).is_none());
    }
}
