//! The impactor: a rigid body that the film shows and no mesh contains.
//!
//! What it hides must not pass for the specimen, and what it touches moves with it. Where the simulation tells of a
//! cylinder, [`FilmedImpactor`] finds it in the film: its place and length from what moves as it would (`fit`) and
//! from its outline (`outline`), its way from frame to frame from its own surface (`travel`). Its image then hides
//! pixels, and its way says where the surface is that it pushes, which no camera sees (`contact`). Where the
//! simulation tells nothing, `look` separates it by motion and look.

mod approach;
mod contact;
mod fit;
mod look;
mod outline;
mod travel;

use ndarray::Array2;

use self::approach::{Approach, Place};
use self::contact::contacts;
use self::fit::fit_to_motion;
use self::outline::fit_to_outline;
use self::travel::{Travel, follow};
use super::lift::Sighting;
use super::measure::CameraTrack;
use super::session::{ReviewSetup, ReviewSource, SessionError};
use super::timeline::Moment;
use crate::geom::{Cylinder, PinholeView};

pub(in crate::review) use look::trusted_beside_impactor;

/// The simulation's impactor, found again in the film.
pub(super) struct FilmedImpactor<'a> {
    approach: Approach<'a>,
    place: Place,
    /// Its way at each moment; `None` where it was not seen well enough.
    travel: Vec<Option<Travel>>,
}

impl<'a> FilmedImpactor<'a> {
    /// Looks for the impactor that the simulation tells of; `None` where it tells of none, or where the film does not
    /// show it clearly.
    ///
    /// # Errors
    /// When a picture cannot be read or worked on, or the caller stops.
    pub(super) fn find(
        setup: &ReviewSetup<'a>,
        source: &dyn ReviewSource,
        undeformed: &[[f32; 3]],
        moments: &[Moment],
        tracks: &[CameraTrack],
        offset_s: f64,
    ) -> Result<Option<Self>, SessionError> {
        let Some(impactor) = setup.impactor else { return Ok(None) };
        let approach = Approach::new(impactor, setup.skin, undeformed);
        let Some(moved) = fit_to_motion(setup, source, moments, tracks, &approach, offset_s)? else { return Ok(None) };
        let place = fit_to_outline(source, moments, tracks, &approach, &moved, offset_s)?;
        let travel = follow(source, moments, tracks, &approach, &place, offset_s)?;
        tracing::info!(?place, seen = travel.iter().flatten().count(), "the impactor is in the film");
        Ok(Some(Self { approach, place, travel }))
    }

    /// Its image in frame 0, a few pixels larger: that look is not the specimen's.
    pub(super) fn hides_at_first(&self, track: &CameraTrack) -> Array2<bool> {
        hidden_by(&self.approach.filmed(&self.place), track)
    }

    /// Its image at moment `index`; `None` where it was not seen.
    pub(super) fn hides(&self, index: usize, track: &CameraTrack) -> Option<Array2<bool>> {
        let way = self.approach.direction() * self.travel[index]?.way_mm;
        Some(hidden_by(&self.approach.filmed(&self.place).moved(way), track))
    }

    /// What it says at moment `index` of the surface that it touches: that surface is where the impactor is.
    /// `offset_s` is the trigger's; `expected_mm` is where the nodes are expected, `simulated_mm` where the simulation
    /// has them.
    pub(super) fn contacts(
        &self,
        moments: &[Moment],
        index: usize,
        offset_s: f64,
        simulated_mm: &[[f32; 3]],
        expected_mm: &[[f32; 3]],
    ) -> Vec<Sighting> {
        let Some(travel) = self.travel[index] else { return Vec::new() };
        // Simulation time 0 is the contact, wherever the impactor was in frame 0.
        let since_contact = travel.way_mm - travel::at_time(moments, &self.travel, -offset_s);
        let way = self.approach.direction() * since_contact;
        let here = self.approach.touching(self.place.lateral_mm).moved(way);
        let simulated = self.approach.simulated(moments[index].time_s + offset_s);
        contacts(&simulated, &here, self.approach.direction(), travel.sigma_mm, simulated_mm, expected_mm)
    }
}

/// The pixels of a camera that show the cylinder, grown by a few pixels.
fn hidden_by(cylinder: &Cylinder, track: &CameraTrack) -> Array2<bool> {
    /// Half a patch: from there on a patch shows mostly what lies beside.
    const MARGIN_PX: usize = 6;
    look::grown(&image_of(cylinder, &track.view), MARGIN_PX)
}

/// The pixels of a view's canvas that show the cylinder.
fn image_of(cylinder: &Cylinder, view: &PinholeView) -> Array2<bool> {
    let camera = &view.camera;
    Array2::from_shape_fn((camera.height, camera.width), |(r, c)| {
        cylinder.seen_at(camera, r as f64, c as f64).is_some()
    })
}
