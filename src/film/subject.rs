//! What is filmed, as far as cameras and bodies around it have to fit it.

use nalgebra::Vector3;

use super::light::Stage;
use crate::domain::{Impactor, Mesh, RigidWall};
use crate::geom::bracket;

/// The run that plays the test.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its mesh.
    pub mesh: &'a Mesh,
    /// Its nodes at some moments, mm; the first one is the undeformed structure, the last one the end.
    pub states_mm: &'a [Vec<[f32; 3]>],
    /// The cylinder that hits it.
    pub impactor: Option<&'a Impactor>,
    /// The wall that hits it.
    pub wall: Option<&'a RigidWall>,
    /// Simulation time of its last state, s.
    pub end_s: f64,
}

/// A box along the axes, mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) low: Vector3<f64>,
    pub(super) high: Vector3<f64>,
}

impl Bounds {
    pub(super) fn of<'a>(points: impl IntoIterator<Item = &'a [f32; 3]>) -> Self {
        let mut bounds = Self { low: Vector3::repeat(f64::INFINITY), high: Vector3::repeat(f64::NEG_INFINITY) };
        for p in points {
            let p = Vector3::from(p.map(f64::from));
            bounds.low = bounds.low.inf(&p);
            bounds.high = bounds.high.sup(&p);
        }
        bounds
    }

    pub(super) fn centre(&self) -> Vector3<f64> {
        (self.low + self.high) / 2.0
    }

    pub(super) fn half(&self) -> Vector3<f64> {
        (self.high - self.low) / 2.0
    }

    pub(super) fn corners(&self) -> impl Iterator<Item = Vector3<f64>> {
        let (l, h) = (self.low, self.high);
        (0..8).map(move |i| {
            Vector3::new(
                if i & 1 == 0 { l.x } else { h.x },
                if i & 2 == 0 { l.y } else { h.y },
                if i & 4 == 0 { l.z } else { h.z },
            )
        })
    }
}

impl Subject<'_> {
    pub(super) fn undeformed_mm(&self) -> &[[f32; 3]] {
        &self.states_mm[0]
    }

    /// The room that the structure takes, over all moments.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds::of(self.states_mm.iter().flatten())
    }

    /// The room of the undeformed structure.
    pub(super) fn rest_bounds(&self) -> Bounds {
        Bounds::of(self.undeformed_mm())
    }

    /// The ball that lamps light.
    #[must_use]
    pub fn stage(&self) -> Stage {
        let bounds = self.bounds();
        Stage { centre_mm: bounds.centre().into(), radius_mm: 1.25 * bounds.half().norm().max(1.0) }
    }

    /// Nodes that never move.
    pub(super) fn clamped(&self) -> Vec<[f32; 3]> {
        const STILL_MM: f32 = 0.02;
        let rest = self.undeformed_mm();
        let still =
            |n: &usize| self.states_mm.iter().all(|s| (0..3).all(|i| (s[*n][i] - rest[*n][i]).abs() < STILL_MM));
        (0..rest.len()).filter(still).map(|n| rest[n]).collect()
    }

    /// How far the impactor has moved at a simulation time, mm.
    #[must_use]
    pub fn impactor_moved_mm(&self, simulation_time_s: f64) -> [f64; 3] {
        let travel = |times: &[f64], way: &[f64]| {
            let (a, b, w) = bracket(times, simulation_time_s);
            way[a] + w * (way[b] - way[a])
        };
        // Before contact it comes with the speed that it has then.
        let approach = |times: &[f64], way: &[f64]| {
            let early = times.partition_point(|t| *t < 0.02 * self.end_s).clamp(1, times.len() - 1);
            (way[early] - way[0]) / (times[early] - times[0]) * simulation_time_s.min(0.0)
        };
        let along = |times: &[f64], way: &[f64], direction: [f64; 3]| {
            if times.len() < 2 {
                return [0.0; 3];
            }
            direction.map(|d| d * (travel(times, way) + approach(times, way)))
        };
        match (self.impactor, self.wall) {
            (Some(i), _) => along(&i.times_s, &i.travel_mm, i.direction),
            (None, Some(w)) => along(&w.times_s, &w.travel_mm, w.direction),
            (None, None) => [0.0; 3],
        }
    }
}
