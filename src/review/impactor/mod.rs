//! The impactor: a rigid body that the film shows and no mesh contains.
//!
//! What it hides must not pass for the specimen, and what it touches moves with it. Where the simulation tells of a
//! cylinder or a wall, [`FilmedImpactor`] finds it in the film: its place and size from what moves as it would (`fit`;
//! `approach` for a cylinder, `ram` for the block behind a wall), a cylinder's more exactly from its outline (`outline`),
//! its way from frame to frame from its own surface (`travel`). Its image then hides
//! pixels, and its way says where the surface is that it pushes, which no camera sees (`contact`). Where the
//! simulation tells nothing, `look` separates it by motion and look.

mod approach;
mod base;
mod contact;
mod fit;
mod line;
mod look;
mod outline;
mod ram;
mod search;
mod travel;

use nalgebra::Vector3;
use ndarray::Array2;

use self::approach::{Approach, Place};
use self::base::BaseShot;
use self::contact::{cylinder_contacts, plane_contacts};
use self::fit::fit_to_motion;
use self::line::Pace;
use self::outline::fit_to_outline;
use self::ram::{RamApproach, RamPlace};
use self::travel::{Follower, Travel};
use super::lift::Sighting;
use super::measure::CameraTrack;
use super::session::{ReviewSetup, ReviewSource, SessionError};
use super::timeline::Moment;
use crate::domain::{Impactor, RigidWall, SeenImpactor, WayPoint};
use crate::geom::{Block, Camera, Cylinder, PinholeView};

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
    fn seen_at(&self, camera: &Camera, row: f64, column: f64) -> Option<Vector3<f64>>;
}

impl Body for Cylinder {
    fn seen_at(&self, camera: &Camera, row: f64, column: f64) -> Option<Vector3<f64>> {
        Cylinder::seen_at(self, camera, row, column)
    }
}

impl Body for Block {
    fn seen_at(&self, camera: &Camera, row: f64, column: f64) -> Option<Vector3<f64>> {
        Block::seen_at(self, camera, row, column)
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
                let outlined = fit_to_outline(source, moments, tracks, &approach, &moved, offset_s)?;
                outlined.map(|place| Found::Cylinder(approach, place))
            }
            Some(Striker::Wall(wall)) => {
                let approach = RamApproach::new(wall, setup.skin, undeformed);
                let place = fit_to_motion(setup, source, moments, tracks, &approach, offset_s)?;
                place.map(|place| Found::Ram(approach, place))
            }
        };
        let Some(found) = found else { return Ok(None) };
        let (line, pace) = (found.line(), found.pace());
        let shots = BaseShot::at(setup, source, pace.base, moments, tracks, offset_s)?;
        let mut follower = match &found {
            Found::Cylinder(approach, place) => {
                Follower::new(tracks, &shots, &approach.filmed(place), line, pace, offset_s)?
            }
            Found::Ram(approach, place) => {
                Follower::new(tracks, &shots, &approach.filmed(place), line, pace, offset_s)?
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
        tracing::info!(seen = travel.iter().flatten().count(), "the impactor is in the film");
        Ok(Some(Self { found, follower, travel, first_mm }))
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

    /// Its way at the moments at which it was seen well enough, and where it hits.
    pub(super) fn seen(&self, moments: &[Moment]) -> SeenImpactor {
        let point = |(m, t): (&Moment, &Option<Travel>)| {
            t.map(|t| WayPoint { time_s: m.time_s, way_mm: t.way_mm, sigma_mm: t.sigma_mm })
        };
        let place = match &self.found {
            Found::Cylinder(approach, place) => Some(approach.place_across(place)),
            Found::Ram(..) => None,
        };
        SeenImpactor { way: moments.iter().zip(&self.travel).filter_map(point).collect(), place }
    }

    /// Its way as far as it was followed in `moments`, beside the simulation's.
    pub(super) fn way(&self, moments: &[Moment]) -> ImpactorWay<'a> {
        let seen = moments.iter().zip(&self.travel).filter_map(|(m, t)| Some((m.time_s, (*t)?.way_mm))).collect();
        ImpactorWay { seen, line: self.found.line() }
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
            Found::Ram(approach, _) => {
                let there = approach.face(approach.line().simulated_way_mm(time_s));
                let here = approach.face(since_contact);
                plane_contacts(&there, &here, sigma_mm, &approach.is_end, simulated_mm, expected_mm)
            }
        }
    }
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
    Array2::from_shape_fn((camera.height, camera.width), |(r, c)| body.seen_at(camera, r as f64, c as f64).is_some())
}

#[cfg(test)]
mod tests {
    use nalgebra::Rotation3;

    use super::approach::tests::{leaning_wall, pole};
    use super::*;
    use crate::domain::{CameraRecord, Distortion, Impactor, Intrinsics, Pose};
    use crate::geom::{Camera, Skin};
    use crate::review::{SourceError, moments};
    use crate::vision::{Appearance, DisFlow, Tone};

    const SIZE: (usize, usize) = (240, 320);
    /// The test's pole stands farther along its axis' side and is slower than the simulation's.
    const LATERAL_MM: f64 = 6.0;
    const RATE: f64 = 0.93;

    /// Looks at the origin from `from`.
    fn camera(from: Vector3<f64>) -> Camera {
        let forward = (-from).normalize();
        let right = Vector3::z().cross(&forward).normalize() * -1.0;
        let rotation = Rotation3::from_basis_unchecked(&[right, forward.cross(&right), forward]).inverse();
        let m = rotation.matrix();
        let t = -(m * from);
        Camera {
            width: SIZE.1,
            height: SIZE.0,
            intrinsics: Intrinsics { fx: 500.0, fy: 500.0, cx: 160.0, cy: 120.0 },
            distortion: Distortion::default(),
            pose: Pose {
                rotation: [0, 1, 2].map(|r| [m[(r, 0)], m[(r, 1)], m[(r, 2)]]),
                translation_mm: [t.x, t.y, t.z],
            },
        }
    }

    /// Smooth noise of a place, 0 to 1.
    fn paint(x: f64, y: f64, z: f64) -> f64 {
        let wave = |a: f64, b: f64, c: f64| (a * x + b * y + c * z).sin();
        let coarse = wave(0.09, 0.04, 0.05) + wave(-0.05, 0.11, 0.07) + wave(0.13, -0.06, 0.15);
        let fine = wave(0.31, 0.22, -0.37) + wave(-0.27, 0.41, 0.33) + wave(0.36, -0.29, 0.24);
        0.5 + 0.1 * coarse + 0.06 * fine
    }

    struct Film {
        cameras: [Camera; 2],
        impactor: Impactor,
        wall: Vec<[f32; 3]>,
        skin: Skin,
    }

    impl Film {
        fn pole_at(&self, time_s: f64) -> Cylinder {
            let approach = Approach::new(&self.impactor, &self.skin, &self.wall);
            let way = RATE * approach.line().simulated_way_mm(time_s);
            Cylinder { span_mm: [-100.0, 110.0], ..approach.touching(LATERAL_MM).moved(approach.direction() * way) }
        }
    }

    impl ReviewSource for Film {
        fn simulated_mm(&self, _: f64) -> Result<Vec<[f32; 3]>, SourceError> {
            Ok(self.wall.clone())
        }

        fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError> {
            let pole = self.pole_at(frame_time_s(frame));
            let camera = &self.cameras[camera];
            Ok(Array2::from_shape_fn(SIZE, |(r, c)| {
                let (row, column) = (r as f64, c as f64);
                let value = match pole.seen_at(camera, row, column) {
                    Some(p) => {
                        let q = p - pole.centre_mm;
                        0.1 + paint(q.x, q.y, q.z)
                    }
                    None => 0.4 * paint(0.3 * column, 0.3 * row, 9.0),
                };
                value as f32
            }))
        }
    }

    fn frame_time_s(frame: usize) -> f64 {
        (frame as f64 - 1.0) * 1e-3
    }

    #[test]
    fn the_pole_is_found_and_followed_to_a_fraction_of_a_mm() {
        let (skin, wall) = leaning_wall();
        let cameras = [camera(Vector3::new(500.0, 200.0, 150.0)), camera(Vector3::new(300.0, -250.0, 450.0))];
        let film = Film { cameras, impactor: pole(), wall, skin };
        let records: Vec<CameraRecord> = (0..2)
            .map(|i| CameraRecord {
                name: format!("camera {i}"),
                width: SIZE.1,
                height: SIZE.0,
                times_s: (0..7).map(frame_time_s).collect(),
                intrinsics: film.cameras[i].intrinsics,
                distortion: Distortion::default(),
                pose: Some(film.cameras[i].pose),
                targets: Vec::new(),
            })
            .collect();
        let tracks: Vec<CameraTrack> = (0..2)
            .map(|i| {
                let picture = film.picture(i, 0).expect("drawn");
                let tone = Tone::from_picture(&picture);
                let view = PinholeView::new(film.cameras[i]);
                let first = Appearance::new(&view.camera, &film.skin, film.wall.clone(), tone.apply(&picture));
                CameraTrack { view, tone, first, last: None }
            })
            .collect();
        let setup = ReviewSetup {
            skin: &film.skin,
            node_count: film.wall.len(),
            state_times_s: &[0.0, 0.01],
            cameras: &records,
            impactor: Some(Striker::Cylinder(&film.impactor)),
            estimator: &DisFlow,
        };
        let moments = moments(&records);
        let find_in = |there: &[Moment]| {
            let found = FilmedImpactor::find(&setup, &film, &film.wall, there, &tracks, 0.0);
            found.expect("pictures are there").expect("a pole in two pictures")
        };
        let is_followed = |found: &FilmedImpactor<'_>| {
            let Found::Cylinder(approach, place) = &found.found else { panic!("a cylinder was looked for") };
            assert!((place.lateral_mm - LATERAL_MM).abs() < 1.5, "{place:?}");
            assert_eq!(found.travel.len(), moments.len());
            for (moment, travel) in moments.iter().zip(&found.travel) {
                let travel = travel.expect("clearly seen");
                let true_mm = RATE * approach.line().simulated_way_mm(moment.time_s);
                let error = (travel.way_mm - true_mm).abs();
                assert!(error < 0.3 && error < 3.0 * travel.sigma_mm, "{travel:?}, true {true_mm} mm");
            }
        };
        let found = find_in(&moments);
        is_followed(&found);
        // The last frame has not arrived when it is looked for.
        let mut early = find_in(&moments[..6]);
        for index in 6..moments.len() {
            early.follow_to(&film, &moments, &tracks, index).expect("pictures are there");
        }
        is_followed(&early);
        let hidden = found.hides_at_first(&tracks[0]);
        let shown = film.pole_at(0.0).moved(Vector3::zeros());
        let seen = |r: usize, c: usize| shown.seen_at(&film.cameras[0], r as f64, c as f64).is_some();
        let missed = hidden.indexed_iter().filter(|((r, c), h)| !**h && seen(*r, *c)).count();
        assert!(missed < 40, "{missed} pixels of the pole pass for the specimen");
    }
}
