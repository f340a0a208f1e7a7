//! The answer as files: what is written is what was measured, for our own reader and for VTK's.

use std::path::Path;
use std::process::Command;

use crumple::export::{
    ExportError, ExtraArray, ExtraRows, Rows, write_flags_csv, write_review_json, write_review_vtkhdf,
};

use crate::scene::{FRAMES, Scene};

fn write(scene: &Scene, path: &Path) -> Result<(), ExportError> {
    let strain: Vec<Vec<f32>> = (0..FRAMES).map(|i| vec![i as f32 * 0.01; scene.mesh.element_count()]).collect();
    let height: Vec<f32> = scene.undeformed_mm.iter().map(|p| p[2]).collect();
    let extra = [
        ExtraArray { name: "PlasticStrain", rows: Rows::Elements, values: ExtraRows::ByFrame(&strain) },
        ExtraArray { name: "Height", rows: Rows::Nodes, values: ExtraRows::Constant(&height) },
    ];
    let positions = |i| Ok::<_, std::io::Error>(scene.positions_mm(i));
    write_review_vtkhdf(path, &scene.mesh, positions, &scene.fields, &scene.flag_ids, &extra)
}

#[test]
fn every_step_of_the_field_reads_back_as_written() {
    let scene = Scene::new(true);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("review.vtkhdf");
    write(&scene, &path).expect("written");

    let root = hdf5::File::open(&path).and_then(|f| f.group("VTKHDF")).expect("opens");
    let rows = |name: &str, step: usize, count: usize| {
        let offsets = match name.split_once('/') {
            Some((kind, array)) => format!("Steps/{kind}Offsets/{array}"),
            None => "Steps/PointOffsets".to_owned(),
        };
        let start = root.dataset(&offsets).and_then(|d| d.read_1d::<i64>()).expect("offsets")[step] as usize;
        let all = root.dataset(name).and_then(|d| d.read_dyn::<f32>()).expect("rows");
        let width = all.len() / all.shape()[0];
        all.into_raw_vec_and_offset().0[start * width..(start + count) * width].to_vec()
    };
    let bits = |v: &[f32]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let (n, c) = (scene.mesh.node_count, scene.mesh.element_count());
    for (step, field) in scene.fields.iter().enumerate() {
        assert_eq!(rows("Points", step, n), scene.positions_mm(step).as_flattened());
        // Compared as bits: "not observed" is a NaN and must stay one.
        assert_eq!(bits(&rows("PointData/Deviation", step, n)), bits(field.deviation_mm.as_flattened()));
        assert_eq!(bits(&rows("PointData/DeviationSigma", step, n)), bits(&field.sigma_mm));
        let flags: Vec<f32> = scene.flag_ids[step].iter().map(|id| *id as f32).collect();
        assert_eq!(rows("CellData/FlagId", step, c), flags);
        assert_eq!(rows("CellData/PlasticStrain", step, c), vec![step as f32 * 0.01; c]);
        assert_eq!(rows("PointData/Height", step, n)[n - 1], 200.0);
    }
    let times = root.dataset("Steps/Values").and_then(|d| d.read_1d::<f64>()).expect("times");
    assert_eq!(times.to_vec(), scene.times_s);
    let topology_rows = root.dataset("Connectivity").expect("connectivity").shape();
    assert_eq!(topology_rows, [4 * c], "the topology is written once, not once a step");
}

#[test]
fn vtk_reads_every_step_of_the_field() {
    if !Command::new("python3").args(["-c", "import vtk, numpy"]).output().is_ok_and(|o| o.status.success()) {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("skipped: vtk_reads_every_step_of_the_field needs python3 with the modules vtk and numpy");
        }
        return;
    }
    let scene = Scene::new(true);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("review.vtkhdf");
    write(&scene, &path).expect("written");
    let expected: Vec<serde_json::Value> = (0..FRAMES)
        .map(|i| {
            let field = &scene.fields[i];
            let seen: Vec<usize> = (0..scene.mesh.node_count).filter(|n| field.observed[*n] > 0).collect();
            serde_json::json!({
                "time_s": scene.times_s[i],
                "points": scene.positions_mm(i),
                "seen": seen,
                "deviation": seen.iter().map(|n| field.deviation_mm[*n]).collect::<Vec<_>>(),
                "sigma": seen.iter().map(|n| field.sigma_mm[*n]).collect::<Vec<_>>(),
                "observed": field.observed,
                "flag": scene.flag_ids[i],
                "part": scene.mesh.part_of,
                "strain": vec![i as f32 * 0.01; scene.mesh.element_count()],
                "connectivity": scene.mesh.connectivity,
            })
        })
        .collect();
    let expected_path = folder.path().join("expected.json");
    std::fs::write(&expected_path, serde_json::to_string(&expected).expect("JSON")).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/read_review_with_vtk.py");
    let run = Command::new("python3").arg(script).arg(&path).arg(&expected_path).output().expect("python3 runs");
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success() && out.contains(&format!("{FRAMES} steps equal")), "VTK disagrees:\n{out}\n{err}");
}

#[test]
fn a_field_that_does_not_fit_the_mesh_is_refused_with_both_lengths() {
    let mut scene = Scene::new(true);
    scene.fields[3].sigma_mm.pop();
    let folder = tempfile::tempdir().expect("a folder");
    let problem = write(&scene, &folder.path().join("x.vtkhdf")).expect_err("refused");
    let n = scene.mesh.node_count;
    let expected = format!("DeviationSigma of film time 3 has {} entries, the mesh has {n}", n - 1);
    assert_eq!(problem.to_string(), expected);
}

#[test]
fn a_failing_source_of_positions_is_passed_on() {
    let scene = Scene::new(true);
    let folder = tempfile::tempdir().expect("a folder");
    let lost = |i: usize| if i < 2 { Ok(scene.positions_mm(i)) } else { Err(std::io::Error::other("disk gone")) };
    let path = folder.path().join("x.vtkhdf");
    let problem = write_review_vtkhdf(&path, &scene.mesh, lost, &scene.fields, &scene.flag_ids, &[]).expect_err("lost");
    let source = std::error::Error::source(&problem).expect("a cause").to_string();
    assert_eq!((problem.to_string().contains("film time 2"), source.as_str()), (true, "disk gone"));
}

#[test]
fn review_json_has_the_fields_of_the_contract() {
    let mut scene = Scene::new(true);
    // The long lists say nothing here that one entry would not.
    scene.review.flags[0].element_ids.truncate(2);
    for boxes in scene.review.flags[0].bbox_px.values_mut() {
        let last = *boxes.keys().last().expect("a box");
        boxes.retain(|frame, _| *frame == last);
    }
    scene.review.parts.truncate(1);
    let series = &mut scene.review.parts[0].series;
    series.times_s.truncate(2);
    series.median_mm = vec![Some(0.25), None];
    series.p95_mm = vec![Some(0.5), None];
    series.sigma_mm.truncate(2);
    series.coverage.truncate(2);
    series.observed_share.truncate(2);
    series.rigid.truncate(1);
    scene.review.parts[0].peak_mm = Some(10.5);
    for alignment in scene.review.alignment.values_mut() {
        alignment.pose.rotation = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        alignment.pose.translation_mm = [0.0, 0.0, 500.0];
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("review.json");
    write_review_json(&path, &scene.review).expect("written");
    let text = std::fs::read_to_string(&path).expect("read");
    let back: crumple::domain::Review = serde_json::from_str(&text).expect("reads back");
    assert_eq!(back, scene.review);
    insta::assert_snapshot!(text);
}

#[test]
fn flags_come_as_a_table_for_a_spreadsheet() {
    let scene = Scene::new(true);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("flags.csv");
    write_flags_csv(&path, &scene.review).expect("written");
    let text = std::fs::read_to_string(&path).expect("read");
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 2);
    assert!(rows[1].starts_with("1,1,\"half <left> & \"\"co\"\"\",mismatch,deformation,left right,0.0"), "{}", rows[1]);
}
