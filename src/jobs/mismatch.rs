//! The mismatch of a review in one number, as a suggestion predicts it: root mean square in the picture planes.

use crate::ingest::{IngestError, ReviewFolder};

/// Root mean square of the measured deviation over all observed nodes and moments, mm; `None` when nothing was observed.
///
/// Each node counts once a moment. A suggestion counts it once for each camera that sees it, and only nodes that stand
/// for their neighbours, so both numbers agree only roughly.
pub(super) fn mismatch_mm(review: &ReviewFolder) -> Result<Option<f64>, IngestError> {
    let (mut sum, mut count) = (0.0, 0_usize);
    for moment in 1..review.times_s().len() {
        let (_, field) = review.read_moment(moment)?;
        for d in field.deviation_mm.iter().filter(|d| d[0].is_finite()) {
            sum += d.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
            count += 1;
        }
    }
    Ok((count > 0).then(|| (sum / count as f64).sqrt()))
}
