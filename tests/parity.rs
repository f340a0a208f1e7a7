//! candle = ONNX Runtime: the exported file computes what the trained network computes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crumple::config::Settings;
use crumple::domain::ExecutionProvider;
use crumple::infer::{Backend, OnnxBackend, ProviderRequest, ResidualOutput, ResidualRequest};
use crumple::train::{NetShape, ResidualNetwork};
use ndarray::{Array2, Array3, Array4, Axis};

/// Largest difference between the two, in px, ln px² and probability. Both compute in 32 bits but sum in another
/// order; flows of some ten px carry a rounding of about 1e-5 through the warps.
const PARITY: f32 = 1e-4;

/// The library that `make setup` unpacks; without it these tests fail, because then nothing was proved.
pub(crate) fn library() -> PathBuf {
    Settings::from_env().find_onnxruntime().expect("ONNX Runtime is there; run `make setup`")
}

pub(crate) fn small_shape() -> NetShape {
    NetShape { features: [8, 12, 16], radius: [2, 2, 3], hidden: [16, 12] }
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
        carried: Array3::from_shape_fn((2, height, width), |(c, y, x)| (c as f32 + 1.0) * (0.1 * (x + y) as f32).sin()),
    }
}

fn batched(plane: &Array2<f32>) -> Array4<f32> {
    plane.clone().insert_axis(Axis(0)).insert_axis(Axis(0))
}

fn by_candle(network: &mut ResidualNetwork, request: &ResidualRequest) -> ResidualOutput {
    let carried = request.carried.clone().insert_axis(Axis(0));
    let inputs = [&batched(&request.predicted), &batched(&request.real), &batched(&request.visible), &carried];
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
    network.export(&path, &BTreeMap::new()).expect("the network is exported");
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
        for (height, width) in [(8, 8), (48, 64), (64, 40), (240, 320)] {
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
