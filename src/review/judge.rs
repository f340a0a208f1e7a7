//! Which elements are in mismatch, and which of them belong together over space and time.
//!
//! An element is in mismatch when its nodes' mean deviation more likely exceeds the part's tolerance than not. It is
//! undecided when a camera should see it but the doubt is as large as the tolerance and leaves that open. Connected elements of one part
//! form a region; regions that overlap in consecutive moments are one finding.
//!
//! Two thresholds, as in hysteresis thresholding (Canny 1986): a finding must somewhere be sure ([`CONFIDENCE`]), and
//! reaches as far as the mismatch is likely ([`LIKELY`]). With the sure elements alone it would begin too late and be
//! too small; with the likely ones alone doubt could pass for a finding.

use super::session::Measured;
use crate::domain::{Mesh, PartId, Tolerances};

/// Probability of a deviation beyond the tolerance that a finding must reach somewhere.
pub const CONFIDENCE: f64 = 0.8;
/// The same of an element of which only a study tells, since no camera measured it.
const TOLD_CONFIDENCE: f64 = 0.9;
/// Probability from which an element belongs to a finding: more likely than not.
pub const LIKELY: f64 = 0.5;
/// A region of fewer elements is not a finding.
const FEWEST_ELEMENTS: usize = 3;

/// What is known of an element at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ElementState {
    /// No camera should see all of it.
    Hidden,
    /// It should be seen, but the film cannot decide.
    Undecided,
    /// The probability that it exceeds the tolerance is below [`LIKELY`].
    Agrees,
    /// It exceeds the tolerance, with this probability.
    Mismatch(f32),
}

impl ElementState {
    /// The probability that it exceeds the tolerance, where that is sure.
    pub(super) fn sure(self) -> Option<f32> {
        match self {
            Self::Mismatch(p) if f64::from(p) >= CONFIDENCE => Some(p),
            _ => None,
        }
    }
}

/// The standard normal distribution function, by the complementary error function's rational approximation
/// (Abramowitz and Stegun 7.1.26; error below 1.5e-7).
#[must_use]
pub fn normal_cdf(z: f64) -> f64 {
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let poly =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let erf = 1.0 - poly * (-x * x).exp();
    0.5 * (1.0 + z.signum() * erf)
}

/// Judges every element at moment `index`.
#[must_use]
pub(super) fn element_states(
    mesh: &Mesh,
    measured: &Measured,
    index: usize,
    tolerances: &Tolerances,
) -> Vec<ElementState> {
    let (sizes, along) = (&measured.size_mm[index], &measured.along_sigma_mm[index]);
    (0..mesh.element_count())
        .map(|element| {
            let nodes = mesh.nodes_of(element);
            if nodes.len() < 3 || !nodes.iter().all(|n| measured.in_view[index][*n as usize]) {
                return ElementState::Hidden;
            }
            let tolerance = tolerances.of_mm(mesh.part_of[element]);
            let count = nodes.len() as f64;
            let size: f64 = nodes.iter().map(|n| f64::from(sizes[*n as usize])).sum::<f64>() / count;
            let sigma: f64 = nodes.iter().map(|n| f64::from(along[*n as usize])).sum::<f64>() / count;
            if !(size.is_finite() && sigma.is_finite()) {
                return ElementState::Undecided;
            }
            let told =
                measured.by_study[index] && nodes.iter().all(|n| measured.fields[index].observed[*n as usize] == 0);
            state_of(size, sigma, tolerance, told)
        })
        .collect()
}

/// What is known of an element whose deviation is `size` with `sigma`, mm; `told` where only a study tells of it, since no
/// camera measured it: that must be sure by itself.
fn state_of(size: f64, sigma: f64, tolerance: f64, told: bool) -> ElementState {
    let probability = normal_cdf((size - tolerance) / sigma.max(1e-6));
    let vague = sigma > tolerance;
    let least = match (told, vague) {
        (true, _) => TOLD_CONFIDENCE,
        (false, true) => CONFIDENCE,
        (false, false) => LIKELY,
    };
    if probability >= least {
        ElementState::Mismatch(probability as f32)
    } else if vague {
        ElementState::Undecided
    } else {
        ElementState::Agrees
    }
}

/// Elements that share a node and a part, as adjacency lists.
#[must_use]
pub(super) fn element_neighbours(mesh: &Mesh) -> Vec<Vec<u32>> {
    let mut starts = vec![0; mesh.node_count + 1];
    for n in &mesh.connectivity {
        starts[*n as usize + 1] += 1;
    }
    for n in 0..mesh.node_count {
        starts[n + 1] += starts[n];
    }
    let (mut at, mut of_node) = (starts.clone(), vec![0; mesh.connectivity.len()]);
    for element in 0..mesh.element_count() {
        for n in mesh.nodes_of(element) {
            of_node[at[*n as usize]] = element as u32;
            at[*n as usize] += 1;
        }
    }
    let at_node = |n: u32| &of_node[starts[n as usize]..starts[n as usize + 1]];
    (0..mesh.element_count())
        .map(|element| {
            let mut near: Vec<u32> = mesh
                .nodes_of(element)
                .iter()
                .flat_map(|n| at_node(*n).iter().copied())
                .filter(|e| *e as usize != element && mesh.part_of[*e as usize] == mesh.part_of[element])
                .collect();
            near.sort_unstable();
            near.dedup();
            near
        })
        .collect()
}

/// A connected finding over space and time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Region {
    /// The part.
    pub part: PartId,
    /// Moment → elements, both rising.
    pub elements: std::collections::BTreeMap<usize, Vec<u32>>,
}

impl Region {
    /// True when at some moment enough of its elements for a finding are sure.
    ///
    /// `states[moment][element]`.
    #[must_use]
    pub(super) fn is_sure(&self, states: &[Vec<ElementState>]) -> bool {
        self.elements.iter().any(|(moment, elements)| {
            elements.iter().filter(|e| states[*moment][**e as usize].sure().is_some()).count() >= FEWEST_ELEMENTS
        })
    }
}

/// Groups the elements that `chosen` names at each moment.
///
/// `chosen[moment][element]`; a region may miss one moment and still be the same.
#[must_use]
pub(super) fn regions(mesh: &Mesh, neighbours: &[Vec<u32>], chosen: &[Vec<bool>]) -> Vec<Region> {
    let mut labels = Labels::default();
    let mut last: Vec<[Option<u32>; 2]> = vec![[None; 2]; mesh.element_count()];
    let mut members: Vec<(u32, usize, Vec<u32>)> = Vec::new();
    for (moment, chosen) in chosen.iter().enumerate() {
        let mut now = vec![None; mesh.element_count()];
        for group in connected(neighbours, chosen) {
            let label = labels.fresh();
            for e in &group {
                now[*e as usize] = Some(label);
                for earlier in last[*e as usize].into_iter().flatten() {
                    labels.join(label, earlier);
                }
            }
            members.push((label, moment, group));
        }
        for (l, n) in last.iter_mut().zip(now) {
            *l = [n, l[0]];
        }
    }
    let mut by_root: std::collections::BTreeMap<u32, Region> = std::collections::BTreeMap::new();
    for (label, moment, group) in members {
        let part = mesh.part_of[group[0] as usize];
        let region = by_root
            .entry(labels.root(label))
            .or_insert_with(|| Region { part, elements: std::collections::BTreeMap::new() });
        let all = region.elements.entry(moment).or_default();
        all.extend(group);
        all.sort_unstable();
    }
    by_root.into_values().collect()
}

/// Groups of neighbouring chosen elements, at least [`FEWEST_ELEMENTS`] each.
fn connected(neighbours: &[Vec<u32>], chosen: &[bool]) -> Vec<Vec<u32>> {
    let mut visited = vec![false; chosen.len()];
    let mut groups = Vec::new();
    for start in 0..chosen.len() {
        if !chosen[start] || visited[start] {
            continue;
        }
        visited[start] = true;
        let mut group = vec![start as u32];
        let mut next = 0;
        while next < group.len() {
            for e in &neighbours[group[next] as usize] {
                if chosen[*e as usize] && !visited[*e as usize] {
                    visited[*e as usize] = true;
                    group.push(*e);
                }
            }
            next += 1;
        }
        if group.len() >= FEWEST_ELEMENTS {
            group.sort_unstable();
            groups.push(group);
        }
    }
    groups
}

/// Union-find; the smaller label is the root, so that findings are numbered by their first appearance.
#[derive(Debug, Default)]
pub(super) struct Labels(Vec<u32>);

impl Labels {
    pub(super) fn fresh(&mut self) -> u32 {
        self.0.push(self.0.len() as u32);
        self.0.len() as u32 - 1
    }

    pub(super) fn root(&self, mut label: u32) -> u32 {
        while self.0[label as usize] != label {
            label = self.0[label as usize];
        }
        label
    }

    pub(super) fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b) as usize] = a.min(b);
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges that may hold one")]
mod tests {
    use super::*;
    use crate::domain::{CellType, Part};

    /// A strip of quads, the first half part 1, the rest part 2.
    fn strip(count: u32) -> Mesh {
        let mut mesh = Mesh { node_count: 2 * count as usize + 2, offsets: vec![0], ..Mesh::default() };
        for e in 0..count {
            mesh.connectivity.extend([2 * e, 2 * e + 2, 2 * e + 3, 2 * e + 1]);
            mesh.offsets.push(4 * (e + 1));
            mesh.cell_types.push(CellType::Quad);
            mesh.part_of.push(PartId(1 + i32::from(e >= count / 2)));
        }
        mesh.parts = [1, 2]
            .map(|id| Part { id: PartId(id), name: format!("part {id}"), material: None, thickness_mm: None })
            .to_vec();
        mesh
    }

    fn mask(count: usize, ranges: &[std::ops::Range<usize>]) -> Vec<bool> {
        (0..count).map(|e| ranges.iter().any(|r| r.contains(&e))).collect()
    }

    #[test]
    fn a_region_ends_at_its_part_and_lives_through_a_gap() {
        let mesh = strip(20);
        let near = element_neighbours(&mesh);
        let chosen = vec![mask(20, &[4..14]), mask(20, &[]), mask(20, &[5..9, 15..17]), mask(20, &[0..3])];
        let found = regions(&mesh, &near, &chosen);
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0].part, PartId(1));
        assert_eq!(found[0].elements.keys().copied().collect::<Vec<_>>(), vec![0, 2]);
        assert_eq!(found[1].part, PartId(2));
        assert_eq!(found[2].elements[&3], vec![0, 1, 2]);
    }

    #[test]
    fn two_regions_that_grow_together_are_one() {
        let mesh = strip(40);
        let near = element_neighbours(&mesh);
        let found = regions(&mesh, &near, &[mask(40, &[0..4, 8..12]), mask(40, &[1..11]), mask(40, &[0..3, 9..12])]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].elements[&0].len(), 8);
    }

    #[test]
    fn what_only_a_study_tells_must_be_surer_than_what_a_camera_measured() {
        let (tolerance, is_mismatch) = (5.0, |state| matches!(state, ElementState::Mismatch(_)));
        // Beyond the tolerance by 0.2, 1.1 and 1.5 sigma: to 0.58, 0.86 and 0.93.
        let of = |sigmas: f64, told: bool| state_of(tolerance + 3.0 * sigmas, 3.0, tolerance, told);
        assert_eq!([0.2, 1.1, 1.5].map(|s| is_mismatch(of(s, false))), [true, true, true]);
        assert_eq!([0.2, 1.1, 1.5].map(|s| is_mismatch(of(s, true))), [false, false, true]);
        // What is vague is undecided until it is sure.
        let vague = |sigmas: f64| state_of(tolerance + 6.0 * sigmas, 6.0, tolerance, false);
        assert_eq!(vague(0.2), ElementState::Undecided);
        assert!(is_mismatch(vague(1.1)));
    }

    #[test]
    fn a_finding_is_sure_somewhere() {
        let mesh = strip(20);
        let near = element_neighbours(&mesh);
        let sure_ones = |sure: usize| -> Vec<Vec<ElementState>> {
            let state = |e: usize| ElementState::Mismatch(if (4..4 + sure).contains(&e) { 0.9 } else { 0.6 });
            vec![(0..20).map(state).collect()]
        };
        let found = regions(&mesh, &near, &[mask(20, &[2..9])]);
        assert_eq!(found.len(), 1);
        assert!(found[0].is_sure(&sure_ones(3)));
        assert!(!found[0].is_sure(&sure_ones(2)), "two elements are no finding");
    }

    #[test]
    fn normal_cdf_has_its_known_values() {
        for (z, p) in [(0.0, 0.5), (1.0, 0.841_344_7), (-1.644_853_6, 0.05), (3.0, 0.998_650_1)] {
            assert!((normal_cdf(z) - p).abs() < 1e-6);
        }
    }
}
