//! Where the cameras stand, and where the record says they do.

use nalgebra::{Matrix3, Rotation3, Unit, Vector3};

use super::rng::Rng;
use super::scene::{Owner, Scene};
use super::shoot::look;
use super::subject::{Bounds, Subject};
use crate::domain::{Distortion, Intrinsics, Pose};
use crate::geom::Camera;

/// How far a recorded pose may be from the true one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoseError {
    /// Rotation about the structure, rad.
    pub rotation_rad: f64,
    /// Shift, mm.
    pub shift_mm: f64,
}

/// Directions that are tried for a camera before the best one is taken.
const TRIES: usize = 24;
/// A picture in which less of the structure is free is not worth taking, share of its pixels.
const LEAST_FREE: f64 = 0.5;
/// Smallest share of the picture that the structure should cover.
const LEAST_COVERED: f64 = 0.02;

/// Random cameras around the structure, which all see enough of it. `bodies` are the structure and the impactor.
pub(super) fn place_cameras(
    rng: &mut Rng,
    subject: &Subject<'_>,
    bodies: &Scene,
    size: [usize; 2],
    count: usize,
) -> Vec<Camera> {
    let bounds = subject.bounds();
    let first = rng.range(0.0, std::f64::consts::TAU);
    let mut azimuth = first;
    (0..count)
        .map(|_| {
            let mut best: Option<(f64, f64, Camera)> = None;
            for attempt in 0..TRIES {
                // From one camera to the next 35 to 100 degrees; whoever finds no free view looks further around.
                let wander = rng.range(-0.1, 0.1) + 0.35 * attempt as f64;
                let camera = random_camera(rng, &bounds, size, azimuth + wander);
                let score = freedom(subject, bodies, &camera);
                if best.as_ref().is_none_or(|(b, ..)| score > *b) {
                    best = Some((score, azimuth + wander, camera));
                }
                if score >= 1.0 {
                    break;
                }
            }
            let (_, at, camera) = best.expect("there are tries, else a bug");
            azimuth = at + rng.range(0.6, 1.75);
            camera
        })
        .collect()
}

/// 1 and more when the structure is large enough in the picture and the impactor leaves enough of it free, at the
/// beginning and at the end; else less.
fn freedom(subject: &Subject<'_>, bodies: &Scene, camera: &Camera) -> f64 {
    const COARSER: usize = 4;
    let small = coarser(camera, COARSER);
    let last = subject.states_mm.len() - 1;
    [(0, 0.0), (last, subject.end_s)]
        .into_iter()
        .map(|(state, time_s)| {
            let positions = bodies.positions_mm(&subject.states_mm[state], subject.impactor_moved_mm(time_s));
            let seen = look(&bodies.skin, &small, &positions);
            let owned = |owner| seen.triangle.iter().filter(|t| **t != u32::MAX && bodies.owner(**t) == owner).count();
            let free = owned(Owner::Structure) as f64;
            let alone = bodies.skin_of_structure();
            let whole = look(&alone, &small, &positions).covered().max(1) as f64;
            let covered = free / (small.width * small.height) as f64;
            (free / whole / LEAST_FREE).min(covered / LEAST_COVERED)
        })
        .fold(f64::INFINITY, f64::min)
}

/// The same camera with pixels `by` times as large.
pub(super) fn coarser(camera: &Camera, by: usize) -> Camera {
    let (k, s) = (camera.intrinsics, 1.0 / by as f64);
    let shift = 0.5 * (1.0 - s);
    Camera {
        width: camera.width / by,
        height: camera.height / by,
        intrinsics: Intrinsics { fx: k.fx * s, fy: k.fy * s, cx: k.cx * s - shift, cy: k.cy * s - shift },
        ..*camera
    }
}

fn random_camera(rng: &mut Rng, bounds: &Bounds, [width, height]: [usize; 2], azimuth: f64) -> Camera {
    let (w, h) = (width as f64, height as f64);
    let elevation = if rng.chance(0.2) { rng.range(0.8, 1.25) } else { rng.range(-0.05, 0.75) };
    let toward = Vector3::new(azimuth.cos() * elevation.cos(), azimuth.sin() * elevation.cos(), elevation.sin());
    let focal = w * rng.range(1.1, 1.6);
    let intrinsics = Intrinsics {
        fx: focal,
        fy: focal,
        cx: 0.5 * (w - 1.0) + 0.012 * w * rng.normal(),
        cy: 0.5 * (h - 1.0) + 0.012 * w * rng.normal(),
    };
    let lens = [rng.range(-0.14, -0.04), rng.range(0.0, 0.05), 3e-4 * rng.normal(), 4e-4 * rng.normal()];
    let distortion = Distortion([lens[0], lens[1], lens[2], lens[3], 0.0, 0.0, 0.0, 0.0]);
    let rotation = looking_along(-toward, 0.04 * rng.normal());
    let fill = rng.range(0.72, 1.02);
    let middle = bounds.centre() + Vector3::from(rng.direction()) * (0.06 * bounds.half().norm());
    let camera_at = |distance: f64| {
        let eye = middle + toward * distance;
        let pose = Pose {
            rotation: std::array::from_fn(|r| std::array::from_fn(|c| rotation[(r, c)])),
            translation_mm: (-(rotation * eye)).into(),
        };
        Camera { width, height, intrinsics, distortion, pose }
    };
    // The nearest distance at which all corners of the structure's room are within the wanted share of the picture.
    let fits = |distance: f64| {
        bounds.corners().all(|c| {
            let p = camera_at(distance).pinhole_pixel_from_world(c.into());
            p.depth_mm > 1.0 && (p.x - 0.5 * w).abs() < 0.5 * fill * w && (p.y - 0.5 * h).abs() < 0.5 * fill * h
        })
    };
    let (mut near, mut far) = (0.0, 40.0 * bounds.half().norm());
    for _ in 0..40 {
        let distance = 0.5 * (near + far);
        if fits(distance) { far = distance } else { near = distance }
    }
    camera_at(far)
}

/// World-to-camera rotation of a camera that looks along `forward` with the world's z upward, rolled by `roll_rad`.
fn looking_along(forward: Vector3<f64>, roll_rad: f64) -> Matrix3<f64> {
    let right = forward.cross(&Vector3::z()).try_normalize(1e-6).unwrap_or_else(Vector3::x);
    let down = forward.cross(&right);
    let roll = Rotation3::from_axis_angle(&Vector3::z_axis(), roll_rad);
    roll.matrix() * Matrix3::from_rows(&[right.transpose(), down.transpose(), forward.transpose()])
}

impl PoseError {
    /// A pose as it would be measured: turned about the structure's middle and shifted, by 0.2 to 1 of the error.
    #[must_use]
    pub fn applied(self, rng: &mut Rng, pose: &Pose, middle_mm: [f64; 3]) -> Pose {
        let rotation = Matrix3::from_fn(|r, c| pose.rotation[r][c]);
        let middle = Vector3::from(middle_mm);
        let seen = rotation * middle + Vector3::from(pose.translation_mm);
        let axis = Unit::new_normalize(Vector3::from(rng.direction()));
        let turn = Rotation3::from_axis_angle(&axis, self.rotation_rad * rng.range(0.2, 1.0));
        let turned = turn.matrix() * rotation;
        let shift = Vector3::from(rng.direction()) * (self.shift_mm * rng.range(0.2, 1.0));
        let translation = seen - turned * middle + shift;
        Pose {
            rotation: std::array::from_fn(|r| std::array::from_fn(|c| turned[(r, c)])),
            translation_mm: translation.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_sees_all_of_its_subject_with_the_world_upright() {
        let bounds = Bounds { low: Vector3::new(-400.0, -30.0, 0.0), high: Vector3::new(400.0, 50.0, 90.0) };
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let camera = random_camera(&mut rng, &bounds, [640, 480], 0.7 * seed as f64);
            for corner in bounds.corners() {
                let p = camera.pinhole_pixel_from_world(corner.into());
                assert!((-10.0..650.0).contains(&p.x) && (-10.0..490.0).contains(&p.y), "{p:?}");
            }
            let (low, high) = ([0.0, 0.0, 0.0], [0.0, 0.0, 90.0]);
            let (low, high) = (camera.pixel_from_world(low), camera.pixel_from_world(high));
            assert!(high.y < low.y, "z is up: {low:?} {high:?}");
        }
    }

    #[test]
    fn a_measured_pose_is_wrong_by_no_more_than_it_may() {
        let bounds = Bounds { low: Vector3::repeat(-100.0), high: Vector3::repeat(100.0) };
        let mut rng = Rng::new(5);
        let camera = random_camera(&mut rng, &bounds, [640, 480], 1.0);
        let error = PoseError { rotation_rad: 0.005, shift_mm: 3.0 };
        for _ in 0..50 {
            let wrong = camera.at(error.applied(&mut rng, &camera.pose, [0.0; 3]));
            let off = (wrong.camera_from_world([0.0; 3]) - camera.camera_from_world([0.0; 3])).norm();
            assert!(off > 0.1 && off <= 3.0 + 1e-9, "{off}");
            let far = (wrong.camera_from_world([0.0, 0.0, 100.0]) - camera.camera_from_world([0.0, 0.0, 100.0])).norm();
            assert!(far <= 3.5 + 1e-9, "{far}");
        }
    }
}
