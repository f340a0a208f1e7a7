//! Cells of one state as elements: types checked, strips and runs split, connectivity counted from the state's
//! first node.

use crate::domain::CellType;
use crate::ingest::error::IngestError;
use crate::ingest::limits;

use super::plan::{BlockState, CellWindow};
use super::walk::{Block, CellKind, Topology};

/// Elements of one state; node indices count the rows of the state, block after block, piece after piece.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// Start of each element in `connectivity`, one more than elements.
    pub(super) offsets: Vec<u32>,
    /// Rows of nodes.
    pub(super) connectivity: Vec<u32>,
    /// Type of each element.
    pub(super) types: Vec<CellType>,
    /// Row of each element among the state's cells (the rows of cell arrays): strips give several elements a row.
    pub(super) rows: Vec<u32>,
    /// Block of each element, as its first element's index, one a block.
    pub(super) block_starts: Vec<usize>,
    /// Cells read so far.
    row_count: usize,
}

impl Cells {
    /// How many cell rows the state has.
    pub(super) fn row_count(&self) -> usize {
        self.row_count
    }

    fn push(&mut self, kind: CellType, row: usize, nodes: impl IntoIterator<Item = u32>) {
        self.connectivity.extend(nodes);
        self.offsets.push(self.connectivity.len() as u32);
        self.types.push(kind);
        self.rows.push(row as u32);
    }
}

/// Reads the cells of `states`, one a block.
///
/// # Errors
/// Types that the product does not know, cells with the wrong number of nodes, nodes that are not there.
pub(super) fn read_cells(blocks: &[Block], states: &[BlockState]) -> Result<Cells, IngestError> {
    let mut cells = Cells { offsets: vec![0], ..Cells::default() };
    let mut node_base = 0_usize;
    for (block, state) in blocks.iter().zip(states) {
        cells.block_starts.push(cells.types.len());
        for window in &state.cells {
            read_piece(block, window, node_base, &mut cells)?;
        }
        node_base += state.node_count;
    }
    Ok(cells)
}

fn read_piece(block: &Block, window: &CellWindow, node_base: usize, cells: &mut Cells) -> Result<(), IngestError> {
    if window.cell_count == 0 {
        return Ok(());
    }
    let topology = &block.topologies[window.topology];
    let row_base = cells.row_count;
    let total = cells.connectivity.len().saturating_add(window.id_count).saturating_mul(3);
    if total > u32::MAX as usize || row_base + window.cell_count > u32::MAX as usize {
        return Err(topology.connectivity.refuse(
            format_args!("{} connectivity ids", cells.connectivity.len().saturating_add(window.id_count)),
            "at most 2^32 / 3 in one state",
            "split the model, or leave out what the cameras cannot see",
        ));
    }
    limits::check_window(block.dir.file(), topology.connectivity.place(), window.id_count, size_of::<u32>())?;
    let nodes = read_nodes(topology, window, node_base, cells)?;
    let mut bounds: Vec<u32> = Vec::new();
    topology.offsets.read_blocks(window.offset_start, window.cell_count + 1, |part: &[i64]| {
        // Planned: they rise from 0 to the number of ids, which fits.
        bounds.extend(part.iter().map(|v| *v as u32));
        Ok(())
    })?;
    let piece = Piece { topology, window, nodes: &nodes, bounds: &bounds, row_base };
    if topology.kind == CellKind::Typed {
        piece.push_typed(cells)?;
    } else {
        piece.push_poly(cells)?;
    }
    cells.row_count = row_base + window.cell_count;
    Ok(())
}

/// Connectivity of a piece, checked and moved to the state's rows.
fn read_nodes(
    topology: &Topology,
    window: &CellWindow,
    node_base: usize,
    cells: &Cells,
) -> Result<Vec<u32>, IngestError> {
    let base = node_base.saturating_add(window.node_base);
    if base.saturating_add(window.node_count) > u32::MAX as usize {
        return Err(topology.connectivity.refuse("more than 2^32 nodes in one state", "fewer", "split the model"));
    }
    let mut nodes: Vec<u32> = Vec::new();
    let mut wrong = None;
    topology.connectivity.read_blocks(window.id_start, window.id_count, |part: &[i64]| {
        for id in part {
            if *id < 0 || *id as u64 >= window.node_count as u64 {
                wrong = wrong.or(Some((*id, nodes.len())));
            }
            nodes.push((base as u64).wrapping_add(*id as u64) as u32);
        }
        Ok(())
    })?;
    match wrong {
        None => Ok(nodes),
        Some((id, at)) => Err(topology.connectivity.refuse(
            format_args!("node {id} at index {}", window.id_start + at),
            format_args!(
                "0 or more and less than {} (nodes of the piece after cell row {})",
                window.node_count, cells.row_count
            ),
            "connectivity counts from the piece's first node; the file is damaged or its writer is not understood",
        )),
    }
}

struct Piece<'a> {
    topology: &'a Topology,
    window: &'a CellWindow,
    nodes: &'a [u32],
    bounds: &'a [u32],
    row_base: usize,
}

impl Piece<'_> {
    fn nodes_of(&self, cell: usize) -> &[u32] {
        &self.nodes[self.bounds[cell] as usize..self.bounds[cell + 1] as usize]
    }

    fn push_typed(&self, cells: &mut Cells) -> Result<(), IngestError> {
        let Some(types) = &self.topology.types else { return Ok(()) };
        let codes: Vec<i64> = types.read_rows(self.window.cell_start, self.window.cell_count)?;
        for (cell, code) in codes.iter().enumerate() {
            let kind = u8::try_from(*code).ok().and_then(CellType::from_vtk);
            let Some(kind) = kind else {
                let count = codes.iter().filter(|c| *c == code).count();
                return Err(types.refuse(
                    format_args!(
                        "VTK cell type {code}{} in {count} cells, first in cell {}",
                        type_name(*code),
                        self.window.cell_start + cell
                    ),
                    "1 vertex, 3 line, 5 triangle, 9 quad, 10 tetra, 12 hexahedron, 13 wedge or 14 pyramid",
                    "export the mesh with linear elements",
                ));
            };
            let nodes = self.nodes_of(cell);
            if nodes.len() != kind.node_count() {
                return Err(self.topology.offsets.refuse(
                    format_args!("{} nodes in cell {} of type {code}", nodes.len(), self.window.cell_start + cell),
                    format_args!("{} nodes", kind.node_count()),
                    "Types, Offsets and Connectivity do not fit; write the file anew",
                ));
            }
            cells.push(kind, self.row_base + cell, nodes.iter().copied());
        }
        Ok(())
    }

    fn push_poly(&self, cells: &mut Cells) -> Result<(), IngestError> {
        for cell in 0..self.window.cell_count {
            let (nodes, row) = (self.nodes_of(cell), self.row_base + cell);
            match (self.topology.kind, nodes.len()) {
                (CellKind::Vertices, _) => {
                    nodes.iter().for_each(|n| cells.push(CellType::Vertex, row, [*n]));
                }
                (CellKind::Lines, _) => {
                    nodes.windows(2).for_each(|w| cells.push(CellType::Line, row, w.iter().copied()));
                }
                (CellKind::Polygons, 3) => cells.push(CellType::Triangle, row, nodes.iter().copied()),
                (CellKind::Polygons, 4) => cells.push(CellType::Quad, row, nodes.iter().copied()),
                (CellKind::Polygons, count) => {
                    return Err(self.topology.offsets.refuse(
                        format_args!("a polygon of {count} nodes, cell {}", self.window.cell_start + cell),
                        "triangles and quads",
                        "triangulate the surface before writing it",
                    ));
                }
                // Every second triangle of a strip is turned, so that all face the same way.
                _ => nodes.windows(3).enumerate().for_each(|(i, w)| {
                    let turned = if i % 2 == 0 { [w[0], w[1], w[2]] } else { [w[1], w[0], w[2]] };
                    cells.push(CellType::Triangle, row, turned);
                }),
            }
        }
        Ok(())
    }
}

/// Names of the VTK codes that one meets most often among the unknown ones.
fn type_name(code: i64) -> &'static str {
    match code {
        0 => " (empty cell)",
        2 => " (poly-vertex)",
        4 => " (poly-line)",
        6 => " (triangle strip)",
        7 => " (polygon)",
        8 => " (pixel)",
        11 => " (voxel)",
        21 => " (quadratic edge)",
        22 => " (quadratic triangle)",
        23 => " (quadratic quad)",
        24 => " (quadratic tetra)",
        25 => " (quadratic hexahedron)",
        42 => " (polyhedron)",
        68..=81 => " (Lagrange or Bezier)",
        _ => "",
    }
}
