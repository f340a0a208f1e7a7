//! One frame of a planned film.

use ndarray::Array3;

use super::lens::Window;
use super::light::Lit;
use super::plan::FilmPlan;
use super::sensor::develop;
use super::shoot::{Exposure, Set, expose, sub_time};
use crate::geom::Skin;

/// The bodies while the shutter is open for one frame, for any camera whose shutter is open as long.
#[derive(Debug)]
pub struct Moment {
    exposure: Exposure,
    skin: Skin,
    lit: Lit,
}

impl FilmPlan {
    /// Simulation times at which the structure's positions are needed for a frame of camera `camera`, in order; the
    /// middle one is the frame's own.
    #[must_use]
    pub fn sub_times_s(&self, camera: usize, frame: usize, samples: usize) -> Vec<f64> {
        let middle = self.times_s[frame] + self.trigger_offset_s;
        let open = self.cameras[camera].sensor.exposure_s;
        (0..samples).map(|i| middle + open * sub_time(i, samples)).collect()
    }

    /// Readies a frame: `sub_times_mm` are the structure's positions and the impactor's way at [`Self::sub_times_s`];
    /// `alive` says which elements are still there.
    #[must_use]
    pub fn moment(&self, sub_times_mm: &[(Vec<[f32; 3]>, [f64; 3])], alive: Option<&[bool]>) -> Moment {
        let sub_times_mm: Vec<_> = sub_times_mm.iter().map(|(at, moved)| self.scene.positions_mm(at, *moved)).collect();
        let skin = self.scene.skin_of_living(alive);
        let lit = Lit::new(&self.scene, &skin, &sub_times_mm[sub_times_mm.len() / 2], &self.light, self.stage);
        Moment { exposure: Exposure { sub_times_mm }, skin, lit }
    }

    /// The part `window` of frame `frame` of camera `camera`: `[channels, height, width]`, 0 to 1, in the sensor's
    /// steps. With one channel it is grey, with three red, green and blue.
    #[must_use]
    pub fn draw(&self, camera: usize, frame: usize, moment: &Moment, window: Window, channels: usize) -> Array3<f32> {
        let c = &self.cameras[camera];
        let set = Set { scene: &self.scene, skin: &moment.skin, light: &self.light, lit: &moment.lit, void: self.void };
        let light = expose(set, &c.camera, &moment.exposure, window, channels, c.sensor.blur_px);
        let seed = self.seed ^ ((camera as u64) << 40) ^ ((frame as u64 + 1) << 20);
        develop(&c.sensor, &c.camera, window, light, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}
