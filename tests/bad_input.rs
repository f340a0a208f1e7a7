//! Bad input through the binary: each case ends with exit code 2 and its own message – what was found, what was
//! expected, where – and leaves nothing behind.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

use crumple::ingest::{SimulationFile, SimulationOptions, TestFile};
use crumple::jobs::{ReviewError, ReviewRequest, ToleranceRequest, review_test};
use crumple::vision::DisFlow;
use hdf5::File;
use ndarray::Array3;

use crate::support::plate::{Plate, pose_matrix};
use crate::support::program::Desk;
use crate::support::shared;

/// A sound pair, made once; each test spoils a copy of its own.
static SOUND: LazyLock<Plate> = LazyLock::new(|| Plate::new(0.0));

/// Writes the pair, spoils it, and expects a refusal that says all of `words`.
#[track_caller]
fn refused(plate: &Plate, further: &[&str], spoil: impl FnOnce(&Path), words: &[&str]) {
    let desk = Desk::new(plate);
    spoil(desk.folder.path());
    let before = desk.content();
    let run = desk.review(further);
    let (told, said) = (String::from_utf8_lossy(&run.stderr), String::from_utf8_lossy(&run.stdout));
    assert_eq!(run.status.code(), Some(2), "exit code; stderr:\n{told}");
    for word in words {
        assert!(told.contains(word), "the message lacks {word:?}:\n{told}");
    }
    assert!(told.contains("error: ") && !told.contains("panicked"), "{told}");
    assert_eq!(said, "", "nothing is reported about a refused input");
    assert_eq!(desk.content(), before, "something was written");
}

#[track_caller]
fn refused_record(change: impl FnOnce(&mut Plate), words: &[&str]) {
    let mut plate = SOUND.clone();
    change(&mut plate);
    refused(&plate, &[], |_| (), words);
}

fn nothing(_: &Path) {}

fn copied(folder: &Path, from: &str, to: &str) {
    std::fs::copy(folder.join(from), folder.join(to)).expect("copied");
}

fn cut(path: &Path, share: f64) {
    let bytes = std::fs::read(path).expect("read");
    std::fs::write(path, &bytes[..(bytes.len() as f64 * share) as usize]).expect("written");
}

#[test]
fn files_that_are_not_there() {
    refused(&SOUND, &[], |d| std::fs::remove_file(d.join("test.h5")).expect("removed"), &["test.h5", "No such file"]);
    refused(
        &SOUND,
        &[],
        |d| std::fs::remove_file(d.join("run.vtkhdf")).expect("removed"),
        &["run.vtkhdf", "No such file"],
    );
}

#[test]
fn files_that_were_cut_off() {
    refused(&SOUND, &[], |d| cut(&d.join("test.h5"), 0.5), &["test.h5", "HDF5", "cut off"]);
    refused(&SOUND, &[], |d| cut(&d.join("run.vtkhdf"), 0.5), &["run.vtkhdf", "HDF5", "cut off"]);
}

#[test]
fn files_that_somebody_still_writes() {
    // Whole files that only the lock or the mark keeps back: "damaged" would send the engineer the wrong way.
    let desk = Desk::new(&SOUND);
    for name in ["test.h5", "run.vtkhdf"] {
        let path = desk.path(name);
        let held = std::fs::File::open(&path).expect("open");
        held.lock().expect("locked");
        // Not through the binary: the tests switch its locks off (see `support::program`).
        let error = match name {
            "test.h5" => TestFile::open(&path).expect_err("locked"),
            _ => SimulationFile::open(&path, &SimulationOptions::default()).expect_err("locked"),
        };
        let told = error.to_string();
        for word in [name, "a lock that another program holds", "expected a finished file", "wait until"] {
            assert!(told.contains(word) && error.is_input_error(), "the message lacks {word:?}:\n{told}");
        }
    }
    let mark = |d: &Path| {
        drop(File::with_options().with_fapl(|p| p.libver_latest()).create(d.join("new.h5")).expect("create"));
        let mut bytes = std::fs::read(d.join("new.h5")).expect("read");
        assert_eq!(bytes[8], 3, "the version of the superblock");
        bytes[11] |= 1;
        std::fs::remove_file(d.join("new.h5")).expect("removed");
        std::fs::write(d.join("test.h5"), bytes).expect("written");
    };
    refused(&SOUND, &[], mark, &["test.h5", "open for writing", "h5clear"]);
}

#[test]
fn files_that_are_something_else() {
    let text = |name: &'static str| move |d: &Path| std::fs::write(d.join(name), "time;force\n0;1\n").expect("written");
    refused(&SOUND, &[], text("test.h5"), &["test.h5", "HDF5"]);
    refused(&SOUND, &[], text("run.vtkhdf"), &["run.vtkhdf", "HDF5"]);
    let swapped = |d: &Path| copied(d, "run.vtkhdf", "test.h5");
    refused(&SOUND, &[], swapped, &["test.h5", "attribute format", "crash-test-record"]);
    let swapped = |d: &Path| copied(d, "test.h5", "run.vtkhdf");
    refused(&SOUND, &[], swapped, &["run.vtkhdf", "a group named VTKHDF"]);
}

#[test]
fn damage_in_the_middle_of_a_film_is_found_before_anything_is_written() {
    // The first and the last frame are sound, so that the file passes the first look and fails while it is reviewed.
    let spoil = |d: &Path| {
        let path = d.join("test.h5");
        let mut bytes = std::fs::read(&path).expect("read");
        let (a, b) = (bytes.len() * 4 / 10, bytes.len() * 6 / 10);
        bytes[a..b].fill(0x5a);
        std::fs::write(&path, bytes).expect("written");
    };
    refused(&SOUND, &[], spoil, &["test.h5", "frames"]);
}

#[test]
fn datasets_that_are_missing() {
    for name in ["frames", "time", "intrinsics"] {
        refused_record(|p| p.record.without = Some(name), &["test.h5", "/cameras/left", name]);
    }
    let unlink = |name: &'static str| {
        move |d: &Path| {
            let file = File::open_rw(d.join("run.vtkhdf")).expect("opens");
            file.group("VTKHDF").and_then(|g| g.unlink(name)).expect("unlinked");
        }
    };
    for name in ["Connectivity", "Points", "Types", "NumberOfCells"] {
        refused(&SOUND, &[], unlink(name), &["run.vtkhdf", name]);
    }
}

#[test]
fn datasets_of_another_shape() {
    refused_record(|p| p.record.intrinsics.truncate(6), &["/cameras/left/intrinsics", "2, 3", "3, 3"]);
    refused_record(|p| p.record.pose.as_mut().expect("a pose").truncate(12), &["/cameras/left/pose", "3, 4", "4, 4"]);
    refused_record(
        |p| p.record.distortion = vec![0.0; 3],
        &["/cameras/left/distortion", "3 coefficients", "0, 4, 5 or 8"],
    );
    refused_record(|p| p.record.times.truncate(13), &["/cameras/left/time", "13 times for 14 frames"]);
}

#[test]
fn coordinates_that_are_nan_or_absurd() {
    let spoilt = |value: f64| {
        let mut plate = SOUND.clone();
        plate.simulation.states[0][0].points[17][1] = value;
        plate
    };
    refused(&spoilt(f64::NAN), &[], nothing, &["run.vtkhdf", "Points", "NaN"]);
    refused(&spoilt(1e12), &[], nothing, &["run.vtkhdf", "Points", "1000000000000"]);
    let mut plate = SOUND.clone();
    plate.simulation.displacement.as_mut().expect("displacement")[14][3][0] = f64::INFINITY;
    refused(&plate, &[], nothing, &["run.vtkhdf", "Displacement", "inf"]);
}

#[test]
fn films_without_frames() {
    let no_frames = |p: &mut Plate| {
        p.record.frames = Array3::zeros((0, 240, 320));
        p.record.times.clear();
    };
    refused_record(no_frames, &["test.h5", "/cameras/left", "at least one frame"]);
}

#[test]
fn times_that_run_backwards() {
    refused_record(|p| p.record.times.swap(4, 5), &["test.h5", "/cameras/left/time", "at index 5", "times that rise"]);
    refused_record(|p| p.simulation.times.swap(4, 5), &["run.vtkhdf", "Steps/Values", "rise"]);
    refused_record(|p| p.record.times[3] = f64::NAN, &["test.h5", "/cameras/left/time", "NaN"]);
}

#[test]
fn claims_of_a_thousand_million_elements() {
    let claim = |name: &'static str| {
        move |d: &Path| {
            let file = File::open_rw(d.join("run.vtkhdf")).expect("opens");
            let set = file.dataset(&format!("VTKHDF/{name}")).expect("dataset");
            set.write_raw(&[1_000_000_000_i64]).expect("written");
        }
    };
    for name in ["NumberOfCells", "NumberOfPoints", "NumberOfConnectivityIds"] {
        refused(&SOUND, &[], claim(name), &["run.vtkhdf", "1000000000"]);
    }
    let film = |d: &Path| {
        let camera = File::open_rw(d.join("test.h5")).and_then(|f| f.group("cameras/left")).expect("opens");
        camera.unlink("frames").expect("unlinked");
        let frames = camera.new_dataset::<u8>().chunk((1, 240, 320)).shape((1_000_000_000, 240, 320));
        frames.deflate(4).create("frames").expect("dataset");
    };
    refused(&SOUND, &[], film, &["test.h5", "/cameras/left"]);
}

#[test]
fn pictures_of_another_size() {
    let folder = |d: &Path| {
        let film = d.join("test.h5");
        std::fs::remove_file(&film).expect("removed");
        std::fs::create_dir(&film).expect("a folder");
        let toml = "intrinsics = [600.0, 600.0, 160.0, 120.0]\nframe_rate_hz = 2000.0\n\
                    pose = [[1, 0, 0, -50], [0, 1, 0, -40], [0, 0, 1, 300], [0, 0, 0, 1]]\n";
        std::fs::write(film.join("camera.toml"), toml).expect("written");
        for (name, width) in [("0.png", 320), ("1.png", 320), ("2.png", 300)] {
            image::GrayImage::from_pixel(width, 240, image::Luma([90])).save(film.join(name)).expect("saved");
        }
    };
    refused(&SOUND, &[], folder, &["2.png", "300", "320"]);
}

#[test]
fn a_camera_that_looks_away() {
    let turned = |p: &mut Plate| {
        p.record.pose = Some(pose_matrix(&[0.0, std::f64::consts::PI, 0.0], &[-50.0, -40.0, 300.0]));
        p.record.targets.clear();
    };
    // Behind the plate's back it would see it; so it is also moved away.
    let away = |p: &mut Plate| {
        turned(p);
        p.record.pose.as_mut().expect("a pose")[11] = -300.0;
    };
    refused_record(away, &["test.h5", "camera 'left' looks away", "covers 0 of its 76800 pixels", "400"]);
}

#[test]
fn a_mesh_that_was_not_filmed() {
    // The same plate, a tenth smaller: 4 mm and more at every rim.
    let smaller = |p: &mut Plate| {
        for [x, y, _] in &mut p.simulation.states[0][0].points {
            (*x, *y) = (50.0 + 0.9 * (*x - 50.0), 40.0 + 0.9 * (*y - 40.0));
        }
    };
    refused_record(
        smaller,
        &["the mesh of run.vtkhdf is not what test.h5 shows", "expected at least 63 %", "--partial-mesh"],
    );
}

#[test]
fn the_meshes_of_other_structures_are_refused_on_the_shared_films() {
    for (film, own) in [("crash_box-T1", "crash_box"), ("bumper-T3", "bumper"), ("hat_beam-T4", "hat_beam")] {
        for other in ["crash_box", "bumper", "hat_beam"].into_iter().filter(|other| *other != own) {
            let simulation = shared(&format!("simulations/{other}/run_000.vtkhdf"));
            let (Some(simulation), Some(test)) = (simulation, shared(&format!("tests/{film}.h5"))) else { return };
            let folder = tempfile::tempdir().expect("a folder");
            let request = ReviewRequest {
                simulation,
                simulation_options: SimulationOptions::default(),
                test,
                study: None,
                out: folder.path().join("out"),
                tolerances: ToleranceRequest::uniform(5.0),
                partial_mesh: false,
                report: false,
            };
            let refused = review_test(&request, &DisFlow::Medium, &|_| ControlFlow::Continue(())).err();
            assert!(matches!(refused, Some(ReviewError::OtherMesh { .. })), "{film} against a {other}: {refused:?}");
        }
    }
}

#[test]
fn targets_that_contradict_the_pose() {
    let moved = |p: &mut Plate| {
        for (i, (_, image)) in p.record.targets.iter_mut().enumerate() {
            image[0] += if i % 2 == 0 { 20.0 } else { -15.0 };
            image[1] -= 8.0 * i as f64;
        }
    };
    refused_record(moved, &["test.h5", "camera 'left': its 5 reference targets", "at most 3.0 px is trusted"]);
    refused_record(
        |p| {
            p.record.pose = None;
            p.record.targets.truncate(3);
        },
        &["/cameras/left", "no pose and 3 targets", "at least 4 targets"],
    );
}

#[test]
fn targets_of_another_size_of_picture() {
    // As when the pictures were scaled down and their targets were not.
    let scaled = |p: &mut Plate| p.record.targets.iter_mut().for_each(|(_, image)| *image = image.map(|v| 400.0 + v));
    refused_record(scaled, &["test.h5", "camera 'left': 5 of its 5 reference targets lie outside", "320 x 240 px"]);
}

#[test]
fn without_targets_the_mesh_is_still_told_from_others() {
    let smaller = |p: &mut Plate| {
        p.record.targets.clear();
        for [x, y, _] in &mut p.simulation.states[0][0].points {
            (*x, *y) = (50.0 + 0.7 * (*x - 50.0), 40.0 + 0.7 * (*y - 40.0));
        }
    };
    refused_record(smaller, &["test.h5", "outline"]);
}

#[test]
fn film_and_simulation_of_another_time() {
    let late = |p: &mut Plate| p.record.times.iter_mut().for_each(|t| *t += 5.0);
    refused_record(
        late,
        &["test.h5 was filmed from 4.9995", "run.vtkhdf was simulated from 0.000000", "expected the same"],
    );
    let in_ms = |p: &mut Plate| p.simulation.times.iter_mut().for_each(|t| *t *= 1000.0);
    refused_record(in_ms, &["they share too little", "unit"]);
}

#[test]
fn a_simulation_that_says_nothing_of_its_motion() {
    let still = |p: &mut Plate| p.simulation.displacement = None;
    refused_record(still, &["run.vtkhdf", "/VTKHDF/PointData", "a displacement array named Displacement"]);
    let lost = |d: &Path| {
        let file = File::open_rw(d.join("run.vtkhdf")).expect("opens");
        file.group("VTKHDF").and_then(|g| g.unlink("Steps")).expect("unlinked");
    };
    refused(&SOUND, &[], lost, &["run.vtkhdf", "PointData/Displacement", "without a group Steps there is one state"]);
    let without_offsets = |d: &Path| {
        let file = File::open_rw(d.join("run.vtkhdf")).expect("opens");
        file.group("VTKHDF/Steps").and_then(|g| g.unlink("PointDataOffsets")).expect("unlinked");
    };
    let words = ["run.vtkhdf", "PointData/Displacement", "without Steps/PointDataOffsets/Displacement"];
    refused(&SOUND, &[], without_offsets, &words);
}

#[test]
fn a_simulation_without_a_living_element() {
    let dead = |p: &mut Plate| {
        let (states, elements) = (p.simulation.times.len(), p.simulation.states[0][0].types.len());
        p.simulation.status = Some(vec![vec![0.0; elements]; states]);
    };
    refused_record(dead, &["run.vtkhdf", "CellData/Status, state 0", "for all 500 elements"]);
}

#[test]
fn a_group_where_a_dataset_belongs_and_the_reverse() {
    let instead = |path: &'static str, is_group: bool| {
        move |d: &Path| {
            let file = File::open_rw(d.join("test.h5")).expect("opens");
            if file.link_exists(path) {
                file.unlink(path).expect("unlinked");
            }
            if is_group {
                file.create_group(path).map(|_| ()).expect("a group");
            } else {
                file.new_dataset::<f64>().shape(3).create(path).map(|_| ()).expect("a dataset");
            }
        }
    };
    for name in ["cameras/left/distortion", "cameras/left/pose", "cameras/left/time"] {
        refused(&SOUND, &[], instead(name, true), &["test.h5", name, "found a group, expected a dataset"]);
    }
    for name in ["cameras/left/targets", "channels"] {
        refused(&SOUND, &[], instead(name, false), &["test.h5", name, "found a dataset, expected a group"]);
    }
}

#[test]
fn targets_on_one_line_that_shall_place_a_camera() {
    let in_a_row = |p: &mut Plate| {
        p.record.pose = None;
        for (i, (world, _)) in p.record.targets.iter_mut().enumerate() {
            *world = [10.0 * i as f64, 0.0, 0.0];
        }
    };
    refused_record(in_a_row, &["'left'", "not on one line", "found 5"]);
}

#[test]
fn a_side_car_that_is_a_folder() {
    let folder = |d: &Path| {
        std::fs::remove_file(d.join("run.json")).expect("removed");
        std::fs::create_dir(d.join("run.json")).expect("a folder");
    };
    refused(&SOUND, &[], folder, &["run.json", "side-car"]);
}

#[cfg(unix)]
#[test]
fn names_that_cannot_be() {
    let desk = Desk::new(&SOUND);
    let linked = |d: &Path| {
        std::fs::remove_file(d.join("test.h5")).expect("removed");
        std::os::unix::fs::symlink("test.h5", d.join("test.h5")).expect("linked");
    };
    refused(&SOUND, &[], linked, &["test.h5", "symbolic links"]);
    let deeper = ["review", "run.vtkhdf", "test.h5", "--out", "test.h5/deeper"];
    let run = crate::support::program::program(desk.folder.path()).args(deeper).output().expect("the binary runs");
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.code() == Some(2) && told.contains("the name can be that of a folder"), "{told}");
    let odd: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&b"te\xff.h5"[..]);
    std::fs::rename(desk.path("test.h5"), desk.folder.path().join(odd)).expect("renamed");
    let told = TestFile::open(&desk.folder.path().join(odd)).expect_err("no UTF-8").to_string();
    assert!(told.contains("no UTF-8") && told.contains("rename the file"), "{told}");
}

#[test]
fn options_that_fit_nothing() {
    refused(&SOUND, &["--displacement", "DISPL"], nothing, &["run.vtkhdf", "DISPL"]);
    let tolerances = |d: &Path| std::fs::write(d.join("t.toml"), "[parts]\nbumper = 3.0\n").expect("written");
    refused(&SOUND, &["--tolerances", "t.toml"], tolerances, &["\"bumper\"", "1 (plate)"]);
    let negative = |d: &Path| std::fs::write(d.join("t.toml"), "[parts]\nplate = -3.0\n").expect("written");
    refused(&SOUND, &["--tolerances", "t.toml"], negative, &["t.toml", "\"plate\"", "-3 mm", "above 0"]);
    let no_toml = |d: &Path| std::fs::write(d.join("t.toml"), "plate 3 mm\n").expect("written");
    refused(&SOUND, &["--tolerances", "t.toml"], no_toml, &["t.toml", "[parts]"]);
    refused(&SOUND, &["--tolerances", "missing.toml"], nothing, &["missing.toml"]);
    refused(&SOUND, &["--residual", "onnx", "--model", "missing.onnx"], nothing, &["missing.onnx"]);
    refused(&SOUND, &["--provider", "cuda"], nothing, &["--provider is given", "--residual onnx"]);
    let text = |d: &Path| std::fs::write(d.join("m.onnx"), "no model").expect("written");
    let onnx = ["--residual", "onnx", "--provider", "cpu", "--model", "m.onnx"];
    refused(&SOUND, &onnx, text, &["m.onnx", "not a model"]);
}

#[test]
fn an_output_folder_of_somebody_else() {
    let thesis = |d: &Path| {
        std::fs::create_dir(d.join("out")).expect("a folder");
        std::fs::write(d.join("out/thesis.tex"), "years of work").expect("written");
    };
    refused(&SOUND, &[], thesis, &["thesis.tex", "review.json", "--out"]);
}
