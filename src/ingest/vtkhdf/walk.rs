//! The first pass over a VTKHDF file: which blocks, which datasets, how long; no values but counts and offsets.

use std::collections::BTreeMap;

use crate::ingest::error::IngestError;
use crate::ingest::hdf5_read::{Dir, Set};

/// Names under which writers keep node numbers, best first.
pub(super) const NODE_ID_NAMES: [&str; 7] =
    ["GlobalIds", "NodeId", "NodeIds", "GlobalNodeId", "GlobalNodeIds", "GlobalPointIds", "vtkOriginalPointIds"];
/// Names under which writers keep element numbers, best first.
pub(super) const ELEMENT_ID_NAMES: [&str; 7] = [
    "GlobalIds",
    "ElementId",
    "ElementIds",
    "GlobalElementId",
    "GlobalElementIds",
    "GlobalCellIds",
    "vtkOriginalCellIds",
];
/// VTK's number of the newest major version that is understood.
const MAX_MAJOR: f64 = 2.0;

/// The four kinds of cells of a `PolyData`, in VTK's order; an unstructured grid has one kind for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    /// `Types` says what each cell is.
    Typed,
    /// Clouds of single nodes.
    Vertices,
    /// Runs of line segments.
    Lines,
    /// Polygons.
    Polygons,
    /// Strips of triangles.
    Strips,
}

/// One list of cells: connectivity with its offsets and its counts by piece.
#[derive(Debug)]
pub(super) struct Topology {
    pub(super) kind: CellKind,
    pub(super) connectivity: Set,
    pub(super) offsets: Set,
    pub(super) types: Option<Set>,
    pub(super) cell_counts: Vec<usize>,
    pub(super) id_counts: Vec<usize>,
}

/// The `Steps` group: where each state begins.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) values: Vec<f64>,
    pub(super) part_counts: Option<Vec<usize>>,
    pub(super) part_offsets: Option<Vec<usize>>,
    pub(super) point_offsets: Option<Vec<usize>>,
    /// One row a step, one column a topology.
    pub(super) cell_offsets: Option<Vec<usize>>,
    /// One row a step, one column a topology.
    pub(super) id_offsets: Option<Vec<usize>>,
    pub(super) point_array_offsets: BTreeMap<String, Vec<usize>>,
    pub(super) cell_array_offsets: BTreeMap<String, Vec<usize>>,
}

/// One leaf of the file: an unstructured grid or a poly data.
#[derive(Debug)]
pub(super) struct Block {
    /// Name of the group, for a part.
    pub(super) name: String,
    pub(super) dir: Dir,
    pub(super) points: Set,
    pub(super) point_counts: Vec<usize>,
    pub(super) topologies: Vec<Topology>,
    pub(super) steps: Option<Steps>,
    pub(super) point_data: Option<Dir>,
    pub(super) cell_data: Option<Dir>,
}

/// All blocks of a file.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) blocks: Vec<Block>,
    /// Whether the blocks come from a collection, so that each is a part.
    pub(super) collection: bool,
}

/// Walks the file with the root group `root`.
///
/// # Errors
/// A missing `VTKHDF` group, versions and types that are not understood, missing or malformed datasets.
pub(super) fn walk_file(root: &Dir) -> Result<Walk, IngestError> {
    let top = root.dir("VTKHDF")?.ok_or_else(|| root.missing("VTKHDF", "a group"))?;
    check_version(&top)?;
    let kind = type_of(&top)?;
    if !matches!(kind.as_str(), "PartitionedDataSetCollection" | "MultiBlockDataSet") {
        let name = "VTKHDF".to_owned();
        return Ok(Walk { blocks: vec![walk_block(top, name, &kind)?], collection: false });
    }
    let mut members = Vec::new();
    for (made, name) in top.names_as_made().into_iter().enumerate() {
        if matches!(name.as_str(), "Assembly" | "Steps" | "FieldData" | "PointData" | "CellData") {
            continue;
        }
        let Some(dir) = top.dir_in_list(&name)? else { continue };
        let index = dir.attr_numbers("Index")?.and_then(|v| v.first().copied()).unwrap_or(made as f64);
        members.push((index, name, dir));
    }
    members.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut blocks = Vec::new();
    for (_, name, dir) in members {
        let kind = type_of(&dir)?;
        blocks.push(walk_block(dir, name, &kind)?);
    }
    if blocks.is_empty() {
        return Err(IngestError::refused(
            top.file(),
            top.place(),
            format_args!("a {kind} without blocks"),
            "one group a block",
            "write the file anew",
        ));
    }
    Ok(Walk { blocks, collection: true })
}

fn check_version(top: &Dir) -> Result<(), IngestError> {
    let place = format!("{}, attribute Version", top.place());
    let Some(version) = top.attr_numbers("Version")? else {
        tracing::warn!(file = %top.file().display(), "no Version attribute, version 1.0 is assumed");
        return Ok(());
    };
    match version.first() {
        Some(major) if (0.0..=MAX_MAJOR).contains(major) => Ok(()),
        _ => Err(IngestError::refused(
            top.file(),
            place,
            format_args!("version {version:?}"),
            "1.x or 2.x",
            "write the file with an older VTK, or ask for a newer crumple",
        )),
    }
}

/// The `Type` attribute, or what the datasets look like where a writer forgot it.
fn type_of(dir: &Dir) -> Result<String, IngestError> {
    if let Some(kind) = dir.attr_text("Type")?.filter(|kind| !kind.is_empty()) {
        return Ok(kind);
    }
    let has = |name: &str| dir.names().any(|n| n == name);
    let kind = if has("Types") && has("Connectivity") && has("Points") {
        "UnstructuredGrid"
    } else if has("Polygons") && has("Points") {
        "PolyData"
    } else {
        return Err(IngestError::refused(
            dir.file(),
            format_args!("{}, attribute Type", dir.place()),
            "no such attribute, and datasets of neither an UnstructuredGrid nor a PolyData",
            "UnstructuredGrid, PolyData, PartitionedDataSetCollection or MultiBlockDataSet",
            "write the file with VTK 9.1 or newer",
        ));
    };
    tracing::warn!(file = %dir.file().display(), group = dir.place(), kind, "no Type attribute, inferred from the datasets");
    Ok(kind.to_owned())
}

fn walk_block(dir: Dir, name: String, kind: &str) -> Result<Block, IngestError> {
    let topologies = match kind {
        "UnstructuredGrid" => vec![walk_topology(&dir, CellKind::Typed)?],
        "PolyData" => {
            let kinds = [
                ("Vertices", CellKind::Vertices),
                ("Lines", CellKind::Lines),
                ("Polygons", CellKind::Polygons),
                ("Strips", CellKind::Strips),
            ];
            let mut topologies = Vec::new();
            for (group, kind) in kinds {
                let cells = dir.dir(group)?.ok_or_else(|| dir.missing(group, "a group"))?;
                topologies.push(walk_topology(&cells, kind)?);
            }
            topologies
        }
        other => {
            return Err(IngestError::refused(
                dir.file(),
                format_args!("{}, attribute Type", dir.place()),
                format_args!("{other:?}"),
                "UnstructuredGrid or PolyData (also as blocks of one PartitionedDataSetCollection or MultiBlockDataSet)",
                "export the finite-element mesh as an unstructured grid",
            ));
        }
    };
    let points = dir.need_set("Points")?;
    points.expect_numbers(3)?;
    let point_counts = dir.need_set("NumberOfPoints")?.read_counts()?;
    let steps = dir.dir("Steps")?.map(|steps| walk_steps(&steps, topologies.len())).transpose()?;
    let (point_data, cell_data) = (dir.dir("PointData")?, dir.dir("CellData")?);
    Ok(Block { name, dir, points, point_counts, topologies, steps, point_data, cell_data })
}

fn walk_topology(dir: &Dir, kind: CellKind) -> Result<Topology, IngestError> {
    let connectivity = dir.need_set("Connectivity")?;
    connectivity.expect_integers(1)?;
    let offsets = dir.need_set("Offsets")?;
    offsets.expect_integers(1)?;
    let types = if kind == CellKind::Typed {
        let types = dir.need_set("Types")?;
        types.expect_integers(1)?;
        Some(types)
    } else {
        None
    };
    Ok(Topology {
        kind,
        connectivity,
        offsets,
        types,
        cell_counts: dir.need_set("NumberOfCells")?.read_counts()?,
        id_counts: dir.need_set("NumberOfConnectivityIds")?.read_counts()?,
    })
}

fn walk_steps(dir: &Dir, topologies: usize) -> Result<Steps, IngestError> {
    let values_set = dir.need_set("Values")?;
    let values = values_set.read_numbers()?;
    if values.is_empty() {
        return Err(values_set.refuse("no time", "one time a state", "write at least one state"));
    }
    if let Some(claimed) = dir.attr_numbers("NSteps")?
        && claimed != [values.len() as f64]
    {
        return Err(values_set.refuse(
            format_args!("{} times", values.len()),
            format_args!("NSteps = {claimed:?}"),
            "the file is incomplete, write it anew",
        ));
    }
    let count = values.len();
    let list = |name: &str, columns: usize| -> Result<Option<Vec<usize>>, IngestError> {
        dir.set(name)?.map(|set| offsets_of(&set, count, columns)).transpose()
    };
    let arrays = |name: &str| -> Result<BTreeMap<String, Vec<usize>>, IngestError> {
        let Some(group) = dir.dir(name)? else { return Ok(BTreeMap::new()) };
        let mut map = BTreeMap::new();
        for member in group.names() {
            if let Some(set) = group.set(member)? {
                map.insert(member.to_owned(), offsets_of(&set, count, 1)?);
            }
        }
        Ok(map)
    };
    Ok(Steps {
        part_counts: list("NumberOfParts", 1)?,
        part_offsets: list("PartOffsets", 1)?,
        point_offsets: list("PointOffsets", 1)?,
        cell_offsets: list("CellOffsets", topologies)?,
        id_offsets: list("ConnectivityIdOffsets", topologies)?,
        point_array_offsets: arrays("PointDataOffsets")?,
        cell_array_offsets: arrays("CellDataOffsets")?,
        values,
    })
}

/// A list of offsets: one row a step, `columns` a row (1 may also be written without the second axis).
fn offsets_of(set: &Set, steps: usize, columns: usize) -> Result<Vec<usize>, IngestError> {
    if set.rows() < steps || set.columns() != columns {
        return Err(set.refuse(
            format_args!("{:?}", set.shape()),
            format_args!("[{steps}, {columns}]: one row a state"),
            "the file is incomplete, write it anew",
        ));
    }
    set.read_counts()
}
