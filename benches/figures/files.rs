//! Large files of every shape, written piece by piece.

use std::path::Path;

use crumple::geom::Camera;
use hdf5::types::{FixedAscii, VarLenUnicode};
use hdf5::{File, Group};
use ndarray::{Array2, Array3, Axis, s};

/// A run of `side²` quads, whose nodes lie row after row.
pub(crate) struct GridRun<'a> {
    pub(crate) side: usize,
    pub(crate) times_s: &'a [f64],
    /// Where a node lies undeformed, mm.
    pub(crate) point: &'a dyn Fn(usize) -> [f32; 3],
    /// Where it goes, mm, by state.
    pub(crate) displacement: &'a dyn Fn(usize, usize) -> [f32; 3],
}

impl GridRun<'_> {
    /// Writes the run; bytes of its numbers.
    pub(crate) fn write(&self, path: &Path) -> f64 {
        let file = File::create(path).expect("create");
        let top = file.create_group("VTKHDF").expect("group");
        top.new_attr::<i64>().shape(2).create("Version").expect("attr").write_raw(&[2i64, 2]).expect("write");
        let kind = FixedAscii::<16>::from_ascii("UnstructuredGrid").expect("ascii");
        top.new_attr::<FixedAscii<16>>().create("Type").expect("attr").write_scalar(&kind).expect("write");
        let (side, states) = (self.side, self.times_s.len());
        let (nodes, cells) = ((side + 1) * (side + 1), side * side);
        list(&top, "NumberOfPoints", &[nodes as i64]);
        list(&top, "NumberOfCells", &[cells as i64]);
        list(&top, "NumberOfConnectivityIds", &[4 * cells as i64]);
        let at = |i: usize, j: usize| (j * (side + 1) + i) as i64;
        let connectivity: Vec<i64> = (0..cells)
            .map(|n| (n % side, n / side))
            .flat_map(|(i, j)| [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)])
            .collect();
        list(&top, "Connectivity", &connectivity);
        list(&top, "Offsets", &(0..=cells).map(|i| 4 * i as i64).collect::<Vec<_>>());
        top.new_dataset_builder().deflate(1).with_data(&vec![9u8; cells]).create("Types").expect("dataset");
        let points = Array2::from_shape_vec((nodes, 3), (0..nodes).flat_map(self.point).collect()).expect("rows");
        top.new_dataset_builder().deflate(1).with_data(&points).create("Points").expect("dataset");
        self.write_steps(&top, nodes);
        let moved = top.create_group("PointData").expect("group");
        let builder = moved.new_dataset::<f32>().deflate(1).chunk((nodes.min(65_536), 3));
        let dataset = builder.shape((states * nodes, 3)).create("Displacement").expect("dataset");
        for state in 0..states {
            let rows = (0..nodes).flat_map(|n| (self.displacement)(state, n)).collect();
            let rows = Array2::from_shape_vec((nodes, 3), rows).expect("rows");
            dataset.write_slice(&rows, s![state * nodes..(state + 1) * nodes, ..]).expect("write");
        }
        (cells * (4 * 8 + 8 + 1) + nodes * 12 * (states + 1)) as f64
    }

    fn write_steps(&self, top: &Group, nodes: usize) {
        let states = self.times_s.len();
        let steps = top.create_group("Steps").expect("group");
        steps.new_attr::<i64>().create("NSteps").expect("attr").write_scalar(&(states as i64)).expect("write");
        steps.new_dataset_builder().with_data(self.times_s).create("Values").expect("dataset");
        list(&steps, "NumberOfParts", &vec![1; states]);
        for name in ["PartOffsets", "PointOffsets", "CellOffsets", "ConnectivityIdOffsets"] {
            list(&steps, name, &vec![0; states]);
        }
        let starts: Vec<i64> = (0..states).map(|s| (s * nodes) as i64).collect();
        list(&steps.create_group("PointDataOffsets").expect("group"), "Displacement", &starts);
    }
}

fn list(group: &Group, name: &str, values: &[i64]) {
    group.new_dataset_builder().deflate(1).with_data(values).create(name).expect("dataset");
}

/// A flat grid that moves a little from state to state; bytes of its numbers.
pub(crate) fn grid_run(path: &Path, side: usize, states: usize) -> f64 {
    let times_s: Vec<f64> = (0..states).map(|s| s as f64 * 1e-3).collect();
    let point = |n: usize| [(n % (side + 1)) as f32, (n / (side + 1)) as f32, 0.0];
    GridRun { side, times_s: &times_s, point: &point, displacement: &|state, _| [state as f32; 3] }.write(path)
}

/// A camera of a film, and what it was told about itself.
pub(crate) struct FilmCamera<'a> {
    pub(crate) name: &'a str,
    pub(crate) camera: Camera,
    /// World places of its targets, mm; they are where the camera shows them.
    pub(crate) targets_mm: &'a [[f64; 3]],
    /// The picture of a frame.
    pub(crate) draw: &'a dyn Fn(usize) -> Array2<u8>,
}

/// Writes a film, frame by frame; bytes of its pictures.
pub(crate) fn write_film(path: &Path, times_s: &[f64], cameras: &[FilmCamera<'_>]) -> f64 {
    let file = File::create(path).expect("create");
    for (name, value) in [
        ("format", "crash-test-record"),
        ("version", "1.0"),
        ("test_id", "long"),
        ("length_unit", "mm"),
        ("time_unit", "s"),
    ] {
        let value: VarLenUnicode = value.parse().expect("text");
        file.new_attr::<VarLenUnicode>().create(name).expect("attr").write_scalar(&value).expect("write");
    }
    let all = file.create_group("cameras").expect("group");
    let mut bytes = 0.0;
    for FilmCamera { name, camera, targets_mm, draw } in cameras {
        let group = all.create_group(name).expect("group");
        describe(&group, times_s, camera, targets_mm);
        let (h, w, frames) = (camera.height, camera.width, times_s.len());
        let builder = group.new_dataset::<u8>().deflate(1).chunk((1, h, w));
        let dataset = builder.shape((frames, h, w)).create("frames").expect("dataset");
        for frame in 0..frames {
            let picture: Array3<u8> = draw(frame).insert_axis(Axis(0));
            dataset.write_slice(&picture, s![frame..=frame, .., ..]).expect("write");
        }
        bytes += (frames * h * w) as f64;
    }
    bytes
}

fn describe(group: &Group, times_s: &[f64], camera: &Camera, targets_mm: &[[f64; 3]]) {
    group.new_dataset_builder().with_data(times_s).create("time").expect("dataset");
    let matrix = |group: &Group, name: &str, columns: usize, values: Vec<f64>| {
        let rows = Array2::from_shape_vec((values.len() / columns, columns), values).expect("rows");
        group.new_dataset_builder().with_data(&rows).create(name).expect("dataset");
    };
    let (k, pose) = (camera.intrinsics, camera.pose);
    matrix(group, "intrinsics", 3, vec![k.fx, 0.0, k.cx, 0.0, k.fy, k.cy, 0.0, 0.0, 1.0]);
    let rows = pose.rotation.iter().zip(pose.translation_mm).flat_map(|(r, t)| [r[0], r[1], r[2], t]);
    matrix(group, "pose", 4, rows.chain([0.0, 0.0, 0.0, 1.0]).collect());
    group.new_dataset_builder().with_data(&[0.0f64; 4]).create("distortion").expect("dataset");
    if !targets_mm.is_empty() {
        let targets = group.create_group("targets").expect("group");
        matrix(&targets, "world", 3, targets_mm.concat());
        let seen = targets_mm.iter().map(|t| camera.pixel_from_world(*t)).flat_map(|p| [p.x, p.y]);
        matrix(&targets, "image", 2, seen.collect());
    }
}

/// A film of a moving gradient, `[height, width]` px; bytes of its pictures.
pub(crate) fn gradient_film(path: &Path, frames: usize, [height, width]: [usize; 2]) -> f64 {
    let times_s: Vec<f64> = (0..frames).map(|i| i as f64 * 1e-3).collect();
    let draw = |frame: usize| Array2::from_shape_fn((height, width), |(r, c)| ((r + c + frame) / 4) as u8);
    let camera = Camera { width, height, ..super::sheet::camera() };
    write_film(path, &times_s, &[FilmCamera { name: "left", camera, targets_mm: &[], draw: &draw }])
}
