//! [`train_residual`]: from a recipe to a model file.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread::Scope;
use std::time::{Duration, Instant};

use candle_core::Tensor;
use serde::Serialize;

use super::adam::{Adam, Named};
use super::checkpoint::{Checkpoint, CurvePoint};
use super::device::device_name;
use super::error::TrainError;
use super::loss::loss;
use super::measure::{Figures, start_tally, tally};
use super::network::{Planes, Precision, ResidualNetwork};
use super::pairs::{Batch, Cropping, PairSource, Stream, fixed_crops};
use super::recipe::Recipe;
use super::stream::{Pool, PoolPlan};
use crate::domain::ModelDigest;

/// Steps over which the learning rate rises.
const RISE_STEPS: usize = 100;
/// Share of the largest learning rate at the end.
const LEAST_RATE: f64 = 0.02;
/// Wall clock between two checkpoints, s.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);
/// Squares that are run at once where nothing is learnt.
const AT_ONCE: usize = 8;
/// A validation must be better by this share to count as one.
const BETTER: f64 = 0.002;
/// Largest difference between candle and the exported 32-bit file, px, ln px² and probability.
pub const PARITY: f32 = 1e-4;
/// The same for the 16-bit file: its convolutions have 11 bits for the digits.
pub const PARITY_HALF: f32 = 0.1;

/// Where the training stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainProgress {
    /// Steps done.
    pub step: usize,
    /// Steps to do.
    pub steps: usize,
    /// Smoothed loss.
    pub loss: f32,
    /// Smoothed endpoint error on the training pairs, px.
    pub epe_px: f32,
    /// The newest validation's mean error, px; 0 before the first.
    pub validation_px: f64,
}

/// One input and what the trained network makes of it, for whoever runs the exported file.
#[derive(Debug, Clone)]
pub struct Reference {
    /// As [`ResidualNetwork::run`] takes them.
    pub inputs: [Planes; 5],
    /// As it gives them.
    pub outputs: [Planes; 3],
}

/// Runs a model file on the references and gives the largest difference: the gate of the export. It is a part of the
/// program that sees ONNX Runtime.
pub type Judge<'a> = dyn Fn(&Path, &[Reference]) -> Result<f32, Box<dyn std::error::Error + Send + Sync>> + 'a;

/// A training as asked for.
pub struct TrainOrder<'a> {
    /// What to follow.
    pub recipe: &'a Recipe,
    /// Folders of simulations that the recipe's data refer to.
    pub studies: &'a [PathBuf],
    /// The model file to write; `<stem>-fp16.onnx` and `<file>.checkpoint` come beside it.
    pub out: &'a Path,
    /// Begin anew even where a checkpoint lies.
    pub restart: bool,
    /// The gate of the export.
    pub judge: &'a Judge<'a>,
}

/// What came out, with what it was made of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainReport {
    /// The model file.
    pub model: ModelDigest,
    /// The same with convolutions in 16 bits.
    pub half: ModelDigest,
    /// Number of parameters.
    pub parameters: usize,
    /// Steps done.
    pub steps: usize,
    /// The step whose weights are in the file.
    pub best_step: usize,
    /// Wall clock of all parts of the training, s.
    pub seconds: f64,
    /// Largest difference between candle and the exported files, 32 and 16 bits.
    pub parity: [f32; 2],
    /// On the report's squares.
    pub report: Figures,
    /// The start's flow (DIS) on the same squares.
    pub report_start: Figures,
    /// Validations on the way.
    pub curve: Vec<CurvePoint>,
    /// SHA-256 of the recipe's content.
    pub recipe_sha256: String,
    /// SHA-256 of the data files' digests, in order.
    pub studies_sha256: String,
    /// SHA-256 of the parameters.
    pub weights_sha256: String,
    /// SHA-256 of the first training batch and of the report's squares: the data that the recipe draws.
    pub data_sha256: [String; 2],
}

/// Trains a residual network as the order says and writes it as one ONNX file.
///
/// `progress` is called after every step; when it breaks, the state is saved and the same order goes on from there. The
/// same recipe and studies give the same weights on the same program and kind of processor, also in parts.
///
/// # Errors
/// When the recipe is impossible, the training diverges or is stopped, a checkpoint does not fit, or a file cannot be
/// written; then the model file is as before.
pub fn train_residual(
    order: &TrainOrder<'_>,
    progress: &mut dyn FnMut(TrainProgress) -> ControlFlow<()>,
) -> Result<TrainReport, TrainError> {
    order.recipe.check()?;
    let recipe = order.recipe;
    let (source, studies_sha256) = super::data::open(recipe, order.studies)?;
    let source: &dyn PairSource = &source;
    let mut network = ResidualNetwork::seeded(recipe.network.clone(), recipe.training.seed)?;
    let place = Checkpoint::place(order.out);
    let fixed = |stream, count| fixed_crops(source, stream, count, AT_ONCE, cropping(recipe));
    let validation = fixed(Stream::Validation, recipe.training.validation)?;
    let begun = taken_up(order, &place, &network, &studies_sha256)?;
    let mut run = Run { recipe, source, validation: &validation, place: &place, state: begun };
    run.fit(&mut network, progress)?;
    let state = run.state;
    if !network.weights.set(&state.best)? {
        return Err(TrainError::Checkpoint { path: place, found: "without weights of a validation" });
    }
    let calibrating = fixed(Stream::Calibration, recipe.training.calibration)?;
    network.calibration = tally(&mut network, &calibrating)?.calibration();
    let reported = fixed(Stream::Report, recipe.training.report)?;
    finish(order, &mut network, state, &reported, studies_sha256)
}

fn cropping(recipe: &Recipe) -> Cropping {
    let crops = &recipe.crops;
    Cropping { side: crops.side_px, per_pair: crops.per_pair, seed: recipe.training.seed, start: crops.start }
}

/// The checkpoint to go on from, or a beginning.
fn taken_up(
    order: &TrainOrder<'_>,
    place: &Path,
    network: &ResidualNetwork,
    studies_sha256: &str,
) -> Result<Checkpoint, TrainError> {
    let recipe_sha256 = order.recipe.digest_without_length();
    let fault = |found| TrainError::Checkpoint { path: place.to_path_buf(), found };
    let training = &order.recipe.training;
    if !order.restart
        && let Some(found) = Checkpoint::load(place)?
    {
        if found.recipe_sha256 != recipe_sha256 {
            return Err(fault("of another recipe"));
        }
        if found.data_sha256 != studies_sha256 {
            return Err(fault("of other studies"));
        }
        let level_until = found.length.min(training.steps).saturating_sub(training.fall_steps);
        if found.length != training.steps && found.step > level_until {
            return Err(fault(
                "from a recipe of another length, in which the learning rate has begun to fall elsewhere",
            ));
        }
        let found = Checkpoint { length: training.steps, ..found };
        tracing::info!(step = found.step, checkpoint = %place.display(), "the training goes on");
        return Ok(found);
    }
    let weights = network.weights.values()?;
    Ok(Checkpoint {
        recipe_sha256,
        data_sha256: studies_sha256.to_owned(),
        first_batch_sha256: String::new(),
        step: 0,
        length: training.steps,
        seconds: 0.0,
        smooth: None,
        average: weights.clone(),
        best: Named::new(),
        best_at: None,
        weights,
        adam: Adam::default(),
        curve: Vec::new(),
    })
}

/// A training under way.
struct Run<'a> {
    recipe: &'a Recipe,
    source: &'a dyn PairSource,
    validation: &'a [Batch],
    place: &'a Path,
    state: Checkpoint,
}

impl<'a> Run<'a> {
    fn fit(
        &mut self,
        network: &mut ResidualNetwork,
        progress: &mut dyn FnMut(TrainProgress) -> ControlFlow<()>,
    ) -> Result<(), TrainError> {
        std::thread::scope(|scope| self.fit_within(scope, network, progress))
    }

    fn fit_within<'scope>(
        &mut self,
        scope: &'scope Scope<'scope, '_>,
        network: &mut ResidualNetwork,
        progress: &mut dyn FnMut(TrainProgress) -> ControlFlow<()>,
    ) -> Result<(), TrainError>
    where
        'a: 'scope,
    {
        let training = &self.recipe.training;
        let crops = &self.recipe.crops;
        let plan = PoolPlan {
            cropping: cropping(self.recipe),
            films: crops.pool_films,
            steps_per_film: crops.steps_per_film,
            batch: training.batch,
        };
        if !network.weights.set(&self.state.weights)? {
            return Err(TrainError::Checkpoint { path: self.place.to_path_buf(), found: "of another network" });
        }
        let mut pool = Pool::at_step(scope, self.source, plan, self.state.step)?;
        let mut clock = Clock::new(self.state.seconds);
        while self.state.step < training.steps && !self.is_done_early() {
            let batch = pool.batch(self.state.step)?;
            self.step(network, &batch)?;
            if self.state.step.is_multiple_of(training.validate_every) || self.state.step == training.steps {
                self.validate(network)?;
            }
            let stop = progress(self.where_it_stands()).is_break();
            if stop || clock.is_due() {
                self.note(network, clock.seconds())?;
            }
            if stop {
                return Err(TrainError::Stopped { step: self.state.step, checkpoint: self.place.to_path_buf() });
            }
        }
        self.note(network, clock.seconds())
    }

    fn step(&mut self, network: &mut ResidualNetwork, batch: &Batch) -> Result<(), TrainError> {
        let (training, step) = (&self.recipe.training, self.state.step);
        if step == 0 {
            self.state.first_batch_sha256 = batch.digest();
        }
        let output = network.forward(&batch.input()?)?;
        let (loss, endpoint) = loss(batch, &output)?;
        let gradients = loss.backward()?;
        let (loss, endpoint) = (loss.to_scalar::<f32>()?, endpoint.to_scalar::<f32>()?);
        if !loss.is_finite() {
            return Err(TrainError::Diverged { step, loss });
        }
        if !self.state.adam.step(&network.weights, &gradients, learning_rate(step, self.recipe))? {
            // One batch in thousands: the next one goes on. When the weights are lost, the loss is no number either.
            tracing::warn!(step, "a gradient was not finite: this batch is left out");
        }
        // Few steps have an average of their own kind: it keeps less at first.
        let keep = training.averaging.min((step + 1) as f64 / (step + 10) as f64) as f32;
        for (name, values) in network.weights.values()? {
            let average = self.state.average.get_mut(&name).expect("both have all parameters: anything else is a bug");
            average.iter_mut().zip(values).for_each(|(a, v)| *a = keep * *a + (1.0 - keep) * v);
        }
        let smooth = self.state.smooth.unwrap_or((loss, endpoint));
        self.state.smooth = Some((smooth.0 + 0.02 * (loss - smooth.0), smooth.1 + 0.02 * (endpoint - smooth.1)));
        self.state.step += 1;
        Ok(())
    }

    /// Measures the averaged weights and keeps them when they are the best so far.
    fn validate(&mut self, network: &mut ResidualNetwork) -> Result<(), TrainError> {
        let weights = network.weights.values()?;
        network.weights.set(&self.state.average)?;
        let figures = tally(network, self.validation)?.figures();
        network.weights.set(&weights)?;
        let (loss, training_px) = self.state.smooth.unwrap_or_default();
        self.state.curve.push(CurvePoint { step: self.state.step, loss, training_px, validation: figures });
        if self.state.best_at.is_none_or(|(_, best)| figures.mean_px < best * (1.0 - BETTER)) {
            self.state.best_at = Some((self.state.step, figures.mean_px));
            self.state.best.clone_from(&self.state.average);
        }
        Ok(())
    }

    /// True when the last validations brought nothing.
    fn is_done_early(&self) -> bool {
        let since = self.state.best_at.map_or(0, |(step, _)| self.state.curve.iter().filter(|p| p.step > step).count());
        since >= self.recipe.training.patience
    }

    fn where_it_stands(&self) -> TrainProgress {
        let (loss, epe_px) = self.state.smooth.unwrap_or_default();
        let validation_px = self.state.curve.last().map_or(0.0, |p| p.validation.mean_px);
        TrainProgress { step: self.state.step, steps: self.recipe.training.steps, loss, epe_px, validation_px }
    }

    fn note(&mut self, network: &ResidualNetwork, seconds: f64) -> Result<(), TrainError> {
        self.state.weights = network.weights.values()?;
        self.state.seconds = seconds;
        self.state.save(self.place)
    }
}

/// Wall clock over all parts of a training, and when the next checkpoint is due.
struct Clock {
    before: f64,
    begun: Instant,
    last: Instant,
}

impl Clock {
    fn new(before: f64) -> Self {
        Self { before, begun: Instant::now(), last: Instant::now() }
    }

    fn seconds(&self) -> f64 {
        self.before + self.begun.elapsed().as_secs_f64()
    }

    fn is_due(&mut self) -> bool {
        let due = self.last.elapsed() >= CHECKPOINT_EVERY;
        if due {
            self.last = Instant::now();
        }
        due
    }
}

/// Linear rise, level, linear fall: all but the fall does not depend on how long the training is.
fn learning_rate(step: usize, recipe: &Recipe) -> f64 {
    let training = &recipe.training;
    let rise = ((step + 1) as f64 / RISE_STEPS as f64).min(1.0);
    let left = (training.steps - step) as f64 / training.fall_steps.max(1) as f64;
    training.learning_rate * rise * left.clamp(LEAST_RATE, 1.0)
}

/// Measures the finished network, writes it, and holds the files against it before they take their names.
fn finish(
    order: &TrainOrder<'_>,
    network: &mut ResidualNetwork,
    state: Checkpoint,
    reported: &[Batch],
    studies_sha256: String,
) -> Result<TrainReport, TrainError> {
    let none = || ModelDigest { name: String::new(), version: String::new(), sha256: String::new() };
    let report_sha256 = reported.first().map(Batch::digest).unwrap_or_default();
    let mut report = TrainReport {
        model: none(),
        half: none(),
        parameters: network.parameter_count(),
        steps: state.step,
        best_step: state.best_at.map_or(0, |b| b.0),
        seconds: state.seconds,
        parity: [0.0; 2],
        report: tally(network, reported)?.figures(),
        report_start: start_tally(reported).figures(),
        curve: state.curve,
        recipe_sha256: order.recipe.digest(),
        studies_sha256,
        weights_sha256: network.weights_digest()?,
        data_sha256: [state.first_batch_sha256, report_sha256],
    };
    let words = lineage(order.recipe, &report);
    let references = references(network, reported)?;
    let half_path = half_path(order.out);
    (report.model, report.parity[0]) = gated(order, network, Precision::Single, order.out, &words, &references)?;
    (report.half, report.parity[1]) = gated(order, network, Precision::Half, &half_path, &words, &references)?;
    Ok(report)
}

/// `model.onnx` → `model-fp16.onnx`.
#[must_use]
pub fn half_path(model: &Path) -> PathBuf {
    let stem = model.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    model.with_file_name(format!("{stem}-fp16.onnx"))
}

/// Writes the network under another name, has it judged, and gives it its name when it computes what was trained.
fn gated(
    order: &TrainOrder<'_>,
    network: &ResidualNetwork,
    precision: Precision,
    path: &Path,
    words: &BTreeMap<String, String>,
    references: &[Reference],
) -> Result<(ModelDigest, f32), TrainError> {
    let mut untried = path.as_os_str().to_owned();
    untried.push(".untried");
    let untried = PathBuf::from(untried);
    let digest = network.export(&untried, precision, words)?;
    let judged = (order.judge)(&untried, references).map_err(|source| TrainError::Judge { source });
    let limit = if precision == Precision::Single { PARITY } else { PARITY_HALF };
    let outcome = judged.and_then(|difference| {
        // NaN is no agreement either.
        if difference <= limit { Ok(difference) } else { Err(TrainError::Parity { difference, limit }) }
    });
    if outcome.is_err() {
        let _ = std::fs::remove_file(&untried);
    }
    let difference = outcome?;
    std::fs::rename(&untried, path).map_err(|source| TrainError::Write { path: path.to_path_buf(), source })?;
    Ok((digest, difference))
}

/// Some of the squares with what the network makes of them.
fn references(network: &mut ResidualNetwork, batches: &[Batch]) -> Result<Vec<Reference>, TrainError> {
    let Some(batch) = batches.first() else { return Ok(Vec::new()) };
    let input = batch.input()?;
    let planes = |t: &Tensor| super::network::planes(t);
    let inputs = [
        planes(&input.predicted)?,
        planes(&input.real)?,
        planes(&input.visible)?,
        planes(&input.start)?,
        planes(&input.doubt)?,
    ];
    let outputs = network.run([&inputs[0], &inputs[1], &inputs[2], &inputs[3], &inputs[4]])?;
    Ok(vec![Reference { inputs, outputs }])
}

/// What the model file says about where it comes from and how good it is.
fn lineage(recipe: &Recipe, report: &TrainReport) -> BTreeMap<String, String> {
    let dis = recipe.crops.start.name();
    let entries = [
        ("start.dis", dis.to_owned()),
        ("name", recipe.model.name.clone()),
        ("version", recipe.model.version.clone()),
        ("lineage.recipe_sha256", report.recipe_sha256.clone()),
        ("lineage.studies_sha256", report.studies_sha256.clone()),
        ("lineage.seed", recipe.training.seed.to_string()),
        ("lineage.steps", report.steps.to_string()),
        ("lineage.best_step", report.best_step.to_string()),
        ("lineage.first_batch_sha256", report.data_sha256[0].clone()),
        ("lineage.report_sha256", report.data_sha256[1].clone()),
        ("lineage.data", recipe.data.iter().map(|d| d.kind.words()).collect::<Vec<_>>().join("; ")),
        ("lineage.device", device_name().to_owned()),
        ("start", format!("OpenCV DIS, {dis}, on the paint; doubt: its forward-backward miss, at most 16 px")),
        ("report.mean_px", format!("{:.4}", report.report.mean_px)),
        ("report.start_mean_px", format!("{:.4}", report.report_start.mean_px)),
        ("calibration.within_one_sigma", format!("{:.4}", report.report.within_one_sigma)),
        ("calibration.within_two_sigma", format!("{:.4}", report.report.within_two_sigma)),
    ];
    entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}
