//! A pose from targets alone, without any measured pose to start from.

use opencv::calib3d::{SOLVEPNP_SQPNP, SolvePnPMethod, solve_pnp_generic, solve_pnp_ransac};
use opencv::core::{Mat, Point2d, Point3d, Vector};
use opencv::prelude::*;

use crate::domain::{Distortion, Intrinsics, Pose, TargetMark};
use crate::geom::camera::undistort;

/// A pose that the targets do not give.
#[derive(Debug, thiserror::Error)]
pub enum PoseError {
    /// Three points leave several poses open.
    #[error("a pose from targets alone needs at least 4 of them, found {found}: add targets or a measured pose")]
    TooFewTargets {
        /// How many there are.
        found: usize,
    },
    /// Points on one line leave the camera free to turn about it.
    #[error(
        "a pose from targets alone needs targets that are not on one line, found {count} within {off_mm:.1} mm of one: add \
         targets beside it or a measured pose"
    )]
    InARow {
        /// How many targets there are.
        count: usize,
        /// How far they lie from their common line, rms, mm.
        off_mm: f64,
    },
    /// No pose explains the targets.
    #[error("no pose explains the {count} targets: check that world and image rows belong together")]
    NoSolution {
        /// How many targets there are.
        count: usize,
    },
    /// OpenCV refused.
    #[error("OpenCV could not solve for the pose")]
    OpenCv(#[from] opencv::Error),
}

/// The pose that shows `targets` where they were found, by RANSAC over SQPnP (Terzakis and Lourakis, ECCV 2020).
///
/// # Errors
/// Fewer than four targets, targets on one line, or none of the candidate poses explains them.
pub fn pose_from_targets(
    targets: &[TargetMark],
    intrinsics: &Intrinsics,
    lens: &Distortion,
) -> Result<Pose, PoseError> {
    if targets.len() < 4 {
        return Err(PoseError::TooFewTargets { found: targets.len() });
    }
    check_spread(targets)?;
    let world: Vector<Point3d> =
        targets.iter().map(|t| Point3d::new(t.world_mm[0], t.world_mm[1], t.world_mm[2])).collect();
    let image: Vector<Point2d> = targets
        .iter()
        .map(|t| {
            let [x, y] = undistort(
                lens,
                (t.image_px[0] - intrinsics.cx) / intrinsics.fx,
                (t.image_px[1] - intrinsics.cy) / intrinsics.fy,
            );
            Point2d::new(x, y)
        })
        .collect();
    let identity = Mat::eye(3, 3, opencv::core::CV_64F)?.to_mat()?;
    let no_lens = Mat::default();
    let (mut rotation, mut translation, mut inliers) = (Mat::default(), Mat::default(), Mat::default());
    // Three pixels on normalised coordinates: wide enough for a rough start, narrow enough to drop a wrong label.
    let reach = (3.0 / intrinsics.fx) as f32;
    let found = solve_pnp_ransac(
        &world,
        &image,
        &identity,
        &no_lens,
        &mut rotation,
        &mut translation,
        false,
        500,
        reach,
        0.999,
        &mut inliers,
        SOLVEPNP_SQPNP,
    )
    .unwrap_or(false);
    if found {
        return Ok(pose_from_vectors(&rotation, &translation)?);
    }
    let (mut rotations, mut translations) = (Vector::<Mat>::new(), Vector::<Mat>::new());
    let (r0, t0) = (Mat::default(), Mat::default());
    let count = solve_pnp_generic(
        &world,
        &image,
        &identity,
        &no_lens,
        &mut rotations,
        &mut translations,
        false,
        SolvePnPMethod::SOLVEPNP_SQPNP,
        &r0,
        &t0,
        &mut opencv::core::no_array(),
    )?;
    if count == 0 {
        return Err(PoseError::NoSolution { count: targets.len() });
    }
    Ok(pose_from_vectors(&rotations.get(0)?, &translations.get(0)?)?)
}

/// Refuses targets that lie on one line, or all at one place.
fn check_spread(targets: &[TargetMark]) -> Result<(), PoseError> {
    /// Off the line by less than this share of their length along it, the turn about it rests on their errors.
    const LEAST_SHARE: f64 = 0.01;
    let places: Vec<nalgebra::Vector3<f64>> = targets.iter().map(|t| t.world_mm.into()).collect();
    let middle = places.iter().sum::<nalgebra::Vector3<f64>>() / places.len() as f64;
    let spread: nalgebra::Matrix3<f64> = places.iter().map(|p| (p - middle) * (p - middle).transpose()).sum();
    let mut sigma_mm = (spread / places.len() as f64).symmetric_eigenvalues().map(|v| v.max(0.0).sqrt());
    sigma_mm.as_mut_slice().sort_by(f64::total_cmp);
    let (off_mm, along_mm) = (sigma_mm[0].hypot(sigma_mm[1]), sigma_mm[2]);
    if along_mm > 0.0 && off_mm > LEAST_SHARE * along_mm {
        return Ok(());
    }
    Err(PoseError::InARow { count: targets.len(), off_mm })
}

fn pose_from_vectors(rotation: &Mat, translation: &Mat) -> opencv::Result<Pose> {
    let axis = |m: &Mat, i: i32| m.at::<f64>(i).copied();
    let r = nalgebra::Vector3::new(axis(rotation, 0)?, axis(rotation, 1)?, axis(rotation, 2)?);
    let matrix = nalgebra::Rotation3::new(r).into_inner();
    Ok(Pose {
        rotation: std::array::from_fn(|row| std::array::from_fn(|column| matrix[(row, column)])),
        translation_mm: [axis(translation, 0)?, axis(translation, 1)?, axis(translation, 2)?],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geom::Camera;

    #[test]
    fn targets_on_one_line_or_at_one_place_give_no_pose() {
        let in_a_row = |step_mm: f64| -> Vec<TargetMark> {
            let at = |i: f64| TargetMark { world_mm: [step_mm * i, 2.0, 0.0], image_px: [100.0 + 10.0 * i, 100.0] };
            (0..7).map(|i| at(f64::from(i))).collect()
        };
        let intrinsics = Intrinsics { fx: 900.0, fy: 900.0, cx: 320.0, cy: 240.0 };
        for step_mm in [10.0, 0.0] {
            let error = pose_from_targets(&in_a_row(step_mm), &intrinsics, &Distortion::default());
            assert!(matches!(error, Err(PoseError::InARow { count: 7, .. })), "{error:?}");
        }
    }

    #[test]
    fn targets_alone_give_the_pose_even_with_a_wrong_one_among_them() {
        let camera = Camera {
            width: 640,
            height: 480,
            intrinsics: Intrinsics { fx: 900.0, fy: 900.0, cx: 320.0, cy: 240.0 },
            distortion: Distortion([-0.1, 0.01, 1e-4, 0.0, 0.0, 0.0, 0.0, 0.0]),
            pose: Pose {
                rotation: [[0.8, -0.6, 0.0], [0.36, 0.48, -0.8], [0.48, 0.64, 0.6]],
                translation_mm: [10.0, -20.0, 900.0],
            },
        };
        let points = [
            [0., 0., 0.],
            [200., 0., 0.],
            [0., 200., 0.],
            [0., 0., 200.],
            [150., 150., 20.],
            [90., 20., 130.],
            [-100., 60., 50.],
        ];
        let mut targets: Vec<TargetMark> = points
            .iter()
            .map(|p| {
                let q = camera.pixel_from_world(*p);
                TargetMark { world_mm: *p, image_px: [q.x, q.y] }
            })
            .collect();
        targets[4].image_px[0] += 60.0;
        let pose = pose_from_targets(&targets, &camera.intrinsics, &camera.distortion).expect("solvable");
        for (a, b) in pose.translation_mm.iter().zip(camera.pose.translation_mm) {
            assert!((a - b).abs() < 0.5, "{pose:?}");
        }
        assert!(matches!(
            pose_from_targets(&targets[..3], &camera.intrinsics, &camera.distortion),
            Err(PoseError::TooFewTargets { found: 3 })
        ));
    }
}
