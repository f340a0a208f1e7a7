//! A finite right circular cylinder: what a pole or a punch looks like to a camera.

use nalgebra::Vector3;

use super::block::Block;
use super::camera::Camera;

/// A cylinder in the world, mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cylinder {
    /// A point of the axis.
    pub centre_mm: Vector3<f64>,
    /// Direction of the axis, unit length.
    pub axis: Vector3<f64>,
    /// Radius, mm.
    pub radius_mm: f64,
    /// Where it begins and ends along the axis, from `centre_mm`, mm; infinite ends are allowed.
    pub span_mm: [f64; 2],
}

impl Cylinder {
    /// The same cylinder elsewhere.
    #[must_use]
    pub fn moved(&self, by_mm: Vector3<f64>) -> Self {
        Self { centre_mm: self.centre_mm + by_mm, ..*self }
    }

    /// Two directions across its axis, unit length, at right angles.
    #[must_use]
    pub fn across(&self) -> [Vector3<f64>; 2] {
        let least = self.axis.iamin();
        let across = self.axis.cross(&Vector3::from_fn(|i, _| f64::from(u8::from(i == least)))).normalize();
        [across, self.axis.cross(&across)]
    }

    /// The corners of a block around it, mm; `None` when an end is infinite.
    #[must_use]
    pub fn corners_mm(&self) -> Option<[Vector3<f64>; 8]> {
        let [low, high] = self.span_mm;
        let [across, beside] = self.across();
        let radius = self.radius_mm;
        let around = Block {
            origin_mm: self.centre_mm,
            axes: [across, beside, self.axis],
            low_mm: [-radius, -radius, low],
            high_mm: [radius, radius, high],
        };
        (low.is_finite() && high.is_finite()).then(|| around.corners_mm())
    }

    /// The point of its surface that a ray from `eye`, mm, meets first.
    #[must_use]
    pub fn met_by(&self, eye: Vector3<f64>, ray: Vector3<f64>) -> Option<Vector3<f64>> {
        Some(eye + ray * self.first_hit(eye, ray)?)
    }

    /// Distance along `ray`, in its lengths, to the side or to an end.
    fn first_hit(&self, origin: Vector3<f64>, ray: Vector3<f64>) -> Option<f64> {
        let from = origin - self.centre_mm;
        let (height, rise) = (from.dot(&self.axis), ray.dot(&self.axis));
        let (out, across) = (from - self.axis * height, ray - self.axis * rise);
        let (a, b, c) = (across.norm_squared(), across.dot(&out), out.norm_squared() - self.radius_mm.powi(2));
        let within = |s: f64| (self.span_mm[0]..=self.span_mm[1]).contains(&(height + s * rise));
        let discriminant = b * b - a * c;
        let side = (a > 0.0 && discriminant > 0.0).then(|| (-b - discriminant.sqrt()) / a);
        let ends = self.span_mm.into_iter().filter(|end| end.is_finite() && rise != 0.0).filter_map(|end| {
            let s = (end - height) / rise;
            ((out + across * s).norm() <= self.radius_mm).then_some(s)
        });
        side.filter(|s| within(*s)).into_iter().chain(ends).filter(|s| *s > 0.0).min_by(f64::total_cmp)
    }

    /// Signed distance of a point from the infinite side, mm (negative inside), and the outward normal there.
    #[must_use]
    pub fn side_distance(&self, point_mm: Vector3<f64>) -> Option<(f64, Vector3<f64>)> {
        let from = point_mm - self.centre_mm;
        let out = from - self.axis * from.dot(&self.axis);
        let normal = out.try_normalize(1e-9)?;
        Some((out.norm() - self.radius_mm, normal))
    }

    /// The two lines of the side that a camera sees as its outline, from one end to the other; `None` from inside or
    /// when an end is infinite.
    #[must_use]
    pub fn outline(&self, camera: &Camera) -> Option<[[Vector3<f64>; 2]; 2]> {
        let from = camera.centre_mm() - self.centre_mm;
        let out = from - self.axis * from.dot(&self.axis);
        let distance = out.norm();
        if distance <= self.radius_mm || !self.span_mm.iter().all(|s| s.is_finite()) {
            return None;
        }
        let (toward, beside) = (out / distance, self.axis.cross(&out) / distance);
        let cosine = self.radius_mm / distance;
        let sine = (1.0 - cosine * cosine).sqrt();
        Some([-1.0, 1.0].map(|side| {
            let foot = self.centre_mm + (toward * cosine + beside * (side * sine)) * self.radius_mm;
            self.span_mm.map(|s| foot + self.axis * s)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geom::test_camera::camera;

    fn upright() -> Cylinder {
        Cylinder { centre_mm: Vector3::zeros(), axis: Vector3::y(), radius_mm: 50.0, span_mm: [-100.0, 80.0] }
    }

    fn seen_at(body: &Cylinder, row: f64, column: f64) -> Option<Vector3<f64>> {
        let (eye, ray) = camera().pinhole_ray(row, column);
        body.met_by(eye, ray)
    }

    #[test]
    fn the_nearest_side_is_seen() {
        let seen = seen_at(&upright(), 240.0, 320.0).expect("in the middle");
        assert!((seen - Vector3::new(0.0, 0.0, -50.0)).norm() < 1e-9, "{seen}");
        assert!(seen_at(&upright(), 240.0, 320.0 + 60.0).is_none(), "beside it");
        assert!(seen_at(&upright(), 240.0 + 90.0, 320.0).is_none(), "beyond its end");
    }

    #[test]
    fn an_end_is_seen_by_a_camera_that_looks_along_the_axis() {
        let lying = Cylinder { axis: Vector3::z(), ..upright() };
        let seen = seen_at(&lying, 245.0, 330.0).expect("on the end");
        assert!((seen.z + 100.0).abs() < 1e-9, "{seen}");
    }

    #[test]
    fn the_outline_is_where_rays_just_touch() {
        let [a, b] = upright().outline(&camera()).expect("from outside");
        for [p, _] in [a, b] {
            let (distance, normal) = upright().side_distance(p).expect("off the axis");
            let ray = p - camera().centre_mm();
            assert!(distance.abs() < 1e-9 && (ray - Vector3::y() * ray.y).dot(&normal).abs() < 1e-6);
        }
    }

    #[test]
    fn points_inside_are_at_a_negative_distance() {
        let (distance, normal) = upright().side_distance(Vector3::new(30.0, 500.0, 0.0)).expect("off the axis");
        assert!((distance + 20.0).abs() < 1e-9 && (normal - Vector3::x()).norm() < 1e-9);
    }
}
