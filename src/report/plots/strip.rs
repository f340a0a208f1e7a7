//! A few frames around the onset of a mismatch, cut to its region: as filmed above, with the deviation below.

use image::RgbImage;

use super::overlay::flag_labels;
use super::{Plot, failed, ms};
use crate::domain::Flag;
use crate::geom::Skin;
use crate::report::ReportError;
use crate::report::axes::turned;
use crate::report::lettering::{
    Anchor, CONTENT_TOP, ColourBar, MARGIN, SMALL, TEXT, WIDE, bold, colour_bar, filled, line, style, title, trimmed,
    write,
};
use crate::report::paint::{grey_picture, lay_deviation, outline, without_specks};
use crate::report::palette::{INK, MISMATCH, MUTED, PAPER, flag_colours};
use crate::report::scene::{STRIP_FRAMES, Scene, Shot, StripShots};
use crate::report::sheet::{Area, DrawError, Sheet};
use crate::report::surface::{NodeValues, SurfaceMap, Window, measured_positions, surface_map};

/// Width of one cut, and the heights between which the region's shape decides, px.
const CUT: usize = 250;
const HEIGHTS: (f64, f64) = (188.0, 345.0);
/// Between cuts, px.
const GAP: i32 = 12;
/// Left edge of the first cut: room for the row's name.
const LEFT: i32 = MARGIN + 36;
/// Top of the first row.
const TOP: i32 = CONTENT_TOP + 58;
/// Largest enlargement: beyond it there is nothing to see but pixels.
const LARGEST_SCALE: f64 = 6.0;
/// Smallest share of the picture's sides that a cut shows: a small flag needs its surroundings to be found again.
const LEAST_SHARE: f64 = 0.2;

pub(super) fn draw(scene: &Scene<'_>, strip: &StripShots<'_>) -> Result<Plot, ReportError> {
    let flag = strip.flag;
    let camera = &scene.cameras[strip.shots[0].camera];
    let window = window(scene, strip);
    let height = window.height as i32;
    let rows = [TOP, TOP + height + GAP];
    let mut sheet = Sheet::new(WIDE.0, (rows[1] + height + 28) as u32);
    let mut outlined = false;
    for (i, shot) in strip.shots.iter().enumerate() {
        let Cuts { plain, coloured, in_sight } = cuts(scene, shot, &window, flag.id.0);
        outlined |= in_sight;
        sheet.picture((column(i), rows[0]), plain);
        sheet.picture((column(i), rows[1]), coloured);
    }
    let headline = format!("Onset of mismatch {} · {} · camera {}", flag.id.0, flag.part_name, camera.name);
    let seen = if flag.is_unseen() { " · seen by no camera" } else { "" };
    let below = format!(
        "{} · onset {} · peak {:.1} ± {} mm at {}{seen}",
        scene.review.test_id,
        ms(flag.onset_s),
        flag.peak_mm,
        trimmed(flag.peak_sigma_mm),
        ms(flag.peak_s)
    );
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        title(&area, &headline, &below)?;
        for (name, top) in ["as filmed", "deviation"].into_iter().zip(rows) {
            write(&area, name, &turned(), (MARGIN + 10, top + height / 2))?;
        }
        heads(&area, strip, camera.times_s, rows[1] + height)?;
        let bar = ColourBar {
            at: (column(STRIP_FRAMES) + 20, TOP + 60),
            height: 2 * height - 110,
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
        caption: caption(flag, camera.name, outlined),
        sheet,
    })
}

/// What to look at, and what is not there to be seen.
fn caption(flag: &Flag, camera: &str, outlined: bool) -> String {
    let mut words =
        format!("Frames of camera {camera} around the onset of mismatch {}, cut to its region. ", flag.id.0);
    if flag.is_unseen() {
        words += &format!("It is {}. ", Flag::UNSEEN);
    }
    words += if outlined {
        "Elements are outlined from the film time on at which they exceed the tolerance: whole where they were \
         measured, dashed where they are estimated and not seen, there in stripes."
    } else {
        "Other surfaces hide its elements from this camera: the dashed outline says where they are behind them."
    };
    words
}

fn column(i: usize) -> i32 {
    LEFT + i as i32 * (CUT as i32 + GAP)
}

/// Time and frame over each cut; the onset is marked, down to `bottom`.
fn heads(area: &Area<'_>, strip: &StripShots<'_>, times_s: &[f64], bottom: i32) -> Result<(), DrawError> {
    let onset = strip.shots.iter().position(|s| times_s[s.frame] >= strip.flag.onset_s - 1e-9);
    for (i, shot) in strip.shots.iter().enumerate() {
        let (x, middle) = (column(i), column(i) + CUT as i32 / 2);
        let time = ms(times_s[shot.frame]);
        if onset == Some(i) {
            let right = x + CUT as i32;
            filled(area, (x, CONTENT_TOP), (right, TOP - 4), MISMATCH)?;
            write(area, &format!("onset {time}"), &bold(TEXT, PAPER).centred(), (middle, CONTENT_TOP + 18))?;
            write(area, &format!("frame {}", shot.frame), &style(SMALL, PAPER).centred(), (middle, CONTENT_TOP + 40))?;
            let frame = vec![(x, TOP - 4), (x, bottom), (right, bottom), (right, TOP - 4)];
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
    let size =
        |axis: usize| ((high[axis] - low[axis]) * 1.35).max(LEAST_SHARE * picture[axis]).min(picture[axis]).max(1.0);
    let w = CUT as f64;
    let h = (w * size(1) / size(0)).clamp(HEIGHTS.0, HEIGHTS.1).round();
    let scale = (w / size(0)).min(h / size(1)).min(LARGEST_SCALE);
    // A cut that would show what was not filmed is shifted into the picture as far as it fits.
    let edge = |axis: usize, shown: f64| {
        let wanted = (low[axis] + high[axis]) / 2.0 - shown / 2.0;
        if shown <= picture[axis] { wanted.clamp(0.0, picture[axis] - shown) } else { (picture[axis] - shown) / 2.0 }
    };
    Window { left: edge(0, w / scale), top: edge(1, h / scale), scale, width: CUT, height: h as usize }
}

/// One film time of the strip.
struct Cuts {
    /// With the flag's outline alone.
    plain: RgbImage,
    /// With the deviation, too.
    coloured: RgbImage,
    /// Whether any of the flag lies before all other surfaces.
    in_sight: bool,
}

fn cuts(scene: &Scene<'_>, shot: &Shot, window: &Window, flag_id: u32) -> Cuts {
    let mut plain = grey_picture(&window.cut_out(&shot.picture));
    let mut coloured = plain.clone();
    let mut in_sight = false;
    if let Some(field) = shot.field {
        let positions = measured_positions(scene.skin, &shot.positions_mm, &scene.fields[field]);
        let nodes = NodeValues::of(&scene.fields[field]);
        let map = surface_map(&scene.cameras[shot.camera].camera, window, scene.skin, &positions, &nodes);
        lay_deviation(&mut coloured, &map, scene.top_mm, scene.review.tolerance.default_mm);
        let own = |map: &SurfaceMap| {
            without_specks(&flag_labels(map, &scene.flag_ids[field]).mapv(|id| if id == flag_id { id } else { 0 }))
        };
        let mut labels = own(&map);
        in_sight = labels.iter().any(|id| *id != 0);
        if !in_sight {
            let alone = skin_of(scene.skin, |element| scene.flag_ids[field][element] == flag_id);
            let camera = &scene.cameras[shot.camera].camera;
            labels = own(&surface_map(camera, window, &alone, &positions, &nodes));
        }
        let sure = |r: usize, c: usize| in_sight && map.is_measured((r, c));
        for picture in [&mut plain, &mut coloured] {
            outline(picture, &labels, 2, |id| flag_colours(id, true).0, sure);
        }
    }
    Cuts { plain, coloured, in_sight }
}

/// The skin of some elements alone, as if nothing else were there.
fn skin_of(skin: &Skin, wanted: impl Fn(usize) -> bool) -> Skin {
    let own = || skin.triangles.iter().zip(&skin.element_of).filter(|(_, element)| wanted(**element as usize));
    Skin { triangles: own().map(|(t, _)| *t).collect(), element_of: own().map(|(_, e)| *e).collect() }
}
