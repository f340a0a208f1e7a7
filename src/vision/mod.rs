//! Pictures against pictures: what the camera would show if the simulation were right, and what it shows instead.

mod error;
mod flow;
mod light;
mod outline;
mod patch;
mod picture;
mod predict;
mod shown;
mod window;

pub use error::VisionError;
pub use flow::{DenseResidual, DenseStart, DisFlow, PicturePair, ResidualEstimator, keep_to_calling_threads};
pub use light::relight;
pub use outline::{OutlineOptions, Prominence, edge_across, outline_prominence, outline_sightings};
pub use patch::{PatchMatch, PatchMatcher};
pub use picture::{Paint, Tone, canvas_picture, local_contrast, sample_bicubic};
pub use predict::{Appearance, Predicted, Support, blend, is_visible, predict};
pub use shown::{RigidBody, shown_to_people};
pub use window::Window;
