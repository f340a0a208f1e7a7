//! The impactor: a rigid body that the film shows and no mesh contains.
//!
//! What it hides must not pass for the specimen, and what it touches moves with it. Where the simulation tells of a
//! cylinder or a wall, [`FilmedImpactor`] finds it in the film: its place and size from what moves as it would (`fit`;
//! `approach` for a cylinder, `ram` for the block behind a wall), more exactly from its `edges` (`outline` of a cylinder,
//! `ram_edges`), its way from frame to frame from its own surface (`travel`). Its image then hides pixels, and its way says
//! where the surface is that it pushes, which no camera sees (`contact`). Where the simulation tells nothing, `look`
//! separates it by motion and look.

mod approach;
mod base;
mod contact;
mod edges;
mod ends;
mod fit;
mod line;
mod look;
mod outline;
mod ram;
mod ram_edges;
mod search;
mod travel;

use nalgebra::Vector3;
use ndarray::Array2;

use self::approach::{Approach, Place};
use self::base::BaseShot;
use self::contact::{cylinder_contacts, plane_contacts};
use self::ends::fit_ends;
use self::fit::fit_to_motion;
use self::line::Pace;
use self::outline::fit_to_outline;
use self::ram::{RamApproach, RamPlace};
use self::ram_edges::fit_to_edges;
use self::travel::{Follower, Travel};
use super::lift::Sighting;
use super::measure::CameraTrack;
use super::session::{ReviewSetup, ReviewSource, SessionError};
use super::timeline::Moment;
use crate::domain::{Impactor, RigidWall, SeenBody, SeenImpactor, WayPoint};
use crate::geom::{Block, Camera, Cylinder, Extent, PinholeView, Solid};

pub(in crate::review) use line::{Before, ImpactorWay, Line};
pub(in crate::review) use look::trusted_beside_impactor;
pub(in crate::review) use search::ImpactorSearch;

/// The rigid body that hits the structure, as the simulation tells of it.
#[derive(Debug, Clone, Copy)]
pub enum Striker<'a> {
    /// A pole or a punch.
    Cylinder(&'a Impactor),
    /// The flat face of a ram or a sled.
    Wall(&'a RigidWall),
}

/// What a camera sees of an impactor.
trait Body: Copy + Sync {
    /// The point of its surface at a pixel of the picture without lens.
    fn seen_at(&self, camera: &Camera, row: f64, column: f64) -> Option<Vector3<f64>> {
        let (eye, ray) = camera.pinhole_ray(row, column);
        self.met_by(eye, ray)
    }
    /// The point of its surface that a ray from `eye`, mm, meets first.
    fn met_by(&self, eye: Vector3<f64>, ray: Vector3<f64>) -> Option<Vector3<f64>>;
    /// Where its image lies at most.
    fn extent(&self, camera: &Camera) -> Extent;
    /// Whether the outline tells how far from the cameras its surface is at a point.
    fn is_firm_at(&self, point_mm: Vector3<f64>) -> bool;
}

impl Body for Cylinder {
    fn met_by(&self, eye: Vector3<f64>, ray: Vector3<f64>) -> Option<Vector3<f64>> {
        Cylinder::met_by(self, eye, ray)
    }

    fn extent(&self, camera: &Camera) -> Extent {
        self.corners_mm().map_or(Extent::EVERYWHERE, |corners| Extent::around(&corners, camera))
    }

    /// Its side, which the outline places; where its ends are only the motion tells, to some cm.
    fn is_firm_at(&self, point_mm: Vector3<f64>) -> bool {
        const ON_SIDE_MM: f64 = 1e-3;
        self.side_distance(point_mm).is_some_and(|(distance, _)| distance.abs() < ON_SIDE_MM)
    }
}

impl Body for Block {
    fn met_by(&self, eye: Vector3<f64>, ray: Vector3<f64>) -> Option<Vector3<f64>> {
        Block::met_by(self, eye, ray)
    }

    fn extent(&self, camera: &Camera) -> Extent {
        Extent::around(&self.corners_mm(), camera)
    }

    fn is_firm_at(&self, _: Vector3<f64>) -> bool {
        true
    }
}

/// The simulation's impactor, found again in the film.
pub(super) struct FilmedImpactor<'a> {
    found: Found<'a>,
    follower: Follower<'a>,
    /// Its way at each moment so far; `None` where it was not seen well enough.
    travel: Vec<Option<Travel>>,
    /// Its way in frame 0, seen or not, mm.
    first_mm: f64,
    /// Where a cylinder ends, for those who look at it; what it hides is known by its motion.
    ends_mm: Option<[f64; 2]>,
}

/// What was found, and where it is.
enum Found<'a> {
    Cylinder(Approach<'a>, Place),
    Ram(RamApproach<'a>, RamPlace),
}

impl<'a> Found<'a> {
    fn line(&self) -> Line<'a> {
        match self {
            Self::Cylinder(approach, _) => approach.line(),
            Self::Ram(approach, _) => approach.line(),
        }
    }

    fn pace(&self) -> Pace {
        match self {
            Self::Cylinder(_, place) => place.pace,
            Self::Ram(_, place) => place.pace,
        }
    }

    /// The way at which it touches the structure, from where it is at the moment [`Pace::base`], by its edges, mm.
    fn touches_mm(&self) -> Option<f64> {
        match self {
            Self::Cylinder(_, place) => Some(-place.along_mm),
            Self::Ram(_, place) => place.is_outlined.then_some(-place.along_mm),
        }
    }
}

impl<'a> FilmedImpactor<'a> {
    /// Looks for the impactor that the simulation tells of in `moments`, the film as far as it is there; `None` where
    /// the simulation tells of none, or where they do not show it clearly.
    ///
    /// # Errors
    /// When a picture cannot be read or worked on, or the caller stops.
    pub(super) fn find(
        setup: &ReviewSetup<'a>,
        source: &dyn ReviewSource,
        undeformed: &[[f32; 3]],
        moments: &[Moment],
        tracks: &[CameraTrack],
        offset_s: f64,
    ) -> Result<Option<Self>, SessionError> {
        let found = match setup.impactor {
            None => return Ok(None),
            Some(Striker::Cylinder(impactor)) => {
                let approach = Approach::new(impactor, setup.skin, undeformed);
                let moved = fit_to_motion(setup, source, moments, tracks, &approach, offset_s)?;
                let Some(moved) = moved else { return Ok(None) };
                let place = moved.place;
                let shown = (&approach.filmed(&place), approach.line(), place.pace);
                let travel =
                    follower(setup, source, moments, tracks, shown, offset_s)?.whole_way(source, moments, tracks)?;
                let outlined = fit_to_outline(source, moments, tracks, &approach, &moved, &travel)?;
                outlined.map(|place| Found::Cylinder(approach, place))
            }
            Some(Striker::Wall(wall)) => {
                let approach = RamApproach::new(wall, setup.skin, undeformed);
                let moved = fit_to_motion(setup, source, moments, tracks, &approach, offset_s)?;
                let Some(moved) = moved else { return Ok(None) };
                let place = outlined_ram(setup, source, moments, tracks, (&approach, moved.place), offset_s)?;
                Some(Found::Ram(approach, place))
            }
        };
        let Some(found) = found else { return Ok(None) };
        let (line, pace) = (found.line(), found.pace());
        let mut follower = match &found {
            Found::Cylinder(approach, place) => {
                follower(setup, source, moments, tracks, (&approach.filmed(place), line, pace), offset_s)?
            }
            Found::Ram(approach, place) => {
                follower(setup, source, moments, tracks, (&approach.filmed(place), line, pace), offset_s)?
            }
        };
        let travel = follower.whole_way(source, moments, tracks)?;
        let first_mm = pace.rate
            * line.simulated_way_between_mm(
                pace.before,
                moments[pace.base].time_s + offset_s,
                moments[0].time_s + offset_s,
            );
        let first_mm = travel[0].map_or(first_mm, |t| t.way_mm);
        let ends_mm = match &found {
            Found::Cylinder(approach, place) => Some(fit_ends(source, moments, tracks, approach, place, &travel)?),
            Found::Ram(..) => None,
        };
        tracing::info!(seen = travel.iter().flatten().count(), "the impactor is in the film");
        Ok(Some(Self { found, follower, travel, first_mm, ends_mm }))
    }

    /// Follows it to the moment `index` of a film that was still arriving when it was found.
    ///
    /// # Errors
    /// When a picture cannot be read or worked on.
    pub(super) fn follow_to(
        &mut self,
        source: &dyn ReviewSource,
        moments: &[Moment],
        tracks: &[CameraTrack],
        index: usize,
    ) -> Result<(), SessionError> {
        if index >= self.travel.len() {
            // What was left out in between was not looked at.
            self.travel.resize(index, None);
            self.travel.push(self.follower.next(source, moments, tracks, index)?);
        }
        Ok(())
    }

    /// Its way at the moments at which it was seen well enough, where it hits and how it leans, by the trigger's offset.
    pub(super) fn seen(&self, moments: &[Moment], offset_s: f64) -> SeenImpactor {
        let (line, pace) = (self.found.line(), self.found.pace());
        let touches = travel::at_contact(moments, &self.travel, line, pace, offset_s);
        let touches_mm = touches.map_or(0.0, |t| t.way_mm);
        let point = |(m, t): (&Moment, &Option<Travel>)| {
            let Travel { way_mm, sigma_mm } = (*t)?;
            let simulated_mm = Some(line.since_contact_mm(pace.before, m.time_s + offset_s));
            Some(WayPoint { time_s: m.time_s, way_mm: way_mm - touches_mm, sigma_mm, simulated_mm })
        };
        let way = moments.iter().zip(&self.travel).filter_map(point).collect();
        let body = Some(self.body());
        match &self.found {
            Found::Cylinder(approach, place) => {
                SeenImpactor { way, place: Some(approach.place_across(place)), face: None, body }
            }
            Found::Ram(approach, place) => {
                let face = place.is_outlined.then(|| approach.face(place.lean_rad, 0.0).normal.into());
                SeenImpactor { way, place: None, face, body }
            }
        }
    }

    /// What is seen of it in frame 0.
    fn body(&self) -> SeenBody {
        let direction = self.found.line().direction;
        let first = direction * self.first_mm;
        let (solid, to_contact_mm) = match &self.found {
            Found::Cylinder(approach, place) => {
                let span_mm = self.ends_mm.unwrap_or(place.span_mm);
                let cylinder = Cylinder { span_mm, ..approach.filmed(place).moved(first) };
                (Solid::Cylinder(cylinder), approach.simulated(0.0).centre_mm - cylinder.centre_mm)
            }
            Found::Ram(approach, place) => {
                let block = approach.filmed(place).moved(first);
                (Solid::Block(block), approach.simulated_face(0.0).point_mm - block.origin_mm)
            }
        };
        SeenBody { shape: solid.into(), to_contact_mm: to_contact_mm.into(), direction: direction.into() }
    }

    /// Its way as far as it was followed in `moments`, beside the simulation's.
    pub(super) fn way(&self, moments: &[Moment]) -> ImpactorWay<'a> {
        let seen = moments.iter().zip(&self.travel).filter_map(|(m, t)| Some((m.time_s, (*t)?.way_mm))).collect();
        ImpactorWay { seen, line: self.found.line(), touches_mm: self.found.touches_mm() }
    }

    /// Its image in frame 0, a few pixels larger: that look is not the specimen's.
    pub(super) fn hides_at_first(&self, track: &CameraTrack) -> Array2<bool> {
        self.hidden_when_moved(self.first_mm, track)
    }

    /// Its image at moment `index`; `None` where it was not seen.
    pub(super) fn hides(&self, index: usize, track: &CameraTrack) -> Option<Array2<bool>> {
        Some(self.hidden_when_moved(self.travel[index]?.way_mm, track))
    }

    fn hidden_when_moved(&self, way_mm: f64, track: &CameraTrack) -> Array2<bool> {
        let by = self.found.line().direction * way_mm;
        match &self.found {
            Found::Cylinder(approach, place) => hidden_by(&approach.filmed(place).moved(by), track),
            Found::Ram(approach, place) => hidden_by(&approach.filmed(place).moved(by), track),
        }
    }

    /// What it says at moment `index` of the surface that it touches: that surface is where the impactor is.
    /// `offset_s` is the trigger's; `expected_mm` is where the nodes are expected, `simulated_mm` where the simulation
    /// has them.
    pub(super) fn contacts(
        &self,
        moments: &[Moment],
        index: usize,
        offset_s: f64,
        simulated_mm: &[[f32; 3]],
        expected_mm: &[[f32; 3]],
    ) -> Vec<Sighting> {
        let Some(travel) = self.travel[index] else { return Vec::new() };
        let touches = travel::at_contact(moments, &self.travel, self.found.line(), self.found.pace(), offset_s);
        let Some(touches) = touches else { return Vec::new() };
        let since_contact = travel.way_mm - touches.way_mm;
        let sigma_mm = travel.sigma_mm.hypot(touches.sigma_mm);
        let time_s = moments[index].time_s + offset_s;
        match &self.found {
            Found::Cylinder(approach, place) => {
                let way = approach.direction() * since_contact;
                let here = approach.touching(place.lateral_mm).moved(way);
                let there = approach.simulated(time_s);
                cylinder_contacts(&there, &here, approach.direction(), sigma_mm, simulated_mm, expected_mm)
            }
            Found::Ram(approach, place) => {
                let there = approach.simulated_face(approach.line().simulated_way_mm(time_s));
                let here = approach.face(place.lean_rad, since_contact);
                plane_contacts(&there, &here, sigma_mm, &approach.is_end, simulated_mm, expected_mm)
            }
        }
    }
}

/// The ram that the motion found, with its sides where its edges are.
///
/// Where the edges are in later pictures follows from its way, and how far a way is in mm from where its sides are: once
/// more, as long as the edges come out clearly stronger.
fn outlined_ram<'a>(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    moments: &[Moment],
    tracks: &[CameraTrack],
    (approach, mut place): (&RamApproach<'a>, RamPlace),
    offset_s: f64,
) -> Result<RamPlace, SessionError> {
    const ROUNDS: usize = 2;
    const STRONGER: f64 = 1.03;
    let mut last = 0.0;
    for _ in 0..ROUNDS {
        let shown = (&approach.filmed(&place), approach.line(), place.pace);
        let travel = follower(setup, source, moments, tracks, shown, offset_s)?.whole_way(source, moments, tracks)?;
        match fit_to_edges(source, moments, tracks, approach, &place, &travel)? {
            Some((strength, outlined)) if strength > STRONGER * last => (last, place) = (strength, outlined),
            _ => break,
        }
    }
    Ok(place)
}

/// What follows a body that goes along a line, from the moment [`Pace::base`] on.
fn follower<'a>(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    moments: &[Moment],
    tracks: &[CameraTrack],
    (body, line, pace): (&impl Body, Line<'a>, Pace),
    offset_s: f64,
) -> Result<Follower<'a>, SessionError> {
    let shots = BaseShot::at(setup, source, pace.base, moments, tracks, offset_s)?;
    Follower::new(tracks, &shots, body, line, pace, offset_s)
}

/// The pixels of a camera that show the body, grown by a few pixels.
fn hidden_by(body: &impl Body, track: &CameraTrack) -> Array2<bool> {
    /// About half a patch: from there on a patch shows mostly what lies beside.
    const MARGIN_PX: usize = 4;
    look::grown(&image_of(body, &track.view), MARGIN_PX)
}

/// The pixels of a view's canvas that show the body.
fn image_of(body: &impl Body, view: &PinholeView) -> Array2<bool> {
    let camera = &view.camera;
    let extent = body.extent(camera);
    Array2::from_shape_fn((camera.height, camera.width), |(r, c)| {
        let (row, column) = (r as f64, c as f64);
        extent.holds(row, column) && body.seen_at(camera, row, column).is_some()
    })
}

#[cfg(test)]
mod tests;
