//! The outer skin of a mesh: what a camera can see.
//!
//! Shells are their own skin. A face of a solid is skin when no other living solid shares it. Quads are split along
//! the diagonal 0–2.

use std::collections::HashMap;

use crate::domain::{CellType, Mesh};

/// Triangles that bound the structure; rows belong together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Skin {
    /// Node indices of each triangle.
    pub triangles: Vec<[u32; 3]>,
    /// The element that each triangle belongs to.
    pub element_of: Vec<u32>,
}

/// Faces of the solids in VTK's node order, outward; four entries, the last one repeated for triangles.
fn solid_faces(cell: CellType) -> &'static [[usize; 4]] {
    match cell {
        CellType::Tetra => &[[0, 1, 3, 3], [1, 2, 3, 3], [2, 0, 3, 3], [0, 2, 1, 1]],
        CellType::Pyramid => &[[0, 3, 2, 1], [0, 1, 4, 4], [1, 2, 4, 4], [2, 3, 4, 4], [3, 0, 4, 4]],
        CellType::Wedge => &[[0, 1, 2, 2], [3, 5, 4, 4], [0, 3, 4, 1], [1, 4, 5, 2], [2, 5, 3, 0]],
        CellType::Hexahedron => &[[0, 4, 7, 3], [1, 2, 6, 5], [0, 1, 5, 4], [3, 7, 6, 2], [0, 3, 2, 1], [4, 5, 6, 7]],
        CellType::Vertex | CellType::Line | CellType::Triangle | CellType::Quad => &[],
    }
}

impl Skin {
    /// The skin of the elements that live; `alive` is one entry an element, `None` when all do.
    #[must_use]
    pub fn from_mesh(mesh: &Mesh, alive: Option<&[bool]>) -> Self {
        let mut skin = Self::default();
        let mut shared: HashMap<[u32; 4], (u32, [u32; 4], u32)> = HashMap::new();
        for element in 0..mesh.element_count() {
            if alive.is_some_and(|a| !a[element]) {
                continue;
            }
            let nodes = mesh.nodes_of(element);
            let id = element as u32;
            match mesh.cell_types[element] {
                CellType::Vertex | CellType::Line => {}
                CellType::Triangle => skin.push_face([nodes[0], nodes[1], nodes[2], nodes[2]], id),
                CellType::Quad => skin.push_face([nodes[0], nodes[1], nodes[2], nodes[3]], id),
                solid => {
                    for face in solid_faces(solid) {
                        let face = face.map(|i| nodes[i]);
                        let mut key = face;
                        key.sort_unstable();
                        shared.entry(key).or_insert((id, face, 0)).2 += 1;
                    }
                }
            }
        }
        let mut outer: Vec<_> = shared.into_values().filter(|(_, _, count)| *count == 1).collect();
        outer.sort_unstable();
        for (element, face, _) in outer {
            skin.push_face(face, element);
        }
        skin
    }

    fn push_face(&mut self, [a, b, c, d]: [u32; 4], element: u32) {
        self.triangles.push([a, b, c]);
        self.element_of.push(element);
        if c != d {
            self.triangles.push([a, c, d]);
            self.element_of.push(element);
        }
    }

    /// True for each node that some triangle uses.
    #[must_use]
    pub fn is_on_skin(&self, node_count: usize) -> Vec<bool> {
        let mut on = vec![false; node_count];
        for n in self.triangles.iter().flatten() {
            on[*n as usize] = true;
        }
        on
    }

    /// Area of each triangle in mm², by position.
    #[must_use]
    pub fn areas_mm2(&self, positions_mm: &[[f32; 3]]) -> Vec<f64> {
        let at = |n: u32| nalgebra::Vector3::from(positions_mm[n as usize].map(f64::from));
        self.triangles.iter().map(|[a, b, c]| 0.5 * (at(*b) - at(*a)).cross(&(at(*c) - at(*a))).norm()).collect()
    }
}

/// The edges of the skin, each once, smaller node first.
#[must_use]
pub fn node_neighbours(skin: &Skin) -> Vec<[u32; 2]> {
    let mut edges: Vec<[u32; 2]> = skin
        .triangles
        .iter()
        .flat_map(|[a, b, c]| [[*a, *b], [*b, *c], [*c, *a]])
        .map(|[a, b]| [a.min(b), a.max(b)])
        .collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PartId;

    fn mesh(cells: &[(CellType, &[u32])]) -> Mesh {
        let mut mesh = Mesh { node_count: 16, offsets: vec![0], ..Mesh::default() };
        for (cell, nodes) in cells {
            mesh.cell_types.push(*cell);
            mesh.connectivity.extend_from_slice(nodes);
            mesh.offsets.push(mesh.connectivity.len() as u32);
            mesh.part_of.push(PartId(1));
        }
        mesh
    }

    #[test]
    fn two_bricks_hide_the_face_between_them_until_one_erodes() {
        let bricks = mesh(&[
            (CellType::Hexahedron, &[0, 1, 2, 3, 4, 5, 6, 7]),
            (CellType::Hexahedron, &[4, 5, 6, 7, 8, 9, 10, 11]),
        ]);
        assert_eq!(Skin::from_mesh(&bricks, None).triangles.len(), 20);
        assert_eq!(Skin::from_mesh(&bricks, Some(&[true, false])).triangles.len(), 12);
    }

    #[test]
    fn faces_of_solids_close_and_look_outward() {
        // A closed surface with outward normals has the solid's volume by the divergence theorem.
        let x: [[f32; 3]; 8] = [
            [0., 0., 0.],
            [1., 0., 0.],
            [1., 1., 0.],
            [0., 1., 0.],
            [0., 0., 1.],
            [1., 0., 1.],
            [1., 1., 1.],
            [0., 1., 1.],
        ];
        let cases: [(CellType, &[u32], f64); 4] = [
            (CellType::Tetra, &[0, 1, 3, 4], 1.0 / 6.0),
            (CellType::Hexahedron, &[0, 1, 2, 3, 4, 5, 6, 7], 1.0),
            (CellType::Wedge, &[0, 3, 1, 4, 7, 5], 0.5),
            (CellType::Pyramid, &[0, 1, 2, 3, 4], 1.0 / 3.0),
        ];
        for (cell, nodes, volume) in cases {
            let skin = Skin::from_mesh(&mesh(&[(cell, nodes)]), None);
            let at = |n: u32| nalgebra::Vector3::from(x[n as usize].map(f64::from));
            let v: f64 = skin.triangles.iter().map(|[a, b, c]| at(*a).dot(&at(*b).cross(&at(*c))) / 6.0).sum();
            assert!((v - volume).abs() < 1e-9, "{cell:?}: {v} instead of {volume}");
        }
    }

    #[test]
    fn lines_and_points_are_never_drawn() {
        let m = mesh(&[(CellType::Line, &[0, 1]), (CellType::Vertex, &[3]), (CellType::Quad, &[0, 1, 2, 3])]);
        let skin = Skin::from_mesh(&m, None);
        assert_eq!((skin.triangles.len(), skin.element_of[0]), (2, 2));
        assert_eq!(node_neighbours(&skin), vec![[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]]);
    }
}
