//! The second pass: for every state, which rows of which dataset; every window is checked against the extents.

use std::collections::HashSet;

use crate::ingest::error::IngestError;
use crate::ingest::hdf5_read::Set;

use super::walk::{Block, Topology};

/// The cells of one piece in one topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CellWindow {
    /// Which topology of the block.
    pub(super) topology: usize,
    /// First cell in `Types` (and in cell arrays, for grids).
    pub(super) cell_start: usize,
    pub(super) cell_count: usize,
    /// First entry in `Offsets`; the piece has `cell_count + 1`.
    pub(super) offset_start: usize,
    /// First entry in `Connectivity`.
    pub(super) id_start: usize,
    pub(super) id_count: usize,
    /// Row of the piece's first node among the block's nodes of this state.
    pub(super) node_base: usize,
    pub(super) node_count: usize,
}

/// One block at one state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BlockState {
    /// First row in `Points`.
    pub(super) point_start: usize,
    /// Nodes of all pieces.
    pub(super) node_count: usize,
    /// First row of cell arrays that have no offsets of their own.
    pub(super) cell_start: usize,
    /// Cells of all pieces and topologies.
    pub(super) cell_count: usize,
    /// Piece by piece, topology by topology: the order of the cell arrays.
    pub(super) cells: Vec<CellWindow>,
}

/// How the start of a piece in `Offsets` is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OffsetRule {
    /// VTK's: one more entry for each piece of all earlier parts, counted by `PartOffsets`.
    WithPartOffsets,
    /// Only the pieces of this state count: topology was written once but `PartOffsets` grows.
    WithoutPartOffsets,
}

fn step_value(list: Option<&Vec<usize>>, step: usize, columns: usize, column: usize) -> usize {
    list.and_then(|l| l.get(step * columns + column)).copied().unwrap_or(0)
}

/// `counts` of the pieces of one state; writers that wrote a list once are met half-way.
fn piece_counts<'a>(
    block: &Block,
    name: &str,
    counts: &'a [usize],
    part_offset: usize,
    parts: usize,
) -> Result<&'a [usize], IngestError> {
    let at = |start: usize| start.checked_add(parts).and_then(|end| counts.get(start..end));
    at(part_offset).or_else(|| at(0)).ok_or_else(|| {
        IngestError::refused(
            block.dir.file(),
            block.dir.place_of(name),
            format_args!("{} entries", counts.len()),
            format_args!("entries {part_offset} to {} for the pieces of one state", part_offset.saturating_add(parts)),
            "the file is incomplete, write it anew",
        )
    })
}

fn overflow(block: &Block) -> IngestError {
    IngestError::refused(
        block.dir.file(),
        block.dir.place(),
        "counts whose sum exceeds 64 bits",
        "counts of things that are in the file",
        "the file is damaged, write it anew",
    )
}

fn sum(block: &Block, a: usize, b: usize) -> Result<usize, IngestError> {
    a.checked_add(b).ok_or_else(|| overflow(block))
}

impl Block {
    /// How many states the block has; a block without steps has one, which holds for ever.
    pub(super) fn step_count(&self) -> usize {
        self.steps.as_ref().map_or(1, |s| s.values.len())
    }

    fn parts_of(&self, step: usize) -> (usize, usize) {
        let Some(steps) = &self.steps else { return (0, self.point_counts.len()) };
        let part_offset = step_value(steps.part_offsets.as_ref(), step, 1, 0);
        let count = steps.values.len();
        let parts = match &steps.part_counts {
            Some(parts) => parts.get(step).copied().unwrap_or(1),
            // Without `NumberOfParts`: the same number in each state.
            None if part_offset > 0 || step == 0 => {
                let next = step_value(steps.part_offsets.as_ref(), count - 1, 1, 0);
                if next > 0 && count > 1 { next / (count - 1) } else { self.point_counts.len() }
            }
            None => self.point_counts.len(),
        };
        (part_offset, parts)
    }

    /// The windows of state `step`, by one offset rule for each topology.
    ///
    /// # Errors
    /// Counts and offsets that do not fit the datasets.
    pub(super) fn state(&self, step: usize, rules: &[OffsetRule]) -> Result<BlockState, IngestError> {
        let step = step.min(self.step_count() - 1);
        let steps = self.steps.as_ref();
        let (part_offset, parts) = self.parts_of(step);
        let kinds = self.topologies.len();
        let point_counts = piece_counts(self, "NumberOfPoints", &self.point_counts, part_offset, parts)?;
        let point_start = step_value(steps.and_then(|s| s.point_offsets.as_ref()), step, 1, 0);
        let mut cells = Vec::with_capacity(parts * kinds);
        let (mut node_base, mut cell_start, mut cell_count) = (0_usize, 0_usize, 0_usize);
        let mut next = Vec::with_capacity(kinds);
        for (k, topology) in self.topologies.iter().enumerate() {
            let cell = step_value(steps.and_then(|s| s.cell_offsets.as_ref()), step, kinds, k);
            let id = step_value(steps.and_then(|s| s.id_offsets.as_ref()), step, kinds, k);
            cell_start = sum(self, cell_start, cell)?;
            next.push((
                cell,
                id,
                piece_counts(self, "NumberOfCells", &topology.cell_counts, part_offset, parts)?,
                piece_counts(self, "NumberOfConnectivityIds", &topology.id_counts, part_offset, parts)?,
            ));
        }
        for (piece, node_count) in point_counts.iter().copied().enumerate() {
            for (k, (cell, id, cell_counts, id_counts)) in next.iter_mut().enumerate() {
                let earlier = match rules[k] {
                    OffsetRule::WithPartOffsets => sum(self, part_offset, piece)?,
                    OffsetRule::WithoutPartOffsets => piece,
                };
                let mut window = CellWindow {
                    topology: k,
                    cell_start: *cell,
                    cell_count: cell_counts[piece],
                    offset_start: sum(self, *cell, earlier)?,
                    id_start: *id,
                    id_count: id_counts[piece],
                    node_base,
                    node_count,
                };
                if window.cell_count == 0 && window.id_count == 0 {
                    // Nothing is nowhere: where an empty piece lies must not look like a change of topology.
                    (window.cell_start, window.offset_start, window.id_start) = (0, 0, 0);
                }
                *cell = sum(self, *cell, window.cell_count)?;
                *id = sum(self, *id, window.id_count)?;
                cell_count = sum(self, cell_count, window.cell_count)?;
                cells.push(window);
            }
            node_base = sum(self, node_base, node_count)?;
        }
        Ok(BlockState { point_start, node_count: node_base, cell_start, cell_count, cells })
    }

    /// First row of array `name` at `step`.
    pub(super) fn point_row(&self, name: &str, step: usize, state: &BlockState) -> usize {
        let step = step.min(self.step_count() - 1);
        let own = self.steps.as_ref().and_then(|s| s.point_array_offsets.get(name));
        own.and_then(|o| o.get(step)).copied().unwrap_or(state.point_start)
    }

    /// First row of cell array `name` at `step`.
    pub(super) fn cell_row(&self, name: &str, step: usize, state: &BlockState) -> usize {
        let step = step.min(self.step_count() - 1);
        let own = self.steps.as_ref().and_then(|s| s.cell_array_offsets.get(name));
        own.and_then(|o| o.get(step)).copied().unwrap_or(state.cell_start)
    }
}

/// Finds the offset rule of each topology of `block` by trying VTK's, then the one without `PartOffsets`.
///
/// # Errors
/// When neither gives pieces that start at 0, rise, and end at the number of connectivity ids: both findings.
pub(super) fn find_rules(block: &Block) -> Result<Vec<OffsetRule>, IngestError> {
    let mut rules = vec![OffsetRule::WithPartOffsets; block.topologies.len()];
    for k in 0..rules.len() {
        let Err(with) = try_rule(block, &rules, k)? else { continue };
        rules[k] = OffsetRule::WithoutPartOffsets;
        let Err(without) = try_rule(block, &rules, k)? else {
            tracing::debug!(block = block.name, "PartOffsets do not count in Offsets");
            continue;
        };
        return Err(block.topologies[k].offsets.refuse(
            format_args!("with PartOffsets: {with}; without: {without}"),
            "each piece to start at 0, to rise, and to end at its number of connectivity ids",
            "the file is damaged or its writer is not understood, write it with VTK",
        ));
    }
    Ok(rules)
}

/// Tries the rule of topology `k` on every state; the inner error says what does not fit.
fn try_rule(block: &Block, rules: &[OffsetRule], k: usize) -> Result<Result<(), String>, IngestError> {
    let mut seen = HashSet::new();
    let topology = &block.topologies[k];
    for step in 0..block.step_count() {
        for window in block.state(step, rules)?.cells.iter().filter(|w| w.topology == k) {
            if !seen.insert((window.offset_start, window.cell_count, window.id_count)) {
                continue;
            }
            if let Err(finding) = check_offsets(topology, window)? {
                return Ok(Err(format!("state {step}: {finding}")));
            }
        }
    }
    Ok(Ok(()))
}

fn check_offsets(topology: &Topology, window: &CellWindow) -> Result<Result<(), String>, IngestError> {
    if window.cell_count == 0 && window.id_count == 0 {
        return Ok(Ok(()));
    }
    let Some(entries) = window.cell_count.checked_add(1) else { return Ok(Err("2^64 cells".to_owned())) };
    let end = window.offset_start.checked_add(entries);
    if end.is_none_or(|end| end > topology.offsets.rows()) {
        return Ok(Err(format!(
            "entries {} to {} are wanted for {} cells, Offsets has {}",
            window.offset_start,
            window.offset_start.saturating_add(entries),
            window.cell_count,
            topology.offsets.rows()
        )));
    }
    let mut last: Option<i64> = None;
    let mut finding = None;
    topology.offsets.read_blocks(window.offset_start, entries, |block: &[i64]| {
        for value in block {
            let wrong = match last {
                None => *value != 0,
                Some(before) => *value < before,
            };
            if wrong && finding.is_none() {
                finding = Some(match last {
                    None => format!("the piece starts at {value}"),
                    Some(before) => format!("{value} follows {before}"),
                });
            }
            last = Some(*value);
        }
        Ok(())
    })?;
    if finding.is_none() && last != i64::try_from(window.id_count).ok() {
        finding = Some(format!("the piece ends at {}, not at {}", last.unwrap_or(0), window.id_count));
    }
    Ok(finding.map_or(Ok(()), Err))
}

/// Checks that every state's points and cells lie in their datasets.
///
/// # Errors
/// [`IngestError::Refused`] for the first window that does not.
pub(super) fn check_windows(block: &Block, rules: &[OffsetRule]) -> Result<(), IngestError> {
    for step in 0..block.step_count() {
        let state = block.state(step, rules)?;
        block.points.expect_rows(state.point_start, state.node_count, &format!("state {step}"))?;
        for window in &state.cells {
            let topology = &block.topologies[window.topology];
            let why = format!("state {step}");
            topology.connectivity.expect_rows(window.id_start, window.id_count, &why)?;
            if let Some(types) = &topology.types {
                types.expect_rows(window.cell_start, window.cell_count, &why)?;
            }
        }
    }
    Ok(())
}

/// Checks that every state's rows of one array lie in it.
///
/// # Errors
/// [`IngestError::Refused`] for the first window that does not.
pub(super) fn check_array(
    block: &Block,
    rules: &[OffsetRule],
    name: &str,
    set: &Set,
    of_points: bool,
) -> Result<(), IngestError> {
    for step in 0..block.step_count() {
        let state = block.state(step, rules)?;
        let (start, count) = if of_points {
            (block.point_row(name, step, &state), state.node_count)
        } else {
            (block.cell_row(name, step, &state), state.cell_count)
        };
        set.expect_rows(start, count, &format!("state {step}"))?;
    }
    Ok(())
}

/// Refuses an array that holds the rows of several states where the file says of all states that they have the same rows:
/// its `Steps`, or its offsets in them, were lost.
///
/// # Errors
/// [`IngestError::Refused`] with both numbers of rows.
pub(super) fn refuse_lost_steps(block: &Block, rules: &[OffsetRule], name: &str, set: &Set) -> Result<(), IngestError> {
    let (state, last) = (block.state(0, rules)?, block.step_count() - 1);
    let start = block.point_row(name, 0, &state);
    let stays = start == block.point_row(name, last, &block.state(last, rules)?);
    if !stays || set.rows() < sum(block, start, 2 * state.node_count.max(1))? {
        return Ok(());
    }
    let rows = state.node_count;
    let (why, advice) = if block.steps.is_none() {
        ("without a group Steps there is one state".to_owned(), "write the group Steps with the time of each state")
    } else {
        let why = format!("without Steps/PointDataOffsets/{name} all states have the same");
        (why, "write there at which row each state begins")
    };
    Err(set.refuse(format_args!("{} rows", set.rows()), format_args!("{rows} rows: {why}"), advice))
}
