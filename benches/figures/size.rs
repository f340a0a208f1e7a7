//! Proof by size: a film of 10 GB, a run of 10 million elements, and whole reviews of 100,000 and 1,000,000.

use std::path::Path;

use crumple::domain::Pose;
use crumple::geom::{Camera, Skin, rasterise};
use ndarray::Array2;

use super::Plan;
use super::files::{FilmCamera, GridRun, gradient_film, grid_run, write_film};
use super::memory::Table;
use super::sheet::{camera, sheet};

/// Pictures a camera of the reviewed film, every 0.5 ms from -0.5 ms.
const FRAMES: usize = 14;
const INTERVAL_S: f64 = 5e-4;
/// Largest deviation at the end of the film, mm.
const BULGE_MM: f64 = 15.0;
/// The picture is drawn so much finer and averaged.
const FINER: usize = 2;

pub(crate) fn table(plan: Plan) -> String {
    let folder = tempfile::tempdir().expect("temporary folder");
    let place = |name: &str| folder.path().join(name);
    let mut table = Table::new("Size: peak memory (VmHWM) of a child that reads or reviews");
    let as_text = |p: &Path| p.display().to_string();

    let (frames, size) = if plan.small { (4, [54, 96]) } else { (5000, [1080, 1920]) };
    let film = place("film.h5");
    let bytes = gradient_film(&film, frames, size);
    table.row("the first look at the film, in a process of its own", bytes, &["probe-film", &as_text(&film)]);
    let what = format!("a film of {frames} frames of {} × {} px, frame by frame", size[1], size[0]);
    table.row(&what, bytes, &["film", &as_text(&film)]);
    std::fs::remove_file(&film).expect("removed");

    let (side, states) = if plan.small { (20, 2) } else { (3163, 40) };
    let run = place("run.vtkhdf");
    let bytes = grid_run(&run, side, states);
    table.row("the first look at the run, in a process of its own", bytes, &["probe-states", &as_text(&run)]);
    let what = format!("a run of {} elements with {states} states, state by state", side * side);
    table.row(&what, bytes, &["states", &as_text(&run)]);
    table.into_text()
}

/// A whole review of meshes as fine as a body-in-white's part and as a whole car.
pub(crate) fn review_table(plan: Plan) -> String {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (run, film) = (folder.path().join("sheet.vtkhdf"), folder.path().join("sheet.h5"));
    let mut table = Table::new("Size: the whole review");
    let as_text = |p: &Path| p.display().to_string();
    let sides: &[usize] = if plan.small { &[90] } else { &[316, 1000] };
    for side in sides {
        let bytes = write_sheet_test(*side, &run, &film);
        let what = format!("the whole review of {} elements filmed by 2 cameras, {FRAMES} frames each", side * side);
        table.row(&what, bytes, &["review", &as_text(&run), &as_text(&film)]);
    }
    table.into_text()
}

/// The folded sheet stands until 1 ms and flies sideways; in the test it bulges as well. Bytes of both files' numbers.
fn write_sheet_test(side: usize, run: &Path, film: &Path) -> f64 {
    let (skin, points) = sheet(side);
    let times_s: Vec<f64> = (0..=FRAMES).map(|i| i as f64 * INTERVAL_S).collect();
    let displacement = |state: usize, _| [flight_mm(times_s[state]), 0.0, 0.0];
    let run_bytes = GridRun { side, times_s: &times_s, point: &|n| points[n], displacement: &displacement }.write(run);
    let film_times_s: Vec<f64> = (0..FRAMES).map(|i| (i as f64 - 1.0) * INTERVAL_S).collect();
    let filmed = |frame: usize| -> Vec<[f32; 3]> {
        let (t, share) = (film_times_s[frame], (frame as f64 / (FRAMES - 1) as f64 - 0.4).max(0.0) / 0.6);
        let bulge = |p: &[f32; 3]| BULGE_MM * share * (-f64::from(p[0].hypot(p[1])).powi(2) / 3200.0).exp();
        points.iter().map(|p| [p[0] + flight_mm(t), p[1] + bulge(p) as f32, p[2]]).collect()
    };
    let targets = [[-230.0, -170.0, 0.0], [230.0, -170.0, 10.0], [230.0, 170.0, 0.0], [-230.0, 170.0, 20.0]];
    let cameras = [camera(), Camera { pose: turned(0.3), ..camera() }];
    let draw = cameras.map(|c| {
        let (skin, points, filmed) = (&skin, &points, &filmed);
        move |frame: usize| draw(&c, skin, points, &filmed(frame))
    });
    let film_camera = |i: usize, name| FilmCamera { name, camera: cameras[i], targets_mm: &targets, draw: &draw[i] };
    run_bytes + write_film(film, &film_times_s, &[film_camera(0, "left"), film_camera(1, "right")])
}

/// The first camera's pose, turned about the sheet's upright axis.
fn turned(angle_rad: f64) -> Pose {
    let (s, c) = angle_rad.sin_cos();
    Pose { rotation: [[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]], ..camera().pose }
}

fn flight_mm(simulation_time_s: f64) -> f32 {
    (4000.0 * (simulation_time_s - 1e-3).max(0.0)) as f32
}

/// Paint of the sheet at a place of its own surface, 0 to 1: waves of 6 to 20 mm in all directions.
fn paint(x: f64, y: f64) -> f64 {
    let sum: f64 = (0..24)
        .map(|i| {
            // The golden angle spreads directions and phases evenly without a random number.
            let (angle, length) = (f64::from(i) * 2.399_963, 6.0 + 14.0 * f64::from(i * 7 % 24) / 24.0);
            (std::f64::consts::TAU * (x * angle.cos() + y * angle.sin()) / length + 5.0 * angle).sin()
        })
        .sum();
    0.55 + 0.35 * (0.4 * sum).tanh()
}

fn draw(camera: &Camera, skin: &Skin, undeformed: &[[f32; 3]], at: &[[f32; 3]]) -> Array2<u8> {
    let (s, mut fine) = (FINER as f64, *camera);
    let k = &mut fine.intrinsics;
    (fine.width, fine.height) = (camera.width * FINER, camera.height * FINER);
    (k.fx, k.fy) = (s * k.fx, s * k.fy);
    (k.cx, k.cy) = (s * k.cx + (s - 1.0) / 2.0, s * k.cy + (s - 1.0) / 2.0);
    let raster = rasterise(&fine, skin, at);
    let luma = |r: usize, c: usize| {
        raster.surface_point(&fine, skin, r, c).map_or(0.1, |point| {
            let nodes = skin.triangles[point.triangle as usize];
            let place = |axis: usize| -> f64 {
                nodes.iter().zip(point.barycentric).map(|(n, w)| f64::from(undeformed[*n as usize][axis] * w)).sum()
            };
            paint(place(0), place(1))
        })
    };
    Array2::from_shape_fn((camera.height, camera.width), |(r, c)| {
        let sum: f64 = (0..FINER * FINER).map(|i| luma(FINER * r + i / FINER, FINER * c + i % FINER)).sum();
        (255.0 * sum / (s * s)).round() as u8
    })
}
