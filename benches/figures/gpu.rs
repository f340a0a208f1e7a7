//! The residual model on an NVIDIA GPU: pairs a second with and without the way from and to the host's memory, what
//! that is of the work in the network, how far it is from the processor's answer, and whole estimates with DIS on all
//! cores.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crumple::config::Settings;
use crumple::infer::{Backend, OnnxBackend, OnnxEstimator, ProviderRequest, ResidualRequest};
use crumple::train::{Cost, Precision, ResidualNetwork};
use crumple::vision::{DisFlow, PicturePair, ResidualEstimator, keep_to_calling_threads, local_contrast};
use ndarray::Array2;

use super::Plan;
use super::model::picture;
use super::spread::{Spread, seconds};

/// Height and width, px.
const SIZE: (usize, usize) = (480, 640);
/// Pairs in a run.
const BATCHES: [usize; 3] = [1, 4, 16];
/// Runs between two looks at the clock where nothing is copied.
const REPLAYS: usize = 20;
/// Pairs on which the GPU's answers are held beside the processor's.
const COMPARED: usize = 2;

pub(crate) fn table(plan: Plan) -> String {
    let (h, w) = SIZE;
    let mut text = format!("### The residual model on an NVIDIA GPU, {w} × {h} px\n\n");
    let models = [("residual.onnx", Precision::Single), ("residual-fp16.onnx", Precision::Half)];
    let path = |file: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(file);
    if let Err(why) = open(&path(models[0].0), ProviderRequest::Cuda) {
        return format!("{text}not here: {why}\n");
    }
    text += "Resident: the model alone, its tensors on the GPU. From the host: pictures in, flow out, through pinned \
             memory. Both replay a CUDA graph.\n\n| model | pairs a run | resident, ms | resident, pairs/s | TFLOP/s | GB/s \
             | from the host, ms | from the host, pairs/s | largest difference to the processor, px |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    for (file, precision) in models {
        let network = ResidualNetwork::load(&path(models[0].0)).unwrap_or_else(|e| panic!("{e}"));
        let cost = network.shape().cost(h, w, precision);
        let difference = difference(&path(file));
        for batch in BATCHES {
            let row = row(plan, &path(file), batch, cost, difference);
            // A lent machine may be gone before the last row.
            eprint!("{row}");
            text += &row;
        }
    }
    text + &whole(&path(models[1].0), plan)
}

fn open(model: &Path, provider: ProviderRequest) -> Result<OnnxBackend, String> {
    let library = Settings::from_env().find_onnxruntime().map_err(|e| e.to_string())?;
    OnnxBackend::open(model, provider, &library).map_err(|e| e.to_string())
}

fn requests(count: usize) -> Vec<ResidualRequest> {
    let one = |k: usize| {
        let pictures = [picture(SIZE.0, SIZE.1, 0.0), picture(SIZE.0, SIZE.1, 1.3 + k as f32)];
        let [predicted, real] = pictures.map(|p| local_contrast(&p).unwrap_or_else(|e| panic!("{e}")));
        let start = DisFlow::Medium.flow(&predicted, &real).unwrap_or_else(|e| panic!("{e}"));
        let visible = Array2::ones(SIZE);
        ResidualRequest { predicted, real, visible, doubt: start.doubt_px(), start: start.flow }
    };
    (0..count).map(one).collect()
}

fn cuda(model: &Path) -> OnnxBackend {
    open(model, ProviderRequest::Cuda).unwrap_or_else(|e| panic!("{e}"))
}

/// Largest difference of flow between processor and GPU, there copied each time and with bound tensors, px.
fn difference(model: &Path) -> f32 {
    let pairs = requests(COMPARED);
    let run = |backend: &mut OnnxBackend| backend.run(&pairs).unwrap_or_else(|e| panic!("{e}"));
    let reference = run(&mut open(model, ProviderRequest::Cpu).unwrap_or_else(|e| panic!("{e}")));
    let mut backend = cuda(model);
    let copied = run(&mut backend);
    backend.warm_up(SIZE).unwrap_or_else(|e| panic!("{e}"));
    let bound = run(&mut backend);
    let both = reference.iter().zip(&copied).chain(reference.iter().zip(&bound));
    both.flat_map(|(a, b)| (&a.flow - &b.flow).into_iter()).fold(0.0_f32, |m, d| m.max(d.abs()))
}

fn row(plan: Plan, model: &Path, batch: usize, cost: Cost, difference: f32) -> String {
    let mut backend = cuda(model);
    let pairs = requests(batch);
    backend.warm_up(SIZE).unwrap_or_else(|e| panic!("{e}"));
    let host = seconds(plan.repeats * 4, || drop(backend.run(&pairs).unwrap_or_else(|e| panic!("{e}"))));
    let mut each = Vec::new();
    for _ in 0..plan.repeats {
        let took = backend.time_resident(batch, SIZE, REPLAYS).unwrap_or_else(|e| panic!("{e}"));
        let Some(took) = took else {
            return format!("| {batch} pairs a run: runs are not recorded, see the log | | | | | | | | |\n");
        };
        each.push(took.as_secs_f64() / REPLAYS as f64);
    }
    let resident = Spread::of(each);
    let rate = batch as f64 / resident.median;
    format!(
        "| {} | {batch} | {} | {rate:.0} | {:.2} | {:.0} | {} | {:.0} | {difference:.1e} |\n",
        model.file_name().unwrap_or_default().to_string_lossy(),
        resident.times(1e3),
        rate * cost.flop * 1e-12,
        rate * cost.bytes * 1e-9,
        host.times(1e3),
        batch as f64 / host.median,
    )
}

/// Whole estimates from two pictures, asked for by as many threads as there are cores.
fn whole(model: &Path, plan: Plan) -> String {
    let begun = Instant::now();
    let mut backend = cuda(model);
    let start = backend.start();
    backend.warm_up(SIZE).unwrap_or_else(|e| panic!("{e}"));
    let cold_s = begun.elapsed().as_secs_f64();
    let estimator = OnnxEstimator::start(backend).unwrap_or_else(|e| panic!("{e}"));
    let (predicted, real, visible) = (picture(SIZE.0, SIZE.1, 0.0), picture(SIZE.0, SIZE.1, 1.3), Array2::ones(SIZE));
    let pair = PicturePair { predicted: &predicted, real: &real, visible: &visible };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    // As many pairs at a time as there are cores: OpenCV's own threads would only be in their way.
    keep_to_calling_threads().unwrap_or_else(|e| panic!("{e}"));
    let total = if plan.small { 2 } else { 40 * threads };
    let rate = |estimate: &(dyn Fn() + Sync)| {
        let next = AtomicUsize::new(0);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while next.fetch_add(1, Ordering::Relaxed) < total {
                        estimate();
                    }
                });
            }
        });
        total as f64 / begun.elapsed().as_secs_f64()
    };
    let all = rate(&|| drop(estimator.estimate(pair).unwrap_or_else(|e| panic!("{e}"))));
    let dis = rate(&|| drop(start.estimate(pair).unwrap_or_else(|e| panic!("{e}"))));
    let stats = estimator.stats();
    let mut text = String::new();
    writeln!(
        text,
        "\nWhole estimates (paint and DIS on {threads} cores, the 16-bit model on the GPU): {all:.0} pairs/s; paint and DIS (\"{}\") by \
         themselves {dis:.0} pairs/s. Engine: opened and warm after {cold_s:.1} s, p50 {:.1} ms, p99 {:.1} ms, {:.1} pairs a run.",
        start.name(),
        stats.p50_ms,
        stats.p99_ms,
        stats.pairs as f64 / stats.runs.max(1) as f64
    )
    .expect("text");
    text
}
