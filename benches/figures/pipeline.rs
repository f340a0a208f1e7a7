//! Frames a second of a whole measurement, beside what its parts take when each is run by itself.
//!
//! A camera's frame is read once, predicted and measured twice (with the look of the frame before and with that of
//! frame 0), and drawn twice more (for the next frame's look and for visibility); the paint is taken of the frame and
//! of both predictions, there only around the specimen; a moment is lifted twice. The parts are timed at one late
//! moment, where the structure is folded and the deviation large.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::OnceLock;

use crumple::domain::{ExecutionProvider, ModelDigest};
use crumple::geom::{Camera, PinholeView, Skin, node_neighbours, rasterise};
use crumple::ingest::{SimulationFile, SimulationOptions, TestFile};
use crumple::jobs::FileSource;
use crumple::review::{
    CameraTrack, LiftPrior, Look, Measured, RealPicture, ReviewSetup, ReviewSource, Sighting, lift, measure,
    measure_deviation,
};
use crumple::vision::{
    Appearance, DenseResidual, DisFlow, Paint, PicturePair, ResidualEstimator, Tone, VisionError, canvas_picture,
    local_contrast, predict,
};
use nalgebra::Vector3;
use ndarray::Array2;

use super::spread::{Spread, seconds};
use super::{Plan, example, with_threads};

/// What an estimator was once shown, and what it said: as an estimator it answers at once.
#[derive(Default)]
struct Canned {
    shown: OnceLock<Shown>,
}

/// A pair of pictures around the specimen with their paint.
struct Shown {
    predicted: Array2<f32>,
    real: Array2<f32>,
    visible: Array2<f32>,
    paint: Paint,
    real_paint: Paint,
    said: DenseResidual,
}

impl Shown {
    fn pair(&self) -> PicturePair<'_> {
        PicturePair { predicted: &self.predicted, real: &self.real, visible: &self.visible }
    }

    /// The dense estimate, everything before it being at hand.
    fn flow(&self) -> DenseResidual {
        DisFlow::Medium.estimate_painted(self.pair(), &self.paint, &self.real_paint).unwrap_or_else(|e| panic!("{e}"))
    }
}

impl Canned {
    fn of(setup: &ReviewSetup<'_>, m: &Moment) -> Self {
        let canned = Self::default();
        drop(candidates(setup, m, &canned));
        canned
    }

    fn shown(&self) -> &Shown {
        self.shown.get().expect("the example shows the specimen, else a bug")
    }
}

impl ResidualEstimator for Canned {
    fn estimate(&self, pair: PicturePair<'_>) -> Result<DenseResidual, VisionError> {
        self.estimate_painted(pair, &local_contrast(pair.predicted)?, &local_contrast(pair.real)?)
    }

    fn estimate_painted(
        &self,
        pair: PicturePair<'_>,
        paint: &Paint,
        real_paint: &Paint,
    ) -> Result<DenseResidual, VisionError> {
        if let Some(shown) = self.shown.get() {
            return Ok(shown.said.clone());
        }
        let said = DisFlow::Medium.estimate_painted(pair, paint, real_paint)?;
        let (predicted, real, visible) = (pair.predicted.clone(), pair.real.clone(), pair.visible.clone());
        let shown = Shown { predicted, real, visible, paint: paint.clone(), real_paint: real_paint.clone(), said };
        Ok(self.shown.get_or_init(|| shown).said.clone())
    }

    fn digest(&self) -> ModelDigest {
        DisFlow::Medium.digest()
    }

    fn provider(&self) -> ExecutionProvider {
        DisFlow::Medium.provider()
    }
}

/// One camera at one moment.
pub(crate) struct Moment {
    camera: usize,
    frame: usize,
    pub(crate) track: CameraTrack,
    pub(crate) positions_mm: Vec<[f32; 3]>,
    pub(crate) real: Array2<f32>,
    paint: Paint,
}

/// Opens the example and shows it to `work`; `None` where it is not here.
pub(crate) fn with_example<T>(work: impl FnOnce(&ReviewSetup<'_>, &FileSource<'_>) -> T) -> Option<T> {
    let [simulation, test] = example()?;
    let simulation = SimulationFile::open(&simulation, &SimulationOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    let test = TestFile::open(&test).unwrap_or_else(|e| panic!("{e}"));
    let source = FileSource::new(&simulation, &test);
    let skin = Skin::from_mesh(simulation.mesh(), None);
    let setup = ReviewSetup {
        skin: &skin,
        node_count: simulation.mesh().node_count,
        state_times_s: simulation.times_s(),
        cameras: &test.record().cameras,
        impactor: None,
        estimator: &DisFlow::Medium,
    };
    Some(work(&setup, &source))
}

pub(crate) fn table(plan: Plan) -> String {
    with_example(|setup, source| table_of(plan, setup, source)).unwrap_or_else(|| "no example here\n".to_owned())
}

fn table_of(plan: Plan, setup: &ReviewSetup<'_>, source: &FileSource<'_>) -> String {
    let mut text = String::from("### The whole measurement beside the sum of its parts\n\n");
    if plan.small {
        let total = parts(plan, setup, source).iter().map(|p| p.1.median).sum::<f64>();
        return format!("{text}{:.1} ms a frame in parts\n", total * 1e3);
    }
    text += "ms a camera's frame.\n\n| part | 1 thread | 2 threads |\n|---|---:|---:|\n";
    let runs = [1, 2].map(|threads| {
        with_threads(threads, || {
            let parts = parts(plan, setup, source);
            let mut frames = 1;
            let whole = seconds(plan.repeats.min(3), || frames = frames_of(&whole(setup, source)));
            (parts, whole.times(1.0 / frames as f64))
        })
    });
    for (a, b) in runs[0].0.iter().zip(&runs[1].0) {
        writeln!(text, "| {} | {} | {} |", a.0, a.1.times(1e3), b.1.times(1e3)).expect("text");
    }
    let sums = [0, 1].map(|i| runs[i].0.iter().map(|p| p.1.median).sum::<f64>());
    let wholes = [0, 1].map(|i| runs[i].1);
    writeln!(text, "| sum of the parts | {:.1} | {:.1} |", sums[0] * 1e3, sums[1] * 1e3).expect("text");
    writeln!(text, "| whole measurement | {} | {} |", wholes[0].times(1e3), wholes[1].times(1e3)).expect("text");
    let rates = wholes.map(|w| w.rate(1.0));
    writeln!(text, "| frames a second, whole | {} | {} |", rates[0], rates[1]).expect("text");
    let efficiency = [0, 1].map(|i| sums[i] / wholes[i].median);
    writeln!(text, "| pipeline efficiency (sum / whole) | {:.2} | {:.2} |", efficiency[0], efficiency[1])
        .expect("text");
    text
}

fn whole(setup: &ReviewSetup<'_>, source: &dyn ReviewSource) -> Measured {
    measure_deviation(setup, source, &mut |_| ControlFlow::Continue(())).unwrap_or_else(|e| panic!("{e}"))
}

fn frames_of(measured: &Measured) -> usize {
    measured.moments.iter().map(|m| m.frames.len()).sum()
}

/// Seconds a camera's frame of each part.
fn parts(plan: Plan, setup: &ReviewSetup<'_>, source: &dyn ReviewSource) -> Vec<(&'static str, Spread)> {
    let all: Vec<Moment> = (0..setup.cameras.len()).map(|camera| late_moment(setup, source, camera)).collect();
    let cameras = all.len() as f64;
    let each = |work: &dyn Fn(&Moment)| seconds(plan.repeats, || all.iter().for_each(work)).times(1.0 / cameras);
    let skin = setup.skin;
    // All frames in turn: the same one again would come from HDF5's cache of the last picture.
    let frames: Vec<(usize, usize)> =
        (0..all.len()).flat_map(|c| (0..setup.cameras[c].times_s.len()).map(move |f| (c, f))).collect();
    let read = seconds(plan.repeats, || {
        frames.iter().for_each(|(c, f)| drop(source.picture(*c, *f).unwrap_or_else(|e| panic!("{e}"))));
    })
    .times(1.0 / frames.len() as f64);
    let raw: Vec<Array2<f32>> =
        all.iter().map(|m| source.picture(m.camera, m.frame).unwrap_or_else(|e| panic!("{e}"))).collect();
    let straighten = each(&|m| {
        let toned = m.track.tone.apply(&raw[m.camera]);
        drop(canvas_picture(&m.track.view, &toned).unwrap_or_else(|e| panic!("{e}")));
    });
    let draw = each(&|m| drop(rasterise(&m.track.view.camera, skin, &m.positions_mm)));
    let predicted = each(&|m| drop(predict(&m.track.view.camera, skin, &m.positions_mm, &m.track.first)));
    let canned: Vec<Canned> = all.iter().map(|m| Canned::of(setup, m)).collect();
    let painted = |picture: &Array2<f32>| drop(local_contrast(picture).unwrap_or_else(|e| panic!("{e}")));
    let painted_real = each(&|m| painted(&m.real));
    let painted_window = each(&|m| painted(&canned[m.camera].shown().predicted));
    let flow = each(&|m| drop(canned[m.camera].shown().flow()));
    let measured = each(&|m| drop(candidates(setup, m, &canned[m.camera])));
    let refined = measured.less(predicted).less(painted_window);
    let sightings: Vec<Sighting> = all.iter().flat_map(|m| candidates(setup, m, &canned[m.camera])).collect();
    let lifted = lifting(plan, setup, &all[0].positions_mm, &sightings).times(1.0 / cameras);
    vec![
        ("read and decode", read),
        ("tone and undistort", straighten),
        ("predict, twice", predicted.times(2.0)),
        ("paint, of the frame and of both predictions", painted_real.plus(painted_window.times(2.0))),
        ("DIS, two looks in both directions", flow.times(2.0)),
        ("refine patches, twice", refined.times(2.0)),
        ("lift, twice a moment", lifted.times(2.0)),
        ("draw for the next look and for visibility", draw.times(2.0)),
    ]
}

pub(crate) fn late_moment(setup: &ReviewSetup<'_>, source: &dyn ReviewSource, camera: usize) -> Moment {
    let record = &setup.cameras[camera];
    let frame = record.times_s.len() * 3 / 4;
    let read = |frame| source.picture(camera, frame).unwrap_or_else(|e| panic!("{e}"));
    let first = read(0);
    let tone = Tone::from_picture(&first);
    let pose = record.pose.expect("the example has poses");
    let view = PinholeView::new(Camera::from_record(record, pose));
    let canvas = |picture| canvas_picture(&view, &tone.apply(&picture)).unwrap_or_else(|e| panic!("{e}"));
    let at = |time_s| source.simulated_mm(time_s).unwrap_or_else(|e| panic!("{e}"));
    let undeformed = at(setup.state_times_s[0]);
    let look = Appearance::new(&view.camera, setup.skin, undeformed, canvas(first));
    let real = canvas(read(frame));
    let paint = local_contrast(&real).unwrap_or_else(|e| panic!("{e}"));
    let track = CameraTrack { view, tone, first: look, last: None };
    Moment { camera, frame, track, positions_mm: at(record.times_s[frame]), real, paint }
}

/// Predicts and refines patches, starting from a flow that is there.
fn candidates(setup: &ReviewSetup<'_>, m: &Moment, canned: &Canned) -> Vec<Sighting> {
    let real = RealPicture { picture: &m.real, paint: &m.paint };
    let found = measure(m.camera, &m.track, Look::First, setup.skin, &m.positions_mm, real, canned, 0.06);
    found.unwrap_or_else(|e| panic!("{e}")).1.into_iter().map(|c| c.sighting).collect()
}

fn lifting(plan: Plan, setup: &ReviewSetup<'_>, positions_mm: &[[f32; 3]], sightings: &[Sighting]) -> Spread {
    let edges = node_neighbours(setup.skin);
    let on_skin = setup.skin.is_on_skin(setup.node_count);
    let (anchor, before) = (vec![4.0; setup.node_count], vec![Vector3::zeros(); setup.node_count]);
    let simulated: Vec<Vector3<f64>> = positions_mm.iter().map(|p| Vector3::from(p.map(f64::from))).collect();
    let prior = LiftPrior {
        edges: &edges,
        membrane_mm: 0.7,
        simulated_mm: &simulated,
        shape_mm: 0.05,
        shape_share: 0.05,
        doubt_mm: 1.5,
        before_mm: &before,
        anchor_mm: &anchor,
    };
    seconds(plan.repeats, || drop(lift(&on_skin, sightings, &prior).unwrap_or_else(|e| panic!("{e}"))))
}
