//! What the first bytes of a file tell while the rest is still on its way: no HDF5 file, a cut one, an open one.
//!
//! Layout of the superblock: HDF5 file format specification, II.A.

/// HDF5's signature.
const SIGNATURE: &[u8; 8] = b"\x89HDF\r\n\x1a\n";
/// Where a superblock is looked for, bytes; further places (4096, 8192, …) are not used in practice.
const PLACES: [usize; 4] = [0, 512, 1024, 2048];
/// The longest superblock that is read here.
const SUPERBLOCK: usize = 96;

/// With so many first bytes (or the whole file, where it is shorter) [`refusal_of_first_bytes`] can be asked.
pub const FIRST_BYTES: usize = PLACES[3] + SUPERBLOCK;

/// Why a file cannot be used, in the parts of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EarlyRefusal {
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: &'static str,
    /// What to do.
    pub advice: &'static str,
}

/// Why a file of `length` bytes that begins with `head` surely cannot be read; `None` while it may be a good one.
#[must_use]
pub fn refusal_of_first_bytes(head: &[u8], length: u64) -> Option<EarlyRefusal> {
    let superblock = PLACES.iter().filter_map(|at| head.get(*at..)).find(|rest| rest.starts_with(SIGNATURE));
    let Some(superblock) = superblock else {
        let begins: Vec<String> = head.iter().take(8).map(|b| format!("{b:02x}")).collect();
        return Some(EarlyRefusal {
            found: format!("no HDF5 signature (it begins with {})", begins.join(" ")),
            expected: "a file in HDF5",
            advice: "check that this is the right file",
        });
    };
    if let Some(end) = end_of_file(superblock).filter(|end| *end > length) {
        return Some(EarlyRefusal {
            found: format!("a file of {length} bytes whose head says that it has {end}"),
            expected: "the whole file",
            advice: "it was cut off before it was sent, or is still being copied: send it when it is whole",
        });
    }
    // Version 3, file consistency flags, bits 0 and 2.
    if superblock.get(8) == Some(&3) && superblock.get(11).is_some_and(|flags| flags & 0b101 != 0) {
        return Some(EarlyRefusal {
            found: "the mark of a file that is open for writing".to_owned(),
            expected: "a finished file",
            advice: "wait until its writer has closed it; where the writer crashed, h5clear -s FILE takes the mark away",
        });
    }
    None
}

/// Length that the file had when it was closed, bytes; `None` where the superblock does not tell.
fn end_of_file(superblock: &[u8]) -> Option<u64> {
    // Before it stand two addresses: the base, and the free space or the extension.
    let (addresses, size_at) = match superblock.get(8)? {
        0 => (24, 13),
        1 => (28, 13),
        2 | 3 => (12, 9),
        _ => return None,
    };
    let size = usize::from(*superblock.get(size_at)?);
    let begin = addresses + 2 * size;
    let bytes = superblock.get(begin..begin + size).filter(|b| (1..=8).contains(&b.len()))?;
    let end = bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    bytes.iter().any(|b| *b != 0xff).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock(version: u8, end: u64) -> Vec<u8> {
        let mut block = vec![0; SUPERBLOCK];
        block[..8].copy_from_slice(SIGNATURE);
        block[8] = version;
        let (addresses, size_at) = if version < 2 { (24, 13) } else { (12, 9) };
        block[size_at] = 8;
        block[addresses + 16..addresses + 24].copy_from_slice(&end.to_le_bytes());
        block
    }

    #[test]
    fn a_whole_file_passes_and_a_cut_one_does_not() {
        for version in [0, 2, 3] {
            assert_eq!(refusal_of_first_bytes(&superblock(version, 4000), 4000), None, "version {version}");
            let told = refusal_of_first_bytes(&superblock(version, 4001), 4000).unwrap();
            assert!(told.found.contains("4001"), "version {version}: {told:?}");
        }
        assert_eq!(refusal_of_first_bytes(&superblock(3, u64::MAX), 10), None, "the address that means none");
        assert_eq!(
            refusal_of_first_bytes(&superblock(9, 4001), 10),
            None,
            "a newer version is for the reader to judge"
        );
    }

    #[test]
    fn a_user_block_is_passed_over_and_what_is_no_hdf5_is_told() {
        let behind = [vec![b'#'; 512], superblock(0, 600)].concat();
        assert_eq!(refusal_of_first_bytes(&behind, 600), None);
        assert!(refusal_of_first_bytes(b"PK\x03\x04", 4).unwrap().found.contains("50 4b 03 04"));
        let mut open = superblock(3, 100);
        open[11] = 5;
        assert!(refusal_of_first_bytes(&open, 100).unwrap().found.contains("open for writing"));
    }
}
