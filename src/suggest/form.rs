//! Model form: a place and time that stand out of the film as no place does when a run of the study plays the test.
//!
//! How that is measured is in [`super::form_cells`]. A study can say "no parameter explains this" only as far as its own
//! runs, each left out, do not stand out as much; the p-value is the rank of the test among them.

use nalgebra::DVector;
use rayon::prelude::*;

use super::calibrate::Calibration;
use super::form_cells::{Cell, Left, Region, STRETCHES, cells, least_left, ratio, regions, stretch_of, worst};
use super::gain::test_minus;
use super::hypotheses::{Pattern, rank};
use super::leave_out::left_by_model;
use super::sight::Sight;
use super::{StudyFields, Surrogate};
use crate::domain::{ModelForm, Part};

/// The test's worst cell must be so many times beyond the runs' before model form is named.
const BEYOND: f64 = 1.25;
/// It begins where it is so many times what is left of the film's middle patch.
const BEGINS: f64 = 3.0;
/// Parts that are named at most.
const NAMED: usize = 3;
/// Least noise, mm.
const LEAST_NOISE_MM: f64 = 0.1;

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

/// The test of model form, as far as it is the same for all parts.
struct Found<'a> {
    regions: &'a [Region],
    cells: &'a [Cell],
    film: &'a Left,
    /// By cell: how many times beyond the runs.
    ratios: Vec<f64>,
    limit: f64,
}

pub(super) fn unexplained(input: &FormInput<'_>) -> Unexplained {
    let runs = input.shares.len();
    let noise_mm = input.sight.noise_square(|_| true).sqrt().max(LEAST_NOISE_MM);
    let regions = regions(input.sight, input.rest_mm);
    let cells = cells(input.sight, &regions);
    let film = least_left(&cells, of_test(input), 0.0, noise_mm);
    let left: Option<Vec<Left>> =
        (0..runs).into_par_iter().map(|run| least_left(&cells, of_run(input, run), noise_mm, noise_mm)).collect();
    let (Some(film), Some(left)) = (film, left) else {
        return Unexplained { forms: Vec::new(), p_value: 1.0 };
    };
    let without = |run: usize| -> Vec<&Left> { (0..runs).filter(|r| *r != run).map(|r| &left[r]).collect() };
    let scores: Vec<f64> = (0..runs).map(|run| worst(&left[run], &without(run), input.tolerance_mm)).collect();
    let all = without(runs);
    let test = worst(&film, &all, input.tolerance_mm);
    let p_value = (1 + scores.iter().filter(|s| **s >= test).count()) as f64 / (runs + 1) as f64;
    let limit = BEYOND * scores.iter().copied().fold(1.0, f64::max);
    let ratios = (0..cells.len()).map(|cell| ratio(cell, &film, &all, input.tolerance_mm)).collect();
    let found = Found { regions: &regions, cells: &cells, film: &film, ratios, limit };
    let forms = if test > limit { name(input, &found) } else { Vec::new() };
    Unexplained { forms, p_value }
}

/// What may explain the test: the reduced model at the estimate, the reviewed simulation, each run.
fn of_test(input: &FormInput<'_>) -> Vec<DVector<f64>> {
    let runs = input.shares.len();
    let single = |run: usize| DVector::from_fn(runs, |i, _| f64::from(u8::from(i == run)));
    let mut all = vec![test_minus(runs, &input.surrogate.weights(input.best))];
    let mut reviewed = test_minus(runs, &DVector::zeros(runs));
    reviewed[runs + 1] = -1.0;
    all.push(reviewed);
    all.extend((0..runs).map(|run| test_minus(runs, &single(run))));
    all
}

/// The same for a run that plays the test: the reduced model of the others at its estimate, each other run.
fn of_run(input: &FormInput<'_>, run: usize) -> Vec<DVector<f64>> {
    let runs = input.shares.len();
    let total = input.fields.grams().total();
    let left = left_by_model(run, &input.calibration.estimates[run], input.shares, &total);
    let mut model = DVector::zeros(runs + 2);
    model.rows_mut(0, runs).copy_from(&left);
    let minus = |other: usize| {
        let mut weights = DVector::zeros(runs + 2);
        (weights[run], weights[other]) = (1.0, -1.0);
        weights
    };
    std::iter::once(model).chain((0..runs).filter(|other| *other != run).map(minus)).collect()
}

/// The parts with cells beyond the limit, worst first.
fn name(input: &FormInput<'_>, found: &Found<'_>) -> Vec<ModelForm> {
    let parts = &input.fields.study().parts;
    let mut forms: Vec<ModelForm> = (0..parts.len())
        .filter_map(|part| {
            let own = |c: &usize| found.regions[found.cells[*c].region].part == part;
            let beyond: Vec<usize> =
                (0..found.cells.len()).filter(own).filter(|c| found.ratios[*c] > found.limit).collect();
            let worst = *beyond.iter().max_by(|a, b| found.ratios[**a].total_cmp(&found.ratios[**b]))?;
            Some(describe(input, found, &beyond, worst, &parts[part]))
        })
        .collect();
    forms.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    forms.truncate(NAMED);
    forms
}

fn describe(input: &FormInput<'_>, found: &Found<'_>, beyond: &[usize], worst: usize, part: &Part) -> ModelForm {
    let cell = &found.cells[worst];
    let region = &found.regions[cell.region];
    let left_mm = found.film.mm[worst];
    let onset_s = onset_s(input.sight, region, found.film);
    let siblings: Vec<&Region> = found.regions.iter().filter(|r| r.part == region.part).collect();
    let (place, axis) = place_in_words(region.centre, &siblings, input.rest_mm, input.sight);
    let (shift_mm, size_mm) = shift(input, found.film, region.part, cell.stretch, axis);
    let motion = motion(shift_mm, size_mm, axis, left_mm);
    let words = format!("{}, {place}, from {:.1} ms: {motion}", part.name, onset_s * 1e3);
    ModelForm {
        part_id: part.id,
        part_name: part.name.clone(),
        place,
        centre_mm: region.centre.map(f64::from),
        onset_s,
        left_mm,
        ratio: found.ratios[worst],
        difference_mm: difference(input, found.film, region, cell.stretch),
        words,
        hypotheses: rank(&pattern(input, found, beyond, worst, shift_mm, size_mm, onset_s)),
    }
}

fn motion(shift_mm: f64, size_mm: f64, axis: usize, left_mm: f64) -> String {
    if shift_mm.abs() <= 0.25 * size_mm {
        return format!("{left_mm:.1} mm of difference are left there");
    }
    let way = match (axis, shift_mm < 0.0) {
        (2, true) => "lower",
        (2, false) => "higher",
        (_, true) => "nearer to the low end",
        (_, false) => "nearer to the high end",
    };
    let axis = ["x", "y", "z"][axis];
    format!("the motion sits {:.0} mm {way} ({axis}) than in the best simulation", shift_mm.abs())
}

fn pattern(
    input: &FormInput<'_>,
    found: &Found<'_>,
    beyond: &[usize],
    worst: usize,
    shift_mm: f64,
    size_mm: f64,
    onset_s: f64,
) -> Pattern {
    let cell = &found.cells[worst];
    let region = &found.regions[cell.region];
    let touched: std::collections::BTreeSet<usize> = beyond.iter().map(|c| found.cells[*c].region).collect();
    let siblings = found.regions.iter().filter(|r| r.part == region.part).count();
    let mut by_stretch = vec![0.0; STRETCHES];
    for (c, mm) in found.cells.iter().zip(&found.film.mm).filter(|(c, _)| c.region == cell.region) {
        by_stretch[c.stretch] = *mm;
    }
    Pattern {
        onset_share: onset_s / input.sight.moments.last().copied().unwrap_or(1.0).max(1e-9),
        shift: shift_mm.abs() / size_mm.max(1.0),
        at_joint: at_joint(region, found.regions, size_mm),
        spread: touched.len() as f64 / siblings.max(1) as f64,
        steadiness: steadiness(&by_stretch),
        near_impact: near_impact(input, region, cell.stretch),
    }
}

/// The first moment from which a patch stays [`BEGINS`] times above the film's middle; the last one if none does.
fn onset_s(sight: &Sight, region: &Region, film: &Left) -> f64 {
    let above = |moment: usize| -> Option<bool> {
        let own: Vec<usize> =
            region.places.iter().copied().filter(|i| usize::from(sight.places[*i].moment) == moment).collect();
        let square: f64 =
            own.iter().map(|i| left_at(sight, &film.weights, *i).map(|d| d * d).iter().sum::<f64>()).sum();
        (!own.is_empty()).then(|| (square / own.len() as f64).sqrt() > BEGINS * film.level_mm)
    };
    let states: Vec<Option<bool>> = (0..sight.moments.len()).map(above).collect();
    let first = states.iter().rposition(|s| *s == Some(false)).map_or(0, |i| i + 1);
    sight.moments[first.min(sight.moments.len() - 1)]
}

/// What these weights of runs, test and simulation leave at a place, mm.
fn left_at(sight: &Sight, weights: &DVector<f64>, place: usize) -> [f64; 2] {
    let films = sight.runs.iter().chain([&sight.test, &sight.simulated]);
    let mut sum = [0.0; 2];
    for (seen, weight) in films.zip(weights.iter()) {
        (0..2).for_each(|c| sum[c] += weight * f64::from(seen[place][c]));
    }
    sum
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

/// How far along `axis` the centre of the test's motion in a part is from the best simulation's, and a third of the
/// part's length, mm.
fn shift(input: &FormInput<'_>, film: &Left, part: usize, stretch: usize, axis: usize) -> (f64, f64) {
    let sight = input.sight;
    let (mut test, mut model) = ([0.0_f64; 2], [0.0_f64; 2]);
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (i, p) in sight.places.iter().enumerate() {
        if usize::from(p.part) != part || stretch_of(sight, p.moment) != stretch {
            continue;
        }
        let at = f64::from(input.rest_mm[p.node as usize][axis]);
        (low, high) = (low.min(at), high.max(at));
        let (seen, left) = (sight.test[i].map(f64::from), left_at(sight, &film.weights, i));
        let predicted = [seen[0] - left[0], seen[1] - left[1]];
        for (sum, d) in [(&mut test, seen), (&mut model, predicted)] {
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
    let here = |i: &usize| stretch_of(sight, sight.places[*i].moment) == stretch;
    let length = |i: usize| f64::from(sight.test[i][0]).hypot(f64::from(sight.test[i][1]));
    let own: Vec<f64> = region.places.iter().filter(|i| here(i)).map(|i| length(*i)).collect();
    let top = (0..sight.places.len()).filter(here).map(length).fold(1e-9, f64::max);
    (own.iter().sum::<f64>() / own.len().max(1) as f64 / top).clamp(0.0, 1.0)
}

/// Mean difference test minus best simulation in a region, world axes: least squares over the cameras' picture planes.
fn difference(input: &FormInput<'_>, film: &Left, region: &Region, stretch: usize) -> [f64; 3] {
    let sight = input.sight;
    let (mut normal, mut right) = (nalgebra::Matrix3::<f64>::identity() * 1e-6, nalgebra::Vector3::zeros());
    for i in region.places.iter().copied() {
        let p = &sight.places[i];
        if stretch_of(sight, p.moment) != stretch {
            continue;
        }
        for (axis, left) in sight.axes[usize::from(p.camera)].iter().zip(left_at(sight, &film.weights, i)) {
            let axis = nalgebra::Vector3::from(*axis);
            normal += axis * axis.transpose();
            right += axis * left;
        }
    }
    normal.try_inverse().map_or([f64::NAN; 3], |inverse| (inverse * right).into())
}
