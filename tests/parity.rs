//! candle = ONNX Runtime: the exported file computes what the trained network computes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crumple::config::Settings;
use crumple::domain::ExecutionProvider;
use crumple::infer::{Backend, OnnxBackend, OnnxEstimator, ProviderRequest, ResidualOutput, ResidualRequest};
use crumple::train::{NetShape, PARITY_HALF, Precision, Recipe, ResidualNetwork, half_path};
use crumple::vision::{DisFlow, PicturePair, ResidualEstimator};
use ndarray::{Array2, Array3, Array4, Axis, s};

/// Largest difference between the two, in px, ln px² and probability. Both compute in 32 bits but sum in another
/// order; flows of some ten px carry a rounding of about 1e-5 through the warps.
const PARITY: f32 = 1e-4;

/// The library that `make setup` unpacks; without it these tests fail, because then nothing was proved.
pub(crate) fn library() -> PathBuf {
    Settings::from_env().find_onnxruntime().expect("ONNX Runtime is there; run `make setup`")
}

pub(crate) fn small_shape() -> NetShape {
    NetShape { features: [8, 12], coarse_radius: 3, radius: 2, hidden: [16, 12], corrects: true }
}

/// A picture with structure at several scales, moved by `(dx, dy)` px: enough to excite every layer.
pub(crate) fn picture(height: usize, width: usize, dx: f32, dy: f32) -> Array2<f32> {
    Array2::from_shape_fn((height, width), |(y, x)| {
        let (x, y) = (x as f32 - dx, y as f32 - dy);
        let waves = (0.9 * x + 0.2 * y).sin() + (0.31 * x - 0.47 * y).sin() + (0.11 * x * 0.13 * y).cos();
        0.5 + 0.15 * waves
    })
}

pub(crate) fn request(height: usize, width: usize) -> ResidualRequest {
    ResidualRequest {
        predicted: picture(height, width, 0.0, 0.0),
        real: picture(height, width, 1.6, -0.7),
        visible: Array2::from_shape_fn((height, width), |(y, x)| if x + y > 5 { 1.0 } else { 0.0 }),
        start: Array3::from_shape_fn((2, height, width), |(c, y, x)| (c as f32 + 1.0) * (0.1 * (x + y) as f32).sin()),
        doubt: Array2::from_shape_fn((height, width), |(y, x)| if x > 2 * y { 16.0 } else { 0.2 }),
    }
}

fn batched(plane: &Array2<f32>) -> Array4<f32> {
    plane.clone().insert_axis(Axis(0)).insert_axis(Axis(0))
}

fn by_candle(network: &mut ResidualNetwork, request: &ResidualRequest) -> ResidualOutput {
    let start = request.start.clone().insert_axis(Axis(0));
    let planes = [&request.predicted, &request.real, &request.visible, &request.doubt].map(batched);
    let inputs = [&planes[0], &planes[1], &planes[2], &start, &planes[3]];
    let [flow, log_var, present] = network.run(inputs).expect("candle runs");
    let first = |a: Array4<f32>| a.index_axis_move(Axis(0), 0);
    ResidualOutput {
        flow: first(flow),
        log_var: first(log_var).index_axis_move(Axis(0), 0),
        present: first(present).index_axis_move(Axis(0), 0),
    }
}

pub(crate) fn largest_difference(a: &ResidualOutput, b: &ResidualOutput) -> f32 {
    let pairs = a.flow.iter().zip(&b.flow).chain(a.log_var.iter().zip(&b.log_var));
    pairs.chain(a.present.iter().zip(&b.present)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

pub(crate) fn export(network: &ResidualNetwork, folder: &Path) -> PathBuf {
    let path = folder.join("network.onnx");
    network.export(&path, Precision::Single, &BTreeMap::new()).expect("the network is exported");
    path
}

#[test]
fn random_networks_give_the_same_numbers_in_candle_and_onnx_runtime() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for seed in [1, 2, 3] {
        let mut network = ResidualNetwork::seeded(small_shape(), seed).expect("network");
        let path = export(&network, folder.path());
        let mut backend = OnnxBackend::open(&path, ProviderRequest::Cpu, &library()).expect("backend");
        assert_eq!(backend.provider(), ExecutionProvider::Cpu);
        for (height, width) in [(32, 32), (64, 96), (96, 32), (256, 320)] {
            let request = request(height, width);
            let ort = backend.run(std::slice::from_ref(&request)).expect("ONNX Runtime runs").remove(0);
            let candle = by_candle(&mut network, &request);
            let spread = ort.flow.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            assert!(spread > 0.05, "a flow of zeros would prove nothing");
            let difference = largest_difference(&candle, &ort);
            assert!(difference <= PARITY, "seed {seed}, {height} x {width}: differ by {difference}");
        }
    }
}

/// The 16-bit file keeps to the 32-bit one, on the processor too, where ONNX Runtime computes it in 32 bits between casts.
#[test]
fn the_half_precision_file_says_nearly_the_same() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut network = ResidualNetwork::seeded(small_shape(), 8).expect("network");
    let path = folder.path().join("half.onnx");
    network.export(&path, Precision::Half, &BTreeMap::new()).expect("exported");
    let whole = export(&network, folder.path());
    let size = |path: &Path| std::fs::metadata(path).expect("it is there").len();
    assert!(size(&path) < size(&whole), "its weights take half the room");
    let mut backend = OnnxBackend::open(&path, ProviderRequest::Cpu, &library()).expect("backend");
    assert_eq!(backend.metadata("precision").as_deref(), Some("fp16"));
    let request = request(96, 128);
    let found = backend.run(std::slice::from_ref(&request)).expect("it runs on the processor").remove(0);
    let difference = largest_difference(&by_candle(&mut network, &request), &found);
    assert!(difference > 0.0 && difference <= PARITY_HALF, "differ by {difference}");
}

/// A model starts from the flow that it was trained with; files from before there was a choice mean "medium".
#[test]
fn the_file_says_what_the_network_starts_from() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let network = ResidualNetwork::seeded(small_shape(), 4).expect("network");
    let open = |start: Option<&str>| {
        let path = folder.path().join("network.onnx");
        let words = start.map(|s| ("start.dis".to_owned(), s.to_owned())).into_iter().collect();
        network.export(&path, Precision::Single, &words).expect("exported");
        OnnxBackend::open(&path, ProviderRequest::Cpu, &library())
    };
    assert_eq!(open(None).expect("backend").start(), DisFlow::Medium);
    assert_eq!(open(Some("quick")).expect("backend").start(), DisFlow::Quick);
    let refused = open(Some("slow")).expect_err("no such flow").to_string();
    assert!(refused.contains("starts from DIS \"slow\", expected \"quick\" or \"medium\""), "{refused}");
}

fn shipped_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/residual.onnx")
}

/// Tensors as the Python script reads them.
fn json(planes: &Array4<f32>) -> serde_json::Value {
    serde_json::json!({ "shape": planes.shape(), "data": planes.iter().collect::<Vec<_>>() })
}

/// The judge is not ours: `onnx.checker` and Python's own ONNX Runtime read the file and find candle's numbers.
#[test]
#[expect(clippy::print_stderr, reason = "a test that skips says so aloud")]
fn foreign_tools_accept_the_exported_file_and_find_the_same_numbers() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut network = ResidualNetwork::seeded(small_shape(), 4).expect("network");
    let model = export(&network, folder.path());
    let request = request(32, 64);
    let inputs = [&request.predicted, &request.real, &request.visible, &request.doubt].map(batched);
    let start = request.start.clone().insert_axis(Axis(0));
    let all = [&inputs[0], &inputs[1], &inputs[2], &start, &inputs[3]];
    let [flow, log_var, present] = network.run(all).expect("candle runs");
    let reference = serde_json::json!({
        "inputs": {
            "predicted": json(&inputs[0]), "real": json(&inputs[1]), "visible": json(&inputs[2]), "start": json(&start),
            "doubt": json(&inputs[3]),
        },
        "outputs": { "flow": json(&flow), "log_var": json(&log_var), "present": json(&present) },
    });
    let reference_path = folder.path().join("reference.json");
    std::fs::write(&reference_path, reference.to_string()).expect("written");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_onnx.py");
    let half = half_path(&model);
    network.export(&half, Precision::Half, &BTreeMap::new()).expect("the network is exported in 16 bits, too");
    let Ok(output) = Command::new("python3").arg(script).args([&model, &reference_path, &half]).output() else {
        eprintln!("skipped: there is no python3 to check the exported file with");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(3) {
        eprintln!("skipped: Python lacks a module for the check of the exported file ({})", text.trim());
        return;
    }
    assert!(output.status.success(), "{text}");
}

#[test]
fn the_shipped_model_is_what_its_own_metadata_says() {
    let path = shipped_model();
    let size = std::fs::metadata(&path).expect("the model is shipped").len();
    assert!(size <= 2_000_000, "{size} bytes");
    let backend = OnnxBackend::open(&path, ProviderRequest::Cpu, &library()).expect("backend");
    let recipe = Recipe::load(&path.with_extension("toml")).expect("the recipe is shipped");
    assert_eq!(backend.metadata("lineage.recipe_sha256"), Some(recipe.digest()), "train again: the recipe has changed");
    assert_eq!(backend.digest().name, recipe.model.name);
    let mut network = ResidualNetwork::load(&path).expect("candle reads its parameters back");
    assert_eq!(backend.metadata("weights_sha256"), Some(network.weights_digest().expect("digest")));
    let mut backend = backend;
    for (height, width) in [(64, 96), (256, 320)] {
        let request = request(height, width);
        let ort = backend.run(std::slice::from_ref(&request)).expect("ONNX Runtime runs").remove(0);
        let difference = largest_difference(&by_candle(&mut network, &request), &ort);
        assert!(difference <= PARITY, "{height} x {width}: differ by {difference}");
    }
}

/// Texture of the kind that a painted surface has, read at the pixel plus `motion` px.
fn speckle(side: usize, motion: (f32, f32)) -> Array2<f32> {
    let hash = |x: i32, y: i32| {
        let h = (x.wrapping_mul(0x27d4_eb2d) ^ y.wrapping_mul(0x1656_67b1)).wrapping_mul(0x2c1b_3c6d) as u32;
        (h ^ (h >> 15)).wrapping_mul(0x85eb_ca6b) as f32 / u32::MAX as f32
    };
    Array2::from_shape_fn((side, side), |(y, x)| {
        let (x, y) = ((x as f32 - motion.0) / 4.0 + 100.0, (y as f32 - motion.1) / 4.0 + 100.0);
        let (i, j, a, b) = (x as i32, y as i32, x.fract(), y.fract());
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let along = |j: i32| hash(i, j) * (1.0 - ease(a)) + hash(i + 1, j) * ease(a);
        0.2 + 0.5 * (along(j) * (1.0 - ease(b)) + along(j + 1) * ease(b))
    })
}

/// The shipped model behind the seam that the review uses, on speckle that it was not trained on: where all is well it
/// is no worse than DIS, and where the speckle is nearly lost its sigma says so. (Presence is not asserted: the shipped
/// weights do not tell hidden surfaces, see models/README.md.)
#[test]
fn the_shipped_model_keeps_what_is_right_and_doubts_what_is_lost() {
    let backend = OnnxBackend::open(&shipped_model(), ProviderRequest::Cpu, &library()).expect("backend");
    let estimator = OnnxEstimator::start(backend).expect("estimator");
    let (side, motion) = (192, (3.2_f32, -1.7_f32));
    let (predicted, real) = (speckle(side, (0.0, 0.0)), speckle(side, motion));
    let visible = Array2::ones((side, side));
    let pair = |real| PicturePair { predicted: &predicted, real, visible: &visible };
    let error = |flow: &Array3<f32>| {
        let inside = (24..168).flat_map(|y| (24..168).map(move |x| (y, x)));
        inside.map(|(y, x)| (flow[(0, y, x)] - motion.0).hypot(flow[(1, y, x)] - motion.1)).sum::<f32>()
            / 144.0_f32.powi(2)
    };
    let (ours, dis) =
        (estimator.estimate(pair(&real)).expect("runs"), DisFlow::Medium.estimate(pair(&real)).expect("runs"));
    let (ours_px, dis_px) = (error(&ours.flow), error(&dis.flow));
    assert!(ours_px <= dis_px + 0.05, "{ours_px} px, DIS {dis_px} px");
    // The middle third keeps a fiftieth of its contrast.
    let mut faint = real.clone();
    faint.slice_mut(s![64..128, 64..128]).mapv_inplace(|v| 0.45 + 0.02 * v);
    let found = estimator.estimate(pair(&faint)).expect("runs");
    let mean = |plane: &Array2<f32>| plane.slice(s![76..112, 76..112]).mean().expect("values");
    let (lost, sure) = (mean(&found.sigma_px), mean(&ours.sigma_px));
    assert!(lost > 2.0 * sure, "sigma: {lost} px where the speckle is lost, {sure} px where it is not");
}
