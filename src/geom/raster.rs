//! A multi-threaded z-buffer: which triangle each pixel of a pin-hole picture sees.
//!
//! Pixel (0, 0) is the centre of the top-left pixel. A pixel belongs to the nearest triangle that covers its centre.
//! `1/z` is linear over a projected triangle, so the depth test is exact for planar triangles; barycentric coordinates
//! are taken afterwards, for the visible triangle alone, from the ray through the pixel.
//! Triangles that cross the near plane are cut there.

use nalgebra::Vector3;
use ndarray::Array2;
use rayon::prelude::*;

use super::camera::Camera;
use super::skin::Skin;

/// "No triangle here" in [`Raster::triangle`].
pub const NO_TRIANGLE: u32 = u32::MAX;

/// Nothing nearer than this is drawn, mm.
const NEAR_MM: f64 = 1.0;
/// Rows that one task draws; small enough to share the work, large enough to pay for the sorting.
const BAND_ROWS: usize = 16;

/// What each pixel of a picture sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Raster {
    /// Depth along the optical axis in mm, `[height, width]`; infinite where nothing is.
    pub depth_mm: Array2<f32>,
    /// Index in [`Skin::triangles`]; [`NO_TRIANGLE`] where nothing is.
    pub triangle: Array2<u32>,
    /// Nodes in camera axes, mm: what [`Raster::surface_point`] intersects with.
    nodes_in_camera: Vec<[f32; 3]>,
}

/// The surface under a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SurfacePoint {
    /// Index in [`Skin::triangles`].
    pub triangle: u32,
    /// Weights of the triangle's three nodes; they sum to 1.
    pub barycentric: [f32; 3],
    /// Cosine between the viewing ray and the triangle's normal: 1 seen frontally from the side from which the nodes
    /// run clockwise in the picture, negative from the other, 0 seen edge-on.
    pub facing: f32,
}

/// A triangle on the screen, ready to be filled: three edge functions and the plane of `1/z`.
struct Filled {
    id: u32,
    rows: [i32; 2],
    columns: [i32; 2],
    edges: [[f64; 3]; 3],
    inverse_depth: [f64; 3],
}

/// Draws `skin` at `positions_mm` as `camera` sees it; the lens is ignored.
#[must_use]
pub fn rasterise(camera: &Camera, skin: &Skin, positions_mm: &[[f32; 3]]) -> Raster {
    let (w, h) = (camera.width, camera.height);
    let nodes_in_camera: Vec<[f32; 3]> = positions_mm
        .par_iter()
        .map(|p| {
            let q = camera.camera_from_world(p.map(f64::from));
            [q.x as f32, q.y as f32, q.z as f32]
        })
        .collect();
    let filled: Vec<Filled> = skin
        .triangles
        .par_iter()
        .enumerate()
        .flat_map_iter(|(id, nodes)| {
            let corners = nodes.map(|n| Vector3::from(nodes_in_camera[n as usize].map(f64::from)));
            screen_triangles(camera, id as u32, corners)
        })
        .collect();
    let mut bands: Vec<Vec<u32>> = vec![Vec::new(); h.div_ceil(BAND_ROWS)];
    for (i, t) in filled.iter().enumerate() {
        for band in &mut bands[t.rows[0] as usize / BAND_ROWS..=t.rows[1] as usize / BAND_ROWS] {
            band.push(i as u32);
        }
    }
    let mut depth = vec![f32::INFINITY; w * h];
    let mut triangle = vec![NO_TRIANGLE; w * h];
    depth
        .par_chunks_mut(BAND_ROWS * w)
        .zip(triangle.par_chunks_mut(BAND_ROWS * w))
        .zip(bands.par_iter())
        .enumerate()
        .for_each(|(band, ((depth, triangle), members))| {
            let top = (band * BAND_ROWS) as i32;
            for i in members {
                fill(&filled[*i as usize], top, w, depth, triangle);
            }
        });
    Raster {
        depth_mm: Array2::from_shape_vec((h, w), depth).expect("a row-major picture is a bug otherwise"),
        triangle: Array2::from_shape_vec((h, w), triangle).expect("a row-major picture is a bug otherwise"),
        nodes_in_camera,
    }
}

impl Raster {
    /// The surface under pixel (`row`, `column`); `None` where nothing is.
    #[must_use]
    pub fn surface_point(&self, camera: &Camera, skin: &Skin, row: usize, column: usize) -> Option<SurfacePoint> {
        let triangle = self.triangle[(row, column)];
        if triangle == NO_TRIANGLE {
            return None;
        }
        let k = camera.intrinsics;
        let ray = Vector3::new((column as f64 - k.cx) / k.fx, (row as f64 - k.cy) / k.fy, 1.0);
        let [a, b, c] =
            skin.triangles[triangle as usize].map(|n| Vector3::from(self.nodes_in_camera[n as usize].map(f64::from)));
        // The ray starts at the origin, so each weight is a signed volume of the tetrahedron with the opposite edge.
        let volumes = [ray.dot(&b.cross(&c)), ray.dot(&c.cross(&a)), ray.dot(&a.cross(&b))];
        let sum: f64 = volumes.iter().sum();
        let normal = (b - a).cross(&(c - a));
        Some(SurfacePoint {
            triangle,
            barycentric: volumes.map(|v| (v / sum) as f32),
            facing: (normal.dot(&ray) / (normal.norm() * ray.norm())) as f32,
        })
    }

    /// How many pixels see something.
    #[must_use]
    pub fn covered(&self) -> usize {
        self.triangle.iter().filter(|t| **t != NO_TRIANGLE).count()
    }
}

/// Projects a triangle, cutting it at the near plane: none, one or two triangles on the screen.
fn screen_triangles(camera: &Camera, id: u32, corners: [Vector3<f64>; 3]) -> impl Iterator<Item = Filled> {
    let mut polygon: Vec<Vector3<f64>> = Vec::with_capacity(4);
    if corners.iter().all(|p| p.z >= NEAR_MM) {
        polygon.extend(corners);
    } else if corners.iter().any(|p| p.z >= NEAR_MM) {
        for i in 0..3 {
            let (p, q) = (corners[i], corners[(i + 1) % 3]);
            if p.z >= NEAR_MM {
                polygon.push(p);
            }
            if (p.z >= NEAR_MM) != (q.z >= NEAR_MM) {
                polygon.push(p + (q - p) * ((NEAR_MM - p.z) / (q.z - p.z)));
            }
        }
    }
    let camera = *camera;
    (2..polygon.len()).filter_map(move |i| set_up(&camera, id, [polygon[0], polygon[i - 1], polygon[i]]))
}

/// Edge functions and bounds; `None` when the triangle covers no pixel of the picture.
fn set_up(camera: &Camera, id: u32, corners: [Vector3<f64>; 3]) -> Option<Filled> {
    let k = camera.intrinsics;
    let p = corners.map(|c| [k.fx * c.x / c.z + k.cx, k.fy * c.y / c.z + k.cy, 1.0 / c.z]);
    let span = |axis: usize, size: usize| {
        let low = p.iter().map(|q| q[axis]).fold(f64::INFINITY, f64::min);
        let high = p.iter().map(|q| q[axis]).fold(f64::NEG_INFINITY, f64::max);
        let range = [low.ceil().max(0.0), high.floor().min(size as f64 - 1.0)];
        (range[0] <= range[1]).then(|| range.map(|v| v as i32))
    };
    let (columns, rows) = (span(0, camera.width)?, span(1, camera.height)?);
    let area = (p[1][0] - p[0][0]) * (p[2][1] - p[0][1]) - (p[2][0] - p[0][0]) * (p[1][1] - p[0][1]);
    if area.abs() < 1e-12 || !area.is_finite() {
        return None;
    }
    // edges[i](x, y) is the barycentric weight of corner i on the screen: 1 there, 0 on the opposite edge.
    let edges = std::array::from_fn(|i| {
        let (q, r) = (p[(i + 1) % 3], p[(i + 2) % 3]);
        [(q[1] - r[1]) / area, (r[0] - q[0]) / area, (q[0] * r[1] - r[0] * q[1]) / area]
    });
    let inverse_depth =
        std::array::from_fn(|j| (0..3).map(|i: usize| p[i][2] * { edges as [[f64; 3]; 3] }[i][j]).sum());
    Some(Filled { id, rows, columns, edges, inverse_depth })
}

/// Draws the rows of `t` that lie in the band that begins at row `top`.
fn fill(t: &Filled, top: i32, width: usize, depth: &mut [f32], triangle: &mut [u32]) {
    let rows_here = (depth.len() / width) as i32;
    for row in t.rows[0].max(top)..=t.rows[1].min(top + rows_here - 1) {
        let Some([from, to]) = columns_inside(t, f64::from(row)) else { continue };
        let start = (row - top) as usize * width;
        let at_row = t.inverse_depth[1] * f64::from(row) + t.inverse_depth[2];
        for column in from..=to {
            let z = (1.0 / (t.inverse_depth[0] * f64::from(column) + at_row)) as f32;
            let pixel = start + column as usize;
            // Of two surfaces at the same depth the first one in the file wins, whatever the order of the threads.
            if z < depth[pixel] || (z == depth[pixel] && t.id < triangle[pixel]) {
                depth[pixel] = z;
                triangle[pixel] = t.id;
            }
        }
    }
}

/// The columns of a row that lie inside all three edges; the slack closes hairline gaps between neighbours.
fn columns_inside(t: &Filled, row: f64) -> Option<[i32; 2]> {
    const SLACK: f64 = 1e-9;
    let (mut from, mut to) = (f64::from(t.columns[0]), f64::from(t.columns[1]));
    for [a, b, c] in t.edges {
        let rest = b * row + c + SLACK;
        if a > 0.0 {
            from = from.max((-rest / a).ceil());
        } else if a < 0.0 {
            to = to.min((-rest / a).floor());
        } else if rest < 0.0 {
            return None;
        }
    }
    (from <= to).then_some([from as i32, to as i32])
}
