//! How much a file may ask for. Every size is compared with these before memory is taken.

use std::path::Path;

use super::error::IngestError;

/// Largest single window (rows of one dataset, or one picture) that is read at once, bytes.
///
/// A 10 M-element run has windows of about 0.6 GiB (64-bit connectivity), so four times that is room enough.
pub const MAX_WINDOW_BYTES: u64 = 4 << 30;

/// Largest chunk that the library may have to unpack for a window, bytes (uncompressed).
pub const MAX_CHUNK_BYTES: u64 = 2 << 30;

/// A window above this size must have plausible storage behind it, bytes.
const BOMB_FLOOR_BYTES: u64 = 64 << 20;

/// Highest believable ratio of unpacked to stored bytes.
///
/// Deflate cannot exceed 1032 (RFC 1951's longest match); zstd reaches some 10 000 on constant pictures.
const MAX_RATIO: u64 = 20_000;

/// Largest side-car, bytes.
pub(crate) const MAX_SIDECAR_BYTES: u64 = 64 << 20;

/// Coordinates beyond this are absurd for a crash structure, mm (10 km).
pub const MAX_COORDINATE_MM: f64 = 1e7;

/// Times beyond this are absurd for a film that is counted from its trigger, s (a day).
pub(crate) const MAX_TIME_S: f64 = 86_400.0;

/// Most links of one group, steps of one run, pieces of one step: lists that are kept in memory.
pub(crate) const MAX_LIST: usize = 10_000_000;

/// Bytes that a compressed dataset stores beside its declared size.
pub(crate) struct Extent<'a> {
    /// The file.
    pub(crate) file: &'a Path,
    /// The dataset.
    pub(crate) place: &'a str,
    /// Declared size of the whole dataset, bytes.
    pub(crate) declared_bytes: u64,
    /// Bytes that the file keeps for it.
    pub(crate) stored_bytes: u64,
    /// Declared size of one chunk, bytes; 0 when not chunked.
    pub(crate) chunk_bytes: u64,
}

/// Refuses a dataset whose declared size nothing backs, and chunks too large to unpack.
///
/// # Errors
/// [`IngestError::Refused`] with both sizes.
pub(crate) fn check_extent(extent: &Extent<'_>) -> Result<(), IngestError> {
    let Extent { file, place, declared_bytes, stored_bytes, chunk_bytes } = *extent;
    if chunk_bytes > MAX_CHUNK_BYTES {
        return Err(IngestError::refused(
            file,
            place,
            format_args!("chunks of {}", bytes(chunk_bytes)),
            format_args!("at most {} a chunk", bytes(MAX_CHUNK_BYTES)),
            "write the dataset with smaller chunks, for example one frame or one state each",
        ));
    }
    if declared_bytes > BOMB_FLOOR_BYTES && stored_bytes.saturating_mul(MAX_RATIO) < declared_bytes {
        return Err(IngestError::refused(
            file,
            place,
            format_args!("a claim of {} backed by {} in the file", bytes(declared_bytes), bytes(stored_bytes)),
            format_args!("at least 1/{MAX_RATIO} of the claimed size to be stored"),
            "the file is incomplete or hostile, write it anew",
        ));
    }
    Ok(())
}

/// Refuses a window that would not fit into memory.
///
/// # Errors
/// [`IngestError::Refused`] with the size.
pub(crate) fn check_window(file: &Path, place: &str, items: usize, item_bytes: usize) -> Result<(), IngestError> {
    let wanted = (items as u64).saturating_mul(item_bytes as u64);
    if wanted <= MAX_WINDOW_BYTES {
        return Ok(());
    }
    Err(IngestError::refused(
        file,
        place,
        format_args!("{items} values in one window, {}", bytes(wanted)),
        format_args!("at most {}", bytes(MAX_WINDOW_BYTES)),
        "split the model, or leave out what the cameras cannot see",
    ))
}

/// `count` bytes, for people.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(declared_bytes: u64, stored_bytes: u64, chunk_bytes: u64) -> Result<(), IngestError> {
        check_extent(&Extent { file: Path::new("f"), place: "d", declared_bytes, stored_bytes, chunk_bytes })
    }

    #[test]
    fn a_claim_without_storage_is_a_bomb() {
        assert!(extent(8_000_000_000, 0, 1 << 20).is_err());
        assert!(extent(8_000_000_000, 100_000, 1 << 20).is_err());
    }

    #[test]
    fn a_well_compressed_film_is_not_a_bomb() {
        // 300 MB of constant pictures under deflate: about 1/1000.
        assert!(extent(300_000_000, 300_000, 300_000).is_ok());
        // Small datasets may be empty: the fill value stands for them.
        assert!(extent(1_000_000, 0, 1_000).is_ok());
    }

    #[test]
    fn a_giant_chunk_is_refused_even_when_stored() {
        assert!(extent(1 << 33, 1 << 32, 1 << 33).is_err());
    }
}
