//! One exposure: bodies that move while the shutter is open, seen through a lens.

use ndarray::{Array2, Array3};
use rayon::prelude::*;

use super::lens::{Window, bend, blur, flat_camera};
use super::light::{Light, Lit};
use super::scene::Scene;
use super::shade::Shader;
use crate::geom::{Camera, Raster, Skin, rasterise};

/// Places of the bodies while the shutter is open, one a sample; the middle one lights them all.
#[derive(Debug, Clone)]
pub(super) struct Exposure {
    /// Positions of the scene's nodes, one set a sub-time, in their order in time; mm. A prime number of them.
    pub(super) sub_times_mm: Vec<Vec<[f32; 3]>>,
}

/// What is drawn with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Set<'a> {
    /// The bodies.
    pub(super) scene: &'a Scene,
    /// Their triangles now (those of dead elements shrunk).
    pub(super) skin: &'a Skin,
    /// The lamps.
    pub(super) light: &'a Light,
    /// What the lamps reach at the middle of the exposure.
    pub(super) lit: &'a Lit,
    /// Brightness where nothing is.
    pub(super) void: f32,
}

/// How many samples a pixel gets: a prime number, so that places and times can be spread by multiplication.
pub const SAMPLES: [usize; 4] = [3, 5, 7, 11];

/// Share of the way through the exposure, -1/2 to 1/2, of sub-time `i` of `count`.
#[must_use]
pub(super) fn sub_time(i: usize, count: usize) -> f64 {
    (i as f64 + 0.5) / count as f64 - 0.5
}

/// Light that falls on the pixels of `window`: `[channels, height, width]` with 1 or 3 channels.
///
/// Each sub-time is seen at another place within the pixel, so that one pass draws motion and smooth edges alike.
#[must_use]
pub(super) fn expose(
    set: Set<'_>,
    camera: &Camera,
    exposure: &Exposure,
    window: Window,
    channels: usize,
    blur_px: f32,
) -> Array3<f32> {
    let count = exposure.sub_times_mm.len();
    let middle = &exposure.sub_times_mm[count / 2];
    let eye = camera.centre_mm();
    let shader = Shader {
        scene: set.scene,
        light: set.light,
        lit: set.lit,
        positions_mm: middle,
        eye_mm: [eye.x as f32, eye.y as f32, eye.z as f32],
        void: set.void,
    };
    let mut light = Array3::<f32>::zeros((channels, window.height, window.width));
    let area = window.height * window.width;
    for (time, positions) in exposure.sub_times_mm.iter().enumerate() {
        let offset = [sub_time(2 * time % count, count), sub_time(3 * time % count, count)];
        let flat = flat_camera(camera, window, offset);
        let raster = rasterise(&flat, set.skin, &bend(camera, positions));
        let pixel_mm = 1.0 / camera.intrinsics.fx as f32;
        let samples: Vec<[f32; 3]> = (0..area)
            .into_par_iter()
            .with_min_len(window.width)
            .map(|i| {
                let (row, column) = (i / window.width, i % window.width);
                let seen = match raster.surface_point(&flat, set.skin, row, column) {
                    Some(point) => shader.radiance(&point, pixel_mm * raster.depth_mm[(row, column)]),
                    None => shader.nothing(),
                };
                seen.tint.map(|t| t * seen.luma)
            })
            .collect();
        let flat_light = light.as_slice_mut().expect("a fresh array is contiguous, else a bug");
        for (i, sample) in samples.into_iter().enumerate() {
            if channels == 1 {
                // Rec. 601, as the reader weighs colours; a tint's own luma is 1.
                flat_light[i] += (0.299 * sample[0] + 0.587 * sample[1] + 0.114 * sample[2]) / count as f32;
            } else {
                for (c, v) in sample.into_iter().enumerate() {
                    flat_light[c * area + i] += v / count as f32;
                }
            }
        }
    }
    blur(&mut light, blur_px);
    light
}

/// What the pixels of a camera see of the scene at `positions_mm`, lens included.
#[must_use]
pub fn look(skin: &Skin, camera: &Camera, positions_mm: &[[f32; 3]]) -> Raster {
    rasterise(&flat_camera(camera, Window::whole(camera), [0.0; 2]), skin, &bend(camera, positions_mm))
}

/// The value below which `share` of the pixels of `picture` lie, of those for which `counts` holds; `None` without any.
#[must_use]
pub(super) fn percentile(picture: &Array2<f32>, counts: impl Fn(usize, usize) -> bool, share: f64) -> Option<f32> {
    let mut values: Vec<f32> = picture.indexed_iter().filter(|((r, c), _)| counts(*r, *c)).map(|(_, v)| *v).collect();
    if values.is_empty() {
        return None;
    }
    let at = ((values.len() - 1) as f64 * share) as usize;
    Some(*values.select_nth_unstable_by(at, f32::total_cmp).1)
}
