//! A study: simulations of one design that differ in named parameters.

use serde::{Deserialize, Serialize};

use super::mesh::Part;

/// The unit as it follows a number, a blank before it; nothing where the files say that there is none.
#[must_use]
pub fn written_unit(unit: &str) -> String {
    match unit {
        "" | "-" | "1" => String::new(),
        unit => format!(" {unit}"),
    }
}

/// A parameter that a study varies, with its bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyParameter {
    /// Name as the study calls it.
    pub name: String,
    /// Unit, as the files say it.
    pub unit: String,
    /// Lower bound, in `unit`.
    pub lower: f64,
    /// Upper bound, in `unit`; above `lower`.
    pub upper: f64,
    /// Value of the nominal design, when the files tell.
    pub nominal: Option<f64>,
    /// `design` or `model`, when the files tell.
    pub kind: Option<String>,
}

impl StudyParameter {
    /// Where `value` lies between the bounds: 0 at the lower, 1 at the upper one.
    #[must_use]
    pub fn share_of(&self, value: f64) -> f64 {
        (value - self.lower) / (self.upper - self.lower)
    }

    /// The value at `share` of the range, in `unit`.
    #[must_use]
    pub fn value_at(&self, share: f64) -> f64 {
        self.lower + share * (self.upper - self.lower)
    }
}

/// One simulation of a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyRun {
    /// Name: the file's name without its ending.
    pub name: String,
    /// The file.
    pub file: String,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Its parameters in the study's order, each in its unit.
    pub values: Vec<f64>,
    /// Its impactor, where its record tells of one.
    pub impactor: Option<RunImpactor>,
}

/// What a run's record tells of its impactor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunImpactor {
    /// Simulation times of `travel_mm`, s, rising.
    pub times_s: Vec<f64>,
    /// Way since time 0, mm.
    pub travel_mm: Vec<f64>,
    /// A point of a cylinder's axis at time 0, mm; `None` for a wall.
    pub centre_mm: Option<[f64; 3]>,
    /// Normal of a wall toward the structure, unit length; `None` for a cylinder.
    pub face: Option<[f64; 3]>,
}

/// A simulation that was found but does not belong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefusedRun {
    /// Name: the file's name without its ending.
    pub name: String,
    /// What was found, what was expected, where.
    pub reason: String,
}

/// What is known of a study without its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Study {
    /// What is varied.
    pub parameters: Vec<StudyParameter>,
    /// The runs that belong, in the order of their names.
    pub runs: Vec<StudyRun>,
    /// The runs that do not, with the reason.
    pub refused: Vec<RefusedRun>,
    /// Times of the common grid, s, rising: those of the first run, as far as all runs go.
    pub times_s: Vec<f64>,
    /// Nodes of each run.
    pub node_count: usize,
    /// The parts.
    pub parts: Vec<Part>,
    /// The part of each node, as an index into `parts`; a node of several parts belongs to the first one that names it.
    pub part_of_node: Vec<u16>,
    /// Whether the undeformed shape differs from run to run.
    pub rest_differs: bool,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

impl Study {
    /// The parameters of run `run` as shares of their ranges.
    #[must_use]
    pub fn shares_of(&self, run: usize) -> Vec<f64> {
        self.parameters.iter().zip(&self.runs[run].values).map(|(p, v)| p.share_of(*v)).collect()
    }

    /// The shares of all runs.
    #[must_use]
    pub fn shares(&self) -> Vec<Vec<f64>> {
        (0..self.runs.len()).map(|run| self.shares_of(run)).collect()
    }
}
