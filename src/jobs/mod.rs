//! What the product does as a whole, one file a job; the edges (`cli`, later `http`) only ask for them.

mod file_source;
mod review_test;

pub use file_source::FileSource;
pub use review_test::{ReviewError, ReviewRequest, Reviewed, StageProgress, review_test};
