//! A film in some hundred numbers that change smoothly with the parameters.
//!
//! Where a fold or a dent moves, the displacement of a fixed node jumps, and no regression of some ten runs can follow.
//! How far a part moves at most and on average, and where the motion is, follow smoothly. So each part is summarised, in
//! each camera and stretch of time: mean, root mean square, lowest and highest fifteenth of either direction, centre of
//! the motion, and tilt (motion over place). Last come the impactor's way, less its mean (from where it is counted
//! nobody knows), how fast it came, where it hits, and how it leans.

use std::ops::Range;

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::hits::Hit;
use super::random::Random;
use super::sight::{Place, Seen, Sight};

/// Stretches of time.
const WINDOWS: usize = 10;
/// A part that shows fewer nodes in a picture is not summarised there.
const FEWEST: usize = 8;
/// The extreme share of the nodes.
const EXTREME: usize = 15;
/// Motion below this does not say where motion is, mm.
const FAINT_MM: f64 = 0.1;
/// Numbers of one part in one camera and moment.
const NUMBERS: usize = 14;
/// Draws of the measurement's noise.
const DRAWS: usize = 24;
/// Films of each run that plays the test, each with its own noise: how far an estimate is off in one is luck.
const FILMS_OF_RUN: usize = 4;

/// In so many numbers the way of the impactor tells how fast it was and how it was slowed down.
const TOLD_BY_WAY: usize = 4;

/// What the structure's precision counts where the impactor tells of itself: told from the errors of some fifteen runs in
/// nine directions, it is too large (Hartlap et al. 2007 give a factor of 0.3), and would outvote the impactor on how fast
/// it came.
const STRUCTURE_BESIDE_IMPACTOR: f64 = 0.25;

/// What a study and a film have to say, in numbers.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// Runs × numbers.
    pub(super) runs: DMatrix<f64>,
    /// Rows whose squares add up to the variances of the test's numbers.
    pub(super) doubt: DMatrix<f64>,
    /// Numbers that are reduced together; the errors of one block say nothing of another's.
    pub(super) blocks: Vec<EvidenceBlock>,
}

/// Numbers that are reduced together.
#[derive(Debug, Clone)]
pub(super) struct EvidenceBlock {
    pub(super) numbers: Range<usize>,
    /// To how many at most; `None` leaves it to the number of parameters.
    pub(super) most: Option<usize>,
    /// What their precision counts.
    pub(super) trust: f64,
}

impl Evidence {
    /// The same of these runs alone.
    pub(super) fn of_runs(&self, runs: &[usize]) -> Self {
        Self { runs: self.runs.select_rows(runs), ..self.clone() }
    }
}

/// Which places make which numbers; the same for the test and all runs.
#[derive(Debug, Clone)]
pub(super) struct FeaturePlan {
    /// For each summary: the moments' places.
    groups: Vec<Vec<Vec<usize>>>,
    /// For each summary: centre of the part's undeformed picture and its size, mm.
    frames: Vec<([f64; 2], f64)>,
}

impl FeaturePlan {
    pub(super) fn new(sight: &Sight) -> Self {
        let windows = WINDOWS.min(sight.moments.len());
        let window_of = |p: &Place| usize::from(p.moment) * windows / sight.moments.len();
        let mut plan = Self { groups: Vec::new(), frames: Vec::new() };
        // The whole structure first, then part by part; with one part both are the same.
        let whole = (sight.parts > 1).then_some(None);
        for part in whole.into_iter().chain((0..sight.parts).map(Some)) {
            for camera in 0..sight.cameras {
                for window in 0..windows {
                    let mut by_moment: Vec<Vec<usize>> = vec![Vec::new(); sight.moments.len()];
                    for (index, p) in sight.places.iter().enumerate() {
                        let own = part.is_none_or(|part| usize::from(p.part) == part);
                        if own && usize::from(p.camera) == camera && window_of(p) == window {
                            by_moment[usize::from(p.moment)].push(index);
                        }
                    }
                    by_moment.retain(|m| m.len() >= FEWEST);
                    if !by_moment.is_empty() {
                        plan.frames.push(frame(&by_moment, &sight.places));
                        plan.groups.push(by_moment);
                    }
                }
            }
        }
        plan
    }

    /// The numbers of the test.
    pub(super) fn of_test(&self, sight: &Sight) -> DVector<f64> {
        let hit = &sight.hits.test;
        self.of(sight, &sight.test, hit, sight.hits.read_speed(hit, None))
    }

    /// The numbers of one film, whose impactor came at `speed`, mm/s.
    fn of(&self, sight: &Sight, seen: &Seen, hit: &Hit, speed: Option<f64>) -> DVector<f64> {
        let of_hit = hit.way_mm.len() + hit.lean_rad.len() + 2;
        let mut all = Vec::with_capacity(self.groups.len() * NUMBERS + of_hit);
        for (group, frame) in self.groups.iter().zip(&self.frames) {
            let mut sum = [0.0; NUMBERS];
            for moment in group {
                let one = summary(moment, &sight.places, seen, *frame);
                sum.iter_mut().zip(one).for_each(|(s, v)| *s += v / group.len() as f64);
            }
            all.extend(sum);
        }
        all.extend(without_start(&hit.way_mm));
        all.extend(speed);
        all.extend(hit.place_mm);
        all.extend(&hit.lean_rad);
        DVector::from_vec(all)
    }

    /// The numbers of all runs, and what is in doubt of the test's.
    pub(super) fn evidence(&self, sight: &Sight) -> Evidence {
        let hits = &sight.hits;
        let rows = sight.runs.iter().zip(&hits.runs).enumerate();
        let rows = rows.map(|(run, (seen, hit))| self.of(sight, seen, hit, hits.speed_of_run(run)).transpose());
        let runs = DMatrix::from_rows(&rows.collect::<Vec<_>>());
        let structure = self.groups.len() * NUMBERS;
        let way = structure + hits.test.way_mm.len();
        let speed = way + usize::from(hits.speed_error().is_some());
        let place = speed + usize::from(sight.hits.test.place_mm.is_some());
        let trust = if structure < runs.ncols() { STRUCTURE_BESIDE_IMPACTOR } else { 1.0 };
        let mut blocks = vec![
            EvidenceBlock { numbers: 0..structure, most: None, trust },
            EvidenceBlock { numbers: structure..way, most: Some(TOLD_BY_WAY), trust: 1.0 },
            EvidenceBlock { numbers: way..speed, most: Some(1), trust: 1.0 },
            EvidenceBlock { numbers: speed..place, most: Some(1), trust: 1.0 },
            EvidenceBlock { numbers: place..runs.ncols(), most: Some(2), trust: 1.0 },
        ];
        blocks.retain(|block| !block.numbers.is_empty());
        Evidence { runs, doubt: self.doubt(sight, way), blocks }
    }

    /// The numbers of [`FILMS_OF_RUN`] films of each run, each with a draw of all that is in doubt of a measurement.
    /// A run is known by where it lies, `shares`, not by its place among the others.
    pub(super) fn films_of_runs(&self, sight: &Sight, shares: &[Vec<f64>], seed: u64) -> Vec<Vec<DVector<f64>>> {
        let film = |run: usize, random: &mut Random| {
            let (seen, hit) = (&sight.runs[run], &sight.hits.runs[run]);
            let mut film = (with_noise(sight, seen, random), hit.with_noise(random));
            for change in &sight.nuisances {
                film = change.added_to((&film.0, &film.1), random.normal());
            }
            self.of(sight, &film.0, &film.1, sight.hits.read_speed(&film.1, Some(run)))
        };
        let films = |run: usize| {
            let mut random = Random::of(seed, &shares[run]);
            (0..FILMS_OF_RUN).map(|_| film(run, &mut random)).collect()
        };
        (0..sight.runs.len()).into_par_iter().map(films).collect()
    }

    /// What the doubt about measurement, trigger and pose does to the test's numbers: rows whose squares add up to
    /// variances.
    ///
    /// Neighbours err together (the matching's windows overlap, the lift smooths): half of each node's variance is drawn
    /// once for its part and picture, half for itself.
    ///
    /// Reading the speed, number `speed_at` where there is one, has an error of its own.
    fn doubt(&self, sight: &Sight, speed_at: usize) -> DMatrix<f64> {
        let (seen, hit) = (&sight.test, &sight.hits.test);
        let numbers = |seen: &Seen, hit: &Hit| self.of(sight, seen, hit, sight.hits.read_speed(hit, None));
        let plain = numbers(seen, hit);
        let mut random = Random::new(0x5ee9);
        let mut rows = Vec::new();
        for _ in 0..DRAWS {
            let noisy = (with_noise(sight, seen, &mut random), hit.with_noise(&mut random));
            rows.push((numbers(&noisy.0, &noisy.1) - &plain).transpose() / (DRAWS as f64).sqrt());
        }
        for change in &sight.nuisances {
            let moved = change.added_to((seen, hit), 1.0);
            rows.push((numbers(&moved.0, &moved.1) - &plain).transpose());
        }
        if let Some(error) = sight.hits.speed_error() {
            let mut row = DVector::zeros(plain.len());
            row[speed_at] = error;
            rows.push(row.transpose());
        }
        DMatrix::from_rows(&rows)
    }
}

/// `seen` with one draw of the measurement's noise.
fn with_noise(sight: &Sight, seen: &Seen, random: &mut Random) -> Seen {
    let half = std::f64::consts::FRAC_1_SQRT_2;
    let pictures = sight.cameras * sight.moments.len() * sight.parts;
    let common: Vec<[f64; 2]> = (0..pictures).map(|_| [random.normal(), random.normal()]).collect();
    let noise = |p: &Place, random: &mut Random| {
        let picture = usize::from(p.camera) * sight.moments.len() + usize::from(p.moment);
        let shared = common[picture * sight.parts + usize::from(p.part)];
        shared.map(|c| (f64::from(p.sigma_mm) * half * (c + random.normal())) as f32)
    };
    sight
        .places
        .iter()
        .zip(seen)
        .map(|(p, d)| {
            let e = noise(p, random);
            [d[0] + e[0], d[1] + e[1]]
        })
        .collect()
}

/// A way less its mean, mm.
fn without_start(way_mm: &[f64]) -> impl Iterator<Item = f64> + '_ {
    let mean = way_mm.iter().sum::<f64>() / way_mm.len().max(1) as f64;
    way_mm.iter().map(move |w| w - mean)
}

/// Centre and size of a part's undeformed picture.
fn frame(group: &[Vec<usize>], places: &[Place]) -> ([f64; 2], f64) {
    let all: Vec<[f64; 2]> = group.iter().flatten().map(|i| places[*i].rest.map(f64::from)).collect();
    let n = all.len() as f64;
    let centre = [0, 1].map(|c| all.iter().map(|p| p[c]).sum::<f64>() / n);
    let square: f64 = all.iter().map(|p| (p[0] - centre[0]).powi(2) + (p[1] - centre[1]).powi(2)).sum();
    (centre, (square / n).sqrt().max(1.0))
}

fn summary(moment: &[usize], places: &[Place], seen: &Seen, (centre, size): ([f64; 2], f64)) -> [f64; NUMBERS] {
    let n = moment.len() as f64;
    let d: Vec<[f64; 2]> = moment.iter().map(|i| seen[*i].map(f64::from)).collect();
    let at: Vec<[f64; 2]> = moment.iter().map(|i| [0, 1].map(|c| f64::from(places[*i].rest[c]) - centre[c])).collect();
    let mut out = [0.0; NUMBERS];
    for c in 0..2 {
        let mut values: Vec<f64> = d.iter().map(|v| v[c]).collect();
        out[4 * c] = values.iter().sum::<f64>() / n;
        out[4 * c + 1] = (values.iter().map(|v| v * v).sum::<f64>() / n).sqrt();
        values.sort_by(f64::total_cmp);
        let few = (values.len() / EXTREME).max(1);
        out[4 * c + 2] = values[..few].iter().sum::<f64>() / few as f64;
        out[4 * c + 3] = values[values.len() - few..].iter().sum::<f64>() / few as f64;
    }
    let weight: Vec<f64> = d.iter().map(|v| v[0] * v[0] + v[1] * v[1] + FAINT_MM * FAINT_MM).collect();
    let total: f64 = weight.iter().sum();
    for c in 0..2 {
        out[8 + c] = at.iter().zip(&weight).map(|(p, w)| p[c] * w).sum::<f64>() / total;
        for along in 0..2 {
            out[10 + 2 * c + along] = d.iter().zip(&at).map(|(v, p)| v[c] * p[along]).sum::<f64>() / (n * size);
        }
    }
    out
}
