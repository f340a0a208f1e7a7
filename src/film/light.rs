//! Light: where it comes from, what it reaches, how much of the sky a surface sees.

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use super::scene::{Scene, dot, normal_of, unit};
use super::solids::any_normal;
use crate::domain::{Distortion, Intrinsics, Pose};
use crate::geom::{Camera, Raster, Skin, rasterise};

/// The lights of a film.
#[derive(Debug, Clone, PartialEq)]
pub struct Light {
    /// Toward the lamp, unit length.
    pub toward: [f64; 3],
    /// Its strength.
    pub key: f32,
    /// Toward a second, weaker lamp that throws no shadow.
    pub fill_toward: [f64; 3],
    /// Its strength.
    pub fill: f32,
    /// Light from everywhere.
    pub ambient: f32,
    /// Half width of the lamp's shadow edge on the structure, mm.
    pub softness_mm: f32,
    /// Seed of what bare metal mirrors.
    pub seed: u32,
}

/// Directions from which the openness to the sky is taken.
const SKY: usize = 18;
/// Side of the map of one such direction, px.
const SKY_SIDE: usize = 224;
/// Side of the lamp's shadow map, px.
const SHADOW_SIDE: usize = 1024;
/// Places around a point at which the shadow's edge is sampled.
const TAPS: usize = 10;

/// What is lit: a ball around the structure; beyond it all is open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Its centre, mm.
    pub centre_mm: [f64; 3],
    /// Its radius, mm.
    pub radius_mm: f64,
}

/// A distant eye that looks at the stage from one direction.
#[derive(Debug)]
struct FarView {
    side: usize,
    raster: Raster,
    /// World to camera, row by row, with the shift as fourth.
    rows: [[f32; 4]; 3],
    focal: f32,
    middle: f32,
    /// Size of its pixel at the stage, mm.
    pixel_mm: f32,
}

impl FarView {
    fn new(stage: Stage, toward: Vector3<f64>, side: usize, skin: &Skin, positions_mm: &[[f32; 3]]) -> Self {
        let distance = 30.0 * stage.radius_mm;
        let forward = -toward;
        let right = any_normal(forward);
        let down = forward.cross(&right);
        let rotation = Matrix3::from_rows(&[right.transpose(), down.transpose(), forward.transpose()]);
        let eye = Vector3::from(stage.centre_mm) + toward * distance;
        let focal = 0.5 * side as f64 / stage.radius_mm * distance;
        let middle = 0.5 * (side as f64 - 1.0);
        let camera = Camera {
            width: side,
            height: side,
            intrinsics: Intrinsics { fx: focal, fy: focal, cx: middle, cy: middle },
            distortion: Distortion::default(),
            pose: Pose {
                rotation: std::array::from_fn(|r| std::array::from_fn(|c| rotation[(r, c)])),
                translation_mm: (-(rotation * eye)).into(),
            },
        };
        let raster = rasterise(&camera, skin, positions_mm);
        let rows = std::array::from_fn(|r| {
            let [x, y, z] = camera.pose.rotation[r];
            [x, y, z, camera.pose.translation_mm[r]].map(|v| v as f32)
        });
        Self { side, raster, rows, focal: focal as f32, middle: middle as f32, pixel_mm: (distance / focal) as f32 }
    }

    /// Column, row and depth of a point.
    fn place(&self, p: [f32; 3]) -> [f32; 3] {
        let [x, y, z] = self.rows.map(|r| r[0] * p[0] + r[1] * p[1] + r[2] * p[2] + r[3]);
        [self.focal * x / z + self.middle, self.focal * y / z + self.middle, z]
    }

    /// True when nothing nearer than `depth` lies at a place; outside of the map nothing does.
    fn reaches(&self, x: f32, y: f32, depth: f32) -> bool {
        let side = self.side as f32;
        let (x, y) = (x + 0.5, y + 0.5);
        if !(x >= 0.0 && y >= 0.0 && x < side && y < side) {
            return true;
        }
        depth <= self.raster.depth_mm[(y as usize, x as usize)]
    }
}

/// The scene at one moment as far as light is concerned.
#[derive(Debug)]
pub struct Lit {
    /// Normals at the corners of each triangle, on its front.
    pub(super) normals: Vec<[[f32; 3]; 3]>,
    /// Openness to the sky at the corners of each triangle, front and back, 0–1.
    pub(super) open: Vec<[[f32; 2]; 3]>,
    shadow: FarView,
    taps: [[f32; 2]; TAPS],
}

impl Lit {
    /// Takes shadows and openness of the bodies at `positions_mm`; `skin` is the scene's, dead elements shrunk.
    #[must_use]
    pub fn new(scene: &Scene, skin: &Skin, positions_mm: &[[f32; 3]], light: &Light, stage: Stage) -> Self {
        let area_normals: Vec<[f32; 3]> = skin.triangles.par_iter().map(|t| normal_of(positions_mm, *t)).collect();
        let units: Vec<[f32; 3]> = area_normals.iter().map(|n| unit(*n)).collect();
        let casters = scene.casters(skin);
        let open = openness(skin, &casters, positions_mm, &units, stage);
        let shadow = FarView::new(stage, Vector3::from(light.toward), SHADOW_SIDE, &casters, positions_mm);
        let reach = light.softness_mm / shadow.pixel_mm;
        let taps = std::array::from_fn(|i| {
            let (r, a) = (((i as f32 + 0.5) / TAPS as f32).sqrt() * reach, 2.399_963 * i as f32);
            [r * a.cos(), r * a.sin()]
        });
        Self {
            normals: scene.at_corners(&area_normals, &units),
            open: scene.at_corners(&area_normals, &open),
            shadow,
            taps,
        }
    }

    /// Share of the lamp that a point sees; `slope` is the cosine between its normal and the lamp.
    pub(super) fn lamp_at(&self, p: [f32; 3], slope: f32) -> f32 {
        let [x, y, depth] = self.shadow.place(p);
        let tangent = (1.0 - slope * slope).max(0.0).sqrt() / slope.max(0.15);
        let spread = self.taps[TAPS - 1][0].hypot(self.taps[TAPS - 1][1]) + 1.0;
        let depth = depth - self.shadow.pixel_mm * (1.0 + spread * tangent);
        let seen = self.taps.iter().filter(|[dx, dy]| self.shadow.reaches(x + dx, y + dy, depth)).count();
        seen as f32 / TAPS as f32
    }
}

/// For each triangle and side the share of the sky, weighted by the cosine, that its centre sees.
fn openness(
    skin: &Skin,
    casters: &Skin,
    positions_mm: &[[f32; 3]],
    normals: &[[f32; 3]],
    stage: Stage,
) -> Vec<[f32; 2]> {
    let centres: Vec<[f32; 3]> = skin
        .triangles
        .iter()
        .map(|t| {
            let [a, b, c] = t.map(|n| positions_mm[n as usize]);
            std::array::from_fn(|i| (a[i] + b[i] + c[i]) / 3.0)
        })
        .collect();
    let views: Vec<(Vector3<f64>, FarView)> = (0..SKY)
        .into_par_iter()
        .map(|i| {
            // A spiral over the sphere; light comes from below, too, but less (floors reflect).
            let z = 1.0 - (2.0 * i as f64 + 1.0) / SKY as f64;
            let (a, r) = (2.399_963 * i as f64, (1.0 - z * z).sqrt());
            let toward = Vector3::new(r * a.cos(), r * a.sin(), z);
            (toward, FarView::new(stage, toward, SKY_SIDE, casters, positions_mm))
        })
        .collect();
    centres
        .par_iter()
        .zip(normals)
        .map(|(centre, normal)| {
            let (mut seen, mut all) = ([0.0_f32; 2], [1e-6_f32; 2]);
            for (toward, view) in &views {
                let cosine = dot(*normal, [toward.x as f32, toward.y as f32, toward.z as f32]);
                let side = usize::from(cosine < 0.0);
                let weight = cosine.abs() * if toward.z < 0.0 { 0.5 } else { 1.0 };
                all[side] += weight;
                let [x, y, depth] = view.place(*centre);
                let slack = view.pixel_mm * (1.0 + 1.5 / cosine.abs().max(0.2));
                if view.reaches(x, y, depth - slack) {
                    seen[side] += weight;
                }
            }
            [seen[0] / all[0], seen[1] / all[1]]
        })
        .collect()
}
