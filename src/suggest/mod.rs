//! From the film's residuals to the parameter that is wrong: reduced model, estimate, answer, next runs.
//!
//! - [`Surrogate`] – a reduced model of the displacement field over the parameters (proper orthogonal decomposition in
//!   space and time; the modes' coefficients by the regression that cross-validates best). It moves the mesh.
//! - [`Sight`] – what the cameras saw, as displacements in the picture plane, of the test and of every run alike.
//! - [`Estimator`] – summaries of these pictures' displacements, regressed on the parameters; a sampler turns the
//!   test's summaries into a posterior, which the study's own runs calibrate.
//! - [`suggest`] – the answer: ranked changes, what the film cannot separate, what no parameter explains.
//!
//! The regressions are small and exact: some tens of runs, one kernel matrix shared by all outputs, leave-one-out in
//! closed form, predictions as weights of the runs. All of that follows from one inverted matrix of some ten rows, so no
//! crate for Gaussian processes is used; none was measured against it.

mod answer;
mod calibrate;
mod changes;
mod estimate;
mod features;
mod form;
mod form_cells;
mod gain;
mod grams;
mod harness;
mod hits;
mod hypotheses;
mod identify;
mod kernel;
mod leave_out;
mod next;
mod random;
mod regress;
mod sampler;
mod sight;
mod sight_select;
mod speed;
mod surrogate;
mod words;

pub use answer::{SuggestError, SuggestInput, suggest};
pub use calibrate::{Calibration, calibrate};
pub use estimate::{Estimator, Posterior};
pub use features::Evidence;
pub use grams::Grams;
pub use harness::{LeaveOneOut, LeftOut, ParameterScore, leave_one_out_tests};
pub use leave_out::surrogate_report;
pub use next::{NextRunsInput, next_runs};
pub use sight::{FilmField, Sight, SightCamera, SightInput};
pub use surrogate::Surrogate;

use std::sync::Arc;

use crate::domain::Study;

/// Why a field of the study could not be had: whatever the source reports.
pub type FieldError = Box<dyn std::error::Error + Send + Sync>;

/// A study with its fields; the fields may lie on disk.
pub trait StudyFields: Sync {
    /// Parameters, runs, times.
    fn study(&self) -> &Study;
    /// Inner products of the displacement fields.
    fn grams(&self) -> &Grams;
    /// Undeformed shapes of all runs, run by run, `3 × nodes` values each, mm.
    ///
    /// # Errors
    /// When they cannot be read.
    fn rest_mm(&self) -> Result<Arc<Vec<f32>>, FieldError>;
    /// Displacements of all runs at time `time` of the study, run by run, `3 × nodes` values each, mm.
    ///
    /// # Errors
    /// When they cannot be read.
    fn displacements_mm(&self, time: usize) -> Result<Arc<Vec<f32>>, FieldError>;
}
