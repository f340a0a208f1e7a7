//! Model form: what is left at the best parameters, against what the same procedure leaves of the study's own runs.
//!
//! Each part is cut into regions, the film into stretches. In every cell the test's remainder is set over the largest
//! remainder of any run that played the test. A study can say "no parameter explains this" only as far as its own runs
//! fit better; the p-value is the rank of the test among them.

use nalgebra::DVector;
use rayon::prelude::*;

use super::calibrate::Calibration;
use super::gain::test_minus;
use super::hypotheses::{Pattern, rank};
use super::leave_out::left_by_model;
use super::sight::{Place, Sight};
use super::sight_select::spread_out;
use super::{StudyFields, Surrogate};
use crate::domain::{ModelForm, Part};

/// Regions of a part; stretches of the film.
const REGIONS: usize = 8;
const STRETCHES: usize = 8;
/// A cell with fewer places says nothing.
const FEWEST: usize = 6;
/// The test's worst cell must be so many times beyond the runs' before model form is named.
const BEYOND: f64 = 1.25;
/// Parts that are named at most.
const NAMED: usize = 3;

/// One region of a part in one stretch of the film.
struct Cell {
    region: usize,
    stretch: usize,
    /// Remainder of the test, root mean square, mm.
    test_mm: f64,
    /// Remainder of each run that played the test, mm.
    runs_mm: Vec<f64>,
}

/// A region: part, centre, nodes.
struct Region {
    part: usize,
    centre: [f32; 3],
    places: Vec<usize>,
}

/// What no parameter explains, worst first, and the share of the study's runs that fit as badly.
pub(super) struct Unexplained {
    pub(super) forms: Vec<ModelForm>,
    pub(super) p_value: f64,
}

/// What the test of model form looks at.
pub(super) struct FormInput<'a> {
    pub(super) sight: &'a Sight,
    pub(super) fields: &'a dyn StudyFields,
    pub(super) surrogate: &'a Surrogate,
    pub(super) shares: &'a [Vec<f64>],
    pub(super) calibration: &'a Calibration,
    /// The most likely parameters, shares.
    pub(super) best: &'a [f64],
    /// Undeformed simulation, mm.
    pub(super) rest_mm: &'a [[f32; 3]],
    /// Less than this is no finding, mm.
    pub(super) tolerance_mm: f64,
}

pub(super) fn unexplained(input: &FormInput<'_>) -> Unexplained {
    let runs = input.shares.len();
    let total = input.fields.grams().total();
    let of_test = test_minus(runs, &input.surrogate.weights(input.best));
    let of_runs: Vec<DVector<f64>> = (0..runs)
        .map(|run| {
            let left = left_by_model(run, &input.calibration.estimates[run], input.shares, &total);
            let mut weights = DVector::zeros(runs + 2);
            weights.rows_mut(0, runs).copy_from(&left);
            weights
        })
        .collect();
    let regions = regions(input.sight, input.rest_mm);
    let stretch_of = |p: &Place| usize::from(p.moment) * STRETCHES / input.sight.moments.len();
    let cells: Vec<Cell> = (0..regions.len() * STRETCHES)
        .into_par_iter()
        .filter_map(|index| {
            let (region, stretch) = (index / STRETCHES, index % STRETCHES);
            let own: Vec<usize> = regions[region]
                .places
                .iter()
                .copied()
                .filter(|i| stretch_of(&input.sight.places[*i]) == stretch)
                .collect();
            (own.len() >= FEWEST).then(|| Cell {
                region,
                stretch,
                test_mm: remainder(input.sight, &own, &of_test),
                runs_mm: of_runs.iter().map(|w| remainder(input.sight, &own, w)).collect(),
            })
        })
        .collect();
    let noise_mm = input.sight.noise_square(|_| true).sqrt().max(0.1);
    let scores: Vec<f64> = (0..runs).map(|run| worst(&cells, noise_mm, Some(run))).collect();
    let test = worst(&cells, noise_mm, None);
    let p_value = (1 + scores.iter().filter(|s| **s >= test).count()) as f64 / (runs + 1) as f64;
    let limit = BEYOND * scores.iter().copied().fold(1.0, f64::max);
    let forms = if test > limit { name(input, &regions, &cells, noise_mm, limit) } else { Vec::new() };
    Unexplained { forms, p_value }
}

/// Root mean square over the places of the picture that these weights of runs, test and simulation make, mm.
fn remainder(sight: &Sight, places: &[usize], weights: &DVector<f64>) -> f64 {
    let runs = sight.runs.len();
    let square = |i: usize| -> f64 {
        (0..2)
            .map(|c| {
                let mut sum = weights[runs] * f64::from(sight.test[i][c]);
                for (seen, weight) in sight.runs.iter().zip(weights.iter()) {
                    sum += weight * f64::from(seen[i][c]);
                }
                sum * sum
            })
            .sum()
    };
    (places.iter().map(|i| square(*i)).sum::<f64>() / places.len() as f64).sqrt()
}

/// How many times the largest remainder of the other runs a film's worst cell has; `None` is the test.
fn worst(cells: &[Cell], noise_mm: f64, run: Option<usize>) -> f64 {
    cells.iter().map(|cell| ratio(cell, noise_mm, run)).fold(0.0, f64::max)
}

fn ratio(cell: &Cell, noise_mm: f64, run: Option<usize>) -> f64 {
    let others = cell.runs_mm.iter().enumerate().filter(|(r, _)| Some(*r) != run).map(|(_, mm)| *mm);
    let own = run.map_or(cell.test_mm, |r| cell.runs_mm[r]);
    own / others.fold(2.0 * noise_mm, f64::max)
}

fn regions(sight: &Sight, rest: &[[f32; 3]]) -> Vec<Region> {
    let mut all = Vec::new();
    for part in 0..sight.parts {
        let own: Vec<usize> = (0..sight.places.len()).filter(|i| usize::from(sight.places[*i].part) == part).collect();
        let mut nodes: Vec<u32> = own.iter().map(|i| sight.places[*i].node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        let centres = spread_out(&nodes, rest, REGIONS);
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

/// The parts with cells beyond the limit, worst first.
fn name(input: &FormInput<'_>, regions: &[Region], cells: &[Cell], noise_mm: f64, limit: f64) -> Vec<ModelForm> {
    let parts = &input.fields.study().parts;
    let mut forms: Vec<ModelForm> = (0..parts.len())
        .filter_map(|part| {
            let own: Vec<&Cell> = cells.iter().filter(|c| regions[c.region].part == part).collect();
            let beyond: Vec<&Cell> = own
                .iter()
                .copied()
                .filter(|c| ratio(c, noise_mm, None) > limit && c.test_mm > input.tolerance_mm)
                .collect();
            let worst = *beyond.iter().max_by(|a, b| ratio(a, noise_mm, None).total_cmp(&ratio(b, noise_mm, None)))?;
            Some(describe(input, regions, &own, &beyond, worst, &parts[part], noise_mm))
        })
        .collect();
    forms.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    forms.truncate(NAMED);
    forms
}

fn describe(
    input: &FormInput<'_>,
    regions: &[Region],
    own: &[&Cell],
    beyond: &[&Cell],
    worst: &Cell,
    part: &Part,
    noise_mm: f64,
) -> ModelForm {
    let sight = input.sight;
    let region = &regions[worst.region];
    let first = beyond.iter().map(|c| c.stretch).min().unwrap_or(worst.stretch);
    let moment = (0..sight.moments.len()).find(|m| m * STRETCHES / sight.moments.len() == first).unwrap_or(0);
    let onset_s = sight.moments[moment];
    let centre_mm = region.centre.map(f64::from);
    let siblings: Vec<&Region> = regions.iter().filter(|r| r.part == region.part).collect();
    let (place, axis) = place_in_words(region.centre, &siblings, input.rest_mm, sight);
    let (shift_mm, size_mm) = shift(input, region.part, worst.stretch, axis);
    let motion = if shift_mm.abs() > 0.25 * size_mm {
        let way = if axis == 2 {
            if shift_mm < 0.0 { "lower" } else { "higher" }
        } else if shift_mm < 0.0 {
            "nearer to the low end"
        } else {
            "nearer to the high end"
        };
        format!(
            "the motion sits {:.0} mm {way} ({}) than in the best simulation",
            shift_mm.abs(),
            ["x", "y", "z"][axis]
        )
    } else {
        format!("{:.1} mm of difference are left there", worst.test_mm)
    };
    let words = format!("{}, {place}, from {:.1} ms: {motion}", part.name, onset_s * 1e3);
    let touched: std::collections::BTreeSet<usize> = beyond.iter().map(|c| c.region).collect();
    let mut by_stretch: Vec<f64> = vec![0.0; STRETCHES];
    for c in own.iter().filter(|c| c.region == worst.region) {
        by_stretch[c.stretch] = c.test_mm;
    }
    let pattern = Pattern {
        onset_share: first as f64 / STRETCHES as f64,
        shift: shift_mm.abs() / size_mm.max(1.0),
        at_joint: at_joint(region, regions, size_mm),
        spread: touched.len() as f64 / siblings.len().max(1) as f64,
        steadiness: steadiness(&by_stretch),
        near_impact: near_impact(input, region, worst.stretch),
    };
    ModelForm {
        part_id: part.id,
        part_name: part.name.clone(),
        place,
        centre_mm,
        onset_s,
        left_mm: worst.test_mm,
        ratio: ratio(worst, noise_mm, None),
        difference_mm: difference(input, region, worst.stretch),
        words,
        hypotheses: rank(&pattern),
    }
}

/// Where along its longest extent a part is struck: `upper third (z 140 mm)`; and that axis.
fn place_in_words(centre: [f32; 3], siblings: &[&Region], rest: &[[f32; 3]], sight: &Sight) -> (String, usize) {
    let all = || siblings.iter().flat_map(|r| &r.places).map(|i| rest[sight.places[*i].node as usize]);
    let span = |k: usize| all().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), p| (a.min(p[k]), b.max(p[k])));
    let axis = (0..3).max_by(|a, b| (span(*a).1 - span(*a).0).total_cmp(&(span(*b).1 - span(*b).0))).unwrap_or(2);
    let (low, high) = span(axis);
    let share = (centre[axis] - low) / (high - low).max(1.0);
    let third = match (axis, share) {
        (2, s) if s > 2.0 / 3.0 => "upper third",
        (2, s) if s < 1.0 / 3.0 => "lower third",
        (_, s) if s > 2.0 / 3.0 => "high end",
        (_, s) if s < 1.0 / 3.0 => "low end",
        _ => "middle",
    };
    (format!("{third} ({} {:.0} mm)", ["x", "y", "z"][axis], centre[axis]), axis)
}

/// How far along `axis` the centre of the test's motion in a part is from the best simulation's, and a region's size, mm.
fn shift(input: &FormInput<'_>, part: usize, stretch: usize, axis: usize) -> (f64, f64) {
    let sight = input.sight;
    let weights = input.surrogate.weights(input.best);
    let (mut test, mut model) = ([0.0_f64; 2], [0.0_f64; 2]);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (i, p) in sight.places.iter().enumerate() {
        if usize::from(p.part) != part || usize::from(p.moment) * STRETCHES / sight.moments.len() != stretch {
            continue;
        }
        let at = f64::from(input.rest_mm[p.node as usize][axis]);
        (low, high) = (low.min(at), high.max(at));
        let predicted: [f64; 2] =
            [0, 1].map(|c| sight.runs.iter().zip(weights.iter()).map(|(r, w)| w * f64::from(r[i][c])).sum());
        for (sum, d) in [(&mut test, sight.test[i].map(f64::from)), (&mut model, predicted)] {
            let w = d[0] * d[0] + d[1] * d[1] + 0.01;
            sum[0] += w * at;
            sum[1] += w;
        }
    }
    let size = (high - low).max(1.0) / 3.0;
    if test[1] <= 0.0 || model[1] <= 0.0 {
        return (0.0, size);
    }
    (test[0] / test[1] - model[0] / model[1], size)
}

/// 1 when another part's region touches this one, 0 when it is a region's size away.
fn at_joint(region: &Region, regions: &[Region], size_mm: f64) -> f64 {
    let away = |r: &Region| f64::from((0..3).map(|k| (r.centre[k] - region.centre[k]).powi(2)).sum::<f32>()).sqrt();
    let nearest = regions.iter().filter(|r| r.part != region.part).map(away).fold(f64::INFINITY, f64::min);
    (1.0 - nearest / size_mm.max(1.0)).clamp(0.0, 1.0)
}

/// 1 when the difference grows evenly, 0 when it comes in one step.
fn steadiness(by_stretch: &[f64]) -> f64 {
    let top = by_stretch.iter().copied().fold(0.0, f64::max).max(1e-9);
    let step = by_stretch.windows(2).map(|w| w[1] - w[0]).fold(0.0, f64::max) / top;
    (1.0 - step).clamp(0.0, 1.0)
}

/// How much the test moves in a region against where it moves most.
fn near_impact(input: &FormInput<'_>, region: &Region, stretch: usize) -> f64 {
    let sight = input.sight;
    let here = |i: &usize| usize::from(sight.places[*i].moment) * STRETCHES / sight.moments.len() == stretch;
    let length = |i: usize| f64::from(sight.test[i][0]).hypot(f64::from(sight.test[i][1]));
    let own: Vec<f64> = region.places.iter().filter(|i| here(i)).map(|i| length(*i)).collect();
    let top = (0..sight.places.len()).filter(here).map(length).fold(1e-9, f64::max);
    (own.iter().sum::<f64>() / own.len().max(1) as f64 / top).clamp(0.0, 1.0)
}

/// Mean difference test minus best simulation in a region, world axes: least squares over the cameras' picture planes.
fn difference(input: &FormInput<'_>, region: &Region, stretch: usize) -> [f64; 3] {
    let sight = input.sight;
    let weights = input.surrogate.weights(input.best);
    let (mut normal, mut right) = (nalgebra::Matrix3::<f64>::identity() * 1e-6, nalgebra::Vector3::zeros());
    for i in region.places.iter().copied() {
        let p = &sight.places[i];
        if usize::from(p.moment) * STRETCHES / sight.moments.len() != stretch {
            continue;
        }
        for c in 0..2 {
            let predicted: f64 = sight.runs.iter().zip(weights.iter()).map(|(r, w)| w * f64::from(r[i][c])).sum();
            let axis = nalgebra::Vector3::from(sight.axes[usize::from(p.camera)][c]);
            normal += axis * axis.transpose();
            right += axis * (f64::from(sight.test[i][c]) - predicted);
        }
    }
    normal.try_inverse().map_or([f64::NAN; 3], |inverse| (inverse * right).into())
}
