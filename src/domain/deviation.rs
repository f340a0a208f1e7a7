//! The measured field: test minus simulation, node by node.

/// Deviation of every node at one film time.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameField {
    /// Film time in s after the trigger.
    pub time_s: f64,
    /// Test minus simulation in mm, world axes; minimum-norm where one camera of several sees the node, at the simulation's
    /// depth in a film of one camera; NaN if not known well enough. A node that no camera sees is told of where its measured
    /// surroundings fix it.
    pub deviation_mm: Vec<[f32; 3]>,
    /// 1-sigma of the observable part of the deviation, mm; NaN where the deviation is.
    pub sigma_mm: Vec<f32>,
    /// How many cameras measured the node in this frame.
    pub observed: Vec<u8>,
}

impl FrameField {
    /// Length of the deviation at `node` in mm; NaN if not observed.
    #[must_use]
    pub fn magnitude_mm(&self, node: usize) -> f32 {
        let [x, y, z] = self.deviation_mm[node];
        (x * x + y * y + z * z).sqrt()
    }
}
