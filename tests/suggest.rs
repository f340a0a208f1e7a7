//! Suggestions: from a known truth back to it, never inside the noise, and what no parameter makes not explained away.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crumple::domain::{Distortion, Intrinsics, Pose, SeenImpactor, Suggestion, SuggestionVerdict, WayPoint};
use crumple::geom::{Camera, Skin, bracket};
use crumple::ingest::{SimulationOptions, StudyFile, StudyRequest};
use crumple::suggest::{FilmField, Sight, SightCamera, SightInput, StudyFields, SuggestInput, Surrogate, suggest};
use nalgebra::Vector3;
use tempfile::TempDir;

use crate::support::program::program;

const SIGMA_MM: f32 = 0.3;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The shipped study without some runs, or all of it.
fn load(folder: &Path, without: &[&str]) -> StudyFile {
    load_in_order(folder, without, 0..17)
}

fn load_in_order(folder: &Path, without: &[&str], order: impl Iterator<Item = usize>) -> StudyFile {
    let runs: Vec<String> = order
        .map(|i| format!("run_{i:03}"))
        .filter(|n| fixture(&format!("study/{n}.vtkhdf")).exists() && !without.contains(&n.as_str()))
        .map(|n| format!("[[runs]]\nfile = {:?}\n", fixture(&format!("study/{n}.vtkhdf"))))
        .collect();
    let list = folder.join("study.toml");
    std::fs::write(&list, runs.concat()).expect("write");
    let cache = folder.join("study.cache");
    let request = StudyRequest { source: list, options: SimulationOptions::default(), table: None, cache };
    StudyFile::load(&request, &|_| Ok(()), &mut |_| ControlFlow::Continue(())).expect("the shipped study loads")
}

/// A camera at `from` that looks at the middle of the box.
fn camera(name: &str, from: [f64; 3]) -> SightCamera {
    let (eye, target) = (Vector3::from(from), Vector3::new(0.0, 0.0, 100.0));
    let forward = (target - eye).normalize();
    let right = forward.cross(&Vector3::z()).normalize();
    let down = forward.cross(&right);
    let rows = [right, down, forward];
    let rotation = rows.map(|r| [r.x, r.y, r.z]);
    let translation_mm = rows.map(|r| -r.dot(&eye));
    let camera = Camera {
        width: 640,
        height: 480,
        intrinsics: Intrinsics { fx: 1800.0, fy: 1800.0, cx: 319.5, cy: 239.5 },
        distortion: Distortion::default(),
        pose: Pose { rotation, translation_mm },
    };
    SightCamera { name: name.to_owned(), camera, pose_sigma: [1e-4, 1e-4, 1e-4, 0.2, 0.2, 0.5] }
}

/// Positions of run `run` at all times of the study, from the common undeformed shape.
fn states(study: &StudyFile, run: usize) -> Vec<Vec<[f32; 3]>> {
    let n = 3 * study.study().node_count;
    let rest = study.rest_mm().expect("shapes");
    let own = |time: usize| study.displacements_mm(time).expect("fields")[run * n..(run + 1) * n].to_vec();
    (0..study.study().times_s.len())
        .map(|time| {
            own(time)
                .as_chunks::<3>()
                .0
                .iter()
                .zip(rest.as_chunks::<3>().0)
                .map(|(u, x)| [0, 1, 2].map(|i| x[i] + u[i]))
                .collect()
        })
        .collect()
}

/// The film of `truth` reviewed against `simulated`: exact but for a repeatable, even noise. A review's sigma is that of
/// both directions of the picture together (the root of the covariance's trace), so each axis has [`SIGMA_MM`] / √2.
fn film(study: &StudyFile, simulated: &[Vec<[f32; 3]>], truth: &[Vec<[f32; 3]>]) -> Vec<FilmField> {
    let mut seed = 1_u32;
    let mut noise = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((seed >> 8) as f32 / 16_777_216.0 - 0.5) * 6.0_f32.sqrt() * SIGMA_MM
    };
    study
        .study()
        .times_s
        .iter()
        .zip(simulated.iter().zip(truth))
        .map(|(time_s, (a, b))| FilmField {
            time_s: *time_s,
            simulated_mm: a.clone(),
            deviation_mm: a.iter().zip(b).map(|(a, b)| [0, 1, 2].map(|i| b[i] - a[i] + noise())).collect(),
            sigma_mm: vec![SIGMA_MM; a.len()],
        })
        .collect()
}

fn answer(study: &StudyFile, film: &[FilmField], simulated: &[f64]) -> Suggestion {
    answer_with(study, film, simulated, None)
}

/// The impactor of a run as a film would show it: 0.8 % too far, as if the camera stood nearer.
fn filmed_impactor(study: &StudyFile, run: usize) -> SeenImpactor {
    let ram = study.study().runs[run].impactor.as_ref().expect("the record tells of the ram");
    let point = |time_s: &f64| {
        let (a, b, w) = bracket(&ram.times_s, *time_s);
        let way_mm = 1.008 * (ram.travel_mm[a] * (1.0 - w) + ram.travel_mm[b] * w);
        WayPoint { time_s: *time_s, way_mm, sigma_mm: 0.2, simulated_mm: None }
    };
    SeenImpactor { way: study.study().times_s.iter().map(point).collect(), place: None, face: None, body: None }
}

fn answer_with(
    study: &StudyFile,
    film: &[FilmField],
    simulated: &[f64],
    impactor: Option<&SeenImpactor>,
) -> Suggestion {
    let skin = Skin::from_mesh(study.mesh(), None);
    let cameras = [camera("left", [-500.0, -600.0, 250.0]), camera("right", [550.0, 550.0, 200.0])];
    let input = SightInput {
        fields: study,
        skin: &skin,
        cameras: &cameras,
        film,
        time_offset_s: 0.0,
        time_offset_sigma_s: 2e-5,
        impactor,
    };
    let sight = Sight::new(&input).expect("fields");
    let surrogate = Surrogate::fit(&study.study().shares(), study.grams());
    suggest(&SuggestInput {
        fields: study,
        surrogate: &surrogate,
        sight: &sight,
        test_id: "synthetic",
        flags: &[],
        rest_mm: &film[0].simulated_mm,
        simulated,
        tolerance_mm: 5.0,
        next_runs: 4,
        pending: &[],
        failed: &[],
    })
    .expect("an answer")
}

fn all_runs() -> (TempDir, StudyFile) {
    let dir = tempfile::tempdir().expect("a folder");
    let study = load(dir.path(), &[]);
    (dir, study)
}

#[test]
fn a_simulation_that_agrees_gets_no_suggestion() {
    let (_dir, study) = all_runs();
    let nominal = states(&study, 0);
    let found = answer(&study, &film(&study, &nominal, &nominal), &study.study().runs[0].values);
    assert_eq!(found.verdict, SuggestionVerdict::InsideNoise, "{}", found.headline);
    assert!(found.changes.is_empty() && found.model_form.is_empty());
}

#[test]
#[expect(clippy::print_stderr, reason = "the measured figures are worth seeing")]
fn a_run_the_study_has_never_seen_lies_in_the_intervals_and_is_no_model_form() {
    let (_dir, full) = all_runs();
    let (mut held, mut asked, mut model_form) = (0, 0, 0);
    let (mut off, mut off_with_ram) = (0.0_f64, 0.0_f64);
    let names: Vec<String> = full.study().runs.iter().skip(1).map(|r| r.name.clone()).collect();
    for name in names.iter().map(String::as_str) {
        let run = full.study().runs.iter().position(|r| r.name == name).expect("a run");
        let dir = tempfile::tempdir().expect("a folder");
        let study = load(dir.path(), &[name]);
        let film = film(&full, &states(&full, 0), &states(&full, run));
        let found = answer(&study, &film, &study.study().runs[0].values);
        model_form += usize::from(found.verdict == SuggestionVerdict::ModelForm);
        for (p, truth) in found.parameters.iter().zip(&full.study().runs[run].values) {
            asked += 1;
            held += usize::from(p.estimate.holds(*truth));
            assert!(p.parameter.lower <= p.estimate.lower && p.estimate.upper <= p.parameter.upper, "{p:?}");
        }
        let speed_of = |found: &Suggestion| {
            let at = found.parameters.iter().position(|p| p.parameter.name == "impact_speed").expect("the speed");
            (found.parameters[at].clone(), full.study().runs[run].values[at])
        };
        let with_ram = answer_with(&study, &film, &study.study().runs[0].values, Some(&filmed_impactor(&full, run)));
        let (known, _) = speed_of(&with_ram);
        let (speed, truth) = speed_of(&found);
        off += (speed.estimate.value - truth).powi(2);
        off_with_ram += (known.estimate.value - truth).powi(2);
        assert!(speed.half_width_share < 0.35, "{name}: two cameras see how fast the box is crushed: {speed:?}");
        assert_eq!(found.next_runs.len(), 4);
    }
    let rms = |sum: f64| (sum / names.len() as f64).sqrt();
    let (off, off_with_ram) = (rms(off), rms(off_with_ram));
    eprintln!("speed off by {off:.3} m/s, with the ram's way by {off_with_ram:.3} m/s");
    assert!(off_with_ram < 0.6 * off, "the ram's way tells how fast it was: {off} m/s, with it {off_with_ram} m/s");
    eprintln!("{held} of {asked} truths held, {model_form} of {} called model form", names.len());
    assert!(held * 100 >= asked * 83, "{held} of {asked} truths are inside their 90 % intervals");
    assert!(3 * model_form <= names.len(), "{model_form} of {} runs of the study are called model form", names.len());
}

/// The runs of a study have names and an order, which say nothing.
#[test]
fn the_order_of_the_runs_changes_nothing() {
    let (_dir, full) = all_runs();
    let (run, nominal) = (5, states(&full, 0));
    let film = film(&full, &nominal, &states(&full, run));
    let ram = filmed_impactor(&full, run);
    let without = [full.study().runs[run].name.as_str()];
    let [forward, backward] = [(0..17).collect::<Vec<_>>(), (0..17).rev().collect()].map(|order| {
        let dir = tempfile::tempdir().expect("a folder");
        let study = load_in_order(dir.path(), &without, order.into_iter());
        answer_with(&study, &film, &full.study().runs[0].values, Some(&ram)).parameters
    });
    for (a, b) in forward.iter().zip(&backward) {
        let range = a.parameter.upper - a.parameter.lower;
        for (a, b) in [(a.estimate.lower, b.estimate.lower), (a.estimate.upper, b.estimate.upper)] {
            assert!((a - b).abs() < 1e-3 * range, "{forward:?} and {backward:?}");
        }
    }
}

/// A ram that is held up on its way as in no run: what is told of the film says so, and its speed is known less well.
#[test]
fn a_film_that_no_parameters_fit_is_told_of() {
    let (_dir, study) = all_runs();
    let nominal = states(&study, 0);
    let film = film(&study, &nominal, &nominal);
    let told = |ram: &SeenImpactor| {
        let found = answer_with(&study, &film, &study.study().runs[0].values, Some(ram));
        let speed = found.parameters.iter().find(|p| p.parameter.name == "impact_speed").expect("a parameter");
        (found.warnings.iter().any(|w| w.contains("no parameters fit this film")), speed.estimate.half_width())
    };
    let plain = filmed_impactor(&study, 0);
    let held_up = |p: &WayPoint| WayPoint { way_mm: p.way_mm - 15.0 * (p.time_s / 4e-3 - 1.0).clamp(0.0, 1.0), ..*p };
    let strange = SeenImpactor { way: plain.way.iter().map(held_up).collect(), ..plain.clone() };
    let ((warned, half_width), (warned_of, wider)) = (told(&plain), told(&strange));
    assert!(!warned && warned_of && wider > 1.2 * half_width, "{warned} {warned_of} {half_width} and {wider}");
}

/// A place on the left half that one camera sees at a slant, so that a bulge moves across its picture.
const SIDE: [f32; 3] = [-30.0, 0.0, 60.0];
/// The edge that points at that camera: there a bulge moves along the line of sight, and no other camera sees it.
const EDGE: [f32; 3] = [-30.0, -30.0, 60.0];

/// One side of the box bulges out by up to 18 mm in a patch, from a third of the time on.
fn bulged(study: &StudyFile, plain: &[Vec<[f32; 3]>], centre: [f32; 3]) -> Vec<Vec<[f32; 3]>> {
    let rest = &plain[0];
    let left = study.study().parts.iter().position(|p| p.name == "box_half_left").expect("the part") as u16;
    let times = plain.len();
    plain
        .iter()
        .enumerate()
        .map(|(t, state)| {
            let size = 18.0 * ((t as f32 / times as f32 - 0.33) / 0.3).clamp(0.0, 1.0);
            state
                .iter()
                .zip(rest)
                .zip(&study.study().part_of_node)
                .map(|((x, r), part)| {
                    let away = (0..3).map(|i| (r[i] - centre[i]).powi(2)).sum::<f32>().sqrt();
                    let out = if *part == left { size * (-(away / 30.0).powi(2)).exp() } else { 0.0 };
                    let length = r[0].hypot(r[1]).max(1.0);
                    [x[0] + out * r[0] / length, x[1] + out * r[1] / length, x[2]]
                })
                .collect()
        })
        .collect()
}

#[expect(clippy::print_stderr, reason = "the measured figures are worth seeing")]
fn assert_bulge_is_named(centre: [f32; 3]) {
    let (_dir, study) = all_runs();
    let nominal = states(&study, 0);
    let film = film(&study, &nominal, &bulged(&study, &nominal, centre));
    let found = answer(&study, &film, &study.study().runs[0].values);
    assert_eq!(found.verdict, SuggestionVerdict::ModelForm, "{} (p {:.2})", found.headline, found.fit_p_value);
    assert!(found.changes.is_empty(), "{:?}", found.changes);
    let [form] = &found.model_form[..] else { panic!("one part bulges: {:?}", found.model_form) };
    assert_eq!(form.part_name, "box_half_left");
    let away = (0..3).map(|i| (form.centre_mm[i] - f64::from(centre[i])).powi(2)).sum::<f64>().sqrt();
    assert!(away < 40.0, "{away:.0} mm from the bulge: {form:?}");
    let times = &study.study().times_s;
    let begins = times.iter().position(|t| *t >= 0.33 * times[times.len() - 1]).expect("a state");
    let named = times.iter().position(|t| *t >= form.onset_s - 1e-9).expect("a state");
    assert!(begins.abs_diff(named) <= 2, "begins at state {begins}, named from {named} of {}", times.len());
    assert!(!form.hypotheses.is_empty() && form.left_mm > 5.0, "{form:?}");
    eprintln!("named {away:.0} mm from its centre: {} ({:.1} times)", form.words, form.ratio);
}

#[test]
fn a_bulge_that_no_parameter_makes_is_not_explained_away() {
    assert_bulge_is_named(SIDE);
}

#[test]
#[ignore = "known gap: a bulge along the line of sight of the only camera that sees it is not found"]
fn a_bulge_towards_the_only_camera_is_not_explained_away() {
    assert_bulge_is_named(EDGE);
}

#[test]
#[ignore = "a figure for the README, not a bar"]
#[expect(clippy::print_stderr, reason = "the measured figures are worth seeing")]
fn how_often_a_bulge_is_named_when_the_parameters_are_off_too() {
    let (_dir, full) = all_runs();
    let (mut named, mut right) = (0, 0);
    for run in 1..full.study().runs.len() {
        let dir = tempfile::tempdir().expect("a folder");
        let study = load(dir.path(), &[full.study().runs[run].name.as_str()]);
        let film = film(&full, &states(&full, 0), &bulged(&full, &states(&full, run), SIDE));
        let found = answer(&study, &film, &study.study().runs[0].values);
        named += usize::from(found.verdict == SuggestionVerdict::ModelForm);
        right += usize::from(found.model_form.first().is_some_and(|f| f.part_name == "box_half_left"));
        eprintln!("{}: {:?} p {:.2} {}", full.study().runs[run].name, found.verdict, found.fit_p_value, found.headline);
    }
    eprintln!("named {named}, on the right part {right}, of {}", full.study().runs.len() - 1);
}

#[test]
fn the_shipped_example_gets_a_suggestion_and_a_ledger() {
    let dir = tempfile::tempdir().expect("a folder");
    let run = |words: &[&str]| {
        let done = program(dir.path()).args(words).output().expect("the program starts");
        (
            done.status.code(),
            String::from_utf8_lossy(&done.stdout).into_owned(),
            String::from_utf8_lossy(&done.stderr).into_owned(),
        )
    };
    let [simulation, test, study] =
        ["example/simulation.vtkhdf", "example/test.h5", "study"].map(|n| fixture(n).display().to_string());
    let reviewed = run(&["review", &simulation, &test, "--out", "review", "--no-report", "--quiet"]);
    assert_eq!(reviewed.0, Some(0), "{}", reviewed.2);
    let made = run(&["suggest", "review", "--study", &study, "--cache", "c", "--next", "3", "--quiet"]);
    assert_eq!(made.0, Some(0), "{}", made.2);
    for word in ["impact_speed", "90 % interval", "what the film separates", "next_003"] {
        assert!(made.1.contains(word), "{word} is missing in:\n{}", made.1);
    }
    let folder = dir.path().join("review/suggestion");
    for name in [
        "suggestion.json",
        "suggestion.html",
        "next_runs.csv",
        "next_runs.json",
        "receipts.jsonl",
        "plots/identifiability.png",
    ] {
        assert!(folder.join(name).is_file(), "{name}");
    }
    let table = std::fs::read_to_string(folder.join("next_runs.csv")).expect("a table");
    assert!(
        table.starts_with(
            "run,thickness_left,thickness_right,yield_scale,impact_speed,impact_angle,trigger_position,variance_left\n"
        ) && table.lines().count() == 4,
        "{table}"
    );
    let receipt = |words: &[&str]| run(&[&["receipt", "review/suggestion"], words].concat());
    assert_eq!(receipt(&["reject", "--author", "me", "--reason", "the sheet cannot be had"]).0, Some(0));
    assert_eq!(receipt(&["accept", "--author", "me", "--change", "99"]).0, Some(2));
    let list = receipt(&["list"]);
    assert!(
        list.1.contains("1 ") && list.1.contains("suggested for") && list.1.contains("the sheet cannot be had"),
        "{}",
        list.1
    );
    let obtained = receipt(&["obtained", "--review", "review"]);
    assert_eq!(obtained.0, Some(0), "{}", obtained.2);
    let text = std::fs::read_to_string(folder.join("receipts.jsonl")).expect("a ledger");
    let last: serde_json::Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    let number = |key: &str| last[key].as_f64().unwrap_or(f64::NAN);
    assert!((number("obtained_mm") - number("before_mm")).abs() < 1e-9, "the same again gains nothing: {last}");
    std::fs::write(folder.join("receipts.jsonl"), text.replace("cannot be had", "can be had")).expect("write");
    assert_eq!(receipt(&["list"]).0, Some(2), "a changed ledger is refused");
}
