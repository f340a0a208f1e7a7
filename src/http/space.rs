//! Room on the service's disk: what is kept for the database, so that a full disk can still be told of and cleared.

use std::path::Path;

use axum::http::StatusCode;

use super::problem::Problem;

/// Uploads leave so much, bytes: enough for the database to note what is taken back.
const RESERVE: u64 = 64 << 20;

/// Bytes that the disk of `folder` has free for us; `None` where the system does not tell.
pub(super) fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Refuses what the disk of `folder` cannot take beside the reserve.
///
/// # Errors
/// 507 with what is free and what was expected.
pub(super) fn check_room(folder: &Path, bytes: u64) -> Result<(), Problem> {
    match free_bytes(folder) {
        Some(free) if free < bytes.saturating_add(RESERVE) => Err(full(free, bytes)),
        _ => Ok(()),
    }
}

fn full(free: u64, bytes: u64) -> Problem {
    let mib = |b: u64| b >> 20;
    let what = format!(
        "the disk of the service has {} MiB free, expected {} MiB for this and {} MiB of reserve: take back what is not \
         needed, or give it a larger disk",
        mib(free),
        mib(bytes),
        mib(RESERVE)
    );
    Problem::new(StatusCode::INSUFFICIENT_STORAGE, "full", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_disk_cannot_take_is_refused_with_both_numbers() {
        let here = std::env::temp_dir();
        let free = free_bytes(&here).expect("the system tells");
        assert!(check_room(&here, 0).is_ok() || free < RESERVE);
        let problem = check_room(&here, u64::MAX / 2).expect_err("no disk is so large");
        assert_eq!(problem.status, StatusCode::INSUFFICIENT_STORAGE);
        assert!(problem.detail.contains("MiB free") && problem.detail.contains("reserve"), "{}", problem.detail);
    }
}
