//! Which cameras measured what at one moment.

use std::sync::Arc;

use super::controls::Controls;

/// The cameras that measured each node or, on a fine mesh, its surroundings.
#[derive(Debug, Clone)]
pub struct SeenBy {
    controls: Arc<Controls>,
    /// One entry an unknown, one bit a camera; the last bit stands for all cameras from the 64th on.
    masks: Vec<u64>,
}

impl SeenBy {
    pub(super) fn new(controls: Arc<Controls>, masks: Vec<u64>) -> Self {
        Self { controls, masks }
    }

    /// The cameras that measured a node, one bit each by their index.
    #[must_use]
    pub fn cameras(&self, node: usize) -> u64 {
        self.controls.nearest(node).map_or(0, |unknown| self.masks[unknown])
    }
}
