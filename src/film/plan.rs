//! Everything random of one film, drawn once: two films of one seed are one film.

use super::cameras::{PoseError, coarser, place_cameras};
use super::lens::Window;
use super::light::{Light, Lit, Stage};
use super::looks::{Look, coats, stickers};
use super::rng::Rng;
use super::scene::{Body, Owner, Scene};
use super::sensor::Sensor;
use super::shoot::{Exposure, Set, expose, look, percentile};
use super::subject::Subject;
use super::surroundings::{holding_block, impactor, surroundings};
use super::targets::{place_targets, seen_targets};
use crate::domain::{CameraRecord, Pose, TargetMark};
use crate::geom::{Camera, NO_TRIANGLE};

/// What is asked of a film; the rest is drawn at random.
#[derive(Debug, Clone, PartialEq)]
pub struct FilmOrder {
    /// Seed of everything random.
    pub seed: u64,
    /// Surface of the structure; `None` for any.
    pub look: Option<Look>,
    /// How many cameras.
    pub cameras: usize,
    /// How many frames; the first two show the structure at rest.
    pub frames: usize,
    /// Width and height of a picture, px.
    pub size: [usize; 2],
    /// Bits a pixel: 8 or 16.
    pub bits: u8,
    /// Red, green and blue instead of grey.
    pub colour: bool,
    /// How wrong the recorded poses are at most.
    pub pose_error: PoseError,
    /// How late or early the trigger is at most, s.
    pub trigger_error_s: f64,
    /// Samples a pixel, one of [`super::SAMPLES`].
    pub samples: usize,
}

impl Default for FilmOrder {
    fn default() -> Self {
        Self {
            seed: 0,
            look: None,
            cameras: 2,
            frames: 16,
            size: [640, 480],
            bits: 8,
            colour: false,
            pose_error: PoseError { rotation_rad: 0.3_f64.to_radians(), shift_mm: 3.0 },
            trigger_error_s: 6e-4,
            samples: 7,
        }
    }
}

/// A camera of a film.
#[derive(Debug, Clone, PartialEq)]
pub struct FilmCamera {
    /// Its name.
    pub name: String,
    /// Where it really stands, with its lens.
    pub camera: Camera,
    /// Where the record says it stands.
    pub recorded_pose: Pose,
    /// The fixed targets that it sees, with the error of finding them.
    pub targets: Vec<TargetMark>,
    /// Its sensor.
    pub sensor: Sensor,
}

/// A film before its first frame is drawn.
#[derive(Debug, Clone)]
pub struct FilmPlan {
    /// Surface of the structure.
    pub look: Look,
    /// All bodies.
    pub scene: Scene,
    /// The lamps.
    pub light: Light,
    /// What they light.
    pub stage: Stage,
    /// Brightness where nothing is.
    pub void: f32,
    /// The cameras.
    pub cameras: Vec<FilmCamera>,
    /// Film time of each frame, s, the same for all cameras.
    pub times_s: Vec<f64>,
    /// Simulation time minus film time, s.
    pub trigger_offset_s: f64,
    /// Seed of what changes from frame to frame.
    pub seed: u64,
}

/// Names of cameras, in order; more are numbered.
const NAMES: [&str; 6] = ["left", "right", "front", "top", "rear", "side"];
/// Share of the simulated time that a film shows.
const SHOWN: f64 = 0.8;

impl FilmPlan {
    /// Draws everything random of the film of `subject` that `order` asks for.
    #[must_use]
    pub fn new(subject: &Subject<'_>, order: &FilmOrder) -> Self {
        let rng = |name: &str| Rng::for_name(order.seed, name);
        let rest = subject.undeformed_mm();
        let parts = subject.mesh.parts.len().max(1);
        let look = order.look.unwrap_or_else(|| Look::random(&mut rng("look"), parts));
        let stage = subject.stage();

        let mut bodies = bodies(&mut rng("impactor"), subject);
        bodies.add(&holding_block(&mut rng("block"), subject, 1.0), Body::Standing);
        let cameras = place_cameras(&mut rng("cameras"), subject, &bodies, order.size, order.cameras);
        let scale = |c: &Camera| c.camera_from_world(stage.centre_mm).z / c.intrinsics.fx;
        let mm_per_px = cameras.iter().map(scale).sum::<f64>() / cameras.len() as f64;

        let paints = coats(&mut rng("coats"), look, parts, mm_per_px);
        let mut scene = Scene::new(subject.mesh, rest, &paints);
        let decals = stickers(&mut rng("stickers"), look, &scene.skin, rest, mm_per_px);
        scene.add(&impactor(&mut rng("impactor"), subject, mm_per_px), Body::Moving);
        let around = surroundings(&mut rng("surroundings"), subject, &cameras, mm_per_px);
        scene.add(&holding_block(&mut rng("block"), subject, mm_per_px), Body::Standing);
        scene.add(&around.standing, Body::Standing);
        scene.add(&around.backdrop, Body::Backdrop);
        let before = scene.positions_mm(rest, subject.impactor_moved_mm(0.0));
        let targets = place_targets(&mut rng("targets"), &scene, &before, &cameras);
        scene.stick(decals.into_iter().chain(targets.iter().cloned()).collect());

        let light = random_light(&mut rng("light"), stage, &cameras[0], mm_per_px);
        let lit = Lit::new(&scene, &scene.skin, &before, &light, stage);
        let (times_s, trigger_offset_s, step_s) = clock(&mut rng("clock"), subject, order);
        let mut film = Self {
            look,
            scene,
            light,
            stage,
            void: 0.0,
            cameras: Vec::new(),
            times_s,
            trigger_offset_s,
            seed: order.seed,
        };
        film.void = rng("void").range(0.01, 0.3) as f32;
        film.cameras = cameras
            .into_iter()
            .enumerate()
            .map(|(index, camera)| {
                let mut rng = rng(&format!("camera {index}"));
                let mut sensor = random_sensor(&mut rng, order.bits, step_s);
                sensor.gain = film.metered(&camera, &lit, &before, sensor.response, rng.range(0.55, 0.95) as f32);
                FilmCamera {
                    name: NAMES.get(index).map_or_else(|| format!("camera{index}"), |n| (*n).to_owned()),
                    recorded_pose: order.pose_error.applied(&mut rng, &camera.pose, stage.centre_mm),
                    targets: seen_targets(&mut rng, &film.scene, &before, &camera, &targets),
                    camera,
                    sensor,
                }
            })
            .collect();
        film
    }

    /// The gain that brings the brighter parts of the structure to `wanted` of the scale, as a person sets a camera.
    fn metered(&self, camera: &Camera, lit: &Lit, positions: &[[f32; 3]], response: f32, wanted: f32) -> f32 {
        let small = coarser(camera, 4);
        let seen = look(&self.scene.skin, &small, positions);
        let exposure = Exposure { sub_times_mm: vec![positions.to_vec()] };
        let set = Set { scene: &self.scene, skin: &self.scene.skin, light: &self.light, lit, void: self.void };
        let light = expose(set, &small, &exposure, Window::whole(&small), 1, 0.0);
        let plane = light.index_axis_move(ndarray::Axis(0), 0);
        let of = |owner: Owner, share: f64| {
            let shows = |r, c| seen.triangle[(r, c)] != NO_TRIANGLE && self.scene.owner(seen.triangle[(r, c)]) == owner;
            percentile(&plane, shows, share)
        };
        let around = of(Owner::Scenery, 0.9).unwrap_or(0.0);
        // A structure in the shade is not worth a floor without any drawing.
        let bright = of(Owner::Structure, 0.8).unwrap_or(around).max(0.45 * around).max(1e-3);
        wanted.powf(1.0 / response) / bright
    }

    /// The record's entry of camera `index`.
    #[must_use]
    pub fn record_of(&self, index: usize) -> CameraRecord {
        let c = &self.cameras[index];
        CameraRecord {
            name: c.name.clone(),
            width: c.camera.width,
            height: c.camera.height,
            intrinsics: c.camera.intrinsics,
            distortion: c.camera.distortion,
            pose: Some(c.recorded_pose),
            targets: c.targets.clone(),
            times_s: self.times_s.clone(),
        }
    }
}

/// Structure and impactor alone, to find free views.
fn bodies(rng: &mut Rng, subject: &Subject<'_>) -> Scene {
    let plain = super::paint::Paint::plain(0.5, 0);
    let mut scene = Scene::new(subject.mesh, subject.undeformed_mm(), &[[plain.clone(), plain]]);
    scene.add(&impactor(rng, subject, 1.0), Body::Moving);
    scene
}

/// Frame times, trigger offset and the time between frames, s. Frames 0 and 1 lie before the first contact.
fn clock(rng: &mut Rng, subject: &Subject<'_>, order: &FilmOrder) -> (Vec<f64>, f64, f64) {
    let after = order.frames.saturating_sub(3).max(1) as f64;
    let step_s = SHOWN * subject.end_s / after;
    let times = (0..order.frames).map(|i| (i as f64 - 2.0) * step_s).collect();
    let largest = order.trigger_error_s.min(0.45 * step_s);
    (times, rng.range(-largest, largest), step_s)
}

fn random_light(rng: &mut Rng, stage: Stage, camera: &Camera, mm_per_px: f64) -> Light {
    // Lamps stand above, mostly on the cameras' side: whoever films lights what he films.
    let toward_camera = (camera.centre_mm() - nalgebra::Vector3::from(stage.centre_mm)).normalize();
    let mut toward = nalgebra::Vector3::from(rng.direction());
    toward.z = toward.z.abs() + 0.25;
    if rng.chance(0.85) {
        toward += toward_camera * rng.range(0.6, 1.6);
    }
    let mut fill = nalgebra::Vector3::from(rng.direction());
    fill.z = fill.z.abs();
    let ambient = rng.log_range(0.25, 0.9) as f32;
    Light {
        toward: toward.normalize().into(),
        key: 1.0,
        fill_toward: fill.normalize().into(),
        fill: rng.range(0.0, 0.35) as f32,
        ambient,
        softness_mm: (mm_per_px * rng.log_range(1.0, 14.0)) as f32,
        seed: rng.next() as u32,
    }
}

fn random_sensor(rng: &mut Rng, bits: u8, step_s: f64) -> Sensor {
    Sensor {
        gain: 1.0,
        vignetting: rng.range(0.05, 0.35) as f32,
        response: if rng.chance(0.3) { 1.0 } else { (1.0 / rng.range(1.6, 2.4)) as f32 },
        shot: rng.log_range(6e-5, 8e-4) as f32,
        read: rng.log_range(1.5e-3, 8e-3) as f32,
        flicker: rng.range(0.002, 0.03) as f32,
        blur_px: rng.range(0.3, 0.85) as f32,
        exposure_s: step_s * rng.log_range(0.02, 0.25),
        bits,
    }
}
