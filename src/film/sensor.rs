//! From light to numbers: exposure, vignetting, noise, response, whole steps.

use ndarray::Array3;
use rayon::prelude::*;

use super::lens::Window;
use super::rng::Rng;
use crate::geom::Camera;

/// A camera's sensor and how it is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sensor {
    /// Factor from scene light to the scale 0–1.
    pub gain: f32,
    /// What the corners lose, as a share.
    pub vignetting: f32,
    /// Exponent of the response: 1 for a linear camera, 1/2.2 for one that brightens the dark.
    pub response: f32,
    /// Variance of the noise per signal, of the full scale: shot noise.
    pub shot: f32,
    /// Standard deviation of the noise in the dark, of the full scale.
    pub read: f32,
    /// Standard deviation of the exposure from frame to frame, as a share.
    pub flicker: f32,
    /// Width of the lens's blur (standard deviation), px.
    pub blur_px: f32,
    /// How long the shutter is open, s.
    pub exposure_s: f64,
    /// Bits a pixel: 8 or 16.
    pub bits: u8,
}

/// Develops `light` `[channels, height, width]`, the part `window` of a picture, into values of whole steps, 0 to 1;
/// `seed` belongs to this frame.
#[must_use]
pub(super) fn develop(
    sensor: &Sensor,
    camera: &Camera,
    window: Window,
    mut light: Array3<f32>,
    seed: u64,
) -> Array3<f32> {
    let gain = sensor.gain * (1.0 + sensor.flicker * Rng::new(seed).normal() as f32);
    let (_, h, w) = light.dim();
    let k = camera.intrinsics;
    let corner = (0.25 * ((camera.width * camera.width + camera.height * camera.height) as f64)) as f32;
    let steps = if sensor.bits == 8 { 255.0 } else { 65_535.0 };
    let rows: Vec<(usize, &mut [f32])> =
        light.as_slice_mut().expect("a fresh array is contiguous, else a bug").chunks_mut(w).enumerate().collect();
    rows.into_par_iter().for_each(|(line, values)| {
        let mut rng = Rng::new(seed ^ (line as u64 + 1).wrapping_mul(0xd134_2543_de82_ef95));
        let y = ((line % h + window.y) as f64 - k.cy) as f32;
        for (column, value) in values.iter_mut().enumerate() {
            let x = ((column + window.x) as f64 - k.cx) as f32;
            let shade = 1.0 - sensor.vignetting * (x * x + y * y) / corner;
            let exposed = (*value * gain * shade).max(0.0).powf(sensor.response).min(1.2);
            let spread = (sensor.shot * exposed + sensor.read * sensor.read).sqrt();
            let noisy = exposed + spread * rng.normal() as f32;
            *value = (noisy.clamp(0.0, 1.0) * steps).round() / steps;
        }
    });
    light
}
