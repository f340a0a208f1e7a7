//! States and pictures straight from the files, with the few states that are in use kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::Array2;

use crate::domain::State;
use crate::geom::{bracket, interpolate_positions};
use crate::ingest::{IngestError, SimulationFile, TestFile};
use crate::review::{ReviewSource, SourceError};

/// States kept at a time: the pair around a frame, its neighbours for the velocity, and the undeformed one.
const KEPT_STATES: usize = 5;

/// A simulation and a film as the review asks for them.
#[derive(Debug)]
pub struct FileSource<'a> {
    simulation: &'a SimulationFile,
    test: &'a TestFile,
    kept: Mutex<VecDeque<(usize, Arc<State>)>>,
}

impl<'a> FileSource<'a> {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(simulation: &'a SimulationFile, test: &'a TestFile) -> Self {
        Self { simulation, test, kept: Mutex::new(VecDeque::new()) }
    }

    /// Plastic strain of each element in the state nearest to a simulation time in s; `None` when the file has none.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn plastic_strain(&self, simulation_time_s: f64) -> Result<Option<Vec<f32>>, IngestError> {
        let (a, b, weight) = bracket(self.simulation.times_s(), simulation_time_s);
        Ok(self.state(if weight < 0.5 { a } else { b })?.plastic_strain.clone())
    }

    fn state(&self, step: usize) -> Result<Arc<State>, IngestError> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, state)) = kept().iter().find(|(s, _)| *s == step) {
            return Ok(Arc::clone(state));
        }
        let state = Arc::new(self.simulation.read_state(step)?);
        let mut kept = kept();
        kept.push_back((step, Arc::clone(&state)));
        if kept.len() > KEPT_STATES {
            kept.pop_front();
        }
        Ok(state)
    }
}

impl ReviewSource for FileSource<'_> {
    fn simulated_mm(&self, simulation_time_s: f64) -> Result<Vec<[f32; 3]>, SourceError> {
        let (a, b, weight) = bracket(self.simulation.times_s(), simulation_time_s);
        let first = self.state(a)?;
        if weight == 0.0 {
            return Ok(first.positions_mm.clone());
        }
        Ok(interpolate_positions(&first.positions_mm, &self.state(b)?.positions_mm, weight))
    }

    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError> {
        Ok(self.test.read_frame(camera, frame)?.luma)
    }
}
