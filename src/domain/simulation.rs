//! What a solver computed: states over time and the record that stands beside them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mesh::Part;

/// The structure at one moment of the simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Simulation time in s.
    pub time_s: f64,
    /// Node positions in mm, world axes, [`Mesh::node_count`](super::Mesh::node_count) long.
    pub positions_mm: Vec<[f32; 3]>,
    /// Plastic strain of each element, when the file has it.
    pub plastic_strain: Option<Vec<f32>>,
    /// `false` where an element has been eroded; `None` when the file knows no erosion.
    pub alive: Option<Vec<bool>>,
}

/// A named input of the simulation, with the range that its study covers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Name as the study calls it.
    pub name: String,
    /// Value of this run, in `unit`.
    pub value: f64,
    /// Unit, as the file says it.
    #[serde(default)]
    pub unit: String,
    /// Value of the nominal design.
    #[serde(default)]
    pub nominal: Option<f64>,
    /// Lower bound of the study.
    #[serde(default)]
    pub lower: Option<f64>,
    /// Upper bound of the study.
    #[serde(default)]
    pub upper: Option<f64>,
    /// `design` or `model`, when the file tells.
    #[serde(default)]
    pub kind: Option<String>,
}

/// A curve over time as the solver wrote it, in the solver's units.
pub type Curve = Vec<f64>;

/// The side-car of a simulation: what the mesh file itself does not say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SimulationRecord {
    /// Family of designs that this run belongs to.
    #[serde(default)]
    pub family: Option<String>,
    /// Unit labels by quantity (`length`, `time`, …) as the file says them.
    #[serde(default)]
    pub units: BTreeMap<String, String>,
    /// The inputs of this run.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// The parts with their names.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// Solver and version.
    #[serde(default)]
    pub solver: Option<String>,
    /// Time histories by name.
    #[serde(default)]
    pub curves: BTreeMap<String, Curve>,
}
