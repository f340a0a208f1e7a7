//! From regions to flags: onset, peak, area, kind, probability, and where they are in the pictures.
//!
//! A flag is one event of one part: a connected region over space and time, with the islands that lie next to it at the
//! same time ([`super::nearby`]).

use std::collections::{BTreeMap, BTreeSet};

use super::corroboration::{is_corroborated, too_little_paint};
use super::judge::{ElementState, Region, element_neighbours, element_states, regions};
use super::nearby::{GAP_ELEMENTS, join_nearby};
use super::noise::noise_floor;
use super::places::place;
use super::series::{empty_series, grow_series, nodes_of_parts};
use super::session::{Measured, ReviewSetup, ReviewSource, SessionError};
use super::stretch::overstretched;
use super::witness::{Doubt, Witnesses};
use crate::domain::{Flag, FlagId, FlagKind, Mesh, NoiseFloor, PartId, PartSeries, PartSummary, Tolerances, Verdict};

/// The judgement of a measurement.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Gravest first; numbered from 1 in this order.
    pub flags: Vec<Flag>,
    /// For each moment the mismatch flag of each element, 0 for none.
    pub flag_ids: Vec<Vec<u32>>,
    /// Parts with a finding that the pictures speak against, and why; it is among `flags` as "cannot tell".
    pub doubted: Vec<(PartId, Doubt)>,
    /// By part.
    pub parts: Vec<PartSummary>,
    /// The measurement's own noise.
    pub noise_floor: NoiseFloor,
}

/// A mismatch must last so many moments, unless it begins at the end of the film.
const LEAST_MOMENTS: usize = 2;
/// A region that never covers [`ONSET_SHARE`] of its part is a finding when it exceeds the tolerance so many times: a
/// few elements hardly beyond it are no reason to stop a campaign.
const STANDS_OUT: f64 = 1.5;
/// Share of a part's visible elements from which a mismatch counts as begun. Its first elements are flagged before: left
/// out until then they would cost bumper-T3 20 of 131 rightly flagged elements, and an onset at the first of them would be
/// two frames early.
const ONSET_SHARE: f64 = 0.05;
/// An undecided region must cover this share of its part's visible elements …
const UNDECIDED_SHARE: f64 = 0.15;
/// … for this share of the film to be worth a word.
const UNDECIDED_MOMENTS: f64 = 0.25;
/// Share of the squared deviation that rigid motion must explain to be called so, and below which it is not mentioned.
const RIGID_SHARE: (f64, f64) = (0.85, 0.4);

/// What is held of a region that is worth a word.
#[derive(Debug, Clone, Copy)]
enum Standing {
    /// It deviates.
    Mismatch,
    /// It was measured to deviate, but the pictures speak against it.
    Doubted(Doubt),
    /// It was not measured well enough.
    Undecided,
}

impl Standing {
    fn verdict(self) -> Verdict {
        match self {
            Self::Mismatch => Verdict::Mismatch,
            Self::Doubted(_) | Self::Undecided => Verdict::CannotTell,
        }
    }

    fn doubt(self) -> Option<Doubt> {
        match self {
            Self::Doubted(doubt) => Some(doubt),
            Self::Mismatch | Self::Undecided => None,
        }
    }
}

/// Judges the measurement of a whole film; what its pictures speak against is "cannot tell".
///
/// # Errors
/// When the simulation or the film cannot be read again.
pub fn judge(
    mesh: &Mesh,
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    measured: &Measured,
    tolerances: &Tolerances,
) -> Result<Judged, SessionError> {
    let witnesses = Witnesses::new(setup, source, measured);
    judge_with(mesh, setup, source, measured, tolerances, &|region| witnesses.doubt(region))
}

/// Judges what there is of a film that is still arriving: as [`judge`], without another look at its pictures.
///
/// # Errors
/// When the simulation cannot be read again for the parts' positions.
pub fn judge_so_far(
    mesh: &Mesh,
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    measured: &Measured,
    tolerances: &Tolerances,
) -> Result<Judged, SessionError> {
    judge_with(mesh, setup, source, measured, tolerances, &|_| Ok(None))
}

fn judge_with(
    mesh: &Mesh,
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    measured: &Measured,
    tolerances: &Tolerances,
    doubt: &dyn Fn(&Region) -> Result<Option<Doubt>, SessionError>,
) -> Result<Judged, SessionError> {
    let states: Vec<Vec<ElementState>> =
        (0..measured.fields.len()).map(|i| element_states(mesh, measured, i, tolerances)).collect();
    let neighbours = element_neighbours(mesh);
    let pick = |f: &dyn Fn(&ElementState) -> bool| -> Vec<Vec<bool>> {
        states.iter().map(|s| s.iter().map(f).collect()).collect()
    };
    let mismatch = regions(mesh, &neighbours, &pick(&|s| matches!(s, ElementState::Mismatch(_))));
    let undecided = regions(mesh, &neighbours, &pick(&|s| matches!(s, ElementState::Undecided)));
    let visible = VisibleCounts::new(mesh, &states);
    let moments = measured.fields.len();
    let lasting = mismatch
        .into_iter()
        .filter(|r| r.is_sure(&states))
        .filter(|r| r.elements.len() >= LEAST_MOMENTS || r.elements.contains_key(&(moments - 1)))
        .collect();
    let mut chosen: Vec<(Region, Standing)> = join_nearby(lasting, &neighbours, GAP_ELEMENTS)
        .into_iter()
        .filter(|r| visible.is_noticeable(r) || stands_out(mesh, measured, r, tolerances.of_mm(r.part)))
        .map(|r| Ok((doubt(&r)?.map_or(Standing::Mismatch, Standing::Doubted), r)))
        .map(|r| r.map(|(standing, r)| (r, standing)))
        .collect::<Result<_, SessionError>>()?;
    let series = all_series(mesh, setup, source, measured)?;
    let regions: Vec<&Region> = chosen.iter().map(|(r, _)| r).collect();
    let stretched = overstretched(mesh, setup, source, measured, &regions)?;
    doubt_where(&mut chosen, &stretched, Doubt::Stretched);
    let alone = bare_and_alone(mesh, &series, &chosen);
    doubt_where(&mut chosen, &alone, Doubt::BareAndAlone);
    let doubted = chosen.iter().filter_map(|(r, s)| Some((r.part, s.doubt()?))).collect();
    chosen.extend(
        undecided.into_iter().filter(|r| visible.is_large_and_lasting(r, moments)).map(|r| (r, Standing::Undecided)),
    );
    let mut flags: Vec<(Flag, Region)> = chosen
        .into_iter()
        .map(|(region, standing)| {
            let flag = flag_of(mesh, setup, measured, &states, &visible, &series, &region, standing);
            (flag, region)
        })
        .collect();
    flags.sort_by(|(a, _), (b, _)| {
        let grave = |f: &Flag| (f.verdict == Verdict::Mismatch, f.peak_mm * f.area_mm2.sqrt());
        let (a, b) = (grave(a), grave(b));
        b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    let mut flag_ids = vec![vec![0; mesh.element_count()]; moments];
    for (i, (flag, region)) in flags.iter_mut().enumerate() {
        flag.id = FlagId(i as u32 + 1);
        if flag.verdict == Verdict::Mismatch {
            for (moment, elements) in &region.elements {
                for e in elements {
                    flag_ids[*moment][*e as usize] = flag.id.0;
                }
            }
        }
    }
    place(mesh, setup, source, measured, &mut flags)?;
    let flags: Vec<Flag> = flags.into_iter().map(|(f, _)| f).collect();
    let parts = summaries(mesh, tolerances, &flags, series);
    Ok(Judged { parts, flags, flag_ids, doubted, noise_floor: noise_floor(measured) })
}

/// Doubts the mismatches that `doubtful` names.
fn doubt_where(chosen: &mut [(Region, Standing)], doubtful: &[bool], doubt: Doubt) {
    for ((_, standing), doubtful) in chosen.iter_mut().zip(doubtful) {
        if *doubtful && standing.doubt().is_none() {
            *standing = Standing::Doubted(doubt);
        }
    }
}

/// Which findings are on parts that show too little paint, with no believed finding on a better painted part beside them.
fn bare_and_alone(mesh: &Mesh, series: &[PartSeries], chosen: &[(Region, Standing)]) -> Vec<bool> {
    let bare = mesh.parts.iter().zip(series).filter(|(_, series)| too_little_paint(series).is_some());
    let bare: BTreeSet<PartId> = bare.map(|(part, _)| part.id).collect();
    let believed: Vec<&Region> = chosen.iter().filter(|(_, s)| s.doubt().is_none()).map(|(r, _)| r).collect();
    chosen.iter().map(|(r, _)| bare.contains(&r.part) && !is_corroborated(r, &believed, &bare)).collect()
}

/// How many elements of each part could be seen at each moment.
struct VisibleCounts(Vec<BTreeMap<PartId, usize>>);

impl VisibleCounts {
    fn new(mesh: &Mesh, states: &[Vec<ElementState>]) -> Self {
        Self(
            states
                .iter()
                .map(|states| {
                    let mut counts = BTreeMap::new();
                    for (part, _) in mesh.part_of.iter().zip(states).filter(|(_, s)| **s != ElementState::Hidden) {
                        *counts.entry(*part).or_default() += 1;
                    }
                    counts
                })
                .collect(),
        )
    }

    fn share(&self, region: &Region, moment: usize) -> f64 {
        let seen = self.0[moment].get(&region.part).copied().unwrap_or(0).max(1);
        region.elements[&moment].len() as f64 / seen as f64
    }

    fn is_large_and_lasting(&self, region: &Region, moments: usize) -> bool {
        let large = region.elements.keys().filter(|m| self.share(region, **m) >= UNDECIDED_SHARE).count();
        large as f64 >= UNDECIDED_MOMENTS * moments as f64
    }

    fn is_noticeable(&self, region: &Region) -> bool {
        region.elements.keys().any(|m| self.share(region, *m) >= ONSET_SHARE)
    }

    /// First moment at which the region is a noticeable share of its part; its first moment if it never is.
    fn onset(&self, region: &Region) -> usize {
        let first = *region.elements.keys().next().expect("a region has a moment, else a bug");
        region.elements.keys().copied().find(|m| self.share(region, *m) >= ONSET_SHARE).unwrap_or(first)
    }
}

fn all_series(
    mesh: &Mesh,
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    measured: &Measured,
) -> Result<Vec<PartSeries>, SessionError> {
    let nodes = nodes_of_parts(mesh, &setup.skin.is_on_skin(setup.node_count));
    let mut all: Vec<PartSeries> = nodes.iter().map(|_| empty_series(measured.fields.len())).collect();
    for (index, field) in measured.fields.iter().enumerate() {
        let at = field.time_s + measured.alignment[0].time_offset_s;
        let simulated = source.simulated_mm(at).map_err(SessionError::Source)?;
        for (series, (_, nodes)) in all.iter_mut().zip(&nodes) {
            grow_series(series, measured, index, nodes, &simulated);
        }
    }
    Ok(all)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one flag, assembled in one place")]
fn flag_of(
    mesh: &Mesh,
    setup: &ReviewSetup<'_>,
    measured: &Measured,
    states: &[Vec<ElementState>],
    visible: &VisibleCounts,
    series: &[PartSeries],
    region: &Region,
    standing: Standing,
) -> Flag {
    // Found once a moment: a region of a fine mesh has many nodes to sort.
    let sizes: BTreeMap<usize, Option<(f64, f64)>> =
        region.elements.iter().map(|(moment, e)| (*moment, peak_size(mesh, measured, *moment, e))).collect();
    let peak = region
        .elements
        .keys()
        .copied()
        .max_by(|a, b| {
            let key = |m: usize| (sizes[&m].map_or(0.0, |s| s.0), region.elements[&m].len());
            let (ka, kb) = (key(*a), key(*b));
            ka.0.total_cmp(&kb.0).then(ka.1.cmp(&kb.1)).then(b.cmp(a))
        })
        .expect("a region has a moment, else a bug");
    let (peak_mm, peak_sigma_mm) = sizes[&peak].unwrap_or_default();
    let probability = match standing {
        Standing::Mismatch => median_probability(states, region),
        Standing::Doubted(_) | Standing::Undecided => 0.5,
    };
    let part_index = mesh.parts.iter().position(|p| p.id == region.part);
    let rigid = part_index.and_then(|i| series[i].rigid[peak]);
    let mut element_ids: Vec<u32> = region.elements.values().flatten().copied().collect();
    element_ids.sort_unstable();
    element_ids.dedup();
    Flag {
        id: FlagId(0),
        part_id: region.part,
        part_name: mesh.part_name(region.part).to_owned(),
        cameras: Vec::new(),
        onset_s: measured.fields[visible.onset(region)].time_s,
        peak_s: measured.fields[peak].time_s,
        peak_mm,
        peak_sigma_mm,
        area_mm2: area_mm2(setup, &region.elements[&peak], measured),
        kind: kind_of(standing, rigid.map(|r| (r.rigid_rms_mm, r.deformation_rms_mm))),
        probability,
        verdict: standing.verdict(),
        element_ids,
        bbox_px: BTreeMap::new(),
        observed_share: None,
    }
}

/// True when the region is far beyond the tolerance at some moment.
fn stands_out(mesh: &Mesh, measured: &Measured, region: &Region, tolerance_mm: f64) -> bool {
    let peak = |(moment, elements): (&usize, &Vec<u32>)| peak_size(mesh, measured, *moment, elements);
    region.elements.iter().filter_map(peak).any(|(size, _)| size >= STANDS_OUT * tolerance_mm)
}

/// 95th percentile of the deviation over the elements' nodes, and the median sigma there, mm.
fn peak_size(mesh: &Mesh, measured: &Measured, moment: usize, elements: &[u32]) -> Option<(f64, f64)> {
    let mut nodes: Vec<u32> = elements.iter().flat_map(|e| mesh.nodes_of(*e as usize).iter().copied()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let mut found: Vec<(f64, f64)> = nodes
        .iter()
        .map(|n| *n as usize)
        .map(|n| (f64::from(measured.size_mm[moment][n]), f64::from(measured.along_sigma_mm[moment][n])))
        .filter(|(d, s)| d.is_finite() && s.is_finite())
        .collect();
    if found.is_empty() {
        return None;
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let size = found[((found.len() - 1) as f64 * 0.95).round() as usize].0;
    let mut sigmas: Vec<f64> = found.iter().map(|f| f.1).collect();
    sigmas.sort_unstable_by(f64::total_cmp);
    Some((size, sigmas[sigmas.len() / 2]))
}

/// Median over the region's sure elements at the moment that has most of them.
fn median_probability(states: &[Vec<ElementState>], region: &Region) -> f64 {
    let sure = |(moment, elements): (&usize, &Vec<u32>)| -> Vec<f32> {
        elements.iter().filter_map(|e| states[*moment][*e as usize].sure()).collect()
    };
    let mut p = region.elements.iter().map(sure).max_by_key(Vec::len).unwrap_or_default();
    p.sort_unstable_by(f32::total_cmp);
    p.get(p.len() / 2).map_or(0.0, |p| f64::from(*p))
}

fn kind_of(standing: Standing, rigid: Option<(f64, f64)>) -> FlagKind {
    match (standing, rigid) {
        (Standing::Undecided, _) => FlagKind::NotObserved,
        (_, None) => FlagKind::Deformation,
        (_, Some((rigid, own))) => match rigid * rigid / (rigid * rigid + own * own).max(1e-12) {
            share if share >= RIGID_SHARE.0 => FlagKind::RigidMotion,
            share if share <= RIGID_SHARE.1 => FlagKind::Deformation,
            _ => FlagKind::Mixed,
        },
    }
}

/// Area of the elements' skin in the undeformed structure, mm².
fn area_mm2(setup: &ReviewSetup<'_>, elements: &[u32], measured: &Measured) -> f64 {
    setup
        .skin
        .element_of
        .iter()
        .zip(&measured.undeformed_areas_mm2)
        .filter(|(e, _)| elements.binary_search(e).is_ok())
        .map(|(_, a)| a)
        .sum()
}

fn summaries(mesh: &Mesh, tolerances: &Tolerances, flags: &[Flag], series: Vec<PartSeries>) -> Vec<PartSummary> {
    mesh.parts
        .iter()
        .zip(series)
        .map(|(part, series)| {
            let own = |v: Verdict| flags.iter().filter(move |f| f.part_id == part.id && f.verdict == v);
            let peak = series
                .p95_mm
                .iter()
                .zip(&series.times_s)
                .filter_map(|(p, t)| p.map(|p| (p, *t)))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            PartSummary {
                part_id: part.id,
                part_name: part.name.clone(),
                tolerance_mm: tolerances.of_mm(part.id),
                peak_mm: peak.map(|p| p.0),
                peak_s: peak.map(|p| p.1),
                onset_s: own(Verdict::Mismatch).map(|f| f.onset_s).min_by(f64::total_cmp),
                mismatch_flags: own(Verdict::Mismatch).count(),
                cannot_tell_flags: own(Verdict::CannotTell).count(),
                series,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Part;

    #[test]
    fn a_finding_on_a_bare_part_counts_only_beside_one_on_a_painted_part() {
        let part = |id| Part { id: PartId(id), name: String::new(), material: None, thickness_mm: None };
        let mesh = Mesh { parts: vec![part(1), part(2)], ..Mesh::default() };
        let found_again = |share| PartSeries { coverage: vec![1.0, share], ..empty_series(2) };
        let series = [found_again(0.9), found_again(0.1)];
        let on = |part| {
            let elements = BTreeMap::from([(5, vec![part as u32])]);
            (Region { part: PartId(part), elements }, Standing::Mismatch)
        };
        let verdicts = |mut chosen: Vec<(Region, Standing)>| -> Vec<Verdict> {
            let alone = bare_and_alone(&mesh, &series, &chosen);
            doubt_where(&mut chosen, &alone, Doubt::BareAndAlone);
            chosen.iter().map(|(_, standing)| standing.verdict()).collect()
        };
        assert_eq!(verdicts(vec![on(2)]), [Verdict::CannotTell]);
        assert_eq!(verdicts(vec![on(1), on(2)]), [Verdict::Mismatch; 2]);
        // What the pictures speak against bears nothing out, and keeps its own reason.
        let (region, _) = on(1);
        let mut chosen = vec![(region, Standing::Doubted(Doubt::Edges)), on(2)];
        let alone = bare_and_alone(&mesh, &series, &chosen);
        doubt_where(&mut chosen, &alone, Doubt::BareAndAlone);
        let doubts: Vec<_> = chosen.iter().map(|(_, standing)| standing.doubt()).collect();
        assert_eq!(doubts, [Some(Doubt::Edges), Some(Doubt::BareAndAlone)]);
    }
}
