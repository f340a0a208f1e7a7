//! A few frames around the onset of a mismatch, cut to its region: as filmed above, with the deviation below.

use image::RgbImage;

use super::overlay::flag_labels;
use super::{Plot, failed, ms};
use crate::report::ReportError;
use crate::report::axes::turned;
use crate::report::lettering::{
    Anchor, CONTENT_TOP, ColourBar, MARGIN, SMALL, TEXT, WIDE, bold, colour_bar, filled, line, style, title, trimmed,
    write,
};
use crate::report::paint::{grey_picture, lay_deviation, outline};
use crate::report::palette::{INK, MISMATCH, MUTED, PAPER};
use crate::report::scene::{STRIP_FRAMES, Scene, Shot, StripShots};
use crate::report::sheet::{Area, DrawError, Sheet};
use crate::report::surface::{Window, magnitudes_mm, measured_positions, surface_map};

/// Size of one cut, px.
const CUT: (usize, usize) = (250, 345);
/// Between cuts, px.
const GAP: i32 = 12;
/// Left edge of the first cut: room for the row's name.
const LEFT: i32 = MARGIN + 36;
/// Top of the two rows.
const ROWS: [i32; 2] = [CONTENT_TOP + 58, CONTENT_TOP + 58 + CUT.1 as i32 + GAP];
/// Largest enlargement: beyond it there is nothing to see but pixels.
const LARGEST_SCALE: f64 = 6.0;
/// Smallest share of the picture's sides that a cut shows: a small flag needs its surroundings to be found again.
const LEAST_SHARE: f64 = 0.2;

pub(super) fn draw(scene: &Scene<'_>, strip: &StripShots<'_>) -> Result<Plot, ReportError> {
    let flag = strip.flag;
    let camera = &scene.cameras[strip.shots[0].camera];
    let window = window(scene, strip);
    let mut sheet = Sheet::new(WIDE.0, WIDE.1);
    for (i, shot) in strip.shots.iter().enumerate() {
        let [plain, coloured] = cuts(scene, shot, &window, flag.id.0);
        sheet.picture((column(i), ROWS[0]), plain);
        sheet.picture((column(i), ROWS[1]), coloured);
    }
    let headline = format!("Onset of mismatch {} · {} · camera {}", flag.id.0, flag.part_name, camera.name);
    let below = format!(
        "{} · onset {} · peak {:.1} ± {} mm at {}",
        scene.review.test_id,
        ms(flag.onset_s),
        flag.peak_mm,
        trimmed(flag.peak_sigma_mm),
        ms(flag.peak_s)
    );
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        title(&area, &headline, &below)?;
        for (name, top) in ["as filmed", "deviation"].into_iter().zip(ROWS) {
            write(&area, name, &turned(), (MARGIN + 10, top + CUT.1 as i32 / 2))?;
        }
        heads(&area, strip, camera.times_s)?;
        let bar = ColourBar {
            at: (column(STRIP_FRAMES) + 20, ROWS[0] + 60),
            height: 2 * CUT.1 as i32 - 130,
            top_mm: scene.top_mm,
            tolerance_mm: scene.review.tolerance.default_mm,
            named: false,
            over_picture: true,
        };
        colour_bar(&area, &bar)
    };
    letter().map_err(failed("the strip"))?;
    drop(area);
    Ok(Plot {
        name: format!("onset_flag_{}", flag.id.0),
        title: format!("Onset of mismatch {} on {}", flag.id.0, flag.part_name),
        caption: format!(
            "Frames of camera {} around the onset of mismatch {}, cut to its region. Elements are outlined from the \
             frame on in which they exceed the tolerance, dashed where they are not measured.",
            camera.name, flag.id.0
        ),
        sheet,
    })
}

fn column(i: usize) -> i32 {
    LEFT + i as i32 * (CUT.0 as i32 + GAP)
}

/// Time and frame over each cut; the onset is marked.
fn heads(area: &Area<'_>, strip: &StripShots<'_>, times_s: &[f64]) -> Result<(), DrawError> {
    let onset = strip.shots.iter().position(|s| times_s[s.frame] >= strip.flag.onset_s - 1e-9);
    for (i, shot) in strip.shots.iter().enumerate() {
        let (x, middle) = (column(i), column(i) + CUT.0 as i32 / 2);
        let time = ms(times_s[shot.frame]);
        if onset == Some(i) {
            let (right, bottom) = (x + CUT.0 as i32, ROWS[1] + CUT.1 as i32);
            filled(area, (x, CONTENT_TOP), (right, ROWS[0] - 4), MISMATCH)?;
            write(area, &format!("onset {time}"), &bold(TEXT, PAPER).centred(), (middle, CONTENT_TOP + 18))?;
            write(area, &format!("frame {}", shot.frame), &style(SMALL, PAPER).centred(), (middle, CONTENT_TOP + 40))?;
            let frame = vec![(x, ROWS[0] - 4), (x, bottom), (right, bottom), (right, ROWS[0] - 4)];
            line(area, frame, MISMATCH, 4)?;
        } else {
            write(area, &time, &bold(TEXT, INK).centred(), (middle, CONTENT_TOP + 18))?;
            write(area, &format!("frame {}", shot.frame), &style(SMALL, MUTED).centred(), (middle, CONTENT_TOP + 40))?;
        }
    }
    Ok(())
}

/// The region of the flag's elements over all frames of the strip, with some surroundings.
fn window(scene: &Scene<'_>, strip: &StripShots<'_>) -> Window {
    let camera = &scene.cameras[strip.shots[0].camera].camera;
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for shot in &strip.shots {
        let Some(field) = shot.field else { continue };
        let positions = measured_positions(scene.skin, &shot.positions_mm, &scene.fields[field]);
        for element in &strip.flag.element_ids {
            for node in scene.mesh.nodes_of(*element as usize) {
                let Some(position) = positions.get(*node as usize) else { continue };
                let p = camera.pixel_from_world(position.map(f64::from));
                if p.depth_mm > 0.0 && p.x.is_finite() && p.y.is_finite() {
                    (low[0], low[1]) = (low[0].min(p.x), low[1].min(p.y));
                    (high[0], high[1]) = (high[0].max(p.x), high[1].max(p.y));
                }
            }
        }
    }
    let picture = [camera.width as f64, camera.height as f64];
    if low[0] > high[0] {
        (low, high) = ([0.0; 2], picture);
    }
    for axis in 0..2 {
        (low[axis], high[axis]) = (low[axis].clamp(0.0, picture[axis]), high[axis].clamp(0.0, picture[axis]));
    }
    let size = |axis: usize| ((high[axis] - low[axis]) * 1.35).max(LEAST_SHARE * picture[axis]).max(1.0);
    let (w, h) = (CUT.0 as f64, CUT.1 as f64);
    let scale = (w / size(0)).min(h / size(1)).min(LARGEST_SCALE);
    let (left, top) = ((low[0] + high[0]) / 2.0 - w / scale / 2.0, (low[1] + high[1]) / 2.0 - h / scale / 2.0);
    Window { left, top, scale, width: CUT.0, height: CUT.1 }
}

/// The cut with the flag's outline alone, and with the deviation.
fn cuts(scene: &Scene<'_>, shot: &Shot, window: &Window, flag_id: u32) -> [RgbImage; 2] {
    let mut plain = grey_picture(&window.cut_out(&shot.picture));
    let mut coloured = plain.clone();
    if let Some(field) = shot.field {
        let positions = measured_positions(scene.skin, &shot.positions_mm, &scene.fields[field]);
        let values = magnitudes_mm(&scene.fields[field]);
        let map = surface_map(&scene.cameras[shot.camera].camera, window, scene.skin, &positions, &values);
        lay_deviation(&mut coloured, &map, scene.top_mm, scene.review.tolerance.default_mm);
        let labels = flag_labels(&map, &scene.flag_ids[field]).mapv(|id| if id == flag_id { id } else { 0 });
        for picture in [&mut plain, &mut coloured] {
            outline(picture, &labels, 2, |_| MISMATCH, |r, c| map.value[(r, c)].is_finite());
        }
    }
    [plain, coloured]
}
