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
/// With so many targets, and the measured pose as a prior, the outline would only add its own errors.
const ENOUGH_TARGETS: usize = 3;
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
    let mut estimate = refine_pose(&PinholeView::new(camera).camera, &targets, prior);
    let mut source = if targets.is_empty() { PoseSource::Record } else { PoseSource::Targets };
    if let Some(e) = &estimate {
        trust_targets(record, e)?;
    }
    let pose = estimate.as_ref().map_or(start, |e| e.pose);
    check_coverage(record, skin, undeformed_mm, &camera.at(pose))?;
    if targets.len() < ENOUGH_TARGETS
        && let Some(with_outline) = refine_on_outline(record, skin, undeformed_mm, frame_zero, &camera, pose, prior)?
    {
        estimate = Some(with_outline);
        source = if targets.is_empty() { PoseSource::Outline } else { PoseSource::TargetsAndOutline };
    }
    Ok(summarise(record, undeformed_mm, &camera, estimate.as_ref(), targets.len(), source))
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

fn target_sightings(record: &CameraRecord, view: &PinholeView) -> Vec<Sighting> {
    record
        .targets
        .iter()
        .map(|t| Sighting {
            world_mm: t.world_mm,
            pixel: view.canvas_from_picture(t.image_px),
            across: None,
            sigma_px: TARGET_SIGMA_PX,
        })
        .collect()
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

/// Targets and outline together; `None` when frame 0 shows too few edges to say anything.
fn refine_on_outline(
    record: &CameraRecord,
    skin: &Skin,
    undeformed_mm: &[[f32; 3]],
    frame_zero: &Array2<f32>,
    camera: &Camera,
    from: Pose,
    prior: Option<PosePrior>,
) -> Result<Option<PoseEstimate>, AlignError> {
    const FEWEST_EDGES: usize = 40;
    let mut pose = from;
    let mut best = None;
    for reach_px in [10.0, 7.0, 5.0, 4.0] {
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
    let centre = centroid(undeformed_mm);
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

fn centroid(positions_mm: &[[f32; 3]]) -> [f64; 3] {
    let n = positions_mm.len().max(1) as f64;
    std::array::from_fn(|i| positions_mm.iter().map(|p| f64::from(p[i])).sum::<f64>() / n)
}
