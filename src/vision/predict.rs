//! The predicted picture: the look that the surface had in one frame, carried along by the mesh to another.

use ndarray::Array2;
use rayon::prelude::*;

use super::picture::sample_bicubic;
use crate::geom::{Camera, NO_TRIANGLE, Raster, Skin, rasterise};

/// A frame that lends its look: its picture on the canvas and where the mesh was then.
#[derive(Debug, Clone)]
pub struct Appearance {
    /// The picture on the canvas, toned.
    pub picture: Array2<f32>,
    /// Node positions at that frame, mm.
    pub positions_mm: Vec<[f32; 3]>,
    /// What each pixel saw.
    pub raster: Raster,
    /// Pixels whose look is really the specimen's, not an occluder's.
    pub trusted: Array2<bool>,
}

impl Appearance {
    /// Rasterises the mesh under the picture; every pixel is trusted.
    #[must_use]
    pub fn new(camera: &Camera, skin: &Skin, positions_mm: Vec<[f32; 3]>, picture: Array2<f32>) -> Self {
        let raster = rasterise(camera, skin, &positions_mm);
        let trusted = Array2::from_elem(picture.dim(), true);
        Self { picture, positions_mm, raster, trusted }
    }
}

/// What a pixel of a predicted picture is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Support {
    /// No surface: the pixel is filled from the appearance's own background.
    Background,
    /// A surface that the appearance did not show.
    Unseen,
    /// A surface in whose place the appearance showed something else.
    Foreign,
    /// A surface with a known look.
    Known,
}

/// The picture that the camera would take if the mesh were right.
#[derive(Debug, Clone)]
pub struct Predicted {
    /// Toned luminance.
    pub picture: Array2<f32>,
    /// What each pixel is made of.
    pub support: Array2<Support>,
    /// The surface under each pixel.
    pub raster: Raster,
}

/// A surface seen flatter than this (cosine) shows too little of itself to lend its look.
const GRAZING: f32 = 0.12;
/// Depth slack of the visibility test: absolute in mm, and as a share of the depth for slanted surfaces.
const SLACK: (f32, f32) = (1.5, 0.003);

/// Draws the mesh at `positions_mm` with the look of `from`.
#[must_use]
pub fn predict(camera: &Camera, skin: &Skin, positions_mm: &[[f32; 3]], from: &Appearance) -> Predicted {
    let raster = rasterise(camera, skin, positions_mm);
    let (h, w) = from.picture.dim();
    let rows: Vec<(Vec<f32>, Vec<Support>)> = (0..h)
        .into_par_iter()
        .map(|row| {
            (0..w)
                .map(|column| {
                    if raster.triangle[(row, column)] == NO_TRIANGLE {
                        return (from.picture[(row, column)], Support::Background);
                    }
                    match carried_look(camera, skin, &raster, from, row, column) {
                        Carried::Look(v) => (v, Support::Known),
                        Carried::Foreign => (from.picture[(row, column)], Support::Foreign),
                        Carried::Unseen => (from.picture[(row, column)], Support::Unseen),
                    }
                })
                .unzip()
        })
        .collect();
    let (luma, support): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    Predicted {
        picture: Array2::from_shape_vec((h, w), luma.concat()).expect("rows of equal width, else a bug"),
        support: Array2::from_shape_vec((h, w), support.concat()).expect("rows of equal width, else a bug"),
        raster,
    }
}

/// What an appearance knows of a surface point.
enum Carried {
    Look(f32),
    Foreign,
    Unseen,
}

/// The look of the surface under a pixel, from where `from` shows the same material point.
fn carried_look(
    camera: &Camera,
    skin: &Skin,
    raster: &Raster,
    from: &Appearance,
    row: usize,
    column: usize,
) -> Carried {
    let Some(point) = raster.surface_point(camera, skin, row, column) else { return Carried::Unseen };
    let nodes = skin.triangles[point.triangle as usize];
    let material = blend(&from.positions_mm, nodes, point.barycentric);
    let there = camera.pinhole_pixel_from_world(material);
    let (h, w) = from.picture.dim();
    let (r, c) = (there.y.round(), there.x.round());
    if !(there.depth_mm > 0.0 && r >= 1.0 && c >= 1.0 && r < h as f64 - 1.0 && c < w as f64 - 1.0) {
        return Carried::Unseen;
    }
    let (r, c) = (r as usize, c as usize);
    if !is_visible(&from.raster, r, c, there.depth_mm as f32) {
        return Carried::Unseen;
    }
    // The same side must be seen: the back of a sheet has another look than its front.
    let facing_then = facing_at(camera, from, nodes, material);
    if facing_then.abs() < GRAZING || facing_then.signum() != point.facing.signum() {
        return Carried::Unseen;
    }
    if !from.trusted[(r, c)] {
        return Carried::Foreign;
    }
    sample_bicubic(&from.picture.view(), there.x as f32, there.y as f32).map_or(Carried::Unseen, Carried::Look)
}

/// True when nothing nearer covers all of the 3×3 pixels around a point at depth `depth_mm`.
#[must_use]
pub fn is_visible(raster: &Raster, row: usize, column: usize, depth_mm: f32) -> bool {
    let mut farthest = f32::NEG_INFINITY;
    for r in row - 1..=row + 1 {
        for c in column - 1..=column + 1 {
            let d = raster.depth_mm[(r, c)];
            if d.is_finite() {
                farthest = farthest.max(d);
            }
        }
    }
    depth_mm <= farthest * (1.0 + SLACK.1) + SLACK.0
}

fn facing_at(camera: &Camera, from: &Appearance, nodes: [u32; 3], material: [f64; 3]) -> f32 {
    let [a, b, c] = nodes.map(|n| camera.camera_from_world(from.positions_mm[n as usize].map(f64::from)));
    let ray = camera.camera_from_world(material);
    let normal = (b - a).cross(&(c - a));
    (normal.dot(&ray) / (normal.norm() * ray.norm()).max(1e-12)) as f32
}

/// The point with the given weights in a triangle, mm.
#[must_use]
pub fn blend(positions_mm: &[[f32; 3]], nodes: [u32; 3], weights: [f32; 3]) -> [f64; 3] {
    let mut p = [0.0; 3];
    for (n, w) in nodes.iter().zip(weights) {
        for (p, x) in p.iter_mut().zip(positions_mm[*n as usize]) {
            *p += f64::from(w) * f64::from(x);
        }
    }
    p
}
