//! Files become the domain: simulations, test records, pictures. Units are converted here and nowhere else.
//!
//! Every reader goes walk (names and extents only) → plan (every check that can refuse) → read (one window at a
//! time), so a 10 GB film or a run of 10 M elements never sits in memory whole. Files come from outside: sizes are
//! computed with checked arithmetic and compared with what the file really holds before memory is taken
//! ([`limits`]), nothing may lead into another file, and [`probe`] tries a file in a process of its own, because the
//! HDF5 library is not memory-safe.

mod digest;
mod error;
mod filters;
mod first_bytes;
mod hdf5_read;
pub mod limits;
pub mod probe;
mod record;
mod review_folder;
mod sidecar;
mod states;
mod study;
mod szip;
mod units;
mod vtkhdf;

pub use digest::digest_sha256;
pub use error::IngestError;
pub use first_bytes::{EarlyRefusal, FIRST_BYTES, refusal_of_first_bytes};
pub use record::{GrowingFilm, TestFile, read_picture};
pub use review_folder::ReviewFolder;
pub use states::SimulationStates;
pub use study::{PlannedRuns, StudyFile, StudyProgress, StudyRequest, TryFile, read_planned_runs};
pub use vtkhdf::{SimulationFile, SimulationOptions};

/// Files are read from several threads (the HDF5 library is locked inside); this keeps them fit for it.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<SimulationFile>();
    shared::<TestFile>();
    shared::<IngestError>();
};
