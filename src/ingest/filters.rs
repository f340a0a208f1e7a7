//! Decoders that HDF5 does not bring along: SZIP (4), LZ4 (32004), bitshuffle (32008) and Zstandard (32015).
//!
//! Blosc and LZF are registered by the HDF5 binding. All decoders here are written from the public descriptions of
//! the formats in the HDF Group's registered-filters list; they only decode.

use std::ffi::{c_int, c_uint, c_void};
use std::path::Path;

use hdf5_sys::h5z::{H5Z_FLAG_REVERSE, H5Z_class2_t};

use super::error::IngestError;
use super::limits::MAX_CHUNK_BYTES;
use super::szip;

const SZIP_ID: c_int = 4;
const LZ4_ID: c_int = 32004;
const BITSHUFFLE_ID: c_int = 32008;
const ZSTD_ID: c_int = 32015;

/// A decoder: parameters of the dataset, packed bytes, unpacked bytes; `None` for data that it cannot decode.
type Decode = fn(&[c_uint], &[u8]) -> Option<Vec<u8>>;

#[expect(unsafe_code, reason = "filters are a C interface")]
unsafe extern "C" {
    /// The library's own way to register a filter (H5Zprivate.h). The public `H5Zregister` is the same call behind a
    /// check that the number is not one of the built-in filters, of which SZIP (4) is one that the static build
    /// leaves out. The library is linked statically, so a version without this symbol fails to link.
    fn H5Z_register(class: *const H5Z_class2_t) -> c_int;
}

/// Registers the decoders with the library; harmless when they are registered already.
#[expect(unsafe_code, reason = "filters are a C interface")]
pub(crate) fn register() {
    let classes = [
        (LZ4_ID, c"LZ4 (decode only)", lz4_filter as Callback),
        (BITSHUFFLE_ID, c"bitshuffle (decode only)", bitshuffle_filter as Callback),
        (ZSTD_ID, c"Zstandard (decode only)", zstd_filter as Callback),
        (SZIP_ID, c"SZIP (decode only)", szip_filter as Callback),
    ];
    hdf5::sync::sync(|| {
        for (id, name, filter) in classes {
            let class = H5Z_class2_t {
                version: 1,
                id,
                encoder_present: 0,
                decoder_present: 1,
                name: name.as_ptr(),
                can_apply: None,
                set_local: None,
                filter: Some(filter),
            };
            // SAFETY: the class is valid for the call, which copies it; its name and callback live for ever. The
            // lock is held, and the public calls before the private one have initialised the library.
            let status = unsafe {
                if id == SZIP_ID {
                    H5Z_register(&raw const class)
                } else {
                    hdf5_sys::h5z::H5Zregister((&raw const class).cast())
                }
            };
            if status < 0 {
                tracing::warn!(filter = id, "the HDF5 library refused a decoder; such files cannot be read");
            }
        }
    });
}

/// Refuses a dataset that needs a decoder which is not here.
///
/// # Errors
/// [`IngestError::Refused`] naming the filters.
#[expect(unsafe_code, reason = "the safe binding panics on filters with more than 32 parameters")]
pub(crate) fn check_available(file: &Path, place: &str, plist: &hdf5::plist::DatasetCreate) -> Result<(), IngestError> {
    let missing = hdf5::sync::sync(|| {
        let mut missing = Vec::new();
        // SAFETY: the property list is alive and the lock is held; a count of 0 parameters and names of 0 bytes
        // leave all other pointers unused, as the library's manual says.
        unsafe {
            let count = hdf5_sys::h5p::H5Pget_nfilters(plist.id());
            for index in 0..c_uint::try_from(count).unwrap_or(0) {
                let mut flags = 0;
                let mut parameters = 0;
                let id = hdf5_sys::h5p::H5Pget_filter2(
                    plist.id(),
                    index,
                    &raw mut flags,
                    &raw mut parameters,
                    std::ptr::null_mut(),
                    0,
                    std::ptr::null_mut(),
                    std::ptr::null_mut(),
                );
                if id < 0 || hdf5_sys::h5z::H5Zfilter_avail(id) <= 0 {
                    missing.push(id);
                }
            }
        }
        missing
    });
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing.iter().map(|id| filter_name(*id)).collect();
    Err(IngestError::refused(
        file,
        place,
        format_args!("compression that cannot be decoded here: {}", names.join(", ")),
        "gzip, szip, shuffle, fletcher32, nbit, scale-offset, lzf, blosc, lz4, zstd or bitshuffle",
        "repack the file, for example: h5repack -f GZIP=4 IN OUT",
    ))
}

fn filter_name(id: c_int) -> String {
    match id {
        307 => "bzip2 (filter 307)".to_owned(),
        32013 => "zfp (filter 32013)".to_owned(),
        32026 => "blosc2 (filter 32026)".to_owned(),
        id if id < 0 => "an unreadable filter entry".to_owned(),
        id => format!("filter {id}"),
    }
}

type Callback = unsafe extern "C" fn(c_uint, usize, *const c_uint, usize, *mut usize, *mut *mut c_void) -> usize;

macro_rules! callback {
    ($name:ident, $decode:path) => {
        #[expect(unsafe_code, reason = "called by the C library")]
        unsafe extern "C" fn $name(
            flags: c_uint,
            parameter_count: usize,
            parameters: *const c_uint,
            byte_count: usize,
            buffer_bytes: *mut usize,
            buffer: *mut *mut c_void,
        ) -> usize {
            // SAFETY: the library passes the pointers that H5Z_func_t promises.
            unsafe { apply($decode, flags, (parameters, parameter_count), byte_count, buffer_bytes, buffer) }
        }
    };
}

callback!(szip_filter, szip::decode);
callback!(lz4_filter, decode_lz4);
callback!(bitshuffle_filter, decode_bitshuffle);
callback!(zstd_filter, decode_zstd);

/// The C side of every decoder: unpack, swap the buffer; 0 means failure.
///
/// # Safety
/// `parameters` must hold its count of values, `buffer` must point to a buffer of the library's allocator with at
/// least `byte_count` bytes, `buffer_bytes` to its size.
#[expect(unsafe_code, reason = "called by the C library")]
unsafe fn apply(
    decode: Decode,
    flags: c_uint,
    parameters: (*const c_uint, usize),
    byte_count: usize,
    buffer_bytes: *mut usize,
    buffer: *mut *mut c_void,
) -> usize {
    if flags & H5Z_FLAG_REVERSE == 0 {
        return 0;
    }
    // SAFETY: see the function's contract; the slices are not kept.
    let (parameters, packed) = unsafe {
        let values: &[c_uint] = if parameters.0.is_null() || parameters.1 == 0 {
            &[]
        } else {
            std::slice::from_raw_parts(parameters.0, parameters.1)
        };
        (values, std::slice::from_raw_parts((*buffer).cast::<u8>().cast_const(), byte_count))
    };
    // A panic must not cross the C frames.
    let Ok(Some(unpacked)) = std::panic::catch_unwind(|| decode(parameters, packed)) else { return 0 };
    if unpacked.is_empty() {
        return 0;
    }
    // SAFETY: the new buffer comes from the library's allocator, as it demands, and is large enough; the old one
    // is the library's and is given back exactly once.
    unsafe {
        let new = hdf5_sys::h5::H5allocate_memory(unpacked.len(), 0);
        if new.is_null() {
            return 0;
        }
        std::ptr::copy_nonoverlapping(unpacked.as_ptr(), new.cast::<u8>(), unpacked.len());
        hdf5_sys::h5::H5free_memory(*buffer);
        *buffer = new;
        *buffer_bytes = unpacked.len();
    }
    unpacked.len()
}

/// Takes `N` bytes from the front.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, tail) = bytes.split_at_checked(count)?;
    *bytes = tail;
    Some(head)
}

fn take_u64(bytes: &mut &[u8]) -> Option<usize> {
    let value = u64::from_be_bytes(take(bytes, 8)?.try_into().ok()?);
    (value <= MAX_CHUNK_BYTES).then_some(value as usize)
}

fn take_u32(bytes: &mut &[u8]) -> Option<usize> {
    Some(u32::from_be_bytes(take(bytes, 4)?.try_into().ok()?) as usize)
}

/// LZ4 as HDF5 filter 32004: size (8 bytes, big-endian), block size (4), then each block with its packed size (4);
/// a block whose packed size equals its size is stored as it is.
fn decode_lz4(_parameters: &[c_uint], packed: &[u8]) -> Option<Vec<u8>> {
    let mut rest = packed;
    let total = take_u64(&mut rest)?;
    let block = take_u32(&mut rest)?.clamp(1, total.max(1));
    let mut unpacked = Vec::new();
    while unpacked.len() < total {
        let size = block.min(total - unpacked.len());
        let packed_size = take_u32(&mut rest)?;
        let source = take(&mut rest, packed_size)?;
        if packed_size == size {
            unpacked.extend_from_slice(source);
        } else {
            let piece = lz4_flex::block::decompress(source, size).ok()?;
            (piece.len() == size).then(|| unpacked.extend_from_slice(&piece))?;
        }
    }
    Some(unpacked)
}

/// Zstandard as HDF5 filter 32015: one frame (RFC 8878).
fn decode_zstd(_parameters: &[c_uint], packed: &[u8]) -> Option<Vec<u8>> {
    use std::io::Read as _;
    let mut unpacked = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(packed).ok()?;
    decoder.take(MAX_CHUNK_BYTES + 1).read_to_end(&mut unpacked).ok()?;
    (unpacked.len() as u64 <= MAX_CHUNK_BYTES).then_some(unpacked)
}

/// Bitshuffle as HDF5 filter 32008; parameters: version, version, element size, block size in elements, compression
/// (0 none, 2 LZ4, 3 Zstandard).
///
/// Packed data start with size (8 bytes, big-endian) and block size in bytes (4); then each block with its packed
/// size (4); what is left beyond a multiple of eight elements follows as it is.
fn decode_bitshuffle(parameters: &[c_uint], packed: &[u8]) -> Option<Vec<u8>> {
    let element = *parameters.get(2)? as usize;
    let elements = parameters.get(3).copied().unwrap_or(0) as usize;
    let compression = parameters.get(4).copied().unwrap_or(0);
    if element == 0 || element > 1024 {
        return None;
    }
    let mut rest = packed;
    let (total, block) = if compression == 0 {
        (packed.len(), element.checked_mul(if elements == 0 { default_block(element) } else { elements })?)
    } else {
        (take_u64(&mut rest)?, take_u32(&mut rest)?)
    };
    let group = element * 8;
    if block == 0 || block % group != 0 {
        return None;
    }
    let mut unpacked = Vec::new();
    while total - unpacked.len() >= group {
        let left = total - unpacked.len();
        let size = block.min(left - left % group);
        let planes = match compression {
            0 => take(&mut rest, size)?.to_vec(),
            2 | 3 => {
                let packed_size = take_u32(&mut rest)?;
                let source = take(&mut rest, packed_size)?;
                if compression == 2 {
                    lz4_flex::block::decompress(source, size).ok()?
                } else {
                    zstd::bulk::decompress(source, size).ok()?
                }
            }
            _ => return None,
        };
        (planes.len() == size).then(|| unpack_bits(&planes, element, &mut unpacked))?;
    }
    unpacked.extend_from_slice(take(&mut rest, total - unpacked.len())?);
    Some(unpacked)
}

/// Bitshuffle's own block size in elements: about 8 KiB, at least 128, a multiple of 8.
fn default_block(element: usize) -> usize {
    (8192 / element / 8 * 8).max(128)
}

/// Turns bit planes back into elements: plane `8 j + k` holds bit `k` of byte `j` of every element.
fn unpack_bits(planes: &[u8], element: usize, unpacked: &mut Vec<u8>) {
    let count = planes.len() / element;
    let plane_bytes = count / 8;
    let start = unpacked.len();
    unpacked.resize(start + planes.len(), 0);
    let target = &mut unpacked[start..];
    for j in 0..element {
        for k in 0..8 {
            let plane = &planes[(8 * j + k) * plane_bytes..][..plane_bytes];
            for (byte, bits) in plane.iter().enumerate() {
                for i in 0..8 {
                    target[(8 * byte + i) * element + j] |= ((bits >> i) & 1) << k;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bit planes of `elements`, by the definition, one bit at a time.
    fn planes_of(bytes: &[u8], element: usize) -> Vec<u8> {
        let count = bytes.len() / element;
        let mut planes = vec![0; bytes.len()];
        for bit in 0..8 * element {
            for i in 0..count {
                let value = (bytes[i * element + bit / 8] >> (bit % 8)) & 1;
                let at = bit * count + i;
                planes[at / 8] |= value << (at % 8);
            }
        }
        planes
    }

    #[test]
    fn bits_come_back_in_their_places() {
        let bytes: Vec<u8> = (0..16 * 4).map(|i| (i * 37 % 251) as u8).collect();
        let mut back = Vec::new();
        unpack_bits(&planes_of(&bytes, 4), 4, &mut back);
        assert_eq!(back, bytes);
    }

    #[test]
    fn an_uncompressed_bitshuffle_chunk_keeps_its_odd_tail() {
        let bytes: Vec<u8> = (0..19 * 2).map(|i| (i * 53 % 255) as u8).collect();
        let mut packed = planes_of(&bytes[..32], 2);
        packed.extend_from_slice(&bytes[32..]);
        assert_eq!(decode_bitshuffle(&[0, 4, 2, 16, 0], &packed), Some(bytes));
    }

    #[test]
    fn lz4_blocks_that_are_not_packed_are_copied() {
        let mut packed = 5_u64.to_be_bytes().to_vec();
        packed.extend(4_u32.to_be_bytes());
        packed.extend(4_u32.to_be_bytes());
        packed.extend(b"abcd");
        packed.extend(1_u32.to_be_bytes());
        packed.extend(b"e");
        assert_eq!(decode_lz4(&[], &packed).as_deref(), Some(b"abcde".as_slice()));
    }

    #[test]
    fn cut_off_and_boastful_chunks_decode_to_nothing() {
        assert_eq!(decode_lz4(&[], &[0; 5]), None);
        assert_eq!(decode_lz4(&[], &[0xff; 64]), None, "a claim of 2^64 bytes");
        assert_eq!(decode_bitshuffle(&[0, 4, 4, 8, 2], &[0xff; 64]), None);
        assert_eq!(decode_bitshuffle(&[], &[1, 2, 3]), None);
        assert_eq!(decode_zstd(&[], &[1, 2, 3, 4, 5, 6, 7, 8]), None);
    }
}
