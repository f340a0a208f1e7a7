//! One film of one camera, drawn on demand, and the samples that it lends.

use ndarray::{Array2, Array3, Axis};

use super::filmed::FilmedFrame;
use super::sample::{Fate, Sample, SampleId, Start, Taken};
use super::settings::FilmSettings;
use super::study::{Family, Run, Split};
use super::truth::{Truth, depth_edges};
use crate::film::{FilmOrder, FilmPlan, Look, Owner, PoseError, Rng, Subject, Window, smooth_noise};
use crate::geom::{Camera, PinholeView, rasterise};
use crate::ingest::SimulationStates;
use crate::train::error::TrainError;
use crate::vision::{Appearance, Support, Tone, canvas_picture, predict};

/// States that say how much room a structure takes.
const LOOKED_AT: usize = 6;
/// What stands before the structure is found a little larger than it is, px.
const DISTRUST_PX: usize = 3;

/// A film with what the review would know of it.
pub(super) struct Episode<'a> {
    settings: &'a FilmSettings,
    family: &'a Family,
    predicting: &'a Run,
    filmed: &'a Run,
    predicting_states: SimulationStates<'a>,
    filmed_states: SimulationStates<'a>,
    film: FilmPlan,
    /// Canvas at the estimated pose.
    view: PinholeView,
    /// The same canvas at the true pose.
    true_camera: Camera,
    /// Simulation time minus film time as the review has it, s.
    offset_s: f64,
    mm_per_px: f64,
    split: Split,
    number: usize,
    rng: Rng,
}

impl<'a> Episode<'a> {
    /// Draws everything random of episode `number` of `split`, except what belongs to a frame.
    pub(super) fn plan(
        families: &'a [Family],
        settings: &'a FilmSettings,
        seed: u64,
        split: Split,
        number: usize,
    ) -> Result<Self, TrainError> {
        let mut rng = Rng::for_name(seed, &format!("films/{split}/{number}"));
        let possible: Vec<(&Family, Vec<[usize; 2]>)> =
            families.iter().map(|f| (f, f.pairs(split))).filter(|(_, pairs)| !pairs.is_empty()).collect();
        if possible.is_empty() {
            return Err(TrainError::NoPairs { split: split.to_string() });
        }
        let (family, pairs) = &possible[(rng.next() % possible.len() as u64) as usize];
        let [a, b] = pick_pair(&mut rng, pairs, settings.identical_share);
        let (predicting, filmed) = (&family.runs[a], &family.runs[b]);
        let (predicting_states, filmed_states) =
            (SimulationStates::new(&predicting.file), SimulationStates::new(&filmed.file));

        let order = film_order(&mut rng, settings, family.runs[b].file.mesh().parts.len());
        let times = filmed.file.times_s();
        let end_s = times[times.len() - 1];
        let states_mm = (0..LOOKED_AT)
            .map(|i| filmed_states.positions_mm(times[0] + (end_s - times[0]) * i as f64 / (LOOKED_AT - 1) as f64))
            .collect::<Result<Vec<_>, _>>()?;
        let film = FilmPlan::new(&subject(filmed, &states_mm), &order);

        let unaligned = rng.chance(settings.unaligned_share);
        let which = usize::from(!unaligned);
        let [degrees, shift_mm] = if unaligned { settings.recorded_error } else { settings.aligned_error };
        let late = rng.range(-1.0, 1.0) * settings.trigger_error_s[which];
        let real = film.cameras[0].camera;
        let error = PoseError { rotation_rad: degrees.to_radians(), shift_mm };
        let pose = error.applied(&mut rng, &real.pose, film.stage.centre_mm);
        let view = PinholeView::new(real.at(pose));
        let true_camera = view.camera.at(real.pose);
        let mm_per_px = real.camera_from_world(film.stage.centre_mm).z / real.intrinsics.fx;
        Ok(Self {
            settings,
            family,
            predicting,
            filmed,
            predicting_states,
            filmed_states,
            offset_s: film.trigger_offset_s + late,
            film,
            view,
            true_camera,
            mm_per_px,
            split,
            number,
            rng,
        })
    }

    /// Whole pictures with their truth, one a frame that the episode lends.
    pub(super) fn whole(&mut self) -> Result<Vec<Sample>, TrainError> {
        let first_picture = self.shoot(0)?;
        let tone = Tone::from_picture(&first_picture);
        let first = self.filmed(0, &tone, &first_picture)?;
        let undeformed = self.predicting_states.positions_mm(self.predicting.file.times_s()[0])?;
        let first_look = self.appearance(undeformed, &first);
        let frames = self.film.times_s.len();
        (0..self.settings.frames)
            .map(|number| {
                // Frame 1 shows the structure at rest, too: noise and nothing else.
                let frame = 1 + (self.rng.next() % (frames as u64 - 1)) as usize;
                self.sample(number, frame, &tone, &first, &first_look)
            })
            .collect()
    }

    fn sample(
        &mut self,
        number: usize,
        frame: usize,
        tone: &Tone,
        first: &FilmedFrame,
        first_look: &Appearance,
    ) -> Result<Sample, TrainError> {
        let start = self.start();
        let last_look = frame > 1 && self.rng.chance(self.settings.last_look_share);
        let error = self.carried_error();
        let before = add(&self.deviation(frame - 1)?, &error);
        let simulated = self.simulated(frame)?;
        let (mesh, carried) = match start {
            Start::Nothing => (simulated, None),
            Start::Carried => (simulated.clone(), Some(add(&simulated, &before))),
            Start::Corrected => (add(&simulated, &before), None),
            Start::NearlyRight => (add(&add(&simulated, &self.deviation(frame)?), &error), None),
        };
        let lent = if last_look {
            let picture = self.shoot(frame - 1)?;
            let filmed = self.filmed(frame - 1, tone, &picture)?;
            let look = self.appearance(add(&self.simulated(frame - 1)?, &before), &filmed);
            Some((filmed, look))
        } else {
            None
        };
        let (look_frame, look) = lent.as_ref().map_or((first, first_look), |(f, l)| (f, l));
        let picture = self.shoot(frame)?;
        let real = self.filmed(frame, tone, &picture)?;
        let predicted = predict(&self.view.camera, &self.family.skin, &mesh, look);
        let labels = Truth {
            scene: &self.film.scene,
            view: &self.view,
            true_camera: &self.true_camera,
            skin: &self.family.skin,
            look,
            look_frame,
            real: &real,
            longest_px: self.settings.longest_px,
        }
        .labels(&predicted);
        Ok(Sample {
            id: SampleId {
                split: self.split,
                episode: self.number,
                number,
                family: self.family.name.clone(),
                simulation: self.predicting.name.clone(),
                filmed: self.filmed.name.clone(),
                frame,
                start,
                last_look,
                corner: [0, 0],
            },
            taken: Taken {
                camera: self.view.camera,
                true_pose: self.true_camera.pose,
                predicted_s: self.film.times_s[frame] + self.offset_s,
                filmed_s: self.film.times_s[frame] + self.film.trigger_offset_s,
            },
            visible: predicted.support.mapv(|s| if s == Support::Known { 1.0 } else { 0.0 }),
            edges: depth_edges(&predicted),
            carried: self.carried_flow(&predicted.raster, carried.as_deref().unwrap_or(&[])),
            present: labels.fate.mapv(|f| if f == Fate::Seen as u8 { 1.0 } else { 0.0 }),
            flow: labels.flow,
            fate: labels.fate,
            predicted: predicted.picture,
            real: real.picture,
        })
    }

    fn start(&mut self) -> Start {
        let all = [Start::Nothing, Start::Carried, Start::Corrected, Start::NearlyRight];
        all[weighted(&mut self.rng, self.settings.starts.iter().copied())]
    }

    /// Where the simulation, as aligned, has the nodes at a frame, mm.
    fn simulated(&self, frame: usize) -> Result<Vec<[f32; 3]>, TrainError> {
        Ok(self.predicting_states.positions_mm(self.film.times_s[frame] + self.offset_s)?)
    }

    /// Test minus simulation at a frame, mm.
    fn deviation(&self, frame: usize) -> Result<Vec<[f32; 3]>, TrainError> {
        let test = self.filmed_states.positions_mm(self.film.times_s[frame] + self.film.trigger_offset_s)?;
        let simulated = self.simulated(frame)?;
        // What a review can know is told against frame 0, in which test and simulation are taken to be alike.
        let rest = |s: &SimulationStates<'_>, run: &Run| s.positions_mm(run.file.times_s()[0]);
        let (test_0, simulated_0) =
            (rest(&self.filmed_states, self.filmed)?, rest(&self.predicting_states, self.predicting)?);
        Ok((0..test.len())
            .map(|n| std::array::from_fn(|i| test[n][i] - test_0[n][i] - (simulated[n][i] - simulated_0[n][i])))
            .collect())
    }

    /// A smooth error of what is carried, mm.
    fn carried_error(&mut self) -> Vec<[f32; 3]> {
        let size = self.mm_per_px * self.settings.carried_error_px * self.rng.unit().powi(2);
        let length = self.film.stage.radius_mm * self.rng.range(0.1, 0.7);
        let seed = self.rng.next() as u32;
        let rest = &self.film.scene.rest_mm[..self.film.scene.structure_nodes()];
        rest.iter()
            .map(|p| {
                let at = p.map(|v| v / length as f32);
                std::array::from_fn(|i| size as f32 * smooth_noise(at, seed.wrapping_add(i as u32 * 77)))
            })
            .collect()
    }

    /// How far the points under the predicted pixels would move in the picture with the mesh at `corrected_mm`, px.
    fn carried_flow(&self, raster: &crate::geom::Raster, corrected_mm: &[[f32; 3]]) -> Array3<f32> {
        let (h, w) = raster.triangle.dim();
        let mut flow = Array3::zeros((2, h, w));
        if corrected_mm.is_empty() {
            return flow;
        }
        for row in 0..h {
            for column in 0..w {
                let Some(p) = raster.surface_point(&self.view.camera, &self.family.skin, row, column) else { continue };
                let nodes = self.family.skin.triangles[p.triangle as usize];
                let there = crate::vision::blend(corrected_mm, nodes, p.barycentric);
                let q = self.view.camera.pinhole_pixel_from_world(there);
                if q.depth_mm > 0.0 {
                    flow[(0, row, column)] = (q.x - column as f64) as f32;
                    flow[(1, row, column)] = (q.y - row as f64) as f32;
                }
            }
        }
        flow
    }

    /// Frame `frame` as the lens drew it, 0 to 1.
    fn shoot(&self, frame: usize) -> Result<Array2<f32>, TrainError> {
        let subject = subject(self.filmed, &[]);
        let places = self
            .film
            .sub_times_s(0, frame, self.settings.samples)
            .into_iter()
            .map(|t| Ok((self.filmed_states.positions_mm(t)?, subject.impactor_moved_mm(t))))
            .collect::<Result<Vec<_>, TrainError>>()?;
        let moment = self.film.moment(&places, self.alive(frame)?.as_deref());
        let window = Window::whole(&self.film.cameras[0].camera);
        Ok(self.film.draw(0, frame, &moment, window, 1).index_axis_move(Axis(0), 0))
    }

    fn alive(&self, frame: usize) -> Result<Option<Vec<bool>>, TrainError> {
        Ok(self.filmed_states.alive(self.film.times_s[frame] + self.film.trigger_offset_s)?)
    }

    /// The frame on the canvas, as the review has it, with what is true about it.
    fn filmed(&self, frame: usize, tone: &Tone, picture: &Array2<f32>) -> Result<FilmedFrame, TrainError> {
        let at_s = self.film.times_s[frame] + self.film.trigger_offset_s;
        let moved = subject(self.filmed, &[]).impactor_moved_mm(at_s);
        let positions_mm = self.film.scene.positions_mm(&self.filmed_states.positions_mm(at_s)?, moved);
        let alive = self.alive(frame)?;
        let raster = rasterise(&self.true_camera, &self.film.scene.skin_of_living(alive.as_deref()), &positions_mm);
        Ok(FilmedFrame { picture: canvas_picture(&self.view, &tone.apply(picture))?, raster, positions_mm, alive })
    }

    /// The look that a frame lends with the mesh where the review has it.
    fn appearance(&mut self, positions_mm: Vec<[f32; 3]>, frame: &FilmedFrame) -> Appearance {
        let mut look = Appearance::new(&self.view.camera, &self.family.skin, positions_mm, frame.picture.clone());
        if self.rng.chance(self.settings.distrust_share) {
            let scene = &self.film.scene;
            for (at, trusted) in look.trusted.indexed_iter_mut() {
                *trusted = !frame.near(|t| scene.owner(t), Owner::Impactor, at, DISTRUST_PX);
            }
        }
        look
    }

    /// Parts of `whole` that show something, at random places.
    pub(super) fn crops(&mut self, whole: &Sample) -> Vec<Sample> {
        let side = self.settings.side_px;
        let (h, w) = whole.predicted.dim();
        let seen: Vec<(usize, usize)> =
            whole.visible.indexed_iter().filter(|(_, v)| **v > 0.5).map(|(at, _)| at).collect();
        let moved: Vec<(usize, usize)> = seen
            .iter()
            .copied()
            .filter(|(r, c)| whole.flow[(0, *r, *c)].hypot(whole.flow[(1, *r, *c)]) > 2.0)
            .collect();
        (0..self.settings.crops)
            .map(|number| {
                // Where something has moved there is more to learn.
                let from = if !moved.is_empty() && self.rng.chance(0.5) { &moved } else { &seen };
                let (r, c) =
                    if from.is_empty() { (h / 2, w / 2) } else { from[(self.rng.next() % from.len() as u64) as usize] };
                let mut corner = |at: usize, size: usize| {
                    let inside = (self.rng.unit() * side as f64) as usize;
                    at.saturating_sub(inside).min(size - side)
                };
                let (row, column) = (corner(r, h), corner(c, w));
                let mut sample = whole.crop(row, column, side, side);
                sample.id.number = whole.id.number * self.settings.crops + number;
                sample
            })
            .collect()
    }
}

fn subject<'b>(run: &'b Run, states_mm: &'b [Vec<[f32; 3]>]) -> Subject<'b> {
    let file = &run.file;
    let end_s = file.times_s().last().copied().unwrap_or(0.0);
    Subject { mesh: file.mesh(), states_mm, impactor: file.impactor(), wall: file.wall(), end_s }
}

fn pick_pair(rng: &mut Rng, pairs: &[[usize; 2]], identical_share: f64) -> [usize; 2] {
    let identical = rng.chance(identical_share);
    let wanted: Vec<[usize; 2]> = pairs.iter().copied().filter(|[a, b]| (a == b) == identical).collect();
    let from = if wanted.is_empty() { pairs } else { &wanted };
    from[(rng.next() % from.len() as u64) as usize]
}

/// Index drawn with probability in proportion to its weight.
fn weighted(rng: &mut Rng, weights: impl Iterator<Item = f64> + Clone) -> usize {
    let mut left = rng.unit() * weights.clone().sum::<f64>();
    let mut last = 0;
    for (i, w) in weights.enumerate() {
        if w > 0.0 {
            last = i;
            if left < w {
                return i;
            }
        }
        left -= w;
    }
    last
}

fn film_order(rng: &mut Rng, settings: &FilmSettings, parts: usize) -> FilmOrder {
    let looks = &settings.looks;
    let look =
        if looks.is_empty() { Look::random(rng, parts) } else { looks[weighted(rng, looks.iter().map(|l| l.1))].0 };
    FilmOrder {
        seed: rng.next(),
        look: Some(look),
        cameras: 1,
        frames: 10 + (rng.next() % 30) as usize,
        size: rng.pick(&settings.sizes),
        bits: if rng.chance(settings.sixteen_bit_share) { 16 } else { 8 },
        colour: false,
        samples: settings.samples,
        trigger_error_s: settings.trigger_error_s[0],
        ..FilmOrder::default()
    }
}

/// `a + b`, node by node, mm.
fn add(a: &[[f32; 3]], b: &[[f32; 3]]) -> Vec<[f32; 3]> {
    a.iter().zip(b).map(|(a, b)| std::array::from_fn(|i| a[i] + b[i])).collect()
}
