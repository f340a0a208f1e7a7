//! Where in a picture a body lies at most: what is beside it need not be asked whether it shows the body.

use nalgebra::Vector3;

use super::camera::Camera;

/// Rows and columns of a picture without lens between which a body's image lies, px.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    low: [f64; 2],
    high: [f64; 2],
}

impl Extent {
    /// The whole picture and all around it.
    pub const EVERYWHERE: Self = Self { low: [f64::NEG_INFINITY; 2], high: [f64::INFINITY; 2] };

    /// Around the image of all that lies between `corners_mm`; everywhere when a corner is not before the camera.
    #[must_use]
    pub fn around(corners_mm: &[Vector3<f64>], camera: &Camera) -> Self {
        /// For the rounding of rays and projections, px.
        const MARGIN_PX: f64 = 0.01;
        let mut around = Self { low: [f64::INFINITY; 2], high: [f64::NEG_INFINITY; 2] };
        for corner in corners_mm {
            let p = camera.pinhole_pixel_from_world((*corner).into());
            if !(p.depth_mm > 0.0 && p.x.is_finite() && p.y.is_finite()) {
                return Self::EVERYWHERE;
            }
            for (i, at) in [p.y, p.x].into_iter().enumerate() {
                around.low[i] = around.low[i].min(at - MARGIN_PX);
                around.high[i] = around.high[i].max(at + MARGIN_PX);
            }
        }
        around
    }

    /// Whether the body may be at this place.
    #[must_use]
    pub fn holds(&self, row: f64, column: f64) -> bool {
        row >= self.low[0] && row <= self.high[0] && column >= self.low[1] && column <= self.high[1]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::geom::test_camera::camera;
    use crate::geom::{Block, Cylinder};

    proptest! {
        #[test]
        fn no_pixel_beside_it_shows_the_body(
            at in prop::array::uniform3(-400.0f64..400.0),
            size in prop::array::uniform3(5.0f64..150.0),
            turn in prop::array::uniform3(-1.5f64..1.5),
        ) {
            let turn = nalgebra::Rotation3::new(Vector3::from(turn));
            let axes = [Vector3::x(), Vector3::y(), Vector3::z()].map(|a| turn * a);
            let origin_mm = Vector3::from(at);
            let block = Block { origin_mm, axes, low_mm: size.map(|s| -s), high_mm: size };
            let cylinder = Cylinder { centre_mm: origin_mm, axis: axes[2], radius_mm: size[0], span_mm: [-size[1], size[2]] };
            let of_block = Extent::around(&block.corners_mm(), &camera());
            let of_cylinder = Extent::around(&cylinder.corners_mm().expect("it ends"), &camera());
            for row in (0..480).step_by(7).map(f64::from) {
                for column in (0..640).step_by(7).map(f64::from) {
                    let (eye, ray) = camera().pinhole_ray(row, column);
                    prop_assert!(of_block.holds(row, column) || block.met_by(eye, ray).is_none());
                    prop_assert!(of_cylinder.holds(row, column) || cylinder.met_by(eye, ray).is_none());
                }
            }
        }
    }

    #[test]
    fn it_is_no_larger_than_the_image_and_everywhere_when_the_camera_stands_in_it() {
        let axes = [Vector3::x(), Vector3::y(), Vector3::z()];
        let block = Block { origin_mm: Vector3::zeros(), axes, low_mm: [-50.0; 3], high_mm: [50.0; 3] };
        let extent = Extent::around(&block.corners_mm(), &camera());
        let edge_px = 50.0 / 950.0 * 800.0;
        assert!(extent.holds(240.0, 320.0 + edge_px) && !extent.holds(240.0, 320.0 + edge_px + 0.1), "{extent:?}");
        let around_the_camera = block.moved(Vector3::new(0.0, 0.0, -1000.0));
        assert_eq!(Extent::around(&around_the_camera.corners_mm(), &camera()), Extent::EVERYWHERE);
    }
}
