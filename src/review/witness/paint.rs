//! Paint as a witness.
//!
//! The mesh is given the look of frame 0 and laid over the picture, where the simulation has it and where the finding
//! has it. Where a surface has really moved by some pixels its paint does not fit at the simulation's place; where it
//! does fit there, patch by patch, the finding is contradicted, whatever way the tracker took to it. And a finding of
//! which a camera sees little must show its paint where it is claimed to be.
//!
//! The numbers are from 79 films with known truth: at the simulation's place fitted 46 and 84 % of the places of two false
//! findings, of 115 true ones at most 11 %. At the claimed place fitted 0, 19, 19 and 27 % of four false findings of which
//! little was seen, of seven true ones 30 % and more.

use std::sync::OnceLock;

use ndarray::Array2;

use super::super::measure::{NEAR_ZNCC, same_surface, with_unseen_from};
use super::super::session::SessionError;
use super::{Film, Scene, Shot};
use crate::geom::NO_TRIANGLE;
use crate::vision::{Appearance, PatchMatcher, Predicted, Support, Window, blend, local_contrast, predict};

/// A claimed motion in the picture that is smaller than this tells nothing, px.
const LEAST_CLAIM_PX: f64 = 2.0;
/// Paint that is found nearer to the simulation's place than this share of the claim lies there.
const NEAR: f64 = 0.4;
/// Distance between the places that are asked, px.
const STRIDE: usize = 4;
/// Room around the places for a patch and for the shading that is taken out of its paint, px.
const MARGIN_PX: usize = 32;
/// Fewer places with paint where the simulation has it are no evidence.
const FEWEST: usize = 15;
/// Share of all places that must be such.
const CONTRADICTED: f64 = 0.35;
/// With so many places asked no more moments need be looked at.
const ENOUGH: usize = 150;
/// Of a finding that shows so few places is little seen; of fewer than the first next to nothing, and it rests on its
/// surroundings.
const LITTLE: std::ops::Range<usize> = 8..40;
/// Of a finding of which little is seen this share of the places must show the paint where it is claimed.
const SUPPORTED: f64 = 0.25;

/// Where the mesh is laid over the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Where the simulation has it.
    Simulated,
    /// Where the finding has it.
    Claimed,
}

/// How much of the paint of a region was found at one [`Place`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Places whose paint lies there.
    there: usize,
    /// All places that were asked.
    asked: usize,
}

impl Tally {
    pub(super) fn is_enough(self) -> bool {
        self.asked >= ENOUGH
    }

    /// Told of the simulated place: true when the finding is contradicted.
    pub(super) fn contradicts(self) -> bool {
        self.there >= FEWEST && self.share() >= CONTRADICTED
    }

    /// Told of the simulated place: true when little of the finding is seen.
    pub(super) fn is_little(self) -> bool {
        LITTLE.contains(&self.asked)
    }

    /// Told of the claimed place: true when the paint is there often enough.
    pub(super) fn supports(self) -> bool {
        self.share() >= SUPPORTED
    }

    fn share(self) -> f64 {
        self.there as f64 / self.asked.max(1) as f64
    }
}

/// The looks of frame 0, one a camera, made when they are first needed.
#[derive(Default)]
pub(super) struct Paints {
    first: OnceLock<Vec<Appearance>>,
}

impl Paints {
    /// Adds what the pictures of one moment show at `place` of the paint of `elements`.
    pub(super) fn look(
        &self,
        film: &Film<'_>,
        (moment, elements): (usize, &[u32]),
        place: Place,
        tally: &mut Tally,
    ) -> Result<(), SessionError> {
        let simulated = film.simulated(moment)?;
        for shot in film.shots(moment) {
            let scene = film.scene(shot, moment, &simulated);
            let first = &self.first(film)?[shot.camera];
            scene.ask_paint(first, elements, place, || film.picture(shot), tally)?;
        }
        Ok(())
    }

    fn first(&self, film: &Film<'_>) -> Result<&[Appearance], SessionError> {
        if let Some(first) = self.first.get() {
            return Ok(first);
        }
        let undeformed = film.undeformed_mm()?;
        let look = |(camera, view)| {
            let picture = film.picture(Shot { camera, frame: 0, view })?;
            Ok(Appearance::new(&view.camera, film.setup.skin, undeformed.clone(), picture))
        };
        let looks = film.views.iter().enumerate().map(look).collect::<Result<_, SessionError>>()?;
        Ok(self.first.get_or_init(|| looks))
    }
}

impl Scene<'_> {
    /// Asks the picture at every place of `elements` that is said to have moved far enough.
    fn ask_paint(
        &self,
        first: &Appearance,
        elements: &[u32],
        place: Place,
        picture: impl FnOnce() -> Result<Array2<f32>, SessionError>,
        tally: &mut Tally,
    ) -> Result<(), SessionError> {
        let predicted = match place {
            Place::Simulated => predict(&self.view.camera, self.skin, self.simulated, first),
            Place::Claimed => predict(&self.view.camera, self.skin, &self.claimed(), first),
        };
        let claims_px = self.paint_claims_px(&predicted, elements);
        let Some(window) = Window::around(&claims_px.mapv(|px| px >= LEAST_CLAIM_PX), MARGIN_PX) else { return Ok(()) };
        let (support, real) = (window.cut(&predicted.support), window.cut(&picture()?));
        let depths_mm = window.cut(&predicted.raster.depth_mm);
        let drawn = local_contrast(&with_unseen_from(&real, &window.cut(&predicted.picture), &support))?;
        let real = local_contrast(&real)?;
        let matcher = PatchMatcher::new(&drawn, &real);
        for ((r, c), claim_px) in window.cut(&claims_px).indexed_iter().filter(|(_, px)| **px >= LEAST_CLAIM_PX) {
            let found = matcher.refine(r, c, [0.0; 2], same_surface(&support, &depths_mm, (r, c)));
            let off_px = found.filter(|f| f.zncc >= NEAR_ZNCC).map(|f| f64::from(f.shift[0].hypot(f.shift[1])));
            tally.asked += 1;
            tally.there += usize::from(off_px.is_some_and(|px| px < NEAR * claim_px));
        }
        Ok(())
    }

    /// Where the finding has the nodes, mm; where it does not say, the simulation's place.
    fn claimed(&self) -> Vec<[f32; 3]> {
        let known = |d: &[f32; 3]| if d.iter().all(|v| v.is_finite()) { *d } else { [0.0; 3] };
        let moved = |(at, d): (&[f32; 3], [f32; 3])| [at[0] + d[0], at[1] + d[1], at[2] + d[2]];
        self.simulated.iter().zip(self.deviation.iter().map(known)).map(moved).collect()
    }

    /// How far each place of `elements` on the grid is said to have moved in the picture, px; 0 elsewhere.
    fn paint_claims_px(&self, predicted: &Predicted, elements: &[u32]) -> Array2<f64> {
        let camera = &self.view.camera;
        let claim_px = |(r, c): (usize, usize)| {
            let triangle = predicted.raster.triangle[(r, c)];
            if triangle == NO_TRIANGLE || elements.binary_search(&self.skin.element_of[triangle as usize]).is_err() {
                return None;
            }
            let point = predicted.raster.surface_point(camera, self.skin, r, c)?;
            let nodes = self.skin.triangles[point.triangle as usize];
            let at = blend(self.simulated, nodes, point.barycentric);
            let by = blend(self.deviation, nodes, point.barycentric);
            let a = camera.pinhole_pixel_from_world(at);
            let b = camera.pinhole_pixel_from_world([at[0] + by[0], at[1] + by[1], at[2] + by[2]]);
            Some((a.x - b.x).hypot(a.y - b.y)).filter(|px| px.is_finite())
        };
        Array2::from_shape_fn(predicted.support.dim(), |(r, c)| {
            let on_grid = r % STRIDE == 0 && c % STRIDE == 0 && predicted.support[(r, c)] == Support::Known;
            if on_grid { claim_px((r, c)).unwrap_or(0.0) } else { 0.0 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ELEMENTS, strip};
    use super::*;

    /// A restless grey at a place of the strip, mm.
    fn paint(x: f64, y: f64) -> f32 {
        let wave = |a: f64, b: f64| (a * x + b * y).sin();
        (0.5 + 0.1 * (wave(0.61, 0.23) + wave(-0.37, 0.52) + wave(0.83, -0.41) + wave(0.29, 0.97))) as f32
    }

    /// What the paint says at `place` when the strip really lies `real_mm` beside the simulation and 8 mm are claimed.
    fn asked(place: Place, real_mm: f64) -> Tally {
        let (skin, simulated, view) = strip();
        let picture = |moved_mm: f64| {
            let intrinsics = view.camera.intrinsics;
            Array2::from_shape_fn((view.camera.height, view.camera.width), |(r, c)| {
                paint(c as f64 - intrinsics.cx, r as f64 - intrinsics.cy - moved_mm)
            })
        };
        let deviation = vec![[0.0, 8.0, 0.0]; simulated.len()];
        let scene = Scene { skin: &skin, view: &view, simulated: &simulated, deviation: &deviation };
        let first = Appearance::new(&view.camera, &skin, simulated.clone(), picture(0.0));
        let mut tally = Tally::default();
        let elements: Vec<u32> = (0..ELEMENTS).collect();
        scene.ask_paint(&first, &elements, place, || Ok(picture(real_mm)), &mut tally).expect("asked");
        tally
    }

    #[test]
    fn paint_that_stayed_contradicts_and_paint_that_moved_supports() {
        let (stayed, claimed) = (asked(Place::Simulated, 0.0), asked(Place::Claimed, 0.0));
        assert!(stayed.contradicts() && stayed.there > 100, "{stayed:?}");
        assert!(!claimed.supports(), "{claimed:?}");
        let (moved, claimed) = (asked(Place::Simulated, 8.0), asked(Place::Claimed, 8.0));
        assert!(!moved.contradicts() && moved.asked == stayed.asked, "{moved:?}");
        assert!(claimed.supports(), "{claimed:?}");
        for moved_mm in [5.0, 20.0] {
            assert!(!asked(Place::Simulated, moved_mm).contradicts());
        }
    }

    #[test]
    fn a_few_places_are_no_evidence_and_a_minority_is_none_either() {
        let tally = |there, asked| Tally { there, asked };
        assert!(tally(116, 138).contradicts());
        assert!(!tally(10, 10).contradicts(), "too few");
        assert!(!tally(158, 1522).contradicts());
        assert!(tally(3, 26).is_little() && !tally(0, 6).is_little() && !tally(0, 155).is_little());
        assert!(tally(8, 27).supports() && !tally(15, 77).supports());
    }
}
