//! All bodies before the cameras as one mesh: the structure, what hits it, what stands around.

use nalgebra::Vector3;

use super::paint::{Decal, Paint};
use super::solids::Solid;
use crate::domain::Mesh;
use crate::geom::Skin;

/// No triangle is lit more to one side of a crease sharper than this (cosine): a corner of a box stays a corner.
const CREASE: f32 = 0.72;
/// A sticker is only drawn on triangles whose undeformed normal is within 60 degrees of its own.
const DECAL_FACING: f32 = 0.5;

/// What a triangle belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The structure that is tested.
    Structure,
    /// What hits it.
    Impactor,
    /// What stands still.
    Scenery,
}

/// How a body takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// It travels with the impactor.
    Moving,
    /// It stands and throws shadows.
    Standing,
    /// It is the hall.
    Backdrop,
}

/// Bodies with their paints; positions come from outside, moment by moment.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Triangles of all bodies; those of the structure first, in the order of its own skin.
    pub skin: Skin,
    /// Material points of all nodes, mm: those of the structure first.
    pub rest_mm: Vec<[f32; 3]>,
    pub(super) rest_normals: Vec<[f32; 3]>,
    /// Paint of each triangle, front and back.
    pub(super) paint_of: Vec<[u16; 2]>,
    pub(super) paints: Vec<Paint>,
    pub(super) decals: Vec<Decal>,
    decal_starts: Vec<u32>,
    decal_list: Vec<u16>,
    structure_nodes: usize,
    structure_triangles: usize,
    moving_nodes: std::ops::Range<usize>,
    moving_triangles: std::ops::Range<usize>,
    /// So many triangles, from the first on, throw shadows: floor and walls close the hall but do not darken it.
    casting: usize,
    /// Triangles around each node.
    around: Vec<Vec<u32>>,
}

impl Scene {
    /// The structure alone: `paints` has one front and one back paint a part, in the order of `mesh.parts`.
    #[must_use]
    pub fn new(mesh: &Mesh, undeformed_mm: &[[f32; 3]], paints: &[[Paint; 2]]) -> Self {
        let skin = Skin::from_mesh(mesh, None);
        let paint_of = skin
            .element_of
            .iter()
            .map(|e| {
                let part = mesh.part_of[*e as usize];
                let index = mesh.parts.iter().position(|p| p.id == part).unwrap_or(0).min(paints.len() - 1) as u16;
                [2 * index, 2 * index + 1]
            })
            .collect();
        let (nodes, triangles) = (undeformed_mm.len(), skin.triangles.len());
        let mut scene = Self {
            rest_normals: Vec::new(),
            rest_mm: undeformed_mm.to_vec(),
            skin,
            paint_of,
            paints: paints.iter().flatten().cloned().collect(),
            decals: Vec::new(),
            decal_starts: vec![0; triangles + 1],
            decal_list: Vec::new(),
            structure_nodes: nodes,
            structure_triangles: triangles,
            moving_nodes: nodes..nodes,
            moving_triangles: triangles..triangles,
            casting: triangles,
            around: Vec::new(),
        };
        scene.index();
        scene
    }

    /// Adds bodies: first, all at once, those that travel with the impactor, then those that throw shadows, then others.
    pub(super) fn add(&mut self, solids: &[(Solid, Paint)], kind: Body) {
        let (nodes, triangles) = (self.rest_mm.len(), self.skin.triangles.len());
        for (solid, paint) in solids {
            let first = self.rest_mm.len() as u32;
            let index = self.paints.len() as u16;
            self.paints.push(paint.clone());
            self.rest_mm.extend(&solid.points_mm);
            self.skin.triangles.extend(solid.triangles.iter().map(|t| t.map(|n| n + first)));
            self.paint_of.resize(self.skin.triangles.len(), [index; 2]);
        }
        self.skin.element_of.resize(self.skin.triangles.len(), u32::MAX);
        if kind != Body::Backdrop {
            self.casting = self.skin.triangles.len();
        }
        if kind == Body::Moving {
            self.moving_nodes = nodes..self.rest_mm.len();
            self.moving_triangles = triangles..self.skin.triangles.len();
        }
        self.index();
    }

    /// Puts stickers on; replaces earlier ones.
    pub(super) fn stick(&mut self, decals: Vec<Decal>) {
        let mut lists: Vec<Vec<u16>> = vec![Vec::new(); self.skin.triangles.len()];
        for (index, decal) in decals.iter().enumerate() {
            let centre = decal.centre_mm.map(f64::from).into();
            for (t, nodes) in self.skin.triangles.iter().enumerate() {
                let facing = dot(self.rest_normals[t], decal.axes[2]);
                if facing.abs() > DECAL_FACING && distance_mm(&self.rest_mm, *nodes, centre) < decal.reach_mm().into() {
                    lists[t].push(index as u16);
                }
            }
        }
        self.decal_starts = vec![0];
        self.decal_list = Vec::new();
        for list in lists {
            self.decal_list.extend(list);
            self.decal_starts.push(self.decal_list.len() as u32);
        }
        self.decals = decals;
    }

    pub(super) fn decals_on(&self, triangle: usize) -> impl Iterator<Item = &Decal> {
        let (from, to) = (self.decal_starts[triangle] as usize, self.decal_starts[triangle + 1] as usize);
        self.decal_list[from..to].iter().map(|d| &self.decals[usize::from(*d)])
    }

    fn index(&mut self) {
        self.rest_normals = self.skin.triangles.iter().map(|t| unit(normal_of(&self.rest_mm, *t))).collect();
        self.around = vec![Vec::new(); self.rest_mm.len()];
        for (t, nodes) in self.skin.triangles.iter().enumerate() {
            for n in nodes {
                self.around[*n as usize].push(t as u32);
            }
        }
        self.decal_starts = vec![0; self.skin.triangles.len() + 1];
    }

    /// Nodes of the structure; they come first.
    #[must_use]
    pub fn structure_nodes(&self) -> usize {
        self.structure_nodes
    }

    /// What a triangle belongs to.
    #[must_use]
    pub fn owner(&self, triangle: u32) -> Owner {
        let triangle = triangle as usize;
        if triangle < self.structure_triangles {
            Owner::Structure
        } else if self.moving_triangles.contains(&triangle) {
            Owner::Impactor
        } else {
            Owner::Scenery
        }
    }

    /// Positions of all nodes with the structure at `structure_mm` and the impactor moved by `moved_mm`.
    #[must_use]
    pub fn positions_mm(&self, structure_mm: &[[f32; 3]], moved_mm: [f64; 3]) -> Vec<[f32; 3]> {
        let mut all = self.rest_mm.clone();
        all[..self.structure_nodes].copy_from_slice(structure_mm);
        for p in &mut all[self.moving_nodes.clone()] {
            *p = std::array::from_fn(|i| (f64::from(p[i]) + moved_mm[i]) as f32);
        }
        all
    }

    /// The skin without the structure's elements that are no longer alive.
    #[must_use]
    pub fn skin_of_living(&self, alive: Option<&[bool]>) -> Skin {
        alive.map_or_else(|| self.skin.clone(), |alive| self.skin.of_living(alive))
    }

    /// The triangles of `skin` (the scene's, dead elements shrunk) that throw shadows.
    pub(super) fn casters(&self, skin: &Skin) -> Skin {
        let count = self.casting;
        Skin { triangles: skin.triangles[..count].to_vec(), element_of: skin.element_of[..count].to_vec() }
    }

    /// The structure's triangles alone, over the scene's nodes.
    pub(super) fn skin_of_structure(&self) -> Skin {
        let count = self.structure_triangles;
        Skin { triangles: self.skin.triangles[..count].to_vec(), element_of: self.skin.element_of[..count].to_vec() }
    }

    /// Values of the triangles (`values[t]`), smoothed over each corner's neighbours that are no crease away.
    pub(super) fn at_corners<const N: usize>(&self, normals: &[[f32; 3]], values: &[[f32; N]]) -> Vec<[[f32; N]; 3]> {
        use rayon::prelude::*;
        self.skin
            .triangles
            .par_iter()
            .enumerate()
            .map(|(t, nodes)| {
                let own = unit(normals[t]);
                nodes.map(|n| {
                    let mut sum = [0.0; N];
                    let mut weight = 0.0;
                    for other in &self.around[n as usize] {
                        let area_normal = normals[*other as usize];
                        let area = length(area_normal);
                        if dot(own, area_normal) >= CREASE * area {
                            weight += area;
                            for (s, v) in sum.iter_mut().zip(values[*other as usize]) {
                                *s += area * v;
                            }
                        }
                    }
                    if weight > 0.0 { sum.map(|s| s / weight) } else { values[t] }
                })
            })
            .collect()
    }
}

/// Normal of a triangle with twice its area for a length.
pub(super) fn normal_of(positions_mm: &[[f32; 3]], nodes: [u32; 3]) -> [f32; 3] {
    let [a, b, c] = nodes.map(|n| Vector3::from(positions_mm[n as usize]));
    (b - a).cross(&(c - a)).into()
}

/// Distance of a point from a triangle, roughly: from the nearest of its corners, edge middles and its centroid.
fn distance_mm(positions_mm: &[[f32; 3]], nodes: [u32; 3], from: Vector3<f64>) -> f64 {
    let [a, b, c] = nodes.map(|n| Vector3::from(positions_mm[n as usize].map(f64::from)));
    let reach = (a - b).norm().max((b - c).norm()).max((c - a).norm());
    ((a + b + c) / 3.0 - from).norm() - 0.6 * reach
}

pub(super) fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn length(a: [f32; 3]) -> f32 {
    dot(a, a).sqrt()
}

pub(super) fn unit(a: [f32; 3]) -> [f32; 3] {
    let l = length(a).max(1e-12);
    a.map(|v| v / l)
}
