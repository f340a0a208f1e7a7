//! What the product does as a whole, one file a job; the edges (`cli`, later `http`) only ask for them.

mod caveats;
mod error;
mod file_source;
mod outline_check;
mod review_test;
mod tolerances;
mod watched;

pub use error::ReviewError;
pub use file_source::FileSource;
pub use review_test::{EstimatorChoice, ReviewRequest, Reviewed, StageProgress, review_test};
pub use tolerances::{ToleranceError, ToleranceRequest};
