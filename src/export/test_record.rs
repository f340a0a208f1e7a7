//! Test records (`formats.md`, section 3) and the truth behind a synthetic one, written frame by frame.

use std::path::{Path, PathBuf};

use hdf5::types::VarLenUnicode;
use hdf5::{Dataset, File, Group};
use ndarray::{Array2, Array3, ArrayView1, ArrayView2, Axis, s};

use super::ExportError;
use crate::domain::{CameraRecord, Pose, TestRecord};

/// Level of the frames' compression: fast, and noise does not shrink anyway.
const DEFLATE_LEVEL: u8 = 4;

/// How the frames of all cameras are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameFormat {
    /// Bits a value: 8 or 16.
    pub bits: u8,
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
}

/// A test record under construction; it takes its name when [`TestRecordWriter::finish`] is called.
#[derive(Debug)]
pub struct TestRecordWriter {
    file: PartialFile,
    frames: Vec<Dataset>,
    format: FrameFormat,
}

/// The truth behind a synthetic film, for scoring: where the nodes were at each frame, where the cameras stood, when
/// the trigger fired.
#[derive(Debug)]
pub struct TruthWriter {
    file: PartialFile,
    positions: Dataset,
}

/// A file under another name until it is whole.
#[derive(Debug)]
struct PartialFile {
    file: File,
    partial: PathBuf,
    path: PathBuf,
    done: bool,
}

impl PartialFile {
    fn create(path: &Path) -> Result<Self, ExportError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let partial = path.with_file_name(name);
        // Groups of the oldest layout carry no times: the same film is the same bytes.
        let made = File::with_options().with_fapl(|access| access.libver_earliest()).create(&partial);
        let file =
            made.map_err(|source| ExportError::Hdf5 { path: path.to_owned(), dataset: "/".to_owned(), source })?;
        Ok(Self { file, partial, path: path.to_owned(), done: false })
    }

    fn failed(&self, dataset: &str) -> impl FnOnce(hdf5::Error) -> ExportError {
        let (path, dataset) = (self.path.clone(), dataset.to_owned());
        move |source| ExportError::Hdf5 { path, dataset, source }
    }

    fn finish(mut self) -> Result<(), ExportError> {
        self.file.flush().map_err(self.failed("/"))?;
        std::fs::rename(&self.partial, &self.path).map_err(|source| ExportError::File {
            action: "name",
            path: self.path.clone(),
            source,
        })?;
        self.done = true;
        Ok(())
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        if !self.done {
            // What is half written is worth nothing; that it cannot be removed changes nothing.
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

impl TestRecordWriter {
    /// Begins the record: everything but the pictures is written.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path, record: &TestRecord, format: FrameFormat) -> Result<Self, ExportError> {
        let file = PartialFile::create(path)?;
        let head = [
            ("format", "crash-test-record"),
            ("version", "1.0"),
            ("test_id", &record.test_id),
            ("description", record.description.as_deref().unwrap_or_default()),
            ("length_unit", "mm"),
            ("time_unit", "s"),
        ];
        for (name, text) in head.into_iter().filter(|(_, text)| !text.is_empty()) {
            text_attribute(&file.file, name, text).map_err(file.failed(name))?;
        }
        let cameras = file.file.create_group("cameras").map_err(file.failed("cameras"))?;
        let frames = record
            .cameras
            .iter()
            .map(|c| begin_camera(&cameras, c, format).map_err(file.failed(&format!("cameras/{}", c.name))))
            .collect::<Result<_, _>>()?;
        Ok(Self { file, frames, format })
    }

    /// Writes frame `index` of camera number `camera`: `[channels, height, width]`, 0 to 1.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write_frame(&self, camera: usize, index: usize, picture: &Array3<f32>) -> Result<(), ExportError> {
        let failed = self.file.failed("frames");
        let frames = &self.frames[camera];
        if self.format.bits == 8 {
            write_values(frames, index, &picture.mapv(|v| (v * 255.0).round() as u8)).map_err(failed)
        } else {
            write_values(frames, index, &picture.mapv(|v| (v * 65_535.0).round() as u16)).map_err(failed)
        }
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn finish(self) -> Result<(), ExportError> {
        let Self { file, frames, .. } = self;
        drop(frames);
        file.finish()
    }
}

fn write_values<T: hdf5::H5Type + Copy>(frames: &Dataset, index: usize, picture: &Array3<T>) -> hdf5::Result<()> {
    if picture.len_of(Axis(0)) == 1 {
        return frames.write_slice(picture.index_axis(Axis(0), 0), s![index, .., ..]);
    }
    let interleaved = picture.view().permuted_axes([1, 2, 0]).as_standard_layout().into_owned();
    frames.write_slice(interleaved.view(), s![index, .., .., ..])
}

fn begin_camera(cameras: &Group, camera: &CameraRecord, format: FrameFormat) -> hdf5::Result<Dataset> {
    let group = cameras.create_group(&camera.name)?;
    text_attribute(&group, "pose_convention", "world_to_camera, OpenCV axes")?;
    let k = camera.intrinsics;
    matrix(&group, "intrinsics", 3, &[k.fx, 0.0, k.cx, 0.0, k.fy, k.cy, 0.0, 0.0, 1.0])?;
    list(&group, "distortion", &camera.distortion.0)?;
    list(&group, "time", &camera.times_s)?;
    if let Some(pose) = &camera.pose {
        matrix(&group, "pose", 4, &pose_matrix(pose))?;
    }
    if !camera.targets.is_empty() {
        let targets = group.create_group("targets")?;
        let (world, image): (Vec<_>, Vec<_>) = camera.targets.iter().map(|t| (t.world_mm, t.image_px)).unzip();
        matrix(&targets, "world", 3, &world.concat())?;
        matrix(&targets, "image", 2, &image.concat())?;
    }
    let (t, h, w) = (camera.times_s.len(), camera.height, camera.width);
    if format.bits == 8 {
        empty_frames::<u8>(&group, [t, h, w], format)
    } else {
        empty_frames::<u16>(&group, [t, h, w], format)
    }
}

fn empty_frames<T: hdf5::H5Type>(group: &Group, [t, h, w]: [usize; 3], format: FrameFormat) -> hdf5::Result<Dataset> {
    let builder = group.new_dataset_builder().obj_track_times(false).shuffle().deflate(DEFLATE_LEVEL);
    if format.channels == 1 {
        builder.chunk((1, h, w)).empty::<T>().shape((t, h, w)).create("frames")
    } else {
        let c = format.channels;
        builder.chunk((1, h, w, c)).empty::<T>().shape((t, h, w, c)).create("frames")
    }
}

impl TruthWriter {
    /// Begins the truth of a film of `nodes` nodes at `times_s`; `poses` are the true ones by camera name.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(
        path: &Path,
        nodes: usize,
        times_s: &[f64],
        poses: &[(String, Pose)],
        trigger_offset_s: f64,
    ) -> Result<Self, ExportError> {
        let file = PartialFile::create(path)?;
        let begin = || -> hdf5::Result<Dataset> {
            file.file.new_attr::<f64>().create("trigger_offset_s")?.write_scalar(&trigger_offset_s)?;
            list(&file.file, "time", times_s)?;
            let cameras = file.file.create_group("cameras")?;
            for (name, pose) in poses {
                matrix(&cameras.create_group(name)?, "pose", 4, &pose_matrix(pose))?;
            }
            let builder = file.file.new_dataset_builder().obj_track_times(false).shuffle().deflate(DEFLATE_LEVEL);
            let builder = builder.chunk((1, nodes, 3));
            builder.empty::<f32>().shape((times_s.len(), nodes, 3)).create("position")
        };
        let positions = begin().map_err(file.failed("truth"))?;
        Ok(Self { file, positions })
    }

    /// Writes where the nodes are at frame `index`, mm.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write_positions(&self, index: usize, positions_mm: &[[f32; 3]]) -> Result<(), ExportError> {
        let rows = Array2::from_shape_fn((positions_mm.len(), 3), |(n, i)| positions_mm[n][i]);
        self.positions.write_slice(rows.view(), s![index, .., ..]).map_err(self.file.failed("position"))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn finish(self) -> Result<(), ExportError> {
        let Self { file, positions } = self;
        drop(positions);
        file.finish()
    }
}

fn text_attribute(group: &Group, name: &str, text: &str) -> hdf5::Result<()> {
    // HDF5 strings end at a zero byte; nothing that people read holds one.
    let value: VarLenUnicode = text.replace('\0', " ").parse().map_err(|_| hdf5::Error::from("not a text"))?;
    group.new_attr::<VarLenUnicode>().create(name)?.write_scalar(&value)
}

fn list(group: &Group, name: &str, values: &[f64]) -> hdf5::Result<()> {
    group.new_dataset_builder().obj_track_times(false).with_data(ArrayView1::from(values)).create(name).map(|_| ())
}

fn matrix(group: &Group, name: &str, columns: usize, values: &[f64]) -> hdf5::Result<()> {
    let rows = ArrayView2::from_shape((values.len() / columns, columns), values)
        .map_err(|e| hdf5::Error::from(e.to_string()))?;
    group.new_dataset_builder().obj_track_times(false).with_data(rows).create(name).map(|_| ())
}

fn pose_matrix(pose: &Pose) -> [f64; 16] {
    let (r, t) = (pose.rotation, pose.translation_mm);
    let mut all = [0.0; 16];
    for (i, row) in r.iter().enumerate() {
        all[4 * i..4 * i + 3].copy_from_slice(row);
        all[4 * i + 3] = t[i];
    }
    all[15] = 1.0;
    all
}
