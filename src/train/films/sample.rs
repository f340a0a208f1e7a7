//! What a network learns from: two pictures, what is known before, and the truth.

use ndarray::{Array2, Array3, s};
use sha2::{Digest, Sha256};

use super::study::Split;
use crate::domain::Pose;
use crate::geom::Camera;
use crate::train::weights::hex;

/// What became of the point that a predicted pixel shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fate {
    /// The predicted picture shows no structure there, or one whose look is not known.
    NoSurface = 0,
    /// It is seen in the real picture: there is a flow.
    Seen = 1,
    /// Another part of the structure covers it.
    Folded = 2,
    /// Something else covers it: the impactor.
    Covered = 3,
    /// It has turned its other side to the camera, or is seen edge-on.
    Turned = 4,
    /// Its element is gone.
    Torn = 5,
    /// It has left the picture, or lies farther than an estimator looks.
    Outside = 6,
    /// The look is not the structure's: something stood before it when the look was taken.
    FalseLook = 7,
}

impl Fate {
    /// All of them, by number.
    pub const ALL: [Self; 8] = [
        Self::NoSurface,
        Self::Seen,
        Self::Folded,
        Self::Covered,
        Self::Turned,
        Self::Torn,
        Self::Outside,
        Self::FalseLook,
    ];
}

/// How the prediction was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Start {
    /// From the simulation alone; `carried` is zero.
    Nothing,
    /// From the simulation alone; `carried` is what the frame before tells, with an error.
    Carried,
    /// The mesh is corrected by what the frame before tells, with an error; `carried` is zero. So does the review.
    Corrected,
    /// The mesh is corrected by this frame's own deviation, with an error; `carried` is zero.
    NearlyRight,
}

/// Where a sample comes from; the same id under the same settings and data is the same sample, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SampleId {
    /// The split.
    pub split: Split,
    /// Number of the episode (one film of one camera) in the split.
    pub episode: usize,
    /// Number of the sample in the episode.
    pub number: usize,
    /// Family of the pair.
    pub family: String,
    /// The run that predicts.
    pub simulation: String,
    /// The run that is filmed.
    pub filmed: String,
    /// Frame of the film.
    pub frame: usize,
    /// How the prediction was begun.
    pub start: Start,
    /// Whether the look comes from the frame before instead of frame 0.
    pub last_look: bool,
    /// First column and row on the camera's canvas, px.
    pub corner: [usize; 2],
}

/// How a sample was taken: what a check of the truth needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// The canvas at the pose that the review would estimate; the prediction is drawn with it.
    pub camera: Camera,
    /// The pose at which the film was taken.
    pub true_pose: Pose,
    /// Simulation time of the prediction, s.
    pub predicted_s: f64,
    /// Simulation time of what was filmed, s.
    pub filmed_s: f64,
}

/// One pair with its truth; all planes are of one size `[height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Where it comes from.
    pub id: SampleId,
    /// How it was taken.
    pub taken: Taken,
    /// The predicted picture as the review draws it: on the canvas, toned, about 0 to 1.
    pub predicted: Array2<f32>,
    /// The real picture on the same canvas and scale.
    pub real: Array2<f32>,
    /// 1 where the predicted picture shows a surface whose look is known, else 0.
    pub visible: Array2<f32>,
    /// 1 where the predicted mesh has a depth edge, else 0.
    pub edges: Array2<f32>,
    /// Flow to start from `[2, height, width]`, x then y, px.
    pub carried: Array3<f32>,
    /// The truth `[2, height, width]`, x then y, px: what is at `p` in the predicted picture is at `p + flow` in the
    /// real one. Exact where [`Sample::fate`] is [`Fate::Seen`], known but of no use where the point is hidden, zero
    /// elsewhere.
    pub flow: Array3<f32>,
    /// 1 where the point is seen in the real picture, else 0; 0 also where `visible` is.
    pub present: Array2<f32>,
    /// What became of each point: numbers of [`Fate`].
    pub fate: Array2<u8>,
}

impl Sample {
    /// A part of it with its top-left corner at (`row`, `column`).
    #[must_use]
    pub fn crop(&self, row: usize, column: usize, height: usize, width: usize) -> Self {
        let plane = |a: &Array2<f32>| a.slice(s![row..row + height, column..column + width]).to_owned();
        let planes = |a: &Array3<f32>| a.slice(s![.., row..row + height, column..column + width]).to_owned();
        let [x, y] = self.id.corner;
        Self {
            id: SampleId { corner: [x + column, y + row], ..self.id.clone() },
            taken: self.taken,
            predicted: plane(&self.predicted),
            real: plane(&self.real),
            visible: plane(&self.visible),
            edges: plane(&self.edges),
            carried: planes(&self.carried),
            flow: planes(&self.flow),
            present: plane(&self.present),
            fate: self.fate.slice(s![row..row + height, column..column + width]).to_owned(),
        }
    }

    /// SHA-256 over all planes, hex.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        for plane in [&self.predicted, &self.real, &self.visible, &self.edges, &self.present] {
            plane.iter().for_each(|v| hasher.update(v.to_le_bytes()));
        }
        for planes in [&self.carried, &self.flow] {
            planes.iter().for_each(|v| hasher.update(v.to_le_bytes()));
        }
        self.fate.iter().for_each(|v| hasher.update([*v]));
        hex(&hasher.finalize())
    }
}
