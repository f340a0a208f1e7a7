//! Stopping in the middle of a stage: every reading of a file is a chance to stop.
//!
//! A stage says how far it is only now and then. Whoever asks to stop should not wait for that, so the sources ask
//! again with the last word of the stage whenever a picture or a state is read.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use ndarray::Array2;

use super::file_source::FileSource;
use super::review_test::StageProgress;
use crate::review::{Progress, ReviewSource, SourceError};

/// The caller asked to stop while a file was read.
#[derive(Debug, thiserror::Error)]
#[error("stopped by the caller")]
pub(super) struct Stopped;

/// Progress that can be asked from any thread.
pub(super) struct Watch<'a> {
    progress: &'a StageProgress<'a>,
    latest: Mutex<Progress>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(progress: &'a StageProgress<'a>) -> Self {
        Self { progress, latest: Mutex::new(Progress { stage: "open", done: 0, total: 0 }) }
    }

    /// The stage's own word.
    pub(super) fn report(&self, progress: Progress) -> ControlFlow<()> {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        (self.progress)(progress)
    }

    /// A stage without steps of its own begins.
    ///
    /// # Errors
    /// [`Stopped`] when the caller does not want it any more.
    pub(super) fn begin(&self, stage: &'static str) -> Result<(), Stopped> {
        let total = self.latest.lock().unwrap_or_else(PoisonError::into_inner).total;
        match self.report(Progress { stage, done: total, total }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stopped),
        }
    }

    /// Whether to go on, in the middle of a stage.
    ///
    /// # Errors
    /// [`Stopped`] when not.
    pub(super) fn check(&self) -> Result<(), Stopped> {
        let latest = *self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.progress)(latest) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Stopped),
        }
    }
}

/// A [`FileSource`] that stops reading when asked to.
pub(super) struct Watched<'a> {
    pub(super) files: &'a FileSource<'a>,
    pub(super) watch: &'a Watch<'a>,
}

impl ReviewSource for Watched<'_> {
    fn simulated_mm(&self, simulation_time_s: f64) -> Result<Vec<[f32; 3]>, SourceError> {
        self.watch.check()?;
        self.files.simulated_mm(simulation_time_s)
    }

    fn alive(&self, simulation_time_s: f64) -> Result<Option<Vec<bool>>, SourceError> {
        self.watch.check()?;
        self.files.alive(simulation_time_s)
    }

    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError> {
        self.watch.check()?;
        self.files.picture(camera, frame)
    }

    fn designs_mm(&self, simulation_time_s: f64) -> Result<Vec<Vec<[f32; 3]>>, SourceError> {
        self.watch.check()?;
        self.files.designs_mm(simulation_time_s)
    }
}
