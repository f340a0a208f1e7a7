//! Films of image files: one folder a camera, with a `camera.toml`; pictures are decoded one at a time.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ColorType, DynamicImage, ImageReader};

use crate::domain::{CameraRecord, Frame, TestRecord};
use crate::ingest::error::{IngestError, cannot};
use crate::ingest::limits::{self, MAX_WINDOW_BYTES};

use super::camera_toml::{CameraToml, read_camera_toml};
use super::palette_tiff::grey_from_palette;
use super::pixels::{self, Layout};

/// The name of the file that describes a camera.
pub(super) const CAMERA_FILE: &str = "camera.toml";
/// Endings of pictures that are read.
const ENDINGS: [&str; 5] = ["png", "tif", "tiff", "jpg", "jpeg"];

/// Cameras whose pictures are files.
#[derive(Debug)]
pub(super) struct ImageRecord {
    pub(super) record: TestRecord,
    /// The pictures of each camera, in the order of time.
    files: Vec<Vec<PathBuf>>,
}

/// Plans the test in `folder`: one camera (a `camera.toml` in it) or several (in its folders).
///
/// # Errors
/// No camera file anywhere; pictures of different size; whatever a test record is refused for.
pub(super) fn plan_folder(folder: &Path) -> Result<ImageRecord, IngestError> {
    let folders = camera_folders(folder)?;
    if folders.is_empty() {
        return Err(IngestError::refused(
            folder,
            "folder",
            "no camera.toml, neither here nor one folder down",
            "a folder with pictures and a camera.toml for each camera",
            "describe each camera in a camera.toml beside its pictures",
        ));
    }
    let mut record = TestRecord { test_id: stem(folder), description: None, cameras: Vec::new(), channels: Vec::new() };
    let mut files = Vec::new();
    for path in &folders {
        let toml = read_camera_toml(&path.join(CAMERA_FILE))?;
        let (camera, pictures) = plan_camera(path, &toml)?;
        record.test_id = toml.test_id.unwrap_or(record.test_id);
        record.description = record.description.or(toml.description);
        if record.cameras.iter().any(|c: &CameraRecord| c.name == camera.name) {
            return Err(IngestError::refused(
                path,
                "camera.toml, name",
                format_args!("{:?} for a second time", camera.name),
                "a name of its own for each camera",
                "rename one",
            ));
        }
        record.cameras.push(camera);
        files.push(pictures);
    }
    Ok(ImageRecord { record, files })
}

/// The folders with a camera file: `folder` itself, or those in it.
pub(super) fn camera_folders(folder: &Path) -> Result<Vec<PathBuf>, IngestError> {
    if folder.join(CAMERA_FILE).is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    Ok(list(folder)?.into_iter().filter(|p| p.join(CAMERA_FILE).is_file()).collect())
}

/// The last part of a path, for a name.
pub(super) fn stem(path: &Path) -> String {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    path.file_stem().map_or_else(|| "test".to_owned(), |s| s.to_string_lossy().into_owned())
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, IngestError> {
    let mut paths = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>())
        .map_err(cannot(folder, "list the folder"))?;
    paths.sort();
    Ok(paths)
}

/// The pictures in `folder` whose names fit `pattern`, in the order of time.
pub(super) fn pictures_of(folder: &Path, pattern: Option<&str>) -> Result<Vec<PathBuf>, IngestError> {
    let pattern = pattern.unwrap_or("*");
    let wanted = |path: &PathBuf| {
        let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        path.is_file() && ENDINGS.contains(&ending.as_str()) && matches(pattern, &name)
    };
    let mut files: Vec<PathBuf> = list(folder)?.into_iter().filter(wanted).collect();
    files.sort_by_cached_key(|p| natural_key(&p.file_name().unwrap_or_default().to_string_lossy()));
    Ok(files)
}

fn plan_camera(folder: &Path, toml: &CameraToml) -> Result<(CameraRecord, Vec<PathBuf>), IngestError> {
    let pattern = toml.frames.as_deref().unwrap_or("*");
    let files = pictures_of(folder, Some(pattern))?;
    let Some(first) = files.first() else {
        return Err(IngestError::refused(
            folder,
            "folder",
            format_args!("no picture that matches {pattern:?}"),
            format_args!("files ending in {}", ENDINGS.join(", ")),
            "put the pictures beside camera.toml, or mend its key frames",
        ));
    };
    let size = size_of_picture(first)?;
    // Headers only: all sizes are known before the first picture is decoded.
    for file in &files[1..] {
        let other = size_of_picture(file)?;
        if other != size {
            return Err(IngestError::refused(
                file,
                "picture",
                format_args!("{} x {} px", other.0, other.1),
                format_args!("{} x {} px as {}", size.0, size.1, first.display()),
                "keep one size a camera",
            ));
        }
    }
    let camera = toml.camera(&folder.join(CAMERA_FILE), &stem(folder), files.len(), size)?;
    Ok((camera, files))
}

/// Width and height, px, from the header.
pub(super) fn size_of_picture(file: &Path) -> Result<(usize, usize), IngestError> {
    let reader = ImageReader::open(file).map_err(cannot(file, "open the picture"))?;
    let reader = reader.with_guessed_format().map_err(cannot(file, "read the picture"))?;
    let size = match reader.into_dimensions() {
        Ok(size) => Ok(size),
        // Perhaps a palette, which needs the whole file.
        Err(image::ImageError::Unsupported(_)) => decode(file).map(|(picture, _)| (picture.width(), picture.height())),
        Err(source) => Err(IngestError::Picture { file: file.to_owned(), source }),
    };
    let (width, height) = size?;
    let layout = Layout { height: height as usize, width: width as usize, channels: 3 };
    layout.check(file, "picture")?;
    Ok((width as usize, height as usize))
}

/// Decodes a picture; with the luminance of its values where they are indices into a palette.
fn decode(file: &Path) -> Result<(DynamicImage, Option<[f32; 256]>), IngestError> {
    let broken = |source| IngestError::Picture { file: file.to_owned(), source };
    let size = std::fs::metadata(file).map_err(cannot(file, "open the picture"))?.len();
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    limits::check_window(file, "picture", size, 1)?;
    let mut bytes = std::fs::read(file).map_err(cannot(file, "read the picture"))?;
    let palette = grey_from_palette(&mut bytes);
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(cannot(file, "read the picture"))?;
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_WINDOW_BYTES);
    reader.limits(limits);
    Ok((reader.decode().map_err(broken)?, palette))
}

/// Whether `name` fits `pattern`, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let mut last = None;
    for piece in pieces {
        if let Some(before) = last.replace(piece) {
            let Some(at) = rest.find(before) else { return false };
            rest = &rest[at + before.len()..];
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

/// Key under which `frame_10` follows `frame_9`: runs of digits count by their value.
fn natural_key(name: &str) -> Vec<(u128, String)> {
    let mut key = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(text);
        let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (number, tail) = tail.split_at(digits);
        // The text before a number sorts first, then the number.
        key.push((0, word.to_owned()));
        key.push((number.parse().unwrap_or(u128::MAX), String::new()));
        rest = tail;
    }
    key
}

impl ImageRecord {
    /// Decodes picture `index` of `camera`.
    ///
    /// # Errors
    /// Pictures that cannot be decoded or have changed their size since planning.
    pub(super) fn read_frame(&self, camera: usize, index: usize, time_s: f64) -> Result<Frame, IngestError> {
        let file = &self.files[camera][index];
        let (picture, palette) = decode(file)?;
        let camera = &self.record.cameras[camera];
        let luma = luma_of(&picture, palette.as_ref(), camera.height, camera.width).ok_or_else(|| {
            IngestError::refused(
                file,
                "picture",
                format_args!("{} x {} px of {:?}", picture.width(), picture.height(), picture.color()),
                format_args!("{} x {} px, 8 or 16 bit", camera.width, camera.height),
                "keep one size a camera, and 8 or 16 bit",
            )
        })?;
        Ok(Frame { index, time_s, luma })
    }
}

/// Decodes one picture file of `width` × `height` px, as the films of picture folders are decoded.
///
/// # Errors
/// A picture that cannot be decoded or has another size.
pub fn read_picture(file: &Path, width: usize, height: usize) -> Result<ndarray::Array2<f32>, IngestError> {
    let (found_width, found_height) = size_of_picture(file)?;
    let refused = |found: String| {
        let expected = format!("{width} x {height} px, 8 or 16 bit");
        IngestError::refused(file, "picture", found, expected, "send pictures of the size that was announced")
    };
    if (found_width, found_height) != (width, height) {
        return Err(refused(format!("{found_width} x {found_height} px")));
    }
    let (picture, palette) = decode(file)?;
    luma_of(&picture, palette.as_ref(), height, width).ok_or_else(|| refused(format!("{:?}", picture.color())))
}

fn luma_of(
    picture: &DynamicImage,
    palette: Option<&[f32; 256]>,
    height: usize,
    width: usize,
) -> Option<ndarray::Array2<f32>> {
    let grey = Layout { height, width, channels: 1 };
    let rgb = Layout { height, width, channels: 3 };
    let (eight, sixteen) = (f32::from(u8::MAX), f32::from(u16::MAX));
    match picture.color() {
        ColorType::L8 if palette.is_some() => {
            let table = palette?;
            let values: Vec<f32> = picture.as_luma8()?.as_raw().iter().map(|i| table[usize::from(*i)]).collect();
            pixels::luma(&values, grey, 1.0)
        }
        ColorType::L8 | ColorType::La8 => pixels::luma(picture.to_luma8().as_raw(), grey, eight),
        ColorType::L16 | ColorType::La16 => pixels::luma(picture.to_luma16().as_raw(), grey, sixteen),
        ColorType::Rgb8 | ColorType::Rgba8 => pixels::luma(picture.to_rgb8().as_raw(), rgb, eight),
        ColorType::Rgb16 | ColorType::Rgba16 => pixels::luma(picture.to_rgb16().as_raw(), rgb, sixteen),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_follows_nine() {
        let mut names = ["f_10.png", "f_9.png", "f_1.png"];
        names.sort_by_cached_key(|n| natural_key(n));
        assert_eq!(names, ["f_1.png", "f_9.png", "f_10.png"]);
    }

    #[test]
    fn patterns_choose_files() {
        assert!(matches("*", "anything.png"));
        assert!(matches("oht_*.tiff", "oht_cfrp_00.tiff"));
        assert!(!matches("oht_*.tiff", "mask.tiff"));
        assert!(matches("a*b*c", "a1b2c") && !matches("a*b*c", "a1c"));
        assert!(matches("one.png", "one.png") && !matches("one.png", "one.png.bak"));
    }
}
