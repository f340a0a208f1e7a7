//! What goes into one moment of tracking, and what is known after it.

use std::sync::Arc;

use nalgebra::{Matrix3, Vector3};
use ndarray::Array2;

use crate::review::controls::Controls;
use crate::review::measure::Candidate;
use crate::review::seen_by::SeenBy;

/// What belongs to one camera at one moment.
#[derive(Debug)]
pub struct StepPicture {
    /// Index of the camera.
    pub camera: usize,
    /// The picture on the camera's canvas, toned.
    pub picture: Array2<f32>,
    /// Pixels that show something in front of the structure, where that is known.
    pub hidden: Option<Array2<bool>>,
}

impl StepPicture {
    /// True when what `candidate` was matched with is something in front of the structure.
    pub(super) fn hides(&self, candidate: &Candidate) -> bool {
        let [x, y] = candidate.patch.shift;
        let at = |from: usize, by: f32, size: usize| ((from as f32 + by).round().max(0.0) as usize).min(size - 1);
        self.hidden.as_ref().is_some_and(|hidden| {
            let (h, w) = hidden.dim();
            hidden[(at(candidate.row, y, h), at(candidate.column, x, w))]
        })
    }
}

/// The state of knowledge after one moment.
#[derive(Debug, Clone)]
pub struct TrackedStep {
    pub(super) controls: Arc<Controls>,
    pub(super) deviation_mm: Vec<Vector3<f64>>,
    pub(super) covariance_mm2: Vec<Matrix3<f64>>,
    /// The cameras that measured it.
    pub seen_by: SeenBy,
    /// Lengths of the believed residuals against frame 0, px: what the noise floor is made of.
    pub residuals_px: Vec<f32>,
    /// The nodes that a living element holds, where elements have eroded.
    pub(super) holding: Option<Vec<bool>>,
    /// Whether a study told of it.
    pub by_study: bool,
    /// Root mean square of the believed sightings' misfit in sigmas: 1 when their covariances are true.
    pub misfit: f64,
}

impl TrackedStep {
    /// Test minus simulation at a node, mm.
    #[must_use]
    pub fn deviation_mm(&self, node: usize) -> Vector3<f64> {
        self.controls.vector_at(node, &self.deviation_mm)
    }

    /// Its covariance, mm².
    #[must_use]
    pub fn covariance_mm2(&self, node: usize) -> Matrix3<f64> {
        self.controls.covariance_at(node, &self.covariance_mm2)
    }

    /// How many cameras measured the node itself or, on a fine mesh, its surroundings.
    #[must_use]
    pub fn observed(&self, node: usize) -> u8 {
        self.seen_by.cameras(node).count_ones() as u8
    }

    /// True for the nodes on the skin, as far as it has not eroded.
    #[must_use]
    pub(in crate::review) fn on_skin(&self) -> Vec<bool> {
        let is_there = |n: usize| self.holding.as_ref().is_none_or(|holding| holding[n]);
        (0..self.controls.node_count())
            .map(|n| is_there(n) && self.controls.nearest(n).is_some_and(|k| self.controls.on_skin[k]))
            .collect()
    }

    /// Simulation plus deviation, mm.
    #[must_use]
    pub fn positions_mm(&self, simulated_mm: &[[f32; 3]]) -> Vec<[f32; 3]> {
        self.controls.deviated(simulated_mm, &self.deviation_mm)
    }
}
