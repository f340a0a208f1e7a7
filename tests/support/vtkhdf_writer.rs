//! Writes a VTKHDF unstructured grid with every freedom that the format leaves to writers.

use std::path::Path;

use hdf5::types::FixedAscii;
use hdf5::{File, Group};
use ndarray::Array2;

/// One piece of the mesh at one state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Piece {
    pub(crate) points: Vec<[f64; 3]>,
    pub(crate) types: Vec<u8>,
    /// Nodes of each cell, counted within the piece.
    pub(crate) cells: Vec<Vec<i64>>,
}

impl Piece {
    fn ids(&self) -> usize {
        self.cells.iter().map(Vec::len).sum()
    }
}

/// A file to be written; `states[s][piece]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writer {
    pub(crate) times: Vec<f64>,
    pub(crate) states: Vec<Vec<Piece>>,
    /// Topology (and points) written once, though `PartOffsets` may grow.
    pub(crate) static_mesh: bool,
    /// With a static mesh: `PartOffsets[s] = s * pieces` and counts repeated, as some writers do.
    pub(crate) growing_part_offsets: bool,
    /// Rows of the displacement by state, over all pieces.
    pub(crate) displacement: Option<Vec<Vec<[f64; 3]>>>,
    pub(crate) displacement_name: Option<String>,
    pub(crate) node_ids: Option<Vec<Vec<i64>>>,
    pub(crate) element_ids: Option<Vec<Vec<i64>>>,
    /// Static rows over all pieces.
    pub(crate) part_id: Option<Vec<i32>>,
    pub(crate) plastic_strain: Option<Vec<Vec<f32>>>,
    pub(crate) status: Option<Vec<Vec<f32>>>,
    pub(crate) version: Option<[i64; 2]>,
    pub(crate) without_type: bool,
    /// Without the `Steps` group (one state).
    pub(crate) without_steps: bool,
}

fn attr_text(group: &Group, name: &str, text: &str) {
    let value = FixedAscii::<64>::from_ascii(text).expect("ascii");
    group.new_attr::<FixedAscii<64>>().create(name).expect("attr").write_scalar(&value).expect("write");
}

fn list<T: hdf5::H5Type>(group: &Group, name: &str, values: &[T]) {
    group.new_dataset_builder().with_data(values).create(name).expect("dataset");
}

fn vectors(group: &Group, name: &str, rows: &[[f64; 3]]) {
    let flat = Array2::from_shape_vec((rows.len(), 3), rows.concat()).expect("rows of three");
    group.new_dataset_builder().deflate(4).with_data(&flat).create(name).expect("dataset");
}

fn starts(counts: impl Iterator<Item = usize>) -> Vec<i64> {
    let mut at = 0;
    counts
        .map(|n| {
            let start = at;
            at += n as i64;
            start
        })
        .collect()
}

impl Writer {
    /// A static mesh of one piece with `times.len()` states.
    pub(crate) fn static_mesh(times: &[f64], piece: Piece) -> Self {
        Self { times: times.to_vec(), states: vec![vec![piece]], static_mesh: true, ..Self::default() }
    }

    /// Writes the file.
    pub(crate) fn write(&self, path: &Path) {
        let file = File::create(path).expect("create");
        let top = file.create_group("VTKHDF").expect("group");
        self.write_grid(&top);
    }

    /// Writes the grid into `top`.
    pub(crate) fn write_grid(&self, top: &Group) {
        let version = self.version.unwrap_or([2, 2]);
        top.new_attr::<i64>().shape(2).create("Version").expect("attr").write_raw(&version).expect("write");
        if !self.without_type {
            attr_text(top, "Type", "UnstructuredGrid");
        }
        let pieces: Vec<&Piece> = self.states.iter().flatten().collect();
        let repeat = if self.static_mesh && self.growing_part_offsets { self.times.len() } else { 1 };
        let counts = |of: &dyn Fn(&Piece) -> usize| -> Vec<i64> {
            let once: Vec<i64> = pieces.iter().map(|p| of(p) as i64).collect();
            once.repeat(repeat)
        };
        list(top, "NumberOfPoints", &counts(&|p| p.points.len()));
        list(top, "NumberOfCells", &counts(&|p| p.cells.len()));
        list(top, "NumberOfConnectivityIds", &counts(&|p| p.ids()));
        let points: Vec<[f64; 3]> = pieces.iter().flat_map(|p| p.points.clone()).collect();
        vectors(top, "Points", &points);
        let types: Vec<u8> = pieces.iter().flat_map(|p| p.types.clone()).collect();
        list(top, "Types", &types);
        let ids: Vec<i64> = pieces.iter().flat_map(|p| p.cells.concat()).collect();
        list(top, "Connectivity", &ids);
        let offsets: Vec<i64> = pieces
            .iter()
            .flat_map(|p| {
                let mut own = starts(p.cells.iter().map(Vec::len));
                own.push(p.ids() as i64);
                own
            })
            .collect();
        list(top, "Offsets", &offsets);
        if !self.without_steps {
            self.write_steps(top);
        }
        self.write_arrays(top);
    }

    fn write_steps(&self, top: &Group) {
        let steps = top.create_group("Steps").expect("group");
        let count = self.times.len();
        steps.new_attr::<i64>().create("NSteps").expect("attr").write_scalar(&(count as i64)).expect("write");
        list(&steps, "Values", &self.times);
        let per_state = self.states[0].len() as i64;
        if self.static_mesh {
            let growth = if self.growing_part_offsets { per_state } else { 0 };
            list(&steps, "NumberOfParts", &vec![per_state; count]);
            list(&steps, "PartOffsets", &(0..count as i64).map(|s| s * growth).collect::<Vec<_>>());
            for name in ["PointOffsets", "CellOffsets", "ConnectivityIdOffsets"] {
                list(&steps, name, &vec![0_i64; count]);
            }
            return;
        }
        let of = |f: &dyn Fn(&Piece) -> usize| starts(self.states.iter().map(|s| s.iter().map(f).sum()));
        list(&steps, "NumberOfParts", &self.states.iter().map(|s| s.len() as i64).collect::<Vec<_>>());
        list(&steps, "PartOffsets", &starts(self.states.iter().map(Vec::len)));
        list(&steps, "PointOffsets", &of(&|p| p.points.len()));
        list(&steps, "CellOffsets", &of(&|p| p.cells.len()));
        list(&steps, "ConnectivityIdOffsets", &of(&|p| p.ids()));
    }

    fn write_arrays(&self, top: &Group) {
        let points = top.create_group("PointData").expect("group");
        let cells = top.create_group("CellData").expect("group");
        let steps = top.group("Steps").ok();
        let offsets = |group: &str, name: &str, starts: Vec<i64>| {
            let Some(steps) = &steps else { return };
            let group = steps.group(group).or_else(|_| steps.create_group(group)).expect("group");
            list(&group, name, &starts);
        };
        if let Some(rows) = &self.displacement {
            let name = self.displacement_name.as_deref().unwrap_or("Displacement");
            vectors(&points, name, &rows.concat());
            offsets("PointDataOffsets", name, starts(rows.iter().map(Vec::len)));
        }
        if let Some(ids) = &self.node_ids {
            list(&points, "GlobalIds", &ids.concat());
            offsets("PointDataOffsets", "GlobalIds", starts(ids.iter().map(Vec::len)));
        }
        if let Some(ids) = &self.element_ids {
            list(&cells, "GlobalIds", &ids.concat());
            offsets("CellDataOffsets", "GlobalIds", starts(ids.iter().map(Vec::len)));
        }
        if let Some(ids) = &self.part_id {
            list(&cells, "PartId", ids);
            offsets("CellDataOffsets", "PartId", vec![0; self.times.len()]);
        }
        for (name, rows) in [("PlasticStrain", &self.plastic_strain), ("Status", &self.status)] {
            if let Some(rows) = rows {
                list(&cells, name, &rows.concat());
                offsets("CellDataOffsets", name, starts(rows.iter().map(Vec::len)));
            }
        }
    }
}

/// A mesh with one element of each known type, on a grid of points.
pub(crate) fn zoo() -> Piece {
    let kinds: [(u8, usize); 8] = [(1, 1), (3, 2), (5, 3), (9, 4), (10, 4), (12, 8), (13, 6), (14, 5)];
    let points = (0..12).map(|i| [f64::from(i % 3) * 10.0, f64::from(i / 3) * 10.0, f64::from(i)]).collect();
    let cells = kinds.iter().map(|(_, n)| (0..*n as i64).collect()).collect();
    Piece { points, types: kinds.iter().map(|k| k.0).collect(), cells }
}

/// A strip of `n` quads.
pub(crate) fn strip(n: usize) -> Piece {
    let points = (0..=n).flat_map(|i| [[i as f64, 0.0, 0.0], [i as f64, 1.0, 0.0]]).collect();
    let cells = (0..n as i64).map(|i| vec![2 * i, 2 * i + 2, 2 * i + 3, 2 * i + 1]).collect();
    Piece { points, types: vec![9; n], cells }
}
