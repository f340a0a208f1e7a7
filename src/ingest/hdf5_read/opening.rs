//! Why a file does not open: it is no HDF5 file, somebody still writes it, or it is damaged.

use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::ingest::error::IngestError;
use crate::ingest::limits;

/// Why the library did not open a file that is there.
pub(super) fn why_not_opened(path: &Path, size: u64, source: hdf5::Error) -> IngestError {
    let being_written = |found: &str, advice: &str| {
        IngestError::refused(path, "file", found, "a finished file that nobody has open for writing", advice)
    };
    let Some(offset) = signature_offset(path) else {
        return IngestError::refused(
            path,
            "file",
            format_args!("{} without an HDF5 signature", limits::bytes(size)),
            "an HDF5 file",
            "check the path; a download that was cut off or a Git LFS pointer looks like this",
        );
    };
    if is_locked(path) {
        return being_written(
            "a lock that another program holds on it (flock)",
            "wait until the solver, recorder or viewer that writes it has closed it, or review a copy; where the lock \
             is left over from a file server, set HDF5_USE_FILE_LOCKING=FALSE",
        );
    }
    if is_marked_as_open(path, offset) {
        return being_written(
            "the mark of a file that is open for writing (file consistency flags)",
            "wait until its writer has closed it; where the writer crashed, h5clear -s FILE takes the mark away",
        );
    }
    IngestError::Hdf5 { file: path.to_owned(), place: "file".to_owned(), doing: "open it", source }
}

/// True when another program holds the lock with which the HDF5 library keeps readers out.
fn is_locked(path: &Path) -> bool {
    // The lock goes with the handle.
    std::fs::File::open(path).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// True when a superblock of version 3 says that a writer has the file open (format spec. II.A, bits 0 and 2).
fn is_marked_as_open(path: &Path, signature: u64) -> bool {
    let mut head = [0; 12];
    let read = std::fs::File::open(path)
        .and_then(|mut file| file.seek(SeekFrom::Start(signature)).and_then(|_| file.read_exact(&mut head)));
    read.is_ok() && head[8] == 3 && head[11] & 0b101 != 0
}

/// True when the file has HDF5's signature.
pub(crate) fn has_signature(path: &Path) -> bool {
    signature_offset(path).is_some()
}

/// Where HDF5's signature stands: at 0 or behind a user block (512, 1024, … bytes; format spec. II.A).
fn signature_offset(path: &Path) -> Option<u64> {
    let mut file = std::fs::File::open(path).ok()?;
    let mut offset = 0_u64;
    while offset <= 1 << 24 {
        let mut head = [0; 8];
        file.seek(SeekFrom::Start(offset)).ok()?;
        file.read_exact(&mut head).ok()?;
        if head == *b"\x89HDF\r\n\x1a\n" {
            return Some(offset);
        }
        offset = if offset == 0 { 512 } else { offset * 2 };
    }
    None
}
