//! A film of image files that a camera still writes, picture by picture.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat};

use crate::domain::CameraRecord;
use crate::ingest::error::{IngestError, cannot};

use super::camera_toml::read_camera_toml;
use super::images::{camera_folders, pictures_of, read_picture, size_of_picture, stem};

/// A camera has at most so many pictures, where only its rate is known.
const MOST_PICTURES: usize = 100_000;

/// A folder of pictures to which more are added: cameras as they will be, pictures as they come.
#[derive(Debug)]
pub struct GrowingFilm {
    test_id: String,
    cameras: Vec<CameraRecord>,
    folders: Vec<CameraFolder>,
}

#[derive(Debug)]
struct CameraFolder {
    path: PathBuf,
    pattern: Option<String>,
}

impl GrowingFilm {
    /// True when `folder` looks like a film: a camera file in it, or one folder down.
    #[must_use]
    pub fn is_one(folder: &Path) -> bool {
        camera_folders(folder).is_ok_and(|folders| !folders.is_empty())
    }

    /// The cameras of the film in `folder`; `None` until each of them has its first picture. Where a camera file gives a
    /// rate instead of times, pictures are expected until `last_time_s` (s after the trigger).
    ///
    /// # Errors
    /// A camera file that cannot be used, a first picture that cannot be read.
    pub fn open(folder: &Path, last_time_s: f64) -> Result<Option<Self>, IngestError> {
        let mut film = Self { test_id: stem(folder), cameras: Vec::new(), folders: Vec::new() };
        for path in camera_folders(folder)? {
            let toml = read_camera_toml(&path.join(super::images::CAMERA_FILE))?;
            let pictures = pictures_of(&path, toml.frames.as_deref())?;
            let Some(first) = pictures.first() else { return Ok(None) };
            // Its head may not be there yet.
            let Ok(size) = size_of_picture(first) else { return Ok(None) };
            let count = toml.picture_count(last_time_s, MOST_PICTURES);
            let file = path.join(super::images::CAMERA_FILE);
            film.cameras.push(toml.camera(&file, &stem(&path), count, size)?);
            film.test_id = toml.test_id.unwrap_or(film.test_id);
            film.folders.push(CameraFolder { path, pattern: toml.frames });
        }
        Ok((!film.cameras.is_empty()).then_some(film))
    }

    /// The test's name.
    #[must_use]
    pub fn test_id(&self) -> &str {
        &self.test_id
    }

    /// The cameras with the times of all pictures that will come.
    #[must_use]
    pub fn cameras(&self) -> &[CameraRecord] {
        &self.cameras
    }

    /// The pictures of a camera that are here, in the order of time; those after the last expected one are left out.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn pictures(&self, camera: usize) -> Result<Vec<PathBuf>, IngestError> {
        let CameraFolder { path, pattern } = &self.folders[camera];
        let mut pictures = pictures_of(path, pattern.as_deref())?;
        pictures.truncate(self.cameras[camera].times_s.len());
        Ok(pictures)
    }

    /// A picture as it can be sent: the file itself where it is PNG or JPEG, else a PNG of 16 bit.
    ///
    /// # Errors
    /// A picture of another size, or one that cannot be decoded – perhaps not yet, while it is being written.
    pub fn picture_bytes(&self, camera: usize, picture: &Path) -> Result<Vec<u8>, IngestError> {
        let CameraRecord { width, height, .. } = self.cameras[camera];
        let luma = read_picture(picture, width, height)?;
        let bytes = std::fs::read(picture).map_err(cannot(picture, "read the picture"))?;
        if matches!(image::guess_format(&bytes), Ok(ImageFormat::Png | ImageFormat::Jpeg)) {
            return Ok(bytes);
        }
        let values: Vec<u16> = luma.iter().map(|v| (v.clamp(0.0, 1.0) * f32::from(u16::MAX)).round() as u16).collect();
        let grey = image::ImageBuffer::from_raw(width as u32, height as u32, values);
        let grey = DynamicImage::ImageLuma16(grey.expect("there is a value for each pixel, else a bug"));
        let mut out = Cursor::new(Vec::new());
        let broken = |source| IngestError::Picture { file: picture.to_owned(), source };
        grey.write_to(&mut out, ImageFormat::Png).map_err(broken)?;
        Ok(out.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_film_is_announced_with_its_first_picture_and_grows() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("shot 7");
        std::fs::create_dir(&folder).unwrap();
        assert!(!GrowingFilm::is_one(&folder));
        let toml = "intrinsics = [100, 100, 15.5, 7.5]\npose = [[1,0,0,0],[0,1,0,0],[0,0,1,900],[0,0,0,1]]\n\
                    frame_rate_hz = 1000\nfirst_time_s = -0.001\nframes = 'f_*.tif'";
        std::fs::write(folder.join("camera.toml"), toml).unwrap();
        assert!(GrowingFilm::is_one(&folder));
        assert!(GrowingFilm::open(&folder, 0.002).unwrap().is_none(), "no picture yet: its size is not known");
        let picture = |name: &str| image::GrayImage::from_pixel(32, 16, image::Luma([77])).save(folder.join(name));
        picture("f_1.tif").unwrap();
        picture("preview.tif").unwrap();
        let film = GrowingFilm::open(&folder, 0.002).unwrap().unwrap();
        let times = &film.cameras()[0].times_s;
        assert!((times.len(), film.test_id()) == (4, "shot 7") && (times[3] - 0.002).abs() < 1e-9, "{times:?}");
        for i in [2, 9, 10, 11] {
            picture(&format!("f_{i}.tif")).unwrap();
        }
        let here = film.pictures(0).unwrap();
        assert!(here.len() == 4 && here[3].ends_with("f_10.tif"), "the fifth lies after the last time: {here:?}");
        let sent = image::load_from_memory(&film.picture_bytes(0, &here[0]).unwrap()).unwrap();
        assert_eq!(sent.to_luma8().get_pixel(3, 3).0, [77]);
        std::fs::write(&here[1], &std::fs::read(&here[1]).unwrap()[..60]).unwrap();
        assert!(film.picture_bytes(0, &here[1]).is_err(), "half a picture is none");
    }
}
