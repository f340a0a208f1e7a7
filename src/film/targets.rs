//! Fixed reference targets: quadrant stickers on what stands still, found in the pictures as a tracker would find them.

use nalgebra::Vector3;

use super::looks::decal;
use super::paint::{Decal, Sticker};
use super::rng::Rng;
use super::scene::{Owner, Scene};
use super::shoot::look;
use crate::domain::TargetMark;
use crate::geom::{Camera, NO_TRIANGLE, Raster};

/// Half the side of a target, px.
const HALF_PX: f64 = 7.0;
/// Targets nearer than this to each other or to the rim are not wanted, px.
const APART_PX: f64 = 45.0;
const RIM_PX: f64 = 14.0;
/// A target seen flatter than this cannot be measured (cosine).
const FLATTEST: f32 = 0.3;
/// Places that are tried for a camera.
const TRIES: usize = 400;
/// Targets a camera gets of its own.
const WANTED: usize = 5;
/// Error of a target's measured place, px, 1-sigma.
const FOUND_PX: f64 = 0.08;

/// The scene before the test as one camera sees it.
struct View<'a> {
    camera: &'a Camera,
    raster: Raster,
}

/// Stickers at places that the cameras see: [`WANTED`] a camera where that many fit.
pub(super) fn place_targets(rng: &mut Rng, scene: &Scene, positions_mm: &[[f32; 3]], cameras: &[Camera]) -> Vec<Decal> {
    let mut decals: Vec<Decal> = Vec::new();
    for camera in cameras {
        let view = View { camera, raster: look(&scene.skin, camera, positions_mm) };
        let mut own = decals.iter().filter(|d| pixel_of(&view, d).is_some()).count();
        for _ in 0..TRIES {
            if own >= WANTED {
                break;
            }
            if let Some(found) = try_place(rng, scene, positions_mm, &view, &decals) {
                decals.push(found);
                own += 1;
            }
        }
    }
    decals
}

fn try_place(
    rng: &mut Rng,
    scene: &Scene,
    positions_mm: &[[f32; 3]],
    view: &View<'_>,
    others: &[Decal],
) -> Option<Decal> {
    let camera = view.camera;
    let row = rng.range(RIM_PX, camera.height as f64 - RIM_PX);
    let column = rng.range(RIM_PX, camera.width as f64 - RIM_PX);
    let triangle = still_at(scene, view, row, column)?;
    let [a, b, c] =
        scene.skin.triangles[triangle as usize].map(|n| Vector3::from(positions_mm[n as usize].map(f64::from)));
    let mut normal = (b - a).cross(&(c - a)).normalize();
    let centre = hit(camera, row, column, a, normal)?;
    let to_eye = (camera.centre_mm() - centre).normalize();
    if normal.dot(&to_eye) < 0.0 {
        normal = -normal;
    }
    if normal.dot(&to_eye) < f64::from(FLATTEST) {
        return None;
    }
    let distance = camera.camera_from_world(centre.into()).z;
    let half_mm = HALF_PX * distance / camera.intrinsics.fx;
    // Its corners must lie on the same face, unhidden.
    for (dr, dc) in [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)] {
        let t = still_at(scene, view, row + 1.3 * HALF_PX * dr, column + 1.3 * HALF_PX * dc)?;
        let other: Vector3<f32> = scene.rest_normals[t as usize].into();
        if other.dot(&normal.map(|v| v as f32)).abs() < 0.99 {
            return None;
        }
    }
    let apart = |d: &Decal| {
        let p = camera.pixel_from_world(d.centre_mm.map(f64::from));
        (p.x - column).hypot(p.y - row) > APART_PX
    };
    let fits = others.iter().all(apart);
    fits.then(|| decal(rng, Sticker::Quadrant, centre, normal, half_mm as f32, [0.04, 0.85]))
}

/// The triangle of something that stands still at a pixel.
fn still_at(scene: &Scene, view: &View<'_>, row: f64, column: f64) -> Option<u32> {
    let (h, w) = view.raster.triangle.dim();
    let (r, c) = (row.round(), column.round());
    if !(r >= 0.0 && c >= 0.0 && r < h as f64 && c < w as f64) {
        return None;
    }
    let t = view.raster.triangle[(r as usize, c as usize)];
    (t != NO_TRIANGLE && scene.owner(t) == Owner::Scenery).then_some(t)
}

/// Where the ray through a (distorted) pixel meets a plane.
fn hit(camera: &Camera, row: f64, column: f64, on: Vector3<f64>, normal: Vector3<f64>) -> Option<Vector3<f64>> {
    let [x, y] = camera.normalised_from_pixel([column, row]);
    let rotation = nalgebra::Matrix3::from_fn(|r, c| camera.pose.rotation[r][c]);
    let ray = rotation.transpose() * Vector3::new(x, y, 1.0);
    let (eye, across) = (camera.centre_mm(), ray.dot(&normal));
    let s = (on - eye).dot(&normal) / across;
    (across.abs() > 1e-9 && s > 0.0).then(|| eye + ray * s)
}

/// Where a view shows a target; `None` when it does not, not whole, or too flat.
fn pixel_of(view: &View<'_>, target: &Decal) -> Option<[f64; 2]> {
    let centre = target.centre_mm.map(f64::from);
    let p = view.camera.pixel_from_world(centre);
    let (h, w) = view.raster.depth_mm.dim();
    if !(p.depth_mm > 0.0 && (RIM_PX..w as f64 - RIM_PX).contains(&p.x) && (RIM_PX..h as f64 - RIM_PX).contains(&p.y)) {
        return None;
    }
    let to_eye = (view.camera.centre_mm() - Vector3::from(centre)).normalize();
    let normal: Vector3<f32> = target.axes[2].into();
    if normal.dot(&to_eye.map(|v| v as f32)) < FLATTEST {
        return None;
    }
    let around = [(0.0, 0.0), (-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)];
    let unhidden = around.iter().all(|(dr, dc)| {
        let (r, c) = ((p.y + dr * HALF_PX).round() as usize, (p.x + dc * HALF_PX).round() as usize);
        f64::from(view.raster.depth_mm[(r.min(h - 1), c.min(w - 1))]) > p.depth_mm * 0.97
    });
    unhidden.then_some([p.x, p.y])
}

/// The targets that a camera sees before the test, with the error of finding them.
pub(super) fn seen_targets(
    rng: &mut Rng,
    scene: &Scene,
    positions_mm: &[[f32; 3]],
    camera: &Camera,
    targets: &[Decal],
) -> Vec<TargetMark> {
    let view = View { camera, raster: look(&scene.skin, camera, positions_mm) };
    targets
        .iter()
        .filter_map(|t| {
            let [x, y] = pixel_of(&view, t)?;
            Some(TargetMark {
                world_mm: t.centre_mm.map(f64::from),
                image_px: [x + FOUND_PX * rng.normal(), y + FOUND_PX * rng.normal()],
            })
        })
        .collect()
}
