//! What the film can separate: eigenvectors of the information about the parameters, in words.

use nalgebra::SymmetricEigen;

use super::estimate::Estimator;
use crate::domain::{Direction, StudyParameter};

/// A direction is known when its sigma is below this share of the range, and unknown above the prior's own.
const KNOWN: f64 = 0.12;
/// Standard deviation of an even prior over the whole range.
const PRIOR: f64 = 0.288_675;
/// A parameter is named in a direction when its weight is above this share of the largest.
const NAMED: f64 = 0.4;

/// The directions at `shares`, best known first; `widening` is what the study's own runs found missing.
pub(super) fn directions(
    estimator: &Estimator,
    shares: &[f64],
    widening: f64,
    parameters: &[StudyParameter],
) -> Vec<Direction> {
    let inside: Vec<f64> = shares.iter().map(|s| s.clamp(0.02, 0.98)).collect();
    let eigen = SymmetricEigen::new(estimator.information(&inside));
    let mut order: Vec<usize> = (0..parameters.len()).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    order
        .into_iter()
        .map(|i| {
            let sigma_share = widening / eigen.eigenvalues[i].max(1e-6).sqrt();
            let mut weights: Vec<f64> = eigen.eigenvectors.column(i).iter().copied().collect();
            let largest = weights.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
            weights.iter_mut().for_each(|w| *w *= largest.signum());
            let words = words(&weights, sigma_share, parameters);
            Direction { weights, sigma_share, words }
        })
        .collect()
}

fn words(weights: &[f64], sigma: f64, parameters: &[StudyParameter]) -> String {
    let top = weights.iter().fold(0.0_f64, |a, w| a.max(w.abs()));
    let mut named: Vec<(usize, f64)> =
        weights.iter().copied().enumerate().filter(|(_, w)| w.abs() >= NAMED * top).collect();
    named.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let name = |i: usize| parameters[i].name.as_str();
    let percent = 100.0 * sigma;
    if let [(only, _)] = named[..] {
        return if sigma <= KNOWN {
            format!("{} is known by itself, sigma {percent:.0} % of its range", name(only))
        } else if sigma < PRIOR {
            format!("{} is known roughly, sigma {percent:.0} % of its range", name(only))
        } else {
            format!("the film says nothing about {} that its bounds do not", name(only))
        };
    }
    let together: Vec<String> =
        named.iter().map(|(i, w)| format!("{}{}", if *w < 0.0 { "less " } else { "more " }, name(*i))).collect();
    let list = together.join(" with ");
    if sigma <= KNOWN {
        format!("{list}: known together, sigma {percent:.0} %; each by itself may be less well known")
    } else if sigma < PRIOR {
        format!("{list}: known roughly together, sigma {percent:.0} %")
    } else {
        format!("{list} look the same in the film: these cannot be told apart along this line")
    }
}
