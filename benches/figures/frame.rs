//! Milliseconds of one camera's frame of the example, from the mesh to the residual: the predicted picture, the paint, DIS in
//! both directions and the shipped network; beside a Python peer that does the same steps (numpy, OpenCV, onnxruntime).

use std::path::Path;

use crumple::config::Settings;
use crumple::geom::Skin;
use crumple::infer::{OnnxBackend, OnnxEstimator, ProviderRequest};
use crumple::vision::{DisFlow, PicturePair, ResidualEstimator, Support, predict};
use ndarray::Array3;

use super::pipeline::{Moment, late_moment, with_example};
use super::spread::{Spread, seconds};
use super::{Plan, numbers, python, with_threads};

pub(crate) fn table(plan: Plan) -> String {
    let title = "### One camera's frame, from the mesh to the residual, ms\n\n";
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/residual.onnx");
    let library = Settings::from_env().find_onnxruntime();
    let backend = library
        .map_err(|e| e.to_string())
        .and_then(|library| OnnxBackend::open(&model, ProviderRequest::Cpu, &library).map_err(|e| e.to_string()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let row = backend.ok().and_then(|backend| {
        with_example(|setup, source| {
            let moment = late_moment(setup, source, 0);
            with_threads(threads, || row(plan, &model, backend, setup.skin, &moment, threads))
        })
    });
    let Some(row) = row else { return format!("{title}no example or no ONNX Runtime here\n") };
    format!(
        "{title}Medians; all cores. The peer must find the same residual.\n\n| step | Crumple | Python peer | peer / Crumple \
         |\n|---|---:|---:|---:|\n{row}"
    )
}

fn row(plan: Plan, model: &Path, backend: OnnxBackend, skin: &Skin, m: &Moment, threads: usize) -> String {
    let from = backend.start();
    let estimator = OnnxEstimator::start(backend).unwrap_or_else(|e| panic!("{e}"));
    let predicted = || predict(&m.track.view.camera, skin, &m.positions_mm, &m.track.first);
    let mut flow = Array3::zeros((2, 1, 1));
    let predicting = seconds(plan.repeats, || drop(predicted())).times(1e3);
    let whole = seconds(plan.repeats, || {
        let predicted = predicted();
        let visible = predicted.support.mapv(|s| f32::from(u8::from(s == Support::Known)));
        let pair = PicturePair { predicted: &predicted.picture, real: &m.real, visible: &visible };
        flow = estimator.estimate(pair).unwrap_or_else(|e| panic!("{e}")).flow;
    })
    .times(1e3);
    let peer = peer(plan, (model, from), skin, m, &flow, threads);
    let line = |step: &str, ours: Spread, theirs: Option<Spread>| {
        let (theirs, ratio) = theirs.map_or_else(
            || ("not here".to_owned(), String::new()),
            |ms| (format!("{ms}"), format!("{:.2}", ms.median / ours.median)),
        );
        format!("| {step} | {ours} | {theirs} | {ratio} |\n")
    };
    let [their_predicting, their_whole] = peer.map_or([None, None], |p| p.map(Some));
    line("the predicted picture", predicting, their_predicting) + &line("all of it", whole, their_whole)
}

/// The Python peer on the same frame: milliseconds of its predicted picture and of all.
fn peer(
    plan: Plan,
    (model, from): (&Path, DisFlow),
    skin: &Skin,
    m: &Moment,
    flow: &Array3<f32>,
    threads: usize,
) -> Option<[Spread; 2]> {
    let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
    let write = |name: &str, bytes: Vec<u8>| {
        std::fs::write(folder.path().join(name), bytes).unwrap_or_else(|e| panic!("{e}"));
    };
    let floats = |values: &mut dyn Iterator<Item = &f32>| values.flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    write("triangles", skin.triangles.iter().flatten().flat_map(|n| n.to_le_bytes()).collect());
    write("now", floats(&mut m.positions_mm.iter().flatten()));
    write("then", floats(&mut m.track.first.positions_mm.iter().flatten()));
    write("first", floats(&mut m.track.first.picture.iter()));
    write("real", floats(&mut m.real.iter()));
    write("flow", floats(&mut flow.iter()));
    let (h, w) = m.real.dim();
    let mut arguments = vec![model.display().to_string(), folder.path().display().to_string()];
    arguments.extend([h, w, plan.repeats, threads].map(|n| n.to_string()));
    arguments.push(from.name().to_owned());
    let camera = &m.track.view.camera;
    let k = camera.intrinsics;
    let pose = camera.pose.rotation.into_iter().flatten().chain(camera.pose.translation_mm);
    arguments.extend([k.fx, k.fy, k.cx, k.cy].into_iter().chain(pose).map(|v| v.to_string()));
    let answer = python("frame_speed.py", &arguments, threads)?;
    let differs = answer["median_difference_px"].as_f64().unwrap_or(f64::NAN);
    assert!(differs < 0.05, "the peer finds another residual: {differs} px apart in the median");
    Some([Spread::of(numbers(&answer["predict_ms"])), Spread::of(numbers(&answer["ms"]))])
}
