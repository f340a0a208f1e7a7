//! States and pictures straight from the files.

use ndarray::Array2;

use crate::ingest::{IngestError, SimulationFile, SimulationStates, TestFile};
use crate::review::{ReviewSource, SourceError};

/// A simulation and a film as the review asks for them.
#[derive(Debug)]
pub struct FileSource<'a> {
    states: SimulationStates<'a>,
    test: &'a TestFile,
}

impl<'a> FileSource<'a> {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(simulation: &'a SimulationFile, test: &'a TestFile) -> Self {
        Self { states: SimulationStates::new(simulation), test }
    }

    /// Plastic strain of each element in the state nearest to a simulation time in s; `None` when the file has none.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn plastic_strain(&self, simulation_time_s: f64) -> Result<Option<Vec<f32>>, IngestError> {
        self.states.plastic_strain(simulation_time_s)
    }
}

impl ReviewSource for FileSource<'_> {
    fn simulated_mm(&self, simulation_time_s: f64) -> Result<Vec<[f32; 3]>, SourceError> {
        Ok(self.states.positions_mm(simulation_time_s)?)
    }

    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError> {
        Ok(self.test.read_frame(camera, frame)?.luma)
    }
}
