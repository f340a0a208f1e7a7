//! Is this the mesh that was filmed? Its outline in frame 0 says so, before anything is measured.
//!
//! Where targets place a camera well, the outline of the undeformed mesh must lie on edges of the picture. Edges are
//! looked for far to both sides: an outline that is not there finds edges of other things anywhere within the reach,
//! one that is there finds its own close by. On the shared tests 55–70 % of the edges lie close for the right mesh and
//! at most 22 % for meshes of other structures; by chance it would be 14 %.

use rayon::prelude::*;

use super::error::ReviewError;
use super::review_test::ReviewRequest;
use crate::domain::CameraRecord;
use crate::geom::{Camera, PinholeView, rasterise};
use crate::review::{ReviewSetup, ReviewSource, SessionError, align_camera};
use crate::vision::{OutlineOptions, Tone, canvas_picture, outline_sightings};

/// Cameras with fewer targets are placed by the outline itself, which then cannot judge the mesh.
const TARGETS: usize = 3;
/// How far to both sides of the outline edges are looked for, px.
const REACH_PX: f64 = 14.0;
/// An edge that lies no farther than this from the outline is the outline's, px.
const CLOSE_PX: f64 = 2.0;
/// Fewer edges say nothing: the structure fills the picture, or does not stand out from what is behind it.
const FEWEST_EDGES: usize = 40;
/// Least share of close edges, over all cameras.
const LEAST_SHARE: f64 = 0.33;

/// Refuses a mesh whose outline is not in frame 0.
///
/// # Errors
/// [`ReviewError::OtherMesh`] with the shares found and expected; what keeps a camera from being placed.
pub(super) fn check_outline(
    request: &ReviewRequest,
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
) -> Result<(), ReviewError> {
    let failed =
        |source| ReviewError::Session { test: request.test.clone(), simulation: request.simulation.clone(), source };
    let undeformed = source.simulated_mm(setup.state_times_s[0]).map_err(|e| failed(SessionError::Source(e)))?;
    let distances: Vec<Vec<f64>> = setup
        .cameras
        .par_iter()
        .enumerate()
        .filter(|(_, record)| record.targets.len() >= TARGETS)
        .map(|(index, record)| distances_px(setup, source, &undeformed, index, record))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    let edges: usize = distances.iter().map(Vec::len).sum();
    let close = distances.iter().flatten().filter(|d| **d < CLOSE_PX).count();
    let share = close as f64 / edges.max(1) as f64;
    if edges >= FEWEST_EDGES && share < LEAST_SHARE {
        return Err(ReviewError::OtherMesh {
            simulation: request.simulation.clone(),
            test: request.test.clone(),
            edges,
            share_percent: 100.0 * share,
            close_px: CLOSE_PX,
            least_percent: 100.0 * LEAST_SHARE,
        });
    }
    Ok(())
}

/// Distances of the picture's edges from the outline in frame 0, px.
fn distances_px(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    undeformed: &[[f32; 3]],
    index: usize,
    record: &CameraRecord,
) -> Result<Vec<f64>, SessionError> {
    let picture = source.picture(index, 0).map_err(SessionError::Source)?;
    let picture = Tone::from_picture(&picture).apply(&picture);
    let alignment = align_camera(record, setup.skin, undeformed, &picture)?;
    let view = PinholeView::new(Camera::from_record(record, alignment.pose));
    let picture = canvas_picture(&view, &picture)?;
    let raster = rasterise(&view.camera, setup.skin, undeformed);
    let options = OutlineOptions { reach_px: REACH_PX, stride: 2, sigma_px: 1.0 };
    let edges = outline_sightings(&view.camera, setup.skin, &raster, undeformed, &picture, options);
    Ok(edges
        .iter()
        .filter_map(|edge| {
            let expected = view.camera.pinhole_pixel_from_world(edge.world_mm);
            let [nx, ny] = edge.across?;
            Some(((edge.pixel[0] - expected.x) * nx + (edge.pixel[1] - expected.y) * ny).abs())
        })
        .collect())
}
