//! Puts the program together: the only file that names concrete adapters.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ndarray::s;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::blobs::Blobs;
use crate::cli::{App, EstimatorError};
use crate::config::Settings;
use crate::config::serve::ServeSettings;
use crate::http::{self, Service};
use crate::infer::{Backend as _, OnnxBackend, OnnxEstimator, ProviderRequest, ResidualRequest};
use crate::jobs::{
    EstimatorChoice, Folders, Lives, Workshop, play_demo, seed_demo, start_hands, sweep_at_start, sweep_beside_work,
};
use crate::store::Store;
use crate::telemetry;
use crate::train::{Planes, Reference};
use crate::vision::{DisFlow, ResidualEstimator};

/// How often the data folder is put in order beside the work.
const SWEEP_EVERY: Duration = Duration::from_secs(3600);

/// The program as it is shipped.
#[must_use]
pub fn app() -> App {
    App { build_estimator, judge_export, serve }
}

/// What measures, as chosen.
///
/// # Errors
/// When the ONNX Runtime library or the model cannot be loaded, or the provider is missing.
fn build_estimator(choice: &EstimatorChoice) -> Result<Box<dyn ResidualEstimator>, EstimatorError> {
    match choice {
        EstimatorChoice::Dis => Ok(Box::new(DisFlow::Medium)),
        EstimatorChoice::Onnx { model, provider } => {
            let settings = Settings::from_env();
            let library = settings.find_onnxruntime()?;
            // A file that is nowhere is refused by the name that the caller gave.
            let model = settings.find_shipped(model).unwrap_or_else(|| model.clone());
            let backend = OnnxBackend::open(&model, *provider, &library)?;
            Ok(Box::new(OnnxEstimator::start(backend)?))
        }
    }
}

/// The largest difference between what ONNX Runtime computes of `references` with the file `model` and what they say.
///
/// # Errors
/// When the ONNX Runtime library or the file cannot be loaded or run.
fn judge_export(model: &Path, references: &[Reference]) -> Result<f32, EstimatorError> {
    let library = Settings::from_env().find_onnxruntime()?;
    let mut backend = OnnxBackend::open(model, ProviderRequest::Cpu, &library)?;
    let mut largest = 0.0_f32;
    for reference in references {
        let [predicted, real, visible, start, doubt] = &reference.inputs;
        for item in 0..predicted.dim().0 {
            let plane = |planes: &Planes| planes.slice(s![item, 0, .., ..]).to_owned();
            let request = ResidualRequest {
                predicted: plane(predicted),
                real: plane(real),
                visible: plane(visible),
                start: start.slice(s![item, .., .., ..]).to_owned(),
                doubt: plane(doubt),
            };
            let found = backend.run(&[request])?.remove(0);
            let [flow, log_var, present] = &reference.outputs;
            let differences = (found.flow - flow.slice(s![item, .., .., ..])).into_iter();
            let differences = differences.chain(found.log_var - log_var.slice(s![item, 0, .., ..]));
            let differences = differences.chain(found.present - present.slice(s![item, 0, .., ..]));
            largest = differences.fold(largest, |l, d| l.max(d.abs()));
        }
    }
    Ok(largest)
}

/// Runs the service until a signal ends it.
///
/// # Errors
/// When the data folder is in use, the port is taken, or the database cannot be opened.
fn serve(settings: ServeSettings) -> anyhow::Result<()> {
    let metrics = telemetry::begin(&settings.log, settings.log_format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("service")
        .build()
        .context("cannot start the service's threads")?;
    runtime.block_on(run(settings, metrics))
}

async fn run(settings: ServeSettings, metrics: metrics_exporter_prometheus::PrometheusHandle) -> anyhow::Result<()> {
    std::fs::create_dir_all(&settings.data)
        .with_context(|| format!("cannot make the data folder {}", settings.data.display()))?;
    // Paths go to threads and child processes: they must not depend on the current folder.
    let data = settings.data.canonicalize().context("cannot find the data folder")?;
    let _lock = lock(&data.join("lock"))?;
    let folders = Folders::make(&data)?;
    let store = Store::open(&folders.database()).await?;
    let blobs = Blobs::open(&data.join("blobs"))?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("cannot listen at {}: is another service there? Say --listen", settings.listen))?;
    let here = listener.local_addr().context("cannot tell the address")?;
    let choice = estimator_choice(&settings);
    // A missing model is told now, not by the first review.
    let provider = build_estimator(&choice)?.provider();
    let make_estimator = Arc::new(move || build_estimator(&choice).map_err(Into::into));
    let shop = Arc::new(Workshop { store, blobs, folders, settings: Arc::new(settings), make_estimator });
    let swept = sweep_at_start(&shop).await?;
    tracing::info!(files = swept.files, results = swept.results, "orphans were swept");
    let end = CancellationToken::new();
    let lives = Lives::new(Arc::clone(&shop));
    lives.reopen().await?;
    let mut hands = start_hands(&shop, &end);
    hands.spawn(keep_in_order(Arc::clone(&shop), end.clone()));
    let ending = end.clone();
    tokio::spawn(async move {
        wait_for_signal().await;
        tracing::info!("ending: running reviews go back into the queue");
        ending.cancel();
    });
    if shop.settings.demo.is_some() {
        let (shop, lives) = (Arc::clone(&shop), lives.clone());
        tokio::spawn(async move {
            let made = async {
                seed_demo(&shop).await?;
                play_demo(&shop, &lives).await
            };
            if let Err(e) = made.await {
                tracing::error!(error = %e.told(), "the demo campaign could not be made");
            }
        });
    }
    metrics::gauge!(telemetry::names::PROVIDER, "provider" => provider.to_string()).set(1.0);
    tracing::info!(data = %data.display(), "crumple serves at http://{here}");
    let grace = shop.settings.stop_after;
    let service = Service::new(Arc::clone(&shop), lives.clone(), metrics, end.clone());
    http::serve(listener, service, grace).await.context("the port failed")?;
    end.cancel();
    lives.stop();
    let done = tokio::time::timeout(grace, async { while hands.join_next().await.is_some() {} }).await;
    if done.is_err() {
        tracing::warn!("some jobs did not stop in time; they are taken up again at the next start");
    }
    shop.store.close().await;
    Ok(())
}

fn estimator_choice(settings: &ServeSettings) -> EstimatorChoice {
    if !settings.with_model {
        return EstimatorChoice::Dis;
    }
    let provider = match settings.provider.as_str() {
        "cpu" => ProviderRequest::Cpu,
        "cuda" => ProviderRequest::Cuda,
        "tensorrt" => ProviderRequest::Tensorrt,
        _ => ProviderRequest::Auto,
    };
    EstimatorChoice::Onnx { model: settings.model.clone(), provider }
}

/// Takes the data folder for this program alone; released when the program ends, however it ends.
fn lock(path: &PathBuf) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            anyhow::bail!("another `crumple serve` uses {}: end it, or name another folder with --data", path.display())
        }
        Err(std::fs::TryLockError::Error(e)) => Err(e).with_context(|| format!("cannot lock {}", path.display())),
    }
}

async fn keep_in_order(shop: Arc<Workshop>, end: CancellationToken) {
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            () = tokio::time::sleep(SWEEP_EVERY) => {}
        }
        if let Err(e) = sweep_beside_work(&shop).await {
            tracing::error!(error = %e.told(), "the data folder could not be put in order");
        }
    }
}

/// Ctrl-C, or the signal with which a service manager ends a service.
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(e) => {
                let _: io::Error = e;
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
