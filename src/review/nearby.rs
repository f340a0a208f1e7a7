//! Regions of one part that lie close together at the same time are one event: an engineer sees one dent, not the
//! islands into which its rim falls where the deviation is about as large as the tolerance.

use std::collections::BTreeMap;

use super::judge::{Labels, Region};

/// Regions are joined when at most so many elements lie between them.
pub(super) const GAP_ELEMENTS: u32 = 3;

/// "Not reached yet".
const FAR: u32 = u32::MAX;

/// Joins regions of which at some moment no more than `gap` elements of their part lie between. The elements between
/// stay unflagged. The order is that of the first region of each group.
///
/// `neighbours` are those of [`super::judge::element_neighbours`], which end at the part.
pub(super) fn join_nearby(regions: Vec<Region>, neighbours: &[Vec<u32>], gap: u32) -> Vec<Region> {
    let mut labels = Labels::default();
    for _ in &regions {
        labels.fresh();
    }
    let mut by_moment: BTreeMap<usize, Vec<(u32, &[u32])>> = BTreeMap::new();
    for (label, region) in regions.iter().enumerate() {
        for (moment, elements) in &region.elements {
            by_moment.entry(*moment).or_default().push((label as u32, elements));
        }
    }
    let mut reached = vec![(FAR, 0); neighbours.len()];
    for groups in by_moment.values().filter(|groups| groups.len() > 1) {
        join_at(groups, neighbours, gap, &mut reached, &mut labels);
    }
    let mut joined: BTreeMap<u32, Region> = BTreeMap::new();
    for (label, region) in regions.into_iter().enumerate() {
        let root = labels.root(label as u32);
        let Some(whole) = joined.get_mut(&root) else {
            joined.insert(root, region);
            continue;
        };
        for (moment, elements) in region.elements {
            let all = whole.elements.entry(moment).or_default();
            all.extend(elements);
            all.sort_unstable();
        }
    }
    joined.into_values().collect()
}

/// All groups of a moment grow at once, ring by ring; where two meet within the gap, their labels are joined.
///
/// `reached` holds rings and labels by element; it comes and goes empty.
fn join_at(
    groups: &[(u32, &[u32])],
    neighbours: &[Vec<u32>],
    gap: u32,
    reached: &mut [(u32, u32)],
    labels: &mut Labels,
) {
    let mut queue: Vec<u32> = Vec::new();
    for (label, elements) in groups {
        for e in *elements {
            reached[*e as usize] = (0, *label);
            queue.push(*e);
        }
    }
    let mut next = 0;
    while let Some(e) = queue.get(next).copied() {
        next += 1;
        let (ring, label) = reached[e as usize];
        for near in &neighbours[e as usize] {
            let (other_ring, other) = reached[*near as usize];
            if other_ring == FAR {
                // Half the gap from each side is enough to meet.
                if ring < gap.div_ceil(2) {
                    reached[*near as usize] = (ring + 1, label);
                    queue.push(*near);
                }
            } else if other != label && ring + other_ring <= gap {
                labels.join(label, other);
            }
        }
    }
    for e in queue {
        reached[e as usize] = (FAR, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PartId;

    /// Elements in a row; each has its left and right neighbour, but none across `border`.
    fn row(count: u32, border: u32) -> Vec<Vec<u32>> {
        let near = |a: u32, b: u32| a + 1 == b && b != border;
        (0..count).map(|e| (0..count).filter(|o| near(e, *o) || near(*o, e)).collect()).collect()
    }

    fn region(part: i32, at: &[(usize, std::ops::Range<u32>)]) -> Region {
        Region { part: PartId(part), elements: at.iter().map(|(m, r)| (*m, r.clone().collect())).collect() }
    }

    #[test]
    fn islands_within_the_gap_are_one_event_and_what_lies_between_stays_free() {
        let found = join_nearby(vec![region(1, &[(2, 0..5)]), region(1, &[(2, 8..12), (3, 8..12)])], &row(30, 99), 3);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].elements[&2], (0..5).chain(8..12).collect::<Vec<_>>());
        assert_eq!(found[0].elements[&3], (8..12).collect::<Vec<_>>());
    }

    #[test]
    fn a_chain_of_islands_is_one_event() {
        let islands = [0..3, 6..9, 12..15].map(|r| region(1, &[(0, r)]));
        assert_eq!(join_nearby(islands.to_vec(), &row(30, 99), 3).len(), 1);
    }

    #[test]
    fn what_is_farther_or_of_another_time_or_part_stays_apart() {
        let apart = |a: Region, b: Region| join_nearby(vec![a, b], &row(30, 20), 3).len() == 2;
        assert!(apart(region(1, &[(2, 0..5)]), region(1, &[(2, 9..12)])), "four elements between");
        assert!(apart(region(1, &[(2, 0..5)]), region(1, &[(3, 7..12)])), "another time");
        assert!(apart(region(1, &[(2, 15..20)]), region(2, &[(2, 20..25)])), "another part");
    }
}
