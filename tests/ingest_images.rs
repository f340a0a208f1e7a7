//! Films of image files with a `camera.toml`.

use std::path::Path;

use crumple::ingest::TestFile;
use image::{ImageBuffer, Luma, Rgb};

use crate::support::shared;

const TOML: &str = "
intrinsics = [900.0, 900.0, 3.5, 2.5]
pose = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 3000], [0, 0, 0, 1]]
frame_rate_hz = 1000.0
first_time_s = -0.001
";

fn grey(path: &Path, value: u8) {
    ImageBuffer::from_pixel(8, 6, Luma([value])).save(path).expect("save");
}

#[test]
fn one_folder_is_one_camera_in_the_order_of_its_numbers() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("camera.toml"), TOML).expect("write");
    for (name, value) in [("f_9.png", 90), ("f_10.png", 100), ("f_8.png", 80)] {
        grey(&dir.path().join(name), value);
    }
    let test = TestFile::open(dir.path()).expect("a test");
    let camera = &test.record().cameras[0];
    assert_eq!((camera.width, camera.height), (8, 6));
    assert_eq!(camera.times_s, [-0.001, 0.0, 0.001]);
    for (index, value) in [80.0, 90.0, 100.0].into_iter().enumerate() {
        let luma = test.read_frame(0, index).expect("a frame").luma;
        assert_eq!(luma.dim(), (6, 8));
        assert!((luma[[5, 7]] - value / 255.0).abs() < 1e-6);
    }
}

#[test]
fn eight_and_sixteen_bit_grey_and_colour_have_one_scale() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("camera.toml"), TOML).expect("write");
    grey(&dir.path().join("1.tif"), 128);
    let deep = ImageBuffer::from_pixel(8, 6, Luma([128_u16 * 257]));
    deep.save(dir.path().join("2.tif")).expect("save");
    deep.save(dir.path().join("3.png")).expect("save");
    ImageBuffer::from_pixel(8, 6, Rgb([128_u8, 128, 128])).save(dir.path().join("4.png")).expect("save");
    ImageBuffer::from_pixel(8, 6, Rgb([128_u16 * 257; 3])).save(dir.path().join("5.tiff")).expect("save");
    ImageBuffer::from_pixel(8, 6, Luma([128_u8])).save(dir.path().join("6.jpg")).expect("save");
    let test = TestFile::open(dir.path()).expect("a test");
    for index in 0..6 {
        let luma = test.read_frame(0, index).expect("a frame").luma;
        // JPEG rounds to its own grid: within one step.
        assert!((luma[[3, 3]] - 128.0 / 255.0).abs() < 1.1 / 255.0, "file {}", index + 1);
    }
}

#[test]
fn a_test_folder_holds_one_folder_a_camera() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for name in ["left", "right"] {
        let camera = dir.path().join(name);
        std::fs::create_dir(&camera).expect("a folder");
        std::fs::write(camera.join("camera.toml"), format!("test_id = \"T9\"\n{TOML}")).expect("write");
        grey(&camera.join("0.png"), 1);
    }
    let test = TestFile::open(dir.path()).expect("a test");
    assert_eq!(test.record().test_id, "T9");
    assert_eq!(test.record().cameras.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["left", "right"]);
}

#[test]
fn what_is_wrong_with_a_folder_is_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let refusal = |words: &[&str]| {
        let error = TestFile::open(dir.path()).expect_err("refused");
        assert!(error.is_input_error());
        words.iter().for_each(|w| assert!(error.to_string().contains(w), "{w:?} is missing in: {error}"));
    };
    let toml = |text: &str| std::fs::write(dir.path().join("camera.toml"), text).expect("write");
    refusal(&["no camera.toml"]);
    toml(TOML);
    refusal(&["no picture"]);
    grey(&dir.path().join("a.png"), 1);
    ImageBuffer::from_pixel(9, 6, Luma([1_u8])).save(dir.path().join("b.png")).expect("save");
    refusal(&["b.png", "9 x 6 px", "8 x 6 px"]);
    std::fs::write(dir.path().join("b.png"), "no picture").expect("write");
    refusal(&["b.png", "cannot decode"]);
    std::fs::remove_file(dir.path().join("b.png")).expect("remove");
    toml(&TOML.replace("frame_rate_hz = 1000.0", "times = [0.0, 0.1]"));
    refusal(&["2 times for 1 frames"]);
    toml(&TOML.replace("pose", "posture"));
    refusal(&["line 3", "posture"]);
    toml(&format!("{TOML}\ntimes = [0.0]"));
    refusal(&["both times and a frame rate"]);
}

#[test]
fn the_real_photographs_open_as_a_film() {
    let Some(folder) = shared("real/oht_cfrp") else { return };
    let dir = tempfile::tempdir().expect("a temporary folder");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "tiff") {
            std::os::unix::fs::symlink(&path, dir.path().join(path.file_name().expect("a name"))).expect("link");
        }
    }
    std::fs::write(dir.path().join("camera.toml"), format!("frames = \"oht_*.tiff\"\n{TOML}")).expect("write");
    let test = TestFile::open(dir.path()).expect("a test");
    let camera = &test.record().cameras[0];
    assert_eq!((camera.width, camera.height, camera.times_s.len()), (400, 1040, 12));
    let luma = test.read_frame(0, 11).expect("the last").luma;
    assert!((0.1..0.9).contains(&luma.mean().expect("pixels")));
}

#[test]
fn a_palette_of_greys_gives_the_greys() {
    // A 2 x 2 TIFF by hand (TIFF 6.0): indices 0 1 2 3, and a table that turns them into 0, 1/3, 2/3, 1.
    let mut map = vec![0_u16; 3 * 256];
    for channel in 0..3 {
        for i in 0..4_u16 {
            map[256 * channel + usize::from(i)] = i * 21_845;
        }
    }
    let short = |tag: u16, value: u16| (tag, 3_u16, 1_u32, u32::from(value));
    let pixels_at = 8 + 2 + 12 * 10 + 4;
    let entries = [
        short(256, 2),
        short(257, 2),
        short(258, 8),
        short(259, 1),
        short(262, 3),
        (273, 4, 1, pixels_at),
        short(277, 1),
        short(278, 2),
        (279, 4, 1, 4),
        (320, 3, 768, pixels_at + 4),
    ];
    let mut bytes = b"II*\0\x08\0\0\0\x0a\0".to_vec();
    for (tag, kind, count, value) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        bytes.extend(count.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend([0, 1, 2, 3]);
    map.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("camera.toml"), TOML).expect("write");
    std::fs::write(dir.path().join("0.tif"), bytes).expect("write");
    let test = TestFile::open(dir.path()).expect("a test");
    let luma = test.read_frame(0, 0).expect("a frame").luma;
    for (value, wanted) in luma.iter().zip([0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]) {
        assert!((value - wanted).abs() < 1e-5, "{luma}");
    }
}

#[test]
fn a_video_is_read_in_order_and_out_of_order() {
    use opencv::core::{CV_8UC3, Mat, Scalar, Size};
    use opencv::videoio::{VideoWriter, VideoWriterTrait as _, VideoWriterTraitConst as _};
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("left.avi");
    let code = VideoWriter::fourcc('M', 'J', 'P', 'G').expect("a code");
    let mut writer = VideoWriter::new(&path, code, 25.0, Size::new(64, 48), true).expect("a writer");
    assert!(writer.is_opened().expect("open"), "OpenCV writes motion JPEG by itself");
    for t in 0..5 {
        let grey = Scalar::all(f64::from(40 * t));
        writer.write(&Mat::new_rows_cols_with_default(48, 64, CV_8UC3, grey).expect("a picture")).expect("write");
    }
    writer.release().expect("close");
    drop(writer);
    let error = TestFile::open(&path).expect_err("no camera file");
    assert!(error.is_input_error() && error.to_string().contains("left.toml"), "{error}");
    std::fs::write(dir.path().join("left.toml"), TOML).expect("write");
    let test = TestFile::open(&path).expect("a test");
    assert_eq!((test.record().cameras[0].name.as_str(), test.record().cameras[0].times_s.len()), ("left", 5));
    for index in [0, 1, 2, 3, 4, 1, 3] {
        let luma = test.read_frame(0, index).expect("a frame").luma;
        assert!((luma[[20, 20]] - 40.0 * index as f32 / 255.0).abs() < 3.0 / 255.0, "frame {index}");
    }
    std::fs::write(&path, "no video").expect("write");
    assert!(TestFile::open(&path).expect_err("no video").is_input_error());
}

#[test]
fn a_nexus_detector_is_a_camera() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("shot.nxs");
    let file = hdf5::File::create(&path).expect("create");
    let class = |group: &hdf5::Group, name: &str| {
        let value: hdf5::types::VarLenUnicode = name.parse().expect("text");
        let attr = group.new_attr::<hdf5::types::VarLenUnicode>().create("NX_class").expect("attr");
        attr.write_scalar(&value).expect("write");
    };
    let entry = file.create_group("entry").expect("group");
    class(&entry, "NXentry");
    let instrument = entry.create_group("instrument").expect("group");
    class(&instrument, "NXinstrument");
    let detector = instrument.create_group("top").expect("group");
    class(&detector, "NXdetector");
    let stack = ndarray::Array3::from_shape_fn((2, 3, 4), |(t, y, x)| (1000 * t + 10 * y + x) as u16);
    detector.new_dataset_builder().with_data(&stack).create("data").expect("dataset");
    drop((entry, instrument, detector, file));
    std::fs::write(dir.path().join("camera.toml"), TOML).expect("write");
    let test = TestFile::open(&path).expect("a test");
    let camera = &test.record().cameras[0];
    assert_eq!((camera.name.as_str(), camera.width, camera.height), ("top", 4, 3));
    let luma = test.read_frame(0, 1).expect("a frame").luma;
    assert!((luma[[2, 3]] - 1023.0 / 65_535.0).abs() < 1e-6);
}
