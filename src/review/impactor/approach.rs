//! Where the impactor can be: along its line of travel, where it first touches the undeformed structure.

use nalgebra::Vector3;

use crate::domain::Impactor;
use crate::geom::{Cylinder, Skin, bracket};

/// Where the film shows the impactor in frame 0, relative to the simulation's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// Beside its line of travel, across its axis, mm.
    pub(super) lateral_mm: f64,
    /// Along its line, from where it would touch, mm.
    pub(super) along_mm: f64,
    /// Its ends along the axis, from the simulation's centre, mm.
    pub(super) span_mm: [f64; 2],
    /// Its radius in the film over the simulation's: a pole is not built to the mm.
    pub(super) radius_share: f64,
    /// How much farther the test's impactor goes than the simulation's.
    pub(super) rate: f64,
    /// What it does before it touches.
    pub(super) before: Before,
}

/// What the impactor of a film does before it touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// It rests where it is going to touch: a press, or a film that was drawn.
    Waits,
    /// It comes with the speed that it has when it touches.
    Comes,
}

/// The impactor and what it is going to meet.
pub(super) struct Approach<'a> {
    impactor: &'a Impactor,
    axis: Vector3<f64>,
    direction: Vector3<f64>,
    lateral: Vector3<f64>,
    /// Skin nodes of the undeformed structure from the simulation's centre: across and along the line, mm.
    ahead: Vec<[f64; 2]>,
    /// Middle of the structure along the axis, from the centre, mm.
    pub(super) middle_mm: f64,
}

impl<'a> Approach<'a> {
    pub(super) fn new(impactor: &'a Impactor, skin: &Skin, undeformed: &[[f32; 3]]) -> Self {
        let axis = Vector3::from(impactor.axis);
        let along = Vector3::from(impactor.direction);
        // Only the way across the axis matters to a cylinder.
        let direction = (along - axis * along.dot(&axis)).normalize();
        let lateral = axis.cross(&direction);
        let centre = Vector3::from(impactor.centre_mm);
        let on_skin = skin.is_on_skin(undeformed.len());
        let from: Vec<Vector3<f64>> = undeformed
            .iter()
            .zip(on_skin)
            .filter(|(_, on)| *on)
            .map(|(p, _)| Vector3::from(p.map(f64::from)) - centre)
            .collect();
        let heights = from.iter().map(|p| p.dot(&axis));
        let (low, high) = heights.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), z| (l.min(z), h.max(z)));
        let middle_mm = if low <= high { 0.5 * (low + high) } else { 0.0 };
        let ahead = from.iter().map(|p| [p.dot(&lateral), p.dot(&direction)]).collect();
        Self { impactor, axis, direction, lateral, ahead, middle_mm }
    }

    pub(super) fn radius_mm(&self) -> f64 {
        self.impactor.radius_mm
    }

    pub(super) fn direction(&self) -> Vector3<f64> {
        self.direction
    }

    /// Where the simulation has it, of unknown length.
    pub(super) fn simulated(&self, time_s: f64) -> Cylinder {
        let centre = Vector3::from(self.impactor.centre_mm) + self.direction * self.simulated_way_mm(time_s);
        self.cylinder(centre, [f64::NEG_INFINITY, f64::INFINITY])
    }

    /// How far the simulation's has come, mm.
    pub(super) fn simulated_way_mm(&self, time_s: f64) -> f64 {
        let (a, b, w) = bracket(&self.impactor.times_s, time_s);
        let way = &self.impactor.travel_mm;
        way[a] * (1.0 - w) + way[b] * w
    }

    /// How far it comes by the simulation's clock between two of its times, the way `before` says, mm.
    pub(super) fn simulated_way_between_mm(&self, before: Before, from_s: f64, to_s: f64) -> f64 {
        self.since_contact_mm(before, to_s) - self.since_contact_mm(before, from_s)
    }

    /// How far it is beyond where it touches, mm; negative before.
    pub(super) fn since_contact_mm(&self, before: Before, time_s: f64) -> f64 {
        match before {
            Before::Comes if time_s < 0.0 => self.first_speed_mm_per_s() * time_s,
            _ => self.simulated_way_mm(time_s),
        }
    }

    /// Speed with which the simulation's touches, mm/s: that of the first fiftieth of its times.
    fn first_speed_mm_per_s(&self) -> f64 {
        let (times, way) = (&self.impactor.times_s, &self.impactor.travel_mm);
        let Some(last) = times.len().checked_sub(1).filter(|last| *last > 0) else { return 0.0 };
        let early = times.partition_point(|t| *t < times[0] + 0.02 * (times[last] - times[0])).clamp(1, last);
        (way[early] - way[0]) / (times[early] - times[0])
    }

    /// An impactor beside the simulation's, with the same gap to the undeformed structure as the simulation's has.
    pub(super) fn touching(&self, lateral_mm: f64) -> Cylinder {
        let shift = match (self.reach_mm(0.0), self.reach_mm(lateral_mm)) {
            (Some(there), Some(here)) => here - there,
            _ => 0.0,
        };
        let centre = Vector3::from(self.impactor.centre_mm) + self.lateral * lateral_mm + self.direction * shift;
        self.cylinder(centre, [f64::NEG_INFINITY, f64::INFINITY])
    }

    /// The one that the film shows in frame 0.
    pub(super) fn filmed(&self, place: &Place) -> Cylinder {
        let touching = self.touching(place.lateral_mm).moved(self.direction * place.along_mm);
        Cylinder { span_mm: place.span_mm, radius_mm: place.radius_share * touching.radius_mm, ..touching }
    }

    fn cylinder(&self, centre_mm: Vector3<f64>, span_mm: [f64; 2]) -> Cylinder {
        Cylinder { centre_mm, axis: self.axis, radius_mm: self.impactor.radius_mm, span_mm }
    }

    /// How far it can go along its line before it touches; `None` when nothing stands in its way.
    fn reach_mm(&self, lateral_mm: f64) -> Option<f64> {
        let radius = self.impactor.radius_mm;
        self.ahead
            .iter()
            .filter_map(|[across, along]| {
                let depth = radius * radius - (across - lateral_mm).powi(2);
                (depth > 0.0).then(|| along - depth.sqrt())
            })
            .min_by(f64::total_cmp)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{CellType, Mesh, Part, PartId};

    /// Travels along -x towards a wall at x = 0.
    pub(crate) fn pole() -> Impactor {
        Impactor {
            centre_mm: [51.0, 10.0, 0.0],
            axis: [0.0, 0.0, 1.0],
            radius_mm: 50.0,
            direction: [-1.0, 0.0, 0.0],
            times_s: vec![0.0, 0.01],
            travel_mm: vec![0.0, 50.0],
        }
    }

    /// A wall of two triangles, leaning back by 0.1 mm a mm of y.
    pub(crate) fn leaning_wall() -> (Skin, Vec<[f32; 3]>) {
        let points: Vec<[f32; 3]> =
            (-20..=20).flat_map(|y| [-40.0, 40.0].map(|z| [-(y as f32), y as f32 * 10.0, z])).collect();
        let mesh = Mesh {
            node_count: points.len(),
            cell_types: vec![CellType::Quad; 40],
            offsets: (0..=40).map(|i| i * 4).collect(),
            connectivity: (0..40u32).flat_map(|i| [2 * i, 2 * i + 1, 2 * i + 3, 2 * i + 2]).collect(),
            part_of: vec![PartId(1); 40],
            parts: vec![Part { id: PartId(1), name: "wall".into(), material: None, thickness_mm: None }],
            node_ids: None,
        };
        (Skin::from_mesh(&mesh, None), points)
    }

    #[test]
    fn an_impactor_beside_keeps_the_gap() {
        let (skin, points) = leaning_wall();
        let impactor = pole();
        let approach = Approach::new(&impactor, &skin, &points);
        let (here, there) = (approach.touching(0.0), approach.touching(20.0));
        let gap = |c: &Cylinder| {
            points
                .iter()
                .filter_map(|p| c.side_distance(Vector3::from(p.map(f64::from))))
                .map(|(d, _)| d)
                .fold(f64::INFINITY, f64::min)
        };
        assert!((gap(&here) - gap(&there)).abs() < 0.5, "{} and {}", gap(&here), gap(&there));
        assert!((here.centre_mm - Vector3::new(51.0, 10.0, 0.0)).norm() < 1e-9);
    }

    #[test]
    fn it_stays_where_it_is_before_the_start() {
        let (skin, points) = leaning_wall();
        let impactor = pole();
        let approach = Approach::new(&impactor, &skin, &points);
        assert!(
            (approach.simulated_way_mm(-0.004)).abs() < 1e-12 && (approach.simulated_way_mm(0.005) - 25.0).abs() < 1e-9
        );
    }
}
