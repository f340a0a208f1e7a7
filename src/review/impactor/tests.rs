//! Impactors in drawn films, found and followed.

use nalgebra::Rotation3;

use super::approach::tests::{leaning_wall, pole};
use super::fit::ByMotion;
use super::*;
use crate::domain::{CameraRecord, Distortion, Intrinsics, Pose};
use crate::geom::Skin;
use crate::review::{SourceError, moments};
use crate::vision::{Appearance, DisFlow, Tone};

const SIZE: (usize, usize) = (240, 320);
/// The test's pole stands farther along its axis' side …
const LATERAL_MM: f64 = 6.0;
/// … and is slower than the simulation's.
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
        pose: Pose { rotation: [0, 1, 2].map(|r| [m[(r, 0)], m[(r, 1)], m[(r, 2)]]), translation_mm: [t.x, t.y, t.z] },
    }
}

/// Smooth noise of a place, 0 to 1.
fn paint(x: f64, y: f64, z: f64) -> f64 {
    let wave = |a: f64, b: f64, c: f64| (a * x + b * y + c * z).sin();
    let coarse = wave(0.09, 0.04, 0.05) + wave(-0.05, 0.11, 0.07) + wave(0.13, -0.06, 0.15);
    let fine = wave(0.31, 0.22, -0.37) + wave(-0.27, 0.41, 0.33) + wave(0.36, -0.29, 0.24);
    0.5 + 0.1 * coarse + 0.06 * fine
}

fn frame_time_s(frame: usize) -> f64 {
    (frame as f64 - 1.0) * 1e-3
}

/// A painted body that two cameras see go along a line, before a background at rest. Of the structure nothing is seen.
struct Film<B> {
    cameras: [Camera; 2],
    wall: Vec<[f32; 3]>,
    skin: Skin,
    /// The body before it moves.
    body: B,
    /// How far it has gone, mm.
    way_mm: fn(f64) -> Vector3<f64>,
    /// How much light falls on a place of the body before it moves.
    light: fn(Vector3<f64>) -> f64,
}

impl<B: Body> ReviewSource for Film<B> {
    fn simulated_mm(&self, _: f64) -> Result<Vec<[f32; 3]>, SourceError> {
        Ok(self.wall.clone())
    }

    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError> {
        let gone = (self.way_mm)(frame_time_s(frame));
        let camera = &self.cameras[camera];
        // The body at rest before a camera that goes the other way.
        let mut beside = *camera;
        let back = camera.pose.rotation.map(|row| Vector3::from(row).dot(&gone));
        beside.pose.translation_mm = [0, 1, 2].map(|i| camera.pose.translation_mm[i] + back[i]);
        Ok(Array2::from_shape_fn(SIZE, |(r, c)| {
            let (row, column) = (r as f64, c as f64);
            let value = match self.body.seen_at(&beside, row, column) {
                Some(p) => 0.1 + (self.light)(p) * paint(p.x, p.y, p.z),
                None => 0.4 * paint(0.3 * column, 0.3 * row, 9.0),
            };
            value as f32
        }))
    }
}

impl<B: Body> Film<B> {
    fn records(&self) -> Vec<CameraRecord> {
        let record = |i: usize| CameraRecord {
            name: format!("camera {i}"),
            width: SIZE.1,
            height: SIZE.0,
            times_s: (0..7).map(frame_time_s).collect(),
            intrinsics: self.cameras[i].intrinsics,
            distortion: Distortion::default(),
            pose: Some(self.cameras[i].pose),
            targets: Vec::new(),
        };
        (0..2).map(record).collect()
    }

    fn tracks(&self) -> Vec<CameraTrack> {
        let track = |i: usize| {
            let picture = self.picture(i, 0).expect("drawn");
            let tone = Tone::from_picture(&picture);
            let view = PinholeView::new(self.cameras[i]);
            let first = Appearance::new(&view.camera, &self.skin, self.wall.clone(), tone.apply(&picture));
            CameraTrack { view, tone, first, last: None }
        };
        (0..2).map(track).collect()
    }
}

fn setup<'a, B>(film: &'a Film<B>, records: &'a [CameraRecord], impactor: Striker<'a>) -> ReviewSetup<'a> {
    ReviewSetup {
        skin: &film.skin,
        node_count: film.wall.len(),
        state_times_s: &[0.0, 0.01],
        cameras: records,
        impactor: Some(impactor),
        estimator: &DisFlow::Medium,
    }
}

/// A pole that waits beside the simulation's and is slower.
fn film_of_a_slower_pole() -> Film<Cylinder> {
    let (skin, wall) = leaning_wall();
    let cameras = [camera(Vector3::new(500.0, 200.0, 150.0)), camera(Vector3::new(300.0, -250.0, 450.0))];
    let touching = Approach::new(&pole(), &skin, &wall).touching(LATERAL_MM);
    let body = Cylinder { span_mm: [-100.0, 110.0], ..touching };
    let way_mm = |time_s: f64| Vector3::new(-RATE * 5000.0 * time_s.clamp(0.0, 0.01), 0.0, 0.0);
    Film { cameras, wall, skin, body, way_mm, light: |_| 1.0 }
}

#[test]
fn the_pole_is_found_and_followed_to_a_fraction_of_a_mm() {
    let (impactor, film) = (pole(), film_of_a_slower_pole());
    let way_mm = film.way_mm;
    let (records, tracks) = (film.records(), film.tracks());
    let setup = setup(&film, &records, Striker::Cylinder(&impactor));
    let moments = moments(&records);
    let find_in = |there: &[Moment]| {
        let found = FilmedImpactor::find(&setup, &film, &film.wall, there, &tracks, 0.0);
        found.expect("pictures are there").expect("a pole in two pictures")
    };
    let is_followed = |found: &FilmedImpactor<'_>| {
        let Found::Cylinder(_, place) = &found.found else { panic!("a cylinder was looked for") };
        assert!((place.lateral_mm - LATERAL_MM).abs() < 1.5, "{place:?}");
        is_followed(found, &moments, way_mm);
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
    let seen = |r: usize, c: usize| film.body.seen_at(&film.cameras[0], r as f64, c as f64).is_some();
    let missed = hidden.indexed_iter().filter(|((r, c), h)| !**h && seen(*r, *c)).count();
    assert!(missed < 40, "{missed} pixels of the pole pass for the specimen");
}

#[test]
fn the_outline_finds_a_pole_that_the_motion_put_half_a_radius_beside() {
    let (impactor, film) = (pole(), film_of_a_slower_pole());
    let (way_mm, approach) = (film.way_mm, Approach::new(&impactor, &film.skin, &film.wall));
    let moments = moments(&film.records());
    let travel: Vec<_> =
        moments.iter().map(|m| Some(Travel { way_mm: way_mm(m.time_s).norm(), sigma_mm: 0.2 })).collect();
    let pace = Pace { rate: RATE, before: Before::Waits, base: 0 };
    for beside_mm in [-25.0, 25.0] {
        let lateral_mm = LATERAL_MM + beside_mm;
        let place = Place { lateral_mm, along_mm: 12.0, span_mm: [-90.0, 95.0], radius_share: 1.0, pace };
        let moved = ByMotion { place, explained: 0.8 };
        let found = fit_to_outline(&film, &moments, &film.tracks(), &approach, &moved, &travel);
        let place = found.expect("pictures are there").expect("a pole in two pictures");
        assert!((place.lateral_mm - LATERAL_MM).abs() < 1.5 && place.along_mm.abs() < 1.5, "{place:?}");
    }
}

/// Another design is hit beside and faster, and its pole comes flying: it is none that waits and goes faster still.
#[test]
fn a_pole_that_comes_faster_and_beside_is_found() {
    const BESIDE_MM: f64 = 46.0;
    const FASTER: f64 = 1.24;
    let (skin, wall) = leaning_wall();
    let cameras = [camera(Vector3::new(500.0, 200.0, 150.0)), camera(Vector3::new(430.0, 190.0, -250.0))];
    let impactor = pole();
    let approach = Approach::new(&impactor, &skin, &wall);
    let body = Cylinder { span_mm: [-100.0, 110.0], ..approach.touching(BESIDE_MM) };
    let way_mm = |time_s: f64| Vector3::new(-FASTER * 5000.0 * time_s.min(0.01), 0.0, 0.0);
    let film = Film { cameras, wall, skin, body, way_mm, light: |_| 1.0 };
    let (records, tracks) = (film.records(), film.tracks());
    let setup = setup(&film, &records, Striker::Cylinder(&impactor));
    let moments = moments(&records);
    let found = FilmedImpactor::find(&setup, &film, &film.wall, &moments, &tracks, 0.0);
    let found = found.expect("pictures are there").expect("a pole in two pictures");
    let Found::Cylinder(_, place) = &found.found else { panic!("a cylinder was looked for") };
    assert_eq!(place.pace.before, Before::Comes, "{place:?}");
    assert!((place.lateral_mm - BESIDE_MM).abs() < 3.0 && (place.pace.rate - FASTER).abs() < 0.06, "{place:?}");
}

/// Its way is the film's to a third of a mm and to what it says of itself.
fn is_followed(found: &FilmedImpactor<'_>, moments: &[Moment], way_mm: fn(f64) -> Vector3<f64>) {
    assert_eq!(found.travel.len(), moments.len());
    for (moment, travel) in moments.iter().zip(&found.travel) {
        let travel = travel.expect("clearly seen");
        let true_mm = way_mm(moment.time_s).norm();
        let error = (travel.way_mm - true_mm).abs();
        assert!(error < 0.3 && error < 3.0 * travel.sigma_mm, "{travel:?}, true {true_mm} mm");
    }
}

#[test]
fn the_sides_of_a_ram_are_where_its_edges_are_and_so_its_way_is_long_enough() {
    let cameras = [camera(Vector3::new(500.0, 300.0, 150.0)), camera(Vector3::new(400.0, -350.0, 250.0))];
    let rigid = RigidWall {
        point_mm: [0.0; 3],
        normal: [0.0, 0.0, -1.0],
        direction: [0.0, 0.0, -1.0],
        times_s: vec![0.0, 0.01],
        travel_mm: vec![0.0, 50.0],
    };
    let sides_mm = [-46.0, 58.0, -70.0, 52.0];
    let [a0, a1, b0, b1] = sides_mm;
    let body = Block {
        origin_mm: Vector3::zeros(),
        axes: [Vector3::x(), -Vector3::y(), Vector3::z()],
        low_mm: [a0, b0, 0.0],
        high_mm: [a1, b1, 90.0],
    };
    let way_mm = |time_s: f64| Vector3::new(0.0, 0.0, -RATE * 5000.0 * time_s.clamp(0.0, 0.01));
    let skin = Skin { triangles: vec![[0, 1, 2], [0, 2, 3]], element_of: vec![0, 0] };
    let wall = [[-50.0, -50.0], [50.0, -50.0], [50.0, 50.0], [-50.0, 50.0]].map(|[x, y]| [x, y, -0.5]).to_vec();
    // Its faces are lit differently, as those of bodies are.
    let light = |p: Vector3<f64>| match p {
        p if p.x.abs() > 45.9 && (p.x < 0.0 || p.x > 57.9) => 0.6,
        p if p.y < -51.9 || p.y > 69.9 => 1.0,
        _ => 0.4,
    };
    let film = Film { cameras, wall, skin, body, way_mm, light };
    let (records, tracks) = (film.records(), film.tracks());
    let setup = setup(&film, &records, Striker::Wall(&rigid));
    let moments = moments(&records);
    let found = FilmedImpactor::find(&setup, &film, &film.wall, &moments, &tracks, 0.0);
    let found = found.expect("pictures are there").expect("a ram in two pictures");
    let Found::Ram(approach, place) = &found.found else { panic!("a ram was looked for") };
    for (found, wanted) in approach.edges(place).into_iter().zip(sides_mm) {
        assert!((found - wanted).abs() < 2.5, "2 px: {place:?}");
    }
    // An edge is as strong 1.5 px beside its place, which is 2 mm at either end of 90 mm.
    let lean = place.lean_rad[0].hypot(place.lean_rad[1]);
    assert!(lean < 0.045 && found.found.touches_mm().is_some_and(|mm| mm.abs() < 1.5), "{place:?}");
    is_followed(&found, &moments, way_mm);
}
