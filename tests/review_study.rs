//! The study that a review hears: found, named, left out or refused.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::study::write_run as write_strip;
use crate::support::plate::Plate;
use crate::support::program::{Desk, program};

/// A plate that bulges by 9 mm in its test, and a folder for what is read of studies.
struct Bench {
    desk: Desk,
    cache: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { desk: Desk::new(&Plate::new(9.0)), cache: tempfile::tempdir().expect("a temporary folder") }
    }

    fn review(&self, further: &[&str]) -> Output {
        program(self.desk.folder.path())
            .args(["review", "run.vtkhdf", "test.h5", "--out", "out", "--no-report"])
            .args(further)
            .env("XDG_CACHE_HOME", self.cache.path())
            .output()
            .expect("the binary runs")
    }

    /// The table of runs that makes the simulation's folder a study.
    fn index(&self) {
        std::fs::write(self.desk.path("index.csv"), "run,bulge\nrun,0\nbulge_2,2\n").expect("written");
    }

    fn findings(&self) -> Value {
        let text = std::fs::read_to_string(self.desk.path("out/review.json")).expect("findings");
        serde_json::from_str(&text).expect("JSON")
    }
}

fn runs_heard(review: &Value) -> usize {
    let inputs = review["inputs"].as_array().expect("inputs");
    inputs.iter().filter(|i| i["role"] == "study run").count()
}

/// Runs of the plate that bulge by 2 to 16 mm.
fn write_plates(folder: &Path) {
    for bulge in [2, 4, 7, 10, 13, 16] {
        Plate::write_run(folder, &format!("bulge_{bulge}"), f64::from(bulge), 10.0);
    }
}

fn strips(bench: &Bench) -> PathBuf {
    let folder = bench.desk.path("strips");
    std::fs::create_dir(&folder).expect("a folder");
    for run in 0..5 {
        write_strip(&folder, &format!("strip_{run}"), 5, [f64::from(run), 1.0 + f64::from(run % 2)]);
    }
    folder
}

#[test]
fn a_study_beside_the_simulation_is_heard_unless_it_shall_not_be() {
    let bench = Bench::new();
    write_plates(bench.desk.folder.path());
    let alone = bench.review(&[]);
    assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stderr));
    assert_eq!(runs_heard(&bench.findings()), 0, "no table names the simulation");
    bench.index();
    let heard = bench.review(&[]);
    assert!(heard.status.success(), "{}", String::from_utf8_lossy(&heard.stderr));
    let findings = bench.findings();
    assert!(runs_heard(&findings) >= 6, "{findings}");
    assert!(findings["notes"].to_string().contains("--no-study"), "the review says what it rests on: {findings}");
    let flags = findings["flags"].as_array().expect("flags");
    assert!(flags.iter().any(|f| f["verdict"] == "mismatch"), "the bulge is found: {findings}");
    let without = bench.review(&["--no-study"]);
    assert!(without.status.success() && runs_heard(&bench.findings()) == 0);
}

#[test]
fn a_study_that_was_found_and_does_not_fit_is_left_out_with_a_warning() {
    let bench = Bench::new();
    for entry in std::fs::read_dir(strips(&bench)).expect("a folder") {
        let path = entry.expect("an entry").path();
        std::fs::rename(&path, bench.desk.path(&path.file_name().expect("a name").to_string_lossy())).expect("moved");
    }
    bench.index();
    let run = bench.review(&[]);
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{told}");
    let findings = bench.findings();
    assert_eq!(runs_heard(&findings), 0);
    assert!(told.contains("left out") || findings["warnings"].to_string().contains("left out"), "{told}\n{findings}");
}

#[test]
fn a_study_that_was_named_and_does_not_fit_is_refused() {
    let bench = Bench::new();
    strips(&bench);
    let empty = bench.desk.path("empty");
    std::fs::create_dir(empty).expect("a folder");
    let before = bench.desk.content();
    for (study, words) in [
        ("strips", ["strips", "are not of the mesh of", "expected"]),
        ("nowhere", ["nowhere", "not", ""]),
        ("empty", ["empty", "", ""]),
    ] {
        let run = bench.review(&["--study", study]);
        let told = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(2), "{study}: {told}");
        assert!(words.iter().all(|w| told.contains(w)), "{study}: {told}");
        assert_eq!(bench.desk.content(), before, "{study}: something was written");
    }
}
