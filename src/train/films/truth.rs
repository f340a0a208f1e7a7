//! The exact label of every predicted pixel.
//!
//! A predicted pixel `p` shows what the look's frame showed at `p0`, where the mesh says that the point under `p` was
//! then. When the pose, the trigger or the undeformed shape are a little wrong, something beside that point was really
//! there: the material point that the true camera saw at `p0`. Its place in the real picture is the truth, because it is
//! what the two pictures show; where nothing is wrong it is the point itself.

use ndarray::{Array2, Array3};
use rayon::prelude::*;

use super::filmed::FilmedFrame;
use super::sample::Fate;
use crate::film::{Owner, Scene};
use crate::geom::{Camera, PinholeView, Skin};
use crate::vision::{Appearance, Predicted, Support, blend, is_visible};

/// A surface seen flatter than this (cosine) shows nothing of itself.
const EDGE_ON: f64 = 0.08;

/// What is needed to tell the truth about one prediction.
pub(super) struct Truth<'a> {
    pub(super) scene: &'a Scene,
    /// Canvas and estimated pose, with which the prediction is drawn.
    pub(super) view: &'a PinholeView,
    /// The same canvas at the true pose.
    pub(super) true_camera: &'a Camera,
    /// The skin that the prediction is drawn with.
    pub(super) skin: &'a Skin,
    /// The look of the prediction, and the frame that it was taken from.
    pub(super) look: &'a Appearance,
    pub(super) look_frame: &'a FilmedFrame,
    /// The real picture.
    pub(super) real: &'a FilmedFrame,
    /// Longest flow that is looked for, px.
    pub(super) longest_px: f64,
}

/// Truth of all pixels: flow, px, and fate.
pub(super) struct Labels {
    pub(super) flow: Array3<f32>,
    pub(super) fate: Array2<u8>,
}

impl Truth<'_> {
    /// Labels of `predicted`.
    pub(super) fn labels(&self, predicted: &Predicted) -> Labels {
        let (h, w) = predicted.picture.dim();
        let rows: Vec<Vec<([f32; 2], Fate)>> = (0..h)
            .into_par_iter()
            .map(|row| (0..w).map(|column| self.label(predicted, row, column)).collect())
            .collect();
        let mut labels = Labels { flow: Array3::zeros((2, h, w)), fate: Array2::zeros((h, w)) };
        for (row, line) in rows.into_iter().enumerate() {
            for (column, (flow, fate)) in line.into_iter().enumerate() {
                labels.flow[(0, row, column)] = flow[0];
                labels.flow[(1, row, column)] = flow[1];
                labels.fate[(row, column)] = fate as u8;
            }
        }
        labels
    }

    fn label(&self, predicted: &Predicted, row: usize, column: usize) -> ([f32; 2], Fate) {
        const NONE: [f32; 2] = [0.0; 2];
        if predicted.support[(row, column)] != Support::Known {
            return (NONE, Fate::NoSurface);
        }
        let Some(point) = predicted.raster.surface_point(&self.view.camera, self.skin, row, column) else {
            return (NONE, Fate::NoSurface);
        };
        let then = blend(&self.look.positions_mm, self.skin.triangles[point.triangle as usize], point.barycentric);
        let p0 = self.view.camera.pinhole_pixel_from_world(then);
        let skin = &self.scene.skin;
        let Some(material) = self.look_frame.material_at(self.true_camera, skin, p0.x, p0.y) else {
            return (NONE, Fate::FalseLook);
        };
        if self.scene.owner(material.triangle) != Owner::Structure {
            return (NONE, Fate::FalseLook);
        }
        let now = self.true_camera.pinhole_pixel_from_world(self.real.place_mm(skin, material));
        let flow = [now.x - column as f64, now.y - row as f64];
        let before = self.look_frame.facing(self.true_camera, skin, material);
        let after = self.real.facing(self.true_camera, skin, material);
        let element = skin.element_of[material.triangle as usize] as usize;
        let torn = self.real.alive.as_ref().is_some_and(|alive| !alive[element]);
        let fate = if torn {
            Fate::Torn
        } else if !self.is_in_picture(now.x, now.y) || flow[0].hypot(flow[1]) > self.longest_px || now.depth_mm <= 0.0 {
            Fate::Outside
        } else if before.signum() != after.signum() || after.abs() < EDGE_ON {
            Fate::Turned
        } else {
            self.cover(now.x.round() as usize, now.y.round() as usize, now.depth_mm as f32)
        };
        let flow = if fate == Fate::Outside && !(now.x.is_finite() && now.y.is_finite()) { [0.0; 2] } else { flow };
        (flow.map(|v| v as f32), fate)
    }

    fn is_in_picture(&self, x: f64, y: f64) -> bool {
        let (h, w) = self.real.picture.dim();
        x >= 1.0
            && y >= 1.0
            && x < w as f64 - 2.0
            && y < h as f64 - 2.0
            && self.view.is_inside(y.round() as usize, x.round() as usize)
    }

    /// What is seen at a pixel where a point of depth `depth_mm` should be.
    fn cover(&self, column: usize, row: usize, depth_mm: f32) -> Fate {
        if is_visible(&self.real.raster, row, column, depth_mm) {
            return Fate::Seen;
        }
        match self.scene.owner(self.real.raster.triangle[(row, column)]) {
            Owner::Structure => Fate::Folded,
            Owner::Impactor | Owner::Scenery => Fate::Covered,
        }
    }
}

/// 1 where the predicted depth jumps to a neighbour, or the structure ends.
pub(super) fn depth_edges(predicted: &Predicted) -> Array2<f32> {
    /// Share of the depth that is a jump: as the review's patches have it.
    const JUMP: f32 = 0.012;
    let depth = &predicted.raster.depth_mm;
    let (h, w) = depth.dim();
    Array2::from_shape_fn((h, w), |(r, c)| {
        let own = depth[(r, c)];
        let jumps = |r: usize, c: usize| {
            let other = depth[(r, c)];
            own.is_finite() != other.is_finite() || (own - other).abs() > JUMP * own.min(other)
        };
        let edge = own.is_finite()
            && ((r > 0 && jumps(r - 1, c))
                || (c > 0 && jumps(r, c - 1))
                || (r + 1 < h && jumps(r + 1, c))
                || (c + 1 < w && jumps(r, c + 1)));
        f32::from(u8::from(edge))
    })
}
