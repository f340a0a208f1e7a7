//! Painting on pictures: light to grey, deviation as a see-through colour, hatching, outlines of flags.

use image::{Rgb, RgbImage};
use ndarray::Array2;

use super::palette::{CANNOT_TELL, MISMATCH, viridis};
use super::surface::{NOTHING, SurfaceMap};
use plotters::style::RGBColor;

/// How strongly the colour covers the picture at and above the tolerance, 0–1.
const COVER: f32 = 0.72;
/// Distance of the hatching's lines, px.
const HATCH_PX: usize = 12;
/// Length of the dashes of an outline: this over 3 px along a row, over 2 along a column.
const DASH: usize = 24;

/// The light as a grey picture, brightened so that its 99.5th percentile is nearly white.
pub(super) fn grey_picture(luma: &Array2<f32>) -> RgbImage {
    let mut sorted: Vec<f32> = luma.iter().copied().step_by(7).filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let bright = sorted.get(sorted.len() * 995 / 1000).copied().unwrap_or(1.0);
    let gain = 245.0 / bright.clamp(0.25, 1.0);
    RgbImage::from_fn(luma.ncols() as u32, luma.nrows() as u32, |x, y| {
        let v = (luma[(y as usize, x as usize)] * gain).clamp(0.0, 255.0) as u8;
        Rgb([v; 3])
    })
}

/// Lays the deviation over a picture: clear where it is nothing, [`COVER`] from the tolerance on; what the mesh covers
/// but nobody measured stays as it is under a light veil.
pub(super) fn lay_deviation(picture: &mut RgbImage, map: &SurfaceMap, top_mm: f64, tolerance_mm: f64) {
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let at = (y as usize, x as usize);
        if map.element[at] == NOTHING {
            continue;
        }
        let value = map.value[at];
        if value.is_finite() {
            mix(pixel, viridis(value / top_mm as f32), cover(f64::from(value), tolerance_mm));
        } else {
            mix(pixel, [235.0; 3], 0.28);
        }
    }
}

/// Share of the colour in the picture for a deviation.
pub(super) fn cover(value_mm: f64, tolerance_mm: f64) -> f32 {
    COVER * (0.12 + 0.88 * (value_mm / tolerance_mm).clamp(0.0, 1.0) as f32)
}

/// Slanted grey lines where `wanted` says so.
pub(super) fn hatch(picture: &mut RgbImage, wanted: impl Fn(usize, usize) -> bool) {
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        if wanted(y as usize, x as usize) {
            let line = (x as usize + y as usize) % HATCH_PX < 3;
            mix(pixel, [245.0; 3], if line { 0.85 } else { 0.30 });
        }
    }
}

/// Draws the border of every region of equal label, except 0, inside the region: a line of `width` px of the label's
/// colour with a thin light rim, legible on dark and bright ground; dashed where the place is not `sure`.
pub(super) fn outline(
    picture: &mut RgbImage,
    labels: &Array2<u32>,
    width: usize,
    colour: impl Fn(u32) -> RGBColor,
    sure: impl Fn(usize, usize) -> bool,
) {
    let (h, w) = labels.dim();
    let reach = width as i64 + 1;
    for row in 0..h {
        for column in 0..w {
            let own = labels[(row, column)];
            if own == 0 {
                continue;
            }
            let distance = border_distance(labels, row, column, reach);
            let Some(distance) = distance else { continue };
            // Stripes along a slope that borders seldom have.
            if !sure(row, column) && (3 * column + 2 * row) / DASH % 2 == 1 {
                continue;
            }
            let RGBColor(r, g, b) = colour(own);
            let pixel = picture.get_pixel_mut(column as u32, row as u32);
            if distance <= width as i64 * width as i64 {
                mix(pixel, [f32::from(r), f32::from(g), f32::from(b)], 1.0);
            } else {
                mix(pixel, [255.0; 3], 0.65);
            }
        }
    }
}

/// Squared distance to the nearest pixel of another label within `reach`; pixels outside the picture count as equal.
fn border_distance(labels: &Array2<u32>, row: usize, column: usize, reach: i64) -> Option<i64> {
    let (h, w) = (labels.nrows() as i64, labels.ncols() as i64);
    let own = labels[(row, column)];
    let mut nearest = None;
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let d = dx * dx + dy * dy;
            let (r, c) = (row as i64 + dy, column as i64 + dx);
            if d <= reach * reach
                && (0..h).contains(&r)
                && (0..w).contains(&c)
                && labels[(r as usize, c as usize)] != own
                && nearest.is_none_or(|n| d < n)
            {
                nearest = Some(d);
            }
        }
    }
    nearest
}

/// The outline's colour for a verdict.
pub(super) fn outline_colour(mismatch: bool) -> RGBColor {
    if mismatch { MISMATCH } else { CANNOT_TELL }
}

/// Moves a pixel towards `colour` by `share`.
pub(super) fn mix(pixel: &mut Rgb<u8>, colour: [f32; 3], share: f32) {
    for (p, c) in pixel.0.iter_mut().zip(colour) {
        *p = (f32::from(*p) * (1.0 - share) + c * share).round() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_is_whole_where_its_place_is_sure_and_dashed_elsewhere() {
        let labels =
            Array2::from_shape_fn((60, 200), |(r, c)| u32::from((10..50).contains(&r) && (10..190).contains(&c)));
        let mut picture = RgbImage::new(200, 60);
        outline(&mut picture, &labels, 3, |_| MISMATCH, |_, column| column < 100);
        let drawn = |columns: std::ops::Range<u32>| {
            let RGBColor(r, g, b) = MISMATCH;
            columns.clone().filter(|c| picture.get_pixel(*c, 11).0 == [r, g, b]).count() as f64 / columns.len() as f64
        };
        assert_eq!(drawn(15..95), 1.0);
        assert!((0.35..0.65).contains(&drawn(105..185)), "{}", drawn(105..185));
    }
}
