//! The rigid body that hits the structure: what the simulation tells of it, and how far the film shows it.

use serde::{Deserialize, Serialize};

/// A rigid cylinder (a pole, a punch) that the simulation moves along a straight line. It is part of the solver's
/// input, not of the mesh.
#[derive(Debug, Clone, PartialEq)]
pub struct Impactor {
    /// A point of the axis at simulation time 0, mm.
    pub centre_mm: [f64; 3],
    /// Direction of the axis, unit length.
    pub axis: [f64; 3],
    /// Radius, mm.
    pub radius_mm: f64,
    /// Direction of travel, unit length, not along the axis.
    pub direction: [f64; 3],
    /// Simulation times of `travel_mm`, s, rising.
    pub times_s: Vec<f64>,
    /// Way since time 0 along `direction`, mm.
    pub travel_mm: Vec<f64>,
}

/// The simulation's impactor as the film shows it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SeenImpactor {
    /// Its way, by rising film time.
    pub way: Vec<WayPoint>,
    /// Where a cylinder hits; `None` for a wall.
    pub place: Option<ImpactorPlace>,
    /// Normal of a wall toward the structure, unit length, world axes; `None` for a cylinder, and where its edges do not
    /// tell how it leans.
    #[serde(default)]
    pub face: Option<[f64; 3]>,
    /// What is seen of it in the film's first picture; `None` in reviews of an earlier version.
    #[serde(default)]
    pub body: Option<SeenBody>,
}

/// The impactor's body where the film's first picture shows it, seen or not, and from there to the simulation's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeenBody {
    /// Its shape and place.
    pub shape: BodyShape,
    /// From there to where the simulation's touches, mm.
    pub to_contact_mm: [f64; 3],
    /// Direction of travel, unit length.
    pub direction: [f64; 3],
}

/// A rigid body in the world, mm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BodyShape {
    /// A pole or a punch.
    Cylinder {
        /// A point of the axis.
        centre_mm: [f64; 3],
        /// Direction of the axis, unit length.
        axis: [f64; 3],
        /// Radius.
        radius_mm: f64,
        /// Where it begins and ends along the axis, from the centre.
        span_mm: [f64; 2],
    },
    /// A ram or a sled.
    Block {
        /// A point from which its sides are told.
        origin_mm: [f64; 3],
        /// Directions of its edges, unit length, at right angles.
        axes: [[f64; 3]; 3],
        /// Where it begins along each axis, from the origin.
        low_mm: [f64; 3],
        /// Where it ends.
        high_mm: [f64; 3],
    },
}

/// Where a cylinder is beside its way.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ImpactorPlace {
    /// Unit vector across its axis and its way, world axes.
    pub across: [f64; 3],
    /// Where its axis is along that vector, mm.
    pub at_mm: f64,
}

/// How far the film's impactor has come at one film time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WayPoint {
    /// Film time, s.
    pub time_s: f64,
    /// Way along the direction of the simulation's impactor since it touched, mm; negative before.
    pub way_mm: f64,
    /// 1-sigma of it, mm: most of it is a share that all film times have in common.
    pub sigma_mm: f64,
    /// Way of the simulation's impactor since it touched, mm; `None` in reviews of an earlier version.
    #[serde(default)]
    pub simulated_mm: Option<f64>,
}

/// A rigid plane that the simulation moves along a straight line against the structure.
#[derive(Debug, Clone, PartialEq)]
pub struct RigidWall {
    /// A point of the plane at simulation time 0, mm.
    pub point_mm: [f64; 3],
    /// Its normal toward the structure, unit length.
    pub normal: [f64; 3],
    /// Direction of travel, unit length.
    pub direction: [f64; 3],
    /// Simulation times of `travel_mm`, s, rising.
    pub times_s: Vec<f64>,
    /// Way since time 0 along `direction`, mm.
    pub travel_mm: Vec<f64>,
}
