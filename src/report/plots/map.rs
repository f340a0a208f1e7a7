//! The largest deviation over time on the undeformed structure, seen from the cameras' side and from behind.

use image::{Rgb, RgbImage};

use super::{Plot, failed};
use crate::domain::{FrameField, Mesh, PartSummary, Verdict};
use crate::geom::Camera;
use crate::report::ReportError;
use crate::report::callout::{Room, edge_towards};
use crate::report::lettering::{
    CONTENT_TOP, ColourBar, HEADLINE, MARGIN, SMALL, Swatch, WIDE, bold, colour_bar, fitted, headline, legend, line,
    style, title, write,
};
use crate::report::paint::{mix, on_stripe};
use crate::report::palette::{MISMATCH, PICTURE_INK, PICTURE_PAPER, flag_colours};
use crate::report::scene::Scene;
use crate::report::sheet::{Area, DrawError, Sheet};
use crate::report::surface::{NOTHING, NodeValues, SurfaceMap, Window, shaded, surface_map};
use crate::report::viewpoint::{camera_from, centre_of, extents, orientation};
use plotters::element::Circle;
use plotters::style::{Color, RGBColor};

/// Room for the two views, px.
const ROOM: (i32, i32) = (1180, 770);
/// How far the views are turned out of the cameras' mean direction, rad.
const TURN: f64 = 0.55;
/// Samples a pixel along each axis.
const SAMPLES: usize = 2;
/// Parts that are named in each view, and px of a part that make it worth its name there.
const NAMED: (usize, usize) = (4, 60);

pub(super) fn draw(scene: &Scene<'_>) -> Result<Plot, ReportError> {
    let largest = largest(scene);
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
        let headline = headline(&area, &scene.review.test_id, "largest deviation over time", HEADLINE)?;
        title(&area, &headline, "On the undeformed structure: where the test left the simulation, and by how much")?;
        for ((at, camera), name) in captions.iter().zip(["from the cameras' side", "from behind"]) {
            write(&area, name, &bold(SMALL, PICTURE_INK), (at.0 + 6, at.1 + 16))?;
            name_parts(scene, &area, camera, *at, &largest, &flagged)?;
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
            (Swatch::Frame(MISMATCH), "mismatch, a colour a flag"),
            (Swatch::Stripes, "estimated, hardly seen"),
            (Swatch::Box(RGBColor(196, 196, 196)), "not known"),
        ];
        legend(&area, (right, CONTENT_TOP + 530), &entries)
    };
    letter().map_err(failed("the map of deviation"))?;
    drop(area);
    Ok(Plot {
        name: "deviation_map".to_owned(),
        title: "Map of the largest deviation".to_owned(),
        caption: "Each node's largest deviation over the film on the undeformed structure, from the cameras' side and \
                  from behind. Striped where it is estimated from its surroundings and the study, and cameras saw it \
                  too seldom or not when it was so large; grey where it was known at less than a third of the times after the trigger."
            .to_owned(),
        sheet,
    })
}

/// Each node's largest deviation over time.
fn largest(scene: &Scene<'_>) -> NodeValues {
    let (mm, seen) = (0..scene.mesh.node_count).map(|n| largest_at(scene.fields, n)).unzip();
    NodeValues { mm, seen }
}

/// The largest deviation of a node, mm, and whether cameras saw it; NaN where it is hardly known.
fn largest_at(fields: &[FrameField], node: usize) -> (f32, bool) {
    /// A node must be known, and be seen to pass for measured, at this share of the times after the trigger …
    const OFTEN: f64 = 1.0 / 3.0;
    /// … and its deviation, when seen, be this share of the largest, or so many mm less.
    const AS_LARGE: (f32, f32) = (0.8, 1.0);
    let later: Vec<&FrameField> = fields.iter().filter(|f| f.time_s >= 0.0).collect();
    // Before anything has moved all is known to be 0, wherever it is.
    let later = if later.is_empty() { fields.iter().collect() } else { later };
    let known = || later.iter().filter(|f| f.magnitude_mm(node).is_finite());
    let seen = || known().filter(|f| f.observed[node] > 0);
    let share = |count: usize| count as f64 / later.len().max(1) as f64;
    if share(known().count()) < OFTEN {
        return (f32::NAN, false);
    }
    let known_mm = known().map(|f| f.magnitude_mm(node)).fold(f32::NAN, f32::max);
    let seen_mm = seen().map(|f| f.magnitude_mm(node)).fold(f32::NAN, f32::max);
    let as_large = seen_mm >= AS_LARGE.0 * known_mm || seen_mm >= known_mm - AS_LARGE.1;
    if as_large && share(seen().count()) > OFTEN - 1e-9 { (seen_mm, true) } else { (known_mm, false) }
}

/// The mismatch that each element belongs to, 0 for none; of several the gravest.
fn flagged_elements(scene: &Scene<'_>) -> Vec<u32> {
    let mut flagged = vec![0; scene.mesh.element_count()];
    for flag in scene.review.flags.iter().rev().filter(|f| f.verdict == Verdict::Mismatch) {
        for element in &flag.element_ids {
            if let Some(mark) = flagged.get_mut(*element as usize) {
                *mark = flag.id.0;
            }
        }
    }
    flagged
}

/// The shaded picture with mesh lines, part borders and the flags' borders.
fn view(scene: &Scene<'_>, camera: &Camera, largest: &NodeValues, flagged: &[u32]) -> RgbImage {
    let (w, h) = (camera.width * SAMPLES, camera.height * SAMPLES);
    let window = Window { left: 0.0, top: 0.0, scale: SAMPLES as f64, width: w, height: h };
    let map = surface_map(camera, &window, scene.skin, &scene.undeformed_mm, largest);
    let mut fine = RgbImage::from_pixel(w as u32, h as u32, Rgb([255; 3]));
    for (x, y, pixel) in fine.enumerate_pixels_mut() {
        let at = (y as usize, x as usize);
        if map.element[at] != NOTHING {
            let pale = map.is_estimated(at) && !on_stripe((at.0 / SAMPLES, at.1 / SAMPLES));
            let colour = shaded(map.value[at], pale, scene.top_mm, map.facing[at]);
            *pixel = Rgb(colour.map(|c| c.round() as u8));
        }
        if let Some((colour, share)) = edge(scene.mesh, &map, flagged, at) {
            mix(pixel, colour, share);
        }
    }
    image::imageops::resize(&fine, camera.width as u32, camera.height as u32, image::imageops::FilterType::Triangle)
}

/// The line that runs through a pixel, if any: flag border, silhouette and part border, mesh line.
fn edge(mesh: &Mesh, map: &SurfaceMap, flagged: &[u32], (row, column): (usize, usize)) -> Option<([f32; 3], f32)> {
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
        let (flag, beside) = (a.map_or(0, |a| a.1), b.map_or(0, |b| b.1));
        // Of two flags side by side each has its own line; of one alone the line lies on both sides of its border.
        if flag != beside && d <= 9 {
            let RGBColor(r, g, b) = flag_colours(if flag == 0 { beside } else { flag }, true).0;
            return Some(([r, g, b].map(f32::from), 1.0));
        }
        if d <= 2 && a.map(|a| a.0) != b.map(|b| b.0) {
            strongest = Some(([40.0; 3], 0.8));
        } else if d <= 1 && strongest.is_none() && own != NOTHING {
            strongest = Some(([30.0; 3], 0.16));
        }
    }
    strongest
}

/// The parts that deviate most, each named beside the mesh, with a line to where it deviates most within sight.
fn name_parts(
    scene: &Scene<'_>,
    area: &Area<'_>,
    camera: &Camera,
    at: (i32, i32),
    largest: &NodeValues,
    flagged: &[u32],
) -> Result<(), DrawError> {
    let window = Window { left: 0.0, top: 0.0, scale: 1.0, width: camera.width, height: camera.height };
    let map = surface_map(camera, &window, scene.skin, &scene.undeformed_mm, largest);
    let mut room = Room::beside(map.element.dim(), 1.0, |at| map.element[at] != NOTHING);
    // The view's own name stands there.
    room.keep_off([0, 0, 300, 34]);
    for part in scene.review.parts.iter().filter(|p| p.mismatch_flags > 0).take(NAMED.0) {
        let of_flag =
            |e: u32| e != NOTHING && scene.mesh.part_of[e as usize] == part.part_id && flagged[e as usize] > 0;
        let seen = || map.element.indexed_iter().filter(|(place, e)| of_flag(**e) && map.value[*place].is_finite());
        if seen().count() < NAMED.1 {
            continue;
        }
        let most = seen().max_by(|(a, _), (b, _)| map.value[*a].total_cmp(&map.value[*b]));
        if let Some(((row, column), _)) = most {
            label(area, part, &mut room, at, (column as i32, row as i32), camera.width as i32)?;
        }
    }
    Ok(())
}

/// A name with a thin line to its place in the view at `corner`.
fn label(
    area: &Area<'_>,
    part: &PartSummary,
    room: &mut Room,
    corner: (i32, i32),
    place: (i32, i32),
    width: i32,
) -> Result<(), DrawError> {
    const HEIGHT: i32 = 52;
    let (letters, small) = (bold(SMALL, PICTURE_INK), style(SMALL, PICTURE_INK));
    let name = fitted(area, &part.part_name, &letters, width * 2 / 5)?;
    let peak = part.peak_mm.map_or_else(String::new, |mm| format!("p95 {mm:.1} mm"));
    let wide = |words: &str, style: &_| area.estimate_text_size(words, style).map(|(w, _)| w as i32);
    let size = (wide(&name, &letters)?.max(wide(&peak, &small)?) + 4, HEIGHT);
    let Some(at) = room.place(size, place) else { return Ok(()) };
    let on_sheet = |(x, y): (i32, i32)| (corner.0 + x, corner.1 + y);
    let start = edge_towards(at, size, place);
    // No other label stands on this one's line.
    room.keep_off([start.0.min(place.0), start.1.min(place.1), start.0.max(place.0), start.1.max(place.1)]);
    line(area, vec![on_sheet(start), on_sheet(place)], PICTURE_PAPER, 4)?;
    line(area, vec![on_sheet(start), on_sheet(place)], PICTURE_INK, 2)?;
    area.draw(&Circle::new(on_sheet(place), 5, PICTURE_INK.filled()))?;
    write(area, &name, &letters, on_sheet((at.0 + 2, at.1 + 14)))?;
    write(area, &peak, &small, on_sheet((at.0 + 2, at.1 + 39)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node's deviation along x at one film time after the other, and the cameras that saw it.
    fn fields(values: &[(f32, u8)]) -> Vec<FrameField> {
        let field = |(i, (mm, cameras)): (usize, &(f32, u8))| FrameField {
            time_s: (i as f64 - 1.0) * 1e-3,
            deviation_mm: vec![[*mm, 0.0, 0.0]],
            sigma_mm: vec![0.1],
            observed: vec![*cameras],
        };
        values.iter().enumerate().map(field).collect()
    }

    #[test]
    fn what_is_known_before_the_trigger_only_is_not_painted_as_agreement() {
        let lost = [(0.0, 1), (0.0, 1), (f32::NAN, 0), (f32::NAN, 0), (f32::NAN, 0)];
        assert!(largest_at(&fields(&lost), 0).0.is_nan());
    }

    #[test]
    fn measured_is_what_cameras_saw_when_it_was_large() {
        let told = |values: &[(f32, u8)]| largest_at(&fields(values), 0);
        assert_eq!(told(&[(0.0, 1), (1.0, 2), (7.0, 1), (7.5, 0)]), (7.0, true));
        assert_eq!(told(&[(0.0, 1), (1.0, 2), (2.0, 1), (7.5, 0)]), (7.5, false), "hidden when it was large");
        assert_eq!(told(&[(0.0, 1), (1.0, 0), (2.0, 0), (7.5, 0)]), (7.5, false), "never seen");
    }
}
