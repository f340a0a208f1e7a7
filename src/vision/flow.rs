//! Dense residual flow between the predicted and the real picture: the seam for every estimator, and OpenCV's dense
//! inverse search (DIS; Kroeger et al., ECCV 2016) as its first implementation and the yardstick for all others.

use ndarray::parallel::prelude::*;
use ndarray::{Array2, Array3, Axis};
use opencv::core::{Mat, Ptr};
use opencv::prelude::*;
use opencv::video::{DISOpticalFlow, DISOpticalFlow_PRESET_MEDIUM};
use serde::{Deserialize, Serialize};

use super::VisionError;
use super::picture::{Paint, local_contrast};
use crate::domain::{ExecutionProvider, ModelDigest};

/// What an estimator sees.
#[derive(Debug, Clone, Copy)]
pub struct PicturePair<'a> {
    /// The predicted picture `[height, width]`, 0 to 1.
    pub predicted: &'a Array2<f32>,
    /// The real picture, same size and scale.
    pub real: &'a Array2<f32>,
    /// 1 where the predicted picture shows a surface whose look is known, else 0.
    pub visible: &'a Array2<f32>,
}

/// What an estimator says, pixel by pixel of the predicted picture.
#[derive(Debug, Clone)]
pub struct DenseResidual {
    /// Residual flow `[2, height, width]`, x then y, px: what is at `p` in the predicted picture is at `p + flow` in
    /// the real one.
    pub flow: Array3<f32>,
    /// Standard deviation of a component of the flow, px.
    pub sigma_px: Array2<f32>,
    /// Probability that the surface is there to be seen at all, and that `flow` is near enough for patches to refine it.
    pub present: Array2<f32>,
}

/// Anything that finds the residual flow of a pair.
pub trait ResidualEstimator: Send + Sync {
    /// The residual of one pair.
    ///
    /// # Errors
    /// When the pictures differ in size or the machinery behind fails.
    fn estimate(&self, pair: PicturePair<'_>) -> Result<DenseResidual, VisionError>;
    /// The same for a caller that has the paint of both pictures already; an estimator that does not look at the paint
    /// need not care.
    ///
    /// # Errors
    /// As [`ResidualEstimator::estimate`].
    fn estimate_painted(
        &self,
        pair: PicturePair<'_>,
        predicted: &Paint,
        real: &Paint,
    ) -> Result<DenseResidual, VisionError> {
        let _ = (predicted, real);
        self.estimate(pair)
    }
    /// What it is.
    fn digest(&self) -> ModelDigest;
    /// What it really runs on.
    fn provider(&self) -> ExecutionProvider;
}

/// OpenCV DIS in both directions; their disagreement is the sigma.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisFlow {
    /// Patches at half the size as in [`DisFlow::Medium`], fewer of them, and no smoothing of the flow after them: a third
    /// of the time. For a network to start from, which smooths by itself.
    Quick,
    /// OpenCV's preset "medium": what a review trusts by itself, and the yardstick.
    #[default]
    Medium,
}

/// A dense flow with the only thing that it knows about itself.
#[derive(Debug, Clone)]
pub struct DenseStart {
    /// Flow from the first picture to the second `[2, height, width]`, x then y, px.
    pub flow: Array3<f32>,
    /// How far from where it began the way there and back ends `[height, width]`, px; [`DenseStart::LOST_PX`] where the
    /// way leaves the picture.
    pub disagreement_px: Array2<f32>,
}

impl DenseStart {
    /// Stands for "no way back".
    pub const LOST_PX: f32 = 99.0;
    /// Beyond this many px of disagreement the match is lost, by whatever distance.
    pub const LARGEST_DOUBT_PX: f32 = 16.0;

    /// The disagreement as a model is given it: at most [`Self::LARGEST_DOUBT_PX`].
    #[must_use]
    pub fn doubt_px(&self) -> Array2<f32> {
        self.disagreement_px.mapv(|d| d.min(Self::LARGEST_DOUBT_PX))
    }
}

impl DisFlow {
    /// Its name in recipes and model files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Medium => "medium",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Quick, Self::Medium].into_iter().find(|d| d.name() == name)
    }

    fn search(self) -> opencv::Result<Ptr<DISOpticalFlow>> {
        let mut search = DISOpticalFlow::create(DISOpticalFlow_PRESET_MEDIUM)?;
        if self == Self::Quick {
            // On 24 pairs of the report's split in models/README.md: mean error 1.3 px as "medium", median 0.41 px (0.33);
            // the coarser patches of the preset "fast" have 1.3 and 0.55 px.
            search.set_patch_stride(4)?;
            search.set_gradient_descent_iterations(8)?;
            search.set_variational_refinement_iterations(0)?;
        }
        Ok(search)
    }

    /// The flow between two paints of one size, in both directions.
    ///
    /// # Errors
    /// When the sizes differ or OpenCV refuses.
    pub fn flow(self, first: &Paint, second: &Paint) -> Result<DenseStart, VisionError> {
        if first.dim() != second.dim() {
            return Err(VisionError::SizesDiffer { predicted: first.dim(), real: second.dim() });
        }
        let failed = |source| VisionError::OpenCv { during: "computing DIS optical flow", source };
        let rows = first.nrows();
        let (first, second) = (bytes(first), bytes(second));
        // Each direction has an object of OpenCV of its own: nothing is shared between the threads.
        let (forward, backward) = rayon::join(|| dis(self, &first, &second, rows), || dis(self, &second, &first, rows));
        let (flow, backward) = (forward.map_err(failed)?, backward.map_err(failed)?);
        let disagreement_px = forward_backward_px(&flow, &backward);
        Ok(DenseStart { flow, disagreement_px })
    }
}

impl ResidualEstimator for DisFlow {
    fn estimate(&self, pair: PicturePair<'_>) -> Result<DenseResidual, VisionError> {
        check_sizes(pair)?;
        let (predicted, real) = rayon::join(|| local_contrast(pair.predicted), || local_contrast(pair.real));
        self.estimate_painted(pair, &predicted?, &real?)
    }

    fn estimate_painted(
        &self,
        pair: PicturePair<'_>,
        predicted: &Paint,
        real: &Paint,
    ) -> Result<DenseResidual, VisionError> {
        check_sizes(pair)?;
        let DenseStart { flow, disagreement_px: disagreement } = self.flow(predicted, real)?;
        // The two directions share their errors' causes, so half the disagreement understates the doubt: a floor
        // stands for what they have in common, and disagreement beyond a pixel means that the match is lost.
        let sigma_px = disagreement.mapv(|e| 0.05 + 0.5 * e);
        let present = ndarray::Zip::from(&disagreement).par_map_collect(|e| 1.0 / (1.0 + (4.0 * (e - 1.0)).exp()));
        Ok(DenseResidual { flow, sigma_px, present })
    }

    fn digest(&self) -> ModelDigest {
        ModelDigest {
            name: format!("opencv-dis-{}", self.name()),
            version: opencv::core::CV_VERSION.into(),
            sha256: String::new(),
        }
    }

    fn provider(&self) -> ExecutionProvider {
        ExecutionProvider::OpencvDis
    }
}

/// Lets OpenCV compute on the threads that call it alone, for a caller that limits its own; what it computes does not
/// depend on it.
///
/// # Errors
/// When OpenCV refuses.
pub fn keep_to_calling_threads() -> Result<(), VisionError> {
    let failed = |source| VisionError::OpenCv { during: "limiting its threads", source };
    opencv::core::set_num_threads(1).map_err(failed)
}

fn check_sizes(pair: PicturePair<'_>) -> Result<(), VisionError> {
    let (predicted, real) = (pair.predicted.dim(), pair.real.dim());
    if predicted == real { Ok(()) } else { Err(VisionError::SizesDiffer { predicted, real }) }
}

fn bytes(paint: &Paint) -> Vec<u8> {
    // The cast stops at both ends of the scale.
    paint.iter().map(|v| (v * 255.0 + 0.5) as u8).collect()
}

fn dis(kind: DisFlow, first: &[u8], second: &[u8], rows: usize) -> opencv::Result<Array3<f32>> {
    let (a, b) = (Mat::from_slice(first)?, Mat::from_slice(second)?);
    let (a, b) = (a.reshape(1, rows as i32)?, b.reshape(1, rows as i32)?);
    let mut search = kind.search()?;
    let mut flow = Mat::default();
    search.calc(&a, &b, &mut flow)?;
    let vectors = flow.data_typed::<opencv::core::Vec2f>()?;
    let both = vectors.iter().map(|v| v[0]).chain(vectors.iter().map(|v| v[1])).collect();
    Ok(Array3::from_shape_vec((2, rows, first.len() / rows), both)
        .expect("a flow is of its picture's size, else a bug"))
}

/// Length of `forward(p) + backward(p + forward(p))` at each pixel, px; large where the way back leaves the picture.
fn forward_backward_px(forward: &Array3<f32>, backward: &Array3<f32>) -> Array2<f32> {
    let (_, h, w) = forward.dim();
    let there = forward.as_slice().expect("a fresh array is contiguous, else a bug").split_at(h * w);
    let back = backward.as_slice().expect("a fresh array is contiguous, else a bug").split_at(h * w);
    let mut lengths = Array2::from_elem((h, w), DenseStart::LOST_PX);
    lengths.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(r, mut row)| {
        let along = r * w..(r + 1) * w;
        let steps = there.0[along.clone()].iter().zip(&there.1[along]);
        for (c, (length, (dx, dy))) in row.iter_mut().zip(steps).enumerate() {
            let (x, y) = (c as f32 + dx, r as f32 + dy);
            if !(x >= 0.0 && y >= 0.0 && x < (w - 1) as f32 && y < (h - 1) as f32) {
                continue;
            }
            let (x0, y0) = (x as usize, y as usize);
            let (fx, fy) = (x - x0 as f32, y - y0 as f32);
            let (upper, lower) = (y0 * w + x0, (y0 + 1) * w + x0);
            let at = |plane: &[f32]| {
                (1.0 - fy) * ((1.0 - fx) * plane[upper] + fx * plane[upper + 1])
                    + fy * ((1.0 - fx) * plane[lower] + fx * plane[lower + 1])
            };
            let (ex, ey) = (dx + at(back.0), dy + at(back.1));
            *length = (ex * ex + ey * ey).sqrt();
        }
    });
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texture(shift_x: f32, shift_y: f32) -> Array2<f32> {
        Array2::from_shape_fn((120, 160), |(r, c)| {
            let (x, y) = (c as f32 - shift_x, r as f32 - shift_y);
            0.5 + 0.16 * ((0.43 * x + 0.11 * y).sin() + (0.31 * y - 0.17 * x).sin() + (0.23 * (x + y)).cos())
        })
    }

    #[test]
    fn dis_finds_a_known_shift() {
        let (a, b) = (texture(0.0, 0.0), texture(1.6, -0.7));
        let visible = Array2::ones(a.dim());
        for dis in [DisFlow::Quick, DisFlow::Medium] {
            let found = dis.estimate(PicturePair { predicted: &a, real: &b, visible: &visible }).expect("equal sizes");
            let median = |component: usize| {
                let inside = found.flow.slice(ndarray::s![component, 20..100, 20..140]);
                let mut values: Vec<f32> = inside.iter().copied().collect();
                values.sort_unstable_by(f32::total_cmp);
                values[values.len() / 2]
            };
            assert!((median(0) - 1.6).abs() < 0.1 && (median(1) + 0.7).abs() < 0.1, "{dis:?}");
            assert!(found.present[(60, 80)] > 0.9 && found.sigma_px[(60, 80)] < 0.3, "{dis:?}");
            assert_eq!(DisFlow::by_name(dis.name()), Some(dis));
        }
        assert_eq!(DisFlow::by_name("slow"), None);
    }

    #[test]
    fn pictures_of_another_size_are_refused() {
        let (a, b) = (Array2::zeros((10, 12)), Array2::zeros((10, 13)));
        let error =
            DisFlow::Medium.estimate(PicturePair { predicted: &a, real: &b, visible: &a }).expect_err("sizes differ");
        assert!(error.to_string().contains("(10, 12)"), "{error}");
    }
}
