//! The light that a surface point sends to the camera.

use super::light::{Light, Lit};
use super::noise::octaves;
use super::paint::Paint;
use super::scene::{Scene, dot, unit};
use crate::geom::SurfacePoint;

/// Everything that does not change from pixel to pixel.
pub(super) struct Shader<'a> {
    pub(super) scene: &'a Scene,
    pub(super) light: &'a Light,
    pub(super) lit: &'a Lit,
    /// Positions for which `lit` was made, mm.
    pub(super) positions_mm: &'a [[f32; 3]],
    /// The camera's centre, mm.
    pub(super) eye_mm: [f32; 3],
    /// What nothing is in front of.
    pub(super) void: f32,
}

/// Light from a point and its colour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Radiance {
    pub(super) luma: f32,
    pub(super) tint: [f32; 3],
}

impl Shader<'_> {
    /// Light of nothing at all: the far end of the hall.
    pub(super) fn nothing(&self) -> Radiance {
        Radiance { luma: self.void, tint: [1.0; 3] }
    }

    /// Light of a surface point; `pixel_mm` is what a pixel covers there when it is seen frontally.
    pub(super) fn radiance(&self, point: &SurfacePoint, pixel_mm: f32) -> Radiance {
        let t = point.triangle as usize;
        let nodes = self.scene.skin.triangles[t];
        let w = point.barycentric;
        let mix = |values: &[[f32; 3]]| -> [f32; 3] {
            let [a, b, c] = nodes.map(|n| values[n as usize]);
            std::array::from_fn(|i| w[0] * a[i] + w[1] * b[i] + w[2] * c[i])
        };
        let place = mix(self.positions_mm);
        let to_eye = unit(std::array::from_fn(|i| self.eye_mm[i] - place[i]));
        let corners = &self.lit.normals[t];
        let front: [f32; 3] =
            unit(std::array::from_fn(|i| w[0] * corners[0][i] + w[1] * corners[1][i] + w[2] * corners[2][i]));
        // Positive facing: the nodes run clockwise in the picture, so the normal points away from the eye.
        let side = usize::from(point.facing > 0.0);
        let normal = if side == 1 { front.map(|v| -v) } else { front };
        let open = (0..3).map(|i| w[i] * self.lit.open[t][i][side]).sum::<f32>();
        let paint = &self.scene.paints[usize::from(self.scene.paint_of[t][side])];

        let material = mix(&self.scene.rest_mm);
        let footprint = pixel_mm / point.facing.abs().sqrt().max(0.3);
        let rest_normal = self.scene.rest_normals[t];
        // The back of a sheet has a coat of its own, also where it has the same paint.
        let coat = if side == 1 { material.map(|v| v + 517.0) } else { material };
        let mut albedo = paint.albedo_at(coat, rest_normal, footprint);
        let mut mirror = paint.mirror;
        for decal in self.scene.decals_on(t) {
            if (dot(rest_normal, decal.axes[2]) > 0.0) == (side == 0) {
                let (share, tone) = decal.cover(material, footprint);
                albedo += share * (tone - albedo);
                mirror *= 1.0 - share;
            }
        }
        let toward = self.light.toward.map(|v| v as f32);
        let slope = dot(normal, toward);
        let lamp = if slope > 0.0 { self.light.key * self.lit.lamp_at(place, slope) } else { 0.0 };
        let mut luma = albedo * (lamp * slope.max(0.0) + self.indirect(normal, open));
        luma += lamp * highlight(paint, normal, toward, to_eye);
        if mirror > 0.0 {
            luma += mirror * self.mirrored(normal, to_eye, open);
        }
        Radiance { luma, tint: paint.tint }
    }

    /// What comes from the second lamp and from everywhere.
    fn indirect(&self, normal: [f32; 3], open: f32) -> f32 {
        let light = self.light;
        let fill = light.fill * dot(normal, light.fill_toward.map(|v| v as f32)).max(0.0);
        let above = 0.75 + 0.25 * normal[2];
        (fill + light.ambient * above) * open
    }

    /// What bare metal shows of the hall.
    fn mirrored(&self, normal: [f32; 3], to_eye: [f32; 3], open: f32) -> f32 {
        let across = 2.0 * dot(normal, to_eye);
        let seen: [f32; 3] = std::array::from_fn(|i| across * normal[i] - to_eye[i]);
        let uneven = 0.5 + 0.45 * octaves(seen.map(|v| 1.6 * v), 3, 0.6, 0.0, self.light.seed);
        let above = 0.8 + 0.4 * seen[2];
        uneven * above * (self.light.ambient + 0.5 * self.light.key) * (0.3 + 0.7 * open)
    }
}

/// The lamp's highlight, with more light the smaller it is (Blinn's lobe).
fn highlight(paint: &Paint, normal: [f32; 3], toward: [f32; 3], to_eye: [f32; 3]) -> f32 {
    if paint.gloss <= 0.0 {
        return 0.0;
    }
    let half = unit(std::array::from_fn(|i| toward[i] + to_eye[i]));
    let lobe = dot(normal, half).max(0.0).powf(paint.sharpness);
    paint.gloss * (paint.sharpness + 8.0) / 8.0 * lobe
}
