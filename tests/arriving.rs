//! A film that is still arriving: the impactor shows itself after moments were measured without it.

use std::cell::Cell;
use std::ops::ControlFlow;

use crumple::domain::{FrameField, PartId, Tolerances};
use crumple::geom::Skin;
use crumple::ingest::{SimulationFile, SimulationOptions, TestFile};
use crumple::jobs::FileSource;
use crumple::review::{FilmWatch, Measured, Moment, ReviewSetup, Striker, judge, measure_deviation_watched, moments};
use crumple::vision::DisFlow;

use crate::support::shared;

/// One more moment arrives whenever one is waited for.
struct Arriving {
    arrived: Cell<usize>,
    /// Film time, whether it had been measured before, and whether the impactor was known.
    told: Vec<(f64, bool, bool)>,
}

impl FilmWatch for Arriving {
    fn arrived(&self) -> usize {
        self.arrived.get()
    }

    fn skips(&mut self, _: &Moment) -> bool {
        self.arrived.set(self.arrived.get() + 1);
        false
    }

    fn measured(&mut self, so_far: &Measured, again: bool) {
        let newest = so_far.fields.last().map_or(f64::NAN, |field: &FrameField| field.time_s);
        self.told.push((newest, again, so_far.impactor.is_some()));
    }
}

/// Without its pole bumper-T3 is flagged eight frames early, and on a part that is where it should be.
#[test]
fn a_pole_that_moves_late_is_found_late_and_no_flag_outlives_it() {
    let simulation = shared("simulations/bumper/run_000.vtkhdf");
    let (Some(simulation), Some(test)) = (simulation, shared("tests/bumper-T3.h5")) else { return };
    let simulation = SimulationFile::open(&simulation, &SimulationOptions::default()).expect("a simulation");
    let test = TestFile::open(&test).expect("a film");
    let cameras = &test.record().cameras;
    let skin = Skin::from_mesh(simulation.mesh(), None);
    let setup = ReviewSetup {
        skin: &skin,
        node_count: simulation.mesh().node_count,
        state_times_s: simulation.times_s(),
        cameras,
        impactor: simulation.impactor().map(Striker::Cylinder),
        estimator: &DisFlow::Medium,
    };
    let source = FileSource::new(&simulation, &test);
    let mut watch = Arriving { arrived: Cell::new(5), told: Vec::new() };
    let measured = measure_deviation_watched(&setup, &source, &mut |_| ControlFlow::Continue(()), &mut watch);
    let measured = measured.expect("a film that can be reviewed");

    let count = moments(cameras).len();
    let first = |again: bool| watch.told.iter().filter(|t| t.1 == again).map(|t| t.0).collect::<Vec<_>>();
    assert!(!watch.told[0].2 && watch.told.last().is_some_and(|t| t.2), "{:?}", watch.told);
    assert_eq!(first(false).len(), count, "each moment is told of once as new: {:?}", watch.told);
    assert!(first(true).len() >= 2 && first(true).len() < count, "{:?}", watch.told);
    assert_eq!(measured.impactor.as_ref().map(|impactor| impactor.way.len()), Some(count));

    let tolerances = Tolerances { default_mm: 5.0, per_part_mm: std::collections::BTreeMap::default() };
    let judged = judge(simulation.mesh(), &setup, &source, &measured, &tolerances).expect("states are there");
    assert!(!judged.flags.is_empty() && judged.flags.iter().all(|f| f.part_id == PartId(1)), "{:?}", judged.flags);
    assert!(judged.flags.iter().all(|f| f.onset_s > 0.015), "{:?}", judged.flags);
}
