//! Identity of an input: SHA-256 over its bytes.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::error::{IngestError, cannot};

/// SHA-256 of a file's bytes as hex, streamed in 1 MiB blocks.
///
/// A folder's digest runs over the names and contents of its files (and those of its folders), by rising name.
///
/// # Errors
/// [`IngestError::File`] when the file cannot be read.
pub fn digest_sha256(path: &Path) -> Result<String, IngestError> {
    let mut hasher = Sha256::new();
    feed(&mut hasher, path, 0)?;
    let mut hex = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

/// Folders deeper than this are not part of a test (camera folders are one level down).
const MAX_DEPTH: usize = 3;

fn feed(hasher: &mut Sha256, path: &Path, depth: usize) -> Result<(), IngestError> {
    if path.is_dir() {
        if depth > MAX_DEPTH {
            return Ok(());
        }
        let mut entries = fs::read_dir(path)
            .and_then(|list| list.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>())
            .map_err(cannot(path, "list the folder"))?;
        entries.sort();
        for entry in entries {
            hasher.update(entry.file_name().unwrap_or_default().as_encoded_bytes());
            feed(hasher, &entry, depth + 1)?;
        }
        return Ok(());
    }
    let mut file = File::open(path).map_err(cannot(path, "open the file"))?;
    let mut block = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut block).map_err(cannot(path, "read the file"))?;
        if count == 0 {
            return Ok(());
        }
        hasher.update(&block[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_standard() {
        // FIPS 180-2, appendix B.1: "abc".
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("abc");
        fs::write(&path, "abc").expect("write");
        assert_eq!(
            digest_sha256(&path).expect("digest"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(digest_sha256(&dir.path().join("missing")).expect_err("no file").is_input_error());
    }
}
