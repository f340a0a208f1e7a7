//! SZIP (HDF5 filter 4), decoding only: the extended Rice code of CCSDS 121.0-B as HDF5 frames it.
//!
//! Written from the CCSDS blue book and from HDF5's public description of the filter's parameters. It is Rust and not
//! libaec because chunks come from strangers, and because no system package is needed then.
//!
//! A chunk is its unpacked size (4 bytes, little-endian) and one bit stream, highest bit first. The stream is cut into
//! scan lines, each of whole blocks; a line that is no multiple of the block is padded. A block starts with an option:
//! runs of zero blocks, pairs of small values, split values (quotients in unary, then `k` low bits each), or plain
//! values. With the predictor, values are distances to their left neighbour, and each line starts with a plain one.
//! Values of 32 and 64 bits are coded as planes of bytes.

use std::ffi::c_uint;

use super::limits::MAX_CHUNK_BYTES;

/// Mask bit: values are stored with the highest byte first.
const MSB: c_uint = 16;
/// Mask bit: the nearest-neighbour predictor was used.
const NEAREST_NEIGHBOUR: c_uint = 32;
/// Blocks after which a run of zero blocks ends at the latest.
const SEGMENT_BLOCKS: usize = 64;
/// The code of a zero run that goes to the end of its segment.
const REST_OF_SEGMENT: usize = 5;

/// What the dataset's parameters say: mask, pixels a block, bits a pixel, pixels a line.
#[derive(Debug, Clone, Copy)]
struct Coding {
    predicted: bool,
    highest_byte_first: bool,
    /// Values of a block.
    block: usize,
    /// Values of a line that are meant; the stream holds `line_blocks * block`.
    line: usize,
    line_blocks: usize,
    /// Bits of a coded value, 1 to 24.
    bits: u32,
    /// Bytes of a coded value when unpacked.
    bytes: usize,
    /// Planes of bytes; 1 for values that are coded as they are.
    planes: usize,
}

impl Coding {
    fn new(parameters: &[c_uint]) -> Option<Self> {
        let &[mask, block, pixel_bits, line, ..] = parameters else { return None };
        let (block, line) = (block as usize, line as usize);
        let (bits, planes) = match pixel_bits {
            32 => (8, 4),
            64 => (8, 8),
            1..=24 => (pixel_bits, 1),
            _ => return None,
        };
        let bytes = match bits {
            ..=8 => 1,
            9..=16 => 2,
            _ => 4,
        };
        let sane = (2..=64).contains(&block) && block.is_multiple_of(2) && (1..=1 << 20).contains(&line);
        sane.then(|| Self {
            predicted: mask & NEAREST_NEIGHBOUR != 0,
            highest_byte_first: mask & MSB != 0,
            block,
            line,
            line_blocks: line.div_ceil(block),
            bits,
            bytes,
            planes,
        })
    }

    /// Bits of a block's option.
    fn option_bits(&self) -> u32 {
        match self.bits {
            ..=8 => 3,
            9..=16 => 4,
            _ => 5,
        }
    }
}

/// Unpacks one chunk; `None` for a chunk that is damaged or claims too much.
pub(super) fn decode(parameters: &[c_uint], packed: &[u8]) -> Option<Vec<u8>> {
    let coding = Coding::new(parameters)?;
    let (size, stream) = packed.split_first_chunk::<4>()?;
    let size = u32::from_le_bytes(*size);
    if u64::from(size) > MAX_CHUNK_BYTES || !(size as usize).is_multiple_of(coding.bytes * coding.planes) {
        return None;
    }
    let count = size as usize / coding.bytes;
    let mut bits = Bits { bytes: stream, held: 0, count: 0 };
    let mut unpacked = Vec::new();
    let mut values = Vec::new();
    let mut left = count;
    while left > 0 {
        let wanted = left.min(coding.line);
        values.clear();
        read_line(
            &mut bits,
            &coding,
            if wanted < left { coding.line_blocks } else { wanted.div_ceil(coding.block) },
            &mut values,
        )?;
        if coding.predicted {
            undo_prediction(&mut values, coding.bits);
        }
        store(values.get(..wanted)?, &coding, &mut unpacked);
        left -= wanted;
    }
    Some(if coding.planes > 1 { join_planes(&unpacked, coding.planes) } else { unpacked })
}

/// Reads at least `blocks` blocks of a line.
fn read_line(bits: &mut Bits<'_>, coding: &Coding, blocks: usize, values: &mut Vec<u32>) -> Option<()> {
    while values.len() < blocks * coding.block {
        let option = bits.take(coding.option_bits())?;
        let end = values.len() + coding.block;
        let plain = (1 << coding.option_bits()) - 1;
        // The line's first value stands in front of the rest of its block.
        let reference = coding.predicted && values.is_empty();
        if option == plain {
            for _ in values.len()..end {
                values.push(bits.take(coding.bits)?);
            }
            continue;
        }
        let pairs = option == 0 && bits.take(1)? == 1;
        let at = values.len() / coding.block;
        if reference {
            values.push(bits.take(coding.bits)?);
        }
        match option {
            0 if pairs => read_pairs(bits, end, values)?,
            0 => {
                let run = match bits.zeros()? + 1 {
                    REST_OF_SEGMENT => (coding.line_blocks - at).min(SEGMENT_BLOCKS - at % SEGMENT_BLOCKS),
                    longer if longer > REST_OF_SEGMENT => longer - 1,
                    shorter => shorter,
                };
                (run <= coding.line_blocks - at).then(|| values.resize((at + run) * coding.block, 0))?;
            }
            _ => read_split(bits, option - 1, end, values)?,
        }
    }
    Some(())
}

/// Quotients in unary, then the low `k` bits of each value.
fn read_split(bits: &mut Bits<'_>, k: u32, end: usize, values: &mut Vec<u32>) -> Option<()> {
    let start = values.len();
    for _ in start..end {
        values.push(u32::try_from(bits.zeros()?).ok()?.checked_mul(1 << k)?);
    }
    for value in &mut values[start..] {
        *value |= bits.take(k)?;
    }
    Some(())
}

/// Two small values a code: `code = (a + b) (a + b + 1) / 2 + b`. Behind a reference, `a` of the first pair is void.
fn read_pairs(bits: &mut Bits<'_>, end: usize, values: &mut Vec<u32>) -> Option<()> {
    while values.len() < end {
        let code = u32::try_from(bits.zeros()?).ok().filter(|code| *code < 1 << 16)?;
        let mut sum = 0;
        while (sum + 1) * (sum + 2) / 2 <= code {
            sum += 1;
        }
        let second = code - sum * (sum + 1) / 2;
        if values.len().is_multiple_of(2) {
            values.push(sum - second);
        }
        values.push(second);
    }
    Some(())
}

/// Turns distances back into values: small ones alternate around the neighbour, those beyond its nearer bound do not.
fn undo_prediction(values: &mut [u32], bits: u32) {
    let highest = (1_u32 << bits) - 1;
    let Some((first, rest)) = values.split_first_mut() else { return };
    let mut last = *first;
    for value in rest {
        let room = last.min(highest - last);
        let distance = *value;
        last = if distance <= 2 * room {
            if distance % 2 == 0 { last + distance / 2 } else { last - distance.div_ceil(2) }
        } else if last <= highest / 2 {
            distance.min(highest)
        } else {
            highest - distance.min(highest)
        };
        *value = last;
    }
}

fn store(values: &[u32], coding: &Coding, unpacked: &mut Vec<u8>) {
    for value in values {
        if coding.highest_byte_first {
            unpacked.extend_from_slice(&value.to_be_bytes()[4 - coding.bytes..]);
        } else {
            unpacked.extend_from_slice(&value.to_le_bytes()[..coding.bytes]);
        }
    }
}

/// Byte `j` of value `i` stands at `j n + i`.
fn join_planes(planes: &[u8], count: usize) -> Vec<u8> {
    let n = planes.len() / count;
    (0..planes.len()).map(|at| planes[at % count * n + at / count]).collect()
}

/// A bit stream, highest bit first.
#[derive(Debug)]
struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bits, from the top.
    held: u64,
    /// How many of them count.
    count: u32,
}

impl Bits<'_> {
    fn refill(&mut self) {
        while self.count <= 56 {
            let Some((byte, rest)) = self.bytes.split_first() else { return };
            self.held |= u64::from(*byte) << (56 - self.count);
            self.count += 8;
            self.bytes = rest;
        }
    }

    /// The next `count` bits, at most 32.
    fn take(&mut self, count: u32) -> Option<u32> {
        if self.count < count {
            self.refill();
        }
        if count == 0 || self.count < count {
            return (count == 0).then_some(0);
        }
        let value = (self.held >> (64 - count)) as u32;
        self.held <<= count;
        self.count -= count;
        Some(value)
    }

    /// How many zeros stand before the next one, which is taken as well.
    fn zeros(&mut self) -> Option<usize> {
        let mut total = 0;
        loop {
            if self.count == 0 {
                self.refill();
            }
            if self.count == 0 {
                return None;
            }
            let zeros = self.held.leading_zeros().min(self.count);
            total += zeros as usize;
            if zeros < self.count {
                self.held = (self.held << zeros) << 1;
                self.count -= zeros + 1;
                return Some(total);
            }
            (self.held, self.count) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bits as text into bytes, with the size in front.
    fn chunk(size: u32, bits: &str) -> Vec<u8> {
        let bits: Vec<u8> = bits.bytes().filter(|b| *b != b' ').map(|b| b - b'0').collect();
        let stream = bits.chunks(8).map(|c| (0..8).fold(0, |byte, i| byte << 1 | c.get(i).unwrap_or(&0)));
        size.to_le_bytes().into_iter().chain(stream).collect()
    }

    const BYTES_8: [c_uint; 4] = [4, 8, 8, 8];
    const BYTES_8_PREDICTED: [c_uint; 4] = [4 | 32, 8, 8, 8];

    #[test]
    fn split_values_are_quotients_then_low_bits() {
        // Option 2: one low bit. Quotients 0 1 2 0 0 0 0 0, low bits 1 0 1 0 0 0 0 1.
        let packed = chunk(8, "010  1 01 001 1 1 1 1 1  10100001");
        assert_eq!(decode(&BYTES_8, &packed), Some(vec![1, 2, 5, 0, 0, 0, 0, 1]));
    }

    #[test]
    fn distances_lead_from_the_reference_and_turn_at_the_bounds() {
        // Option 1: no low bits; reference 2; distances 1 (down 1), 2 (up 1), 6 (beyond 2 below 2: the value itself) …
        let packed = chunk(8, "001 00000010  01 001 0000001 1 1 1 1");
        assert_eq!(decode(&BYTES_8_PREDICTED, &packed), Some(vec![2, 1, 2, 6, 6, 6, 6, 6]));
    }

    #[test]
    fn pairs_and_zero_runs_fill_their_blocks() {
        // Pairs (1, 0) (0, 1) (0, 0) (0, 0): codes 1, 2, 0, 0.
        assert_eq!(decode(&BYTES_8, &chunk(8, "000 1 01 001 1 1")), Some(vec![1, 0, 0, 1, 0, 0, 0, 0]));
        // One zero block of a line behind a reference of 7.
        assert_eq!(decode(&BYTES_8_PREDICTED, &chunk(8, "000 0 00000111 1")), Some(vec![7; 8]));
        // "To the end of the segment" over three blocks of a line.
        assert_eq!(decode(&[4, 8, 8, 24], &chunk(24, "000 0 00001")), Some(vec![0; 24]));
    }

    #[test]
    fn a_line_that_is_no_multiple_of_the_block_drops_its_padding() {
        let plain = |value: &str| format!("111 {}", format!("{value:0>8}").repeat(8));
        let packed = chunk(10, &format!("{} {}", plain("1"), plain("10")));
        assert_eq!(decode(&[4, 8, 8, 5], &packed), Some(vec![1, 1, 1, 1, 1, 2, 2, 2, 2, 2]));
    }

    #[test]
    fn damaged_parameters_and_boastful_chunks_decode_to_nothing() {
        assert_eq!(decode(&BYTES_8, &[0xff; 64]), None, "a claim of 4 GiB");
        assert_eq!(decode(&BYTES_8, &chunk(8, "010 1")), None, "cut off");
        assert_eq!(decode(&[4, 8, 8], &[0; 16]), None, "a parameter is missing");
        assert_eq!(decode(&[4, 0, 8, 8], &[0; 16]), None, "blocks of nothing");
        assert_eq!(decode(&[4, 8, 40, 8], &[0; 16]), None, "no such width");
        assert_eq!(decode(&[4, 8, 8, 8], &chunk(8, "000 0 0000000001")), None, "a run beyond its line");
    }

    proptest! {
        #[test]
        fn no_chunk_makes_it_panic(
            mask in 0_u32..256, block in 0_u32..80, bits in 0_u32..70, line in 0_u32..300,
            bytes in prop::collection::vec(any::<u8>(), 0..400), size in 0_u32..5000,
        ) {
            let packed: Vec<u8> = size.to_le_bytes().into_iter().chain(bytes).collect();
            if let Some(unpacked) = decode(&[mask, block, bits, line], &packed) {
                prop_assert_eq!(unpacked.len(), size as usize);
            }
        }
    }
}
