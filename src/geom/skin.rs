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

    /// True for each node that some triangle uses; one that [`Self::of_living`] shrank uses none.
    #[must_use]
    pub fn is_on_skin(&self, node_count: usize) -> Vec<bool> {
        let mut on = vec![false; node_count];
        for n in self.triangles.iter().filter(|[a, b, c]| a != b || b != c).flatten() {
            on[*n as usize] = true;
        }
        on
    }

    /// The skin without the elements that are no longer alive: their triangles shrink to a point, so that the numbers of
    /// the others stay. Elements beyond the end of `alive` live. Faces of solids that erosion uncovers are not drawn.
    #[must_use]
    pub fn of_living(&self, alive: &[bool]) -> Self {
        let mut skin = self.clone();
        for (triangle, element) in skin.triangles.iter_mut().zip(&skin.element_of) {
            if !alive.get(*element as usize).copied().unwrap_or(true) {
                *triangle = [triangle[0]; 3];
            }
        }
        skin
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

/// Fills vectors that are not known (not finite) from the nearest known ones along the skin, ring by ring: a node takes
/// the mean of its neighbours that are nearer to what is known. Nodes that nothing known is connected with get zero.
#[must_use]
pub fn carry_over(skin: &Skin, values: &[[f32; 3]]) -> Vec<[f32; 3]> {
    const FAR: u32 = u32::MAX;
    let known = |v: &[f32; 3]| v.iter().all(|c| c.is_finite());
    let mut filled: Vec<[f32; 3]> = values.iter().map(|v| if known(v) { *v } else { [0.0; 3] }).collect();
    if values.iter().all(known) {
        return filled;
    }
    let (starts, near) = adjacency(skin, values.len());
    let neighbours = |n: u32| &near[starts[n as usize]..starts[n as usize + 1]];
    let mut ring: Vec<u32> = values.iter().map(|v| if known(v) { 0 } else { FAR }).collect();
    let mut queue: Vec<u32> = (0..values.len() as u32).filter(|n| ring[*n as usize] == 0).collect();
    let mut next = 0;
    while let Some(n) = queue.get(next).copied() {
        next += 1;
        let own = ring[n as usize];
        if own > 0 {
            // Everything nearer is filled already: the queue goes ring by ring.
            let nearer = || neighbours(n).iter().filter(|m| ring[**m as usize] < own);
            let count = nearer().count().max(1) as f32;
            filled[n as usize] = std::array::from_fn(|i| nearer().map(|m| filled[*m as usize][i]).sum::<f32>() / count);
        }
        for m in neighbours(n) {
            if ring[*m as usize] == FAR {
                ring[*m as usize] = own + 1;
                queue.push(*m);
            }
        }
    }
    filled
}

/// The neighbours of each node: where its list starts (one entry more than nodes), and all lists.
fn adjacency(skin: &Skin, node_count: usize) -> (Vec<usize>, Vec<u32>) {
    let edges = node_neighbours(skin);
    let mut starts = vec![0; node_count + 1];
    for n in edges.iter().flatten() {
        starts[*n as usize + 1] += 1;
    }
    for n in 0..node_count {
        starts[n + 1] += starts[n];
    }
    let (mut at, mut near) = (starts.clone(), vec![0; 2 * edges.len()]);
    for [a, b] in edges {
        for (from, to) in [(a, b), (b, a)] {
            near[at[from as usize]] = to;
            at[from as usize] += 1;
        }
    }
    (starts, near)
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
    fn what_has_eroded_becomes_points_and_holds_no_node() {
        let sheet = mesh(&[(CellType::Quad, &[0, 1, 4, 3]), (CellType::Quad, &[1, 2, 5, 4])]);
        let skin = Skin::from_mesh(&sheet, None);
        let left = skin.of_living(&[true, false]);
        assert_eq!((&left.triangles[..2], &left.element_of), (&skin.triangles[..2], &skin.element_of));
        assert_eq!(left.triangles[2..], [[1; 3], [1; 3]]);
        assert_eq!(left.is_on_skin(6), [true, true, false, true, true, false]);
        assert_eq!(skin.of_living(&[]).triangles, skin.triangles, "what nobody knows of lives");
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

    #[test]
    fn what_is_not_known_comes_from_the_nearest_that_is() {
        // A strip of five quads, nodes 0 2 4 … below and 1 3 5 … above, and a quad for itself.
        let quads: Vec<[u32; 4]> = (0..5).map(|e| [2 * e, 2 * e + 2, 2 * e + 3, 2 * e + 1]).collect();
        let mut cells: Vec<(CellType, &[u32])> = quads.iter().map(|q| (CellType::Quad, q.as_slice())).collect();
        cells.push((CellType::Quad, &[12, 13, 14, 15]));
        let skin = Skin::from_mesh(&mesh(&cells), None);
        let mut values = vec![[f32::NAN; 3]; 16];
        (values[0], values[1]) = ([1.0, 0.0, 0.0], [1.0, 0.0, 0.0]);
        (values[10], values[11]) = ([0.0, 3.0, 0.0], [0.0, 3.0, 0.0]);
        let filled = carry_over(&skin, &values);
        assert_eq!((filled[0], filled[11]), (values[0], values[11]), "what is known stays");
        assert_eq!(filled[4], [1.0, 0.0, 0.0], "two rings from the left");
        assert_eq!(filled[8], [0.0, 3.0, 0.0], "one ring from the right");
        assert_eq!(filled[13], [0.0; 3], "nothing known is connected with it");
    }
}
