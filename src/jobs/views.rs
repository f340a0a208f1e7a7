//! What the page shows of a finished review, in forms that a browser reads as they are.
//!
//! All numbers are little-endian.
//!
//! * `views/mesh.bin`: u32 nodes N, u32 triangles M, u32 elements E, u32 0, f32 undeformed\[3N\] in mm, u32 nodes of the
//!   triangles\[3M\], u32 element of each triangle\[M\], i32 part of each element\[E\], u32 id of each element\[E\] (what a
//!   flag's `element_ids` say).
//! * `views/state-00000.bin`, one a moment: f32 simulated\[3N\] in mm, f32 deviation\[3N\] in mm (NaN: not measured),
//!   f32 sigma\[N\] in mm, f32 plastic strain\[N\] (mean of the elements around a node, NaN: the file has none), u8 how many
//!   cameras measured the node\[N\] (0 with a deviation: it follows from a study or from the surroundings); where something
//!   has eroded, u8 1 for each element that is still there\[E\]. Views of earlier versions end before these bytes.
//! * `views/flags-00000.bin`, one a moment: u16 number of the flag of each element, 0 for none.
//! * `views/result.json`: [`ResultView`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use nalgebra::Vector3;
use serde::{Deserialize, Serialize};

use super::review_test::Findings;
use super::service_error::ServiceError;
use crate::domain::{CameraAlignment, CameraRecord, Mesh, NoiseFloor, PartSummary, SeenBody, WayPoint};
use crate::geom::{Camera, PinholeView, Skin, bracket};
use crate::vision::RigidBody;

/// A review in numbers, without its flags: those have people's verdicts and come from the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultView {
    /// Film times of the moments, s.
    pub times_s: Vec<f64>,
    /// The cameras on their lens-free canvases.
    pub cameras: Vec<CameraView>,
    /// The parts over time.
    pub parts: Vec<PartView>,
    /// Poses with their doubt, by camera, as `review.json` has them.
    pub alignment: serde_json::Value,
    /// When the trigger fired.
    pub trigger: TriggerView,
    /// The measurement's own noise, as `review.json` has it.
    pub noise: serde_json::Value,
    /// What to trust less.
    pub warnings: Vec<String>,
    /// What else the review rests on; earlier versions have it among the warnings.
    #[serde(default)]
    pub notes: Vec<String>,
    /// How many nodes the mesh has.
    pub nodes: usize,
    /// How many elements it has.
    pub elements: usize,
    /// Largest measured deviation of the film, mm: the end of a colour scale.
    pub largest_mm: f64,
    /// How far the impactor has come, by rising film time; empty where it was not followed.
    #[serde(default)]
    pub impactor: Vec<WayPoint>,
    /// What is seen of the impactor in the first picture; `None` where it was not found and in earlier versions.
    #[serde(default)]
    pub impactor_body: Option<SeenBody>,
}

impl ResultView {
    /// The impactor as the simulation has it at a film time, with its look in the first picture.
    #[must_use]
    pub fn simulated_impactor(&self, time_s: f64) -> Option<RigidBody> {
        let SeenBody { shape, to_contact_mm, direction } = self.impactor_body?;
        let known = self.impactor.iter().filter_map(|p| Some((p.time_s, p.simulated_mm?)));
        let (times, ways): (Vec<f64>, Vec<f64>) = known.unzip();
        if times.is_empty() {
            return None;
        }
        let (before, after, share) = bracket(&times, time_s);
        let way_mm = ways[before] * (1.0 - share) + ways[after] * share;
        let by_mm = Vector3::from(to_contact_mm) + Vector3::from(direction) * way_mm;
        Some(RigidBody { first: shape.into(), by_mm })
    }
}

/// A camera as a pin-hole, fit for an overlay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CameraView {
    /// Its name.
    pub name: String,
    /// Width of the canvas, px.
    pub width: usize,
    /// Height of the canvas, px.
    pub height: usize,
    /// Focal length along x, px.
    pub fx: f64,
    /// Focal length along y, px.
    pub fy: f64,
    /// Principal point x, px from the centre of the top-left pixel.
    pub cx: f64,
    /// Principal point y, px.
    pub cy: f64,
    /// World to camera, 4 by 4, row by row, mm.
    pub pose: [f64; 16],
    /// The frame of each moment; `None` when the camera has none.
    pub frames: Vec<Option<usize>>,
    /// What one px means at the specimen's centre, mm.
    pub mm_per_px: f64,
    /// How far the refinement moved the specimen's centre in the picture, px.
    pub moved_px: f64,
    /// Root mean square of the target residuals, px.
    pub target_rms_px: Option<f64>,
}

/// A part over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartView {
    /// The solver's number.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// Its tolerance, mm.
    pub tolerance_mm: f64,
    /// First time of a mismatch, s.
    pub onset_s: Option<f64>,
    /// Largest 95th percentile, mm.
    pub peak_mm: Option<f64>,
    /// Over time.
    pub series: Vec<PartMoment>,
}

/// A part at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartMoment {
    /// Film time, s.
    pub time_s: f64,
    /// Median of the deviation, mm.
    pub p50_mm: Option<f64>,
    /// Its 95th percentile, mm.
    pub p95_mm: Option<f64>,
    /// Doubt about the 95th percentile, mm.
    pub sigma_mm: Option<f64>,
    /// Share of the visible nodes of which the deviation is known.
    pub coverage: f64,
    /// Share of the visible nodes that a camera measured; `None` in results of earlier versions.
    #[serde(default)]
    pub observed: Option<f64>,
}

/// When the trigger fired, in the simulation's time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TriggerView {
    /// Simulation time minus film time, s.
    pub offset_s: f64,
    /// Its sigma, s.
    pub sigma_s: f64,
}

/// Name of the view of one moment.
#[must_use]
pub fn state_name(moment: usize) -> String {
    format!("views/state-{moment:05}.bin")
}

/// Name of the flags of one moment.
#[must_use]
pub fn flags_name(moment: usize) -> String {
    format!("views/flags-{moment:05}.bin")
}

/// Name of the mesh's view.
pub const MESH: &str = "views/mesh.bin";
/// Name of the numbers' view.
pub const RESULT: &str = "views/result.json";

/// Writes all views but the numbers into `folder/views`.
///
/// # Errors
/// When the simulation cannot be read again or a file cannot be written.
pub(super) fn write_views(folder: &Path, findings: &Findings<'_>) -> Result<(), ServiceError> {
    make_folder(folder)?;
    write_mesh(&folder.join(MESH), findings.mesh, findings.skin, &findings.undeformed_mm()?)?;
    for moment in 0..findings.measured.fields.len() {
        write_state(&folder.join(state_name(moment)), findings, moment)?;
        write_flags(&folder.join(flags_name(moment)), &findings.flag_ids[moment])?;
    }
    Ok(())
}

/// Makes the folder of the views in `folder`.
///
/// # Errors
/// When it cannot be made.
pub(super) fn make_folder(folder: &Path) -> Result<(), ServiceError> {
    let views = folder.join("views");
    std::fs::create_dir_all(&views).map_err(ServiceError::file("make the folder", &views))
}

/// Writes the flags of one moment.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write_flags(path: &Path, flag_ids: &[u32]) -> Result<(), ServiceError> {
    let ids = flag_ids.iter().map(|id| u16::try_from(*id).unwrap_or(u16::MAX));
    write(path, |out| ids.into_iter().try_for_each(|id| out.write_all(&id.to_le_bytes())))
}

/// Writes the numbers.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write_result(
    folder: &Path,
    findings: &Findings<'_>,
    parts: &[PartSummary],
    noise: &NoiseFloor,
    warnings: &[String],
    notes: &[String],
) -> Result<(), ServiceError> {
    let path = folder.join(RESULT);
    let view = result_view(findings, parts, noise, [warnings, notes]);
    let text = serde_json::to_vec(&view).expect("numbers are JSON, else a bug");
    std::fs::write(&path, text).map_err(ServiceError::file("write", &path))
}

fn write(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<(), ServiceError> {
    let made = File::create(path).map_err(ServiceError::file("make", path))?;
    let mut out = BufWriter::with_capacity(1 << 20, made);
    fill(&mut out).and_then(|()| out.flush()).map_err(ServiceError::file("write", path))
}

fn put_f32(out: &mut BufWriter<File>, values: impl IntoIterator<Item = f32>) -> std::io::Result<()> {
    values.into_iter().try_for_each(|v| out.write_all(&v.to_le_bytes()))
}

fn put_u32(out: &mut BufWriter<File>, values: impl IntoIterator<Item = u32>) -> std::io::Result<()> {
    values.into_iter().try_for_each(|v| out.write_all(&v.to_le_bytes()))
}

/// Writes the mesh.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write_mesh(path: &Path, mesh: &Mesh, skin: &Skin, undeformed: &[[f32; 3]]) -> Result<(), ServiceError> {
    write(path, |out| {
        put_u32(out, [mesh.node_count as u32, skin.triangles.len() as u32, mesh.element_count() as u32, 0])?;
        put_f32(out, undeformed.iter().flatten().copied())?;
        put_u32(out, skin.triangles.iter().flatten().copied())?;
        put_u32(out, skin.element_of.iter().copied())?;
        mesh.part_of.iter().try_for_each(|p| out.write_all(&p.0.to_le_bytes()))?;
        put_u32(out, 0..mesh.element_count() as u32)
    })
}

/// Writes one moment.
///
/// # Errors
/// When the simulation cannot be read or the file cannot be written.
pub fn write_state(path: &Path, findings: &Findings<'_>, moment: usize) -> Result<(), ServiceError> {
    let field = &findings.measured.fields[moment];
    let simulated = findings.positions_mm(moment)?;
    let strain = match findings.plastic_strain(moment)? {
        Some(by_element) => strain_at_nodes(findings.mesh, &by_element),
        None => vec![f32::NAN; findings.mesh.node_count],
    };
    let alive: Vec<u8> = findings.alive(moment)?.unwrap_or_default().into_iter().map(u8::from).collect();
    write(path, |out| {
        put_f32(out, simulated.into_iter().flatten())?;
        put_f32(out, field.deviation_mm.iter().flatten().copied())?;
        put_f32(out, field.sigma_mm.iter().copied())?;
        put_f32(out, strain)?;
        out.write_all(&field.observed)?;
        out.write_all(&alive)
    })
}

/// Mean of the elements around each node; NaN where there is none.
fn strain_at_nodes(mesh: &Mesh, by_element: &[f32]) -> Vec<f32> {
    let mut sums = vec![(0.0f32, 0u32); mesh.node_count];
    for (element, strain) in by_element.iter().enumerate() {
        for node in mesh.nodes_of(element) {
            let (sum, count) = &mut sums[*node as usize];
            *sum += strain;
            *count += 1;
        }
    }
    sums.into_iter().map(|(sum, count)| if count == 0 { f32::NAN } else { sum / count as f32 }).collect()
}

/// A camera on its canvas.
fn camera_view(record: &CameraRecord, alignment: &CameraAlignment, frames: Vec<Option<usize>>) -> CameraView {
    let view = PinholeView::new(Camera::from_record(record, alignment.pose)).camera;
    let (r, t) = (view.pose.rotation, view.pose.translation_mm);
    let mut pose = [0.0; 16];
    for row in 0..3 {
        pose[4 * row..4 * row + 3].copy_from_slice(&r[row]);
        pose[4 * row + 3] = t[row];
    }
    pose[15] = 1.0;
    let k = view.intrinsics;
    CameraView {
        name: record.name.clone(),
        width: view.width,
        height: view.height,
        fx: k.fx,
        fy: k.fy,
        cx: k.cx,
        cy: k.cy,
        pose,
        frames,
        mm_per_px: alignment.mm_per_px,
        moved_px: alignment.moved_px,
        target_rms_px: alignment.target_rms_px,
    }
}

fn result_view(
    findings: &Findings<'_>,
    parts: &[PartSummary],
    noise: &NoiseFloor,
    [warnings, notes]: [&[String]; 2],
) -> ResultView {
    let measured = findings.measured;
    let cameras = findings
        .cameras
        .iter()
        .zip(&measured.alignment)
        .enumerate()
        .map(|(index, (record, alignment))| {
            let frame = |m: &crate::review::Moment| m.frames.iter().find(|(c, _)| *c == index).map(|(_, f)| *f);
            let frames = measured.moments.iter().take(measured.fields.len()).map(frame).collect();
            camera_view(record, alignment, frames)
        })
        .collect();
    let alignment: BTreeMap<&str, &CameraAlignment> =
        findings.cameras.iter().map(|c| c.name.as_str()).zip(&measured.alignment).collect();
    let first = measured.alignment.first();
    let largest = measured
        .fields
        .iter()
        .flat_map(|f| (0..f.deviation_mm.len()).map(|n| f.magnitude_mm(n)))
        .filter(|d| d.is_finite())
        .fold(0.0f32, f32::max);
    ResultView {
        times_s: measured.fields.iter().map(|f| f.time_s).collect(),
        cameras,
        parts: parts.iter().map(part_view).collect(),
        alignment: serde_json::to_value(&alignment).expect("an alignment is JSON, else a bug"),
        trigger: TriggerView {
            offset_s: first.map_or(0.0, |a| a.time_offset_s),
            sigma_s: first.map_or(0.0, |a| a.time_offset_sigma_s),
        },
        noise: serde_json::to_value(noise).expect("a noise floor is JSON, else a bug"),
        warnings: warnings.to_vec(),
        notes: notes.to_vec(),
        nodes: findings.mesh.node_count,
        elements: findings.mesh.element_count(),
        largest_mm: f64::from(largest),
        impactor: measured.impactor.as_ref().map_or_else(Vec::new, |seen| seen.way.clone()),
        impactor_body: measured.impactor.as_ref().and_then(|seen| seen.body),
    }
}

fn part_view(part: &PartSummary) -> PartView {
    let s = &part.series;
    let series = (0..s.times_s.len())
        .map(|i| PartMoment {
            time_s: s.times_s[i],
            p50_mm: s.median_mm[i],
            p95_mm: s.p95_mm[i],
            sigma_mm: s.sigma_mm[i],
            coverage: s.coverage[i],
            observed: s.observed_share.get(i).copied(),
        })
        .collect();
    PartView {
        id: part.part_id.0,
        name: part.part_name.clone(),
        tolerance_mm: part.tolerance_mm,
        onset_s: part.onset_s,
        peak_mm: part.peak_mm,
        series,
    }
}
