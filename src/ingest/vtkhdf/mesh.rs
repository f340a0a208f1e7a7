//! The mesh of state 0 with its parts.

use std::collections::BTreeMap;

use crate::domain::{Mesh, Part, PartId, SimulationRecord};
use crate::ingest::error::IngestError;

use super::cells::Cells;
use super::file::Plan;
use super::identity::NodeIdentity;
use super::plan::BlockState;

/// Builds the mesh out of the cells of state 0.
///
/// # Errors
/// A mesh without elements; part numbers beyond 32 bits; damaged data.
pub(super) fn mesh_of_state(
    plan: &Plan,
    states: &[BlockState],
    cells: &mut Cells,
    nodes: &NodeIdentity,
    record: &SimulationRecord,
) -> Result<Mesh, IngestError> {
    if cells.types.is_empty() {
        return Err(plan.refuse(
            "/VTKHDF, state 0",
            format_args!("{} nodes and no cell", nodes.node_count),
            "a mesh of at least one element",
            "write the mesh with state 0",
        ));
    }
    let (part_of, mut parts) = parts_of(plan, states, cells, record)?;
    if parts.iter().any(|p| p.thickness_mm.is_none()) {
        fill_thickness(plan, states, cells, &part_of, &mut parts)?;
    }
    // The large lists move into the mesh; only the rows are wanted afterwards.
    let mut connectivity = std::mem::take(&mut cells.connectivity);
    if let Some(node_of_row) = &nodes.node_of_row {
        connectivity.iter_mut().for_each(|node| *node = node_of_row[*node as usize]);
    }
    Ok(Mesh {
        node_count: nodes.node_count,
        node_ids: nodes.ids.clone(),
        offsets: std::mem::take(&mut cells.offsets),
        connectivity,
        cell_types: std::mem::take(&mut cells.types),
        part_of,
        parts,
    })
}

/// Part of each element, and the parts with the names that the record knows.
fn parts_of(
    plan: &Plan,
    states: &[BlockState],
    cells: &Cells,
    record: &SimulationRecord,
) -> Result<(Vec<PartId>, Vec<Part>), IngestError> {
    let known = |id: PartId| record.parts.iter().find(|p| p.id == id).cloned();
    let unnamed = |id: PartId, name: String| Part { id, name, material: None, thickness_mm: None };
    let mut parts: BTreeMap<PartId, Part> = BTreeMap::new();
    let mut part_of = Vec::with_capacity(cells.types.len());
    if let Some(rows) = plan.read_cell_rows(&plan.part_id, 0, states, 0_i64)? {
        for row in &cells.rows {
            let value = rows[*row as usize];
            let id = i32::try_from(value).map(PartId).map_err(|_| {
                // What is no number becomes the least one when it is read as a whole number.
                let found = if value == i64::MIN { "no number (NaN)".to_owned() } else { value.to_string() };
                plan.refuse(
                    format_args!("CellData/PartId, cell {row}"),
                    found,
                    "a whole number of 32 bits",
                    "number the parts as the solver does",
                )
            })?;
            parts.entry(id).or_insert_with(|| known(id).unwrap_or_else(|| unnamed(id, format!("part {id}"))));
            part_of.push(id);
        }
    } else if plan.collection {
        for (b, block) in plan.blocks.iter().enumerate() {
            let end = cells.block_starts.get(b + 1).copied().unwrap_or(cells.types.len());
            let named = record.parts.iter().find(|p| p.name == block.name).cloned();
            let free = PartId(i32::try_from(b + 1).unwrap_or(i32::MAX));
            let part = named.unwrap_or_else(|| unnamed(free, block.name.clone()));
            part_of.resize(end, part.id);
            if end > cells.block_starts[b] {
                parts.insert(part.id, part);
            }
        }
    } else {
        let part = match record.parts.as_slice() {
            [only] => only.clone(),
            // Which of several it is, the mesh does not say.
            _ => unnamed(PartId(1), "part 1".to_owned()),
        };
        part_of.resize(cells.types.len(), part.id);
        parts.insert(part.id, part);
    }
    Ok((part_of, parts.into_values().collect()))
}

/// Gives parts without a thickness the mean of `CellData/Thickness` at state 0.
fn fill_thickness(
    plan: &Plan,
    states: &[BlockState],
    cells: &Cells,
    part_of: &[PartId],
    parts: &mut [Part],
) -> Result<(), IngestError> {
    let Some(rows) = plan.read_cell_rows(&plan.thickness, 0, states, 0.0_f32)? else { return Ok(()) };
    let mut sums: BTreeMap<PartId, (f64, u32)> = BTreeMap::new();
    for (row, id) in cells.rows.iter().zip(part_of) {
        let thickness = f64::from(rows[*row as usize]) * plan.length_to_mm;
        if thickness > 0.0 && thickness.is_finite() {
            let sum = sums.entry(*id).or_default();
            *sum = (sum.0 + thickness, sum.1 + 1);
        }
    }
    for part in parts.iter_mut().filter(|p| p.thickness_mm.is_none()) {
        part.thickness_mm = sums.get(&part.id).map(|(sum, count)| sum / f64::from(*count));
    }
    Ok(())
}
