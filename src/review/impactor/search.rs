//! The search for the impactor in a film that may still be arriving.

use super::super::begin::Film;
use super::super::measure::CameraTrack;
use super::super::session::SessionError;
use super::FilmedImpactor;

/// The search for the impactor in a film that may still be arriving.
#[derive(Default)]
pub(in crate::review) struct ImpactorSearch<'a> {
    pub(in crate::review) found: Option<FilmedImpactor<'a>>,
    /// So many moments were there when it was looked for.
    looked_at: usize,
}

impl<'a> ImpactorSearch<'a> {
    /// Looks for it in the first `arrived` moments.
    pub(in crate::review) fn look(
        &mut self,
        film: &Film<'_, 'a>,
        tracks: &[CameraTrack],
        offset_s: f64,
        arrived: usize,
    ) -> Result<(), SessionError> {
        self.looked_at = arrived.clamp(1, film.moments.len());
        let there = &film.moments[..self.looked_at];
        self.found = FilmedImpactor::find(film.setup, film.source, film.undeformed, there, tracks, offset_s)?;
        Ok(())
    }

    /// Looks again when a quarter more of the film is there than last time; true when it was not found before and is now.
    pub(in crate::review) fn finds_it_now(
        &mut self,
        film: &Film<'_, 'a>,
        tracks: &[CameraTrack],
        offset_s: f64,
        arrived: usize,
    ) -> Result<bool, SessionError> {
        let more = self.looked_at + (self.looked_at / 4).max(2);
        if self.found.is_some() || film.setup.impactor.is_none() || arrived.min(film.moments.len()) < more {
            return Ok(false);
        }
        self.look(film, tracks, offset_s, arrived)?;
        Ok(self.found.is_some())
    }
}
