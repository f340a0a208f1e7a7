//! How far the reduced model errs: each run is predicted from the others, and so it is by the two peers.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use super::{Grams, StudyFields, Surrogate};
use crate::domain::{SurrogateError, SurrogateReport};

/// Ridge of the linear regression, so that as many parameters as runs are no division by zero.
const LINEAR_RIDGE: f64 = 1e-6;

/// Weights of one run's error (the run minus its prediction from the others) by model, linear regression, nearest run.
struct Errors {
    model: DVector<f64>,
    linear: DVector<f64>,
    nearest: DVector<f64>,
}

/// `error = run − Σ weights × others`.
fn error_of(run: usize, others: &[usize], weights: &DVector<f64>, runs: usize) -> DVector<f64> {
    let mut error = DVector::zeros(runs);
    error[run] = 1.0;
    for (other, weight) in others.iter().zip(weights.iter()) {
        error[*other] -= weight;
    }
    error
}

fn leave(run: usize, shares: &[Vec<f64>], gram: &DMatrix<f64>) -> Errors {
    let n = shares.len();
    let others: Vec<usize> = (0..n).filter(|r| *r != run).collect();
    let points: Vec<Vec<f64>> = others.iter().map(|r| shares[*r].clone()).collect();
    let inner = DMatrix::from_fn(n - 1, n - 1, |i, j| gram[(others[i], others[j])]);
    let model = Surrogate::of_gram(&points, &inner).weights(&shares[run]);
    let nearest = others
        .iter()
        .enumerate()
        .min_by(|(_, a), (_, b)| distance(&shares[**a], &shares[run]).total_cmp(&distance(&shares[**b], &shares[run])));
    let nearest = DVector::from_fn(n - 1, |i, _| if Some(i) == nearest.map(|(i, _)| i) { 1.0 } else { 0.0 });
    let wrap = |weights: &DVector<f64>| error_of(run, &others, weights, n);
    Errors { model: wrap(&model), linear: wrap(&linear_weights(&points, &shares[run])), nearest: wrap(&nearest) }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// Plain linear regression as weights of the runs: `x (XᵀX)⁻¹ Xᵀ`.
fn linear_weights(points: &[Vec<f64>], at: &[f64]) -> DVector<f64> {
    let row = |p: &[f64]| std::iter::once(1.0).chain(p.iter().copied()).collect::<Vec<_>>();
    let columns = at.len() + 1;
    let x = DMatrix::from_row_iterator(points.len(), columns, points.iter().flat_map(|p| row(p)));
    let normal = x.transpose() * &x + DMatrix::identity(columns, columns) * LINEAR_RIDGE;
    let solved = normal.cholesky().map(|c| c.solve(&DVector::from_vec(row(at))));
    solved.map_or_else(|| DVector::from_element(points.len(), 1.0 / points.len() as f64), |s| x * s)
}

/// Weights (runs) whose sum is what the model without run `run`, evaluated at `at`, leaves of that run.
pub(super) fn left_by_model(run: usize, at: &[f64], shares: &[Vec<f64>], gram: &DMatrix<f64>) -> DVector<f64> {
    let others: Vec<usize> = (0..shares.len()).filter(|r| *r != run).collect();
    let points: Vec<Vec<f64>> = others.iter().map(|r| shares[*r].clone()).collect();
    let inner = DMatrix::from_fn(others.len(), others.len(), |i, j| gram[(others[i], others[j])]);
    error_of(run, &others, &Surrogate::of_gram(&points, &inner).weights(at), shares.len())
}

/// The reduced model in figures; errors are root mean squares over runs, nodes and times, mm.
#[must_use]
pub fn surrogate_report(fields: &dyn StudyFields, surrogate: &Surrogate) -> SurrogateReport {
    let (study, grams) = (fields.study(), fields.grams());
    let shares = study.shares();
    let total = grams.total();
    let errors: Vec<Errors> = (0..shares.len()).into_par_iter().map(|run| leave(run, &shares, &total)).collect();
    let (modes, energy) = surrogate.modes();
    let parts = std::iter::once(None).chain((0..grams.parts()).map(Some));
    SurrogateReport {
        runs: shares.len(),
        modes,
        energy,
        regressions: surrogate.regressions(),
        times_s: study.times_s.clone(),
        errors: parts
            .map(|part| {
                let name = part.map_or("all", |p| study.parts[p].name.as_str());
                errors_of_part(name, part, &errors, grams)
            })
            .collect(),
    }
}

fn errors_of_part(name: &str, part: Option<usize>, errors: &[Errors], grams: &Grams) -> SurrogateError {
    let n = errors.len();
    let spread: Vec<DVector<f64>> =
        (0..n).map(|run| DVector::from_fn(n, |i, _| f64::from(u8::from(i == run)) - 1.0 / n as f64)).collect();
    let over_time = |of: &dyn Fn(usize) -> DVector<f64>| -> Vec<f64> {
        let weights: Vec<DVector<f64>> = (0..n).map(of).collect();
        let square = |time: usize| weights.iter().map(|w| grams.mean_square(time, part, w)).sum::<f64>() / n as f64;
        (0..grams.times()).map(|time| square(time).sqrt()).collect()
    };
    let rms = |v: &[f64]| (v.iter().map(|x| x * x).sum::<f64>() / v.len().max(1) as f64).sqrt();
    let model = over_time(&|run| errors[run].model.clone());
    let linear = over_time(&|run| errors[run].linear.clone());
    let nearest = over_time(&|run| errors[run].nearest.clone());
    SurrogateError {
        part_name: name.to_owned(),
        model_mm: rms(&model),
        linear_mm: rms(&linear),
        nearest_mm: rms(&nearest),
        spread_mm: rms(&over_time(&|run| spread[run].clone())),
        model_over_time_mm: model,
        linear_over_time_mm: linear,
        nearest_over_time_mm: nearest,
    }
}
