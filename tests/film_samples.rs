//! The training stream: the truth against a projection of its own, repeatable samples, splits.

use std::path::{Path, PathBuf};

use crumple::film::Look;
use crumple::train::TrainError;
use crumple::train::films::{Fate, FilmSettings, PairStream, Region, Sample, Split, Start};
use nalgebra::{Matrix3, Vector3};

use crate::support::plate::Plate;

/// How a run of the plate moves: it flies with `speed` mm/s along x from 1 ms on.
fn write_run(folder: &Path, name: &str, speed: f64, parameter: f64) {
    let mut run = Plate::flight();
    let points = run.states[0][0].points.clone();
    run.displacement = Some(run.times.iter().map(|t| points.iter().map(|p| moved(speed, *p, *t)).collect()).collect());
    run.write(&folder.join(format!("{name}.vtkhdf")));
    let sidecar = format!(
        r#"{{"family": "plate", "units": {{"length": "mm", "time": "s"}}, "parts": [{{"id": 1, "name": "plate"}}],
           "parameters": [{{"name": "speed", "value": {parameter}, "lower": 0, "upper": 10}}]}}"#
    );
    std::fs::write(folder.join(format!("{name}.json")), sidecar).expect("written");
}

/// Linear in space, so that a triangle's inside moves exactly so, too.
fn moved(speed: f64, [x, _, _]: [f64; 3], time_s: f64) -> [f64; 3] {
    let way = speed * (time_s - 1e-3).max(0.0);
    [way, 0.02 * way * (x / 50.0 - 1.0), 0.0]
}

fn study() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, speed, parameter) in [("run_0", 4000.0, 1.0), ("run_1", 2500.0, 5.0), ("run_2", 5500.0, 9.0)] {
        write_run(folder.path(), name, speed, parameter);
    }
    folder
}

fn settings() -> FilmSettings {
    FilmSettings {
        held_out_region: Some(Region { parameter: "speed".to_owned(), from: 0.8, to: 1.0 }),
        side_px: 64,
        frames: 2,
        crops: 2,
        sizes: vec![[320, 240]],
        looks: vec![(Look::Speckle, 1.0)],
        identical_share: 0.0,
        unaligned_share: 0.0,
        aligned_error: [0.0, 0.0],
        trigger_error_s: [4e-4, 0.0],
        starts: [1.0, 0.0, 0.0, 0.0],
        last_look_share: 0.0,
        samples: 5,
        ..FilmSettings::default()
    }
}

fn stream(folder: &Path, settings: FilmSettings) -> PairStream {
    PairStream::open(&[folder.to_owned()], settings, 11).expect("two runs and more")
}

/// Where the film of run B shows the material point under a pixel that run A predicts: ray, plane, formula, projection.
fn independent_flow(sample: &Sample, row: usize, column: usize) -> [f64; 2] {
    let speed = |run: &str| match run {
        "run_0" => 4000.0,
        "run_1" => 2500.0,
        _ => 5500.0,
    };
    let camera = sample.taken.camera;
    let (k, pose) = (camera.intrinsics, camera.pose);
    let rotation = Matrix3::from_fn(|r, c| pose.rotation[r][c]);
    let ray = rotation.transpose() * Vector3::new((column as f64 - k.cx) / k.fx, (row as f64 - k.cy) / k.fy, 1.0);
    let eye = -(rotation.transpose() * Vector3::from(pose.translation_mm));
    let hit = eye - ray * (eye.z / ray.z);
    // x is moved by a number that does not depend on the place; then y by one that depends on x alone. The motion
    // begins at a stored state and is linear from there on, so that what is read between states is the formula.
    let t = sample.taken.predicted_s;
    let x = hit.x - moved(speed(&sample.id.simulation), [0.0; 3], t)[0];
    let y = hit.y - moved(speed(&sample.id.simulation), [x, 0.0, 0.0], t)[1];
    let d = moved(speed(&sample.id.filmed), [x, y, 0.0], sample.taken.filmed_s);
    let p = camera.at(sample.taken.true_pose).pinhole_pixel_from_world([x + d[0], y + d[1], 0.0]);
    [p.x - column as f64, p.y - row as f64]
}

#[test]
fn the_truth_is_what_a_projection_of_its_own_gives() {
    let folder = study();
    let stream = stream(folder.path(), settings());
    let (mut checked, mut longest) = (0, 0.0_f64);
    for episode in 0..3 {
        for sample in stream.whole(Split::Train, episode).expect("drawn") {
            for ((row, column), fate) in sample.fate.indexed_iter() {
                if *fate != Fate::Seen as u8 {
                    continue;
                }
                let truth = [0, 1].map(|i| f64::from(sample.flow[(i, row, column)]));
                let expected = independent_flow(&sample, row, column);
                let off = (truth[0] - expected[0]).hypot(truth[1] - expected[1]);
                assert!(off < 0.02, "{:?} at {row} {column}: {truth:?}, expected {expected:?}", sample.id);
                checked += 1;
                longest = longest.max(truth[0].hypot(truth[1]));
            }
        }
    }
    assert!(checked > 5000 && longest > 3.0, "{checked} pixels, longest flow {longest:.1} px");
}

#[test]
fn a_perfect_prediction_leaves_nothing_and_its_picture_is_the_real_one() {
    let folder = study();
    let stream = stream(folder.path(), FilmSettings { identical_share: 1.0, ..settings() });
    let (mut differences, mut pixels) = (Vec::new(), 0);
    for sample in stream.whole(Split::Train, 0).expect("drawn") {
        assert_eq!(sample.id.simulation, sample.id.filmed);
        let seen: Vec<(usize, usize)> =
            sample.fate.indexed_iter().filter(|(_, f)| **f == Fate::Seen as u8).map(|(at, _)| at).collect();
        pixels += seen.len();
        for (r, c) in seen {
            let flow = sample.flow[(0, r, c)].hypot(sample.flow[(1, r, c)]);
            assert!(flow < 0.02, "{flow} px at {r} {c}");
            differences.push((sample.predicted[(r, c)] - sample.real[(r, c)]).abs());
        }
    }
    assert!(pixels > 1000, "{pixels} pixels are seen");
    differences.sort_by(f32::total_cmp);
    // Noise of two pictures and a flicker of some per cent; speckles have a contrast of about 0.7 on this scale.
    let median = differences[differences.len() / 2];
    assert!(median < 0.1, "the pictures differ by {median} (median)");
}

#[test]
fn samples_repeat_with_their_seed_and_have_the_planes_that_are_promised() {
    let folder = study();
    let varied = FilmSettings {
        aligned_error: [0.1, 1.0],
        trigger_error_s: [4e-4, 5e-5],
        starts: [1.0, 1.0, 1.0, 1.0],
        last_look_share: 0.5,
        looks: Vec::new(),
        ..settings()
    };
    let (a, b) = (stream(folder.path(), varied.clone()), stream(folder.path(), varied));
    let (first, second) = (a.group(Split::Train, 1, 2).expect("drawn"), b.group(Split::Train, 1, 2).expect("drawn"));
    assert_eq!(first.len(), 2 * a.samples_per_episode());
    let digests = |samples: &[Sample]| samples.iter().map(Sample::digest).collect::<Vec<_>>();
    assert_eq!(digests(&first), digests(&second), "the same group");
    assert_ne!(digests(&first), digests(&a.group(Split::Train, 0, 2).expect("drawn")), "another group");
    let ahead = a.groups_ahead(Split::Train, 1, 2).expect("a thread");
    assert_eq!(digests(&ahead.recv().expect("a group").expect("drawn")), digests(&first), "drawn ahead");
    for s in &first {
        assert_eq!((s.predicted.dim(), s.flow.dim(), s.carried.dim()), ((64, 64), (2, 64, 64), (2, 64, 64)));
        for (at, fate) in s.fate.indexed_iter() {
            assert_eq!(s.present[at] == 1.0, *fate == Fate::Seen as u8);
            assert_eq!(s.visible[at] == 0.0, *fate == Fate::NoSurface as u8);
        }
        assert!(s.flow.iter().chain(&s.carried).chain(&s.predicted).chain(&s.real).all(|v| v.is_finite()));
        assert!(s.id.start == Start::Carried || s.carried.iter().all(|v| *v == 0.0));
    }
}

#[test]
fn no_split_films_what_another_one_may_not() {
    let folder = study();
    let open = stream(folder.path(), settings());
    let pairs = |s: &PairStream, split| s.extent(split).iter().map(|e| (e.pairs, e.filmed)).collect::<Vec<_>>();
    assert_eq!(pairs(&open, Split::Train), [(2, 2)], "run_2 is in the held-out region");
    assert_eq!(pairs(&open, Split::Region), [(2, 1)]);
    assert_eq!(pairs(&open, Split::Family), []);
    let samples = open.episode(Split::Region, 0).expect("drawn");
    assert!(samples.iter().all(|s| s.id.filmed == "run_2" && s.id.simulation != "run_2"));

    let held = FilmSettings { held_out_families: vec!["plate".to_owned()], ..settings() };
    let held = stream(folder.path(), held);
    assert_eq!((pairs(&held, Split::Train), pairs(&held, Split::Family)), (vec![], vec![(6, 3)]));
    let error = held.episode(Split::Train, 0).expect_err("nothing to train on");
    assert!(error.is_input_error() && error.to_string().contains("`train`"), "{error}");
}

#[test]
fn data_that_cannot_be_used_is_refused_by_name() {
    let folder = study();
    let empty = tempfile::tempdir().expect("a temporary folder");
    let open = |data: PathBuf, settings| PairStream::open(&[data], settings, 1).expect_err("refused");
    let error = open(empty.path().to_owned(), settings());
    assert!(matches!(error, TrainError::NoSimulations { .. }) && error.is_input_error(), "{error}");
    let error = open(empty.path().join("nowhere"), settings());
    assert!(matches!(error, TrainError::Data { .. }) && error.is_input_error(), "{error}");
    let error = open(folder.path().to_owned(), FilmSettings { side_px: 30, ..settings() });
    assert!(error.to_string().contains("films.side_px is 30"), "{error}");

    let mut other = Plate::flight();
    other.states[0][0].cells.pop();
    other.states[0][0].types.pop();
    other.write(&folder.path().join("run_9.vtkhdf"));
    std::fs::copy(folder.path().join("run_0.json"), folder.path().join("run_9.json")).expect("copied");
    let error = open(folder.path().to_owned(), settings());
    assert!(error.to_string().contains("run_9") && error.to_string().contains("one topology"), "{error}");
}
