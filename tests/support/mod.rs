//! Small writers of the formats that the readers read, for tests.

pub(crate) mod plate;
pub(crate) mod program;
pub(crate) mod record_writer;
pub(crate) mod service;
pub(crate) mod vtkhdf_writer;

use std::path::PathBuf;

/// A path below the shared data, or `None` (said aloud) when they are not on this machine.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let full = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    if full.exists() {
        return Some(full);
    }
    skipped(&format!("{} is not on this machine", full.display()));
    None
}

/// Says aloud that a test, or a part of it, is left out.
pub(crate) fn skipped(why: &str) {
    #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
    {
        eprintln!("skipped: {why}");
    }
}
