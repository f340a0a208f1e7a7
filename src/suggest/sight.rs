//! What the cameras saw, and would have seen of every run: displacements in the picture plane.
//!
//! The film measures how far each visible surface point has moved in each picture since frame 0. For the test this is the
//! reviewed simulation's motion and the measured deviation, projected; for a run of the study its displacement from
//! the same undeformed point. Only what was observed enters, for the runs too. A run's own undeformed shape may differ:
//! frame 0 carries the paint of the real one, so what counts is motion since then.

use std::sync::Arc;

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::hits::{Hit, Hits};
use super::sight_select::{is_seen, pick_moments, pick_nodes};
use super::{FieldError, StudyFields};
use crate::domain::{Distortion, SeenImpactor};
use crate::geom::{Camera, Skin, bracket, rasterise};

/// A camera as the review placed it.
#[derive(Debug, Clone, PartialEq)]
pub struct SightCamera {
    /// Its name.
    pub name: String,
    /// The camera at its refined pose.
    pub camera: Camera,
    /// 1-sigma of the pose: rotation about the camera's axes in rad, translation in mm.
    pub pose_sigma: [f64; 6],
}

/// The review's field at one film time.
#[derive(Debug, Clone, PartialEq)]
pub struct FilmField {
    /// Film time, s.
    pub time_s: f64,
    /// The reviewed simulation then, mm.
    pub simulated_mm: Vec<[f32; 3]>,
    /// Test minus simulation, mm; NaN where it was not observed.
    pub deviation_mm: Vec<[f32; 3]>,
    /// 1-sigma of it, mm; NaN where it was not observed.
    pub sigma_mm: Vec<f32>,
}

/// What a [`Sight`] is made of.
pub struct SightInput<'a> {
    /// The study.
    pub fields: &'a dyn StudyFields,
    /// Skin of the mesh.
    pub skin: &'a Skin,
    /// The cameras.
    pub cameras: &'a [SightCamera],
    /// The measured fields, by rising film time; the first one shows the undeformed structure.
    pub film: &'a [FilmField],
    /// Simulation time minus film time, s.
    pub time_offset_s: f64,
    /// 1-sigma of it, s.
    pub time_offset_sigma_s: f64,
    /// The film's impactor, where it was found.
    pub impactor: Option<&'a SeenImpactor>,
}

/// One node in one picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) camera: u16,
    /// Index in [`Sight::moments`].
    pub(super) moment: u16,
    pub(super) node: u32,
    pub(super) part: u16,
    /// Where the node is in the undeformed picture, in mm of the picture plane.
    pub(super) rest: [f32; 2],
    /// 1-sigma of the measured displacement, mm, each way.
    pub(super) sigma_mm: f32,
}

/// A displacement for each place, mm in the picture plane at the node's depth.
pub(super) type Seen = Vec<[f32; 2]>;

/// The test and the runs as the cameras see them.
#[derive(Debug, Clone)]
pub struct Sight {
    pub(super) places: Vec<Place>,
    /// Film times that are used, s.
    pub(super) moments: Vec<f64>,
    /// How many cameras there are.
    pub(super) cameras: usize,
    pub(super) parts: usize,
    /// Right and down of each camera's picture plane, world axes.
    pub(super) axes: Vec<[[f64; 3]; 2]>,
    pub(super) test: Seen,
    pub(super) simulated: Seen,
    pub(super) runs: Vec<Seen>,
    pub(super) hits: Hits,
    pub(super) nuisances: Vec<Nuisance>,
}

/// What one sigma of the trigger, of a camera's depth or roll, or of the way's scale changes.
#[derive(Debug, Clone)]
pub(super) struct Nuisance {
    /// Change of the displacement at each place, mm.
    pub(super) seen: Seen,
    /// Change of the impactor's way, mm.
    pub(super) way_mm: Vec<f64>,
}

impl Nuisance {
    /// Displacements and impactor with `sigmas` times this change.
    pub(super) fn added_to(&self, (seen, hit): (&Seen, &Hit), sigmas: f64) -> (Seen, Hit) {
        let by = sigmas as f32;
        let seen = seen.iter().zip(&self.seen).map(|(a, b)| [a[0] + by * b[0], a[1] + by * b[1]]).collect();
        let way_mm = hit.way_mm.iter().zip(&self.way_mm).map(|(a, b)| a + sigmas * b).collect();
        (seen, Hit { way_mm, ..hit.clone() })
    }
}

impl Sight {
    /// Projects film and study.
    ///
    /// # Errors
    /// When a field of the study cannot be read.
    pub fn new(input: &SightInput<'_>) -> Result<Self, FieldError> {
        let moments = pick_moments(input.film);
        let study = input.fields.study();
        let rest = &input.film[0].simulated_mm;
        let nodes = pick_nodes(input.film, &moments, rest, &study.part_of_node, study.parts.len());
        let lensless: Vec<Camera> =
            input.cameras.iter().map(|c| Camera { distortion: Distortion::default(), ..c.camera }).collect();
        let seeing: Vec<Vec<Place>> = moments
            .par_iter()
            .enumerate()
            .map(|(index, film)| places_of(input, &lensless, &nodes, rest, index, &input.film[*film]))
            .collect();
        let places: Vec<Place> = seeing.into_iter().flatten().collect();
        let project = |moved: &dyn Fn(&Place) -> [f32; 3]| -> Seen {
            places
                .iter()
                .map(|p| displacement(&lensless[usize::from(p.camera)], rest[p.node as usize], moved(p)))
                .collect()
        };
        let film = |p: &Place| &input.film[moments[usize::from(p.moment)]];
        let simulated = project(&|p| film(p).simulated_mm[p.node as usize]);
        let test = project(&|p| {
            let (x, d) = (film(p).simulated_mm[p.node as usize], film(p).deviation_mm[p.node as usize]);
            [0, 1, 2].map(|i| x[i] + d[i])
        });
        let times: Vec<f64> = moments.iter().map(|m| input.film[*m].time_s).collect();
        let runs = runs_seen(input, &places, &times, &lensless, rest)?;
        let hits = Hits::new(input);
        let nuisances = nuisances(input, &places, (&simulated, &runs, &hits), &lensless, &times)?;
        let (cameras, parts) = (lensless.len(), study.parts.len());
        let axes = lensless.iter().map(|c| [c.pose.rotation[0], c.pose.rotation[1]]).collect();
        Ok(Self { places, moments: times, cameras, parts, axes, test, simulated, runs, hits, nuisances })
    }

    /// How many nodes in pictures were observed.
    #[must_use]
    pub fn observed(&self) -> usize {
        self.places.len()
    }

    /// Inner products of what the runs, the test and the simulation show at the chosen places: rows and columns are the
    /// runs, then the test, then the simulation; mm².
    pub(super) fn gram(&self, chosen: impl Fn(&Place) -> bool + Sync) -> (DMatrix<f64>, usize) {
        let at: Vec<usize> = (0..self.places.len()).filter(|i| chosen(&self.places[*i])).collect();
        let all: Vec<&Seen> = self.runs.iter().chain([&self.test, &self.simulated]).collect();
        let inner = |a: &Seen, b: &Seen| -> f64 {
            at.iter().map(|i| f64::from(a[*i][0] * b[*i][0] + a[*i][1] * b[*i][1])).sum()
        };
        let n = all.len();
        let rows: Vec<Vec<f64>> =
            (0..n).into_par_iter().map(|i| (0..=i).map(|j| inner(all[i], all[j])).collect()).collect();
        (DMatrix::from_fn(n, n, |i, j| rows[i.max(j)][i.min(j)]), at.len())
    }

    /// Mean square of the measurement's sigma at the chosen places, mm².
    pub(super) fn noise_square(&self, chosen: impl Fn(&Place) -> bool) -> f64 {
        let all: Vec<f64> =
            self.places.iter().filter(|p| chosen(p)).map(|p| 2.0 * f64::from(p.sigma_mm).powi(2)).collect();
        all.iter().sum::<f64>() / all.len().max(1) as f64
    }
}

/// The chosen nodes that some camera sees at this moment.
fn places_of(
    input: &SightInput<'_>,
    lensless: &[Camera],
    nodes: &[u32],
    rest: &[[f32; 3]],
    moment: usize,
    film: &FilmField,
) -> Vec<Place> {
    let measured: Vec<[f32; 3]> = film
        .simulated_mm
        .iter()
        .zip(&film.deviation_mm)
        .map(|(x, d)| if d[0].is_finite() { [0, 1, 2].map(|i| x[i] + d[i]) } else { *x })
        .collect();
    let part_of = &input.fields.study().part_of_node;
    let mut places = Vec::new();
    for (index, camera) in lensless.iter().enumerate() {
        let raster = rasterise(camera, input.skin, &measured);
        for node in nodes {
            let n = *node as usize;
            if !film.sigma_mm[n].is_finite() || !is_seen(camera, &raster, measured[n]) {
                continue;
            }
            let at = camera.pinhole_pixel_from_world(rest[n].map(f64::from));
            let mm = at.depth_mm / camera.intrinsics.fx;
            places.push(Place {
                camera: index as u16,
                moment: moment as u16,
                node: *node,
                part: part_of[n],
                rest: [(at.x * mm) as f32, (at.y * mm) as f32],
                sigma_mm: film.sigma_mm[n] / std::f32::consts::SQRT_2,
            });
        }
    }
    places
}

/// Way of a point in the picture, mm at the depth that it had at rest.
fn displacement(camera: &Camera, rest: [f32; 3], now: [f32; 3]) -> [f32; 2] {
    let (from, to) = (rest.map(f64::from), now.map(f64::from));
    let (a, b) = (camera.pinhole_pixel_from_world(from), camera.pinhole_pixel_from_world(to));
    let k = camera.intrinsics;
    [((b.x - a.x) * a.depth_mm / k.fx) as f32, ((b.y - a.y) * a.depth_mm / k.fy) as f32]
}

/// Displacements of all runs at a simulation time: the two slabs around it and the weight of the second.
type Slabs = (Arc<Vec<f32>>, Arc<Vec<f32>>, f32);

fn slabs(fields: &dyn StudyFields, time_s: f64) -> Result<Slabs, FieldError> {
    let (a, b, weight) = bracket(&fields.study().times_s, time_s);
    Ok((fields.displacements_mm(a)?, fields.displacements_mm(b)?, weight as f32))
}

fn runs_seen(
    input: &SightInput<'_>,
    places: &[Place],
    times: &[f64],
    cameras: &[Camera],
    rest: &[[f32; 3]],
) -> Result<Vec<Seen>, FieldError> {
    let (runs, n) = (input.fields.study().runs.len(), 3 * input.fields.study().node_count);
    let mut seen: Vec<Seen> = vec![Vec::with_capacity(places.len()); runs];
    for (moment, time_s) in times.iter().enumerate() {
        let (first, second, weight) = slabs(input.fields, time_s + input.time_offset_s)?;
        let here: Vec<&Place> = places.iter().filter(|p| usize::from(p.moment) == moment).collect();
        seen.par_iter_mut().enumerate().for_each(|(run, seen)| {
            seen.extend(here.iter().map(|p| {
                let (x, at) = (rest[p.node as usize], run * n + 3 * p.node as usize);
                let now = [0, 1, 2].map(|i| x[i] + first[at + i] + weight * (second[at + i] - first[at + i]));
                displacement(&cameras[usize::from(p.camera)], x, now)
            }));
        });
    }
    Ok(seen)
}

/// One sigma of the trigger (from the speed of the runs on the mean), of the scale of the impactor's way, of each camera's
/// depth and of its roll.
fn nuisances(
    input: &SightInput<'_>,
    places: &[Place],
    (simulated, runs, hits): (&Seen, &[Seen], &Hits),
    cameras: &[Camera],
    times: &[f64],
) -> Result<Vec<Nuisance>, FieldError> {
    // The difference over a step large enough to be more than rounding, scaled back.
    const STEP_S: f64 = 2e-4;
    let later = SightInput {
        fields: input.fields,
        skin: input.skin,
        cameras: input.cameras,
        film: input.film,
        time_offset_s: input.time_offset_s + STEP_S,
        time_offset_sigma_s: input.time_offset_sigma_s,
        impactor: input.impactor,
    };
    let moved = runs_seen(&later, places, times, cameras, &input.film[0].simulated_mm)?;
    let scale = (input.time_offset_sigma_s / STEP_S) as f32 / runs.len() as f32;
    let by_trigger =
        |i: usize| [0, 1].map(|c| scale * runs.iter().zip(&moved).map(|(a, b)| b[i][c] - a[i][c]).sum::<f32>());
    let mut all = vec![
        Nuisance { seen: (0..places.len()).map(by_trigger).collect(), way_mm: hits.by_trigger.clone() },
        Nuisance { seen: vec![[0.0; 2]; places.len()], way_mm: hits.by_scale() },
    ];
    for (index, camera) in input.cameras.iter().enumerate() {
        let own = |p: &Place| usize::from(p.camera) == index;
        let depth = |p: &Place| {
            let at = input.film[0].simulated_mm[p.node as usize].map(f64::from);
            camera.camera.camera_from_world(at).z.max(1.0)
        };
        let (roll, far) = (camera.pose_sigma[2] as f32, camera.pose_sigma[5]);
        let of = |change: &dyn Fn(&Place, [f32; 2]) -> [f32; 2]| {
            let seen = places.iter().zip(simulated).map(|(p, d)| if own(p) { change(p, *d) } else { [0.0; 2] });
            Nuisance { seen: seen.collect(), way_mm: vec![0.0; hits.test.way_mm.len()] }
        };
        all.push(of(&|p, d| d.map(|v| v * (far / depth(p)) as f32)));
        all.push(of(&|_, d| [-d[1] * roll, d[0] * roll]));
    }
    Ok(all)
}
