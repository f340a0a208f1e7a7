//! Synthetic films: a simulation run plays the test and is filmed as a test would be.
//!
//! A [`Subject`] (the run) and a [`FilmOrder`] (a seed and what is asked for) give a [`FilmPlan`]: cameras, lamps,
//! coats, surroundings, targets, sensors, and the errors of the record on purpose. Its frames are drawn one at a time
//! with the product's own rasteriser: patterns are functions of the material point (`noise`, `paint`), so that they
//! stick to the sheet; lamps throw soft shadows and folds are dark (`light`, `shade`); a frame is a mean over places
//! within a pixel and over the time that the shutter is open (`shoot`), seen through a lens (`lens`) by a sensor
//! (`sensor`). What was really filmed – positions, poses, trigger – is known exactly.

mod cameras;
mod frame;
mod lens;
mod light;
mod looks;
mod noise;
mod paint;
mod plan;
mod rng;
mod scene;
mod sensor;
mod shade;
mod shoot;
mod solids;
mod subject;
mod surroundings;
mod targets;

pub use cameras::PoseError;
pub use frame::Moment;
pub use lens::Window;
pub use light::{Light, Lit, Stage};
pub use looks::Look;
pub use noise::value_noise as smooth_noise;
pub use paint::{Decal, Mark, Paint, Sticker};
pub use plan::{FilmCamera, FilmOrder, FilmPlan};
pub use rng::Rng;
pub use scene::{Owner, Scene};
pub use sensor::Sensor;
pub use shoot::{SAMPLES, look};
pub use subject::Subject;
