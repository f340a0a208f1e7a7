//! One camera, one moment: how far each surface point is from where the mesh expects it.

use nalgebra::{Matrix2, Vector2};
use ndarray::{Array2, Zip};
use rayon::prelude::*;

use super::lift::Sighting;
use crate::geom::{PinholeView, Skin, SurfacePoint};
use crate::vision::{
    Appearance, Paint, PatchMatch, PatchMatcher, PicturePair, Predicted, ResidualEstimator, Support, Tone, VisionError,
    Window, local_contrast, predict, relight,
};

/// Pixels around the specimen that are looked at, too: room for the largest residual that a model is trained for (40 px)
/// with half a patch.
const MARGIN_PX: usize = 48;
/// Distance between measured pixels, px.
const STRIDE: usize = 4;
/// A patch of 15×15 px is shared by this many neighbours at [`STRIDE`]: each may only claim its share of precision.
const OVERLAP: f64 = 14.0;
/// Neighbouring pixels of a patch are one surface when their depths differ by less than this share.
const SAME_SURFACE: f32 = 0.012;
/// Dense estimate and patch must agree to this many px.
const AGREE_PX: f32 = 1.5;
/// A patch that correlates less than this shows something else.
const LOWEST_ZNCC: f32 = 0.6;
/// Where the dense estimate is lost, a match this near to where it is expected, px, is taken if it correlates so well.
const NEAR_PX: f32 = 2.5;
pub(super) const NEAR_ZNCC: f32 = 0.75;
/// Below this contrast (share of the toned scale) sensor noise alone correlates.
const LOWEST_CONTRAST: f32 = 0.03;

/// Which frame lent the look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Frame 0: nothing can drift.
    First,
    /// The frame before: nearly the same light and folds, but errors add up.
    Last,
}

/// A camera during a review.
#[derive(Debug, Clone)]
pub struct CameraTrack {
    /// Lens-free canvas at the refined pose.
    pub view: PinholeView,
    /// Grey scale of the film.
    pub tone: Tone,
    /// The look of the undeformed structure.
    pub first: Appearance,
    /// The look one frame ago.
    pub last: Option<Appearance>,
}

/// A measured point before it is believed.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Row on the canvas of the predicted picture.
    pub row: usize,
    /// Column.
    pub column: usize,
    /// Where on the surface.
    pub point: SurfacePoint,
    /// What the patch said.
    pub patch: PatchMatch,
    /// Which look matched.
    pub look: Look,
    /// The measurement for the lift.
    pub sighting: Sighting,
}

/// A camera's picture at one moment with its paint, which all looks at it share.
#[derive(Debug, Clone, Copy)]
pub struct RealPicture<'a> {
    /// On the camera's canvas, toned.
    pub picture: &'a Array2<f32>,
    /// Its local contrast.
    pub paint: &'a Paint,
}

/// Measures all points of `track` that the mesh at `positions_mm` shows, with the look of `look`.
///
/// `noise_px` is the part of a sighting's error that patches share and cannot see themselves (lens, pose, drift).
///
/// # Errors
/// When the estimator fails.
#[expect(clippy::too_many_arguments, reason = "a camera, a moment and an estimator, each used once")]
pub fn measure(
    camera: usize,
    track: &CameraTrack,
    look: Look,
    skin: &Skin,
    positions_mm: &[[f32; 3]],
    real: RealPicture<'_>,
    estimator: &dyn ResidualEstimator,
    noise_px: f64,
) -> Result<(Predicted, Vec<Candidate>), VisionError> {
    let from = match look {
        Look::First => &track.first,
        Look::Last => track.last.as_ref().unwrap_or(&track.first),
    };
    let mut predicted = predict(&track.view.camera, skin, positions_mm, from);
    relight(&mut predicted, &track.view.camera, skin, positions_mm, from, real.picture, &track.tone);
    let known = predicted.support.mapv(|s| s == Support::Known);
    let Some(window) = Window::around(&known, MARGIN_PX) else { return Ok((predicted, Vec::new())) };
    let found = match_patches(&window, &predicted, real, estimator)?;
    let candidates = found
        .into_par_iter()
        .filter_map(|Found { row, column, patch }| {
            let (h, w) = real.picture.dim();
            let seen_at = [column as f32 + patch.shift[0], row as f32 + patch.shift[1]];
            if !track.view.is_inside((seen_at[1] as usize).min(h - 1), (seen_at[0] as usize).min(w - 1)) {
                return None;
            }
            let point = predicted.raster.surface_point(&track.view.camera, skin, row, column)?;
            let sighting = sighting(camera, track, skin, positions_mm, &point, &patch, noise_px)?;
            Some(Candidate { row, column, point, patch, look, sighting })
        })
        .collect();
    Ok((predicted, candidates))
}

/// A patch that was found again in the real picture.
struct Found {
    /// Row in the whole predicted picture.
    row: usize,
    /// Column.
    column: usize,
    patch: PatchMatch,
}

/// The patches of `window` that are found again in the real picture.
fn match_patches(
    window: &Window,
    predicted: &Predicted,
    real: RealPicture<'_>,
    estimator: &dyn ResidualEstimator,
) -> Result<Vec<Found>, VisionError> {
    let (picture, seen, support) =
        (window.cut(&predicted.picture), window.cut(real.picture), window.cut(&predicted.support));
    let picture = with_unseen_from(&seen, &picture, &support);
    let (paint, real_paint) = (local_contrast(&picture)?, window.cut(real.paint));
    let visible = support.mapv(|s| if s == Support::Known { 1.0 } else { 0.0 });
    let pair = PicturePair { predicted: &picture, real: &seen, visible: &visible };
    let dense = estimator.estimate_painted(pair, &paint, &real_paint)?;
    let matcher = PatchMatcher::new(&paint, &real_paint);
    let depths = window.cut(&predicted.raster.depth_mm);
    let matched = |(row, column): (usize, usize)| {
        let same = same_surface(&support, &depths, (row, column));
        let from = |start: [f32; 2], agree: f32, lowest: f32| {
            let patch = matcher.refine(row, column, start, &same)?;
            let moved = (patch.shift[0] - start[0]).hypot(patch.shift[1] - start[1]);
            (patch.zncc >= lowest && patch.contrast >= LOWEST_CONTRAST && moved <= agree).then_some(patch)
        };
        let flow = [dense.flow[(0, row, column)], dense.flow[(1, row, column)]];
        let by_flow = if dense.present[(row, column)] > 0.5 { from(flow, AGREE_PX, LOWEST_ZNCC) } else { None };
        by_flow.or_else(|| from([0.0; 2], NEAR_PX, NEAR_ZNCC))
    };
    let (h, w) = real.picture.dim();
    let on_grid = |range: &std::ops::Range<usize>, length: usize| -> Vec<usize> {
        (STRIDE..length.saturating_sub(STRIDE)).step_by(STRIDE).filter(|at| range.contains(at)).collect()
    };
    let (rows, columns) = (on_grid(&window.rows, h), on_grid(&window.columns, w));
    Ok(rows
        .into_par_iter()
        .flat_map_iter(|row| columns.iter().map(move |column| (row, *column)))
        .filter_map(|(row, column)| {
            let within = (row - window.rows.start, column - window.columns.start);
            (support[within] == Support::Known).then(|| matched(within)).flatten().map(|patch| Found {
                row,
                column,
                patch,
            })
        })
        .collect())
}

/// Which pixels show the same surface as the one `at`, with a known look.
pub(super) fn same_surface(
    support: &Array2<Support>,
    depths_mm: &Array2<f32>,
    at: (usize, usize),
) -> impl Fn(usize, usize) -> bool {
    let depth = depths_mm[at];
    move |r, c| support[(r, c)] == Support::Known && (depths_mm[(r, c)] - depth).abs() < SAME_SURFACE * depth
}

/// `predicted` with the real picture where the mesh has a surface that the frame which lent the look did not show: what
/// stood there then would leave its halo in the paint of the surfaces around.
pub(super) fn with_unseen_from(real: &Array2<f32>, predicted: &Array2<f32>, support: &Array2<Support>) -> Array2<f32> {
    Zip::from(real).and(predicted).and(support).map_collect(|real, predicted, support| match support {
        Support::Unseen => *real,
        Support::Known | Support::Foreign | Support::Background => *predicted,
    })
}

fn sighting(
    camera: usize,
    track: &CameraTrack,
    skin: &Skin,
    positions_mm: &[[f32; 3]],
    point: &SurfacePoint,
    patch: &PatchMatch,
    noise_px: f64,
) -> Option<Sighting> {
    let nodes = skin.triangles[point.triangle as usize];
    let world = crate::vision::blend(positions_mm, nodes, point.barycentric);
    let [xx, xy, yy] = patch.covariance.map(f64::from);
    let floor = noise_px * noise_px;
    let covariance = (Matrix2::new(xx, xy, xy, yy) + Matrix2::identity() * floor) * OVERLAP;
    Some(Sighting {
        camera,
        nodes,
        weights: point.barycentric,
        pixel_per_world: track.view.camera.pixel_per_world(world),
        residual_px: Vector2::new(f64::from(patch.shift[0]), f64::from(patch.shift[1])),
        information: covariance.try_inverse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_frame_0_did_not_show_of_the_mesh_is_filled_from_the_real_picture() {
        let support = ndarray::arr2(&[[Support::Known, Support::Unseen], [Support::Foreign, Support::Background]]);
        let (real, predicted) = (Array2::from_elem((2, 2), 0.9), Array2::from_elem((2, 2), 0.2));
        let filled = with_unseen_from(&real, &predicted, &support);
        assert_eq!(filled, ndarray::arr2(&[[0.2, 0.9], [0.2, 0.2]]));
    }
}
