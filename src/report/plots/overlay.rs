//! The real picture with the deviation as colour on the measured surface and the flags outlined.

use image::RgbImage;
use ndarray::Array2;

use super::{Plot, failed, file_name, ms};
use crate::domain::Verdict;
use crate::report::ReportError;
use crate::report::lettering::{
    Anchor, CONTENT_TOP, ColourBar, MARGIN, SMALL, Swatch, TEXT, WIDE, badge, bold, colour_bar, fitted, legend, style,
    title, trimmed, write,
};
use crate::report::paint::{grey_picture, hatch, lay_deviation, outline, outline_colour};
use crate::report::palette::{INK, MISMATCH, MUTED, PAPER};
use crate::report::scene::{OverlayShot, Scene, Shot};
use crate::report::sheet::{Area, DrawError, Sheet};
use crate::report::surface::{NOTHING, SurfaceMap, Window, magnitudes_mm, measured_positions, surface_map};
use plotters::style::RGBColor;

/// Largest size of the picture on the sheet, px.
const PICTURE: (usize, usize) = (1080, 750);
/// Height of an entry in the list of flags, px.
const FINDING: i32 = 50;
/// Flags that get their number on the picture.
const BADGES: usize = 8;

/// Flags that a picture shows, with the pixels that each covers.
struct Shown {
    labels: Array2<u32>,
    /// Id, pixels, and the top of the region: column, row.
    regions: Vec<(u32, usize, (i32, i32))>,
}

pub(super) fn draw(scene: &Scene<'_>, overlay: &OverlayShot) -> Result<Plot, ReportError> {
    let shot = &overlay.shot;
    let camera = &scene.cameras[shot.camera];
    let window = Window::whole(&camera.camera, PICTURE.0, PICTURE.1);
    let (picture, shown) = painted(scene, shot, &window);
    let time_s = camera.times_s[shot.frame];
    let headline = format!("{} · camera {} · {} · frame {}", scene.review.test_id, camera.name, ms(time_s), shot.frame);
    let moment =
        if overlay.moment == "peak" { "when the gravest mismatch is largest" } else { "at the end of the film" };
    let mut sheet = Sheet::new(WIDE.0, WIDE.1);
    let right = MARGIN + picture.width() as i32 + 44;
    sheet.picture((MARGIN, CONTENT_TOP), picture);
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        title(
            &area,
            &headline,
            &format!("Deviation of the test from the simulation on the surface as filmed, {moment}"),
        )?;
        badges(scene, &area, &shown)?;
        let bar = ColourBar {
            at: (right, CONTENT_TOP + 42),
            height: 300,
            top_mm: scene.top_mm,
            tolerance_mm: scene.review.tolerance.default_mm,
            named: true,
            over_picture: true,
        };
        colour_bar(&area, &bar)?;
        let entries = [
            (Swatch::Frame(MISMATCH), "mismatch, with its number"),
            (Swatch::Dashes(MISMATCH), "not measured here, estimated"),
            (Swatch::Hatch, "cannot tell"),
            (Swatch::Box(RGBColor(222, 222, 222)), "in view, not measured"),
        ];
        legend(&area, (right, CONTENT_TOP + 388), &entries)?;
        findings(scene, &area, &shown, (right, CONTENT_TOP + 548))
    };
    letter().map_err(failed("the overlay"))?;
    drop(area);
    let name = format!("overlay_{}_{}_{}", shot.camera, file_name(camera.name), overlay.moment);
    Ok(Plot {
        name,
        title: format!("Camera {} {moment} ({})", camera.name, ms(time_s)),
        caption: format!(
            "Frame {} as filmed. The colour is the length of the measured deviation, the clearer the smaller; outlined \
             elements exceed their tolerance. Where they are not measured in this frame the outline is dashed, and \
             stands where the nearest measured surface suggests.",
            shot.frame
        ),
        sheet,
    })
}

/// The picture with colour, hatching and outlines.
fn painted(scene: &Scene<'_>, shot: &Shot, window: &Window) -> (RgbImage, Shown) {
    let mut picture = grey_picture(&window.cut_out(&shot.picture));
    let Some(field) = shot.field else {
        let labels = Array2::zeros((window.height, window.width));
        return (picture, Shown { labels, regions: Vec::new() });
    };
    let positions = measured_positions(scene.skin, &shot.positions_mm, &scene.fields[field]);
    let values = magnitudes_mm(&scene.fields[field]);
    let map = surface_map(&scene.cameras[shot.camera].camera, window, scene.skin, &positions, &values);
    lay_deviation(&mut picture, &map, scene.top_mm, scene.review.tolerance.default_mm);
    let undecided = scene.undecided(shot);
    let ids: Vec<u32> =
        scene.flag_ids[field].iter().zip(undecided).map(|(f, u)| if *f == 0 { u } else { *f }).collect();
    let labels = flag_labels(&map, &ids);
    hatch(&mut picture, |r, c| labels[(r, c)] != 0 && !scene.is_mismatch(labels[(r, c)]));
    let sure = |r: usize, c: usize| map.value[(r, c)].is_finite() || !scene.is_mismatch(labels[(r, c)]);
    outline(&mut picture, &labels, 3, |id| outline_colour(scene.is_mismatch(id)), sure);
    let regions = regions(&labels);
    (picture, Shown { labels, regions })
}

/// The flag under each pixel, 0 for none.
pub(super) fn flag_labels(map: &SurfaceMap, flag_ids: &[u32]) -> Array2<u32> {
    map.element.mapv(|element| if element == NOTHING { 0 } else { flag_ids[element as usize] })
}

/// What each flag covers, largest first.
fn regions(labels: &Array2<u32>) -> Vec<(u32, usize, (i32, i32))> {
    let mut found: std::collections::BTreeMap<u32, (usize, (i32, i32))> = std::collections::BTreeMap::new();
    for ((row, column), id) in labels.indexed_iter().filter(|(_, id)| **id != 0) {
        let region = found.entry(*id).or_insert((0, (column as i32, row as i32)));
        region.0 += 1;
    }
    let mut regions: Vec<_> = found.into_iter().map(|(id, (pixels, top))| (id, pixels, top)).collect();
    regions.sort_by_key(|(id, pixels, _)| (std::cmp::Reverse(*pixels), *id));
    regions
}

/// Numbers just above the regions, kept inside the picture.
fn badges(scene: &Scene<'_>, area: &Area<'_>, shown: &Shown) -> Result<(), DrawError> {
    let (height, width) = shown.labels.dim();
    let mut taken: Vec<(i32, i32)> = Vec::new();
    for (id, _, (column, row)) in shown.regions.iter().take(BADGES) {
        let x = MARGIN + (*column).clamp(0, width as i32 - 44);
        let mut y = CONTENT_TOP + (*row - 20).clamp(16, height as i32 - 16);
        while taken.iter().any(|(tx, ty)| (tx - x).abs() < 46 && (ty - y).abs() < 32) {
            y += 32;
        }
        taken.push((x, y));
        badge(area, &id.to_string(), (x, y), outline_colour(scene.is_mismatch(*id)), PAPER)?;
    }
    Ok(())
}

/// The flags in view as a short list.
fn findings(scene: &Scene<'_>, area: &Area<'_>, shown: &Shown, at: (i32, i32)) -> Result<(), DrawError> {
    let room = WIDE.0 as i32 - at.0 - 20;
    if shown.regions.is_empty() {
        return write(area, "No flag in view at this time.", &style(TEXT, MUTED), at);
    }
    let in_view = |id: u32| shown.regions.iter().any(|r| r.0 == id);
    let flags: Vec<_> = scene.review.flags.iter().filter(|f| in_view(f.id.0)).collect();
    for (i, flag) in flags.iter().take(4).enumerate() {
        let y = at.1 + FINDING * i as i32;
        let mismatch = flag.verdict == Verdict::Mismatch;
        let used = badge(area, &flag.id.0.to_string(), (at.0, y), outline_colour(mismatch), PAPER)?;
        let left = at.0 + used.max(34) + 12;
        let name = fitted(area, &flag.part_name, &bold(SMALL, INK), room - (left - at.0))?;
        write(area, &name, &bold(SMALL, INK), (left, y - 9))?;
        let size = if mismatch {
            format!("{:.1} ± {} mm, from {}", flag.peak_mm, trimmed(flag.peak_sigma_mm), ms(flag.onset_s))
        } else {
            format!("cannot tell from {}", ms(flag.onset_s))
        };
        let size = fitted(area, &size, &style(SMALL, MUTED), room - (left - at.0))?;
        write(area, &size, &style(SMALL, MUTED), (left, y + 16))?;
    }
    if flags.len() > 4 {
        let more = format!("and {} more", flags.len() - 4);
        write(area, &more, &style(SMALL, MUTED).centred(), (at.0 + 60, at.1 + FINDING * 4 - 8))?;
    }
    Ok(())
}
