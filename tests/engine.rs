//! The engine: batches, says Busy, drops requests that nobody waits for; the ONNX backend: odd sizes, batches, providers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crumple::domain::{ExecutionProvider, ModelSpec};
use crumple::infer::{
    Backend, Engine, EngineOptions, InferError, OnnxBackend, ProviderRequest, ResidualOutput, ResidualRequest,
};
use crumple::train::{Precision, ResidualNetwork};
use ndarray::{Array2, Array3};

use crate::parity::{export, largest_difference, library, request, small_shape};

/// Batch and single runs may differ by rounding only: how a convolution is tiled, and so the order of its sums, may depend
/// on the batch. Values are up to some ten px.
const SAME: f32 = 5e-5;

/// A backend that waits for a word before it answers, and notes the sizes of its batches.
struct Gated {
    spec: ModelSpec,
    gate: Receiver<()>,
    begun: SyncSender<()>,
    batches: Arc<Mutex<Vec<usize>>>,
    runs: Arc<AtomicUsize>,
}

impl Backend for Gated {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn max_batch(&self) -> usize {
        4
    }

    fn run(&mut self, batch: &[ResidualRequest]) -> Result<Vec<ResidualOutput>, InferError> {
        self.begun.send(()).expect("the test listens");
        self.gate.recv().expect("the test opens the gate");
        self.batches.lock().expect("no panic").push(batch.len());
        self.runs.fetch_add(batch.len(), Ordering::SeqCst);
        // The answer tells which request it belongs to.
        let answer = |r: &ResidualRequest| ResidualOutput {
            flow: Array3::from_elem((2, r.size().0, r.size().1), r.predicted[(0, 0)]),
            log_var: Array2::zeros(r.size()),
            present: Array2::ones(r.size()),
        };
        Ok(batch.iter().map(answer).collect())
    }

    fn health(&mut self) -> Result<(), InferError> {
        Ok(())
    }
}

struct Bench {
    engine: Engine,
    open: SyncSender<()>,
    begun: Receiver<()>,
    batches: Arc<Mutex<Vec<usize>>>,
    runs: Arc<AtomicUsize>,
}

fn gated(queue: usize) -> Bench {
    let (open, gate) = sync_channel(64);
    let (begun_sender, begun) = sync_channel(64);
    let (batches, runs) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicUsize::new(0)));
    let backend = Gated {
        spec: ModelSpec::residual(),
        gate,
        begun: begun_sender,
        batches: Arc::clone(&batches),
        runs: Arc::clone(&runs),
    };
    let engine = Engine::start(backend, EngineOptions { queue, ..EngineOptions::default() }).expect("engine");
    Bench { engine, open, begun, batches, runs }
}

/// A request whose answer can be told from others.
fn marked(mark: f32, size: usize) -> ResidualRequest {
    ResidualRequest { predicted: Array2::from_elem((size, size), mark), ..ResidualRequest::blank(size, size) }
}

#[test]
fn a_full_queue_says_busy_at_once_and_when_to_come_again() {
    let bench = gated(2);
    let running = bench.engine.submit(marked(0.0, 8)).expect("place");
    bench.begun.recv().expect("the first has begun, so the queue is empty");
    let waiting: Vec<_> = (1..=2).map(|i| bench.engine.submit(marked(i as f32, 8)).expect("place")).collect();
    let error = bench.engine.submit(marked(3.0, 8)).expect_err("no place is left");
    let InferError::Busy { waiting: count, retry_after } = &error else { panic!("{error}") };
    assert_eq!(*count, 2);
    assert!(*retry_after >= Duration::from_millis(1));
    assert!(!error.is_input_error());
    for _ in 0..4 {
        bench.open.send(()).expect("gate");
    }
    assert!(running.wait().is_ok());
    for (i, pending) in waiting.into_iter().enumerate() {
        assert_eq!(pending.wait().expect("answered").flow[(0, 0, 0)], i as f32 + 1.0);
    }
    assert!(bench.engine.run(marked(9.0, 8)).is_ok(), "after the rush there is room again");
}

#[test]
fn waiting_requests_of_one_size_run_together_and_others_apart() {
    let bench = gated(8);
    let first = bench.engine.submit(marked(0.0, 8)).expect("place");
    bench.begun.recv().expect("the first has begun");
    let sizes = [8, 8, 8, 16, 8];
    let waiting: Vec<_> = sizes.iter().map(|s| bench.engine.submit(marked(1.0, *s)).expect("place")).collect();
    for _ in 0..4 {
        bench.open.send(()).expect("gate");
    }
    assert!(first.wait().is_ok());
    for (pending, size) in waiting.into_iter().zip(sizes) {
        assert_eq!(pending.wait().expect("answered").flow.dim(), (2, size, size));
    }
    assert_eq!(*bench.batches.lock().expect("no panic"), vec![1, 3, 1, 1]);
}

#[test]
fn a_request_whose_caller_has_left_is_not_run() {
    let bench = gated(8);
    let first = bench.engine.submit(marked(0.0, 8)).expect("place");
    bench.begun.recv().expect("the first has begun");
    drop(bench.engine.submit(marked(1.0, 8)).expect("place"));
    let impatient = bench.engine.submit(marked(2.0, 8)).expect("place");
    assert!(impatient.wait_for(Duration::from_millis(1)).is_none(), "the gate is closed");
    let kept = bench.engine.submit(marked(3.0, 8)).expect("place");
    bench.open.send(()).expect("gate");
    bench.open.send(()).expect("gate");
    assert!(first.wait().is_ok());
    assert_eq!(kept.wait().expect("answered").flow[(0, 0, 0)], 3.0);
    assert_eq!(bench.runs.load(Ordering::SeqCst), 2, "two of four were abandoned");
}

#[test]
fn pictures_that_do_not_fit_are_refused_by_name_before_they_take_a_place() {
    let bench = gated(1);
    let cases: [(&str, ResidualRequest); 4] = [
        ("real is 8 x 9 px", ResidualRequest { real: Array2::zeros((8, 9)), ..ResidualRequest::blank(8, 8) }),
        ("start is (1, 8, 8)", ResidualRequest { start: Array3::zeros((1, 8, 8)), ..ResidualRequest::blank(8, 8) }),
        ("predicted is 0 x 8 px", ResidualRequest::blank(0, 8)),
        (
            "visible is NaN",
            ResidualRequest { visible: Array2::from_elem((8, 8), f32::NAN), ..ResidualRequest::blank(8, 8) },
        ),
    ];
    for (words, request) in cases {
        let error = bench.engine.submit(request).expect_err("it does not fit");
        assert!(error.is_input_error());
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// A backend whose thread dies.
struct Panicking(ModelSpec);

impl Backend for Panicking {
    fn spec(&self) -> &ModelSpec {
        &self.0
    }

    fn max_batch(&self) -> usize {
        1
    }

    fn run(&mut self, _: &[ResidualRequest]) -> Result<Vec<ResidualOutput>, InferError> {
        panic!("planted")
    }

    fn health(&mut self) -> Result<(), InferError> {
        Ok(())
    }
}

#[test]
fn a_backend_that_panics_stops_the_engine_and_hangs_nobody() {
    let engine = Engine::start(Panicking(ModelSpec::residual()), EngineOptions::default()).expect("engine");
    assert!(matches!(engine.run(ResidualRequest::blank(8, 8)), Err(InferError::Stopped)));
    assert!(matches!(engine.run(ResidualRequest::blank(8, 8)), Err(InferError::Stopped)));
    let options = EngineOptions { warm_up: vec![(8, 8)], ..EngineOptions::default() };
    assert!(matches!(Engine::start(Panicking(ModelSpec::residual()), options), Err(InferError::Stopped)));
}

fn exported_network() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("temporary folder");
    let network = ResidualNetwork::seeded(small_shape(), 5).expect("network");
    let path = export(&network, folder.path());
    (folder, path)
}

#[test]
fn a_batch_of_n_equals_n_of_one() {
    let (_folder, path) = exported_network();
    let mut backend = OnnxBackend::open(&path, ProviderRequest::Cpu, &library()).expect("backend");
    let mut requests = vec![request(40, 56), request(40, 56), ResidualRequest::blank(40, 56)];
    requests[1].real.mapv_inplace(|v| 1.0 - v);
    let together = backend.run(&requests).expect("batch");
    for (request, batched) in requests.iter().zip(&together) {
        let alone = backend.run(std::slice::from_ref(request)).expect("single").remove(0);
        let difference = largest_difference(&alone, batched);
        assert!(difference <= SAME, "differ by {difference}");
    }
    assert!(largest_difference(&together[0], &together[1]) > 1e-3, "equal answers would prove nothing");
}

#[test]
fn pictures_of_odd_sizes_are_padded_and_cropped() {
    let (_folder, path) = exported_network();
    let backend = OnnxBackend::open(&path, ProviderRequest::Cpu, &library()).expect("backend");
    let options = EngineOptions { warm_up: vec![(37, 53), (64, 65)], ..EngineOptions::default() };
    let engine = Engine::start(backend, options).expect("engine");
    for (height, width) in [(37, 53), (1, 1), (7, 200), (64, 65)] {
        let output = engine.run(request(height, width)).expect("any size runs");
        assert_eq!(output.flow.dim(), (2, height, width));
        assert_eq!((output.log_var.dim(), output.present.dim()), ((height, width), (height, width)));
        assert!(output.present.iter().all(|p| (0.0..=1.0).contains(p)));
    }
    assert!(engine.health().is_ok());
    let stats = engine.stats();
    assert_eq!((stats.pairs, stats.runs), (4, 4));
    assert!(stats.cold_start_s > 0.0 && stats.p50_ms > 0.0 && stats.p99_ms >= stats.p50_ms && stats.pairs_per_s > 0.0);
}

/// On a machine without an NVIDIA driver `cuda` and `tensorrt` are refused with what was found; `auto` falls back and
/// says so. With a driver the same requests must run there or name the missing piece.
#[test]
fn the_provider_is_asserted_never_assumed() {
    let (_folder, path) = exported_network();
    let driver = std::path::Path::new("/proc/driver/nvidia/version").exists();
    for (request, used) in
        [(ProviderRequest::Cuda, ExecutionProvider::Cuda), (ProviderRequest::Tensorrt, ExecutionProvider::Tensorrt)]
    {
        match OnnxBackend::open(&path, request, &library()) {
            Ok(backend) => assert!(driver && backend.provider() == used, "{request} cannot run without a driver"),
            Err(error) => {
                let text = error.to_string();
                assert!(matches!(error, InferError::Provider { .. }), "{text}");
                assert!(text.contains(&format!("execution provider {request} is not available")), "{text}");
                assert!(driver || text.contains("no NVIDIA driver"), "{text}");
                assert!(text.contains("libonnxruntime"), "it names the library that was found: {text}");
            }
        }
    }
    let auto = OnnxBackend::open(&path, ProviderRequest::Auto, &library()).expect("auto always runs");
    assert!(driver || auto.provider() == ExecutionProvider::Cpu);
}

#[test]
fn files_that_are_no_residual_model_are_refused_with_what_was_found() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let open = |name: &str| OnnxBackend::open(&folder.path().join(name), ProviderRequest::Cpu, &library());
    assert!(matches!(open("missing.onnx"), Err(InferError::ModelFile { .. })));
    std::fs::write(folder.path().join("noise.onnx"), b"this is no model").expect("written");
    assert!(matches!(open("noise.onnx"), Err(InferError::ModelRefused { .. })));
    std::fs::write(folder.path().join("other.onnx"), identity_model()).expect("written");
    let error = open("other.onnx").expect_err("identity is no residual model");
    assert!(error.is_input_error());
    let text = error.to_string();
    assert!(
        text.contains("is not a residual/2 model") && text.contains("picture") && text.contains("predicted"),
        "{text}"
    );
}

/// A valid ONNX model with another contract: `answer = Identity(picture)`. Written by hand as protobuf, field by
/// field: (number << 3 | 2), length, content.
fn identity_model() -> Vec<u8> {
    let field = |number: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).expect("short");
        assert!(length < 128, "one byte of varint");
        [&[number << 3 | 2, length], content].concat()
    };
    let value = |name: &str| {
        let shape = field(1, &field(2, b"N"));
        let tensor = [vec![1 << 3, 1], field(2, &shape)].concat();
        [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
    };
    let node = [field(1, b"picture"), field(2, b"answer"), field(4, b"Identity")].concat();
    let graph = [field(1, &node), field(2, b"g"), field(11, &value("picture")), field(12, &value("answer"))].concat();
    let opset = field(8, &[2 << 3, 17]);
    [vec![1 << 3, 8], field(7, &graph), opset].concat()
}

#[test]
fn the_file_says_where_it_comes_from() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("network.onnx");
    let network = ResidualNetwork::seeded(small_shape(), 6).expect("network");
    let named = BTreeMap::from([("name".to_owned(), "probe".to_owned()), ("version".to_owned(), "9.9".to_owned())]);
    let written = network.export(&path, Precision::Single, &named).expect("exported");
    let backend = OnnxBackend::open(&path, ProviderRequest::Cpu, &library()).expect("backend");
    assert_eq!(backend.digest(), written);
    assert_eq!((written.name.as_str(), written.version.as_str()), ("probe", "9.9"));
    assert_eq!(backend.metadata("contract").as_deref(), Some("residual/2"));
    let weights = network.weights_digest().expect("digest");
    assert_eq!(backend.metadata("weights_sha256"), Some(weights));
    assert!(backend.metadata("normalisation").is_some() && backend.metadata("calibration.log_var_offset").is_some());
}
