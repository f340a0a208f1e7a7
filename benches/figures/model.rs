//! Milliseconds a pair of 640 × 480 px: the shipped network on the processor, beside DIS.

use std::fmt::Write as _;
use std::path::Path;

use crumple::config::Settings;
use crumple::infer::{Backend, OnnxBackend, ProviderRequest, ResidualRequest};
use crumple::vision::{DisFlow, PicturePair, ResidualEstimator};
use ndarray::Array2;

use super::spread::seconds;
use super::{Plan, with_threads};

/// Waves of several lengths, moved by `dx` px.
pub(crate) fn picture(height: usize, width: usize, dx: f32) -> Array2<f32> {
    Array2::from_shape_fn((height, width), |(y, x)| {
        let (x, y) = (x as f32 - dx, y as f32);
        0.5 + 0.15 * ((0.9 * x + 0.2 * y).sin() + (0.31 * x - 0.47 * y).sin() + (0.11 * x + 0.13 * y).cos())
    })
}

pub(crate) fn table(plan: Plan) -> String {
    let (h, w) = if plan.small { (64, 64) } else { (480, 640) };
    let mut text = format!("### Residual of one pair, {w} × {h} px, ms\n\n| what | threads | ms |\n|---|---:|---:|\n");
    let (predicted, real, visible) = (picture(h, w, 0.0), picture(h, w, 1.3), Array2::ones((h, w)));
    for threads in [1, 2] {
        let dis = with_threads(threads, || {
            seconds(plan.repeats, || {
                DisFlow
                    .estimate(PicturePair { predicted: &predicted, real: &real, visible: &visible })
                    .unwrap_or_else(|e| panic!("{e}"));
            })
        });
        writeln!(text, "| OpenCV DIS, both directions | {threads} | {} |", dis.times(1e3)).expect("text");
    }
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/residual-small.onnx");
    let backend = Settings::from_env()
        .find_onnxruntime()
        .map_err(|e| e.to_string())
        .and_then(|library| OnnxBackend::open(&model, ProviderRequest::Cpu, &library).map_err(|e| e.to_string()));
    match backend {
        Err(why) => writeln!(text, "| residual-small.onnx | – | not here: {why} |").expect("text"),
        Ok(mut backend) => {
            let request = ResidualRequest { predicted, real, visible, ..ResidualRequest::blank(h, w) };
            let own = seconds(plan.repeats, || {
                backend.run(std::slice::from_ref(&request)).unwrap_or_else(|e| panic!("{e}"));
            });
            writeln!(text, "| residual-small.onnx, ONNX Runtime on the processor | its own | {} |", own.times(1e3))
                .expect("text");
        }
    }
    text
}
