//! The impactor as a witness of the parameters.
//!
//! How fast it came and how the structure slowed it down show in its way, where it hit in its place, and how it leant in
//! its face; the review found them in the film, and each run tells the same of its own impactor. They are few numbers, known
//! to tenths of a mm and of a degree, where the structure's displacements are many that folds make jump.

use super::random::Random;
use super::sight::SightInput;
use super::speed::{KnownWay, SpeedReader};
use crate::domain::{ImpactorPlace, RunImpactor, WayPoint};
use crate::geom::bracket;

/// Moments that are used at most, evenly spread from the contact on.
const MOMENTS: usize = 24;
/// Fewer moments do not tell how a speed changes.
const FEWEST: usize = 5;
/// Error of the way's scale that all moments share (lens, pose, distance of the body), 1-sigma. In eleven films with known
/// truth it was 0.003 at most in all but one, in which the ram was lost.
const SCALE: f64 = 0.004;
/// Error of the way from one moment to the next, 1-sigma, mm: most of [`WayPoint::sigma_mm`] is what all moments share.
const NOISE_MM: f64 = 0.07;
/// Error of the place, 1-sigma, mm.
const PLACE_MM: f64 = 1.5;
/// Error of how a wall leans, 1-sigma, rad: the root mean square of nine films with known truth, two of which were off by
/// 0.03 and 0.05, the others by 0.003 to 0.02.
const FACE_RAD: f64 = 0.022;
/// Runs whose walls lean alike within this do not tell what another lean changes, rad.
const SAME_FACE_RAD: f64 = 0.02;
/// Runs that are hit within so many mm of each other do not tell what another place changes.
const SAME_PLACE_MM: f64 = 3.0;
/// Runs that are as fast as each other within this do not tell what another speed changes, mm/s.
const SAME_SPEED_MM_PER_S: f64 = 100.0;
/// Runs whose impactors go the same way within so many mm (a press moves as it is told) do not tell of another one.
const SAME_WAY_MM: f64 = 1.0;

/// What one film, or one run, tells of its impactor; empty where that of one of them is not known.
#[derive(Debug, Clone, Default)]
pub(super) struct Hit {
    /// Its way at the film times that are used, mm; from where it is counted is arbitrary.
    pub(super) way_mm: Vec<f64>,
    /// Where it hits, mm.
    pub(super) place_mm: Option<f64>,
    /// How a wall leans: the components of its normal in which the runs differ, rad.
    pub(super) lean_rad: Vec<f64>,
}

impl Hit {
    /// The same with one draw of the measurement's noise.
    pub(super) fn with_noise(&self, random: &mut Random) -> Self {
        Self {
            way_mm: self.way_mm.iter().map(|w| w + NOISE_MM * random.normal()).collect(),
            place_mm: self.place_mm.map(|p| p + PLACE_MM * random.normal()),
            lean_rad: self.lean_rad.iter().map(|l| l + FACE_RAD * random.normal()).collect(),
        }
    }
}

/// The impactors of the test and of each run.
#[derive(Debug, Clone)]
pub(super) struct Hits {
    /// The test's.
    pub(super) test: Hit,
    /// The runs'.
    pub(super) runs: Vec<Hit>,
    /// What one sigma of the trigger changes of the way, mm.
    pub(super) by_trigger: Vec<f64>,
    /// What tells the speed at the contact of the test's way, where the runs have different ones.
    speeds: Option<Speeds>,
}

/// The runs' speeds at the contact, and what reads such a speed off a way.
#[derive(Debug, Clone)]
struct Speeds {
    runs_mm_per_s: Vec<f64>,
    of_test: SpeedReader,
    /// For each run: the reader that the others make.
    of_runs: Vec<SpeedReader>,
    /// Error of reading a way that is known exactly, told from the runs, root mean square, mm/s.
    error_mm_per_s: f64,
}

impl Speeds {
    /// `None` where the runs are as fast as each other, or tell too little.
    fn new(times_s: &[f64], runs: &[KnownWay]) -> Option<Self> {
        if spread(runs.iter().map(|run| run.speed_mm_per_s)) < SAME_SPEED_MM_PER_S {
            return None;
        }
        let without = |left_out: Option<usize>| {
            let others: Vec<&KnownWay> =
                runs.iter().enumerate().filter(|(r, _)| Some(*r) != left_out).map(|(_, run)| run).collect();
            SpeedReader::new(times_s, &others, NOISE_MM)
        };
        let of_runs = (0..runs.len()).map(|run| without(Some(run))).collect::<Option<Vec<_>>>()?;
        let off = |(run, reader): (&KnownWay, &SpeedReader)| reader.read_mm_per_s(&run.way_mm) - run.speed_mm_per_s;
        let square: f64 = runs.iter().zip(&of_runs).map(off).map(|e| e * e).sum();
        Some(Self {
            runs_mm_per_s: runs.iter().map(|run| run.speed_mm_per_s).collect(),
            of_test: without(None)?,
            of_runs,
            error_mm_per_s: (square / runs.len() as f64).sqrt(),
        })
    }
}

impl Hits {
    pub(super) fn new(input: &SightInput<'_>) -> Self {
        let study = input.fields.study();
        let mut hits = Self::none(study.runs.len());
        let runs: Option<Vec<&RunImpactor>> = study.runs.iter().map(|run| run.impactor.as_ref()).collect();
        let (Some(seen), Some(runs)) = (input.impactor, runs) else { return hits };
        let used = used_points(&seen.way, &runs, input.time_offset_s);
        hits.compare_ways(&used, &runs, (input.time_offset_s, input.time_offset_sigma_s));
        hits.compare_places(seen.place, &runs);
        hits.compare_faces(seen.face, &runs);
        hits
    }

    /// Of so many runs nothing is known.
    fn none(runs: usize) -> Self {
        Self { test: Hit::default(), runs: vec![Hit::default(); runs], by_trigger: Vec::new(), speeds: None }
    }

    /// At the film's offset and 1-sigma of it, s.
    fn compare_ways(&mut self, used: &[WayPoint], runs: &[&RunImpactor], (offset_s, sigma_s): (f64, f64)) {
        let at = |run: &RunImpactor, shift_s: f64| -> Vec<f64> {
            used.iter().map(|p| way_at(run, p.time_s + offset_s + shift_s)).collect()
        };
        if used.len() < FEWEST || spread(runs.iter().map(|run| length(&at(run, 0.0)))) < SAME_WAY_MM {
            return;
        }
        self.test.way_mm = used.iter().map(|p| p.way_mm).collect();
        let times_s: Vec<f64> = used.iter().map(|p| p.time_s + offset_s).collect();
        let known = |run: &&RunImpactor| KnownWay { way_mm: at(run, 0.0), speed_mm_per_s: speed_at_contact(run) };
        self.speeds = Speeds::new(&times_s, &runs.iter().map(known).collect::<Vec<_>>());
        self.by_trigger = vec![0.0; used.len()];
        for (hit, run) in self.runs.iter_mut().zip(runs) {
            hit.way_mm = at(run, 0.0);
            let (before, after) = (at(run, -sigma_s), at(run, sigma_s));
            for (sum, (b, a)) in self.by_trigger.iter_mut().zip(before.iter().zip(after)) {
                *sum += 0.5 * (a - b) / runs.len() as f64;
            }
        }
    }

    fn compare_places(&mut self, seen: Option<ImpactorPlace>, runs: &[&RunImpactor]) {
        let Some(seen) = seen else { return };
        let along = |centre: [f64; 3]| centre.iter().zip(seen.across).map(|(c, a)| c * a).sum::<f64>();
        let Some(places) = runs.iter().map(|run| run.centre_mm.map(along)).collect::<Option<Vec<f64>>>() else {
            return;
        };
        if spread(places.iter().copied()) > SAME_PLACE_MM {
            self.test.place_mm = Some(seen.at_mm);
            self.runs.iter_mut().zip(places).for_each(|(hit, place)| hit.place_mm = Some(place));
        }
    }

    fn compare_faces(&mut self, seen: Option<[f64; 3]>, runs: &[&RunImpactor]) {
        let Some(seen) = seen else { return };
        let Some(faces) = runs.iter().map(|run| run.face).collect::<Option<Vec<_>>>() else { return };
        for axis in (0..3).filter(|axis| spread(faces.iter().map(|f| f[*axis])) > SAME_FACE_RAD) {
            self.test.lean_rad.push(seen[axis]);
            self.runs.iter_mut().zip(&faces).for_each(|(hit, face)| hit.lean_rad.push(face[axis]));
        }
    }

    /// Run `run`'s speed at the contact, mm/s.
    pub(super) fn speed_of_run(&self, run: usize) -> Option<f64> {
        Some(self.speeds.as_ref()?.runs_mm_per_s[run])
    }

    /// The speed at the contact that `hit` shows, mm/s; where it is that of run `left_out` with noise, told by the others.
    pub(super) fn read_speed(&self, hit: &Hit, left_out: Option<usize>) -> Option<f64> {
        let speeds = self.speeds.as_ref()?;
        let reader = left_out.map_or(&speeds.of_test, |run| &speeds.of_runs[run]);
        Some(reader.read_mm_per_s(&hit.way_mm))
    }

    /// Error of [`Self::read_speed`] where the way is known exactly, 1-sigma, mm/s.
    pub(super) fn speed_error(&self) -> Option<f64> {
        Some(self.speeds.as_ref()?.error_mm_per_s)
    }

    /// What one sigma of the scale changes of the way, mm.
    pub(super) fn by_scale(&self) -> Vec<f64> {
        let way = &self.test.way_mm;
        way.iter().map(|w| SCALE * (w - way[0])).collect()
    }
}

/// From the least to the greatest of some numbers.
fn spread(all: impl Iterator<Item = f64>) -> f64 {
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    high - low
}

/// From the first to the last point of a way, mm.
fn length(way_mm: &[f64]) -> f64 {
    way_mm[way_mm.len() - 1] - way_mm[0]
}

/// The points of the way after the contact, as far as all runs tell theirs.
fn used_points(way: &[WayPoint], runs: &[&RunImpactor], offset_s: f64) -> Vec<WayPoint> {
    let told_to_s = |run: &&RunImpactor| run.times_s.last().copied().unwrap_or(f64::NEG_INFINITY);
    let end_s = runs.iter().map(told_to_s).fold(f64::INFINITY, f64::min);
    let both_tell = |p: &&WayPoint| (0.0..=end_s).contains(&(p.time_s + offset_s));
    let known: Vec<WayPoint> = way.iter().filter(both_tell).copied().collect();
    let stride = known.len().div_ceil(MOMENTS).max(1);
    known.into_iter().step_by(stride).collect()
}

/// How fast an impactor is at time 0, mm/s.
fn speed_at_contact(run: &RunImpactor) -> f64 {
    let first = run.times_s.iter().position(|t| *t > 0.0).unwrap_or(0);
    (run.travel_mm[first] - way_at(run, 0.0)) / run.times_s[first]
}

/// How far an impactor has come at `time_s`, mm.
fn way_at(run: &RunImpactor, time_s: f64) -> f64 {
    let (a, b, w) = bracket(&run.times_s, time_s);
    run.travel_mm[a] * (1.0 - w) + run.travel_mm[b] * w
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(speed_mm_per_s: f64, end_s: f64, across_mm: f64) -> RunImpactor {
        let times_s: Vec<f64> = (0..=10).map(|i| f64::from(i) * end_s / 10.0).collect();
        let travel_mm = times_s.iter().map(|t| speed_mm_per_s * t).collect();
        RunImpactor { times_s, travel_mm, centre_mm: Some([across_mm, 7.0, 50.0]), face: None }
    }

    fn seen(times_s: &[f64]) -> Vec<WayPoint> {
        times_s.iter().map(|t| WayPoint { time_s: *t, way_mm: 6000.0 * t, sigma_mm: 0.2, simulated_mm: None }).collect()
    }

    #[test]
    fn only_moments_after_the_contact_that_all_runs_tell_of_are_compared() {
        let (short, long) = (run(6000.0, 0.010, 0.0), run(7000.0, 0.020, 0.0));
        let film = seen(&[-0.002, 0.001, 0.004, 0.009, 0.012, 0.018]);
        let used = used_points(&film, &[&short, &long], -0.001);
        assert_eq!(used.iter().map(|p| p.time_s).collect::<Vec<_>>(), [0.001, 0.004, 0.009]);
        let silent = RunImpactor { times_s: Vec::new(), travel_mm: Vec::new(), centre_mm: None, face: None };
        assert!(used_points(&film, &[&short, &silent], 0.0).is_empty());
    }

    #[test]
    fn a_long_film_is_thinned_out_evenly() {
        let times: Vec<f64> = (0..100).map(|i| f64::from(i) * 1e-4).collect();
        let used = used_points(&seen(&times), &[&run(6000.0, 0.02, 0.0)], 0.0);
        assert_eq!(used.len(), 20);
        assert!(used.windows(2).all(|p| (p[1].time_s - p[0].time_s - 5e-4).abs() < 1e-9));
    }

    #[test]
    fn between_two_times_the_way_is_straight_and_beyond_the_last_it_ends() {
        let (times_s, travel_mm) = (vec![0.0, 0.01, 0.02], vec![0.0, 60.0, 80.0]);
        let run = RunImpactor { times_s, travel_mm, centre_mm: None, face: None };
        assert!((way_at(&run, 0.005) - 30.0).abs() < 1e-9 && (way_at(&run, 0.015) - 70.0).abs() < 1e-9);
        assert!((way_at(&run, 0.03) - 80.0).abs() < 1e-9 && way_at(&run, -1.0).abs() < 1e-9);
    }

    #[test]
    fn ways_are_evidence_only_where_the_runs_go_differently() {
        let compared = |speeds_mm_per_s: [f64; 2]| {
            let runs = speeds_mm_per_s.map(|speed| run(speed, 0.01, 0.0));
            let mut hits = Hits::none(2);
            let used = seen(&[0.001, 0.003, 0.005, 0.007, 0.009]);
            hits.compare_ways(&used, &runs.iter().collect::<Vec<_>>(), (0.001, 1e-4));
            hits
        };
        let hits = compared([6000.0, 7000.0]);
        assert!(hits.test.way_mm.iter().zip([6.0, 18.0, 30.0, 42.0, 54.0]).all(|(a, b)| (a - b).abs() < 1e-9));
        assert!((hits.runs[1].way_mm[2] - 42.0).abs() < 1e-9, "a ms later than the film's clock says: {hits:?}");
        assert!((hits.by_trigger[2] - 0.65).abs() < 1e-9, "6.5 m/s on the mean, a tenth of a ms: {hits:?}");
        assert!((hits.by_scale()[4] - 48.0 * SCALE).abs() < 1e-9);
        assert!(compared([6000.0, 6000.0]).test.way_mm.is_empty(), "a press tells nothing");
    }

    #[test]
    fn a_place_is_evidence_only_where_the_runs_are_hit_at_different_places() {
        let place = ImpactorPlace { across: [-1.0, 0.0, 0.0], at_mm: -4.0 };
        let compared = |places: [f64; 2], seen: Option<ImpactorPlace>| {
            let runs = places.map(|across_mm| run(6000.0, 0.01, across_mm));
            let mut hits = Hits::none(2);
            hits.compare_places(seen, &runs.iter().collect::<Vec<_>>());
            (hits.test.place_mm, hits.runs.iter().map(|hit| hit.place_mm).collect::<Vec<_>>())
        };
        assert_eq!(compared([-20.0, 30.0], Some(place)), (Some(-4.0), vec![Some(20.0), Some(-30.0)]));
        assert_eq!(compared([5.0, 6.0], Some(place)), (None, vec![None, None]));
        assert_eq!(compared([-20.0, 30.0], None), (None, vec![None, None]));
    }

    #[test]
    fn a_lean_is_evidence_only_in_the_directions_in_which_the_runs_lean() {
        let leaning = |by: f64| RunImpactor { face: Some([0.0, -by.sin(), -by.cos()]), ..run(6000.0, 0.01, 0.0) };
        let compared = |leans: [f64; 2], seen: Option<[f64; 3]>| {
            let runs = leans.map(leaning);
            let mut hits = Hits::none(2);
            hits.compare_faces(seen, &runs.iter().collect::<Vec<_>>());
            (hits.test.lean_rad, hits.runs.into_iter().map(|hit| hit.lean_rad).collect::<Vec<_>>())
        };
        let seen = Some([0.004, -0.05, -0.998]);
        let (test, runs) = compared([-0.06, 0.06], seen);
        assert_eq!((test, runs[0].len()), (vec![-0.05], 1));
        assert!((runs[0][0] - 0.06).abs() < 1e-4 && (runs[1][0] + 0.06).abs() < 1e-4, "{runs:?}");
        assert!(compared([0.01, 0.012], seen).0.is_empty() && compared([-0.06, 0.06], None).0.is_empty());
    }
}
