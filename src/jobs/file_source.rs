//! States and pictures straight from the files.

use ndarray::Array2;

use crate::geom::bracket;
use crate::ingest::{IngestError, SimulationFile, SimulationStates, StudyFile, TestFile};
use crate::review::{ReviewSource, SourceError};
use crate::suggest::StudyFields as _;

/// A simulation and a film as the review asks for them.
#[derive(Debug)]
pub struct FileSource<'a> {
    states: SimulationStates<'a>,
    test: &'a TestFile,
    study: Option<&'a StudyFile>,
    /// First time of the simulation, s.
    begin_s: f64,
}

impl<'a> FileSource<'a> {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(simulation: &'a SimulationFile, test: &'a TestFile) -> Self {
        Self { states: SimulationStates::new(simulation), test, study: None, begin_s: simulation.times_s()[0] }
    }

    /// The same, with other designs of the simulation; their nodes must be the simulation's.
    #[must_use]
    pub fn with_study(self, study: &'a StudyFile) -> Self {
        Self { study: Some(study), ..self }
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

    fn alive(&self, simulation_time_s: f64) -> Result<Option<Vec<bool>>, SourceError> {
        Ok(self.states.alive(simulation_time_s)?)
    }

    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError> {
        Ok(self.test.read_frame(camera, frame)?.luma)
    }

    fn designs_mm(&self, simulation_time_s: f64) -> Result<Vec<Vec<[f32; 3]>>, SourceError> {
        let Some(study) = self.study else { return Ok(Vec::new()) };
        let (a, b, part) = bracket(&study.study().times_s, simulation_time_s);
        let (first, second) = (study.displacements_mm(a)?, study.displacements_mm(b)?);
        let (rest, now) = (self.simulated_mm(self.begin_s)?, self.simulated_mm(simulation_time_s)?);
        let (values, part) = (3 * study.study().node_count, part as f32);
        let of_run = |(first, second): (&[f32], &[f32])| {
            let moved = |at: usize| first[at] + part * (second[at] - first[at]);
            (0..rest.len()).map(|n| [0, 1, 2].map(|i| moved(3 * n + i) - (now[n][i] - rest[n][i]))).collect()
        };
        Ok(first.chunks_exact(values).zip(second.chunks_exact(values)).map(of_run).collect())
    }
}
