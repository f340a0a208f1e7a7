//! What the README claims of the shared tests, by the shared scorer: `score.py` compares a whole review with the truth
//! that the review never reads.

use std::path::{Path, PathBuf};
use std::process::Command;

use crumple::domain::Suggestion;
use serde_json::Value;

use crate::support::program::program;
use crate::support::{shared, skipped};

/// What a test must reach.
struct Claim {
    test: &'static str,
    /// Whether the review hears the study of the simulation.
    study: bool,
    /// At most so much of the true deviation is left, on measured and on all visible nodes; `None` for an identical pair.
    error_left: Option<[f64; 2]>,
    coverage: f64,
    f1: f64,
    parts_missed: u64,
    onset_frames: f64,
}

/// The field's sigma must hold 85 to 99 % of the truths within two of it, and may hold all where nothing deviates.
const WITHIN_2_SIGMA: [f64; 2] = [0.85, 0.99];

fn score(test: &str, study: bool) -> Option<Value> {
    let simulation = simulation_of(test)?;
    let [film, truth] = ["h5", "truth.h5"].map(|end| shared(&format!("tests/{test}.{end}")));
    let out = tempfile::tempdir().expect("a temporary folder");
    let score = reviewed_and_scored(out.path(), &simulation, &[film?, truth?], study)?;
    // An identical pair has nothing to suggest.
    if study && score["parts_truly_off"] != 0 {
        truths_lie_in_the_intervals(test, &out.path().join("review"), &simulation);
    }
    Some(score)
}

fn simulation_of(test: &str) -> Option<PathBuf> {
    let family = test.split('-').next().expect("a family");
    shared(&format!("simulations/{family}/run_000.vtkhdf"))
}

/// What `suggest` says of the review of a filmed test: its true parameters are read here and nowhere else.
fn truths_lie_in_the_intervals(test: &str, review: &Path, simulation: &Path) {
    let truth = shared(&format!("tests/{test}.truth.json")).expect("it lies beside the truth that was scored with");
    let truth: Value = serde_json::from_slice(&std::fs::read(truth).expect("text")).expect("JSON");
    let mut suggest = program(review.parent().expect("a folder"));
    suggest.arg("suggest").arg(review).arg("--study").arg(simulation.parent().expect("a folder"));
    suggest.args(["--cache", "study.cache", "--no-report", "--quiet", "--format", "json"]);
    let found: Suggestion = serde_json::from_slice(&succeeded(&mut suggest)).expect("suggestion.json");
    assert!(!found.parameters.is_empty(), "{test}: {found:?}");
    for p in &found.parameters {
        let name = p.parameter.name.as_str();
        let mut all = truth["parameters"].as_array().expect("a list").iter();
        let value = all.find(|q| q["name"] == name).and_then(|q| q["value"].as_f64()).expect("a value");
        let error = (p.estimate.value - value) / (p.parameter.upper - p.parameter.lower);
        assert!(p.estimate.holds(value), "{test}, {name} is {value}: {:?}", p.estimate);
        if name == "impact_offset" {
            assert!(error.abs() < 0.03, "where {test} was hit is seen in the film: {:+.1} % off", 100.0 * error);
        }
    }
}

/// The shared scorer, where it can run.
fn scorer() -> Option<PathBuf> {
    let scorer = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/check/score.py");
    let python = Command::new("python3").args(["-c", "import numpy, h5py"]).output();
    if !scorer.is_file() || !python.is_ok_and(|o| o.status.success()) {
        skipped("score.py needs python3 with numpy and h5py");
        return None;
    }
    Some(scorer)
}

/// Reviews a film and compares what comes out with the truth.
fn reviewed_and_scored(folder: &Path, simulation: &Path, [film, truth]: &[PathBuf; 2], study: bool) -> Option<Value> {
    let scorer = scorer()?;
    let review = folder.join("review");
    let mut command = program(folder);
    command.arg("review").args([simulation, film]).arg("--out").arg(&review).args(["--no-report", "--quiet"]);
    if !study {
        command.arg("--no-study");
    }
    // What was read of the study stays in the test's own folder.
    succeeded(command.env("XDG_CACHE_HOME", folder.join("cache")));
    let told = succeeded(Command::new("python3").arg(scorer).args([simulation, film, truth, &review]).arg("--json"));
    Some(serde_json::from_slice(&told).expect("score.py answers with JSON"))
}

/// Runs a command to its end and returns what it prints.
fn succeeded(command: &mut Command) -> Vec<u8> {
    let run = command.output().expect("the program starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    run.stdout
}

fn check(claim: &Claim) {
    let Some(score) = score(claim.test, claim.study) else { return };
    let number = |path: &str| score.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {score}"));
    assert!(number("/error_px/median") <= 0.6 && number("/coverage") >= claim.coverage, "{score}");
    let within = number("/within_2_sigma");
    let [least, most] = WITHIN_2_SIGMA;
    assert!(within >= least && (within <= most || claim.error_left.is_none()), "{score}");
    let Some([left, left_all]) = claim.error_left else {
        assert!(number("/error_px/median") <= 0.3 && number("/parts_flagged") == 0.0, "{score}");
        assert_eq!(number("/element_flags/fp"), 0.0, "{score}");
        return;
    };
    assert!(number("/error_left") <= left && number("/error_left_all") <= left_all, "{score}");
    assert!(number("/element_flags/f1") >= claim.f1, "{score}");
    assert!(number("/parts_missed") <= claim.parts_missed as f64 && number("/parts_false") == 0.0, "{score}");
    let onsets = score["onset_error_frames"].as_array().expect("a list");
    let late = |o: &Value| o.as_f64().is_none_or(|o| o.abs() > claim.onset_frames);
    assert!(!onsets.is_empty() && !onsets.iter().any(late), "{score}");
}

#[test]
fn an_identical_pair_has_no_flag() {
    let (f1, error_left) = (0.0, None);
    check(&Claim {
        test: "crash_box-T1",
        study: false,
        error_left,
        coverage: 0.85,
        f1,
        parts_missed: 0,
        onset_frames: 2.0,
    });
}

#[test]
fn a_crash_box_that_folds_elsewhere() {
    let error_left = Some([0.20, 0.41]);
    check(&Claim {
        test: "crash_box-T2",
        study: false,
        error_left,
        coverage: 0.85,
        f1: 0.9,
        parts_missed: 0,
        onset_frames: 1.0,
    });
}

#[test]
fn a_beam_behind_a_pole() {
    // The rear plate is missed: 25 elements hardly beyond the tolerance, which the pole hides from both cameras.
    let error_left = Some([0.30, 0.57]);
    check(&Claim {
        test: "bumper-T3",
        study: false,
        error_left,
        coverage: 0.8,
        f1: 0.95,
        parts_missed: 1,
        onset_frames: 1.0,
    });
}

#[test]
fn a_hat_beam_without_marks() {
    let error_left = Some([0.12, 0.24]);
    check(&Claim {
        test: "hat_beam-T4",
        study: false,
        error_left,
        coverage: 0.84,
        f1: 0.95,
        parts_missed: 0,
        onset_frames: 1.0,
    });
}

#[test]
fn an_identical_pair_has_no_flag_with_its_study() {
    let (test, f1, error_left) = ("crash_box-T1", 0.0, None);
    check(&Claim { test, study: true, error_left, coverage: 0.95, f1, parts_missed: 0, onset_frames: 2.0 });
}

#[test]
fn a_study_knows_how_a_crash_box_folds_behind_the_ram() {
    let (test, error_left) = ("crash_box-T2", Some([0.14, 0.14]));
    check(&Claim { test, study: true, error_left, coverage: 0.95, f1: 0.92, parts_missed: 0, onset_frames: 1.0 });
}

#[test]
fn a_study_knows_how_a_beam_bends_behind_a_pole() {
    let (test, error_left) = ("bumper-T3", Some([0.30, 0.30]));
    check(&Claim { test, study: true, error_left, coverage: 0.95, f1: 0.90, parts_missed: 0, onset_frames: 1.0 });
}

#[test]
fn a_study_knows_how_a_hat_beam_bends() {
    let (test, error_left) = ("hat_beam-T4", Some([0.08, 0.08]));
    check(&Claim { test, study: true, error_left, coverage: 0.9, f1: 0.97, parts_missed: 0, onset_frames: 1.0 });
}

/// A dent that no design of the study has, seen by both cameras.
#[test]
fn a_study_does_not_hide_what_none_of_its_designs_does() {
    let Some(simulation) = shared("simulations/crash_box/run_000.vtkhdf").filter(|_| scorer().is_some()) else {
        return;
    };
    let out = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| out.path().join(name);
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/dent.py");
    let place = ["--at", "0", "30", "70", "--from-ms", "4"];
    std::fs::copy(simulation.with_extension("json"), at("dented.json")).expect("the side-car is copied");
    succeeded(Command::new("python3").arg(script).args([&simulation, &at("dented.vtkhdf")]).args(place));
    let film = [at("film.h5"), at("truth.h5")];
    let mut command = program(out.path());
    command.arg("film").arg(at("dented.vtkhdf")).arg("--out").arg(&film[0]).arg("--truth").arg(&film[1]);
    succeeded(command.args(["--seed", "5", "--look", "stickers", "--quiet"]));
    let Some(score) = reviewed_and_scored(out.path(), &simulation, &film, true) else { return };
    let number = |path: &str| score.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {score}"));
    assert_eq!(
        (number("/parts_truly_off"), number("/parts_missed"), number("/parts_false")),
        (2.0, 0.0, 0.0),
        "{score}"
    );
    assert!(number("/element_flags/f1") >= 0.93, "{score}");
}
