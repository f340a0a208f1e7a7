//! Flags while the frames arrive: the same measurement as for a stored film, on a source that waits for its pictures.
//!
//! When frames come faster than they can be measured, the newest is measured and those before it are left to the review
//! of the whole film, which follows the end of every live test. The reached rate is stated in `rate_note`.
//!
//! Made ready before the first frame: the mesh, its skin, the simulation's states, the page's view of the mesh. With
//! frame 0, which is taken before the shot, come the poses and the look of the specimen. The picture that is compared
//! with a frame can be drawn only when the frame before it was measured, because it begins where that one ended (see
//! docs of `review`).

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ndarray::Array2;

use super::error::ReviewError;
use super::live_room::{Room, summaries};
use super::review_pair::new_flag;
use super::review_test::{Findings, striker};
use super::service_error::ServiceError;
use super::tolerances::ToleranceRequest;
use super::views;
use super::workshop::{Workshop, simulation_options};
use crate::blobs::BlobKey;
use crate::domain::{Tolerances, Verdict};
use crate::geom::Skin;
use crate::ingest::{SimulationFile, SimulationStates};
use crate::review::{
    FilmWatch, Judged, Measured, Moment, ReviewSetup, ReviewSource, SessionError, SourceError, judge_so_far,
    measure_deviation_watched,
};
use crate::store::NewFlag;
use crate::telemetry::names;

/// States are read before the first frame up to this size, else when they are needed.
const STATES_IN_MEMORY_BYTES: usize = 1 << 30;

/// No more frames come, or the program ends.
#[derive(Debug, thiserror::Error)]
#[error("the film ended")]
struct Ended;

/// The simulation, and pictures as they arrive.
struct ArrivingSource<'a> {
    states: SimulationStates<'a>,
    room: &'a Room,
}

impl ReviewSource for ArrivingSource<'_> {
    fn simulated_mm(&self, simulation_time_s: f64) -> Result<Vec<[f32; 3]>, SourceError> {
        Ok(self.states.positions_mm(simulation_time_s)?)
    }

    fn alive(&self, simulation_time_s: f64) -> Result<Option<Vec<bool>>, SourceError> {
        Ok(self.states.alive(simulation_time_s)?)
    }

    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError> {
        let mut state = self.room.lock();
        while state.arrivals[camera][frame].is_none() {
            if state.ended || self.room.is_stopped() {
                return Err(Ended.into());
            }
            state = self.room.wait(state);
        }
        drop(state);
        Ok(self.room.film.picture(camera, frame)?)
    }
}

/// Reviews a live test until its end.
///
/// # Errors
/// When the simulation or a frame cannot be read or compared; the frames stay for the review after the end.
pub(super) fn review_live(
    shop: &Arc<Workshop>,
    room: &Arc<Room>,
    runtime: &tokio::runtime::Handle,
) -> Result<(), ServiceError> {
    let folder = shop.folders.desk(&format!("live-{}", room.row.id));
    std::fs::create_dir_all(&folder).map_err(ServiceError::file("make the folder", &folder))?;
    let row = runtime.block_on(shop.store.simulation(&room.row.simulation_id))?;
    let simulation = SimulationFile::open(&shop.lay_out_simulation(&row, &folder)?, &simulation_options())?;
    let review = runtime.block_on(shop.store.review(&room.row.review_id))?;
    let tolerances = ToleranceRequest::uniform(review.tolerance_mm).resolve(simulation.mesh());
    let tolerances = tolerances.map_err(ReviewError::from)?;
    let estimator = (shop.make_estimator)().map_err(ServiceError::Estimator)?;
    let skin = Skin::from_mesh(simulation.mesh(), None);
    let mut states = SimulationStates::new(&simulation);
    states.read_ahead(STATES_IN_MEMORY_BYTES)?;
    let source = ArrivingSource { states, room };
    let setup = ReviewSetup {
        skin: &skin,
        node_count: simulation.mesh().node_count,
        state_times_s: simulation.times_s(),
        cameras: &room.film.cameras,
        impactor: striker(&simulation),
        estimator: estimator.as_ref(),
    };
    let moments = crate::review::moments(&room.film.cameras);
    let mut watch = Watch {
        shop,
        room,
        runtime,
        setup: &setup,
        source: &source,
        simulation: &simulation,
        tolerances: &tolerances,
        folder: &folder,
        coming: moments.iter().cloned().collect(),
        moments: &moments,
        begun: None,
        measured_moments: 0,
        working_since: None,
        worked: (0, 0.0),
        failed: None,
    };
    watch.show_mesh()?;
    // Waiting for frames must not hold the threads of the reviews that run beside it.
    let pool = rayon::ThreadPoolBuilder::new().thread_name(|i| format!("live-{i}")).build();
    let pool = pool.map_err(|e| ServiceError::file("start the threads of", &folder)(std::io::Error::other(e)))?;
    let ended = pool
        .install(|| measure_deviation_watched(&setup, &source, &mut |_| stop_when_ended(room), &mut watch).map(|_| ()));
    let failed = watch.failed.take();
    let _ = std::fs::remove_dir_all(&folder);
    match (ended, failed) {
        (_, Some(e)) => Err(e),
        (Ok(()) | Err(SessionError::Cancelled), None) => Ok(()),
        (Err(SessionError::Source(e)), None) if e.is::<Ended>() => Ok(()),
        (Err(e), None) => Err(e.into()),
    }
}

fn stop_when_ended(room: &Room) -> ControlFlow<()> {
    if room.is_stopped() || room.lock().ended { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Chooses the moments, and tells of each one that was measured.
struct Watch<'a> {
    shop: &'a Workshop,
    room: &'a Room,
    runtime: &'a tokio::runtime::Handle,
    setup: &'a ReviewSetup<'a>,
    source: &'a ArrivingSource<'a>,
    simulation: &'a SimulationFile,
    tolerances: &'a Tolerances,
    folder: &'a Path,
    /// The moments of the film.
    moments: &'a [Moment],
    /// Those that were not asked for yet.
    coming: VecDeque<Moment>,
    begun: Option<Instant>,
    measured_moments: usize,
    /// Since when the moment is worked on that was not left out.
    working_since: Option<Instant>,
    /// Moments that were worked on as they arrived, and how long that took, s.
    worked: (usize, f64),
    failed: Option<ServiceError>,
}

impl FilmWatch for Watch<'_> {
    fn arrived(&self) -> usize {
        let state = self.room.lock();
        self.moments.iter().take_while(|m| state.has_all_of(m)).count()
    }

    fn skips(&mut self, moment: &Moment) -> bool {
        self.coming.retain(|m| m.time_s > moment.time_s);
        let mut state = self.room.lock();
        loop {
            let newer = self.coming.iter().any(|m| state.has_all_of(m));
            // Frame 0 is where everything begins; of the others only the newest is worth the time.
            if newer && self.measured_moments > 0 {
                state.behind += moment.frames.len();
                metrics::counter!(names::LIVE_FRAMES, "became" => "behind").increment(moment.frames.len() as u64);
                return true;
            }
            if state.has_all_of(moment) {
                self.working_since = Some(Instant::now());
                return false;
            }
            if state.ended || self.room.is_stopped() {
                return true;
            }
            state = self.room.wait(state);
        }
    }

    fn measured(&mut self, so_far: &Measured, again: bool) {
        self.begun.get_or_insert_with(Instant::now);
        self.measured_moments += usize::from(!again);
        let newest = so_far.fields.last().map_or(f64::NEG_INFINITY, |f| f.time_s);
        self.coming.retain(|m| m.time_s > newest);
        if let Err(e) = self.tell(so_far, again) {
            tracing::warn!(live = %self.room.row.id, error = %e.told(), "a live frame's flags could not be told");
            self.failed = Some(e);
        }
        if let Some(since) = self.working_since.take().filter(|_| !again) {
            self.worked = (self.worked.0 + 1, self.worked.1 + since.elapsed().as_secs_f64());
        }
    }
}

impl Watch<'_> {
    fn tell(&mut self, so_far: &Measured, again: bool) -> Result<(), ServiceError> {
        let index = so_far.fields.len() - 1;
        let moment = &so_far.moments[index];
        let judged = judge_so_far(self.simulation.mesh(), self.setup, self.source, so_far, self.tolerances)?;
        let flags: Vec<NewFlag> = judged.flags.iter().map(new_flag).collect();
        let arrived = {
            let mut state = self.room.lock();
            state.reviewed += if again { 0 } else { moment.frames.len() };
            state.flagged = judged.flags.iter().filter(|f| f.verdict == Verdict::Mismatch).count();
            state.last_time_s = Some(moment.time_s);
            state.rate_note = (state.behind > 0).then(|| self.rate_note(state.behind));
            moment.frames.iter().filter_map(|(c, f)| state.arrivals[*c][*f]).max()
        };
        self.show(so_far, &judged, index)?;
        let state = self.room.lock().clone();
        let live = self.room.reached(&state);
        let cameras = serde_json::to_string(&summaries(&self.room.film.cameras, &self.room.arrived_times(&state)))
            .expect("cameras are JSON, else a bug");
        let total: usize = self.room.film.cameras.iter().map(|c| c.times_s.len()).sum();
        self.runtime.block_on(self.shop.store.live_progressed(&live, &cameras, total as i64, Some(&flags)))?;
        if again {
            return Ok(());
        }
        metrics::counter!(names::LIVE_FRAMES, "became" => "reviewed").increment(moment.frames.len() as u64);
        // What came before the trigger was known waited for a motion, not for this machine.
        if let Some(arrived) = arrived.filter(|a| self.begun.is_some_and(|begun| *a >= begun)) {
            let seconds = arrived.elapsed().as_secs_f64();
            metrics::histogram!(names::LIVE_SECONDS).record(seconds);
            self.room.lock().note_latency(seconds);
        }
        Ok(())
    }

    fn rate_note(&self, behind: usize) -> String {
        let left_out = format!("{behind} frames came while others were measured; they are reviewed after the end");
        match self.worked {
            (0, _) => left_out,
            (moments, seconds) => {
                let rate = moments as f64 / seconds.max(1e-3);
                format!("this machine measures {rate:.1} moments a second as they arrive; {left_out}")
            }
        }
    }

    fn show_mesh(&self) -> Result<(), ServiceError> {
        views::make_folder(self.folder)?;
        let undeformed = self.source.simulated_mm(self.simulation.times_s()[0]).map_err(SessionError::Source)?;
        let path = self.folder.join(views::MESH);
        views::write_mesh(&path, self.simulation.mesh(), self.setup.skin, &undeformed)?;
        self.put(views::MESH, &path)
    }

    /// The page's views of the newest moment.
    fn show(&self, so_far: &Measured, judged: &Judged, index: usize) -> Result<(), ServiceError> {
        let findings = Findings {
            mesh: self.simulation.mesh(),
            skin: self.setup.skin,
            cameras: &self.room.film.cameras,
            measured: so_far,
            flag_ids: &judged.flag_ids,
            offset_s: so_far.alignment.first().map_or(0.0, |a| a.time_offset_s),
            begin_s: self.simulation.times_s()[0],
            simulated_mm: &|at| Ok(self.source.states.positions_mm(at)?),
            strain: &|at| Ok(self.source.states.plastic_strain(at)?),
            alive: &|at| Ok(self.source.states.alive(at)?),
        };
        let state = self.folder.join(views::state_name(index));
        views::write_state(&state, &findings, index)?;
        self.put(&views::state_name(index), &state)?;
        // A region may grow into earlier moments when it joins another.
        for (moment, ids) in judged.flag_ids.iter().enumerate() {
            let path = self.folder.join(views::flags_name(moment));
            views::write_flags(&path, ids)?;
            self.put(&views::flags_name(moment), &path)?;
        }
        let notes =
            ["live: the flags rest on the moments so far; the whole film is reviewed again after the end".into()];
        views::write_result(self.folder, &findings, &judged.parts, &judged.noise_floor, &[], &notes)?;
        self.put(views::RESULT, &self.folder.join(views::RESULT))
    }

    fn put(&self, name: &str, path: &Path) -> Result<(), ServiceError> {
        let bytes = std::fs::read(path).map_err(ServiceError::file("read", path))?;
        let key = BlobKey::Result(self.room.row.review_id.clone(), name.to_owned());
        Ok(self.runtime.block_on(self.shop.blobs.put(&key, Bytes::from(bytes)))?)
    }
}
