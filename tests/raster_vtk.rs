//! The rasteriser against two independent ones: VTK's off-screen renderer, and rays cast through each pixel.

use std::path::Path;
use std::process::Command;

use crumple::domain::{Distortion, Intrinsics, Pose};
use crumple::geom::{Camera, NO_TRIANGLE, Raster, Skin, rasterise};
use crumple::ingest::{SimulationFile, SimulationOptions};
use nalgebra::{Matrix3, Rotation3, Vector3};
use proptest::prelude::*;
use rayon::prelude::*;

use crate::support::shared;

/// What the rasteriser promises not to draw, mm.
const NEAR_MM: f64 = 1.0;

/// Reproducible numbers in 0..1 (SplitMix64).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }
}

fn camera(width: usize, height: usize, rotation: &Matrix3<f64>, translation_mm: [f64; 3]) -> Camera {
    let f = 1.4 * width as f64;
    Camera {
        width,
        height,
        // Neither square pixels nor a centred axis: a swapped x and y or a lost offset must show.
        intrinsics: Intrinsics { fx: f, fy: 1.07 * f, cx: 0.47 * width as f64, cy: 0.56 * height as f64 },
        distortion: Distortion::default(),
        pose: Pose { rotation: std::array::from_fn(|r| std::array::from_fn(|c| rotation[(r, c)])), translation_mm },
    }
}

/// A camera `distance_mm` in front of `centre`, turned about all axes.
fn looking_at(centre: [f64; 3], distance_mm: f64, turn: [f64; 3]) -> Camera {
    let rotation = *Rotation3::from_euler_angles(turn[0], turn[1], turn[2]).matrix();
    let t = Vector3::new(0.0, 0.0, distance_mm) - rotation * Vector3::from(centre);
    camera(640, 480, &rotation, t.into())
}

/// Corners of each triangle in camera axes, computed here and not by the library.
fn corners_in_camera(camera: &Camera, skin: &Skin, positions_mm: &[[f32; 3]]) -> Vec<[Vector3<f64>; 3]> {
    let rotation = Matrix3::from_fn(|r, c| camera.pose.rotation[r][c]);
    let translation = Vector3::from(camera.pose.translation_mm);
    let at = |n: u32| rotation * Vector3::from(positions_mm[n as usize].map(f64::from)) + translation;
    skin.triangles.iter().map(|t| t.map(at)).collect()
}

fn skin_of(triangles: Vec<[u32; 3]>) -> Skin {
    Skin { element_of: (0..triangles.len() as u32).collect(), triangles }
}

/// Triangles of any size and attitude, many of which cut through each other.
fn random_scene(seed: u64, count: usize, low: [f64; 3], high: [f64; 3], size: f64) -> (Skin, Vec<[f32; 3]>) {
    let mut draws = Draws(seed);
    let mut positions = Vec::new();
    for _ in 0..count {
        let centre: [f64; 3] = std::array::from_fn(|i| draws.between(low[i], high[i]));
        let reach = size * draws.between(0.1, 1.0);
        for _ in 0..3 {
            positions.push(centre.map(|c| (c + draws.between(-reach, reach)) as f32));
        }
    }
    (skin_of((0..count as u32).map(|i| [3 * i, 3 * i + 1, 3 * i + 2]).collect()), positions)
}

/// Draws with VTK; `None` when Python or its modules are missing. Depths are infinite where nothing is.
fn drawn_by_vtk(camera: &Camera, skin: &Skin, positions_mm: &[[f32; 3]], far_mm: f64) -> Option<(Vec<i32>, Vec<f32>)> {
    let modules = Command::new("python3").args(["-c", "import vtk, numpy"]).output();
    if !modules.is_ok_and(|o| o.status.success()) {
        #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
        {
            eprintln!("skipped: comparing with VTK needs python3 with the modules vtk and numpy");
        }
        return None;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.path().join(name), bytes).expect("written");
    write("positions.f32", positions_mm.iter().flatten().flat_map(|v| v.to_le_bytes()).collect());
    write("triangles.u32", skin.triangles.iter().flatten().flat_map(|v| v.to_le_bytes()).collect());
    let k = camera.intrinsics;
    let scene = serde_json::json!({
        "width": camera.width, "height": camera.height, "fx": k.fx, "fy": k.fy, "cx": k.cx, "cy": k.cy,
        "rotation": camera.pose.rotation, "translation": camera.pose.translation_mm,
        "near": NEAR_MM, "far": far_mm,
    });
    write("scene.json", scene.to_string().into_bytes());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/draw_with_vtk.py");
    let run = Command::new("python3").arg(script).arg(folder.path()).output().expect("python3 runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect("VTK wrote it");
    let four = |b: &[u8]| [b[0], b[1], b[2], b[3]];
    let triangle = read("triangle.i32").chunks_exact(4).map(|b| i32::from_le_bytes(four(b))).collect();
    let depth = read("depth.f32").chunks_exact(4).map(|b| f32::from_le_bytes(four(b))).collect();
    Some((triangle, depth))
}

/// The share of pixels on which two pictures agree, inside faces and at their edges.
#[derive(Debug)]
struct Agreement {
    interior: usize,
    interior_same: usize,
    edge: usize,
    edge_same: usize,
}

/// A pixel is interior when its eight neighbours show the same triangle. There the same triangle is expected, at the
/// same depth within four steps of VTK's depth buffer (24 bits over 1/z from the near plane on: a step is 0.01 mm at
/// 420 mm and 0.06 mm at 1 m), a share of 5e-5 for OpenGL's 32-bit arithmetic on triangles that the near plane cuts (the
/// rays of the next test hold our own depths much tighter there), and what the surface climbs over 1/64 px (OpenGL snaps corners to a grid of 1/256 px).
/// At an edge either side may win the pixel: there VTK's triangle must be among the nine that the rasteriser shows
/// around the pixel.
fn agreement(camera: &Camera, skin: &Skin, raster: &Raster, triangle: &[i32], depth: &[f32]) -> Agreement {
    let (h, w) = raster.triangle.dim();
    let mut found = Agreement { interior: 0, interior_same: 0, edge: 0, edge_same: 0 };
    for row in 1..h - 1 {
        for column in 1..w - 1 {
            let vtk = u32::try_from(triangle[row * w + column]).unwrap_or(NO_TRIANGLE);
            let around: Vec<u32> = (row - 1..=row + 1)
                .flat_map(|r| (column - 1..=column + 1).map(move |c| (r, c)))
                .map(|at| raster.triangle[at])
                .collect();
            let own = raster.triangle[(row, column)];
            if around.iter().any(|t| *t != own) {
                found.edge += 1;
                found.edge_same += usize::from(around.contains(&vtk));
                continue;
            }
            found.interior += 1;
            let (z, other) = (raster.depth_mm[(row, column)], depth[row * w + column]);
            let same_depth = own == NO_TRIANGLE || {
                let climb = (raster.depth_mm[(row, column + 1)] - raster.depth_mm[(row, column - 1)]).abs()
                    + (raster.depth_mm[(row + 1, column)] - raster.depth_mm[(row - 1, column)]).abs();
                let step = z * z / (NEAR_MM * f64::from(1 << 24)) as f32;
                (z - other).abs() < 4.0 * step + 5e-5 * z + 0.5 * climb / 64.0
            };
            found.interior_same += usize::from(vtk == own && same_depth);
        }
    }
    assert!(raster.covered() > h * w / 20, "{:?} shows next to nothing of {} triangles", camera, skin.triangles.len());
    found
}

#[expect(clippy::print_stdout, reason = "the measured agreement is worth seeing")]
fn assert_agreement(name: &str, found: &Agreement) {
    let share = |a: usize, b: usize| a as f64 / b.max(1) as f64;
    let (interior, edge) = (share(found.interior_same, found.interior), share(found.edge_same, found.edge));
    println!("{name}: {:.4} % of the interior, {:.4} % of the edges: {found:?}", 100.0 * interior, 100.0 * edge);
    assert!(found.interior > 20_000, "{name}: too few interior pixels to prove anything: {found:?}");
    assert!(interior >= 0.999, "{name}: {found:?}");
    assert!(edge >= 0.995, "{name}: {found:?}");
}

#[test]
fn a_crushed_box_looks_the_same_to_vtk() {
    let Some(path) = shared("simulations/crash_box/run_000.vtkhdf") else { return };
    let simulation = SimulationFile::open(&path, &SimulationOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    let skin = Skin::from_mesh(simulation.mesh(), None);
    for (state, turn) in [(0, [1.2, 0.3, 0.2]), (22, [1.4, -0.5, 0.1]), (22, [-1.0, 0.8, 2.0])] {
        let positions = simulation.read_state(state).expect("a state").positions_mm;
        let n = positions.len() as f64;
        let centre = std::array::from_fn(|i| positions.iter().map(|p| f64::from(p[i])).sum::<f64>() / n);
        let camera = looking_at(centre, 420.0, turn);
        let Some((triangle, depth)) = drawn_by_vtk(&camera, &skin, &positions, 1000.0) else { return };
        let raster = rasterise(&camera, &skin, &positions);
        let found = agreement(&camera, &skin, &raster, &triangle, &depth);
        assert_agreement(&format!("crash_box state {state}"), &found);
    }
}

#[test]
fn random_triangles_through_each_other_and_the_near_plane_look_the_same_to_vtk() {
    for seed in 1..=3 {
        // Some triangles reach behind the camera, which stands at z = -600 and looks along z.
        let (skin, positions) = random_scene(seed, 60, [-250.0, -200.0, -640.0], [250.0, 200.0, 500.0], 260.0);
        let camera = looking_at([0.0; 3], 600.0, [0.1, -0.05, 0.3]);
        let Some((triangle, depth)) = drawn_by_vtk(&camera, &skin, &positions, 2000.0) else { return };
        let crossing = corners_in_camera(&camera, &skin, &positions)
            .iter()
            .filter(|t| t.iter().any(|p| p.z < NEAR_MM) && t.iter().any(|p| p.z > NEAR_MM))
            .count();
        assert!(crossing > 0, "no triangle crosses the near plane: choose another seed");
        let raster = rasterise(&camera, &skin, &positions);
        assert_agreement(&format!("seed {seed}"), &agreement(&camera, &skin, &raster, &triangle, &depth));
    }
}

/// What a ray meets.
#[derive(Debug, Clone, Copy)]
struct Met {
    triangle: u32,
    depth_mm: f64,
    barycentric: [f64; 3],
    facing: f64,
}

/// A triangle prepared for rays from the origin: Möller and Trumbore's (1997) triple products, regrouped.
struct Target {
    normal: Vector3<f64>,
    for_u: Vector3<f64>,
    for_v: Vector3<f64>,
    for_t: f64,
}

impl Target {
    fn new([a, b, c]: &[Vector3<f64>; 3]) -> Self {
        let (e1, e2) = (b - a, c - a);
        let q = (-a).cross(&e1);
        // det = e1 . (d x e2) = d . (e2 x e1);  u det = -a . (d x e2) = d . (e2 x -a);  v det = d . q;  t det = e2 . q
        Self { normal: e2.cross(&e1), for_u: e2.cross(&-a), for_v: q, for_t: e2.dot(&q) }
    }

    /// Weights of the second and third corner and the depth at which the plane is met; `ray.z` is 1.
    fn meet(&self, ray: &Vector3<f64>) -> Option<[f64; 3]> {
        let determinant = ray.dot(&self.normal);
        if determinant.abs() < 1e-12 {
            return None;
        }
        let [u, v, t] = [ray.dot(&self.for_u), ray.dot(&self.for_v), self.for_t].map(|x| x / determinant);
        (t >= NEAR_MM && u >= -MARGIN && v >= -MARGIN && u + v <= 1.0 + MARGIN).then_some([u, v, t])
    }
}

/// Rays nearer to an edge than this share of the triangle are left to either side.
const MARGIN: f64 = 1e-6;

fn ray_through(camera: &Camera, row: usize, column: usize) -> Vector3<f64> {
    let k = camera.intrinsics;
    Vector3::new((column as f64 - k.cx) / k.fx, (row as f64 - k.cy) / k.fy, 1.0)
}

/// The nearest triangle on the ray; `Err` when an edge, a second surface within `tie_mm` or the near plane makes the
/// answer a matter of rounding.
fn cast(targets: &[Target], ray: &Vector3<f64>, tie_mm: f64) -> Result<Option<Met>, ()> {
    let mut nearest: Option<Met> = None;
    let mut second = f64::INFINITY;
    for (i, target) in targets.iter().enumerate() {
        let Some([u, v, t]) = target.meet(ray) else { continue };
        if nearest.is_none_or(|m| t < m.depth_mm) {
            second = nearest.map_or(second, |m| second.min(m.depth_mm));
            let facing = -target.normal.dot(ray) / (target.normal.norm() * ray.norm());
            nearest = Some(Met { triangle: i as u32, depth_mm: t, barycentric: [1.0 - u - v, u, v], facing });
        } else {
            second = second.min(t);
        }
    }
    let Some(met) = nearest else { return Ok(None) };
    let doubtful = met.barycentric.iter().any(|b| b.abs() < MARGIN) || second - met.depth_mm < tie_mm;
    if doubtful || met.depth_mm < NEAR_MM + tie_mm || met.facing.abs() < 1e-3 { Err(()) } else { Ok(Some(met)) }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]
    /// Depth, id, weights and facing of every pixel that is not a matter of rounding, with triangles behind, before
    /// and across the near plane. Nodes are kept in 32 bits in camera axes, which moves them by up to 6e-5 mm here.
    #[test]
    fn every_pixel_shows_what_its_ray_meets(seed in any::<u64>(), count in 1..14usize, turn in prop::array::uniform3(-3.0..3.0f64)) {
        let (skin, positions) = random_scene(seed, count, [-150.0, -120.0, -260.0], [150.0, 120.0, 300.0], 250.0);
        let rotation = *Rotation3::from_euler_angles(turn[0], turn[1], turn[2]).matrix();
        let camera = camera(48, 36, &rotation, [3.0, -4.0, 180.0]);
        let raster = rasterise(&camera, &skin, &positions);
        let targets: Vec<Target> = corners_in_camera(&camera, &skin, &positions).iter().map(Target::new).collect();
        let mut doubtful = 0;
        for row in 0..camera.height {
            for column in 0..camera.width {
                let ray = ray_through(&camera, row, column);
                let Ok(met) = cast(&targets, &ray, 0.01) else {
                    doubtful += 1;
                    continue;
                };
                let shown = raster.surface_point(&camera, &skin, row, column);
                let Some(met) = met else {
                    prop_assert!(shown.is_none(), "({row}, {column}) shows {shown:?}, the ray meets nothing");
                    continue;
                };
                let Some(shown) = shown else {
                    return Err(TestCaseError::fail(format!("({row}, {column}) shows nothing, the ray meets {met:?}")));
                };
                prop_assert_eq!(shown.triangle, met.triangle);
                let z = f64::from(raster.depth_mm[(row, column)]);
                prop_assert!((z - met.depth_mm).abs() < 2e-4 + 2e-4 / met.facing.abs(), "{z} {met:?}");
                prop_assert!((f64::from(shown.facing) - met.facing).abs() < 1e-3, "{shown:?} {met:?}");
                for (a, b) in shown.barycentric.iter().zip(met.barycentric) {
                    prop_assert!((f64::from(*a) - b).abs() < 1e-4 / met.facing.abs(), "{shown:?} {met:?}");
                }
            }
        }
        prop_assert!(doubtful < camera.width * camera.height / 10, "{doubtful} pixels were not compared");
    }
}

/// A folded sheet of `2 side²` triangles, most of them far smaller than a pixel.
fn folded_sheet(side: usize) -> (Skin, Vec<[f32; 3]>) {
    let mut positions = Vec::with_capacity((side + 1) * (side + 1));
    for j in 0..=side {
        for i in 0..=side {
            let (u, v) = (i as f64 / side as f64, j as f64 / side as f64);
            let fold = 60.0 * (9.0 * u + 2.0 * (5.0 * v).sin()).sin();
            positions.push([
                (400.0 * (u - 0.5) + 0.7 * fold) as f32,
                (300.0 * (v - 0.5)) as f32,
                (fold + 30.0 * (7.0 * v).cos()) as f32,
            ]);
        }
    }
    let at = |i: usize, j: usize| (j * (side + 1) + i) as u32;
    let triangles = (0..side * side)
        .flat_map(|n| {
            let (i, j) = (n % side, n / side);
            let [a, b, c, d] = [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)];
            [[a, b, c], [a, c, d]]
        })
        .collect();
    (skin_of(triangles), positions)
}

#[test]
fn a_million_triangles_are_drawn_as_rays_see_them() {
    let (skin, positions) = folded_sheet(708);
    assert!(skin.triangles.len() > 1_000_000);
    let camera = looking_at([0.0; 3], 700.0, [0.4, -0.5, 0.2]);
    let raster = rasterise(&camera, &skin, &positions);
    let targets: Vec<Target> = corners_in_camera(&camera, &skin, &positions).iter().map(Target::new).collect();
    let mut draws = Draws(7);
    let pixels: Vec<(usize, usize)> =
        (0..1000).map(|_| ((draws.next() * 480.0) as usize, (draws.next() * 640.0) as usize)).collect();
    // A pixel that two triangles of one sheet share at an edge is a matter of rounding; surfaces are mm apart.
    let compared: Vec<Option<bool>> = pixels
        .par_iter()
        .map(|at| {
            let met = cast(&targets, &ray_through(&camera, at.0, at.1), 1e-3).ok()?;
            let same = match met {
                None => raster.triangle[*at] == NO_TRIANGLE,
                Some(m) => {
                    raster.triangle[*at] == m.triangle && (f64::from(raster.depth_mm[*at]) - m.depth_mm).abs() < 0.01
                }
            };
            Some(same)
        })
        .collect();
    let certain = compared.iter().flatten().count();
    let shown = pixels.iter().filter(|at| raster.triangle[**at] != NO_TRIANGLE).count();
    assert!(certain >= 990 && shown > 300, "{certain} pixels are certain, {shown} show the sheet");
    let wrong: Vec<_> = pixels.iter().zip(&compared).filter(|(_, c)| **c == Some(false)).collect();
    assert!(wrong.is_empty(), "{} of {certain} pixels differ from their rays: {wrong:?}", wrong.len());
}
