//! A finding on a part that shows too little paint is not believed alone.
//!
//! Where a part shows hardly any paint, what the tracker holds on to can be the edge of a shadow, and a shadow moves
//! while the part does not. Nothing in the part's own pictures tells the two apart. But parts hang together: one that really
//! goes another way takes its neighbours along. So a better painted part must deviate at the same time.

use std::collections::BTreeSet;

use super::judge::Region;
use crate::domain::{PartId, PartSeries};

/// Of a part with less paint than this only so small a share of what the cameras should see could be found again when
/// hardly anything had moved yet. Of the parts that a review flags the best painted had 0.60 at least where they deviated,
/// and 0.20 at most in the two films with a shadow on a bare part.
const BARE: f64 = 1.0 / 3.0;

/// The share of a part that was found again when hardly anything had moved, where that is too little to trust it alone.
///
/// At the first moment the look is taken; the second one shows how much of it can be found again.
#[must_use]
pub fn too_little_paint(series: &PartSeries) -> Option<f64> {
    series.coverage.get(1).copied().filter(|share| *share < BARE)
}

/// Whether some finding on a part that is not among `bare` is there at a moment of `region`.
#[must_use]
pub(super) fn is_corroborated(region: &Region, findings: &[&Region], bare: &BTreeSet<PartId>) -> bool {
    let painted = findings.iter().filter(|other| !bare.contains(&other.part));
    painted.into_iter().any(|other| other.elements.keys().any(|moment| region.elements.contains_key(moment)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(part: i32, moments: std::ops::Range<usize>) -> Region {
        Region { part: PartId(part), elements: moments.map(|m| (m, vec![part as u32])).collect() }
    }

    #[test]
    fn only_a_painted_part_that_deviates_at_the_same_time_bears_a_bare_one_out() {
        let bare = BTreeSet::from([PartId(2), PartId(3)]);
        let (shadow, painted, later, as_bare) = (region(2, 4..8), region(1, 6..20), region(1, 9..20), region(3, 4..8));
        assert!(is_corroborated(&shadow, &[&shadow, &painted], &bare));
        assert!(!is_corroborated(&shadow, &[&shadow], &bare), "not by itself");
        assert!(!is_corroborated(&shadow, &[&shadow, &later], &bare), "not by what deviates later");
        assert!(!is_corroborated(&shadow, &[&shadow, &as_bare], &bare), "not by another bare part");
    }
}
