//! Fields told at control nodes against fields told at all nodes.

use nalgebra::{Matrix2, Matrix2x3, Matrix3, Vector2, Vector3};

use super::super::lift::{LiftPrior, Sighting, lift};
use super::Controls;
use crate::geom::{Skin, node_neighbours};

/// Plates of `side` × `side` quads of 2 mm each, `apart` mm beside each other, each bent to a quarter of a cylinder.
fn plates(count: usize, side: usize, apart: f32) -> (Skin, Vec<[f32; 3]>) {
    let (mut skin, mut rest) = (Skin::default(), Vec::new());
    for plate in 0..count {
        let at = |i: usize, j: usize| (plate * (side + 1).pow(2) + j * (side + 1) + i) as u32;
        let length = 2.0 * side as f32;
        let radius = length / std::f32::consts::FRAC_PI_2;
        for j in 0..=side {
            for i in 0..=side {
                let angle = 2.0 * i as f32 / radius;
                let y = plate as f32 * (length + apart) + 2.0 * j as f32;
                rest.push([radius * angle.sin(), y, radius * (1.0 - angle.cos())]);
            }
        }
        for (i, j) in (0..side * side).map(|e| (e % side, e / side)) {
            let quad = [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)];
            // Every second element is turned over: a file may hold both.
            let [a, b, c, d] = if (i + j) % 2 == 0 { quad } else { [quad[0], quad[3], quad[2], quad[1]] };
            skin.triangles.extend([[a, b, c], [a, c, d]]);
        }
    }
    skin.element_of = (0..skin.triangles.len() as u32).map(|t| t / 2).collect();
    (skin, rest)
}

fn coarse(skin: &Skin, rest: &[[f32; 3]], aimed_at: usize) -> Controls {
    Controls::coarse(skin, &skin.is_on_skin(rest.len()), rest, &vec![true; rest.len()], aimed_at)
}

fn at(rest: &[[f32; 3]], node: usize) -> Vector3<f64> {
    Vector3::from(rest[node].map(f64::from))
}

/// Two cameras see the middle of every triangle that `seen` names, where `truth` moves it.
fn sightings(
    skin: &Skin,
    rest: &[[f32; 3]],
    seen: impl Fn(usize) -> bool,
    truth: impl Fn(Vector3<f64>) -> Vector3<f64>,
) -> Vec<Sighting> {
    let views = [Matrix2x3::new(1.3, 0.0, 0.0, 0.0, 1.3, 0.0), Matrix2x3::new(0.0, 0.0, 1.2, 0.3, 1.2, 0.0)];
    let mut all = Vec::new();
    for (t, nodes) in skin.triangles.iter().enumerate().filter(|(t, _)| seen(*t)) {
        let weights = [0.5, 0.3, 0.2f32];
        let place: Vector3<f64> =
            nodes.iter().zip(weights).map(|(n, w)| truth(at(rest, *n as usize)) * f64::from(w)).sum();
        for (camera, view) in views.iter().enumerate() {
            all.push(Sighting {
                camera: (camera + t) % 2,
                nodes: *nodes,
                weights,
                pixel_per_world: *view,
                residual_px: view * place,
                information: Matrix2::identity() * 20.0,
            });
        }
    }
    all
}

/// The field at every node and its covariance, lifted at the nodes themselves or at `controls`.
fn lifted(
    skin: &Skin,
    rest: &[[f32; 3]],
    controls: Option<&Controls>,
    mut told: Vec<Sighting>,
) -> (Vec<Vector3<f64>>, Vec<Matrix3<f64>>) {
    let own = Controls { on_skin: vec![true; rest.len()], edges: node_neighbours(skin), coarse: None };
    let controls = controls.unwrap_or(&own);
    told.iter_mut().for_each(|s| controls.tell(s, rest));
    let before = vec![Vector3::zeros(); controls.count()];
    let anchor = vec![4.0; controls.count()];
    let prior = LiftPrior {
        edges: &controls.edges,
        membrane_mm: 0.7,
        simulated_mm: &before,
        shape_mm: 1.5,
        shape_share: 0.0,
        doubt_mm: 0.0,
        before_mm: &before,
        anchor_mm: &anchor,
    };
    let found = lift(&controls.on_skin, &told, &prior).expect("anchored");
    (0..rest.len())
        .map(|n| (controls.vector_at(n, &found.increment_mm), controls.covariance_at(n, &found.covariance_mm2)))
        .unzip()
}

#[test]
fn a_small_skin_keeps_its_nodes_and_a_large_one_gets_no_more_unknowns_than_aimed_at() {
    let (skin, rest) = plates(1, 40, 0.0);
    let small = Controls::new(&skin, &rest, || unreachable!("a small skin needs no cameras"));
    assert!(small.coarse.is_none() && small.count() == rest.len());
    let (skin, rest) = plates(1, 120, 0.0);
    let large = Controls::new(&skin, &rest, || vec![true; rest.len()]);
    assert!((super::AIMED_AT / 2..super::AIMED_AT * 11 / 10 + 1).contains(&large.count()), "{}", large.count());
    let again = Controls::new(&skin, &rest, || vec![true; rest.len()]);
    assert_eq!(large.coarse.map(|c| c.shares), again.coarse.map(|c| c.shares), "the same every time");
}

#[test]
fn what_is_not_seen_has_fewer_control_nodes() {
    let (skin, rest) = plates(2, 60, 5.0);
    let seen: Vec<bool> = (0..rest.len()).map(|n| n < rest.len() / 2).collect();
    let controls = Controls::coarse(&skin, &vec![true; rest.len()], &rest, &seen, 600);
    let nodes = &controls.coarse.as_ref().expect("coarse").nodes;
    let of_seen = nodes.iter().filter(|n| seen[**n as usize]).count();
    assert!(of_seen > 5 * (nodes.len() - of_seen), "{of_seen} of {}", nodes.len());
}

#[test]
fn constant_fields_are_reproduced_exactly_and_linear_ones_on_the_flat_nearly() {
    let (skin, mut rest) = plates(2, 50, 5.0);
    let controls = coarse(&skin, &rest, 300);
    let constant = Vector3::new(0.1, -7.3, 1.0 / 3.0);
    let field = vec![constant; controls.count()];
    for n in 0..rest.len() {
        assert_eq!(controls.vector_at(n, &field), constant, "node {n}");
    }
    for (n, x) in rest.iter_mut().enumerate() {
        *x = [2.0 * (n % 51) as f32, x[1], 0.0];
    }
    let controls = coarse(&skin, &rest, 300);
    let truth = |p: Vector3<f64>| Vector3::new(0.05 * p.x, 0.03 * p.y - 0.02 * p.x, 0.04 * p.y);
    let places = controls.places(&rest);
    let field: Vec<_> = (0..controls.count()).map(|k| truth(at(&places, k))).collect();
    for n in 0..rest.len() {
        let left = (controls.vector_at(n, &field) - truth(at(&rest, n))).norm();
        // Only corners that lie too far outside of all control nodes miss anything.
        assert!(left < 1e-4, "node {n} misses by {left} mm");
    }
}

#[test]
fn a_fine_plate_is_lifted_as_without_control_nodes() {
    /// Both fields, over a bulge of 8 mm; the spacing of the control nodes is about 4 elements.
    const TOLERANCE_MM: f64 = 0.25;
    let (skin, rest) = plates(1, 60, 0.0);
    let bulge = |p: Vector3<f64>| {
        let share = (-((p.x - 40.0).powi(2) + (p.y - 70.0).powi(2)) / 1500.0).exp();
        Vector3::new(2.0, 8.0 * share, -3.0 * share)
    };
    let told = sightings(&skin, &rest, |_| true, bulge);
    let controls = coarse(&skin, &rest, 400);
    assert!(controls.count() < rest.len() / 6, "{} of {}", controls.count(), rest.len());
    let (here, _) = lifted(&skin, &rest, Some(&controls), told.clone());
    let (there, _) = lifted(&skin, &rest, None, told);
    for n in 0..rest.len() {
        let (a, b) = ((here[n] - there[n]).norm(), (here[n] - bulge(at(&rest, n))).norm());
        assert!(a < TOLERANCE_MM && b < TOLERANCE_MM, "node {n}: {a} mm from the other lift, {b} mm from the truth");
    }
}

#[test]
fn doubt_grows_away_from_what_is_seen_and_pieces_that_do_not_touch_stay_strangers() {
    let (skin, rest) = plates(2, 40, 0.5);
    let half = rest.len() / 2;
    let controls = coarse(&skin, &rest, 300);
    // Only the lower half of the first plate is seen.
    let told = sightings(&skin, &rest, |t| t < skin.triangles.len() / 4, |_| Vector3::new(6.0, -5.0, 4.0));
    let (field, covariance) = lifted(&skin, &rest, Some(&controls), told);
    assert!(field[half..].iter().all(|d| d.norm() == 0.0), "the second plate has heard of the first");
    let sigma = |n: usize| (covariance[n].trace() / 3.0).sqrt();
    let (seen, border, stranger) = (10 * 41 + 20, 40 * 41 + 20, half + 20);
    assert!((field[seen] - Vector3::new(6.0, -5.0, 4.0)).norm() < 0.1, "{:?}", field[seen]);
    assert!(sigma(seen) < 0.2 * sigma(border) && sigma(border) < sigma(stranger), "{} {}", sigma(seen), sigma(border));
}

#[test]
fn contacts_of_one_control_node_claim_no_more_than_one() {
    let (skin, rest) = plates(1, 60, 0.0);
    let controls = coarse(&skin, &rest, 400);
    let contact = |n: u32| Sighting {
        camera: usize::MAX,
        nodes: [n; 3],
        weights: [1.0, 0.0, 0.0],
        pixel_per_world: Matrix2x3::identity(),
        residual_px: Vector2::zeros(),
        information: Matrix2::identity(),
    };
    let told = controls.tell_contacts(&(0..rest.len() as u32).map(contact).collect::<Vec<_>>(), &rest);
    let mut claimed = vec![0.0; controls.count()];
    for s in &told {
        assert!((s.weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        claimed[s.nodes[0] as usize] += s.information[(0, 0)];
    }
    assert!(claimed.iter().all(|c| *c < 1.0 + 1e-9));
}
