//! A [`Sheet`] as a bitmap: drawn by plotters at twice the size and averaged down, which smooths every edge.

use ab_glyph::{Font, GlyphId, ScaleFont, point};
use image::{ImageEncoder, RgbImage};
use plotters::prelude::{BitMapBackend, DrawingBackend};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle};

use super::ReportError;
use super::font;
use super::sheet::{Command, Lettering, Place, Sheet};

/// Samples a pixel along each axis.
const SAMPLES: u32 = 2;

struct Stroke {
    colour: BackendColor,
    width: u32,
}

impl BackendStyle for Stroke {
    fn color(&self) -> BackendColor {
        self.colour
    }

    fn stroke_width(&self) -> u32 {
        self.width
    }
}

/// The sheet as the bytes of a PNG file of its nominal size.
pub(super) fn png_from_sheet(sheet: &Sheet, title: &str) -> Result<Vec<u8>, ReportError> {
    let failed =
        |source: Box<dyn std::error::Error + Send + Sync>| ReportError::Drawing { what: title.to_owned(), source };
    let picture = bitmap_from_sheet(sheet).map_err(failed)?;
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(picture.as_raw(), sheet.width, sheet.height, image::ExtendedColorType::Rgb8)
        .map_err(|e| failed(e.into()))?;
    Ok(png)
}

fn bitmap_from_sheet(sheet: &Sheet) -> Result<RgbImage, Box<dyn std::error::Error + Send + Sync>> {
    let (w, h) = (sheet.width * SAMPLES, sheet.height * SAMPLES);
    let mut fine = vec![255_u8; (w * h * 3) as usize];
    for command in &sheet.commands {
        match command {
            Command::Picture { at, picture } => paste(&mut fine, w, h, *at, picture),
            Command::Text { text, at, font } => letter(&mut fine, (w, h), text, *at, font),
            stroke => replay(&mut BitMapBackend::with_buffer(&mut fine, (w, h)), stroke)?,
        }
    }
    Ok(averaged(&fine, sheet.width, sheet.height))
}

fn replay(backend: &mut BitMapBackend<'_>, command: &Command) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let k = SAMPLES as i32;
    let fine = |(x, y): &BackendCoord| (x * k, y * k);
    match command {
        Command::Line { points, colour, width } => {
            let stroke = Stroke { colour: *colour, width: width * SAMPLES };
            backend.draw_path(points.iter().map(fine), &stroke)?;
        }
        Command::Polygon { points, colour } => backend.fill_polygon(points.iter().map(fine), colour)?,
        Command::Circle { centre, radius, colour, ring } => {
            let stroke = Stroke { colour: *colour, width: ring.unwrap_or(1) * SAMPLES };
            backend.draw_circle(fine(centre), radius * SAMPLES, &stroke, ring.is_none())?;
        }
        // Drawn without the backend.
        Command::Text { .. } | Command::Picture { .. } => {}
    }
    Ok(())
}

/// Draws a word letter by letter: kerned, at sub-pixel places, with its base line where the SVG has it.
fn letter(fine: &mut [u8], (w, h): (u32, u32), text: &str, (x0, y0): BackendCoord, font: &Lettering) {
    let k = SAMPLES as f32;
    let face = font::face(font.bold).as_scaled(font.size as f32 * k);
    let mut glyphs: Vec<(GlyphId, f32)> = Vec::with_capacity(text.len());
    let mut end = 0.0;
    for c in text.chars() {
        let id = face.glyph_id(c);
        end += glyphs.last().map_or(0.0, |(before, _)| face.kern(*before, id));
        glyphs.push((id, end));
        end += face.h_advance(id);
    }
    let start = match font.horizontal {
        Place::Start => 0.0,
        Place::Middle => -end / 2.0,
        Place::End => -end,
    };
    let em = font.size / font::LINE_PER_EM;
    let base = (em * font::BASE_BELOW_EM[font.vertical as usize]) as f32 * k;
    let (x0, y0) = (x0 * SAMPLES as i32, y0 * SAMPLES as i32);
    for (id, along) in glyphs {
        let glyph = id.with_scale_and_position(font.size as f32 * k, point(start + along, base));
        let Some(outline) = face.outline_glyph(glyph) else { continue };
        let bounds = outline.px_bounds();
        outline.draw(|gx, gy, share| {
            let (x, y) = (gx as i32 + bounds.min.x as i32, gy as i32 + bounds.min.y as i32);
            let (x, y) = match font.turns {
                0 => (x, y),
                1 => (-y, x),
                2 => (-x, -y),
                _ => (y, -x),
            };
            let (x, y) = (x0 + x, y0 + y);
            if (0..w as i32).contains(&x) && (0..h as i32).contains(&y) {
                let at = (y as usize * w as usize + x as usize) * 3;
                let share = share.clamp(0.0, 1.0) * font.colour.alpha as f32;
                let (r, g, b) = font.colour.rgb;
                for (pixel, ink) in fine[at..at + 3].iter_mut().zip([r, g, b]) {
                    *pixel = (f32::from(*pixel) * (1.0 - share) + f32::from(ink) * share).round() as u8;
                }
            }
        });
    }
}

/// Puts `picture` on the fine canvas, each of its pixels as a block; what lies outside is cut off.
fn paste(fine: &mut [u8], w: u32, h: u32, (x0, y0): BackendCoord, picture: &RgbImage) {
    let k = SAMPLES as i32;
    for (x, y, pixel) in picture.enumerate_pixels() {
        for dy in 0..k {
            for dx in 0..k {
                let (fx, fy) = ((x0 + x as i32) * k + dx, (y0 + y as i32) * k + dy);
                if (0..w as i32).contains(&fx) && (0..h as i32).contains(&fy) {
                    let at = (fy as usize * w as usize + fx as usize) * 3;
                    fine[at..at + 3].copy_from_slice(&pixel.0);
                }
            }
        }
    }
}

fn averaged(fine: &[u8], width: u32, height: u32) -> RgbImage {
    let k = SAMPLES as usize;
    let stride = width as usize * k * 3;
    RgbImage::from_fn(width, height, |x, y| {
        image::Rgb(std::array::from_fn(|channel| {
            let mut sum = 0_u32;
            for dy in 0..k {
                for dx in 0..k {
                    let at = (y as usize * k + dy) * stride + (x as usize * k + dx) * 3 + channel;
                    sum += u32::from(fine[at]);
                }
            }
            ((sum + SAMPLES * SAMPLES / 2) / (SAMPLES * SAMPLES)) as u8
        }))
    })
}
