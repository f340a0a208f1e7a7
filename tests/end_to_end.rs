//! The whole way: two files in, a folder of findings out, through the library and through the binary.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crumple::domain::{ExecutionProvider, FlagKind, Review, Verdict};
use crumple::infer::{OnnxBackend, OnnxEstimator, ProviderRequest};
use crumple::ingest::SimulationOptions;
use crumple::jobs::{EstimatorChoice, ReviewRequest, ToleranceRequest, review_test};
use crumple::vision::{DisFlow, ResidualEstimator};
use serde_json::Value;

use crate::parity::library;
use crate::support::plate::{FRAMES, OFFSET_S, ONSET_S, Plate};
use crate::support::program::{Desk, program, review};
use crate::support::skipped;

/// Median error that a sharp, quiet film allows, px.
const MEDIAN_PX: f64 = 0.1;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn request(simulation: PathBuf, test: PathBuf, out: PathBuf) -> ReviewRequest {
    ReviewRequest {
        simulation,
        simulation_options: SimulationOptions::default(),
        test,
        study: None,
        out,
        tolerances: ToleranceRequest::uniform(5.0),
        partial_mesh: false,
        report: false,
    }
}

fn review_plate(desk: &Desk, estimator: &dyn ResidualEstimator) -> Review {
    let request = request(desk.path("run.vtkhdf"), desk.path("test.h5"), desk.path("out"));
    review_test(&request, estimator, &|_| ControlFlow::Continue(())).expect("reviewed").review
}

/// Median error of the last film time's deviation over all nodes that were measured, px; and their share.
fn error_of_last_field(desk: &Desk, plate: &Plate) -> (f64, f64) {
    let file = hdf5::File::open(desk.path("out/review.vtkhdf")).and_then(|f| f.group("VTKHDF")).expect("opens");
    let times = file.dataset("Steps/Values").and_then(|d| d.read_1d::<f64>()).expect("times");
    let starts = file.dataset("Steps/PointDataOffsets/Deviation").and_then(|d| d.read_1d::<i64>()).expect("starts");
    let rows = file.dataset("PointData/Deviation").and_then(|d| d.read_2d::<f32>()).expect("rows");
    let last = times.len() - 1;
    let truth = plate.deviation_mm(times[last]);
    let mut errors: Vec<f64> = truth
        .iter()
        .enumerate()
        .map(|(n, t)| {
            let row = rows.row(starts[last] as usize + n);
            // One camera does not see the motion along its line of sight: the picture is what can be compared.
            let found = plate.pixel(n, times[last], [0, 1, 2].map(|i| f64::from(row[i])));
            let expected = plate.pixel(n, times[last], *t);
            (found[0] - expected[0]).hypot(found[1] - expected[1])
        })
        .filter(|e| e.is_finite())
        .collect();
    errors.sort_by(f64::total_cmp);
    (errors[errors.len() / 2], errors.len() as f64 / truth.len() as f64)
}

#[test]
fn a_known_deviation_is_found_where_when_and_by_how_many_mm() {
    let plate = Plate::new(8.0);
    let desk = Desk::new(&plate);
    let review = review_plate(&desk, &DisFlow::Medium);
    let (median_px, measured) = error_of_last_field(&desk, &plate);
    assert!(median_px < MEDIAN_PX, "median error {median_px:.3} px");
    assert!(measured > 0.9, "only {measured:.2} of the nodes were measured");
    let mismatches: Vec<_> = review.flags.iter().filter(|f| f.verdict == Verdict::Mismatch).collect();
    assert_eq!(mismatches.len(), 1, "one bulge, one flag: {mismatches:?}");
    let flag = mismatches[0];
    assert_eq!((flag.part_name.as_str(), &flag.cameras[..]), ("plate", &["left".to_owned()][..]));
    // The bulge passes 5 mm 1.9 ms after it begins; two frames are allowed.
    let passes_s = ONSET_S + 3e-3 * 5.0 / 8.0;
    assert!((flag.onset_s - passes_s).abs() <= 1e-3, "onset {} s, expected {passes_s} s", flag.onset_s);
    assert!((6.5..8.3).contains(&flag.peak_mm), "peak {} mm", flag.peak_mm);
    assert!(matches!(flag.kind, FlagKind::Deformation | FlagKind::Mixed), "{:?}", flag.kind);
    let truth: BTreeSet<usize> =
        plate.deviation_mm(6e-3).iter().enumerate().filter(|(_, d)| d[1] > 5.0).map(|(n, _)| n).collect();
    let area_mm2 = truth.len() as f64 * 16.0;
    assert!((0.5..1.6).contains(&(flag.area_mm2 / area_mm2)), "area {} of {area_mm2} mm2", flag.area_mm2);
    let a = &review.alignment["left"];
    assert!(
        (a.time_offset_s - OFFSET_S).abs() < 1e-4,
        "trigger {:.3} +- {:.3} ms, expected {:.3}",
        a.time_offset_s * 1e3,
        a.time_offset_sigma_s * 1e3,
        OFFSET_S * 1e3
    );
    assert!(a.target_rms_px.expect("targets") < 0.1 && a.moved_px > 0.5, "{a:?}");
    assert_eq!(review.frames_reviewed, FRAMES);
    assert!(review.warnings.iter().any(|w| w.contains("one camera")), "{:?}", review.warnings);
}

#[test]
fn an_identical_pair_is_not_flagged() {
    let plate = Plate::new(0.0);
    let desk = Desk::new(&plate);
    let review = review_plate(&desk, &DisFlow::Medium);
    assert_eq!(review.flags, Vec::new());
    let (median_px, _) = error_of_last_field(&desk, &plate);
    assert!(median_px < MEDIAN_PX, "median error {median_px:.3} px");
    assert!(review.parts[0].peak_mm.expect("measured") < 1.0);
}

#[test]
fn a_camera_of_noise_is_named_beside_one_that_shows_the_structure() {
    let plate = Plate::new(0.0);
    let desk = Desk::new(&plate);
    let mut noise = plate.record.clone();
    // Marsaglia's xorshift: no two frames are alike, and they are the same on every machine.
    let mut state = 2_463_534_242u32;
    noise.frames.mapv_inplace(|_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    });
    noise.add_to(&desk.path("test.h5"), "noise");
    let review = review_plate(&desk, &DisFlow::Medium);
    let named = |camera: &str| {
        let says = format!("camera {camera} does not show the mesh's outline");
        review.warnings.iter().any(|w| w.contains(&says))
    };
    assert!(named("noise") && !named("left"), "{:?}", review.warnings);
    assert_eq!(review.flags, Vec::new(), "noise is no deviation");
}

#[test]
fn a_network_run_by_onnx_runtime_passes_through_the_whole_way() {
    let plate = Plate::new(8.0);
    let desk = Desk::new(&plate);
    let model = root().join("models/residual.onnx");
    let backend = OnnxBackend::open(&model, ProviderRequest::Cpu, &library()).expect("loads");
    let estimator = OnnxEstimator::start(backend).expect("starts");
    let review = review_plate(&desk, &estimator);
    // What ran is what was asked for, and the file says so.
    let text = std::fs::read_to_string(desk.path("out/review.json")).expect("written");
    let written: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(review.execution_provider, ExecutionProvider::Cpu);
    assert_eq!(written["execution_provider"], "cpu");
    assert_eq!(written["models"][0]["name"], "residual");
    assert_eq!(written["models"][0]["sha256"], crumple::ingest::digest_sha256(&model).expect("digest"));
    let (median_px, _) = error_of_last_field(&desk, &plate);
    assert!(median_px < MEDIAN_PX, "median error {median_px:.3} px");
    assert!(review.flags.iter().any(|f| f.verdict == Verdict::Mismatch), "the bulge is found");
}

#[test]
fn the_binary_asserts_the_provider() {
    if Path::new("/proc/driver/nvidia/version").exists() {
        skipped("the_binary_asserts_the_provider is about machines without an NVIDIA GPU");
        return;
    }
    let desk = Desk::new(&Plate::new(0.0));
    let model = root().join("models/residual.onnx");
    let model = model.to_str().expect("UTF-8");
    let run = desk.review(&["--residual", "onnx", "--provider", "cuda", "--model", model]);
    let told = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(2), "{told}");
    assert!(told.contains("execution provider cuda is not available") && !desk.path("out").exists(), "{told}");
}

/// `crumple review` of the shipped example in `folder`.
fn example(folder: &Path, further: &[&str]) -> Command {
    let mut command = program(folder);
    let example = root().join("fixtures/example");
    command.arg("review").args([example.join("simulation.vtkhdf"), example.join("test.h5")]);
    command.args(["--out", "out"]).args(further);
    command
}

#[test]
fn the_shipped_example_is_reviewed_by_the_binary_and_by_the_library_alike() {
    let desk = tempfile::tempdir().expect("a temporary folder");
    let run = example(desk.path(), &[]).output().expect("the binary runs");
    let (said, told) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{told}");
    let out = desk.path().join("out");
    assert_outputs(&out, &said);

    let folder = root().join("fixtures/example");
    let again = desk.path().join("again");
    let request = request(folder.join("simulation.vtkhdf"), folder.join("test.h5"), again.clone());
    let reviewed = review_test(&request, &DisFlow::Medium, &|_| ControlFlow::Continue(())).expect("reviewed");
    assert_findings(&reviewed.review);
    let untimed = |folder: &Path| {
        let text = std::fs::read_to_string(folder.join("review.json")).expect("written");
        let mut value: Value = serde_json::from_str(&text).expect("JSON");
        let fields = value.as_object_mut().expect("an object");
        fields.remove("timings").and(fields.remove("frames_per_s")).expect("both are there");
        value
    };
    // Twice the same question, twice the same answer, whatever the threads did.
    assert!(untimed(&out) == untimed(&again), "two reviews of the same files differ");
    insta::assert_snapshot!(keys_of(&untimed(&out)).into_iter().collect::<Vec<_>>().join("\n"));
    let plain = std::fs::read_dir(&again).expect("a folder").count();
    assert_eq!(plain, 3, "without a report there are three files");
}

/// What is known of the example: the box folds lower down than simulated, from 4 ms on, on both halves.
fn assert_findings(review: &Review) {
    let flagged: BTreeSet<&str> =
        review.flags.iter().filter(|f| f.verdict == Verdict::Mismatch).map(|f| f.part_name.as_str()).collect();
    assert_eq!(flagged, BTreeSet::from(["box_half_left", "box_half_right"]));
    for part in review.parts.iter().filter(|p| p.mismatch_flags > 0) {
        let onset_s = part.onset_s.expect("a flagged part has an onset");
        let frames = (onset_s - 4e-3) / 1.333e-3;
        assert!(frames.abs() <= 2.0, "{} begins {frames:.1} frames off", part.part_name);
        assert!(part.peak_mm.is_some_and(|mm| mm > 5.0), "{part:?}");
    }
    for (name, a) in &review.alignment {
        assert!(a.target_rms_px.is_some_and(|rms| rms < 0.5), "camera {name}: {a:?}");
    }
}

fn assert_outputs(out: &Path, said: &str) {
    let report = out.join("report.html");
    let last = said.lines().last().expect("something was printed");
    assert_eq!(
        Path::new(last.strip_prefix("report: ").expect("names the report")).canonicalize().ok(),
        report.canonicalize().ok()
    );
    for words in ["box_half_left", "box_half_right", "mismatch", "trigger: ", "opencv_dis", "pictures/s", "seen"] {
        assert!(said.contains(words), "the table lacks {words:?}:\n{said}");
    }
    let page = std::fs::read_to_string(&report).expect("a page");
    assert!(page.contains("<svg") && !page.contains("src=\"http"), "the page stands for itself");
    let plots: Vec<PathBuf> =
        std::fs::read_dir(out.join("plots")).expect("plots").map(|e| e.expect("an entry").path()).collect();
    let of = |ending: &str| plots.iter().filter(|p| p.extension().is_some_and(|e| e == ending)).count();
    assert!(of("svg") >= 7 && of("svg") == of("png"), "{plots:?}");
    for path in plots.iter().filter(|p| p.extension().is_some_and(|e| e == "png")) {
        image::open(path).expect("a picture");
    }
    let table = std::fs::read_to_string(out.join("flags.csv")).expect("a table");
    assert!(table.lines().count() > 2, "{table}");
    let file = hdf5::File::open(out.join("review.vtkhdf")).expect("opens");
    for name in ["PointData/Deviation", "PointData/DeviationSigma", "PointData/Observed", "CellData/FlagId"] {
        file.dataset(&format!("VTKHDF/{name}")).expect("is there");
    }
    assert_vtk_opens(&out.join("review.vtkhdf"));
}

/// VTK's own reader sees all film times and the arrays.
fn assert_vtk_opens(path: &Path) {
    if !Command::new("python3").args(["-c", "import vtk"]).output().is_ok_and(|o| o.status.success()) {
        skipped("reading review.vtkhdf needs python3 with the module vtk");
        return;
    }
    let script = "
import sys, vtk
r = vtk.vtkHDFReader(); r.SetFileName(sys.argv[1]); r.UpdateInformation()
n = r.GetNumberOfSteps(); r.SetStep(n - 1); r.Update(); g = r.GetOutput()
d = g.GetPointData().GetArray('Deviation'); f = g.GetCellData().GetArray('FlagId')
s = g.GetCellData().GetArray('PlasticStrain')
print(n, d.GetNumberOfComponents(), d.GetNumberOfTuples() == g.GetNumberOfPoints(), f.GetRange()[1] >= 1, s.GetRange()[1] > 0.01)
";
    let run = Command::new("python3").args(["-c", script]).arg(path).output().expect("python3 runs");
    let (said, told) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert_eq!(said.trim(), "16 3 True True True", "{told}");
}

/// Every path to a value; indices and names of cameras, parts and frames left out.
fn keys_of(value: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, at: &str, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                let is_map = at.ends_with("alignment")
                    || at.ends_with("lenses")
                    || at.contains("bbox_px") && !at.ends_with('}')
                    || at.ends_with("per_part_mm");
                for (key, inner) in fields {
                    let named = matches!(key.as_str(), "x0" | "x1" | "y0" | "y1");
                    let key = if is_map && !named { "{name}" } else { key };
                    walk(inner, &format!("{at}.{key}"), found);
                }
            }
            Value::Array(items) => items.iter().for_each(|inner| walk(inner, &format!("{at}[]"), found)),
            _ => {
                found.insert(at.to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(value, "", &mut found);
    found
}

#[test]
fn an_earlier_review_is_replaced_and_a_quiet_run_says_findings_only() {
    let desk = Desk::new(&Plate::new(0.0));
    std::fs::create_dir(desk.path("out")).expect("a folder");
    std::fs::write(desk.path("out/review.json"), "{\"earlier\": true}").expect("written");
    std::fs::write(desk.path("out/notes.txt"), "keep me").expect("written");
    let run = desk.review(&["--quiet"]);
    assert_eq!((run.status.code(), String::from_utf8_lossy(&run.stderr).as_ref()), (Some(0), ""));
    assert!(String::from_utf8_lossy(&run.stdout).starts_with("made-up: no mismatch (tolerance 5 mm)\n"));
    let text = std::fs::read_to_string(desk.path("out/review.json")).expect("written");
    assert!(!text.contains("earlier") && text.contains("schema_version"));
    assert_eq!(std::fs::read_to_string(desk.path("out/notes.txt")).expect("kept"), "keep me");
}

#[test]
fn a_tolerance_of_its_own_lets_a_part_pass() {
    let desk = Desk::new(&Plate::new(8.0));
    std::fs::write(desk.path("t.toml"), "default = 1.0\n[parts]\nplate = 20.0\n").expect("written");
    let run = desk.review(&["--tolerances", "t.toml", "--threads", "1"]);
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("no mismatch (tolerance 1 mm, 1 by part)"), "{said}");
}

#[test]
fn ctrl_c_in_the_middle_leaves_nothing() {
    let desk = tempfile::tempdir().expect("a temporary folder");
    let mut child = example(desk.path(), &["--no-report"]).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let reached = lines.by_ref().map_while(Result::ok).any(|line| line.starts_with("finding the trigger"));
    assert!(reached, "the review begins");
    assert!(std::fs::read_dir(desk.path()).expect("a folder").count() > 0, "it is at work on a partial folder");
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("sent");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("nothing was written")), "{rest:?}");
    assert_eq!(std::fs::read_dir(desk.path()).expect("a folder").count(), 0, "nothing is left");
}

#[test]
fn a_folder_that_is_not_ours_is_refused_before_the_work_begins() {
    let desk = Desk::new(&Plate::new(0.0));
    std::fs::create_dir(desk.path("out")).expect("a folder");
    std::fs::write(desk.path("out/thesis.tex"), "years of work").expect("written");
    let run = review(desk.folder.path(), &desk.path("run.vtkhdf"), &desk.path("test.h5"), &[]);
    assert_eq!(run.status.code(), Some(2));
    assert!(!String::from_utf8_lossy(&run.stderr).contains("measuring"));
    assert_eq!(std::fs::read_to_string(desk.path("out/thesis.tex")).expect("kept"), "years of work");
}

#[test]
fn the_program_is_composed_of_what_it_says() {
    let app = crumple::compose::app();
    let dis = (app.build_estimator)(&EstimatorChoice::Dis).expect("needs nothing");
    assert_eq!(dis.provider(), ExecutionProvider::OpencvDis);
    let model = PathBuf::from("models/residual.onnx");
    let onnx = (app.build_estimator)(&EstimatorChoice::Onnx { model, provider: ProviderRequest::Cpu }).expect("loads");
    assert_eq!((onnx.provider(), onnx.digest().name.as_str()), (ExecutionProvider::Cpu, "residual"));
}
