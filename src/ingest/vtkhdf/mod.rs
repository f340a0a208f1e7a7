//! Simulations in VTKHDF, VTK's HDF5 format: walk → plan → read.
//!
//! What the reader makes of the format's freedoms (source: "VTKHDF File Format", VTK documentation, and
//! the contract that the project's files are held to):
//!
//! - **Positions.** Points that move from state to state are the positions; a displacement array is then *not*
//!   added, because that would count the motion twice. Points that stay (one copy, or equal copies in the first,
//!   the middle and the last state) get the displacement array added when it has the name in
//!   [`SimulationOptions::displacement`]. A file of one state follows the second rule: what is named is added. So a
//!   file whose points are already deformed beside an array of another name (`DISPL`) is read as it stands, and
//!   `--displacement DISPL` says "add it".
//!   A displacement array with the rows of several states and no `Steps` is refused; several states between which neither
//!   tells a motion can be read but not compared with a film.
//! - **Offsets.** VTK's rule for `PartOffsets` first, then the one without, then a refusal with both findings.
//! - **Identity.** The mesh is that of state 0. Nodes that vanish keep their last position, elements that vanish
//!   are not `alive` and keep their last strain. Nodes are told apart by `GlobalIds`, `NodeId` or the like, else by
//!   their row; elements by their numbers, else by their nodes. Equal node numbers at one place are one node:
//!   pieces share their border.
//! - **Parts.** `CellData/PartId`; else each block of a collection is a part; else all is part 1.

mod cells;
mod file;
mod identity;
mod mesh;
mod plan;
mod walk;

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::domain::{Impactor, Mesh, RigidWall, SimulationRecord, State};

use self::cells::Cells;
use self::file::Plan;
use self::identity::{ElementIdentity, NodeIdentity};
use self::plan::BlockState;
use super::error::IngestError;
use super::{hdf5_read, sidecar};

/// The name of the displacement array when nobody says otherwise.
const DEFAULT_DISPLACEMENT: &str = "Displacement";

/// How a simulation is to be read.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulationOptions {
    /// Name of the point array that is added to points that do not move; another name than the default must exist.
    pub displacement: String,
    /// Refuse a file without that array even when the name is the default one.
    pub displacement_required: bool,
    /// Factor from the file's times to s; `None` takes the record's `units.time`, else s.
    pub time_to_s: Option<f64>,
    /// Factor from the file's lengths to mm; `None` takes the record's `units.length`, else mm.
    pub length_to_mm: Option<f64>,
}

impl Default for SimulationOptions {
    fn default() -> Self {
        Self {
            displacement: DEFAULT_DISPLACEMENT.to_owned(),
            displacement_required: false,
            time_to_s: None,
            length_to_mm: None,
        }
    }
}

/// An opened simulation: mesh and times in memory, states read one at a time.
#[derive(Debug)]
pub struct SimulationFile {
    plan: Plan,
    mesh: Mesh,
    record: SimulationRecord,
    impactor: Option<Impactor>,
    wall: Option<RigidWall>,
    /// Kind of an impactor that is in the record and was not understood.
    unknown_impactor: Option<String>,
    times_s: Vec<f64>,
    states_0: Vec<BlockState>,
    nodes: NodeIdentity,
    /// Cell row of each element, where strips or runs were split.
    row_of_element: Option<Vec<u32>>,
    /// Whether states have windows of their own for their cells, because elements erode or the writer repeats itself.
    changes: bool,
    /// Elements of state 0 by name; made when a state is found to have other elements.
    elements: OnceLock<ElementIdentity>,
    add_displacement: bool,
    /// Name of the displacement array, there or not.
    displacement: String,
    /// Where the topology changes: the last state that was read, from which vanished things keep their values.
    carry: Mutex<Option<Carry>>,
}

/// A complete state and what has vanished by then.
#[derive(Debug, Clone)]
struct Carry {
    step: usize,
    positions_mm: Vec<[f32; 3]>,
    plastic_strain: Option<Vec<f32>>,
    alive: Vec<bool>,
}

impl SimulationFile {
    /// Walks and plans the file at `path`, reads its mesh and its record.
    ///
    /// # Errors
    /// Every check that can refuse without reading all states: see [`IngestError`].
    pub fn open(path: &Path, options: &SimulationOptions) -> Result<Self, IngestError> {
        let root = hdf5_read::open_root(path)?;
        let sidecar = sidecar::read_sidecar(path, &root)?;
        let units_are_told = options.time_to_s.is_some() && options.length_to_mm.is_some();
        if !sidecar.found && !units_are_told {
            tracing::warn!(file = %path.display(), "no record beside the simulation: mm and s are assumed, parts have no names");
        }
        let time_to_s = options.time_to_s.map_or_else(|| sidecar.time_to_s(), Ok)?;
        let mut plan = Plan::of_walk(Arc::clone(root.file()), walk::walk_file(&root)?, options)?;
        plan.length_to_mm = options.length_to_mm.map_or_else(|| sidecar.length_to_mm(), Ok)?;
        let times_s = plan.times.iter().map(|t| t * time_to_s).collect();
        let impactor = sidecar.impactor(plan.length_to_mm, time_to_s)?;
        let wall = sidecar.wall(plan.length_to_mm, time_to_s);
        let unknown_impactor = sidecar.impactor_kind().filter(|_| impactor.is_none() && wall.is_none());

        let states_0 = plan.states(0)?;
        let changes = topology_changes(&plan, &states_0)?;
        let ids = plan.read_point_rows(&plan.node_ids, 0, &states_0)?;
        if changes && ids.is_none() {
            refuse_changing_count(&plan, &states_0)?;
        }
        let points = || plan.read_positions(0, &states_0, false);
        let nodes = NodeIdentity::of_state(&plan, &states_0, ids, points, changes)?;
        let cells = cells::read_cells(&plan.blocks, &states_0)?;
        let record = sidecar.record;
        let (mesh, row_of_element) = build_mesh(&plan, &states_0, cells, &nodes, &record)?;
        let mut simulation = Self {
            plan,
            mesh,
            record,
            impactor,
            wall,
            unknown_impactor,
            times_s,
            states_0,
            nodes,
            row_of_element,
            changes,
            elements: OnceLock::new(),
            add_displacement: false,
            displacement: options.displacement.clone(),
            carry: Mutex::new(None),
        };
        simulation.add_displacement = simulation.plan.has_displacement() && !simulation.points_move()?;
        Ok(simulation)
    }

    /// The mesh of state 0.
    #[must_use]
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// Time of each state, s, rising.
    #[must_use]
    pub fn times_s(&self) -> &[f64] {
        &self.times_s
    }

    /// Refuses several states between which nothing moves: no test can be compared with them.
    ///
    /// # Errors
    /// [`IngestError::Refused`] with the arrays that are there; damaged data.
    pub fn check_motion(&self) -> Result<(), IngestError> {
        if self.times_s.len() == 1 || self.plan.has_displacement() || self.points_move()? {
            return Ok(());
        }
        Err(self.plan.no_motion(&self.displacement))
    }

    /// Refuses a file that calls all elements eroded before anything has happened.
    ///
    /// # Errors
    /// [`IngestError::Refused`] with their number; damaged data.
    pub fn check_living(&self) -> Result<(), IngestError> {
        match self.read_state(0)?.alive {
            Some(alive) if !alive.contains(&true) => Err(self.plan.refuse(
                "/VTKHDF/CellData/Status, state 0",
                format_args!("0, eroded, for all {} elements", alive.len()),
                "1 for those that are there",
                "write 1 for an element that lives and 0 for one that has eroded",
            )),
            _ => Ok(()),
        }
    }

    /// Whether all nodes are where they were in the first, the middle and the last of several states.
    ///
    /// # Errors
    /// Damaged data.
    pub fn stands_still(&self) -> Result<bool, IngestError> {
        let last = self.times_s.len() - 1;
        if last == 0 || !self.add_displacement {
            // Points that move have been told from others when the file was opened.
            return Ok(false);
        }
        let first = self.read_state(0)?.positions_mm;
        Ok(self.read_state(last / 2)?.positions_mm == first && self.read_state(last)?.positions_mm == first)
    }

    /// The record beside the mesh; empty when there is none.
    #[must_use]
    pub fn record(&self) -> &SimulationRecord {
        &self.record
    }

    /// The rigid cylinder that hits the structure, when the record tells of one.
    #[must_use]
    pub fn impactor(&self) -> Option<&Impactor> {
        self.impactor.as_ref()
    }

    /// The rigid wall that hits the structure, when the record tells of one.
    #[must_use]
    pub fn wall(&self) -> Option<&RigidWall> {
        self.wall.as_ref()
    }

    /// The kind of an impactor that the record tells of and that is neither a cylinder nor a moving wall with all its
    /// numbers: nothing is measured or drawn with it.
    #[must_use]
    pub fn unknown_impactor(&self) -> Option<&str> {
        self.unknown_impactor.as_deref()
    }

    /// Reads state `step`: only its rows, unless the topology changes from state to state – then the states since
    /// the last one that was read are passed through, so reading in order costs each state once.
    ///
    /// # Errors
    /// A `step` beyond the last state; positions that are NaN or absurd; nodes or elements unknown to state 0;
    /// damaged data.
    pub fn read_state(&self, step: usize) -> Result<State, IngestError> {
        let Some(time_s) = self.times_s.get(step).copied() else {
            return Err(self.plan.refuse(
                "/VTKHDF/Steps",
                format_args!("{} states", self.times_s.len()),
                format_args!("a state {step}"),
                "ask for a state that is there",
            ));
        };
        if !self.changes {
            let states = self.plan.states(step)?;
            let rows = self.plan.read_positions(step, &states, self.add_displacement)?;
            let plastic_strain = self.plan.read_cell_rows(&self.plan.plastic_strain, step, &states, 0.0_f32)?;
            let status = self.plan.read_cell_rows(&self.plan.status, step, &states, 1.0_f32)?;
            return Ok(State {
                time_s,
                positions_mm: self.nodes_from_rows(rows),
                plastic_strain: plastic_strain.map(|rows| self.elements_from_rows(rows)),
                alive: status.map(|rows| self.elements_from_rows(rows).iter().map(|s| *s != 0.0).collect()),
            });
        }
        let carry = self.carry_to(step)?;
        Ok(State {
            time_s,
            positions_mm: carry.positions_mm,
            plastic_strain: carry.plastic_strain,
            alive: Some(carry.alive),
        })
    }

    /// Rows of state 0 (or one with the same topology) as nodes.
    fn nodes_from_rows(&self, rows: Vec<[f32; 3]>) -> Vec<[f32; 3]> {
        let Some(node_of_row) = &self.nodes.node_of_row else { return rows };
        let mut nodes = vec![[0.0; 3]; self.nodes.node_count];
        for (row, node) in rows.into_iter().zip(node_of_row) {
            nodes[*node as usize] = row;
        }
        nodes
    }

    fn elements_from_rows(&self, rows: Vec<f32>) -> Vec<f32> {
        match &self.row_of_element {
            Some(row_of) => row_of.iter().map(|row| rows[*row as usize]).collect(),
            None => rows,
        }
    }

    /// Walks from the carried state (or state 0) to `step`, laying each state over the one before.
    fn carry_to(&self, step: usize) -> Result<Carry, IngestError> {
        let mut slot = self.carry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut carry = match slot.take() {
            Some(carry) if carry.step <= step => carry,
            _ => self.complete_carry(0)?,
        };
        // A state as rich as state 0 stands for itself: nothing has to be carried to it.
        let count =
            |states: &[BlockState]| states.iter().fold((0, 0), |sum, s| (sum.0 + s.node_count, sum.1 + s.cell_count));
        if carry.step + 1 < step && count(&self.plan.states(step)?) == count(&self.states_0) {
            carry = self.complete_carry(step)?;
        }
        while carry.step < step {
            self.lay_over(carry.step + 1, &mut carry)?;
        }
        *slot = Some(carry.clone());
        Ok(carry)
    }

    /// State `step`, which has all nodes and elements.
    fn complete_carry(&self, step: usize) -> Result<Carry, IngestError> {
        let strain = self.plan.plastic_strain.iter().any(Option::is_some);
        let mut carry = Carry {
            step,
            positions_mm: vec![[0.0; 3]; self.nodes.node_count],
            plastic_strain: strain.then(|| vec![0.0; self.mesh.element_count()]),
            alive: Vec::new(),
        };
        self.lay_over(step, &mut carry)?;
        Ok(carry)
    }

    fn lay_over(&self, step: usize, carry: &mut Carry) -> Result<(), IngestError> {
        let plan = &self.plan;
        let states = plan.states(step)?;
        let ids = plan.read_point_rows(&plan.node_ids, step, &states)?;
        let node_of_row = self.nodes.nodes_of_rows(plan, step, &states, ids.as_deref())?;
        let rows = plan.read_positions(step, &states, self.add_displacement)?;
        for (row, node) in rows.iter().zip(&node_of_row) {
            carry.positions_mm[*node as usize] = *row;
        }
        let cells = cells::read_cells(&plan.blocks, &states)?;
        let elements = self.elements_of(step, &states, &cells, &node_of_row)?;
        let strain = plan.read_cell_rows(&plan.plastic_strain, step, &states, 0.0_f32)?;
        let status = plan.read_cell_rows(&plan.status, step, &states, 1.0_f32)?;
        carry.alive = vec![false; self.mesh.element_count()];
        for (element, row) in elements.iter().zip(&cells.rows) {
            let (element, row) = (*element as usize, *row as usize);
            carry.alive[element] = status.as_ref().is_none_or(|s| s[row] != 0.0);
            if let (Some(into), Some(from)) = (&mut carry.plastic_strain, &strain) {
                into[element] = from[row];
            }
        }
        carry.step = step;
        Ok(())
    }

    /// For each element of the cells of `step` its index in the mesh.
    fn elements_of(
        &self,
        step: usize,
        states: &[BlockState],
        cells: &Cells,
        node_of_row: &[u32],
    ) -> Result<Vec<u32>, IngestError> {
        // Most often a writer has only repeated the mesh.
        let nodes = cells.connectivity.iter().map(|row| node_of_row[*row as usize]);
        if cells.types == self.mesh.cell_types && nodes.eq(self.mesh.connectivity.iter().copied()) {
            return Ok((0..cells.types.len() as u32).collect());
        }
        let plan = &self.plan;
        let identity = match self.elements.get() {
            Some(identity) => identity,
            None => {
                let cells_0 = cells::read_cells(&plan.blocks, &self.states_0)?;
                let ids = plan.read_cell_rows(&plan.element_ids, 0, &self.states_0, 0_i64)?;
                self.elements.get_or_init(|| ElementIdentity::of_state(&self.mesh, &cells_0, ids.as_deref()))
            }
        };
        let ids = plan.read_cell_rows(&plan.element_ids, step, states, 0_i64)?;
        identity.elements_of(plan, step, cells, node_of_row, ids.as_deref())
    }

    /// Whether `Points` differ between the first, the middle and the last state.
    fn points_move(&self) -> Result<bool, IngestError> {
        let last = self.times_s.len() - 1;
        let places = |states: &[BlockState]| states.iter().map(|s| s.point_start).collect::<Vec<_>>();
        let first = self.plan.read_positions(0, &self.states_0, false)?;
        let first = self.nodes_from_rows(first);
        for step in [last, last / 2] {
            let states = self.plan.states(step)?;
            if places(&states) == places(&self.states_0) {
                continue;
            }
            let ids = self.plan.read_point_rows(&self.plan.node_ids, step, &states)?;
            let node_of_row = self.nodes.nodes_of_rows(&self.plan, step, &states, ids.as_deref())?;
            let rows = self.plan.read_positions(step, &states, false)?;
            if rows.iter().zip(&node_of_row).any(|(row, node)| *row != first[*node as usize]) {
                tracing::info!(file = %self.plan.file.display(), "the points move, so no displacement is added to them");
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Mesh of state 0, and the row of each element where strips were split.
fn build_mesh(
    plan: &Plan,
    states: &[BlockState],
    mut cells: Cells,
    nodes: &NodeIdentity,
    record: &SimulationRecord,
) -> Result<(Mesh, Option<Vec<u32>>), IngestError> {
    let mesh = mesh::mesh_of_state(plan, states, &mut cells, nodes, record)?;
    let plain = cells.row_count() == cells.rows.len() && cells.rows.iter().enumerate().all(|(e, r)| e == *r as usize);
    Ok((mesh, (!plain).then_some(cells.rows)))
}

/// Whether any state has other cells or another number of nodes than state 0.
fn topology_changes(plan: &Plan, states_0: &[BlockState]) -> Result<bool, IngestError> {
    for step in 1..plan.times.len() {
        let same = |(a, b): (&BlockState, &BlockState)| a.cells == b.cells && a.node_count == b.node_count;
        if !plan.states(step)?.iter().zip(states_0).all(same) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Without node numbers every state must have as many nodes as state 0.
fn refuse_changing_count(plan: &Plan, states_0: &[BlockState]) -> Result<(), IngestError> {
    let count = |states: &[BlockState]| states.iter().map(|s| s.node_count).sum::<usize>();
    for step in 1..plan.times.len() {
        let now = count(&plan.states(step)?);
        if now != count(states_0) {
            return Err(plan.changing_count_without_ids(step, now));
        }
    }
    Ok(())
}
