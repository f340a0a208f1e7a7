//! What the README claims of the shared tests, by the shared scorer: `score.py` compares a whole review with the truth
//! that the review never reads.

use std::path::{Path, PathBuf};
use std::process::Command;

use crumple::domain::Suggestion;
use serde_json::Value;

use crate::support::program::program;
use crate::support::{shared, skipped};

/// What a review must reach.
struct Claim {
    /// At most so much of the true deviation is left, on measured and on all visible nodes; `None` for an identical pair.
    error_left: Option<[f64; 2]>,
    coverage: f64,
    f1: f64,
    parts_missed: u64,
    onset_frames: f64,
}

/// The field's sigma must hold 85 to 99 % of the truths within two of it, and may hold all where nothing deviates.
const WITHIN_2_SIGMA: [f64; 2] = [0.85, 0.99];

/// Reviews a shared test without a study and with the one that its simulation belongs to, and holds both against what is
/// claimed of them.
fn check(test: &str, without: &Claim, with_study: &Claim) {
    let family = test.split('-').next().expect("a family");
    let Some(simulation) = shared(&format!("simulations/{family}/run_000.vtkhdf")) else { return };
    let [Some(film), Some(truth)] = ["h5", "truth.h5"].map(|end| shared(&format!("tests/{test}.{end}"))) else {
        return;
    };
    let Some(scorer) = Scorer::found() else { return };
    let out = tempfile::tempdir().expect("a temporary folder");
    let review = |name: &str, options: &[&str]| reviewed(out.path(), name, [&simulation, &film], options);
    let reviews = [review("without", &["--no-study"]), review("with", &[])];
    let [score, score_with_study] = scorer.scores([&simulation, &film, &truth], &reviews);
    without.check(&score);
    with_study.check(&score_with_study);
    // An identical pair has nothing to suggest.
    if with_study.error_left.is_some() {
        truths_lie_in_the_intervals(test, &reviews[1], &simulation);
    }
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

/// The shared scorer.
struct Scorer(PathBuf);

impl Scorer {
    /// The scorer, where it can run.
    fn found() -> Option<Self> {
        let scorer = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/check/score.py");
        let python = Command::new("python3").args(["-c", "import numpy, h5py"]).output();
        if !scorer.is_file() || !python.is_ok_and(|o| o.status.success()) {
            skipped("score.py needs python3 with numpy and h5py");
            return None;
        }
        Some(Self(scorer))
    }

    /// Compares reviews of one film with the truth; `files` are the simulation, the film and its truth.
    fn scores<const N: usize>(&self, files: [&Path; 3], reviews: &[PathBuf; N]) -> [Value; N] {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/score_reviews.py");
        let told = succeeded(Command::new("python3").arg(script).arg(&self.0).args(files).args(reviews));
        let scores = serde_json::Deserializer::from_slice(&told).into_iter();
        let scores: Vec<Value> = scores.collect::<Result<_, _>>().expect("score.py answers with JSON");
        scores.try_into().expect("a score each")
    }
}

/// Reviews a film, and says where the review is; `files` are the simulation and the film.
fn reviewed(folder: &Path, name: &str, files: [&Path; 2], options: &[&str]) -> PathBuf {
    let review = folder.join(name);
    let mut command = program(folder);
    command.arg("review").args(files).arg("--out").arg(&review).args(["--no-report", "--quiet"]).args(options);
    // What was read of the study stays in the test's own folder.
    succeeded(command.env("XDG_CACHE_HOME", folder.join("cache")));
    review
}

/// Runs a command to its end and returns what it prints.
fn succeeded(command: &mut Command) -> Vec<u8> {
    let run = command.output().expect("the program starts");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    run.stdout
}

impl Claim {
    fn check(&self, score: &Value) {
        let number =
            |path: &str| score.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {score}"));
        assert!(number("/error_px/median") <= 0.6 && number("/coverage") >= self.coverage, "{score}");
        let within = number("/within_2_sigma");
        let [least, most] = WITHIN_2_SIGMA;
        assert!(within >= least && (within <= most || self.error_left.is_none()), "{score}");
        let Some([left, left_all]) = self.error_left else {
            assert!(number("/error_px/median") <= 0.3 && number("/parts_flagged") == 0.0, "{score}");
            assert_eq!(number("/element_flags/fp"), 0.0, "{score}");
            return;
        };
        assert!(number("/error_left") <= left && number("/error_left_all") <= left_all, "{score}");
        assert!(number("/element_flags/f1") >= self.f1, "{score}");
        assert!(number("/parts_missed") <= self.parts_missed as f64 && number("/parts_false") == 0.0, "{score}");
        let onsets = score["onset_error_frames"].as_array().expect("a list");
        let late = |o: &Value| o.as_f64().is_none_or(|o| o.abs() > self.onset_frames);
        assert!(!onsets.is_empty() && !onsets.iter().any(late), "{score}");
    }
}

#[test]
fn an_identical_pair_has_no_flag() {
    let claim = |coverage| Claim { error_left: None, coverage, f1: 0.0, parts_missed: 0, onset_frames: 2.0 };
    check("crash_box-T1", &claim(0.85), &claim(0.95));
}

/// A study knows how it folds behind the ram.
#[test]
fn a_crash_box_that_folds_elsewhere() {
    let claim = |error_left, coverage, f1| Claim { error_left, coverage, f1, parts_missed: 0, onset_frames: 1.0 };
    check("crash_box-T2", &claim(Some([0.20, 0.41]), 0.85, 0.9), &claim(Some([0.14, 0.14]), 0.95, 0.92));
}

/// Without a study the rear plate is missed: 25 elements hardly beyond the tolerance, which the pole hides from both
/// cameras. A study knows how it bends there.
#[test]
fn a_beam_behind_a_pole() {
    let claim =
        |error_left, coverage, f1, parts_missed| Claim { error_left, coverage, f1, parts_missed, onset_frames: 1.0 };
    check("bumper-T3", &claim(Some([0.30, 0.57]), 0.8, 0.95, 1), &claim(Some([0.32, 0.32]), 0.95, 0.90, 0));
}

#[test]
fn a_hat_beam_without_marks() {
    let claim = |error_left, coverage, f1| Claim { error_left, coverage, f1, parts_missed: 0, onset_frames: 1.0 };
    check("hat_beam-T4", &claim(Some([0.12, 0.24]), 0.84, 0.95), &claim(Some([0.08, 0.08]), 0.9, 0.97));
}

/// A dent that no design of the study has, seen by both cameras.
#[test]
fn a_study_does_not_hide_what_none_of_its_designs_does() {
    let Some(simulation) = shared("simulations/crash_box/run_000.vtkhdf") else { return };
    let Some(scorer) = Scorer::found() else { return };
    let out = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| out.path().join(name);
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/dent.py");
    let place = ["--at", "0", "30", "70", "--from-ms", "4"];
    std::fs::copy(simulation.with_extension("json"), at("dented.json")).expect("the side-car is copied");
    succeeded(Command::new("python3").arg(script).args([&simulation, &at("dented.vtkhdf")]).args(place));
    let (film, truth) = (at("film.h5"), at("truth.h5"));
    let mut command = program(out.path());
    command.arg("film").arg(at("dented.vtkhdf")).arg("--out").arg(&film).arg("--truth").arg(&truth);
    succeeded(command.args(["--seed", "5", "--look", "stickers", "--quiet"]));
    let [score] =
        scorer.scores([&simulation, &film, &truth], &[reviewed(out.path(), "review", [&simulation, &film], &[])]);
    let number = |path: &str| score.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {score}"));
    assert_eq!(
        (number("/parts_truly_off"), number("/parts_missed"), number("/parts_false")),
        (2.0, 0.0, 0.0),
        "{score}"
    );
    assert!(number("/element_flags/f1") >= 0.93, "{score}");
}
