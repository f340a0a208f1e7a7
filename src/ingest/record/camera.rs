//! Checks that every source of pictures shares: is this a camera?

use std::path::Path;

use crate::domain::{Distortion, Intrinsics, Pose, TargetMark};
use crate::ingest::error::IngestError;
use crate::ingest::limits::MAX_TIME_S;

/// How far a rotation matrix may be from orthonormal: written with few digits, not wrong.
const ROTATION_TOLERANCE: f64 = 1e-3;
/// Targets from which a pose can be found when none is given (PnP with one to spare).
pub(in crate::ingest) const MIN_TARGETS: usize = 4;

/// Where a value stands, for messages.
#[derive(Debug, Clone, Copy)]
pub(in crate::ingest) struct At<'a> {
    pub(in crate::ingest) file: &'a Path,
    pub(in crate::ingest) place: &'a str,
}

impl At<'_> {
    pub(in crate::ingest) fn refuse(
        &self,
        found: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        advice: impl std::fmt::Display,
    ) -> IngestError {
        IngestError::refused(self.file, self.place, found, expected, advice)
    }

    fn finite(&self, values: &[f64]) -> Result<(), IngestError> {
        match values.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(i) => Err(self.refuse(
                format_args!("{} at index {i}", values[i]),
                "finite numbers",
                "measure them again, or mend the file",
            )),
        }
    }
}

/// Intrinsics out of a 3 × 3 matrix, row by row, px.
///
/// # Errors
/// No positive focal lengths, skew, a last row other than 0 0 1, values that are not finite.
pub(in crate::ingest) fn intrinsics_of(at: At<'_>, m: &[f64; 9]) -> Result<Intrinsics, IngestError> {
    at.finite(m)?;
    let [fx, skew, cx, below, fy, cy, r0, r1, r2] = *m;
    let advice = "write the pin-hole matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in px";
    if fx <= 0.0 || fy <= 0.0 {
        return Err(at.refuse(format_args!("focal lengths {fx} and {fy}"), "positive focal lengths in px", advice));
    }
    // Calibrations that solve for a skew leave rounding behind; a real skew is not modelled.
    if skew.abs() > 1e-6 * fx || below != 0.0 {
        return Err(at.refuse(format_args!("skew {skew}, {below}"), "no skew", advice));
    }
    if [r0, r1, r2] != [0.0, 0.0, 1.0] {
        return Err(at.refuse(format_args!("last row {r0} {r1} {r2}"), "0 0 1", advice));
    }
    Ok(Intrinsics { fx, fy, cx, cy })
}

/// Lens out of 0, 4, 5 or 8 coefficients in OpenCV's order.
///
/// # Errors
/// Another number of them; values that are not finite.
pub(in crate::ingest) fn distortion_of(at: At<'_>, values: &[f64]) -> Result<Distortion, IngestError> {
    at.finite(values)?;
    if !matches!(values.len(), 0 | 4 | 5 | 8) {
        return Err(at.refuse(
            format_args!("{} coefficients", values.len()),
            "0, 4, 5 or 8 in OpenCV's order k1 k2 p1 p2 k3 k4 k5 k6",
            "fill up with zeros",
        ));
    }
    let mut k = [0.0; 8];
    k[..values.len()].copy_from_slice(values);
    Ok(Distortion(k))
}

/// World-to-camera pose out of a 4 × 4 matrix, row by row; translation times `length_to_mm`.
///
/// # Errors
/// A matrix that is no rigid motion, with the number that shows it; values that are not finite.
pub(in crate::ingest) fn pose_of(at: At<'_>, m: &[f64; 16], length_to_mm: f64) -> Result<Pose, IngestError> {
    at.finite(m)?;
    let advice = "write [[R, t], [0 0 0 1]] from world to camera, OpenCV axes (x right, y down, z forward)";
    if m[12..] != [0.0, 0.0, 0.0, 1.0] {
        return Err(at.refuse(format_args!("last row {:?}", &m[12..]), "0 0 0 1", advice));
    }
    let r = [[m[0], m[1], m[2]], [m[4], m[5], m[6]], [m[8], m[9], m[10]]];
    for i in 0..3 {
        for j in i..3 {
            let product: f64 = (0..3).map(|k| r[i][k] * r[j][k]).sum();
            let wanted = if i == j { 1.0 } else { 0.0 };
            if (product - wanted).abs() > ROTATION_TOLERANCE {
                return Err(at.refuse(
                    format_args!("rows {i} and {j} of the rotation with the product {product:.6}"),
                    format_args!("{wanted} within {ROTATION_TOLERANCE}: a rotation"),
                    advice,
                ));
            }
        }
    }
    let determinant = r[0][0] * (r[1][1] * r[2][2] - r[1][2] * r[2][1])
        - r[0][1] * (r[1][0] * r[2][2] - r[1][2] * r[2][0])
        + r[0][2] * (r[1][0] * r[2][1] - r[1][1] * r[2][0]);
    if determinant < 0.0 {
        return Err(at.refuse(
            format_args!("a mirroring (determinant {determinant:.6})"),
            "a rotation (determinant 1)",
            advice,
        ));
    }
    Ok(Pose { rotation: r, translation_mm: [m[3], m[7], m[11]].map(|t| t * length_to_mm) })
}

/// Targets out of positions in the world (three a target, times `length_to_mm`) and in the picture (two a target), each
/// with its place.
///
/// # Errors
/// Lists of different lengths; values that are not finite.
pub(in crate::ingest) fn targets_of(
    of_world: At<'_>,
    world: &[f64],
    of_image: At<'_>,
    image: &[f64],
    length_to_mm: f64,
) -> Result<Vec<TargetMark>, IngestError> {
    of_world.finite(world)?;
    of_image.finite(image)?;
    if world.len() / 3 != image.len() / 2 {
        return Err(of_world.refuse(
            format_args!("{} positions in the world and {} in the picture", world.len() / 3, image.len() / 2),
            "one of each for a target",
            "measure each target in both",
        ));
    }
    let pairs = world.chunks_exact(3).zip(image.chunks_exact(2));
    Ok(pairs
        .map(|(w, i)| TargetMark { world_mm: [w[0], w[1], w[2]].map(|v| v * length_to_mm), image_px: [i[0], i[1]] })
        .collect())
}

/// Refuses a camera that could not be placed: neither a pose nor enough targets.
///
/// # Errors
/// [`IngestError::Refused`] with the number of targets.
pub(in crate::ingest) fn check_placed(at: At<'_>, pose: Option<&Pose>, targets: usize) -> Result<(), IngestError> {
    if pose.is_some() || targets >= MIN_TARGETS {
        return Ok(());
    }
    Err(at.refuse(
        format_args!("no pose and {targets} targets"),
        format_args!("a pose, or at least {MIN_TARGETS} targets"),
        "measure the camera's pose or add reference targets",
    ))
}

/// Refuses times that do not rise strictly, one a frame, and times that no film has.
///
/// # Errors
/// [`IngestError::Refused`] naming the index.
pub(in crate::ingest) fn check_times(at: At<'_>, times_s: &[f64], frames: usize) -> Result<(), IngestError> {
    if frames == 0 {
        return Err(at.refuse("no frame", "at least one frame", "record the film again, or leave the camera out"));
    }
    if times_s.len() != frames {
        return Err(at.refuse(
            format_args!("{} times for {frames} frames", times_s.len()),
            "one time a frame",
            "write the time of each frame in seconds after the trigger",
        ));
    }
    at.finite(times_s)?;
    if let Some(i) = times_s.iter().position(|t| t.abs() > MAX_TIME_S) {
        return Err(at.refuse(
            format_args!("{:e} s at index {i}", times_s[i]),
            format_args!("times within {MAX_TIME_S} s of the trigger"),
            "write the time of each frame in seconds after the trigger, or name its unit",
        ));
    }
    for (i, pair) in times_s.windows(2).enumerate() {
        if pair[1] <= pair[0] {
            return Err(at.refuse(
                format_args!("{} s at index {} after {} s", pair[1], i + 1, pair[0]),
                "times that rise from frame to frame",
                "sort the frames by time, and drop frames that were written twice",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> At<'static> {
        At { file: Path::new("t.h5"), place: "/cameras/a/x" }
    }

    const UNIT: [f64; 16] = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 1.0, 3.0, 0.0, 0.0, 0.0, 1.0];

    #[test]
    fn a_pose_in_metres_becomes_mm() {
        assert_eq!(pose_of(at(), &UNIT, 1000.0).expect("a pose").translation_mm, [1000.0, 2000.0, 3000.0]);
    }

    #[test]
    fn mirrors_and_scaled_rotations_are_refused_with_their_number() {
        let mut mirror = UNIT;
        mirror[0] = -1.0;
        assert!(pose_of(at(), &mirror, 1.0).expect_err("mirror").to_string().contains("determinant -1"));
        let mut scaled = UNIT;
        scaled[0] = 1.01;
        assert!(pose_of(at(), &scaled, 1.0).expect_err("scaled").to_string().contains("1.0201"));
        let mut rounded = UNIT;
        rounded[0] = 1.0002;
        assert!(pose_of(at(), &rounded, 1.0).is_ok(), "four digits are a rotation");
        let mut last = UNIT;
        last[15] = 2.0;
        assert!(pose_of(at(), &last, 1.0).is_err());
    }

    #[test]
    fn lens_models_other_than_opencvs_are_refused() {
        for count in [0, 4, 5, 8] {
            assert!(distortion_of(at(), &vec![0.1; count]).is_ok());
        }
        for count in [1, 3, 6, 12] {
            assert!(distortion_of(at(), &vec![0.1; count]).is_err());
        }
    }

    #[test]
    fn skew_negative_focal_lengths_and_odd_last_rows_are_refused() {
        let good = [900.0, 0.0, 320.0, 0.0, 910.0, 240.0, 0.0, 0.0, 1.0];
        assert_eq!(intrinsics_of(at(), &good).expect("good").fy, 910.0);
        for (index, value) in [(0, -900.0), (4, 0.0), (1, 3.0), (8, 2.0), (2, f64::NAN)] {
            let mut bad = good;
            bad[index] = value;
            assert!(intrinsics_of(at(), &bad).is_err(), "entry {index} = {value}");
        }
    }

    #[test]
    fn times_that_stand_still_are_refused_with_their_index() {
        let error = check_times(at(), &[0.0, 0.1, 0.1], 3).expect_err("equal times");
        assert!(error.to_string().contains("index 2"), "{error}");
        assert!(check_times(at(), &[], 0).is_err());
        assert!(check_times(at(), &[0.0], 2).is_err());
        let error = check_times(at(), &[0.0, 1e300], 2).expect_err("an absurd time");
        assert!(error.to_string().contains("found 1e300 s at index 1"), "{error}");
        assert!(check_times(at(), &[-0.1, 0.0, 0.3], 3).is_ok(), "uneven times and times before the trigger are fine");
    }

    #[test]
    fn a_camera_needs_a_pose_or_four_targets() {
        assert!(check_placed(at(), None, 3).is_err());
        assert!(check_placed(at(), None, 4).is_ok());
    }
}
