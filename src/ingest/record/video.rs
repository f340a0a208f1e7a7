//! Videos, decoded by OpenCV, with a camera file beside them.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use opencv::core::{Mat, MatTraitConst as _, MatTraitConstManual as _, Vec3b};
use opencv::videoio::{self, VideoCapture, VideoCaptureTrait as _, VideoCaptureTraitConst as _};

use crate::domain::{Frame, TestRecord};
use crate::ingest::error::IngestError;

use super::camera_toml::read_camera_toml;
use super::images::stem;
use super::nexus::camera_file_of;
use super::pixels::{self, Layout};

/// Endings that mean a video.
const ENDINGS: [&str; 7] = ["avi", "mp4", "mov", "mkv", "mpg", "mpeg", "webm"];

/// One camera whose film is a video.
pub(super) struct VideoRecord {
    path: PathBuf,
    pub(super) record: TestRecord,
    /// The decoder and the picture that it gives next.
    capture: Mutex<(VideoCapture, usize)>,
}

impl std::fmt::Debug for VideoRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VideoRecord").field("path", &self.path).field("record", &self.record).finish_non_exhaustive()
    }
}

/// Whether the file's name is that of a video.
pub(super) fn is_video(path: &Path) -> bool {
    path.extension().is_some_and(|e| ENDINGS.contains(&e.to_string_lossy().to_ascii_lowercase().as_str()))
}

/// Plans the video at `path`.
///
/// # Errors
/// No camera file; a video that OpenCV cannot open; whatever a test record is refused for.
pub(super) fn plan_video(path: &Path) -> Result<VideoRecord, IngestError> {
    std::fs::metadata(path).map_err(crate::ingest::error::cannot(path, "open the video"))?;
    let camera_file = camera_file_of(path)?;
    let toml = read_camera_toml(&camera_file)?;
    let broken = |doing: &'static str| {
        let file = path.to_owned();
        move |source| IngestError::Video { file, doing, source }
    };
    let capture = VideoCapture::from_file(path, videoio::CAP_ANY).map_err(broken("open the video"))?;
    if !capture.is_opened().map_err(broken("open the video"))? {
        return Err(IngestError::refused(
            path,
            "video",
            "something that OpenCV cannot decode",
            "a video of a known kind",
            "convert it to image files, for example: ffmpeg -i VIDEO frame_%05d.png",
        ));
    }
    let property = |id: i32| capture.get(id).map_err(broken("read the video's properties"));
    // Negative and broken counts become 0 and are refused below.
    let frames = property(videoio::CAP_PROP_FRAME_COUNT)? as usize;
    let width = property(videoio::CAP_PROP_FRAME_WIDTH)? as usize;
    let height = property(videoio::CAP_PROP_FRAME_HEIGHT)? as usize;
    Layout { height, width, channels: 3 }.check(path, "video")?;
    let camera = toml.camera(&camera_file, &stem(path), frames, (width, height))?;
    let record = TestRecord {
        test_id: toml.test_id.unwrap_or_else(|| stem(path)),
        description: toml.description,
        cameras: vec![camera],
        channels: Vec::new(),
    };
    Ok(VideoRecord { path: path.to_owned(), record, capture: Mutex::new((capture, 0)) })
}

impl VideoRecord {
    /// Decodes picture `index`; in order this costs one picture, else the decoder has to seek.
    ///
    /// # Errors
    /// Pictures that cannot be decoded.
    pub(super) fn read_frame(&self, index: usize, time_s: f64) -> Result<Frame, IngestError> {
        let broken = |source| IngestError::Video { file: self.path.clone(), doing: "decode a picture", source };
        let mut slot = self.capture.lock().unwrap_or_else(PoisonError::into_inner);
        let (capture, next) = &mut *slot;
        if *next != index {
            capture.set(videoio::CAP_PROP_POS_FRAMES, index as f64).map_err(broken)?;
        }
        let mut picture = Mat::default();
        let found = capture.read(&mut picture).map_err(broken)?;
        *next = index + 1;
        drop(slot);
        let camera = &self.record.cameras[0];
        let short = || {
            IngestError::refused(
                &self.path,
                format_args!("frame {index}"),
                format_args!("{} x {} px", picture.cols(), picture.rows()),
                format_args!("{} x {} px", camera.width, camera.height),
                "the video is cut off or its index is wrong, convert it to image files",
            )
        };
        if !found {
            return Err(short());
        }
        // OpenCV gives blue, green, red.
        let values: Vec<u8> =
            picture.data_typed::<Vec3b>().map_err(broken)?.iter().flat_map(|p| [p[2], p[1], p[0]]).collect();
        let layout = Layout { height: camera.height, width: camera.width, channels: 3 };
        let luma = pixels::luma(&values, layout, f32::from(u8::MAX)).ok_or_else(short)?;
        Ok(Frame { index, time_s, luma })
    }
}
