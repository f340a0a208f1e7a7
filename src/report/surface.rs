//! The measured surface as a camera's picture shows it: per pixel the element and the value under it.
//!
//! The rasteriser knows no lens, so the mesh is drawn on a lens-free canvas that covers the wanted window and each
//! pixel of the window looks up its place there.

use ndarray::Array2;
use rayon::prelude::*;

use super::palette::{UNSEEN, viridis};
use crate::domain::{Distortion, FrameField};
use crate::geom::{Camera, PinholeView, Skin, carry_over, rasterise};

/// The light between the stripes of what is estimated.
const PALE: f32 = 238.0;
/// "No element here".
pub(super) const NOTHING: u32 = u32::MAX;

/// A rectangle of a camera's picture, enlarged or reduced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    /// Left and top edge in the picture, px (edges of pixels, so the whole picture starts at 0).
    pub left: f64,
    pub top: f64,
    /// Pixels of the window for one pixel of the picture.
    pub scale: f64,
    /// Size of the window, px.
    pub width: usize,
    pub height: usize,
}

impl Window {
    /// The whole picture, as large as fits into `width` × `height`.
    pub(super) fn whole(camera: &Camera, width: usize, height: usize) -> Self {
        let scale = (width as f64 / camera.width as f64).min(height as f64 / camera.height as f64);
        let size = |n: usize, most: usize| ((n as f64 * scale).round() as usize).clamp(1, most);
        Self { left: 0.0, top: 0.0, scale, width: size(camera.width, width), height: size(camera.height, height) }
    }

    /// The place in the picture (pixel centres are whole numbers) under the window's pixel.
    pub(super) fn picture_from_window(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [self.left + (x + 0.5) / self.scale - 0.5, self.top + (y + 0.5) / self.scale - 0.5]
    }

    /// The window's pixel that shows a place of the picture.
    pub(super) fn window_from_picture(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [(x + 0.5 - self.left) * self.scale - 0.5, (y + 0.5 - self.top) * self.scale - 0.5]
    }

    /// The camera whose picture is this window.
    fn camera(&self, camera: &Camera) -> Camera {
        let mut cut = *camera;
        let [cx, cy] = self.window_from_picture([camera.intrinsics.cx, camera.intrinsics.cy]);
        cut.intrinsics.fx *= self.scale;
        cut.intrinsics.fy *= self.scale;
        (cut.intrinsics.cx, cut.intrinsics.cy) = (cx, cy);
        (cut.width, cut.height) = (self.width, self.height);
        cut
    }

    /// The picture in this window, bilinear when enlarged and averaged when reduced; 0–1, `[height, width]`; NaN beyond
    /// the picture's edge, where nothing was filmed.
    pub(super) fn cut_out(&self, luma: &Array2<f32>) -> Array2<f32> {
        let (h, w) = luma.dim();
        let at = |x: f64, y: f64| {
            let (x, y) = (x.clamp(0.0, (w - 1) as f64), y.clamp(0.0, (h - 1) as f64));
            let (c, r) = ((x as usize).min(w.saturating_sub(2)), (y as usize).min(h.saturating_sub(2)));
            let (u, v) = ((x - c as f64) as f32, (y - r as f64) as f32);
            let (c1, r1) = ((c + 1).min(w - 1), (r + 1).min(h - 1));
            let top = luma[(r, c)] * (1.0 - u) + luma[(r, c1)] * u;
            let bottom = luma[(r1, c)] * (1.0 - u) + luma[(r1, c1)] * u;
            top * (1.0 - v) + bottom * v
        };
        // Below scale 1 each pixel covers several of the picture: take as many samples along each axis.
        let samples = (1.0 / self.scale).ceil().max(1.0) as usize;
        let mut cut = Array2::zeros((self.height, self.width));
        let rows: Vec<_> = cut.outer_iter_mut().enumerate().collect();
        rows.into_par_iter().for_each(|(row, mut line)| {
            for (column, value) in line.iter_mut().enumerate() {
                if !is_inside(self.picture_from_window([column as f64, row as f64]), w, h) {
                    *value = f32::NAN;
                    continue;
                }
                let mut sum = 0.0;
                for i in 0..samples * samples {
                    let part = |n: usize| (n as f64 + 0.5) / samples as f64 - 0.5;
                    let [x, y] =
                        self.picture_from_window([column as f64 + part(i % samples), row as f64 + part(i / samples)]);
                    sum += at(x, y);
                }
                *value = sum / (samples * samples) as f32;
            }
        });
        cut
    }
}

/// True where a picture of `w` × `h` px has a pixel.
fn is_inside([x, y]: [f64; 2], w: usize, h: usize) -> bool {
    x > -0.5 - 1e-9 && y > -0.5 - 1e-9 && x < w as f64 - 0.5 && y < h as f64 - 0.5
}

/// What is known of each node.
#[derive(Debug, Clone)]
pub(super) struct NodeValues {
    /// Length of its deviation, mm; NaN where that is not known.
    pub mm: Vec<f32>,
    /// Whether a camera measured it; else it is estimated.
    pub seen: Vec<bool>,
}

impl NodeValues {
    /// What is known at one film time.
    pub(super) fn of(field: &FrameField) -> Self {
        Self {
            mm: (0..field.deviation_mm.len()).map(|n| field.magnitude_mm(n)).collect(),
            seen: field.observed.iter().map(|cameras| *cameras > 0).collect(),
        }
    }
}

/// What each pixel of a window sees.
#[derive(Debug, Clone)]
pub(super) struct SurfaceMap {
    /// Element, [`NOTHING`] beside the mesh.
    pub element: Array2<u32>,
    /// Value interpolated between the nodes; NaN where a node has none.
    pub value: Array2<f32>,
    /// Whether a camera measured most of what lies around it.
    pub seen: Array2<bool>,
    /// |cosine| between the ray and the surface's normal.
    pub facing: Array2<f32>,
}

impl SurfaceMap {
    /// True where the value is there, but nobody measured it: it follows from its surroundings and the study.
    pub(super) fn is_estimated(&self, at: (usize, usize)) -> bool {
        self.value[at].is_finite() && !self.seen[at]
    }

    /// True where the value is there and a camera measured it.
    pub(super) fn is_measured(&self, at: (usize, usize)) -> bool {
        self.value[at].is_finite() && self.seen[at]
    }
}

/// Draws `skin` at `positions_mm` through `camera`'s lens into `window`, with what is known of each node. Beyond the edge
/// of the camera's picture there is nothing.
pub(super) fn surface_map(
    camera: &Camera,
    window: &Window,
    skin: &Skin,
    positions_mm: &[[f32; 3]],
    nodes: &NodeValues,
) -> SurfaceMap {
    let view = canvas_of(window.camera(camera));
    let raster = rasterise(&view.camera, skin, positions_mm);
    let straight = view.is_identity();
    let nothing = Pixel { element: NOTHING, value: f32::NAN, seen: false, facing: 0.0 };
    let pixel = |row: usize, column: usize| {
        let place = [column as f64, row as f64];
        if !is_inside(window.picture_from_window(place), camera.width, camera.height) {
            return nothing;
        }
        let [x, y] = if straight { place } else { view.canvas_from_picture(place) };
        let (c, r) = (x.round(), y.round());
        if c < 0.0 || r < 0.0 || c >= view.camera.width as f64 || r >= view.camera.height as f64 {
            return nothing;
        }
        let Some(point) = raster.surface_point(&view.camera, skin, r as usize, c as usize) else {
            return nothing;
        };
        let corners = skin.triangles[point.triangle as usize].map(|n| n as usize);
        let weighted = |of: &dyn Fn(usize) -> f32| (0..3).map(|i| point.barycentric[i] * of(corners[i])).sum::<f32>();
        Pixel {
            element: skin.element_of[point.triangle as usize],
            value: weighted(&|n| nodes.mm[n]),
            seen: weighted(&|n| f32::from(u8::from(nodes.seen[n]))) >= 0.5,
            facing: point.facing.abs(),
        }
    };
    let pixels: Vec<Pixel> = (0..window.height * window.width)
        .into_par_iter()
        .with_min_len(window.width)
        .map(|i| pixel(i / window.width, i % window.width))
        .collect();
    let at = |r: usize, c: usize| &pixels[r * window.width + c];
    let size = (window.height, window.width);
    SurfaceMap {
        element: Array2::from_shape_fn(size, |(r, c)| at(r, c).element),
        value: Array2::from_shape_fn(size, |(r, c)| at(r, c).value),
        seen: Array2::from_shape_fn(size, |(r, c)| at(r, c).seen),
        facing: Array2::from_shape_fn(size, |(r, c)| at(r, c).facing),
    }
}

/// One pixel of a [`SurfaceMap`].
#[derive(Clone, Copy)]
struct Pixel {
    element: u32,
    value: f32,
    seen: bool,
    facing: f32,
}

/// A lens-free canvas just large enough for the whole picture of `real`, which may be a window far off the axis.
fn canvas_of(real: Camera) -> PinholeView {
    let camera = Camera { distortion: Distortion::default(), ..real };
    let empty = || Array2::zeros((0, 0));
    let mut view = PinholeView { camera, real, source_x: empty(), source_y: empty() };
    if view.is_identity() {
        return view;
    }
    let (w, h) = ((real.width - 1) as f64, (real.height - 1) as f64);
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for i in 0..=32 {
        let s = f64::from(i) / 32.0;
        for place in [[s * w, 0.0], [s * w, h], [0.0, s * h], [w, s * h]] {
            let p = view.canvas_from_picture(place);
            for axis in 0..2 {
                low[axis] = low[axis].min(p[axis]);
                high[axis] = high[axis].max(p[axis]);
            }
        }
    }
    // A lens that its own model folds over would ask for an endless canvas: hold it to three pictures.
    let size = |axis: usize, n: usize| ((high[axis] - low[axis]).ceil() as usize + 3).min(3 * n + 3);
    view.camera.intrinsics.cx -= low[0].floor() - 1.0;
    view.camera.intrinsics.cy -= low[1].floor() - 1.0;
    (view.camera.width, view.camera.height) = (size(0, real.width), size(1, real.height));
    view
}

/// The measured shape: the simulation moved by the deviation, mm. A node that was not observed moves with the nearest
/// observed ones along the skin, so that it stands where the test most likely has it.
pub(super) fn measured_positions(skin: &Skin, positions_mm: &[[f32; 3]], field: &FrameField) -> Vec<[f32; 3]> {
    let moved = carry_over(skin, &field.deviation_mm);
    positions_mm.iter().zip(moved).map(|(p, d)| std::array::from_fn(|axis| p[axis] + d[axis])).collect()
}

/// The colour (0–255) of a shaded surface for the three-dimensional view; `pale` between the stripes of an estimate.
pub(super) fn shaded(value: f32, pale: bool, top_mm: f64, facing: f32) -> [f32; 3] {
    let colour = if value.is_finite() { viridis(value / top_mm as f32) } else { UNSEEN };
    let colour = if pale { colour.map(|c| 0.25 * c + 0.75 * PALE) } else { colour };
    let light = 0.62 + 0.38 * facing;
    colour.map(|c| c * light)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CellType, Intrinsics, Mesh, PartId, Pose};

    /// A wall of 20 × 20 quads, 400 mm wide, 1 m before a camera with a strong lens.
    fn wall() -> (Camera, Mesh, Vec<[f32; 3]>) {
        let camera = Camera {
            width: 640,
            height: 480,
            intrinsics: Intrinsics { fx: 900.0, fy: 900.0, cx: 330.0, cy: 230.0 },
            distortion: Distortion([-0.25, 0.08, 1e-3, -5e-4, 0.0, 0.0, 0.0, 0.0]),
            pose: Pose {
                rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
                translation_mm: [0.0, 0.0, 1000.0],
            },
        };
        let positions = (0..21 * 21).map(|i| [(i % 21) as f32 * 20.0 - 200.0, (i / 21) as f32 * 20.0 - 200.0, 0.0]);
        let mut mesh = Mesh { node_count: 441, offsets: vec![0], ..Mesh::default() };
        for e in 0..400_u32 {
            let n = e / 20 * 21 + e % 20;
            mesh.connectivity.extend([n, n + 1, n + 22, n + 21]);
            mesh.offsets.push(mesh.connectivity.len() as u32);
            mesh.cell_types.push(CellType::Quad);
            mesh.part_of.push(PartId(1));
        }
        (camera, mesh, positions.collect())
    }

    #[test]
    fn colour_lies_where_the_lens_shows_the_surface() {
        let (camera, mesh, positions) = wall();
        let skin = Skin::from_mesh(&mesh, None);
        let seen = (0..441).map(|n| n / 21 < 10).collect();
        let values = NodeValues { mm: positions.iter().map(|p| p[0]).collect(), seen };
        let windows = [
            Window::whole(&camera, 1080, 750),
            Window { left: 160.0, top: 70.0, scale: 3.0, width: 300, height: 400 },
            Window { left: 400.0, top: 300.0, scale: 0.7, width: 120, height: 100 },
        ];
        for window in windows {
            let map = surface_map(&camera, &window, &skin, &positions, &values);
            let mut seen = 0;
            for element in 0..400 {
                let [a, c] = [0, 2].map(|corner| positions[mesh.nodes_of(element)[corner] as usize]);
                let centre: [f64; 3] = std::array::from_fn(|i| f64::from(a[i] + c[i]) / 2.0);
                let p = camera.pixel_from_world(centre);
                let [x, y] = window.window_from_picture([p.x, p.y]);
                let (x, y) = (x.round(), y.round());
                if x < 0.0 || y < 0.0 || x >= window.width as f64 || y >= window.height as f64 {
                    continue;
                }
                let at = (y as usize, x as usize);
                seen += 1;
                assert_eq!(map.element[at], element as u32, "element at {at:?} of {window:?}");
                // The nodes below the tenth row were seen, those above it were not: the middle of that row is neither.
                if element / 20 != 9 {
                    assert_eq!(map.is_measured(at), element / 20 < 9, "what was seen at {at:?} of {window:?}");
                }
                // Rounding to the window's pixel and to the canvas' costs half a pixel each.
                let pixel_mm = 1000.0 / 900.0 / window.scale;
                assert!((f64::from(map.value[at]) - centre[0]).abs() < 1.1 * pixel_mm, "value at {at:?} of {window:?}");
            }
            assert!(seen > 10, "{window:?} shows next to nothing");
        }
    }

    #[test]
    fn beyond_the_edge_of_the_picture_there_is_nothing() {
        let (camera, mesh, positions) = wall();
        let skin = Skin::from_mesh(&mesh, None);
        // The window begins 30 px left of the picture and 20 px above it.
        let window = Window { left: -30.0, top: -20.0, scale: 2.0, width: 100, height: 100 };
        let cut = window.cut_out(&Array2::from_elem((480, 640), 0.5));
        let nodes = NodeValues { mm: vec![1.0; 441], seen: vec![true; 441] };
        let near = positions.iter().map(|p| p.map(|v| 4.0 * v)).collect::<Vec<_>>();
        let map = surface_map(&camera, &window, &skin, &near, &nodes);
        for ((row, column), luma) in cut.indexed_iter() {
            let outside = row < 40 || column < 60;
            assert_eq!(luma.is_nan(), outside, "the picture at {row}, {column}");
            assert_eq!(map.element[(row, column)] == NOTHING, outside, "the surface at {row}, {column}");
        }
    }

    #[test]
    fn what_was_not_measured_moves_with_its_nearest_measured_neighbours() {
        let (_, mesh, positions) = wall();
        let skin = Skin::from_mesh(&mesh, None);
        let mut field = FrameField {
            time_s: 0.0,
            deviation_mm: vec![[f32::NAN; 3]; 441],
            sigma_mm: vec![f32::NAN; 441],
            observed: vec![0; 441],
        };
        field.deviation_mm[220] = [0.0, 0.0, 8.0];
        let moved = measured_positions(&skin, &positions, &field);
        assert_eq!((moved[220][2], moved[221][2], moved[0][2]), (8.0, 8.0, 8.0));
    }
}
