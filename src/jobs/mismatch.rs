//! The mismatch of a review in one number, by which reviews of the same film are compared.

use crate::ingest::{IngestError, ReviewFolder};

/// Root mean square of the deviation over all moments and the nodes that a camera saw, mm; `None` when none was seen.
pub(super) fn mismatch_mm(review: &ReviewFolder) -> Result<Option<f64>, IngestError> {
    let (mut sum, mut count) = (0.0, 0_usize);
    for moment in 1..review.times_s().len() {
        let (_, field) = review.read_moment(moment)?;
        let seen =
            field.deviation_mm.iter().zip(&field.observed).filter(|(d, cameras)| **cameras > 0 && d[0].is_finite());
        for (d, _) in seen {
            sum += d.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
            count += 1;
        }
    }
    Ok((count > 0).then(|| (sum / count as f64).sqrt()))
}
