//! What the review says to the engineer: here, from then on, by this many mm.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mesh::PartId;

/// Number of a flag in its review; 0 means "no flag" in the field files, so ids start at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FlagId(pub u32);

/// How sure the review is that there is something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The deviation exceeds the tolerance with the wanted confidence.
    Mismatch,
    /// The doubt is larger than the tolerance: the film cannot decide.
    CannotTell,
}

/// What the deviation looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagKind {
    /// The part is displaced or turned as a whole.
    RigidMotion,
    /// The part has another shape.
    Deformation,
    /// Both matter.
    Mixed,
    /// Nothing could be measured there.
    NotObserved,
}

impl FlagKind {
    /// What people call it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::RigidMotion => "rigid motion",
            Self::Deformation => "deformation",
            Self::Mixed => "mixed",
            Self::NotObserved => "not observed",
        }
    }
}

/// Pixels that a flag covers, inclusive, in the camera's own (distorted) picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundingBox {
    /// Left column.
    pub x0: i32,
    /// Top row.
    pub y0: i32,
    /// Right column.
    pub x1: i32,
    /// Bottom row.
    pub y1: i32,
}

/// One connected mismatch of one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// Number in the review, from 1.
    pub id: FlagId,
    /// The part.
    pub part_id: PartId,
    /// The part's name.
    pub part_name: String,
    /// Cameras that measured some of it at some time; none where it follows from its surroundings alone.
    pub cameras: Vec<String>,
    /// First film time at which it covers 5 % of its part's elements in view, s; its first elements are flagged earlier. Of
    /// a flag that never does, the first film time.
    pub onset_s: f64,
    /// Film time at which it is largest, s.
    pub peak_s: f64,
    /// Largest deviation (95th percentile over the flagged nodes at the peak), mm.
    pub peak_mm: f64,
    /// 1-sigma of `peak_mm`, mm.
    pub peak_sigma_mm: f64,
    /// Area of the flagged elements at the peak, mm².
    pub area_mm2: f64,
    /// What it looks like.
    pub kind: FlagKind,
    /// Probability that the deviation exceeds the tolerance.
    pub probability: f64,
    /// Mismatch, or "cannot tell".
    pub verdict: Verdict,
    /// Indices of the elements that belong to it at any time.
    pub element_ids: Vec<u32>,
    /// Where it is in the pictures: camera → frame index → box. What an impactor or a fold hides has its box where it
    /// would appear without them: whether a camera saw it say `cameras` and `observed_share`.
    pub bbox_px: BTreeMap<String, BTreeMap<usize, BoundingBox>>,
    /// Share of its elements, over its film times, that a camera measured, 0–1. The rest follows from its surroundings,
    /// from contact with the impactor and from the study. `None` in reviews of an earlier version.
    #[serde(default)]
    pub observed_share: Option<f64>,
}

impl Flag {
    /// What to say of a flag that no camera ever saw any of.
    pub const UNSEEN: &'static str =
        "not seen by any camera: follows from its surroundings, and the study where one was heard";

    /// True where no camera ever measured any of it.
    #[must_use]
    pub fn is_unseen(&self) -> bool {
        self.observed_share == Some(0.0)
    }
}
