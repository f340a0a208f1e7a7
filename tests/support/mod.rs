//! Small writers of the formats that the readers read, for tests.

pub(crate) mod plate;
pub(crate) mod program;
pub(crate) mod record_writer;
pub(crate) mod vtkhdf_writer;

use std::path::PathBuf;

/// A path below the shared data, or `None` (said aloud) when they are not on this machine.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let full = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if full.exists() {
        return Some(full);
    }
    #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
    {
        eprintln!("skipped: {} is not on this machine", full.display());
    }
    None
}
