//! Edges of sheets as witnesses.
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

use super::super::record::sees;
use super::super::session::SessionError;
use super::{Film, Scene};
use crate::geom::{Skin, rasterise};
use crate::vision::edge_across;

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
/// With so many edges found no more moments need be looked at.
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
pub(super) struct Tally {
    simulated: usize,
    claimed: usize,
    elsewhere: usize,
}

impl Tally {
    fn found(self) -> usize {
        self.simulated + self.claimed + self.elsewhere
    }

    pub(super) fn is_enough(self) -> bool {
        self.found() >= ENOUGH
    }

    pub(super) fn contradicts(self) -> bool {
        self.simulated >= FEWEST && self.simulated as f64 >= CONTRADICTED * self.found() as f64
    }
}

/// All edges of a structure as witnesses.
pub(super) struct Edges {
    sides: Vec<Side>,
}

impl Edges {
    pub(super) fn new(skin: &Skin) -> Self {
        Self { sides: sides(skin) }
    }

    /// Adds what the pictures of one moment show of the edges of `elements`.
    pub(super) fn look(
        &self,
        film: &Film<'_>,
        moment: usize,
        elements: &[u32],
        tally: &mut Tally,
    ) -> Result<(), SessionError> {
        let mine = |e: u32| elements.binary_search(&e).is_ok();
        let sides: Vec<&Side> = self.sides.iter().filter(|s| s.elements.iter().any(|e| mine(*e))).collect();
        let simulated = film.simulated(moment)?;
        for shot in film.shots(moment) {
            let scene = film.scene(shot, moment, &simulated);
            let claims = scene.claims(&sides);
            if !claims.is_empty() {
                scene.ask(&claims, &film.picture(shot)?, tally);
            }
        }
        Ok(())
    }
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
        // A deviation that is not known is not a number and claims nothing.
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
    use super::super::tests::{ELEMENTS, strip};
    use super::*;

    #[test]
    fn a_few_edges_are_no_evidence_and_a_mixture_is_none_either() {
        let tally = |simulated, claimed, elsewhere| Tally { simulated, claimed, elsewhere };
        assert!(tally(22, 0, 3).contradicts());
        assert!(!tally(3, 0, 0).contradicts(), "too few");
        assert!(!tally(28, 70, 185).contradicts(), "most lie elsewhere: something has moved");
        assert!(!tally(10, 10, 0).contradicts());
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
