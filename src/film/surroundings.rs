//! What stands around the structure: what hits it, what holds it, floor, walls and clutter.

use nalgebra::Vector3;

use super::looks::surroundings_coat;
use super::paint::Paint;
use super::rng::Rng;
use super::solids::{Solid, any_normal};
use super::subject::{Bounds, Subject};
use crate::geom::Camera;

/// A holding block is at most so many times as wide as the structure.
const LARGEST_BLOCK: f64 = 1.7;
/// How far the floor stays below the structure, so that it cuts no block, in halves of its height.
const BLOCK_BELOW: f64 = 1.3;
/// How far the impactor's surface stays behind the contact, so that it does not flicker through the sheet, mm.
const BEHIND_MM: f64 = 0.6;

/// The impactor as a body, where it is at simulation time 0; nothing when the simulation tells of none.
pub(super) fn impactor(rng: &mut Rng, subject: &Subject<'_>, mm_per_px: f64) -> Vec<(Solid, Paint)> {
    let bounds = subject.rest_bounds();
    let mut paint = surroundings_coat(rng, mm_per_px);
    paint.dirt_mm = paint.dirt_mm.min((20.0 * mm_per_px) as f32);
    if rng.chance(0.25) {
        paint.mirror = rng.range(0.2, 0.5) as f32;
    }
    let solid = if let Some(i) = subject.impactor {
        let (axis, direction) = (Vector3::from(i.axis), Vector3::from(i.direction));
        let centre = Vector3::from(i.centre_mm);
        // As far along its axis as the structure reaches, and some more.
        let reach = bounds.corners().map(|c| (c - centre).dot(&axis));
        let (low, high) = reach.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let more = i.radius_mm * rng.range(0.2, 1.6);
        let middle = centre - direction * BEHIND_MM;
        Solid::cylinder(middle + axis * (low - more), middle + axis * (high + more), i.radius_mm, 10)
    } else if let Some(w) = subject.wall {
        let normal = Vector3::from(w.normal);
        let (a, b) = (any_normal(normal), normal.cross(&any_normal(normal)));
        let point = Vector3::from(w.point_mm);
        // The wall's plane has no end; a ram has: it covers the structure's end and some more.
        let middle = point + (bounds.centre() - point) - normal * (bounds.centre() - point).dot(&normal);
        let reach = |axis: Vector3<f64>| bounds.corners().map(|c| (c - middle).dot(&axis).abs()).fold(0.0, f64::max);
        let (ra, rb) = (reach(a) * rng.range(0.6, 1.2), reach(b) * rng.range(0.6, 1.2));
        let depth = rng.range(0.5, 1.2) * bounds.half().norm();
        let centre = middle - normal * (0.5 * depth + BEHIND_MM);
        Solid::cuboid(centre, [a * ra, b * rb, normal * (0.5 * depth)], 8)
    } else {
        return Vec::new();
    };
    vec![(solid, paint)]
}

/// What stands still.
pub(super) struct Surroundings {
    /// What throws shadows: clutter.
    pub(super) standing: Vec<(Solid, Paint)>,
    /// Floor and walls.
    pub(super) backdrop: Vec<(Solid, Paint)>,
}

/// Bodies around the structure. Nothing of them reaches into the room that it takes.
pub(super) fn surroundings(rng: &mut Rng, subject: &Subject<'_>, cameras: &[Camera], mm_per_px: f64) -> Surroundings {
    let bounds = subject.bounds();
    let size = bounds.half().norm();
    // A block below the structure stands in the floor; one beside it hangs lower than the structure.
    let lowest = bounds.low.z - BLOCK_BELOW * bounds.half().z;
    let centre = bounds.centre();
    let eyes: Vec<Vector3<f64>> = cameras.iter().map(Camera::centre_mm).collect();
    let farthest = eyes.iter().map(|e| (e - centre).norm()).fold(size, f64::max);
    let floor_z = eyes.iter().map(|e| e.z - 0.1 * size).fold(lowest - size * rng.range(0.02, 0.6), f64::min);
    let standing = clutter(rng, &bounds, &eyes, floor_z, mm_per_px);
    let reach = farthest * rng.range(1.3, 2.0);
    let corner = Vector3::new(centre.x - reach, centre.y - reach, floor_z);
    let mut floor = Solid::default();
    floor.add_sheet(corner, Vector3::x() * (2.0 * reach), Vector3::y() * (2.0 * reach), 40);
    let mut backdrop = vec![(floor, surroundings_coat(rng, mm_per_px))];
    let mut paint = surroundings_coat(rng, mm_per_px);
    paint.dirt_mm *= 2.0;
    let (x, y) = (Vector3::x(), Vector3::y());
    for (axis, across) in [(x, y), (y, -x), (-x, -y), (-y, x)] {
        let mut wall = Solid::default();
        let start = Vector3::new(centre.x, centre.y, floor_z) + axis * reach - across * reach;
        wall.add_sheet(start, across * (2.0 * reach), Vector3::z() * (2.0 * reach), 16);
        backdrop.push((wall, paint.clone()));
    }
    Surroundings { standing, backdrop }
}

/// A block behind the clamped nodes; nothing where no node is clamped.
pub(super) fn holding_block(rng: &mut Rng, subject: &Subject<'_>, mm_per_px: f64) -> Vec<(Solid, Paint)> {
    let (clamped, bounds) = (subject.clamped(), subject.bounds());
    if clamped.is_empty() {
        return Vec::new();
    }
    let away = Bounds::of(&clamped).centre() - bounds.centre();
    // The side of the structure's room at which the clamped nodes lie.
    let side = |i: usize| away[i].abs() / bounds.half()[i].max(1.0);
    let axis = if side(0) >= side(1) && side(0) >= side(2) {
        0
    } else if side(1) >= side(2) {
        1
    } else {
        2
    };
    let sign = if away[axis] < 0.0 { -1.0 } else { 1.0 };
    let face = if sign < 0.0 { bounds.low[axis] } else { bounds.high[axis] } + sign * 1.0;
    let depth = bounds.half().norm() * rng.range(0.25, 0.6);
    let mut half = bounds.half() * rng.range(1.1, LARGEST_BLOCK);
    half[axis] = 0.5 * depth;
    let mut centre = bounds.centre();
    centre[axis] = face + sign * 0.5 * depth;
    let edges = [Vector3::x() * half.x, Vector3::y() * half.y, Vector3::z() * half.z];
    vec![(Solid::cuboid(centre, edges, 10), surroundings_coat(rng, mm_per_px))]
}

/// Boxes, posts and cables behind the structure as the cameras see it.
fn clutter(rng: &mut Rng, bounds: &Bounds, eyes: &[Vector3<f64>], floor_z: f64, mm_per_px: f64) -> Vec<(Solid, Paint)> {
    let size = bounds.half().norm();
    let count = rng.next() % 7;
    (0..count)
        .map(|_| {
            let eye = eyes[(rng.next() % eyes.len() as u64) as usize];
            let behind = (bounds.centre() - eye).normalize();
            let mut place = bounds.centre() + behind * (size * rng.range(1.6, 3.5));
            place += any_normal(behind) * (size * rng.range(-1.5, 1.5));
            let half_z = size * rng.log_range(0.05, 0.6);
            place.z = if rng.chance(0.6) { floor_z + half_z } else { place.z.max(floor_z + half_z) };
            let turn = rng.range(0.0, std::f64::consts::TAU);
            let (a, b) = (Vector3::new(turn.cos(), turn.sin(), 0.0), Vector3::new(-turn.sin(), turn.cos(), 0.0));
            let thin = rng.chance(0.4);
            let width = size * if thin { 0.02 } else { rng.log_range(0.05, 0.5) };
            let edges = [a * (size * rng.log_range(0.03, 0.5)), b * width, Vector3::z() * half_z];
            (Solid::cuboid(place, edges, 3), surroundings_coat(rng, mm_per_px))
        })
        .collect()
}
