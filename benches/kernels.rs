//! The inner loops by themselves: drawing, patch refinement, lift.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crumple::geom::{Skin, node_neighbours, rasterise};
use crumple::review::{LiftPrior, Sighting, lift};
use crumple::vision::PatchMatcher;
use nalgebra::{Matrix2, Matrix2x3, Vector2, Vector3};
use ndarray::Array2;

#[path = "figures/sheet.rs"]
mod sheet;

/// Small where only compiling and running is to be shown.
fn side() -> usize {
    if cfg!(debug_assertions) { 10 } else { 60 }
}

fn drawing(c: &mut Criterion) {
    let (skin, positions) = sheet::sheet(4 * side());
    let mut group = c.benchmark_group("rasterise");
    group.throughput(Throughput::Elements(skin.triangles.len() as u64));
    group.bench_function("folded sheet, 640 x 480", |b| {
        b.iter(|| rasterise(&sheet::camera(), &skin, black_box(&positions)));
    });
    group.finish();
}

fn patches(c: &mut Criterion) {
    let picture = |dx: f32| {
        Array2::from_shape_fn((480, 640), |(y, x)| {
            let (x, y) = (x as f32 - dx, y as f32);
            0.5 + 0.15 * ((0.9 * x + 0.2 * y).sin() + (0.31 * x - 0.47 * y).sin() + (0.11 * x + 0.13 * y).cos())
        })
    };
    let (predicted, real) = (picture(0.0), picture(0.4));
    let matcher = PatchMatcher::new(&predicted, &real);
    c.bench_function("refine one patch of 15 x 15 px", |b| {
        b.iter(|| matcher.refine(240, black_box(320), [0.0, 0.0], |_, _| true));
    });
}

fn lifting(c: &mut Criterion) {
    let (skin, positions): (Skin, _) = sheet::sheet(side());
    let count = positions.len();
    let view = Matrix2x3::new(1.3, 0.0, 0.1, 0.0, 1.3, -0.1);
    let sightings: Vec<Sighting> = (0..4 * count)
        .map(|i| Sighting {
            camera: 0,
            nodes: skin.triangles[i * 7 % skin.triangles.len()],
            weights: [0.5, 0.3, 0.2],
            pixel_per_world: view,
            residual_px: Vector2::new((i % 5) as f64 * 0.1, 0.3),
            information: Matrix2::identity() * 50.0,
        })
        .collect();
    let (edges, on_skin) = (node_neighbours(&skin), skin.is_on_skin(count));
    let (anchor, before) = (vec![4.0; count], vec![Vector3::zeros(); count]);
    let simulated: Vec<Vector3<f64>> = positions.iter().map(|p| Vector3::from(p.map(f64::from))).collect();
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
    let mut group = c.benchmark_group("lift");
    group.sample_size(10);
    group.bench_function(format!("{count} nodes, {} sightings", sightings.len()), |b| {
        b.iter(|| lift(&on_skin, black_box(&sightings), &prior).expect("anchored"));
    });
    group.finish();
}

criterion_group!(kernels, drawing, patches, lifting);
criterion_main!(kernels);
