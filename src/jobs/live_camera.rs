//! A camera as a live test announces it, and the folder of pictures that its frames become.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::service_error::ServiceError;
use crate::domain::{CameraRecord, Distortion, Intrinsics, Pose, TargetMark};

/// A camera before its frames.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LiveCamera {
    /// Its name.
    pub name: String,
    /// Picture width, px.
    pub width: usize,
    /// Picture height, px.
    pub height: usize,
    /// fx, fy, cx, cy in px.
    pub intrinsics: [f64; 4],
    /// OpenCV's order k1 k2 p1 p2 k3 k4 k5 k6; may be shorter.
    #[serde(default)]
    pub distortion: Vec<f64>,
    /// World to camera, 4 by 4, row by row, mm.
    #[serde(default)]
    pub pose: Option<Vec<f64>>,
    /// Fixed reference targets.
    #[serde(default)]
    pub targets: Vec<LiveTarget>,
    /// When its frames will be taken, s after the trigger.
    pub times_s: Vec<f64>,
}

/// A fixed reference target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveTarget {
    /// In the world, mm.
    pub world_mm: [f64; 3],
    /// In the (distorted) picture, px.
    pub image_px: [f64; 2],
}

/// Most frames of a camera.
const MOST_FRAMES: usize = 100_000;
/// Longest side of a picture, px.
const LONGEST_SIDE: usize = 16_384;

impl LiveCamera {
    /// The camera of a test record.
    #[must_use]
    pub fn of_record(c: &CameraRecord) -> Self {
        let k = c.intrinsics;
        let pose = c.pose.map(|p| {
            let mut flat = vec![0.0; 16];
            for row in 0..3 {
                flat[4 * row..4 * row + 3].copy_from_slice(&p.rotation[row]);
                flat[4 * row + 3] = p.translation_mm[row];
            }
            flat[15] = 1.0;
            flat
        });
        Self {
            name: c.name.clone(),
            width: c.width,
            height: c.height,
            intrinsics: [k.fx, k.fy, k.cx, k.cy],
            distortion: c.distortion.0.to_vec(),
            pose,
            targets: c.targets.iter().map(|t| LiveTarget { world_mm: t.world_mm, image_px: t.image_px }).collect(),
            times_s: c.times_s.clone(),
        }
    }

    /// The camera with its meaning.
    ///
    /// # Errors
    /// For numbers that describe no camera, by name.
    pub fn record(&self) -> Result<CameraRecord, ServiceError> {
        let refuse = |what: &str, found: String, expected: &str| ServiceError::Refused {
            what: format!("camera {:?}, {what}: found {found}, expected {expected}", self.name),
        };
        if self.name.trim().is_empty() || self.name.len() > 100 {
            return Err(refuse("name", format!("{} letters", self.name.len()), "1 to 100"));
        }
        if [self.width, self.height].iter().any(|s| !(16..=LONGEST_SIDE).contains(s)) {
            return Err(refuse("size", format!("{} x {} px", self.width, self.height), "16 to 16384 px a side"));
        }
        let [fx, fy, cx, cy] = self.intrinsics;
        if !self.intrinsics.iter().all(|k| k.is_finite()) || fx <= 0.0 || fy <= 0.0 {
            return Err(refuse("intrinsics", format!("{:?}", self.intrinsics), "fx, fy above 0 and finite cx, cy"));
        }
        if self.distortion.len() > 8 || !self.distortion.iter().all(|k| k.is_finite()) {
            return Err(refuse("distortion", format!("{:?}", self.distortion), "up to 8 finite numbers"));
        }
        let distortion = self.padded_distortion();
        let pose = self.pose.as_ref().map(|p| self.checked_pose(p)).transpose()?;
        if pose.is_none() && self.targets.len() < 4 {
            return Err(refuse("pose", format!("none, and {} targets", self.targets.len()), "a pose or 4 targets"));
        }
        let times = &self.times_s;
        if times.is_empty() || times.len() > MOST_FRAMES {
            return Err(refuse("times_s", format!("{} times", times.len()), "1 to 100000, one a frame"));
        }
        if !times.iter().all(|t| t.is_finite()) || times.windows(2).any(|w| w[1] <= w[0]) {
            return Err(refuse("times_s", "times that do not rise".to_owned(), "strictly rising finite times"));
        }
        Ok(CameraRecord {
            name: self.name.clone(),
            width: self.width,
            height: self.height,
            intrinsics: Intrinsics { fx, fy, cx, cy },
            distortion: Distortion(distortion),
            pose,
            targets: self.targets.iter().map(|t| TargetMark { world_mm: t.world_mm, image_px: t.image_px }).collect(),
            times_s: times.clone(),
        })
    }

    /// All 8 of OpenCV's coefficients, as the reader of `camera.toml` wants them; what was not given is zero.
    fn padded_distortion(&self) -> [f64; 8] {
        std::array::from_fn(|i| self.distortion.get(i).copied().unwrap_or(0.0))
    }

    fn checked_pose(&self, flat: &[f64]) -> Result<Pose, ServiceError> {
        let refuse = || ServiceError::Refused {
            what: format!(
                "camera {:?}, pose: found {flat:?}, expected 16 numbers, world to camera row by row, with a rotation",
                self.name
            ),
        };
        if flat.len() != 16 || !flat.iter().all(|v| v.is_finite()) {
            return Err(refuse());
        }
        let rotation: [[f64; 3]; 3] = std::array::from_fn(|r| std::array::from_fn(|c| flat[4 * r + c]));
        let m = nalgebra::Matrix3::from_fn(|r, c| rotation[r][c]);
        if (m.determinant() - 1.0).abs() > 1e-3 || (m * m.transpose() - nalgebra::Matrix3::identity()).norm() > 1e-3 {
            return Err(refuse());
        }
        Ok(Pose { rotation, translation_mm: std::array::from_fn(|r| flat[4 * r + 3]) })
    }

    /// Writes `camera.toml` for the frames with these times, so that the folder is a test of its own.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_camera_toml(&self, folder: &Path, test: &str, times_s: &[f64]) -> Result<(), ServiceError> {
        let quoted = |text: &str| serde_json::to_string(text).expect("a text is JSON, else a bug");
        let mut text = format!(
            "name = {}\ntest_id = {}\nintrinsics = {:?}\ndistortion = {:?}\ntimes = {times_s:?}\n",
            quoted(&self.name),
            quoted(test),
            self.intrinsics,
            self.padded_distortion()
        );
        if let Some(pose) = &self.pose {
            let rows: Vec<&[f64]> = pose.chunks(4).collect();
            let _ = writeln!(text, "pose = {rows:?}");
        }
        for target in &self.targets {
            let _ = writeln!(text, "[[targets]]\nworld = {:?}\nimage = {:?}", target.world_mm, target.image_px);
        }
        let path = folder.join("camera.toml");
        std::fs::write(&path, text).map_err(ServiceError::file("write", &path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::TestFile;

    fn camera() -> LiveCamera {
        LiveCamera {
            name: "left \"A\"".to_owned(),
            width: 32,
            height: 16,
            intrinsics: [100.0, 100.0, 15.5, 7.5],
            distortion: vec![-0.1, 0.02],
            pose: Some(vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 900.0, 0.0, 0.0, 0.0, 1.0]),
            targets: vec![],
            times_s: vec![-0.001, 0.0, 0.001],
        }
    }

    #[test]
    fn a_folder_of_live_frames_is_a_test_that_the_reader_takes() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("c00");
        std::fs::create_dir(&folder).unwrap();
        for i in [0, 2] {
            image::GrayImage::new(32, 16).save(folder.join(format!("f_{i:06}.png"))).unwrap();
        }
        camera().write_camera_toml(&folder, "shot 7", &[-0.001, 0.001]).unwrap();
        let test = TestFile::open(root.path()).unwrap();
        let read = &test.record().cameras[0];
        let expected = CameraRecord { times_s: vec![-0.001, 0.001], ..camera().record().unwrap() };
        assert_eq!((test.record().test_id.as_str(), read), ("shot 7", &expected));
        assert_eq!(LiveCamera::of_record(read).record().unwrap(), expected);
    }

    #[test]
    fn a_camera_that_cannot_be_is_refused_with_its_name() {
        let mirrored = LiveCamera {
            pose: Some(vec![-1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 900.0, 0.0, 0.0, 0.0, 1.0]),
            ..camera()
        };
        let still = LiveCamera { times_s: vec![0.0, 0.0], ..camera() };
        let lost = LiveCamera { pose: None, ..camera() };
        for (bad, word) in [(mirrored, "pose"), (still, "times_s"), (lost, "4 targets")] {
            let told = bad.record().unwrap_err().to_string();
            assert!(told.contains("left") && told.contains(word), "{told}");
        }
    }
}
