//! Films that are still arriving: somebody looks on while they are measured.

use super::session::Measured;
use super::timeline::Moment;

/// Chooses the moments of a film and sees what was measured.
pub trait FilmWatch {
    /// How many of the film's moments are there, from the first on.
    fn arrived(&self) -> usize;

    /// Whether to leave `moment` out: its field will be missing, and the next one is tracked from the one before it. May
    /// wait until the moment's frames are there. Not asked for the first moments, which the trigger needs.
    fn skips(&mut self, moment: &Moment) -> bool;

    /// One more moment was measured; `so_far.moments` beyond its fields are still to come. `again` when it had been
    /// measured before, without the impactor, which came into view later.
    fn measured(&mut self, so_far: &Measured, again: bool);
}

/// A film that is all there: every moment, and nobody looks on.
pub(super) struct WholeFilm;

impl FilmWatch for WholeFilm {
    fn arrived(&self) -> usize {
        usize::MAX
    }

    fn skips(&mut self, _: &Moment) -> bool {
        false
    }

    fn measured(&mut self, _: &Measured, _: bool) {}
}
