//! What the product does as a whole, one file a job; the edges (`cli`, `http`) only ask for them.

mod caveats;
mod desk;
mod error;
mod file_source;
mod film_test;
mod leased_work;
mod live_camera;
mod live_film;
mod live_review;
mod live_room;
mod mismatch;
mod note_gain;
mod outline_check;
mod read_upload;
mod receipt;
mod review_pair;
mod review_study;
mod review_test;
mod runner;
mod seed_demo;
mod send_webhook;
mod service_error;
mod study_folder;
mod suggest_change;
mod suggest_error;
mod suggest_review;
mod surrogates;
mod sweep;
mod tolerances;
pub mod views;
mod watched;
mod workshop;

pub use desk::{Desks, Layer, PictureOrder};
pub use error::ReviewError;
pub use file_source::FileSource;
pub use film_test::{FilmError, FilmRequest, Filmed, film_test};
pub use live_camera::{LiveCamera, LiveTarget};
pub use live_room::{LiveStatus, Lives, NewFrame, Room};
pub use note_gain::read_suggestion;
pub use read_upload::{CameraSummary, PartName, SimulationSummary, UNSORTED, stem_of};
pub use receipt::{RECEIPTS_JSONL, ReceiptError, ReceiptVerb, note_receipt, note_suggestion};
pub use review_study::StudyToHear;
pub use review_test::{
    EstimatorChoice, Findings, ReviewRequest, Reviewed, StageProgress, review_test, review_test_showing,
};
pub use runner::start_hands;
pub use seed_demo::{DEMO_CAMPAIGN, play_demo, seed_demo};
pub use send_webhook::signature;
pub use service_error::ServiceError;
pub use suggest_change::{SuggestProgress, SuggestRequest, SuggestTold, Suggested, suggest_change};
pub use suggest_error::SuggestJobError;
pub use suggest_review::receipt_of;
pub use surrogates::Surrogates;
pub use sweep::{sweep_at_start, sweep_beside_work};
pub use tolerances::{ToleranceError, ToleranceRequest};
pub use workshop::{EstimatorMaker, Folders, Workshop, safe_name};
