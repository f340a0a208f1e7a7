//! The report's own font, so that plots look the same on a machine without any.
//!
//! DejaVu Sans, unmodified, under the Bitstream Vera licence (`font/LICENCE-DejaVu.txt`).

use std::sync::OnceLock;

use ab_glyph::FontRef;
use plotters::style::{FontStyle, register_font};

/// The family under which the font is known to plotters. It is written into the SVG files as it stands, hence the
/// list: Verdana has the same widths where DejaVu Sans is not installed.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// DejaVu's line height (ascent 0.928 + descent 0.236) over its em: plotters counts the one, SVG the other.
pub(super) const LINE_PER_EM: f64 = 1.164;
/// How far DejaVu's base line lies below the top, the optical middle (half a capital) and the bottom of a line, in em.
pub(super) const BASE_BELOW_EM: [f64; 3] = [0.928, 0.346, -0.236];

/// The font itself, to draw letters with.
pub(super) fn face(bold: bool) -> &'static FontRef<'static> {
    static FACES: OnceLock<[FontRef<'static>; 2]> = OnceLock::new();
    let faces = FACES.get_or_init(|| {
        [SANS, SANS_BOLD]
            .map(|bytes| FontRef::try_from_slice(bytes).expect("an embedded font that cannot be read is a bug"))
    });
    &faces[usize::from(bold)]
}

static SANS: &[u8] = include_bytes!("font/DejaVuSans.ttf");
static SANS_BOLD: &[u8] = include_bytes!("font/DejaVuSans-Bold.ttf");

/// Makes the font known to plotters; further calls do nothing.
pub(super) fn register() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        for (style, bytes) in [(FontStyle::Normal, SANS), (FontStyle::Bold, SANS_BOLD)] {
            let known = register_font(FAMILY, style, bytes).is_ok();
            assert!(known, "an embedded font that cannot be read is a bug");
        }
    });
}
