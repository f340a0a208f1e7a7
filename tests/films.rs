//! Synthetic films: repeatable, readable, true.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crumple::domain::{Pose, Review};
use crumple::film::{FilmOrder, Look};
use crumple::geom::Camera;
use crumple::ingest::{SimulationFile, SimulationOptions, SimulationStates, TestFile};
use crumple::jobs::views::write_state;
use crumple::jobs::{FilmRequest, Findings, ReviewRequest, ToleranceRequest, film_test, review_test_showing};
use crumple::vision::DisFlow;

use crate::support::plate::Plate;
use crate::support::program::program;

fn order(seed: u64) -> FilmOrder {
    FilmOrder { seed, cameras: 1, frames: 4, size: [192, 144], samples: 3, ..FilmOrder::default() }
}

fn film(simulation: &Path, out: &Path, order: FilmOrder) {
    let request = FilmRequest {
        simulation: simulation.to_owned(),
        simulation_options: SimulationOptions::default(),
        order,
        out: out.to_owned(),
        truth: Some(out.with_extension("truth.h5")),
    };
    film_test(&request, &|_, _| ControlFlow::Continue(())).expect("filmed");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_another_film() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    Plate::new(0.0).write(folder.path());
    let bytes = |name: &str, seed| {
        let out = folder.path().join(name);
        film(&folder.path().join("run.vtkhdf"), &out, order(seed));
        [out.clone(), out.with_extension("truth.h5")].map(|p| std::fs::read(p).expect("written"))
    };
    // The record names the file and its simulation, so both films have one name, in turn.
    let first = bytes("a.h5", 5);
    assert!(first == bytes("a.h5", 5), "the same seed");
    assert!(first != bytes("a.h5", 6), "another seed");
}

#[test]
fn a_film_is_read_as_it_was_written_in_eight_and_sixteen_bit_grey_and_colour() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    Plate::new(0.0).write(folder.path());
    let films: Vec<TestFile> = [(8, false), (16, false), (8, true)]
        .into_iter()
        .map(|(bits, colour)| {
            let out = folder.path().join(format!("{bits}{colour}.h5"));
            film(&folder.path().join("run.vtkhdf"), &out, FilmOrder { bits, colour, ..order(9) });
            TestFile::open(&out).expect("readable")
        })
        .collect();
    let [grey, deep, colour] = &films[..] else { panic!("three films") };
    let camera = &grey.record().cameras[0];
    assert_eq!((camera.width, camera.height, camera.times_s.len(), camera.name.as_str()), (192, 144, 4, "left"));
    assert!(camera.pose.is_some() && camera.times_s[1] < 0.0 && camera.times_s[2] == 0.0, "{camera:?}");
    for frame in 0..4 {
        let [a, b, c] = [grey, deep, colour].map(|f| f.read_frame(0, frame).expect("a frame").luma);
        let far = |x: &ndarray::Array2<f32>, y: &ndarray::Array2<f32>| (x - y).mapv(f32::abs).mean().expect("pixels");
        // Depth of bits changes the steps, not the picture; colour has its own noise a channel.
        assert!(far(&a, &b) < 0.003, "{}", far(&a, &b));
        assert!(far(&a, &c) < 0.03, "{}", far(&a, &c));
        let (low, high) = a.iter().fold((1.0_f32, 0.0_f32), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!(high - low > 0.2, "a picture shows something: {low} to {high}");
    }
}

fn true_pose(truth: &hdf5::File, camera: &str) -> Pose {
    let m = truth.dataset(&format!("cameras/{camera}/pose")).and_then(|d| d.read_2d::<f64>()).expect("a pose");
    Pose {
        rotation: std::array::from_fn(|r| std::array::from_fn(|c| m[(r, c)])),
        translation_mm: std::array::from_fn(|r| m[(r, 3)]),
    }
}

/// Lets the 100 elements around the front of the box's middle erode in the simulation at `path` from state `from` on;
/// returns the nodes that none of the others hold.
fn erode(path: &Path, from: usize) -> Vec<usize> {
    let mesh = SimulationFile::open(path, &SimulationOptions::default()).expect("readable").mesh().clone();
    let file = hdf5::File::open_rw(path).expect("opens");
    let points = file.dataset("VTKHDF/Points").and_then(|d| d.read_2d::<f32>()).expect("points");
    let far = |e: &usize| {
        let nodes = mesh.nodes_of(*e);
        let middle = |i: usize| nodes.iter().map(|n| points[(*n as usize, i)]).sum::<f32>() / nodes.len() as f32;
        (middle(0) - 30.0).hypot(middle(1)).hypot(middle(2) - 87.5)
    };
    let mut elements: Vec<usize> = (0..mesh.element_count()).collect();
    elements.sort_by(|a, b| far(a).total_cmp(&far(b)));
    let (gone, left) = elements.split_at(100);
    let steps = file.group("VTKHDF/Steps").expect("steps");
    let states = steps.dataset("Values").expect("times").size();
    let mut status = ndarray::Array2::from_elem((states, mesh.element_count()), 1_u8);
    for e in gone {
        status.slice_mut(ndarray::s![from.., *e]).fill(0);
    }
    let starts: Vec<i64> = (0..states).map(|s| (s * mesh.element_count()) as i64).collect();
    let rows: Vec<u8> = status.iter().copied().collect();
    let written = file.new_dataset_builder().with_data(&rows).create("VTKHDF/CellData/Status");
    written
        .and_then(|_| steps.new_dataset_builder().with_data(&starts).create("CellDataOffsets/Status"))
        .expect("written");
    let mut held = vec![false; mesh.node_count];
    left.iter().flat_map(|e| mesh.nodes_of(*e)).for_each(|n| held[*n as usize] = true);
    gone.iter().flat_map(|e| mesh.nodes_of(*e)).map(|n| *n as usize).filter(|n| !held[*n]).collect()
}

/// The truth file against the simulation's own reader, and a review of the film against the run that was filmed.
#[test]
fn a_run_that_is_filmed_and_reviewed_against_itself_has_no_flag_even_where_it_tears() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let simulation = folder.path().join("simulation.vtkhdf");
    let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/example");
    std::fs::copy(example.join("simulation.vtkhdf"), &simulation).expect("copied");
    // Nothing hits it in this film: what a review makes of a ram before the structure is its own affair.
    let text = std::fs::read_to_string(example.join("simulation.json")).expect("a side-car");
    let mut sidecar: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    sidecar.as_object_mut().expect("an object").remove("impactor");
    std::fs::write(simulation.with_extension("json"), sidecar.to_string()).expect("written");
    let gone = erode(&simulation, 9);
    let test = folder.path().join("test.h5");
    let wanted = FilmOrder {
        seed: 4,
        look: Some(Look::Speckle),
        frames: 8,
        size: [480, 360],
        samples: 5,
        ..FilmOrder::default()
    };
    film(&simulation, &test, wanted);
    let request = ReviewRequest {
        simulation: simulation.clone(),
        simulation_options: SimulationOptions::default(),
        test: test.clone(),
        study: None,
        out: folder.path().join("out"),
        tolerances: ToleranceRequest::uniform(5.0),
        partial_mesh: false,
        report: false,
    };
    let mut views = Vec::new();
    let keep_views = &mut |findings: &Findings<'_>, _: &Review| {
        for moment in [0, findings.measured.fields.len() - 1] {
            let view = folder.path().join("state.bin");
            write_state(&view, findings, moment).expect("written");
            let bytes = std::fs::read(&view).expect("a view");
            views.push(bytes[33 * findings.mesh.node_count..].to_vec());
        }
    };
    let review = review_test_showing(&request, &DisFlow::Medium, &|_| ControlFlow::Continue(()), keep_views)
        .expect("reviewed")
        .review;
    assert_eq!(review.flags, Vec::new());
    assert!(views[0].is_empty(), "all elements are there at first");
    assert_eq!(views[1].iter().filter(|alive| **alive == 0).count(), 100, "the page is told what is gone");
    assert!(review.notes.iter().any(|n| n.starts_with("100 of ") && n.contains("have eroded")), "{:?}", review.notes);

    let truth = hdf5::File::open(test.with_extension("truth.h5")).expect("the truth");
    let offset_s = truth.attr("trigger_offset_s").and_then(|a| a.read_scalar::<f64>()).expect("a trigger");
    let places = truth.dataset("position").and_then(|d| d.read::<f32, ndarray::Ix3>()).expect("positions");
    let file = SimulationFile::open(&simulation, &SimulationOptions::default()).expect("readable");
    let states = SimulationStates::new(&file);
    let record = TestFile::open(&test).expect("readable");
    let field = hdf5::File::open(folder.path().join("out/review.vtkhdf")).expect("the field");
    let deviation = field.dataset("VTKHDF/PointData/Deviation").and_then(|d| d.read_2d::<f32>()).expect("rows");
    let starts =
        field.dataset("VTKHDF/Steps/PointDataOffsets/Deviation").and_then(|d| d.read_1d::<i64>()).expect("starts");
    let mut errors_px = Vec::new();
    for camera in &record.record().cameras {
        assert!(camera.targets.len() >= 3, "{} has {} targets", camera.name, camera.targets.len());
        let eye = Camera::from_record(camera, true_pose(&truth, &camera.name));
        for t in &camera.targets {
            let p = eye.pixel_from_world(t.world_mm);
            assert!((p.x - t.image_px[0]).hypot(p.y - t.image_px[1]) < 0.5, "a target is where it is seen: {t:?}");
        }
        for (frame, time_s) in camera.times_s.iter().enumerate() {
            let simulated = states.positions_mm(time_s + offset_s).expect("a state");
            for (n, at) in simulated.iter().enumerate() {
                assert!((0..3).all(|i| (at[i] - places[(frame, n, i)]).abs() < 1e-4), "node {n} of frame {frame}");
                let d: [f32; 3] = std::array::from_fn(|i| deviation[(starts[frame] as usize + n, i)]);
                let there = eye.pixel_from_world(std::array::from_fn(|i| f64::from(at[i] + d[i])));
                let true_place = eye.pixel_from_world(at.map(f64::from));
                errors_px
                    .extend(Some((there.x - true_place.x).hypot(there.y - true_place.y)).filter(|e| e.is_finite()));
            }
        }
    }
    let known = |frame: usize, node: &usize| deviation[(starts[frame] as usize + node, 0)].is_finite();
    let of_gone = |frame: usize| gone.iter().filter(|n| known(frame, n)).count();
    let last = record.record().cameras[0].times_s.len() - 1;
    assert!(of_gone(1) > 20, "{} of {} are measured while they are there", of_gone(1), gone.len());
    assert_eq!(of_gone(last), 0, "nothing is said of what has eroded");
    errors_px.sort_by(f64::total_cmp);
    let median = errors_px[errors_px.len() / 2];
    assert!(errors_px.len() > 10_000 && median <= 0.3, "median error {median:.3} px of {}", errors_px.len());
}

#[test]
fn what_cannot_be_filmed_ends_with_2_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut plate = Plate::new(0.0);
    plate.write(folder.path());
    plate.simulation.times.truncate(1);
    plate.simulation.displacement.as_mut().expect("it moves").truncate(1);
    plate.simulation.write(&folder.path().join("still.vtkhdf"));
    let before = std::fs::read_dir(folder.path()).expect("a folder").count();
    for (words, expected) in [
        (&["missing.vtkhdf", "--out", "t.h5"][..], "missing.vtkhdf"),
        (&["still.vtkhdf", "--out", "t.h5"], "expected at least two"),
        (&["run.vtkhdf", "--out", "."], "expected the name of a file"),
        (&["run.vtkhdf", "--out", "t.h5", "--truth", "t.h5"], "expected two files"),
        (&["run.vtkhdf", "--out", "t.h5", "--look", "velvet"], "velvet"),
        (&["run.vtkhdf", "--out", "t.h5", "--displacement", "Nothing"], "Nothing"),
    ] {
        let run = program(folder.path()).arg("film").args(words).output().expect("the binary runs");
        let told = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{words:?}: {told}");
        assert!(told.contains(expected), "{words:?}: {told}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), before, "{words:?} leaves nothing");
    }
}
