//! States and pictures straight from the files, with the few states that are in use kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use ndarray::Array2;

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
    kept: Mutex<VecDeque<(usize, Arc<Vec<[f32; 3]>>)>>,
}

impl<'a> FileSource<'a> {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(simulation: &'a SimulationFile, test: &'a TestFile) -> Self {
        Self { simulation, test, kept: Mutex::new(VecDeque::new()) }
    }

    fn state(&self, step: usize) -> Result<Arc<Vec<[f32; 3]>>, IngestError> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, positions)) = kept().iter().find(|(s, _)| *s == step) {
            return Ok(Arc::clone(positions));
        }
        let positions = Arc::new(self.simulation.read_state(step)?.positions_mm);
        let mut kept = kept();
        kept.push_back((step, Arc::clone(&positions)));
        if kept.len() > KEPT_STATES {
            kept.pop_front();
        }
        Ok(positions)
    }
}

impl ReviewSource for FileSource<'_> {
    fn simulated_mm(&self, simulation_time_s: f64) -> Result<Vec<[f32; 3]>, SourceError> {
        let (a, b, weight) = bracket(self.simulation.times_s(), simulation_time_s);
        let first = self.state(a)?;
        if weight == 0.0 {
            return Ok(first.to_vec());
        }
        Ok(interpolate_positions(&first, &*self.state(b)?, weight))
    }

    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError> {
        Ok(self.test.read_frame(camera, frame)?.luma)
    }
}
