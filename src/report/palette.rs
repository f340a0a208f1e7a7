//! The report's colours and scales.
//!
//! Magnitudes use viridis (van der Walt and Smith, matplotlib, CC0), which is perceptually even and safe for all
//! common colour blindness; things use Okabe and Ito's palette ("Color Universal Design", 2008).

use plotters::style::RGBColor;

/// Text and axes.
pub(super) const INK: RGBColor = RGBColor(0x1a, 0x1a, 0x1a);
/// Ink on pictures, which stay light when the page is dark: a shade that the page's style sheet does not know.
pub(super) const PICTURE_INK: RGBColor = RGBColor(0x1b, 0x1b, 0x1b);
/// Paper on such pictures.
pub(super) const PICTURE_PAPER: RGBColor = RGBColor(0xfe, 0xfe, 0xfe);
/// Text of less weight.
pub(super) const MUTED: RGBColor = RGBColor(0x5c, 0x5c, 0x5c);
/// Grid lines.
pub(super) const GRID: RGBColor = RGBColor(0xe2, 0xe2, 0xe2);
/// Paper.
pub(super) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
/// Mismatch: Okabe–Ito vermillion.
pub(super) const MISMATCH: RGBColor = RGBColor(0xd5, 0x5e, 0x00);
/// Grounds of the flags' numbers and colours of their outlines, in turn, each with the ink of the number: Okabe–Ito
/// vermillion, black, reddish purple and sky blue, of which no two look the same to any common colour blindness.
const FLAGS: [(RGBColor, RGBColor); 4] = [
    (MISMATCH, PICTURE_PAPER),
    (PICTURE_INK, PICTURE_PAPER),
    (RGBColor(0xcc, 0x79, 0xa7), PICTURE_INK),
    (RGBColor(0x56, 0xb4, 0xe9), PICTURE_INK),
];

/// The colour of flag `id` and that of its number on it.
pub(super) fn flag_colours(id: u32, mismatch: bool) -> (RGBColor, RGBColor) {
    if mismatch { FLAGS[(id.max(1) as usize - 1) % FLAGS.len()] } else { (CANNOT_TELL, PICTURE_PAPER) }
}

/// Ground beyond a picture's edge.
pub(super) const BEYOND: u8 = 244;
/// "Cannot tell": a neutral grey.
pub(super) const CANNOT_TELL: RGBColor = RGBColor(0x8a, 0x8a, 0x8a);
/// Measured curves: Okabe–Ito blue.
pub(super) const MEASURED: RGBColor = RGBColor(0x00, 0x72, 0xb2);
/// Limits: Okabe–Ito reddish purple.
pub(super) const LIMIT: RGBColor = RGBColor(0xcc, 0x79, 0xa7);
/// Surface that no camera measured.
pub(super) const UNSEEN: [f32; 3] = [196.0, 196.0, 196.0];

/// Viridis at 0, 0.1, … 1.
const VIRIDIS: [[f32; 3]; 11] = [
    [68.0, 1.0, 84.0],
    [72.0, 36.0, 117.0],
    [65.0, 68.0, 135.0],
    [53.0, 95.0, 141.0],
    [42.0, 120.0, 142.0],
    [33.0, 145.0, 140.0],
    [34.0, 168.0, 132.0],
    [68.0, 191.0, 112.0],
    [122.0, 209.0, 81.0],
    [189.0, 223.0, 38.0],
    [253.0, 231.0, 37.0],
];

/// The colour (0–255) of `share` of the scale, held at its ends.
pub(super) fn viridis(share: f32) -> [f32; 3] {
    let at = share.clamp(0.0, 1.0) * 10.0;
    let i = (at as usize).min(9);
    let w = at - i as f32;
    std::array::from_fn(|c| VIRIDIS[i][c] * (1.0 - w) + VIRIDIS[i + 1][c] * w)
}

/// The smallest of 1, 2, 2.5, 5 × 10ⁿ that is not below `value`; 1 for values that are no positive number.
pub(super) fn nice_above(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let decade = 10_f64.powf(value.log10().floor());
    let slack = 1.0 - 1e-9;
    [1.0, 2.0, 2.5, 5.0, 10.0].map(|m| m * decade).into_iter().find(|v| *v >= value * slack).unwrap_or(10.0 * decade)
}

/// Round values from 0 to `top` in about `count` steps; `top` itself need not be one of them.
pub(super) fn ticks(top: f64, count: usize) -> Vec<f64> {
    let step = nice_above(top / count.max(1) as f64);
    (0..).map(|i| f64::from(i) * step).take_while(|v| *v <= top * (1.0 + 1e-9)).collect()
}

/// A number for people: as many decimals as the `step` between neighbours needs.
pub(super) fn number(value: f64, step: f64) -> String {
    let decimals = if step <= 0.0 || !step.is_finite() {
        1
    } else {
        (0..4).find(|d| (step * 10_f64.powi(*d) - (step * 10_f64.powi(*d)).round()).abs() < 1e-6).unwrap_or(4)
    };
    // What rounding up leaves of zero may have a sign.
    let value = if step.is_finite() && value.abs() <= 1e-9 * step { 0.0 } else { value };
    format!("{value:.*}", decimals as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_has_no_sign() {
        assert_eq!([number(-0.0, 5.0), number(-1e-16, 0.5), number(-0.5, 0.5)], ["0", "0.0", "-0.5"]);
        assert_eq!(number(-3.0, f64::INFINITY), "-3.0");
    }

    #[test]
    fn ticks_are_round_and_cover_the_scale() {
        assert_eq!(ticks(12.0, 5), vec![0.0, 2.5, 5.0, 7.5, 10.0]);
        assert_eq!(nice_above(0.3), 0.5);
        assert_eq!(nice_above(20.0), 20.0);
        assert_eq!(nice_above(f64::NAN), 1.0);
        assert_eq!((number(2.5, 2.5), number(4.0, 2.0), number(0.05, 0.05)), ("2.5".into(), "4".into(), "0.05".into()));
    }

    #[test]
    fn the_colour_map_grows_lighter_all_the_way() {
        // The point of a perceptual map: order survives a grey print.
        let lightness = |c: [f32; 3]| 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
        let scale: Vec<f32> = (0..=100).map(|i| lightness(viridis(i as f32 / 100.0))).collect();
        assert!(scale.windows(2).all(|w| w[1] > w[0]));
    }
}
