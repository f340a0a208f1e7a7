//! The states of a simulation between the stored ones, with the few that are in use kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::{IngestError, SimulationFile};
use crate::domain::State;
use crate::geom::{bracket, interpolate_positions};

/// States kept at a time: the pair around a frame, its neighbours for the velocity, and the undeformed one.
const KEPT_STATES: usize = 5;

/// A simulation state by state, with the few that are in use kept.
#[derive(Debug)]
pub struct SimulationStates<'a> {
    simulation: &'a SimulationFile,
    most: usize,
    kept: Mutex<VecDeque<(usize, Arc<State>)>>,
}

impl<'a> SimulationStates<'a> {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(simulation: &'a SimulationFile) -> Self {
        Self { simulation, most: KEPT_STATES, kept: Mutex::new(VecDeque::new()) }
    }

    /// Reads all states now where their positions fit into `limit_bytes`, so that nothing is read while frames wait;
    /// says whether they did.
    ///
    /// # Errors
    /// When a state cannot be read.
    pub fn read_ahead(&mut self, limit_bytes: usize) -> Result<bool, IngestError> {
        let steps = self.simulation.times_s().len();
        let bytes = self.simulation.mesh().node_count.saturating_mul(steps).saturating_mul(size_of::<[f32; 3]>());
        if bytes > limit_bytes {
            return Ok(false);
        }
        self.most = steps.max(KEPT_STATES);
        for step in 0..steps {
            self.state(step)?;
        }
        Ok(true)
    }

    /// Node positions at a simulation time in s, mm; held before the first and after the last state.
    ///
    /// # Errors
    /// When a state cannot be read.
    pub fn positions_mm(&self, simulation_time_s: f64) -> Result<Vec<[f32; 3]>, IngestError> {
        let (a, b, weight) = bracket(self.simulation.times_s(), simulation_time_s);
        let first = self.state(a)?;
        if weight == 0.0 {
            return Ok(first.positions_mm.clone());
        }
        Ok(interpolate_positions(&first.positions_mm, &self.state(b)?.positions_mm, weight))
    }

    /// Plastic strain of each element in the state nearest to a simulation time in s; `None` when the file has none.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn plastic_strain(&self, simulation_time_s: f64) -> Result<Option<Vec<f32>>, IngestError> {
        let (a, b, weight) = bracket(self.simulation.times_s(), simulation_time_s);
        Ok(self.state(if weight < 0.5 { a } else { b })?.plastic_strain.clone())
    }

    /// Which elements are still there in the last state up to a simulation time in s; `None` when the file knows no
    /// erosion.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn alive(&self, simulation_time_s: f64) -> Result<Option<Vec<bool>>, IngestError> {
        Ok(self.state(bracket(self.simulation.times_s(), simulation_time_s).0)?.alive.clone())
    }

    fn state(&self, step: usize) -> Result<Arc<State>, IngestError> {
        let kept = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, state)) = kept().iter().find(|(s, _)| *s == step) {
            return Ok(Arc::clone(state));
        }
        let state = Arc::new(self.simulation.read_state(step)?);
        let mut kept = kept();
        kept.push_back((step, Arc::clone(&state)));
        if kept.len() > self.most {
            kept.pop_front();
        }
        Ok(state)
    }
}
