//! What the measurement itself costs: the residuals of the frames in which nothing has moved yet.

use super::session::Measured;
use crate::domain::NoiseFloor;

/// Bins of the histograms; the last one holds everything beyond.
const BINS: usize = 80;

/// The noise floor of a measurement. Frame 0 is left out: it lends its own look, so its residual is zero by the way
/// it is made.
#[must_use]
pub(super) fn noise_floor(measured: &Measured) -> NoiseFloor {
    let mut quiet: Vec<f32> = Vec::new();
    let mut quiet_frames = 0;
    let mut histogram_quiet = vec![0; BINS];
    let mut histogram_all = vec![0; BINS];
    for (i, residuals) in measured.residuals_px.iter().enumerate().skip(1) {
        let is_quiet = measured.quiet[i];
        let histogram = if is_quiet { &mut histogram_quiet } else { &mut histogram_all };
        for r in residuals {
            histogram[((f64::from(*r) / NoiseFloor::BIN_PX) as usize).min(BINS - 1)] += 1;
        }
        if is_quiet {
            quiet.extend_from_slice(residuals);
            quiet_frames += measured.moments[i].frames.len();
        }
    }
    quiet.sort_unstable_by(f32::total_cmp);
    let at = |share: f64| quiet.get(((quiet.len().max(1) - 1) as f64 * share) as usize).map_or(0.0, |v| f64::from(*v));
    let mm_per_px = measured.alignment.iter().map(|a| a.mm_per_px).fold(0.0, f64::max);
    NoiseFloor {
        quiet_frames,
        median_px: at(0.5),
        p95_px: at(0.95),
        p95_mm: at(0.95) * mm_per_px,
        histogram_quiet,
        histogram_all,
    }
}
