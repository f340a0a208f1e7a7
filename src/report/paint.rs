//! Painting on pictures: light to grey, deviation as a see-through colour, hatching, outlines of flags.

use image::{Rgb, RgbImage};
use ndarray::Array2;

use super::palette::{BEYOND, viridis};
use super::surface::{NOTHING, SurfaceMap};
use plotters::style::RGBColor;

/// How strongly the colour covers the picture at and above the tolerance, 0–1.
const COVER: f32 = 0.72;
/// Distance of the hatching's lines, px.
const HATCH_PX: usize = 12;
/// Length of the dashes of an outline: this over 3 px along a row, over 2 along a column.
const DASH: usize = 24;

/// Distance and width of the stripes of what is estimated, px; they lean the other way than the hatching.
const STRIPES_PX: (usize, usize) = (10, 4);
/// Share of the usual cover on the stripes and between them.
const STRIPE_COVER: (f32, f32) = (0.9, 0.12);
/// Islands and holes of an outlined region with fewer pixels are no news: they would be a tangle of outlines.
const SPECK_PX: usize = 300;

/// The light as a grey picture, brightened so that its 99.5th percentile is nearly white; paper where nothing was filmed.
pub(super) fn grey_picture(luma: &Array2<f32>) -> RgbImage {
    let mut sorted: Vec<f32> = luma.iter().copied().step_by(7).filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let bright = sorted.get(sorted.len() * 995 / 1000).copied().unwrap_or(1.0);
    let gain = 245.0 / bright.clamp(0.25, 1.0);
    RgbImage::from_fn(luma.ncols() as u32, luma.nrows() as u32, |x, y| {
        let v = luma[(y as usize, x as usize)] * gain;
        Rgb([if v.is_nan() { BEYOND } else { v.clamp(0.0, 255.0) as u8 }; 3])
    })
}

/// Lays the deviation over a picture: clear where it is nothing, [`COVER`] from the tolerance on; in stripes where it is
/// estimated and not seen. What the mesh covers but nobody knows of stays as it is under a light veil.
pub(super) fn lay_deviation(picture: &mut RgbImage, map: &SurfaceMap, top_mm: f64, tolerance_mm: f64) {
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let at = (y as usize, x as usize);
        if map.element[at] == NOTHING {
            continue;
        }
        let value = map.value[at];
        if value.is_finite() {
            let share = match (map.seen[at], on_stripe(at)) {
                (true, _) => 1.0,
                (false, true) => STRIPE_COVER.0,
                (false, false) => STRIPE_COVER.1,
            };
            mix(pixel, viridis(value / top_mm as f32), share * cover(f64::from(value), tolerance_mm));
        } else {
            mix(pixel, [235.0; 3], 0.28);
        }
    }
}

/// Whether a pixel lies on a stripe of what is estimated.
pub(super) fn on_stripe((row, column): (usize, usize)) -> bool {
    (column + row * (STRIPES_PX.0 - 1)) % STRIPES_PX.0 < STRIPES_PX.1
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

/// The labels without islands and holes of fewer than [`SPECK_PX`] pixels: each takes the label that surrounds it most.
pub(super) fn without_specks(labels: &Array2<u32>) -> Array2<u32> {
    let (h, w) = labels.dim();
    let mut clean = labels.clone();
    let mut visited = Array2::from_elem((h, w), false);
    let mut members: Vec<(usize, usize)> = Vec::new();
    for start in (0..h * w).map(|i| (i / w, i % w)) {
        if visited[start] {
            continue;
        }
        let mut around: std::collections::BTreeMap<u32, usize> = std::collections::BTreeMap::new();
        visited[start] = true;
        members.clear();
        members.push(start);
        let mut next = 0;
        while let Some((r, c)) = members.get(next).copied() {
            next += 1;
            for near in [(r.wrapping_sub(1), c), (r + 1, c), (r, c.wrapping_sub(1)), (r, c + 1)] {
                let Some(label) = labels.get(near) else { continue };
                if *label != labels[start] {
                    *around.entry(*label).or_default() += 1;
                } else if !visited[near] {
                    visited[near] = true;
                    members.push(near);
                }
            }
        }
        if members.len() < SPECK_PX
            && let Some((label, _)) = around.iter().max_by_key(|(_, count)| **count)
        {
            members.iter().for_each(|m| clean[*m] = *label);
        }
    }
    clean
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
    use crate::report::palette::MISMATCH;

    /// A surface of one value over the whole picture, its right half not seen.
    fn half_seen() -> SurfaceMap {
        let size = (40, 80);
        SurfaceMap {
            element: Array2::zeros(size),
            value: Array2::from_elem(size, 6.0),
            seen: Array2::from_shape_fn(size, |(_, c)| c < 40),
            facing: Array2::ones(size),
        }
    }

    #[test]
    fn what_no_camera_saw_is_striped_and_paler_than_what_was_measured() {
        let mut picture = RgbImage::from_pixel(80, 40, Rgb([200; 3]));
        lay_deviation(&mut picture, &half_seen(), 8.0, 5.0);
        let colour = |from: u32| -> Vec<i32> {
            let all = picture.enumerate_pixels().filter(|(x, _, _)| (from..from + 40).contains(x));
            all.map(|(_, _, p)| i32::from(p.0[1]) - i32::from(p.0[2])).collect()
        };
        let (measured, estimated) = (colour(0), colour(40));
        assert!(measured.iter().all(|c| *c == measured[0]) && measured[0] > 30, "measured is one plain colour");
        let strong = estimated.iter().filter(|c| **c > measured[0] / 2).count() as f64 / estimated.len() as f64;
        assert!((0.3..0.5).contains(&strong), "stripes cover {strong}");
        assert!(estimated.iter().all(|c| *c < measured[0]), "an estimate is paler throughout");
    }

    #[test]
    fn specks_take_the_label_around_them_and_regions_stay() {
        let mut labels = Array2::from_shape_fn((60, 100), |(_, c)| u32::from(c < 50));
        labels[(10, 10)] = 0;
        labels[(20, 80)] = 2;
        let clean = without_specks(&labels);
        assert_eq!((clean[(10, 10)], clean[(20, 80)]), (1, 0));
        assert_eq!(clean.iter().filter(|l| **l == 1).count(), 60 * 50);
    }

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
