//! Do the film and the simulation show the same time?

use super::error::ReviewError;
use super::review_test::ReviewRequest;
use crate::domain::CameraRecord;
use crate::review::LARGEST_OFFSET_S;

/// Film and simulation share at least so much of the longer of both: a film may run long before and after the crash, but
/// milliseconds that were taken for seconds share a thousandth.
const LEAST_SHARED: f64 = 0.005;

/// From when to when, s.
type Span = [f64; 2];

/// Refuses cameras that filmed at different times, and a film that shows nothing of what was simulated.
///
/// # Errors
/// [`ReviewError::CamerasApart`], [`ReviewError::TimesApart`].
pub(super) fn check_times(
    request: &ReviewRequest,
    states_s: &[f64],
    cameras: &[CameraRecord],
) -> Result<(), ReviewError> {
    let spans: Vec<Span> = cameras.iter().filter_map(|c| span(&c.times_s)).collect();
    let apart = cameras.iter().zip(&spans).filter_map(|(camera, own_s)| {
        let other_s = spans.iter().filter(|other| *other != own_s).copied().reduce(union)?;
        (shared_s(*own_s, other_s) < 0.0).then_some((camera, *own_s, other_s))
    });
    // Of two cameras that are apart from each other it is the one that is farther from the trigger.
    if let Some((camera, found_s, expected_s)) = apart.max_by(|a, b| a.1[0].abs().total_cmp(&b.1[0].abs())) {
        let (test, camera) = (request.test.clone(), camera.name.clone());
        return Err(ReviewError::CamerasApart { test, camera, found_s, expected_s });
    }
    let (Some(film_s), Some(simulated_s)) = (spans.into_iter().reduce(union), span(states_s)) else { return Ok(()) };
    let longer_s = length_s(film_s).max(length_s(simulated_s));
    let within_reach = [simulated_s[0] - LARGEST_OFFSET_S, simulated_s[1] + LARGEST_OFFSET_S];
    // One picture, or one state, has no length that could be compared.
    let is_moment = length_s(film_s) == 0.0 || length_s(simulated_s) == 0.0;
    if is_moment || shared_s(film_s, within_reach) >= LEAST_SHARED * longer_s {
        return Ok(());
    }
    let (simulation, test) = (request.simulation.clone(), request.test.clone());
    Err(ReviewError::TimesApart { simulation, test, film_s, simulated_s })
}

fn span(times_s: &[f64]) -> Option<Span> {
    Some([*times_s.first()?, *times_s.last()?])
}

fn length_s([from, to]: Span) -> f64 {
    to - from
}

fn union(a: Span, b: Span) -> Span {
    [a[0].min(b[0]), a[1].max(b[1])]
}

/// Length of what two spans share; negative where they are apart.
fn shared_s(a: Span, b: Span) -> f64 {
    a[1].min(b[1]) - a[0].max(b[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tests::camera;
    use crate::ingest::SimulationOptions;
    use crate::jobs::ToleranceRequest;

    fn request() -> ReviewRequest {
        ReviewRequest {
            simulation: "run.vtkhdf".into(),
            simulation_options: SimulationOptions::default(),
            test: "test.h5".into(),
            study: None,
            out: "out".into(),
            tolerances: ToleranceRequest { default_mm: 5.0, per_part_mm: std::collections::BTreeMap::new() },
            partial_mesh: false,
            report: false,
        }
    }

    fn why(states_s: &[f64], cameras: &[CameraRecord]) -> String {
        check_times(&request(), states_s, cameras).map_or_else(|e| e.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn a_camera_whose_clock_is_another_is_refused_by_name() {
        let near = camera("left", &[-0.004, 0.0, 0.02]);
        assert_eq!(why(&[0.0, 0.02], &[near.clone(), camera("right", &[0.001, 0.03])]), "fine");
        let far = why(&[0.0, 0.02], &[near, camera("right", &[1.0, 1.02])]);
        assert!(far.contains("'right'") && far.contains("1.000000 to 1.020000 s"), "{far}");
    }

    #[test]
    fn a_film_of_another_time_or_unit_is_refused() {
        let film = |times_s: &[f64]| [camera("left", times_s)];
        assert_eq!(why(&[0.0, 0.1], &film(&[-1.0, 3.0])), "fine", "a film may be long");
        assert_eq!(why(&[0.0, 0.02], &film(&[-0.0027])), "fine", "one picture says what little it says");
        assert_eq!(why(&[0.0], &film(&[100.0, 160.0])), "fine", "one state holds for ever");
        for (states_s, times_s) in
            [([0.0, 22.0], [-0.004, 0.02]), ([0.0, 0.02], [5.0, 5.02]), ([0.0, 0.02], [-4.0, 20.0])]
        {
            let told = why(&states_s, &film(&times_s));
            assert!(told.contains("run.vtkhdf") && told.contains("expected"), "{states_s:?} {times_s:?}: {told}");
        }
    }
}
