//! What was filmed: a test, its cameras, their frames.

use ndarray::Array2;

use super::camera::{Distortion, Intrinsics, Pose, TargetMark};

/// Everything about one camera of a test except its pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraRecord {
    /// Name in the test record; unique in the test.
    pub name: String,
    /// Picture width, px.
    pub width: usize,
    /// Picture height, px.
    pub height: usize,
    /// Pin-hole parameters.
    pub intrinsics: Intrinsics,
    /// Lens.
    pub distortion: Distortion,
    /// Measured pose; a measurement, so slightly wrong. `None` when the record leaves it to the targets.
    pub pose: Option<Pose>,
    /// Fixed reference targets; may be empty.
    pub targets: Vec<TargetMark>,
    /// Time of each frame in s after the trigger, strictly increasing.
    pub times_s: Vec<f64>,
}

/// One picture, as light: grey, 0 for black, 1 for the sensor's full scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Index in the camera's film.
    pub index: usize,
    /// Time in s after the trigger.
    pub time_s: f64,
    /// Luminance `[height, width]`.
    pub luma: Array2<f32>,
}

/// A sensor's curve, resampled by nobody.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Name in the test record.
    pub name: String,
    /// Unit as the file says it.
    pub unit: String,
    /// ISO MME code, when the file has one.
    pub iso_mme_code: Option<String>,
    /// Times in s.
    pub time_s: Vec<f64>,
    /// Values in `unit`.
    pub value: Vec<f64>,
}

/// One shot: the cameras and sensors that recorded it.
#[derive(Debug, Clone, PartialEq)]
pub struct TestRecord {
    /// The test's name.
    pub test_id: String,
    /// Free text.
    pub description: Option<String>,
    /// The cameras, by name.
    pub cameras: Vec<CameraRecord>,
    /// The sensors, by name.
    pub channels: Vec<Channel>,
}
