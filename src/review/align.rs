//! Where each camera really stood, before anything is measured.

use ndarray::Array2;

use crate::domain::{CameraAlignment, CameraRecord, Pose, PoseSource};
use crate::geom::pose::{PoseError, PoseEstimate, PosePrior, Sighting, pose_from_targets, refine_pose};
use crate::geom::{Camera, PinholeView, Skin, rasterise};
use crate::vision::{OutlineOptions, VisionError, canvas_picture, outline_sightings};

/// A camera that cannot be placed.
#[derive(Debug, thiserror::Error)]
pub enum AlignError {
    /// Neither a pose nor enough targets.
    #[error("camera '{camera}' has no pose and its targets do not give one")]
    NoPose {
        /// The camera.
        camera: String,
        /// Why.
        source: PoseError,
    },
    /// Targets and pose contradict each other.
    #[error(
        "camera '{camera}': its {count} reference targets lie {rms_px:.1} px (rms) from where the best pose shows them; \
         at most {limit_px:.1} px is trusted: check the targets' world and image rows, the intrinsics and the pose"
    )]
    TargetsDisagree {
        /// The camera.
        camera: String,
        /// How many targets.
        count: usize,
        /// What is left, px.
        rms_px: f64,
        /// What would be trusted, px.
        limit_px: f64,
    },
    /// The outline in frame 0 is not where the mesh is.
    #[error(
        "camera '{camera}': the outline of the undeformed mesh lies {rms_px:.1} px (rms over {count} edges) from the \
         edges of frame 0; at most {limit_px:.1} px is trusted: check the pose, or whether this mesh was tested"
    )]
    OutlineDisagrees {
        /// The camera.
        camera: String,
        /// How many edges were found.
        count: usize,
        /// What is left, px.
        rms_px: f64,
        /// What would be trusted, px.
        limit_px: f64,
    },
    /// The camera does not see the structure.
    #[error(
        "camera '{camera}' looks away: the undeformed mesh covers {covered} of its {pixels} pixels, at least {least} \
         are needed: check the pose (world-to-camera, OpenCV axes) and that lengths are in the same unit"
    )]
    LooksAway {
        /// The camera.
        camera: String,
        /// Pixels that show the mesh.
        covered: usize,
        /// Pixels of the picture.
        pixels: usize,
        /// Pixels needed.
        least: usize,
    },
    /// Targets that this picture cannot show.
    #[error(
        "camera '{camera}': {outside} of its {count} reference targets lie outside its picture of {width} x {height} px, \
         or where its lens model folds; expected most of them inside: check that pictures, intrinsics, lens and targets \
         are of the same size and camera"
    )]
    TargetsOutside {
        /// The camera.
        camera: String,
        /// How many of its targets.
        outside: usize,
        /// How many targets.
        count: usize,
        /// Picture width, px.
        width: usize,
        /// Picture height, px.
        height: usize,
    },
    /// The structure is behind the camera.
    #[error(
        "camera '{camera}': the middle of the mesh lies {behind_mm:.0} mm behind it; expected in front: check the pose \
         (world-to-camera, OpenCV axes) and that lengths are in the same unit"
    )]
    Behind {
        /// The camera.
        camera: String,
        /// How far, mm.
        behind_mm: f64,
    },
    /// A picture could not be worked on.
    #[error("camera '{camera}': frame 0 could not be worked on")]
    Vision {
        /// The camera.
        camera: String,
        /// Why.
        source: VisionError,
    },
}

/// 1-sigma of a target's position in the picture, px: what quadrant trackers reach on sharp targets.
const TARGET_SIGMA_PX: f64 = 0.25;
/// Targets that disagree by more than this, rms, make a pose untrustworthy, px.
const TARGET_LIMIT_PX: f64 = 3.0;
/// The same for the outline; edges of a picture are rougher than targets.
const OUTLINE_LIMIT_PX: f64 = 4.0;
/// So few targets never place a camera alone.
const ENOUGH_TARGETS: usize = 3;
/// Where targets and prior tell so well where the specimen's middle is in the picture, 1-sigma, px, the outline would only
/// add its own errors. Targets on a far wall or in a row leave more: one knows where they are, not where the camera is.
const WELL_PLACED_PX: f64 = 0.45;
/// A specimen on fewer pixels cannot be measured.
const LEAST_COVERED: usize = 400;

/// The refined pose of a camera; its time offset is still open (zero, with no sigma).
///
/// # Errors
/// When no pose can be had, or the best one cannot be trusted.
pub fn align_camera(
    record: &CameraRecord,
    skin: &Skin,
    undeformed_mm: &[[f32; 3]],
    frame_zero: &Array2<f32>,
) -> Result<CameraAlignment, AlignError> {
    let (start, prior) = starting_pose(record)?;
    let camera = Camera::from_record(record, start);
    let targets = target_sightings(record, &PinholeView::new(camera));
    trust_places(record, targets.len())?;
    let mut estimate = refine_pose(&PinholeView::new(camera).camera, &targets, prior);
    let mut source = if targets.is_empty() { PoseSource::Record } else { PoseSource::Targets };
    match &estimate {
        Some(e) => trust_targets(record, e)?,
        // The start has no other support than the targets, and they do not hold it.
        None if record.pose.is_none() => {
            let source = PoseError::NoSolution { count: targets.len() };
            return Err(AlignError::NoPose { camera: record.name.clone(), source });
        }
        None => {}
    }
    let pose = estimate.as_ref().map_or(start, |e| e.pose);
    check_coverage(record, skin, undeformed_mm, &camera.at(pose))?;
    let centre = middle(undeformed_mm);
    check_ahead(record, &camera.at(pose), centre)?;
    let sigma_px = estimate.as_ref().map_or(f64::INFINITY, |e| e.sigma_px_at(&camera.at(pose), centre));
    let is_placed = targets.len() >= ENOUGH_TARGETS && sigma_px < WELL_PLACED_PX;
    if !is_placed
        && let Some(with_outline) =
            refine_on_outline(record, skin, undeformed_mm, frame_zero, &camera, pose, (prior, sigma_px))?
        && (targets.len() < ENOUGH_TARGETS || agrees(&camera, pose, &with_outline, centre, sigma_px))
    {
        estimate = Some(with_outline);
        source = if targets.is_empty() { PoseSource::Outline } else { PoseSource::TargetsAndOutline };
    }
    Ok(summarise(record, undeformed_mm, &camera, estimate.as_ref(), targets.len(), source))
}

/// Whether the outline moves the specimen's middle no farther than the targets' own doubt, so that it is the mesh's outline
/// and not the edge of what stands beside it.
fn agrees(camera: &Camera, by_targets: Pose, with_outline: &PoseEstimate, centre: [f64; 3], sigma_px: f64) -> bool {
    const SIGMAS: f64 = 3.0;
    let at = |pose| camera.at(pose).pinhole_pixel_from_world(centre);
    let (before, after) = (at(by_targets), at(with_outline.pose));
    (after.x - before.x).hypot(after.y - before.y) < SIGMAS * sigma_px
}

/// The recorded pose with its prior, or the pose that the targets give.
fn starting_pose(record: &CameraRecord) -> Result<(Pose, Option<PosePrior>), AlignError> {
    if let Some(pose) = record.pose {
        return Ok((pose, Some(PosePrior::default())));
    }
    pose_from_targets(&record.targets, &record.intrinsics, &record.distortion)
        .map(|pose| (pose, None))
        .map_err(|source| AlignError::NoPose { camera: record.name.clone(), source })
}

/// The targets that the picture can show.
fn target_sightings(record: &CameraRecord, view: &PinholeView) -> Vec<Sighting> {
    let shown = record.targets.iter().filter(|t| is_shown(record, view, t.image_px));
    shown
        .map(|t| Sighting {
            world_mm: t.world_mm,
            pixel: view.canvas_from_picture(t.image_px),
            across: None,
            sigma_px: TARGET_SIGMA_PX,
        })
        .collect()
}

/// Whether a place lies in the picture, where the lens model can be turned back.
fn is_shown(record: &CameraRecord, view: &PinholeView, [x, y]: [f64; 2]) -> bool {
    /// A target at the very rim may be measured a little outside.
    const RIM_PX: f64 = 8.0;
    const SAME_PX: f64 = 0.5;
    let inside = |at: f64, size: usize| at > -RIM_PX && at < size as f64 + RIM_PX;
    let [u, v] = view.picture_from_canvas(view.canvas_from_picture([x, y]));
    inside(x, record.width) && inside(y, record.height) && (u - x).hypot(v - y) < SAME_PX
}

/// Refuses a camera most of whose targets its picture cannot show.
fn trust_places(record: &CameraRecord, shown: usize) -> Result<(), AlignError> {
    let count = record.targets.len();
    if 2 * shown >= count {
        return Ok(());
    }
    let (width, height) = (record.width, record.height);
    Err(AlignError::TargetsOutside { camera: record.name.clone(), outside: count - shown, count, width, height })
}

fn trust_targets(record: &CameraRecord, estimate: &PoseEstimate) -> Result<(), AlignError> {
    let lengths: Vec<f64> = estimate.residuals_px.iter().map(|[x, y]| x.hypot(*y)).collect();
    // A single wrong target among many is outvoted and reported; half of them wrong is a wrong camera.
    let far = lengths.iter().filter(|l| **l > TARGET_LIMIT_PX).count();
    let rms_px = estimate.rms_px(0..lengths.len()).unwrap_or(0.0);
    if 2 * far > lengths.len() || (lengths.len() < ENOUGH_TARGETS && rms_px > TARGET_LIMIT_PX) {
        return Err(AlignError::TargetsDisagree {
            camera: record.name.clone(),
            count: lengths.len(),
            rms_px,
            limit_px: TARGET_LIMIT_PX,
        });
    }
    Ok(())
}

fn check_coverage(
    record: &CameraRecord,
    skin: &Skin,
    undeformed_mm: &[[f32; 3]],
    camera: &Camera,
) -> Result<(), AlignError> {
    let covered = rasterise(&PinholeView::new(*camera).camera, skin, undeformed_mm).covered();
    if covered < LEAST_COVERED {
        let pixels = record.width * record.height;
        return Err(AlignError::LooksAway { camera: record.name.clone(), covered, pixels, least: LEAST_COVERED });
    }
    Ok(())
}

/// Refuses a camera with the specimen behind it.
fn check_ahead(record: &CameraRecord, camera: &Camera, centre_mm: [f64; 3]) -> Result<(), AlignError> {
    let depth_mm = camera.pinhole_pixel_from_world(centre_mm).depth_mm;
    if depth_mm > 0.0 {
        return Ok(());
    }
    Err(AlignError::Behind { camera: record.name.clone(), behind_mm: -depth_mm })
}

/// Targets and outline together; `None` when frame 0 shows too few edges to say anything.
fn refine_on_outline(
    record: &CameraRecord,
    skin: &Skin,
    undeformed_mm: &[[f32; 3]],
    frame_zero: &Array2<f32>,
    camera: &Camera,
    from: Pose,
    (prior, sigma_px): (Option<PosePrior>, f64),
) -> Result<Option<PoseEstimate>, AlignError> {
    const FEWEST_EDGES: usize = 40;
    const REACH_PX: [f64; 4] = [10.0, 7.0, 5.0, 4.0];
    const REACH_SIGMAS: f64 = 4.0;
    let mut pose = from;
    let mut best = None;
    // Farther than the pose may be off lie the edges of other things.
    let farthest_px = REACH_PX[REACH_PX.len() - 1].max(REACH_SIGMAS * sigma_px);
    for reach_px in REACH_PX.into_iter().filter(|reach| *reach <= farthest_px) {
        let view = PinholeView::new(camera.at(pose));
        let picture = canvas_picture(&view, frame_zero)
            .map_err(|source| AlignError::Vision { camera: record.name.clone(), source })?;
        let raster = rasterise(&view.camera, skin, undeformed_mm);
        let options = OutlineOptions { reach_px, stride: 3, sigma_px: 2.5 };
        let edges = outline_sightings(&view.camera, skin, &raster, undeformed_mm, &picture, options);
        if edges.len() < FEWEST_EDGES {
            return Ok(None);
        }
        let mut all = target_sightings(record, &view);
        let targets = all.len();
        all.extend(edges);
        // The prior belongs to the recorded pose, so every round starts from there.
        let Some(estimate) = refine_pose(&PinholeView::new(*camera).camera, &all, prior) else { return Ok(None) };
        pose = estimate.pose;
        best = Some((estimate, targets));
    }
    let Some((estimate, targets)) = best else { return Ok(None) };
    let edges = targets..estimate.residuals_px.len();
    let (count, rms_px) = (edges.len(), estimate.rms_px(edges).unwrap_or(0.0));
    if rms_px > OUTLINE_LIMIT_PX {
        return Err(AlignError::OutlineDisagrees {
            camera: record.name.clone(),
            count,
            rms_px,
            limit_px: OUTLINE_LIMIT_PX,
        });
    }
    Ok(Some(estimate))
}

fn summarise(
    record: &CameraRecord,
    undeformed_mm: &[[f32; 3]],
    camera: &Camera,
    estimate: Option<&PoseEstimate>,
    targets: usize,
    pose_source: PoseSource,
) -> CameraAlignment {
    let pose = estimate.map_or(camera.pose, |e| e.pose);
    let centre = middle(undeformed_mm);
    let (before, after) = (camera.pinhole_pixel_from_world(centre), camera.at(pose).pinhole_pixel_from_world(centre));
    let residuals = estimate.map_or(Vec::new(), |e| e.residuals_px[..targets].to_vec());
    CameraAlignment {
        pose,
        pose_sigma: estimate.map_or_else(
            || {
                let p = PosePrior::default();
                [p.rotation_sigma_rad; 3]
                    .into_iter()
                    .chain([p.translation_sigma_mm; 3])
                    .collect::<Vec<_>>()
                    .try_into()
                    .expect("three and three are six, else a bug")
            },
            PoseEstimate::sigma,
        ),
        pose_source,
        time_offset_s: 0.0,
        time_offset_sigma_s: 0.0,
        target_rms_px: estimate.and_then(|e| e.rms_px(0..targets)),
        target_residuals_px: residuals,
        moved_px: (after.x - before.x).hypot(after.y - before.y),
        mm_per_px: after.depth_mm / record.intrinsics.fx,
    }
}

/// The median of the nodes, axis by axis, mm: one node that is far from all others does not move it.
fn middle(positions_mm: &[[f32; 3]]) -> [f64; 3] {
    std::array::from_fn(|axis| {
        let mut along: Vec<f32> = positions_mm.iter().map(|p| p[axis]).collect();
        let half = along.len() / 2;
        if along.is_empty() { 0.0 } else { f64::from(*along.select_nth_unstable_by(half, f32::total_cmp).1) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Distortion, Intrinsics, TargetMark};
    use crate::geom::NO_TRIANGLE;

    /// A plate 500 mm before the camera, which is recorded 2 mm beside its place.
    fn record(targets_mm: &[[f64; 3]]) -> (CameraRecord, Camera) {
        let turned = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        let pose = |x: f64| Pose { rotation: turned, translation_mm: [x, 0.0, 500.0] };
        let intrinsics = Intrinsics { fx: 500.0, fy: 500.0, cx: 160.0, cy: 120.0 };
        let mut record = CameraRecord {
            name: "left".into(),
            width: 320,
            height: 240,
            intrinsics,
            distortion: Distortion::default(),
            pose: Some(pose(2.0)),
            targets: Vec::new(),
            times_s: vec![0.0],
        };
        let truth = Camera::from_record(&record, pose(0.0));
        let mark = |p: &[f64; 3]| {
            let q = truth.pinhole_pixel_from_world(*p);
            TargetMark { world_mm: *p, image_px: [q.x, q.y] }
        };
        record.targets = targets_mm.iter().map(mark).collect();
        (record, truth)
    }

    const PLATE_MM: [[f32; 3]; 4] = [[-80.0, -60.0, 0.0], [90.0, -50.0, 0.0], [80.0, 60.0, 0.0], [-90.0, 50.0, 0.0]];

    fn align(record: &CameraRecord, truth: &Camera) -> Result<CameraAlignment, AlignError> {
        let skin = Skin { triangles: vec![[0, 1, 2], [0, 2, 3]], element_of: vec![0, 0] };
        let seen = rasterise(truth, &skin, &PLATE_MM);
        let picture = Array2::from_shape_fn((240, 320), |at| if seen.triangle[at] == NO_TRIANGLE { 0.2 } else { 0.8 });
        align_camera(record, &skin, &PLATE_MM, &picture)
    }

    /// Four corners of a square, so far behind the plate.
    fn square(behind_mm: f64) -> [[f64; 3]; 4] {
        let half = 0.2 * (500.0 + behind_mm);
        [[-half, -half], [half, -half], [half, half], [-half, half]].map(|[x, y]| [x, y, behind_mm])
    }

    #[test]
    fn where_targets_leave_the_specimen_in_doubt_its_outline_tells_where_it_is() {
        let wrong_px = |targets_mm: &[[f64; 3]]| {
            let (record, truth) = record(targets_mm);
            let found = align(&record, &truth).expect("placed");
            let shown = |camera: &Camera| camera.pinhole_pixel_from_world([0.0; 3]).x;
            ((shown(&truth.at(found.pose)) - shown(&truth)).abs(), found.pose_source)
        };
        let (beside, by) = wrong_px(&square(0.0));
        assert!(beside < 0.05 && by == PoseSource::Targets, "{beside} px by {by:?}");
        // Targets on a far wall do not tell a camera that was moved from one that was turned.
        let (behind, by) = wrong_px(&square(8000.0));
        assert!(behind < 0.35 && by == PoseSource::TargetsAndOutline, "{behind} px by {by:?}");
    }

    #[test]
    fn targets_that_the_picture_cannot_show_are_refused() {
        let (mut record, truth) = record(&square(0.0));
        record.targets[0].image_px[0] += 5000.0;
        assert!(align(&record, &truth).is_ok(), "one of four");
        record.targets.iter_mut().for_each(|t| t.image_px[0] = 5000.0);
        let why = align(&record, &truth).expect_err("none is in the picture").to_string();
        assert!(why.contains("4 of its 4 reference targets") && why.contains("320 x 240 px"), "{why}");
    }

    #[test]
    fn a_specimen_behind_the_camera_is_refused() {
        let (mut record, truth) = record(&[]);
        // Where the camera stands among the parts it may still show some of them.
        record.pose.as_mut().expect("it has one").translation_mm[2] = -0.5;
        let why = align(&record, &truth).expect_err("behind").to_string();
        assert!(why.contains("camera 'left'"), "{why}");
    }

    #[test]
    fn one_far_node_does_not_move_the_middle() {
        let mut positions = PLATE_MM.to_vec();
        positions.push([9e6, 0.0, 0.0]);
        assert!(middle(&positions)[0].abs() <= 90.0);
    }
}
