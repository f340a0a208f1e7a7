//! Pictures of a review as the page shows them: on the lens-free canvas, so that a pin-hole overlay fits.
//!
//! A picture is drawn when it is first asked for and kept as a blob of the review. The files of the few reviews that
//! are looked at stay open.

use std::borrow::Cow;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{GrayImage, ImageFormat};
use ndarray::Array2;
use tokio::sync::Semaphore;

use super::live_room::Lives;
use super::service_error::ServiceError;
use super::views::{self, ResultView};
use super::workshop::{Workshop, simulation_options};
use crate::blobs::BlobKey;
use crate::domain::{CameraAlignment, Pose};
use crate::geom::{Camera, PinholeView, Skin};
use crate::ingest::{SimulationFile, SimulationStates, TestFile};
use crate::tasks::run_on_thread;
use crate::vision::{Appearance, RigidBody, Tone, canvas_picture, predict, shown_to_people};

/// Reviews whose files stay open.
const OPEN_DESKS: usize = 4;
/// Pictures drawn at a time; more would only wait for each other.
const DRAWN_AT_A_TIME: usize = 4;
const JPEG_QUALITY: u8 = 85;
/// No picture is wider, px.
const WIDEST: u32 = 4096;

/// Which picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// As filmed.
    Film,
    /// As the simulation would have it, drawn with the look of frame 0.
    Predicted,
}

/// A picture that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureOrder {
    /// The camera's name.
    pub camera: String,
    /// Index of the moment.
    pub moment: usize,
    /// As filmed or as predicted.
    pub layer: Layer,
    /// Width, px; `None` for the canvas's own.
    pub width: Option<u32>,
    /// PNG instead of JPEG.
    pub png: bool,
}

/// The reviews that are looked at.
#[derive(Clone)]
pub struct Desks {
    shop: Arc<Workshop>,
    open: Arc<Mutex<Vec<Arc<Desk>>>>,
    /// By live test.
    live: Arc<Mutex<Vec<LiveLook>>>,
    drawing: Arc<Semaphore>,
}

/// What the predicted pictures of a live test are drawn from.
struct LiveLook {
    live_id: String,
    /// The impactor was known: what it hides in the first picture is no look of the structure.
    knows_impactor: bool,
    predicting: Arc<Predicting>,
}

/// One review with its files.
struct Desk {
    review_id: String,
    result: ResultView,
    test: TestFile,
    cameras: Vec<PinholeView>,
    tones: Vec<OnceLock<Tone>>,
    simulation_path: PathBuf,
    /// Opened when the first predicted picture is wanted.
    predicting: OnceLock<Predicting>,
}

struct Predicting {
    simulation: SimulationFile,
    skin: Skin,
    /// The look of frame 0, by camera.
    looks: Vec<OnceLock<Appearance>>,
}

impl Desks {
    /// No review is looked at yet.
    #[must_use]
    pub fn new(shop: Arc<Workshop>) -> Self {
        Self { shop, open: Arc::default(), live: Arc::default(), drawing: Arc::new(Semaphore::new(DRAWN_AT_A_TIME)) }
    }

    /// A picture of a finished review, JPEG or PNG.
    ///
    /// # Errors
    /// When the review, the camera or the moment is not there, or the files cannot be read.
    pub async fn picture(&self, review_id: &str, order: PictureOrder) -> Result<Bytes, ServiceError> {
        let key = BlobKey::Result(review_id.to_owned(), order.name());
        if let Some(bytes) = self.shop.blobs.get(&key).await? {
            return Ok(bytes);
        }
        let _permit = self.drawing.acquire().await.expect("the semaphore is never closed, else a bug");
        let desk = self.desk(review_id).await?;
        let bytes = run_on_thread("draw-picture", move || desk.draw(&order)).await??;
        let bytes = Bytes::from(bytes);
        self.shop.blobs.put(&key, bytes.clone()).await?;
        Ok(bytes)
    }

    /// A picture of a review whose frames still arrive, or that is not reviewed as a whole yet; it is not kept.
    ///
    /// # Errors
    /// When the camera or the moment is not there, or the frames cannot be read.
    pub async fn live_picture(
        &self,
        lives: &Lives,
        live_id: &str,
        review_id: &str,
        order: PictureOrder,
    ) -> Result<Bytes, ServiceError> {
        let missing = |what: &str| ServiceError::Missing { what: format!("{what} (the test is live)") };
        let _permit = self.drawing.acquire().await.expect("the semaphore is never closed, else a bug");
        let film = lives.film(live_id).await?;
        let result = result_of(&self.shop, review_id).await?;
        let predicting = match order.layer {
            Layer::Film => None,
            Layer::Predicted => {
                let knows_impactor = result.impactor_body.is_some();
                Some(self.live_predicting(live_id, review_id, film.cameras.len(), knows_impactor).await?)
            }
        };
        run_on_thread("draw-live-picture", move || {
            let camera = film.cameras.iter().position(|c| c.name == order.camera);
            let camera = camera.ok_or_else(|| missing("there is no such camera"))?;
            let time_s = *result.times_s.get(order.moment).ok_or_else(|| missing("there is no such moment"))?;
            let pose = pose_of(&result, &order.camera)?;
            let view = PinholeView::new(Camera::from_record(&film.cameras[camera], pose));
            let first = film.picture(camera, 0)?;
            let tone = Tone::from_picture(&first);
            let shown = |luma: &Array2<f32>| canvas_picture(&view, &tone.apply(luma));
            let picture = match predicting {
                Some(p) => {
                    let at = (time_s + result.trigger.offset_s, result.simulated_impactor(time_s));
                    p.picture(camera, &view.camera, at, || Ok(shown(&first)?))?
                }
                None => {
                    let frames = result.cameras.get(camera).map(|c| c.frames.as_slice()).unwrap_or_default();
                    let frame = frames.get(order.moment).copied().flatten();
                    let frame = frame.ok_or_else(|| missing("the camera took no frame at this moment"))?;
                    shown(&film.picture(camera, frame)?)?
                }
            };
            Ok(Bytes::from(encode(&picture, &order)?))
        })
        .await?
    }

    /// What the predicted pictures of a live test are drawn from; opened once, and once more when the impactor is found.
    async fn live_predicting(
        &self,
        live_id: &str,
        review_id: &str,
        cameras: usize,
        knows_impactor: bool,
    ) -> Result<Arc<Predicting>, ServiceError> {
        let list = || self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let known = list()
            .iter()
            .find(|l| l.live_id == live_id && l.knows_impactor == knows_impactor)
            .map(|l| Arc::clone(&l.predicting));
        if let Some(known) = known {
            return Ok(known);
        }
        let shop = &self.shop;
        let folder = shop.folders.desk(&format!("look-{live_id}"));
        std::fs::create_dir_all(&folder).map_err(ServiceError::file("make the folder", &folder))?;
        let row = shop.store.review(review_id).await?;
        let path = shop.lay_out_simulation(&shop.store.simulation(&row.simulation_id).await?, &folder)?;
        let predicting = Arc::new(run_on_thread("open-live-desk", move || Predicting::open(&path, cameras)).await??);
        let mut open = list();
        open.retain(|l| l.live_id != live_id);
        if open.len() >= OPEN_DESKS {
            open.remove(0);
        }
        open.push(LiveLook { live_id: live_id.to_owned(), knows_impactor, predicting: Arc::clone(&predicting) });
        Ok(predicting)
    }

    async fn desk(&self, review_id: &str) -> Result<Arc<Desk>, ServiceError> {
        let list = || self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = list().iter().find(|d| d.review_id == review_id) {
            return Ok(Arc::clone(found));
        }
        let desk = Arc::new(self.lay_out(review_id).await?);
        let mut open = list();
        // Another reader may have been faster.
        if let Some(found) = open.iter().find(|d| d.review_id == review_id) {
            return Ok(Arc::clone(found));
        }
        if open.len() >= OPEN_DESKS {
            open.remove(0);
        }
        open.push(Arc::clone(&desk));
        Ok(desk)
    }

    async fn lay_out(&self, review_id: &str) -> Result<Desk, ServiceError> {
        let shop = &self.shop;
        let row = shop.store.review(review_id).await?;
        let result = result_of(shop, review_id).await?;
        let folder = shop.folders.desk(review_id);
        std::fs::create_dir_all(&folder).map_err(ServiceError::file("make the folder", &folder))?;
        let simulation_path = shop.lay_out_simulation(&shop.store.simulation(&row.simulation_id).await?, &folder)?;
        let test_path = shop.lay_out_test(&shop.store.test(&row.test_id).await?, &folder).await?;
        let review_id = review_id.to_owned();
        run_on_thread("open-desk", move || {
            let test = TestFile::open(&test_path)?;
            let cameras: Vec<PinholeView> = test
                .record()
                .cameras
                .iter()
                .map(|record| {
                    let pose = pose_of(&result, &record.name)?;
                    Ok(PinholeView::new(Camera::from_record(record, pose)))
                })
                .collect::<Result<_, ServiceError>>()?;
            let tones = cameras.iter().map(|_| OnceLock::new()).collect();
            Ok(Desk { review_id, result, test, cameras, tones, simulation_path, predicting: OnceLock::new() })
        })
        .await?
    }
}

/// The numbers of a finished review.
async fn result_of(shop: &Workshop, review_id: &str) -> Result<ResultView, ServiceError> {
    let key = BlobKey::Result(review_id.to_owned(), views::RESULT.to_owned());
    let text = shop.blobs.get(&key).await?.ok_or_else(|| ServiceError::Missing {
        what: format!("review {review_id} has no result yet: wait until its state is finished"),
    })?;
    serde_json::from_slice(&text).map_err(|source| ServiceError::Damaged { what: key.to_string(), source })
}

fn pose_of(result: &ResultView, camera: &str) -> Result<Pose, ServiceError> {
    let value = result.alignment.get(camera).cloned().unwrap_or_default();
    let damaged = |source| ServiceError::Damaged { what: format!("alignment of camera {camera}"), source };
    Ok(serde_json::from_value::<CameraAlignment>(value).map_err(damaged)?.pose)
}

impl PictureOrder {
    fn name(&self) -> String {
        let layer = match self.layer {
            Layer::Film => "film",
            Layer::Predicted => "predicted",
        };
        let width = self.width.map_or_else(|| "full".to_owned(), |w| w.to_string());
        let ending = if self.png { "png" } else { "jpg" };
        // Names of cameras come from files.
        let camera: String = self.camera.bytes().map(|b| format!("{b:02x}")).collect();
        format!("pictures/{camera}/{:05}-{layer}-{width}.{ending}", self.moment)
    }
}

impl Desk {
    fn draw(&self, order: &PictureOrder) -> Result<Vec<u8>, ServiceError> {
        let missing = |what: String| ServiceError::Missing { what };
        let camera = self.test.record().cameras.iter().position(|c| c.name == order.camera).ok_or_else(|| {
            let known: Vec<&str> = self.test.record().cameras.iter().map(|c| c.name.as_str()).collect();
            missing(format!("there is no camera {:?}, the test has {}", order.camera, known.join(", ")))
        })?;
        let moments = self.result.times_s.len();
        let time_s = self.result.times_s.get(order.moment).copied().ok_or_else(|| {
            missing(format!("there is no moment {}, the review has 0 to {}", order.moment, moments.saturating_sub(1)))
        })?;
        let frame = self.result.cameras.iter().find(|c| c.name == order.camera).and_then(|c| c.frames[order.moment]);
        let picture = match (order.layer, frame) {
            (Layer::Film, Some(frame)) => self.film(camera, frame)?,
            (Layer::Film, None) => {
                return Err(missing(format!("camera {} took no frame at moment {}", order.camera, order.moment)));
            }
            (Layer::Predicted, _) => self.predicted(camera, time_s)?,
        };
        encode(&picture, order)
    }

    /// A frame on the canvas, on the scale that frame 0 gives the camera.
    fn film(&self, camera: usize, frame: usize) -> Result<Array2<f32>, ServiceError> {
        let luma = self.test.read_frame(camera, frame)?.luma;
        let tone = match self.tones[camera].get() {
            Some(tone) => *tone,
            None => {
                let first = if frame == 0 { luma.clone() } else { self.test.read_frame(camera, 0)?.luma };
                *self.tones[camera].get_or_init(|| Tone::from_picture(&first))
            }
        };
        Ok(canvas_picture(&self.cameras[camera], &tone.apply(&luma))?)
    }

    fn predicted(&self, camera: usize, time_s: f64) -> Result<Array2<f32>, ServiceError> {
        let predicting = match self.predicting.get() {
            Some(open) => open,
            None => {
                let opened = Predicting::open(&self.simulation_path, self.cameras.len())?;
                self.predicting.get_or_init(|| opened)
            }
        };
        let at = (time_s + self.result.trigger.offset_s, self.result.simulated_impactor(time_s));
        predicting.picture(camera, &self.cameras[camera].camera, at, || self.film(camera, 0))
    }
}

impl Predicting {
    fn open(simulation: &Path, cameras: usize) -> Result<Self, ServiceError> {
        let simulation = SimulationFile::open(simulation, &simulation_options())?;
        let skin = Skin::from_mesh(simulation.mesh(), None);
        Ok(Self { simulation, skin, looks: (0..cameras).map(|_| OnceLock::new()).collect() })
    }

    /// What `view` would show at a simulation time, with the impactor; `first` is its frame 0 on the canvas.
    fn picture(
        &self,
        camera: usize,
        view: &Camera,
        (simulation_time_s, impactor): (f64, Option<RigidBody>),
        first: impl FnOnce() -> Result<Array2<f32>, ServiceError>,
    ) -> Result<Array2<f32>, ServiceError> {
        let states = SimulationStates::new(&self.simulation);
        let look = match self.looks[camera].get() {
            Some(look) => look,
            None => {
                let undeformed = states.positions_mm(self.simulation.times_s()[0])?;
                let mut look = Appearance::new(view, &self.skin, undeformed, first()?);
                if let Some(body) = &impactor {
                    let bare = Array2::from_shape_fn(look.trusted.dim(), |at| !body.first_hides(view, &look, at));
                    look.trusted = bare;
                }
                self.looks[camera].get_or_init(|| look)
            }
        };
        let positions = states.positions_mm(simulation_time_s)?;
        let alive = states.alive(simulation_time_s)?;
        let skin = alive.map_or_else(|| Cow::Borrowed(&self.skin), |alive| Cow::Owned(self.skin.of_living(&alive)));
        let predicted = predict(view, &skin, &positions, look);
        Ok(shown_to_people(view, &skin, &predicted, look, impactor.as_ref()))
    }
}

fn encode(picture: &Array2<f32>, order: &PictureOrder) -> Result<Vec<u8>, ServiceError> {
    let (h, w) = picture.dim();
    let bytes: Vec<u8> = picture.iter().map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
    let mut grey = GrayImage::from_raw(w as u32, h as u32, bytes).expect("the size is the picture's, else a bug");
    if let Some(width) = order.width.map(|x| x.clamp(16, WIDEST)).filter(|x| *x != w as u32) {
        let height = (f64::from(width) * h as f64 / w as f64).round().max(1.0) as u32;
        grey = image::imageops::resize(&grey, width, height, FilterType::Triangle);
    }
    let mut out = Vec::new();
    if order.png {
        grey.write_to(&mut Cursor::new(&mut out), ImageFormat::Png)?;
    } else {
        JpegEncoder::new_with_quality(&mut out, JPEG_QUALITY).encode_image(&grey)?;
    }
    Ok(out)
}
