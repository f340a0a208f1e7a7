//! A filmed moment with everything that is true about it.

use nalgebra::Vector3;
use ndarray::Array2;

use crate::film::Owner;
use crate::geom::{Camera, NO_TRIANGLE, Raster, Skin};
use crate::vision::blend;

/// A real picture and the bodies behind it.
#[derive(Debug, Clone)]
pub(super) struct FilmedFrame {
    /// On the canvas, toned.
    pub(super) picture: Array2<f32>,
    /// What each pixel of the canvas really sees.
    pub(super) raster: Raster,
    /// Positions of the scene's nodes, mm.
    pub(super) positions_mm: Vec<[f32; 3]>,
    /// Elements that are still there.
    pub(super) alive: Option<Vec<bool>>,
}

/// A point of a body's surface.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Material {
    pub(super) triangle: u32,
    pub(super) weights: [f32; 3],
}

impl FilmedFrame {
    /// The point of which surface a place of the canvas shows; `camera` is the true one. `None` between surfaces.
    pub(super) fn material_at(&self, camera: &Camera, skin: &Skin, x: f64, y: f64) -> Option<Material> {
        /// A weight may be so negative where a place lies between two pixels' triangles.
        const SLACK: f64 = 0.02;
        let (h, w) = self.raster.triangle.dim();
        let (x0, y0) = (x.floor(), y.floor());
        if !(x0 >= 0.0 && y0 >= 0.0 && x0 + 1.0 < w as f64 && y0 + 1.0 < h as f64) {
            return None;
        }
        let (c, r) = (x0 as usize, y0 as usize);
        let mut around = [(r, c), (r, c + 1), (r + 1, c), (r + 1, c + 1)];
        let far = |(r, c): &(usize, usize)| (*r as f64 - y).hypot(*c as f64 - x);
        around.sort_by(|a, b| far(a).total_cmp(&far(b)));
        around.into_iter().map(|at| self.raster.triangle[at]).filter(|t| *t != NO_TRIANGLE).find_map(|triangle| {
            let weights = weights_at(camera, &self.positions_mm, skin.triangles[triangle as usize], x, y);
            weights.iter().all(|v| *v >= -SLACK).then(|| Material { triangle, weights: weights.map(|v| v as f32) })
        })
    }

    /// Where a material point is, mm.
    pub(super) fn place_mm(&self, skin: &Skin, material: Material) -> [f64; 3] {
        blend(&self.positions_mm, skin.triangles[material.triangle as usize], material.weights)
    }

    /// Cosine between the ray to a material point and its triangle's normal; its sign says which side is seen.
    pub(super) fn facing(&self, camera: &Camera, skin: &Skin, material: Material) -> f64 {
        let [a, b, c] = skin.triangles[material.triangle as usize]
            .map(|n| camera.camera_from_world(self.positions_mm[n as usize].map(f64::from)));
        let ray = camera.camera_from_world(self.place_mm(skin, material));
        let normal = (b - a).cross(&(c - a));
        normal.dot(&ray) / (normal.norm() * ray.norm()).max(1e-12)
    }

    /// True where the canvas shows `owner` at a pixel or at one of the pixels within `reach` of it.
    pub(super) fn near(&self, owner_of: impl Fn(u32) -> Owner, owner: Owner, at: (usize, usize), reach: usize) -> bool {
        let (h, w) = self.raster.triangle.dim();
        (at.0.saturating_sub(reach)..=(at.0 + reach).min(h - 1)).any(|r| {
            (at.1.saturating_sub(reach)..=(at.1 + reach).min(w - 1)).any(|c| {
                let t = self.raster.triangle[(r, c)];
                t != NO_TRIANGLE && owner_of(t) == owner
            })
        })
    }
}

/// Weights of a triangle's nodes at a place of the canvas.
fn weights_at(camera: &Camera, positions_mm: &[[f32; 3]], nodes: [u32; 3], x: f64, y: f64) -> [f64; 3] {
    let k = camera.intrinsics;
    let ray = Vector3::new((x - k.cx) / k.fx, (y - k.cy) / k.fy, 1.0);
    let [a, b, c] = nodes.map(|n| camera.camera_from_world(positions_mm[n as usize].map(f64::from)));
    let volumes = [ray.dot(&b.cross(&c)), ray.dot(&c.cross(&a)), ray.dot(&a.cross(&b))];
    let sum: f64 = volumes.iter().sum();
    if sum == 0.0 { [f64::NEG_INFINITY; 3] } else { volumes.map(|v| v / sum) }
}
