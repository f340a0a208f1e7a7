//! A filmed plate made from nothing: it flies sideways, and in the test a part of it bulges within its plane.
//!
//! The film is drawn by the rasteriser from a formula on the plate's own surface, so that the truth is known to the
//! last digit; nothing of the review takes part in it. The pose in the record is a little wrong and the trigger is late,
//! as in a real test.

use std::path::Path;
use std::sync::LazyLock;

use crumple::domain::{Distortion, Intrinsics, Pose};
use crumple::geom::{Camera, Skin, rasterise};
use ndarray::{Array2, Array3};
use serde_json::{Value, json};

use super::record_writer::RecordWriter;
use super::vtkhdf_writer::{Piece, Writer};

/// Elements along x and y, 4 mm each.
const ELEMENTS: [usize; 2] = [25, 20];
const ELEMENT_MM: f64 = 4.0;
/// The picture is drawn so much finer and averaged.
const FINER: usize = 3;
pub(crate) const FRAMES: usize = 14;
/// Film time plus this is simulation time, s.
pub(crate) const OFFSET_S: f64 = 2e-4;
/// How fast the plate flies, m/s.
pub(crate) const SPEED_M_S: f64 = 4.0;
/// When the test begins to differ, film time in s.
pub(crate) const ONSET_S: f64 = 3e-3;

/// A plate and its test.
#[derive(Debug, Clone)]
pub(crate) struct Plate {
    /// Largest deviation at the end of the film, mm.
    pub(crate) bulge_mm: f64,
    pub(crate) simulation: Writer,
    pub(crate) record: RecordWriter,
}

impl Plate {
    /// What announces its film as a live test.
    pub(crate) fn live(&self, simulation: &str, campaign: &str) -> Value {
        let record = &self.record;
        let k = &record.intrinsics;
        let (_, height, width) = record.frames.dim();
        let targets: Vec<Value> =
            record.targets.iter().map(|(world, image)| json!({ "world_mm": world, "image_px": image })).collect();
        let camera = json!({ "name": "cam", "width": width, "height": height, "intrinsics": [k[0], k[4], k[2], k[5]],
            "pose": record.pose, "targets": targets, "times_s": record.times });
        json!({ "simulation_id": simulation, "campaign_id": campaign, "name": "live", "cameras": [camera] })
    }

    pub(crate) fn new(bulge_mm: f64) -> Self {
        let (piece, camera) = (plate(), camera());
        let film_times: Vec<f64> = (0..FRAMES).map(|i| (i as f64 - 1.0) * 5e-4).collect();
        let skin = skin(&piece);
        let mut frames = Array3::zeros((FRAMES, camera.height, camera.width));
        for (i, t) in film_times.iter().enumerate() {
            let at: Vec<[f32; 3]> =
                piece.points.iter().map(|p| filmed_mm(*p, *t, bulge_mm).map(|v| v as f32)).collect();
            let undeformed: Vec<[f32; 3]> = piece.points.iter().map(|p| p.map(|v| v as f32)).collect();
            frames.index_axis_mut(ndarray::Axis(0), i).assign(&draw(&camera, &skin, &undeformed, &at));
        }
        let targets =
            [[-20.0, -12.0, 5.0], [60.0, -15.0, 0.0], [120.0, 0.0, 8.0], [118.0, 85.0, 0.0], [-18.0, 92.0, 4.0]].map(
                |world: [f64; 3]| {
                    let p = camera.pixel_from_world(world);
                    (world, [p.x, p.y])
                },
            );
        let k = camera.intrinsics;
        let record = RecordWriter {
            frames,
            times: film_times,
            intrinsics: vec![k.fx, 0.0, k.cx, 0.0, k.fy, k.cy, 0.0, 0.0, 1.0],
            distortion: Vec::new(),
            // Off by 0.06 degrees and 1.4 mm.
            pose: Some(pose_matrix(&[0.0, 0.001, 0.0], &[-49.2, -40.5, 301.0])),
            targets: targets.into(),
            ..RecordWriter::default()
        };
        Self { bulge_mm, simulation: Self::flight(), record }
    }

    /// The simulation alone, without the film that takes time to draw.
    pub(crate) fn flight() -> Writer {
        let piece = plate();
        let times: Vec<f64> = (0..=14).map(|i| f64::from(i) * 5e-4).collect();
        let displacement = times.iter().map(|t| vec![flight_mm(*t); piece.points.len()]).collect();
        Writer { displacement: Some(displacement), ..Writer::static_mesh(&times, piece) }
    }

    /// Writes `run.vtkhdf`, `run.json` and `test.h5`.
    pub(crate) fn write(&self, folder: &Path) {
        self.simulation.write(&folder.join("run.vtkhdf"));
        let record = r#"{"units": {"length": "mm", "time": "s"}, "parts": [{"id": 1, "name": "plate"}]}"#;
        std::fs::write(folder.join("run.json"), record).expect("written");
        self.record.write(&folder.join("test.h5"));
    }

    /// Writes a run of the plate's study: `name.vtkhdf` and its side-car. The run that comes to the test has `bulge_mm` of
    /// the test and [`SPEED_M_S`].
    pub(crate) fn write_run(folder: &Path, name: &str, bulge_mm: f64, speed_m_s: f64) {
        let piece = plate();
        let times: Vec<f64> = (0..=14).map(|i| f64::from(i) * 5e-4).collect();
        let moved = |p: &[f64; 3], t: f64| {
            let (flight, bulge) = (flight_mm(t), bulge_at(*p, t - OFFSET_S, bulge_mm));
            [flight[0] * speed_m_s / SPEED_M_S + bulge[0], flight[1] + bulge[1], flight[2] + bulge[2]]
        };
        let displacement = times.iter().map(|t| piece.points.iter().map(|p| moved(p, *t)).collect()).collect();
        let run = Writer { displacement: Some(displacement), ..Writer::static_mesh(&times, piece) };
        run.write(&folder.join(format!("{name}.vtkhdf")));
        let record = serde_json::json!({
            "family": "plate", "units": { "length": "mm", "time": "s" }, "parts": [{ "id": 1, "name": "plate" }],
            "parameters": [
                { "name": "bulge", "unit": "mm", "value": bulge_mm, "nominal": 0.0, "lower": 0.0, "upper": 16.0 },
                { "name": "speed", "unit": "m/s", "value": speed_m_s, "nominal": 4.0, "lower": 3.6, "upper": 4.4 },
            ],
        });
        std::fs::write(folder.join(format!("{name}.json")), record.to_string()).expect("written");
    }

    /// Where the true camera shows `node` at a film time when it is `deviation_mm` off the simulation, px.
    pub(crate) fn pixel(&self, node: usize, film_time_s: f64, deviation_mm: [f64; 3]) -> [f64; 2] {
        let at = filmed_mm(plate().points[node], film_time_s, 0.0);
        let p = camera().pixel_from_world([0, 1, 2].map(|i| at[i] + deviation_mm[i]));
        [p.x, p.y]
    }

    /// Test minus simulation of each node at a film time, mm.
    pub(crate) fn deviation_mm(&self, film_time_s: f64) -> Vec<[f64; 3]> {
        plate().points.iter().map(|p| bulge_at(*p, film_time_s, self.bulge_mm)).collect()
    }
}

/// A world-to-camera matrix, row by row, from a small rotation vector.
pub(crate) fn pose_matrix(rotation: &[f64; 3], t: &[f64; 3]) -> Vec<f64> {
    let r = nalgebra::Rotation3::new(nalgebra::Vector3::from(*rotation));
    let r = r.matrix();
    (0..4)
        .flat_map(|i| match i {
            3 => [0.0, 0.0, 0.0, 1.0],
            i => [r[(i, 0)], r[(i, 1)], r[(i, 2)], t[i]],
        })
        .collect()
}

fn plate() -> Piece {
    let [nx, ny] = ELEMENTS;
    let points =
        (0..=ny).flat_map(|j| (0..=nx).map(move |i| [i as f64 * ELEMENT_MM, j as f64 * ELEMENT_MM, 0.0])).collect();
    let node = |i: usize, j: usize| (j * (nx + 1) + i) as i64;
    let cells: Vec<Vec<i64>> = (0..ny)
        .flat_map(|j| (0..nx).map(move |i| vec![node(i, j), node(i + 1, j), node(i + 1, j + 1), node(i, j + 1)]))
        .collect();
    Piece { points, types: vec![9; nx * ny], cells }
}

fn skin(piece: &Piece) -> Skin {
    let triangles = piece.cells.iter().flat_map(|c| {
        let n = |i: usize| c[i] as u32;
        [[n(0), n(1), n(2)], [n(0), n(2), n(3)]]
    });
    Skin { triangles: triangles.collect(), element_of: (0..piece.cells.len() as u32).flat_map(|e| [e, e]).collect() }
}

/// It stands until 1 ms and then flies with 4 m/s.
fn flight_mm(simulation_time_s: f64) -> [f64; 3] {
    [1e3 * SPEED_M_S * (simulation_time_s - 1e-3).max(0.0), 0.0, 0.0]
}

fn bulge_at([x, y, _]: [f64; 3], film_time_s: f64, bulge_mm: f64) -> [f64; 3] {
    let last_s = (FRAMES as f64 - 2.0) * 5e-4;
    let share = ((film_time_s - ONSET_S) / (last_s - ONSET_S)).max(0.0);
    let bump = (-((x - 60.0).powi(2) + (y - 40.0).powi(2)) / (2.0 * 18.0_f64.powi(2))).exp();
    [0.0, bulge_mm * share * bump, 0.0]
}

fn filmed_mm(p: [f64; 3], film_time_s: f64, bulge_mm: f64) -> [f64; 3] {
    let (flight, bulge) = (flight_mm(film_time_s + OFFSET_S), bulge_at(p, film_time_s, bulge_mm));
    std::array::from_fn(|i| p[i] + flight[i] + bulge[i])
}

fn camera() -> Camera {
    Camera {
        width: 320,
        height: 240,
        intrinsics: Intrinsics { fx: 600.0, fy: 600.0, cx: 160.0, cy: 120.0 },
        distortion: Distortion::default(),
        pose: Pose {
            rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            translation_mm: [-50.0, -40.0, 300.0],
        },
    }
}

/// The paint is worked out so many times a mm, and interpolated between: its shortest wave is 4 mm long.
const PAINT_PER_MM: f64 = 10.0;

/// The painted plate: worked out once, because each of its millions of pixels would ask for 24 waves.
static PAINTED: LazyLock<Array2<f64>> = LazyLock::new(|| {
    let [columns, rows] = ELEMENTS.map(|n| (n as f64 * ELEMENT_MM * PAINT_PER_MM) as usize + 2);
    // The golden angle spreads directions and phases evenly without a random number.
    let waves: [[f64; 3]; 24] = std::array::from_fn(|i| {
        let (angle, length) = (i as f64 * 2.399_963, 4.0 + 10.0 * (i * 7 % 24) as f64 / 24.0);
        let per_mm = std::f64::consts::TAU / length;
        [angle.cos() * per_mm, angle.sin() * per_mm, 5.0 * angle]
    });
    Array2::from_shape_fn((rows, columns), |(r, c)| {
        let (x, y) = (c as f64 / PAINT_PER_MM, r as f64 / PAINT_PER_MM);
        let sum: f64 = waves.iter().map(|[along_x, along_y, phase]| (x * along_x + y * along_y + phase).sin()).sum();
        0.55 + 0.35 * (0.4 * sum).tanh()
    })
});

/// Paint of the plate at a place of its own surface, 0 to 1: waves of 4 to 14 mm in all directions.
fn paint(x: f64, y: f64) -> f64 {
    let (rows, columns) = PAINTED.dim();
    let at = |v: f64, count: usize| (v * PAINT_PER_MM).clamp(0.0, count as f64 - 2.0);
    let (u, v) = (at(x, columns), at(y, rows));
    let (c, r) = (u as usize, v as usize);
    let (s, t) = (u - c as f64, v - r as f64);
    let row = |r: usize| (1.0 - s) * PAINTED[(r, c)] + s * PAINTED[(r, c + 1)];
    (1.0 - t) * row(r) + t * row(r + 1)
}

fn draw(camera: &Camera, skin: &Skin, undeformed: &[[f32; 3]], at: &[[f32; 3]]) -> Array2<u8> {
    let (s, k) = (FINER as f64, camera.intrinsics);
    let shift = (s - 1.0) / 2.0;
    let fine = Camera {
        width: camera.width * FINER,
        height: camera.height * FINER,
        intrinsics: Intrinsics { fx: s * k.fx, fy: s * k.fy, cx: s * k.cx + shift, cy: s * k.cy + shift },
        ..*camera
    };
    let raster = rasterise(&fine, skin, at);
    let luma = |r: usize, c: usize| {
        raster.surface_point(&fine, skin, r, c).map_or(0.1, |point| {
            let nodes = skin.triangles[point.triangle as usize];
            let place = |axis: usize| -> f64 {
                nodes.iter().zip(point.barycentric).map(|(n, w)| f64::from(undeformed[*n as usize][axis] * w)).sum()
            };
            paint(place(0), place(1))
        })
    };
    Array2::from_shape_fn((camera.height, camera.width), |(r, c)| {
        let sum: f64 = (0..FINER * FINER).map(|i| luma(FINER * r + i / FINER, FINER * c + i % FINER)).sum();
        (255.0 * sum / (s * s)).round() as u8
    })
}
