//! Which nodes and moments stand for the film: neighbours say the same, so a spread-out choice is enough.

use super::sight::FilmField;
use crate::geom::{Camera, Raster};

/// Nodes that are used in all, and of each part at least.
const NODES: usize = 500;
const NODES_OF_PART: usize = 40;
/// Moments that are used.
const MOMENTS: usize = 24;
/// A node must be observed in this share of the moments.
const OBSERVED: f64 = 0.3;
/// Candidates of one part among which the spread-out ones are looked for.
const CANDIDATES: usize = 6000;

/// Film moments that are used, as indices: all, or evenly spread ones with the last.
pub(super) fn pick_moments(film: &[FilmField]) -> Vec<usize> {
    // The first moment is the reference: everything has moved by 0 there.
    let last = film.len() - 1;
    if last <= MOMENTS {
        return (1..=last).collect();
    }
    (1..=MOMENTS).map(|i| (i * last).div_ceil(MOMENTS)).collect()
}

/// Nodes that are used: observed often, and far from each other within their part.
pub(super) fn pick_nodes(
    film: &[FilmField],
    moments: &[usize],
    rest: &[[f32; 3]],
    part_of: &[u16],
    parts: usize,
) -> Vec<u32> {
    let wanted = (OBSERVED * moments.len() as f64).ceil().max(1.0) as usize;
    let observed = |n: usize| moments.iter().filter(|m| film[**m].sigma_mm[n].is_finite()).count() >= wanted;
    let good: Vec<u32> = (0..rest.len()).filter(|n| observed(*n)).map(|n| n as u32).collect();
    let mut picked = Vec::new();
    for part in 0..parts {
        let own: Vec<u32> = good.iter().copied().filter(|n| usize::from(part_of[*n as usize]) == part).collect();
        let share = NODES * own.len() / good.len().max(1);
        let stride = own.len().div_ceil(CANDIDATES).max(1);
        let own: Vec<u32> = own.into_iter().step_by(stride).collect();
        picked.extend(spread_out(&own, rest, share.max(NODES_OF_PART)));
    }
    picked.sort_unstable();
    picked
}

/// Farthest-point choice (Gonzalez 1985).
pub(super) fn spread_out(nodes: &[u32], at: &[[f32; 3]], count: usize) -> Vec<u32> {
    if nodes.len() <= count {
        return nodes.to_vec();
    }
    let square = |a: u32, b: u32| -> f32 {
        let (a, b) = (at[a as usize], at[b as usize]);
        (0..3).map(|i| (a[i] - b[i]).powi(2)).sum()
    };
    let mut chosen = vec![nodes[0]];
    let mut away: Vec<f32> = nodes.iter().map(|n| square(*n, nodes[0])).collect();
    while chosen.len() < count {
        let (next, _) =
            away.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).expect("there are more nodes than are wanted");
        let node = nodes[next];
        chosen.push(node);
        for (d, n) in away.iter_mut().zip(nodes) {
            *d = d.min(square(*n, node));
        }
    }
    chosen
}

/// True when the point is the nearest surface at its pixel, within the slack of one pixel's slope.
pub(super) fn is_seen(camera: &Camera, raster: &Raster, point: [f32; 3]) -> bool {
    let at = camera.pinhole_pixel_from_world(point.map(f64::from));
    let (x, y) = (at.x.round(), at.y.round());
    if !(at.depth_mm > 0.0 && x >= 1.0 && y >= 1.0 && x < camera.width as f64 - 1.0 && y < camera.height as f64 - 1.0) {
        return false;
    }
    let (row, column) = (y as usize, x as usize);
    let near = (row - 1..=row + 1).flat_map(|r| (column - 1..=column + 1).map(move |c| (r, c)));
    let farthest = near.map(|p| raster.depth_mm[p]).fold(f32::NEG_INFINITY, f32::max);
    at.depth_mm as f32 <= farthest * 1.005 + 1.5
}
