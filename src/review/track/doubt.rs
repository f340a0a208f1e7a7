//! How far the sigma of a node may be trusted: what its sightings disagree by, and how far the nearest measured node is.

use crate::review::lift::Lifted;
use crate::review::measure::Candidate;

/// How much the sightings around each node scatter more than their covariances say; at least 1.
///
/// Lost matches count up to [`LOST`] sigma each: where every second match is lost, the others are in doubt.
pub(super) fn local_chi2(nodes: usize, fine: &[Candidate], lifted: &Lifted) -> Vec<f64> {
    const LOST: f64 = 4.0;
    let mut sum = vec![[0.0f64; 2]; nodes];
    for (c, misfit) in fine.iter().zip(&lifted.misfit) {
        for (n, w) in c.sighting.nodes.iter().zip(c.sighting.weights) {
            let w = f64::from(w.max(0.0));
            sum[*n as usize][0] += w * misfit.min(LOST).powi(2) / 2.0;
            sum[*n as usize][1] += w;
        }
    }
    sum.iter().map(|[chi2, w]| ((chi2 + 1.0) / (w + 1.0)).max(1.0)).collect()
}

/// Lowers each sigma to what the nearest measured nodes allow: theirs, grown by [`SLOPE`] with the distance.
pub(super) fn limit_by_distance(sigma: &mut [f64], anchored: &[bool], edges: &[[u32; 2]], positions_mm: &[[f32; 3]]) {
    /// Deviation changes by about so much per mm along the surface where structures fold differently.
    const SLOPE: f64 = 0.6;
    let length = |a: u32, b: u32| {
        let (p, q) = (positions_mm[a as usize], positions_mm[b as usize]);
        (0..3).map(|i| f64::from(p[i] - q[i]).powi(2)).sum::<f64>().sqrt()
    };
    let mut reach: Vec<f64> = sigma.iter().zip(anchored).map(|(s, o)| if *o { *s } else { f64::INFINITY }).collect();
    // Waves over the edges in both orders settle in a few rounds; what they have not reached keeps its sigma.
    for round in 0..24 {
        let mut changed = false;
        let mut relax = |e: &[u32; 2]| {
            let step = SLOPE * length(e[0], e[1]);
            for (a, b) in [(e[0], e[1]), (e[1], e[0])] {
                let through = reach[b as usize] + step;
                if !anchored[a as usize] && through < reach[a as usize] {
                    reach[a as usize] = through;
                    changed = true;
                }
            }
        };
        if round % 2 == 0 {
            edges.iter().for_each(&mut relax);
        } else {
            edges.iter().rev().for_each(&mut relax);
        }
        if !changed {
            break;
        }
    }
    for (s, r) in sigma.iter_mut().zip(reach) {
        *s = s.min(r);
    }
}
