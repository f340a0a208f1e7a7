//! Which pixels of frame 0 may lend their look: not those that show something in front of the specimen.

use ndarray::{Array2, Zip};

use super::foreign::{both, trusted_at_rest};
use super::impactor::{FilmedImpactor, trusted_beside_impactor};
use super::measure::CameraTrack;
use super::session::{ReviewSetup, ReviewSource, SessionError, load_pictures};
use super::timeline::Moment;
use crate::geom::NO_TRIANGLE;
use crate::vision::Appearance;

/// Takes the trust from the pixels of frame 0 that show something else than the specimen; true when there are many.
pub(super) fn distrust_what_moves(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    moments: &[Moment],
    quiet: &[bool],
    tracks: &mut [CameraTrack],
) -> Result<bool, SessionError> {
    let mut many = false;
    for (moment, _) in moments.iter().zip(quiet).filter(|(_, quiet)| **quiet) {
        let pictures = load_pictures(source, tracks, moment)?;
        for (p, (_, frame)) in pictures.into_iter().zip(&moment.frames) {
            if *frame == 0 {
                continue;
            }
            let first = &mut tracks[p.camera].first;
            let covered = first.raster.triangle.mapv(|t| t != NO_TRIANGLE);
            let at_rest = trusted_at_rest(&first.picture, &p.picture, &covered, setup.estimator)?;
            many |= distrust(first, &covered, &at_rest);
        }
    }
    Ok(many)
}

/// The same for an impactor that was found in the film.
pub(super) fn distrust_image(impactor: &FilmedImpactor<'_>, tracks: &mut [CameraTrack]) -> bool {
    let mut many = false;
    for track in tracks {
        let trusted = impactor.hides_at_first(track).mapv(|hidden| !hidden);
        let covered = track.first.raster.triangle.mapv(|t| t != NO_TRIANGLE);
        many |= distrust(&mut track.first, &covered, &trusted);
    }
    many
}

/// The same for an impactor that rests until the contact: it is found in the first frames in which it has moved.
pub(super) fn distrust_impactor(
    setup: &ReviewSetup<'_>,
    source: &dyn ReviewSource,
    moments: &[Moment],
    quiet: &[bool],
    tracks: &mut [CameraTrack],
) -> Result<bool, SessionError> {
    /// Frames after the first contact that are looked at.
    const LOOKED_AT: usize = 6;
    let mut done = vec![false; tracks.len()];
    let mut many = false;
    let after = moments.iter().zip(quiet).filter(|(_, quiet)| !**quiet).map(|(m, _)| m);
    for moment in after.take(LOOKED_AT) {
        if done.iter().all(|d| *d) {
            break;
        }
        for p in load_pictures(source, tracks, moment)? {
            if done[p.camera] {
                continue;
            }
            let first = &mut tracks[p.camera].first;
            let covered = first.raster.triangle.mapv(|t| t != NO_TRIANGLE);
            if let Some(trusted) = trusted_beside_impactor(&first.picture, &p.picture, &covered, setup.estimator)? {
                done[p.camera] = true;
                many |= distrust(first, &covered, &trusted);
            }
        }
    }
    Ok(many)
}

/// Takes the trust from what `trusted` leaves out; true when that is a noticeable share of the mesh's pixels, so that
/// a second look at the trigger is worth its time.
fn distrust(first: &mut Appearance, covered: &Array2<bool>, trusted: &Array2<bool>) -> bool {
    const NOTICEABLE: f64 = 0.005;
    let lost = Zip::from(trusted).and(covered).fold(0usize, |n, trusted, c| n + usize::from(*c && !*trusted));
    both(&mut first.trusted, trusted);
    lost as f64 > NOTICEABLE * first.raster.covered() as f64
}
