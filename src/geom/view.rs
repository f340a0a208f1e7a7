//! The working picture of a camera: the same camera without its lens, on a canvas that loses nothing at the rim.
//!
//! All measuring is done there, because straight edges of the mesh are straight in it and the rasteriser need not know
//! lenses. The canvas is larger than the picture when the lens pulled the rim inwards (barrel distortion).

use ndarray::Array2;

use super::camera::{Camera, distort, undistort};
use crate::domain::Distortion;

/// How much larger than the picture the canvas may become, as a share of its size on each side.
const LARGEST_MARGIN: f64 = 0.15;

/// A camera's working picture and the way back to the real one.
#[derive(Debug, Clone)]
pub struct PinholeView {
    /// The camera without lens; its size is the canvas.
    pub camera: Camera,
    /// The camera as it is.
    pub real: Camera,
    /// For each canvas pixel the column in the real picture, `[height, width]`, px.
    pub source_x: Array2<f32>,
    /// For each canvas pixel the row in the real picture, px.
    pub source_y: Array2<f32>,
}

impl PinholeView {
    /// The working picture of `real`.
    #[must_use]
    pub fn new(real: Camera) -> Self {
        let [left, top, right, bottom] = margins(&real);
        let mut camera = Camera { distortion: Distortion::default(), ..real };
        camera.width = real.width + left + right;
        camera.height = real.height + top + bottom;
        camera.intrinsics.cx += left as f64;
        camera.intrinsics.cy += top as f64;
        let (k, source) = (camera.intrinsics, real.intrinsics);
        let mut source_x = Array2::zeros((camera.height, camera.width));
        let mut source_y = Array2::zeros((camera.height, camera.width));
        for ((row, column), sx) in source_x.indexed_iter_mut() {
            let [x, y] = distort(&real.distortion, (column as f64 - k.cx) / k.fx, (row as f64 - k.cy) / k.fy);
            *sx = (source.fx * x + source.cx) as f32;
            source_y[(row, column)] = (source.fy * y + source.cy) as f32;
        }
        Self { camera, real, source_x, source_y }
    }

    /// True when the canvas is the picture itself.
    #[must_use]
    pub fn is_identity(&self) -> bool {
        self.real.distortion.is_none()
    }

    /// The pixel of the canvas that shows what the real picture shows at `pixel`.
    #[must_use]
    pub fn canvas_from_picture(&self, pixel: [f64; 2]) -> [f64; 2] {
        let (k, source) = (self.camera.intrinsics, self.real.intrinsics);
        let [x, y] =
            undistort(&self.real.distortion, (pixel[0] - source.cx) / source.fx, (pixel[1] - source.cy) / source.fy);
        [k.fx * x + k.cx, k.fy * y + k.cy]
    }

    /// The pixel of the real picture that shows what the canvas shows at `pixel`.
    #[must_use]
    pub fn picture_from_canvas(&self, pixel: [f64; 2]) -> [f64; 2] {
        let (k, source) = (self.camera.intrinsics, self.real.intrinsics);
        let [x, y] = distort(&self.real.distortion, (pixel[0] - k.cx) / k.fx, (pixel[1] - k.cy) / k.fy);
        [source.fx * x + source.cx, source.fy * y + source.cy]
    }

    /// True where the canvas pixel lies in the real picture.
    #[must_use]
    pub fn is_inside(&self, row: usize, column: usize) -> bool {
        let (x, y) = (self.source_x[(row, column)], self.source_y[(row, column)]);
        x >= 0.0 && y >= 0.0 && x <= (self.real.width - 1) as f32 && y <= (self.real.height - 1) as f32
    }
}

/// Columns and rows to add so that the undistorted rim of the picture lies on the canvas: left, top, right, bottom.
fn margins(real: &Camera) -> [usize; 4] {
    if real.distortion.is_none() {
        return [0; 4];
    }
    let (w, h, k) = (real.width as f64, real.height as f64, real.intrinsics);
    let (mut low, mut high) = ([0.0f64; 2], [w - 1.0, h - 1.0]);
    let steps = 64;
    for i in 0..=steps {
        let s = f64::from(i) / f64::from(steps);
        for (x, y) in [(s * (w - 1.0), 0.0), (s * (w - 1.0), h - 1.0), (0.0, s * (h - 1.0)), (w - 1.0, s * (h - 1.0))] {
            let [u, v] = undistort(&real.distortion, (x - k.cx) / k.fx, (y - k.cy) / k.fy);
            let (u, v) = (k.fx * u + k.cx, k.fy * v + k.cy);
            low = [low[0].min(u), low[1].min(v)];
            high = [high[0].max(u), high[1].max(v)];
        }
    }
    let limit = |margin: f64, size: f64| margin.clamp(0.0, LARGEST_MARGIN * size).ceil() as usize;
    [limit(-low[0], w), limit(-low[1], h), limit(high[0] - (w - 1.0), w), limit(high[1] - (h - 1.0), h)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Intrinsics, Pose};

    fn view(k1: f64) -> PinholeView {
        PinholeView::new(Camera {
            width: 640,
            height: 480,
            intrinsics: Intrinsics { fx: 850.0, fy: 850.0, cx: 322.0, cy: 238.0 },
            distortion: Distortion([k1, 0.02, 3e-4, -2e-4, 0.0, 0.0, 0.0, 0.0]),
            pose: Pose {
                rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
                translation_mm: [0.0, 0.0, 900.0],
            },
        })
    }

    #[test]
    fn a_point_is_at_the_same_place_through_lens_and_canvas() {
        let view = view(-0.13);
        for p in [[200.0, 120.0, 0.0], [-330.0, -240.0, 30.0], [0.0, 0.0, 100.0]] {
            let real = view.real.pixel_from_world(p);
            let canvas = view.camera.pixel_from_world(p);
            let back = view.picture_from_canvas([canvas.x, canvas.y]);
            let there = view.canvas_from_picture([real.x, real.y]);
            assert!((back[0] - real.x).abs() < 1e-6 && (back[1] - real.y).abs() < 1e-6);
            assert!((there[0] - canvas.x).abs() < 1e-5 && (there[1] - canvas.y).abs() < 1e-5);
        }
    }

    #[test]
    fn barrel_grows_the_canvas_so_that_the_rim_stays() {
        let view = view(-0.13);
        assert!(view.camera.width > 640);
        let [x, y] = view.canvas_from_picture([0.0, 0.0]);
        assert!(x >= -0.5 && y >= -0.5);
    }
}
