//! The real picture with the deviation as colour on the measured surface and the flags outlined.
//!
//! What no camera saw is striped, and its outline dashed: it looks different from what was measured wherever it is.

use image::RgbImage;
use ndarray::Array2;

use super::{Plot, failed, file_name, ms};
use crate::domain::{Flag, Verdict};
use crate::report::ReportError;
use crate::report::callout::{Room, edge_towards};
use crate::report::lettering::{
    Anchor, CONTENT_TOP, ColourBar, HEADLINE, MARGIN, SMALL, Swatch, TEXT, WIDE, badge, bold, colour_bar, fitted,
    headline, legend, line, style, title, trimmed, write,
};
use crate::report::paint::{grey_picture, hatch, lay_deviation, outline, without_specks};
use crate::report::palette::{INK, MISMATCH, MUTED, PICTURE_INK, PICTURE_PAPER, flag_colours};
use crate::report::scene::{OverlayShot, Scene, Shot};
use crate::report::sheet::{Area, DrawError, Sheet};
use crate::report::surface::{NOTHING, NodeValues, SurfaceMap, Window, measured_positions, surface_map};
use plotters::element::Circle;
use plotters::style::{Color, RGBColor};

/// Largest size of the picture on the sheet, px.
const PICTURE: (usize, usize) = (1080, 750);
/// Height of an entry in the list of flags, px.
const FINDING: i32 = 50;
/// Flags that are listed.
const LISTED: usize = 4;
/// Flags that get their number on the picture.
const BADGES: usize = 8;
/// Room for a number on the picture, px: its badge is no wider.
const BADGE: (i32, i32) = (44, 30);
/// A number stands to the side of its region rather than above it, where an impactor mostly is: a px up costs so many.
const UPRIGHT_COST: f64 = 3.0;

/// What a picture shows.
struct Shown {
    /// The flag under each pixel, 0 for none, without specks.
    labels: Array2<u32>,
    /// True where the mesh covers the picture.
    covered: Array2<bool>,
    /// True where a camera measured what it shows.
    measured: Array2<bool>,
    /// Flags in view, largest first.
    flags: Vec<u32>,
    /// What the legend has to explain.
    kinds: Kinds,
}

/// The kinds of surface in a picture.
#[derive(Default)]
struct Kinds {
    measured_mismatch: bool,
    estimated_mismatch: bool,
    estimated: bool,
    undecided: bool,
    unknown: bool,
}

impl Kinds {
    /// The legend's entries: what the picture shows, and nothing else.
    fn entries(&self) -> Vec<(Swatch, &'static str)> {
        let all = [
            (self.measured_mismatch, Swatch::Frame(MISMATCH), "mismatch, measured"),
            (self.estimated_mismatch, Swatch::Dashes(MISMATCH), "mismatch, estimated, not seen"),
            (self.estimated, Swatch::Stripes, "estimated, not seen"),
            (self.undecided, Swatch::Hatch, "cannot tell"),
            (self.unknown, Swatch::Box(RGBColor(222, 222, 222)), "not known well enough"),
        ];
        all.into_iter().filter(|(there, _, _)| *there).map(|(_, swatch, words)| (swatch, words)).collect()
    }
}

pub(super) fn draw(scene: &Scene<'_>, overlay: &OverlayShot) -> Result<Plot, ReportError> {
    let shot = &overlay.shot;
    let camera = &scene.cameras[shot.camera];
    let window = Window::whole(&camera.camera, PICTURE.0, PICTURE.1);
    let (picture, shown) = painted(scene, shot, &window);
    let time_s = camera.times_s[shot.frame];
    let what = format!("camera {} · {} · frame {}", camera.name, ms(time_s), shot.frame);
    let moment =
        if overlay.moment == "peak" { "when the gravest mismatch is largest" } else { "at the end of the film" };
    let mut sheet = Sheet::new(WIDE.0, WIDE.1);
    let right = MARGIN + picture.width() as i32 + 44;
    sheet.picture((MARGIN, CONTENT_TOP), picture);
    let area = sheet.area();
    let letter = || -> Result<(), DrawError> {
        title(
            &area,
            &headline(&area, &scene.review.test_id, &what, HEADLINE)?,
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
        let entries = shown.kinds.entries();
        legend(&area, (right, CONTENT_TOP + 388), &entries)?;
        findings(scene, &area, &shown, (right, CONTENT_TOP + 404 + 36 * entries.len() as i32))
    };
    letter().map_err(failed("the overlay"))?;
    drop(area);
    let name = format!("overlay_{}_{}_{}", shot.camera, file_name(camera.name), overlay.moment);
    Ok(Plot {
        name,
        title: format!("Camera {} {moment} ({})", camera.name, ms(time_s)),
        caption: format!(
            "Frame {} as filmed. The colour is the length of the deviation, the clearer the smaller; outlined elements \
             exceed their tolerance. Full colour and a whole outline: measured in this frame. Stripes and a dashed \
             outline: estimated from the surroundings, the impactor's contact and the study, seen by no camera in this \
             frame; they stand where the surface most likely is, also behind what hides it.",
            shot.frame
        ),
        sheet,
    })
}

/// The picture with colour, hatching and outlines.
fn painted(scene: &Scene<'_>, shot: &Shot, window: &Window) -> (RgbImage, Shown) {
    let mut picture = grey_picture(&window.cut_out(&shot.picture));
    let Some(field) = shot.field else {
        let size = (window.height, window.width);
        let none = || Array2::from_elem(size, false);
        let (labels, kinds) = (Array2::zeros(size), Kinds::default());
        let shown = Shown { labels, covered: none(), measured: none(), flags: Vec::new(), kinds };
        return (picture, shown);
    };
    let positions = measured_positions(scene.skin, &shot.positions_mm, &scene.fields[field]);
    let nodes = NodeValues::of(&scene.fields[field]);
    let map = surface_map(&scene.cameras[shot.camera].camera, window, scene.skin, &positions, &nodes);
    lay_deviation(&mut picture, &map, scene.top_mm, scene.review.tolerance.default_mm);
    let undecided = scene.undecided(shot);
    let ids: Vec<u32> =
        scene.flag_ids[field].iter().zip(undecided).map(|(f, u)| if *f == 0 { u } else { *f }).collect();
    let labels = without_specks(&flag_labels(&map, &ids));
    let is_mismatch = |at| labels[at] != 0 && scene.is_mismatch(labels[at]);
    let is_undecided = |at| labels[at] != 0 && !scene.is_mismatch(labels[at]);
    hatch(&mut picture, |r, c| is_undecided((r, c)));
    let sure = |r: usize, c: usize| map.is_measured((r, c)) || is_undecided((r, c));
    outline(&mut picture, &labels, 3, |id| flag_colours(id, scene.is_mismatch(id)).0, sure);
    let any = |wanted: &dyn Fn((usize, usize)) -> bool| map.element.indexed_iter().any(|(at, _)| wanted(at));
    let kinds = Kinds {
        measured_mismatch: any(&|at| is_mismatch(at) && map.is_measured(at)),
        estimated_mismatch: any(&|at| is_mismatch(at) && !map.is_measured(at)),
        estimated: any(&|at| map.is_estimated(at)),
        undecided: any(&|at| is_undecided(at)),
        unknown: any(&|at| map.element[at] != NOTHING && !map.value[at].is_finite() && !is_undecided(at)),
    };
    let flags = in_view(&labels);
    let measured = Array2::from_shape_fn(labels.dim(), |at| map.is_measured(at));
    (picture, Shown { covered: map.element.mapv(|e| e != NOTHING), measured, labels, flags, kinds })
}

/// The flag under each pixel, 0 for none.
pub(super) fn flag_labels(map: &SurfaceMap, flag_ids: &[u32]) -> Array2<u32> {
    map.element.mapv(|element| if element == NOTHING { 0 } else { flag_ids[element as usize] })
}

/// The flags that cover some of the picture, largest first.
fn in_view(labels: &Array2<u32>) -> Vec<u32> {
    let mut pixels: std::collections::BTreeMap<u32, usize> = std::collections::BTreeMap::new();
    for id in labels.iter().filter(|id| **id != 0) {
        *pixels.entry(*id).or_default() += 1;
    }
    let mut flags: Vec<(u32, usize)> = pixels.into_iter().collect();
    flags.sort_by_key(|(id, pixels)| (std::cmp::Reverse(*pixels), *id));
    flags.into_iter().map(|(id, _)| id).collect()
}

/// Numbers beside the mesh, each with a line to its region.
fn badges(scene: &Scene<'_>, area: &Area<'_>, shown: &Shown) -> Result<(), DrawError> {
    let mut room = Room::beside(shown.covered.dim(), UPRIGHT_COST, |at| shown.covered[at]);
    for id in shown.flags.iter().take(BADGES) {
        let pixels = |wanted: &dyn Fn((usize, usize)) -> bool| -> Vec<(i32, i32)> {
            let own = shown.labels.indexed_iter().filter(|(at, l)| *l == id && wanted(*at));
            own.map(|((r, c), _)| (c as i32, r as i32)).collect()
        };
        // What is not seen mostly has an impactor before it, on which no number shall stand.
        let measured = pixels(&|at| shown.measured[at]);
        let region = if measured.is_empty() { pixels(&|_| true) } else { measured };
        let Some(place) = room.place(BADGE, middle(&region)) else { continue };
        let Some(end) = nearest(&region, (place.0 + BADGE.0 / 2, place.1 + BADGE.1 / 2)) else { continue };
        let on_sheet = |(x, y): (i32, i32)| (MARGIN + x, CONTENT_TOP + y);
        let (ground, ink) = flag_colours(*id, scene.is_mismatch(*id));
        let start = edge_towards(place, BADGE, end);
        line(area, vec![on_sheet(start), on_sheet(end)], PICTURE_PAPER, 5)?;
        line(area, vec![on_sheet(start), on_sheet(end)], PICTURE_INK, 2)?;
        area.draw(&Circle::new(on_sheet(end), 5, PICTURE_INK.filled()))?;
        badge(area, &id.to_string(), on_sheet((place.0, place.1 + BADGE.1 / 2)), ground, ink)?;
    }
    Ok(())
}

/// The mean of some places.
fn middle(places: &[(i32, i32)]) -> (i32, i32) {
    let n = places.len().max(1) as i64;
    let mean = |of: fn(&(i32, i32)) -> i32| (places.iter().map(|p| i64::from(of(p))).sum::<i64>() / n) as i32;
    (mean(|p| p.0), mean(|p| p.1))
}

/// The nearest of some places.
fn nearest(places: &[(i32, i32)], to: (i32, i32)) -> Option<(i32, i32)> {
    places.iter().copied().min_by_key(|(x, y)| (x - to.0).pow(2) + (y - to.1).pow(2))
}

/// The flags in view as a short list.
fn findings(scene: &Scene<'_>, area: &Area<'_>, shown: &Shown, at: (i32, i32)) -> Result<(), DrawError> {
    let room = WIDE.0 as i32 - at.0 - 20;
    if shown.flags.is_empty() {
        return write(area, "No flag in view at this time.", &style(TEXT, MUTED), at);
    }
    let flags: Vec<&Flag> = scene.review.flags.iter().filter(|f| shown.flags.contains(&f.id.0)).collect();
    for (i, flag) in flags.iter().take(LISTED).enumerate() {
        let y = at.1 + FINDING * i as i32;
        let mismatch = flag.verdict == Verdict::Mismatch;
        let (ground, ink) = flag_colours(flag.id.0, mismatch);
        let used = badge(area, &flag.id.0.to_string(), (at.0, y), ground, ink)?;
        let left = at.0 + used.max(34) + 12;
        let name = fitted(area, &flag.part_name, &bold(SMALL, INK), room - (left - at.0))?;
        write(area, &name, &bold(SMALL, INK), (left, y - 9))?;
        let size = if flag.is_unseen() {
            format!("{:.1} ± {} mm, seen by no camera", flag.peak_mm, trimmed(flag.peak_sigma_mm))
        } else if mismatch {
            format!("{:.1} ± {} mm, from {}", flag.peak_mm, trimmed(flag.peak_sigma_mm), ms(flag.onset_s))
        } else {
            format!("cannot tell from {}", ms(flag.onset_s))
        };
        let size = fitted(area, &size, &style(SMALL, MUTED), room - (left - at.0))?;
        write(area, &size, &style(SMALL, MUTED), (left, y + 16))?;
    }
    if flags.len() > LISTED {
        let more = format!("and {} more", flags.len() - LISTED);
        write(area, &more, &style(SMALL, MUTED).centred(), (at.0 + 60, at.1 + FINDING * LISTED as i32 - 8))?;
    }
    Ok(())
}
