//! What the plots draw from: the input with the few pictures and shapes already read.
//!
//! Reading is done here, one after the other; the plots then only compute and can be drawn side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::Array2;

use super::ReportError;
use super::input::{ReportCamera, ReportInput};
use super::palette::nice_above;
use super::surface::{NOTHING, NodeValues, Window, measured_positions, surface_map};
use crate::domain::{Flag, FrameField, Mesh, Review, Verdict};
use crate::geom::Skin;

/// Frames that the strip around an onset shows.
pub(super) const STRIP_FRAMES: usize = 5;
/// Mismatches that get a strip of their own.
const STRIPS: usize = 2;

/// One frame with the shape that the simulation had then.
#[derive(Debug, Clone)]
pub(super) struct Shot {
    pub camera: usize,
    pub frame: usize,
    /// `None` for a frame that was not reviewed.
    pub field: Option<usize>,
    pub picture: Arc<Array2<f32>>,
    /// Positions of the simulation, mm; empty without a field.
    pub positions_mm: Arc<Vec<[f32; 3]>>,
}

/// An overlay to draw and why this frame was chosen.
#[derive(Debug, Clone)]
pub(super) struct OverlayShot {
    pub shot: Shot,
    /// `peak` or `last`: part of the file's name.
    pub moment: &'static str,
}

/// A strip to draw.
#[derive(Debug, Clone)]
pub(super) struct StripShots<'a> {
    pub flag: &'a Flag,
    pub shots: Vec<Shot>,
}

/// The input without its source of pictures, and what was read from it.
pub(super) struct Scene<'a> {
    pub review: &'a Review,
    pub mesh: &'a Mesh,
    pub skin: &'a Skin,
    pub fields: &'a [FrameField],
    pub flag_ids: &'a [Vec<u32>],
    pub cameras: &'a [ReportCamera<'a>],
    pub undeformed_mm: Vec<[f32; 3]>,
    pub overlays: Vec<OverlayShot>,
    pub strips: Vec<StripShots<'a>>,
    /// The first frame of each camera, by camera.
    pub first_frames: Vec<Shot>,
    /// End of the colour scale, mm; the same in all plots, so that colours compare.
    pub top_mm: f64,
}

impl<'a> Scene<'a> {
    pub(super) fn read(input: &'a ReportInput<'a>) -> Result<Self, ReportError> {
        let mut reader = Reader { input, pictures: BTreeMap::new(), positions: BTreeMap::new() };
        let worst = input.review.flags.iter().find(|f| f.verdict == Verdict::Mismatch);
        let mut overlays = Vec::new();
        let mut first_frames = Vec::new();
        for (index, camera) in input.cameras.iter().enumerate().filter(|(_, c)| !c.times_s.is_empty()) {
            first_frames.push(reader.shot(index, 0)?);
            let Some(last) = camera.field_of_frame.iter().rposition(Option::is_some) else { continue };
            let peak = worst.and_then(|f| nearest_reviewed(camera, f.peak_s)).filter(|frame| *frame != last);
            if let Some(frame) = peak {
                overlays.push(OverlayShot { shot: reader.shot(index, frame)?, moment: "peak" });
            }
            overlays.push(OverlayShot { shot: reader.shot(index, last)?, moment: "last" });
        }
        let mut strips = Vec::new();
        for flag in input.review.flags.iter().filter(|f| f.verdict == Verdict::Mismatch).take(STRIPS) {
            if let Some(shots) = reader.strip(flag)? {
                strips.push(StripShots { flag, shots });
            }
        }
        let undeformed_mm = input
            .source
            .undeformed_mm()
            .map_err(|source| ReportError::Source { what: "the undeformed shape".to_owned(), source })?;
        expect_nodes("the undeformed shape", undeformed_mm.len(), input.mesh.node_count)?;
        Ok(Self {
            review: input.review,
            mesh: input.mesh,
            skin: input.skin,
            fields: input.fields,
            flag_ids: input.flag_ids,
            cameras: &input.cameras,
            undeformed_mm,
            overlays,
            strips,
            first_frames,
            top_mm: scale_top_mm(input.fields, input.review.tolerance.default_mm),
        })
    }

    /// For each element the "cannot tell" that a picture shows there, 0 for none: the flag is in that picture, and at that
    /// time the element was not measured or its doubt is above the tolerance.
    pub(super) fn undecided(&self, shot: &Shot) -> Vec<u32> {
        let mut ids = vec![0; self.mesh.element_count()];
        let Some(field) = shot.field.map(|f| &self.fields[f]) else { return ids };
        let camera = self.cameras[shot.camera].name;
        let in_picture = |f: &&Flag| {
            f.verdict == Verdict::CannotTell && f.bbox_px.get(camera).is_some_and(|b| b.contains_key(&shot.frame))
        };
        for flag in self.review.flags.iter().filter(in_picture) {
            let tolerance_mm = self.review.tolerance.of_mm(flag.part_id);
            for element in flag.element_ids.iter().map(|e| *e as usize) {
                let Some(id) = ids.get_mut(element) else { continue };
                let nodes = self.mesh.nodes_of(element);
                let sum: f64 = nodes.iter().map(|n| f64::from(field.sigma_mm[*n as usize])).sum();
                let sigma_mm = sum / nodes.len().max(1) as f64;
                if sigma_mm.is_nan() || sigma_mm > tolerance_mm {
                    *id = flag.id.0;
                }
            }
        }
        ids
    }

    /// True for a flag id that stands for a mismatch, false for "cannot tell".
    pub(super) fn is_mismatch(&self, id: u32) -> bool {
        self.review.flags.iter().find(|f| f.id.0 == id).is_none_or(|f| f.verdict == Verdict::Mismatch)
    }
}

/// Reads each picture and each shape once.
struct Reader<'a> {
    input: &'a ReportInput<'a>,
    pictures: BTreeMap<(usize, usize), Arc<Array2<f32>>>,
    positions: BTreeMap<usize, Arc<Vec<[f32; 3]>>>,
}

impl Reader<'_> {
    fn shot(&mut self, camera: usize, frame: usize) -> Result<Shot, ReportError> {
        let (view, source) = (&self.input.cameras[camera], self.input.source);
        let picture = if let Some(known) = self.pictures.get(&(camera, frame)) {
            Arc::clone(known)
        } else {
            let what = format!("frame {frame} of camera {}", view.name);
            let read = source.picture(camera, frame);
            let picture = Arc::new(read.map_err(|source| ReportError::Source { what: what.clone(), source })?);
            let (expected, found) = (view.camera.width * view.camera.height, picture.len());
            if found != expected || found == 0 {
                return Err(ReportError::Length { what, found, expected });
            }
            self.pictures.insert((camera, frame), Arc::clone(&picture));
            picture
        };
        let field = view.field_of_frame[frame];
        let positions_mm = match field {
            Some(field) => self.positions(field)?,
            None => Arc::new(Vec::new()),
        };
        Ok(Shot { camera, frame, field, picture, positions_mm })
    }

    fn positions(&mut self, field: usize) -> Result<Arc<Vec<[f32; 3]>>, ReportError> {
        if let Some(known) = self.positions.get(&field) {
            return Ok(Arc::clone(known));
        }
        let what = format!("the simulation's positions at film time {field}");
        let read = self.input.source.positions_mm(field);
        let positions = Arc::new(read.map_err(|source| ReportError::Source { what: what.clone(), source })?);
        expect_nodes(&what, positions.len(), self.input.mesh.node_count)?;
        self.positions.insert(field, Arc::clone(&positions));
        Ok(positions)
    }

    /// Frames around the flag's onset from the camera that shows most of the flag; `None` without a camera.
    fn strip(&mut self, flag: &Flag) -> Result<Option<Vec<Shot>>, ReportError> {
        let mut best: Option<(usize, usize)> = None;
        for index in 0..self.input.cameras.len() {
            let shown = self.shown_px(index, flag)?;
            if best.is_none_or(|(_, most)| shown > most) {
                best = Some((index, shown));
            }
        }
        let Some((index, _)) = best else { return Ok(None) };
        let camera = &self.input.cameras[index];
        let reviewed: Vec<usize> = (0..camera.times_s.len()).filter(|f| camera.field_of_frame[*f].is_some()).collect();
        if reviewed.is_empty() {
            return Ok(None);
        }
        // The first frame at or after the onset stands in the middle, as far as the film allows.
        let onset = reviewed.partition_point(|f| camera.times_s[*f] < flag.onset_s - 1e-9);
        let count = STRIP_FRAMES.min(reviewed.len());
        let first = onset.saturating_sub(count / 2).min(reviewed.len() - count);
        reviewed[first..first + count].iter().map(|f| self.shot(index, *f)).collect::<Result<Vec<_>, _>>().map(Some)
    }
}

impl Reader<'_> {
    /// How many pixels of a camera's picture show the flag when it is largest: its box says where it is, but other
    /// surfaces may lie in front of it.
    fn shown_px(&mut self, camera: usize, flag: &Flag) -> Result<usize, ReportError> {
        let view = &self.input.cameras[camera];
        let boxed = flag.bbox_px.contains_key(view.name);
        let field = nearest_reviewed(view, flag.peak_s).and_then(|frame| view.field_of_frame[frame]);
        let Some(field) = field.filter(|_| boxed) else { return Ok(0) };
        let positions = self.positions(field)?;
        let field = &self.input.fields[field];
        let positions = measured_positions(self.input.skin, &positions, field);
        let window = Window::whole(&view.camera, view.camera.width, view.camera.height);
        let map = surface_map(&view.camera, &window, self.input.skin, &positions, &NodeValues::of(field));
        let mut of_flag = vec![false; self.input.mesh.element_count()];
        for element in &flag.element_ids {
            if let Some(mark) = of_flag.get_mut(*element as usize) {
                *mark = true;
            }
        }
        // Of two cameras that show as much, the one that really sees it.
        let weight = if flag.cameras.iter().any(|name| name == view.name) { 2 } else { 1 };
        Ok(weight * map.element.iter().filter(|e| **e != NOTHING && of_flag[**e as usize]).count())
    }
}

fn expect_nodes(what: &str, found: usize, expected: usize) -> Result<(), ReportError> {
    if found == expected {
        return Ok(());
    }
    Err(ReportError::Length { what: what.to_owned(), found, expected })
}

/// The reviewed frame nearest in time.
fn nearest_reviewed(camera: &ReportCamera<'_>, time_s: f64) -> Option<usize> {
    let far = |frame: &usize| (camera.times_s[*frame] - time_s).abs();
    let reviewed = (0..camera.times_s.len()).filter(|f| camera.field_of_frame[*f].is_some());
    reviewed.min_by(|a, b| far(a).total_cmp(&far(b)))
}

/// End of the colour scale: just above the 99.5th percentile of the largest deviations, and above the tolerance.
fn scale_top_mm(fields: &[FrameField], tolerance_mm: f64) -> f64 {
    let percentile = |field: &FrameField| {
        let mut all: Vec<f32> =
            (0..field.deviation_mm.len()).map(|n| field.magnitude_mm(n)).filter(|m| m.is_finite()).collect();
        all.sort_unstable_by(f32::total_cmp);
        all.get(all.len() * 995 / 1000).copied().map_or(0.0, f64::from)
    };
    let largest = fields.iter().map(percentile).fold(0.0, f64::max).max(1.5 * tolerance_mm);
    let step = nice_above(largest / 6.0);
    (largest / step).ceil() * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_ends_at_a_round_value_above_the_tolerance() {
        let field = |mm: f32| FrameField {
            time_s: 0.0,
            deviation_mm: vec![[mm, 0.0, 0.0]; 10],
            sigma_mm: vec![0.1; 10],
            observed: vec![1; 10],
        };
        assert_eq!(scale_top_mm(&[field(11.3)], 5.0), 12.0);
        assert_eq!(scale_top_mm(&[field(0.01)], 5.0), 8.0);
        assert_eq!(scale_top_mm(&[field(f32::NAN)], 2.0), 3.0);
    }
}
