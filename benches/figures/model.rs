//! Milliseconds of one residual on the processor: the shipped network by itself, with what comes before it, and a Python
//! peer that does the same steps (OpenCV's blur and DIS, onnxruntime, numpy) with the same file on the same pictures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crumple::config::Settings;
use crumple::infer::{Backend, OnnxBackend, OnnxEstimator, ProviderRequest, ResidualRequest};
use crumple::vision::{DisFlow, PicturePair, ResidualEstimator, local_contrast};
use ndarray::{Array2, Array3};

use super::spread::{Spread, seconds};
use super::{Plan, numbers, python, with_threads};

/// A speckle without period, moved by `dx` px: waves of all directions, 5 to 30 px long. What repeats itself would have no
/// one flow.
pub(crate) fn picture(height: usize, width: usize, dx: f32) -> Array2<f32> {
    const WAVES: usize = 40;
    const CONTRAST: f32 = 0.15;
    let wave = |i: usize, x: f32, y: f32| {
        let (turn, length_px) = (i as f32 * 2.399_963, 5.0 + ((i * 7) % 26) as f32);
        (std::f32::consts::TAU * (turn.cos() * x + turn.sin() * y) / length_px + 1.7 * i as f32).sin()
    };
    Array2::from_shape_fn((height, width), |(y, x)| {
        let sum: f32 = (0..WAVES).map(|i| wave(i, x as f32 - dx, y as f32)).sum();
        0.5 + CONTRAST * sum / (WAVES as f32 / 2.0).sqrt()
    })
}

pub(crate) fn table(plan: Plan) -> String {
    let mut text = String::from(
        "### Residual of one pair, ms\n\nFrom two pictures to flow, sigma and presence; medians. ONNX Runtime uses all \
         cores in every row.\n\n| size | DIS, both directions | model alone | the same, 4 pairs a run | whole estimate | \
         Python peer | peer / ours | whole pairs/s over the model's |\n|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/residual.onnx");
    let open = || {
        let library = Settings::from_env().find_onnxruntime().map_err(|e| e.to_string())?;
        OnnxBackend::open(&model, ProviderRequest::Cpu, &library).map_err(|e| e.to_string())
    };
    let sizes: &[(usize, usize)] = if plan.small { &[(64, 64)] } else { &[(480, 640), (768, 1024)] };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for &(h, w) in sizes {
        match open() {
            Err(why) => writeln!(text, "| {w} × {h} | not here: {why} | | | | | | |").expect("text"),
            Ok(backend) => text += &with_threads(threads, || row(plan, &model, backend, (h, w), threads)),
        }
    }
    text
}

fn row(plan: Plan, model: &Path, mut backend: OnnxBackend, (h, w): (usize, usize), threads: usize) -> String {
    let (predicted, real, visible) = (picture(h, w, 0.0), picture(h, w, 1.3), Array2::ones((h, w)));
    let pair = PicturePair { predicted: &predicted, real: &real, visible: &visible };
    let timed = |work: &mut dyn FnMut()| seconds(plan.repeats, work).times(1e3);
    let from = backend.start();
    let dis = timed(&mut || drop(from.estimate(pair).unwrap_or_else(|e| panic!("{e}"))));
    let paint = [&predicted, &real].map(|p| local_contrast(p).unwrap_or_else(|e| panic!("{e}")));
    let start = from.flow(&paint[0], &paint[1]).unwrap_or_else(|e| panic!("{e}"));
    let [painted, painted_real] = paint;
    let request = ResidualRequest {
        predicted: painted,
        real: painted_real,
        visible: visible.clone(),
        doubt: start.doubt_px(),
        start: start.flow,
    };
    let four = vec![request.clone(); 4];
    let alone = timed(&mut || drop(backend.run(&four[..1]).unwrap_or_else(|e| panic!("{e}"))));
    let batched = timed(&mut || drop(backend.run(&four).unwrap_or_else(|e| panic!("{e}")))).times(0.25);
    let estimator = OnnxEstimator::start(backend).unwrap_or_else(|e| panic!("{e}"));
    let mut flow = Array3::zeros((2, h, w));
    let whole = timed(&mut || flow = estimator.estimate(pair).unwrap_or_else(|e| panic!("{e}")).flow);
    let (peer, ratio) = peer(plan, (model, from), [&predicted, &real], &flow, threads).map_or_else(
        || ("not here".to_owned(), String::new()),
        |ms| (format!("{ms}"), format!("{:.2}", ms.median / whole.median)),
    );
    format!(
        "| {w} × {h} | {dis} | {alone} | {batched} | {whole} | {peer} | {ratio} | {:.2} |\n",
        alone.median / whole.median
    )
}

/// The Python peer on the same pictures; it must find the same flow, else its time means nothing.
fn peer(
    plan: Plan,
    (model, from): (&Path, DisFlow),
    pictures: [&Array2<f32>; 2],
    flow: &Array3<f32>,
    threads: usize,
) -> Option<Spread> {
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let write = |name: &str, values: &mut dyn Iterator<Item = &f32>| -> PathBuf {
        let path = folder.path().join(name);
        let bytes: Vec<u8> = values.flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(&path, bytes).unwrap_or_else(|e| panic!("{e}"));
        path
    };
    let paths = [
        write("predicted", &mut pictures[0].iter()),
        write("real", &mut pictures[1].iter()),
        write("flow", &mut flow.iter()),
    ];
    let (h, w) = pictures[0].dim();
    let mut arguments = vec![model.display().to_string(), h.to_string(), w.to_string(), plan.repeats.to_string()];
    arguments.extend([threads.to_string(), from.name().to_owned()]);
    arguments.extend(paths.iter().map(|p| p.display().to_string()));
    let answer = python("estimate_speed.py", &arguments, threads)?;
    let differs = answer["median_difference_px"].as_f64().unwrap_or(f64::NAN);
    assert!(differs < 0.05, "the peer finds another flow: {differs} px apart in the median");
    Some(Spread::of(numbers(&answer["ms"])))
}
