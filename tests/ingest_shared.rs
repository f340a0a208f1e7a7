//! Files of others: the shared simulations and tests, VTK's samples, and HDF5 files that are odd or broken.

use std::path::{Path, PathBuf};

use crumple::ingest::{SimulationFile, SimulationOptions, TestFile};

use crate::support::shared;

fn simulation(path: &Path) -> SimulationFile {
    SimulationFile::open(path, &SimulationOptions::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn files_in(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let list = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = list.map(|e| e.expect("an entry").path()).collect();
    files.retain(|p| p.extension().is_some_and(|e| e.to_string_lossy().starts_with(extension)));
    files.sort();
    files
}

#[test]
fn all_shared_simulations_open_with_the_right_counts() {
    // From simulations/README.md: nodes, elements, states, last time in ms, parts.
    let families = [("crash_box", 2281, 2244, 23, 22.0, 3), ("bumper", 4018, 3992, 23, 33.0, 6)];
    for (family, nodes, elements, states, last_ms, parts) in families {
        let Some(folder) = shared(&format!("simulations/{family}")) else { return };
        for path in files_in(&folder, "vtkhdf") {
            let simulation = simulation(&path);
            let mesh = simulation.mesh();
            assert_eq!((mesh.node_count, mesh.element_count()), (nodes, elements), "{}", path.display());
            assert_eq!((simulation.times_s().len(), mesh.parts.len()), (states, parts));
            assert!((simulation.times_s()[states - 1] * 1e3 - last_ms).abs() < 0.01, "ms became s");
            assert_eq!(simulation.record().family.as_deref(), Some(family));
            let state = simulation.read_state(states - 1).expect("the last state");
            assert_eq!(state.plastic_strain.map(|s| s.len()), Some(elements));
            assert_eq!(state.alive, None);
        }
    }
    let Some(folder) = shared("simulations/hat_beam") else { return };
    assert!(!files_in(&folder, "vtkhdf").is_empty());
    files_in(&folder, "vtkhdf").iter().for_each(|path| assert!(simulation(path).read_state(0).is_ok()));
}

#[test]
fn the_crash_box_is_crushed_by_what_its_record_says() {
    let Some(path) = shared("simulations/crash_box/run_000.vtkhdf") else { return };
    let simulation = simulation(&path);
    let (first, last) = (simulation.read_state(0).expect("first"), simulation.read_state(22).expect("last"));
    let top = |p: &[[f32; 3]]| p.iter().map(|q| q[2]).fold(f32::MIN, f32::max);
    assert!((top(&first.positions_mm) - 200.0).abs() < 1.0, "the box is 200 mm high");
    assert!(top(&last.positions_mm) < 150.0, "and is crushed by some 88 mm");
    assert_eq!(simulation.mesh().parts[0].name, "box_half_left");
    assert_eq!(simulation.record().parameters.len(), 6);
    assert_eq!(simulation.record().curves["wall_force"].len(), 221);
}

#[test]
fn all_shared_tests_open_and_show_pictures() {
    for name in ["crash_box-T1", "crash_box-T2", "bumper-T3", "hat_beam-T4"] {
        let Some(path) = shared(&format!("tests/{name}.h5")) else { return };
        let test = TestFile::open(&path).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(test.record().test_id, name);
        assert_eq!(test.record().cameras.len(), 2);
        for (c, camera) in test.record().cameras.iter().enumerate() {
            assert_eq!((camera.width, camera.height), (640, 480));
            let frame = test.read_frame(c, camera.times_s.len() - 1).expect("the last frame");
            let mean = frame.luma.mean().expect("pixels");
            assert!((0.02..0.98).contains(&mean), "a picture, not a blank: {mean}");
        }
    }
}

#[test]
fn the_can_is_read_as_it_stands_and_not_crushed_twice() {
    // SOURCE.txt: Points of can_1 and can_2 minus DISPL are the points of can_0; Type is missing.
    let Some(folder) = shared("vtkhdf_samples") else { return };
    let at = |name: &str, options: &SimulationOptions| {
        let simulation = SimulationFile::open(&folder.join(name), options).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((simulation.mesh().node_count, simulation.mesh().element_count()), (6724, 4800));
        assert_eq!(simulation.times_s(), [0.0]);
        simulation.read_state(0).expect("the state").positions_mm
    };
    let plain = SimulationOptions::default();
    let named = SimulationOptions { displacement: "DISPL".to_owned(), ..SimulationOptions::default() };
    let (first, last, twice) = (at("can_0.hdf", &plain), at("can_2.hdf", &plain), at("can_2.hdf", &named));
    let moved = |a: &[[f32; 3]], b: &[[f32; 3]]| {
        a.iter().zip(b).flat_map(|(p, q)| (0..3).map(move |i| (p[i] - q[i]).abs())).fold(0.0_f32, f32::max)
    };
    let crush = moved(&first, &last);
    assert!(crush > 1.0, "the can is crushed: {crush}");
    assert!((moved(&first, &twice) - 2.0 * crush).abs() < 0.01 * crush, "adding DISPL on request doubles it");
    assert!(at("can_1.hdf", &plain).len() == at("can-vtu.hdf", &plain).len());
}

#[test]
fn a_hundred_steps_of_poly_data_whose_topology_is_written_once() {
    let Some(path) = shared("vtkhdf_samples/warping_spheres.vtkhdf") else { return };
    let simulation = simulation(&path);
    assert_eq!((simulation.mesh().node_count, simulation.mesh().element_count()), (1684, 3360));
    assert_eq!(simulation.times_s().len(), 100);
    let (a, b) = (simulation.read_state(0).expect("first"), simulation.read_state(99).expect("last"));
    assert_ne!(a.positions_mm, b.positions_mm, "the spheres warp");
    assert_eq!(a.alive, None, "nothing erodes");
}

#[test]
fn odd_and_broken_files_are_refused_and_nothing_panics() {
    for folder in ["odd_hdf5", "bad_hdf5"] {
        let Some(folder) = shared(folder) else { return };
        for path in files_in(&folder, "h") {
            let simulation = SimulationFile::open(&path, &SimulationOptions::default());
            let error = simulation.err().unwrap_or_else(|| panic!("{} is no simulation", path.display()));
            assert!(error.is_input_error(), "{error}");
            let error = TestFile::open(&path).err().unwrap_or_else(|| panic!("{} is no test", path.display()));
            assert!(error.is_input_error(), "{error}");
        }
    }
}
