//! Peak resident memory (VmHWM) of a child that does one thing: what does not fit into memory must still be read.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crumple::ingest::{SimulationFile, SimulationOptions, TestFile};
use crumple::jobs::{ReviewRequest, ToleranceRequest, review_test};
use crumple::vision::DisFlow;
use hdf5::types::{FixedAscii, VarLenUnicode};
use hdf5::{File, Group};
use ndarray::{Array2, Array3, s};

use super::{Plan, example};

/// The argument that makes this program do one thing and say what memory it took.
pub(crate) const CHILD: &str = "--memory-of";

/// Does what `arguments` say (`nothing`, `review SIMULATION TEST`, `film TEST`, `states SIMULATION`), prints MiB.
pub(crate) fn child(arguments: &[String]) {
    let path = |i: usize| PathBuf::from(&arguments[i]);
    match arguments[0].as_str() {
        "review" => review(&path(1), &path(2)),
        "film" => read_film(&path(1)),
        "states" => read_states(&path(1)),
        _ => {}
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).map(|l| l.trim().trim_end_matches(" kB").trim());
    let mib = kib.and_then(|k| k.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0;
    println!("{mib:.0}");
}

fn review(simulation: &Path, test: &Path) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let request = ReviewRequest {
        simulation: simulation.to_owned(),
        simulation_options: SimulationOptions::default(),
        test: test.to_owned(),
        out: folder.path().join("out"),
        tolerances: ToleranceRequest { default_mm: 5.0, per_part_mm: std::collections::BTreeMap::new() },
        partial_mesh: false,
        report: true,
    };
    review_test(&request, &DisFlow, &|_| ControlFlow::Continue(())).unwrap_or_else(|e| panic!("{e}"));
}

fn read_film(path: &Path) {
    let file = TestFile::open(path).unwrap_or_else(|e| panic!("{e}"));
    for (camera, record) in file.record().cameras.iter().enumerate() {
        for frame in 0..record.times_s.len() {
            file.read_frame(camera, frame).unwrap_or_else(|e| panic!("{e}"));
        }
    }
}

fn read_states(path: &Path) {
    let file = SimulationFile::open(path, &SimulationOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    for step in 0..file.times_s().len() {
        file.read_state(step).unwrap_or_else(|e| panic!("{e}"));
    }
}

pub(crate) fn table(plan: Plan) -> String {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (side, states) = if plan.small { (20, 2) } else { (1000, 12) };
    let (frames, size) = if plan.small { (4, 64) } else { (1500, 1024) };
    let (run, film) = (folder.path().join("large.vtkhdf"), folder.path().join("long.h5"));
    write_run(&run, side, states);
    write_film(&film, frames, size, size);
    let mut text = String::from("### Peak memory (VmHWM)\n\n| what | uncompressed data | MiB |\n|---|---:|---:|\n");
    let mut row = |what: &str, bytes: f64, arguments: &[&str]| {
        let own = std::env::current_exe().expect("a program has a path");
        let output = std::process::Command::new(own).arg(CHILD).args(arguments).output().expect("a child runs");
        let mib = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let mib = if output.status.success() { mib } else { "failed".to_owned() };
        writeln!(text, "| {what} | {:.0} MB | {mib} |", bytes / 1e6).expect("text");
    };
    row("the program with its libraries, doing nothing", 0.0, &["nothing"]);
    let as_text = |p: &Path| p.display().to_string();
    let film_bytes = (frames * size * size) as f64;
    row(
        &format!("a film of {frames} frames of {size} × {size} px, frame by frame"),
        film_bytes,
        &["film", &as_text(&film)],
    );
    let run_bytes = ((side + 1) * (side + 1) * 12 * states) as f64;
    row(
        &format!("a run of {} elements with {states} states, state by state", side * side),
        run_bytes,
        &["states", &as_text(&run)],
    );
    if let Some([simulation, test]) = example().filter(|_| !plan.small) {
        let size = |p: &Path| std::fs::metadata(p).map_or(0.0, |m| m.len() as f64);
        let both = size(&simulation) + size(&test);
        row(
            "the whole review of the example (size of its files)",
            both,
            &["review", &as_text(&simulation), &as_text(&test)],
        );
    }
    text
}

/// A flat grid of `side²` quads that moves a little from state to state.
fn write_run(path: &Path, side: usize, states: usize) {
    let file = File::create(path).expect("create");
    let top = file.create_group("VTKHDF").expect("group");
    top.new_attr::<i64>().shape(2).create("Version").expect("attr").write_raw(&[2i64, 2]).expect("write");
    let kind = FixedAscii::<16>::from_ascii("UnstructuredGrid").expect("ascii");
    top.new_attr::<FixedAscii<16>>().create("Type").expect("attr").write_scalar(&kind).expect("write");
    let nodes = (side + 1) * (side + 1);
    let list = |group: &Group, name: &str, values: &[i64]| {
        group.new_dataset_builder().deflate(1).with_data(values).create(name).expect("dataset");
    };
    list(&top, "NumberOfPoints", &[nodes as i64]);
    list(&top, "NumberOfCells", &[(side * side) as i64]);
    list(&top, "NumberOfConnectivityIds", &[4 * (side * side) as i64]);
    let at = |i: usize, j: usize| (j * (side + 1) + i) as i64;
    let connectivity: Vec<i64> = (0..side * side)
        .map(|n| (n % side, n / side))
        .flat_map(|(i, j)| [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)])
        .collect();
    list(&top, "Connectivity", &connectivity);
    list(&top, "Offsets", &(0..=side * side).map(|i| 4 * i as i64).collect::<Vec<_>>());
    top.new_dataset_builder().deflate(1).with_data(&vec![9u8; side * side]).create("Types").expect("dataset");
    let points = Array2::from_shape_fn((nodes, 3), |(n, axis)| match axis {
        0 => (n % (side + 1)) as f32,
        1 => (n / (side + 1)) as f32,
        _ => 0.0,
    });
    top.new_dataset_builder().deflate(1).with_data(&points).create("Points").expect("dataset");
    let steps = top.create_group("Steps").expect("group");
    steps.new_attr::<i64>().create("NSteps").expect("attr").write_scalar(&(states as i64)).expect("write");
    let times: Vec<f64> = (0..states).map(|s| s as f64 * 1e-3).collect();
    steps.new_dataset_builder().with_data(&times).create("Values").expect("dataset");
    list(&steps, "NumberOfParts", &vec![1; states]);
    for name in ["PartOffsets", "PointOffsets", "CellOffsets", "ConnectivityIdOffsets"] {
        list(&steps, name, &vec![0; states]);
    }
    let starts: Vec<i64> = (0..states).map(|s| (s * nodes) as i64).collect();
    list(&steps.create_group("PointDataOffsets").expect("group"), "Displacement", &starts);
    let moved = top.create_group("PointData").expect("group");
    let builder = moved.new_dataset::<f32>().deflate(1).chunk((nodes.min(65_536), 3));
    let dataset = builder.shape((states * nodes, 3)).create("Displacement").expect("dataset");
    for state in 0..states {
        let rows = Array2::from_elem((nodes, 3), state as f32);
        dataset.write_slice(&rows, s![state * nodes..(state + 1) * nodes, ..]).expect("write");
    }
}

/// A film of a moving gradient.
fn write_film(path: &Path, frames: usize, height: usize, width: usize) {
    let file = File::create(path).expect("create");
    for (name, value) in [
        ("format", "crash-test-record"),
        ("version", "1.0"),
        ("test_id", "long"),
        ("length_unit", "mm"),
        ("time_unit", "s"),
    ] {
        let value: VarLenUnicode = value.parse().expect("text");
        file.new_attr::<VarLenUnicode>().create(name).expect("attr").write_scalar(&value).expect("write");
    }
    let camera = file.create_group("cameras").and_then(|g| g.create_group("left")).expect("group");
    let times: Vec<f64> = (0..frames).map(|i| i as f64 * 1e-3).collect();
    camera.new_dataset_builder().with_data(&times).create("time").expect("dataset");
    let matrix = |name: &str, size: usize, values: &[f64]| {
        let rows = Array2::from_shape_vec((size, size), values.to_vec()).expect("square");
        camera.new_dataset_builder().with_data(&rows).create(name).expect("dataset");
    };
    let (cx, cy) = (width as f64 / 2.0, height as f64 / 2.0);
    matrix("intrinsics", 3, &[1500.0, 0.0, cx, 0.0, 1500.0, cy, 0.0, 0.0, 1.0]);
    matrix("pose", 4, &[1., 0., 0., 0., 0., 1., 0., 0., 0., 0., 1., 2000., 0., 0., 0., 1.]);
    camera.new_dataset_builder().with_data(&[0.0f64; 4]).create("distortion").expect("dataset");
    let builder = camera.new_dataset::<u8>().deflate(1).chunk((1, height, width));
    let dataset = builder.shape((frames, height, width)).create("frames").expect("dataset");
    for frame in 0..frames {
        let picture = Array3::from_shape_fn((1, height, width), |(_, r, c)| ((r + c + frame) / 4) as u8);
        dataset.write_slice(&picture, s![frame..=frame, .., ..]).expect("write");
    }
}
