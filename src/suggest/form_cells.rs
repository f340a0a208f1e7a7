//! Patches of the surface in stretches of the film, and how far one stands out of the rest of its film.
//!
//! A film is set against the explanation that leaves the least in its middle patch: the reduced model at the estimate,
//! the reviewed simulation, or any run of the study. What a patch is left with is measured in units of that middle
//! (studentised: a film that nothing explains well has a large unit), and compared with the largest that any run of
//! the study has in the same patch and stretch when it plays the test. Parameters change a structure in many places at
//! once; what changes it in one place only is none of them.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::sight::Sight;
use super::sight_select::spread_out;

/// Nodes of a patch, and how many patches a part has.
const NODES_OF_PATCH: usize = 10;
const PATCHES: (usize, usize) = (4, 24);
/// Stretches of the film.
pub(super) const STRETCHES: usize = 8;
/// A cell with fewer places says nothing.
const FEWEST: usize = 6;
/// Less than so many times the film's middle does not stand out, whatever the runs have there.
const STANDS_OUT: f64 = 2.0;

/// A patch: part, centre, and the places in it.
pub(super) struct Region {
    pub(super) part: usize,
    pub(super) centre: [f32; 3],
    pub(super) places: Vec<usize>,
}

/// One patch in one stretch.
pub(super) struct Cell {
    pub(super) region: usize,
    pub(super) stretch: usize,
    places: usize,
    /// Inner products of what the runs, the test and the simulation show there, mm².
    gram: DMatrix<f64>,
}

/// What one film is left with, cell by cell.
pub(super) struct Left {
    /// The explanation: weights of the runs, the test and the simulation.
    pub(super) weights: DVector<f64>,
    /// Root mean square by cell, mm.
    pub(super) mm: Vec<f64>,
    /// Their median, not less than the measurement's noise, mm.
    pub(super) level_mm: f64,
}

/// Stretch of a moment.
pub(super) fn stretch_of(sight: &Sight, moment: u16) -> usize {
    usize::from(moment) * STRETCHES / sight.moments.len()
}

pub(super) fn regions(sight: &Sight, rest: &[[f32; 3]]) -> Vec<Region> {
    let mut all = Vec::new();
    for part in 0..sight.parts {
        let own: Vec<usize> = (0..sight.places.len()).filter(|i| usize::from(sight.places[*i].part) == part).collect();
        let mut nodes: Vec<u32> = own.iter().map(|i| sight.places[*i].node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let centres = spread_out(&nodes, rest, (nodes.len() / NODES_OF_PATCH).clamp(PATCHES.0, PATCHES.1));
        let first = all.len();
        all.extend(centres.iter().map(|c| Region { part, centre: rest[*c as usize], places: Vec::new() }));
        for i in own {
            let at = rest[sight.places[i].node as usize];
            let away = |r: &Region| (0..3).map(|k| (r.centre[k] - at[k]).powi(2)).sum::<f32>();
            let nearest = (first..all.len()).min_by(|a, b| away(&all[*a]).total_cmp(&away(&all[*b])));
            if let Some(nearest) = nearest {
                all[nearest].places.push(i);
            }
        }
    }
    all
}

/// The cells that hold enough places.
pub(super) fn cells(sight: &Sight, regions: &[Region]) -> Vec<Cell> {
    (0..regions.len() * STRETCHES)
        .into_par_iter()
        .filter_map(|index| {
            let (region, stretch) = (index / STRETCHES, index % STRETCHES);
            let here = |i: &usize| stretch_of(sight, sight.places[*i].moment) == stretch;
            let own: Vec<usize> = regions[region].places.iter().copied().filter(here).collect();
            (own.len() >= FEWEST).then(|| Cell { region, stretch, places: own.len(), gram: gram(sight, &own) })
        })
        .collect()
}

/// Inner products at `places`: the runs, the test, the simulation.
fn gram(sight: &Sight, places: &[usize]) -> DMatrix<f64> {
    let films: Vec<_> = sight.runs.iter().chain([&sight.test, &sight.simulated]).collect();
    let rows = DMatrix::from_fn(films.len(), 2 * places.len(), |f, i| f64::from(films[f][places[i / 2]][i % 2]));
    &rows * rows.transpose()
}

/// The best of several explanations; `noise_mm` is added to what is left of films that have none.
pub(super) fn least_left(
    cells: &[Cell],
    explanations: Vec<DVector<f64>>,
    noise_mm: f64,
    floor_mm: f64,
) -> Option<Left> {
    explanations
        .into_iter()
        .map(|weights| {
            let square = |c: &Cell| weights.dot(&(&c.gram * &weights)).max(0.0) / c.places as f64;
            let mm: Vec<f64> = cells.iter().map(|c| (square(c) + noise_mm * noise_mm).sqrt()).collect();
            let mut sorted = mm.clone();
            sorted.sort_by(f64::total_cmp);
            let level_mm = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0).max(floor_mm);
            Left { weights, mm, level_mm }
        })
        .min_by(|a, b| a.level_mm.total_cmp(&b.level_mm))
}

/// How many times the largest of the other runs a cell of a film stands out; 0 below the tolerance.
pub(super) fn ratio(cell: usize, film: &Left, others: &[&Left], tolerance_mm: f64) -> f64 {
    if film.mm[cell] <= tolerance_mm {
        return 0.0;
    }
    let of = |l: &Left| l.mm[cell] / l.level_mm;
    of(film) / others.iter().map(|l| of(l)).fold(STANDS_OUT, f64::max)
}

/// A film's worst cell.
pub(super) fn worst(film: &Left, others: &[&Left], tolerance_mm: f64) -> f64 {
    (0..film.mm.len()).map(|cell| ratio(cell, film, others, tolerance_mm)).fold(0.0, f64::max)
}
