//! Training samples from pairs of simulation runs: run A predicts, run B is filmed.
//!
//! A sample goes the product's own way: the film of B (`crate::film`) is read as a camera's record, frame 0 and the
//! frame are brought to the canvas at the estimated pose and toned as the review does, and `vision::predict` draws the
//! predicted picture from mesh A, with a pose, a trigger and a carried deviation that are a little wrong. The truth is
//! exact (`truth`). [`PairStream`] draws samples when they are asked for; nothing is stored.
//!
//! ```no_run
//! use crumple::train::films::{FilmSettings, PairStream, Split};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let stream = PairStream::open(&["study/crash_box".into()], FilmSettings::default(), 7)?;
//! for sample in stream.group(Split::Train, 0, 4)? {
//!     println!("{:?}: {} pixels seen", sample.id, sample.present.sum());
//! }
//! # Ok(())
//! # }
//! ```

mod episode;
mod filmed;
mod sample;
mod settings;
mod stream;
mod study;
mod truth;

pub use sample::{Fate, Sample, SampleId, Start, Taken};
pub use settings::{FilmSettings, Region};
pub use stream::{Extent, PairStream};
pub use study::Split;
