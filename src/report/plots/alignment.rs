//! How well each camera stands: the targets' residuals as magnified arrows on its first frame.

use image::Rgb;
use plotters::element::{Circle, Polygon};
use plotters::style::ShapeStyle;

use super::{Plot, failed};
use crate::domain::{CameraAlignment, PoseSource};
use crate::report::ReportError;
use crate::report::input::ReportCamera;
use crate::report::lettering::{
    Anchor, CONTENT_TOP, HEADLINE, MARGIN, SMALL, WIDE, bold, filled, headline, line, style, title, trimmed, write,
};
use crate::report::paint::{grey_picture, mix};
use crate::report::palette::{INK, MISMATCH, MUTED, PAPER, PICTURE_INK, nice_above};
use crate::report::scene::{Scene, Shot};
use crate::report::sheet::{Area, DrawError, Sheet};
use crate::report::surface::Window;

/// Cameras on one sheet.
pub(super) const CAMERAS_A_PAGE: usize = 4;
/// Length of the longest arrow, px.
const LONGEST: f64 = 70.0;
/// Room for the words below a picture, px.
const WORDS: i32 = 112;

/// Where a camera's picture lies on the sheet.
struct Panel {
    at: (i32, i32),
    window: Window,
}

pub(super) fn draw(scene: &Scene<'_>, page: usize, shots: &[Shot]) -> Result<Plot, ReportError> {
    let panels: Vec<Panel> = shots.iter().enumerate().map(|(i, shot)| panel(scene, shot, i, shots.len())).collect();
    let lowest = panels.iter().map(|p| p.at.1 + p.window.height as i32 + WORDS).max().unwrap_or(0);
    let mut sheet = Sheet::new(WIDE.0, lowest.max(480) as u32);
    for (panel, shot) in panels.iter().zip(shots) {
        let mut picture = grey_picture(&panel.window.cut_out(&shot.picture));
        // Pale, so that thin arrows stand out.
        picture.pixels_mut().for_each(|p: &mut Rgb<u8>| mix(p, [255.0; 3], 0.45));
        sheet.picture(panel.at, picture);
    }
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        let headline = headline(&area, &scene.review.test_id, "alignment of the cameras", HEADLINE)?;
        title(&area, &headline, &trigger_words(scene))?;
        for (panel, shot) in panels.iter().zip(shots) {
            let camera = &scene.cameras[shot.camera];
            let alignment = scene.review.alignment.get(camera.name);
            if let Some(alignment) = alignment {
                arrows(&area, panel, camera, alignment)?;
            }
            words(&area, panel, camera.name, alignment)?;
        }
        Ok(())
    };
    letter().map_err(failed("the alignment"))?;
    drop(area);
    let name = if page == 0 { "alignment".to_owned() } else { format!("alignment_{}", page + 1) };
    Ok(Plot {
        name,
        title: "Alignment of the cameras".to_owned(),
        caption: "What is left at each reference target after the pose was refined, magnified; the numbers are px in \
                  the camera's own picture."
            .to_owned(),
        sheet,
    })
}

fn panel(scene: &Scene<'_>, shot: &Shot, index: usize, count: usize) -> Panel {
    let columns = if count == 1 { 1 } else { 2 };
    let rows = count.div_ceil(columns);
    let width = (WIDE.0 as i32 - 2 * MARGIN - 40 * (columns as i32 - 1)) / columns as i32;
    let height = (WIDE.1 as i32 - CONTENT_TOP - 16) / rows as i32;
    let window = Window::whole(&scene.cameras[shot.camera].camera, width as usize, (height - WORDS) as usize);
    let at = (MARGIN + (index % columns) as i32 * (width + 40), CONTENT_TOP + (index / columns) as i32 * height);
    Panel { at, window }
}

fn trigger_words(scene: &Scene<'_>) -> String {
    match scene.review.alignment.values().next() {
        Some(a) => format!(
            "Trigger offset {:+.3} ± {:.3} ms (simulation time minus film time, all cameras)",
            a.time_offset_s * 1e3,
            a.time_offset_sigma_s * 1e3
        )
        .replace('-', "−"),
        None => "No camera was aligned".to_owned(),
    }
}

fn arrows(
    area: &Area<'_>,
    panel: &Panel,
    camera: &ReportCamera<'_>,
    alignment: &CameraAlignment,
) -> Result<(), DrawError> {
    let lengths = alignment.target_residuals_px.iter().map(|[x, y]| x.hypot(*y));
    let longest = lengths.fold(0.0, f64::max);
    if longest <= 0.0 || !longest.is_finite() {
        return Ok(());
    }
    let enlarged = LONGEST / longest;
    for (target, residual) in camera.targets.iter().zip(&alignment.target_residuals_px) {
        let [x, y] = panel.window.window_from_picture(target.image_px);
        let from = (panel.at.0 + x.round() as i32, panel.at.1 + y.round() as i32);
        let to = (from.0 + (residual[0] * enlarged).round() as i32, from.1 + (residual[1] * enlarged).round() as i32);
        area.draw(&Circle::new(from, 9, ShapeStyle::from(&PICTURE_INK).stroke_width(2)))?;
        arrow(area, from, to)?;
        let text = format!("{:.2}", residual[0].hypot(residual[1]));
        // Beside the target, on the side that the arrow does not take, inside the picture.
        let to_left = (to.0 > from.0 && x > 70.0) || x > panel.window.width as f64 - 70.0;
        let place = (from.0 + if to_left { -16 } else { 16 }, from.1);
        let (w, _) = area.estimate_text_size(&text, &bold(SMALL, INK))?;
        let left = if to_left { place.0 - w as i32 } else { place.0 };
        filled(area, (left - 3, place.1 - 13), (left + w as i32 + 3, place.1 + 13), PAPER)?;
        let letters = bold(SMALL, INK);
        write(area, &text, &if to_left { letters.to_the_right() } else { letters }, place)?;
    }
    let unit = nice_above(longest / 2.0);
    let length = (unit * enlarged).round() as i32;
    // Below the picture, where it hides no target.
    let (right, bottom) = (panel.at.0 + panel.window.width as i32, panel.at.1 + panel.window.height as i32 + 24);
    let label = if unit < 0.01 { format!("{unit:.3} px") } else { format!("{} px", trimmed(unit)) };
    let (w, _) = area.estimate_text_size(&label, &bold(SMALL, INK))?;
    write(area, &label, &bold(SMALL, INK), (right - length - w as i32 - 12, bottom))?;
    arrow(area, (right - length, bottom), (right, bottom))
}

/// A line with a filled head.
fn arrow(area: &Area<'_>, from: (i32, i32), to: (i32, i32)) -> Result<(), DrawError> {
    let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
    let length = dx.hypot(dy);
    if length < 2.0 {
        return Ok(());
    }
    let head = 14.0_f64.min(length);
    let (ux, uy) = (dx / length, dy / length);
    let back = (f64::from(to.0) - ux * head, f64::from(to.1) - uy * head);
    let side =
        |s: f64| ((back.0 - s * uy * head * 0.45).round() as i32, (back.1 + s * ux * head * 0.45).round() as i32);
    line(area, vec![from, (back.0.round() as i32, back.1.round() as i32)], MISMATCH, 3)?;
    area.draw(&Polygon::new(vec![to, side(1.0), side(-1.0)], MISMATCH))
}

/// What the pose rests on and how sure it is.
fn words(area: &Area<'_>, panel: &Panel, name: &str, alignment: Option<&CameraAlignment>) -> Result<(), DrawError> {
    let (x, y) = (panel.at.0, panel.at.1 + panel.window.height as i32 + 24);
    write(area, &format!("camera {name}"), &bold(SMALL, INK), (x, y))?;
    let Some(a) = alignment else {
        return write(area, "not aligned: left out of the review", &style(SMALL, MUTED), (x, y + 30));
    };
    let source = match a.pose_source {
        PoseSource::Targets => "reference targets",
        PoseSource::Outline => "outline of the undeformed mesh",
        PoseSource::TargetsAndOutline => "targets and outline",
        PoseSource::Record => "the record, unchanged",
    };
    let rms = a.target_rms_px.map_or(String::new(), |rms| format!(" · {rms:.3} px rms = {:.3} mm", rms * a.mm_per_px));
    write(area, &format!("pose from {source}{rms}"), &style(SMALL, INK), (x, y + 30))?;
    let largest = |v: &[f64]| v.iter().copied().fold(0.0, f64::max);
    let sigma = format!(
        "1 sigma: {:.3}°, {:.2} mm · moved {:.1} px from the record",
        largest(&a.pose_sigma[..3]).to_degrees(),
        largest(&a.pose_sigma[3..]),
        a.moved_px
    );
    write(area, &sigma, &style(SMALL, MUTED), (x, y + 60))
}
