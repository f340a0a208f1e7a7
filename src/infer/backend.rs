//! The seam: what every implementation of a residual model promises.

use ndarray::{Array2, Array3};

use super::error::InferError;
use crate::domain::ModelSpec;

/// One pair of pictures to compare; all of one height and width.
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualRequest {
    /// Paint of the predicted picture `[H, W]` (`vision::local_contrast`).
    pub predicted: Array2<f32>,
    /// Paint of the real picture `[H, W]`.
    pub real: Array2<f32>,
    /// 1 where the predicted picture shows a surface, else 0; `[H, W]`.
    pub visible: Array2<f32>,
    /// Dense flow to start from `[2, H, W]`, px, x then y.
    pub start: Array3<f32>,
    /// By how much the start's way there and back misses `[H, W]`, px; beyond 16 nothing changes.
    pub doubt: Array2<f32>,
}

impl ResidualRequest {
    /// A request without content, for warming up.
    #[must_use]
    pub fn blank(height: usize, width: usize) -> Self {
        Self {
            predicted: Array2::zeros((height, width)),
            real: Array2::zeros((height, width)),
            visible: Array2::ones((height, width)),
            start: Array3::zeros((2, height, width)),
            doubt: Array2::zeros((height, width)),
        }
    }

    /// Height and width, px.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        self.predicted.dim()
    }

    /// Says whether the pictures fit together and hold numbers only.
    ///
    /// # Errors
    /// Names the input that does not fit, what it is and what it should be.
    pub fn check(&self) -> Result<(), InferError> {
        let (height, width) = self.size();
        if height == 0 || width == 0 {
            return Err(InferError::Request {
                what: "predicted",
                found: format!("{height} x {width} px"),
                expected: "at least one pixel".to_owned(),
            });
        }
        let planes = [("real", self.real.dim()), ("visible", self.visible.dim()), ("doubt", self.doubt.dim())];
        for (what, (h, w)) in planes {
            if (h, w) != (height, width) {
                return Err(InferError::Request {
                    what,
                    found: format!("{h} x {w} px"),
                    expected: format!("{height} x {width} px as the predicted picture"),
                });
            }
        }
        if self.start.dim() != (2, height, width) {
            return Err(InferError::Request {
                what: "start",
                found: format!("{:?}", self.start.dim()),
                expected: format!("(2, {height}, {width})"),
            });
        }
        let finite = [
            ("predicted", self.predicted.iter().all(|v| v.is_finite())),
            ("real", self.real.iter().all(|v| v.is_finite())),
            ("visible", self.visible.iter().all(|v| v.is_finite())),
            ("start", self.start.iter().all(|v| v.is_finite())),
            ("doubt", self.doubt.iter().all(|v| v.is_finite())),
        ];
        match finite.into_iter().find(|(_, finite)| !finite) {
            Some((what, _)) => Err(InferError::Request {
                what,
                found: "NaN or infinite in places".to_owned(),
                expected: "finite numbers everywhere".to_owned(),
            }),
            None => Ok(()),
        }
    }
}

/// The model's answer for one pair, of the request's height and width.
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualOutput {
    /// Whole residual flow from predicted to real `[2, H, W]`, px, x then y.
    pub flow: Array3<f32>,
    /// Natural logarithm of the variance of each flow component `[H, W]`, px².
    pub log_var: Array2<f32>,
    /// Probability that the surface is seen in the real picture `[H, W]`.
    pub present: Array2<f32>,
}

/// A model that can be run. Synchronous: the [`Engine`](super::Engine) gives it a thread of its own.
pub trait Backend: Send {
    /// What the model takes and gives.
    fn spec(&self) -> &ModelSpec;

    /// Runs the model once at `size` (height, width) so that the first real request is as quick as the next.
    ///
    /// # Errors
    /// As [`Backend::run`].
    fn warm_up(&mut self, size: (usize, usize)) -> Result<(), InferError> {
        self.run(&[ResidualRequest::blank(size.0, size.1)]).map(drop)
    }

    /// How many requests one call of [`Backend::run`] takes at most; at least 1.
    fn max_batch(&self) -> usize;

    /// Answers each request, in order. All have passed [`ResidualRequest::check`] and are of one size. The answer to a
    /// request does not depend on the others in the batch.
    ///
    /// # Errors
    /// When the model cannot be run, or gives something else than its contract says.
    fn run(&mut self, batch: &[ResidualRequest]) -> Result<Vec<ResidualOutput>, InferError>;

    /// Says whether the model can still be run.
    ///
    /// # Errors
    /// With the reason when it cannot.
    fn health(&mut self) -> Result<(), InferError>;
}
