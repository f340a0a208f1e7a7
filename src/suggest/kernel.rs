//! The regressions to choose from, all as kernels over parameters in shares of their ranges.
//!
//! Ridge regression on monomials is a Gaussian process with a polynomial kernel (Rasmussen and Williams 2006, section
//! 4.2.2 and 6.1), so one piece of algebra serves the quadratic ridge and the Gaussian process.
//!
//! Written here because a film is some thousand numbers, each regressed again without each run: some ten thousand fits an
//! answer. Here a kernel matrix is inverted once for all numbers; `egobox` searches for each number by itself, 4 to 24 ms a
//! fit, which would make minutes of seconds. How well either predicts is about the same (`scripts/gp_peer.py`).

/// What a kernel can bend to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Plane.
    Linear,
    /// Quadratic surface.
    Quadratic,
    /// Plane and a Matérn 5/2 process of this length, in shares of the range.
    Process(f64),
}

/// The kinds, and the noise that each may have (variance over that of the kernel).
pub(super) const KINDS: [Kind; 5] =
    [Kind::Linear, Kind::Quadratic, Kind::Process(0.7), Kind::Process(1.2), Kind::Process(2.5)];
pub(super) const NUGGETS: [f64; 5] = [1e-4, 1e-3, 1e-2, 5e-2, 0.2];

/// Prior variance of the mean, of a slope over half a range, of a curvature.
const LEVEL: f64 = 10.0;
const SLOPE: f64 = 1.0;
const BEND: f64 = 0.1;

impl Kind {
    /// Name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear ridge",
            Self::Quadratic => "quadratic ridge",
            Self::Process(_) => "Gaussian process",
        }
    }

    /// The kernel between two points.
    pub(super) fn between(self, a: &[f64], b: &[f64]) -> f64 {
        let (inner, distance) = inner_and_distance(a, b);
        self.of(inner, distance)
    }

    fn of(self, inner: f64, distance: f64) -> f64 {
        let plane = LEVEL + SLOPE * inner;
        match self {
            Self::Linear => plane,
            Self::Quadratic => plane + BEND * inner * inner,
            Self::Process(length) => plane + matern(distance / length),
        }
    }

    /// All [`KINDS`] between two points.
    pub(super) fn all_between(a: &[f64], b: &[f64]) -> [f64; KINDS.len()] {
        let (inner, distance) = inner_and_distance(a, b);
        KINDS.map(|kind| kind.of(inner, distance))
    }
}

/// Inner product of both points, centred and in half ranges; their distance in ranges.
fn inner_and_distance(a: &[f64], b: &[f64]) -> (f64, f64) {
    let (mut inner, mut square) = (0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        inner += (2.0 * x - 1.0) * (2.0 * y - 1.0);
        square += (x - y) * (x - y);
    }
    (inner, square.sqrt())
}

/// Matérn 5/2 (Rasmussen and Williams 2006, equation 4.17), variance 1.
pub(super) fn matern(distance: f64) -> f64 {
    let r = 5.0_f64.sqrt() * distance;
    (1.0 + r + r * r / 3.0) * (-r).exp()
}
