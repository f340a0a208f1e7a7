//! Witnesses against a finding: does the film show the structure where the simulation has it, after all?
//!
//! The tracker follows a surface from picture to picture, and where paint is weak it can drift. Before its findings count,
//! the pictures are asked once more and without any history: the edges ([`edges`]) and the paint ([`paint`]) of what is
//! said to have moved. A finding that they contradict is not held to be true: the film cannot tell.

mod edges;
mod paint;

use std::borrow::Cow;
use std::sync::OnceLock;

use ndarray::Array2;

use self::edges::Edges;
use self::paint::{Paints, Place, Tally};
use super::judge::Region;
use super::session::{Measured, ReviewSetup, ReviewSource, SessionError};
use crate::geom::{Camera, PinholeView, Skin};
use crate::vision::{Tone, canvas_picture};

/// Why a finding is not held to be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// Its edges lie in the pictures where the simulation has them.
    Edges,
    /// Its paint lies in the pictures where the simulation has it.
    Paint,
    /// Little of it is seen, and its paint is not found where it is claimed to be.
    LittleSeen,
    /// It would stretch its sheet as no sheet is stretched.
    Stretched,
    /// It shows too little paint, and no better painted part deviates with it.
    BareAndAlone,
}

/// The witnesses of one film.
pub(super) struct Witnesses<'a> {
    film: Film<'a>,
    edges: Edges,
    paints: Paints,
}

impl<'a> Witnesses<'a> {
    pub(super) fn new(setup: &'a ReviewSetup<'a>, source: &'a dyn ReviewSource, measured: &'a Measured) -> Self {
        Self { film: Film::new(setup, source, measured), edges: Edges::new(setup.skin), paints: Paints::default() }
    }

    /// Why `region` cannot be held to be true; `None` when nothing speaks against it.
    ///
    /// # Errors
    /// When a state or a picture cannot be read.
    pub(super) fn doubt(&self, region: &Region) -> Result<Option<Doubt>, SessionError> {
        let (mut edges, mut stayed, mut moved) = (edges::Tally::default(), Tally::default(), Tally::default());
        // The latest moments claim most.
        for (moment, elements) in region.elements.iter().rev() {
            if !edges.is_enough() {
                self.edges.look(&self.film, *moment, elements, &mut edges)?;
            }
            if !stayed.is_enough() {
                self.paints.look(&self.film, (*moment, elements), Place::Simulated, &mut stayed)?;
            }
        }
        if stayed.is_little() {
            for (moment, elements) in &region.elements {
                self.paints.look(&self.film, (*moment, elements), Place::Claimed, &mut moved)?;
            }
        }
        tracing::debug!(part = region.part.0, ?edges, ?stayed, ?moved, "witnesses of a finding");
        Ok(if edges.contradicts() {
            Some(Doubt::Edges)
        } else if stayed.contradicts() {
            Some(Doubt::Paint)
        } else if stayed.is_little() && !moved.supports() {
            Some(Doubt::LittleSeen)
        } else {
            None
        })
    }
}

/// A film that was measured.
struct Film<'a> {
    setup: &'a ReviewSetup<'a>,
    source: &'a dyn ReviewSource,
    measured: &'a Measured,
    views: Vec<PinholeView>,
    /// By camera, from the first picture that is asked for.
    tones: Vec<OnceLock<Tone>>,
}

/// One camera's picture of one moment.
#[derive(Clone, Copy)]
struct Shot<'a> {
    camera: usize,
    frame: usize,
    view: &'a PinholeView,
}

impl<'a> Film<'a> {
    fn new(setup: &'a ReviewSetup<'a>, source: &'a dyn ReviewSource, measured: &'a Measured) -> Self {
        let views = setup.cameras.iter().zip(&measured.alignment);
        let views: Vec<_> = views.map(|(record, a)| PinholeView::new(Camera::from_record(record, a.pose))).collect();
        let tones = views.iter().map(|_| OnceLock::new()).collect();
        Self { setup, source, measured, views, tones }
    }

    /// The pictures of a moment.
    fn shots(&self, moment: usize) -> impl Iterator<Item = Shot<'_>> {
        let frames = &self.measured.moments[moment].frames;
        frames.iter().map(|(camera, frame)| Shot { camera: *camera, frame: *frame, view: &self.views[*camera] })
    }

    /// What the shot of a moment would show of the `simulated` structure.
    fn scene<'s>(&'s self, shot: Shot<'s>, moment: usize, simulated: &'s Simulated<'_>) -> Scene<'s> {
        let deviation = &self.measured.fields[moment].deviation_mm;
        Scene { skin: &simulated.skin, view: shot.view, simulated: &simulated.positions_mm, deviation }
    }

    /// What the simulation has at a moment.
    fn simulated(&self, moment: usize) -> Result<Simulated<'_>, SessionError> {
        let at_s = self.measured.moments[moment].time_s + self.measured.alignment[0].time_offset_s;
        let alive = self.source.alive(at_s).map_err(SessionError::Source)?.filter(|alive| alive.contains(&false));
        let whole = Cow::Borrowed(self.setup.skin);
        Ok(Simulated {
            skin: alive.map_or(whole, |alive| Cow::Owned(self.setup.skin.of_living(&alive))),
            positions_mm: self.source.simulated_mm(at_s).map_err(SessionError::Source)?,
        })
    }

    /// Where the nodes were before the test, mm.
    fn undeformed_mm(&self) -> Result<Vec<[f32; 3]>, SessionError> {
        self.source.simulated_mm(self.setup.state_times_s[0]).map_err(SessionError::Source)
    }

    /// The picture as the tracker sees it: toned as frame 0, without the lens.
    fn picture(&self, shot: Shot<'_>) -> Result<Array2<f32>, SessionError> {
        let read = |frame| self.source.picture(shot.camera, frame).map_err(SessionError::Source);
        let known = self.tones[shot.camera].get();
        let tone = known.copied().map_or_else(|| read(0).map(|first| Tone::from_picture(&first)), Ok)?;
        self.tones[shot.camera].get_or_init(|| tone);
        Ok(canvas_picture(shot.view, &tone.apply(&read(shot.frame)?))?)
    }
}

/// The simulation at one moment.
struct Simulated<'a> {
    /// What has not eroded; its triangles keep their numbers.
    skin: Cow<'a, Skin>,
    positions_mm: Vec<[f32; 3]>,
}

/// What a camera would show at one moment by the simulation, and what is claimed of it.
struct Scene<'a> {
    skin: &'a Skin,
    view: &'a PinholeView,
    /// Node positions, mm.
    simulated: &'a [[f32; 3]],
    /// Test minus simulation, mm; not finite where it is not known.
    deviation: &'a [[f32; 3]],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Distortion, Intrinsics, Pose};

    pub(super) const ELEMENTS: u32 = 16;

    /// A strip of elements of 10 x 40 mm, seen from straight above at 1 mm a pixel.
    pub(super) fn strip() -> (Skin, Vec<[f32; 3]>, PinholeView) {
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
}
