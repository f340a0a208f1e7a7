//! Test records: what is written comes back, and what is wrong is named.

use crumple::ingest::{IngestError, TestFile};
use ndarray::Array3;
use proptest::prelude::*;

use crate::support::record_writer::RecordWriter;

fn open(writer: &RecordWriter) -> Result<TestFile, IngestError> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("test.h5");
    writer.write(&path);
    TestFile::open(&path)
}

fn refusal(writer: &RecordWriter, words: &[&str]) {
    let error = open(writer).expect_err("must be refused");
    let text = error.to_string();
    assert!(error.is_input_error(), "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in: {text}");
    }
}

#[test]
fn a_record_comes_back() {
    let test = open(&RecordWriter::default()).expect("a record");
    let camera = &test.record().cameras[0];
    assert_eq!((camera.name.as_str(), camera.width, camera.height), ("left", 5, 4));
    assert_eq!(camera.times_s, [-0.001, 0.0, 0.0025]);
    assert_eq!(camera.pose.expect("a pose").translation_mm, [10.0, 20.0, 3000.0]);
    assert_eq!(camera.distortion.0, [0.1, -0.02, 0.001, 0.002, 0.0, 0.0, 0.0, 0.0]);
    let frame = test.read_frame(0, 2).expect("a frame");
    assert_eq!(frame.luma.dim(), (4, 5));
    assert!((frame.luma[[3, 4]] - 134.0 / 255.0).abs() < 1e-6);
    let channel = &test.record().channels[0];
    assert_eq!(
        (channel.name.as_str(), channel.unit.as_str(), channel.value.as_slice()),
        ("wall_force", "kN", &[5.0, 6.0][..])
    );
    assert!(test.read_frame(0, 3).expect_err("beyond").to_string().contains("3 frames"));
    assert!(test.read_frame(1, 0).expect_err("beyond").to_string().contains("1 cameras"));
}

#[test]
fn metres_and_milliseconds_are_converted() {
    let writer = RecordWriter {
        length_unit: "m".to_owned(),
        time_unit: "ms".to_owned(),
        times: vec![0.0, 1.0, 2.0],
        targets: vec![([1.0, 2.0, 3.0], [4.0, 5.0])],
        ..RecordWriter::default()
    };
    let test = open(&writer).expect("a record");
    let camera = &test.record().cameras[0];
    assert_eq!(camera.times_s, [0.0, 0.001, 0.002]);
    assert_eq!(camera.pose.expect("a pose").translation_mm[2], 3_000_000.0);
    assert_eq!(camera.targets[0].world_mm, [1000.0, 2000.0, 3000.0]);
    assert_eq!(camera.targets[0].image_px, [4.0, 5.0], "pixels have no unit");
}

#[test]
fn each_wrong_thing_has_its_own_message() {
    let good = RecordWriter::default;
    refusal(&RecordWriter { format: "film".to_owned(), ..good() }, &["\"film\"", "crash-test-record"]);
    refusal(&RecordWriter { length_unit: "ell".to_owned(), ..good() }, &["length_unit", "\"ell\"", "mm, cm, m"]);
    refusal(&RecordWriter { times: vec![0.0, 0.2, 0.1], ..good() }, &["0.1 s at index 2", "/cameras/left/time"]);
    refusal(&RecordWriter { times: vec![0.0, 0.1], ..good() }, &["2 times for 3 frames"]);
    refusal(&RecordWriter { times: vec![0.0, f64::NAN, 0.1], ..good() }, &["NaN at index 1"]);
    refusal(&RecordWriter { frames: Array3::zeros((0, 4, 5)), times: vec![], ..good() }, &["no frame"]);
    refusal(&RecordWriter { without: Some("frames"), ..good() }, &["/cameras/left", "frames", "intrinsics"]);
    refusal(&RecordWriter { without: Some("intrinsics"), ..good() }, &["intrinsics"]);
    refusal(&RecordWriter { without: Some("time"), ..good() }, &["named time"]);
    refusal(&RecordWriter { distortion: vec![0.1; 3], ..good() }, &["3 coefficients", "0, 4, 5 or 8"]);
    refusal(&RecordWriter { intrinsics: vec![1.0; 6], ..good() }, &["[2, 3]", "[3, 3]"]);
    refusal(&RecordWriter { pose: None, ..good() }, &["no pose and 0 targets", "at least 4"]);
    let mut turned = good();
    turned.pose.as_mut().expect("a pose")[0] = -1.0;
    refusal(&turned, &["determinant -1", "/cameras/left/pose"]);
}

#[test]
fn four_targets_stand_for_a_pose() {
    let targets = (0..4).map(|i| ([f64::from(i), 0.0, 0.0], [f64::from(i), 1.0])).collect();
    let test = open(&RecordWriter { pose: None, targets, ..RecordWriter::default() }).expect("a record");
    assert_eq!(test.record().cameras[0].pose, None);
    assert_eq!(test.record().cameras[0].targets.len(), 4);
}

#[test]
fn a_cut_off_record_and_a_text_file_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("test.h5");
    RecordWriter::default().write(&path);
    let bytes = std::fs::read(&path).expect("read");
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("write");
    let error = TestFile::open(&path).expect_err("cut off");
    assert!(error.is_input_error() && error.to_string().contains("cut off"), "{error}");
    std::fs::write(&path, "version https://git-lfs").expect("write");
    assert!(TestFile::open(&path).expect_err("text").to_string().contains("without an HDF5 signature"));
    assert!(TestFile::open(&dir.path().join("none.h5")).expect_err("missing").is_input_error());
}

/// Peak resident memory of this process since it began, bytes.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("VmHWM");
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).expect("a number") * 1024
}

#[test]
fn a_long_film_is_read_frame_by_frame() {
    // 300 MB of pictures: 300 of 1 MB, constant each, so they are quickly written and small on disk.
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("film.h5");
    let (count, height, width) = (300, 1000, 1000);
    RecordWriter {
        frames: Array3::zeros((1, height, width)),
        times: (0..count).map(|i| i as f64 * 1e-3).collect(),
        without: Some("frames"),
        ..RecordWriter::default()
    }
    .write(&path);
    let file = hdf5::File::open_rw(&path).expect("open");
    let camera = file.group("cameras/left").expect("group");
    let builder = camera.new_dataset::<u8>().deflate(1).chunk((1, height, width));
    let set = builder.shape((count, height, width)).create("frames").expect("dataset");
    for t in 0..count {
        let picture = ndarray::Array2::<u8>::from_elem((height, width), (t % 251) as u8);
        set.write_slice(&picture, ndarray::s![t, .., ..]).expect("write");
    }
    drop((set, camera, file));
    let test = TestFile::open(&path).expect("a record");
    let before = peak_bytes();
    for t in 0..count {
        let frame = test.read_frame(0, t).expect("a frame");
        assert!((frame.luma[[500, 500]] - (t % 251) as f32 / 255.0).abs() < 1e-6);
    }
    let grown = peak_bytes().saturating_sub(before);
    // The chunk cache holds 32 MiB; a picture takes 1 MB packed out and 4 MB as luminance.
    assert!(grown < 80 << 20, "reading 300 MB took {} MiB", grown >> 20);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Pictures come back value for value whatever their size, compressed or not.
    #[test]
    fn pictures_come_back(t in 1_usize..4, h in 1_usize..20, w in 1_usize..20, level in prop::option::of(0_u8..10)) {
        let frames = Array3::from_shape_fn((t, h, w), |(t, y, x)| (t * 31 + y * 7 + x * 13) as u8);
        let times = (0..t).map(|i| i as f64).collect();
        let test = open(&RecordWriter { frames: frames.clone(), times, deflate: level, ..RecordWriter::default() })
            .expect("a record");
        for index in 0..t {
            let luma = test.read_frame(0, index).expect("a frame").luma;
            for ((y, x), value) in luma.indexed_iter() {
                prop_assert!((value * 255.0 - f32::from(frames[[index, y, x]])).abs() < 1e-3);
            }
        }
    }
}
