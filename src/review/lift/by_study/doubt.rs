//! Where the film contradicts the study: there the test does what no design does.
//!
//! Only firm sightings are asked, those that hold on to frame 0: a few of them are wrong, many that agree are not. Around a
//! node they contradict what was solved for when many of them are far from it, or when all of them together would be
//! elsewhere.

use nalgebra::{Matrix3, Vector3};
use rayon::prelude::*;

use super::super::{Lifted, Sighting, at_point, cauchy_weights};
use super::StudyLift;

/// A sighting with less weight contradicts the study.
const CONTRADICTS: f64 = 0.5;
/// Where more than this share of the firm sightings do, the study is doubted.
const MANY: f64 = 0.25;
/// Fewer sightings that contradict the study around a node are mistakes.
const FEWEST: u32 = 10;
/// Firm sightings that would all be elsewhere, the same way, contradict the study from so many sigma of one of them.
const TOGETHER_ELSEWHERE: f64 = 1.0;
/// One of them says no more than so many sigma of that: a few far ones are mistakes.
const MOST_SIGMAS: f64 = 4.0;
/// How many edges away what contradicts the study is looked for, and how far the doubt of it reaches.
const SURROUNDINGS: usize = 2;
/// The same where an edge is so few px long that its surroundings hold too few sightings.
const WIDE_SURROUNDINGS: usize = 6;

/// Nodes near which the firm ones among `sightings` contradict the solution.
pub(super) fn contradicted(known: &StudyLift<'_>, sightings: &[Sighting], lifted: &Lifted) -> Vec<bool> {
    let nodes = known.alone.before_mm.len();
    let votes = votes(known, sightings, lifted);
    let neighbours = Neighbours::new(known.alone.edges, nodes);
    let contradicted: Vec<usize> = (0..nodes)
        .into_par_iter()
        .map_init(|| Walk::new(nodes), |walk, node| contradict(&neighbours, walk, &votes, node).then_some(node))
        .flatten()
        .collect();
    let mut doubted = vec![false; nodes];
    let mut walk = Walk::new(nodes);
    for node in contradicted {
        walk.begin(node);
        (0..SURROUNDINGS).for_each(|_| neighbours.one_edge_farther(&mut walk));
        walk.found.iter().for_each(|n| doubted[*n] = true);
    }
    doubted
}

fn nearest(sighting: &Sighting) -> usize {
    let of = (0..3).max_by(|a, b| sighting.weights[*a].total_cmp(&sighting.weights[*b])).unwrap_or(0);
    sighting.nodes[of] as usize
}

/// What the firm sightings nearest to a node say of the solution.
#[derive(Debug, Clone, Copy, Default)]
struct Votes {
    agree: u32,
    contradict: u32,
    /// Where they would have the place, times how sure they are, 1/mm …
    pull: Vector3<f64>,
    /// … and how sure they are, 1/mm².
    sure: Matrix3<f64>,
}

impl Votes {
    fn and(self, other: &Self) -> Self {
        Self {
            agree: self.agree + other.agree,
            contradict: self.contradict + other.contradict,
            pull: self.pull + other.pull,
            sure: self.sure + other.sure,
        }
    }

    fn count(&self) -> u32 {
        self.agree + self.contradict
    }

    fn many_are_far(&self) -> bool {
        self.contradict >= FEWEST && f64::from(self.contradict) > MANY * f64::from(self.count())
    }

    /// Whether the one shift that would please them most pleases each by more than a sigma, in the mean.
    fn all_would_be_elsewhere(&self) -> bool {
        // What no camera sees must stay where it is.
        let sure = self.sure + Matrix3::identity() * (1e-6 * self.sure.trace());
        let gain = sure.try_inverse().map_or(0.0, |inverse| self.pull.dot(&(inverse * self.pull)));
        self.count() >= FEWEST && gain > TOGETHER_ELSEWHERE.powi(2) * f64::from(self.count())
    }
}

fn votes(known: &StudyLift<'_>, sightings: &[Sighting], lifted: &Lifted) -> Vec<Votes> {
    let mut votes = vec![Votes::default(); known.alone.before_mm.len()];
    let weights = cauchy_weights(&lifted.misfit);
    for (((sighting, firm), weight), misfit) in sightings.iter().zip(known.firm).zip(weights).zip(&lifted.misfit) {
        if !firm {
            continue;
        }
        let informed = sighting.pixel_per_world.transpose() * sighting.information;
        let left_px = sighting.residual_px - sighting.pixel_per_world * at_point(sighting, &lifted.increment_mm);
        let vote = Votes {
            agree: u32::from(weight >= CONTRADICTS),
            contradict: u32::from(weight < CONTRADICTS),
            pull: informed * left_px * (MOST_SIGMAS / misfit.max(MOST_SIGMAS)),
            sure: informed * sighting.pixel_per_world,
        };
        let at = &mut votes[nearest(sighting)];
        *at = at.and(&vote);
    }
    votes
}

/// Whether the firm sightings around `node` contradict the study: as far around as it takes to have enough of them.
fn contradict(neighbours: &Neighbours, walk: &mut Walk, votes: &[Votes], node: usize) -> bool {
    walk.begin(node);
    let mut around = Votes::default();
    for edges in 1..=WIDE_SURROUNDINGS {
        neighbours.one_edge_farther(walk);
        if edges >= SURROUNDINGS {
            around = walk.found.iter().fold(Votes::default(), |sum, n| sum.and(&votes[*n]));
            if MANY * f64::from(around.count()) >= f64::from(FEWEST) {
                break;
            }
        }
    }
    around.many_are_far() || around.all_would_be_elsewhere()
}

/// Which nodes share an edge.
struct Neighbours(Vec<Vec<usize>>);

/// A walk over the edges away from a node; kept for the next one, so that it costs what it finds.
struct Walk {
    /// Each once, the nearest first.
    found: Vec<usize>,
    /// Where the last step began to find.
    from: usize,
    is_found: Vec<bool>,
}

impl Walk {
    fn new(nodes: usize) -> Self {
        Self { found: Vec::new(), from: 0, is_found: vec![false; nodes] }
    }

    fn begin(&mut self, node: usize) {
        self.found.drain(..).for_each(|n| self.is_found[n] = false);
        self.from = 0;
        self.find(node);
    }

    fn find(&mut self, node: usize) {
        if !std::mem::replace(&mut self.is_found[node], true) {
            self.found.push(node);
        }
    }
}

impl Neighbours {
    fn new(edges: &[[u32; 2]], nodes: usize) -> Self {
        let mut of = vec![Vec::new(); nodes];
        for [a, b] in edges.iter().map(|e| e.map(|n| n as usize)) {
            of[a].push(b);
            of[b].push(a);
        }
        Self(of)
    }

    fn one_edge_farther(&self, walk: &mut Walk) {
        let to = walk.found.len();
        for k in walk.from..to {
            for n in &self.0[walk.found[k]] {
                walk.find(*n);
            }
        }
        walk.from = to;
    }
}
