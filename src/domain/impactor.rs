//! The rigid body that hits the structure, where the simulation tells of it.

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
