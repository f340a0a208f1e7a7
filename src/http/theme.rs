//! Plots on dark paper: the report draws them on light paper, with ink and paper in colours of their own, so that they
//! can be told from the colours of the data and of pictures.

use std::io::Cursor;

use bytes::Bytes;
use image::{ImageFormat, Rgb, RgbImage};

use crate::jobs::ServiceError;

/// Light colour, dark colour: as the report's own style sheet has them for a dark page.
const COLOURS: [(&str, &str); 7] = [
    ("#ffffff", "#16181a"),
    ("#1a1a1a", "#e8e8e6"),
    ("#5c5c5c", "#a5a8aa"),
    ("#e2e2e2", "#34383c"),
    ("#bfdbeb", "#133a4f"),
    ("#d55e00", "#e8701a"),
    ("#0072b2", "#56b4e9"),
];

/// An SVG on dark paper.
pub(super) fn dark_svg(svg: &str) -> String {
    let mut dark = svg.to_owned();
    for (light, there) in COLOURS {
        for attribute in ["fill", "stroke"] {
            dark = dark.replace(&format!("{attribute}=\"{light}\""), &format!("{attribute}=\"{there}\""));
        }
    }
    dark
}

/// Rectangles of the pictures in a plot, by its SVG: x, y, width, height in px of the plot's own size.
fn pictures(svg: &str) -> Vec<[i64; 4]> {
    let number = |tag: &str, key: &str| {
        let (_, rest) = tag.split_once(&format!(" {key}=\""))?;
        rest.split_once('"')?.0.parse::<f64>().ok().map(|v| v.round() as i64)
    };
    svg.split("<image")
        .skip(1)
        .filter_map(|tag| {
            let tag = format!(" {}", tag.split_once(" href")?.0);
            Some([number(&tag, "x")?, number(&tag, "y")?, number(&tag, "width")?, number(&tag, "height")?])
        })
        .collect()
}

/// A PNG on dark paper: what has no colour goes from ink-on-paper to paper-on-ink, but for the pictures in the plot.
///
/// # Errors
/// When the PNG cannot be read or written.
pub(super) fn dark_png(png: &[u8], svg: &str) -> Result<Bytes, ServiceError> {
    let mut plot = image::load_from_memory_with_format(png, ImageFormat::Png)?.to_rgb8();
    let keep = pictures(svg);
    darken(&mut plot, &keep);
    let mut out = Cursor::new(Vec::new());
    plot.write_to(&mut out, ImageFormat::Png)?;
    Ok(out.into_inner().into())
}

fn darken(plot: &mut RgbImage, keep: &[[i64; 4]]) {
    /// Channels that differ less have no colour.
    const NEUTRAL: u8 = 10;
    let (ink, paper) = ([232.0, 232.0, 230.0], [22.0, 24.0, 26.0]);
    for (x, y, pixel) in plot.enumerate_pixels_mut() {
        let (px, py) = (i64::from(x), i64::from(y));
        if keep.iter().any(|[x, y, w, h]| px >= *x && px < x + w && py >= *y && py < y + h) {
            continue;
        }
        let [r, g, b] = pixel.0;
        if r.max(g).max(b) - r.min(g).min(b) > NEUTRAL {
            continue;
        }
        // 255 is paper, 26 is ink.
        let share = ((255.0 - f32::from(g)) / 229.0).clamp(0.0, 1.0);
        *pixel = Rgb(std::array::from_fn(|c| {
            let (from, to): (f32, f32) = (paper[c], ink[c]);
            (from + share * (to - from)).round() as u8
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ink_and_paper_change_places_and_data_and_pictures_stay() {
        let svg = "<svg><rect fill=\"#ffffff\"/><image x=\"2\" y=\"0\" width=\"2\" height=\"1\" href=\"…\"/><text fill=\"#1a1a1a\"/></svg>";
        let dark = dark_svg(svg);
        assert!(dark.contains("fill=\"#16181a\"") && dark.contains("fill=\"#e8e8e6\""), "{dark}");
        let mut plot = RgbImage::from_fn(4, 1, |x, _| [[255; 3], [26; 3], [26; 3], [200, 60, 0]].map(Rgb)[x as usize]);
        darken(&mut plot, &pictures(svg));
        let found: Vec<[u8; 3]> = plot.pixels().map(|p| p.0).collect();
        assert_eq!(found, [[22, 24, 26], [232, 232, 230], [26; 3], [200, 60, 0]]);
    }
}
