#![expect(clippy::needless_range_loop, reason = "nodes by number, as in the formulas")]

use nalgebra::{DMatrix, DVector, Matrix2, Matrix2x3, Vector2};

use super::*;
use crate::review::designs::{Designs, Mesh};

/// A strip of nodes, of which a camera that looks along y sees the first ones.
const NODES: usize = 72;

fn edges() -> Vec<[u32; 2]> {
    (1..NODES as u32).map(|i| [i - 1, i]).collect()
}

fn view() -> Matrix2x3<f64> {
    Matrix2x3::new(1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
}

fn seen(node: u32, truth: Vector3<f64>) -> Sighting {
    Sighting {
        camera: 0,
        nodes: [node; 3],
        weights: [1.0, 0.0, 0.0],
        pixel_per_world: view(),
        residual_px: view() * truth,
        information: Matrix2::identity() * 100.0,
    }
}

/// What a design does: a wave along the strip that moves along y, too.
fn wave(strength: f64, phase: f64) -> Vec<Vector3<f64>> {
    let at = |n: usize| (0.3 * n as f64 + phase).sin() * strength;
    (0..NODES).map(|n| Vector3::new(at(n), 0.5 * at(n), 2.0 * at(n))).collect()
}

/// Six designs of two kinds of waves, of a strip that the simulation has there.
fn study(simulated: &[Vector3<f64>]) -> StudyPrior {
    let sum = |a: f64, b: f64| wave(a, 0.0).iter().zip(wave(b, 1.5)).map(|(a, b)| a + b).collect();
    let runs = [(3.0, 1.0), (-2.0, 2.0), (1.0, -3.0), (4.0, 0.5), (-1.0, -1.0), (2.0, 2.5)].map(|(a, b)| sum(a, b));
    prior_of(simulated, runs.to_vec())
}

fn prior_of(simulated: &[Vector3<f64>], runs: Vec<Vec<Vector3<f64>>>) -> StudyPrior {
    let mesh = Mesh { places_mm: simulated, edges: &edges() };
    StudyPrior::new(&Designs::new(mesh, runs, Vec::new()), &edges(), &[true; NODES]).expect("enough designs")
}

/// What is believed without a study.
fn alone<'a>(edges: &'a [[u32; 2]], simulated_mm: &'a [Vector3<f64>], before_mm: &'a [Vector3<f64>]) -> LiftPrior<'a> {
    LiftPrior {
        edges,
        membrane_mm: 0.7,
        simulated_mm,
        shape_mm: 0.05,
        shape_share: 0.05,
        doubt_mm: 1.5,
        before_mm,
        anchor_mm: &[4.0; NODES],
    }
}

/// Where the nodes are in the simulation: along the line of sight, so that what is seen bends the strip.
fn simulated() -> Vec<Vector3<f64>> {
    (0..NODES).map(|n| Vector3::new(0.0, 5.0 * n as f64, 0.0)).collect()
}

fn lifted(sightings: &[Sighting], before: &[Vector3<f64>]) -> Lifted {
    lifted_from(&simulated(), sightings, before)
}

fn lifted_from(simulated: &[Vector3<f64>], sightings: &[Sighting], before: &[Vector3<f64>]) -> Lifted {
    let (edges, study) = (edges(), study(simulated));
    let firm = vec![true; sightings.len()];
    let known = StudyLift { alone: &alone(&edges, simulated, before), study: &study, firm: &firm };
    lift_by_study(&[true; NODES], sightings, &[], &known, true).expect("determined")
}

#[test]
fn what_is_not_seen_goes_on_as_the_designs_do() {
    let truth: Vec<_> = wave(2.5, 0.0).iter().zip(wave(-1.5, 1.5)).map(|(a, b)| a + b).collect();
    let sightings: Vec<_> = (0..10).map(|n| seen(n as u32, truth[n])).collect();
    let found = lifted(&sightings, &[Vector3::zeros(); NODES]);
    for (n, (found, truth)) in found.increment_mm.iter().zip(&truth).enumerate() {
        assert!((found - truth).norm() < 0.6, "node {n}: {found:?}, expected {truth:?}");
    }
    let sigma = |n: usize| found.covariance_mm2[n].trace().sqrt();
    assert!(sigma(20) > 1.2 * sigma(4), "{} and {}", sigma(4), sigma(20));
    assert!((found.increment_mm[20] - truth[20]).norm() < 2.0 * sigma(20));
}

/// Sightings of a strip with a dent in x around node 10, far from any wave: its nodes are seen four times each (what
/// contradicts a study must be many, and on a strip few nodes are near by), those that are smooth so many times.
fn dented(depth_mm: f64, smooth: usize) -> (impl Fn(usize) -> Vector3<f64>, Vec<Sighting>) {
    let truth = move |n: usize| Vector3::new(depth_mm * (-(n as f64 - 10.0).powi(2) / 18.0).exp(), 0.0, 0.0);
    let times = move |n: usize| if n < 25 { 4 } else { smooth };
    let sightings = (0..NODES).flat_map(|n| std::iter::repeat_n(seen(n as u32, truth(n)), times(n))).collect();
    (truth, sightings)
}

#[test]
fn what_no_design_does_is_seen_all_the_same() {
    let (truth, sightings) = dented(6.0, 30);
    let found = lifted(&sightings, &[Vector3::zeros(); NODES]).increment_mm;
    for n in 0..NODES {
        assert!((found[n] - truth(n)).xz().norm() < 0.6, "node {n}: {:?}", found[n]);
    }
}

/// The same sightings of a strip that would bend and of one that would stretch, as behind the edge of a shadow.
#[test]
fn what_only_a_stretch_would_explain_is_believed_less() {
    let (_, sightings) = dented(10.0, 30);
    let sightings: Vec<_> =
        sightings.into_iter().map(|s| Sighting { information: s.information * 0.003, ..s }).collect();
    let peak = |along: Vector3<f64>| {
        let simulated: Vec<_> = (0..NODES).map(|n| along * (5.0 * n as f64)).collect();
        lifted_from(&simulated, &sightings, &[Vector3::zeros(); NODES]).increment_mm[10].x
    };
    let (bent, stretched) = (peak(Vector3::y()), peak(Vector3::x()));
    assert!(bent > 8.0 && stretched < 0.8 * bent, "{bent} and {stretched}");
}

/// All sightings around the middle say, a little, the same: none of them contradicts by itself.
#[test]
fn what_all_say_a_little_is_heard() {
    let said = |n: usize| Vector3::new(if (20..30).contains(&n) { 0.9 } else { 0.0 }, 0.0, 0.0);
    let sightings: Vec<_> = (0..NODES)
        .flat_map(|n| std::iter::repeat_n(seen(n as u32, said(n)), 4))
        .map(|s| Sighting { information: s.information * 0.028, ..s })
        .collect();
    let (edges, simulated) = (edges(), simulated());
    let study = study(&simulated);
    let firm = vec![true; sightings.len()];
    let before = [Vector3::zeros(); NODES];
    let known = StudyLift { alone: &alone(&edges, &simulated, &before), study: &study, firm: &firm };
    let nothing = Lifted {
        increment_mm: vec![Vector3::zeros(); NODES],
        covariance_mm2: Vec::new(),
        weights: Vec::new(),
        misfit: sightings.iter().map(|s| super::super::misfit_sigmas(s, &[Vector3::zeros(); NODES])).collect(),
    };
    let doubted = contradicted(&known, &sightings, &nothing);
    assert!(cauchy_weights(&nothing.misfit).iter().all(|w| *w > 0.5), "each by itself may be a mistake");
    assert!(doubted[25] && !doubted[5] && !doubted[50], "{doubted:?}");
}

/// A shadow on two nodes says that they have moved as no design does, and nothing else does.
#[test]
fn what_a_few_sightings_say_is_not_believed_against_the_designs() {
    let said = |n: usize| Vector3::new(if n == 10 || n == 11 { 6.0 } else { 0.0 }, 0.0, 0.0);
    let sightings: Vec<_> = (0..4 * NODES).map(|k| seen((k / 4) as u32, said(k / 4))).collect();
    let found = lifted(&sightings, &[Vector3::zeros(); NODES]).increment_mm;
    for n in 0..NODES {
        assert!(found[n].norm() < 1.0, "node {n}: {:?}", found[n]);
    }
}

/// Designs that fold a strip at other places than the test: a sum of them would be drawn out at the fold.
#[test]
fn a_fold_between_those_of_the_designs_is_as_long_as_theirs() {
    let folded = |at: usize| -> Vec<Vector3<f64>> {
        let beyond = |n: usize| 5.0 * n.saturating_sub(at) as f64;
        (0..NODES).map(|n| Vector3::new(0.0, -beyond(n), beyond(n))).collect()
    };
    let (edges, simulated) = (edges(), simulated());
    let truth = folded(39);
    // The middle is not seen.
    let sightings: Vec<_> = (0..NODES).filter(|n| !(27..51).contains(n)).map(|n| seen(n as u32, truth[n])).collect();
    let firm = vec![true; sightings.len()];
    let before = [Vector3::zeros(); NODES];
    let strain = |study: &StudyPrior| {
        let known = StudyLift { alone: &alone(&edges, &simulated, &before), study, firm: &firm };
        let found = lift_by_study(&[true; NODES], &sightings, &[], &known, false).expect("determined").increment_mm;
        let length = |[a, b]: [usize; 2]| (simulated[b] + found[b] - simulated[a] - found[a]).norm();
        let strain = |e: &[u32; 2]| (length(e.map(|n| n as usize)) / 5.0 - 1.0).powi(2);
        (edges.iter().map(strain).sum::<f64>() / edges.len() as f64).sqrt()
    };
    let mut study = prior_of(&simulated, [24, 30, 36, 42, 48, 54].map(folded).to_vec());
    let told = strain(&study);
    study.length_mm2.fill(1e9);
    let untold = strain(&study);
    assert!(told < 0.7 * untold, "{told} and {untold}");
}

#[test]
fn the_answer_does_not_depend_on_where_it_was_looked_for() {
    let truth = wave(2.0, 0.0);
    let before: Vec<_> = (0..NODES).map(|n| Vector3::new(0.2 * n as f64, -1.0, 3.0)).collect();
    let from_rest: Vec<_> = (0..12).map(|n| seen(n as u32, truth[n])).collect();
    let from_there: Vec<_> = (0..12).map(|n| seen(n as u32, truth[n] - before[n])).collect();
    let (a, b) = (lifted(&from_rest, &[Vector3::zeros(); NODES]), lifted(&from_there, &before));
    for n in 0..NODES {
        let (a, b) = (a.increment_mm[n], before[n] + b.increment_mm[n]);
        assert!((a - b).norm() < 0.05, "node {n}: {a:?} and {b:?}");
    }
}

/// The eliminated strengths against one dense matrix of all unknowns.
#[test]
fn the_equations_are_those_of_nodes_and_strengths_together() {
    let (edges, study, on) = (edges(), study(&simulated()), [true; NODES]);
    let numbering = Numbering::new(&on);
    let before: Vec<_> = (0..NODES).map(|n| Vector3::new(0.1 * n as f64, 0.5, -0.2)).collect();
    let sightings: Vec<_> = (0..9).map(|n| seen(2 * n, Vector3::new(1.0, 0.0, 0.3 * f64::from(n)))).collect();
    let anchor_mm = [NOTHING_MM; NODES];
    let prior = LiftPrior {
        edges: &edges,
        membrane_mm: NOTHING_MM,
        simulated_mm: &[],
        shape_mm: NOTHING_MM,
        shape_share: 0.0,
        doubt_mm: NOTHING_MM,
        before_mm: &before,
        anchor_mm: &anchor_mm,
    };
    let free = vec![Expected::NOTHING; edges.len()];
    let normal = Normal::new(&numbering, &sightings, &prior).expect("a pattern");
    let modal = Modal::new(&study, &numbering, &before);
    let (n, m) = (3 * NODES, modal.count());
    let costs = modal.costs(&normal.edges, &Col::zeros(n), &Col::zeros(m), true);
    let (factor, right) = normal.factor(&[1.0; 9], &free, Some(&costs)).expect("determined");
    let (flat, strengths) = modal.equations(&normal.edges, &costs, &factor).solve(&factor, &right);

    // Rows of a least-squares problem: each is (coefficients, value), already divided by its sigma.
    let mut rows: Vec<(DVector<f64>, f64)> = Vec::new();
    let mut add = |terms: &[(usize, f64)], value: f64, root: f64| {
        let mut row = DVector::zeros(n + m);
        terms.iter().for_each(|(at, c)| row[*at] += c * root);
        rows.push((row, value * root));
    };
    let rest = |at: usize, sign: f64| -> Vec<(usize, f64)> {
        let modes = (0..m).map(|k| (n + k, -sign * study.modes[(at, k)]));
        std::iter::once((at, sign)).chain(modes).collect()
    };
    for (e, [a, b]) in edges.iter().map(|e| e.map(|n| 3 * n as usize)).enumerate() {
        for i in 0..3 {
            let both: Vec<_> = rest(b + i, 1.0).into_iter().chain(rest(a + i, -1.0)).collect();
            add(&both, before[a / 3][i] - before[b / 3][i], study.edge_mm2[e].powf(-0.5));
            add(&[(b + i, 1.0), (a + i, -1.0)], 0.0, 1.0 / NOTHING_MM);
        }
    }
    for at in 0..n {
        add(&rest(at, 1.0), -before[at / 3][at % 3], (study.node_mm2[at / 3] * TOGETHER).powf(-0.5));
        add(&[(at, 1.0)], 0.0, 1.0 / NOTHING_MM);
    }
    (0..m).for_each(|k| add(&[(n + k, 1.0)], 0.0, 1.0));
    for s in &sightings {
        let at = 3 * s.nodes[0] as usize;
        for r in 0..2 {
            let terms: Vec<_> = (0..3).map(|i| (at + i, view()[(r, i)])).collect();
            add(&terms, s.residual_px[r], 10.0);
        }
    }
    let matrix = rows.iter().fold(DMatrix::zeros(n + m, n + m), |sum, (row, _)| sum + row * row.transpose());
    let right = rows.iter().fold(DVector::zeros(n + m), |sum, (row, value)| sum + row * *value);
    let dense = matrix.cholesky().expect("positive").solve(&right);
    for at in 0..n {
        assert!((flat[at] - dense[at]).abs() < 1e-6, "unknown {at}: {} and {}", flat[at], dense[at]);
    }
    for k in 0..m {
        assert!((strengths[k] - dense[n + k]).abs() < 1e-6, "mode {k}: {} and {}", strengths[k], dense[n + k]);
    }
}

#[test]
fn draws_have_the_spread_of_the_solution() {
    let truth = wave(2.0, 0.0);
    let sightings: Vec<_> = (0..10).map(|n| seen(n as u32, truth[n])).collect();
    let expected = lifted(&sightings, &[Vector3::zeros(); NODES]);
    // Noise of the claimed size on the sightings moves the answer by about as much as its covariance says.
    let (mut noise, mut moved) = (Noise::after(0), 0.0);
    const TRIES: usize = 40;
    for _ in 0..TRIES {
        let noisy: Vec<_> = sightings
            .iter()
            .map(|s| Sighting {
                residual_px: s.residual_px + Vector2::new(noise.gauss(), noise.gauss()) * 0.1,
                ..s.clone()
            })
            .collect();
        let found = lifted(&noisy, &[Vector3::zeros(); NODES]);
        moved += (found.increment_mm[4] - expected.increment_mm[4]).xz().norm_squared() / TRIES as f64;
    }
    let claimed = expected.covariance_mm2[4];
    let claimed = claimed[(0, 0)] + claimed[(2, 2)];
    // Sightings claim half as much as they are given, so the covariance is up to four times as large.
    assert!(claimed > 0.8 * moved && claimed < 10.0 * moved, "{claimed} and {moved}");
}
