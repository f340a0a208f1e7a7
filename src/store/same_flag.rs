//! Which flag of an earlier look at a film is which flag of a later one.
//!
//! Flags are numbered anew with each look: a number says nothing of the place. A flag stays the same where the later
//! look finds the same part off, at the same elements, at the same time, and says the same of it.

use std::collections::{BTreeMap, HashSet};

use crate::domain::{BoundingBox, Flag};

/// A flag is found again where at least this share of the smaller one's elements is shared: regions grow as frames
/// arrive and are cut as the whole film is known, but do not wander.
const SHARED: f64 = 0.5;

/// The earlier flag that each later one is, by its index; one to one, those that share most first.
pub(super) fn matched(earlier: &[Option<Flag>], later: &[Option<Flag>]) -> Vec<Option<usize>> {
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (l, new) in later.iter().enumerate() {
        for (e, old) in earlier.iter().enumerate() {
            let share = old.as_ref().zip(new.as_ref()).and_then(|(old, new)| overlap(old, new));
            pairs.extend(share.map(|share| (share, e, l)));
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let (mut taken, mut found) = (vec![false; earlier.len()], vec![None; later.len()]);
    for (_, e, l) in pairs {
        if !taken[e] && found[l].is_none() {
            taken[e] = true;
            found[l] = Some(e);
        }
    }
    found
}

/// How much of both is shared, 0 to 1; `None` for two flags that are not the same.
fn overlap(old: &Flag, new: &Flag) -> Option<f64> {
    // Who dismissed what the film could not tell has said nothing about a mismatch.
    if old.part_id != new.part_id || old.verdict != new.verdict || !at_one_time(old, new) {
        return None;
    }
    let (a, b): (HashSet<u32>, HashSet<u32>) =
        (old.element_ids.iter().copied().collect(), new.element_ids.iter().copied().collect());
    let shared = a.intersection(&b).count() as f64;
    let smaller = a.len().min(b.len()) as f64;
    (smaller > 0.0 && shared >= SHARED * smaller).then(|| shared / (a.len() + b.len()) as f64 * 2.0)
}

/// True where both are seen in common frames of a camera (or in neighbouring ones), or grow at a common time.
fn at_one_time(old: &Flag, new: &Flag) -> bool {
    let in_frames = old.bbox_px.iter().any(|(camera, a)| {
        new.bbox_px.get(camera).is_some_and(|b| match (a.first_key_value(), b.first_key_value()) {
            (Some((a0, _)), Some((b0, _))) => {
                let last = |frames: &BTreeMap<usize, BoundingBox>| frames.last_key_value().map_or(0, |(i, _)| *i);
                *a0 <= last(b) + 1 && *b0 <= last(a) + 1
            }
            _ => false,
        })
    });
    in_frames || (old.onset_s <= new.peak_s && new.onset_s <= old.peak_s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::flags::tests::flag;

    #[test]
    fn a_flag_is_found_again_by_its_place_and_not_by_its_number() {
        let right = flag(1, 2, 0..40, (0.010, 0.020));
        let left = flag(2, 1, 100..140, (0.012, 0.020));
        let grown = flag(2, 2, 0..90, (0.010, 0.040));
        assert_eq!(
            matched(
                &[Some(right.clone()), Some(left.clone())],
                &[Some(flag(1, 1, 95..150, (0.011, 0.05))), Some(grown)]
            ),
            [Some(1), Some(0)]
        );
        // The same elements of another part, at another time, or said to be something else.
        let other_part = flag(1, 3, 0..40, (0.010, 0.020));
        let later = flag(1, 2, 0..40, (0.050, 0.060));
        let unclear = Flag { verdict: crate::domain::Verdict::CannotTell, ..right.clone() };
        for other in [other_part, later, unclear] {
            assert_eq!(matched(&[Some(right.clone())], &[Some(other)]), [None]);
        }
        assert_eq!(matched(&[None, Some(left)], &[Some(right)]), [None], "a damaged row is nobody's ancestor");
    }

    #[test]
    fn each_flag_has_one_successor_the_one_that_shares_most() {
        let whole = flag(1, 2, 0..100, (0.010, 0.020));
        let (small, large) = (flag(1, 2, 0..30, (0.010, 0.020)), flag(2, 2, 30..100, (0.010, 0.020)));
        assert_eq!(matched(&[Some(whole.clone())], &[Some(small.clone()), Some(large.clone())]), [None, Some(0)]);
        assert_eq!(matched(&[Some(small), Some(large)], &[Some(whole)]), [Some(1)]);
    }
}
