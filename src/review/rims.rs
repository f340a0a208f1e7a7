//! Edges of sheets as witnesses against a finding.
//!
//! Patches can drift: along a crease, or with a shadow, on a surface without paint. Where a finding claims that an edge
//! of the structure has moved across itself, the picture tells: the edge lies where the finding has it, or where the
//! simulation has it. A finding whose edges nearly all lie where the simulation has them is contradicted.
//!
//! In 13 films with known truth, of the flags with enough edges to tell, one was false: 88 % of its edges lay at the
//! simulation's place, of the others' at most 15 % (by a prototype of this rule; the rule itself changed no flag of 37
//! films, among them two false ones with too few edges to tell).

use std::collections::HashMap;

use ndarray::Array2;

use super::judge::Region;
use super::record::sees;
use super::session::{Measured, ReviewSetup, ReviewSource, SessionError};
use crate::geom::{Camera, PinholeView, Skin, rasterise};
use crate::vision::{Tone, canvas_picture, edge_across};

/// A claimed motion across an edge that is smaller than this tells nothing, px.
const LEAST_CLAIM_PX: f64 = 4.0;
/// An edge this near to a place lies there, px: the trigger and the pose are not better known in the worst films.
const NEAR_PX: f64 = 1.5;
/// Edges are looked for so much farther than the claim, px.
const BEYOND_PX: f64 = 6.0;
/// Fewer edges at the simulation's place are no evidence.
const FEWEST: usize = 10;
/// Share of all edges found that must lie there.
const CONTRADICTED: f64 = 0.6;
/// With so many edges found no more moments are looked at.
const ENOUGH: usize = 60;

/// A side of a triangle where the sheet ends, or where it may turn away from a camera.
struct Side {
    nodes: [u32; 2],
    /// The elements beside it; twice the same one where the sheet ends.
    elements: [u32; 2],
    /// The triangles beside it.
    triangles: [u32; 2],
}

/// What was found where, over all edges of a region.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    simulated: usize,
    claimed: usize,
    elsewhere: usize,
}

impl Tally {
    fn found(self) -> usize {
        self.simulated + self.claimed + self.elsewhere
    }

    fn contradicts(self) -> bool {
        self.simulated >= FEWEST && self.simulated as f64 >= CONTRADICTED * self.found() as f64
    }
}

/// The pictures of a film as witnesses.
pub(super) struct Rims<'a> {
    setup: &'a ReviewSetup<'a>,
    source: &'a dyn ReviewSource,
    measured: &'a Measured,
    sides: Vec<Side>,
    views: Vec<PinholeView>,
}

impl<'a> Rims<'a> {
    pub(super) fn new(setup: &'a ReviewSetup<'a>, source: &'a dyn ReviewSource, measured: &'a Measured) -> Self {
        let views = setup.cameras.iter().zip(&measured.alignment);
        let views = views.map(|(record, a)| PinholeView::new(Camera::from_record(record, a.pose))).collect();
        Self { setup, source, measured, sides: sides(setup.skin), views }
    }

    /// True when the pictures show the edges of `region` where the simulation has them.
    ///
    /// # Errors
    /// When a state or a picture cannot be read.
    pub(super) fn contradict(&self, region: &Region) -> Result<bool, SessionError> {
        let mut tally = Tally::default();
        // The latest moments claim most.
        for (moment, elements) in region.elements.iter().rev() {
            if tally.found() >= ENOUGH {
                break;
            }
            self.look(*moment, elements, &mut tally)?;
        }
        tracing::debug!(part = region.part.0, ?tally, "edges of a finding");
        Ok(tally.contradicts())
    }

    /// Adds what the pictures of one moment show.
    fn look(&self, moment: usize, elements: &[u32], tally: &mut Tally) -> Result<(), SessionError> {
        let mine = |e: u32| elements.binary_search(&e).is_ok();
        let deviation = &self.measured.fields[moment].deviation_mm;
        let known = |n: u32| deviation[n as usize].iter().all(|v| v.is_finite());
        let sides: Vec<&Side> = self
            .sides
            .iter()
            .filter(|s| s.elements.iter().any(|e| mine(*e)) && s.nodes.iter().all(|n| known(*n)))
            .collect();
        let at_s = self.measured.moments[moment].time_s + self.measured.alignment[0].time_offset_s;
        let simulated = self.source.simulated_mm(at_s).map_err(SessionError::Source)?;
        for (camera, frame) in &self.measured.moments[moment].frames {
            let view = &self.views[*camera];
            let scene = Scene { skin: self.setup.skin, view, simulated: &simulated, deviation };
            let claims = scene.claims(&sides);
            if !claims.is_empty() {
                scene.ask(&claims, &self.picture(*camera, *frame)?, tally);
            }
        }
        Ok(())
    }

    /// The frame as the tracker sees it: toned as frame 0, without the lens.
    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SessionError> {
        let read = |frame| self.source.picture(camera, frame).map_err(SessionError::Source);
        let tone = Tone::from_picture(&read(0)?);
        Ok(canvas_picture(&self.views[camera], &tone.apply(&read(frame)?))?)
    }
}

/// What a camera would show at one moment by the simulation, and what is claimed of it.
struct Scene<'a> {
    skin: &'a Skin,
    view: &'a PinholeView,
    /// Node positions, mm.
    simulated: &'a [[f32; 3]],
    /// Test minus simulation, mm.
    deviation: &'a [[f32; 3]],
}

impl Scene<'_> {
    fn claims(&self, sides: &[&Side]) -> Vec<Claim> {
        sides.iter().filter_map(|side| self.claim(side)).collect()
    }

    /// What is claimed of `side` in the picture; `None` when it is no edge there, or is not claimed to move across itself.
    fn claim(&self, side: &Side) -> Option<Claim> {
        let at = |n: u32| self.simulated[n as usize].map(f64::from);
        let pixel = |p: [f64; 3]| self.view.camera.pinhole_pixel_from_world(p);
        let moved = |n: u32| {
            let (p, d) = (at(n), self.deviation[n as usize].map(f64::from));
            pixel([p[0] + d[0], p[1] + d[1], p[2] + d[2]])
        };
        let [a, b] = side.nodes.map(|n| pixel(at(n)));
        let length = (b.x - a.x).hypot(b.y - a.y);
        if a.depth_mm <= 0.0 || b.depth_mm <= 0.0 || length < 1.0 || !self.is_edge(side) {
            return None;
        }
        let normal = [-(b.y - a.y) / length, (b.x - a.x) / length];
        let middle = [0.5 * (a.x + b.x), 0.5 * (a.y + b.y)];
        let [c, d] = side.nodes.map(moved);
        let across_px = (0.5 * (c.x + d.x) - middle[0]) * normal[0] + (0.5 * (c.y + d.y) - middle[1]) * normal[1];
        (across_px.abs() >= LEAST_CLAIM_PX).then_some(Claim { nodes: side.nodes, middle, normal, across_px })
    }

    /// True where the sheet ends, or turns away from the camera.
    fn is_edge(&self, side: &Side) -> bool {
        let facing = |t: u32| {
            let [p, q, r] = self.skin.triangles[t as usize]
                .map(|n| self.view.camera.pinhole_pixel_from_world(self.simulated[n as usize].map(f64::from)));
            (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x)
        };
        let [one, other] = side.triangles;
        one == other || facing(one) * facing(other) < 0.0
    }

    /// Asks `picture` where the edges lie that the camera should see.
    fn ask(&self, claims: &[Claim], picture: &Array2<f32>, tally: &mut Tally) {
        let raster = rasterise(&self.view.camera, self.skin, self.simulated);
        let seen = |n: &u32| sees(self.view, &raster, self.simulated[*n as usize]);
        claims.iter().filter(|c| c.nodes.iter().all(seen)).for_each(|claim| claim.ask(picture, tally));
    }
}

/// "This edge lies so far across itself from where the simulation has it."
struct Claim {
    nodes: [u32; 2],
    /// Where the simulation has it, canvas px.
    middle: [f64; 2],
    normal: [f64; 2],
    across_px: f64,
}

impl Claim {
    fn ask(&self, picture: &Array2<f32>, tally: &mut Tally) {
        let reach_px = self.across_px.abs() + BEYOND_PX;
        let Some(found_px) = edge_across(picture, self.middle, self.normal, reach_px) else { return };
        if found_px.abs() < NEAR_PX {
            tally.simulated += 1;
        } else if (found_px - self.across_px).abs() < NEAR_PX {
            tally.claimed += 1;
        } else {
            tally.elsewhere += 1;
        }
    }
}

/// The sides of the skin that can be edges in a picture.
fn sides(skin: &Skin) -> Vec<Side> {
    let mut beside: HashMap<[u32; 2], Vec<u32>> = HashMap::new();
    for (t, nodes) in skin.triangles.iter().enumerate() {
        for k in 0..3 {
            let (a, b) = (nodes[k], nodes[(k + 1) % 3]);
            beside.entry([a.min(b), a.max(b)]).or_default().push(t as u32);
        }
    }
    let element = |t: u32| skin.element_of[t as usize];
    let mut sides: Vec<Side> = beside
        .into_iter()
        .filter_map(|(nodes, triangles)| match triangles[..] {
            [one] => Some(Side { nodes, elements: [element(one); 2], triangles: [one; 2] }),
            // The diagonal of a quad is no side of it.
            [one, other] if element(one) != element(other) => {
                Some(Side { nodes, elements: [element(one), element(other)], triangles: [one, other] })
            }
            _ => None,
        })
        .collect();
    sides.sort_unstable_by_key(|s| s.nodes);
    sides
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Distortion, Intrinsics, Pose};

    #[test]
    fn a_few_edges_are_no_evidence_and_a_mixture_is_none_either() {
        let tally = |simulated, claimed, elsewhere| Tally { simulated, claimed, elsewhere };
        assert!(tally(22, 0, 3).contradicts());
        assert!(!tally(3, 0, 0).contradicts(), "too few");
        assert!(!tally(28, 70, 185).contradicts(), "most lie elsewhere: something has moved");
        assert!(!tally(10, 10, 0).contradicts());
    }

    const ELEMENTS: u32 = 16;

    /// A strip of elements of 10 x 40 mm, seen from straight above at 1 mm a pixel.
    fn strip() -> (Skin, Vec<[f32; 3]>, PinholeView) {
        let nodes = (0..=ELEMENTS).flat_map(|i| [0.0, 40.0].map(|y| [10.0 * i as f32, y, 0.0])).collect();
        let quad = |i: u32| [[2 * i, 2 * i + 1, 2 * i + 3], [2 * i, 2 * i + 3, 2 * i + 2]];
        let skin = Skin {
            triangles: (0..ELEMENTS).flat_map(quad).collect(),
            element_of: (0..ELEMENTS).flat_map(|e| [e, e]).collect(),
        };
        let camera = Camera {
            width: 260,
            height: 120,
            intrinsics: Intrinsics { fx: 500.0, fy: 500.0, cx: 50.0, cy: 40.0 },
            distortion: Distortion::default(),
            pose: Pose {
                rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
                translation_mm: [0.0, 0.0, 500.0],
            },
        };
        (skin, nodes, PinholeView::new(camera))
    }

    /// What the edges say when the strip really lies `real_mm` beside the simulation and 8 mm are claimed.
    fn asked(real_mm: f32) -> Tally {
        let (skin, simulated, view) = strip();
        let deviation = vec![[0.0, 8.0, 0.0]; simulated.len()];
        let real: Vec<[f32; 3]> = simulated.iter().map(|p| [p[0], p[1] + real_mm, p[2]]).collect();
        let raster = rasterise(&view.camera, &skin, &real);
        let picture = raster.depth_mm.mapv(|d| if d.is_finite() { 0.8 } else { 0.2 });
        let scene = Scene { skin: &skin, view: &view, simulated: &simulated, deviation: &deviation };
        let all = sides(&skin);
        let claims = scene.claims(&all.iter().collect::<Vec<_>>());
        assert_eq!(claims.len(), 2 * ELEMENTS as usize, "the long sides; the short ends do not move across themselves");
        let mut tally = Tally::default();
        scene.ask(&claims, &picture, &mut tally);
        tally
    }

    #[test]
    fn edges_that_stayed_contradict_and_edges_that_moved_do_not() {
        let stayed = asked(0.0);
        assert!(stayed.contradicts() && stayed.claimed == 0, "{stayed:?}");
        let moved = asked(8.0);
        assert!(!moved.contradicts() && moved.claimed > 10, "{moved:?}");
        assert!(!asked(4.0).contradicts());
    }
}
