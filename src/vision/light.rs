//! How the brightness of a surface changes as it turns in the light.
//!
//! Where sheet metal folds, its brightness changes by more than its paint's own contrast, and no match finds the paint
//! again. How bright a matt surface is under lamps that stay is a smooth function of its normal, of which spherical
//! harmonics up to the second order hold nearly all (Ramamoorthi and Hanrahan, SIGGRAPH 2001). Here the logarithm of
//! the brightness is such a sum, so that paint and exposure drop out; it is fitted to how much brighter the picture is
//! where the mesh has turned, robustly, because cast shadows and highlights follow no such law.
//!
//! Normals are smooth between the nodes but for creases, as those of sheet metal are.

use nalgebra::{SMatrix, SVector, Vector3};
use ndarray::Array2;
use rayon::prelude::*;

use super::picture::Tone;
use super::predict::{Appearance, Predicted, Support};
use crate::geom::{Camera, NO_TRIANGLE, Skin};

/// Harmonics of the first and second order; the constant one drops out between two normals.
const HARMONICS: usize = 8;
/// The harmonics and the exposure.
const UNKNOWNS: usize = HARMONICS + 1;
type Unknowns = SVector<f64, UNKNOWNS>;
type Harmonics = SVector<f32, HARMONICS>;

/// Every so many pixels in both directions are looked at for the fit.
const STRIDE: usize = 3;
/// Size of a coefficient before anything is seen, in natural logarithms of brightness …
const PRIOR: f64 = 1.0;
/// … and of what the law leaves of a pixel.
const LEFT: f64 = 0.25;
/// So many of the pixels that are looked at share one error: a shadow, a fold that is elsewhere.
const TOGETHER: f64 = 50.0;
/// Rounds of reweighting.
const ROUNDS: usize = 8;
/// Darker than this share of the film's white a ratio says nothing.
const DARKEST: f32 = 0.03;
/// No surface changes its brightness by more than this, in natural logarithms.
const LARGEST: f32 = 1.5;
/// A corner whose triangle is turned further than this (cosine) from the mean around it lies on a crease.
const CREASE: f32 = 0.8;

/// Brings `predicted`, which has the look of `from`, into the light of the picture `real`.
///
/// `positions_mm` is where `predicted` has the mesh; all pictures are on the scale of `tone`.
pub fn relight(
    predicted: &mut Predicted,
    camera: &Camera,
    skin: &Skin,
    positions_mm: &[[f32; 3]],
    from: &Appearance,
    real: &Array2<f32>,
    tone: &Tone,
) {
    let visible = Visible::of(predicted, skin);
    let turned = visible.turned(skin, positions_mm, &from.positions_mm);
    let at = |(row, column): (usize, usize)| -> Option<Harmonics> {
        let point = predicted.raster.surface_point(camera, skin, row, column)?;
        let corners = &turned[visible.place[point.triangle as usize] as usize];
        Some(corners.iter().zip(point.barycentric).map(|(h, w)| h * w).sum())
    };
    let pixels: Vec<(Unknowns, f64)> = brightening(predicted, real, tone)
        .into_par_iter()
        .filter_map(|(place, ratio)| {
            let h = at(place)?;
            Some((Unknowns::from_fn(|i, _| h.get(i).map_or(1.0, |h| f64::from(*h))), ratio))
        })
        .collect();
    let light = fit(&pixels);
    let light = Harmonics::from_fn(|i, _| light[i] as f32);
    let known: Vec<(usize, usize)> =
        predicted.support.indexed_iter().filter(|(_, s)| **s == Support::Known).map(|(at, _)| at).collect();
    let brighter: Vec<Option<f32>> = known.par_iter().map(|place| at(*place).map(|h| h.dot(&light))).collect();
    for (place, brighter) in known.into_iter().zip(brighter) {
        if let Some(brighter) = brighter {
            let value = &mut predicted.picture[place];
            *value = tone.toned(tone.linear(*value) * brighter.clamp(-LARGEST, LARGEST).exp());
        }
    }
}

/// The triangles that a picture shows.
struct Visible {
    triangles: Vec<u32>,
    /// Of each triangle of the skin: its place among the visible ones.
    place: Vec<u32>,
}

impl Visible {
    fn of(predicted: &Predicted, skin: &Skin) -> Self {
        let mut place = vec![NO_TRIANGLE; skin.triangles.len()];
        let mut triangles = Vec::new();
        for triangle in predicted.raster.triangle.iter().filter(|t| **t != NO_TRIANGLE) {
            if place[*triangle as usize] == NO_TRIANGLE {
                place[*triangle as usize] = triangles.len() as u32;
                triangles.push(*triangle);
            }
        }
        Self { triangles, place }
    }

    /// Change of the harmonics at the corners of each visible triangle, from where the nodes were then to where they
    /// are now.
    fn turned(&self, skin: &Skin, now_mm: &[[f32; 3]], then_mm: &[[f32; 3]]) -> Vec<[Harmonics; 3]> {
        let (now, then) = (self.normals(skin, now_mm), self.normals(skin, then_mm));
        now.into_iter()
            .zip(then)
            .map(|(now, then)| std::array::from_fn(|i| harmonics(now[i]) - harmonics(then[i])))
            .collect()
    }

    /// Unit normals at the corners of each visible triangle: the mean of those around, but for creases.
    fn normals(&self, skin: &Skin, positions_mm: &[[f32; 3]]) -> Vec<[Vector3<f32>; 3]> {
        let area = |triangle: u32| {
            let [a, b, c] = skin.triangles[triangle as usize].map(|n| Vector3::from(positions_mm[n as usize]));
            (b - a).cross(&(c - a))
        };
        let unit = |v: Vector3<f32>| v.try_normalize(1e-12).unwrap_or_else(Vector3::zeros);
        let mut around = vec![Vector3::zeros(); positions_mm.len()];
        for triangle in &self.triangles {
            let area = area(*triangle);
            skin.triangles[*triangle as usize].iter().for_each(|n| around[*n as usize] += area);
        }
        let at_corners = |triangle: &u32| {
            let own = unit(area(*triangle));
            skin.triangles[*triangle as usize].map(|n| {
                let mean = unit(around[n as usize]);
                if mean.dot(&own) < CREASE { own } else { mean }
            })
        };
        self.triangles.iter().map(at_corners).collect()
    }
}

fn harmonics(n: Vector3<f32>) -> Harmonics {
    Harmonics::from([n.x, n.y, n.z, n.x * n.y, n.y * n.z, n.z * n.x, n.x * n.x - n.y * n.y, 3.0 * n.z * n.z - 1.0])
}

/// Some pixels that show a surface with a known look, and the logarithm of how much brighter it is than it was.
fn brightening(predicted: &Predicted, real: &Array2<f32>, tone: &Tone) -> Vec<((usize, usize), f64)> {
    let (h, w) = real.dim();
    let darkest = DARKEST * tone.linear(1.0);
    let places = (0..h).step_by(STRIDE).flat_map(|row| (0..w).step_by(STRIDE).map(move |column| (row, column)));
    places
        .filter(|at| predicted.support[*at] == Support::Known)
        .filter_map(|at| {
            let (is, was) = (tone.linear(real[at]), tone.linear(predicted.picture[at]));
            (is > darkest && was > darkest).then(|| (at, f64::from((is / was).ln())))
        })
        .collect()
}

/// The coefficients of harmonics and exposure that explain the brightening of the pixels.
fn fit(pixels: &[(Unknowns, f64)]) -> Unknowns {
    let off = |found: &Unknowns, (row, ratio): &(Unknowns, f64)| (ratio - row.dot(found)) / LEFT;
    let mut found = Unknowns::zeros();
    for round in 0..ROUNDS {
        let mut normal = SMatrix::<f64, UNKNOWNS, UNKNOWNS>::identity() / (PRIOR * PRIOR);
        let mut right = Unknowns::zeros();
        for pixel in pixels {
            let far = if round == 0 { 0.0 } else { off(&found, pixel) };
            let weight = 1.0 / (1.0 + far * far) / (LEFT * LEFT * TOGETHER);
            normal += pixel.0 * pixel.0.transpose() * weight;
            right += pixel.0 * (pixel.1 * weight);
        }
        // The prior makes it positive definite.
        found = normal.cholesky().map_or(found, |c| c.solve(&right));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Distortion, Intrinsics, Pose};
    use crate::vision::predict;

    const SIDE: usize = 200;

    fn camera() -> Camera {
        Camera {
            width: SIDE,
            height: SIDE,
            intrinsics: Intrinsics { fx: 400.0, fy: 400.0, cx: 99.5, cy: 99.5 },
            distortion: Distortion::default(),
            pose: Pose {
                rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
                translation_mm: [0.0, 0.0, 400.0],
            },
        }
    }

    /// A plate of 160 mm that is bent over its middle by `angle` (rad) on both sides.
    fn roof(angle: f32) -> (Skin, Vec<[f32; 3]>) {
        const N: u32 = 17;
        let place = |i: u32| {
            let (column, row) = ((i % N) as f32 - 8.0, (i / N) as f32 - 8.0);
            [10.0 * column * angle.cos(), 10.0 * row, 10.0 * column.abs() * angle.sin()]
        };
        let mut skin = Skin::default();
        for (row, column) in (0..N - 1).flat_map(|r| (0..N - 1).map(move |c| (r, c))) {
            let a = row * N + column;
            skin.triangles.extend([[a, a + 1, a + N + 1], [a, a + N + 1, a + N]]);
            skin.element_of.extend([row * (N - 1) + column; 2]);
        }
        (skin, (0..N * N).map(place).collect())
    }

    fn paint(row: usize, column: usize) -> f32 {
        0.4 + 0.1 * ((row as f32 * 0.4).sin() + (column as f32 * 0.3).cos())
    }

    #[test]
    fn a_bent_plate_gets_the_light_of_the_picture() {
        let (skin, flat) = roof(0.0);
        let (_, bent) = roof(0.5);
        let tone = Tone::from_picture(&Array2::from_shape_fn((SIDE, SIDE), |(r, c)| paint(r, c)));
        let look = Array2::from_shape_fn((SIDE, SIDE), |(r, c)| tone.toned(paint(r, c)));
        let from = Appearance::new(&camera(), &skin, flat, look);
        let plain = predict(&camera(), &skin, &bent, &from);
        // One half turns to the lamp, the other away; a corner lies in a shadow.
        let brighter = |column: usize| if column < SIDE / 2 { 1.5 } else { 0.6 };
        let in_shadow = |row: usize, column: usize| row < 80 && column < 80;
        let mut real = plain.picture.clone();
        for ((row, column), v) in real.indexed_iter_mut() {
            let shadow = if in_shadow(row, column) { 0.3 } else { 1.0 };
            *v = tone.toned(tone.linear(*v) * brighter(column) * shadow);
        }
        let mut lit = plain.clone();
        relight(&mut lit, &camera(), &skin, &bent, &from, &real, &tone);
        let known = || lit.support.indexed_iter().filter(|(_, s)| **s == Support::Known).map(|(at, _)| at);
        // Beside the ridge normals are smooth.
        let clear = || known().filter(|(row, column)| !in_shadow(*row, *column) && column.abs_diff(SIDE / 2) > 14);
        // The exposure is nobody's business: local contrast takes it out.
        let ratio = |a: &Array2<f32>, at| (tone.linear(a[at]) / tone.linear(real[at])).ln();
        let uneven = |a: &Array2<f32>| {
            let mean = clear().map(|at| ratio(a, at)).sum::<f32>() / clear().count() as f32;
            clear().map(|at| (ratio(a, at) - mean).abs()).fold(0.0f32, f32::max)
        };
        let (before, after) = (uneven(&plain.picture), uneven(&lit.picture));
        assert!(clear().count() > 10_000 && before > 0.4, "{before}");
        assert!(after < 0.03, "{after}");
    }

    #[test]
    fn what_has_not_turned_keeps_its_look_and_a_flicker_is_left_to_the_exposure() {
        let (skin, flat) = roof(0.0);
        let look = Array2::from_shape_fn((SIDE, SIDE), |(r, c)| paint(r, c));
        let tone = Tone::from_picture(&look);
        let from = Appearance::new(&camera(), &skin, flat.clone(), tone.apply(&look));
        let plain = predict(&camera(), &skin, &flat, &from);
        let mut lit = plain.clone();
        relight(&mut lit, &camera(), &skin, &flat, &from, &tone.apply(&look.mapv(|v| 1.3 * v)), &tone);
        assert!(lit.picture.iter().zip(&plain.picture).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn nothing_in_view_changes_nothing() {
        let (skin, flat) = roof(0.0);
        let behind: Vec<[f32; 3]> = flat.iter().map(|p| [p[0], p[1], p[2] - 2000.0]).collect();
        let look = Array2::from_elem((SIDE, SIDE), 0.5);
        let tone = Tone::from_picture(&look);
        let from = Appearance::new(&camera(), &skin, behind.clone(), look.clone());
        let mut lit = predict(&camera(), &skin, &behind, &from);
        relight(&mut lit, &camera(), &skin, &behind, &from, &look, &tone);
        assert_eq!(lit.picture, look);
    }
}
