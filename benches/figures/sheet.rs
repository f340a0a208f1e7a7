//! A folded sheet of any number of triangles, and a camera before it.

use crumple::domain::{Distortion, Intrinsics, Pose};
use crumple::geom::{Camera, Skin};

/// `2 side²` triangles; `benches/python/draw_speed.py` makes the same.
pub(crate) fn sheet(side: usize) -> (Skin, Vec<[f32; 3]>) {
    let mut positions = Vec::with_capacity((side + 1) * (side + 1));
    for j in 0..=side {
        for i in 0..=side {
            let (u, v) = (i as f64 / side as f64, j as f64 / side as f64);
            let fold = 60.0 * (9.0 * u + 2.0 * (5.0 * v).sin()).sin();
            positions.push([(400.0 * (u - 0.5) + 0.7 * fold) as f32, (300.0 * (v - 0.5)) as f32, fold as f32]);
        }
    }
    let at = |i: usize, j: usize| (j * (side + 1) + i) as u32;
    let mut skin = Skin::default();
    for j in 0..side {
        for i in 0..side {
            let [a, b, c, d] = [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)];
            skin.triangles.extend([[a, b, c], [a, c, d]]);
            skin.element_of.extend([(j * side + i) as u32; 2]);
        }
    }
    (skin, positions)
}

/// 640 × 480 px, 700 mm before the sheet.
pub(crate) fn camera() -> Camera {
    Camera {
        width: 640,
        height: 480,
        intrinsics: Intrinsics { fx: 900.0, fy: 900.0, cx: 319.5, cy: 239.5 },
        distortion: Distortion::default(),
        pose: Pose { rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], translation_mm: [0.0, 0.0, 700.0] },
    }
}
