//! Pure geometry: cameras, the outer skin of a mesh, the rasteriser, interpolation in time, pose estimation.

mod block;
mod camera;
mod cylinder;
mod extent;
mod interpolate;
pub mod pose;
mod raster;
mod skin;
mod solid;
#[cfg(test)]
mod test_camera;
mod view;

pub use block::Block;
pub use camera::{Camera, Projected};
pub use cylinder::Cylinder;
pub use extent::Extent;
pub use interpolate::{bracket, interpolate_positions};
pub use raster::{NO_TRIANGLE, Raster, SurfacePoint, rasterise};
pub use skin::{Skin, carry_over, node_neighbours};
pub use solid::Solid;
pub use view::PinholeView;
