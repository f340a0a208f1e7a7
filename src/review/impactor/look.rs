//! The impactor in frame 0: a body that no mesh contains, in front of the specimen.
//!
//! Its look must not be carried along as the specimen's. It is told by three things together: beside the mesh a body
//! moves as one (an affine motion of the picture); under the mesh some points share this motion; and these look more
//! like that body than like the parts of the specimen that surely move otherwise. Points are taken only in one piece
//! with the body beside the mesh. A specimen that is pushed along by its impactor shares the motion but not the look.

use nalgebra::{DMatrix, Matrix4, SMatrix, SVector, Vector2, Vector4};
use ndarray::Array2;

use crate::vision::{PicturePair, ResidualEstimator, VisionError, local_contrast};

/// Distance between examined points, px.
const STRIDE: usize = 4;
/// Half the side of the patch whose look is described, px.
const RADIUS: usize = 6;
/// A body moves when its median point has moved by so much, px.
const MOVED_PX: f64 = 5.0;
/// Points beside the mesh that have moved by less belong to the background, px.
const AT_REST_PX: f64 = 2.0;
/// Points that share the body's motion agree to this, px, or to this share of it.
const SHARED: (f64, f64) = (1.0, 0.08);
/// Points of the specimen surely move otherwise from this on, px.
const OTHERWISE_PX: f64 = 2.5;
/// Distance from the outline at which a patch surely shows what lies under the mesh alone, px. The rim is taken with
/// what is found beside it.
const INSIDE_PX: usize = 7;
/// A look must be so much more likely the body's than the specimen's (natural logarithm of the ratio).
const EVIDENCE: f64 = 1.0;
/// Squared Mahalanobis distance that 99 of 100 looks of a body keep (four numbers describe a look). The shadow that an
/// impactor throws on the specimen moves with it and looks like neither.
const PLAUSIBLE: f64 = 13.3;
/// Fewer points are no body, and no sample of a look.
const FEWEST_POINTS: usize = 40;
/// Distance from the mesh's outline at which a point is surely beside it, px.
const BESIDE_PX: usize = 6;

/// A point of the grid.
struct GridPoint {
    row: usize,
    column: usize,
    covered: bool,
    flow: Vector2<f64>,
    look: Vector4<f64>,
}

/// Marks the impactor among the covered pixels of frame 0, given a later frame; true where the look is the specimen's.
/// `None` when nothing beside the mesh moves as a body between the two (it may do so in a later frame).
///
/// # Errors
/// When the estimator fails.
pub(in crate::review) fn trusted_beside_impactor(
    first: &Array2<f32>,
    later: &Array2<f32>,
    covered: &Array2<bool>,
    estimator: &dyn ResidualEstimator,
) -> Result<Option<Array2<bool>>, VisionError> {
    let visible = Array2::ones(first.dim());
    let dense = estimator.estimate(PicturePair { predicted: first, real: later, visible: &visible })?;
    let paint = local_contrast(first)?;
    let (h, w) = first.dim();
    let near = grown(covered, BESIDE_PX);
    let rim = grown(&covered.mapv(|c| !c), INSIDE_PX);
    let mut points = Vec::new();
    for row in (RADIUS + 1..h - RADIUS - 1).step_by(STRIDE) {
        for column in (RADIUS + 1..w - RADIUS - 1).step_by(STRIDE) {
            let at = (row, column);
            if dense.present[at] < 0.5 || (near[at] && !covered[at]) {
                continue;
            }
            let flow = Vector2::new(f64::from(dense.flow[(0, row, column)]), f64::from(dense.flow[(1, row, column)]));
            points.push(GridPoint { row, column, covered: covered[at], flow, look: look(first, &paint, row, column) });
        }
    }
    let Some(motion) = body_motion(&points) else { return Ok(None) };
    let distance = |p: &GridPoint| (p.flow - motion * basis(p)).norm();
    let shares = |p: &GridPoint| distance(p) < SHARED.0.max(SHARED.1 * (motion * basis(p)).norm());
    let body: Vec<&GridPoint> = points.iter().filter(|p| !p.covered && shares(p)).collect();
    let specimen: Vec<&GridPoint> = points.iter().filter(|p| p.covered && distance(p) > OTHERWISE_PX).collect();
    if body.len() < FEWEST_POINTS || specimen.len() < FEWEST_POINTS {
        return Ok(Some(Array2::from_elem((h, w), true)));
    }
    let (of_body, of_specimen) = (Look::of(&body), Look::of(&specimen));
    let mut suspect = Array2::from_elem((h.div_ceil(STRIDE), w.div_ceil(STRIDE)), false);
    let mut seeds = Vec::new();
    for p in points.iter().filter(|p| shares(p)) {
        let cell = (p.row / STRIDE, p.column / STRIDE);
        if !p.covered {
            seeds.push(cell);
        } else if !rim[(p.row, p.column)]
            && of_body.distance(&p.look) < PLAUSIBLE
            && of_body.log_density(&p.look) > of_specimen.log_density(&p.look) + EVIDENCE
        {
            suspect[cell] = true;
        }
    }
    Ok(Some(without(&connected_to(&seeds, &suspect), (h, w))))
}

/// (x, y, 1) of a point, scaled so that the fit is well conditioned.
fn basis(p: &GridPoint) -> SVector<f64, 3> {
    SVector::<f64, 3>::new(p.column as f64 / 100.0, p.row as f64 / 100.0, 1.0)
}

/// The affine motion of what moves beside the mesh, by least squares with shrinking tolerance; `None` when it is no
/// single body.
fn body_motion(points: &[GridPoint]) -> Option<SMatrix<f64, 2, 3>> {
    let mut chosen: Vec<&GridPoint> = points.iter().filter(|p| !p.covered && p.flow.norm() > AT_REST_PX).collect();
    let moving = chosen.len();
    let mut motion = SMatrix::<f64, 2, 3>::zeros();
    for tolerance in [f64::INFINITY, 8.0, 4.0, 2.0, 1.5] {
        if tolerance.is_finite() {
            chosen = points
                .iter()
                .filter(|p| !p.covered && p.flow.norm() > AT_REST_PX && (p.flow - motion * basis(p)).norm() < tolerance)
                .collect();
        }
        if chosen.len() < FEWEST_POINTS {
            return None;
        }
        if tolerance.is_infinite() {
            let mut middle = [0, 1].map(|i| chosen.iter().map(|p| p.flow[i]).collect::<Vec<f64>>());
            middle.iter_mut().for_each(|v| v.sort_unstable_by(f64::total_cmp));
            motion.set_column(2, &Vector2::from(middle.map(|v| v[v.len() / 2])));
            continue;
        }
        let rows = DMatrix::from_fn(chosen.len(), 3, |r, c| basis(chosen[r])[c]);
        let flows = DMatrix::from_fn(chosen.len(), 2, |r, c| chosen[r].flow[c]);
        let solved = rows.svd(true, true).solve(&flows, 1e-9).ok()?;
        motion = SMatrix::<f64, 2, 3>::from_fn(|r, c| solved[(c, r)]);
    }
    let mut lengths: Vec<f64> = chosen.iter().map(|p| p.flow.norm()).collect();
    lengths.sort_unstable_by(f64::total_cmp);
    (2 * chosen.len() > moving && lengths[lengths.len() / 2] >= MOVED_PX).then_some(motion)
}

/// Brightness, contrast, and the strength of fine and of finest detail around a pixel.
fn look(picture: &Array2<f32>, paint: &Array2<f32>, row: usize, column: usize) -> Vector4<f64> {
    let (mut sum, mut square, mut gradient, mut fine, mut n) = (0.0f64, 0.0f64, 0.0f64, 0.0f64, 0.0f64);
    for r in row - RADIUS..=row + RADIUS {
        for c in column - RADIUS..=column + RADIUS {
            let v = f64::from(picture[(r, c)]);
            sum += v;
            square += v * v;
            let p = |r: usize, c: usize| f64::from(paint[(r, c)]);
            gradient += (p(r, c + 1) - p(r, c - 1)).abs() + (p(r + 1, c) - p(r - 1, c)).abs();
            fine += (4.0 * p(r, c) - p(r, c + 1) - p(r, c - 1) - p(r + 1, c) - p(r - 1, c)).abs();
            n += 1.0;
        }
    }
    let mean = sum / n;
    let contrast = (square / n - mean * mean).max(1e-8).sqrt();
    Vector4::new(mean, contrast.ln(), (gradient / n + 1e-6).ln(), (fine / n + 1e-6).ln())
}

/// A Gaussian over looks.
struct Look {
    mean: Vector4<f64>,
    inverse: Matrix4<f64>,
    log_determinant: f64,
}

impl Look {
    fn of(points: &[&GridPoint]) -> Self {
        let n = points.len() as f64;
        let mean = points.iter().map(|p| p.look).sum::<Vector4<f64>>() / n;
        let scatter = points.iter().map(|p| (p.look - mean) * (p.look - mean).transpose()).sum::<Matrix4<f64>>() / n;
        // A little isotropic variance keeps a uniform look from being infinitely narrow.
        let covariance = scatter + Matrix4::identity() * 1e-3;
        Self {
            mean,
            inverse: covariance.try_inverse().unwrap_or_else(Matrix4::identity),
            log_determinant: covariance.determinant().max(1e-30).ln(),
        }
    }

    /// Squared Mahalanobis distance.
    fn distance(&self, look: &Vector4<f64>) -> f64 {
        let d = look - self.mean;
        d.dot(&(self.inverse * d))
    }

    fn log_density(&self, look: &Vector4<f64>) -> f64 {
        -0.5 * (self.distance(look) + self.log_determinant)
    }
}

/// The suspect cells that hang together with the seeds, over gaps of up to four cells (the outline's margins).
fn connected_to(seeds: &[(usize, usize)], suspect: &Array2<bool>) -> Array2<bool> {
    const GAP: usize = 4;
    let (h, w) = suspect.dim();
    let mut taken = Array2::from_elem((h, w), false);
    let mut queue: Vec<(usize, usize)> = seeds.to_vec();
    while let Some((r, c)) = queue.pop() {
        for i in r.saturating_sub(GAP)..(r + GAP + 1).min(h) {
            for j in c.saturating_sub(GAP)..(c + GAP + 1).min(w) {
                if suspect[(i, j)] && !taken[(i, j)] {
                    taken[(i, j)] = true;
                    queue.push((i, j));
                }
            }
        }
    }
    taken
}

/// All pixels but those around the taken cells.
fn without(taken: &Array2<bool>, size: (usize, usize)) -> Array2<bool> {
    let mut trusted = Array2::from_elem(size, true);
    for ((r, c), taken) in taken.indexed_iter() {
        if *taken {
            super::super::foreign::spread(&mut trusted, r * STRIDE + STRIDE / 2, c * STRIDE + STRIDE / 2);
        }
    }
    trusted
}

/// The mask with everything within `by` pixels of it.
pub(super) fn grown(mask: &Array2<bool>, by: usize) -> Array2<bool> {
    let (h, w) = mask.dim();
    let along = |m: &Array2<bool>, columns: bool| {
        Array2::from_shape_fn((h, w), |(r, c)| {
            if columns {
                (c.saturating_sub(by)..(c + by + 1).min(w)).any(|k| m[(r, k)])
            } else {
                (r.saturating_sub(by)..(r + by + 1).min(h)).any(|k| m[(k, c)])
            }
        })
    };
    along(&along(mask, true), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::DisFlow;

    /// Smooth value noise of the given grain, 0 to 1.
    fn noise(x: f64, y: f64, grain: f64, seed: u64) -> f64 {
        let corner = |i: i64, j: i64| {
            let mut z =
                (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (j as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f) ^ seed;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        };
        let (x, y) = (x / grain, y / grain);
        let (i, j) = (x.floor(), y.floor());
        let s = |t: f64| t * t * (3.0 - 2.0 * t);
        let (fx, fy) = (s(x - i), s(y - j));
        let (i, j) = (i as i64, j as i64);
        (1.0 - fy) * ((1.0 - fx) * corner(i, j) + fx * corner(i + 1, j))
            + fy * ((1.0 - fx) * corner(i, j + 1) + fx * corner(i + 1, j + 1))
    }

    /// A bright coarse disc flies down in front of a dark fine-grained beam, over a background at rest.
    fn scene(fall: f64, beam_fall: f64) -> Array2<f32> {
        Array2::from_shape_fn((240, 320), |(r, c)| {
            let (x, y) = (c as f64, r as f64);
            if f64::hypot(x - 150.0, y - 90.0 - fall) < 60.0 {
                return (0.65 + 0.3 * noise(x, y - fall, 11.0, 7)) as f32;
            }
            if (120.0 + beam_fall..170.0 + beam_fall).contains(&y) && (20.0..300.0).contains(&x) {
                return (0.15 + 0.35 * noise(x, y - beam_fall, 3.0, 3)) as f32;
            }
            (0.3 + 0.25 * noise(x, y, 17.0, 5)) as f32
        })
    }

    fn covered() -> Array2<bool> {
        Array2::from_shape_fn((240, 320), |(r, c)| (120..170).contains(&r) && (20..300).contains(&c))
    }

    #[test]
    fn the_look_of_an_impactor_in_front_of_the_mesh_is_not_trusted() {
        let found = trusted_beside_impactor(&scene(0.0, 0.0), &scene(8.0, 1.0), &covered(), &DisFlow::Medium)
            .expect("equal sizes")
            .expect("a body moves");
        assert!(!found[(130, 150)] && !found[(138, 140)], "the disc's lower part lies over the beam");
        assert!(found[(150, 40)] && found[(150, 270)], "the beam's ends are the beam");
    }

    #[test]
    fn a_specimen_that_moves_along_keeps_its_look() {
        let found = trusted_beside_impactor(&scene(0.0, 0.0), &scene(8.0, 8.0), &covered(), &DisFlow::Medium)
            .expect("equal sizes");
        if let Some(found) = found {
            assert!(found[(150, 40)] && found[(150, 270)]);
        }
    }

    #[test]
    fn nothing_that_moves_is_no_impactor() {
        let found = trusted_beside_impactor(&scene(0.0, 0.0), &scene(0.0, 3.0), &covered(), &DisFlow::Medium)
            .expect("equal sizes");
        assert!(found.is_none());
    }
}
