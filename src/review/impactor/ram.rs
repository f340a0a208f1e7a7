//! The ram behind the simulation's wall: the simulation knows an endless plane, the film shows a block.

use nalgebra::{Rotation3, Vector3};

use super::contact::Plane;
use super::fit::{RATES, Sought, Way};
use super::line::{Line, Pace};
use crate::domain::RigidWall;
use crate::geom::{Block, Skin};

/// Where the film shows the ram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RamPlace {
    /// Where it begins and ends across its way and along it, from the face that touches, mm.
    low_mm: [f64; 3],
    high_mm: [f64; 3],
    /// From where it would touch, along its way, at the moment [`Pace::base`], mm.
    pub(super) along_mm: f64,
    /// How it is turned against the simulation's wall, about the first and the second axis across, rad.
    pub(super) lean_rad: [f64; 2],
    /// It is where its edges are in the pictures.
    pub(super) is_outlined: bool,
    /// How it goes.
    pub(super) pace: Pace,
}

/// The wall and what it is going to meet.
pub(super) struct RamApproach<'a> {
    wall: &'a RigidWall,
    /// Across, across, and from the structure back into the ram.
    axes: [Vector3<f64>; 3],
    direction: Vector3<f64>,
    /// The middle of the structure on the plane, at simulation time 0.
    middle_mm: Vector3<f64>,
    /// Half the structure's size across, mm.
    half_mm: [f64; 2],
    /// The undeformed end that it hits, from the middle, mm.
    end_mm: Vec<Vector3<f64>>,
    /// Nodes of the end that the ram hits.
    pub(super) is_end: Vec<bool>,
}

/// Nodes so near the wall before the test belong to the end that it hits, mm.
const END_MM: f64 = 8.0;

impl<'a> RamApproach<'a> {
    pub(super) fn new(wall: &'a RigidWall, skin: &Skin, undeformed: &[[f32; 3]]) -> Self {
        let normal = Vector3::from(wall.normal).normalize();
        // Rams stand along the axes of the model, whose plane the wall may lean in.
        let level = [Vector3::x(), Vector3::y(), Vector3::z()]
            .into_iter()
            .min_by(|a, b| a.dot(&normal).abs().total_cmp(&b.dot(&normal).abs()))
            .expect("there are three");
        let first = (level - normal * level.dot(&normal)).normalize();
        let axes = [first, normal.cross(&first), -normal];
        let point = Vector3::from(wall.point_mm);
        let mut range = [[f64::INFINITY, f64::NEG_INFINITY]; 2];
        let on_skin = skin.is_on_skin(undeformed.len());
        for (p, _) in undeformed.iter().zip(on_skin).filter(|(_, on)| *on) {
            let from = Vector3::from(p.map(f64::from)) - point;
            for (r, axis) in range.iter_mut().zip(&axes) {
                *r = [r[0].min(from.dot(axis)), r[1].max(from.dot(axis))];
            }
        }
        let ahead = |p: &[f32; 3]| (Vector3::from(p.map(f64::from)) - point).dot(&normal);
        let known = range.map(|[low, high]| if low <= high { [low, high] } else { [0.0, 0.0] });
        let across = |i: usize| axes[i] * (0.5 * (known[i][0] + known[i][1]));
        let middle_mm = point + across(0) + across(1);
        let end = undeformed.iter().filter(|p| ahead(p) < END_MM);
        Self {
            wall,
            axes,
            direction: Vector3::from(wall.direction).normalize(),
            middle_mm,
            end_mm: end.map(|p| Vector3::from(p.map(f64::from)) - middle_mm).collect(),
            is_end: undeformed.iter().map(|p| ahead(p) < END_MM).collect(),
            half_mm: known.map(|[low, high]| 0.5 * (high - low).max(1.0)),
        }
    }

    pub(super) fn line(&self) -> Line<'a> {
        let RigidWall { times_s, travel_mm, .. } = self.wall;
        Line { direction: self.direction, times_s, travel_mm }
    }

    /// Half the structure's larger size across, mm.
    pub(super) fn size_mm(&self) -> f64 {
        self.half_mm[0].max(self.half_mm[1])
    }

    /// The ram at the moment [`Pace::base`].
    pub(super) fn filmed(&self, place: &RamPlace) -> Block {
        let turn = self.turn(place.lean_rad);
        Block {
            origin_mm: self.touching_mm(place.lean_rad) + self.direction * place.along_mm,
            axes: self.axes.map(|axis| turn * axis),
            low_mm: place.low_mm,
            high_mm: place.high_mm,
        }
    }

    /// The simulation's face when it has come so far since it touched.
    pub(super) fn simulated_face(&self, since_contact_mm: f64) -> Plane {
        self.face([0.0; 2], since_contact_mm)
    }

    /// The face of a ram that leans so, when it has come so far since it touched.
    pub(super) fn face(&self, lean_rad: [f64; 2], since_contact_mm: f64) -> Plane {
        let point_mm = self.touching_mm(lean_rad) + self.direction * since_contact_mm;
        Plane { point_mm, normal: self.turn(lean_rad) * -self.axes[2] }
    }

    fn turn(&self, [a, b]: [f64; 2]) -> Rotation3<f64> {
        Rotation3::new(self.axes[0] * a + self.axes[1] * b)
    }

    /// The middle of the face of a ram that leans so where it touches.
    fn touching_mm(&self, lean_rad: [f64; 2]) -> Vector3<f64> {
        self.middle_mm + self.direction * self.farther_mm(lean_rad)
    }

    /// How much farther the middle of a ram that leans so comes until it has the gap to the end that the simulation's has,
    /// mm.
    fn farther_mm(&self, lean_rad: [f64; 2]) -> f64 {
        let gap = |normal: Vector3<f64>| self.end_mm.iter().map(|p| p.dot(&normal)).fold(f64::INFINITY, f64::min);
        let (there, normal) = (-self.axes[2], self.turn(lean_rad) * -self.axes[2]);
        let farther_mm = (gap(normal) - gap(there)) / normal.dot(&self.direction);
        if farther_mm.is_finite() { farther_mm } else { 0.0 }
    }

    /// A ram with its edges elsewhere: where its sides begin and end along the first axis across its way and along the
    /// second, mm, how it leans, rad, and how far along its way the middle of its face is, mm.
    pub(super) fn with_edges(
        &self,
        place: &RamPlace,
        [a0, a1, b0, b1, lean_a, lean_b, middle_mm]: [f64; 7],
    ) -> RamPlace {
        let ([_, _, face], [_, _, back]) = (place.low_mm, place.high_mm);
        let lean_rad = [lean_a, lean_b];
        RamPlace {
            low_mm: [a0, b0, face],
            high_mm: [a1, b1, back],
            lean_rad,
            along_mm: middle_mm - self.farther_mm(lean_rad),
            is_outlined: true,
            ..*place
        }
    }

    /// What [`Self::with_edges`] takes.
    pub(super) fn edges(&self, place: &RamPlace) -> [f64; 7] {
        let ([a0, b0, _], [a1, b1, _], [lean_a, lean_b]) = (place.low_mm, place.high_mm, place.lean_rad);
        [a0, a1, b0, b1, lean_a, lean_b, place.along_mm + self.farther_mm(place.lean_rad)]
    }
}

/// The numbers are where it begins and ends across, how far back it reaches from the face that touches, mm, and the rate.
impl Sought<6> for RamApproach<'_> {
    type Body = Block;
    type Place = RamPlace;

    fn line(&self) -> Line<'_> {
        RamApproach::line(self)
    }

    fn seen_point_mm(&self) -> Vector3<f64> {
        self.middle_mm
    }

    fn starts(&self) -> (Vec<[f64; 6]>, [f64; 6]) {
        let ([a, b], size) = (self.half_mm, self.size_mm());
        let start = |s: f64, rate: f64| [-s * a, s * a, -s * b, s * b, 2.0 * size, rate];
        let starts = [0.7, 1.0, 1.5, 2.2].iter().flat_map(|s| RATES.map(|rate| start(*s, rate))).collect();
        let step = [0.15 * a, 0.15 * a, 0.15 * b, 0.15 * b, 0.4 * size, 0.05];
        (starts, step)
    }

    fn place(&self, [a0, a1, b0, b1, back, rate]: [f64; 6], way: Way) -> Option<RamPlace> {
        /// Less is no ram, mm.
        const SMALLEST_MM: f64 = 10.0;
        let place = RamPlace {
            low_mm: [a0, b0, 0.0],
            high_mm: [a1, b1, back],
            along_mm: rate * way.base_mm,
            lean_rad: [0.0; 2],
            is_outlined: false,
            pace: Pace { rate, before: way.before, base: way.base },
        };
        (a1 - a0 > SMALLEST_MM && b1 - b0 > SMALLEST_MM && back > SMALLEST_MM).then_some(place)
    }

    fn filmed(&self, place: &RamPlace) -> (Block, Block) {
        let block = RamApproach::filmed(self, place);
        let size = self.size_mm();
        let more = |high: f64| high + size;
        let [a, b, face] = block.low_mm;
        let larger = Block { low_mm: [a - size, b - size, face], high_mm: block.high_mm.map(more), ..block };
        (block, larger)
    }

    fn rate(&self, place: &RamPlace) -> f64 {
        place.pace.rate
    }
}
