//! A simulation run plays the test: from its file to a test record, and to the truth behind it.

use std::ops::ControlFlow;
use std::path::PathBuf;

use ndarray::parallel::prelude::*;

use crate::domain::{Pose, TestRecord};
use crate::export::{ExportError, FrameFormat, TestRecordWriter, TruthWriter};
use crate::film::{FilmOrder, FilmPlan, Look, Subject, Window};
use crate::ingest::{IngestError, SimulationFile, SimulationOptions, SimulationStates};

/// What is filmed, and where the film goes.
#[derive(Debug, Clone)]
pub struct FilmRequest {
    /// The run that plays the test.
    pub simulation: PathBuf,
    /// How it is read.
    pub simulation_options: SimulationOptions,
    /// What is asked of the film.
    pub order: FilmOrder,
    /// The test record to write.
    pub out: PathBuf,
    /// The truth to write, when it is wanted.
    pub truth: Option<PathBuf>,
}

/// What was filmed.
#[derive(Debug, Clone, PartialEq)]
pub struct Filmed {
    /// Surface of the structure.
    pub look: Look,
    /// Cameras by name with the number of reference targets each sees.
    pub cameras: Vec<(String, usize)>,
    /// Pictures, over all cameras.
    pub pictures: usize,
    /// Simulation time minus film time, s.
    pub trigger_offset_s: f64,
}

/// A film that could not be made; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum FilmError {
    /// The simulation cannot be read.
    #[error("the simulation is refused")]
    Ingest {
        /// Where and why.
        #[from]
        source: IngestError,
    },
    /// Nothing happens in the simulation.
    #[error(
        "{}: found {states} state(s) up to {end_s} s, expected at least two and an end after 0 s: a film needs something \
         that moves", simulation.display()
    )]
    Still {
        /// The simulation.
        simulation: PathBuf,
        /// States found.
        states: usize,
        /// Time of the last one, s.
        end_s: f64,
    },
    /// Nothing can be seen of the simulation.
    #[error("{}: found no shell and no solid in its mesh, expected at least one: there is nothing to film", simulation.display())]
    Invisible {
        /// The simulation.
        simulation: PathBuf,
    },
    /// The film cannot be written.
    #[error("cannot write the film")]
    Export {
        /// Which file and why.
        #[from]
        source: ExportError,
    },
    /// The caller asked to stop.
    #[error("stopped before the end: nothing was written")]
    Cancelled,
}

impl FilmError {
    /// True when the input is at fault, not the program or the machine.
    #[must_use]
    pub fn is_input_error(&self) -> bool {
        match self {
            Self::Ingest { source } => source.is_input_error(),
            Self::Export { source } => source.is_input_error(),
            Self::Still { .. } | Self::Invisible { .. } => true,
            Self::Cancelled => false,
        }
    }
}

/// States that say how much room the structure takes.
const LOOKED_AT: usize = 8;

/// Films the simulation; the files appear whole or not at all. `progress` hears how many of how many pictures are done.
///
/// # Errors
/// When the simulation is refused, a file cannot be written, or `progress` says stop.
pub fn film_test(
    request: &FilmRequest,
    progress: &(dyn Fn(usize, usize) -> ControlFlow<()> + Sync),
) -> Result<Filmed, FilmError> {
    let simulation = SimulationFile::open(&request.simulation, &request.simulation_options)?;
    let states = SimulationStates::new(&simulation);
    let plan = plan(request, &simulation, &states)?;
    let format = FrameFormat { bits: request.order.bits, channels: if request.order.colour { 3 } else { 1 } };
    let name = |p: &PathBuf| p.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let record = TestRecord {
        test_id: name(&request.out),
        description: Some(format!("Synthetic film of {}, seed {}", name(&request.simulation), request.order.seed)),
        cameras: (0..plan.film.cameras.len()).map(|c| plan.film.record_of(c)).collect(),
        channels: Vec::new(),
    };
    let writer = TestRecordWriter::create(&request.out, &record, format)?;
    let truth = match &request.truth {
        Some(path) => Some(begin_truth(path, &plan.film, simulation.mesh().node_count)?),
        None => None,
    };
    let frames = plan.film.times_s.len();
    let pictures = frames * plan.film.cameras.len();
    for frame in 0..frames {
        if let Some(truth) = &truth {
            let at_s = plan.film.times_s[frame] + plan.film.trigger_offset_s;
            truth.write_positions(frame, &states.positions_mm(at_s)?)?;
        }
        for camera in 0..plan.film.cameras.len() {
            if progress(frame * plan.film.cameras.len() + camera, pictures).is_break() {
                return Err(FilmError::Cancelled);
            }
            let picture = draw(&plan, request.order.samples, &states, camera, frame, format.channels)?;
            writer.write_frame(camera, frame, &picture)?;
        }
    }
    let _ = progress(pictures, pictures);
    if let Some(truth) = truth {
        truth.finish()?;
    }
    writer.finish()?;
    let cameras = plan.film.cameras.iter().map(|c| (c.name.clone(), c.targets.len())).collect();
    Ok(Filmed { look: plan.film.look, cameras, pictures, trigger_offset_s: plan.film.trigger_offset_s })
}

/// The film's plan with what is asked of the simulation later.
struct Planned<'a> {
    film: FilmPlan,
    moved: Box<dyn Fn(f64) -> [f64; 3] + Sync + 'a>,
}

fn plan<'a>(
    request: &FilmRequest,
    simulation: &'a SimulationFile,
    states: &SimulationStates<'_>,
) -> Result<Planned<'a>, FilmError> {
    let times = simulation.times_s();
    let end_s = times.last().copied().unwrap_or(0.0);
    if times.len() < 2 || end_s <= 0.0 {
        return Err(FilmError::Still { simulation: request.simulation.clone(), states: times.len(), end_s });
    }
    let mut looked_at: Vec<Vec<[f32; 3]>> = Vec::new();
    for i in 0..LOOKED_AT {
        let share = i as f64 / (LOOKED_AT - 1) as f64;
        looked_at.push(states.positions_mm(times[0] + share * (end_s - times[0]))?);
    }
    let subject = move |states_mm| Subject {
        mesh: simulation.mesh(),
        states_mm,
        impactor: simulation.impactor(),
        wall: simulation.wall(),
        end_s,
    };
    if !simulation.mesh().cell_types.iter().any(|c| c.node_count() > 2) {
        return Err(FilmError::Invisible { simulation: request.simulation.clone() });
    }
    let film = FilmPlan::new(&subject(&looked_at), &request.order);
    Ok(Planned { film, moved: Box::new(move |t| subject(&[]).impactor_moved_mm(t)) })
}

fn begin_truth(path: &std::path::Path, film: &FilmPlan, nodes: usize) -> Result<TruthWriter, FilmError> {
    let poses: Vec<(String, Pose)> = film.cameras.iter().map(|c| (c.name.clone(), c.camera.pose)).collect();
    Ok(TruthWriter::create(path, nodes, &film.times_s, &poses, film.trigger_offset_s)?)
}

fn draw(
    plan: &Planned<'_>,
    samples: usize,
    states: &SimulationStates<'_>,
    camera: usize,
    frame: usize,
    channels: usize,
) -> Result<ndarray::Array3<f32>, FilmError> {
    let times = plan.film.sub_times_s(camera, frame, samples);
    let middle = times[times.len() / 2];
    let places = times
        .into_par_iter()
        .map(|t| Ok((states.positions_mm(t)?, (plan.moved)(t))))
        .collect::<Result<Vec<_>, IngestError>>()?;
    let moment = plan.film.moment(&places, states.alive(middle)?.as_deref());
    let window = Window::whole(&plan.film.cameras[camera].camera);
    Ok(plan.film.draw(camera, frame, &moment, window, channels))
}
