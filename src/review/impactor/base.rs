//! The pictures in which the impactor is looked for, and from which its way is measured.

use ndarray::Array2;

use super::super::measure::CameraTrack;
use super::super::session::{ReviewSetup, ReviewSource, SessionError, load_pictures};
use super::super::timeline::Moment;
use crate::geom::{Raster, rasterise};

/// Distance from the mesh's outline at which a pixel surely shows something else, px: where the mesh lies as simulated
/// before the test, and where the test may have deviated from it.
const BESIDE_PX: [usize; 2] = [4, 14];

/// One camera's picture at a moment, with the mesh where the simulation has it.
#[derive(Clone)]
pub(super) struct BaseShot {
    pub(super) picture: Array2<f32>,
    pub(super) raster: Raster,
    /// So far beside the mesh a pixel surely shows something else, px.
    pub(super) margin_px: usize,
}

impl BaseShot {
    /// One a camera; `None` for a camera without a picture at that moment.
    pub(super) fn at(
        setup: &ReviewSetup<'_>,
        source: &dyn ReviewSource,
        base: usize,
        moments: &[Moment],
        tracks: &[CameraTrack],
        offset_s: f64,
    ) -> Result<Vec<Option<Self>>, SessionError> {
        if base == 0 {
            let first = |t: &CameraTrack| {
                Some(Self { picture: t.first.picture.clone(), raster: t.first.raster.clone(), margin_px: BESIDE_PX[0] })
            };
            return Ok(tracks.iter().map(first).collect());
        }
        let positions = source.simulated_mm(moments[base].time_s + offset_s).map_err(SessionError::Source)?;
        let mut shots = vec![None; tracks.len()];
        for p in load_pictures(source, tracks, &moments[base])? {
            let raster = rasterise(&tracks[p.camera].view.camera, setup.skin, &positions);
            shots[p.camera] = Some(Self { picture: p.picture, raster, margin_px: BESIDE_PX[1] });
        }
        Ok(shots)
    }
}
