//! Which row is which node or element, from state to state.
//!
//! Rows are concatenated over blocks and pieces. Nodes are told apart by their numbers when the file has them, else
//! by their row; elements by their numbers, else by their nodes. The mesh is that of state 0.

use std::collections::HashMap;

use crate::domain::Mesh;
use crate::ingest::error::IngestError;

use super::cells::Cells;
use super::file::Plan;
use super::plan::BlockState;

/// A node's or element's name: the block (0 when numbers are global) and the number.
type Key = (u32, i64);

/// Nodes of state 0 by row.
#[derive(Debug)]
pub(super) struct NodeIdentity {
    /// Node of each row of state 0; `None` when row and node are the same.
    pub(super) node_of_row: Option<Vec<u32>>,
    /// Numbers of the nodes.
    pub(super) ids: Option<Vec<i64>>,
    /// Whether numbers count within their block only.
    by_block: bool,
    /// How many nodes there are.
    pub(super) node_count: usize,
    /// Nodes by number; made when the topology changes.
    by_id: Option<HashMap<Key, u32>>,
}

impl NodeIdentity {
    /// Nodes of state 0 with `ids` by row (when the file has them) at `positions_mm` by row.
    ///
    /// Pieces and blocks repeat the nodes on their common border; equal numbers at one place are one node.
    ///
    /// # Errors
    /// One number at two places within one block.
    pub(super) fn of_state(
        plan: &Plan,
        states: &[BlockState],
        ids: Option<Vec<i64>>,
        positions_mm: impl FnOnce() -> Result<Vec<[f32; 3]>, IngestError>,
        keep_index: bool,
    ) -> Result<Self, IngestError> {
        let rows: usize = states.iter().map(|s| s.node_count).sum();
        let Some(ids) = ids else {
            return Ok(Self { node_of_row: None, ids: None, by_block: false, node_count: rows, by_id: None });
        };
        let mut first: HashMap<i64, u32> = HashMap::with_capacity(rows);
        let unique = ids.iter().enumerate().all(|(row, id)| first.insert(*id, row as u32).is_none());
        drop(first);
        if unique {
            let by_id = keep_index.then(|| ids.iter().enumerate().map(|(i, id)| ((0, *id), i as u32)).collect());
            return Ok(Self { node_of_row: None, ids: Some(ids), by_block: false, node_count: rows, by_id });
        }
        let positions = positions_mm()?;
        let global = merge(plan, states, &ids, &positions, false);
        let (by_block, merged) = match global {
            Ok(merged) => (false, merged),
            Err(_) if states.len() > 1 => (true, merge(plan, states, &ids, &positions, true)?),
            Err(error) => return Err(error),
        };
        let Merged { node_of_row, ids, by_id } = merged;
        let node_count = ids.len();
        Ok(Self {
            node_of_row: Some(node_of_row),
            // Numbers that repeat from block to block name nothing outside.
            ids: (!by_block).then_some(ids),
            by_block,
            node_count,
            by_id: keep_index.then_some(by_id),
        })
    }

    /// Nodes of a later state by row.
    ///
    /// # Errors
    /// Nodes that state 0 does not have.
    pub(super) fn nodes_of_rows(
        &self,
        plan: &Plan,
        step: usize,
        states: &[BlockState],
        ids: Option<&[i64]>,
    ) -> Result<Vec<u32>, IngestError> {
        let rows: usize = states.iter().map(|s| s.node_count).sum();
        let (Some(by_id), Some(ids)) = (&self.by_id, ids) else {
            return if rows == self.node_of_row.as_ref().map_or(self.node_count, Vec::len) {
                Ok(self.node_of_row.clone().unwrap_or_else(|| (0..rows as u32).collect()))
            } else {
                Err(plan.changing_count_without_ids(step, rows))
            };
        };
        let mut nodes = Vec::with_capacity(rows);
        for (row, block) in blocks_of_rows(states) {
            let key = (if self.by_block { block } else { 0 }, ids[row]);
            let node = by_id.get(&key).ok_or_else(|| {
                plan.refuse(
                    format_args!("state {step}, node number {}", ids[row]),
                    "a node that state 0 does not have",
                    "nodes of state 0 only (erosion takes away, it does not add)",
                    "write state 0 with the complete mesh",
                )
            })?;
            nodes.push(*node);
        }
        Ok(nodes)
    }
}

fn blocks_of_rows(states: &[BlockState]) -> impl Iterator<Item = (usize, u32)> {
    states.iter().enumerate().flat_map(|(b, s)| std::iter::repeat_n(b as u32, s.node_count)).enumerate()
}

struct Merged {
    node_of_row: Vec<u32>,
    ids: Vec<i64>,
    by_id: HashMap<Key, u32>,
}

fn merge(
    plan: &Plan,
    states: &[BlockState],
    ids: &[i64],
    positions_mm: &[[f32; 3]],
    by_block: bool,
) -> Result<Merged, IngestError> {
    let mut merged = Merged { node_of_row: Vec::with_capacity(ids.len()), ids: Vec::new(), by_id: HashMap::new() };
    let mut first_row: Vec<usize> = Vec::new();
    for (row, block) in blocks_of_rows(states) {
        let key = (if by_block { block } else { 0 }, ids[row]);
        let next = merged.ids.len() as u32;
        let node = *merged.by_id.entry(key).or_insert(next);
        if node == next {
            merged.ids.push(ids[row]);
            first_row.push(row);
        } else if positions_mm[row] != positions_mm[first_row[node as usize]] {
            return Err(plan.refuse(
                format_args!("state 0, node number {}", ids[row]),
                "two nodes of this number at two places",
                "each number once (or at the same place, where pieces meet)",
                "number the nodes, or write the file without node numbers",
            ));
        }
        merged.node_of_row.push(node);
    }
    Ok(merged)
}

/// Elements of state 0, to find those of later states.
#[derive(Debug)]
pub(super) enum ElementIdentity {
    /// By the solver's numbers: (block, number) and which element of the row (strips give several).
    ByNumber(HashMap<(Key, u32), u32>),
    /// By their nodes.
    ByNodes(HashMap<Box<[u32]>, u32>),
}

impl ElementIdentity {
    /// The elements of state 0: `mesh`, read as `cells`, with `ids` by cell row when the file has them.
    pub(super) fn of_state(mesh: &Mesh, cells: &Cells, ids: Option<&[i64]>) -> Self {
        if let Some(ids) = ids {
            let keys = keys_of(cells, ids);
            let map: HashMap<_, _> = keys.iter().enumerate().map(|(e, key)| (*key, e as u32)).collect();
            if map.len() == keys.len() {
                return Self::ByNumber(map);
            }
            tracing::warn!("element numbers repeat, so elements are told apart by their nodes");
        }
        Self::ByNodes((0..mesh.element_count()).map(|e| (mesh.nodes_of(e).into(), e as u32)).collect())
    }

    /// For each element of a later state its index in state 0.
    ///
    /// # Errors
    /// Elements that state 0 does not have.
    pub(super) fn elements_of(
        &self,
        plan: &Plan,
        step: usize,
        cells: &Cells,
        node_of_row: &[u32],
        ids: Option<&[i64]>,
    ) -> Result<Vec<u32>, IngestError> {
        let strange = |element: usize| {
            plan.refuse(
                format_args!("state {step}, cell {}", cells.rows[element]),
                "an element that state 0 does not have",
                "elements of state 0 only (erosion takes away, it does not add)",
                "write state 0 with the complete mesh, and GlobalIds with every state",
            )
        };
        let count = cells.types.len();
        match (self, ids) {
            (Self::ByNumber(map), Some(ids)) => {
                let keys = keys_of(cells, ids);
                (0..count).map(|e| map.get(&keys[e]).copied().ok_or_else(|| strange(e))).collect()
            }
            (Self::ByNumber(_), None) => Err(plan.refuse(
                format_args!("state {step}"),
                "no element numbers",
                "element numbers in every state, as in state 0",
                "write the file anew",
            )),
            (Self::ByNodes(map), _) => (0..count)
                .map(|e| {
                    let rows = &cells.connectivity[cells.offsets[e] as usize..cells.offsets[e + 1] as usize];
                    let nodes: Box<[u32]> = rows.iter().map(|row| node_of_row[*row as usize]).collect();
                    map.get(&nodes).copied().ok_or_else(|| strange(e))
                })
                .collect(),
        }
    }
}

fn keys_of(cells: &Cells, ids: &[i64]) -> Vec<(Key, u32)> {
    let mut keys = Vec::with_capacity(cells.rows.len());
    let mut block = 0;
    let mut before = None;
    let mut nth = 0;
    for (element, row) in cells.rows.iter().enumerate() {
        while cells.block_starts.get(block + 1).is_some_and(|start| *start <= element) {
            block += 1;
        }
        nth = if before == Some(*row) { nth + 1 } else { 0 };
        before = Some(*row);
        keys.push(((block as u32, ids[*row as usize]), nth));
    }
    keys
}
