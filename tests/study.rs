//! Studies: what belongs is read, what does not is refused by itself with its reason, and the cache is true or made anew.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crumple::ingest::{IngestError, SimulationOptions, StudyFile, StudyRequest};
use crumple::suggest::{StudyFields as _, Surrogate};
use serde_json::json;
use tempfile::TempDir;

use crate::support::vtkhdf_writer::{Piece, Writer};

/// A strip of `quads` that bends by `a` and stretches by `b`, over three states of 1 ms.
pub(crate) fn write_run(folder: &Path, name: &str, quads: usize, [a, b]: [f64; 2]) {
    let points: Vec<[f64; 3]> =
        (0..=quads).flat_map(|i| [[10.0 * i as f64, 0.0, 0.0], [10.0 * i as f64, 10.0, 0.0]]).collect();
    let cells = (0..quads as i64).map(|q| vec![2 * q, 2 * q + 2, 2 * q + 3, 2 * q + 1]).collect();
    let times = [0.0, 1.0, 2.0];
    let moved =
        times.map(|t| points.iter().map(|p| [b * t * p[0] / 50.0, 0.0, a * t * (p[0] / 50.0).powi(2)]).collect());
    let piece = Piece { points, types: vec![9; quads], cells };
    let mut writer = Writer::static_mesh(&times, piece);
    writer.displacement = Some(moved.to_vec());
    writer.write(&folder.join(format!("{name}.vtkhdf")));
    write_record(folder, name, &json!([parameter("a", a, "mm"), parameter("b", b, "mm")]));
}

fn parameter(name: &str, value: f64, unit: &str) -> serde_json::Value {
    json!({"name": name, "value": value, "unit": unit, "lower": 0.0, "upper": 4.0, "nominal": 2.0})
}

fn write_record(folder: &Path, name: &str, parameters: &serde_json::Value) {
    let record = json!({"units": {"length": "mm", "time": "ms"}, "parameters": parameters});
    std::fs::write(folder.join(format!("{name}.json")), record.to_string()).expect("write");
}

const POINTS: [[f64; 2]; 6] = [[0.5, 0.5], [3.5, 1.0], [2.0, 3.5], [1.0, 2.0], [3.0, 2.5], [2.0, 0.5]];

fn study() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (i, p) in POINTS.iter().enumerate() {
        write_run(dir.path(), &format!("run_{i:03}"), 5, *p);
    }
    dir
}

fn request(dir: &Path) -> StudyRequest {
    let options = SimulationOptions::default();
    StudyRequest { source: dir.to_owned(), options, table: None, cache: dir.join("cache/study.cache") }
}

fn load(request: &StudyRequest) -> Result<StudyFile, IngestError> {
    StudyFile::load(request, &|_| Ok(()), &mut |_| ControlFlow::Continue(()))
}

#[test]
fn runs_that_do_not_belong_are_refused_one_by_one_and_the_rest_goes_on() {
    let dir = study();
    let folder = dir.path();
    write_run(folder, "x_topology", 6, [1.0, 1.0]);
    write_run(folder, "x_missing", 5, [1.0, 1.0]);
    write_record(folder, "x_missing", &json!([parameter("a", 1.0, "mm")]));
    write_run(folder, "x_units", 5, [1.0, 1.0]);
    write_record(folder, "x_units", &json!([parameter("a", 1.0, "in"), parameter("b", 1.0, "mm")]));
    write_run(folder, "x_outside", 5, [9.0, 1.0]);
    write_run(folder, "x_failed", 5, [1.0, 1.0]);
    let failed = json!({"units": {"time": "ms"}, "normal_termination": false, "parameters": [parameter("a", 1.0, "mm"), parameter("b", 1.0, "mm")]});
    std::fs::write(folder.join("x_failed.json"), failed.to_string()).expect("write");
    write_run(folder, "x_seconds", 5, [1.0, 1.0]);
    let seconds = json!({"units": {"time": "s"}, "parameters": [parameter("a", 1.0, "mm"), parameter("b", 1.0, "mm")]});
    std::fs::write(folder.join("x_seconds.json"), seconds.to_string()).expect("write");
    std::fs::write(folder.join("x_torn.vtkhdf"), b"\x89HDF\r\n\x1a\n torn").expect("write");
    let loaded = load(&request(folder)).expect("six runs belong");
    assert_eq!(loaded.study().runs.len(), POINTS.len());
    for (name, words) in [
        ("x_topology", "14 nodes and 6 elements, expected the 12 nodes and 5 elements"),
        ("x_missing", "no value for the parameter b"),
        ("x_units", "parameter a in \"in\", expected \"mm\""),
        ("x_outside", "parameter a is 9, outside its bounds 0 to 4"),
        ("x_failed", "a run that failed"),
        ("x_seconds", "other units of time"),
        ("x_torn", "x_torn.vtkhdf"),
    ] {
        let refused =
            loaded.study().refused.iter().find(|r| r.name == name).unwrap_or_else(|| panic!("{name} is not refused"));
        assert!(refused.reason.contains(words), "{}: {}", name, refused.reason);
    }
    assert_eq!(loaded.study().refused.len(), 7);
}

#[test]
fn the_second_time_comes_from_the_cache_until_a_run_or_its_record_changes() {
    let dir = study();
    let request = request(dir.path());
    let first = load(&request).expect("loads");
    assert!(first.is_fresh());
    let again = load(&request).expect("loads");
    assert!(!again.is_fresh() && again.study() == first.study() && again.grams() == first.grams());
    assert_eq!(*again.displacements_mm(2).expect("read"), *first.displacements_mm(2).expect("read"));
    // The same bytes at another time are the same run.
    let run = dir.path().join("run_002.vtkhdf");
    let bytes = std::fs::read(&run).expect("read");
    std::fs::write(&run, &bytes).expect("write");
    assert!(!load(&request).expect("loads").is_fresh());
    write_run(dir.path(), "run_002", 5, [2.0, 3.0]);
    let changed = load(&request).expect("loads");
    assert!(changed.is_fresh() && changed.study().runs[2].values == [2.0, 3.0]);
    std::fs::write(&request.cache, b"CRSTUDY\x01 cut off").expect("write");
    assert!(load(&request).expect("loads").is_fresh(), "a cache that was cut off is made anew");
    let left: Vec<PathBuf> =
        std::fs::read_dir(dir.path().join("cache")).expect("a folder").map(|e| e.expect("an entry").path()).collect();
    assert_eq!(left, std::slice::from_ref(&request.cache), "nothing half-written stays");
}

#[test]
fn a_stopped_loading_leaves_no_cache() {
    let dir = study();
    let request = request(dir.path());
    let stop = StudyFile::load(&request, &|_| Ok(()), &mut |p| {
        if p.done > 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(stop.is_err() && !request.cache.exists());
}

#[test]
fn parameters_come_from_a_table_and_the_fields_follow_them() {
    let dir = study();
    for i in 0..POINTS.len() {
        std::fs::write(dir.path().join(format!("run_{i:03}.json")), r#"{"units":{"time":"ms"}}"#).expect("write");
    }
    let table = dir.path().join("parameters.csv");
    let rows: String = POINTS.iter().enumerate().map(|(i, [a, b])| format!("run_{i:03},{a},{b}\n")).collect();
    std::fs::write(&table, format!("run,a,b\n{rows}")).expect("write");
    let loaded = load(&StudyRequest { table: Some(table), ..request(dir.path()) }).expect("loads");
    assert!(loaded.study().warnings.iter().any(|w| w.contains("no bounds")), "{:?}", loaded.study().warnings);
    // The fields are linear in the parameters, so the reduced model must give a design between the runs exactly.
    let surrogate = Surrogate::fit(&loaded.study().shares(), loaded.grams());
    let at: Vec<f64> = loaded.study().parameters.iter().zip([2.2, 1.7]).map(|(p, v)| p.share_of(v)).collect();
    let found = surrogate.positions_mm(&loaded, &at, 0.0015).expect("fields");
    assert!(
        (found[11][2] - 2.2 * 1.5).abs() < 0.02 && (found[11][0] - (50.0 + 1.7 * 1.5)).abs() < 0.02,
        "{:?}",
        found[11]
    );
}
