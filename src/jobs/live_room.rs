//! Where the frames of a live test arrive: each is on disk before it is acknowledged, so that none is lost.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::live_camera::LiveCamera;
use super::live_film::{LiveFilm, find_frame};
use super::live_review::review_live;
use super::read_upload::CameraSummary;
use super::service_error::ServiceError;
use super::workshop::Workshop;
use crate::domain::CameraRecord;
use crate::review::Moment;
use crate::store::{Live, NewLive, StoreError};

/// A frame belongs to the announced time that is nearer than this, s.
const SAME_TIME_S: f64 = 2e-5;
/// Latencies that are kept for the percentiles.
const KEPT_LATENCIES: usize = 4096;

/// All live tests that receive frames.
#[derive(Clone)]
pub struct Lives {
    shop: Arc<Workshop>,
    rooms: Arc<Mutex<HashMap<String, Arc<Room>>>>,
}

/// One live test.
pub struct Room {
    /// Its row as it was when it was opened: the ids.
    pub row: Live,
    /// Its name.
    pub name: String,
    pub(super) film: LiveFilm,
    state: Mutex<RoomState>,
    /// By camera: whoever writes a frame of it.
    turns: Vec<Mutex<()>>,
    arrived: Condvar,
    stopped: AtomicBool,
}

/// What a room knows at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct RoomState {
    /// Arrival of each frame, by camera and index.
    pub(super) arrivals: Vec<Vec<Option<Instant>>>,
    pub(super) received: usize,
    pub(super) reviewed: usize,
    pub(super) flagged: usize,
    pub(super) behind: usize,
    pub(super) last_time_s: Option<f64>,
    pub(super) rate_note: Option<String>,
    pub(super) ended: bool,
    latencies_s: Vec<f64>,
}

/// How a live test stands.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveStatus {
    /// Frames that arrived.
    pub received: usize,
    /// Frames that were announced.
    pub expected: usize,
    /// Frames that were reviewed as they arrived.
    pub reviewed: usize,
    /// Flags so far.
    pub flagged: usize,
    /// Frames left for the review after the end.
    pub behind: usize,
    /// Where not all frames are reviewed at once: at which rate they are.
    pub rate_note: Option<String>,
    /// Film time of the newest reviewed frame, s.
    pub last_time_s: Option<f64>,
    /// No more frames come.
    pub ended: bool,
    /// Median from a frame's arrival to its flags in the store, ms.
    pub p50_ms: Option<f64>,
    /// 99th percentile of it, ms.
    pub p99_ms: Option<f64>,
}

/// A frame as it arrives.
pub struct NewFrame {
    /// The camera's name.
    pub camera: String,
    /// When it was taken, s after the trigger.
    pub time_s: f64,
    /// PNG, JPEG, or bare 8-bit grey.
    pub bytes: bytes::Bytes,
}

impl Lives {
    /// No test is live yet.
    #[must_use]
    pub fn new(shop: Arc<Workshop>) -> Self {
        Self { shop, rooms: Arc::default() }
    }

    /// Begins a live test.
    ///
    /// # Errors
    /// For cameras that cannot be, when there are enough live tests already, when the store fails.
    pub async fn begin(
        &self,
        name: String,
        campaign_id: String,
        simulation_id: String,
        cameras: Vec<LiveCamera>,
        tolerance_mm: f64,
    ) -> Result<Arc<Room>, ServiceError> {
        let records: Vec<CameraRecord> = cameras.iter().map(LiveCamera::record).collect::<Result<_, _>>()?;
        if records.is_empty() || records.len() > 64 {
            return Err(ServiceError::Refused { what: format!("found {} cameras, expected 1 to 64", records.len()) });
        }
        if let Some(twice) = records.iter().enumerate().find(|(i, c)| records[..*i].iter().any(|o| o.name == c.name)) {
            return Err(ServiceError::Refused { what: format!("two cameras are called {:?}", twice.1.name) });
        }
        let most = self.shop.settings.max_live;
        if self.rooms().len() >= most {
            let what = format!("{most} tests are live already (setting max_live): come again when one has ended");
            return Err(ServiceError::Busy { what });
        }
        let json = |v: &dyn erased_json::Json| v.text();
        let new = NewLive {
            name: name.clone(),
            campaign_id,
            simulation_id,
            cameras: json(&summaries(&records, &vec![Vec::new(); records.len()])),
            records: json(&cameras),
            tolerance_mm,
        };
        let row = self.shop.store.begin_live(&new).await?;
        self.open(row, name)
    }

    /// The room of a live test that receives; opened again from disk where the program was restarted.
    ///
    /// # Errors
    /// When there is no such live test, or it has ended.
    pub async fn room(&self, id: &str) -> Result<Arc<Room>, ServiceError> {
        if let Some(room) = self.rooms().get(id) {
            return Ok(Arc::clone(room));
        }
        let row = self.shop.store.live(id).await?;
        if row.state != "receiving" {
            return Err(ServiceError::Refused { what: format!("live test {id} has ended: it takes no more frames") });
        }
        let name = self.shop.store.test(&row.test_id).await?.name;
        self.open(row, name)
    }

    /// The room, when it is open.
    #[must_use]
    pub fn open_room(&self, id: &str) -> Option<Arc<Room>> {
        self.rooms().get(id).cloned()
    }

    /// The frames of a live test, also after its end.
    ///
    /// # Errors
    /// When there is no such live test.
    pub(super) async fn film(&self, id: &str) -> Result<LiveFilm, ServiceError> {
        LiveFilm::open(&self.shop.store.live(id).await?, self.shop.folders.live(id))
    }

    /// Opens the rooms of all tests that were live when the program ended.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn reopen(&self) -> Result<(), ServiceError> {
        for row in self.shop.store.receiving_lives().await? {
            // One that cannot be opened must not keep the service from starting; its next frame says why.
            if let Err(e) = self.room(&row.id).await {
                tracing::error!(live = %row.id, error = %e.told(), "a live test could not be opened again");
            }
        }
        Ok(())
    }

    /// Ends all rooms' threads; their frames stay.
    pub fn stop(&self) {
        for room in self.rooms().values() {
            room.stopped.store(true, Ordering::SeqCst);
            room.arrived.notify_all();
        }
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<String, Arc<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, row: Live, name: String) -> Result<Arc<Room>, ServiceError> {
        let mut rooms = self.rooms();
        if let Some(room) = rooms.get(&row.id) {
            return Ok(Arc::clone(room));
        }
        let film = LiveFilm::open(&row, self.shop.folders.live(&row.id))?;
        let mut state = RoomState::default();
        for (index, camera) in film.cameras.iter().enumerate() {
            let place = film.place(index);
            std::fs::create_dir_all(&place).map_err(ServiceError::file("make the folder", &place))?;
            let here: Vec<Option<Instant>> =
                (0..camera.times_s.len()).map(|frame| find_frame(&place, frame).map(|_| Instant::now())).collect();
            state.received += here.iter().flatten().count();
            state.arrivals.push(here);
        }
        let room = Arc::new(Room {
            row,
            name,
            turns: film.cameras.iter().map(|_| Mutex::default()).collect(),
            film,
            state: Mutex::new(state),
            arrived: Condvar::new(),
            stopped: AtomicBool::new(false),
        });
        rooms.insert(room.row.id.clone(), Arc::clone(&room));
        drop(rooms);
        let (shop, watched) = (Arc::clone(&self.shop), Arc::clone(&room));
        let runtime = tokio::runtime::Handle::current();
        let started = std::thread::Builder::new().name("live".to_owned()).spawn(move || {
            if let Err(e) = review_live(&shop, &watched, &runtime) {
                tracing::error!(live = %watched.row.id, error = %e.told(), "the live review stopped; frames are kept");
                watched.lock().rate_note = Some(format!(
                    "the frames are kept and reviewed after the end; they cannot be reviewed as they arrive: {}",
                    e.told()
                ));
            }
        });
        started.map_err(ServiceError::file("start the thread of", Path::new("live")))?;
        Ok(room)
    }

    /// Ends a live test: its frames become a film, and the whole film is reviewed. A camera that sent nothing is left out;
    /// where none sent anything there is nothing to review.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end(&self, id: &str) -> Result<Live, ServiceError> {
        let row = self.shop.store.live(id).await?;
        if row.state != "receiving" {
            return Ok(row);
        }
        let room = self.room(id).await?;
        let state = room.finish();
        let here: Vec<Vec<f64>> = room.arrived_times(&state);
        if here.iter().all(Vec::is_empty) {
            let live = self.shop.store.abandon_live(id).await?;
            self.rooms().remove(id);
            return Ok(live);
        }
        let sent = room.film.announced.iter().zip(&here).enumerate().filter(|(_, (_, times))| !times.is_empty());
        for (index, (camera, times)) in sent {
            camera.write_camera_toml(&room.film.place(index), &room.name, times)?;
        }
        let cameras = erased_json::Json::text(&summaries(&room.film.cameras, &here));
        let reached = room.reached(&state);
        let live = self.shop.store.end_live(&reached, &cameras).await?;
        self.rooms().remove(id);
        Ok(live)
    }
}

/// Cameras as the test's page shows them, with the frames that are here.
pub(super) fn summaries(cameras: &[CameraRecord], here: &[Vec<f64>]) -> Vec<CameraSummary> {
    cameras
        .iter()
        .zip(here)
        .map(|(c, times)| CameraSummary {
            name: c.name.clone(),
            width: c.width,
            height: c.height,
            frames: times.len(),
            times_s: times.clone(),
        })
        .collect()
}

/// JSON of anything.
mod erased_json {
    pub(super) trait Json {
        fn text(&self) -> String;
    }

    impl<T: serde::Serialize> Json for T {
        fn text(&self) -> String {
            serde_json::to_string(self).expect("a record is JSON, else a bug")
        }
    }
}

impl Room {
    pub(super) fn lock(&self) -> MutexGuard<'_, RoomState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when the program ends.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Waits until something arrives, at most a while.
    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, RoomState>) -> MutexGuard<'a, RoomState> {
        self.arrived.wait_timeout(state, Duration::from_millis(500)).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Takes a frame in: it is on disk when this returns.
    ///
    /// # Errors
    /// For a camera or a time that was not announced, for bytes that are no such picture, and for another picture than
    /// the one that is here of that camera and time.
    pub fn take(&self, frame: &NewFrame) -> Result<usize, ServiceError> {
        let refused = |what: String| ServiceError::Refused { what };
        let camera = self.film.cameras.iter().position(|c| c.name == frame.camera).ok_or_else(|| {
            let known: Vec<&str> = self.film.cameras.iter().map(|c| c.name.as_str()).collect();
            refused(format!("found a frame of camera {:?}, announced were {}", frame.camera, known.join(", ")))
        })?;
        let record = &self.film.cameras[camera];
        // The nearest one: fast cameras take frames closer together than the tolerance.
        let off_s = |i: &usize| (record.times_s[*i] - frame.time_s).abs();
        let nearest = (0..record.times_s.len()).min_by(|a, b| off_s(a).total_cmp(&off_s(b)));
        let index = nearest.filter(|i| off_s(i) < SAME_TIME_S).ok_or_else(|| {
            refused(format!(
                "camera {:?}: found a frame at {} s, which is no announced time",
                record.name, frame.time_s
            ))
        })?;
        // One frame of a camera at a time: two different ones for one place must not both be taken.
        let _turn = self.turns[camera].lock().unwrap_or_else(PoisonError::into_inner);
        let (received, is_here) = {
            let state = self.lock();
            if state.ended {
                return Err(refused("the live test has ended: it takes no more frames".to_owned()));
            }
            (state.received, state.arrivals[camera][index].is_some())
        };
        if is_here {
            // Sent again because the answer was lost – or by a camera whose clock stands still.
            if self.film.holds(camera, index, &frame.bytes)? {
                return Ok(received);
            }
            let what = format!(
                "camera {:?}: another picture is here already for {} s; frames are not replaced, so check the times",
                record.name, frame.time_s
            );
            return Err(StoreError::Conflict { what }.into());
        }
        let path = self.write(camera, index, record, frame)?;
        let mut state = self.lock();
        if state.ended && state.arrivals[camera][index].is_none() {
            // The film was closed while this was written: it is not among its pictures, so it must not lie beside them.
            drop(state);
            let _ = std::fs::remove_file(&path);
            return Err(refused("the live test has ended: it takes no more frames".to_owned()));
        }
        if state.arrivals[camera][index].replace(Instant::now()).is_none() {
            state.received += 1;
        }
        let received = state.received;
        drop(state);
        self.arrived.notify_all();
        Ok(received)
    }

    fn write(
        &self,
        camera: usize,
        index: usize,
        record: &CameraRecord,
        frame: &NewFrame,
    ) -> Result<PathBuf, ServiceError> {
        let place = self.film.place(camera);
        let (w, h) = (record.width, record.height);
        let bare = frame.bytes.len() == w * h;
        let kind = if bare { None } else { image::guess_format(&frame.bytes).ok() };
        let ending = match kind {
            Some(image::ImageFormat::Jpeg) => "jpg",
            _ => "png",
        };
        let path = place.join(format!("f_{index:06}.{ending}"));
        let partial = place.join(format!(".f_{index:06}.{ending}.{}", crate::store::new_id()));
        if bare {
            let grey = image::GrayImage::from_raw(w as u32, h as u32, frame.bytes.to_vec());
            let grey = grey.expect("the number of bytes was compared, else a bug");
            grey.save_with_format(&partial, image::ImageFormat::Png)?;
        } else {
            let size = image::ImageReader::new(std::io::Cursor::new(&frame.bytes)).with_guessed_format();
            let size = size.ok().and_then(|r| r.into_dimensions().ok());
            if size != Some((w as u32, h as u32)) {
                let found = size.map_or_else(
                    || format!("{} bytes that are no PNG or JPEG", frame.bytes.len()),
                    |(a, b)| format!("a picture of {a} x {b} px"),
                );
                let what = format!(
                    "camera {:?}: found {found}, expected PNG or JPEG of {w} x {h} px, or {} bytes of bare grey",
                    record.name,
                    w * h
                );
                return Err(ServiceError::Refused { what });
            }
            std::fs::write(&partial, &frame.bytes).map_err(ServiceError::file("write", &partial))?;
        }
        std::fs::rename(&partial, &path).map_err(ServiceError::file("write", &path))?;
        Ok(path)
    }

    pub(super) fn arrived_times(&self, state: &RoomState) -> Vec<Vec<f64>> {
        let cameras = self.film.cameras.iter().zip(&state.arrivals);
        cameras
            .map(|(c, here)| c.times_s.iter().zip(here).filter(|(_, a)| a.is_some()).map(|(t, _)| *t).collect())
            .collect()
    }

    fn finish(&self) -> RoomState {
        let mut state = self.lock();
        state.ended = true;
        let copy = state.clone();
        drop(state);
        self.arrived.notify_all();
        copy
    }

    /// How the test stands.
    #[must_use]
    pub fn status(&self) -> LiveStatus {
        let state = self.lock();
        let [p50_ms, p99_ms] = state.percentiles_ms();
        LiveStatus {
            received: state.received,
            expected: self.film.cameras.iter().map(|c| c.times_s.len()).sum(),
            reviewed: state.reviewed,
            flagged: state.flagged,
            behind: state.behind,
            rate_note: state.rate_note.clone(),
            last_time_s: state.last_time_s,
            ended: state.ended,
            p50_ms,
            p99_ms,
        }
    }

    /// The row with the figures of `state`.
    pub(super) fn reached(&self, state: &RoomState) -> Live {
        let [p50_ms, p99_ms] = state.percentiles_ms();
        Live {
            received: state.received as i64,
            reviewed: state.reviewed as i64,
            rate_note: state.rate_note.clone(),
            last_time_s: state.last_time_s,
            p50_ms,
            p99_ms,
            ..self.row.clone()
        }
    }
}

impl RoomState {
    /// True when every frame of the moment has arrived.
    pub(super) fn has_all_of(&self, moment: &Moment) -> bool {
        moment.frames.iter().all(|(camera, frame)| self.arrivals[*camera][*frame].is_some())
    }

    /// Median and 99th percentile of the latencies, ms.
    fn percentiles_ms(&self) -> [Option<f64>; 2] {
        let mut sorted = self.latencies_s.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        [0.5, 0.99].map(|share| {
            let index = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
            sorted.get(index).map(|s| 1e3 * s)
        })
    }

    pub(super) fn note_latency(&mut self, seconds: f64) {
        if self.latencies_s.len() >= KEPT_LATENCIES {
            self.latencies_s.remove(0);
        }
        self.latencies_s.push(seconds);
    }
}
