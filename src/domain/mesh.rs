//! The finite-element mesh: nodes by index, elements as runs of node indices, parts by the solver's number.

use serde::{Deserialize, Serialize};

/// The solver's number of a part (`PartId` in the file).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartId(pub i32);

impl std::fmt::Display for PartId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A component of the structure: what an engineer calls by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The solver's number.
    pub id: PartId,
    /// The name from the side-car file, or `part <id>`.
    pub name: String,
    /// Material label, when the side-car names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub material: Option<String>,
    /// Sheet thickness in mm, when the side-car names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thickness_mm: Option<f64>,
}

/// The VTK cell types that the product knows, with VTK's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum CellType {
    /// One node; carried, never drawn.
    Vertex = 1,
    /// Two nodes; carried, never drawn.
    Line = 3,
    /// Shell, three nodes.
    Triangle = 5,
    /// Shell, four nodes.
    Quad = 9,
    /// Solid, four nodes.
    Tetra = 10,
    /// Solid, eight nodes.
    Hexahedron = 12,
    /// Solid, six nodes.
    Wedge = 13,
    /// Solid, five nodes.
    Pyramid = 14,
}

impl CellType {
    /// The type with VTK's number `code`, or `None` for one that the product does not know.
    #[must_use]
    pub fn from_vtk(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Vertex,
            3 => Self::Line,
            5 => Self::Triangle,
            9 => Self::Quad,
            10 => Self::Tetra,
            12 => Self::Hexahedron,
            13 => Self::Wedge,
            14 => Self::Pyramid,
            _ => return None,
        })
    }

    /// How many nodes an element of this type has.
    #[must_use]
    pub fn node_count(self) -> usize {
        match self {
            Self::Vertex => 1,
            Self::Line => 2,
            Self::Triangle => 3,
            Self::Quad | Self::Tetra => 4,
            Self::Pyramid => 5,
            Self::Wedge => 6,
            Self::Hexahedron => 8,
        }
    }
}

/// Elements over nodes; the node positions belong to a [`State`](super::State).
///
/// Element `e` has the nodes `connectivity[offsets[e]..offsets[e + 1]]`, in VTK's order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mesh {
    /// How many nodes the states have.
    pub node_count: usize,
    /// The solver's node numbers, when the file has them; `node_count` long.
    pub node_ids: Option<Vec<i64>>,
    /// Start of each element in `connectivity`; `element_count + 1` long, starts at 0.
    pub offsets: Vec<u32>,
    /// Node indices of all elements, one after the other.
    pub connectivity: Vec<u32>,
    /// Type of each element.
    pub cell_types: Vec<CellType>,
    /// Part of each element.
    pub part_of: Vec<PartId>,
    /// The parts, by rising id; every id in `part_of` is here.
    pub parts: Vec<Part>,
}

impl Mesh {
    /// How many elements there are.
    #[must_use]
    pub fn element_count(&self) -> usize {
        self.cell_types.len()
    }

    /// The node indices of element `element`.
    #[must_use]
    pub fn nodes_of(&self, element: usize) -> &[u32] {
        &self.connectivity[self.offsets[element] as usize..self.offsets[element + 1] as usize]
    }

    /// The name of part `id`, for people.
    #[must_use]
    pub fn part_name(&self, id: PartId) -> &str {
        self.parts.iter().find(|p| p.id == id).map_or("unnamed part", |p| p.name.as_str())
    }
}
