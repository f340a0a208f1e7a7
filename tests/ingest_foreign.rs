//! Files written by VTK's own writer and by h5py: the tiny ones in `fixtures/foreign` always, and freshly written
//! ones where Python has the packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use crumple::domain::{CellType, PartId};
use crumple::ingest::{SimulationFile, SimulationOptions, TestFile};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Checks one file of `tests/python/write_foreign.py` by its name; false for a name that is not known.
fn check(path: &Path) -> bool {
    let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
    match name.as_str() {
        "vtk_static" | "vtk_moving" | "vtk_szip" => check_series(path),
        "vtk_collection" | "vtk_blocks" => check_blocks(path, name == "vtk_collection"),
        "vtk_single" => {
            let state = open(path).read_state(0).expect("the state");
            assert_eq!(state.positions_mm[11], [22.0, 10.0, 10.0], "Points + Displacement");
        }
        "vtk_sphere" => {
            let simulation = open(path);
            assert_eq!((simulation.mesh().node_count, simulation.mesh().element_count()), (50, 96));
            assert!(simulation.mesh().cell_types.iter().all(|t| *t == CellType::Triangle));
        }
        "h5py_external" => {
            let error = TestFile::open(path).expect_err("it leads elsewhere").to_string();
            assert!(error.contains("a link into another file") && error.contains("/cameras/left/frames"), "{error}");
        }
        name if name.starts_with("h5py_") => check_record(path),
        name if name.starts_with("like_") => check_alike(path, name),
        _ => return false,
    }
    true
}

fn open(path: &Path) -> SimulationFile {
    SimulationFile::open(path, &SimulationOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn check_series(path: &Path) {
    let simulation = open(path);
    let mesh = simulation.mesh();
    assert_eq!(mesh.cell_types, [CellType::Hexahedron, CellType::Hexahedron, CellType::Wedge, CellType::Quad]);
    assert_eq!(mesh.part_of, [1, 1, 2, 3].map(PartId));
    assert_eq!(mesh.nodes_of(1), [4, 8, 9, 5, 6, 10, 11, 7]);
    assert_eq!(simulation.times_s(), [0.0, 0.5, 1.0]);
    for step in [2, 0, 1] {
        let state = simulation.read_state(step).expect("a state");
        assert_eq!(state.positions_mm[11], [20.0 + step as f32, 10.0, 10.0], "{}: state {step}", path.display());
        assert!(state.alive.is_none_or(|alive| alive.iter().all(|a| *a)), "nothing erodes");
    }
}

fn check_blocks(path: &Path, named: bool) {
    let simulation = open(path);
    let mesh = simulation.mesh();
    assert_eq!((mesh.node_count, mesh.element_count()), (24, 8));
    if named {
        assert_eq!(mesh.parts.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["rail", "box"]);
        assert_eq!(mesh.part_of[3..5], [PartId(1), PartId(2)]);
    }
    assert_eq!(mesh.nodes_of(7), [20, 21, 23, 22]);
    assert_eq!(simulation.read_state(0).expect("the state").positions_mm[12], [100.0, 0.0, 0.0]);
}

fn check_record(path: &Path) {
    let test = TestFile::open(path).unwrap_or_else(|e| panic!("{e}"));
    let camera = &test.record().cameras[0];
    assert_eq!((camera.width, camera.height), (21, 17));
    assert_eq!(camera.times_s, [0.0, 0.002, 0.004]);
    for t in 0..3 {
        let luma = test.read_frame(0, t).unwrap_or_else(|e| panic!("{e}")).luma;
        for ((y, x), value) in luma.indexed_iter() {
            let wanted = (40 * t + 3 * y + x) as f32;
            assert!((value * 255.0 - wanted).abs() < 1e-3, "{}: frame {t}, ({x}, {y})", path.display());
        }
    }
}

/// Compares a packed film of `noise` with the plain one beside it, pixel by pixel.
fn check_alike(path: &Path, name: &str) {
    let depth = name.split('_').nth(1).expect("like_DEPTH_FILTER");
    let open = |path: &Path| TestFile::open(path).unwrap_or_else(|e| panic!("{e}"));
    let (packed, plain) = (open(path), open(&path.with_file_name(format!("like_{depth}_plain.h5"))));
    let frame = |test: &TestFile, t| test.read_frame(0, t).unwrap_or_else(|e| panic!("{}: {e}", path.display())).luma;
    for t in 0..6 {
        assert_eq!(frame(&packed, t), frame(&plain, t), "{}: frame {t}", path.display());
    }
}

fn check_folder(folder: &Path) -> usize {
    let list = std::fs::read_dir(folder).expect("a folder");
    list.filter(|entry| check(&entry.as_ref().expect("an entry").path())).count()
}

#[test]
fn the_tiny_files_of_vtk_and_h5py_are_read() {
    assert_eq!(check_folder(&root().join("fixtures/foreign")), 10);
}

#[test]
fn what_vtk_and_h5py_write_here_is_read() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let modules = Command::new("python3").args(["-c", "import vtk, h5py, hdf5plugin"]).output();
    if !modules.is_ok_and(|o| o.status.success()) {
        #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
        {
            eprintln!("skipped: no python3 with vtk, h5py and hdf5plugin here");
        }
        return;
    }
    let script = root().join("tests/python/write_foreign.py");
    let output = Command::new("python3").arg(script).arg(dir.path()).output().expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(check_folder(dir.path()) >= 38);
}
