//! `review.vtkhdf`: the simulation's mesh at the film's times with the measured deviation on it.
//!
//! VTKHDF 2.0, `UnstructuredGrid`, temporal. The topology is written once; points and fields are appended step by step,
//! so that one step is in memory at a time. All steps share part 0, hence `PartOffsets` is 0 throughout (VTK's rule:
//! `NumberOfPoints[PartOffsets[step] + piece]`). Source: VTK documentation, "VTKHDF File Format", temporal data.

use std::path::Path;

use super::ExportError;
use super::vtkhdf_file::{Growing, Writer};
use crate::domain::{FrameField, Mesh};

/// Why positions could not be had: whatever the source of the positions reports.
pub type PositionError = Box<dyn std::error::Error + Send + Sync>;

/// What the rows of an array belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// One row a node.
    Nodes,
    /// One row an element.
    Elements,
}

/// Values of an extra array, one a row.
#[derive(Debug, Clone, Copy)]
pub enum ExtraRows<'a> {
    /// The same at all times.
    Constant(&'a [f32]),
    /// By film time.
    ByFrame(&'a [Vec<f32>]),
}

/// A further scalar that the caller wants beside the deviation, for example the simulation's plastic strain.
#[derive(Debug, Clone, Copy)]
pub struct ExtraArray<'a> {
    /// Name in the file.
    pub name: &'a str,
    /// Node or element array.
    pub rows: Rows,
    /// Its values.
    pub values: ExtraRows<'a>,
}

/// Writes the measured fields on the mesh.
///
/// `positions_mm(i)` gives the simulation's node positions (mm) at the time of `fields[i]`; `flag_ids[i]` the flag of
/// each element at that time, 0 for none. Arrays: `Points`, `PointData/{Deviation [N,3], DeviationSigma, Observed}`,
/// `CellData/{FlagId, PartId}`, `PointData/NodeId` where the solver gave numbers, and `extra`.
///
/// # Errors
/// [`ExportError::Length`] when an array does not fit the mesh, [`ExportError::Positions`] when the callback fails,
/// [`ExportError::Hdf5`] when the file cannot be written.
pub fn write_review_vtkhdf<E: Into<PositionError>>(
    path: &Path,
    mesh: &Mesh,
    mut positions_mm: impl FnMut(usize) -> Result<Vec<[f32; 3]>, E>,
    fields: &[FrameField],
    flag_ids: &[Vec<u32>],
    extra: &[ExtraArray<'_>],
) -> Result<(), ExportError> {
    check_lengths(mesh, fields, flag_ids, extra)?;
    let writer = Writer::create(path)?;
    let root = writer.group("VTKHDF")?;
    writer.kind_and_version(&root)?;
    for name in ["PointData", "CellData", "Steps", "Steps/PointDataOffsets", "Steps/CellDataOffsets"] {
        writer.group(&format!("VTKHDF/{name}"))?;
    }
    write_topology(&writer, mesh)?;
    let times: Vec<f64> = fields.iter().map(|f| f.time_s).collect();
    write_steps(&writer, &times)?;
    write_constants(&writer, mesh, extra, fields.len())?;

    let mut columns = Columns::create(&writer, mesh, extra)?;
    for (frame, field) in fields.iter().enumerate() {
        let positions = positions_mm(frame).map_err(|e| ExportError::Positions { frame, source: e.into() })?;
        expect_len("positions", frame, positions.len(), mesh.node_count)?;
        columns.append(frame, &positions, field, &flag_ids[frame], extra)?;
    }
    columns.write_offsets(&writer)
}

/// The datasets that grow with each step, and where each step starts in them.
struct Columns {
    growing: Vec<(String, Growing, Vec<i64>)>,
}

/// Names of the growing datasets below `VTKHDF/`, in the order in which [`Columns::append`] fills them.
const FIXED_COLUMNS: [&str; 5] =
    ["Points", "PointData/Deviation", "PointData/DeviationSigma", "PointData/Observed", "CellData/FlagId"];

impl Columns {
    fn create(writer: &Writer, mesh: &Mesh, extra: &[ExtraArray<'_>]) -> Result<Self, ExportError> {
        let (n, c) = (mesh.node_count, mesh.element_count());
        let at = |i: usize| format!("VTKHDF/{}", FIXED_COLUMNS[i]);
        let mut made = vec![
            writer.growing::<f32>(&at(0), 3, n)?,
            writer.growing::<f32>(&at(1), 3, n)?,
            writer.growing::<f32>(&at(2), 1, n)?,
            writer.growing::<u8>(&at(3), 1, n)?,
            writer.growing::<i32>(&at(4), 1, c)?,
        ];
        let mut names: Vec<String> = FIXED_COLUMNS.map(str::to_owned).into();
        for array in extra.iter().filter(|a| matches!(a.values, ExtraRows::ByFrame(_))) {
            names.push(column_name(array));
            let rows = if array.rows == Rows::Nodes { n } else { c };
            made.push(writer.growing::<f32>(&format!("VTKHDF/{}", column_name(array)), 1, rows)?);
        }
        let growing = names.into_iter().zip(made).map(|(name, column)| (name, column, Vec::new())).collect();
        Ok(Self { growing })
    }

    fn append(
        &mut self,
        frame: usize,
        positions: &[[f32; 3]],
        field: &FrameField,
        flag_ids: &[u32],
        extra: &[ExtraArray<'_>],
    ) -> Result<(), ExportError> {
        // VTK shows ids as signed numbers; flags are numbered from 1 and never near the limit.
        let ids: Vec<i32> = flag_ids.iter().map(|id| i32::try_from(*id).unwrap_or(i32::MAX)).collect();
        let by_frame = extra.iter().filter_map(|a| match a.values {
            ExtraRows::ByFrame(rows) => Some(&rows[frame]),
            ExtraRows::Constant(_) => None,
        });
        let mut starts = Vec::with_capacity(self.growing.len());
        let mut columns = self.growing.iter_mut().map(|(_, column, _)| column);
        let mut next = || columns.next().expect("a column without dataset is a bug");
        starts.push(next().append(positions.as_flattened())?);
        starts.push(next().append(field.deviation_mm.as_flattened())?);
        starts.push(next().append(&field.sigma_mm)?);
        starts.push(next().append(&field.observed)?);
        starts.push(next().append(&ids)?);
        for rows in by_frame {
            starts.push(next().append(rows)?);
        }
        for ((_, _, offsets), start) in self.growing.iter_mut().zip(starts) {
            offsets.push(start);
        }
        Ok(())
    }

    fn write_offsets(&self, writer: &Writer) -> Result<(), ExportError> {
        for (name, _, offsets) in &self.growing {
            writer.column(&offsets_name(name), offsets)?;
        }
        Ok(())
    }
}

/// `PointData/X` → `VTKHDF/Steps/PointDataOffsets/X`; `Points` → `VTKHDF/Steps/PointOffsets`.
fn offsets_name(column: &str) -> String {
    match column.split_once('/') {
        Some((kind, name)) => format!("VTKHDF/Steps/{kind}Offsets/{name}"),
        None => "VTKHDF/Steps/PointOffsets".to_owned(),
    }
}

fn column_name(array: &ExtraArray<'_>) -> String {
    let kind = if array.rows == Rows::Nodes { "PointData" } else { "CellData" };
    format!("{kind}/{}", array.name)
}

fn write_topology(writer: &Writer, mesh: &Mesh) -> Result<(), ExportError> {
    let wide = |v: &[u32]| v.iter().map(|i| i64::from(*i)).collect::<Vec<_>>();
    writer.column("VTKHDF/NumberOfPoints", &[mesh.node_count as i64])?;
    writer.column("VTKHDF/NumberOfCells", &[mesh.element_count() as i64])?;
    writer.column("VTKHDF/NumberOfConnectivityIds", &[mesh.connectivity.len() as i64])?;
    writer.column("VTKHDF/Connectivity", &wide(&mesh.connectivity))?;
    writer.column("VTKHDF/Offsets", &wide(&mesh.offsets))?;
    let types: Vec<u8> = mesh.cell_types.iter().map(|t| *t as u8).collect();
    writer.column("VTKHDF/Types", &types)
}

fn write_steps(writer: &Writer, times: &[f64]) -> Result<(), ExportError> {
    let steps = writer.file.group("VTKHDF/Steps").map_err(writer.failed("VTKHDF/Steps"))?;
    steps
        .new_attr::<i64>()
        .create("NSteps")
        .and_then(|a| a.write_scalar(&(times.len() as i64)))
        .map_err(writer.failed("VTKHDF/Steps:NSteps"))?;
    writer.column("VTKHDF/Steps/Values", times)?;
    let zeros = vec![0_i64; times.len()];
    writer.column("VTKHDF/Steps/PartOffsets", &zeros)?;
    writer.column("VTKHDF/Steps/NumberOfParts", &vec![1_i64; times.len()])?;
    writer.offsets_2d("VTKHDF/Steps/CellOffsets", &zeros)?;
    writer.offsets_2d("VTKHDF/Steps/ConnectivityIdOffsets", &zeros)
}

/// What does not change over time is written once; all steps point at row 0.
fn write_constants(writer: &Writer, mesh: &Mesh, extra: &[ExtraArray<'_>], steps: usize) -> Result<(), ExportError> {
    let zeros = vec![0_i64; steps];
    let parts: Vec<i32> = mesh.part_of.iter().map(|p| p.0).collect();
    writer.column("VTKHDF/CellData/PartId", &parts)?;
    writer.column(&offsets_name("CellData/PartId"), &zeros)?;
    if let Some(ids) = &mesh.node_ids {
        writer.column("VTKHDF/PointData/NodeId", ids)?;
        writer.column(&offsets_name("PointData/NodeId"), &zeros)?;
    }
    for array in extra {
        if let ExtraRows::Constant(values) = array.values {
            writer.column(&format!("VTKHDF/{}", column_name(array)), values)?;
            writer.column(&offsets_name(&column_name(array)), &zeros)?;
        }
    }
    Ok(())
}

fn check_lengths(
    mesh: &Mesh,
    fields: &[FrameField],
    flag_ids: &[Vec<u32>],
    extra: &[ExtraArray<'_>],
) -> Result<(), ExportError> {
    expect_len("the list of flag ids by film time", 0, flag_ids.len(), fields.len())?;
    for (frame, (field, ids)) in fields.iter().zip(flag_ids).enumerate() {
        expect_len("Deviation", frame, field.deviation_mm.len(), mesh.node_count)?;
        expect_len("DeviationSigma", frame, field.sigma_mm.len(), mesh.node_count)?;
        expect_len("Observed", frame, field.observed.len(), mesh.node_count)?;
        expect_len("FlagId", frame, ids.len(), mesh.element_count())?;
    }
    for array in extra {
        let rows = if array.rows == Rows::Nodes { mesh.node_count } else { mesh.element_count() };
        match array.values {
            ExtraRows::Constant(values) => expect_len(array.name, 0, values.len(), rows)?,
            ExtraRows::ByFrame(values) => {
                expect_len(array.name, 0, values.len(), fields.len())?;
                for (frame, values) in values.iter().enumerate() {
                    expect_len(array.name, frame, values.len(), rows)?;
                }
            }
        }
    }
    Ok(())
}

fn expect_len(what: &str, frame: usize, found: usize, expected: usize) -> Result<(), ExportError> {
    if found == expected {
        return Ok(());
    }
    Err(ExportError::Length { what: what.to_owned(), frame, found, expected })
}
