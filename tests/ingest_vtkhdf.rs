//! VTKHDF: what is written comes back, whichever of the format's freedoms the writer took.

use std::path::Path;

use crumple::domain::{CellType, PartId};
use crumple::ingest::{IngestError, SimulationFile, SimulationOptions};
use proptest::prelude::*;

use crate::support::vtkhdf_writer::{Piece, Writer, strip, zoo};

fn open(writer: &Writer) -> Result<SimulationFile, IngestError> {
    open_with(writer, &SimulationOptions::default())
}

fn open_with(writer: &Writer, options: &SimulationOptions) -> Result<SimulationFile, IngestError> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("run.vtkhdf");
    writer.write(&path);
    // The file stays open after its name is gone.
    SimulationFile::open(&path, options)
}

fn refusal(result: Result<SimulationFile, IngestError>, words: &[&str]) {
    let error = result.expect_err("must be refused");
    let text = error.to_string();
    assert!(error.is_input_error(), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
}

fn shifted(piece: &Piece, by: f64) -> Vec<[f64; 3]> {
    piece.points.iter().map(|p| [p[0] + by, p[1], p[2]]).collect()
}

#[test]
fn every_cell_type_comes_back_with_its_nodes() {
    let simulation = open(&Writer::static_mesh(&[0.0], zoo())).expect("a simulation");
    let mesh = simulation.mesh();
    assert_eq!(
        mesh.cell_types,
        [
            CellType::Vertex,
            CellType::Line,
            CellType::Triangle,
            CellType::Quad,
            CellType::Tetra,
            CellType::Hexahedron,
            CellType::Wedge,
            CellType::Pyramid
        ]
    );
    assert_eq!(mesh.nodes_of(6), [0, 1, 2, 3, 4, 5]);
    assert_eq!(mesh.parts.len(), 1);
    assert_eq!(mesh.part_name(PartId(1)), "part 1");
}

#[test]
fn part_offsets_that_grow_over_a_static_mesh_are_seen_through() {
    for growing in [false, true] {
        let mut writer = Writer::static_mesh(&[0.0, 1.0, 2.0], strip(2));
        writer.states[0].push(strip(3));
        writer.growing_part_offsets = growing;
        writer.displacement = Some((0..3).map(|s| vec![[f64::from(s), 0.0, 0.0]; 6 + 8]).collect());
        let simulation = open(&writer).expect("a simulation");
        assert_eq!(simulation.mesh().element_count(), 5, "growing: {growing}");
        // The second piece counts its nodes from its own first one.
        assert_eq!(simulation.mesh().nodes_of(2), [6, 8, 9, 7]);
        let state = simulation.read_state(2).expect("a state");
        assert_eq!(state.positions_mm[6], [2.0, 0.0, 0.0]);
    }
}

#[test]
fn offsets_that_no_rule_explains_are_refused_with_both_findings() {
    let mut writer = Writer::static_mesh(&[0.0, 1.0], strip(2));
    writer.states[0][0].types = vec![9, 9];
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("run.vtkhdf");
    writer.write(&path);
    let file = hdf5::File::open_rw(&path).expect("open");
    file.dataset("VTKHDF/Offsets").expect("offsets").write(&ndarray::arr1(&[0_i64, 6, 3])).expect("write");
    drop(file);
    refusal(
        SimulationFile::open(&path, &SimulationOptions::default()),
        &["with PartOffsets", "without", "3 follows 6", "/VTKHDF/Offsets"],
    );
}

#[test]
fn a_displacement_is_added_to_points_that_stay_and_not_to_points_that_move() {
    let mesh = strip(1);
    let moved = |by: f64| vec![Piece { points: shifted(&mesh, by), ..mesh.clone() }];
    let displacement = Some(vec![vec![[0.0; 3]; 4], vec![[5.0, 0.0, 0.0]; 4]]);

    let still = Writer { displacement: displacement.clone(), ..Writer::static_mesh(&[0.0, 1.0], mesh.clone()) };
    let state = open(&still).and_then(|s| s.read_state(1)).expect("a state");
    assert_eq!(state.positions_mm[0], [5.0, 0.0, 0.0], "static points get it");

    let moving = Writer {
        times: vec![0.0, 1.0],
        states: vec![moved(0.0), moved(5.0)],
        displacement: displacement.clone(),
        ..Writer::default()
    };
    let state = open(&moving).and_then(|s| s.read_state(1)).expect("a state");
    assert_eq!(state.positions_mm[0], [5.0, 0.0, 0.0], "moving points have it already");

    // Some writers repeat points that stay.
    let repeated = Writer { states: vec![moved(0.0), moved(0.0)], ..moving };
    let state = open(&repeated).and_then(|s| s.read_state(1)).expect("a state");
    assert_eq!(state.positions_mm[0], [5.0, 0.0, 0.0], "equal copies stay");
}

#[test]
fn an_array_of_another_name_is_added_only_when_it_is_named() {
    let mut writer = Writer::static_mesh(&[0.0], strip(1));
    writer.without_steps = true;
    writer.displacement = Some(vec![vec![[5.0, 0.0, 0.0]; 4]]);
    writer.displacement_name = Some("DISPL".to_owned());
    let x = |options: &SimulationOptions| {
        open_with(&writer, options).and_then(|s| s.read_state(0)).map(|s| s.positions_mm[0][0])
    };
    let named = |name: &str| SimulationOptions { displacement: name.to_owned(), ..SimulationOptions::default() };
    assert_eq!(x(&SimulationOptions::default()).expect("a state"), 0.0);
    assert_eq!(x(&named("DISPL")).expect("a state"), 5.0);
    refusal(open_with(&writer, &named("U")), &["only DISPL", "named U", "--displacement"]);
}

#[test]
fn eroded_elements_die_and_their_nodes_stay_where_they_were_last() {
    // Three quads; the third is gone from state 2 on, and with it nodes 6 and 7 (numbers 106 and 107).
    let (whole, rest) = (strip(3), strip(2));
    let at = |piece: &Piece, by: f64| vec![Piece { points: shifted(piece, by), ..piece.clone() }];
    let ids = |n: i64| (100..100 + n).collect::<Vec<i64>>();
    let mut writer = Writer {
        times: vec![0.0, 1.0, 2.0, 3.0],
        states: vec![at(&whole, 0.0), at(&whole, 1.0), at(&rest, 2.0), at(&rest, 3.0)],
        node_ids: Some(vec![ids(8), ids(8), ids(6), ids(6)]),
        ..Writer::default()
    };
    writer.plastic_strain = Some(vec![vec![0.0; 3], vec![0.1, 0.2, 0.9], vec![0.2; 2], vec![0.3; 2]]);
    for element_ids in [None, Some(vec![vec![7, 8, 9], vec![7, 8, 9], vec![7, 8], vec![7, 8]])] {
        writer.element_ids = element_ids;
        let simulation = open(&writer).expect("a simulation");
        for order in [[1, 2, 3], [3, 2, 1]] {
            for step in order {
                let state = simulation.read_state(step).expect("a state");
                let alive = state.alive.expect("erosion");
                assert_eq!(alive, [true, true, step < 2], "state {step}");
                assert_eq!(state.positions_mm[0][0], step as f32);
                assert_eq!(state.positions_mm[7][0], 3.0 + (step as f32).min(1.0), "last place of node 7");
            }
        }
        let strain = simulation.read_state(3).expect("a state").plastic_strain.expect("strain");
        assert_eq!(strain, [0.3, 0.3, 0.9], "the dead element keeps its last strain");
    }
    writer.node_ids = None;
    refusal(open(&writer), &["6 nodes", "no node numbers", "GlobalIds"]);
}

#[test]
fn status_zero_is_an_eroded_element() {
    let mut writer = Writer::static_mesh(&[0.0, 1.0], strip(2));
    writer.status = Some(vec![vec![1.0, 1.0], vec![1.0, 0.0]]);
    let simulation = open(&writer).expect("a simulation");
    assert_eq!(simulation.read_state(1).expect("a state").alive, Some(vec![true, false]));
}

#[test]
fn pieces_that_share_a_border_share_its_nodes() {
    let mut right = strip(1);
    right.points.iter_mut().for_each(|p| p[0] += 1.0);
    let mut writer = Writer::static_mesh(&[0.0], strip(1));
    writer.states[0].push(right);
    writer.node_ids = Some(vec![vec![1, 2, 3, 4, 3, 4, 5, 6]]);
    let simulation = open(&writer).expect("a simulation");
    assert_eq!(simulation.mesh().node_count, 6);
    assert_eq!(simulation.mesh().nodes_of(1), [2, 4, 5, 3]);
    assert_eq!(simulation.read_state(0).expect("a state").positions_mm.len(), 6);
    writer.node_ids = Some(vec![vec![1, 2, 3, 4, 1, 4, 5, 6]]);
    refusal(open(&writer), &["node number 1", "two places"]);
}

#[test]
fn unknown_cell_types_wrong_nodes_and_wrong_counts_are_refused_by_name() {
    let mut writer = Writer::static_mesh(&[0.0], zoo());
    writer.states[0][0].types[5] = 25;
    refusal(open(&writer), &["type 25", "in 1 cells", "cell 5", "hexahedron"]);
    let mut writer = Writer::static_mesh(&[0.0], zoo());
    writer.states[0][0].types[3] = 12;
    refusal(open(&writer), &["4 nodes in cell 3", "8 nodes"]);
    let mut writer = Writer::static_mesh(&[0.0], strip(2));
    writer.states[0][0].cells[1][2] = 99;
    refusal(open(&writer), &["node 99", "index 6", "/VTKHDF/Connectivity"]);
}

#[test]
fn a_claim_of_steps_that_is_a_list_is_no_claim_of_its_first() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("run.vtkhdf");
    Writer::static_mesh(&[0.0, 2.0], strip(2)).write(&path);
    let file = hdf5::File::open_rw(&path).expect("open");
    let steps = file.group("VTKHDF/Steps").expect("steps");
    steps.delete_attr("NSteps").expect("delete");
    steps.new_attr::<i64>().shape(2).create("NSteps").expect("attr").write(&[2_i64, 7]).expect("write");
    drop((steps, file));
    refusal(SimulationFile::open(&path, &SimulationOptions::default()), &["NSteps", "2.0, 7.0", "2 times"]);
}

#[test]
fn times_versions_and_types_are_checked() {
    refusal(open(&Writer::static_mesh(&[0.0, 2.0, 1.0], strip(1))), &["1 at index 2 after 2", "Steps/Values"]);
    refusal(open(&Writer::static_mesh(&[0.0, f64::NAN], strip(1))), &["NaN at index 1"]);
    let version = |v| Writer { version: Some(v), ..Writer::static_mesh(&[0.0], strip(1)) };
    refusal(open(&version([3, 0])), &["version [3.0, 0.0]", "2.x"]);
    assert!(open(&version([2, 99])).is_ok(), "a newer minor version is not an error");
    assert!(open(&version([1, 0])).is_ok());
    let untyped = Writer { without_type: true, ..Writer::static_mesh(&[0.0], strip(1)) };
    assert_eq!(open(&untyped).expect("inferred").mesh().element_count(), 1);
}

#[test]
fn absurd_positions_name_node_and_state() {
    for value in [f64::NAN, f64::INFINITY, 2e7] {
        let mut writer = Writer::static_mesh(&[0.0, 1.0], strip(1));
        let mut rows = vec![vec![[0.0; 3]; 4]; 2];
        rows[1][2][1] = value;
        writer.displacement = Some(rows);
        let simulation = open(&writer).expect("state 0 is sound");
        assert!(simulation.read_state(0).is_ok());
        let text = simulation.read_state(1).expect_err("absurd").to_string();
        assert!(text.contains("state 1, node 2"), "{text}");
    }
}

#[test]
fn a_claim_of_a_billion_elements_is_refused_before_memory_is_taken() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("run.vtkhdf");
    Writer::static_mesh(&[0.0], strip(1)).write(&path);
    let file = hdf5::File::open_rw(&path).expect("open");
    file.dataset("VTKHDF/NumberOfCells").expect("set").write(&ndarray::arr1(&[1_000_000_000_i64])).expect("write");
    drop(file);
    refusal(SimulationFile::open(&path, &SimulationOptions::default()), &["1000000000 cells", "Offsets has 2"]);

    // The same claim with extents to match, but nothing stored behind them.
    let file = hdf5::File::open_rw(&path).expect("open");
    let top = file.group("VTKHDF").expect("group");
    top.unlink("Types").expect("unlink");
    top.new_dataset::<u8>().chunk(1 << 20).shape(1_000_000_000).create("Types").expect("dataset");
    drop((top, file));
    refusal(SimulationFile::open(&path, &SimulationOptions::default()), &["a claim of 953.7 MiB backed by 0 bytes"]);
}

#[test]
fn a_file_that_leads_into_another_file_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("run.vtkhdf");
    Writer::static_mesh(&[0.0], strip(1)).write(&path);
    let file = hdf5::File::open_rw(&path).expect("open");
    let top = file.group("VTKHDF").expect("group");
    top.unlink("Points").expect("unlink");
    top.new_dataset::<f64>().shape((4, 3)).external("/etc/passwd", 0, 96).create("Points").expect("dataset");
    drop((top, file));
    refusal(SimulationFile::open(&path, &SimulationOptions::default()), &["external storage", "/VTKHDF/Points"]);
}

#[test]
fn units_and_parts_come_from_the_side_car() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("run.vtkhdf");
    let mut writer = Writer::static_mesh(&[0.0, 2.0], strip(2));
    writer.part_id = Some(vec![4, 9]);
    writer.write(&path);
    let json = r#"{"units":{"length":"m","time":"ms"},"parts":[{"id":4,"name":"rail"}]}"#;
    std::fs::write(path.with_extension("json"), json).expect("write");
    let read = |path: &Path| SimulationFile::open(path, &SimulationOptions::default()).expect("a simulation");
    let simulation = read(&path);
    assert_eq!(simulation.times_s(), [0.0, 0.002]);
    assert_eq!(simulation.read_state(0).expect("a state").positions_mm[2], [1000.0, 0.0, 0.0]);
    assert_eq!(simulation.mesh().part_name(PartId(4)), "rail");
    assert_eq!(simulation.mesh().part_name(PartId(9)), "part 9");
    let options = SimulationOptions { time_to_s: Some(1.0), ..SimulationOptions::default() };
    assert_eq!(SimulationFile::open(&path, &options).expect("a simulation").times_s(), [0.0, 2.0]);

    drop(simulation);

    // The same as attributes of the root group.
    std::fs::remove_file(path.with_extension("json")).expect("remove");
    let file = hdf5::File::open_rw(&path).expect("open");
    for (name, text) in [("units", r#"{"length":"cm","time":"us"}"#), ("family", "crash_box")] {
        let value: hdf5::types::VarLenUnicode = text.parse().expect("text");
        file.new_attr::<hdf5::types::VarLenUnicode>().create(name).expect("attr").write_scalar(&value).expect("write");
    }
    drop(file);
    let simulation = read(&path);
    assert_eq!(simulation.times_s(), [0.0, 2e-6]);
    assert_eq!(simulation.read_state(0).expect("a state").positions_mm[2], [10.0, 0.0, 0.0]);
    assert_eq!(simulation.record().family.as_deref(), Some("crash_box"));
}

#[test]
fn an_impactor_that_is_not_understood_is_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("run.vtkhdf");
    Writer::static_mesh(&[0.0, 2.0], strip(2)).write(&path);
    let unknown = |impactor: &str| {
        let curves = r#""curves":{"time":[0,1],"impactor_displacement":[0,5]}"#;
        std::fs::write(path.with_extension("json"), format!("{{{curves}{impactor}}}")).expect("write");
        let simulation = SimulationFile::open(&path, &SimulationOptions::default()).expect("a simulation");
        simulation.unknown_impactor().map(str::to_owned)
    };
    let numbers = r#""x":[0,0,9],"v":[0,0,-5],"n":[0,0,-1]"#;
    let of_kind = |kind: &str| unknown(&format!(r#","impactor":{{"kind":"{kind}",{numbers}}}"#));
    assert_eq!(of_kind("BALL").as_deref(), Some("BALL"));
    assert_eq!(of_kind("PLANE"), None);
    assert_eq!(unknown(""), None, "there is none");
    assert_eq!(unknown(r#","impactor":{"kind":"PLANE"}"#).as_deref(), Some("PLANE"), "its place is not told");
}

#[test]
fn each_block_of_a_collection_is_a_part() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("run.vtkhdf");
    let file = hdf5::File::create(&path).expect("create");
    let top = file.create_group("VTKHDF").expect("group");
    top.new_attr::<i64>().shape(2).create("Version").expect("attr").write_raw(&[2_i64, 3]).expect("write");
    let kind = hdf5::types::FixedAscii::<32>::from_ascii("PartitionedDataSetCollection").expect("ascii");
    top.new_attr::<hdf5::types::FixedAscii<32>>().create("Type").expect("attr").write_scalar(&kind).expect("write");
    for (index, (name, quads)) in [("rail", 2), ("box", 1)].into_iter().enumerate() {
        let block = top.create_group(name).expect("group");
        block.new_attr::<i64>().create("Index").expect("attr").write_scalar(&(index as i64)).expect("write");
        let mut writer = Writer::static_mesh(&[0.0, 0.5], strip(quads));
        writer.displacement = Some((0..2).map(|s| vec![[f64::from(s), 0.0, 0.0]; 2 * quads + 2]).collect());
        writer.write_grid(&block);
    }
    drop((top, file));
    let simulation = SimulationFile::open(&path, &SimulationOptions::default()).expect("a simulation");
    let mesh = simulation.mesh();
    assert_eq!(mesh.part_of, [PartId(1), PartId(1), PartId(2)]);
    assert_eq!((mesh.part_name(PartId(1)), mesh.part_name(PartId(2))), ("rail", "box"));
    assert_eq!(mesh.nodes_of(2), [6, 8, 9, 7], "the second block's nodes follow the first's");
    assert_eq!(simulation.read_state(1).expect("a state").positions_mm[6], [1.0, 0.0, 0.0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Positions are points plus displacement, elements keep their nodes, whatever the pieces.
    #[test]
    fn what_is_written_comes_back(
        sizes in prop::collection::vec(1_usize..6, 1..4),
        states in 1_usize..4,
        growing in any::<bool>(),
        seed in -1000.0_f64..1000.0,
    ) {
        let pieces: Vec<Piece> = sizes.iter().map(|n| strip(*n)).collect();
        let times: Vec<f64> = (0..states).map(|s| s as f64).collect();
        let mut writer = Writer::static_mesh(&times, pieces[0].clone());
        writer.states = vec![pieces.clone()];
        writer.growing_part_offsets = growing;
        let nodes: usize = pieces.iter().map(|p| p.points.len()).sum();
        let cells: usize = pieces.iter().map(|p| p.cells.len()).sum();
        let moved = |s: usize, n: usize| [seed * s as f64, n as f64, seed - n as f64];
        writer.displacement = Some((0..states).map(|s| (0..nodes).map(|n| moved(s, n)).collect()).collect());
        writer.part_id = Some((0..cells as i32).map(|c| c % 3).collect());
        let simulation = open(&writer).expect("a simulation");
        prop_assert_eq!(simulation.mesh().element_count(), cells);
        let points: Vec<[f64; 3]> = pieces.iter().flat_map(|p| p.points.clone()).collect();
        for s in 0..states {
            let state = simulation.read_state(s).expect("a state");
            for (n, position) in state.positions_mm.iter().enumerate() {
                let d = moved(s, n);
                for axis in 0..3 {
                    prop_assert_eq!(position[axis], (points[n][axis] + d[axis]) as f32);
                }
            }
        }
        let mut element = 0;
        let mut base = 0;
        for piece in &pieces {
            for cell in &piece.cells {
                let wanted: Vec<u32> = cell.iter().map(|n| (base + *n as usize) as u32).collect();
                prop_assert_eq!(simulation.mesh().nodes_of(element), wanted.as_slice());
                element += 1;
            }
            base += piece.points.len();
        }
    }
}
