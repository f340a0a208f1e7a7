//! The report: the plots show what was measured where it was measured, and the page stands alone.

use std::path::Path;

use crumple::domain::{Flag, Verdict};
use crumple::report::{PictureSource, ReportCamera, ReportFiles, ReportInput, SourceError, headline, write_report};
use ndarray::Array2;

use crate::scene::{FRAMES, Scene};

/// A grey picture with a fine grain: what matters is that it has no colour of its own.
struct Pictures<'a> {
    scene: &'a Scene,
    lost_frame: Option<usize>,
}

impl PictureSource for Pictures<'_> {
    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError> {
        if self.lost_frame == Some(frame) {
            return Err("the film broke".into());
        }
        let real = self.scene.cameras[camera].1;
        Ok(Array2::from_shape_fn((real.height, real.width), |(r, c)| {
            0.5 + 0.2 * ((r / 9 + c / 7) % 2) as f32 + 0.05 * ((r * 31 + c * 17) % 5) as f32
        }))
    }

    fn positions_mm(&self, field: usize) -> Result<Vec<[f32; 3]>, SourceError> {
        Ok(self.scene.positions_mm(field))
    }

    fn undeformed_mm(&self) -> Result<Vec<[f32; 3]>, SourceError> {
        Ok(self.scene.undeformed_mm.clone())
    }
}

fn input<'a>(scene: &'a Scene, source: &'a Pictures<'a>) -> ReportInput<'a> {
    let camera = |(i, (name, camera)): (usize, &'a (String, crumple::geom::Camera))| ReportCamera {
        name,
        camera: *camera,
        times_s: &scene.times_s,
        field_of_frame: (0..FRAMES).map(Some).collect(),
        targets: &scene.targets[i],
    };
    ReportInput {
        review: &scene.review,
        mesh: &scene.mesh,
        skin: &scene.skin,
        fields: &scene.fields,
        flag_ids: &scene.flag_ids,
        cameras: scene.cameras.iter().enumerate().map(camera).collect(),
        source,
    }
}

fn report(scene: &Scene, folder: &Path) -> ReportFiles {
    let source = Pictures { scene, lost_frame: None };
    write_report(folder, &input(scene, &source)).expect("a report")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("text")
}

/// The page without its figures: plots are checked by themselves.
fn without_figures(html: &str) -> String {
    let mut rest = html;
    let mut text = String::new();
    while let Some((before, after)) = rest.split_once("<figure") {
        text.push_str(before);
        rest = after.split_once("</figure>").expect("a closed figure").1.trim_start();
    }
    let text = text + rest;
    let (head, body) = text.split_once("<style>").expect("a style sheet");
    head.to_owned() + body.split_once("</style>").expect("a closed style sheet").1
}

#[test]
fn every_plot_comes_as_svg_and_png_of_slide_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = report(&Scene::new(true), folder.path());
    let names: Vec<&str> = files.svg.iter().filter_map(|p| p.file_stem()?.to_str()).collect();
    let expected = [
        "overlay_0_left_last",
        "overlay_1_right_last",
        "onset_flag_1",
        "deviation_map",
        "deviation_over_time",
        "flag_timeline",
        "impactor_way",
        "residual_histogram",
        "alignment",
    ];
    assert_eq!(names, expected);
    for (svg, png) in files.svg.iter().zip(&files.png) {
        let text = read(svg);
        assert!(text.len() < 1_500_000, "{} has {} bytes", svg.display(), text.len());
        // Embedded pictures are letters at random.
        let strokes = text
            .split("<image")
            .flat_map(|s| s.rsplit_once("base64,").map_or(s, |(_, b)| &b[b.find('"').unwrap_or(0)..]).lines());
        for stroke in strokes {
            assert!(!stroke.contains("NaN") && !stroke.contains("inf"), "{}: {stroke}", svg.display());
        }
        let picture = image::open(png).expect("a PNG").to_rgb8();
        assert_eq!(picture.width(), 1600, "{}", png.display());
        let paper = picture.pixels().filter(|p| p.0 == [255; 3]).count();
        assert!(paper < picture.pixels().len(), "{} is blank", png.display());
    }
}

#[test]
fn colour_and_outline_lie_on_the_deviating_surface_alone() {
    let scene = Scene::new(true);
    let folder = tempfile::tempdir().expect("a folder");
    report(&scene, folder.path());
    let picture = image::open(folder.path().join("plots/overlay_0_left_last.png")).expect("a PNG").to_rgb8();
    // The picture (640 × 480) is laid at (40, 112), 1000 × 750.
    let pixel = |world: [f64; 3]| {
        let p = scene.cameras[0].1.pixel_from_world(world);
        let at = |v: f64, start: f64| (start + (v + 0.5) * 750.0 / 480.0) as u32;
        picture.get_pixel(at(p.x, 40.0), at(p.y, 112.0)).0
    };
    let colourful = |[r, g, b]: [u8; 3]| r.max(g).max(b) - r.min(g).min(b);
    let deviating = scene.fields[FRAMES - 1].magnitude_mm(node_near(&scene, [0.0, 0.0, 100.0]));
    assert!(deviating > 10.0, "the scene's own truth: {deviating} mm");
    let last = scene.positions_mm(FRAMES - 1)[node_near(&scene, [2.0, 0.0, 100.0])];
    let moved = [f64::from(last[0]) - 8.0, f64::from(last[1]) - 3.0, f64::from(last[2])];
    assert!(colourful(pixel(moved)) > 60, "no colour where the test is off: {:?}", pixel(moved));
    let quiet = scene.positions_mm(FRAMES - 1)[node_near(&scene, [50.0, 0.0, 20.0])].map(f64::from);
    assert!(colourful(pixel(quiet)) < 25, "strong colour where the test agrees: {:?}", pixel(quiet));
    assert_eq!(colourful(pixel([200.0, 0.0, 100.0])), 0, "colour beside the specimen");
    let vermillion = picture.pixels().filter(|p| p.0 == [0xd5, 0x5e, 0x00]).count();
    assert!(vermillion > 300, "the flag has no outline: {vermillion} px");
}

fn node_near(scene: &Scene, place: [f32; 3]) -> usize {
    let far = |n: &usize| -> f32 { (0..3).map(|i| (scene.undeformed_mm[*n][i] - place[i]).powi(2)).sum() };
    (0..scene.mesh.node_count).min_by(|a, b| far(a).total_cmp(&far(b))).expect("nodes")
}

#[test]
fn the_page_needs_nothing_else_and_runs_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = report(&Scene::new(true), folder.path());
    let html = read(&files.html);
    let plain = html.replace("http://www.w3.org/2000/svg", "");
    for forbidden in ["http:", "https:", "<script", "<link", "<iframe", " src=", "@import", "url("] {
        assert!(!plain.contains(forbidden), "the page contains {forbidden}");
    }
    assert_eq!(html.matches("<svg ").count(), files.svg.len(), "every plot is on the page itself");
    // Names in the scene carry markup on purpose.
    assert!(!html.contains("<left>") && !html.contains("<box>") && !html.contains("<right>"));
    assert!(html.contains("half &lt;left&gt; &amp; &quot;co&quot;"));
}

#[test]
fn words_and_tables_of_the_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = report(&Scene::new(true), folder.path());
    insta::assert_snapshot!("page", without_figures(&read(&files.html)));
    insta::assert_snapshot!("flag_timeline.svg", read(&folder.path().join("plots/flag_timeline.svg")));
    insta::assert_snapshot!("deviation_over_time.svg", read(&folder.path().join("plots/deviation_over_time.svg")));
    insta::assert_snapshot!("impactor_way.svg", read(&folder.path().join("plots/impactor_way.svg")));
    insta::assert_snapshot!("residual_histogram.svg", read(&folder.path().join("plots/residual_histogram.svg")));
}

#[test]
fn without_any_flag_the_page_says_so_and_has_no_empty_plots() {
    let scene = Scene::new(false);
    let folder = tempfile::tempdir().expect("a folder");
    let files = report(&scene, folder.path());
    let html = read(&files.html);
    assert!(headline(&scene.review).starts_with("No mismatch:"));
    assert!(html.contains("class=\"verdict good\"") && html.contains("No flag."));
    assert!(files.svg.iter().all(|p| !p.ends_with("flag_timeline.svg")));
}

#[test]
fn doubt_is_neither_a_mismatch_nor_a_pass() {
    let mut scene = Scene::new(true);
    scene.review.flags[0].verdict = Verdict::CannotTell;
    let words = headline(&scene.review);
    assert!(words.starts_with("No mismatch:") && words.ends_with("At 1 place the film cannot tell."), "{words}");
    let folder = tempfile::tempdir().expect("a folder");
    let html = read(&report(&scene, folder.path()).html);
    assert!(html.contains("class=\"verdict unclear\""));
}

#[test]
fn where_the_film_cannot_tell_the_picture_is_hatched_and_not_outlined_as_mismatch() {
    let mut scene = Scene::new(true);
    scene.review.flags[0].verdict = Verdict::CannotTell;
    // As in a real review: only mismatches have their numbers in the field, and the nodes are not measured.
    scene.flag_ids.iter_mut().for_each(|ids| ids.fill(0));
    let elements = scene.review.flags[0].element_ids.clone();
    for n in elements.iter().flat_map(|e| scene.mesh.nodes_of(*e as usize)) {
        let field = &mut scene.fields[FRAMES - 1];
        (field.deviation_mm[*n as usize], field.sigma_mm[*n as usize]) = ([f32::NAN; 3], f32::NAN);
    }
    let overlay = |scene: &Scene| {
        let folder = tempfile::tempdir().expect("a folder");
        report(scene, folder.path());
        let sheet = image::open(folder.path().join("plots/overlay_0_left_last.png")).expect("a PNG").to_rgb8();
        image::imageops::crop_imm(&sheet, 40, 112, 1000, 750).to_image()
    };
    let doubted = overlay(&scene);
    scene.review.flags.clear();
    let plain = overlay(&scene);
    let hatched = doubted.pixels().zip(plain.pixels()).filter(|(a, b)| a != b).count();
    assert!(hatched > 1000, "{hatched} px differ from the picture without the flag");
    assert_eq!(doubted.pixels().filter(|p| p.0 == [0xd5, 0x5e, 0x00]).count(), 0, "no mismatch is outlined");
}

/// A review of which no camera saw anything: all of it follows from a study.
fn unseen() -> Scene {
    let mut scene = Scene::new(true);
    scene.fields.iter_mut().for_each(|f| f.observed.fill(0));
    let flag = &mut scene.review.flags[0];
    (flag.cameras, flag.observed_share) = (Vec::new(), Some(0.0));
    scene
}

#[test]
fn what_no_camera_saw_is_not_drawn_as_measured() {
    let (scene, estimated) = (Scene::new(true), unseen());
    let drawn = |scene: &Scene, plot: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let html = read(&report(scene, folder.path()).html);
        (image::open(folder.path().join("plots").join(plot)).expect("a PNG").to_rgb8(), html)
    };
    for plot in ["overlay_0_left_last.png", "deviation_map.png"] {
        let (seen, _) = drawn(&scene, plot);
        let (unseen, html) = drawn(&estimated, plot);
        let colourful = |picture: &image::RgbImage| {
            let span = |p: &image::Rgb<u8>| p.0.iter().max().expect("three") - p.0.iter().min().expect("three");
            picture.pixels().filter(|p| span(p) > 60 && p.0 != [0xd5, 0x5e, 0x00]).count() as f64
        };
        let left = colourful(&unseen) / colourful(&seen);
        assert!((0.2..0.75).contains(&left), "{plot}: {left} of the colour is left in stripes");
        assert!(html.contains(Flag::UNSEEN), "the findings and the strip say so");
    }
    let outline = |scene: &Scene| {
        let (picture, _) = drawn(scene, "overlay_0_left_last.png");
        let picture = image::imageops::crop_imm(&picture, 40, 112, 1000, 750).to_image();
        picture.pixels().filter(|p| p.0 == [0xd5, 0x5e, 0x00]).count() as f64
    };
    let dashed = outline(&estimated) / outline(&scene);
    assert!((0.3..0.85).contains(&dashed), "{dashed} of the outline is left in dashes");
}

#[test]
fn noise_that_was_not_measured_does_not_read_as_none() {
    let mut scene = Scene::new(true);
    let noise = &mut scene.review.noise_floor;
    (noise.quiet_frames, noise.median_px, noise.p95_px, noise.p95_mm) = (0, 0.0, 0.0, 0.0);
    noise.histogram_quiet.fill(0);
    let folder = tempfile::tempdir().expect("a folder");
    let html = read(&report(&scene, folder.path()).html);
    assert!(html.contains("<dd>not measured</dd>"));
    assert!(html.contains("Noise floor not measured: no picture before the contact"));
    assert!(!html.contains("0.00 mm</dd>") && !html.contains("0.000 px"));
}

#[test]
fn a_mismatch_that_is_largest_before_the_end_has_a_picture_of_its_own_there() {
    let mut scene = Scene::new(true);
    scene.review.flags[0].peak_s = scene.times_s[7];
    let folder = tempfile::tempdir().expect("a folder");
    let files = report(&scene, folder.path());
    let html = read(&files.html);
    assert!(html.contains("Camera left when the gravest mismatch is largest (3.50 ms)"));
    for name in ["overlay_0_left_peak.png", "overlay_1_right_peak.png", "overlay_0_left_last.png"] {
        assert!(files.png.iter().any(|p| p.ends_with(name)), "{name}");
    }
}

#[test]
fn a_review_of_nothing_still_gives_a_page() {
    let mut scene = Scene::new(false);
    for part in &mut scene.review.parts {
        (part.peak_mm, part.peak_s) = (None, None);
        part.series.p95_mm.fill(None);
        part.series.coverage.fill(0.0);
        part.series.observed_share.fill(0.0);
    }
    scene.review.alignment.clear();
    scene.review.noise_floor.histogram_quiet.clear();
    scene.review.noise_floor.histogram_all.clear();
    for field in &mut scene.fields {
        field.deviation_mm.fill([f32::NAN; 3]);
        field.sigma_mm.fill(f32::NAN);
        field.observed.fill(0);
    }
    let folder = tempfile::tempdir().expect("a folder");
    report(&scene, folder.path());
    assert!(headline(&scene.review).starts_with("The film cannot tell: of the part that it shows best 0 %"));
}

#[test]
fn a_picture_that_cannot_be_read_is_named() {
    let scene = Scene::new(true);
    let folder = tempfile::tempdir().expect("a folder");
    let source = Pictures { scene: &scene, lost_frame: Some(FRAMES - 1) };
    let problem = write_report(folder.path(), &input(&scene, &source)).expect_err("lost");
    let words = format!("frame {} of camera left", FRAMES - 1);
    assert!(problem.to_string().contains(&words), "{problem}");
    assert_eq!(std::error::Error::source(&problem).expect("a cause").to_string(), "the film broke");
}

#[test]
fn arrays_that_do_not_fit_are_refused_before_anything_is_drawn() {
    let mut scene = Scene::new(true);
    scene.flag_ids[2].pop();
    let folder = tempfile::tempdir().expect("a folder");
    let source = Pictures { scene: &scene, lost_frame: None };
    let problem = write_report(folder.path(), &input(&scene, &source)).expect_err("refused");
    assert!(problem.to_string().starts_with("the flag ids at film time 2 has"), "{problem}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
