//! [`OnnxBackend`]: a residual model file run by ONNX Runtime.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ndarray::{Array2, Array4, ArrayView2, ArrayView4, ArrayViewD, ArrayViewMut4, Ix4};
use ort::environment::Environment;
use ort::session::{Session, SessionOutputs};
use ort::value::{Outlet, TensorElementType, TensorRef, ValueType};
use sha2::{Digest, Sha256};

use super::backend::{Backend, ResidualOutput, ResidualRequest};
use super::error::InferError;
use super::padding::{Fill, crop_plane, crop_planes, lay, padded_length, stack};
use super::provider::{ProviderRequest, load_companions, missing_for, registrations};
use super::resident::{Home, Options, Resident};
use crate::domain::{ExecutionProvider, ModelDigest, ModelSpec, TensorSpec};
use crate::vision::DisFlow;

/// How many requests go into one run; more only cost memory, on the processor they gain nothing.
const MAX_BATCH_CPU: usize = 4;
/// The same on a GPU, which wants to be filled.
const MAX_BATCH_GPU: usize = 16;

/// Sides of what a GPU is given are multiples of this, px: the first run of a new shape is slow there, and a review looks at
/// windows of many sizes. A multiple of the contract's own, which leaves 640 x 480 as it is.
pub(super) const GPU_MULTIPLE: usize = 160;

/// The library of this process and its environment: ONNX Runtime can be loaded once only.
static RUNTIME: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

/// A residual model run by ONNX Runtime.
#[derive(Debug)]
pub struct OnnxBackend {
    session: Session,
    spec: ModelSpec,
    digest: ModelDigest,
    provider: ExecutionProvider,
    start: DisFlow,
    /// On a GPU: what stays there.
    pub(super) resident: Option<Resident>,
    unrecorded: Options,
}

impl OnnxBackend {
    /// Loads the model file `model` with the ONNX Runtime `library` and makes sure that it runs where it was asked to.
    ///
    /// `auto` tries CUDA and falls back to the processor with a warning in the log; [`OnnxBackend::provider`] says
    /// which it became. Everything else runs exactly there or not at all.
    ///
    /// # Errors
    /// When the library or the file cannot be loaded, the file is not a residual model, or the provider is missing
    /// (the message names what was found instead).
    pub fn open(model: &Path, provider: ProviderRequest, library: &Path) -> Result<Self, InferError> {
        let bytes =
            std::fs::read(model).map_err(|source| InferError::ModelFile { path: model.to_path_buf(), source })?;
        let environment = load_runtime(library)?;
        let (session, used) = open_session(&environment, &bytes, model, provider, library)?;
        let spec = ModelSpec::residual();
        check_contract(&session, &spec, model)?;
        let metadata = session.metadata()?;
        let name = metadata.custom("name").unwrap_or_else(|| file_stem(model));
        let start = start_of(metadata.custom("start.dis"), &spec, model)?;
        let version = metadata.custom("version").unwrap_or_else(|| "unknown".to_owned());
        let sha256 = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        tracing::info!(model = %name, %version, provider = %used, "model loaded");
        drop(metadata);
        let digest = ModelDigest { name, version, sha256 };
        let unrecorded = Options::unrecorded()?;
        let mut backend = Self { session, spec, digest, provider: used, start, resident: None, unrecorded };
        if used == ExecutionProvider::Cuda
            && let Err(error) = backend.begin_recording(&environment, &bytes)
        {
            tracing::warn!(%error, "runs of this model are not recorded as CUDA graphs");
        }
        Ok(backend)
    }

    /// From now on tensors stay on the GPU and runs are recorded; after an error everything is as before.
    fn begin_recording(&mut self, environment: &Environment, bytes: &[u8]) -> Result<(), InferError> {
        let recording = commit(environment, bytes, self.provider, true)?;
        let plain = std::mem::replace(&mut self.session, recording);
        let mut resident = Resident::new(Home::Gpu);
        resident.bind(&self.session, &self.spec, (1, GPU_MULTIPLE, GPU_MULTIPLE));
        self.resident = Some(resident);
        // Some nodes refuse only while they are recorded; after that a session is of no use any more.
        self.health().inspect_err(|_| {
            self.resident = None;
            self.session = plain;
        })
    }

    /// Keeps tensors at `home`, as a GPU does.
    #[cfg(test)]
    pub(super) fn keeping(mut self, home: Home) -> Self {
        self.resident = Some(Resident::new(home));
        self
    }

    /// Height and width that the model accepts, at least `size`; on a GPU of few kinds only.
    fn padded(&self, size: (usize, usize)) -> (usize, usize) {
        let multiple = if self.resident.is_some() { GPU_MULTIPLE } else { self.spec.size_multiple };
        (padded_length(size.0, multiple), padded_length(size.1, multiple))
    }

    /// Runs the model `times` times on what lies on the GPU already: what it costs there without any transfer, for
    /// benches. `None` where tensors do not stay on a device.
    ///
    /// # Errors
    /// As [`Backend::run`].
    pub fn time_resident(
        &mut self,
        batch: usize,
        size: (usize, usize),
        times: usize,
    ) -> Result<Option<Duration>, InferError> {
        let (height, width) = self.padded(size);
        let shape = (batch.next_power_of_two(), height, width);
        let Some(resident) = &mut self.resident else { return Ok(None) };
        if !resident.bind(&self.session, &self.spec, shape) {
            return Ok(None);
        }
        let begun = Instant::now();
        resident.replay(&mut self.session, shape, times)?;
        Ok(Some(begun.elapsed()))
    }

    /// Name, version and SHA-256 of the model file.
    #[must_use]
    pub fn digest(&self) -> ModelDigest {
        self.digest.clone()
    }

    /// What really executes the model.
    #[must_use]
    pub fn provider(&self) -> ExecutionProvider {
        self.provider
    }

    /// The flow that the model was trained to start from.
    #[must_use]
    pub fn start(&self) -> DisFlow {
        self.start
    }

    /// A value of the model's own metadata (lineage, calibration), when it has `key`.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<String> {
        self.session.metadata().ok().and_then(|m| m.custom(key))
    }
}

impl Backend for OnnxBackend {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn max_batch(&self) -> usize {
        match self.provider {
            ExecutionProvider::Cuda | ExecutionProvider::Tensorrt => MAX_BATCH_GPU,
            ExecutionProvider::Cpu | ExecutionProvider::OpencvDis => MAX_BATCH_CPU,
        }
    }

    fn warm_up(&mut self, size: (usize, usize)) -> Result<(), InferError> {
        let blank = ResidualRequest::blank(size.0, size.1);
        let (height, width) = self.padded(size);
        // On a GPU the shapes of all batches are bound and recorded now, not while somebody waits.
        let mut batch = if self.resident.is_some() { self.max_batch() } else { 1 };
        while batch > 0 {
            if let Some(resident) = &mut self.resident {
                resident.bind(&self.session, &self.spec, (batch, height, width));
            }
            self.run(&vec![blank.clone(); batch])?;
            batch /= 2;
        }
        Ok(())
    }

    fn run(&mut self, batch: &[ResidualRequest]) -> Result<Vec<ResidualOutput>, InferError> {
        let Some(first) = batch.first() else { return Ok(Vec::new()) };
        let size = first.size();
        let (height, width) = self.padded(size);
        let answers = |outputs: [ArrayView4<'_, f32>; 3]| answers(&outputs, batch.len(), size);
        if let Some(resident) = &mut self.resident {
            let shape = (batch.len().next_power_of_two(), height, width);
            if resident.takes(&self.session, &self.spec, shape) {
                let fill = |place: usize, target: ArrayViewMut4<'_, f32>| {
                    let (planes, fill) = planes(batch, place);
                    lay(&planes, target, fill);
                };
                return resident.run(&mut self.session, shape, fill, answers);
            }
        }
        let inputs: [Array4<f32>; 5] = std::array::from_fn(|place| {
            let (planes, fill) = planes(batch, place);
            stack(&planes, height, width, fill)
        });
        let [predicted, real, visible, start, doubt] = &inputs;
        let outputs = self.session.run_with_options(
            ort::inputs! {
                "predicted" => view(predicted)?,
                "real" => view(real)?,
                "visible" => view(visible)?,
                "start" => view(start)?,
                "doubt" => view(doubt)?,
            },
            self.unrecorded.run(),
        )?;
        let flow = output(&outputs, "flow", (batch.len(), 2, height, width))?;
        let log_var = output(&outputs, "log_var", (batch.len(), 1, height, width))?;
        let present = output(&outputs, "present", (batch.len(), 1, height, width))?;
        Ok(answers([flow, log_var, present]))
    }

    fn health(&mut self) -> Result<(), InferError> {
        let side = self.spec.size_multiple;
        self.run(&[ResidualRequest::blank(side, side)]).map(drop)
    }
}

/// What the file says that the model starts from; files from before there was a choice mean "medium".
fn start_of(name: Option<String>, spec: &ModelSpec, model: &Path) -> Result<DisFlow, InferError> {
    let Some(name) = name else { return Ok(DisFlow::Medium) };
    DisFlow::by_name(&name).ok_or_else(|| InferError::Contract {
        path: model.to_path_buf(),
        contract: spec.contract.clone(),
        found: format!("it starts from DIS {name:?}"),
        expected: "\"quick\" or \"medium\"".to_owned(),
    })
}

fn file_stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

fn view(tensor: &Array4<f32>) -> Result<TensorRef<'_, f32>, InferError> {
    Ok(TensorRef::from_array_view(tensor.view())?)
}

/// The planes of input `place` of the contract, request by request, and how they are padded.
fn planes(batch: &[ResidualRequest], place: usize) -> (Vec<Vec<ArrayView2<'_, f32>>>, Fill) {
    let of = |plane: fn(&ResidualRequest) -> &Array2<f32>| batch.iter().map(|r| vec![plane(r).view()]).collect();
    match place {
        0 => (of(|r| &r.predicted), Fill::Edge),
        1 => (of(|r| &r.real), Fill::Edge),
        2 => (of(|r| &r.visible), Fill::Zero),
        3 => (batch.iter().map(|r| r.start.outer_iter().collect()).collect(), Fill::Edge),
        _ => (of(|r| &r.doubt), Fill::Edge),
    }
}

/// The answers to the first `count` requests of a run, each of height and width `size`.
fn answers(
    [flow, log_var, present]: &[ArrayView4<'_, f32>; 3],
    count: usize,
    size: (usize, usize),
) -> Vec<ResidualOutput> {
    let one = |b| ResidualOutput {
        flow: crop_planes(flow, b, size),
        log_var: crop_plane(log_var, b, 0, size),
        present: crop_plane(present, b, 0, size),
    };
    (0..count).map(one).collect()
}

/// Output `name` as an array, after its shape and its numbers were checked.
fn output<'o>(
    outputs: &'o SessionOutputs<'_>,
    name: &'static str,
    expected: (usize, usize, usize, usize),
) -> Result<ArrayView4<'o, f32>, InferError> {
    let missing = || InferError::Output {
        output: name.to_owned(),
        found: "missing".to_owned(),
        expected: format!("{expected:?}"),
    };
    checked(name, outputs.get(name).ok_or_else(missing)?.try_extract_array::<f32>()?, expected)
}

/// `array`, output `name`, after its shape and its numbers were checked.
pub(super) fn checked<'o>(
    name: &str,
    array: ArrayViewD<'o, f32>,
    expected: (usize, usize, usize, usize),
) -> Result<ArrayView4<'o, f32>, InferError> {
    let fault =
        |found: String| InferError::Output { output: name.to_owned(), found, expected: format!("finite {expected:?}") };
    let shape = format!("{:?}", array.shape());
    let array = array.into_dimensionality::<Ix4>().map_err(|_| fault(shape.clone()))?;
    if array.dim() != expected {
        return Err(fault(shape));
    }
    if !array.iter().all(|v| v.is_finite()) {
        return Err(fault("NaN or infinite in places".to_owned()));
    }
    Ok(array)
}

/// The process-wide environment of `library`.
fn load_runtime(library: &Path) -> Result<Environment, InferError> {
    let wanted = library.canonicalize().unwrap_or_else(|_| library.to_path_buf());
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((loaded, environment)) = runtime.as_ref() {
        if *loaded != wanted {
            return Err(InferError::SecondLibrary { loaded: loaded.clone(), wanted });
        }
        return Ok(environment.clone());
    }
    let builder =
        ort::init_from(&wanted).map_err(|source| InferError::Library { path: library.to_path_buf(), source })?;
    let environment = builder.with_name("crumple").with_telemetry(false).build()?;
    *runtime = Some((wanted, environment.clone()));
    Ok(environment)
}

/// A session on the provider that was asked for, and which one that became.
fn open_session(
    environment: &Environment,
    bytes: &[u8],
    path: &Path,
    wanted: ProviderRequest,
    library: &Path,
) -> Result<(Session, ExecutionProvider), InferError> {
    let exactly = |request: ProviderRequest, used: ExecutionProvider| {
        if let Some(found) = missing_for(request, library) {
            return Err(InferError::Provider { wanted: request, found });
        }
        // A provider that cannot start says so when it is registered or when the model is placed on it. A model that
        // is broken in itself is told from that by loading it on the processor.
        let on_cpu = commit(environment, bytes, ExecutionProvider::Cpu, false)
            .map_err(|source| InferError::ModelRefused { path: path.to_path_buf(), source })?;
        if used == ExecutionProvider::Cpu {
            return Ok((on_cpu, used));
        }
        load_companions(library);
        commit(environment, bytes, used, false)
            .map(|session| (session, used))
            .map_err(|e| InferError::Provider { wanted: request, found: format!("ONNX Runtime says: {e}") })
    };
    match wanted {
        ProviderRequest::Cpu => exactly(wanted, ExecutionProvider::Cpu),
        ProviderRequest::Cuda => exactly(wanted, ExecutionProvider::Cuda),
        ProviderRequest::Tensorrt => exactly(wanted, ExecutionProvider::Tensorrt),
        ProviderRequest::Auto => match exactly(ProviderRequest::Cuda, ExecutionProvider::Cuda) {
            Err(InferError::Provider { found, .. }) => {
                tracing::warn!(%found, "CUDA is not available, the model runs on the processor");
                exactly(ProviderRequest::Cpu, ExecutionProvider::Cpu)
            }
            other => other,
        },
    }
}

/// A session on `provider`; on CUDA with `graphs`, runs that ask for it are recorded.
fn commit(
    environment: &Environment,
    bytes: &[u8],
    provider: ExecutionProvider,
    graphs: bool,
) -> Result<Session, ort::Error> {
    Session::builder(environment)?
        // Waiting threads that spin would take the cores from the rasteriser, which shares them.
        .with_intra_op_spinning(false)?
        .with_execution_providers(registrations(provider, graphs))?
        .commit_from_memory(bytes)
}

/// Compares the graph's inputs and outputs with the contract.
fn check_contract(session: &Session, spec: &ModelSpec, path: &Path) -> Result<(), InferError> {
    for (kind, found, expected) in
        [("inputs", session.inputs(), &spec.inputs), ("outputs", session.outputs(), &spec.outputs)]
    {
        let fits = found.len() == expected.len() && expected.iter().all(|e| found.iter().any(|f| outlet_fits(f, e)));
        if !fits {
            return Err(InferError::Contract {
                path: path.to_path_buf(),
                contract: spec.contract.clone(),
                found: format!("{kind} are {}", words(found.iter().map(describe))),
                expected: words(expected.iter().map(|e| format!("{} f32 [B, {}, H, W]", e.name, e.channels))),
            });
        }
    }
    Ok(())
}

fn outlet_fits(found: &Outlet, expected: &TensorSpec) -> bool {
    let ValueType::Tensor { ty, shape, .. } = found.dtype() else { return false };
    let channels = i64::try_from(expected.channels).unwrap_or(i64::MAX);
    found.name() == expected.name
        && *ty == TensorElementType::Float32
        && shape.len() == 4
        && (shape[1] == channels || shape[1] == -1)
        && [shape[0], shape[2], shape[3]].iter().all(|d| *d == -1)
}

fn describe(outlet: &Outlet) -> String {
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => format!("{} {ty} {:?}", outlet.name(), &shape[..]),
        other => format!("{} {other}", outlet.name()),
    }
}

fn words(all: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = all.collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}
