//! A predicted picture for the eye: what is known is shown as it would look, what is not known is not invented.
//!
//! For matching it does not matter what stands where nothing is known; a person would take frame 0's upper half of a box,
//! left standing above the crushed one, for the prediction.

use nalgebra::Vector3;
use ndarray::Array2;
use rayon::prelude::*;

use super::picture::sample_bicubic;
use super::predict::{Appearance, Predicted, Support};
use crate::geom::{Camera, NO_TRIANGLE, Raster, Skin, Solid};

/// Width of a stripe across what the mesh has left, px.
const STRIPE_PX: usize = 6;
/// Greys of the stripes, of the toned scale.
const STRIPES: [f32; 2] = [0.16, 0.24];
/// A point of a body that lies farther from where it was, mm, is another one: half a pixel of most cameras, and of those
/// that are seen from their side a few.
const SAME_MM: f64 = 5.0;
/// Grey of a surface without a known look, seen from its side and from its front.
const BARE: [f32; 2] = [0.28, 0.62];

/// A rigid body that no mesh contains: an impactor.
#[derive(Debug, Clone, Copy)]
pub struct RigidBody {
    /// Where the appearance shows it.
    pub first: Solid,
    /// How far it has moved since, mm.
    pub by_mm: Vector3<f64>,
}

/// The picture of `predicted`, with stripes where `from` showed the mesh or `body` and nothing is known of what lies behind
/// it, and with a plain shade on surfaces whose look is not known.
#[must_use]
pub fn shown_to_people(
    camera: &Camera,
    skin: &Skin,
    predicted: &Predicted,
    from: &Appearance,
    body: Option<&RigidBody>,
) -> Array2<f32> {
    let (h, w) = predicted.picture.dim();
    let shown = |at: (usize, usize)| {
        if let Some(look) = body.and_then(|b| b.look(camera, predicted, from, at)) {
            return look;
        }
        match predicted.support[at] {
            Support::Known => predicted.picture[at],
            Support::Unseen | Support::Foreign => {
                let facing = predicted.raster.surface_point(camera, skin, at.0, at.1).map_or(0.0, |p| p.facing.abs());
                bare(facing)
            }
            Support::Background if was_left(predicted, from, at) => stripe(at),
            Support::Background if body.is_some_and(|b| b.first_hides(camera, from, at)) => stripe(at),
            Support::Background => predicted.picture[at],
        }
    };
    let rows: Vec<f32> = (0..h).into_par_iter().flat_map_iter(|r| (0..w).map(move |c| shown((r, c)))).collect();
    Array2::from_shape_vec((h, w), rows).expect("rows of equal width, else a bug")
}

/// A surface without a known look, by how much it is turned to the camera (cosine).
fn bare(facing: f32) -> f32 {
    BARE[0] + (BARE[1] - BARE[0]) * facing.min(1.0)
}

fn stripe((row, column): (usize, usize)) -> f32 {
    STRIPES[(row + column) / STRIPE_PX % 2]
}

impl RigidBody {
    /// Whether the appearance shows it at a pixel.
    #[must_use]
    pub fn first_hides(&self, camera: &Camera, from: &Appearance, at: (usize, usize)) -> bool {
        seen_before(&self.first, camera, &from.raster, at).is_some()
    }

    /// Its look at a pixel where it is now; `None` where something else is seen.
    fn look(&self, camera: &Camera, predicted: &Predicted, from: &Appearance, at: (usize, usize)) -> Option<f32> {
        let then = seen_before(&self.first.moved(self.by_mm), camera, &predicted.raster, at)? - self.by_mm;
        let pixel = camera.pinhole_pixel_from_world(then.into());
        let (row, column) = (pixel.y.round(), pixel.x.round());
        let (h, w) = from.picture.dim();
        let inside = pixel.depth_mm > 0.0 && row >= 0.0 && column >= 0.0 && row < h as f64 && column < w as f64;
        let showed = inside
            && seen_before(&self.first, camera, &from.raster, (row as usize, column as usize))
                .is_some_and(|seen| (seen - then).norm() < SAME_MM);
        let look = showed.then(|| sample_bicubic(&from.picture.view(), pixel.x as f32, pixel.y as f32)).flatten();
        let facing = || (camera.centre_mm() - then - self.by_mm).normalize().dot(&self.first.normal_at(then)).abs();
        Some(look.unwrap_or_else(|| bare(facing() as f32)))
    }
}

/// The point of a body that a pixel shows, where the mesh does not hide it.
fn seen_before(body: &Solid, camera: &Camera, mesh: &Raster, at: (usize, usize)) -> Option<Vector3<f64>> {
    let (eye, ray) = camera.pinhole_ray(at.0 as f64, at.1 as f64);
    let point = body.met_by(eye, ray)?;
    let depth = camera.pinhole_pixel_from_world(point.into()).depth_mm as f32;
    (depth > 0.0 && depth < mesh.depth_mm[at]).then_some(point)
}

/// Whether the mesh has left a pixel: the appearance shows it there, or shows its blurred edge where it is not near now.
fn was_left(predicted: &Predicted, from: &Appearance, at: (usize, usize)) -> bool {
    const EDGE_PX: usize = 2;
    covers(&from.raster, at, 0) || (covers(&from.raster, at, EDGE_PX) && !covers(&predicted.raster, at, EDGE_PX + 1))
}

/// Whether a raster shows the mesh within so many pixels.
fn covers(raster: &Raster, (row, column): (usize, usize), within_px: usize) -> bool {
    let (h, w) = raster.triangle.dim();
    let near = |at: usize, size: usize| at.saturating_sub(within_px)..(at + within_px + 1).min(size);
    near(row, h).any(|r| near(column, w).any(|c| raster.triangle[(r, c)] != NO_TRIANGLE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Distortion, Intrinsics, Pose};
    use crate::geom::Cylinder;
    use crate::vision::predict;

    fn camera() -> Camera {
        Camera {
            width: 160,
            height: 120,
            intrinsics: Intrinsics { fx: 200.0, fy: 200.0, cx: 80.0, cy: 60.0 },
            distortion: Distortion::default(),
            pose: Pose {
                rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
                translation_mm: [0.0, 0.0, 200.0],
            },
        }
    }

    #[test]
    fn what_the_mesh_leaves_behind_is_not_shown_as_if_it_still_stood_there() {
        let camera = camera();
        let skin = Skin { triangles: vec![[0, 1, 2], [0, 2, 3]], element_of: vec![0, 0] };
        let plate = |top: f32| vec![[-40.0, top, 0.0], [40.0, top, 0.0], [40.0, 40.0, 0.0], [-40.0, 40.0, 0.0]];
        let look = Appearance::new(&camera, &skin, plate(-40.0), Array2::from_elem((120, 160), 0.9));
        // Crushed to half its height.
        let predicted = predict(&camera, &skin, &plate(0.0), &look);
        let shown = shown_to_people(&camera, &skin, &predicted, &look, None);
        assert!((predicted.picture[(40, 80)] - 0.9).abs() < 1e-6 && STRIPES.contains(&shown[(40, 80)]), "left behind");
        assert!((shown[(80, 80)] - 0.9).abs() < 1e-3, "the plate itself");
        assert!((shown[(40, 10)] - 0.9).abs() < 1e-6, "the background");
        assert!((shown[(101, 80)] - 0.9).abs() < 1e-6, "beside an edge that has stayed");
        let mut unseen = predicted;
        unseen.support.fill(Support::Unseen);
        let bare = shown_to_people(&camera, &skin, &unseen, &look, None)[(80, 80)];
        assert!(bare > 0.5 && bare <= BARE[1], "a surface that is seen from its front: {bare}");
    }

    #[test]
    fn an_impactor_stands_where_the_simulation_has_it_and_leaves_stripes() {
        let camera = camera();
        let first = Solid::Cylinder(Cylinder {
            centre_mm: Vector3::new(-40.0, 0.0, 0.0),
            axis: Vector3::y(),
            radius_mm: 15.0,
            span_mm: [-30.0, 30.0],
        });
        let shows = |(r, c): (usize, usize)| {
            let (eye, ray) = camera.pinhole_ray(r as f64, c as f64);
            first.met_by(eye, ray).is_some()
        };
        // A plate behind it and to its right, which hides nothing of it.
        let skin = Skin { triangles: vec![[0, 1, 2], [0, 2, 3]], element_of: vec![0, 0] };
        let plate = vec![[10.0, -40.0, 60.0], [70.0, -40.0, 60.0], [70.0, 40.0, 60.0], [10.0, 40.0, 60.0]];
        let picture = Array2::from_shape_fn((120, 160), |at| if shows(at) { 0.5 } else { 0.9 });
        let look = Appearance::new(&camera, &skin, plate.clone(), picture);
        let predicted = predict(&camera, &skin, &plate, &look);
        let body = RigidBody { first, by_mm: Vector3::new(50.0, 0.0, 0.0) };
        let shown = shown_to_people(&camera, &skin, &predicted, &look, Some(&body));
        assert!(shows((60, 40)) && STRIPES.contains(&shown[(60, 40)]), "where it was: {}", shown[(60, 40)]);
        assert!((shown[(60, 90)] - 0.5).abs() < 0.02, "where it is, before the plate: {}", shown[(60, 90)]);
        assert!((shown[(60, 120)] - 0.9).abs() < 0.02, "the plate beside it: {}", shown[(60, 120)]);
        assert!((shown[(10, 20)] - 0.9).abs() < 1e-6, "the background: {}", shown[(10, 20)]);
    }
}
