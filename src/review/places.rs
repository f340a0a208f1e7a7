//! Where flags are in the pictures, and how much of them the cameras saw.
//!
//! The one does not follow from the other: what an impactor or a fold hides has a place in the picture, too.

use super::judge::Region;
use super::session::{Measured, ReviewSetup, ReviewSource, SessionError};
use crate::domain::{BoundingBox, Flag, Mesh};
use crate::geom::{Camera, carry_over};

/// Fills in the flags' boxes, their cameras and the share of them that was seen.
pub(super) fn place(
    mesh: &Mesh,
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    measured: &Measured,
    flags: &mut [(Flag, Region)],
) -> Result<(), SessionError> {
    for (moment, field) in measured.fields.iter().enumerate() {
        if !flags.iter().any(|(_, r)| r.elements.contains_key(&moment)) {
            continue;
        }
        let at = field.time_s + measured.alignment[0].time_offset_s;
        let simulated = source.simulated_mm(at).map_err(SessionError::Source)?;
        let deviation = carry_over(setup.skin, &field.deviation_mm);
        for (camera, frame) in &measured.moments[moment].frames {
            let record = &setup.cameras[*camera];
            let camera = Camera::from_record(record, measured.alignment[*camera].pose);
            for (flag, region) in flags.iter_mut() {
                let Some(elements) = region.elements.get(&moment) else { continue };
                if let Some(bbox) = bounding_box(&camera, nodes_of(mesh, elements), &simulated, &deviation) {
                    flag.bbox_px.entry(record.name.clone()).or_default().insert(*frame, bbox);
                }
            }
        }
    }
    for (flag, region) in flags {
        let sighted = Sighted::of(mesh, region, &|moment, node| measured.seen_by[moment].cameras(node));
        flag.observed_share = Some(sighted.share);
        let names = setup.cameras.iter().enumerate().filter(|(index, _)| sighted.by(*index));
        flag.cameras = names.map(|(_, record)| record.name.clone()).collect();
    }
    Ok(())
}

fn nodes_of(mesh: &Mesh, elements: &[u32]) -> impl Iterator<Item = usize> {
    elements.iter().flat_map(|e| mesh.nodes_of(*e as usize).iter().map(|n| *n as usize))
}

/// How much of a region was seen, and by whom.
struct Sighted {
    /// Over all moments and elements, the share of their nodes that a camera measured, 0–1.
    share: f64,
    /// One bit a camera.
    cameras: u64,
}

impl Sighted {
    /// `seen_by` gives the cameras that measured a node at a moment, one bit each.
    fn of(mesh: &Mesh, region: &Region, seen_by: &dyn Fn(usize, usize) -> u64) -> Self {
        let (mut nodes, mut seen, mut cameras) = (0_usize, 0_usize, 0);
        for (moment, elements) in &region.elements {
            for by in nodes_of(mesh, elements).map(|node| seen_by(*moment, node)) {
                nodes += 1;
                seen += usize::from(by != 0);
                cameras |= by;
            }
        }
        Self { share: seen as f64 / nodes.max(1) as f64, cameras }
    }

    fn by(&self, camera: usize) -> bool {
        self.cameras >> camera.min(63) & 1 == 1
    }
}

/// The pixels that the nodes cover where the test has them, as far as is known; `None` when the camera shows none of them.
fn bounding_box(
    camera: &Camera,
    nodes: impl Iterator<Item = usize>,
    simulated_mm: &[[f32; 3]],
    deviation_mm: &[[f32; 3]],
) -> Option<BoundingBox> {
    let mut bounds: Option<[f64; 4]> = None;
    for n in nodes {
        let d = deviation_mm[n];
        let p = camera.pixel_from_world(std::array::from_fn(|i| f64::from(simulated_mm[n][i] + d[i])));
        if p.depth_mm <= 0.0 || p.x < 0.0 || p.y < 0.0 || p.x >= camera.width as f64 || p.y >= camera.height as f64 {
            continue;
        }
        let b = bounds.get_or_insert([p.x, p.y, p.x, p.y]);
        *b = [b[0].min(p.x), b[1].min(p.y), b[2].max(p.x), b[3].max(p.y)];
    }
    bounds.map(|[x0, y0, x1, y1]| BoundingBox {
        x0: x0.floor() as i32,
        y0: y0.floor() as i32,
        x1: x1.ceil() as i32,
        y1: y1.ceil() as i32,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::PartId;

    #[test]
    fn a_region_is_seen_as_far_as_cameras_measured_its_nodes() {
        // Two quads in a row: nodes 0 1 2 below, 3 4 5 above.
        let mesh = Mesh { connectivity: vec![0, 1, 4, 3, 1, 2, 5, 4], offsets: vec![0, 4, 8], ..Mesh::default() };
        let region = Region { part: PartId(1), elements: BTreeMap::from([(3, vec![0]), (4, vec![0, 1])]) };
        let unseen = Sighted::of(&mesh, &region, &|_, _| 0);
        assert_eq!((unseen.share, unseen.by(0)), (0.0, false));
        // Camera 1 sees the left nodes, and only at the later moment.
        let half = Sighted::of(&mesh, &region, &|moment, node| u64::from(moment == 4 && matches!(node, 0 | 3)) << 1);
        assert!((half.share - 2.0 / 12.0).abs() < 1e-12, "{}", half.share);
        assert_eq!((half.by(0), half.by(1)), (false, true));
    }
}
