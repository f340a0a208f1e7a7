//! A predicted picture for the eye: what is known is shown as it would look, what is not known is not invented.
//!
//! For matching it does not matter what stands where nothing is known; a person would take frame 0's upper half of a box,
//! left standing above the crushed one, for the prediction.

use ndarray::Array2;

use super::predict::{Appearance, Predicted, Support};
use crate::geom::{Camera, NO_TRIANGLE, Raster, Skin};

/// Width of a stripe across what the mesh has left, px.
const STRIPE_PX: usize = 6;
/// Greys of the stripes, of the toned scale.
const STRIPES: [f32; 2] = [0.16, 0.24];
/// Grey of a surface without a known look, seen from its side and from its front.
const BARE: [f32; 2] = [0.28, 0.62];

/// The picture of `predicted`, with stripes where `from` showed the mesh and nothing is known of what lies behind it, and
/// with a plain shade on surfaces whose look is not known.
#[must_use]
pub fn shown_to_people(camera: &Camera, skin: &Skin, predicted: &Predicted, from: &Appearance) -> Array2<f32> {
    Array2::from_shape_fn(predicted.picture.dim(), |(row, column)| {
        let at = (row, column);
        match predicted.support[at] {
            Support::Known => predicted.picture[at],
            Support::Unseen | Support::Foreign => {
                let facing = predicted.raster.surface_point(camera, skin, row, column).map_or(0.0, |p| p.facing.abs());
                BARE[0] + (BARE[1] - BARE[0]) * facing.min(1.0)
            }
            Support::Background if was_left(predicted, from, at) => STRIPES[(row + column) / STRIPE_PX % 2],
            Support::Background => predicted.picture[at],
        }
    })
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
    use crate::vision::predict;

    #[test]
    fn what_the_mesh_leaves_behind_is_not_shown_as_if_it_still_stood_there() {
        let camera = Camera {
            width: 160,
            height: 120,
            intrinsics: Intrinsics { fx: 200.0, fy: 200.0, cx: 80.0, cy: 60.0 },
            distortion: Distortion::default(),
            pose: Pose {
                rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
                translation_mm: [0.0, 0.0, 200.0],
            },
        };
        let skin = Skin { triangles: vec![[0, 1, 2], [0, 2, 3]], element_of: vec![0, 0] };
        let plate = |top: f32| vec![[-40.0, top, 0.0], [40.0, top, 0.0], [40.0, 40.0, 0.0], [-40.0, 40.0, 0.0]];
        let look = Appearance::new(&camera, &skin, plate(-40.0), Array2::from_elem((120, 160), 0.9));
        // Crushed to half its height.
        let predicted = predict(&camera, &skin, &plate(0.0), &look);
        let shown = shown_to_people(&camera, &skin, &predicted, &look);
        assert!((predicted.picture[(40, 80)] - 0.9).abs() < 1e-6 && STRIPES.contains(&shown[(40, 80)]), "left behind");
        assert!((shown[(80, 80)] - 0.9).abs() < 1e-3, "the plate itself");
        assert!((shown[(40, 10)] - 0.9).abs() < 1e-6, "the background");
        assert!((shown[(101, 80)] - 0.9).abs() < 1e-6, "beside an edge that has stayed");
        let mut unseen = predicted;
        unseen.support.fill(Support::Unseen);
        let bare = shown_to_people(&camera, &skin, &unseen, &look)[(80, 80)];
        assert!(bare > 0.5 && bare <= BARE[1], "a surface that is seen from its front: {bare}");
    }
}
