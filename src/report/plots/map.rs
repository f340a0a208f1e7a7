//! The largest deviation over time on the undeformed structure, seen from the cameras' side and from behind.

use image::{Rgb, RgbImage};

use super::{Plot, failed};
use crate::domain::{Mesh, Verdict};
use crate::geom::Camera;
use crate::report::ReportError;
use crate::report::lettering::{
    Anchor, CONTENT_TOP, ColourBar, MARGIN, SMALL, Swatch, WIDE, bold, colour_bar, fitted, legend, line, style, title,
    write,
};
use crate::report::paint::mix;
use crate::report::palette::{MISMATCH, PICTURE_INK, PICTURE_PAPER};
use crate::report::scene::Scene;
use crate::report::sheet::{Area, DrawError, Sheet};
use crate::report::surface::{NOTHING, SurfaceMap, Window, shaded, surface_map};
use crate::report::viewpoint::{camera_from, centre_of, extents, orientation};
use plotters::element::{Circle, Rectangle};
use plotters::style::{Color, RGBColor};

/// Room for the two views, px.
const ROOM: (i32, i32) = (1180, 770);
/// How far the views are turned out of the cameras' mean direction, rad.
const TURN: f64 = 0.55;
/// Samples a pixel along each axis.
const SAMPLES: usize = 2;

pub(super) fn draw(scene: &Scene<'_>) -> Result<Plot, ReportError> {
    let largest = largest_mm(scene);
    let flagged = flagged_elements(scene);
    let centre = centre_of(&scene.undeformed_mm);
    let cameras: Vec<Camera> = scene.cameras.iter().map(|c| c.camera).collect();
    let (up, towards) = orientation(&cameras, &scene.undeformed_mm, centre);
    // Turned a little, so that two sides show, and looking down a little; "behind" is half a turn further.
    let front = towards * TURN.cos() + up.cross(&towards) * TURN.sin();
    let directions = [front, -front].map(|d| d + up * 0.42);
    let (w, h) = extents(&scene.undeformed_mm, centre, directions[0], up);
    let stacked = w > 1.5 * h;
    let size = if stacked { (ROOM.0, ROOM.1 / 2 - 20) } else { (ROOM.0 / 2 - 10, ROOM.1 - 20) };
    let mut sheet = Sheet::new(WIDE.0, WIDE.1);
    let mut captions = Vec::new();
    for (i, direction) in directions.into_iter().enumerate() {
        let camera = camera_from(&scene.undeformed_mm, centre, direction, up, size);
        let i = i as i32;
        let at =
            if stacked { (MARGIN, CONTENT_TOP + i * (size.1 + 20)) } else { (MARGIN + i * (size.0 + 10), CONTENT_TOP) };
        sheet.picture(at, view(scene, &camera, &largest, &flagged));
        captions.push((at, camera));
    }
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        let headline = format!("{} · largest deviation over time", scene.review.test_id);
        title(&area, &headline, "On the undeformed structure: where the test left the simulation, and by how much")?;
        for ((at, camera), name) in captions.iter().zip(["from the cameras' side", "from behind"]) {
            write(&area, name, &bold(SMALL, PICTURE_INK), (at.0 + 6, at.1 + 16))?;
            name_parts(scene, &area, camera, *at, &largest)?;
        }
        let right = MARGIN + ROOM.0 + 40;
        let bar = ColourBar {
            at: (right, CONTENT_TOP + 42),
            height: 430,
            top_mm: scene.top_mm,
            tolerance_mm: scene.review.tolerance.default_mm,
            named: true,
            over_picture: false,
        };
        colour_bar(&area, &bar)?;
        let entries = [
            (Swatch::Frame(MISMATCH), "flagged as mismatch"),
            (Swatch::Box(RGBColor(196, 196, 196)), "never measured"),
        ];
        legend(&area, (right, CONTENT_TOP + 530), &entries)
    };
    letter().map_err(failed("the map of deviation"))?;
    drop(area);
    Ok(Plot {
        name: "deviation_map".to_owned(),
        title: "Map of the largest deviation".to_owned(),
        caption: "Each node's largest deviation over the film on the undeformed structure, from the cameras' side and \
                  from behind; grey was never measured."
            .to_owned(),
        sheet,
    })
}

/// Each node's largest deviation over time, mm; NaN where it was never observed.
fn largest_mm(scene: &Scene<'_>) -> Vec<f32> {
    (0..scene.mesh.node_count)
        .map(|n| scene.fields.iter().map(|f| f.magnitude_mm(n)).fold(f32::NAN, f32::max))
        .collect()
}

fn flagged_elements(scene: &Scene<'_>) -> Vec<bool> {
    let mut flagged = vec![false; scene.mesh.element_count()];
    for flag in scene.review.flags.iter().filter(|f| f.verdict == Verdict::Mismatch) {
        for element in &flag.element_ids {
            if let Some(mark) = flagged.get_mut(*element as usize) {
                *mark = true;
            }
        }
    }
    flagged
}

/// The shaded picture with mesh lines, part borders and the flags' borders.
fn view(scene: &Scene<'_>, camera: &Camera, largest: &[f32], flagged: &[bool]) -> RgbImage {
    let (w, h) = (camera.width * SAMPLES, camera.height * SAMPLES);
    let window = Window { left: 0.0, top: 0.0, scale: SAMPLES as f64, width: w, height: h };
    let map = surface_map(camera, &window, scene.skin, &scene.undeformed_mm, largest);
    let mut fine = RgbImage::from_pixel(w as u32, h as u32, Rgb([255; 3]));
    for (x, y, pixel) in fine.enumerate_pixels_mut() {
        let at = (y as usize, x as usize);
        if map.element[at] != NOTHING {
            let colour = shaded(map.value[at], scene.top_mm, map.facing[at]);
            *pixel = Rgb(colour.map(|c| c.round() as u8));
        }
        if let Some((colour, share)) = edge(scene.mesh, &map, flagged, at) {
            mix(pixel, colour, share);
        }
    }
    image::imageops::resize(&fine, camera.width as u32, camera.height as u32, image::imageops::FilterType::Triangle)
}

/// The line that runs through a pixel, if any: flag border, silhouette and part border, mesh line.
fn edge(mesh: &Mesh, map: &SurfaceMap, flagged: &[bool], (row, column): (usize, usize)) -> Option<([f32; 3], f32)> {
    let (h, w) = map.element.dim();
    let kind = |e: u32| (e != NOTHING).then(|| (mesh.part_of[e as usize], flagged[e as usize]));
    let own = map.element[(row, column)];
    let mut strongest = None;
    for (dy, dx) in (-3..=3_i64).flat_map(|dy| (-3..=3_i64).map(move |dx| (dy, dx))) {
        let (r, c) = (row as i64 + dy, column as i64 + dx);
        if r < 0 || c < 0 || r >= h as i64 || c >= w as i64 {
            continue;
        }
        let other = map.element[(r as usize, c as usize)];
        if other == own {
            continue;
        }
        let d = dx * dx + dy * dy;
        let (a, b) = (kind(own), kind(other));
        if a.is_some_and(|a| a.1) != b.is_some_and(|b| b.1) && d <= 9 {
            return Some(([213.0, 94.0, 0.0], 1.0));
        }
        if d <= 2 && a.map(|a| a.0) != b.map(|b| b.0) {
            strongest = Some(([40.0; 3], 0.8));
        } else if d <= 1 && strongest.is_none() && own != NOTHING {
            strongest = Some(([30.0; 3], 0.16));
        }
    }
    strongest
}

/// The parts that deviate most, each named where it deviates most within sight.
fn name_parts(
    scene: &Scene<'_>,
    area: &Area<'_>,
    camera: &Camera,
    at: (i32, i32),
    largest: &[f32],
) -> Result<(), DrawError> {
    let window = Window { left: 0.0, top: 0.0, scale: 1.0, width: camera.width, height: camera.height };
    let map = surface_map(camera, &window, scene.skin, &scene.undeformed_mm, largest);
    let mut taken: Vec<(bool, i32)> = Vec::new();
    for part in scene.review.parts.iter().filter(|p| p.mismatch_flags > 0).take(4) {
        let of_part = |e: u32| e != NOTHING && scene.mesh.part_of[e as usize] == part.part_id;
        let seen = map.element.indexed_iter().filter(|(place, e)| of_part(**e) && map.value[*place].is_finite());
        let Some(((row, column), _)) = seen.max_by(|(a, _), (b, _)| map.value[*a].total_cmp(&map.value[*b])) else {
            continue;
        };
        let on_right = column > camera.width / 2;
        let place = (at.0 + column as i32, at.1 + row as i32);
        let mut y = place.1;
        while taken.iter().any(|(side, t)| *side == on_right && (t - y).abs() < 60) {
            y += 60;
        }
        taken.push((on_right, y));
        let x = if on_right { at.0 + camera.width as i32 - 6 } else { at.0 + 6 };
        label(area, &part.part_name, part.peak_mm, place, (x, y), on_right)?;
    }
    Ok(())
}

/// A name with a thin line to its place.
fn label(
    area: &Area<'_>,
    name: &str,
    peak_mm: Option<f64>,
    place: (i32, i32),
    at: (i32, i32),
    on_right: bool,
) -> Result<(), DrawError> {
    let name = fitted(area, name, &bold(SMALL, PICTURE_INK), 170)?;
    let size = peak_mm.map_or_else(String::new, |mm| format!("p95 {mm:.1} mm"));
    let (width, _) = area.estimate_text_size(&name, &bold(SMALL, PICTURE_INK))?;
    let edge = if on_right { at.0 - width as i32 - 8 } else { at.0 + width as i32 + 8 };
    line(area, vec![(edge, at.1), place], PICTURE_INK, 1)?;
    area.draw(&Circle::new(place, 4, PICTURE_INK.filled()))?;
    let (from, to) = if on_right { (edge + 2, at.0 + 6) } else { (at.0 - 6, edge - 2) };
    area.draw(&Rectangle::new([(from, at.1 - 15), (to, at.1 + 40)], PICTURE_PAPER.mix(0.85).filled()))?;
    for (words, letters, y) in [(&name, bold(SMALL, PICTURE_INK), at.1), (&size, style(SMALL, PICTURE_INK), at.1 + 25)]
    {
        write(area, words, &if on_right { letters.to_the_right() } else { letters }, (at.0, y))?;
    }
    Ok(())
}
