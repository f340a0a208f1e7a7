//! A [`Sheet`] as SVG text.
//!
//! Pictures are embedded as JPEG (quality 88): a photograph as PNG would make the file several times larger. Colours
//! stand in plain attributes, so that a page can override ink and paper by a style sheet when it is dark.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use image::codecs::jpeg::JpegEncoder;
use plotters_backend::{BackendColor, BackendCoord};

use super::ReportError;
use super::escape::escaped;
use super::font::{BASE_BELOW_EM, FAMILY, LINE_PER_EM};
use super::sheet::{Command, Lettering, Place, Sheet};

const JPEG_QUALITY: u8 = 88;

/// The sheet as a stand-alone SVG document; `title` names it for readers that cannot see.
pub(super) fn svg_from_sheet(sheet: &Sheet, title: &str) -> Result<String, ReportError> {
    let (w, h) = (sheet.width, sheet.height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" \
         font-family=\"{FAMILY}\"><title>{}</title>\n<rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n",
        escaped(title)
    );
    for command in &sheet.commands {
        push(&mut svg, command, title)?;
        svg.push('\n');
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn push(svg: &mut String, command: &Command, title: &str) -> Result<(), ReportError> {
    match command {
        Command::Line { points, colour, width } => write!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" {} stroke-width=\"{width}\" stroke-linejoin=\"round\"/>",
            list(points, 0.5 * f64::from(width % 2)),
            paint("stroke", *colour)
        ),
        Command::Polygon { points, colour } => {
            write!(svg, "<polygon points=\"{}\" {}/>", list(points, 0.0), paint("fill", *colour))
        }
        Command::Circle { centre: (x, y), radius, colour, ring } => {
            let style = match ring {
                Some(width) => format!("fill=\"none\" {} stroke-width=\"{width}\"", paint("stroke", *colour)),
                None => paint("fill", *colour),
            };
            write!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {style}/>")
        }
        Command::Text { text, at, font } => {
            push_text(svg, text, *at, font);
            Ok(())
        }
        Command::Picture { at: (x, y), picture } => {
            let mut jpeg = Vec::new();
            JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
                .encode_image(picture)
                .map_err(|source| ReportError::Drawing { what: title.to_owned(), source: source.into() })?;
            let (w, h) = picture.dimensions();
            let content = BASE64.encode(&jpeg);
            write!(
                svg,
                "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" href=\"data:image/jpeg;base64,{content}\"/>"
            )
        }
    }
    .expect("writing to a string cannot fail; anything else is a bug");
    Ok(())
}

fn push_text(svg: &mut String, text: &str, (x, y): BackendCoord, font: &Lettering) {
    let em = font.size / LINE_PER_EM;
    let anchor = match font.horizontal {
        Place::Start => "start",
        Place::Middle => "middle",
        Place::End => "end",
    };
    let down = em * BASE_BELOW_EM[font.vertical as usize];
    let weight = if font.bold { " font-weight=\"bold\"" } else { "" };
    let turn = if font.turns == 0 {
        String::new()
    } else {
        format!(" transform=\"rotate({} {x} {y})\"", 90 * u32::from(font.turns))
    };
    write!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" dy=\"{down:.1}\" text-anchor=\"{anchor}\" font-size=\"{em:.1}\"{weight}{turn} {}>{}</text>",
        paint("fill", font.colour),
        escaped(text)
    )
    .expect("writing to a string cannot fail; anything else is a bug");
}

fn list(points: &[BackendCoord], shift: f64) -> String {
    let mut text = String::with_capacity(points.len() * 9);
    for (i, (x, y)) in points.iter().enumerate() {
        let gap = if i == 0 { "" } else { " " };
        write!(text, "{gap}{},{}", f64::from(*x) + shift, f64::from(*y) + shift)
            .expect("writing to a string cannot fail; anything else is a bug");
    }
    text
}

fn paint(attribute: &str, colour: BackendColor) -> String {
    let (r, g, b) = colour.rgb;
    let opacity =
        if colour.alpha < 1.0 { format!(" {attribute}-opacity=\"{:.2}\"", colour.alpha) } else { String::new() };
    format!("{attribute}=\"#{r:02x}{g:02x}{b:02x}\"{opacity}")
}
