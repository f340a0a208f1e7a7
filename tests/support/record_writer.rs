//! Writes a test record with one thing wrong at a time.

use std::path::Path;

use hdf5::types::VarLenUnicode;
use hdf5::{File, Group};
use ndarray::{Array2, Array3};

/// A record of one camera.
#[derive(Debug, Clone)]
pub(crate) struct RecordWriter {
    pub(crate) format: String,
    pub(crate) length_unit: String,
    pub(crate) time_unit: String,
    pub(crate) frames: Array3<u8>,
    pub(crate) times: Vec<f64>,
    pub(crate) intrinsics: Vec<f64>,
    pub(crate) distortion: Vec<f64>,
    pub(crate) pose: Option<Vec<f64>>,
    pub(crate) targets: Vec<([f64; 3], [f64; 2])>,
    pub(crate) without: Option<&'static str>,
    pub(crate) deflate: Option<u8>,
}

impl Default for RecordWriter {
    fn default() -> Self {
        let frames = Array3::from_shape_fn((3, 4, 5), |(t, y, x)| (50 * t + 10 * y + x) as u8);
        Self {
            format: "crash-test-record".to_owned(),
            length_unit: "mm".to_owned(),
            time_unit: "s".to_owned(),
            frames,
            times: vec![-0.001, 0.0, 0.0025],
            intrinsics: vec![900.0, 0.0, 2.0, 0.0, 910.0, 1.5, 0.0, 0.0, 1.0],
            distortion: vec![0.1, -0.02, 0.001, 0.002],
            pose: Some(vec![1.0, 0.0, 0.0, 10.0, 0.0, 1.0, 0.0, 20.0, 0.0, 0.0, 1.0, 3000.0, 0.0, 0.0, 0.0, 1.0]),
            targets: Vec::new(),
            without: None,
            deflate: Some(4),
        }
    }
}

fn attr(group: &Group, name: &str, text: &str) {
    let value: VarLenUnicode = text.parse().expect("text");
    group.new_attr::<VarLenUnicode>().create(name).expect("attr").write_scalar(&value).expect("write");
}

fn matrix(group: &Group, name: &str, columns: usize, values: &[f64]) {
    let rows = Array2::from_shape_vec((values.len() / columns, columns), values.to_vec()).expect("rows");
    group.new_dataset_builder().with_data(&rows).create(name).expect("dataset");
}

impl RecordWriter {
    /// Writes the record.
    pub(crate) fn write(&self, path: &Path) {
        let file = File::create(path).expect("create");
        attr(&file, "format", &self.format);
        attr(&file, "version", "1.0");
        attr(&file, "test_id", "made-up");
        attr(&file, "length_unit", &self.length_unit);
        attr(&file, "time_unit", &self.time_unit);
        file.create_group("cameras").expect("group");
        self.write_camera(&file, "left");
        let channel = file.create_group("channels").and_then(|g| g.create_group("wall_force")).expect("group");
        attr(&channel, "unit", "kN");
        channel.new_dataset_builder().with_data(&[0.0, 1.0]).create("time").expect("dataset");
        channel.new_dataset_builder().with_data(&[5.0, 6.0]).create("value").expect("dataset");
    }

    /// Adds this record's camera to the record at `path`, under another name.
    pub(crate) fn add_to(&self, path: &Path, name: &str) {
        self.write_camera(&File::append(path).expect("open"), name);
    }

    fn write_camera(&self, file: &File, name: &str) {
        let camera = file.group("cameras").and_then(|g| g.create_group(name)).expect("group");
        let has = |name: &str| self.without != Some(name);
        if has("frames") {
            let (_, h, w) = self.frames.dim();
            let mut builder = camera.new_dataset_builder();
            if let Some(level) = self.deflate {
                builder = builder.shuffle().deflate(level);
            }
            if self.frames.is_empty() {
                camera.new_dataset::<u8>().shape(self.frames.dim()).create("frames").expect("dataset");
            } else {
                builder.chunk((1, h, w)).with_data(&self.frames).create("frames").expect("dataset");
            }
        }
        if has("time") {
            camera.new_dataset_builder().with_data(&self.times).create("time").expect("dataset");
        }
        if has("intrinsics") {
            matrix(&camera, "intrinsics", 3, &self.intrinsics);
        }
        camera.new_dataset_builder().with_data(&self.distortion).create("distortion").expect("dataset");
        if let Some(pose) = &self.pose {
            matrix(&camera, "pose", 4, pose);
        }
        if !self.targets.is_empty() {
            let marks = camera.create_group("targets").expect("group");
            matrix(&marks, "world", 3, &self.targets.iter().flat_map(|t| t.0).collect::<Vec<_>>());
            matrix(&marks, "image", 2, &self.targets.iter().flat_map(|t| t.1).collect::<Vec<_>>());
        }
    }
}
