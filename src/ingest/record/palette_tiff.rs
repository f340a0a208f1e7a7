//! TIFF with a palette, which the picture decoder does not know.
//!
//! Old cameras and image tools save grey pictures as indices into a colour table. The indices are decoded like grey
//! values – whatever the compression – after the picture's photometric tag is changed in memory, and then looked up.
//! Source: TIFF Revision 6.0, sections 2 (structure) and 5 (palette-colour images).

use super::pixels::luma_of_rgb;

const BITS_PER_SAMPLE: u16 = 258;
const PHOTOMETRIC: u16 = 262;
const COLOR_MAP: u16 = 320;
/// Photometric interpretation: 1 grey with 0 for black, 3 palette.
const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// The bytes of a TIFF with their order.
struct Tiff<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl Tiff<'_> {
    fn u16(&self, at: usize) -> Option<u16> {
        let raw = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.little { u16::from_le_bytes(raw) } else { u16::from_be_bytes(raw) })
    }

    fn u32(&self, at: usize) -> Option<usize> {
        let raw = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.little { u32::from_le_bytes(raw) } else { u32::from_be_bytes(raw) } as usize)
    }

    /// Where the 12-byte entry of `tag` stands in the first directory.
    fn entry(&self, tag: u16) -> Option<usize> {
        let first = self.u32(4)?;
        let count = usize::from(self.u16(first)?);
        (0..count).map(|i| first + 2 + 12 * i).find(|at| self.u16(*at) == Some(tag))
    }
}

/// Turns a picture of 8-bit indices into one that decoders take for grey; gives the luminance (0–1) of each index.
///
/// `None` leaves the bytes alone: no TIFF, no palette, or indices of another width.
pub(super) fn grey_from_palette(bytes: &mut [u8]) -> Option<[f32; 256]> {
    let little = match bytes.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let tiff = Tiff { bytes, little };
    let photometric = tiff.entry(PHOTOMETRIC)?;
    let bits = tiff.entry(BITS_PER_SAMPLE)?;
    if tiff.u16(photometric + 8)? != PALETTE || tiff.u16(bits + 8)? != 8 {
        return None;
    }
    let map = tiff.entry(COLOR_MAP)?;
    let (count, start) = (tiff.u32(map + 4)?, tiff.u32(map + 8)?);
    if count != 3 * 256 {
        return None;
    }
    // All reds, then all greens, then all blues.
    let values: Vec<u16> = (0..count).map(|i| tiff.u16(start.checked_add(2 * i)?)).collect::<Option<_>>()?;
    // Some writers fill the table with 8-bit values, against the standard.
    let full = if values.iter().all(|v| *v < 256) { f32::from(u8::MAX) } else { f32::from(u16::MAX) };
    let mut table = [0.0; 256];
    for (i, luma) in table.iter_mut().enumerate() {
        *luma = luma_of_rgb([values[i], values[256 + i], values[512 + i]].map(|v| f32::from(v) / full));
    }
    let grey = if little { BLACK_IS_ZERO.to_le_bytes() } else { BLACK_IS_ZERO.to_be_bytes() };
    bytes.get_mut(photometric + 8..photometric + 10)?.copy_from_slice(&grey);
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_are_left_alone() {
        for bytes in [b"".to_vec(), b"II*\0".to_vec(), b"II*\0\xff\xff\xff\xff".to_vec(), vec![0xff; 64]] {
            let mut copy = bytes.clone();
            assert!(grey_from_palette(&mut copy).is_none());
            assert_eq!(copy, bytes);
        }
    }
}
