//! What a report is made from.

use ndarray::Array2;

use super::ReportError;
use crate::domain::{FrameField, Mesh, Review, TargetMark};
use crate::geom::{Camera, Skin};

/// What a source of pictures reports when it fails.
pub type SourceError = Box<dyn std::error::Error + Send + Sync>;

/// Gives the report the few pictures and shapes that it shows, one at a time.
pub trait PictureSource {
    /// The picture `frame` of camera `camera` (index in [`ReportInput::cameras`]): luminance 0–1, `[height, width]`,
    /// as filmed, lens included.
    ///
    /// # Errors
    /// Whatever keeps the picture from being read.
    fn picture(&self, camera: usize, frame: usize) -> Result<Array2<f32>, SourceError>;

    /// Node positions of the simulation in mm at the time of `fields[field]`.
    ///
    /// # Errors
    /// Whatever keeps the positions from being read.
    fn positions_mm(&self, field: usize) -> Result<Vec<[f32; 3]>, SourceError>;

    /// Node positions in mm before the crash.
    ///
    /// # Errors
    /// Whatever keeps the positions from being read.
    fn undeformed_mm(&self) -> Result<Vec<[f32; 3]>, SourceError>;
}

/// A camera as the report shows it.
#[derive(Debug, Clone)]
pub struct ReportCamera<'a> {
    /// Name in the test record.
    pub name: &'a str,
    /// The camera with its lens at its refined pose.
    pub camera: Camera,
    /// Film times of its frames, s.
    pub times_s: &'a [f64],
    /// For each frame the index in [`ReportInput::fields`]; `None` for a frame that was not reviewed.
    pub field_of_frame: Vec<Option<usize>>,
    /// Its reference targets, in the order of the alignment's residuals; may be empty.
    pub targets: &'a [TargetMark],
}

/// Everything that a report shows.
#[derive(Clone)]
pub struct ReportInput<'a> {
    /// The answer.
    pub review: &'a Review,
    /// The mesh.
    pub mesh: &'a Mesh,
    /// Its skin.
    pub skin: &'a Skin,
    /// The measured field by film time, rising.
    pub fields: &'a [FrameField],
    /// The flag of each element at the time of each field, 0 for none.
    pub flag_ids: &'a [Vec<u32>],
    /// The cameras.
    pub cameras: Vec<ReportCamera<'a>>,
    /// Pictures and shapes.
    pub source: &'a dyn PictureSource,
}

impl ReportInput<'_> {
    /// Checks that all arrays fit, so that no plot needs to.
    pub(super) fn check(&self) -> Result<(), ReportError> {
        let expect = |what: String, found: usize, expected: usize| {
            if found == expected { Ok(()) } else { Err(ReportError::Length { what, found, expected }) }
        };
        let (nodes, elements) = (self.mesh.node_count, self.mesh.element_count());
        expect("the list of flag ids by film time".to_owned(), self.flag_ids.len(), self.fields.len())?;
        for (i, (field, ids)) in self.fields.iter().zip(self.flag_ids).enumerate() {
            expect(format!("the deviation at film time {i}"), field.deviation_mm.len(), nodes)?;
            expect(format!("the sigma at film time {i}"), field.sigma_mm.len(), nodes)?;
            expect(format!("the flag ids at film time {i}"), ids.len(), elements)?;
        }
        for camera in &self.cameras {
            let what = format!("the list of fields by frame of camera {}", camera.name);
            expect(what, camera.field_of_frame.len(), camera.times_s.len())?;
            if let Some(field) = camera.field_of_frame.iter().flatten().find(|f| **f >= self.fields.len()) {
                let what = format!("the list of fields, of which camera {} names number {field},", camera.name);
                return Err(ReportError::Length { what, found: self.fields.len(), expected: field + 1 });
            }
        }
        Ok(())
    }
}
