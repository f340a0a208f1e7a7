//! Where the impactor can be: along its line of travel, where it first touches the undeformed structure.

use nalgebra::Vector3;

use super::fit::{RATES, Sought, Way};
use super::line::{Line, Pace};
use crate::domain::{Impactor, ImpactorPlace};
use crate::geom::{Cylinder, Skin};

/// Where the film shows the impactor, relative to the simulation's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// Beside its line of travel, across its axis, mm.
    pub(super) lateral_mm: f64,
    /// Along its line, from where it would touch, at the moment [`Pace::base`], mm.
    pub(super) along_mm: f64,
    /// Its ends along the axis, from the simulation's centre, mm.
    pub(super) span_mm: [f64; 2],
    /// Its radius in the film over the simulation's: a pole is not built to the mm.
    pub(super) radius_share: f64,
    /// How it goes.
    pub(super) pace: Pace,
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

    /// Its way.
    pub(super) fn line(&self) -> Line<'a> {
        let Impactor { times_s, travel_mm, .. } = self.impactor;
        Line { direction: self.direction, times_s, travel_mm }
    }

    /// Where the simulation has it, of unknown length.
    pub(super) fn simulated(&self, time_s: f64) -> Cylinder {
        let centre = Vector3::from(self.impactor.centre_mm) + self.direction * self.line().simulated_way_mm(time_s);
        self.cylinder(centre, [f64::NEG_INFINITY, f64::INFINITY])
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

    /// The one that the film shows at the moment [`Pace::base`].
    pub(super) fn filmed(&self, place: &Place) -> Cylinder {
        let touching = self.touching(place.lateral_mm).moved(self.direction * place.along_mm);
        Cylinder { span_mm: place.span_mm, radius_mm: place.radius_share * touching.radius_mm, ..touching }
    }

    /// Where the one that the film shows is beside its way.
    pub(super) fn place_across(&self, place: &Place) -> ImpactorPlace {
        let at_mm = Vector3::from(self.impactor.centre_mm).dot(&self.lateral) + place.lateral_mm;
        ImpactorPlace { across: self.lateral.into(), at_mm }
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

/// Sideways places from which the search starts, in radii: another design is hit elsewhere.
const STARTS: [f64; 7] = [0.0, -0.6, 0.6, -1.2, 1.2, -1.8, 1.8];

/// The numbers are the sideways place, both ends, mm, and the rate.
impl Sought<4> for Approach<'_> {
    const LEAST: f64 = 0.75;
    type Body = Cylinder;
    type Place = Place;

    fn line(&self) -> Line<'_> {
        Approach::line(self)
    }

    fn seen_point_mm(&self) -> Vector3<f64> {
        self.touching(0.0).centre_mm + self.axis * self.middle_mm
    }

    fn starts(&self) -> (Vec<[f64; 4]>, [f64; 4]) {
        let (radius, middle) = (self.radius_mm(), self.middle_mm);
        let start = |beside: f64, rate: f64| [beside * radius, middle - 1.6 * radius, middle + 1.6 * radius, rate];
        let starts = STARTS.iter().flat_map(|beside| RATES.map(|rate| start(*beside, rate))).collect();
        (starts, [0.16 * radius, 0.64 * radius, 0.64 * radius, 0.05])
    }

    fn place(&self, [lateral_mm, low, high, rate]: [f64; 4], way: Way) -> Option<Place> {
        let pace = Pace { rate, before: way.before, base: way.base };
        let along_mm = rate * way.base_mm;
        let place = Place { lateral_mm, along_mm, span_mm: [low, high], radius_share: 1.0, pace };
        (high - low >= 0.3 * self.radius_mm()).then_some(place)
    }

    fn filmed(&self, place: &Place) -> (Cylinder, Cylinder) {
        let cylinder = Approach::filmed(self, place);
        (cylinder, Cylinder { span_mm: [f64::NEG_INFINITY, f64::INFINITY], ..cylinder })
    }

    fn rate(&self, place: &Place) -> f64 {
        place.pace.rate
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
}
