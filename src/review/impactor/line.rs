//! The straight way of an impactor: what the simulation says of it, and what it does before it touches.

use nalgebra::Vector3;

use crate::geom::bracket;

/// What the impactor of a film does before it touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::review) enum Before {
    /// It rests where it is going to touch: a press, or a film that was drawn.
    Waits,
    /// It comes with the speed that it has when it touches.
    Comes,
}

/// How the film's impactor goes, by the simulation's clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// How much farther it goes than the simulation's.
    pub(super) rate: f64,
    /// What it does before it touches.
    pub(super) before: Before,
    /// The moment of the film at which its place is told and from which its way is measured.
    pub(super) base: usize,
}

/// The way of the simulation's impactor.
#[derive(Debug, Clone, Copy)]
pub(in crate::review) struct Line<'a> {
    /// Where it goes, unit length.
    pub(in crate::review) direction: Vector3<f64>,
    /// Simulation times, s.
    pub(in crate::review) times_s: &'a [f64],
    /// Way since time 0, mm.
    pub(in crate::review) travel_mm: &'a [f64],
}

/// How far the film's impactor had come at some film times, and the way of the simulation's.
#[derive(Debug, Clone)]
pub(in crate::review) struct ImpactorWay<'a> {
    /// Film times, s, and the way since one of them, mm.
    pub(in crate::review) seen: Vec<(f64, f64)>,
    pub(in crate::review) line: Line<'a>,
    /// The way at which it touches, where its edges in the pictures tell it, mm.
    pub(in crate::review) touches_mm: Option<f64>,
}

impl Line<'_> {
    /// How far the simulation's has come, mm.
    pub(super) fn simulated_way_mm(&self, time_s: f64) -> f64 {
        let (a, b, w) = bracket(self.times_s, time_s);
        self.travel_mm[a] * (1.0 - w) + self.travel_mm[b] * w
    }

    /// How far it comes between two times of the simulation, the way `before` says, mm.
    pub(super) fn simulated_way_between_mm(&self, before: Before, from_s: f64, to_s: f64) -> f64 {
        self.since_contact_mm(before, to_s) - self.since_contact_mm(before, from_s)
    }

    /// How far it is beyond where it touches, mm; negative before.
    pub(in crate::review) fn since_contact_mm(&self, before: Before, time_s: f64) -> f64 {
        match before {
            Before::Comes if time_s < 0.0 => self.first_speed_mm_per_s() * time_s,
            _ => self.simulated_way_mm(time_s),
        }
    }

    /// Speed with which the simulation's touches, mm/s: that of the first fiftieth of its times.
    fn first_speed_mm_per_s(&self) -> f64 {
        let (times, way) = (self.times_s, self.travel_mm);
        let Some(last) = times.len().checked_sub(1).filter(|last| *last > 0) else { return 0.0 };
        let early = times.partition_point(|t| *t < times[0] + 0.02 * (times[last] - times[0])).clamp(1, last);
        (way[early] - way[0]) / (times[early] - times[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_start_it_waits_or_comes() {
        let (times_s, travel_mm) = ([0.0, 0.01], [0.0, 50.0]);
        let line = Line { direction: Vector3::x(), times_s: &times_s, travel_mm: &travel_mm };
        assert!(line.simulated_way_mm(-0.004).abs() < 1e-12 && (line.simulated_way_mm(0.005) - 25.0).abs() < 1e-9);
        assert!(line.since_contact_mm(Before::Waits, -0.004).abs() < 1e-12);
        assert!((line.since_contact_mm(Before::Comes, -0.004) + 20.0).abs() < 1e-9);
        assert!((line.simulated_way_between_mm(Before::Comes, -0.004, 0.005) - 45.0).abs() < 1e-9);
    }
}
