//! Real photographs: a carbon-fibre plate with a hole, pulled until it has moved by 12 px, against published values.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

use crumple::geom::Skin;
use crumple::ingest::{SimulationFile, SimulationOptions, TestFile};
use crumple::jobs::FileSource;
use crumple::review::{Measured, ReviewSetup, measure_deviation};
use crumple::vision::DisFlow;

use crate::support::shared;
use crate::support::vtkhdf_writer::{Piece, Writer};

/// The camera stands so far away, and has so long a lens, that 1 mm in the plane of the plate is 1 px.
const DISTANCE_MM: f64 = 5000.0;
/// Middle of the picture, px: 400 × 1040.
const AXIS: [f64; 2] = [199.5, 519.5];
/// Largest median distance to the published displacement, px.
const MEDIAN_PX: f64 = 0.02;

/// The specimen as `subset_file.dat` names it: a rectangle less a circle, in elements of about 12 px.
struct Plate {
    piece: Piece,
    columns: usize,
    rows: usize,
    /// Node of each grid corner; `None` where no element is left.
    node_of: Vec<Option<usize>>,
}

const LEFT_TOP: [f64; 2] = [38.5, 28.5];
const SIZE: [f64; 2] = [313.0, 977.0];
const HOLE: ([f64; 2], f64) = ([194.0, 543.0], 51.0);

impl Plate {
    fn new(element_px: f64) -> Self {
        let [columns, rows] = SIZE.map(|s| (s / element_px).round() as usize);
        let corner = |i: usize, j: usize| {
            [LEFT_TOP[0] + SIZE[0] * i as f64 / columns as f64, LEFT_TOP[1] + SIZE[1] * j as f64 / rows as f64]
        };
        let in_hole = |i: usize, j: usize| {
            let p = corner(i, j);
            (p[0] - HOLE.0[0]).hypot(p[1] - HOLE.0[1]) < HOLE.1
        };
        let mut plate =
            Self { piece: Piece::default(), columns, rows, node_of: vec![None; (columns + 1) * (rows + 1)] };
        for j in 0..rows {
            for i in 0..columns {
                let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
                if corners.iter().any(|(i, j)| in_hole(*i, *j)) {
                    continue;
                }
                let cell = corners.map(|(i, j)| {
                    let node = &mut plate.node_of[j * (columns + 1) + i];
                    *node.get_or_insert_with(|| {
                        let [x, y] = corner(i, j);
                        plate.piece.points.push([x, y, 0.0]);
                        plate.piece.points.len() - 1
                    }) as i64
                });
                plate.piece.cells.push(cell.to_vec());
                plate.piece.types.push(9);
            }
        }
        plate
    }

    /// The field at a point of the plate, bilinear between nodes; `None` where a node is not measured.
    fn at(&self, field: &[[f32; 3]], x: f64, y: f64) -> Option<[f64; 2]> {
        let (u, v) =
            ((x - LEFT_TOP[0]) / SIZE[0] * self.columns as f64, (y - LEFT_TOP[1]) / SIZE[1] * self.rows as f64);
        let (i, j) = (u as usize, v as usize);
        let (s, t) = (u - i as f64, v - j as f64);
        let mut sum = [0.0; 2];
        for (di, dj, w) in [(0, 0, (1. - s) * (1. - t)), (1, 0, s * (1. - t)), (0, 1, (1. - s) * t), (1, 1, s * t)] {
            let node = *self.node_of.get((j + dj) * (self.columns + 1) + i + di)?;
            let d = field[node?];
            sum[0] += w * f64::from(d[0]);
            sum[1] += w * f64::from(d[1]);
        }
        sum.iter().all(|v| v.is_finite()).then_some(sum)
    }
}

/// Published points of a frame: x, y, u, v in px.
fn published(path: &Path) -> Vec<[f64; 4]> {
    let text = std::fs::read_to_string(path).expect("a result file");
    let mut lines = text.lines().skip_while(|l| l.starts_with("***"));
    assert!(lines.next().expect("a header").starts_with("COORDINATE_X,COORDINATE_Y,DISPLACEMENT_X,DISPLACEMENT_Y"));
    lines
        .map(|l| l.split(',').map(|v| v.trim().parse().expect("a number")).collect::<Vec<f64>>())
        .filter(|row| row[7] == 0.0)
        .map(|row| [row[0], row[1], row[2], row[3]])
        .collect()
}

/// A folder of pictures with the camera that makes 1 mm one pixel.
///
/// Four marks on the frame of the test rig give the pose: the plate's own outline is no edge in these pictures, which
/// show nothing but the plate.
fn write_film(from: &Path, to: &Path) {
    for frame in 0..12 {
        let name = format!("oht_cfrp_{frame:02}.tiff");
        std::fs::copy(from.join(&name), to.join(&name)).expect("copied");
    }
    let mut toml = format!(
        "name = \"front\"\nframe_rate_hz = 1.0\nintrinsics = [{DISTANCE_MM:?}, {DISTANCE_MM:?}, {:?}, {:?}]\n\
         pose = [[1, 0, 0, {:?}], [0, 1, 0, {:?}], [0, 0, 1, {DISTANCE_MM:?}], [0, 0, 0, 1]]\n",
        AXIS[0], AXIS[1], -AXIS[0], -AXIS[1]
    );
    for [x, y] in [[5.0, 5.0], [395.0, 5.0], [395.0, 1035.0], [5.0, 1035.0]] {
        write!(toml, "\n[[targets]]\nworld = [{x:?}, {y:?}, 0.0]\nimage = [{x:?}, {y:?}]\n").expect("text");
    }
    std::fs::write(to.join("camera.toml"), toml).expect("written");
}

fn measured(plate: &Plate, photographs: &Path) -> Measured {
    let folder = tempfile::tempdir().expect("temporary folder");
    let simulation_path = folder.path().join("plate.vtkhdf");
    Writer::static_mesh(&[0.0], plate.piece.clone()).write(&simulation_path);
    let film = folder.path().join("film");
    std::fs::create_dir(&film).expect("folder");
    write_film(photographs, &film);
    let simulation =
        SimulationFile::open(&simulation_path, &SimulationOptions::default()).unwrap_or_else(|e| panic!("{e}"));
    let test = TestFile::open(&film).unwrap_or_else(|e| panic!("{e}"));
    let skin = Skin::from_mesh(simulation.mesh(), None);
    let setup = ReviewSetup {
        skin: &skin,
        node_count: simulation.mesh().node_count,
        state_times_s: simulation.times_s(),
        cameras: &test.record().cameras,
        impactor: None,
        estimator: &DisFlow::Medium,
    };
    let source = FileSource::new(&simulation, &test);
    measure_deviation(&setup, &source, &mut |_| ControlFlow::Continue(())).unwrap_or_else(|e| panic!("{e}"))
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

#[test]
#[expect(clippy::print_stdout, reason = "the table of measured errors is worth seeing")]
fn a_pulled_plate_moves_as_published() {
    let Some(photographs) = shared("real/oht_cfrp") else { return };
    let plate = Plate::new(12.0);
    let measured = measured(&plate, &photographs);
    assert_eq!(measured.fields.len(), 12);
    let (mut all, mut missing, mut largest) = (Vec::new(), 0, 0.0f64);
    println!("frame points median p95 px  bias u v px");
    for (frame, field) in measured.fields.iter().enumerate().skip(1) {
        let truth = published(&photographs.join(format!("DICe_solution_{frame:02}.txt")));
        let (mut errors, mut bias) = (Vec::new(), [0.0; 2]);
        for [x, y, u, v] in &truth {
            let Some(d) = plate.at(&field.deviation_mm, *x, *y) else {
                missing += 1;
                continue;
            };
            largest = largest.max(u.hypot(*v));
            errors.push((d[0] - u).hypot(d[1] - v));
            bias = [bias[0] + d[0] - u, bias[1] + d[1] - v];
        }
        errors.sort_by(f64::total_cmp);
        let n = errors.len();
        assert!(n > 100, "frame {frame}: only {n} of {} published points are measured", truth.len());
        let [bu, bv] = bias.map(|b| b / n as f64);
        println!("{frame:>5} {n:>6} {:.4} {:.4}  {bu:+.4} {bv:+.4}", quantile(&errors, 0.5), quantile(&errors, 0.95));
        all.extend(errors);
    }
    all.sort_by(f64::total_cmp);
    let (median, p95) = (quantile(&all, 0.5), quantile(&all, 0.95));
    println!("  all {:>6} {median:.4} {p95:.4}; {missing} points without a measurement", all.len());
    assert!(largest > 10.0, "the series moves by 12 px, else it was not followed to its end: {largest}");
    assert!(missing * 20 < all.len(), "{missing} of {} published points are not measured", all.len() + missing);
    assert!(median <= MEDIAN_PX, "median {median:.4} px from the published displacement");
}
