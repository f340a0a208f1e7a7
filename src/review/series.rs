//! Each part over time: how far off, how sure, how much of it was seen, how much of it is rigid motion.

use std::collections::BTreeMap;

use nalgebra::Vector3;

use super::rigid::{MeasuredNode, split_rigid};
use super::session::Measured;
use crate::domain::{Mesh, PartId, PartSeries};

/// The nodes of each part that lie on the skin, part by part in the order of [`Mesh::parts`].
#[must_use]
pub(super) fn nodes_of_parts(mesh: &Mesh, on_skin: &[bool]) -> Vec<(PartId, Vec<u32>)> {
    // One pass over the elements, not one a part: a car has hundreds of parts.
    let mut of_part: BTreeMap<PartId, Vec<u32>> = mesh.parts.iter().map(|part| (part.id, Vec::new())).collect();
    for (element, part) in mesh.part_of.iter().enumerate() {
        if let Some(nodes) = of_part.get_mut(part) {
            nodes.extend(mesh.nodes_of(element).iter().filter(|n| on_skin[**n as usize]));
        }
    }
    let finish = |id: PartId| {
        let mut nodes = of_part.remove(&id).unwrap_or_default();
        nodes.sort_unstable();
        nodes.dedup();
        (id, nodes)
    };
    mesh.parts.iter().map(|part| part.id).map(finish).collect()
}

/// An empty series, to be grown moment by moment.
#[must_use]
pub(super) fn empty_series(moments: usize) -> PartSeries {
    PartSeries {
        times_s: Vec::with_capacity(moments),
        median_mm: Vec::with_capacity(moments),
        p95_mm: Vec::with_capacity(moments),
        sigma_mm: Vec::with_capacity(moments),
        coverage: Vec::with_capacity(moments),
        observed_share: Vec::with_capacity(moments),
        rigid: Vec::with_capacity(moments),
    }
}

/// Adds moment `index` to the series of a part whose nodes are `nodes`.
pub(super) fn grow_series(
    series: &mut PartSeries,
    measured: &Measured,
    index: usize,
    nodes: &[u32],
    simulated_mm: &[[f32; 3]],
) {
    let (field, along) = (&measured.fields[index], &measured.along_sigma_mm[index]);
    let in_view = |n: &u32| measured.in_view[index][*n as usize];
    let seen = nodes.iter().filter(|n| in_view(n)).count();
    let observed = nodes.iter().filter(|n| in_view(n) && field.observed[**n as usize] > 0).count();
    let share = |count: usize| if seen == 0 { 0.0 } else { (count as f64 / seen as f64).min(1.0) };
    let mut found: Vec<(f64, f64)> = Vec::new();
    let mut points: Vec<MeasuredNode> = Vec::new();
    for n in nodes.iter().map(|n| *n as usize) {
        let sigma = f64::from(along[n]);
        // What no camera sees is told of in the field, but a part is summed up over what is seen.
        if !(field.sigma_mm[n].is_finite() && sigma.is_finite()) {
            continue;
        }
        let deviation_mm = Vector3::from(field.deviation_mm[n].map(f64::from));
        found.push((deviation_mm.norm(), sigma));
        points.push(MeasuredNode {
            simulated_mm: Vector3::from(simulated_mm[n].map(f64::from)),
            deviation_mm,
            sigma_mm: sigma,
        });
    }
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let at = |share: f64| (!found.is_empty()).then(|| found[((found.len() - 1) as f64 * share).round() as usize].0);
    series.times_s.push(field.time_s);
    series.median_mm.push(at(0.5));
    series.p95_mm.push(at(0.95));
    series.sigma_mm.push(sigma_near_p95(&found));
    series.coverage.push(share(found.len()));
    series.observed_share.push(share(observed));
    series.rigid.push(split_rigid(&points));
}

/// Median sigma of the nodes between the 90th and 100th percentile of deviation, mm.
fn sigma_near_p95(sorted: &[(f64, f64)]) -> Option<f64> {
    let mut top: Vec<f64> = sorted[sorted.len() * 9 / 10..].iter().map(|(_, s)| *s).collect();
    top.sort_unstable_by(f64::total_cmp);
    top.get(top.len() / 2).copied()
}
