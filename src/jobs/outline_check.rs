//! Is this the mesh that was filmed? Its outline in frame 0 says so, before anything is measured.
//!
//! Where targets place a camera well, the outline of the undeformed mesh lies on an edge of the picture. How strong that
//! edge is says little: a light part on a light floor shows less of it than a painted surface shows everywhere. So the
//! edge on the outline is ranked among those beside it, on the side that is less restless: by chance it is the stronger one
//! every second time. In 97 films it is in 70 % and more for the right mesh, in 200 pairs with meshes of other structures
//! in 61 % at most; in 54 films without targets, where the outline itself places the cameras, in 67 % and more against 65 %
//! at most.

use rayon::prelude::*;

use super::error::ReviewError;
use super::review_test::ReviewRequest;
use crate::domain::CameraRecord;
use crate::geom::{Camera, PinholeView, rasterise};
use crate::review::{ReviewSetup, ReviewSource, SessionError, align_camera};
use crate::vision::{Prominence, Tone, canvas_picture, outline_prominence};

/// How far to both sides of the outline edges are compared, px.
const REACH_PX: f64 = 14.0;
/// Every how many pixels of the outline.
const STRIDE: usize = 2;
/// Fewer places say nothing: the structure fills the picture.
const FEWEST_PLACES: usize = 100;
/// How often the edge on the outline must be the stronger one, over all cameras.
const LEAST_STRONGER: f64 = 0.63;

/// A camera that shows the outline no better than this, where another one shows it, has other pictures.
const BY_CHANCE: f64 = 0.55;

/// Refuses a mesh whose outline is not in frame 0; of the cameras that do not show it, where others do, it returns a
/// warning each.
///
/// # Errors
/// [`ReviewError::OtherMesh`] with what was found and expected; what keeps a camera from being placed.
pub(super) fn check_outline(
    request: &ReviewRequest,
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
) -> Result<Vec<String>, ReviewError> {
    let failed =
        |source| ReviewError::Session { test: request.test.clone(), simulation: request.simulation.clone(), source };
    let undeformed = source.simulated_mm(setup.state_times_s[0]).map_err(|e| failed(SessionError::Source(e)))?;
    let seen: Vec<Prominence> = setup
        .cameras
        .par_iter()
        .enumerate()
        .map(|(index, record)| prominence(setup, source, &undeformed, index, record))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let outline = seen.iter().copied().fold(Prominence::default(), Prominence::and);
    let of_camera = || setup.cameras.iter().map(|c| c.name.as_str()).zip(&seen);
    if outline.places >= FEWEST_PLACES && outline.stronger() < LEAST_STRONGER {
        return Err(ReviewError::OtherMesh {
            simulation: request.simulation.clone(),
            test: request.test.clone(),
            places: outline.places,
            stronger_percent: 100.0 * outline.stronger(),
            by_camera: of_camera()
                .map(|(name, own)| format!("{name}: {:.0} %", 100.0 * own.stronger()))
                .collect::<Vec<_>>()
                .join(", "),
            least_percent: 100.0 * LEAST_STRONGER,
        });
    }
    let strange = of_camera().filter(|(_, own)| own.places >= FEWEST_PLACES && own.stronger() < BY_CHANCE);
    Ok(strange.map(|(name, own)| does_not_show(name, *own)).collect())
}

fn does_not_show(camera: &str, outline: Prominence) -> String {
    format!(
        "camera {camera} does not show the mesh's outline in frame 0 (the picture's edge is stronger there than beside it at \
         {:.0} % of {} places, by chance 50 %): check that its pictures are of this test, of the size that its intrinsics \
         mean, and no noise",
        100.0 * outline.stronger(),
        outline.places
    )
}

/// How much the mesh's outline stands out in frame 0 of a camera.
fn prominence(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    undeformed: &[[f32; 3]],
    index: usize,
    record: &CameraRecord,
) -> Result<Prominence, SessionError> {
    let picture = source.picture(index, 0).map_err(SessionError::Source)?;
    let picture = Tone::from_picture(&picture).apply(&picture);
    let alignment = align_camera(record, setup.skin, undeformed, &picture)?;
    let view = PinholeView::new(Camera::from_record(record, alignment.pose));
    let picture = canvas_picture(&view, &picture)?;
    let raster = rasterise(&view.camera, setup.skin, undeformed);
    Ok(outline_prominence(&raster, &picture, REACH_PX, STRIDE))
}
