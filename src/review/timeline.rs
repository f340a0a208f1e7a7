//! The moments of a test: frames of all cameras that were taken at the same time.

use crate::domain::CameraRecord;

/// Frames nearer than this belong to one moment, s; synchronised cameras agree far better.
const SAME_MOMENT_S: f64 = 2e-5;

/// One moment of the film.
#[derive(Debug, Clone, PartialEq)]
pub struct Moment {
    /// Film time, s after the trigger.
    pub time_s: f64,
    /// Camera and frame indices taken then.
    pub frames: Vec<(usize, usize)>,
}

/// All moments in the order of time; a camera contributes at most one frame to each.
#[must_use]
pub fn moments(cameras: &[CameraRecord]) -> Vec<Moment> {
    let mut all: Vec<(f64, usize, usize)> = cameras
        .iter()
        .enumerate()
        .flat_map(|(c, camera)| camera.times_s.iter().enumerate().map(move |(f, t)| (*t, c, f)))
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut out: Vec<Moment> = Vec::new();
    for (time_s, camera, frame) in all {
        match out.last_mut() {
            Some(m) if time_s - m.time_s < SAME_MOMENT_S && m.frames.iter().all(|(c, _)| *c != camera) => {
                m.frames.push((camera, frame));
            }
            _ => out.push(Moment { time_s, frames: vec![(camera, frame)] }),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tests::camera;

    #[test]
    fn cameras_of_different_rate_share_the_moments_that_they_have_in_common() {
        let found = moments(&[camera("c", &[0.0, 1e-3, 2e-3]), camera("c", &[1e-6, 5e-4, 1e-3])]);
        let frames: Vec<_> = found.iter().map(|m| m.frames.clone()).collect();
        assert_eq!(frames, vec![vec![(0, 0), (1, 0)], vec![(1, 1)], vec![(0, 1), (1, 2)], vec![(0, 2)]]);
    }
}
