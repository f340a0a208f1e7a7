//! The plan of a simulation: blocks, windows, arrays, units – everything that can be refused before a result is
//! wanted.

use std::path::Path;
use std::sync::Arc;

use crate::ingest::error::IngestError;
use crate::ingest::hdf5_read::{Dir, Set};
use crate::ingest::limits::{self, MAX_COORDINATE_MM};

use super::plan::{self, BlockState, OffsetRule};
use super::walk::{Block, ELEMENT_ID_NAMES, NODE_ID_NAMES, Walk};
use super::{DEFAULT_DISPLACEMENT, SimulationOptions};

/// An array of each block, where the block has it.
type Arrays = Vec<Option<(String, Set)>>;

/// Everything that is known of a simulation before its values are read.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) file: Arc<Path>,
    pub(super) blocks: Vec<Block>,
    pub(super) collection: bool,
    rules: Vec<Vec<OffsetRule>>,
    /// Times in the file's unit.
    pub(super) times: Vec<f64>,
    pub(super) length_to_mm: f64,
    displacement: Arrays,
    pub(super) node_ids: Arrays,
    pub(super) element_ids: Arrays,
    pub(super) part_id: Arrays,
    pub(super) plastic_strain: Arrays,
    pub(super) thickness: Arrays,
    pub(super) status: Arrays,
}

impl Plan {
    /// Plans the walked file.
    ///
    /// # Errors
    /// Everything that does not fit: offsets, extents, times, a displacement array that is wanted and missing.
    pub(super) fn of_walk(file: Arc<Path>, walk: Walk, options: &SimulationOptions) -> Result<Self, IngestError> {
        let Walk { blocks, collection } = walk;
        let times = times_of(&file, &blocks)?;
        let rules = blocks.iter().map(plan::find_rules).collect::<Result<Vec<_>, _>>()?;
        for (block, rules) in blocks.iter().zip(&rules) {
            plan::check_windows(block, rules)?;
        }
        let find = |names: &[&str], of_points: bool, columns: usize| -> Result<Arrays, IngestError> {
            let one = |block: &Block, rules: &Vec<OffsetRule>| find_array(block, rules, names, of_points, columns);
            blocks.iter().zip(&rules).map(|(block, rules)| one(block, rules)).collect()
        };
        let displacement = find(&[&options.displacement], true, 3)?;
        for ((block, rules), array) in blocks.iter().zip(&rules).zip(&displacement) {
            if let Some((name, set)) = array {
                plan::refuse_lost_steps(block, rules, name, set)?;
            }
        }
        let wanted = options.displacement_required || options.displacement != DEFAULT_DISPLACEMENT;
        if wanted && displacement.iter().all(Option::is_none) {
            return Err(no_displacement(&file, &blocks, &options.displacement));
        }
        Ok(Self {
            displacement,
            node_ids: in_every_block(find(&NODE_ID_NAMES, true, 1)?),
            element_ids: in_every_block(find(&ELEMENT_ID_NAMES, false, 1)?),
            part_id: find(&["PartId"], false, 1)?,
            plastic_strain: find(&["PlasticStrain"], false, 1)?,
            thickness: find(&["Thickness"], false, 1)?,
            status: find(&["Status"], false, 1)?,
            length_to_mm: 1.0,
            file,
            blocks,
            collection,
            rules,
            times,
        })
    }

    /// The windows of all blocks at state `step`.
    ///
    /// # Errors
    /// None after planning; the signature is that of the plan.
    pub(super) fn states(&self, step: usize) -> Result<Vec<BlockState>, IngestError> {
        self.blocks.iter().zip(&self.rules).map(|(block, rules)| block.state(step, rules)).collect()
    }

    /// Whether any block has a displacement array.
    pub(super) fn has_displacement(&self) -> bool {
        self.displacement.iter().any(Option::is_some)
    }

    /// Refusal of several states between which nothing says how the structure moves.
    pub(super) fn no_motion(&self, displacement: &str) -> IngestError {
        no_displacement(&self.file, &self.blocks, displacement)
    }

    /// A refusal that names the simulation file.
    pub(super) fn refuse(
        &self,
        place: impl std::fmt::Display,
        found: impl std::fmt::Display,
        expected: impl std::fmt::Display,
        advice: impl std::fmt::Display,
    ) -> IngestError {
        IngestError::refused(&self.file, place, found, expected, advice)
    }

    /// Refusal of a mesh that loses nodes that have no names.
    pub(super) fn changing_count_without_ids(&self, step: usize, count: usize) -> IngestError {
        self.refuse(
            format_args!("/VTKHDF/NumberOfPoints, state {step}"),
            format_args!("{count} nodes, another number than in state 0, and no node numbers to tell them apart"),
            "the same nodes in every state, or PointData/GlobalIds (or NodeId)",
            "write node numbers, or keep eroded elements and mark them with CellData/Status = 0",
        )
    }

    /// Positions of all rows at `step`, mm; with the displacement added when `displaced`.
    ///
    /// # Errors
    /// Values that are no numbers or absurd, naming node and state; damaged data.
    pub(super) fn read_positions(
        &self,
        step: usize,
        states: &[BlockState],
        displaced: bool,
    ) -> Result<Vec<[f32; 3]>, IngestError> {
        let mut rows = Vec::with_capacity(states.iter().map(|s| s.node_count).sum());
        for (b, (block, state)) in self.blocks.iter().zip(states).enumerate() {
            limits::check_window(&self.file, block.points.place(), state.node_count, 3 * size_of::<f64>())?;
            let mut values: Vec<f64> = block.points.read_rows(state.point_start, state.node_count)?;
            let mut source = block.points.place().to_owned();
            if displaced && let Some((name, set)) = &self.displacement[b] {
                let mut at = 0;
                set.read_blocks(block.point_row(name, step, state), state.node_count, |part: &[f64]| {
                    for (value, moved) in values[at..].iter_mut().zip(part) {
                        *value += moved;
                    }
                    at += part.len();
                    Ok(())
                })?;
                source = format!("{source} + {}", set.place());
            }
            let first = rows.len();
            for point in values.chunks_exact(3) {
                let [x, y, z] = [point[0], point[1], point[2]].map(|v| v * self.length_to_mm);
                if !(x.abs() <= MAX_COORDINATE_MM && y.abs() <= MAX_COORDINATE_MM && z.abs() <= MAX_COORDINATE_MM) {
                    return Err(self.absurd(step, &source, b, rows.len() - first, [x, y, z], states));
                }
                rows.push([x as f32, y as f32, z as f32]);
            }
        }
        Ok(rows)
    }

    fn absurd(
        &self,
        step: usize,
        source: &str,
        block: usize,
        row: usize,
        at: [f64; 3],
        states: &[BlockState],
    ) -> IngestError {
        let id = self.node_ids[block].as_ref().and_then(|(name, set)| {
            let start = self.blocks[block].point_row(name, step, &states[block]);
            set.read_rows::<i64>(start + row, 1).ok().and_then(|ids| ids.first().copied())
        });
        let number = id.map(|id| format!(" (number {id})")).unwrap_or_default();
        self.refuse(
            format_args!("{source}, state {step}, node {row}{number}"),
            format_args!("a position of ({}, {}, {}) mm", at[0], at[1], at[2]),
            format_args!("numbers below {MAX_COORDINATE_MM:e} mm"),
            "the run has diverged or the file is damaged; end it before that state, or mend its units",
        )
    }

    /// The rows of a point array over all blocks; `None` when no block has it.
    ///
    /// # Errors
    /// Damaged data.
    pub(super) fn read_point_rows(
        &self,
        arrays: &Arrays,
        step: usize,
        states: &[BlockState],
    ) -> Result<Option<Vec<i64>>, IngestError> {
        self.read_array(arrays, states, 0_i64, |block, name, state| {
            (block.point_row(name, step, state), state.node_count)
        })
    }

    /// The rows of a cell array over all blocks; `None` when no block has it; `missing` where a block has not.
    ///
    /// # Errors
    /// Damaged data.
    pub(super) fn read_cell_rows<T: hdf5::H5Type + Copy>(
        &self,
        arrays: &Arrays,
        step: usize,
        states: &[BlockState],
        missing: T,
    ) -> Result<Option<Vec<T>>, IngestError> {
        self.read_array(arrays, states, missing, |block, name, state| {
            (block.cell_row(name, step, state), state.cell_count)
        })
    }

    fn read_array<T: hdf5::H5Type + Copy>(
        &self,
        arrays: &Arrays,
        states: &[BlockState],
        missing: T,
        window: impl Fn(&Block, &str, &BlockState) -> (usize, usize),
    ) -> Result<Option<Vec<T>>, IngestError> {
        if arrays.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut rows = Vec::new();
        for ((block, array), state) in self.blocks.iter().zip(arrays).zip(states) {
            match array {
                Some((name, set)) => {
                    let (start, count) = window(block, name, state);
                    if rows.is_empty() {
                        rows = set.read_rows(start, count)?;
                    } else {
                        rows.extend(set.read_rows::<T>(start, count)?);
                    }
                }
                None => rows.resize(rows.len() + window(block, "", state).1, missing),
            }
        }
        Ok(Some(rows))
    }
}

/// The array of the first of `names` that the block has; arrays of another shape are left out with a warning.
fn find_array(
    block: &Block,
    rules: &[OffsetRule],
    names: &[&str],
    of_points: bool,
    columns: usize,
) -> Result<Option<(String, Set)>, IngestError> {
    let Some(dir) = (if of_points { &block.point_data } else { &block.cell_data }) else { return Ok(None) };
    for name in names {
        let Some(set) = dir.set(name)? else { continue };
        set.expect_numbers(columns)?;
        if std::ptr::eq(names, NODE_ID_NAMES.as_slice()) || std::ptr::eq(names, ELEMENT_ID_NAMES.as_slice()) {
            set.expect_integers(columns)?;
        }
        plan::check_array(block, rules, name, &set, of_points)?;
        return Ok(Some(((*name).to_owned(), set)));
    }
    Ok(None)
}

/// Numbers are of use only when every block has them.
fn in_every_block(arrays: Arrays) -> Arrays {
    if arrays.iter().all(Option::is_some) { arrays } else { arrays.iter().map(|_| None).collect() }
}

/// Times in the file's unit: those of the blocks with steps, which must agree; one 0 when none has any.
fn times_of(file: &Path, blocks: &[Block]) -> Result<Vec<f64>, IngestError> {
    let mut with_steps = blocks.iter().filter_map(|b| b.steps.as_ref().map(|s| (b, &s.values)));
    let Some((block, times)) = with_steps.next() else { return Ok(vec![0.0]) };
    let place = |b: &Block| format!("{}/Steps/Values", b.dir.place());
    for (index, pair) in times.windows(2).enumerate() {
        if pair[1] <= pair[0] {
            return Err(IngestError::refused(
                file,
                place(block),
                format_args!("{} at index {} after {}", pair[1], index + 1, pair[0]),
                "times that rise from state to state",
                "write each state once, in the order of time",
            ));
        }
    }
    if let Some(index) = times.iter().position(|t| !t.is_finite()) {
        return Err(IngestError::refused(
            file,
            place(block),
            format_args!("{} at index {index}", times[index]),
            "finite times",
            "the file is damaged, write it anew",
        ));
    }
    if let Some((other, values)) = with_steps.find(|(_, values)| *values != times) {
        return Err(IngestError::refused(
            file,
            place(other),
            format_args!("{} times that differ from those of {}", values.len(), place(block)),
            "the same times in all blocks",
            "write all blocks at the same states",
        ));
    }
    Ok(times.clone())
}

fn no_displacement(file: &Path, blocks: &[Block], name: &str) -> IngestError {
    let mut names: Vec<&str> = blocks.iter().filter_map(|b| b.point_data.as_ref()).flat_map(Dir::names).collect();
    names.sort_unstable();
    names.dedup();
    let found = if names.is_empty() { "no array at all".to_owned() } else { format!("only {}", names.join(", ")) };
    IngestError::refused(
        file,
        format_args!("{}/PointData", blocks.first().map_or("/VTKHDF", |b| b.dir.place())),
        found,
        format_args!("a displacement array named {name}"),
        "name one of those that are there with --displacement",
    )
}
